/*
 * c4prof.c - answers questions about a recording; finds the verb.
 */
#include <argp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/c4prof.h"
#include "prof/plain.h"
#include "prof/schema.h"

static const c4i_verb *const verbs[] = { &c4i_verb_report, &c4i_verb_recover };

enum { NVERBS = sizeof(verbs) / sizeof(verbs[0]) };

static char *
verbs_help(int key, const char *text, void *input)
{
    char *out = NULL;
    size_t n;
    FILE *f;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC || !(f = open_memstream(&out, &n)))
        return (char *)(uintptr_t)text;
    fprintf(f, "Verbs:\n");
    for (int i = 0; i < NVERBS; i++)
        fprintf(f, "  %s %-20s %s\n", verbs[i]->name, verbs[i]->args, verbs[i]->help);
    fprintf(f, "\n`c4prof VERB --help' tells more about one.");
    fclose(f);
    return out;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    int *verb_at = state->input;

    switch (key) {
    case 'V':
        printf("c4prof %s\n", C4I_VERSION);
        exit(0);
    case ARGP_KEY_ARG:
        (void)arg;
        *verb_at = state->next - 1;
        state->next = state->argc;          /* the rest is the verb's */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a verb is missing: report, recover");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "version", 'V', NULL, 0, "Print the version", -1 }, { 0 }
};

static const struct argp argp = {
    .options = options, .parser = parse, .args_doc = "VERB [ARGUMENT...]",
    .doc = "Answers questions about what a c4 job has recorded with +trace."
           "\v", .help_filter = verbs_help
};

static const c4i_verb *
find(const char *name)
{
    for (int i = 0; i < NVERBS; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

int
main(int argc, char **argv)
{
    int at = 0;
    const c4i_verb *v;
    char name[64];

    argp_err_exit_status = C4I_EXIT_CANNOT;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &at);
    v = find(argv[at]);
    if (!v) {
        fprintf(stderr, "c4prof: there is no verb '%s'; the verbs are",
                c4i_plain(name, sizeof(name), argv[at]));
        for (int i = 0; i < NVERBS; i++)
            fprintf(stderr, "%s %s", i ? "," : "", verbs[i]->name);
        fprintf(stderr, "\n");
        return C4I_EXIT_CANNOT;
    }
    snprintf(name, sizeof(name), "c4prof %s", v->name);
    argv[at] = name;
    return v->run(argc - at, argv + at);
}
