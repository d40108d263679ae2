/*
 * broadcast.c - broadcasts, exactly once and in order [2], when they are
 * complete [6], and tasks: lists of executions still to be done on this PE.
 *
 * The root of a collection numbers broadcasts 1, 2, ...; an element carries
 * the last number it has executed (seen).  A PE logs broadcasts for elements
 * that will arrive with a smaller number.
 *
 * B1  A local element has seen >= bseen of its PE, but for elements that a
 *     task of this PE is about to serve (task_low).
 * B2  An element executes exactly born < b, in order.
 * B3  low(PE) = min(bseen, unacknowledged departures, task_low) never falls;
 *     the minimum over all PEs comes back with the next broadcast as `stable`,
 *     and nobody needs numbers up to it any more.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { LOG_EVERY = 8, LOG_BYTES = 1 << 20 };    /* how often lows are reported */
enum { LOW, STABLE };                       /* c4i_wire.entry of BLOW: up, down */

/* ---- Tasks ---------------------------------------------------------------- */

void
c4i_task_add(c4_pe *pe, c4i_task *t, uint64_t low)
{
    c4i_task ***tail = t->later ? &pe->later_tail : &pe->tasks_tail;

    t->next = NULL;
    if (pe->want_sent && !t->cause.trace)
        t->cause = c4_cause_event(pe, C4_EVENT_POST);
    **tail = t;
    *tail = &t->next;
    if (t->coll) {
        if (t->coll->ntasks++ == 0 || low < t->coll->task_low)
            t->coll->task_low = low;
    }
}

void
c4i_task_end(c4_pe *pe, c4i_task *t)
{
    c4i_task **at = t->later ? &pe->later_tasks : &pe->tasks;
    c4i_task ***tail = t->later ? &pe->later_tail : &pe->tasks_tail;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (*tail == &t->next)
        *tail = at;
    if (t->coll)
        t->coll->ntasks--;
}

/* ---- The log --------------------------------------------------------------- */

static c4i_bcast *
log_at(c4_pe *pe, const c4i_coll *c, uint64_t b)
{
    if (b < c->log_base || b - c->log_base >= c->nlog)
        c4_abort(pe, "broadcast %llu of collection %u is not in the log", (unsigned long long)b,
                 c->id);
    return c->log[b - c->log_base];
}

static void
bcast_free(c4_pe *pe, c4i_coll *c, c4i_bcast *bc)
{
    if (bc->cache && c->type->binding)
        c->type->binding->cache_free(pe, bc->cache);
    free(bc->data);
    free(bc);
}

static void
log_add(c4i_coll *c, c4i_bcast *bc)
{
    if (c->nlog == c->log_cap) {
        c->log_cap = c->log_cap ? c->log_cap * 2 : 8;
        c->log = c4i_realloc(c->log, c->log_cap * sizeof(*c->log));
    }
    c->log[c->nlog++] = bc;
    c->log_bytes += bc->len;
}

static void
log_drop(c4_pe *pe, c4i_coll *c, uint64_t upto)
{
    size_t n = 0;

    while (n < c->nlog && c->log[n]->b <= upto) {
        c->log_bytes -= c->log[n]->len;
        bcast_free(pe, c, c->log[n++]);
    }
    if (!n)
        return;
    c->nlog -= n;
    c->log_base += n;
    memmove(c->log, c->log + n, c->nlog * sizeof(*c->log));
}

void
c4i_unacked_add(c4i_coll *c, uint64_t seen)
{
    c4i_bag_add(&c->unacked, seen);
}

void
c4i_on_ack(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    uint64_t least = c4i_bag_least(&c->unacked);

    if (!c4i_bag_take(&c->unacked, m->w.call))
        c4_abort(pe, "malformed message: acknowledgement");
    if (c4i_bag_least(&c->unacked) != least)
        c4i_low_check(pe, c);
}

static uint64_t
own_low(const c4i_coll *c)
{
    uint64_t low = c4i_bag_least(&c->unacked);

    if (c->bseen < low)
        low = c->bseen;
    if (c->ntasks && c->task_low < low)
        low = c->task_low;
    return low;
}

/* `stable` goes down with the next broadcast; when that would keep much memory
 * until then, at once. */
static void
tell_stable(c4_pe *pe, c4i_coll *c)
{
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, c->root); i++) {
        c4i_wire w = c4i_wire_for(C4I_BLOW, c->id);

        w.entry = STABLE;
        w.elem = c->stable;
        c4i_post_data(pe, c4i_tree_kid(pe, c->root, i), &w, NULL, 0);
    }
    c->log_freed = 0;
}

/* Reports this subtree's low when it has grown enough; drops what is stable. */
void
c4i_low_check(c4_pe *pe, c4i_coll *c)
{
    uint64_t low = own_low(c);
    uint32_t nkids = c4i_tree_nkids(pe, c->root);
    uint64_t every = pe->stress & C4I_STRESS_LOG ? 1 : LOG_EVERY;
    c4i_wire w = c4i_wire_for(C4I_BLOW, c->id);

    if (c->kind == C4_KIND_GROUP) {         /* nobody arrives later: no log */
        log_drop(pe, c, low);
        return;
    }
    for (uint32_t i = 0; i < nkids; i++)
        if (c->low_child[i] < low)
            low = c->low_child[i];
    if (pe->me == c->root) {
        uint64_t bytes = c->log_bytes;

        c->stable = low;
        log_drop(pe, c, low);
        c->log_freed += bytes - c->log_bytes;
        if (c->log_freed > LOG_BYTES)
            tell_stable(pe, c);
    } else if (low >= c->low_sent + every || (low > c->low_sent && c->log_bytes > LOG_BYTES)) {
        c->low_sent = low;
        w.elem = low;
        c4i_post_data(pe, c4i_tree_parent(pe, c->root), &w, NULL, 0);
    }
}

void
c4i_on_blow(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    if (m->w.entry == STABLE) {
        if (m->w.elem > c->stable && m->w.elem <= c->bseen)
            c->stable = m->w.elem;
        log_drop(pe, c, c->stable);
        tell_stable(pe, c);
        return;
    }
    c->low_child[c4i_tree_kid_no(pe, c->root, m->w.src)] = m->w.elem;
    c4i_low_check(pe, c);
}

/* ---- Completion [6] ---------------------------------------------------------- */

void
c4i_bcast_release(c4_pe *pe, c4i_coll *c)
{
    log_drop(pe, c, C4I_INF);
    c4i_comps_release(&c->comps);
    free(c->log);
    c4i_bag_release(&c->unacked);
    free(c->ahead);
}

/* A child's report: counts, then result records. */
typedef struct comp_head {
    int64_t  issued;
    uint64_t count;
} comp_head;

static c4i_comp *
comp_new(c4_pe *pe, c4i_coll *c, uint64_t b, uint8_t flags)
{
    c4i_comp *x = c4i_comp_new(&c->comps, b);

    x->flags = flags;
    if (pe->me != c->root)
        x->parent = c4i_tree_parent(pe, c->root);
    return x;
}

/* Starts with one running, which stands for the loop over local elements. */
void
c4i_bcast_await(c4_pe *pe, c4i_coll *c, const c4i_bcast *bc, int64_t issued)
{
    c4i_comp *x = comp_new(pe, c, bc->b, bc->flags);

    x->future = bc->future;
    x->nkids = c4i_tree_nkids(pe, c->root);
    x->running = 1;
    x->issued = issued;
}

void
c4i_bcast_start(c4_pe *pe, c4i_coll *c, uint64_t b, uint8_t flags)
{
    c4i_comp *x = c4i_comp_find(&c->comps, b);

    if (!x) {                               /* a late execution: the report has gone up */
        x = comp_new(pe, c, b, flags);
        x->late = true;
    }
    x->running++;
}

static uint64_t
sort_key(const c4i_coll *c, uint64_t key)
{
    int bits = c->dims.n > 1 ? 64 / c->dims.n : 64;

    if (!c->sparse)
        return key;
    for (int i = 0; i < c->dims.n; i++)     /* packed fields are signed */
        key ^= (uint64_t)1 << (i * bits + bits - 1);
    return key;
}

static uint64_t
rank(c4_pe *pe, const void *arg, const c4_result *r)
{
    (void)pe;
    return sort_key(arg, r->key);
}

static void
comp_report(c4_pe *pe, c4i_coll *c, c4i_comp *x)
{
    comp_head h = { x->issued, x->count };
    c4i_wire w = c4i_wire_for(C4I_BDONE, c->id);
    struct iovec iov[2] = { { &h, sizeof(h) }, { x->results.data, x->results.len } };

    w.elem = x->no;
    w.flags = (uint8_t)((x->late ? 0 : C4I_F_UP) | (x->flags & C4I_F_RESULT));
    c4i_post(pe, x->parent, &w, iov, 2);
    c4i_comp_free(&c->comps, x);
}

static void
comp_check(c4_pe *pe, c4i_coll *c, c4i_comp *x)
{
    if (x->running || x->nkids)
        return;
    if (pe->me != c->root) {
        comp_report(pe, c, x);
    } else if (x->count == c->ndense + (uint64_t)x->issued) {
        c4i_comp_answer(pe, x, rank, c);
        c4i_comp_free(&c->comps, x);
    }
}

void
c4i_bcast_finish(c4_pe *pe, c4i_coll *c, uint64_t b, bool counts)
{
    c4i_comp *x = c4i_comp_find(&c->comps, b);

    if (!x)
        return;
    x->running--;
    x->count += counts;
    comp_check(pe, c, x);
}

void
c4i_on_bdone(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    c4i_comp *x = c4i_comp_find(&c->comps, m->w.elem);
    comp_head h;

    if (m->len < sizeof(h) || (m->w.flags & C4I_F_UP && !(x && x->nkids)))
        c4_abort(pe, "malformed message: completion");
    memcpy(&h, m->data, sizeof(h));
    if (!x) {
        x = comp_new(pe, c, m->w.elem, m->w.flags & C4I_F_RESULT);
        x->late = true;
    }
    x->issued += h.issued;
    x->count += h.count;
    c4i_comp_merge(pe, x, (const char *)m->data + sizeof(h), m->len - sizeof(h));
    if (m->w.flags & C4I_F_UP)
        x->nkids--;
    comp_check(pe, c, x);
}

/* ---- The flow ------------------------------------------------------------------ */

c4_err
c4_bcastv(c4_pe *pe, c4_coll to, unsigned entry, const struct iovec *iov, int niov,
          c4_future done, unsigned flags)
{
    c4i_coll *c = c4i_coll_find(pe, to);
    c4i_wire w = c4i_wire_for(C4I_BREQ, to);

    if (!to)
        return c4_fail(pe, C4_EINVAL, "a broadcast to no collection");
    if (c4i_check_future(pe, done))
        return C4_EINVAL;
    if (c && entry >= c->nentries)
        return c4_fail(pe, C4_ENOENT, "%s has no entry method %u", c->type->name, entry);
    if (c && c->kind == C4_KIND_SINGLE)
        return c4_fail(pe, C4_EINVAL, "a broadcast to a single chare");
    w.entry = (uint16_t)entry;
    w.call = done;
    w.flags = (uint8_t)((done ? C4I_F_WANT : 0) | (flags & C4_BCAST_RESULTS ? C4I_F_RESULT : 0));
    /* A collection's number names its root, known or not. */
    c4i_post(pe, c ? c->root : to % pe->npes, &w, iov, niov);
    return C4_OK;
}

c4_err
c4_bcast(c4_pe *pe, c4_coll to, unsigned entry, const void *data, size_t len)
{
    struct iovec iov = { (void *)data, len };

    return c4_bcastv(pe, to, entry, &iov, 1, 0, 0);
}

void
c4i_on_breq(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    m->w.kind = C4I_BCAST;
    m->w.elem = ++c->nbcast;
    m->w.ep = (uint32_t)c->stable;
    m->w.seq = (uint32_t)(c->stable >> 32);
    c4i_on_bcast(pe, c, m);
}

bool
c4i_catch_up(c4_pe *pe, c4i_elem *e)
{
    c4i_coll *c = e->coll;
    c4i_bcast *bc;
    c4_call call = { 0 };
    c4_cause cause = { 0 };

    if (e->seen >= c->bseen)
        return false;
    e->seen++;
    bc = log_at(pe, c, e->seen);
    call.data = bc->data;
    call.len = bc->len;
    call.cache = &bc->cache;
    call.src = bc->src;
    if (bc->flags & C4I_F_WANT) {
        call.done = (c4_done){ 0, bc->b + 1, c->id, e->key, true, 0 };
        c4i_bcast_start(pe, c, bc->b, bc->flags);
    }
    cause.pe = bc->src;
    cause.trace = bc->trace;
    cause.nbytes = bc->len;
    cause.arrived = bc->arrived;
    pe->created++;
    c4i_execute(pe, e, bc->entry, &call, &cause);
    return true;
}

static c4i_elem *
task_elem(const c4i_task *t)
{
    return t->key ? c4i_elem_find(t->coll, t->key[t->at]) : t->coll->first;
}

/* Broadcast b on the elements that were here when it came. */
static bool
bcast_task(c4_pe *pe, c4i_task *t)
{
    c4i_coll *c = t->coll;
    uint64_t b = t->b;

    for (; t->at < t->n; t->at++) {
        c4i_elem *e = task_elem(t);

        if (e && e->seen < b) {
            c4i_catch_up(pe, e);            /* nothing may follow */
            return true;
        }
    }
    c4i_task_end(pe, t);
    free(t->key);
    free(t);
    c4i_bcast_finish(pe, c, b, false);
    c4i_low_check(pe, c);
    return false;
}

static void
plan_bcast(c4_pe *pe, c4i_coll *c, uint64_t b)
{
    c4i_task *t = c4i_alloc(sizeof(*t));

    t->run = bcast_task;
    t->coll = c;
    t->b = b;
    if (c->kind == C4_KIND_GROUP) {
        t->n = c->first ? 1 : 0;
    } else {
        t->key = c4i_alloc((c->nlocal + 1) * sizeof(*t->key));
        for (c4i_elem *e = c->first; e; e = e->next)
            t->key[t->n++] = e->key;
    }
    c4i_task_add(pe, t, b - 1);
}

/* An element with that `seen` was inserted by this PE (n 1) or ended on it (-1). */
void
c4i_issued_add(c4i_coll *c, int64_t n, uint64_t seen)
{
    c->nissued += n;
    if (seen <= c->bseen)
        return;
    if (c->nahead == c->ahead_cap) {
        c->ahead_cap = c->ahead_cap ? c->ahead_cap * 2 : 4;
        c->ahead = c4i_realloc(c->ahead, c->ahead_cap * sizeof(*c->ahead));
    }
    c->ahead[c->nahead++] = (c4i_ahead){ seen, n };
}

/* Elements born here so, less those that ended here, that take part in b; call
 * before bseen becomes b. */
static int64_t
issued_before(c4i_coll *c, uint64_t b)
{
    int64_t n = c->nissued;

    for (size_t i = 0; i < c->nahead; )
        if (c->ahead[i].seen >= b) {
            n -= c->ahead[i].n;
            if (c->ahead[i].seen == b) {    /* from b + 1 on it is like the others */
                c->ahead[i] = c->ahead[--c->nahead];
                continue;
            }
            i++;
        } else {
            c->ahead[i] = c->ahead[--c->nahead];
        }
    return n;
}

void
c4i_on_bcast(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    c4i_bcast *bc = c4i_alloc(sizeof(*bc));
    uint64_t stable = (uint64_t)m->w.seq << 32 | m->w.ep;
    uint8_t flags = m->w.flags & (C4I_F_WANT | C4I_F_RESULT);
    int64_t issued;

    for (uint32_t i = 0; i < c4i_tree_nkids(pe, c->root); i++) {
        c4i_wire w = m->w;

        w.ilen = 0;
        w.flags = flags;
        c4i_post_data(pe, c4i_tree_kid(pe, c->root, i), &w, m->data, m->len);
    }
    if (m->w.elem != c->bseen + 1)
        c4_abort(pe, "broadcast %llu of collection %u came after %llu",
                 (unsigned long long)m->w.elem, c->id, (unsigned long long)c->bseen);
    *bc = (c4i_bcast){ .b = m->w.elem, .entry = m->w.entry, .flags = flags, .future = m->w.call,
                       .len = m->len, .src = m->w.src, .trace = m->w.trace,
                        .arrived = m->arrived };
    if (m->mem == C4I_MEM_HEAP) {
        bc->data = (void *)m->data;
        m->mem = C4I_MEM_INLINE;
    } else {
        bc->data = c4i_alloc(m->len);
        memcpy(bc->data, m->data, m->len);
    }
    issued = issued_before(c, bc->b);
    log_add(c, bc);
    c->bseen = bc->b;
    if (flags & C4I_F_WANT)
        c4i_bcast_await(pe, c, bc, issued);
    plan_bcast(pe, c, bc->b);
    if (stable > c->stable)
        c->stable = stable;
    log_drop(pe, c, c->stable);
}

/* ---- Results ---------------------------------------------------------------------- */

c4_err
c4_finish(c4_pe *pe, const c4_done *done, const struct iovec *iov, int niov, bool is_error)
{
    c4i_coll *c;
    c4i_comp *x;

    if (!done->want)
        return C4_OK;
    if (done->section) {
        c4i_section_finish(pe, done, iov, niov, is_error);
        return C4_OK;
    }
    if (!done->bcast)
        return c4_future_sendv_flags(pe, done->future, iov, niov, is_error ? C4_VALUE_ERROR : 0);
    c = c4i_coll_find(pe, done->coll);
    x = c4i_comp_find(&c->comps, done->bcast - 1);
    if (x)
        c4i_comp_result(pe, x, done, iov, niov, is_error);
    c4i_bcast_finish(pe, c, done->bcast - 1, true);
    return C4_OK;
}

c4_err
c4_replyv(c4_pe *pe, const struct iovec *iov, int niov, bool is_error)
{
    c4_done done = pe->ctx.done;

    if (!done.want)
        return C4_OK;
    pe->ctx.done.want = false;
    return c4_finish(pe, &done, iov, niov, is_error);
}

c4_err
c4_reply(c4_pe *pe, const void *data, size_t len)
{
    struct iovec iov = { (void *)data, len };

    return c4_replyv(pe, &iov, 1, false);
}
