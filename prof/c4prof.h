/*
 * c4prof.h - what the verbs of c4prof share.
 *
 * c4prof knows nothing but the schema: each verb opens a database with
 * c4i_db_open() and asks in SQL.  One file a verb, ending in one c4i_verb.
 */
#ifndef C4I_C4PROF_H
#define C4I_C4PROF_H

#include <sqlite3.h>

typedef struct c4i_verb {
    const char *name, *args, *help;         /* help: one line */
    /* argv[0] is "c4prof NAME"; returns the exit status. */
    int       (*run)(int argc, char **argv);
} c4i_verb;

extern const c4i_verb c4i_verb_report, c4i_verb_recover;

/* Opens a trace database for reading; NULL: one line on stderr says why not. */
sqlite3 *c4i_db_open(const char *path);
/* Prepares sql, or prints what is wrong and ends the process. */
sqlite3_stmt *c4i_db_query(sqlite3 *db, const char *sql);

/* report.c takes them apart by what they print. */
int c4i_report_table(sqlite3 *db, const char *path);
int c4i_report_json(sqlite3 *db);
/* Warnings that the data gives rise to: calls say(arg, text) for each. */
void c4i_report_warnings(sqlite3 *db, void (*say)(void *arg, const char *text), void *arg);

/* ns as "12.3 ms", bytes as "4.5 MiB": at most 9 characters into buf. */
const char *c4i_show_ns(char buf[16], double ns);
const char *c4i_show_bytes(char buf[16], double bytes);
const char *c4i_show_count(char buf[16], double n);

#endif
