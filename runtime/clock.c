/*
 * clock.c - which clock ticks, and how long a tick is.
 *
 * The rate is the slope between two readings of (ticks, monotonic ns).  The
 * first is taken at the start and kept, so that a later reading gives the
 * rate over the whole run: an error of 50 ns in either, spread over seconds.
 */
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "clock.h"

enum { CALIBRATE_NS = 2000000, READINGS = 16 };

#if defined(__x86_64__)

/* The kernel took another clock although the CPU has a counter: it found the
 * counters of the cores apart. */
static bool
kernel_distrusts_tsc(void)
{
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    char name[32] = "";

    if (!f)
        return false;
    if (!fgets(name, sizeof(name), f))
        name[0] = 0;
    fclose(f);
    return !strncmp(name, "hpet", 4) || !strncmp(name, "acpi_pm", 7) ||
           !strncmp(name, "jiffies", 7);
}

static bool
have_steady_tsc(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8)) &&
           !kernel_distrusts_tsc();
}

#else

static bool
have_steady_tsc(void)
{
    return false;
}

#endif

/* One reading of both clocks at the same instant: of several tries the one
 * that took least, so that an interrupt in between does not count. */
void
c4i_clock_read(const c4i_clock *c, uint64_t *ticks, uint64_t *ns)
{
    uint64_t least = UINT64_MAX;

    if (!c->tsc)
        *ticks = *ns = c4i_monotonic_ns();
    for (int i = 0; c->tsc && i < READINGS; i++) {
        uint64_t t0 = c4i_ticks(c), now = c4i_monotonic_ns(), t1 = c4i_ticks(c);

        if (t1 - t0 < least) {
            least = t1 - t0;
            *ticks = t0 + (t1 - t0) / 2;
            *ns = now;
        }
    }
}

void
c4i_clock_init(c4i_clock *c)
{
    *c = (c4i_clock){ .tsc = have_steady_tsc(), .ns_per_tick = 1.0 };
    c4i_clock_read(c, &c->base_ticks, &c->base_ns);
    c->zero_ns = c->base_ns;
    c->zero = c->base_ticks;
    if (!c->tsc)
        return;
    while (c4i_monotonic_ns() - c->base_ns < CALIBRATE_NS)
        ;
    c4i_clock_refine(c);
}

/* zero follows from the base reading and the rate. */
static void
place_zero(c4i_clock *c)
{
    double before_ns = (double)(int64_t)(c->base_ns - c->zero_ns);

    c->zero = c->base_ticks - (uint64_t)(int64_t)(before_ns / c->ns_per_tick);
}

void
c4i_clock_set_zero(c4i_clock *c, uint64_t monotonic_ns)
{
    c->zero_ns = monotonic_ns;
    place_zero(c);
}

void
c4i_clock_refine(c4i_clock *c)
{
    uint64_t ticks, ns;

    if (!c->tsc)
        return;
    c4i_clock_read(c, &ticks, &ns);
    if (ticks <= c->base_ticks || ns <= c->base_ns)
        return;
    c->ns_per_tick = (double)(ns - c->base_ns) / (double)(ticks - c->base_ticks);
    place_zero(c);
}
