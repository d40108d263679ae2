/*
 * check_walk.c - from what happened last back to main, cause by cause.
 *
 * An execution was caused by a message, a message was sent by an execution or
 * by the runtime while it handled another message.  Each step goes back in
 * time, or stays where it is for a short while.  Where the program begins with
 * a chare, there is no main: then the way ends at a message that was sent
 * before PE 0 ran anything.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "prof/c4prof.h"
#include "prof/check.h"

enum { MOST_AT_ONCE = 10000 };              /* steps that take no time: more is a circle */

enum what { EXECUTION, MESSAGE, MAIN, NOWHERE };

/* Where the walk is: execution (pe, begin), or message (src, id). */
struct place {
    enum what     what;
    sqlite3_int64 pe, number;
};

struct walk {
    sqlite3      *db;
    sqlite3_stmt *execution, *message;
    c4i_say_row  *say;
    void         *arg;
};

static bool
look_up(sqlite3_stmt *q, const struct place *p)
{
    sqlite3_reset(q);
    sqlite3_bind_int64(q, 1, p->pe);
    sqlite3_bind_int64(q, 2, p->number);
    return c4i_db_row(q);
}

static struct place
place_of(enum what what, sqlite3_stmt *q, int pe, int number)
{
    return (struct place){ what, sqlite3_column_int64(q, pe), sqlite3_column_int64(q, number) };
}

/* One step back; *when becomes the time of the place that is left.  Nowhere:
 * *why says why. */
static struct place
before(struct walk *w, const struct place *p, sqlite3_int64 *when, const char **why)
{
    const struct place nowhere = { NOWHERE, 0, 0 };
    sqlite3_stmt *q = p->what == EXECUTION ? w->execution : w->message;

    if (!look_up(q, p)) {
        *why = p->what == EXECUTION ? "there is no such execution" : "there is no such message";
        return nowhere;
    }
    *when = sqlite3_column_int64(q, 0);
    if (sqlite3_column_int(q, 1))
        return (struct place){ MAIN, 0, 0 };
    if (sqlite3_column_type(q, 2) != SQLITE_NULL)       /* a message's sender */
        return place_of(EXECUTION, q, 3, 2);
    if (sqlite3_column_type(q, 4) != SQLITE_NULL && sqlite3_column_type(q, 5) != SQLITE_NULL)
        return place_of(MESSAGE, q, 4, 5);
    *why = p->what == EXECUTION ? "it has no cause" : "it has neither a sender nor a cause";
    return nowhere;
}

static void
say(struct walk *w, const struct place *from, const struct place *at, sqlite3_int64 steps,
    const char *why)
{
    static const char *const names[2][6] = {
        { "from_pe", "from_begin", "steps", "pe", "begin", "why" },
        { "from_src", "from_id", "steps", "src", "id", "why" }
    };
    const char *name[6], *value[6];
    char text[5][24];
    sqlite3_int64 number[5] = { from->pe, from->number, steps, at->pe, at->number };

    for (int i = 0; i < 6; i++) {
        name[i] = names[(i < 2 ? from : at)->what == MESSAGE][i];
        if (i < 5)
            snprintf(text[i], sizeof(text[i]), "%lld", (long long)number[i]);
        value[i] = i < 5 ? text[i] : why;
    }
    w->say(w->arg, 6, name, value);
}

static void
walk_from(struct walk *w, struct place from)
{
    sqlite3_int64 steps = 0, at_once = 0, when = 0, last = INT64_MAX;
    struct place at = from, next;
    const char *why = NULL;

    for (; at.what != MAIN; at = next, steps++) {
        next = before(w, &at, &when, &why);
        at_once = when == last ? at_once + 1 : 0;
        if (!why && when > last)
            why = "it is later than what it caused";
        if (!why && at_once > MOST_AT_ONCE)
            why = "it is its own cause";
        if (why) {
            say(w, &from, &at, steps, why);
            return;
        }
        last = when;
    }
}

/* Walks from every row of sql: two columns, a place. */
static void
walk_from_all(struct walk *w, enum what what, const char *sql)
{
    sqlite3_stmt *q = c4i_db_query(w->db, sql);

    while (c4i_db_row(q))
        walk_from(w, place_of(what, q, 0, 1));
    sqlite3_finalize(q);
}

void
c4i_check_walk(sqlite3 *db, c4i_say_row *say_row, void *arg)
{
    /* Both: time, is it main, sender, its PE, the PE and number of the cause. */
    struct walk w = {
        .db = db, .say = say_row, .arg = arg,
        .execution = c4i_db_query(db, "SELECT x.begin, m.kind = 'main', NULL, NULL, x.cause_pe,"
                                  " x.cause FROM execution x JOIN entry_method m"
                                  " ON m.id = x.entry WHERE x.pe = ? AND x.begin = ?"),
        .message = c4i_db_query(db, "SELECT sent, sender IS NULL AND cause IS NULL AND src = 0"
                                " AND sent < (SELECT min(begin) FROM execution WHERE pe = 0),"
                                " sender, src, cause_pe, cause FROM message"
                                " WHERE src = ? AND id = ?")
    };

    walk_from_all(&w, MESSAGE, "SELECT src, id FROM message WHERE kind IN (SELECT id FROM"
                  " message_kind WHERE name = 'exit') ORDER BY sent DESC LIMIT 1");
    walk_from_all(&w, EXECUTION, "SELECT pe, max(begin) FROM execution GROUP BY pe");
    sqlite3_finalize(w.execution);
    sqlite3_finalize(w.message);
}
