/*
 * timer.c - timers of a PE: a binary heap by due time, then by order of setting.
 */
#include <stdlib.h>

#include "pe.h"

static bool
before(const c4i_timer *a, const c4i_timer *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->no < b->no;
}

static void
swap(c4i_timer *a, c4i_timer *b)
{
    c4i_timer t = *a;

    *a = *b;
    *b = t;
}

c4_err
c4_after(c4_pe *pe, uint64_t ns, c4_err (*fn)(c4_pe *pe, void *arg), void *arg)
{
    size_t i = pe->ntimers;
    uint64_t now = c4i_now_ns(pe), due = ns < UINT64_MAX - now ? now + ns : UINT64_MAX;

    if (pe->ntimers == pe->timers_cap) {
        pe->timers_cap = pe->timers_cap ? pe->timers_cap * 2 : 16;
        pe->timers = c4i_realloc(pe->timers, pe->timers_cap * sizeof(*pe->timers));
    }
    pe->timers[pe->ntimers++] = (c4i_timer){ due, ++pe->timer_no, fn, arg };
    for (; i > 0 && before(&pe->timers[i], &pe->timers[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&pe->timers[i], &pe->timers[(i - 1) / 2]);
    return C4_OK;
}

static c4i_timer
pop(c4_pe *pe)
{
    c4i_timer first = pe->timers[0];
    size_t i = 0;

    pe->timers[0] = pe->timers[--pe->ntimers];
    for (;;) {
        size_t least = i, kid = 2 * i + 1;

        if (kid < pe->ntimers && before(&pe->timers[kid], &pe->timers[least]))
            least = kid;
        if (kid + 1 < pe->ntimers && before(&pe->timers[kid + 1], &pe->timers[least]))
            least = kid + 1;
        if (least == i)
            return first;
        swap(&pe->timers[i], &pe->timers[least]);
        i = least;
    }
}

bool
c4i_timers_run(c4_pe *pe)
{
    c4i_timer t;
    c4_err err;

    if (!pe->ntimers || pe->timers[0].due_ns > c4i_now_ns(pe))
        return false;
    t = pop(pe);
    err = t.fn(pe, t.arg);
    c4i_user_error(pe, err);
    return true;
}

uint64_t
c4i_timers_wait(const c4_pe *pe)
{
    uint64_t now;

    if (!pe->ntimers)
        return UINT64_MAX;
    now = c4i_now_ns(pe);
    return pe->timers[0].due_ns > now ? pe->timers[0].due_ns - now : 0;
}
