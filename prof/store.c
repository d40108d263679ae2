/*
 * store.c - the order of work of the store; store.h has the contract.
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prof/digest.h"
#include "prof/plain.h"
#include "prof/provenance.h"
#include "prof/schema.h"
#include "prof/store_parts.h"

/* ---- Sources ----------------------------------------------------------------- */

static int
by_pe(const void *a, const void *b)
{
    const c4i_source *x = a, *y = b;

    return x->spool.head.pe < y->spool.head.pe ? -1 : x->spool.head.pe > y->spool.head.pe;
}

/* A warning for the table log, kept until the database is there. */
struct warnings {
    char *text[64];
    int n;
};

static void
warn(struct warnings *w, const char *fmt, ...)
{
    va_list ap;

    if (w->n == 64)
        return;
    va_start(ap, fmt);
    if (vasprintf(&w->text[w->n], fmt, ap) >= 0)
        w->n++;
    va_end(ap);
}

/* A pipe among the spools must not keep us waiting. */
static c4_err
open_file(c4i_spool_in *in, const char *path, const char *magic, bool over, char *err,
          size_t nerr)
{
    struct stat st;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return c4i_spool_open(in, path, magic, over, err, nerr);
    snprintf(err, nerr, "cannot read %s: it is no regular file", path);
    return C4_EFORMAT;
}

/* Has a file of a PE that came to its end changed since?  The launcher, which
 * waits for that end, need not ask. */
static void
check_seal(const c4i_spool_in *in, const c4i_spool_head *pe, const char *path, struct warnings *w)
{
    enum c4i_seal seal = C4I_SEAL_NONE;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && c4i_digest_check(fd, &seal))
        seal = C4I_SEAL_NONE;
    if (fd >= 0)
        close(fd);
    if (seal == C4I_SEAL_BROKEN)
        warn(w, "%s is damaged: it does not fit its checksum, and what comes from it may be wrong",
             path);
    else if (seal == C4I_SEAL_NONE && pe->closed && !pe->dropped)
        warn(w, "%s is damaged: its checksum is missing, and what comes from it may be wrong",
             path);
    else if (in->head.nstats > c4i_spool_nstats(in))
        warn(w, "%s is damaged: %u of %u sums are missing", path,
             in->head.nstats - c4i_spool_nstats(in), in->head.nstats);
}

/* The sums that belong to src->spool. */
static void
open_stats(c4i_store *s, c4i_source *src, const char *path, struct warnings *w, char *err,
           size_t nerr)
{
    c4_err e = open_file(&src->stats, path, C4I_STATS_MAGIC, true, err, nerr);

    if (e) {
        warn(w, "%s", err);
    } else if (src->stats.head.pe != src->spool.head.pe) {
        warn(w, "%s is damaged: it is of PE %u", path, src->stats.head.pe);
        c4i_spool_release(&src->stats);
    } else {
        src->has_stats = true;
        if (!s->run->over)
            check_seal(&src->stats, &src->spool.head, path, w);
    }
}

static c4_err
open_source(c4i_store *s, const char *dir, const char *name, struct warnings *w, char *err,
            size_t nerr)
{
    char path[C4I_TRACE_PATH + 300];
    c4i_source src = { .ntypes = 0 }, *more;
    size_t stem = strlen(name) - strlen(".spool");
    c4_err e;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    e = open_file(&src.spool, path, C4I_SPOOL_MAGIC, s->run->over, err, nerr);
    if (e == C4_ESTATE || e == C4_ENOMEM)
        return e;
    if (e) {
        warn(w, "%s", err);
        return C4_OK;
    }
    if (!s->run->over)
        check_seal(&src.spool, &src.spool.head, path, w);
    snprintf(path, sizeof(path), "%s/%.*s.stats", dir, (int)stem, name);
    open_stats(s, &src, path, w, err, nerr);
    for (uint32_t i = 0; i < s->nsrc; i++) {
        if (s->src[i].spool.head.pe == src.spool.head.pe) {
            warn(w, "%s/%s: PE %u is there already", dir, name, src.spool.head.pe);
            c4i_spool_release(&src.spool);
            c4i_spool_release(&src.stats);
            return C4_OK;
        }
    }
    if (!(more = realloc(s->src, (s->nsrc + 1) * sizeof(*more))))
        return C4_ENOMEM;
    s->src = more;
    s->src[s->nsrc++] = src;
    return C4_OK;
}

static c4_err
open_sources(c4i_store *s, const char *dir, struct warnings *w, char *err, size_t nerr)
{
    DIR *d = opendir(dir);
    struct dirent *f;
    c4_err e = C4_OK;

    if (!d) {
        snprintf(err, nerr, "cannot open the folder %s: %s", dir, strerror(errno));
        return C4_EIO;
    }
    while (!e && (f = readdir(d))) {
        size_t n = strlen(f->d_name);

        if (n > 9 && strncmp(f->d_name, "pe-", 3) == 0 && n < 256
            && strcmp(f->d_name + n - 6, ".spool") == 0)
            e = open_source(s, dir, f->d_name, w, err, nerr);
    }
    closedir(d);
    if (!e && s->nsrc == 0) {
        if (w->n)
            snprintf(err, nerr, "no spool in %s can be read: %s", dir, w->text[0]);
        else
            snprintf(err, nerr, "there are no spools in %s", dir);
        e = C4_ENOENT;
    }
    if (!e)
        qsort(s->src, s->nsrc, sizeof(*s->src), by_pe);
    return e;
}

static void
release_source(c4i_source *src)
{
    c4i_spool_release(&src->spool);
    c4i_spool_release(&src->stats);
    free(src->type_of);
    free(src->task_of);
    free(src->bins);
}

/* All PEs of a job count from one moment.  A PE of a killed job may have lived
 * long enough to leave a spool in the folder of the next: that one is left out. */
static void
drop_strangers(c4i_store *s, struct warnings *w)
{
    uint64_t zero = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->nsrc; i++)
        if (s->src[i].spool.head.zero_mono_ns > zero)
            zero = s->src[i].spool.head.zero_mono_ns;
    for (uint32_t i = 0; i < s->nsrc; i++) {
        if (s->src[i].spool.head.zero_mono_ns == zero) {
            s->src[n++] = s->src[i];
            continue;
        }
        warn(w, "the spool of PE %u is of another job (process %u)", s->src[i].spool.head.pe,
             s->src[i].spool.head.pid);
        release_source(&s->src[i]);
    }
    s->nsrc = n;
}

/* PEs of a host that share the TSC share the conversion to ns, too. */
static void
share_clocks(c4i_store *s)
{
    for (uint32_t i = 0; i < s->nsrc; i++) {
        const c4i_spool_head *h = &s->src[i].spool.head;
        uint32_t k = 0;

        while (k < i && (strcmp(s->src[k].spool.head.host, h->host) != 0
                         || s->src[k].spool.head.tsc != h->tsc))
            k++;
        if (k < i && h->tsc)
            c4i_spool_share_clock(&s->src[i].spool, &s->src[k].spool);
    }
}

static void
release_sources(c4i_store *s)
{
    for (uint32_t i = 0; i < s->nsrc; i++)
        release_source(&s->src[i]);
    free(s->src);
}

/* ---- The table run ---------------------------------------------------------------- */

static c4_err
override_argv(c4i_store *s)
{
    c4_err e = C4_OK;

    if (!s->run->argc)
        return C4_OK;
    e = c4i_sql(s->db, "DELETE FROM temp.info WHERE key = 'argv'");
    for (int i = 0; i < s->run->argc && !e; i++)
        e = c4i_put(s->db, &s->put_info, "temp.info", "iss", (int64_t)0, "argv",
                    s->run->argv[i]);
    return e;
}

#define INFO(key) "(SELECT value FROM temp.info WHERE key = '" key "' LIMIT 1)"

/* Did every PE come to its end, although the launcher did not see it? */
static bool
all_closed(const c4i_store *s)
{
    uint32_t n = 0;

    while (n < s->nsrc && s->src[n].spool.head.closed)
        n++;
    return n == s->npes;
}

/* What git said while the job began. */
static c4_err
take_git(c4i_store *s)
{
    c4i_git g = c4i_git_answer(s->dir);
    c4_err e;

    if (g.dirty < 0)
        return C4_OK;
    e = c4i_put(s->db, &s->put_info, "temp.info", "iss", (int64_t)0, "git_revision", g.revision);
    return e ? e : c4i_put(s->db, &s->put_info, "temp.info", "iss", (int64_t)0, "git_dirty",
                           g.dirty ? "1" : "0");
}

/* What is known from the spools' heads goes in as parameters. */
static c4_err
write_run(c4i_store *s)
{
    static const char sql[] =
        "INSERT INTO run SELECT 1, ?1, strftime('%Y-%m-%dT%H:%M:%SZ', ?1 / 1000000000,"
        " 'unixepoch'), " INFO("program") ","
        " (SELECT json_group_array(value) FROM temp.info WHERE key = 'argv'), "
        INFO("directory") ", ?2, (SELECT json_group_array(DISTINCT host) FROM pe), ?3, "
        INFO("transport") ", " INFO("balancer") ","
        " (SELECT json_group_object(key, value) FROM (SELECT key, group_concat(value) AS value"
        "  FROM temp.info WHERE key LIKE 'env.%' OR key LIKE 'flag.%' GROUP BY key)), ?4, ?5,"
        " (SELECT count(*) = ?3 AND min(complete) FROM pe), " INFO("oversubscribed") ","
        " (SELECT coalesce(sum(dropped), 0) FROM pe),"
        " (SELECT coalesce(max(end), 0) FROM pe), ?6, " INFO("note") ", " INFO("python") ", "
        INFO("numpy") ", " INFO("compiler") ", " INFO("kernel") ", " INFO("cpu_model") ", "
        INFO("cores") ", " INFO("git_revision") ", " INFO("git_dirty");
    const c4i_spool_head *h = &s->src[0].spool.head;
    sqlite3_stmt *q = NULL;
    int rc;

    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK)
        return C4_EIO;
    sqlite3_bind_int64(q, 1, (int64_t)h->zero_unix_ns);
    sqlite3_bind_text(q, 2, C4I_VERSION, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, s->npes);
    sqlite3_bind_text(q, 4, h->level == C4I_LEVEL_SUMMARY ? "summary" : "full", -1,
                      SQLITE_STATIC);
    if (!s->run->killed)
        sqlite3_bind_int(q, 5, s->run->exit_status);
    else if (all_closed(s))
        sqlite3_bind_int(q, 5, h->status);
    sqlite3_bind_int64(q, 6, (int64_t)s->bin_ns);
    rc = sqlite3_step(q);
    sqlite3_finalize(q);
    if (rc != SQLITE_DONE)
        return C4_EIO;
    if (c4i_sql(s->db, "UPDATE entry_method SET file = " INFO("main_file") ", line = "
                INFO("main_line") " WHERE kind = 'main'"))
        return C4_EIO;
    return c4i_sql(s->db, "UPDATE pe SET affinity = (SELECT value FROM temp.info i"
                   " WHERE i.pe = pe.pe AND key = 'affinity' LIMIT 1)");
}

static c4_err
write_kinds(c4i_store *s)
{
#define KIND_NAME(id, name, counted) name,
#define EVENT_NAME(id, name) name,
    static const char *const kinds[] = { C4I_KIND_LIST(KIND_NAME) C4I_EVENT_LIST(EVENT_NAME) };
#undef EVENT_NAME
#undef KIND_NAME
    static const char *const activities[] = {
        [C4I_ACT_IDLE] = "idle", [C4I_ACT_LB] = "lb", [C4I_ACT_MIGRATE_OUT] = "migrate_out",
        [C4I_ACT_MIGRATE_IN] = "migrate_in", [C4I_ACT_REDUCE] = "reduce"
    };
    sqlite3_stmt *kind = NULL, *activity = NULL;
    c4_err e = C4_OK;

    for (int64_t i = 0; i < C4I_NRECORDED && !e; i++)
        e = c4i_put(s->db, &kind, "message_kind", "isi", i + 1, kinds[i],
                    (int64_t)c4i_is_programs((unsigned)i));
    for (int64_t i = 0; i < C4I_NACTIVITIES && !e; i++)
        e = c4i_put(s->db, &activity, "activity_kind", "is", i + 1, activities[i]);
    sqlite3_finalize(kind);
    sqlite3_finalize(activity);
    return e;
}

/* ---- All of it ---------------------------------------------------------------------- */

static c4_err
fill(c4i_store *s, const struct warnings *w)
{
    c4_err e = write_kinds(s);

    for (int i = 0; i < w->n && !e; i++)
        e = c4i_store_log(s, C4I_NULL, C4I_NULL, "warning", w->text[i]);
    if (!e)
        e = c4i_store_first_pass(s);
    if (!e)
        e = c4i_store_messages(s);
    if (!e)
        e = c4i_store_executions(s);
    if (!e)
        e = c4i_store_small_write(s);
    if (!e)
        e = c4i_store_moves_write(s);
    if (!e)
        e = c4i_store_names_write(s);
    if (!e)
        e = override_argv(s);
    if (!e)
        e = take_git(s);
    if (!e)
        e = write_run(s);
    if (!e)
        e = c4i_store_lb_finish(s);
    if (!e)
        e = c4i_sql(s->db, "CREATE INDEX execution_cause ON execution (cause_pe, cause)"
                    " WHERE cause IS NOT NULL;"
                    "CREATE INDEX migration_object ON migration (object)");
    return e;
}

static void
finalize_all(c4i_store *s)
{
    sqlite3_finalize(s->put_info);
    sqlite3_finalize(s->put_log);
    sqlite3_finalize(s->put_counter);
    sqlite3_finalize(s->put_step);
    sqlite3_finalize(s->put_lb_pe);
    sqlite3_finalize(s->put_lb_object);
}

/* Into a file that nobody else opens: no journal, no fsync; it either becomes
 * the database by rename or goes away. */
static c4_err
write_file(c4i_store *s, const char *tmp, const struct warnings *w, char *err, size_t nerr)
{
    static const char pragmas[] =
        "PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -65536; BEGIN";
    char finish[128];
    c4_err e = C4_EIO;

    snprintf(finish, sizeof(finish), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             C4I_DB_APPLICATION_ID, C4I_DB_SCHEMA);
    if (sqlite3_open_v2(tmp, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                        | SQLITE_OPEN_NOMUTEX, NULL)
        == SQLITE_OK)
        e = c4i_sql(s->db, pragmas);
    if (!e)
        e = c4i_sql(s->db, c4i_schema_sql);
    if (!e)
        e = c4i_sql(s->db, "CREATE TEMP TABLE info (pe, key, value)");
    if (!e)
        e = fill(s, w);
    finalize_all(s);
    if (!e)
        e = c4i_sql(s->db, finish);
    if (e)
        snprintf(err, nerr, "cannot write %s: %s", tmp, e == C4_ENOMEM ? "out of memory"
                 : s->db ? sqlite3_errmsg(s->db) : "out of memory");
    if (sqlite3_close(s->db) != SQLITE_OK && !e) {
        snprintf(err, nerr, "cannot write %s", tmp);
        e = C4_EIO;
    }
    return e;
}

/* A write beyond RLIMIT_FSIZE shall be an error here, not our death. */
static void
ignore_xfsz(struct sigaction *old)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    sigemptyset(&ignore.sa_mask);
    sigaction(SIGXFSZ, &ignore, old);
}

static void
count_pes(c4i_store *s, struct warnings *w)
{
    s->npes = s->run->npes > s->src[0].spool.head.npes ? s->run->npes : s->src[0].spool.head.npes;
    for (uint32_t i = 0; i < s->nsrc; i++) {
        s->result->dropped += s->src[i].spool.head.dropped;
        if (s->src[i].spool.head.pe >= s->npes)
            s->npes = s->src[i].spool.head.pe + 1;
    }
    s->result->npes = s->npes;
    s->result->missing = s->npes - s->nsrc;
    if (s->result->missing)
        warn(w, "%u of %u PEs left no spool that can be read", s->result->missing, s->npes);
}

/* The sources are open; the database gets its name when it is whole. */
static c4_err
write_and_publish(c4i_store *s, const char *db_file, const struct warnings *w, char *err,
                  size_t nerr)
{
    char tmp[C4I_TRACE_PATH + 16];
    int fd = c4i_tmp_open(db_file, tmp, sizeof(tmp));
    c4_err e;

    if (fd < 0) {
        snprintf(err, nerr, "cannot create %s: %s", tmp, strerror(errno));
        return C4_EIO;
    }
    e = write_file(s, tmp, w, err, nerr);
    if (!e)
        e = c4i_tmp_publish(fd, tmp, db_file, s->run->replace, &s->result->file_bytes, err, nerr);
    if (e)
        unlink(tmp);
    close(fd);
    return e;
}

c4_err
c4i_store_write(const char *spool_dir, const char *db_file, const c4i_run_info *run,
                bool keep_spools, c4i_store_result *result, char *err, size_t nerr)
{
    struct sigaction old;
    c4i_store s = { .dir = spool_dir, .run = run, .result = result, .bin_ns = 1048576 };
    struct warnings w = { .n = 0 };
    c4_err e = open_sources(&s, spool_dir, &w, err, nerr);

    ignore_xfsz(&old);
    memset(result, 0, sizeof(*result));
    if (!e) {
        drop_strangers(&s, &w);
        share_clocks(&s);
        count_pes(&s, &w);
        e = write_and_publish(&s, db_file, &w, err, nerr);
    }
    if (!e && !keep_spools)
        c4i_trace_remove_spools(spool_dir);
    free(s.moves);
    c4i_store_names_release(&s);
    release_sources(&s);
    for (int i = 0; i < w.n; i++)
        free(w.text[i]);
    sigaction(SIGXFSZ, &old, NULL);
    return e;
}

/* ---- For the launcher ------------------------------------------------------------- */

enum { SAY_BYTES = 256 << 20 };             /* seconds of work */

static uint64_t
spool_bytes(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *f;
    struct stat st;
    uint64_t n = 0;

    while (d && (f = readdir(d)))
        if (fstatat(dirfd(d), f->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            n += (uint64_t)st.st_size;
    if (d)
        closedir(d);
    return n;
}

/* Somebody else, who is not a job of ours, made a file of the name that was
 * free when the job began: it is left alone. */
static c4_err
write_elsewhere(c4i_trace *t, const c4i_run_info *run, c4i_store_result *r, char *err,
                size_t nerr)
{
    c4i_trace other;
    c4_err e = c4i_trace_prepare(t->file, false, &other, err, nerr);

    if (e)
        return e;
    e = c4i_store_write(t->dir, other.file, run, false, r, err, nerr);
    c4i_trace_remove_spools(other.dir);
    close(other.lock);
    if (!e) {
        c4i_say("c4", "%s was made by another program while the job ran: recorded into %s",
                t->file, other.file);
        memcpy(t->file, other.file, sizeof(t->file));
    }
    return e;
}

static void
say_end(const c4i_trace *t, c4_err e, const c4i_store_result *r, bool quiet, const char *err)
{
    if (e == C4_ENOENT)                     /* no PE came so far as to record */
        c4i_say("c4", "nothing was recorded for %s", t->file);
    else if (e)
        c4i_say("c4", "the trace is not written: %s; `c4prof recover %s -o FILE` can do "
                "it from the spools", err, t->dir);
    else if (!quiet)
        c4i_say("c4", "recorded %llu executions and %llu messages in %s",
                (unsigned long long)r->executions, (unsigned long long)r->messages, t->file);
    if (!e && r->dropped)
        c4i_say("c4", "%llu records found no room in the spools and are missing; see "
                "+traceLimit", (unsigned long long)r->dropped);
}

c4_err
c4i_trace_end(c4i_trace *t, const c4i_run_info *run, bool quiet)
{
    char err[C4I_TRACE_PATH + 400] = "";
    c4i_run_info info = *run;
    c4i_store_result r;
    c4_err e;

    if (!t->dir[0])
        return C4_OK;                       /* begin() has said why */
    info.over = true;
    info.replace = t->replace;
    if (!quiet && spool_bytes(t->dir) > SAY_BYTES)
        c4i_say("c4", "writing %s", t->file);
    e = c4i_store_write(t->dir, t->file, &info, false, &r, err, sizeof(err));
    if (e == C4_EEXIST)
        e = write_elsewhere(t, &info, &r, err, sizeof(err));
    if (e == C4_ENOENT)
        c4i_trace_remove_spools(t->dir);
    say_end(t, e, &r, quiet, err);
    close(t->lock);
    t->lock = -1;
    return e;
}
