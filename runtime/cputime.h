/*
 * cputime.h - how much of the time on the clock a PE's thread really ran.
 *
 * A reading of the thread's CPU clock is a system call (215 ns), too dear for
 * each execution.  So it is read where a stretch of user code was longer than
 * C4I_CPU_LONG_NS, around parks, and at the begin of a stretch if the last
 * reading is older than C4I_CPU_FRESH_NS; in between the PE is taken to have
 * run.  The CPU time of a long stretch is therefore exact but for
 * C4I_CPU_FRESH_NS at its begin.
 *
 * Time that was lost is one of two: the thread was ready and waited for a core
 * (the kernel counts it, in schedstat), or it was stopped by a signal.  What is
 * neither is the program's own waiting: sleeping, reading, locks.
 */
#ifndef C4I_CPUTIME_H
#define C4I_CPUTIME_H

#include <stdbool.h>
#include <stdint.h>

enum { C4I_CPU_LONG_NS = 1000000, C4I_CPU_FRESH_NS = 50000 };

struct c4i_clock;

typedef struct c4i_cputime {
    int      fd;                            /* schedstat of the thread; -1: not to be had */
    uint64_t ticks, cpu_ns;                 /* the last reading, by both clocks */
    uint64_t waited_ns;                     /* schedstat's count then, or a little before */
    uint32_t stops;                         /* signals to go on, counted then */
    const struct c4i_clock *clock;
    double   ns_per_tick;
    uint64_t long_ticks, fresh_ticks;
} c4i_cputime;

/* What a stretch of time contained. */
typedef struct c4i_cpuspan {
    uint64_t cpu_ns;
    uint64_t waited_ns;                     /* for a core */
    uint64_t stopped_ns;
} c4i_cpuspan;

/* On the PE's own thread. */
void c4i_cputime_init(c4i_cputime *c, const struct c4i_clock *clock);
void c4i_cputime_release(c4i_cputime *c);
/* A new reading; returns when, in ticks.  *span, OPTIONAL: since the last one. */
uint64_t c4i_cputime_read(c4i_cputime *c, c4i_cpuspan *span);

static inline bool
c4i_cputime_is_old(const c4i_cputime *c, uint64_t now)
{
    return now - c->ticks > c->fresh_ticks;
}

static inline bool
c4i_cputime_is_long(const c4i_cputime *c, uint64_t ticks)
{
    return ticks > c->long_ticks;
}

/* CPU time of this thread, ns. */
uint64_t c4i_cpu_now_ns(void);

#endif
