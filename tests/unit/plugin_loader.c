/* Plugins of all kinds, good and bad, are built here with $CC and opened. */
#include "plugin_build.h"

#define GOOD(id, called) \
    "static c4_err solve" id "(const c4_lb_problem *p, const void *o, uint32_t *n)\n" \
    "{ (void)p; (void)o; (void)n; return C4_OK; }\n" \
    "static const c4_lb lb" id " = { .abi = C4_LB_ABI, .name = \"" called "\",\n" \
    "                           .help = \"for the test\", .solve = solve" id " };\n"
#define LIST "const c4_lb *const c4_lb_plugin[]"

static void
opens(const char *format, const char *name, const char *strategy)
{
    char spec[256];
    c4i_lb_choice c;

    snprintf(spec, sizeof(spec), format, plugin_dir, name);
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

    snprintf(spec, sizeof(spec), "%s/%s", plugin_dir, name);
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
    plugin_build("one.so", GOOD("1", "OneLB") LIST " = { &lb1, NULL };\n");
    plugin_build("two.so", GOOD("1", "FirstLB") GOOD("2", "SecondLB")
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

    snprintf(path, sizeof(path), "/nonexistent::%s", plugin_dir);
    setenv("C4_PLUGIN_PATH", path, 1);
    opens("%.0s%s", "one", "OneLB");
    opens("%.0s%s", "one.so", "OneLB");
    opens("%.0s%s", "two:SecondLB", "SecondLB");
    unsetenv("C4_PLUGIN_PATH");
    CHECK(c4i_lb_choose("one", &c, why, sizeof(why)) == C4_ENOENT, "found without a path");
    CHECK(chdir(plugin_dir) == 0, "%s", plugin_dir);
    opens("%.0s%s", "one.so", "OneLB");
}

static void
bad_ones_are_refused(void)
{
    plugin_write("text.so", "This is a text, and long enough to hold the header of an ELF file.\n");
    plugin_write("short.so", "\177ELF");
    plugin_compile("program", "", "int main(void) { return 0; }\n");
    plugin_compile("object.so", "-c -fPIC", "int x = 1;\n");
    plugin_build("empty.so", "int x = 1;\n");
    plugin_build("function.so", "void c4_lb_plugin(void);\nvoid c4_lb_plugin(void) { }\n");
    plugin_build("undefined.so", "extern int no_such_thing(void);\nint (*f)(void) = no_such_thing;\n"
                 GOOD("1", "OneLB") LIST " = { &lb1, NULL };\n");
    plugin_build("future.so", "static const c4_lb lb = { .abi = C4_LB_ABI + 1 };\n"
                 LIST " = { &lb, NULL };\n");
    plugin_build("unnamed.so", "static const c4_lb lb = { .abi = C4_LB_ABI };\n"
                 LIST " = { &lb, NULL };\n");
    plugin_build("none.so", LIST " = { NULL };\n");
    plugin_build("endless.so", GOOD("1", "OneLB") LIST " = { &lb1 };\n");
    plugin_build("offset.so", "static const c4_lb_option o[] = { { .name = \"x\", .initial = \"1\","
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

    setenv("C4_PLUGIN_PATH", plugin_dir, 1);
    c4i_lb_list(f);
    fclose(f);
    CHECK(strstr(text, "SecondLB") && strstr(text, "for the test"), "%s", text);
    CHECK(strstr(text, "text.so is not a shared object"), "%s", text);
    CHECK(!strstr(text, "program"), "%s", text);
    free(text);
}

int
main(void)
{
    plugin_build_begin();
    good_ones_open();
    bad_ones_are_refused();
    the_list_shows_what_is_on_the_path();
    names_are_searched_for();
    return 0;
}
