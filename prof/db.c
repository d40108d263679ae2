/*
 * db.c - opens a trace database, or says clearly why not.
 *
 * A file may be damaged, or made to do harm.  Before SQLite sees it: it is a
 * regular file of this schema, and its seal fits (digest.h).  Then SQLite is
 * told to trust nothing of it: no views or triggers of the file, no functions
 * with side effects in its schema, bounds for memory, time and lengths.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "prof/c4prof.h"
#include "prof/digest.h"
#include "prof/plain.h"
#include "prof/store.h"

/* ---- The file, before SQLite sees it --------------------------------------------- */

/* The file is not there: is it on its way? */
static void
say_missing(const char *path)
{
    char dir[C4I_TRACE_PATH + 16], tmp[C4I_TRACE_PATH + 16];

    snprintf(dir, sizeof(dir), "%s" C4I_SPOOL_SUFFIX, path);
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    if (access(tmp, F_OK) == 0)
        c4i_say("c4prof", "%s is still being written (there is %s)", path, tmp);
    else if (c4i_trace_is_live(dir))
        c4i_say("c4prof", "%s is not written yet: its job is running", path);
    else if (access(dir, F_OK) == 0)
        c4i_say("c4prof", "%s was not written: its job was killed, or the disk was full: `c4prof recover %s -o FILE` "
                "makes it", path, dir);
    else
        c4i_say("c4prof", "there is no file %s", path);
}

static void
say_errno(const char *path)
{
    c4i_say("c4prof", "%s cannot be read: %s", path, strerror(errno));
}

static const char *
odd_kind(mode_t mode)
{
    if (S_ISREG(mode))
        return NULL;
    return S_ISDIR(mode) ? "is a folder; `c4prof recover` reads folders of spools"
           : S_ISFIFO(mode) ? "is a pipe, not a database: name the file itself"
           : S_ISSOCK(mode) ? "is a socket, not a database: name the file itself"
           : "is a device, not a database: name the file itself";
}

/* Opens a regular file; never waits for the other end of a pipe. */
static int
open_regular(const char *path, struct stat *st)
{
    const char *odd = NULL;
    int fd = -1;

    if (stat(path, st) != 0) {
        if (errno == ENOENT)
            say_missing(path);
        else
            say_errno(path);
        return -1;
    }
    if (!(odd = odd_kind(st->st_mode))
        && (fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) >= 0 && fstat(fd, st) == 0
        && !(odd = odd_kind(st->st_mode)))
        return fd;
    if (odd)
        c4i_say("c4prof", "%s %s", path, odd);
    else
        say_errno(path);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A number in the head of an SQLite file. */
static uint32_t
head_number(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

enum { HEAD = 100, HEAD_USER_VERSION = 60, HEAD_APPLICATION_ID = 68 };

/* Is it a trace database of this schema? */
static bool
check_head(int fd, const char *path)
{
    unsigned char head[HEAD];
    ssize_t n = pread(fd, head, HEAD, 0);
    int version;

    if (n < 0) {
        say_errno(path);
        return false;
    }
    if (n < HEAD || memcmp(head, "SQLite format 3", 16) != 0) {
        c4i_say("c4prof", "%s is not a database", path);
        return false;
    }
    version = (int)head_number(head + HEAD_USER_VERSION);
    if (head_number(head + HEAD_APPLICATION_ID) != C4I_DB_APPLICATION_ID) {
        c4i_say("c4prof", "%s is the database of another program", path);
        return false;
    }
    if (version == C4I_DB_SCHEMA)
        return true;
    if (version > C4I_DB_SCHEMA)
        c4i_say("c4prof", "%s was written by a newer c4 (schema %d, this c4prof knows %d): use "
                "its c4prof", path, version, C4I_DB_SCHEMA);
    else
        c4i_say("c4prof", "%s was written by an older c4 (schema %d, this c4prof knows %d): "
                "record again, or use the c4prof that came with that c4", path, version,
                C4I_DB_SCHEMA);
    return false;
}

static bool
check_seal(int fd, const char *path)
{
    enum c4i_seal seal;

    if (c4i_digest_check(fd, &seal)) {
        say_errno(path);
        return false;
    }
    if (seal != C4I_SEAL_FITS)
        c4i_say("c4prof", "%s is not as c4 wrote it: it is damaged, or was changed since; record "
                "again, or give --as-is to see it nonetheless", path);
    return seal == C4I_SEAL_FITS;
}

/* ---- SQLite, kept on a short leash ------------------------------------------------ */

enum {
    MEGABYTE = 1 << 20,
    MOST_HEAP_MB = 512,                     /* larger sorts go through files */
    MOST_LENGTH = 256 * MEGABYTE,           /* of one value: the JSON is one */
    STEPS = 100000,                         /* of SQLite's machine, between looks at the clock */
    BASE_S = 120, MB_PER_S = 4              /* CPU time for a file: far more than any takes */
};

/* Ends what does not come to an end by itself; arg is the seconds it may take. */
static int
out_of_time(void *arg)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uintptr_t)t.tv_sec > (uintptr_t)arg;
}

static void
restrain(sqlite3 *db, off_t file_bytes)
{
    static const struct { int what, most; } limits[] = {
        { SQLITE_LIMIT_LENGTH, MOST_LENGTH }, { SQLITE_LIMIT_SQL_LENGTH, MEGABYTE },
        { SQLITE_LIMIT_COLUMN, 200 }, { SQLITE_LIMIT_EXPR_DEPTH, 100 },
        { SQLITE_LIMIT_COMPOUND_SELECT, 10 }, { SQLITE_LIMIT_VDBE_OP, 100000 },
        { SQLITE_LIMIT_ATTACHED, 0 }, { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100 },
        { SQLITE_LIMIT_TRIGGER_DEPTH, 1 }, { SQLITE_LIMIT_WORKER_THREADS, 0 }
    };

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        sqlite3_limit(db, limits[i].what, limits[i].most);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);    /* TEMP views stay */
    sqlite3_progress_handler(db, STEPS, out_of_time,
                             (void *)(uintptr_t)(BASE_S + file_bytes / MEGABYTE / MB_PER_S));
}

/* A file with a seal is complete in itself: a journal or a WAL that lies beside
 * it is not its own.  What was changed since may have one. */
static char *
make_uri(const char *path, bool as_is)
{
    char *uri = NULL;
    size_t n;
    FILE *f = open_memstream(&uri, &n);

    if (!f)
        return NULL;
    fprintf(f, "file:%s", path[0] == '/' ? "" : "./");
    for (const unsigned char *s = (const unsigned char *)path; *s; s++) {
        if (*s == '/' && s[1] != '/')       /* "//" would begin the name of a host */
            fputc('/', f);
        else if (*s != '/')
            fprintf(f, "%%%02x", *s);
    }
    fprintf(f, as_is ? "?mode=ro" : "?immutable=1");
    return fclose(f) == 0 ? uri : NULL;
}

static sqlite3 *
open_sqlite(const char *path, bool as_is, off_t file_bytes)
{
    char *uri = make_uri(path, as_is);
    sqlite3 *db = NULL;

    sqlite3_hard_heap_limit64((sqlite3_int64)MOST_HEAP_MB * MEGABYTE);
    if (uri && sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL)
        == SQLITE_OK) {
        restrain(db, file_bytes);
    } else {
        c4i_say("c4prof", "%s cannot be opened: %s", path,
                db ? sqlite3_errmsg(db) : "out of memory");
        sqlite3_close(db);
        db = NULL;
    }
    free(uri);
    return db;
}

/* Runs SQL whose rows are of no interest. */
static void
run_all(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = c4i_db_query(db, sql);

    while (c4i_db_row(q))
        ;
    sqlite3_finalize(q);
}

static bool
check_structure(sqlite3 *db, const char *path)
{
    sqlite3_stmt *q = c4i_db_query(db, "PRAGMA integrity_check(1)");
    char fault[400] = "ok";

    while (c4i_db_row(q))
        c4i_show_text(fault, sizeof(fault), q, 0, "");
    sqlite3_finalize(q);
    if (strcmp(fault, "ok") == 0)
        return true;
    c4i_say("c4prof", "%s is damaged: %s; record again", path, fault);
    return false;
}

/* The least that makes a recording. */
static bool
check_run(sqlite3 *db, const char *path)
{
    sqlite3_stmt *q = c4i_db_query(db,
        "SELECT (SELECT count(*) FROM run) = 1 AND (SELECT count(*) FROM pe) > 0");
    bool good = c4i_db_row(q) && sqlite3_column_int(q, 0);

    sqlite3_finalize(q);
    if (!good)
        c4i_say("c4prof", "%s is not complete: it does not tell of one run and its PEs; record "
                "again", path);
    return good;
}

sqlite3 *
c4i_db_open(const char *path, bool as_is)
{
    struct stat st;
    int fd = open_regular(path, &st);
    bool good = fd >= 0 && check_head(fd, path) && (as_is || check_seal(fd, path));
    sqlite3 *db = good ? open_sqlite(path, as_is, st.st_size) : NULL;

    if (fd >= 0)
        close(fd);
    if (!db)
        return NULL;
    run_all(db, "PRAGMA cell_size_check = ON");
    run_all(db, "PRAGMA mmap_size = 0");
    good = c4i_db_tables(db, path);
    if (good && as_is)
        good = check_structure(db, path) && c4i_db_types(db, path);
    if (good && check_run(db, path))
        return db;
    sqlite3_close(db);
    return NULL;
}

/* ---- Asking ------------------------------------------------------------------------ */

/* What can be done about it. */
static const char *
remedy(int code)
{
    switch (code) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return "is there room for temporary files?";
    case SQLITE_BUSY:
    case SQLITE_READONLY:
        return "is another program changing it?";
    default:
        return "record again";
    }
}

_Noreturn void
c4i_db_fail(sqlite3 *db)
{
    const char *path = sqlite3_db_filename(db, "main"), *why;
    int code = sqlite3_errcode(db);

    why = code == SQLITE_INTERRUPT ? "it takes longer than any trace of its size can"
          : code == SQLITE_NOMEM ? "it takes more memory than any trace can"
          : sqlite3_errmsg(db);
    c4i_say("c4prof", "%s cannot be read: %s; %s", path ? path : "the database", why,
            remedy(code));
    exit(C4I_EXIT_CANNOT);
}

sqlite3_stmt *
c4i_db_query(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        c4i_db_fail(db);
    return q;
}

bool
c4i_db_row(sqlite3_stmt *q)
{
    int rc = sqlite3_step(q);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        c4i_db_fail(sqlite3_db_handle(q));
    return rc == SQLITE_ROW;
}
