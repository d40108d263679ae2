/*
 * exit.c - starting the other PEs, and the orderly end of a job [7].
 *
 * c4_exit() sends EXIT to PE 0; the first one wins.  STOP goes down the tree:
 * from then on a PE runs no user code, sends nothing but these messages and
 * drops what comes, but keeps receiving.  Acknowledged from the leaves up;
 * then BYE goes down and each PE leaves after passing it on.  Nobody sends to
 * a PE after it left, and no message is needed from one that left.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pe.h"

enum { REQUEST, STOP, STOPPED, BYE };       /* c4i_wire.entry */

static void
tell_kids(c4_pe *pe, uint16_t what, int status)
{
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++) {
        c4i_wire w = c4i_wire_for(C4I_EXIT, 0);

        w.entry = what;
        w.call = (uint64_t)(int64_t)status;
        c4i_post_data(pe, c4i_tree_kid(pe, 0, i), &w, NULL, 0);
    }
}

static void
leave(c4_pe *pe)
{
    if (pe->me == 0)                        /* before the first PE leaves */
        pe->net->ops->ending(pe->net, pe->status);
    tell_kids(pe, BYE, pe->status);
    pe->exit = C4I_ENDED;
    pe->yield = true;
}

static void
stop_check(c4_pe *pe)
{
    c4i_wire w = c4i_wire_for(C4I_EXIT, 0);

    if (pe->exit_heard < c4i_tree_nkids(pe, 0))
        return;
    if (pe->me == 0) {
        leave(pe);
        return;
    }
    w.entry = STOPPED;
    c4i_post_data(pe, c4i_tree_parent(pe, 0), &w, NULL, 0);
}

static void
stop(c4_pe *pe, int status)
{
    pe->exit = C4I_STOPPED;
    pe->yield = true;
    pe->status = status;
    pe->exit_seen = true;
    c4i_report_end(pe);
    tell_kids(pe, STOP, status);
    stop_check(pe);
}

c4_err
c4_exit(c4_pe *pe, int status)
{
    c4i_wire w = c4i_wire_for(C4I_EXIT, 0);

    if (pe->exit_sent || pe->exit != C4I_RUNNING)
        return C4_OK;
    pe->exit_sent = true;
    c4i_be_patient(pe, status);
    pe->exit = C4I_STOPPED;
    pe->yield = true;
    w.entry = REQUEST;
    w.call = (uint64_t)(int64_t)status;
    c4i_post_data(pe, 0, &w, NULL, 0);
    return C4_OK;
}

void
c4_forked(c4_pe *pe)
{
    pe->exit = C4I_ENDED;
    pe->net->forked = true;
}

void
c4i_on_exit(c4_pe *pe, c4i_msg *m)
{
    switch (m->w.entry) {
    case REQUEST:
        if (!pe->exit_seen)
            stop(pe, (int)(int64_t)m->w.call);
        break;
    case STOP:
        stop(pe, (int)(int64_t)m->w.call);
        break;
    case STOPPED:
        pe->exit_heard++;
        stop_check(pe);
        break;
    case BYE:
        leave(pe);
        break;
    default:
        c4_abort(pe, "malformed message: exit");
    }
}

bool
c4_stopping(const c4_pe *pe)
{
    return pe->exit != C4I_RUNNING;
}

/* ---- Start: PEs other than 0 hold all messages until PE 0's program is ready ---- */

c4_err
c4_start_others(c4_pe *pe, const void *data, size_t len)
{
    if (pe->start_sent || pe->me != 0)
        return C4_OK;
    pe->start_sent = true;
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++) {
        c4i_wire w = c4i_wire_for(C4I_START, 0);

        c4i_post_data(pe, c4i_tree_kid(pe, 0, i), &w, data, len);
    }
    return C4_OK;
}

bool
c4_others_started(const c4_pe *pe)
{
    return pe->start_sent;
}

static bool
release_one(c4_pe *pe, c4i_task *t)
{
    c4i_msg *m = c4i_queue_pop(&pe->held);

    if (!m) {
        c4i_task_end(pe, t);
        free(t);
        pe->releasing = false;
        return false;
    }
    c4i_admit(pe, m);
    c4i_msg_free(pe, m);
    return true;
}

void
c4i_on_start(c4_pe *pe, c4i_msg *m)
{
    c4i_task *t = c4i_alloc(sizeof(*t));
    c4_err err = C4_OK;

    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++) {
        c4i_wire w = c4i_wire_for(C4I_START, 0);

        c4i_post_data(pe, c4i_tree_kid(pe, 0, i), &w, m->data, m->len);
    }
    if (pe->host && pe->host->start) {
        pe->cur = m;
        err = pe->host->start(pe, m->data, m->len);
        pe->cur = NULL;
    }
    c4i_user_error(pe, err);
    pe->started = pe->releasing = true;
    t->run = release_one;
    t->later = true;
    c4i_task_add(pe, t, 0);
}
