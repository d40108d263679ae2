/*
 * storm.c - random programs on a simulated network against every protocol.
 *
 *     storm [--seeds A..B] [--kind K] [--npes N] [--jobs J] [-v] ...
 *
 * Worker processes run the seeds; if one dies or hangs, the parent still knows
 * the seed and the last events.  Without --kind: all kinds.  The first failure
 * prints how to repeat it and ends the program with status 1.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

enum { MAXJOBS = 64 };

struct options {
    uint64_t from, to;
    int      kind;                          /* NONE: all */
    int      npes, njobs, hang_s;
    bool     verbose, quiet, keep_going, twice;
};

static void
usage(void)
{
    fprintf(stderr, "usage: storm [--seeds A..B] [--kind K] [--npes N] [--jobs J]\n"
            "             [--hang S] [-v] [-q] [-k] [-t]\nkinds:");
    for (int i = 0; i < NKINDS; i++)
        fprintf(stderr, " %s", kind_name[i]);
    fprintf(stderr, "\n-v prints every event, -q only failures, -k goes on after a failure,\n"
            "-t runs each seed twice and compares\n");
    exit(2);
}

static int
kind_by_name(const char *name)
{
    for (int i = 0; i < NKINDS; i++)
        if (!strcmp(name, kind_name[i]))
            return i;
    usage();
    return 0;
}

static struct options
parse(int argc, char **argv)
{
    struct options o = { .from = 1, .to = 3000, .kind = NONE, .njobs = 2, .hang_s = 120 };

    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        char *end;

        if (!strcmp(arg, "-v") || !strcmp(arg, "-q") || !strcmp(arg, "-k") || !strcmp(arg, "-t")) {
            o.verbose |= arg[1] == 'v';
            o.quiet |= arg[1] == 'q';
            o.keep_going |= arg[1] == 'k';
            o.twice |= arg[1] == 't';
            continue;
        }
        if (!value)
            usage();
        i++;
        if (!strcmp(arg, "--seeds")) {
            o.from = o.to = strtoull(value, &end, 10);
            if (!strncmp(end, "..", 2))
                o.to = strtoull(end + 2, &end, 10);
        } else if (!strcmp(arg, "--kind")) {
            o.kind = kind_by_name(value);
        } else if (!strcmp(arg, "--npes")) {
            o.npes = atoi(value);
        } else if (!strcmp(arg, "--jobs")) {
            o.njobs = atoi(value);
        } else if (!strcmp(arg, "--hang")) {
            o.hang_s = atoi(value);
        } else {
            usage();
        }
    }
    if (o.npes < 0 || o.npes > MAXPE || o.njobs < 0 || o.njobs > MAXJOBS)
        usage();
    if (o.verbose)
        o.njobs = 1;
    return o;
}

static void
report(const struct window *w, const char *why)
{
    fprintf(stderr, "FAILED: %s\n", why);
    print_events(w);
    fprintf(stderr, "FAILED: %s\nrepeat: storm --kind %s --seeds %" PRIu64 "..%" PRIu64 " -v\n",
            why, kind_name[w->kind], w->seed, w->seed);
}

/* The same seed must give the same run, event by event. */
static bool
run_seed(const struct options *o, struct window *w, enum kind kind, uint64_t seed)
{
    uint64_t hash;

    if (!storm_run(w, kind, seed, o->npes, o->verbose))
        return false;
    hash = w->hash;
    if (!o->twice)
        return true;
    if (!storm_run(w, kind, seed, o->npes, false))
        return false;
    if (w->hash == hash)
        return true;
    snprintf(w->why, sizeof(w->why), "the same seed gave another run");
    return false;
}

/* Every njobs-th seed of each kind, beginning with the me-th. */
static int
work(const struct options *o, struct window *w, int me)
{
    int status = 0;

    uint64_t step = o->njobs ? (uint64_t)o->njobs : 1;

    for (uint64_t seed = o->from + (uint64_t)me; seed <= o->to; seed += step)
        for (int kind = 0; kind < NKINDS; kind++) {
            if (o->kind != NONE && kind != o->kind)
                continue;
            if (run_seed(o, w, (enum kind)kind, seed))
                continue;
            report(w, w->why);
            w->nfailed++;
            status = 1;
            if (!o->keep_going)
                return status;
        }
    return status;
}

struct worker {
    pid_t          pid;
    struct window *win;
    uint64_t       nruns;                   /* when last looked at */
    time_t         since;
};

/* True if the worker is done, one way or the other. */
static bool
look(struct worker *k, int hang_s, int *status)
{
    int st;
    pid_t got = waitpid(k->pid, &st, WNOHANG);
    char why[100];

    if (got == 0) {
        if (k->win->nruns != k->nruns) {
            k->nruns = k->win->nruns;
            k->since = time(NULL);
        } else if (time(NULL) - k->since > hang_s) {
            report(k->win, "the run hangs");
            kill(k->pid, SIGKILL);
            *status = 1;
            k->since = time(NULL) + 3600;
        }
        return false;
    }
    if (WIFSIGNALED(st) && !*status) {
        snprintf(why, sizeof(why), "the run died of signal %d", WTERMSIG(st));
        report(k->win, why);
    } else if (WIFEXITED(st) && WEXITSTATUS(st) && !k->win->nfailed) {
        report(k->win, "the run ended the process");
    }
    if (st)
        *status = 1;
    return true;
}

static void
summary(const struct worker *k, int njobs)
{
    struct window sum = { 0 };

    for (int i = 0; i < njobs; i++) {
        const struct window *w = k[i].win;

        sum.nruns += w->nruns;
        sum.nfailed += w->nfailed;
        sum.nsteps += w->nsteps;
        sum.nmessages += w->nmessages;
        sum.ndeaths += w->ndeaths;
        sum.nheirs += w->nheirs;
        sum.nlate += w->nlate;
        sum.nnotes += w->nnotes;
        sum.nmoves += w->nmoves;
        sum.nbcasts += w->nbcasts;
        sum.nreds += w->nreds;
        sum.nrounds += w->nrounds;
        sum.nqds += w->nqds;
        sum.nexits += w->nexits;
    }
    printf("%" PRIu64 " runs, %" PRIu64 " failed: %" PRIu64 " steps, %" PRIu64
           " network messages, %" PRIu64 " calls, %" PRIu64 " moves, %" PRIu64
           " ends, %" PRIu64 " indexes used again, %" PRIu64 " late insertions, %" PRIu64 " broadcast executions, %" PRIu64 " reductions, %" PRIu64 " AtSync rounds, %" PRIu64
           " quiescences, %" PRIu64 " exits\n", sum.nruns, sum.nfailed, sum.nsteps,
           sum.nmessages, sum.nnotes, sum.nmoves, sum.ndeaths, sum.nheirs, sum.nlate,
           sum.nbcasts, sum.nreds,
           sum.nrounds, sum.nqds,
           sum.nexits);
}

static int
supervise(const struct options *o, struct worker *k)
{
    struct timespec nap = { 0, 20000000 };
    int left = o->njobs, status = 0;

    while (left) {
        for (int i = 0; i < o->njobs; i++)
            if (k[i].pid && look(&k[i], o->hang_s, &status)) {
                k[i].pid = 0;
                left--;
            }
        if (status && !o->keep_going)
            for (int i = 0; i < o->njobs; i++)
                if (k[i].pid)
                    kill(k[i].pid, SIGKILL);
        nanosleep(&nap, NULL);
    }
    return status;
}

int
main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct worker k[MAXJOBS] = { 0 };
    int status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (o.njobs == 0)                       /* in this process, for a debugger */
        return work(&o, calloc(1, sizeof(struct window)), 0);
    for (int i = 0; i < o.njobs; i++) {
        k[i].win = mmap(NULL, sizeof(struct window), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (k[i].win == MAP_FAILED) {
            perror("storm: mmap");
            return 2;
        }
        k[i].since = time(NULL);
        k[i].pid = fork();
        if (k[i].pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            return work(&o, k[i].win, i);   /* not _exit(): leaks are looked for at exit */
        }
    }
    status = supervise(&o, k);
    if (!o.quiet || status)
        summary(k, o.njobs);
    return status;
}
