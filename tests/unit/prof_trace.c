/*
 * prof_trace.c - names of recordings: nothing that exists is lost, unless asked.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "prof/trace.h"
#include "tests/unit/prof_test.h"

static void
touch(const char *path)
{
    FILE *f = fopen(path, "w");

    CHECK(f, "%s", path);
    fclose(f);
}

static void
expect(const struct prof_test *t, bool overwrite, const char *name)
{
    char file[600], want[600], err[3000] = "";
    c4i_trace got;

    snprintf(file, sizeof(file), "%s/run.v2.db", t->dir);
    CHECK(!c4i_trace_prepare(file, overwrite, &got, err, sizeof(err)), "%s", err);
    snprintf(want, sizeof(want), "%s/%s", t->dir, name);
    CHECK(!strcmp(got.file, want), "%s, not %s", got.file, want);
    strcat(want, C4I_SPOOL_SUFFIX);
    CHECK(!strcmp(got.dir, want) && access(want, W_OK) == 0, "%s", got.dir);
}

static void
names(void)
{
    struct prof_test t;
    char path[600], err[3000];
    c4i_trace got;
    int fd;

    prof_test_init(&t);
    expect(&t, false, "run.v2.db");
    expect(&t, false, "run.v2-1.db");       /* the folder of spools is there */
    snprintf(path, sizeof(path), "%s/run.v2-2.db", t.dir);
    touch(path);
    expect(&t, false, "run.v2-3.db");       /* the file is there */
    expect(&t, true, "run.v2.db");

    /* A PE that lives holds a lock: no overwriting. */
    snprintf(path, sizeof(path), "%s/run.v2.db.spool.d/pe-00000.spool", t.dir);
    touch(path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(flock(fd, LOCK_EX) == 0);
    snprintf(path, sizeof(path), "%s/run.v2.db", t.dir);
    CHECK(c4i_trace_prepare(path, true, &got, err, sizeof(err)) == C4_EEXIST);
    CHECK(strstr(err, "another job"), "%s", err);
    close(fd);
    expect(&t, true, "run.v2.db");

    for (int i = 0; i < 4; i++) {
        static const char *const left[] = { "", "-1", "-2", "-3" };

        snprintf(path, sizeof(path), "%s/run.v2%s.db", t.dir, left[i]);
        unlink(path);
        strcat(path, C4I_SPOOL_SUFFIX);
        c4i_trace_remove_spools(path);
    }
    prof_test_release(&t);
}

static void
bad_names(void)
{
    char err[3000];
    c4i_trace got;

    CHECK(c4i_trace_prepare("", false, &got, err, sizeof(err)));
    CHECK(c4i_trace_prepare("/tmp", false, &got, err, sizeof(err)));
    CHECK(c4i_trace_prepare("/no/such/folder/run.db", false, &got, err, sizeof(err)) == C4_EIO);
    CHECK(strstr(err, "No such file"), "%s", err);
}

static void
sizes(void)
{
    static const struct { const char *text; size_t n; } good[] = {
        { "1", 1 }, { "64K", 65536 }, { "64k", 65536 }, { "1.5G", 1610612736 },
        { "2MB", 2097152 }, { "1T", 1099511627776 }
    };
    static const char *const bad[] = { "", "x", "0", "-1", "1X", "1KK", "K", "1e300", "nan" };
    size_t n;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(!c4i_trace_size(good[i].text, &n) && n == good[i].n, "%s", good[i].text);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(c4i_trace_size(bad[i], &n) == C4_EINVAL, "%s", bad[i]);
}

int
main(void)
{
    names();
    bad_names();
    sizes();
    return 0;
}
