/*
 * sync.c - AtSync: the barrier of load balancing [5].
 *
 * One instance for the whole job, a counted tree with root PE 0; r is the
 * round.  A contribution carries the element's statistics, so they arrive with
 * the barrier.  When the root has heard all it knows of, a close wave asks
 * every PE how many elements its calls have created (and for its own
 * statistics); later ones belong to the next round.  Decision and resume are
 * one message down the tree.
 *
 * An element resumes where it is as soon as that PE knows the round's
 * decision: `waiting` alone would not do, its round number is compared.
 *
 * Each call is an arrival at one round, in order, and ends with one resume.  An
 * element may call again before it is resumed; such calls wait with it:
 *
 * A1  sync.next - sync.birth + ahead calls were made; all but the last
 *     `waiting` + ahead have been resumed.
 * A2  ahead > 0 only while it waits.  A call that waits is made when the element
 *     is resumed from the round before, where it then is, before its
 *     resumeFromSync() runs: to the tree it is an element that calls at once.
 *
 * So nobody contributes to a round before the one before it is decided, no
 * contribution names a PE that a decision has changed, and the load of a round
 * is what was measured since the last contribution, on the PE that tells it.
 * Ahead calls move with the element (location.c) and end with it: its record
 * stands for the one round after those that it has contributed to, whether it
 * waits in the last of them or not.
 *
 * Without a balancer nothing is sent: an element that has called n times
 * resumes when all elements of its PE have called as often.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

void
c4i_sync_init(c4_pe *pe)
{
    c4i_red_init(pe, &pe->sync, C4I_SYNC, 0, 0);
    pe->sync.expect = -1;
    pe->sync.sent = C4I_INF;                /* PEs without members say nothing */
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++)
        pe->sync.up[i] = C4I_INF;
}

void
c4i_sync_release(c4_pe *pe)
{
    c4_buf_release(&pe->sync_pes);
    c4i_lost_release(pe);
    c4i_red_release(&pe->sync);
}

uint64_t
c4i_sync_issue(c4_pe *pe, uint64_t n)
{
    pe->sync_issued += n;
    return pe->sync_cur;
}

/* ---- Elements come and go ---------------------------------------------------- */

void
c4i_sync_joined(c4_pe *pe, c4i_elem *e, uint64_t birth)
{
    if (!e->at_sync)
        return;
    if (!pe->has_lb && pe->sync.nlocal)
        birth = pe->sync.tally.base;        /* as far as its neighbours */
    e->sync.next = e->sync.birth = birth;
    c4i_red_join(&pe->sync, birth);
    if (pe->has_lb)
        c4i_red_check(pe, &pe->sync);
    else
        c4i_sync_local_check(pe);           /* sync_done may be of elements that left */
}

void
c4i_sync_left(c4_pe *pe, c4i_elem *e)
{
    if (!e->at_sync)
        return;
    c4i_red_leave(&pe->sync, e->sync.next);
    if (!pe->has_lb)
        c4i_sync_local_check(pe);
}

/* ---- Resuming -------------------------------------------------------------------- */

static void arrive(c4_pe *pe, c4i_elem *e);

static bool
resume_one(c4_pe *pe, c4i_task *t)
{
    c4i_elem *e = c4i_elem_find(t->coll, t->lo);
    c4_call call = { .src = pe->me };
    c4_cause cause = t->cause;

    c4i_task_end(pe, t);
    free(t);
    if (e)
        e->resuming = false;
    if (!e || !e->waiting) {
        pe->processed++;
        return false;
    }
    e->waiting = false;
    if (e->ahead) {                         /* A2 */
        e->ahead--;
        arrive(pe, e);
    }
    c4i_execute(pe, e, C4_ENTRY_RESUME, &call, &cause);
    return false;
}

/* A waiting element is to go on; `waiting` falls when it really does. */
static void
resume(c4_pe *pe, c4i_elem *e)
{
    c4i_task *t;

    if (e->resuming)
        return;
    e->resuming = true;
    t = c4i_alloc(sizeof(*t));
    t->run = resume_one;
    t->coll = e->coll;
    t->lo = e->key;
    pe->created++;
    c4i_task_add(pe, t, e->coll->bseen);
}

/* Calls fn for each local element that takes part; fn may remove it. */
static void
for_each(c4_pe *pe, void (*fn)(c4_pe *pe, c4i_elem *e, void *arg), void *arg)
{
    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++) {
        c4i_elem *e = pe->colls[i] ? pe->colls[i]->first : NULL;

        while (e) {
            c4i_elem *next = e->next;

            if (e->at_sync)
                fn(pe, e, arg);
            e = next;
        }
    }
}

static void
resume_if_decided(c4_pe *pe, c4i_elem *e, void *arg)
{
    (void)arg;
    if (e->waiting && e->sync.next <= pe->sync_done)
        resume(pe, e);
}

void
c4i_sync_local_check(c4_pe *pe)
{
    if (!pe->sync.nlocal || pe->sync.tally.base == pe->sync_done)
        return;
    pe->sync_done = pe->sync.tally.base;
    for_each(pe, resume_if_decided, NULL);
}

void
c4i_sync_arrived(c4_pe *pe, c4i_elem *e)
{
    if (!e->at_sync)
        return;
    c4i_red_join(&pe->sync, e->sync.next);
    if (pe->has_lb)
        c4i_red_check(pe, &pe->sync);
    else
        c4i_sync_local_check(pe);
    if (e->waiting && e->sync.next <= pe->sync_done)
        resume(pe, e);
}

/* ---- The call ---------------------------------------------------------------------- */

static double
ticks_to_s(const c4_pe *pe, uint64_t ticks)
{
    return (double)ticks * pe->clock.ns_per_tick * 1e-9;
}

static void
statistics(c4_pe *pe, c4i_elem *e, c4i_lb_object *o)
{
    c4_index index = c4_index_of(pe, c4i_chare_of(e));

    if (pe->ctx.elem == e && pe->ctx.active && pe->timing)
        c4i_charge(pe);
    *o = (c4i_lb_object){ .elem = e->key, .coll = e->coll->id, .pe = pe->me,
                          .wall_s = ticks_to_s(pe, e->wall), .cpu_s = -1, .user_load = e->user_load,
                          .nbytes = e->nbytes, .movable = e->migratable && e->coll->type->pup };
    if (pe->lb.want_cpu)
        o->cpu_s = (double)e->cpu_ns * 1e-9;
    if (e->sync.next < pe->lb_closed) {     /* the first round closes before all elements are made */
        o->late = true;
        pe->lb_carry -= (int64_t)e->wall;
    }
    o->ep = e->ep;
    o->ndims = (uint32_t)index.n;
    memcpy(o->index, index.at, sizeof(o->index));
    e->wall = e->cpu_ns = 0;
}

static c4i_elem *
find(c4_pe *pe, c4_chare who)
{
    c4i_coll *c = c4i_coll_find(pe, who.coll);

    return c ? c4i_elem_find(c, who.idx) : NULL;
}

/* Its next round has it. */
static void
arrive(c4_pe *pe, c4i_elem *e)
{
    c4i_lb_object o;

    e->waiting = true;
    if (!pe->has_lb) {
        c4i_red_step(&pe->sync, e->sync.next++);
        c4i_sync_local_check(pe);
        return;
    }
    statistics(pe, e, &o);
    c4i_red_contribute(pe, &pe->sync, e, &e->sync, C4I_RED_APPEND, &o, sizeof(o), NULL);
}

c4_err
c4_at_sync_for(c4_pe *pe, c4_chare who)
{
    c4i_elem *e = find(pe, who);

    if (!e || !e->at_sync)
        return c4_fail(pe, C4_ESTATE, "AtSync is for elements of arrays created to use it (useAtSync)");
    if (e->move_to == C4I_GONE)
        return c4_fail(pe, C4_ESTATE, "AtSync called by an element that is to be destroyed");
    if (e->waiting)
        e->ahead++;
    else
        arrive(pe, e);
    return C4_OK;
}

c4_err
c4_at_sync(c4_pe *pe)
{
    return c4_at_sync_for(pe, c4_self(pe));
}

/* ---- The close wave ------------------------------------------------------------------- */

/* What it did since its last call of AtSync will be told later. */
static void
add_ahead(c4_pe *pe, c4i_elem *e, void *ahead)
{
    (void)pe;
    *(uint64_t *)ahead += e->wall;
}

static void
pe_statistics(c4_pe *pe)
{
    uint64_t now, ahead = 0, own;
    c4i_lb_pe p = { .pe = pe->me };

    if (pe->ctx.active && pe->timing)
        c4i_charge(pe);
    now = c4i_ticks(&pe->clock);
    own = pe->busy_ticks - pe->lost_ticks;
    for_each(pe, add_ahead, &ahead);
    p.wall_s = ticks_to_s(pe, now - pe->lb_begin);
    p.busy_s = (double)((int64_t)(own - pe->lb_busy) + pe->lb_carry - (int64_t)ahead)
             * pe->clock.ns_per_tick * 1e-9;
    p.idle_s = ticks_to_s(pe, pe->idle_ticks - pe->lb_idle);
    p.background_s = ticks_to_s(pe, pe->lb_background);
    pe->lb_begin = now;
    pe->lb_busy = own;
    pe->lb_idle = pe->idle_ticks;
    pe->lb_background = 0;
    pe->lb_carry = (int64_t)ahead;
    pe->lb_closed = pe->sync_round + 1;
    if (c4_buf_add(&pe->sync_pes, &p, sizeof(p)))
        c4_abort(pe, "out of memory in AtSync");
}

/* An array that still takes insertions would give a round too few members. */
static bool
insertion_open(const c4_pe *pe)
{
    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++)
        if (pe->colls[i] && pe->colls[i]->at_sync && !pe->colls[i]->closed)
            return true;
    return false;
}

void
c4i_sync_close_check(c4_pe *pe)
{
    c4i_wire w = c4i_wire_for(C4I_SYNCLOSE, 0);

    if (!pe->sync_closing || pe->sync_heard < c4i_tree_nkids(pe, 0) || insertion_open(pe))
        return;
    pe->sync_closing = false;
    pe->sync_cur = pe->sync_round + 1;
    pe->sync_sum += pe->sync_issued;
    pe_statistics(pe);
    if (pe->me == 0) {
        pe->sync_closed = true;
        pe->sync.expect = (int64_t)(pe->sync_sum - pe->sync_deaths);
        c4i_sync_check(pe);
        return;
    }
    w.flags = C4I_F_UP;
    w.call = pe->sync_sum;
    c4i_post_data(pe, c4i_tree_parent(pe, 0), &w, pe->sync_pes.data, pe->sync_pes.len);
    pe->sync_pes.len = 0;
}

static void
close_down(c4_pe *pe, uint64_t round)
{
    pe->sync_closing = true;
    pe->sync_heard = 0;
    pe->sync_sum = 0;
    pe->sync_round = round;
    pe->sync_pes.len = 0;
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++) {
        c4i_wire w = c4i_wire_for(C4I_SYNCLOSE, 0);

        w.call = round;
        c4i_post_data(pe, c4i_tree_kid(pe, 0, i), &w, NULL, 0);
    }
    c4i_sync_close_check(pe);
}

void
c4i_on_sync_close(c4_pe *pe, c4i_msg *m)
{
    if (!(m->w.flags & C4I_F_UP)) {
        close_down(pe, m->w.call);
        return;
    }
    pe->sync_heard++;
    pe->sync_sum += m->w.call;
    if (c4_buf_add(&pe->sync_pes, m->data, m->len))
        c4_abort(pe, "out of memory in AtSync");
    c4i_sync_close_check(pe);
}

/* ---- The decision ------------------------------------------------------------------------ */

static int
by_object(const void *a, const void *b)
{
    const c4i_lb_object *x = a, *y = b;

    if (x->coll != y->coll)
        return x->coll < y->coll ? -1 : 1;
    if (x->elem != y->elem)
        return x->elem < y->elem ? -1 : 1;
    return x->ep < y->ep ? -1 : x->ep > y->ep;
}

/* Of an element that ended in this round and one with its index that was born in
 * it, the later: the balancer sees each index once. */
static uint32_t
without_twins(c4i_lb_object *objs, uint32_t n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++)
        if (i + 1 == n || objs[i].elem != objs[i + 1].elem || objs[i].coll != objs[i + 1].coll)
            objs[kept++] = objs[i];
    return kept;
}

static int
by_pe(const void *a, const void *b)
{
    const c4i_lb_pe *x = a, *y = b;

    return x->pe < y->pe ? -1 : x->pe > y->pe;
}

static void
go_down(c4_pe *pe, uint64_t done, const c4i_lb_move *moves, uint32_t n)
{
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++) {
        c4i_wire w = c4i_wire_for(C4I_SYNCGO, 0);

        w.call = done;
        c4i_post_data(pe, c4i_tree_kid(pe, 0, i), &w, moves, n * sizeof(*moves));
    }
}

static int
by_move(const void *a, const void *b)
{
    const c4i_lb_move *x = a, *y = b;

    if (x->coll != y->coll)
        return x->coll < y->coll ? -1 : 1;
    return x->elem < y->elem ? -1 : x->elem > y->elem;
}

struct go {
    uint64_t round;
    const c4i_lb_move *moves;
    size_t n;
};

static void
go_element(c4_pe *pe, c4i_elem *e, void *arg)
{
    const struct go *go = arg;
    c4i_lb_move key = { e->key, e->coll->id, 0 }, *move;

    if (!e->waiting || e->sync.next > pe->sync_done)
        return;
    move = e->sync.next == go->round && go->n
         ? bsearch(&key, go->moves, go->n, sizeof(key), by_move) : NULL;
    if (move && move->to != pe->me && move->to < pe->npes && e->migratable && !e->held
        && e->move_to != C4I_GONE && e->coll->type->pup) {
        e->move_to = move->to;
        e->move_why = C4I_WHY_LB;
        c4i_after_execution(pe, e);         /* resumes where it arrives */
    } else {
        resume(pe, e);
    }
}

/* Moves and resumes this PE's elements; runs no user code but packing. */
static void
go_here(c4_pe *pe, uint64_t round, const c4i_lb_move *moves, size_t n)
{
    struct go go = { round, moves, n };

    if (round > pe->sync_done)
        pe->sync_done = round;
    for_each(pe, go_element, &go);
    if (pe->lb.done)
        pe->lb.done(pe->lb.ctx, pe, (uint32_t)(round - 1));
}

static void
decide(c4_pe *pe, c4i_part *p)
{
    c4i_lb_object *objs = (c4i_lb_object *)(void *)p->data.data;
    uint32_t nobjs = (uint32_t)(p->data.len / sizeof(*objs));
    c4i_lb_pe *pes = (c4i_lb_pe *)(void *)pe->sync_pes.data;
    uint64_t begin = c4i_ticks(&pe->clock);
    c4i_lb_move *moves = NULL;
    uint32_t n = 0;

    if (nobjs)
        qsort(objs, nobjs, sizeof(*objs), by_object);
    nobjs = without_twins(objs, nobjs);
    qsort(pes, pe->npes, sizeof(*pes), by_pe);
    for (uint32_t i = 0; i < pe->npes; i++)
        pes[i].nobjs = 0;
    for (uint32_t i = 0; i < nobjs; i++) {  /* as they were told: one may have moved since */
        pes[objs[i].pe].nobjs++;
        if (objs[i].late)
            pes[objs[i].pe].busy_s += objs[i].wall_s;
    }
    if (pe->lb.decide(pe->lb.ctx, pe, (uint32_t)p->r, objs, nobjs, pes, pe->npes, &moves, &n)) {
        moves = NULL;
        n = 0;
    }
    if (n)
        qsort(moves, n, sizeof(*moves), by_move);
    if (pe->has_rec)
        pe->rec.activity(pe->rec.ctx, C4I_ACT_LB, begin, c4i_ticks(&pe->clock));
    go_down(pe, p->r + 1, moves, n);
    go_here(pe, p->r + 1, moves, n);
    free(moves);
}

static bool
is_complete(const c4_pe *pe)
{
    const c4i_red *r = &pe->sync;

    const c4i_part *p = c4i_parts_first(&r->part);

    return pe->sync_closed && p && p->r == r->next && (int64_t)p->count >= r->expect;
}

static c4_err
decide_now(c4_pe *pe, void *arg)
{
    c4i_part p;

    (void)arg;
    if (!is_complete(pe))
        return C4_OK;
    c4i_parts_take(&pe->sync.part, &p);
    pe->sync.next++;
    pe->sync.expect -= p.deaths;
    pe->sync_deaths += p.deaths;
    pe->sync_closed = false;
    decide(pe, &p);
    c4i_part_release(&p);
    return C4_OK;
}

/* Root: close the round when all known members have contributed; decide when
 * all there are have.  From the loop, since the element that called last is
 * still running and may be one that moves. */
void
c4i_sync_check(c4_pe *pe)
{
    c4i_red *r = &pe->sync;
    const c4i_part *p = c4i_parts_first(&r->part);

    if (!p || p->r != r->next || !pe->has_lb)
        return;
    if (is_complete(pe))
        c4_post(pe, decide_now, NULL);
    else if (!pe->sync_closed && !pe->sync_closing &&
             (int64_t)p->count >= r->expect && c4i_red_promise(pe, r) > r->next)
        close_down(pe, r->next);
}

void
c4i_on_sync_go(c4_pe *pe, c4i_msg *m)
{
    size_t n = m->len / sizeof(c4i_lb_move);

    go_down(pe, m->w.call, m->data, (uint32_t)n);
    go_here(pe, m->w.call, m->data, n);
}
