/*
 * sim.c - the "sim" transport: N virtual PEs, one thread, virtual time.
 *
 * A channel is an ordered pair of PEs: a FIFO of packets, each with the time
 * of its arrival, which never falls along the channel.  A heap orders what
 * can happen next: the arrival of a channel's first packet, or a PE that
 * handles one message.  An arrived packet waits in its PE's inbox.
 *
 * Invariants: a channel has an event in the heap iff it is not empty and not
 * held; a PE has exactly one valid event (at == endpoint.run_at) or none
 * (run_at == IDLE); older ones in the heap are skipped.
 *
 * Cost: one malloc and two heap operations a message, O(log(channels + PEs)).
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { RING_MAX = 1024 };                   /* larger payloads pretend to be in an arena */
#define IDLE UINT64_MAX

struct packet {
    struct packet  *next;
    uint64_t        at;                     /* arrival */
    c4i_wire        w;
    uint64_t        len;
    struct c4_block block;                  /* when kept */
    _Alignas(16) unsigned char data[];
};

struct channel {
    struct packet  *head, **tail;
    struct channel *next;                   /* in its hash chain */
    uint64_t        last;                   /* arrival of the last packet */
    uint64_t        slow;                   /* factor */
    uint32_t        src, dst;
    bool            held;
};

struct event {
    uint64_t        at, tie;
    struct channel *ch;                     /* NULL: the PE runs */
    uint32_t        pe;
};

struct endpoint {
    c4i_transport   base;
    struct c4i_sim *sim;
    c4_pe          *pe;
    struct packet  *inbox, **inbox_tail;
    struct packet  *ring_out;               /* RING payload not yet given back */
    uint64_t        run_at;
    uint64_t        slow;
    bool            dead, released;
};

struct c4i_sim {
    struct endpoint **ep;
    struct channel  **chain;                /* hash table of channels */
    uint32_t          npes, nchains, nchannels;
    struct event     *heap;
    size_t            nheap, heap_cap;
    c4i_sim_opts      opts;
    uint64_t          rng, now, ntie;
    uint64_t          in_flight[C4I_NKINDS], sent, late;
};

/* ---- Heap of events ------------------------------------------------------- */

static bool
before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->tie < b->tie;
}

static void
heap_push(c4i_sim *s, uint64_t at, struct channel *ch, uint32_t pe)
{
    uint64_t tie = s->opts.jitter ? c4i_sim_rand(&s->rng) : s->ntie++;
    struct event e = { at, tie, ch, pe };
    size_t i = s->nheap++;

    if (s->nheap > s->heap_cap) {
        s->heap_cap = s->heap_cap ? 2 * s->heap_cap : 64;
        s->heap = realloc(s->heap, s->heap_cap * sizeof(*s->heap));
        if (!s->heap)
            abort();                        /* a simulation that is out of memory has no result */
    }
    while (i && before(&e, &s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = e;
}

static struct event
heap_pop(c4i_sim *s)
{
    struct event top = s->heap[0], e = s->heap[--s->nheap];
    size_t i = 0;

    for (;;) {
        size_t kid = 2 * i + 1;

        if (kid + 1 < s->nheap && before(&s->heap[kid + 1], &s->heap[kid]))
            kid++;
        if (kid >= s->nheap || before(&e, &s->heap[kid]))
            break;
        s->heap[i] = s->heap[kid];
        i = kid;
    }
    s->heap[i] = e;
    return top;
}

static void
schedule(struct endpoint *e, uint64_t at)
{
    if (e->dead || e->run_at <= at)
        return;
    e->run_at = at;
    heap_push(e->sim, at, NULL, e->base.pe);
}

/* ---- Channels ------------------------------------------------------------- */

/* Around mean; one in eight much longer. */
static uint64_t
jitter(c4i_sim *s, uint64_t mean)
{
    uint64_t r = c4i_sim_rand(&s->rng);
    uint64_t t = (uint64_t)((double)mean * (double)(r >> 11) * 0x1p-52);

    return (r & 7) ? t : t * (2 + (r >> 3 & 7));
}

static uint32_t
chain_of(const c4i_sim *s, uint32_t src, uint32_t dst)
{
    uint64_t h = ((uint64_t)src << 32 | dst) * 0x9e3779b97f4a7c15u;

    return (uint32_t)(h >> 33) & (s->nchains - 1);
}

static struct channel *
channel_find(const c4i_sim *s, uint32_t src, uint32_t dst)
{
    struct channel *c = s->chain[chain_of(s, src, dst)];

    while (c && (c->src != src || c->dst != dst))
        c = c->next;
    return c;
}

static void
chains_grow(c4i_sim *s)
{
    struct channel **old = s->chain;
    uint32_t nold = s->nchains;
    struct channel **chain = calloc((size_t)nold * 4, sizeof(*chain));

    if (!chain)
        return;                             /* longer chains do */
    s->chain = chain;
    s->nchains = nold * 4;
    for (uint32_t i = 0; i < nold; i++) {
        for (struct channel *c = old[i], *next; c; c = next) {
            uint32_t k = chain_of(s, c->src, c->dst);

            next = c->next;
            c->next = chain[k];
            chain[k] = c;
        }
    }
    free(old);
}

static struct channel *
channel_get(c4i_sim *s, uint32_t src, uint32_t dst)
{
    struct channel *c = channel_find(s, src, dst);
    uint32_t k;

    if (c)
        return c;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    if (++s->nchannels > s->nchains)
        chains_grow(s);
    k = chain_of(s, src, dst);
    *c = (struct channel){ .src = src, .dst = dst, .slow = 1, .next = s->chain[k] };
    c->tail = &c->head;
    if (c4i_sim_rand(&s->rng) % 100 < s->opts.slow_percent)
        c->slow = s->opts.slow_factor;
    s->chain[k] = c;
    return c;
}

static uint64_t
delay(c4i_sim *s, const struct channel *c, const struct packet *p)
{
    const c4i_sim_opts *o = &s->opts;
    uint64_t ns = o->jitter ? jitter(s, o->latency_ns) : o->latency_ns;

    ns = ns * c->slow + (sizeof(p->w) + p->len) * o->ps_per_byte / 1000;
    if ((o->hold_kinds >> p->w.kind & 1) && c4i_sim_rand(&s->rng) % 100 < o->hold_percent)
        ns += o->hold_ns;
    return ns;
}

static void
drop(c4i_sim *s, struct packet *p)
{
    s->in_flight[p->w.kind]--;
    free(p);
}

static void
drop_all(c4i_sim *s, struct packet *p)
{
    for (struct packet *next; p; p = next) {
        next = p->next;
        drop(s, p);
    }
}

/* The first packet of the channel reaches its PE. */
static void
arrive(c4i_sim *s, struct channel *c)
{
    struct endpoint *e = s->ep[c->dst];
    struct packet *p = c->head;

    c->head = p->next;
    if (!c->head)
        c->tail = &c->head;
    p->next = NULL;
    if (e->dead) {
        drop(s, p);
        return;
    }
    *e->inbox_tail = p;
    e->inbox_tail = &p->next;
    schedule(e, s->now);
}

/* ---- The transport's operations -------------------------------------------- */

static c4_err
sim_send(c4i_transport *t, uint32_t dst, c4i_wire *w, const struct iovec *iov, int niov)
{
    c4i_sim *s = ((struct endpoint *)t)->sim;
    size_t len = c4i_iov_len(iov, niov), off = 0;
    struct packet *p = malloc(sizeof(*p) + len);
    struct channel *c = channel_get(s, t->pe, dst);

    if (!p || !c) {
        free(p);
        return C4_ENOMEM;
    }
    if (s->opts.tap)
        s->opts.tap(s->opts.ctx, t->pe, dst, w, iov, niov);
    w->flags = (uint8_t)(len > C4I_INLINE ? w->flags | C4I_F_BIG : w->flags & ~C4I_F_BIG);
    w->ilen = len > C4I_INLINE ? 0 : (uint8_t)len;
    p->w = *w;
    p->len = len;
    p->next = NULL;
    for (int i = 0; i < niov; off += iov[i++].iov_len) {
        if (iov[i].iov_len)
            memcpy(p->data + off, iov[i].iov_base, iov[i].iov_len);
    }
    p->at = s->now + delay(s, c, p);
    if (p->at < c->last)
        p->at = c->last;
    c->last = p->at;
    if (!c->head && !c->held)
        heap_push(s, p->at, c, dst);
    *c->tail = p;
    c->tail = &p->next;
    s->in_flight[w->kind]++;
    s->sent++;
    s->late += s->ep[dst]->pe->exit == C4I_ENDED;
    return C4_OK;
}

static bool
sim_recv(c4i_transport *t, c4i_msg *m)
{
    struct endpoint *e = (struct endpoint *)t;
    struct packet *p = e->inbox;

    if (e->ring_out)
        abort();                            /* done() comes before the next recv(): transport.h */
    if (!p)
        return false;
    e->inbox = p->next;
    if (!e->inbox)
        e->inbox_tail = &e->inbox;
    e->sim->in_flight[p->w.kind]--;
    *m = (c4i_msg){ .w = p->w, .data = p->data, .len = p->len, .owner = p };
    if (p->len <= C4I_INLINE) {
        memcpy(m->w.tail.bytes, p->data, p->len);
        m->data = m->w.tail.bytes;
        m->owner = NULL;
        m->mem = C4I_MEM_INLINE;
        free(p);
    } else if (p->len <= RING_MAX) {
        m->mem = C4I_MEM_RING;
        e->ring_out = p;
    } else {
        m->mem = C4I_MEM_ARENA;
    }
    return true;
}

static void
sim_done(c4i_transport *t, c4i_msg *m)
{
    struct endpoint *e = (struct endpoint *)t;

    switch (m->mem) {
    case C4I_MEM_RING:
        if (e->ring_out != m->owner)
            abort();                        /* given back twice */
        e->ring_out = NULL;
        free(m->owner);
        break;
    case C4I_MEM_ARENA:
        free(m->owner);
        break;
    case C4I_MEM_HEAP:
        free((void *)(uintptr_t)m->data);
        break;
    case C4I_MEM_INLINE:
    case C4I_MEM_REF:
    case C4I_MEM_SHARED:
        break;
    }
}

static void
block_free(c4_block *b)
{
    if (--b->nrefs == 0)
        free((char *)b - offsetof(struct packet, block));
}

static c4_block *
sim_keep(c4i_transport *t, c4i_msg *m)
{
    struct packet *p = m->owner;

    (void)t;
    if (m->mem != C4I_MEM_ARENA)
        return NULL;
    p->block = (c4_block){ block_free, 1 };
    return &p->block;
}

/* Nobody parks under the simulation's own loop. */
static bool
sim_park(c4i_transport *t, uint64_t timeout_ns, bool may_sleep)
{
    (void)t;
    (void)timeout_ns;
    (void)may_sleep;
    return true;
}

static void
sim_wake(c4i_transport *t)
{
    struct endpoint *e = (struct endpoint *)t;

    schedule(e, e->sim->now);
}

static void
sim_ending(c4i_transport *t, int status)
{
    (void)t;
    (void)status;
}

/* The endpoint outlives its PE: others may still send to it. */
static void
sim_release(c4i_transport *t)
{
    struct endpoint *e = (struct endpoint *)t;

    e->released = true;
    e->dead = true;
}

static const c4i_transport_ops sim_ops = {
    .name = "sim",
    .send = sim_send,
    .recv = sim_recv,
    .done = sim_done,
    .keep = sim_keep,
    .park = sim_park,
    .wake = sim_wake,
    .ending = sim_ending,
    .release = sim_release,
};

/* ---- Life ------------------------------------------------------------------ */

static uint64_t
clock_ns(void *arg)
{
    return ((const c4i_sim *)arg)->now;
}

static c4_err
endpoint_new(c4i_sim *s, uint32_t pe)
{
    struct endpoint *e = calloc(1, sizeof(*e));
    c4_err err;

    if (!e)
        return C4_ENOMEM;
    s->ep[pe] = e;
    e->base = (c4i_transport){ .ops = &sim_ops, .pe = pe, .npes = s->npes, .ncores = s->npes };
    e->sim = s;
    e->inbox_tail = &e->inbox;
    e->run_at = IDLE;
    e->slow = 1;
    if (c4i_sim_rand(&s->rng) % 100 < s->opts.slow_pe_percent)
        e->slow = s->opts.slow_factor;
    err = c4i_pe_new(&e->base, &e->pe);
    if (!err)
        c4i_pe_set_clock(e->pe, clock_ns, s);
    return err;
}

c4_err
c4i_sim_new(uint32_t npes, uint64_t seed, const c4i_sim_opts *opts, c4i_sim **out)
{
    static const c4i_sim_opts plain = { .latency_ns = 1000, .ps_per_byte = 1000, .step_ns = 200 };
    c4i_sim *s = calloc(1, sizeof(*s));
    c4_err err = C4_ENOMEM;

    if (!s)
        return err;
    s->opts = opts ? *opts : plain;
    s->rng = seed;
    s->npes = npes;
    s->nchains = 64;
    s->chain = calloc(s->nchains, sizeof(struct channel *));
    s->ep = calloc(npes, sizeof(struct endpoint *));
    if (!s->chain || !s->ep)
        goto fail;
    for (uint32_t i = 0; i < npes; i++) {
        err = endpoint_new(s, i);
        if (err)
            goto fail;
    }
    *out = s;
    return C4_OK;
fail:
    c4i_sim_free(s);
    return err;
}

static void
channels_free(c4i_sim *s)
{
    for (uint32_t i = 0; s->chain && i < s->nchains; i++) {
        for (struct channel *c = s->chain[i], *next; c; c = next) {
            next = c->next;
            drop_all(s, c->head);
            free(c);
        }
    }
}

void
c4i_sim_free(c4i_sim *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; s->ep && i < s->npes; i++) {
        if (s->ep[i] && s->ep[i]->pe)
            c4i_pe_free(s->ep[i]->pe);
    }
    for (uint32_t i = 0; s->ep && i < s->npes; i++) {
        if (!s->ep[i])
            continue;
        drop_all(s, s->ep[i]->inbox);
        free(s->ep[i]->ring_out);
        free(s->ep[i]);
    }
    channels_free(s);
    free(s->chain);
    free(s->ep);
    free(s->heap);
    free(s);
}

c4_pe *
c4i_sim_pe(const c4i_sim *s, uint32_t pe)
{
    return s->ep[pe]->pe;
}

uint64_t
c4i_sim_now(const c4i_sim *s)
{
    return s->now;
}

uint64_t
c4i_sim_in_flight(const c4i_sim *s, uint32_t kinds)
{
    uint64_t n = 0;

    for (int i = 0; i < C4I_NKINDS; i++)
        if (kinds >> i & 1)
            n += s->in_flight[i];
    return n;
}

uint64_t
c4i_sim_sent(const c4i_sim *s)
{
    return s->sent;
}

uint64_t
c4i_sim_late(const c4i_sim *s)
{
    return s->late;
}

void
c4i_sim_kill(c4i_sim *s, uint32_t pe)
{
    struct endpoint *e = s->ep[pe];

    e->dead = true;
    e->run_at = IDLE;
    drop_all(s, e->inbox);
    e->inbox = NULL;
    e->inbox_tail = &e->inbox;
}

/* ---- The run ----------------------------------------------------------------- */

/* The PE handles one thing, or sleeps until its next timer. */
static bool
run_pe(c4i_sim *s, struct endpoint *e)
{
    uint64_t cost = s->opts.jitter ? jitter(s, s->opts.step_ns) : s->opts.step_ns;
    uint64_t wait;

    e->run_at = IDLE;
    if (c4i_step_one(e->pe)) {
        schedule(e, s->now + cost * e->slow);
        return true;
    }
    if (e->pe->exit != C4I_RUNNING)
        return false;                       /* no timers any more */
    c4i_qd_idle(e->pe);
    wait = e->pe->local.head ? cost * e->slow : c4i_timers_wait(e->pe);
    if (wait != IDLE)
        schedule(e, s->now + (wait ? wait : 1));
    return false;
}

static bool
next_event(c4i_sim *s)
{
    struct event ev = heap_pop(s);
    struct endpoint *e = s->ep[ev.pe];

    if (!ev.ch) {
        if (e->run_at != ev.at || e->dead)
            return false;
        s->now = ev.at;
        return run_pe(s, e);
    }
    if (ev.ch->held || !ev.ch->head)
        return false;                       /* held, or released twice */
    if (s->now < ev.at)
        s->now = ev.at;
    arrive(s, ev.ch);
    if (ev.ch->head)
        heap_push(s, ev.ch->head->at, ev.ch, ev.pe);
    return true;
}

/* Main code may have given any PE something to do. */
static void
wake_all(c4i_sim *s)
{
    for (uint32_t i = 0; i < s->npes; i++)
        schedule(s->ep[i], s->now);
}

bool
c4i_sim_step(c4i_sim *s)
{
    return c4i_sim_run(s, 1) == 1;
}

uint64_t
c4i_sim_run(c4i_sim *s, uint64_t max_steps)
{
    uint64_t n = 0;

    wake_all(s);
    while (s->nheap && n < max_steps) {
        if (!next_event(s))
            continue;
        n++;
        if (s->opts.watch && !s->opts.watch(s->opts.ctx))
            break;
    }
    return n;
}

/* ---- Directed schedules -------------------------------------------------------- */

void
c4i_sim_hold(c4i_sim *s, uint32_t src, uint32_t dst)
{
    struct channel *c = channel_get(s, src, dst);

    if (c)
        c->held = true;
}

bool
c4i_sim_deliver(c4i_sim *s, uint32_t src, uint32_t dst)
{
    struct channel *c = channel_find(s, src, dst);

    if (!c || !c->held || !c->head)
        return false;
    arrive(s, c);
    return true;
}

int
c4i_sim_peek(const c4i_sim *s, uint32_t src, uint32_t dst)
{
    const struct channel *c = channel_find(s, src, dst);

    return c && c->head ? c->head->w.kind : -1;
}

void
c4i_sim_flow(c4i_sim *s, uint32_t src, uint32_t dst)
{
    struct channel *c = channel_find(s, src, dst);

    if (!c || !c->held)
        return;
    c->held = false;
    if (c->head) {
        c->last = c->last > s->now ? c->last : s->now;
        heap_push(s, s->now, c, dst);
    }
}
