/*
 * init.c - puts a PE together: flags, transport, balancer, recorder.
 *
 * The one place that knows all parts; the arrows of doc/architecture.md start
 * here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lb/manager.h"
#include "prof/recorder.h"
#include "runtime/pe.h"

enum { TAKE_OUT = 1 << C4I_USE_RUNTIME | 1 << C4I_USE_LAUNCHER | 1 << C4I_USE_NOTICE };

static c4_err
parse_flags(c4_pe *pe, int *argc, char **argv)
{
    c4_err err = c4i_flags_parse(&pe->flags, argc, argv, TAKE_OUT);

    if (err)
        return c4_fail(pe, err, "%s", pe->flags.error);
    if (pe->me == 0)
        fputs(pe->flags.notice, stderr);
    if (c4i_flags_has(&pe->flags, "+help")) {
        if (pe->me == 0)
            c4i_flags_help(stdout);
        exit(0);
    }
    if (c4i_lb_help(&pe->flags, pe->me == 0 ? stdout : NULL))
        exit(0);
    return C4_OK;
}

static c4_err
number_flag(c4_pe *pe, const char *name, double scale, uint64_t *out)
{
    const char *text = c4i_flags_get(&pe->flags, name);
    char *end;
    double x;

    if (!text)
        return C4_OK;
    x = strtod(text, &end);
    if (end == text || *end || !(x >= 0))
        return c4_fail(pe, C4_EINVAL, "%s takes a number, not '%s'", name, text);
    *out = (uint64_t)(x * scale);
    return C4_OK;
}

static c4_err
stress_flag(c4_pe *pe)
{
    static const struct { const char *word; unsigned bit; } words[] = {
        { "migrate", C4I_STRESS_MIGRATE }, { "evict", C4I_STRESS_EVICT }, { "log", C4I_STRESS_LOG },
    };
    const char *text = c4i_flags_get(&pe->flags, "+stress");
    char copy[128], *rest = copy, *word;

    if (!text)
        return C4_OK;
    snprintf(copy, sizeof(copy), "%s", text);
    pe->stress_rng = 12345 + pe->me;
    while ((word = strsep(&rest, ","))) {
        size_t i = 0;

        while (i < sizeof(words) / sizeof(words[0]) && strcmp(words[i].word, word))
            i++;
        if (i == sizeof(words) / sizeof(words[0]))
            return c4_fail(pe, C4_EINVAL, "+stress knows migrate, evict and log, not '%s'", word);
        pe->stress |= words[i].bit;
    }
    return C4_OK;
}

static c4_err
attach_all(c4_pe *pe, int *argc, char **argv)
{
    c4_err err = parse_flags(pe, argc, argv);

    if (!err)
        err = stress_flag(pe);
    if (!err)
        err = number_flag(pe, "++idle-timeout", 1e9, &pe->idle_limit);
    if (!err)
        err = c4i_prof_attach(pe, *argc > 0 ? argv[0] : NULL, pe->host != NULL);
    if (!err)
        err = c4i_lb_attach(pe);
    return err;
}

/* Started by mpirun or srun as one of several, each process is a job of its own. */
static void
notice_other_launchers(void)
{
    static const struct { const char *rank, *size; } vars[] = {
        { "PMI_RANK", "PMI_SIZE" },
        { "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE" },
        { "SLURM_PROCID", "SLURM_STEP_NUM_TASKS" },
    };

    for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++) {
        const char *rank = getenv(vars[i].rank), *size = getenv(vars[i].size);

        if (!rank || !size || atoi(size) < 2)
            continue;
        if (atoi(rank) == 0)
            fprintf(stderr, "c4: started %s times by another launcher: these are %s jobs of one PE "
                    "each; charmrun +p%s starts one job of %s PEs\n", size, size, size, size);
        return;
    }
}

/* A mistake in a flag is the same on all PEs: PE 0 tells, and its end ends the
 * job.  Another PE speaks only if it is still there a while later. */
static void
tell_why(const c4_pe *pe)
{
    if (pe->me == 0) {
        fprintf(stderr, "c4: %s\n", pe->error);
        return;
    }
    sleep(2);
    fprintf(stderr, "c4: PE %u: %s\n", pe->me, pe->error);
}

/* Other threads of the language may run while the transport copies. */
static void
copying(void *ctx, bool begins)
{
    c4_pe *pe = ctx;

    if (begins)
        pe->host->idle_begin(pe);
    else
        pe->host->idle_end(pe);
}

c4_err
c4_init(int *argc, char **argv, const c4_host *host, c4_pe **out)
{
    c4i_transport *net;
    c4_pe *pe;
    c4_err err = c4i_shm_new(&net);

    if (err == C4_ENOENT) {
        notice_other_launchers();
        err = c4i_loop_new(&net);
    }
    if (err) {
        fprintf(stderr, "c4: this PE cannot join its job: %s\n", c4_strerror(err));
        return err;
    }
    err = c4i_pe_new(net, &pe);
    if (err)
        return err;
    pe->host = host;
    if (host && host->idle_begin) {
        pe->net->copying = copying;
        pe->net->ctx = pe;
    }
    c4i_clock_init(&pe->clock);
    if (net->zero_ns)
        c4i_clock_set_zero(&pe->clock, net->zero_ns);
    pe->fault.failures = net->failures;
    c4i_fault_install(&pe->fault);
    err = attach_all(pe, argc, argv);
    if (err) {
        tell_why(pe);
        c4i_pe_free(pe);
        return err;
    }
    *out = pe;
    return C4_OK;
}

void
c4_release(c4_pe *pe)
{
    int status = pe->status;

    if (pe->has_rec && pe->rec.stop)
        pe->rec.stop(pe->rec.ctx, status);
    c4i_pe_free(pe);
}

/* The main function's own execution, as far as the recorder is concerned. */
static void
run_main(c4_pe *pe, int argc, char **argv, c4_main_fn main_fn)
{
    c4_context outer;
    c4_err err;

    c4_context_enter(pe, (c4_chare){ 0, 0 }, 0, NULL, &outer);
    err = main_fn(pe, argc, argv);
    if (err)
        c4i_user_error(pe, err);
    c4_start_others(pe, NULL, 0);
    c4_context_leave(pe, &outer);
}

int
c4_run(int argc, char **argv, const c4_type *const *types, c4_main_fn main_fn)
{
    c4_pe *pe;
    int status;

    if (c4_init(&argc, argv, NULL, &pe))
        return 1;
    for (; *types; types++)
        if (c4_register(pe, *types)) {
            fprintf(stderr, "c4: %s\n", c4_error(pe));
            return 1;
        }
    if (pe->me == 0)
        run_main(pe, argc, argv, main_fn);
    status = c4_loop(pe);
    c4_release(pe);
    return status;
}
