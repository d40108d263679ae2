/*
 * report.c - c4prof report: what a user wants to know first, on one screen.
 *
 * This file reads the command line; report_table.c and report_json.c print,
 * report_warnings.c says what is odd about the run.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/c4prof.h"

struct args {
    const char *file;
    bool        json, as_is;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct args *a = state->input;

    switch (key) {
    case 'F':
        if (strcmp(arg, "json") != 0 && strcmp(arg, "table") != 0)
            argp_error(state, "--format takes table or json, not '%s'", arg);
        a->json = strcmp(arg, "json") == 0;
        return 0;
    case 'a':
        a->as_is = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_usage(state);
        a->file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the database is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "format", 'F', "FORMAT", 0, "table (default) or json", 0 },
    { "as-is", 'a', NULL, 0, "Read FILE although it is not as c4 wrote it", 0 },
    { 0 }
};

static const struct argp argp = {
    .options = options, .parser = parse, .args_doc = "FILE",
    .doc = "Prints the PEs, the entry methods by time, messages, load balancing steps and "
           "what looks wrong."
};

static int
run(int argc, char **argv)
{
    struct args a = { .json = false };
    sqlite3 *db;
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (!(db = c4i_db_open(a.file, a.as_is)))
        return C4I_EXIT_CANNOT;
    status = a.json ? c4i_report_json(db) : c4i_report_table(db, a.file);
    sqlite3_close(db);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("c4prof: cannot print");
        return C4I_EXIT_CANNOT;
    }
    return status;
}

const c4i_verb c4i_verb_report = {
    .name = "report", .args = "FILE", .help = "a run at a glance", .run = run
};
