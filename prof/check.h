/*
 * check.h - what must hold of every recording: rows of data.
 */
#ifndef C4I_CHECK_H
#define C4I_CHECK_H

#include <sqlite3.h>

/* What a recording must be for an invariant to be asked; all of it is in the
 * table run.  What only single PEs lack, the SQL leaves out itself. */
enum {
    C4I_NEED_FULL = 1,                      /* single executions and messages */
    C4I_NEED_COMPLETE = 2,                  /* every PE came to its end */
    C4I_NEED_ALL = 4                        /* no record was dropped */
};

typedef struct c4i_invariant {
    const char *name;                       /* words with hyphens */
    const char *sentence;                   /* what holds */
    unsigned    need;                       /* C4I_NEED_... */
    const char *sql;                        /* the rows that break it; NULL: c4i_check_walk() */
} c4i_invariant;

extern const c4i_invariant c4i_invariants[];        /* ends with a name that is NULL */
/* TEMP tables that the SQL of the invariants uses. */
extern const char c4i_check_tables[];

/* Gets the column names and values of a row that breaks an invariant; a value
 * is NULL where the database says NULL. */
typedef void c4i_say_row(void *arg, int n, const char *const *names, const char *const *values);

/* Goes from the exit, and from the last execution of each PE, back to what
 * caused it, until main: says each way that ends elsewhere.  Any length, no
 * memory: two look-ups by primary key a step. */
void c4i_check_walk(sqlite3 *db, c4i_say_row *say, void *arg);

#endif
