/* Plugins of all kinds, good and bad, are built here with $CC and opened. */
#include <sys/stat.h>
#include <unistd.h>

#include "lb_test.h"

static char dir[128];                       /* made here, removed at exit */

#define GOOD(id, called) \
    "static c4_err solve" id "(const c4_lb_problem *p, const void *o, uint32_t *n)\n" \
    "{ (void)p; (void)o; (void)n; return C4_OK; }\n" \
    "static const c4_lb lb" id " = { .abi = C4_LB_ABI, .name = \"" called "\",\n" \
    "                           .help = \"for the test\", .solve = solve" id " };\n"
#define LIST "const c4_lb *const c4_lb_plugin[]"

static void
write_file(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", path);
}

static void
build(const char *name, const char *flags, const char *source)
{
    const char *cc = getenv("CC"), *top = getenv("C4_SRCDIR");
    char command[4096], file[64];

    snprintf(file, sizeof(file), "%s.c", name);
    write_file(file, source);
    if (!cc || !*cc)
        cc = "cc";
    if (!top)
        top = ".";
    snprintf(command, sizeof(command), "%s %s -I%s/runtime -I%s/lb -o %s/%s %s/%s.c",
             cc, flags, top, top, dir, name, dir, name);
    CHECK(system(command) == 0, "%s", command);
}

static void
build_plugin(const char *name, const char *source)
{
    char whole[4096];

    snprintf(whole, sizeof(whole), "#include <c4_lb.h>\n%s", source);
    build(name, "-shared -fPIC", whole);
}

static void
opens(const char *format, const char *name, const char *strategy)
{
    char spec[256];
    c4i_lb_choice c;

    snprintf(spec, sizeof(spec), format, dir, name);
    lb_test_choose(&c, spec);
    CHECK(strcmp(c.lb->name, strategy) == 0, "%s is %s", spec, c.lb->name);
    c4i_lb_choice_release(&c);
}

static void
refuses(const char *name, c4_err expected, const char *words)
{
    char spec[256], why[C4I_LB_WHY] = "";
    c4i_lb_choice c;
    c4_err err;

    snprintf(spec, sizeof(spec), "%s/%s", dir, name);
    err = c4i_lb_choose(spec, &c, why, sizeof(why));
    CHECK(err == expected, "%s: %s: %s", name, c4_strerror(err), why);
    CHECK(strstr(why, words) && !strchr(why, '\n'), "%s: '%s' does not say '%s'", name, why, words);
    CHECK(strstr(why, "several") || strstr(why, "there is no") || strstr(why, "declares") ||
          strstr(why, name), "%s is not named: %s", name, why);
    CHECK(!c.plugin.handle, "%s is still open", name);
}

static void
good_ones_open(void)
{
    build_plugin("one.so", GOOD("1", "OneLB") LIST " = { &lb1, NULL };\n");
    build_plugin("two.so", GOOD("1", "FirstLB") GOOD("2", "SecondLB")
                 LIST " = { &lb1, &lb2, NULL };\n");
    opens("%s/%s", "one.so", "OneLB");
    opens("%s/%s", "one.so:OneLB", "OneLB");
    opens("%s/%s", "two.so:SecondLB", "SecondLB");
    opens("%s/%s", "two.so:First", "FirstLB");
    refuses("two.so", C4_EINVAL, "has several balancers");
    refuses("two.so", C4_EINVAL, "FirstLB, SecondLB");
    refuses("two.so:ThirdLB", C4_ENOENT, "there is no balancer 'ThirdLB'");
}

static void
names_are_searched_for(void)
{
    char path[512], why[C4I_LB_WHY];
    c4i_lb_choice c;

    snprintf(path, sizeof(path), "/nonexistent::%s", dir);
    setenv("C4_PLUGIN_PATH", path, 1);
    opens("%.0s%s", "one", "OneLB");
    opens("%.0s%s", "one.so", "OneLB");
    opens("%.0s%s", "two:SecondLB", "SecondLB");
    unsetenv("C4_PLUGIN_PATH");
    CHECK(c4i_lb_choose("one", &c, why, sizeof(why)) == C4_ENOENT, "found without a path");
    CHECK(chdir(dir) == 0, "%s", dir);
    opens("%.0s%s", "one.so", "OneLB");
}

static void
bad_ones_are_refused(void)
{
    write_file("text.so", "This is a text, and long enough to hold the header of an ELF file.\n");
    write_file("short.so", "\177ELF");
    build("program", "", "int main(void) { return 0; }\n");
    build("object.so", "-c -fPIC", "int x = 1;\n");
    build_plugin("empty.so", "int x = 1;\n");
    build_plugin("function.so", "void c4_lb_plugin(void);\nvoid c4_lb_plugin(void) { }\n");
    build_plugin("undefined.so", "extern int no_such_thing(void);\nint (*f)(void) = no_such_thing;\n"
                 GOOD("1", "OneLB") LIST " = { &lb1, NULL };\n");
    build_plugin("future.so", "static const c4_lb lb = { .abi = C4_LB_ABI + 1 };\n"
                 LIST " = { &lb, NULL };\n");
    build_plugin("unnamed.so", "static const c4_lb lb = { .abi = C4_LB_ABI };\n"
                 LIST " = { &lb, NULL };\n");
    build_plugin("none.so", LIST " = { NULL };\n");
    build_plugin("endless.so", GOOD("1", "OneLB") LIST " = { &lb1 };\n");
    build_plugin("offset.so", "static const c4_lb_option o[] = { { .name = \"x\", .initial = \"1\","
                 ".help = \"h\", .kind = C4_LB_DOUBLE, .offset = 4 }, { 0 } };\n"
                 "static c4_err s(const c4_lb_problem *p, const void *q, uint32_t *n)\n"
                 "{ (void)p; (void)q; (void)n; return C4_OK; }\n"
                 "static const c4_lb lb = { .abi = C4_LB_ABI, .name = \"OffLB\", .help = \"h\","
                 ".options = o, .options_size = 8, .solve = s };\n"
                 LIST " = { &lb, NULL };\n");

    refuses("missing.so", C4_ENOENT, "No such file");
    refuses("text.so", C4_EFORMAT, "is not a shared object");
    refuses("short.so", C4_EFORMAT, "is not a shared object");
    refuses("object.so", C4_EFORMAT, "link it with -shared");
    refuses("program", C4_EFORMAT, "cannot be loaded");
    refuses("empty.so", C4_EFORMAT, "defines no data named c4_lb_plugin, so it is no balancer");
    refuses("function.so", C4_EFORMAT, "defines no data named c4_lb_plugin");
    refuses("undefined.so", C4_EFORMAT, "no_such_thing");
    refuses("future.so", C4_EABI, "was built for version 2 of the balancer interface");
    refuses("unnamed.so", C4_EFORMAT, "without a name");
    refuses("none.so", C4_EFORMAT, "has no balancer in its list");
    refuses("endless.so", C4_EFORMAT, "does not end with NULL");
    refuses("offset.so", C4_EFORMAT, "declares its option x wrongly");
}

static void
the_list_shows_what_is_on_the_path(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    setenv("C4_PLUGIN_PATH", dir, 1);
    c4i_lb_list(f);
    fclose(f);
    CHECK(strstr(text, "SecondLB") && strstr(text, "for the test"), "%s", text);
    CHECK(strstr(text, "text.so is not a shared object"), "%s", text);
    CHECK(!strstr(text, "program"), "%s", text);
    free(text);
}

static void
remove_dir(void)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -r %s", dir);
    if (chdir("/") != 0 || system(command) != 0)
        fprintf(stderr, "%s is left behind\n", dir);
}

int
main(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%s/c4-plugins-XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(dir), "%s", dir);
    atexit(remove_dir);
    if (getenv("C4_SRCDIR") == NULL) {
        char here[200];

        CHECK(getcwd(here, sizeof(here)), "getcwd");
        setenv("C4_SRCDIR", here, 1);
    }
    good_ones_open();
    bad_ones_are_refused();
    the_list_shows_what_is_on_the_path();
    names_are_searched_for();
    return 0;
}
