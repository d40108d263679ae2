/*
 * sched.c - the event loop of a PE.
 *
 * Order of work: tasks (executions that a handler left to be done), then what
 * has arrived and the local queue by turns.  Timers that are due run when
 * nothing else is to be done and, one at a time, between messages: so neither
 * can keep the other waiting, and the clock is not read for each message.  The
 * step is re-entrant: a coroutine that waits runs it from inside an execution.
 * Cost of an empty look: one poll of the transport.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum {
    BATCH = 64,                             /* messages a c4_step() handles at most */
    LOCAL_TURNS = 7,                        /* local messages between two polls; 2^k - 1 */
    TIMER_TURNS = 15,                       /* messages between two looks at timers; 2^k - 1 */
    SIGNAL_STEPS = 1023                     /* steps between looks for signals; 2^k - 1 */
};

/* ---- One message --------------------------------------------------------------- */

static void
run_posted(c4_pe *pe, c4i_msg *m)
{
    c4_err (*fn)(c4_pe *, void *);
    void *arg;

    pe->handling = c4i_cause_of(pe, m);
    pe->handling.nbytes = m->w.call;
    memcpy(&fn, m->w.tail.bytes, sizeof(fn));
    memcpy(&arg, m->w.tail.bytes + sizeof(fn), sizeof(arg));
    c4i_user_error(pe, fn(pe, arg));
}

/* Kinds that belong to a collection.  Nothing may follow CALL and CTOR. */
static void
handle_for(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    switch ((enum c4i_kind)m->w.kind) {
    case C4I_CALL:
        if (m->w.hops == C4I_HOPS_UNSENT)
            c4i_resend(pe, c, m);
        else
            c4i_route(pe, c, m);
        return;
    case C4I_INSERT:
        c4i_on_insert(pe, c, m);
        return;
    case C4I_CTOR:
        c4i_on_ctor(pe, c, m);
        return;
    case C4I_MIGRATE:
        c4i_on_migrate(pe, c, m);
        break;
    case C4I_HOME:
    case C4I_HINT:
        c4i_on_home(pe, c, m);
        break;
    case C4I_ACK:
        c4i_on_ack(pe, c, m);
        break;
    case C4I_BREQ:
        c4i_on_breq(pe, c, m);
        break;
    case C4I_BCAST:
        c4i_on_bcast(pe, c, m);
        break;
    case C4I_BLOW:
        c4i_on_blow(pe, c, m);
        break;
    case C4I_BDONE:
        c4i_on_bdone(pe, c, m);
        break;
    case C4I_CLOSED:
        c4i_on_closed(pe, c, m);
        break;
    case C4I_REDUCE:
        c4i_on_red(pe, &c->red, m);
        break;
    default:
        c4_abort(pe, "a message of kind %u", m->w.kind);
    }
    if (m->w.flags & C4I_F_COUNTED)
        pe->processed++;
}

void
c4i_handle(c4_pe *pe, c4i_msg *m)
{
    c4i_coll *c;

    if (__builtin_expect(pe->want_sent, 0))
        c4i_note_message(pe, m);
    switch ((enum c4i_kind)m->w.kind) {
    case C4I_CREATE:
        c4i_on_create(pe, m);
        return;
    case C4I_FUTURE:
        c4i_on_future(pe, m);
        break;
    case C4I_QD:
        c4i_on_qd(pe, m);
        break;
    case C4I_SYNC:
        c4i_on_red(pe, &pe->sync, m);
        break;
    case C4I_SREQ:
        c4i_on_section_request(pe, m);
        break;
    case C4I_SCAST:
        c4i_on_section_cast(pe, m);
        break;
    case C4I_SDONE:
        c4i_on_section_done(pe, m);
        break;
    case C4I_SREDUCE:
        c4i_on_section_red(pe, m);
        break;
    case C4I_SYNCLOSE:
        c4i_on_sync_close(pe, m);
        break;
    case C4I_SYNCGO:
        c4i_on_sync_go(pe, m);
        break;
    case C4I_START:
        c4i_on_start(pe, m);
        break;
    case C4I_EXIT:
        c4i_on_exit(pe, m);
        return;
    case C4I_POST:
        run_posted(pe, m);
        return;
    default:
        c = c4i_coll_find(pe, m->w.coll);
        if (c)
            handle_for(pe, c, m);
        else
            c4i_pend(pe, m);
        return;
    }
    if (m->w.flags & C4I_F_COUNTED)
        pe->processed++;
}

/* Behind messages that wait for the same collection to become known. */
void
c4i_admit(c4_pe *pe, c4i_msg *m)
{
    if (pe->pending && m->w.coll && m->w.kind != C4I_CREATE)
        for (c4i_pending *p = pe->pending; p; p = p->next)
            if (p->coll == m->w.coll) {
                c4i_pend(pe, m);
                return;
            }
    c4i_handle(pe, m);
}

static void
arrive(c4_pe *pe, c4i_msg *m)
{
    if (m->w.kind == C4I_POST)
        c4_abort(pe, "malformed message: a function of another PE");
    if (m->w.kind != C4I_EXIT) {
        if (pe->exit != C4I_RUNNING)
            return;
        if ((!pe->started && m->w.kind != C4I_START) || pe->releasing) {
            c4i_queue_push(&pe->held, c4i_msg_keep(pe, m));
            return;
        }
    }
    c4i_admit(pe, m);
}

static bool
step_net(c4_pe *pe)
{
    c4i_msg m;

    m.arrived = 0;
    if (!pe->net->ops->recv(pe->net, &m))
        return false;
    if (__builtin_expect(pe->want_sent, 0)) {
        if (!m.arrived)                     /* the transport does not look ahead */
            m.arrived = c4i_ticks(&pe->clock);
        pe->rec.received(pe->rec.ctx, &m.w, m.len);
    }
    arrive(pe, &m);
    c4i_msg_drop(pe, &m);
    return true;
}

static bool
step_local(c4_pe *pe)
{
    c4i_msg *m = c4i_queue_pop(&pe->local);

    if (!m)
        return false;
    if (pe->exit == C4I_RUNNING || m->w.kind == C4I_EXIT)
        c4i_admit(pe, m);
    c4i_msg_free(pe, m);
    return true;
}

/* ---- Steps ----------------------------------------------------------------------- */

static bool
step_message(c4_pe *pe)
{
    if ((pe->turn & LOCAL_TURNS) == 0)
        return step_net(pe) || step_local(pe);
    return step_local(pe) || step_net(pe);
}

static void
run_task(c4_pe *pe, c4i_task *t)
{
    if (__builtin_expect(pe->want_sent, 0))
        pe->handling = t->cause;
    t->run(pe, t);
}

bool
c4i_step_one(c4_pe *pe)
{
    pe->turn++;
    if (__builtin_expect(pe->exit == C4I_RUNNING, 1)) {
        if (pe->tasks) {
            run_task(pe, pe->tasks);
            return true;
        }
        if (pe->later_tasks) {
            run_task(pe, pe->later_tasks);
            return true;
        }
        if (pe->ntimers && (pe->turn & TIMER_TURNS) == 0 && c4i_timers_run(pe))
            return true;
        if (atomic_load_explicit(&pe->has_posted, memory_order_acquire))
            c4i_posted_run(pe);
    }
    return step_message(pe) || (pe->exit == C4I_RUNNING && pe->ntimers && c4i_timers_run(pe));
}

static void
sleep_once(c4_pe *pe, uint64_t timeout_ns)
{
    const c4i_transport_ops *ops = pe->net->ops;

    if (ops->park(pe->net, timeout_ns, false))
        return;                             /* something came while spinning */
    if (pe->timing)
        c4i_read_cpu(pe, NULL);
    if (pe->host && pe->host->idle_begin)
        pe->host->idle_begin(pe);
    ops->park(pe->net, timeout_ns, true);
    if (pe->host && pe->host->idle_end)
        pe->host->idle_end(pe);
    if (pe->timing)
        c4i_read_cpu(pe, NULL);
    if (pe->host && pe->host->signals)
        c4i_user_error(pe, pe->host->signals(pe));
}

static void
idle(c4_pe *pe)
{
    uint64_t timeout = pe->exit == C4I_RUNNING ? c4i_timers_wait(pe) : c4i_impatient(pe);
    uint64_t begin = pe->timing ? c4i_ticks(&pe->clock) : 0, end;
    uint64_t lost = pe->me == 0 ? c4i_lost_wait(pe) : C4I_INF;

    if (timeout > lost)
        timeout = lost;
    if (pe->idle_limit && pe->me == 0 && !pe->idle_since)
        pe->idle_since = c4i_now_ns(pe);
    if (pe->idle_limit && pe->me == 0 && timeout > pe->idle_limit)
        timeout = pe->idle_limit;
    sleep_once(pe, timeout);
    if (pe->fault.asked) {
        pe->fault.asked = 0;
        c4i_report_waiting(pe);
        c4i_lost_ask(pe);
    }
    if (pe->me == 0)
        c4i_lost_check(pe);
    c4i_stall_check(pe);
    if (!begin)
        return;
    end = c4i_ticks(&pe->clock);
    pe->idle_ticks += end - begin;
    if (pe->has_rec)
        pe->rec.activity(pe->rec.ctx, C4I_ACT_IDLE, begin, end);
}

static int
step_batch(c4_pe *pe)
{
    int n = 0;

    while (n < BATCH && !pe->yield && pe->exit != C4I_ENDED && c4i_step_one(pe))
        n++;
    return n;
}

bool
c4_step(c4_pe *pe, bool block)
{
    int n;

    if (__builtin_expect(pe->ctx.active, 0)) {      /* it waits for the end of the job: not its time */
        c4_context outer;
        bool more;

        c4_context_suspend(pe, &outer);
        more = c4_step(pe, block);
        if (pe->exit == C4I_RUNNING)        /* else it will not go on */
            c4_context_resume(pe, &outer, NULL);
        return more;
    }
    pe->yield = false;
    n = step_batch(pe);
    if (n == 0 && pe->exit != C4I_ENDED) {
        c4i_qd_idle(pe);                    /* may send to this PE itself */
        if (block && !pe->local.head && !pe->yield && !pe->tasks && !pe->later_tasks) {
            idle(pe);
            n = step_batch(pe);             /* at once: who woke this PE waits */
        }
    }
    if (n) {
        if (!pe->qd_idle)
            pe->idle_since = 0;
        if ((++pe->steps & SIGNAL_STEPS) == 0 && pe->host && pe->host->signals)
            c4i_user_error(pe, pe->host->signals(pe));
    }
    return pe->exit != C4I_ENDED;
}

void
c4_yield_step(c4_pe *pe)
{
    pe->yield = true;
}

int
c4_loop(c4_pe *pe)
{
    while (c4_step(pe, true))
        ;
    return pe->status;
}

c4_err
c4_post(c4_pe *pe, c4_err (*fn)(c4_pe *pe, void *arg), void *arg)
{
    c4_cause cause = c4_cause_event(pe, C4_EVENT_POST);
    c4i_msg *m = c4i_msg_new(pe);

    m->w = c4i_wire_for(C4I_POST, 0);
    memcpy(m->w.tail.bytes, &fn, sizeof(fn));
    memcpy(m->w.tail.bytes + sizeof(fn), &arg, sizeof(arg));
    m->data = NULL;
    m->len = 0;
    m->mem = C4I_MEM_INLINE;
    m->w.src = cause.pe;                    /* not always this PE */
    m->w.trace = cause.trace;
    m->w.call = cause.nbytes;
    m->arrived = cause.arrived;
    c4i_queue_push(&pe->local, m);
    return C4_OK;
}
