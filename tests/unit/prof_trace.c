/*
 * prof_trace.c - names of recordings: nothing that exists is lost, unless asked.
 */
#define _GNU_SOURCE 1
#include <errno.h>
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

/* Decides a name, and stays its owner until the lock is closed. */
static int
expect(const struct prof_test *t, bool overwrite, const char *name, enum c4i_trace_name asked)
{
    char file[600], want[600], err[3000] = "";
    c4i_trace got;

    snprintf(file, sizeof(file), "%s/run.v2.db", t->dir);
    CHECK(!c4i_trace_prepare(file, overwrite, &got, err, sizeof(err)), "%s", err);
    snprintf(want, sizeof(want), "%s/%s", t->dir, name);
    CHECK(!strcmp(got.file, want), "%s, not %s", got.file, want);
    strcat(want, C4I_SPOOL_SUFFIX);
    CHECK(!strcmp(got.dir, want) && access(want, W_OK) == 0, "%s", got.dir);
    CHECK(got.asked == asked, "%s: %d, not %d", name, got.asked, asked);
    CHECK(got.lock >= 0 && c4i_trace_is_live(got.dir));
    CHECK(got.replace == (overwrite && asked == C4I_NAME_FREE));
    return got.lock;
}

static void
names(void)
{
    struct prof_test t;
    char path[600], spool[700];
    int fd[5];

    prof_test_init(&t);
    fd[0] = expect(&t, false, "run.v2.db", C4I_NAME_FREE);
    fd[1] = expect(&t, false, "run.v2-1.db", C4I_NAME_RUNNING);
    snprintf(path, sizeof(path), "%s/run.v2-2.db", t.dir);
    touch(path);
    fd[2] = expect(&t, false, "run.v2-3.db", C4I_NAME_RUNNING);
    fd[3] = expect(&t, true, "run.v2-4.db", C4I_NAME_RUNNING);  /* never a running job's */
    for (int i = 0; i < 4; i++)
        close(fd[i]);

    /* Empty folders of jobs that are gone are used. */
    fd[0] = expect(&t, false, "run.v2.db", C4I_NAME_FREE);
    close(fd[0]);
    snprintf(spool, sizeof(spool), "%s/run.v2.db.spool.d/pe-00000.spool", t.dir);
    touch(spool);
    fd[0] = expect(&t, false, "run.v2-1.db", C4I_NAME_KILLED);
    close(fd[0]);

    /* The launcher is gone, but not yet its PE. */
    fd[0] = open(spool, O_RDONLY | O_CLOEXEC);
    CHECK(flock(fd[0], LOCK_EX) == 0);
    fd[1] = expect(&t, true, "run.v2-1.db", C4I_NAME_RUNNING);
    close(fd[1]);
    CHECK(access(spool, F_OK) == 0);
    close(fd[0]);
    fd[0] = expect(&t, true, "run.v2.db", C4I_NAME_FREE);
    CHECK(access(spool, F_OK) != 0, "spools of a killed job are still there");
    close(fd[0]);

    snprintf(path, sizeof(path), "%s/run.v2.db", t.dir);
    touch(path);
    fd[0] = expect(&t, false, "run.v2-1.db", C4I_NAME_EXISTS);
    close(fd[0]);
    fd[0] = expect(&t, true, "run.v2.db", C4I_NAME_FREE);
    close(fd[0]);

    for (int i = 0; i < 5; i++) {
        static const char *const left[] = { "", "-1", "-2", "-3", "-4" };

        snprintf(path, sizeof(path), "%s/run.v2%s.db", t.dir, left[i]);
        unlink(path);
        strcat(path, C4I_SPOOL_SUFFIX);
        c4i_trace_remove_spools(path);
    }
    prof_test_release(&t);
}

static void
lock_of_a_folder(void)
{
    struct prof_test t;
    int fd, again;

    prof_test_init(&t);
    fd = c4i_trace_lock(t.spools);
    CHECK(fd >= 0 && c4i_trace_is_live(t.spools));
    CHECK(c4i_trace_lock(t.spools) < 0 && errno == EWOULDBLOCK);
    /* Removed by its owner and made by another: these are two folders. */
    CHECK(rmdir(t.spools) == 0 && mkdir(t.spools, 0777) == 0);
    CHECK(!c4i_trace_is_live(t.spools));
    again = c4i_trace_lock(t.spools);
    CHECK(again >= 0);
    close(fd);
    close(again);
    CHECK(rmdir(t.spools) == 0 && c4i_trace_lock(t.spools) < 0 && errno == ENOENT);
    prof_test_release(&t);
}

/* A recording of PE 0 of `npes`. */
static void
record(struct prof_test *t, uint32_t pe, uint32_t npes)
{
    prof_test_open(t, pe, npes, C4I_LEVEL_FULL, 1 << 20);
    prof_test_close(t, 0);
}

/* A file that appeared while the job ran is kept, and the recording, too. */
static void
name_taken_meanwhile(void)
{
    struct prof_test t;
    char path[600], err[3000];
    c4i_run_info run = { .exit_status = 0 };
    c4i_trace mine;

    prof_test_init(&t);
    CHECK(!c4i_trace_prepare(t.db, false, &mine, err, sizeof(err)), "%s", err);
    record(&t, 0, 1);
    touch(t.db);
    snprintf(path, sizeof(path), "%s.tmp", t.db);
    touch(path);                            /* left by somebody, locked by nobody */
    CHECK(!c4i_trace_end(&mine, &run, true));
    snprintf(path, sizeof(path), "%s/run-1.db", t.dir);
    CHECK(!strcmp(mine.file, path) && access(path, R_OK) == 0, "%s", mine.file);
    CHECK(unlink(path) == 0 && access(t.spools, F_OK) != 0);
    prof_test_release(&t);
}

/* A PE of a job that was killed left its spool too late. */
static void
stranger(void)
{
    struct prof_test t;
    char err[3000];
    c4i_run_info run = { .exit_status = 0 };
    c4i_store_result r;

    prof_test_init(&t);
    t.clock.zero_ns -= 1000;
    record(&t, 1, 2);
    t.clock.zero_ns += 1000;
    record(&t, 0, 2);
    CHECK(!c4i_store_write(t.spools, t.db, &run, false, &r, err, sizeof(err)), "%s", err);
    CHECK(r.npes == 2 && r.missing == 1, "%u of %u are missing", r.missing, r.npes);
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
    lock_of_a_folder();
    name_taken_meanwhile();
    stranger();
    bad_names();
    sizes();
    return 0;
}
