/*
 * check.c - c4prof check: are the figures true?
 *
 * Each invariant is a query whose rows break it (check_rules.c).  Where all
 * hold, nothing is printed; else a line for each one that does not, and the
 * first of its rows.
 */
#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/c4prof.h"
#include "prof/check.h"
#include "prof/plain.h"

enum { SHOWN = 5, MAXSHOWN = 16 };          /* rows of an invariant; columns of a row */

struct args {
    const char *file;
    bool        as_is, list;
};

/* ---- The command line ------------------------------------------------------------- */

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct args *a = state->input;

    switch (key) {
    case 'a':
        a->as_is = true;
        return 0;
    case 'l':
        a->list = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_usage(state);
        a->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->file && !a->list)
            argp_error(state, "the database is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "as-is", 'a', NULL, 0, "Read FILE although it is not as c4 wrote it", 0 },
    { "list", 'l', NULL, 0, "Print the invariants instead", 0 },
    { 0 }
};

static const struct argp argp = {
    .options = options, .parser = parse, .args_doc = "FILE\n--list",
    .doc = "Checks whether the figures of a recording are true: silent where all invariants "
           "hold, otherwise the rows that break them, and exit status 1."
};

/* ---- Rows that break something ------------------------------------------------------ */

struct broken {
    uint64_t rows;
    char    *text;                          /* of the first rows */
    size_t   len;
    FILE    *out;                           /* into text */
};

static void
say_row(void *arg, int n, const char *const *names, const char *const *values)
{
    struct broken *b = arg;

    if (b->rows++ >= SHOWN)
        return;
    for (int i = 0; i < n; i++) {
        char text[200];

        fprintf(b->out, "%s%s=%s", i ? " " : "    ", names[i],
                values[i] ? c4i_plain(text, sizeof(text), values[i]) : "NULL");
    }
    fprintf(b->out, "\n");
}

static void
say_rows_of(sqlite3 *db, const char *sql, struct broken *b)
{
    sqlite3_stmt *q = c4i_db_query(db, sql);
    const char *names[MAXSHOWN], *values[MAXSHOWN];
    int n = sqlite3_column_count(q);

    if (n > MAXSHOWN)
        n = MAXSHOWN;
    while (c4i_db_row(q)) {
        for (int i = 0; i < n; i++) {
            names[i] = sqlite3_column_name(q, i);
            values[i] = (const char *)sqlite3_column_text(q, i);
        }
        say_row(b, n, names, values);
    }
    sqlite3_finalize(q);
}

/* Returns whether it holds. */
static bool
holds(sqlite3 *db, const c4i_invariant *v)
{
    struct broken b = { .rows = 0 };

    if (!(b.out = open_memstream(&b.text, &b.len))) {
        perror("c4prof");
        exit(C4I_EXIT_CANNOT);
    }
    if (v->sql)
        say_rows_of(db, v->sql, &b);
    else
        c4i_check_walk(db, say_row, &b);
    fclose(b.out);
    if (b.rows)
        printf("%s: %s: %llu row%s\n%s", v->name, v->sentence, (unsigned long long)b.rows,
               b.rows == 1 ? "" : "s", b.text);
    free(b.text);
    return b.rows == 0;
}

/* ---- The verb ------------------------------------------------------------------------ */

/* What the recording is, as C4I_NEED_... */
static unsigned
offers(sqlite3 *db)
{
    sqlite3_stmt *q = c4i_db_query(db, "SELECT level = 'full', complete, dropped = 0 FROM run");
    unsigned have = 0;

    if (c4i_db_row(q))
        for (int i = 0; i < 3; i++)
            have |= (unsigned)(sqlite3_column_int(q, i) != 0) << i;
    sqlite3_finalize(q);
    return have;
}

static void
make_tables(sqlite3 *db)
{
    if (sqlite3_exec(db, c4i_check_tables, NULL, NULL, NULL) != SQLITE_OK)
        c4i_db_fail(db);
}

static int
check(const char *file, bool as_is)
{
    sqlite3 *db = c4i_db_open(file, as_is);
    bool all = true;
    unsigned have;

    if (!db)
        return C4I_EXIT_CANNOT;
    have = offers(db);
    make_tables(db);
    for (const c4i_invariant *v = c4i_invariants; v->name; v++)
        if ((v->need & ~have) == 0 && !holds(db, v))
            all = false;
    sqlite3_close(db);
    return all ? C4I_EXIT_OK : C4I_EXIT_WRONG;
}

static int
run(int argc, char **argv)
{
    struct args a = { .list = false };
    int status = C4I_EXIT_OK;

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.list)
        for (const c4i_invariant *v = c4i_invariants; v->name; v++)
            printf("%-28s %s\n", v->name, v->sentence);
    else
        status = check(a.file, a.as_is);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("c4prof: cannot print");
        return C4I_EXIT_CANNOT;
    }
    return status;
}

const c4i_verb c4i_verb_check = {
    .name = "check", .args = "FILE", .help = "are the figures of a recording true?", .run = run
};
