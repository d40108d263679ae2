/*
 * location.c - where elements are, and how messages and elements get there [1].
 *
 * States of an element: here (local on one PE), in flight (inside exactly one
 * MIGRATE or CTOR message), destroyed.  Who knows of it: its home always has a
 * record; a PE it left has a forwarding entry; a PE that sent to it may have a
 * cached one.  All are c4i_loc entries with a location epoch.
 *
 * Its end is a departure to its home, where its inbox stays and messages to it
 * are dropped, in order.  If the index is used again, that is a departure from
 * there: the new element goes on with epoch and inbox, so that to the protocols
 * here and to senders all elements of an index are one (I1 to I3 hold).
 *
 * I1  An entry's (pe, ep) changes only to a larger ep.
 * I2  What an entry or a message names is a fact: the element was, is or will
 *     be at pe with that ep.
 * I3  A message's ep rises with every forward that uses an entry, so it cannot
 *     go in circles.
 *
 * Networks are FIFO per pair, hints come only from the PE that delivered and
 * HOME only on arrival; so entries other than homes' may be forgotten at any
 * time ([1], dropping (a)); a message that then finds no entry goes home.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

/* ---- Routing ---------------------------------------------------------------- */

void
c4i_park(c4_pe *pe, c4i_loc *loc, c4i_msg *m)
{
    if (!loc->wait) {
        loc->wait = c4i_alloc(sizeof(*loc->wait));
        c4i_queue_init(loc->wait);
    }
    c4i_queue_push(loc->wait, c4i_msg_keep(pe, m));
}

/* A message may chase a restless element for long; the last number is a mark. */
static void
count_hop(c4i_msg *m)
{
    if (m->w.hops < C4I_HOPS_UNSENT - 1)
        m->w.hops++;
}

/* A call to an element that was destroyed: whoever waits for it is told. */
static void
dead_letter(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    if (m->w.entry == C4I_ENTRY_JOIN)
        c4_abort(pe, "a section with element %llu of %s, which was destroyed",
                 (unsigned long long)m->w.elem, c->type->name);
    if (m->w.flags & C4I_F_WANT)
        c4i_future_lost(pe, m->w.call);
    pe->ndead++;
    if (m->w.flags & C4I_F_COUNTED)
        pe->processed++;
    c4i_msg_drop(pe, m);
}

/* m goes after an element that is not here; loc: what is known of it, or NULL. */
void
c4i_pursue(c4_pe *pe, c4i_coll *c, c4i_loc *loc, c4i_msg *m)
{
    uint32_t home;

    if (loc && loc->ep > m->w.ep && loc->pe != pe->me) {
        m->w.ep = loc->ep;
        count_hop(m);
        c4i_forward(pe, loc->pe, m);
        return;
    }
    home = c4i_home(pe, c, m->w.elem);
    if (home == pe->me || (loc && loc->ep && loc->pe == pe->me)) {
        c4i_park(pe, loc ? loc : c4i_table_get(&c->table, m->w.elem), m);
        return;
    }
    count_hop(m);
    c4i_forward(pe, home, m);               /* keeps ep: home parks until it knows more */
}

/* Send, arrival, re-route of parked, popped from the queue: all come here. */
void
c4i_route(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    c4i_loc *loc;

    if (c->kind == C4_KIND_GROUP) {
        if (m->w.elem != pe->me || !c->first)
            c4_abort(pe, "message for member %llu of a group on PE %u",
                     (unsigned long long)m->w.elem, pe->me);
        c4i_deliver(pe, c->first, m);
        return;
    }
    loc = c4i_table_find(&c->table, m->w.elem);
    if (loc && loc->elem) {
        c4i_deliver(pe, loc->elem, m);
        return;
    }
    if (loc && loc->pe == C4I_GONE) {
        if (!loc->ghost || c4i_inbox_take(pe, loc->ghost, m))
            dead_letter(pe, c, m);
        return;
    }
    c4i_pursue(pe, c, loc, m);
}

/* Parked messages are looked at again. */
void
c4i_reroute(c4_pe *pe, c4i_loc *loc)
{
    if (!loc->wait)
        return;
    *pe->local.tail = loc->wait->head;
    pe->local.tail = loc->wait->tail;
    free(loc->wait);
    loc->wait = NULL;
}

void
c4i_learn(c4_pe *pe, c4i_coll *c, uint64_t key, uint32_t at, uint32_t ep)
{
    c4i_loc *loc = c4i_table_get(&c->table, key);

    if (loc->elem || ep <= loc->ep)
        return;
    loc->pe = at;
    loc->ep = ep;
    c4i_reroute(pe, loc);
}

/* HOME and HINT: where an element is, or that it is gone, with its inbox. */
void
c4i_on_home(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    c4_pup p = { .mode = C4_PUP_UNPACK, .pe = pe, .buf = (unsigned char *)m->data, .size = m->len };
    c4i_loc *loc;

    if (m->w.entry != C4I_HOME_GONE) {
        c4i_learn(pe, c, m->w.elem, m->w.src, m->w.ep);
        return;
    }
    loc = c4i_table_get(&c->table, m->w.elem);
    if (loc->elem || m->w.ep <= loc->ep)
        c4_abort(pe, "malformed message: the end of element %llu of %s, which lives",
                 (unsigned long long)m->w.elem, c->type->name);
    c4i_reroute(pe, loc);
    loc->pe = C4I_GONE;
    loc->ep = m->w.ep;
    if (c->kind != C4_KIND_ARRAY)
        return;
    loc->ghost = c4i_alloc(sizeof(*loc->ghost));
    c4i_inbox_unpack(pe, loc->ghost, &p);
}

/* ---- Sending ------------------------------------------------------------------ */

/* The PE a new message for loc's element goes to first. */
static uint32_t
first_hop(c4_pe *pe, c4i_coll *c, c4i_loc *loc, c4i_wire *w)
{
    w->ep = 0;
    if (loc->elem || loc->pe == C4I_GONE)
        return pe->me;
    if (loc->ep && loc->pe != pe->me) {
        w->ep = loc->ep;
        return loc->pe;
    }
    if (loc->ep)
        return c4i_home(pe, c, w->elem);
    if (loc->pe == C4I_NOPE)
        loc->pe = c4i_home(pe, c, w->elem); /* no knowledge, but it spares two divisions */
    return loc->pe;
}

/* Forgets a cached location, for tests that stress the way home. */
static void
stress_evict(c4_pe *pe, c4i_coll *c, c4i_loc *loc)
{
    if (!loc->elem && c4i_home(pe, c, loc->key) != pe->me && !loc->wait
        && c4i_stress_rand(pe, 4) == 0) {
        loc->ep = 0;
        loc->pe = C4I_NOPE;
    }
}

static c4_err
send_unknown(c4_pe *pe, c4i_wire *w, const struct iovec *iov, int niov)
{
    c4i_msg m = { .mem = C4I_MEM_HEAP };
    c4_buf flat = { 0 };

    if (!w->coll)
        return c4_fail(pe, C4_EINVAL, "a call to no collection");
    for (int i = 0; i < niov; i++)
        if (c4_buf_add(&flat, iov[i].iov_base, iov[i].iov_len)) {
            c4_buf_release(&flat);
            return c4_fail(pe, C4_ENOMEM, "out of memory for a message");
        }
    m.w = *w;
    m.w.src = pe->me;
    m.w.hops = C4I_HOPS_UNSENT;
    m.w.flags |= C4I_F_COUNTED;
    pe->created++;
    m.data = flat.data;
    m.len = flat.len;
    if (pe->want_sent)
        m.arrived = c4i_record_sent(pe, &m.w, C4I_CALL, pe->me, m.len);
    c4i_pend(pe, &m);
    return C4_OK;
}

static bool
pended(c4_pe *pe, c4_coll id)
{
    for (c4i_pending *p = pe->pending; p; p = p->next)
        if (p->coll == id)
            return true;
    return false;
}

c4_err
c4i_check_elem(c4_pe *pe, const c4i_coll *c, uint64_t key)
{
    if (c->kind == C4_KIND_GROUP && key >= pe->npes)
        return c4_fail(pe, C4_ERANGE, "a group's member %llu; there are %u PEs",
                       (unsigned long long)key, pe->npes);
    if (c->kind == C4_KIND_GROUP && !c4i_group_has(c, key))
        return c4_fail(pe, C4_ERANGE, "a group's member %llu; the group has none on that PE",
                       (unsigned long long)key);
    if (c->kind == C4_KIND_SINGLE && key >> 48 >= pe->npes)
        return c4_fail(pe, C4_ERANGE, "%llx is no single chare of type %s",
                       (unsigned long long)key, c->type->name);
    if (c->kind == C4_KIND_ARRAY && !c->sparse && key >= c->ndense
        && !(c->grows && c4i_is_grown(c, key)))
        return c4_fail(pe, C4_ERANGE, "element %llu of an array of %llu",
                       (unsigned long long)key, (unsigned long long)c->ndense);
    return C4_OK;
}

static c4_err
check_target(c4_pe *pe, const c4i_coll *c, c4_chare to, unsigned entry)
{
    if (entry >= c->nentries)
        return c4_fail(pe, C4_ENOENT, "%s has no entry method %u", c->type->name, entry);
    return c4i_check_elem(pe, c, to.idx);
}

uint32_t
c4i_address(c4_pe *pe, c4i_coll *c, c4i_wire *w)
{
    c4i_loc *loc;

    if (c->kind == C4_KIND_GROUP)
        return (uint32_t)w->elem;
    loc = c4i_table_get(&c->table, w->elem);
    if (__builtin_expect(pe->stress & C4I_STRESS_EVICT, 0))
        stress_evict(pe, c, loc);
    w->seq = loc->nsent++;
    return first_hop(pe, c, loc, w);
}

c4_err
c4_sendv(c4_pe *pe, c4_chare to, unsigned entry, const struct iovec *iov, int niov, c4_future done)
{
    c4i_coll *c = c4i_coll_find(pe, to.coll);
    c4i_wire w = { .coll = to.coll, .entry = (uint16_t)entry, .elem = to.idx, .call = done };
    uint32_t dst;
    c4_err err;

    w.kind = C4I_CALL;
    w.flags = done ? C4I_F_WANT : 0;
    if (pe->exit != C4I_RUNNING)
        return C4_OK;
    if (__builtin_expect(done != 0, 0) && c4i_check_future(pe, done))
        return C4_EINVAL;
    if (!c || (pe->pending && pended(pe, to.coll)))
        return send_unknown(pe, &w, iov, niov);
    err = check_target(pe, c, to, entry);
    if (err)
        return err;
    if (c->kind == C4_KIND_GROUP) {
        dst = (uint32_t)to.idx;
    } else {
        c4i_loc *loc = c4i_table_get(&c->table, to.idx);

        if (__builtin_expect(pe->stress & C4I_STRESS_EVICT, 0))
            stress_evict(pe, c, loc);
        dst = first_hop(pe, c, loc, &w);
        w.seq = loc->nsent++;
    }
    c4i_post(pe, dst, &w, iov, niov);
    return C4_OK;
}

/* A call made here before the collection was known gets its number now. */
void
c4i_resend(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    c4_chare to = { m->w.elem, m->w.coll };
    uint32_t dst = (uint32_t)to.idx;

    if (check_target(pe, c, to, m->w.entry))
        c4_abort(pe, "a call made before its collection was known: %s", c4_error(pe));
    if (c->kind != C4_KIND_GROUP) {
        c4i_loc *loc = c4i_table_get(&c->table, to.idx);

        dst = first_hop(pe, c, loc, &m->w);
        m->w.seq = loc->nsent++;
    }
    m->w.hops = dst != pe->me;              /* recorded as sent to this PE, and sent on */
    c4i_forward(pe, dst, m);
}

c4_err
c4_send(c4_pe *pe, c4_chare to, unsigned entry, const void *data, size_t len)
{
    struct iovec iov = { (void *)data, len };

    return c4_sendv(pe, to, entry, &iov, 1, 0);
}

/* The record of an element that is here, or whose constructor has yet to run here, as
 * nobody has heard of it elsewhere: a message waits for it.  Else NULL.  Elements that
 * are inserted come to be where their messages say. */
static c4i_loc *
here_or_soon(c4_pe *pe, c4i_coll *c, uint64_t key)
{
    c4i_loc *loc = c4i_table_find(&c->table, key);

    if (loc && (loc->elem || loc->ep || loc->pe == C4I_GONE))
        return loc->elem ? loc : NULL;
    if (c->kind == C4_KIND_ARRAY && (c->sparse || key >= c->ndense))
        return NULL;
    if (!loc)
        loc = c4i_table_get(&c->table, key);
    if (loc->pe == C4I_NOPE)
        loc->pe = c4i_home(pe, c, key);     /* as first_hop() keeps it */
    return loc->pe == pe->me ? loc : NULL;
}

c4_err
c4_send_ref(c4_pe *pe, c4_chare to, unsigned entry, void *ref, c4_future done)
{
    c4i_coll *c = c4i_coll_find(pe, to.coll);
    c4i_loc *loc = NULL;
    c4i_msg *m;

    if (!c || (pe->pending && pended(pe, to.coll)))
        return C4_EREMOTE;
    if (c->kind == C4_KIND_GROUP) {
        if (to.idx != pe->me || !c4i_group_has(c, pe->me))
            return C4_EREMOTE;
    } else if (!(loc = here_or_soon(pe, c, to.idx))) {
        return C4_EREMOTE;
    }
    m = c4i_msg_new(pe);
    m->w = (c4i_wire){ .coll = to.coll, .entry = (uint16_t)entry, .elem = to.idx, .call = done,
                       .src = pe->me, .seq = loc ? loc->nsent++ : 0 };
    m->w.kind = C4I_CALL;
    m->w.flags = (uint8_t)((done ? C4I_F_WANT : 0) | C4I_F_COUNTED);
    m->data = ref;
    m->len = 0;
    m->owner = (void *)c->type->binding;
    m->mem = C4I_MEM_REF;
    m->arrived = 0;
    pe->created++;
    if (__builtin_expect(pe->want_sent, 0))
        m->arrived = c4i_record_sent(pe, &m->w, C4I_CALL, pe->me, 0);
    c4i_queue_push(&pe->local, m);
    return C4_OK;
}

/* ---- Migration ------------------------------------------------------------------ */

enum {
    ALIGN = 16,                             /* of the user's state in the message */
    KEEP_SCRATCH = 32 << 20                 /* bytes kept for the next element to be packed */
};

/* The protocol numbers that travel with an element; its inbox and the user's
 * state follow. */
typedef struct travel {
    uint32_t ep, why;
    uint64_t seen, born, ahead;
    c4i_mark red, sync;
    c4_index index;
    uint8_t  migratable, at_sync, waiting, pad[5];
    uint64_t wall, cpu_ns;                  /* of c4i_elem */
    double   user_load;
    uint64_t nsmark;
} travel;

static void
add(c4_pe *pe, c4_buf *b, const void *data, size_t len)
{
    if (c4_buf_add(b, data, len))
        c4_abort(pe, "out of memory for a migrating element");
}

/* The user's state behind b: into the transport's own memory, if it has some. */
static struct iovec
pack_user(c4_pe *pe, c4_buf *b, c4i_elem *e)
{
    c4_pup p = { .mode = C4_PUP_SIZE, .pe = pe, .self_size = e->coll->type->size };
    const c4i_transport_ops *net = pe->net->ops;
    unsigned char *to;

    e->coll->type->pup(&p, e->obj);
    if (p.failed)
        c4_abort(pe, "chare of type %s cannot be packed%s%s", e->coll->type->name,
                 pe->error[0] ? ": " : "", pe->error);
    to = net->room ? net->room(pe->net, b->len + p.off) : NULL;
    if (to) {
        memcpy(to, b->data, b->len);
    } else if (b->cap < b->len + p.off) {
        b->data = c4i_realloc(b->data, b->len + p.off);
        b->cap = b->len + p.off;
    }
    to = to ? to : b->data;
    p.mode = C4_PUP_PACK;
    p.buf = to + b->len;
    p.size = p.off;
    p.off = 0;
    e->coll->type->pup(&p, e->obj);
    if (p.failed || p.off != p.size)
        c4_abort(pe, "chare of type %s packed other than the %zu bytes that it had sized",
                 e->coll->type->name, p.size);
    e->nbytes = p.size;
    return (struct iovec){ to, b->len + p.size };
}

static struct iovec
pack_elem(c4_pe *pe, c4_buf *b, c4i_elem *e, int why)
{
    static const unsigned char zero[ALIGN];
    travel t = {
        .ep = e->ep, .why = (uint32_t)why, .seen = e->seen, .born = e->born,
        .ahead = e->ahead, .red = e->red, .sync = e->sync, .migratable = e->migratable,
        .at_sync = e->at_sync, .waiting = e->waiting, .wall = e->wall, .cpu_ns = e->cpu_ns,
        .user_load = e->user_load, .nsmark = e->nsmark
    };

    if (e->index)
        t.index = *e->index;
    add(pe, b, &t, sizeof(t));
    add(pe, b, e->smark, e->nsmark * sizeof(*e->smark));
    c4i_inbox_pack(pe, b, &e->in);
    add(pe, b, zero, (ALIGN - b->len % ALIGN) % ALIGN);
    return pack_user(pe, b, e);
}

/* The element leaves: nothing of it may be running. */
void
c4i_move(c4_pe *pe, c4i_elem *e, uint32_t to, int why)
{
    c4i_coll *c = e->coll;
    c4i_wire w = c4i_wire_for(C4I_MIGRATE, c->id);
    c4i_loc *loc;
    c4i_smark *smark = e->smark;
    uint32_t nsmark = e->nsmark;
    uint64_t begin = pe->timing ? c4i_ticks(&pe->clock) : 0;
    c4_buf *b = &pe->scratch;
    struct iovec packed;

    e->ep++;
    b->len = 0;
    packed = pack_elem(pe, b, e, why);
    w.elem = e->key;
    w.ep = e->ep;
    if (e->at_sync)
        pe->lb_carry -= (int64_t)e->wall;   /* told where it goes */
    if (pe->has_rec && pe->rec.object)      /* before it is sent: it arrives after it has left */
        pe->rec.object(pe->rec.ctx, C4I_OBJ_LEFT, c4i_chare_of(e), NULL, C4I_NOPE, to, e->nbytes, why,
                       c4i_ticks(&pe->clock));
    c4i_post(pe, to, &w, &packed, 1);
    if (c->kind == C4_KIND_ARRAY)
        c4i_unacked_add(c, e->seen);
    c4i_elem_unlink(pe, e);
    c4i_sync_left(pe, e);
    loc = c4i_table_find(&c->table, e->key);
    loc->elem = NULL;
    loc->pe = to;
    loc->ep = e->ep;
    c4i_reroute(pe, loc);
    e->smark = NULL;
    if (c->type->destroy)
        c->type->destroy(pe, e->obj);
    c4i_elem_free(pe, e);
    c4i_red_check(pe, &c->red);             /* R1: its part may have been waited for */
    c4i_red_check(pe, &pe->sync);
    c4i_sections_check(pe, smark, nsmark);
    free(smark);
    if (pe->timing && pe->has_rec)
        pe->rec.activity(pe->rec.ctx, C4I_ACT_MIGRATE_OUT, begin, c4i_ticks(&pe->clock));
    if (b->cap > KEEP_SCRATCH)
        c4_buf_release(b);
}

/* e's inbox is its home's from now on. */
static void
send_home(c4_pe *pe, c4i_elem *e)
{
    c4i_coll *c = e->coll;
    c4i_wire w = c4i_wire_for(C4I_HOME, c->id);
    c4_buf b = { 0 };

    w.elem = e->key;
    w.ep = e->ep;
    w.entry = C4I_HOME_GONE;
    if (c->kind == C4_KIND_ARRAY)
        c4i_inbox_pack(pe, &b, &e->in);
    c4i_post_data(pe, c4i_home(pe, c, e->key), &w, b.data, b.len);
    c4_buf_release(&b);
}

/* Early messages to a single chare, whose number is used once, will never be in
 * their turn. */
static void
end_early(c4_pe *pe, c4i_elem *e)
{
    for (c4i_early *from = e->in.early; from; from = from->next)
        for (c4i_msg *m; (m = c4i_queue_pop(&from->queue)); c4i_msg_free(pe, m))
            dead_letter(pe, e->coll, m);
}

/* One departure more, to the home, where only its inbox arrives.  What it owes
 * to reductions and to AtSync is settled by records; by B1 it took part in
 * exactly the broadcasts up to seen. */
void
c4i_end(c4_pe *pe, c4i_elem *e)
{
    c4i_coll *c = e->coll;
    c4i_loc *loc = c4i_table_find(&c->table, e->key);
    uint32_t home = c4i_home(pe, c, e->key);

    e->ep++;
    if (pe->has_rec && pe->rec.object)
        pe->rec.object(pe->rec.ctx, C4I_OBJ_DESTROYED, c4i_chare_of(e), NULL, C4I_NOPE, pe->me, 0,
                       C4I_WHY_USER, c4i_ticks(&pe->clock));
    if (c->kind == C4_KIND_ARRAY) {
        c4i_red_end(&c->red, &e->red);
        c4i_issued_add(c, -1, e->seen);
    }
    if (e->at_sync && pe->has_lb)
        c4i_red_end(&pe->sync, &e->sync);
    c4i_elem_unlink(pe, e);
    c4i_sync_left(pe, e);
    if (c->kind == C4_KIND_SINGLE)
        end_early(pe, e);
    if (home != pe->me)
        send_home(pe, e);                   /* before what waits here goes there */
    c4i_reroute(pe, loc);
    loc->elem = NULL;
    loc->pe = home == pe->me || c->kind == C4_KIND_SINGLE ? C4I_GONE : home;
    loc->ep = e->ep;
    if (home == pe->me && c->kind == C4_KIND_ARRAY) {
        loc->ghost = c4i_alloc(sizeof(*loc->ghost));
        *loc->ghost = e->in;
        e->in = (c4i_inbox){ 0 };
    }
    if (c->type->destroy)
        c->type->destroy(pe, e->obj);
    c4i_elem_free(pe, e);
    c4i_red_check(pe, &c->red);
    c4i_red_check(pe, &pe->sync);
}

static c4i_elem *
unpack_elem(c4_pe *pe, c4i_coll *c, const c4i_msg *m, travel *t)
{
    c4_pup p = { .mode = C4_PUP_UNPACK, .pe = pe, .buf = (unsigned char *)m->data, .size = m->len,
                 .self_size = c->type->size };
    c4i_elem *e;

    c4_pup_raw(&p, t, sizeof(*t));
    if (p.failed || t->nsmark > p.size / sizeof(c4i_smark) || !c->type->pup
        || (unsigned)t->index.n > C4_MAXDIMS || t->red.gen > C4I_MOST_GENERATIONS
        || t->sync.gen > C4I_MOST_GENERATIONS)
        c4_abort(pe, "malformed message: migration");
    e = c4i_elem_new(c, m->w.elem, &t->index);
    e->ep = t->ep;
    e->seen = t->seen;
    e->born = t->born;
    e->red = t->red;
    e->sync = t->sync;
    e->ahead = t->ahead;
    e->migratable = t->migratable;
    e->at_sync = t->at_sync;
    e->waiting = t->waiting;
    e->wall = t->wall;
    e->cpu_ns = t->cpu_ns;
    e->user_load = t->user_load;
    e->nsmark = e->smark_cap = (uint32_t)t->nsmark;
    if (t->nsmark)
        e->smark = c4i_alloc(t->nsmark * sizeof(*e->smark));
    c4_pup_raw(&p, e->smark, t->nsmark * sizeof(*e->smark));
    c4i_inbox_unpack(pe, &e->in, &p);
    p.off = (p.off + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (p.off > p.size)
        c4_abort(pe, "malformed message: migration");
    e->nbytes = p.size - p.off;
    p.buf += p.off;
    p.size -= p.off;
    p.off = 0;
    pe->arriving = e;
    c->type->pup(&p, e->obj);
    pe->arriving = NULL;
    if (p.failed)
        c4_abort(pe, "chare of type %s cannot be unpacked%s%s", c->type->name,
                 pe->error[0] ? ": " : "", pe->error);
    return e;
}

/* The chare's own migrated() runs after all protocol work of its arrival. */
static bool
arrived_task(c4_pe *pe, c4i_task *t)
{
    c4i_elem *e = c4i_elem_find(t->coll, t->lo);
    c4_call call = { .src = pe->me };
    c4_cause cause = t->cause;

    c4i_task_end(pe, t);
    free(t);
    if (e)
        c4i_execute(pe, e, C4_ENTRY_MIGRATED, &call, &cause);
    else
        pe->processed++;
    return false;
}

void
c4i_on_migrate(c4_pe *pe, c4i_coll *c, c4i_msg *m)
{
    travel t;
    uint64_t begin = pe->timing ? c4i_ticks(&pe->clock) : 0;
    c4i_elem *e;
    c4i_wire home = c4i_wire_for(C4I_HOME, c->id), ack = c4i_wire_for(C4I_ACK, c->id);
    c4i_loc *loc = c4i_table_find(&c->table, m->w.elem);
    c4i_task *task;

    if (c->kind == C4_KIND_GROUP || (loc && loc->elem) || c4i_home(pe, c, m->w.elem) >= pe->npes)
        c4_abort(pe, "malformed message: migration of element %llu of collection %u",
                 (unsigned long long)m->w.elem, c->id);
    task = c4i_alloc(sizeof(*task));
    pe->cur = m;
    e = unpack_elem(pe, c, m, &t);
    pe->cur = NULL;
    if (e->at_sync)
        pe->lb_carry += (int64_t)e->wall;
    task->run = arrived_task;
    task->coll = c;
    task->lo = e->key;
    pe->created++;
    c4i_task_add(pe, task, 0);
    c4i_elem_link(pe, e);                   /* also: broadcasts, parked messages */
    home.elem = e->key;
    home.ep = e->ep;
    if (c4i_home(pe, c, e->key) != pe->me)
        c4i_post_data(pe, c4i_home(pe, c, e->key), &home, NULL, 0);
    if (c->kind == C4_KIND_ARRAY) {
        ack.call = t.seen;
        c4i_post_data(pe, m->w.src, &ack, NULL, 0);
    }
    if (pe->has_rec && pe->rec.object)
        pe->rec.object(pe->rec.ctx, C4I_OBJ_ARRIVED, c4i_chare_of(e), NULL, C4I_NOPE, m->w.src,
                       e->nbytes, (int)t.why, c4i_ticks(&pe->clock));
    c4i_red_check(pe, &c->red);
    c4i_sections_check(pe, e->smark, e->nsmark);
    c4i_sync_arrived(pe, e);
    if (pe->timing && pe->has_rec)
        pe->rec.activity(pe->rec.ctx, C4I_ACT_MIGRATE_IN, begin, c4i_ticks(&pe->clock));
}
