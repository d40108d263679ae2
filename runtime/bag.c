/*
 * bag.c - a multiset of numbers that lie near each other.
 *
 * Counts by number in an array that slides: count[first] belongs to the least.
 * Cost: adding and taking out are O(1) but for growth, the least is O(1);
 * memory is as wide as the numbers lie apart.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

/* Room for `front` counts before the present ones and `back` behind them. */
static void
make_room(c4i_bag *t, uint64_t front, uint64_t back)
{
    uint64_t need = front + t->n + back;
    size_t cap = t->cap ? t->cap : 4, first;
    uint32_t *count = t->count;

    if (front > UINT32_MAX || back > UINT32_MAX)
        c4i_no_memory(SIZE_MAX);            /* what lies so far apart is no count of anything */
    if (t->first >= front && t->first + t->n + back <= t->cap)
        return;
    while (cap < 2 * need)
        cap *= 2;
    first = front + (cap - need) / 2;
    if (cap > t->cap)
        count = c4i_realloc(NULL, cap * sizeof(*count));
    if (t->n)
        memmove(count + first, t->count + t->first, t->n * sizeof(*count));
    if (count != t->count)
        free(t->count);
    t->count = count;
    t->first = first;
    t->cap = cap;
}

void
c4i_bag_add(c4i_bag *t, uint64_t x)
{
    if (t->n == 0)
        t->base = x;
    if (x < t->base) {
        uint64_t more = t->base - x;

        make_room(t, more, 0);
        t->first -= more;
        t->n += more;
        t->base = x;
        memset(t->count + t->first, 0, more * sizeof(*t->count));
    } else if (x - t->base >= t->n) {
        uint64_t more = x - t->base - t->n + 1;

        make_room(t, 0, more);
        memset(t->count + t->first + t->n, 0, more * sizeof(*t->count));
        t->n += more;
    }
    t->count[t->first + (x - t->base)]++;
}

bool
c4i_bag_take(c4i_bag *t, uint64_t x)
{
    if (t->n == 0 || x < t->base || x - t->base >= t->n || !t->count[t->first + (x - t->base)])
        return false;
    t->count[t->first + (x - t->base)]--;
    while (t->n && t->count[t->first] == 0) {
        t->first++;
        t->base++;
        t->n--;
    }
    return true;
}

void
c4i_bag_release(c4i_bag *t)
{
    free(t->count);
    *t = (c4i_bag){ 0 };
}
