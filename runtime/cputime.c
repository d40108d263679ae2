/*
 * cputime.c - readings of a thread's CPU time, and what became of the rest.
 *
 * The kernel's count of the time that the thread waited for a core is read
 * only where the two clocks differ by more than NOISE_NS, so mostly never.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "cputime.h"
#include "fault.h"

enum { NOISE_NS = 20000 };                  /* interrupts, and the readings themselves */

uint64_t
c4i_cpu_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* "ran waited slices", ns; 0 where the kernel does not count. */
static uint64_t
waited_for_core(const c4i_cputime *c)
{
    char text[96], *end;
    ssize_t n = c->fd < 0 ? -1 : pread(c->fd, text, sizeof(text) - 1, 0);

    if (n <= 0)
        return 0;
    text[n] = 0;
    strtoull(text, &end, 10);
    return strtoull(end, NULL, 10);
}

/* Both clocks at one moment: of a few tries one in which the thread kept its core. */
static uint64_t
read_both(const c4i_cputime *c, uint64_t *cpu_ns)
{
    enum { TRIES = 4, NEAR_NS = 5000 };
    uint64_t before, after = c4i_ticks(c->clock);

    for (int i = 0; i < TRIES; i++) {
        before = after;
        *cpu_ns = c4i_cpu_now_ns();
        after = c4i_ticks(c->clock);
        if ((double)(after - before) * c->ns_per_tick < NEAR_NS)
            break;
    }
    return after;
}

void
c4i_cputime_init(c4i_cputime *c, const c4i_clock *clock)
{
    *c = (c4i_cputime){
        .fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC),
        .clock = clock, .ns_per_tick = clock->ns_per_tick,
        .long_ticks = (uint64_t)(C4I_CPU_LONG_NS / clock->ns_per_tick),
        .fresh_ticks = (uint64_t)(C4I_CPU_FRESH_NS / clock->ns_per_tick),
        .stops = c4i_fault_continued()
    };
    c->waited_ns = waited_for_core(c);
    c->ticks = read_both(c, &c->cpu_ns);
}

void
c4i_cputime_release(c4i_cputime *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* The kernel's count is read a little later: what the thread waited in between is
 * left for the next reading. */
uint64_t
c4i_cputime_read(c4i_cputime *c, c4i_cpuspan *span)
{
    uint64_t cpu_ns, now = read_both(c, &cpu_ns);
    double missing_ns = (double)(now - c->ticks) * c->ns_per_tick - (double)(cpu_ns - c->cpu_ns);
    uint32_t stops = c4i_fault_continued();
    c4i_cpuspan s = { .cpu_ns = cpu_ns - c->cpu_ns };

    if (missing_ns > NOISE_NS) {
        uint64_t waited_ns = waited_for_core(c) - c->waited_ns;
        double after_ns = (double)(c4i_ticks(c->clock) - now) * c->ns_per_tick;
        double excess_ns = (double)waited_ns - missing_ns;

        s.waited_ns = excess_ns > 0 ? (uint64_t)missing_ns : waited_ns;
        if (excess_ns > after_ns)
            excess_ns = after_ns;
        c->waited_ns += waited_ns - (excess_ns > 0 ? (uint64_t)excess_ns : 0);
        if (stops != c->stops)
            s.stopped_ns = (uint64_t)(missing_ns - (double)s.waited_ns);
    }
    c->ticks = now;
    c->cpu_ns = cpu_ns;
    c->stops = stops;
    if (span)
        *span = s;
    return now;
}
