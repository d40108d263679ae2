/*
 * db.c - opens a trace database, or says clearly why not; how numbers look.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prof/c4prof.h"
#include "prof/store.h"

static int64_t
number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t v = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return v;
}

/* The file is not there: is it on its way? */
static void
say_missing(const char *path)
{
    char dir[C4I_TRACE_PATH + 16], tmp[C4I_TRACE_PATH + 16];

    snprintf(dir, sizeof(dir), "%s" C4I_SPOOL_SUFFIX, path);
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    if (access(tmp, F_OK) == 0)
        fprintf(stderr, "c4prof: %s is still being written (there is %s)\n", path, tmp);
    else if (c4i_trace_is_live(dir))
        fprintf(stderr, "c4prof: %s is not written yet: its job is running\n", path);
    else if (access(dir, F_OK) == 0)
        fprintf(stderr, "c4prof: %s was not written, its job was killed: "
                "`c4prof recover %s -o FILE` makes it\n", path, dir);
    else
        fprintf(stderr, "c4prof: there is no file %s\n", path);
}

static int
check(const char *path)
{
    char magic[16] = "";
    struct stat st;
    FILE *f;
    size_t n;

    if (stat(path, &st) != 0 && errno == ENOENT) {
        say_missing(path);
        return -1;
    }
    if (stat(path, &st) != 0 || !(f = fopen(path, "re"))) {
        fprintf(stderr, "c4prof: cannot open %s: %s\n", path, strerror(errno));
        return -1;
    }
    if (S_ISDIR(st.st_mode)) {
        fprintf(stderr, "c4prof: %s is a folder; `c4prof recover` reads folders of spools\n",
                path);
        fclose(f);
        return -1;
    }
    n = fread(magic, 1, sizeof(magic), f);
    fclose(f);
    if (n == sizeof(magic) && memcmp(magic, "SQLite format 3", 16) == 0)
        return 0;
    fprintf(stderr, "c4prof: %s is not a database\n", path);
    return -1;
}

sqlite3 *
c4i_db_open(const char *path)
{
    sqlite3 *db = NULL;
    int64_t id, version;

    if (check(path))
        return NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        fprintf(stderr, "c4prof: cannot open %s: %s\n", path,
                db ? sqlite3_errmsg(db) : "out of memory");
        sqlite3_close(db);
        return NULL;
    }
    id = number(db, "PRAGMA application_id");
    version = number(db, "PRAGMA user_version");
    if (id < 0 || number(db, "SELECT count(*) FROM sqlite_schema") < 0)
        fprintf(stderr, "c4prof: %s is damaged: %s\n", path, sqlite3_errmsg(db));
    else if (id != C4I_DB_APPLICATION_ID)
        fprintf(stderr, "c4prof: %s is the database of another program\n", path);
    else if (version > C4I_DB_SCHEMA)
        fprintf(stderr, "c4prof: %s was written by a newer c4 (schema %lld, this c4prof knows "
                "%d): use its c4prof\n", path, (long long)version, C4I_DB_SCHEMA);
    else if (version < 1)
        fprintf(stderr, "c4prof: %s is not complete\n", path);
    else
        return db;
    sqlite3_close(db);
    return NULL;
}

sqlite3_stmt *
c4i_db_query(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK)
        return q;
    fprintf(stderr, "c4prof: the database cannot be read: %s\n", sqlite3_errmsg(db));
    exit(1);
}

/* ---- How numbers look ------------------------------------------------------------- */

/* Three digits that count, whatever the unit. */
static const char *
scaled(char buf[16], double v, double base, const char *const *units, int nunits)
{
    int u = 0;

    while (fabs(v) >= 999.5 && u + 1 < nunits) {
        v /= base;
        u++;
    }
    snprintf(buf, 16, "%.*f%s", u == 0 || fabs(v) >= 99.95 ? 0 : fabs(v) >= 9.995 ? 1 : 2, v,
             units[u]);
    return buf;
}

const char *
c4i_show_ns(char buf[16], double ns)
{
    static const char *const units[] = { " ns", " us", " ms", " s" };

    return scaled(buf, ns, 1000, units, 4);
}

const char *
c4i_show_bytes(char buf[16], double bytes)
{
    static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB" };

    return scaled(buf, bytes, 1024, units, 5);
}

const char *
c4i_show_count(char buf[16], double n)
{
    static const char *const units[] = { "", " k", " M", " G", " T" };

    if (n < 100000)
        snprintf(buf, 16, "%.0f", n);
    else
        scaled(buf, n, 1000, units, 5);
    return buf;
}
