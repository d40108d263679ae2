/*
 * command.c - see command.h.
 */
#define _GNU_SOURCE
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/command.h"
#include "launch/nodelist.h"
#include "lb/manager.h"
#include "prof/plain.h"
#include "runtime/flags.h"
#include "runtime/launch.h"

#ifndef C4_PYTHON
#define C4_PYTHON "/usr/bin/python3"
#endif

#define SHELL_MODULE "charm4py.interactive"

static void
usage(FILE *out)
{
    fputs("usage: charmrun +pN [flags] program [arguments]\n"
          "       charmrun +pN [flags] program.py [arguments]\n"
          "Flags may stand anywhere.\n", out);
    c4i_flags_help(out);
}

/* ---- Numbers ---------------------------------------------------------------- */

/* The flag among the synonyms that was given last decides. */
static int
read_npes(const c4i_flags *f, uint32_t *npes)
{
    static const char *const names[] = { "+p", "+n", "++p", "++n", "++np" };
    const char *name = NULL, *text = "1";
    char *end;
    long n;

    for (size_t i = 0; i < f->ngiven; i++)
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
            if (!strcmp(f->given[i].flag->name, names[k])) {
                name = names[k];
                text = f->given[i].value;
            }
    errno = 0;
    n = strtol(text, &end, 10);
    if (errno || *end || end == text || n < 1 || n > C4I_MAXPES) {
        fprintf(stderr, "charmrun: %s %s: the number of PEs must be from 1 to %d\n", name, text,
                C4I_MAXPES);
        return 1;
    }
    *npes = (uint32_t)n;
    return -1;
}

static int
read_seconds(const c4i_flags *f, const char *name, double *out)
{
    const char *text = c4i_flags_get(f, name);
    char *end;
    double s;

    if (!text)
        return -1;
    s = strtod(text, &end);
    if (*end || end == text || !isfinite(s) || s <= 0 || s > 1e8) {
        fprintf(stderr, "charmrun: %s %s: must be a number of seconds above 0\n", name, text);
        return 1;
    }
    *out = s;
    return -1;
}

/* ---- Hosts: only this one can be meant ------------------------------------------- */

static int
check_hosts(const c4i_flags *f)
{
    char *path = NULL, why[512];
    c4i_nodelist list = { 0 };
    int err = 0;

    if (c4i_flags_has(f, "++mpiexec")) {
        fputs("charmrun: ++mpiexec: this version runs on one host only; leave it out\n", stderr);
        return 1;
    }
    if (!c4i_flags_has(f, "++local"))
        path = c4i_nodelist_find(c4i_flags_get(f, "++nodelist"));
    if (path)
        err = c4i_nodelist_read(&list, path, c4i_flags_get(f, "++nodegroup"), why, sizeof(why));
    if (path && !err)
        err = c4i_nodelist_check_local(&list, path, why, sizeof(why));
    if (err)
        fprintf(stderr, "charmrun: %s\n", why);
    c4i_nodelist_release(&list);
    free(path);
    return err ? 1 : -1;
}

/* ---- The program ---------------------------------------------------------------- */

static bool
ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);

    return n >= m && !strcmp(s + n - m, tail);
}

enum found { MISSING, FOLDER, PLAIN, EXECUTABLE };

static enum found
look_at(const char *path)
{
    struct stat st;

    if (stat(path, &st))
        return MISSING;
    if (S_ISDIR(st.st_mode))
        return FOLDER;
    return access(path, X_OK) ? PLAIN : EXECUTABLE;
}

static bool
on_path(const char *word)
{
    const char *path = getenv("PATH");
    char file[4096];

    for (const char *at = path ? path : "/usr/bin:/bin"; ; at++) {
        size_t n = strcspn(at, ":");

        snprintf(file, sizeof(file), "%.*s/%s", (int)n, at, word);
        if (look_at(file) == EXECUTABLE)
            return true;
        at += n;
        if (!*at)
            return false;
    }
}

static int
refuse(const char *word, const char *why)
{
    c4i_say("charmrun", "program %s %s", word, why);
    return 1;
}

/* Is word a program that can be run as it is?  A file here comes before one on
 * PATH; *program is then the name to run it by. */
static int
find_program(char *word, char **program)
{
    enum found found = look_at(word);
    bool path = strchr(word, '/') != NULL;

    *program = word;
    if (found == EXECUTABLE && !path && asprintf(program, "./%s", word) < 0)
        return refuse(word, "cannot be run: out of memory");
    if (found == EXECUTABLE || (!path && on_path(word)))
        return -1;
    if (found == FOLDER)
        return refuse(word, "is a folder");
    if (found == PLAIN)
        return refuse(word, "is not executable");
    return refuse(word, path ? "was not found" : "was not found, neither here nor on PATH");
}

/* "python3 [options] x.py": is x.py there?  Each PE would complain else. */
static int
check_script(int argc, char **argv)
{
    const char *base = strrchr(argv[0], '/');
    int i = 1;

    base = base ? base + 1 : argv[0];
    if (strncmp(base, "python", 6))
        return -1;
    while (i < argc && argv[i][0] == '-' && !strchr("mc", argv[i][1]))
        i++;
    if (i < argc && ends_with(argv[i], ".py") && look_at(argv[i]) != PLAIN &&
        look_at(argv[i]) != EXECUTABLE)
        return refuse(argv[i], "was not found");
    return -1;
}

static char *
python(void)
{
    char *named = getenv("PYTHON");

    return named && *named ? named : (char *)C4_PYTHON;
}

static bool
has_word(int argc, char **argv, const char *word)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], word))
            return true;
    return false;
}

/* What is left of the line, to out.  The shell comes before the first flag,
 * where Python looks for its program. */
static void
copy_words(const c4i_command *c, int argc, char **argv, char **out)
{
    bool shell = c->interactive && !has_word(argc, argv, SHELL_MODULE), quiet = c->quiet;
    int n = 0;

    for (int i = 0; i <= argc; i++) {
        if (shell && (i == argc || argv[i][0] == '+')) {
            out[n++] = (char *)"-m";
            out[n++] = (char *)SHELL_MODULE;
            shell = false;
        }
        if (quiet && (i == argc || !strcmp(argv[i], "++"))) {
            out[n++] = (char *)"++quiet";
            quiet = false;
        }
        if (i < argc)
            out[n++] = argv[i];
    }
}

/* The words after the launcher's flags become what a PE runs; any: there is
 * one that is no flag. */
static int
build_argv(c4i_command *c, bool any, int argc, char **argv)
{
    char **out = calloc((size_t)argc + 6, sizeof(*out));
    int n = 0, status = -1;

    if (!out)
        return refuse(argc ? argv[0] : "", "cannot be run: out of memory");
    c->argv = out;
    if (!any && !c->interactive) {
        fputs("ERROR> You must specify a node-program.\n", stderr);
        return 1;
    }
    if (!any || argv[0][0] == '-') {
        out[n++] = python();
    } else if (ends_with(argv[0], ".py")) {
        if (look_at(argv[0]) == MISSING || look_at(argv[0]) == FOLDER)
            return refuse(argv[0], "was not found");
        out[n++] = python();
    } else {
        status = find_program(argv[0], &out[n++]);
        if (status < 0)
            status = check_script(argc, argv);
        argc--, argv++;
    }
    copy_words(c, argc, argv, out + n);
    return status;
}

/* ---- All of it -------------------------------------------------------------------- */

/* Mistakes in any flag, also in the program's, are told once and here.  What
 * the program's flags say about the trace is for the launcher, too. */
static int
read_all_flags(c4i_command *c, int argc, char **argv)
{
    unsigned all = 1u << C4I_USE_RUNTIME | 1u << C4I_USE_LAUNCHER | 1u << C4I_USE_NOTICE;
    char **copy = calloc((size_t)argc + 1, sizeof(*copy));
    const char *trace;
    c4i_flags f;
    int status = -1;

    if (!copy)
        return 1;
    memcpy(copy, argv, (size_t)argc * sizeof(*copy));
    c4i_flags_init(&f);
    if (c4i_flags_parse(&f, &argc, copy, all)) {
        fprintf(stderr, "charmrun: %s\n", f.error);
        status = 1;
    }
    if (status < 0 && c4i_lb_help(&f, stdout))
        status = 0;
    trace = c4i_flags_get(&f, "+trace");
    c->trace_file = trace ? strdup(trace) : NULL;
    c->trace_overwrite = c4i_flags_has(&f, "+traceOverwrite");
    c4i_flags_release(&f);
    free(copy);
    return status;
}

/* Words with ++ that are left belong to nobody, unless behind a lone "++". */
static int
check_left_over(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "++"); i++)
        if (!strncmp(argv[i], "++", 2) && strncmp(argv[i], "++idle-timeout", 14)) {
            fprintf(stderr, "Option %s not recognized.\n", argv[i]);
            usage(stderr);
            return 1;
        }
    return -1;
}

static int
read_flags(c4i_command *c, const c4i_flags *f)
{
    int status = read_npes(f, &c->npes);

    c->interactive = c4i_flags_has(f, "++interactive");
    c->quiet = c4i_flags_has(f, "++quiet");
    c->verbose = c4i_flags_has(f, "++verbose");
    if (status < 0)
        status = read_seconds(f, "++timeout", &c->start_limit_s);
    if (status < 0)
        status = read_seconds(f, "++timelimit", &c->time_limit_s);
    if (status < 0)
        status = check_hosts(f);
    return status;
}

/* Runtime flags before the program go behind its own words, where it looks.
 * False: there is nothing but flags. */
static bool
program_first(int argc, char **argv)
{
    char **copy = calloc((size_t)argc + 1, sizeof(*copy));
    int n = argc, lead = 1, end = 1;
    c4i_flags f;

    if (!copy)
        return true;
    memcpy(copy, argv, (size_t)argc * sizeof(*copy));
    c4i_flags_init(&f);
    if (c4i_flags_parse(&f, &n, copy, 1u << C4I_USE_RUNTIME) == C4_OK && n > 1)
        while (argv[lead] != copy[1])
            lead++;
    memcpy(copy, argv, (size_t)argc * sizeof(*copy));
    while (end < argc && strcmp(argv[end], "++"))
        end++;
    memmove(argv + 1, copy + lead, (size_t)(end - lead) * sizeof(*copy));
    memcpy(argv + 1 + end - lead, copy + 1, (size_t)(lead - 1) * sizeof(*copy));
    c4i_flags_release(&f);
    free(copy);
    return n > 1;
}

int
c4i_command_read(c4i_command *c, int argc, char **argv)
{
    c4i_flags f;
    int status;

    memset(c, 0, sizeof(*c));
    status = read_all_flags(c, argc, argv);
    c4i_flags_init(&f);
    if (status < 0 && c4i_flags_parse(&f, &argc, argv,
                                      1u << C4I_USE_LAUNCHER | 1u << C4I_USE_NOTICE)) {
        fprintf(stderr, "charmrun: %s\n", f.error);
        status = 1;
    }
    if (status < 0 && (c4i_flags_has(&f, "+help") || c4i_flags_has(&f, "++help"))) {
        usage(stdout);
        status = 0;
    }
    if (status < 0)
        status = check_left_over(argc, argv);
    if (status < 0)
        status = read_flags(c, &f);
    if (status < 0)
        fputs(f.notice, stderr);
    if (status < 0) {
        bool any = program_first(argc, argv);

        status = build_argv(c, any, argc - 1, argv + 1);
    }
    c4i_flags_release(&f);
    return status;
}
