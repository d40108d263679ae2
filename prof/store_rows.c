/*
 * store_rows.c - insertion of rows; many a statement where there are many.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/store_parts.h"

c4_err
c4i_sql(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? C4_OK : C4_EIO;
}

/* INSERT ... VALUES (?,?),(?,?) with nrows groups. */
static sqlite3_stmt *
prepare_insert(sqlite3 *db, const char *table, int ncols, int nrows)
{
    size_t room = 64 + strlen(table) + (size_t)nrows * ((size_t)ncols * 2 + 2);
    char *sql = malloc(room), *at = sql;
    sqlite3_stmt *stmt = NULL;

    if (!sql)
        return NULL;
    at += snprintf(at, room, "INSERT OR IGNORE INTO %s VALUES ", table);
    for (int r = 0; r < nrows; r++) {
        *at++ = '(';
        for (int c = 0; c < ncols; c++) {
            *at++ = '?';
            *at++ = c + 1 < ncols ? ',' : ')';
        }
        *at++ = r + 1 < nrows ? ',' : 0;
    }
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        stmt = NULL;
    free(sql);
    return stmt;
}

c4_err
c4i_rows_begin(c4i_rows *r, sqlite3 *db, const char *table, int ncols)
{
    r->db = db;
    r->table = table;
    r->left_out = 0;
    r->ncols = ncols;
    r->n = 0;
    r->many = prepare_insert(db, table, ncols, C4I_ROWS);
    r->one = prepare_insert(db, table, ncols, 1);
    return r->many && r->one ? C4_OK : C4_EIO;
}

static c4_err
run_rows(c4i_rows *r, sqlite3_stmt *stmt, const int64_t *v, int nrows)
{
    int rc;

    for (int i = 0; i < nrows * r->ncols; i++) {
        if (v[i] == C4I_NULL)
            sqlite3_bind_null(stmt, i + 1);
        else
            sqlite3_bind_int64(stmt, i + 1, v[i]);
    }
    rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if (rc != SQLITE_DONE)
        return C4_EIO;
    r->left_out += nrows - sqlite3_changes(r->db);
    return C4_OK;
}

/* table may go on with a list of columns. */
static c4_err
log_left_out(const c4i_rows *r)
{
    char *sql = sqlite3_mprintf(
        "INSERT INTO log (level, text) VALUES ('warning', 'the spools are damaged: %lld rows of the "
        "table %.*s were left out, since their keys were there already')", r->left_out,
        (int)strcspn(r->table, " ("), r->table);
    c4_err e = sql ? c4i_sql(r->db, sql) : C4_ENOMEM;

    sqlite3_free(sql);
    return e;
}

c4_err
c4i_rows_add(c4i_rows *r, const int64_t *row)
{
    memcpy(r->buf + r->n * r->ncols, row, (size_t)r->ncols * sizeof(*row));
    if (++r->n < C4I_ROWS)
        return C4_OK;
    r->n = 0;
    return run_rows(r, r->many, r->buf, C4I_ROWS);
}

c4_err
c4i_rows_end(c4i_rows *r)
{
    c4_err e = C4_OK;

    for (int i = 0; i < r->n && !e; i++)
        e = run_rows(r, r->one, r->buf + i * r->ncols, 1);
    sqlite3_finalize(r->many);
    sqlite3_finalize(r->one);
    r->many = r->one = NULL;
    r->n = 0;
    return !e && r->left_out ? log_left_out(r) : e;
}

/* ---- Single rows -------------------------------------------------------------- */

/* The length of the UTF-8 character at s, 0 if it is none. */
static int
utf8_length(const unsigned char *s)
{
    int n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3
            : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Names come from user programs: what is no UTF-8 becomes '?'. */
static void
bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    char *copy = text ? malloc(n + 1) : NULL;

    if (!copy) {
        sqlite3_bind_null(stmt, i);
        return;
    }
    memcpy(copy, text, n + 1);
    for (unsigned char *s = (unsigned char *)copy; *s; ) {
        int len = utf8_length(s);

        if (!len)
            *s = '?';
        s += len ? len : 1;
    }
    sqlite3_bind_text(stmt, i, copy, (int)n, free);
}

c4_err
c4i_put(sqlite3 *db, sqlite3_stmt **stmt, const char *table, const char *fmt, ...)
{
    va_list ap;
    int rc;

    if (!*stmt && !(*stmt = prepare_insert(db, table, (int)strlen(fmt), 1)))
        return C4_EIO;
    va_start(ap, fmt);
    for (int i = 1; *fmt; fmt++, i++) {
        if (*fmt == 's') {
            bind_text(*stmt, i, va_arg(ap, const char *));
        } else if (*fmt == 'r') {
            double v = va_arg(ap, double);

            if (isfinite(v))
                sqlite3_bind_double(*stmt, i, v);
            else
                sqlite3_bind_null(*stmt, i);
        } else {
            int64_t v = va_arg(ap, int64_t);

            if (v == C4I_NULL)
                sqlite3_bind_null(*stmt, i);
            else
                sqlite3_bind_int64(*stmt, i, v);
        }
    }
    va_end(ap);
    rc = sqlite3_step(*stmt);
    sqlite3_reset(*stmt);
    return rc == SQLITE_DONE ? C4_OK : C4_EIO;
}
