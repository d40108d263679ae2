/*
 * flags.h - the command line: "+" flags of the runtime, "++" flags of the
 * launcher.  One table (flags.c) gives parsing, +help, docs and completion.
 *
 * Flags may stand anywhere among the program's own arguments and are taken
 * out with their values.  A word at edit distance 1 or 2 from a flag is an
 * error that names the nearest; other words with + are the program's own.
 */
#ifndef C4I_FLAGS_H
#define C4I_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include <c4_err.h>

enum c4i_flag_arg { C4I_ARG_NONE, C4I_ARG_VALUE, C4I_ARG_OPTIONAL };
enum c4i_flag_use {
    C4I_USE_RUNTIME,                        /* read by the PEs */
    C4I_USE_LAUNCHER,                       /* read by charmrun */
    C4I_USE_NOTICE                          /* no meaning here: accepted with one notice */
};

typedef struct c4i_flag {
    const char       *name;                 /* "+balancer" */
    enum c4i_flag_arg arg;
    enum c4i_flag_use use;
    bool              repeat;               /* each use counts; else the last one */
    const char       *value;                /* name of the value in help, or NULL */
    const char       *unit;                 /* "s", or NULL */
    const char       *initial;              /* default as text, or NULL */
    const char       *help;                 /* one line */
} c4i_flag;

extern const c4i_flag c4i_flag_table[];     /* ends with name == NULL */

/* What was given: (flag, value) in order.  Storage belongs to c4i_flags. */
typedef struct c4i_flags {
    struct c4i_given { const c4i_flag *flag; char *value; } *given;
    size_t ngiven, cap;
    char   error[512];                      /* of a failed parse: one line for the user */
    char   notice[1024];                    /* lines to print once, on PE 0: unknown +LB..., no meaning here */
} c4i_flags;

void c4i_flags_init(c4i_flags *f);
void c4i_flags_release(c4i_flags *f);
/* Takes flags out of argv (from index 1 on), compacting it; *argc shrinks and
 * argv[*argc] stays NULL.  which: bit set of 1 << c4i_flag_use to take out
 * (others stay).  C4_EINVAL with f->error for a bad or misspelt flag. */
c4_err c4i_flags_parse(c4i_flags *f, int *argc, char **argv, unsigned which);
/* The k-th value of the flag ("" for a flag without value), or NULL. */
const char *c4i_flags_nth(const c4i_flags *f, const char *name, size_t k);
/* The last value given, or the table's default, or NULL. */
const char *c4i_flags_get(const c4i_flags *f, const char *name);
bool c4i_flags_has(const c4i_flags *f, const char *name);
/* Prints the table for users. */
void c4i_flags_help(void *stdio_file);
/* For "did you mean": edits (insert, delete, replace, swap neighbours) from a
 * to b, case ignored, of words shorter than 32; longer ones are far. */
unsigned c4i_edit_distance(const char *a, const char *b);

#endif
