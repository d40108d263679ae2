/*
 * cause.c - which message made what runs begin, for the recorder.
 *
 * Every message and event gets a number at its sender (trace).  What is sent
 * while user code runs is sent by that execution; what the runtime sends when
 * it handles a message is caused by that message (pe->handling).  Tasks, posted
 * functions and timers carry the cause from where they were made to where they
 * run.  So from every execution but main's a chain leads back to main's.
 *
 * Invariant: while nothing is active, handling is the message that is handled,
 * or the last one that was, also when a nested step has handled others since.
 *
 * Cost: nothing but a branch where nobody records messages.
 */
#include "pe.h"

static c4_cause
own(const c4_pe *pe, uint32_t trace, uint64_t when)
{
    return (c4_cause){ .pe = pe->me, .trace = trace, .arrived = when, .local = true };
}

uint64_t
c4i_record_sent(c4_pe *pe, c4i_wire *w, unsigned kind, uint32_t dst, uint64_t nbytes)
{
    c4i_sent s = { .w = w, .kind = (uint8_t)kind, .dst = dst, .nbytes = nbytes };

    w->trace = ++pe->trace;
    s.by_execution = pe->ctx.active;
    if (!pe->ctx.active) {
        s.cause_pe = pe->handling.pe;
        s.cause = pe->handling.trace;
    }
    s.when = c4i_ticks(&pe->clock);
    pe->rec.sent(pe->rec.ctx, &s);
    return s.when;
}

c4_cause
c4_cause_event(c4_pe *pe, enum c4_event what)
{
    static const uint8_t kind[] = {
        [C4_EVENT_POST] = C4I_POST, [C4_EVENT_TIMER] = C4I_EVENT_TIMER,
        [C4_EVENT_TASK] = C4I_EVENT_TASK
    };
    c4i_wire w = { .kind = C4I_POST, .src = pe->me };
    c4_cause c;

    if (!pe->want_sent)
        return own(pe, 0, 0);
    if (what == C4_EVENT_POST && !pe->ctx.active)
        return pe->handling;
    if (what == C4_EVENT_POST && pe->post_event.trace)
        return pe->post_event;                /* one a stretch is enough */
    c = own(pe, 0, c4i_record_sent(pe, &w, kind[what], pe->me, 0));
    c.trace = w.trace;
    if (what == C4_EVENT_POST)
        pe->post_event = c;
    return c;
}

c4_cause
c4_cause_now(c4_pe *pe)
{
    if (!pe->want_sent || !pe->ctx.active)
        return pe->handling;
    if (pe->ctx.task || !pe->ctx.cause.trace)
        return c4_cause_event(pe, C4_EVENT_POST);
    return pe->ctx.cause;
}

void
c4i_handling(c4_pe *pe, const c4_cause *c)
{
    pe->handling = *c;
    if (!c->trace)
        return;
    pe->handling.taken = c4i_ticks(&pe->clock);
    pe->rec.handled(pe->rec.ctx, &pe->handling);
}

/* Kinds that belong to no collection that must be known. */
static bool
is_for_pe(uint8_t kind)
{
    const uint32_t kinds = 1u << C4I_CREATE | 1u << C4I_FUTURE | 1u << C4I_QD | 1u << C4I_SYNC
                         | 1u << C4I_SREQ | 1u << C4I_SCAST | 1u << C4I_SDONE | 1u << C4I_SREDUCE
                         | 1u << C4I_SYNCLOSE | 1u << C4I_SYNCGO | 1u << C4I_START
                         | 1u << C4I_EXIT;

    return kinds >> kind & 1;
}

/* Calls are told of by the executions that they make begin; what belongs to a
 * collection that is not known yet is handled later. */
void
c4i_note_message(c4_pe *pe, const c4i_msg *m)
{
    c4_cause c = c4i_cause_of(pe, m);

    if (m->w.kind == C4I_POST || (!is_for_pe(m->w.kind) && !c4i_coll_find(pe, m->w.coll)))
        return;
    switch ((enum c4i_kind)m->w.kind) {
    case C4I_CALL:
    case C4I_INSERT:
    case C4I_CTOR:
        pe->handling = c;
        break;
    default:
        c4i_handling(pe, &c);
        break;
    }
}

bool
c4_measured(const c4_pe *pe)
{
    return pe->timing;
}

unsigned
c4_task_kind(c4_pe *pe, const char *name, const char *file, unsigned line)
{
    if (pe->ntasks == UINT16_MAX)
        return 0;
    pe->ntasks++;
    if (pe->has_rec && pe->rec.task)
        pe->rec.task(pe->rec.ctx, pe->ntasks, name, file, line);
    return pe->ntasks;
}
