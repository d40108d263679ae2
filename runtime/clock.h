/*
 * clock.h - ticks: the cheapest monotonic clock of the machine.
 *
 * The time-stamp counter where it is invariant (9 ns a read), else
 * CLOCK_MONOTONIC in ns.  All PEs of a host share it.
 */
#ifndef C4I_CLOCK_H
#define C4I_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef struct c4i_clock {
    bool     tsc;
    double   ns_per_tick;
    uint64_t zero;                          /* ticks when the job began, the same on all PEs of a host */
    uint64_t zero_ns;                       /* the same instant, CLOCK_MONOTONIC */
    uint64_t base_ticks, base_ns;           /* one instant by both clocks, at c4i_clock_init() */
} c4i_clock;

/* Calibrates against CLOCK_MONOTONIC; refine later with c4i_clock_refine(). */
void c4i_clock_init(c4i_clock *c);
/* Takes the zero point over from the launcher: CLOCK_MONOTONIC ns. */
void c4i_clock_set_zero(c4i_clock *c, uint64_t monotonic_ns);
/* One moment by both clocks: ticks, and CLOCK_MONOTONIC ns. */
void c4i_clock_read(const c4i_clock *c, uint64_t *ticks, uint64_t *ns);
/* A longer baseline makes the rate exact; called before a recording is written. */
void c4i_clock_refine(c4i_clock *c);

static inline uint64_t
c4i_monotonic_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#if defined(__x86_64__)
static inline uint64_t
c4i_cycles(void)
{
    return __builtin_ia32_rdtsc();
}

/* What was loaded before is there: the processor may read its counter early. */
static inline void
c4i_await_loads(void)
{
    __builtin_ia32_lfence();
}
#else
/* Not reached: c4i_clock.tsc is never set here. */
static inline uint64_t
c4i_cycles(void)
{
    return c4i_monotonic_ns();
}

static inline void
c4i_await_loads(void)
{
}
#endif

static inline uint64_t
c4i_ticks(const c4i_clock *c)
{
    return c->tsc ? c4i_cycles() : c4i_monotonic_ns();
}

/* Nanoseconds since the job began; negative readings become 0. */
static inline uint64_t
c4i_ticks_to_ns(const c4i_clock *c, uint64_t ticks)
{
    return ticks > c->zero ? (uint64_t)((double)(ticks - c->zero) * c->ns_per_tick) : 0;
}

#endif
