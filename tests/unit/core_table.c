/* The table of locations finds every key in a few steps, whatever pattern the
 * indexes of a program have. */
#include "check.h"
#include "runtime/pe.h"

enum { N = 100000 };

/* Steps of linear probing to a key, by looking at the slots themselves. */
static void
check(const char *what, const uint64_t *key, size_t n)
{
    c4i_table t = { 0 };
    uint64_t steps = 0;
    double mean;

    for (size_t i = 0; i < n; i++) {
        c4i_loc *loc = c4i_table_get(&t, key[i]);

        CHECK(loc->key == key[i] && loc->ep == 0, "%s: %zu", what, i);
        loc->ep = (uint32_t)i + 1;
    }
    CHECK(t.n == n, "%s: %zu of %zu keys", what, t.n, n);
    for (size_t i = 0; i < n; i++)
        CHECK(c4i_table_find(&t, key[i])->ep == i + 1, "%s: %zu", what, i);
    /* A run of taken slots is what a miss, and the growth of the run, costs. */
    for (size_t i = 0, run = 0; i <= t.mask; i++) {
        run = t.slot[i].used ? run + 1 : 0;
        steps += run;
    }
    mean = (double)steps / (double)n;
    CHECK(mean < 32, "%s: runs of %.1f slots", what, mean);
    c4i_table_release(&t);
}

int
main(void)
{
    static uint64_t key[N];
    char what[64];
    uint64_t rng = 3;

    for (int shift = 0; shift < 48; shift++) {
        for (size_t i = 0; i < N; i++)
            key[i] = (uint64_t)i << shift;
        snprintf(what, sizeof(what), "multiples of 2^%d", shift);
        check(what, key, N);
    }
    for (size_t i = 0; i < N; i++)
        key[i] = 0 - (uint64_t)i * 3;
    check("negative numbers", key, N);
    for (size_t i = 0; i < N; i++)
        key[i] = i / 316 << 32 | i % 316;
    check("two dimensions", key, N);
    for (size_t i = 0; i < N; i++)
        key[i] = i / 2500 << 42 | i / 50 % 50 << 21 | i % 50;
    check("three dimensions", key, N);
    for (size_t i = 0; i < N; i++)
        key[i] = (uint64_t)(i % 8) << 48 | (uint64_t)(i % 7) << 32 | i;
    check("single chares", key, N);
    for (size_t i = 0; i < N; i++)
        key[i] = check_random(&rng);
    check("random numbers", key, N);
    return 0;
}
