/*
 * prof_spool.c - a spool can be read as it was written; one that is cut,
 * damaged, or met a full disk gives what is left, and never a crash.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "prof/spool.h"
#include "prof/spool_read.h"
#include "tests/unit/prof_test.h"

static const c4_entry entries[] = { { "go", NULL }, { "stop", NULL }, { 0 } };
static const c4_type type = { .name = "thing", .entries = entries };

static void
exec_at(struct prof_test *t, uint64_t begin, uint64_t ns)
{
    uint64_t zero = t->clock.zero;
    c4i_exec x = { .type = &type, .entry = 1, .coll = 3, .elem = begin, .cpu_ns = -1,
                   .cause = { .pe = 1, .trace = 4, .taken = zero + begin,
                              .arrived = zero + begin },
                   .begin = zero + begin, .end = zero + begin + ns };

    t->rec.exec(t->rec.ctx, &x);
}

static void
record(struct prof_test *t, int n)
{
    char text[1000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    prof_test_open(t, 0, 1, C4I_LEVEL_FULL, 64 << 20);
    t->rec.type(t->rec.ctx, 0, &type);
    t->rec.log(t->rec.ctx, 1, text);
    for (int i = 0; i < n; i++)
        exec_at(t, (uint64_t)i * 100, 50);
}

static void
spool_path(const struct prof_test *t, char *path, size_t n)
{
    snprintf(path, n, "%s/pe-00000.spool", t->spools);
}

/* Hands every record and blob out, as the store does. */
static uint64_t
count_execs(const c4i_spool_in *in)
{
    c4_buf b = { 0 };
    uint64_t n = 0;
    enum c4i_blob what;
    c4i_rec r;

    for (uint64_t i = 0; i < in->nrecs; i++) {
        c4i_spool_get(in, i, &r);
        n += r.kind == C4I_REC_EXEC;
        if (r.kind == C4I_REC_BLOB && c4i_spool_get_blob(in, &i, &what, &b)
            && what == C4I_BLOB_LOG)
            CHECK(b.len == 12 + 999);
    }
    c4_buf_release(&b);
    return n;
}

static void
round_trip(void)
{
    struct prof_test t;
    c4i_spool_in in;
    char path[400], err[400];
    c4i_rec r;

    prof_test_init(&t);
    record(&t, 100000);
    spool_path(&t, path, sizeof(path));
    CHECK(c4i_spool_open(&in, path, C4I_SPOOL_MAGIC, false, err, sizeof(err)) == C4_ESTATE);
    CHECK(strstr(err, "still running"), "%s", err);
    prof_test_close(&t, 0);
    CHECK(!c4i_spool_open(&in, path, C4I_SPOOL_MAGIC, false, err, sizeof(err)), "%s", err);
    CHECK(count_execs(&in) == 100000);
    CHECK(in.head.closed == 1 && in.head.dropped == 0);
    c4i_spool_get(&in, in.nrecs - 3, &r);   /* two bins come last */
    CHECK(r.kind == C4I_REC_EXEC && r.exec.elem == 9999900 && r.exec.ticks == 50);
    CHECK(c4i_spool_ns(&in, r.exec.begin) == 9999900);
    CHECK(in.len < C4I_SPOOL_HEAD + (in.nrecs + 1) * sizeof(r), "not trimmed");
    c4i_spool_release(&in);
    CHECK(c4i_spool_open(&in, path, C4I_STATS_MAGIC, false, err, sizeof(err)) == C4_EFORMAT);
    prof_test_release(&t);
}

static unsigned char *
read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);

    CHECK(f && bytes);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

/* Any prefix, and any flipped byte: an error or fewer records. */
static void
damage(void)
{
    struct prof_test t;
    char path[400], err[400];
    uint64_t seed = 42;
    size_t n;

    prof_test_init(&t);
    record(&t, 50);
    prof_test_close(&t, 0);
    spool_path(&t, path, sizeof(path));
    unsigned char *bytes = read_file(path, &n);

    for (size_t len = 0; len <= n; len += len < 4096 ? 512 : 1) {
        unsigned char *cut = malloc(len + 1);   /* the sanitizer sees the end */
        c4i_spool_in in;

        memcpy(cut, bytes, len);
        if (!c4i_spool_parse(&in, cut, len, C4I_SPOOL_MAGIC, err, sizeof(err)))
            CHECK(count_execs(&in) <= 50);
        free(cut);
    }
    for (int i = 0; i < 20000; i++) {
        size_t at = check_random(&seed) % (i & 1 ? n : sizeof(c4i_spool_head));
        unsigned char old = bytes[at];
        c4i_spool_in in;

        bytes[at] = (unsigned char)check_random(&seed);
        if (!c4i_spool_parse(&in, bytes, n, C4I_SPOOL_MAGIC, err, sizeof(err)))
            for (uint64_t k = 0; k < in.nrecs; k++) {
                c4i_rec r;

                c4i_spool_get(&in, k, &r);
            }
        bytes[at] = old;
    }
    free(bytes);
    prof_test_release(&t);
}

/* Damaged spools must give a database or an error, too. */
static void
damaged_store(void)
{
    uint64_t seed = 7;

    for (int i = 0; i < 60; i++) {
        struct prof_test t;
        c4i_run_info run = { .killed = true };
        c4i_store_result result;
        char path[400], err[600];

        prof_test_init(&t);
        record(&t, 200);
        prof_test_close(&t, i & 1 ? 0 : -1);
        snprintf(path, sizeof(path), "%s/pe-00000.%s", t.spools, i & 2 ? "stats" : "spool");
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        CHECK(fd >= 0);
        for (int k = 0; k < 40; k++) {
            unsigned char byte = (unsigned char)check_random(&seed);
            off_t at = (off_t)(512 + check_random(&seed) % 16000);

            CHECK(pwrite(fd, &byte, 1, at) == 1);
        }
        close(fd);
        c4_err e = c4i_store_write(t.spools, t.db, &run, false, &result, err, sizeof(err));

        CHECK(!e || *err);
        prof_test_release(&t);
    }
}

/* A killed process leaves all it has recorded: no close, no flush. */
static void
kill_nine(void)
{
    struct prof_test t;
    c4i_spool_in in;
    char path[400], err[400];
    int pipes[2], status;
    char byte;
    pid_t pid;

    prof_test_init(&t);
    CHECK(pipe(pipes) == 0);
    if ((pid = fork()) == 0) {
        record(&t, 12345);
        CHECK(write(pipes[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    CHECK(read(pipes[0], &byte, 1) == 1);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    spool_path(&t, path, sizeof(path));
    CHECK(!c4i_spool_open(&in, path, C4I_SPOOL_MAGIC, false, err, sizeof(err)), "%s", err);
    CHECK(count_execs(&in) == 12345 && in.head.closed == 0);
    c4i_spool_release(&in);
    snprintf(path, sizeof(path), "%s/pe-00000.stats", t.spools);
    CHECK(!c4i_spool_open(&in, path, C4I_STATS_MAGIC, false, err, sizeof(err)), "%s", err);
    CHECK(c4i_spool_nstats(&in) == 1 && c4i_spool_stat(&in, 0).calls == 12345);
    c4i_spool_release(&in);
    prof_test_release(&t);
    close(pipes[0]);
    close(pipes[1]);
}

/* Records until no room is left, and goes on. */
static void
overflow(struct prof_test *t, bool must_drop)
{
    c4_stats *s;
    char path[400], err[400];
    c4i_spool_in in;

    record(t, 200000);
    CHECK(!c4i_prof_snapshot(t->prof, &s));
    CHECK(s->row[0].calls == 200000);
    free(s);
    prof_test_close(t, 0);
    spool_path(t, path, sizeof(path));
    CHECK(!c4i_spool_open(&in, path, C4I_SPOOL_MAGIC, false, err, sizeof(err)), "%s", err);
    CHECK(!must_drop || in.head.dropped > 0);
    CHECK(count_execs(&in) + in.head.dropped >= 200000);
    CHECK(count_execs(&in) > 1000, "%llu", (unsigned long long)count_execs(&in));
    c4i_spool_release(&in);
}

static int captured = -1, real_stderr = -1;

/* A check failed while stderr went to the file: shows what it said. */
static void
show_captured(void)
{
    char text[4096];
    ssize_t n;

    if (captured >= 0 && (n = pread(captured, text, sizeof(text), 0)) > 0)
        (void)!write(real_stderr, text, (size_t)n);
}

/* How many lines stderr gets. */
static int
lines_of_stderr(void (*fn)(void))
{
    char name[] = "/tmp/c4-prof-stderr-XXXXXX";
    int n = 0;
    char byte;

    captured = mkstemp(name);
    real_stderr = dup(STDERR_FILENO);
    CHECK(captured >= 0 && real_stderr >= 0);
    unlink(name);
    dup2(captured, STDERR_FILENO);
    fn();
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    lseek(captured, 0, SEEK_SET);
    while (read(captured, &byte, 1) == 1)
        n += byte == '\n';
    close(captured);
    captured = -1;
    return n;
}

/* A limit on file sizes would kill with SIGXFSZ; it must be a warning. */
static void
file_limit(void)
{
    struct rlimit old, low;
    struct prof_test t;

    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    low = old;
    low.rlim_cur = 3 << 20;
    prof_test_init(&t);
    CHECK(setrlimit(RLIMIT_FSIZE, &low) == 0);
    overflow(&t, true);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    prof_test_release(&t);
}

/* A small file system of its own; needs root.  In a name space of our own, so
 * that nothing stays mounted when the test fails. */
static bool
full_disk(void)
{
    struct prof_test t;

    prof_test_init(&t);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", t.spools, "tmpfs", 0, "size=3m") != 0) {
        prof_test_release(&t);
        return false;
    }
    overflow(&t, true);
    CHECK(umount(t.spools) == 0);
    prof_test_release(&t);
    return true;
}

static void
full_disk_if_root(void)
{
    if (!full_disk())
        fprintf(stderr, "not root: skipped\n");
}

/* No folder for the spools: statistics only, and one warning. */
static void
no_folder(void)
{
    struct prof_test t;
    c4_stats *s;

    prof_test_init(&t);
    CHECK(rmdir(t.spools) == 0);
    record(&t, 10);
    CHECK(!c4i_prof_snapshot(t.prof, &s));
    CHECK(s->nrows == 1 && s->row[0].calls == 10 && s->row[0].ns == 500);
    free(s);
    prof_test_close(&t, 0);
    prof_test_release(&t);
}

int
main(void)
{
    atexit(show_captured);
    round_trip();
    damage();
    CHECK(lines_of_stderr(damaged_store) == 0);
    kill_nine();
    CHECK(lines_of_stderr(file_limit) == 1);
    CHECK(lines_of_stderr(full_disk_if_root) == 1);
    CHECK(lines_of_stderr(no_folder) == 1);
    return 0;
}
