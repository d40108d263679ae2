/*
 * insert.c - insertion of elements, single chares, and the end of insertion.
 *
 * INSERT goes to the home, which sends CTOR to where the element will live [1].
 * What the inserting code had seen of broadcasts [2] and owes to reductions [3]
 * is the child's, too.
 *
 * Code outside of the array may insert until ckDoneInserting: a PE counts what it
 * inserts before the wave comes by, and the root learns the sum from it (c->closed
 * is the cut, so nothing depends on when the wave comes).  Later insertions go
 * through the root, which is then the inserting PE, to the protocols: the element sees
 * the broadcasts that get their numbers after it, and owes the reductions that
 * nobody has begun, as far as the root knows; those that follow expect it.
 * So a PE's own broadcast before its insertion is not for the element, one
 * after it is.
 *
 * An array that was made with sizes may grow, too: by an index outside of them, or
 * one whose element has ended.  PEs refuse calls to indexes outside until they
 * know; so the first such insertion waits at the root for a wave to all PEs,
 * and whoever is told by the new element may call it.
 *
 * An index that is in use may be about to end: INSERT then follows the element
 * as calls do.  Where it finds it, the element has been asked to end (whoever
 * knew that inserts again), and INSERT waits until it has, and goes home behind
 * the news; or it is a second one, and refused.  At home the new element
 * takes over the epoch and the inbox of the one that is gone, and leaves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { LATE = 1, GROWN };                   /* c4i_wire.entry of INSERT: to the root first */
enum { CLOSE, GROW };                       /* ... of CLOSED */

typedef struct ctor_head {
    c4_index index;
    int32_t  on_pe;                         /* -1: home or map decides */
    uint32_t at_sync;
    uint32_t inherits, pad;                 /* an inbox follows, before the arguments */
    uint64_t seen, sync_birth;
    c4i_mark red;
} ctor_head;

/* Protocol numbers of an element that is inserted by code running here. */
static void
birth(c4i_coll *c, ctor_head *h, c4i_elem *p)
{
    h->seen = c->bseen;
    if (p && p->seen > h->seen)
        h->seen = p->seen;                  /* B5: what made P insert is not for the child */
    if (p) {                                /* owes what its inserter owes, told by it */
        h->red.next = h->red.birth = p->red.next;
        h->red.gen = (p->red.birth == p->red.next ? p->red.gen : 0) + 1;
        p->red.nborn++;
    } else if (c->closed) {                 /* here is the root */
        h->red.next = h->red.birth = c4i_red_late(&c->red);
    } else {
        c->nissued_main++;                  /* owes all, told by the wave that closes */
    }
    c4i_unacked_add(c, h->seen);
    c4i_issued_add(c, 1, h->seen);
}

/* Home, or if all PEs must know first to the root. */
static void
post_insert(c4_pe *pe, c4i_coll *c, c4i_wire *w, const struct iovec *iov)
{
    if (c4i_is_grown(c, w->elem)) {
        c->grows = true;
        w->entry = GROWN;
    }
    c4i_post(pe, w->entry ? c->root : c4i_home(pe, c, w->elem), w, iov, 2);
}

static c4_err
insert_now(c4_pe *pe, c4i_coll *c, ctor_head *h, const void *args, size_t len,
           c4_future created)
{
    c4i_wire w = c4i_wire_for(C4I_INSERT, c->id);
    struct iovec iov[2] = { { h, sizeof(*h) }, { (void *)args, len } };
    c4i_elem *parent = pe->ctx.elem && pe->ctx.elem->coll == c ? pe->ctx.elem : NULL;

    if (c->kind != C4_KIND_ARRAY)
        return c4_fail(pe, C4_ESTATE, "insertion into what is no array");
    if (c4_key_of(&c->dims, &h->index, &w.elem) == C4_EINVAL)
        return c4_fail(pe, C4_EINVAL, "an index of %d dimensions, the array has %d", h->index.n,
                       c->dims.n);
    if (h->on_pe >= (int)pe->npes)
        return c4_fail(pe, C4_ERANGE, "insertion on PE %d; there are %u", h->on_pe, pe->npes);
    h->at_sync = c->at_sync || h->at_sync;
    if (h->at_sync)
        h->sync_birth = c4i_sync_issue(pe, 1);
    if (h->on_pe < 0 && c->map_coll && c->sparse)
        h->on_pe = (int32_t)c4i_map_home(pe, c, &h->index);
    w.call = created;
    w.flags = created ? C4I_F_WANT : 0;
    if (c->closed && !parent && c->root != pe->me) {
        w.entry = LATE;
        c->grows = c->grows || c4i_is_grown(c, w.elem);
        c4i_post(pe, c->root, &w, iov, 2);
        return C4_OK;
    }
    birth(c, h, parent);
    post_insert(pe, c, &w, iov);
    return C4_OK;
}

/* At the root, which knows that insertion is over: the wave began here. */
static void
insert_late(c4_pe *pe, c4i_coll *c, c4i_msg *m, ctor_head *h)
{
    c4i_wire w = c4i_wire_for(C4I_INSERT, c->id);
    struct iovec iov[2] = { { h, sizeof(*h) }, { (char *)m->data + sizeof(*h), m->len - sizeof(*h) } };

    birth(c, h, NULL);
    w.elem = m->w.elem;
    w.call = m->w.call;
    w.flags = m->w.flags & C4I_F_WANT;
    post_insert(pe, c, &w, iov);
    pe->processed++;
}

static void
grow_down(c4_pe *pe, c4i_coll *c)
{
    c->grows = true;
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, c->root); i++) {
        c4i_wire w = c4i_wire_for(C4I_CLOSED, c->id);

        w.entry = GROW;
        c4i_post_data(pe, c4i_tree_kid(pe, c->root, i), &w, NULL, 0);
    }
}

/* Answers when all children have; at the root what waits for it goes on. */
static void
grow_check(c4_pe *pe, c4i_coll *c)
{
    c4i_wire w = c4i_wire_for(C4I_CLOSED, c->id);

    if (c->grow_heard < c4i_tree_nkids(pe, c->root))
        return;
    if (pe->me != c->root) {
        w.entry = GROW;
        w.flags = C4I_F_UP;
        c4i_post_data(pe, c4i_tree_parent(pe, c->root), &w, NULL, 0);
        return;
    }
    c->all_know = true;
    for (c4i_msg *m; (m = c4i_queue_pop(&c->growing)); )
        c4i_queue_push(&pe->local, m);
}

/* At the root. */
static void
insert_grown(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    bool first = !c->all_know && !c->growing.head;

    if (c->all_know) {
        m->w.entry = 0;
        c4i_queue_push(&pe->local, c4i_msg_keep(pe, m));    /* to be sent home */
        return;
    }
    c4i_queue_push(&c->growing, c4i_msg_keep(pe, m));
    if (first) {
        grow_down(pe, c);
        grow_check(pe, c);
    }
}

/* The array's proxy came here before the array: insertion waits for it. */
static c4_err
insert_later(c4_pe *pe, c4_array array, const ctor_head *h, const void *args, size_t len,
             c4_future created)
{
    c4i_msg m = { .w = c4i_wire_for(C4I_INSERT, array), .mem = C4I_MEM_HEAP };
    c4_buf flat = { 0 };

    if (c4_buf_add(&flat, h, sizeof(*h)) || c4_buf_add(&flat, args, len)) {
        c4_buf_release(&flat);
        return c4_fail(pe, C4_ENOMEM, "out of memory for constructor arguments");
    }
    m.w.src = pe->me;
    m.w.hops = C4I_HOPS_UNSENT;
    m.w.call = created;
    m.w.flags = C4I_F_COUNTED;
    pe->created++;
    m.data = flat.data;
    m.len = flat.len;
    if (pe->want_sent) {                    /* the message will be sent when the array is known */
        c4_cause cause = c4_cause_event(pe, C4_EVENT_POST);

        m.w.trace = cause.trace;
        m.arrived = cause.arrived;
    }
    c4i_pend(pe, &m);
    return C4_OK;
}

c4_err
c4_insert(c4_pe *pe, c4_array array, const c4_index *index, int on_pe, const c4_opts *opts)
{
    c4_opts none = { 0 };
    c4i_coll *c = c4i_coll_find(pe, array);
    ctor_head h = { .index = *index, .on_pe = on_pe };

    opts = opts ? opts : &none;
    h.at_sync = opts->at_sync;
    if (!array)
        return c4_fail(pe, C4_EINVAL, "there is no collection 0");
    if (c4i_check_future(pe, opts->created))
        return C4_EINVAL;
    if (!c)
        return insert_later(pe, array, &h, opts->args, opts->len, opts->created);
    return insert_now(pe, c, &h, opts->args, opts->len, opts->created);
}

static bool
same_index(const c4_index *a, const c4_index *b)
{
    return a->n == b->n && memcmp(a->at, b->at, (size_t)a->n * sizeof(a->at[0])) == 0;
}

static void
index_text(const c4_index *index, char *text, size_t n)
{
    size_t k = 0;

    text[0] = 0;
    for (int i = 0; i < index->n && k < n; i++)
        k += (size_t)snprintf(text + k, n - k, "%s%lld", i ? ", " : "", (long long)index->at[i]);
}

static void
ctor_head_get(c4_pe *pe, const c4i_msg *m, ctor_head *h)
{
    if (m->len >= sizeof(*h))
        memcpy(h, m->data, sizeof(*h));
    if (m->len < sizeof(*h) || h->index.n < 1 || h->index.n > C4_MAXDIMS
        || h->on_pe >= (int64_t)pe->npes || h->red.gen > C4I_MOST_GENERATIONS)
        c4_abort(pe, "malformed message: insertion");
}

/* Why there cannot be an element of this index: there is one. */
static void
refuse(c4_pe *pe, const c4i_coll *c, const c4i_elem *e, const c4_index *index)
{
    char text[160];

    index_text(index, text, sizeof(text));
    if (e->index && !same_index(e->index, index))
        c4i_user_error(pe, c4_fail(pe, C4_EEXIST, "indexes of an array clash: (%s) has the key of "
                                   "another element", text));
    else
        c4i_user_error(pe, c4_fail(pe, C4_EEXIST, "element (%s) of %s is inserted twice", text,
                                   c->type->name));
    pe->processed++;
}

/* The element is made here, in the place and with the inbox of an earlier one. */
static void
construct(c4_pe *pe, c4i_coll *c, c4i_msg *m, const ctor_head *h, c4i_inbox *in, size_t args)
{
    c4i_elem *e = c4i_elem_new(c, m->w.elem, &h->index);
    c4_call call = { .src = m->w.src };
    c4_cause cause = c4i_cause_of(pe, m);
    c4i_wire ack = c4i_wire_for(C4I_ACK, c->id);

    cause.nbytes = sizeof(*h) + m->len - args;      /* without what it inherits: as it was sent */
    e->ep = m->w.ep ? m->w.ep : 1;
    e->in = *in;
    e->at_sync = h->at_sync;
    e->seen = e->born = h->seen;
    e->red = h->red;
    if (c->kind == C4_KIND_ARRAY) {
        ack.call = h->seen;
        c4i_post_data(pe, m->w.src, &ack, NULL, 0);
    }
    c4i_elem_link(pe, e);
    c4i_elem_made(pe, e);
    c4i_sync_joined(pe, e, h->sync_birth);
    c4i_red_check(pe, &c->red);
    call.data = (const char *)m->data + args;
    call.len = m->len - args;
    if (m->w.flags & C4I_F_WANT)
        call.done = (c4_done){ m->w.call, 0, c->id, e->key, true, 0 };
    pe->cur = m;
    c4i_execute(pe, e, C4_ENTRY_CREATE, &call, &cause);
}

/* CTOR to another PE; in: OPTIONAL. */
static void
send_ctor(c4_pe *pe, c4i_msg *m, ctor_head *h, c4i_inbox *in, uint32_t to)
{
    c4_buf b = { 0 };

    if (in) {
        h->inherits = true;
        if (c4_buf_add(&b, h, sizeof(*h)))
            c4_abort(pe, "out of memory for an element that is inserted again");
        c4i_inbox_pack(pe, &b, in);
        if (c4_buf_add(&b, (const char *)m->data + sizeof(*h), m->len - sizeof(*h)))
            c4_abort(pe, "out of memory for an element that is inserted again");
        c4i_msg_drop(pe, m);
        m->data = b.data;
        m->len = b.len;
        m->mem = C4I_MEM_HEAP;
    }
    m->w.hops = 1;                          /* it has been received once */
    c4i_forward(pe, to, m);
}

/* At the home, where no element of the index is: it gets its record, and its place. */
static void
insert_here(c4_pe *pe, c4i_coll *c, c4i_msg *m, ctor_head *h)
{
    c4i_loc *loc = c4i_table_get(&c->table, m->w.elem);
    uint32_t to = h->on_pe >= 0 ? (uint32_t)h->on_pe : pe->me;
    c4i_inbox *ghost = loc->pe == C4I_GONE ? loc->ghost : NULL, in = { 0 };

    if (loc->pe == C4I_GONE)
        loc->ghost = NULL;
    m->w.kind = C4I_CTOR;
    m->w.ep = loc->ep + 1;
    loc->pe = to;
    loc->ep = m->w.ep;
    c4i_reroute(pe, loc);
    if (to != pe->me) {
        send_ctor(pe, m, h, ghost, to);
        if (ghost)
            c4i_inbox_release(pe, ghost);
        free(ghost);
        return;
    }
    if (ghost)
        in = *ghost;
    free(ghost);
    construct(pe, c, m, h, &in, sizeof(*h));
}

/* On its way to the home, or after an element of the same index. */
void
c4i_on_insert(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    c4i_loc *loc;
    uint32_t home;
    ctor_head h;

    ctor_head_get(pe, m, &h);
    if (m->w.hops == C4I_HOPS_UNSENT) {
        c4i_user_error(pe, insert_now(pe, c, &h, (const char *)m->data + sizeof(h),
                                      m->len - sizeof(h), m->w.call));
        pe->processed++;
        return;
    }
    if (m->w.entry == LATE || m->w.entry == GROWN) {
        if (m->w.entry == LATE)
            insert_late(pe, c, m, &h);
        else
            insert_grown(pe, c, m);
        return;
    }
    loc = c4i_table_find(&c->table, m->w.elem);
    home = c4i_home(pe, c, m->w.elem);
    if (loc && loc->elem && loc->elem->move_to != C4I_GONE)
        refuse(pe, c, loc->elem, &h.index);
    else if (loc && loc->elem)
        c4i_park(pe, loc, m);               /* until it has ended */
    else if (home == pe->me && (!loc || !loc->ep || loc->pe == C4I_GONE))
        insert_here(pe, c, m, &h);
    else
        c4i_pursue(pe, c, loc, m);
}

void
c4i_on_ctor(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    c4_pup p = { .mode = C4_PUP_UNPACK, .pe = pe, .buf = (unsigned char *)m->data, .size = m->len,
                 .off = sizeof(ctor_head) };
    ctor_head h;
    c4i_loc *loc = c4i_table_find(&c->table, m->w.elem);
    c4i_inbox in = { 0 };

    ctor_head_get(pe, m, &h);
    if (c->kind == C4_KIND_GROUP || (loc && loc->elem))
        c4_abort(pe, "malformed message: constructor of an element that is here");
    if (h.inherits)
        c4i_inbox_unpack(pe, &in, &p);
    construct(pe, c, m, &h, &in, p.off);
}

c4_err
c4_chare_new(c4_pe *pe, const c4_type *type, int on_pe, const c4_opts *opts, c4_chare *out)
{
    c4_opts none = { 0 };
    c4i_wire w = c4i_wire_for(C4I_CTOR, c4_single_coll(pe, type));
    ctor_head h = { .index = { 1, { 0 } } };
    struct iovec iov[2];
    uint32_t to = on_pe >= 0 ? (uint32_t)on_pe : pe->next_single % pe->npes;

    opts = opts ? opts : &none;
    if (to >= pe->npes)
        return c4_fail(pe, C4_ERANGE, "a chare on PE %d; there are %u", on_pe, pe->npes);
    if (!c4i_coll_find(pe, w.coll))
        return c4_fail(pe, C4_ENOENT, "chare type %s is not registered", type->name);
    w.elem = (uint64_t)to << 48 | (uint64_t)pe->me << 32 | pe->next_single++;
    if (c4i_check_future(pe, opts->created))
        return C4_EINVAL;
    w.call = opts->created;
    w.flags = opts->created ? C4I_F_WANT : 0;
    iov[0] = (struct iovec){ &h, sizeof(h) };
    iov[1] = (struct iovec){ (void *)opts->args, opts->len };
    *out = (c4_chare){ w.elem, w.coll };
    c4i_post(pe, to, &w, iov, 2);
    return C4_OK;
}

/* ---- Closing insertion: a wave down the tree and up ---------------------------- */

c4_err
c4_done_inserting(c4_pe *pe, c4_array array)
{
    c4i_wire w = c4i_wire_for(C4I_CLOSED, array);

    if (!array)
        return c4_fail(pe, C4_EINVAL, "there is no collection 0");
    c4i_post_data(pe, array % pe->npes, &w, NULL, 0);
    return C4_OK;
}

/* Answers when all children have; the root then knows how many elements owe. */
static void
closed_check(c4_pe *pe, c4i_coll *c)
{
    c4i_wire w = c4i_wire_for(C4I_CLOSED, c->id);

    if (c->close_heard < c4i_tree_nkids(pe, c->root))
        return;
    if (pe->me != c->root) {
        w.flags = C4I_F_UP;
        w.call = c->close_sum;
        c4i_post_data(pe, c4i_tree_parent(pe, c->root), &w, NULL, 0);
        return;
    }
    c->red.expect = (int64_t)(c->ndense + c->close_sum);
    c4i_red_admit(&c->red);
    c4i_red_complete(pe, &c->red);
}

void
c4i_on_closed(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    if (m->w.entry == GROW) {
        if (m->w.flags & C4I_F_UP)
            c->grow_heard++;
        else
            grow_down(pe, c);
        grow_check(pe, c);
        return;
    }
    if (m->w.flags & C4I_F_UP) {
        c->close_sum += m->w.call;
        c->close_heard++;
        closed_check(pe, c);
        return;
    }
    if (c->closed)
        return;                             /* called twice, or for a dense array */
    c->closed = true;
    c4i_sync_close_check(pe);
    c->red.hold = false;
    c4i_red_check(pe, &c->red);
    c->close_sum += c->nissued_main;
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, c->root); i++) {
        c4i_wire w = c4i_wire_for(C4I_CLOSED, c->id);

        c4i_post_data(pe, c4i_tree_kid(pe, c->root, i), &w, NULL, 0);
    }
    closed_check(pe, c);
}
