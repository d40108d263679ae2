/*
 * quiescence.c - has the job come to rest? [4]
 *
 * Waves over the tree of PE 0 sum (created, processed).  Two successive waves
 * with C1 == P1 == C2 == P2 prove an instant of quiescence after the first
 * began.  A PE answers a wave when it has nothing left to do.  A request that
 * comes while a detection runs is served by the next one.
 *
 * The same waves find a job that has stalled (++idle-timeout): all that is
 * outstanding waits for elements that do not exist, and no timer runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { WAVE, REQUEST, REPORT };             /* c4i_wire.entry; and C4I_QD_LOST */
enum { CREATED, PROCESSED, PARKED, TIMERS, NSUMS };

static void wave_check(c4_pe *pe);

static void
wave_down(c4_pe *pe, uint64_t round)
{
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++) {
        c4i_wire w = c4i_wire_for(C4I_QD, 0);

        w.call = round;
        c4i_post_data(pe, c4i_tree_kid(pe, 0, i), &w, NULL, 0);
    }
    memset(pe->qd_sum, 0, sizeof(pe->qd_sum));
    pe->qd_heard = 0;
    pe->qd_answer = true;
}

static void
wave_start(c4_pe *pe)
{
    pe->qd_wave = true;
    pe->qd_round++;
    wave_down(pe, pe->qd_round);
}

static c4_err
wave_later(c4_pe *pe, void *arg)
{
    (void)arg;
    pe->ntimed--;                           /* it was no user's timer */
    if (!pe->qd_wave && (pe->nqd_active || pe->qd_idle))
        wave_start(pe);
    return C4_OK;
}

/* Requests made by now are served by a detection that begins now. */
static void
detection_start(c4_pe *pe)
{
    if (pe->qd_wave || pe->nqd_active)
        return;
    pe->qd_active = pe->qd_pending;
    pe->nqd_active = pe->nqd_pending;
    pe->qd_pending = NULL;
    pe->nqd_pending = 0;
    pe->qd_valid = false;
    if (pe->nqd_active)
        wave_start(pe);
}

static void
request(c4_pe *pe, const c4_callback *cb)
{
    pe->qd_pending = c4i_realloc(pe->qd_pending, (pe->nqd_pending + 1) * sizeof(*cb));
    pe->qd_pending[pe->nqd_pending++] = *cb;
    detection_start(pe);
}

c4_err
c4_quiescence(c4_pe *pe, const c4_callback *cb)
{
    c4i_wire w = c4i_wire_for(C4I_QD, 0);

    if (c4i_check_callback(pe, cb))
        return pe->error_code;
    w.entry = REQUEST;
    c4i_post_data(pe, 0, &w, cb, sizeof(*cb));
    return C4_OK;
}

static void
fire(c4_pe *pe)
{
    c4_callback *cb = pe->qd_active;
    size_t n = pe->nqd_active;

    pe->qd_active = NULL;
    pe->nqd_active = 0;
    pe->qd_valid = false;
    pe->qd_idle = false;
    pe->value_is = C4I_EVENT_QUIET;
    for (size_t i = 0; i < n; i++)
        c4i_user_error(pe, c4_call_back(pe, &cb[i], NULL, 0));
    pe->value_is = 0;
    free(cb);
    detection_start(pe);
}

/* ---- What this PE adds ------------------------------------------------------- */

static void
add_own(c4_pe *pe)
{
    pe->qd_sum[CREATED] += pe->created;
    pe->qd_sum[PROCESSED] += pe->processed;
    if (pe->idle_limit) {
        pe->qd_sum[PARKED] += c4i_nparked(pe);
        pe->qd_sum[TIMERS] += pe->ntimers - pe->ntimed;
    }
}

/* ---- A stalled job -------------------------------------------------------------- */

/* Down the tree, so that it comes before the end of the job, which does, too. */
static void
report_down(c4_pe *pe)
{
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++) {
        c4i_wire w = c4i_wire_for(C4I_QD, 0);

        w.entry = REPORT;
        c4i_post_data(pe, c4i_tree_kid(pe, 0, i), &w, NULL, 0);
    }
    c4i_report_waiting(pe);
    pe->reported = true;
}

static void
stalled(c4_pe *pe)
{
    pe->qd_valid = false;
    pe->qd_idle = false;
    if (pe->host && pe->host->stalled && pe->host->stalled(pe))
        return;
    fprintf(stderr, "c4: nothing has been left to do for %g s, and nobody has called exit; "
            "the job ends (++idle-timeout)\n", (double)pe->idle_limit * 1e-9);
    report_down(pe);
    c4_exit(pe, 1);
}

/* PE 0 has been idle for a while: look whether all are. */
void
c4i_stall_check(c4_pe *pe)
{
    uint64_t now;

    if (!pe->idle_limit || pe->me != 0 || pe->reported)
        return;
    now = c4i_now_ns(pe);
    if (now - pe->idle_since < pe->idle_limit)
        return;
    pe->idle_since = now;
    if (!pe->qd_wave) {
        pe->qd_idle = true;
        wave_start(pe);
    }
}

/* ---- The root's decision ---------------------------------------------------------- */

static void
decide(c4_pe *pe)
{
    const uint64_t *s = pe->qd_sum;
    bool same = pe->qd_valid && memcmp(s, pe->qd_last, sizeof(pe->qd_last)) == 0;
    bool rest = same && s[CREATED] == s[PROCESSED];
    bool stall = same && pe->idle_limit && s[TIMERS] == 0
                 && s[CREATED] == s[PROCESSED] + s[PARKED]
                 && c4i_now_ns(pe) - pe->qd_since >= pe->idle_limit;

    pe->qd_wave = false;
    if (rest && pe->nqd_active) {
        fire(pe);
        return;
    }
    if (stall && !pe->nqd_pending) {
        stalled(pe);
        return;
    }
    if (!same) {
        pe->qd_since = c4i_now_ns(pe);
        pe->qd_delay = 100000;
    }
    memcpy(pe->qd_last, s, sizeof(pe->qd_last));
    pe->qd_valid = true;
    if (!pe->nqd_active && pe->nqd_pending) {
        pe->qd_idle = false;                /* requests came during an idle check */
        detection_start(pe);
        return;
    }
    if (!pe->nqd_active && !pe->idle_limit)
        return;
    if (!same && s[CREATED] == s[PROCESSED]) {
        wave_start(pe);                     /* the second wave of a proof */
        return;
    }
    /* Outstanding messages: ask again, more and more seldom. */
    pe->ntimed++;
    c4_after(pe, pe->qd_delay, wave_later, NULL);
    if (pe->qd_delay < 50000000)
        pe->qd_delay *= 2;
}

static void
wave_check(c4_pe *pe)
{
    c4i_wire w = c4i_wire_for(C4I_QD, 0);

    if (!pe->qd_answer || pe->qd_heard < c4i_tree_nkids(pe, 0))
        return;
    pe->qd_answer = false;
    add_own(pe);
    if (pe->me == 0) {
        decide(pe);
        return;
    }
    w.flags = C4I_F_UP;
    c4i_post_data(pe, c4i_tree_parent(pe, 0), &w, pe->qd_sum, sizeof(pe->qd_sum));
}

/* A PE that is alone gets no message that would make it take the next wave. */
void
c4i_qd_idle(c4_pe *pe)
{
    uint64_t round;

    do {
        round = pe->qd_round;
        if (pe->qd_answer)
            wave_check(pe);
    } while (pe->qd_round != round && !pe->local.head);
}

void
c4i_on_qd(c4_pe *pe, c4i_msg *m)
{
    uint64_t sum[NSUMS];
    c4_callback cb;

    if (m->w.entry == REQUEST && m->len == sizeof(cb)) {
        memcpy(&cb, m->data, sizeof(cb));
        request(pe, &cb);
    } else if (m->w.entry == C4I_QD_LOST) {
        c4i_on_lost(pe, m);
    } else if (m->w.entry == REPORT) {
        report_down(pe);
    } else if (!(m->w.flags & C4I_F_UP)) {
        wave_down(pe, m->w.call);
    } else if (m->len == sizeof(sum)) {
        memcpy(sum, m->data, sizeof(sum));
        for (int i = 0; i < NSUMS; i++)
            pe->qd_sum[i] += sum[i];
        pe->qd_heard++;
    } else {
        c4_abort(pe, "malformed message: quiescence");
    }
}
