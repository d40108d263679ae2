/*
 * abort.c - the one way in which an internal or user error ends a job.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pe.h"
#include "text.h"

/* The launcher sees the PE end before the job did, and ends the others. */
void
c4_abort(c4_pe *pe, const char *fmt, ...)
{
    struct c4i_text where = { .n = 0 };
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "------------- Processor %u Exiting: Called CmiAbort ------------\nReason: ",
            pe->me);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    if (pe->ctx.active && pe->fault.type) {
        c4i_where(&pe->fault, &where);
        fprintf(stderr, "while running %.*s\n", (int)where.n, where.s);
    }
    fflush(stderr);
    c4i_backtrace(STDERR_FILENO);
    if (pe->host && pe->host->leave)
        pe->host->leave(pe, 1);
    if (pe->has_rec && pe->rec.stop)
        pe->rec.stop(pe->rec.ctx, 1);
    _exit(1);
}
