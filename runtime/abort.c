/*
 * abort.c - the one way in which an internal or user error ends a job.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pe.h"
#include "text.h"

enum { PATIENCE_S = 5, EXIT_PATIENCE_S = 10 };

/* The launcher sees the PE end before the job did, and ends the others. */
void
c4i_leave(c4_pe *pe, int status)
{
    fflush(stdout);
    fflush(stderr);
    if (pe->host && pe->host->leave)
        pe->host->leave(pe, status);
    if (pe->has_rec && pe->rec.stop)
        pe->rec.stop(pe->rec.ctx, status);
    _exit(status);
}

static void
tell(const c4_pe *pe, bool all, const char *fmt, va_list ap)
{
    struct c4i_text where = { .n = 0 };

    fprintf(stderr, all ? "------------- Processor %u Exiting: Called CmiAbort ------------\nReason: "
                        : "PE %u aborts, too: ", pe->me);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    if (!all)
        return;
    if (pe->ctx.active && pe->fault.type) {
        c4i_where(&pe->fault, &where);
        fprintf(stderr, "while running %.*s\n", (int)where.n, where.s);
    }
    fflush(stderr);
    c4i_backtrace(STDERR_FILENO);
}

void
c4_abort(c4_pe *pe, const char *fmt, ...)
{
    unsigned before = c4i_failures(&pe->fault);
    va_list ap;

    fflush(stdout);
    va_start(ap, fmt);
    if (before < C4I_TELL_MOST)
        tell(pe, before == 0, fmt, ap);
    va_end(ap);
    c4i_let_first_speak(before);
    c4i_leave(pe, 1);
}

unsigned
c4_failures(c4_pe *pe)
{
    return c4i_failures(&pe->fault);
}

/* The other PEs are asked to stop, but do so only when they come to their
 * loop; see c4i_impatient(). */
c4_err
c4_exit_failed(c4_pe *pe, int status)
{
    pe->failed = true;
    return c4_exit(pe, status ? status : 1);
}

/* This PE has asked for the end of the job, with this status. */
void
c4i_be_patient(c4_pe *pe, int status)
{
    uint64_t s = pe->failed ? PATIENCE_S : EXIT_PATIENCE_S;

    pe->patience_ns = c4i_now_ns(pe) + s * 1000000000u;
    pe->status = status;
}

/* ns that this PE, which ends the job, still waits for busy ones; UINT64_MAX: another did.
 * When the time is over this PE goes, and the launcher ends the others. */
uint64_t
c4i_impatient(c4_pe *pe)
{
    uint64_t now = pe->patience_ns ? c4i_now_ns(pe) : 0;

    if (!pe->patience_ns)
        return UINT64_MAX;
    if (now < pe->patience_ns)
        return pe->patience_ns - now;
    fprintf(stderr, "c4: PE %u: other PEs have not stopped within %d s of the %s; "
            "the job ends without waiting for them\n", pe->me,
            pe->failed ? PATIENCE_S : EXIT_PATIENCE_S, pe->failed ? "error" : "exit");
    c4i_leave(pe, pe->status);
    return 0;
}
