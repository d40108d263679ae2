/*
 * recover.c - c4prof recover DIR: a database from the spools of a killed job.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prof/c4prof.h"
#include "prof/plain.h"
#include "prof/store.h"

enum { SHOWN = 2 * C4I_TRACE_PATH };        /* of a path, in messages */

struct args {
    char  dir[C4I_TRACE_PATH];
    char  file[C4I_TRACE_PATH];
    bool  force, keep;
};

static void
copy_path(const struct argp_state *state, char out[C4I_TRACE_PATH], const char *path)
{
    if ((size_t)snprintf(out, C4I_TRACE_PATH, "%s", path) >= C4I_TRACE_PATH)
        argp_error(state, "a path has more than %d bytes", C4I_TRACE_PATH - 1);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct args *a = state->input;

    switch (key) {
    case 'o':
        copy_path(state, a->file, arg);
        return 0;
    case 'f':
        a->force = true;
        return 0;
    case 'k':
        a->keep = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_usage(state);
        copy_path(state, a->dir, arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the folder of the spools is missing (FILE" C4I_SPOOL_SUFFIX ")");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "output", 'o', "FILE", 0, "Write this file (default: DIR without " C4I_SPOOL_SUFFIX ")", 0 },
    { "force", 'f', NULL, 0, "Replace FILE if it exists", 0 },
    { "keep", 'k', NULL, 0, "Keep the spools", 0 },
    { 0 }
};

static const struct argp argp = {
    .options = options, .parser = parse, .args_doc = "DIR",
    .doc = "Makes a database from the spools of a job that was killed."
};

/* run.db.spool.d -> run.db */
static bool
name_file(struct args *a)
{
    size_t n = strlen(a->dir), k = strlen(C4I_SPOOL_SUFFIX);

    while (n > 1 && a->dir[n - 1] == '/')
        a->dir[--n] = 0;
    if (a->file[0])
        return true;
    if (n <= k || strcmp(a->dir + n - k, C4I_SPOOL_SUFFIX) != 0)
        return false;
    memcpy(a->file, a->dir, n - k);
    a->file[n - k] = 0;
    return true;
}

enum { MOST_SAID = 5 };

/* What the store found wrong with the spools stands in the database. */
static int
say_damage(const char *file)
{
    sqlite3 *db = c4i_db_open(file, false);
    sqlite3_stmt *q;
    int n = 0;

    if (!db)
        return C4I_EXIT_CANNOT;
    q = c4i_db_query(db, "SELECT text FROM log WHERE pe IS NULL AND level = 'warning'");
    for (; c4i_db_row(q); n++)
        if (n < MOST_SAID)
            c4i_say("c4prof", "%s", (const char *)sqlite3_column_text(q, 0));
    if (n > MOST_SAID)
        c4i_say("c4prof", "%d more warnings stand in the table log of %s", n - MOST_SAID, file);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return C4I_EXIT_OK;
}

static int
say_exists(const struct args *a)
{
    c4i_say("c4prof", "%s exists: name another file with -o, or replace it with --force", a->file);
    return C4I_EXIT_CANNOT;
}

static int
run(int argc, char **argv)
{
    struct args a = { .keep = false };
    c4i_run_info info = { .killed = true };
    int lock;
    char err[C4I_TRACE_PATH + 400] = "", shown[SHOWN];
    c4i_store_result r;
    c4_err e;

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (!name_file(&a)) {
        c4i_say("c4prof", "say with -o FILE what to write");
        return C4I_EXIT_CANNOT;
    }
    info.replace = a.force;
    if (!a.force && access(a.file, F_OK) == 0)
        return say_exists(&a);
    lock = c4i_trace_lock(a.dir);           /* held until the end */
    if (lock < 0 && errno == EWOULDBLOCK) {
        c4i_say("c4prof", "%s: its job is still running, or is being recovered", a.dir);
        return C4I_EXIT_CANNOT;
    }
    e = c4i_store_write(a.dir, a.file, &info, a.keep, &r, err, sizeof(err));
    if (e == C4_EEXIST)
        return say_exists(&a);
    if (e) {
        c4i_say("c4prof", "%s", err);
        return C4I_EXIT_CANNOT;
    }
    printf("%s: %u PEs, %llu executions, %llu messages\n",
           c4i_plain(shown, sizeof(shown), a.file), r.npes - r.missing,
           (unsigned long long)r.executions, (unsigned long long)r.messages);
    return say_damage(a.file);
}

const c4i_verb c4i_verb_recover = {
    .name = "recover", .args = "DIR", .help = "a database from the spools of a killed job",
    .run = run
};
