/*
 * clock_rate.c - ticks, turned into nanoseconds, agree with CLOCK_MONOTONIC.
 */
#include "runtime/clock.h"
#include "tests/unit/check.h"

/* Of several pairs of readings the closest counts: others may run meanwhile. */
static uint64_t
difference_ns(const c4i_clock *c, uint64_t zero_ns)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < 100; i++) {
        uint64_t a = c4i_ticks_to_ns(c, c4i_ticks(c)), b = c4i_monotonic_ns() - zero_ns;
        uint64_t d = a < b ? b - a : a - b;

        least = d < least ? d : least;
    }
    return least;
}

int
main(void)
{
    uint64_t zero_ns = c4i_monotonic_ns() - 250000000;
    c4i_clock c;

    c4i_clock_init(&c);
    CHECK(c.ns_per_tick > 0.05 && c.ns_per_tick < 20);
    c4i_clock_set_zero(&c, zero_ns);
    CHECK(difference_ns(&c, zero_ns) < 1000000);
    while (c4i_monotonic_ns() - c.base_ns < 50000000)
        ;
    c4i_clock_refine(&c);
    CHECK(difference_ns(&c, zero_ns) < 1000000);
    CHECK(c4i_ticks_to_ns(&c, c.zero) == 0 && c4i_ticks_to_ns(&c, c.zero - 1000) == 0);
    return 0;
}
