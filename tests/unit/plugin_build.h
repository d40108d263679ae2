/*
 * plugin_build.h - plugins that a test writes and builds itself, with $CC.
 */
#ifndef C4_PLUGIN_BUILD_H
#define C4_PLUGIN_BUILD_H

#include <sys/stat.h>
#include <unistd.h>

#include "lb_test.h"

static char plugin_dir[128];                /* made by plugin_build_begin(), removed at exit */

static inline void
plugin_write(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", plugin_dir, name);
    f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", path);
}

static inline void
plugin_compile(const char *name, const char *flags, const char *source)
{
    const char *cc = getenv("CC"), *top = getenv("C4_SRCDIR");
    char command[4096], file[64];

    snprintf(file, sizeof(file), "%s.c", name);
    plugin_write(file, source);
    if (!cc || !*cc)
        cc = "cc";
    if (!top)
        top = ".";
    snprintf(command, sizeof(command), "%s %s -I%s/runtime -I%s/lb -o %s/%s %s/%s.c",
             cc, flags, top, top, plugin_dir, name, plugin_dir, name);
    CHECK(system(command) == 0, "%s", command);
}

static inline void
plugin_build(const char *name, const char *source)
{
    char whole[4096];

    snprintf(whole, sizeof(whole), "#include <c4_lb.h>\n%s", source);
    plugin_compile(name, "-shared -fPIC", whole);
}

static void
plugin_remove_dir(void)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -r %s", plugin_dir);
    if (chdir("/") != 0 || system(command) != 0)
        fprintf(stderr, "%s is left behind\n", plugin_dir);
}

static inline void
plugin_build_begin(void)
{
    const char *tmp = getenv("TMPDIR");
    char here[200];

    snprintf(plugin_dir, sizeof(plugin_dir), "%s/c4-plugins-XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(plugin_dir), "%s", plugin_dir);
    atexit(plugin_remove_dir);
    if (getenv("C4_SRCDIR") == NULL) {
        CHECK(getcwd(here, sizeof(here)), "getcwd");
        setenv("C4_SRCDIR", here, 1);
    }
}

#endif
