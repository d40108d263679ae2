/*
 * lb_bench.c - what each strategy costs and gains: objects times PEs.
 *
 * Loads are exponential, with every PE's objects heavier by a factor of 0.2 to
 * 1.8, so that there is something to do.  Time is the best of three.
 *
 * lb_bench [SPEC...]: these strategies instead of all that are built in.
 */
#include <math.h>

#include "runtime/clock.h"
#include "tests/unit/lb_test.h"

static void
fill(struct lb_test *t)
{
    c4_lb_rng r = { 1 };

    for (uint32_t i = 0; i < t->p.nobjs; i++) {
        uint32_t pe = (uint32_t)((uint64_t)i * t->p.npes / t->p.nobjs);

        t->pe_of[i] = pe;
        t->load[i] = -log1p(-lb_test_uniform(&r)) * (0.2 + 1.6 * pe / t->p.npes);
    }
}

static double
best_ms(struct lb_test *t, const c4i_lb_choice *c)
{
    double best = INFINITY;

    for (int k = 0; k < 3; k++) {
        uint64_t begin = c4i_monotonic_ns();
        double ms;

        CHECK(lb_test_solve(t, c, 1) == C4_OK, "%s", c->lb->name);
        ms = (double)(c4i_monotonic_ns() - begin) / 1e6;
        best = ms < best ? ms : best;
    }
    return best;
}

static void
measure(const char *spec)
{
    static const uint32_t nobjs[] = { 10000, 100000 }, npes[] = { 16, 128, 1024 };
    c4i_lb_choice c;

    lb_test_choose(&c, spec);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++) {
            struct lb_test t;
            double before, after, ms;

            lb_test_init(&t, nobjs[i], npes[j]);
            fill(&t);
            ms = best_ms(&t, &c);
            CHECK(!c4i_lb_imbalance(&t.p, t.pe_of, &before) &&
                  !c4i_lb_imbalance(&t.p, t.pe_new, &after), "out of memory");
            printf("%-24s %8u %6u %10.2f %8.3f %8.3f %7.1f %%\n", spec, nobjs[i], npes[j], ms,
                   before, after, 100.0 * c4i_lb_nmoves(&t.p, t.pe_new) / nobjs[i]);
            lb_test_release(&t);
        }
    c4i_lb_choice_release(&c);
}

int
main(int argc, char **argv)
{
    printf("strategy                  objects    PEs         ms   before    after    moved\n");
    for (int i = 1; i < argc; i++)
        measure(argv[i]);
    for (const c4_lb *const *lb = c4i_lb_builtin; argc == 1 && *lb; lb++)
        measure((*lb)->name);
    return 0;
}
