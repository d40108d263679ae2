/*
 * table.c - the table of element locations: open addressing.
 *
 * Eight keys that follow each other share their place, and so cache lines:
 * elements are mostly looked up in order.  Where eight find others there, all
 * of them go on to the next place, so a probe is not a search among neighbours;
 * the step is odd, so it comes to every slot.
 *
 * Cost: two multiplications and usually one cache line a look-up.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { STEP = 9 };

/* Packed indexes may differ in any bits, high or low, so all are mixed into
 * those that are used. */
static size_t
hash_of(uint64_t key)
{
    uint64_t x = (key >> 3) * 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 32) * 0xbf58476d1ce4e5b9u;
    return (size_t)(x >> 32) << 3 | (key & 7);
}

c4i_loc *
c4i_table_find(const c4i_table *t, uint64_t key)
{
    if (!t->slot)
        return NULL;
    for (size_t i = hash_of(key) & t->mask; t->slot[i].used; i = (i + STEP) & t->mask)
        if (t->slot[i].key == key)
            return &t->slot[i];
    return NULL;
}

static void
resize(c4i_table *t, size_t mask)
{
    c4i_table bigger = { .n = t->n, .mask = mask };

    bigger.slot = c4i_alloc((bigger.mask + 1) * sizeof(*bigger.slot));
    for (size_t i = 0; t->slot && i <= t->mask; i++) {
        size_t k = hash_of(t->slot[i].key) & bigger.mask;

        if (!t->slot[i].used)
            continue;
        while (bigger.slot[k].used)
            k = (k + STEP) & bigger.mask;
        bigger.slot[k] = t->slot[i];
    }
    free(t->slot);
    *t = bigger;
}

void
c4i_table_reserve(c4i_table *t, size_t more)
{
    size_t mask = t->slot ? t->mask : 15;

    while ((t->n + more) * 3 > mask * 2)
        mask = mask * 2 + 1;
    if (!t->slot || mask != t->mask)
        resize(t, mask);
}

c4i_loc *
c4i_table_get(c4i_table *t, uint64_t key)
{
    c4i_loc *loc = c4i_table_find(t, key);
    size_t i;

    if (loc)
        return loc;
    c4i_table_reserve(t, 1);
    for (i = hash_of(key) & t->mask; t->slot[i].used; i = (i + STEP) & t->mask)
        ;
    t->n++;
    t->slot[i] = (c4i_loc){ .key = key, .used = 1, .pe = C4I_NOPE };
    return &t->slot[i];
}

void
c4i_table_release(c4i_table *t)
{
    free(t->slot);
    *t = (c4i_table){ 0 };
}
