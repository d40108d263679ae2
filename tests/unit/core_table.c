/* The table of locations finds every key in a few steps, whatever pattern the
 * indexes of a program have. */
#include "check.h"
#include "runtime/table.c"

enum { N = 100000 };

/* Slots that are looked at until the key is found. */
static unsigned
probes(const c4i_table *t, uint64_t key)
{
    unsigned n = 1;

    for (size_t i = hash_of(key) & t->mask; t->slot[i].key != key; i = (i + STEP) & t->mask)
        n++;
    return n;
}

static void
check(const char *what, const uint64_t *key, size_t n)
{
    c4i_table t = { 0 };
    double steps = 0;

    for (size_t i = 0; i < n; i++) {
        c4i_loc *loc = c4i_table_get(&t, key[i]);

        CHECK(loc->key == key[i] && loc->ep == 0, "%s: %zu", what, i);
        loc->ep = (uint32_t)i + 1;
    }
    CHECK(t.n == n, "%s: %zu of %zu keys", what, t.n, n);
    for (size_t i = 0; i < n; i++) {
        CHECK(c4i_table_find(&t, key[i])->ep == i + 1, "%s: %zu", what, i);
        steps += probes(&t, key[i]);
    }
    CHECK(steps / (double)n < 8, "%s: %.1f probes for a key", what, steps / (double)n);
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
