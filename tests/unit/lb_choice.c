/* A balancer is found by the names users give it, its options are read, and
 * what is wrong with either is said in one line that helps. */
#include "lb_test.h"

static const char *
refusal(const char *spec)
{
    static char why[C4I_LB_WHY];
    c4i_lb_choice c;

    why[0] = 0;
    CHECK(c4i_lb_choose(spec, &c, why, sizeof(why)) != C4_OK, "%s was accepted", spec);
    CHECK(!c.lb && !c.options && !c.plugin.handle, "%s: something is held", spec);
    CHECK(*why && !strchr(why, '\n'), "%s: not one line: %s", spec, why);
    return why;
}

static void
refuses(const char *spec, const char *words)
{
    const char *why = refusal(spec);

    CHECK(strstr(why, words), "%s: '%s' does not say '%s'", spec, why, words);
}

static void
is_read_as(const char *spec, const char *name, const char *options)
{
    c4i_lb_choice c;

    lb_test_choose(&c, spec);
    CHECK(strcmp(c.lb->name, name) == 0, "%s is %s", spec, c.lb->name);
    CHECK(strcmp(c.text, options) == 0, "%s has options '%s'", spec, c.text);
    c4i_lb_choice_release(&c);
}

static void
every_name_is_known_with_and_without_lb(void)
{
    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++) {
        char name[64];
        size_t n = strlen((*lb)->name);
        c4i_lb_choice c;

        CHECK(n > 2 && n < sizeof(name) && strcmp((*lb)->name + n - 2, "LB") == 0, "%s", (*lb)->name);
        CHECK((*lb)->abi == C4_LB_ABI && (*lb)->help && *(*lb)->help && !strchr((*lb)->help, '\n'),
              "%s", (*lb)->name);
        lb_test_choose(&c, (*lb)->name);
        CHECK(c.lb == *lb, "%s", (*lb)->name);
        c4i_lb_choice_release(&c);
        memcpy(name, (*lb)->name, n - 2);
        name[n - 2] = 0;
        lb_test_choose(&c, name);
        CHECK(c.lb == *lb, "%s", name);
        c4i_lb_choice_release(&c);
        for (const c4_lb_option *o = (*lb)->options; o && o->name; o++)
            CHECK(o->help && *o->help && !strchr(o->help, '\n'), "%s,%s", (*lb)->name, o->name);
    }
}

static void
unknown_names_list_the_known(void)
{
    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++)
        refuses("Nonsense", (*lb)->name);
    CHECK(!strstr(refusal("Nonsense"), "did you mean"), "%s", refusal("Nonsense"));
    refuses("GreedyRefineLb", "did you mean GreedyRefineLB?");
    refuses("greedylb", "did you mean GreedyLB?");
    refuses("GreedyRefin", "did you mean GreedyRefineLB?");
    refuses("refine", "did you mean RefineLB?");
    refuses("RandCent2LB", "did you mean RandCentLB?");
    refuses("", "name is missing");
    refuses(",tolerance=1", "name is missing");
    refuses("my_lb.py:MyLB", "Python are not supported yet");
    refuses("./my_lb.py", "Python are not supported yet");
    refuses("./no/such.so", "No such file");
    refuses("such.so", "was not found in $C4_PLUGIN_PATH");
    refuses("/", "is not a file");
}

static void
options_are_read(void)
{
    is_read_as("GreedyLB", "GreedyLB", "");
    is_read_as("RefineLB", "RefineLB", "tolerance=1.02");
    is_read_as("Refine,tolerance=1.5", "RefineLB", "tolerance=1.5");
    is_read_as("Refine,tolerance=1.5,tolerance=2e0", "RefineLB", "tolerance=2");
    is_read_as("RotateLB,by=4294967295", "RotateLB", "by=4294967295");
    is_read_as("DummyLB,fail=ON", "DummyLB", "fail=yes");
    is_read_as("DummyLB,fail=0", "DummyLB", "fail=no");
    is_read_as("DummyLB,", "DummyLB", "fail=no");
}

static void
wrong_options_are_refused(void)
{
    refuses("GreedyLB,x=1", "has no options");
    refuses("RefineLB,tolerence=1.1", "has no option 'tolerence'; it has: tolerance");
    refuses("RefineLB,tolerance", "takes a number from 1 to 1e+09, as in RefineLB,tolerance=1.02");
    refuses("RefineLB,tolerance=", "not ''");
    refuses("RefineLB,tolerance=much", "not 'much'");
    refuses("RefineLB,tolerance=1.1x", "not '1.1x'");
    refuses("RefineLB,tolerance=0.9", "from 1 to");
    refuses("RefineLB,tolerance=nan", "not 'nan'");
    refuses("RefineLB,tolerance=inf", "not 'inf'");
    refuses("RotateLB,by=1.5", "takes a whole number");
    refuses("RotateLB,by=-1", "takes a whole number");
    refuses("RotateLB,by=4294967296", "takes a whole number");
    refuses("DummyLB,fail=perhaps", "takes yes or no");
    refuses("DummyLB,fail", "takes yes or no");
}

/* +balancer help tells of every strategy and option. */
static void
the_list_is_complete(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    CHECK(f, "open_memstream");
    c4i_lb_list(f);
    fclose(f);
    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++) {
        CHECK(strstr(text, (*lb)->name) && strstr(text, (*lb)->help), "%s", (*lb)->name);
        for (const c4_lb_option *o = (*lb)->options; o && o->name; o++)
            CHECK(strstr(text, o->name) && strstr(text, o->help), "%s,%s", (*lb)->name, o->name);
    }
    free(text);
}

/* Every strategy and option stands in the guide, with its default, and every
 * strategy that the guide's tables name exists. */
static void
the_guide_tells_of_all(void)
{
    const char *top = getenv("C4_SRCDIR");
    char path[4096], line[4096], row[128];
    char *text = lb_test_room(1, 1 << 20), *at = text;
    c4i_lb_choice c;
    FILE *f;

    snprintf(path, sizeof(path), "%s/doc/load-balancing.md", top ? top : ".");
    f = fopen(path, "r");
    CHECK(f, "%s", path);
    while (fgets(line, sizeof(line), f)) {
        CHECK(at + strlen(line) < text + (1 << 20), "a very long guide");
        at = stpcpy(at, line);
        if (sscanf(line, "| `%63[A-Za-z]`", row) == 1 && strstr(row, "LB")) {
            lb_test_choose(&c, row);
            c4i_lb_choice_release(&c);
        }
    }
    fclose(f);
    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++) {
        snprintf(row, sizeof(row), "\n| `%s` |", (*lb)->name);
        CHECK(strstr(text, row), "%s has no row", (*lb)->name);
        for (const c4_lb_option *o = (*lb)->options; o && o->name; o++) {
            snprintf(row, sizeof(row), "\n| `%s,%s` | %s |", (*lb)->name, o->name, o->initial);
            CHECK(strstr(text, row), "no row '%s'", row + 1);
        }
    }
    free(text);
}

int
main(void)
{
    unsetenv("C4_PLUGIN_PATH");
    every_name_is_known_with_and_without_lb();
    unknown_names_list_the_known();
    options_are_read();
    wrong_options_are_refused();
    the_list_is_complete();
    the_guide_tells_of_all();
    return 0;
}
