/*
 * flags.c - the one table of flags, and how a command line is taken apart.
 *
 * A word is, in this order: a flag of the table ("+balancer X", also
 * "+balancer=X"; one-letter flags also with their number attached, "+p4"); a
 * lone "++", after which only runtime flags are looked for; a misspelt flag,
 * which is an error; or the program's own.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "flags.h"

#define NO_ARG    C4I_ARG_NONE
#define VALUE     C4I_ARG_VALUE
#define OPTIONAL  C4I_ARG_OPTIONAL
#define RUNTIME   C4I_USE_RUNTIME
#define LAUNCHER  C4I_USE_LAUNCHER
#define NOTICE    C4I_USE_NOTICE

const c4i_flag c4i_flag_table[] = {
    /* Launching */
    { "+p", VALUE, LAUNCHER, false, "N", NULL, "1", "start N PEs (also +pN, +n N, ++np N)" },
    { "+n", VALUE, LAUNCHER, false, "N", NULL, NULL, "the same as +p" },
    { "++p", VALUE, LAUNCHER, false, "N", NULL, NULL, "the same as +p" },
    { "++n", VALUE, LAUNCHER, false, "N", NULL, NULL, "the same as +p" },
    { "++np", VALUE, LAUNCHER, false, "N", NULL, NULL, "the same as +p" },
    { "++local", NO_ARG, LAUNCHER, false, NULL, NULL, NULL, "start all PEs on this host (the only way so far)" },
    { "++interactive", NO_ARG, LAUNCHER, false, NULL, NULL, NULL, "run the interactive Python shell" },
    { "++quiet", NO_ARG, LAUNCHER, false, NULL, NULL, NULL, "no start-up lines" },
    { "++verbose", NO_ARG, LAUNCHER, false, NULL, NULL, NULL, "tell what the launcher does" },
    { "++timeout", VALUE, LAUNCHER, false, "S", "s", "60", "all PEs must have joined the job within S seconds" },
    { "++timelimit", VALUE, LAUNCHER, false, "S", "s", NULL, "end the job after S seconds" },
    { "++idle-timeout", VALUE, RUNTIME, false, "S", "s", NULL, "end the job when nothing is left to do for S seconds" },
    { "++help", NO_ARG, LAUNCHER, false, NULL, NULL, NULL, "list all flags" },
    { "+help", NO_ARG, LAUNCHER, false, NULL, NULL, NULL, "list all flags" },
    { "++nodelist", VALUE, LAUNCHER, false, "FILE", NULL, NULL, "hosts to start PEs on; only this host so far" },
    { "++nodegroup", VALUE, LAUNCHER, false, "GROUP", NULL, "main", "group of the node list to use" },
    { "++numHosts", VALUE, NOTICE, false, "N", NULL, NULL, "hosts to use" },
    { "++mpiexec", NO_ARG, LAUNCHER, false, NULL, NULL, NULL, "start through mpiexec; not available yet" },
    { "++mpiexec-no-n", NO_ARG, NOTICE, false, NULL, NULL, NULL, "how mpiexec is called" },
    { "++remote-shell", VALUE, NOTICE, false, "CMD", NULL, NULL, "how other hosts are reached" },
    { "++ppn", VALUE, NOTICE, false, "N", NULL, NULL, "PEs of a process: always 1" },
    { "++server", NO_ARG, NOTICE, false, NULL, NULL, NULL, "client-server interface" },
    { "++server-port", VALUE, NOTICE, false, "PORT", NULL, NULL, "client-server interface" },
    { "++debug", NO_ARG, NOTICE, false, NULL, NULL, NULL, "each PE in a debugger" },
    { "++debug-no-pause", NO_ARG, NOTICE, false, NULL, NULL, NULL, "each PE in a debugger" },
    { "++useip", VALUE, NOTICE, false, "IP", NULL, NULL, "network interface" },
    { "++scalable-start", NO_ARG, NOTICE, false, NULL, NULL, NULL, "how other hosts are reached" },
    { "++batch", VALUE, NOTICE, false, "N", NULL, NULL, "how other hosts are reached" },

    /* Load balancing */
    { "+balancer", VALUE, RUNTIME, true, "NAME[,OPT=VALUE...]", NULL, NULL, "balance with this strategy; +balancer help lists them" },
    { "+LBDebug", OPTIONAL, RUNTIME, false, "N", NULL, "0", "report each balancing step (1: a line, 2: all PEs)" },
    { "+LBSeed", VALUE, RUNTIME, false, "N", NULL, "1", "seed of strategies that draw random numbers" },
    { "+LBOff", NO_ARG, RUNTIME, false, NULL, NULL, NULL, "measure nothing and balance nothing" },
    { "+LBPeriod", VALUE, RUNTIME, false, "S", "s", "0", "at least S seconds between two balancing steps" },
    { "+LBPolicy", VALUE, RUNTIME, false, "NAME", NULL, "atsync", "when to balance: at every AtSync" },
    { "+LBLoad", VALUE, RUNTIME, false, "wall|cpu|user", NULL, NULL, "what counts as load" },
    { "+LBCommOn", NO_ARG, RUNTIME, false, NULL, NULL, NULL, "measure who talks to whom" },
    { "+LBCommOff", NO_ARG, RUNTIME, false, NULL, NULL, NULL, "do not measure who talks to whom" },
    { "+LBObjOnly", NO_ARG, RUNTIME, false, NULL, NULL, NULL, "ignore load that no object accounts for" },
    { "+LBVersion", NO_ARG, NOTICE, false, NULL, NULL, NULL, "balancer version" },
    { "+LBCentPE", VALUE, NOTICE, false, "PE", NULL, NULL, "deciding PE" },
    { "+LBLoop", NO_ARG, NOTICE, false, NULL, NULL, NULL, "start over with the first balancer" },
    { "+LBTopo", VALUE, NOTICE, false, "TOPOLOGY", NULL, NULL, "neighbourhood of PEs" },
    { "+LBSyncResume", NO_ARG, NOTICE, false, NULL, NULL, NULL, "barrier before resuming" },
    { "+LBPredictor", NO_ARG, NOTICE, false, NULL, NULL, NULL, "predict loads" },
    { "+LBAlpha", VALUE, NOTICE, false, "S", "s", NULL, "cost of a message" },
    { "+LBBeta", VALUE, NOTICE, false, "S", "s", NULL, "cost of a byte" },
    { "+MetaLB", NO_ARG, NOTICE, false, NULL, NULL, NULL, "choose the balancer by itself" },
    { "+TreeLBFile", VALUE, NOTICE, false, "FILE", NULL, NULL, "configuration of TreeLB" },

    /* Recording */
    { "+trace", VALUE, RUNTIME, false, "FILE", NULL, NULL, "record the run into this database" },
    { "+traceLevel", VALUE, RUNTIME, false, "summary|full", NULL, "full", "how much to record" },
    { "+traceOverwrite", NO_ARG, RUNTIME, false, NULL, NULL, NULL, "replace the database if it exists" },
    { "+traceLimit", VALUE, RUNTIME, false, "SIZE", "bytes", NULL, "bound of what is recorded; K, M, G may follow" },
    { "+traceNote", VALUE, RUNTIME, false, "TEXT", NULL, NULL, "a remark that is kept with the recording" },
    { "+papi", VALUE, RUNTIME, true, "EVENT[,EVENT...]", NULL, NULL, "count these events around entry methods" },
    { "+sample", VALUE, NOTICE, false, "HZ", NULL, NULL, "sampling of call paths is not there yet" },
    { "+traceroot", VALUE, NOTICE, false, "DIR", NULL, NULL, "folder of traces" },
    { "+logsize", VALUE, NOTICE, false, "N", NULL, NULL, "buffer of traces" },

    /* Everything else */
    { "+stress", VALUE, RUNTIME, true, "WHAT[,WHAT...]", NULL, NULL, "force rare events, for tests: migrate, evict, log" },
    { "+checkLocal", NO_ARG, RUNTIME, false, NULL, NULL, NULL, "Python: arguments of calls within a PE must not change until they are delivered" },
    { "+libcharm_interface", VALUE, RUNTIME, false, "NAME", NULL, NULL, "accepted for Charm4py programs" },
    { "+restart", VALUE, NOTICE, false, "DIR", NULL, NULL, "go on from a checkpoint" },
    { "+setcpuaffinity", NO_ARG, NOTICE, false, NULL, NULL, NULL, "bind PEs to cores" },
    { "+pemap", VALUE, NOTICE, false, "LIST", NULL, NULL, "bind PEs to cores" },
    { "+isomalloc_sync", NO_ARG, NOTICE, false, NULL, NULL, NULL, "address space of migratable threads" },
    { 0 }
};

void
c4i_flags_init(c4i_flags *f)
{
    memset(f, 0, sizeof(*f));
}

void
c4i_flags_release(c4i_flags *f)
{
    for (size_t i = 0; i < f->ngiven; i++)
        free(f->given[i].value);
    free(f->given);
    c4i_flags_init(f);
}

static c4_err
add_given(c4i_flags *f, const c4i_flag *flag, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return C4_ENOMEM;
    if (f->ngiven == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 16;
        void *grown = realloc(f->given, cap * sizeof(*f->given));

        if (!grown) {
            free(copy);
            return C4_ENOMEM;
        }
        f->given = grown;
        f->cap = cap;
    }
    f->given[f->ngiven++] = (struct c4i_given){ flag, copy };
    return C4_OK;
}

static void
add_notice(c4i_flags *f, const char *what, const char *word)
{
    size_t n = strlen(f->notice);

    snprintf(f->notice + n, sizeof(f->notice) - n, "%s: %s\n", word, what);
}

/* ---- Which flag is a word? -------------------------------------------- */

static bool
one_letter(const c4i_flag *flag)
{
    return strlen(flag->name + strspn(flag->name, "+")) == 1;
}

/* The flag that word is; *value points to an attached value, or is NULL. */
static const c4i_flag *
find_flag(const char *word, const char **value)
{
    *value = NULL;
    for (const c4i_flag *flag = c4i_flag_table; flag->name; flag++) {
        size_t n = strlen(flag->name);

        if (strncmp(word, flag->name, n))
            continue;
        if (!word[n])
            return flag;
        if (flag->arg != NO_ARG && word[n] == '=')
            *value = word + n + 1;
        else if (flag->arg == VALUE && one_letter(flag) &&
                 (isdigit((unsigned char)word[n]) || word[n] == '-'))
            *value = word + n;
        else
            continue;
        return flag;
    }
    return NULL;
}

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;

    return ab < c ? ab : c;
}

unsigned
c4i_edit_distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    unsigned d[MAX][MAX];
    size_t n = strlen(a), m = strlen(b);

    if (n >= MAX || m >= MAX)
        return MAX;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);

            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    return d[n][m];
}

/* The flag that word was probably meant to be, or NULL.  Short names are not
 * guessed: too many words are near to them. */
static const c4i_flag *
nearest_flag(const char *word)
{
    const c4i_flag *best = NULL;
    unsigned least = 3;
    size_t n = strcspn(word, "=");
    char name[64];

    if (n >= sizeof(name))
        return NULL;
    memcpy(name, word, n);
    name[n] = 0;
    for (const c4i_flag *flag = c4i_flag_table; flag->name; flag++) {
        size_t letters = strlen(flag->name + strspn(flag->name, "+"));
        unsigned far = letters < 4 ? 0 : letters < 8 ? 1 : 2;
        unsigned d = c4i_edit_distance(name, flag->name);

        if (d <= far && d < least) {
            least = d;
            best = flag;
        }
    }
    return best;
}

/* ---- Parsing ------------------------------------------------------------ */

static bool
is_number(const char *s)
{
    char *end;

    if (!s || !isdigit((unsigned char)*s))
        return false;
    strtod(s, &end);
    return !*end;
}

struct parse {
    char   **argv;
    int      argc, in, out;                 /* words read and kept so far */
    unsigned which;
    bool     ended;                         /* behind a lone "++" */
};

/* The value of the flag at argv[in], attached or the next word; NULL if it
 * must have one and has not. */
static const char *
take_value(struct parse *p, const c4i_flag *flag, const char *attached)
{
    const char *next = p->in + 1 < p->argc ? p->argv[p->in + 1] : NULL, *ignored;

    if (attached)
        return attached;
    if (flag->arg == NO_ARG || (flag->arg == OPTIONAL && !is_number(next)))
        return "";
    if (!next || find_flag(next, &ignored))
        return NULL;
    p->in++;
    return next;
}

static c4_err
take_flag(c4i_flags *f, struct parse *p, const c4i_flag *flag, const char *attached)
{
    int first = p->in;
    const char *value = take_value(p, flag, attached);

    if (!value) {
        snprintf(f->error, sizeof(f->error), "%s needs a value: %s %s", flag->name, flag->name,
                 flag->value);
        return C4_EINVAL;
    }
    if (!(p->which & (1u << flag->use))) {
        while (first <= p->in)
            p->argv[p->out++] = p->argv[first++];
        return C4_OK;
    }
    if (flag->use == NOTICE)
        add_notice(f, "accepted, but has no meaning here", flag->name);
    return add_given(f, flag, value);
}

/* A word with + that is no flag: an error, a warning, or the program's own. */
static c4_err
judge_word(c4i_flags *f, struct parse *p, char *word)
{
    const c4i_flag *near = nearest_flag(word);

    if (!strncmp(word, "+LB", 3) && (p->which & (1u << RUNTIME))) {
        add_notice(f, "unknown load balancing flag, ignored", word);
        return C4_OK;
    }
    p->argv[p->out++] = word;
    if (!near || !strncmp(word, "+LB", 3))
        return C4_OK;
    snprintf(f->error, sizeof(f->error), "unknown flag %s; did you mean %s?", word, near->name);
    return C4_EINVAL;
}

c4_err
c4i_flags_parse(c4i_flags *f, int *argc, char **argv, unsigned which)
{
    struct parse p = { .argv = argv, .argc = *argc, .in = 1, .out = 1, .which = which };
    c4_err err = C4_OK;

    if (*argc < 1)
        return C4_OK;
    for (; p.in < p.argc && !err; p.in++) {
        char *word = argv[p.in];
        bool ours = word[0] == '+' && !(p.ended && word[1] == '+');
        const char *attached;
        const c4i_flag *flag = ours ? find_flag(word, &attached) : NULL;

        if (flag) {
            err = take_flag(f, &p, flag, attached);
        } else if (ours && !strcmp(word, "++")) {
            p.ended = true;
            if (!(which & (1u << RUNTIME)))     /* the program's parse needs it, too */
                argv[p.out++] = word;
        } else if (ours) {
            err = judge_word(f, &p, word);
        } else {
            argv[p.out++] = word;
        }
    }
    if (err)
        return err;
    argv[p.out] = NULL;
    *argc = p.out;
    return C4_OK;
}

/* ---- Asking --------------------------------------------------------------- */

const char *
c4i_flags_nth(const c4i_flags *f, const char *name, size_t k)
{
    for (size_t i = 0; i < f->ngiven; i++)
        if (!strcmp(f->given[i].flag->name, name) && k-- == 0)
            return f->given[i].value;
    return NULL;
}

const char *
c4i_flags_get(const c4i_flags *f, const char *name)
{
    for (size_t i = f->ngiven; i-- > 0; )
        if (!strcmp(f->given[i].flag->name, name))
            return f->given[i].value;
    for (const c4i_flag *flag = c4i_flag_table; flag->name; flag++)
        if (!strcmp(flag->name, name))
            return flag->initial;
    return NULL;
}

bool
c4i_flags_has(const c4i_flags *f, const char *name)
{
    return c4i_flags_nth(f, name, 0) != NULL;
}

void
c4i_flags_help(void *stdio_file)
{
    FILE *out = stdio_file;

    for (const c4i_flag *flag = c4i_flag_table; flag->name; flag++) {
        char left[64];

        if (flag->use == NOTICE)
            continue;
        snprintf(left, sizeof(left), flag->arg == OPTIONAL ? "%s [%s]" : "%s %s", flag->name,
                 flag->value ? flag->value : "");
        fprintf(out, "  %-32s %s", left, flag->help);
        if (flag->initial)
            fprintf(out, " (default %s%s%s)", flag->initial, flag->unit ? " " : "",
                    flag->unit ? flag->unit : "");
        fputc('\n', out);
    }
    fputs("accepted without effect, for programs written for other systems:\n ", out);
    for (const c4i_flag *flag = c4i_flag_table; flag->name; flag++)
        if (flag->use == NOTICE)
            fprintf(out, " %s", flag->name);
    fputc('\n', out);
}
