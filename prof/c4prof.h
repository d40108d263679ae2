/*
 * c4prof.h - what the verbs of c4prof share.
 *
 * c4prof knows nothing but the schema: each verb opens a database with
 * c4i_db_open() and asks in SQL.  One file a verb, ending in one c4i_verb.
 */
#ifndef C4I_C4PROF_H
#define C4I_C4PROF_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of all verbs. */
enum {
    C4I_EXIT_OK = 0,
    C4I_EXIT_WRONG = 1,                     /* a check found what is wrong in the figures */
    C4I_EXIT_CANNOT = 2                     /* bad usage, or a file that cannot be read or written */
};

typedef struct c4i_verb {
    const char *name, *args, *help;         /* help: one line */
    /* argv[0] is "c4prof NAME"; returns the exit status. */
    int       (*run)(int argc, char **argv);
} c4i_verb;

extern const c4i_verb c4i_verb_report, c4i_verb_recover;

/* ---- The database: db.c ------------------------------------------------------- */

/* Opens a trace database for reading; NULL: one line on stderr says why not.
 * The file must be as c4 wrote it (digest.h), or as_is: then SQLite checks its
 * structure, and c4prof its tables and the types in them.
 * Of the file only tables are used; the schema's views are TEMP views, made
 * from the schema that c4prof was built with. */
sqlite3 *c4i_db_open(const char *path, bool as_is);
/* Prepares sql.  On failure one line on stderr, and the process ends. */
sqlite3_stmt *c4i_db_query(sqlite3 *db, const char *sql);
/* Steps: true is a row, false the end of all rows.  Anything else is one line
 * on stderr, and the process ends: no figure is left out in silence. */
bool c4i_db_row(sqlite3_stmt *q);
/* Prints one line about what SQLite could not do and ends the process. */
_Noreturn void c4i_db_fail(sqlite3 *db);

/* For db.c: the tables of the file are the schema's; the TEMP views.  False:
 * one line was printed. */
bool c4i_db_tables(sqlite3 *db, const char *path);
/* Every value is of its column's type; reads all of it. */
bool c4i_db_types(sqlite3 *db, const char *path);

/* ---- The report ------------------------------------------------------------------ */

/* report.c takes them apart by what they print. */
int c4i_report_table(sqlite3 *db, const char *path);
int c4i_report_json(sqlite3 *db);
/* Warnings that the data gives rise to: calls say(arg, text) for each. */
void c4i_report_warnings(sqlite3 *db, void (*say)(void *arg, const char *text), void *arg);

/* ---- How things look: show.c --------------------------------------------------- */

/* ns as "12.3 ms", bytes as "4.5 MiB": at most 9 characters into buf. */
const char *c4i_show_ns(char buf[16], double ns);
const char *c4i_show_bytes(char buf[16], double bytes);
const char *c4i_show_count(char buf[16], double n);
/* A column as plain text (plain.h) in buf, or otherwise where it is NULL. */
const char *c4i_show_text(char *buf, size_t n, sqlite3_stmt *q, int col, const char *otherwise);
/* Prints JSON and a newline; inside strings, what is not UTF-8 or would act on
 * a terminal becomes an escape. */
void c4i_print_json(const char *json);

#endif
