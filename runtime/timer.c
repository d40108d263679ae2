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

/* Puts t into slot i. */
static void
put(c4_pe *pe, size_t i, const c4i_timer *t)
{
    pe->timers[i] = *t;
    if (t->at)
        *t->at = i;
}

static void
swap(c4_pe *pe, size_t i, size_t k)
{
    c4i_timer t = pe->timers[i];

    put(pe, i, &pe->timers[k]);
    put(pe, k, &t);
}

static void
rise(c4_pe *pe, size_t i)
{
    for (; i > 0 && before(&pe->timers[i], &pe->timers[(i - 1) / 2]); i = (i - 1) / 2)
        swap(pe, i, (i - 1) / 2);
}

static void
sink(c4_pe *pe, size_t i)
{
    for (;;) {
        size_t least = i, kid = 2 * i + 1;

        if (kid < pe->ntimers && before(&pe->timers[kid], &pe->timers[least]))
            least = kid;
        if (kid + 1 < pe->ntimers && before(&pe->timers[kid + 1], &pe->timers[least]))
            least = kid + 1;
        if (least == i)
            return;
        swap(pe, i, least);
        i = least;
    }
}

c4_err
c4_after(c4_pe *pe, uint64_t ns, c4_err (*fn)(c4_pe *pe, void *arg), void *arg)
{
    return c4_after_at(pe, ns, fn, arg, NULL);
}

c4_err
c4_after_at(c4_pe *pe, uint64_t ns, c4_err (*fn)(c4_pe *pe, void *arg), void *arg, size_t *at)
{
    uint64_t now = c4i_now_ns(pe), due = ns < UINT64_MAX - now ? now + ns : UINT64_MAX;

    if (pe->ntimers == pe->timers_cap) {
        pe->timers_cap = pe->timers_cap ? pe->timers_cap * 2 : 16;
        pe->timers = c4i_realloc(pe->timers, pe->timers_cap * sizeof(*pe->timers));
    }
    put(pe, pe->ntimers, &(c4i_timer){ due, ++pe->timer_no, fn, arg, at,
                                       c4_cause_event(pe, C4_EVENT_TIMER).trace });
    rise(pe, pe->ntimers++);
    return C4_OK;
}

/* Takes the timer of slot i out. */
static c4i_timer
take(c4_pe *pe, size_t i)
{
    c4i_timer t = pe->timers[i];

    if (i != --pe->ntimers) {
        put(pe, i, &pe->timers[pe->ntimers]);
        sink(pe, i);
        rise(pe, i);
    }
    return t;
}

void
c4_after_drop(c4_pe *pe, const size_t *at)
{
    take(pe, *at);
}

bool
c4i_timers_run(c4_pe *pe)
{
    c4i_timer t;
    c4_err err;

    if (!pe->ntimers || pe->timers[0].due_ns > c4i_now_ns(pe))
        return false;
    t = take(pe, 0);
    if (pe->want_sent)
        c4i_handling(pe, &(c4_cause){ .pe = pe->me, .trace = t.trace, .local = true,
                                      .arrived = c4i_ticks(&pe->clock) });
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
