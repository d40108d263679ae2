/*
 * storm_check.c - the checker: what the chares saw against what is right.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storm.h"

/* ---- Records, randomness ---------------------------------------------------- */

void
fail(struct storm *s, const char *fmt, ...)
{
    va_list ap;

    if (s->failed)
        return;                             /* the first one counts */
    s->failed = true;
    va_start(ap, fmt);
    vsnprintf(s->win->why, sizeof(s->win->why), fmt, ap);
    va_end(ap);
}

static void
print_event(const struct event *e)
{
    fprintf(stderr, "  %7" PRIu64 " %-12s pe %u -> %u  %" PRIu64 " %" PRIu64 " %" PRIu64
            " %" PRIu64 "\n", e->step, e->what, e->pe, e->peer, e->a, e->b, e->c, e->d);
}

void
event(struct storm *s, const char *what, uint32_t pe, uint32_t peer, uint64_t a, uint64_t b,
      uint64_t c, uint64_t d)
{
    struct event *e = &s->win->event[s->win->nevents++ % NEVENT];

    *e = (struct event){ s->step, what, pe, peer, a, b, c, d };
    s->win->hash = (s->win->hash ^ (s->step << 32 | pe << 16 | peer)) * 1099511628211u;
    s->win->hash = (s->win->hash ^ (a << 48 ^ b << 32 ^ c << 16 ^ d)) * 1099511628211u;
    if (s->verbose)
        print_event(e);
}

void
print_events(const struct window *w)
{
    uint64_t first = w->nevents > NEVENT ? w->nevents - NEVENT : 0;

    fprintf(stderr, "the last events: step, what, PEs, collection, element or number, ...\n");
    for (uint64_t i = first; i < w->nevents; i++)
        print_event(&w->event[i % NEVENT]);
}

uint32_t
rnd(struct storm *s, uint32_t n)
{
    return n ? (uint32_t)((c4i_sim_rand(&s->rng) >> 32) * n >> 32) : 0;
}

bool
chance(struct storm *s, unsigned percent)
{
    return rnd(s, 100) < percent;
}

uint64_t
value_of(uint64_t uid)
{
    return c4i_sim_rand(&uid);
}

uint64_t
bcast_value(uint32_t b, uint64_t key)
{
    return value_of(key * 1000 + b);
}

/* ---- Vector clocks ------------------------------------------------------------ */

void
clock_tick(struct storm *s, uint32_t pe)
{
    s->clock[pe][pe]++;
}

void
clock_merge(uint32_t *into, const uint32_t *from)
{
    for (int i = 0; i < MAXPE; i++)
        if (into[i] < from[i])
            into[i] = from[i];
}

/* ---- Elements ------------------------------------------------------------------- */

void
check_run(struct storm *s, c4_pe *pe)
{
    uint32_t me = c4_mype(pe);

    s->nexecuted++;
    if (s->exit_called[me])
        fail(s, "user code runs on PE %u after it called c4_exit()", me);
    if (c4_stopping(pe))
        fail(s, "user code runs on PE %u after STOP", me);
}

struct elem *
check_elem(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t *mark)
{
    struct elem *e = &c->elem[slot];
    uint32_t me = c4_mype(pe);

    check_run(s, pe);
    if (!e->born)
        fail(s, "element %u/%u runs before its constructor", c->no, slot);
    else if (e->dead)
        fail(s, "element %u/%u runs after its end", c->no, slot);
    else if (e->pe != me)
        fail(s, "element %u/%u runs on PE %u but is on PE %u", c->no, slot, me, e->pe);
    else if (e->mark != *mark)
        fail(s, "element %u/%u: state says %u, should be %u", c->no, slot, *mark, e->mark);
    e->mark = ++*mark;
    clock_merge(e->clock, s->clock[me]);
    return e;
}

static const c4i_elem *
runtime_elem(c4_pe *pe, const struct coll *c, const struct elem *e)
{
    c4i_coll *rc = c4i_coll_find(pe, c->id);
    c4i_loc *loc = rc ? c4i_table_find(&rc->table, e->key) : NULL;

    return loc ? loc->elem : NULL;
}

/* A member of a round that was decided already. */
static void
check_sync_birth(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    struct elem *e = &c->elem[slot];
    const c4i_elem *re = runtime_elem(pe, c, e);

    if (!c->sync)
        return;
    if (!re) {
        fail(s, "element %u/%u runs but is not local", c->no, slot);
        return;
    }
    e->sync_birth = re->sync.birth;
    if (s->plan.with_lb && c->kind == C_SPARSE && e->by_main && !e->late && e->ins_pe == c->maker) {
        if (c->first_round && e->sync_birth + 1 != c->first_round)
            fail(s, "a round of AtSync was closed while elements of collection %u were still "
                 "inserted", c->no);
        c->first_round = e->sync_birth + 1;
    }
    if (s->plan.with_lb && e->sync_birth < s->rounds_resumed)
        fail(s, "element %u/%u owes round %" PRIu64 " of AtSync; %" PRIu64 " are over", c->no, slot,
             e->sync_birth, s->rounds_resumed);
}

static bool
is_owed(const struct coll *c, uint32_t r)
{
    for (uint32_t i = 0; i < c->nslots; i++)
        if (c->elem[i].born && !c->elem[i].dead && c->elem[i].red_next <= r)
            return true;
    return false;
}

/* The root gave e its first reduction: one that is not over, and as soon as it could be. */
static void
check_red_birth(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    struct elem *e = &c->elem[slot];
    const c4i_elem *re = runtime_elem(pe, c, e);

    if (!e->late || !re)
        return;
    e->red_birth = e->red_next = (uint32_t)re->red.birth;
    for (uint32_t r = 0; r < MAXRED; r++)
        if (r >= e->red_birth ? c->red[r].done : !c->red[r].count && is_owed(c, r))
            fail(s, "element %u/%u owes reductions from %u on, %u is %s", c->no, slot, e->red_birth, r,
                 c->red[r].done ? "over" : "not begun");
}

void
check_born(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t *mark)
{
    struct elem *e = &c->elem[slot];
    uint32_t me = c4_mype(pe);

    check_run(s, pe);
    event(s, "born", me, me, c->no, slot, 0, 0);
    if (e->born)
        fail(s, "element %u/%u is made twice", c->no, slot);
    if (!e->inserted)
        fail(s, "element %u/%u was never inserted", c->no, slot);
    e->born = true;
    e->pe = e->came_from = me;
    e->mark = *mark = 1;
    clock_merge(s->clock[me], e->clock);
    if (c->created_left != UINT32_MAX && c->created_left > 0)
        c->created_left--;
    check_sync_birth(s, pe, c, slot);
    check_red_birth(s, pe, c, slot);
    s->outstanding--;
}

void
check_arrived(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t *mark)
{
    struct elem *e = &c->elem[slot];
    uint32_t me = c4_mype(pe);

    check_run(s, pe);
    s->win->nmoves++;
    event(s, "arrived", e->pe, me, c->no, slot, 0, 0);
    if (!e->born || e->mark != *mark)
        fail(s, "element %u/%u arrives with state %u, should be %u", c->no, slot, *mark, e->mark);
    if (e->held)
        fail(s, "element %u/%u moved from PE %u to %u while a coroutine is suspended", c->no,
             slot, e->pe, me);
    e->came_from = e->pe;
    e->pe = me;
    e->mark = ++*mark;
    clock_merge(s->clock[me], e->clock);
}

/* ---- Ends ---- */

bool
mortal(const struct storm *s, const struct coll *c, uint32_t slot)
{
    return s->plan.weight[A_DIE] && (c->kind == C_DENSE || c->kind == C_SPARSE)
           && (slot % 3 == 1 || c->elem[slot].as != slot);
}


bool
reachable(const struct coll *c, uint32_t slot)
{
    return !c->nsized || slot < c->nsized || c->elem[slot].born;
}

uint32_t
nliving(const struct coll *c)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->nslots; i++)
        n += !c->elem[i].dead;
    return n;
}

void
check_died(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    struct elem *e = &c->elem[slot];

    s->win->ndeaths++;
    event(s, "died", e->pe, c4_mype(pe), c->no, slot, e->red_next, e->nsync);
    if (e->pe != c4_mype(pe) || e->held || e->dead)
        fail(s, "element %u/%u dies on PE %u, is on PE %u%s%s", c->no, slot, c4_mype(pe), e->pe,
             e->held ? ", has a coroutine" : "",
             e->dead ? ", is dead" : "");
    e->dead = true;
    if (c->kind == C_DENSE)                 /* broadcasts that it will not see */
        for (uint32_t b = 0; b < c->nbcast; b++)
            s->outstanding -= !(e->seen >> b & 1);
}

/* Calls that found their element destroyed. */
static int64_t
ndead_letters(struct storm *s)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < s->plan.npes; i++)
        n += (int64_t)c4i_sim_pe(s->sim, i)->ndead;
    return n;
}

/* ---- Messages to one element ------------------------------------------------------ */

void
check_note(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint64_t uid, size_t len)
{
    struct elem *e = &c->elem[c->elem[slot].as];
    struct note_rec *n;

    s->win->nnotes++;
    if (uid >= s->nnotes) {
        fail(s, "element %u/%u gets a message that nobody sent", c->no, slot);
        return;
    }
    n = &s->note[uid];
    event(s, "note", n->src, c4_mype(pe), c->no, slot, uid, n->seq);
    if (n->coll != c->no || c->elem[n->slot].as != c->elem[slot].as)
        fail(s, "message %" PRIu64 " for %u/%u reaches %u/%u", uid, n->coll, n->slot, c->no, slot);
    else if (n->done)
        fail(s, "message %" PRIu64 " is delivered twice", uid);
    else if (n->len != len)
        fail(s, "message %" PRIu64 " has %zu bytes instead of %u", uid, len, n->len);
    else if (e->dying ? e->rcvd[n->src] > n->seq : e->rcvd[n->src] != n->seq)
        fail(s, "element %u/%u: message %u of PE %u comes when %u is due", c->no, slot, n->seq,
             n->src, e->rcvd[n->src]);
    n->done = true;
    e->rcvd[n->src] = n->seq + 1;           /* an index's dead letters are not received */
    e->got[n->src]++;
    s->outstanding--;
    clock_merge(s->clock[c4_mype(pe)], n->clock);
}

/* ---- Insertion, broadcasts ----------------------------------------------------------- */

/* The element is inserted by code on pe; parent: the slot of the same
 * collection that does it, or NONE. */
void
check_issue(struct storm *s, struct coll *c, uint32_t slot, uint32_t pe, int parent)
{
    struct elem *e = &c->elem[slot];

    event(s, "insert", pe, pe, c->no, slot, (uint64_t)parent, 0);
    clock_tick(s, pe);
    if (e->wanted && !e->inserted && s->promised)
        s->promised--;
    e->wanted = e->inserted = true;
    e->ins_pe = pe;
    e->by_main = parent == NONE;
    e->late = e->by_main && c->closed && c->kind == C_SPARSE;
    s->win->nlate += e->late;
    e->ins_clock = s->clock[pe][pe];
    memcpy(e->clock, s->clock[pe], sizeof(e->clock));
    for (uint32_t b = 0; b < c->nbcast; b++)
        if (c->bcast[b].on_pe >> pe & 1)
            e->before |= (uint64_t)1 << b;
    if (parent != NONE) {
        e->before |= c->elem[parent].seen;
        e->red_birth = e->red_next = c->elem[parent].red_next;
    }
    s->outstanding++;
}

void
check_bcast(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t b)
{
    struct elem *e = &c->elem[slot];
    struct bcast *bc = &c->bcast[b];
    uint32_t me = c4_mype(pe);

    s->win->nbcasts++;
    event(s, "bcast", bc->pe, me, c->no, slot, b, 0);
    if (b >= c->nbcast)
        fail(s, "element %u/%u gets broadcast %u that nobody sent", c->no, slot, b);
    else if (e->seen >> b & 1)
        fail(s, "element %u/%u gets broadcast %u twice", c->no, slot, b);
    else if (e->before >> b & 1)
        fail(s, "element %u/%u gets broadcast %u that its inserter had seen", c->no, slot, b);
    else if (bc->done)
        fail(s, "element %u/%u gets broadcast %u after its completion", c->no, slot, b);
    else if (e->norder == MAXBCAST)
        fail(s, "element %u/%u gets too many broadcasts", c->no, slot);
    if (s->failed)
        return;
    e->seen |= (uint64_t)1 << b;
    e->order[e->norder++] = (uint8_t)b;
    bc->on_pe |= 1u << me;
    bc->nexec++;
    if (c->kind == C_DENSE || c->kind == C_GROUP)
        s->outstanding--;
    clock_merge(s->clock[me], bc->clock);
}

/* Is the order of e a part of the longest, up to its end unless e has died? */
static bool
same_order(const struct elem *e, const struct elem *longest)
{
    uint32_t last = longest->norder - e->norder;

    for (uint32_t at = e->dead ? 0 : last; at <= last; at++)
        if (!memcmp(e->order, longest->order + at, e->norder))
            return true;
    return false;
}

/* All elements saw the same order, each from its birth to the end. */
static void
check_order(struct storm *s, const struct coll *c)
{
    const struct elem *longest = &c->elem[0];
    uint32_t serial[MAXPE] = { 0 };

    for (uint32_t i = 0; i < c->nslots; i++)
        if (c->elem[i].norder > longest->norder)
            longest = &c->elem[i];
    for (uint32_t i = 0; i < c->nslots; i++) {
        const struct elem *e = &c->elem[i];

        if (e->wanted && !same_order(e, longest))
            fail(s, "collection %u: elements %u and %u saw broadcasts in different orders", c->no,
                 i, (uint32_t)(longest - c->elem));
    }
    for (uint32_t i = 0; i < longest->norder; i++) {
        const struct bcast *b = &c->bcast[longest->order[i]];

        if (b->serial < serial[b->pe])
            fail(s, "collection %u: broadcasts of PE %u are out of order", c->no, b->pe);
        serial[b->pe] = b->serial;
    }
}

static void
check_bcasts_end(struct storm *s, const struct coll *c)
{
    check_order(s, c);
    for (uint32_t b = 0; b < c->nbcast; b++) {
        const struct bcast *bc = &c->bcast[b];

        if (bc->awaited && !bc->done)
            fail(s, "collection %u: broadcast %u was never completed", c->no, b);
        for (uint32_t i = 0; i < c->nslots; i++) {
            const struct elem *e = &c->elem[i];
            bool must = c->kind != C_SPARSE || (bc->clock[e->ins_pe] >= e->ins_clock
                                                && (!e->late || bc->pe == e->ins_pe));

            if (e->wanted && !e->dead && must && !(e->seen >> b & 1))
                fail(s, "element %u/%u never got broadcast %u", c->no, i, b);
        }
    }
}

/* ---- Reductions ------------------------------------------------------------------------ */

void
check_contribution(struct storm *s, struct coll *c, uint32_t slot, int64_t value)
{
    struct elem *e = &c->elem[slot];
    struct reduction *r = &c->red[e->red_next];

    event(s, "contribute", e->pe, e->pe, c->no, slot, e->red_next, (uint64_t)value);
    if (r->done)
        fail(s, "element %u/%u owes reduction %u, which is done", c->no, slot, e->red_next);
    if (!r->count || value > r->max)
        r->max = value;
    if (!r->count || value < r->min)
        r->min = value;
    r->count++;
    r->sum += value;
    r->who |= (uint64_t)1 << slot;
    e->red_next++;
}

static int64_t
tag(const struct coll *c, uint32_t r)
{
    return (int64_t)r * 8 + c->no;
}

static bool
same_i64(const void *data, size_t len, int64_t a, int64_t b, int64_t c, int n)
{
    int64_t want[3] = { a, b, c };

    return len == (size_t)n * 8 && memcmp(data, want, len) == 0;
}

static bool
gathered(const struct coll *c, uint32_t r, const void *data, size_t len)
{
    const unsigned char *p = data;
    uint64_t last = 0;
    uint32_t n = 0;
    int64_t sum = 0;

    for (; len >= 32; p += 32, len -= 32, n++) {
        uint64_t head[4];                   /* key, length, value, tag */

        memcpy(head, p, sizeof(head));
        if (head[1] != 16 || (int64_t)head[3] != tag(c, r) || (n && head[0] < last))
            return false;
        last = head[0];
        sum += (int64_t)head[2];
    }
    return len == 0 && n == c->red[r].count && sum == c->red[r].sum;
}

static bool
right_result(const struct coll *c, uint32_t r, const void *data, size_t len)
{
    const struct reduction *x = &c->red[r];
    int64_t n = x->count;
    double f[3] = { (double)n, (double)x->sum, (double)(tag(c, r) * n) };

    switch (x->reducer) {
    case C4_RED_NOP:
        return len == 0;
    case C4_RED_SUM_I64:
        return same_i64(data, len, n, x->sum, tag(c, r) * n, 3);
    case C4_RED_MAX_I64:
        return same_i64(data, len, x->max, tag(c, r), 0, 2);
    case C4_RED_MIN_I64:
        return same_i64(data, len, x->min, tag(c, r), 0, 2);
    case C4_RED_SUM_F64:
        return len == sizeof(f) && memcmp(data, f, len) == 0;
    case C4_RED_GATHER:
        return gathered(c, r, data, len);
    default:                                /* the storm's own */
        return same_i64(data, len, n, x->sum, tag(c, r) * n, 3);
    }
}

void
check_reduced(struct storm *s, struct coll *c, uint32_t r, const void *data, size_t len)
{
    struct reduction *x = &c->red[r];

    s->win->nreds++;
    event(s, "reduced", 0, 0, c->no, r, x->count, len);
    if (x->done)
        fail(s, "reduction %u of collection %u is delivered twice", r, c->no);
    x->done = true;
    for (uint32_t i = 0; i < c->nslots; i++) {
        const struct elem *e = &c->elem[i];

        if (e->inserted && !(e->late && !e->born) && e->red_birth <= r && !(x->who >> i & 1)
            && !(e->dead && e->red_next <= r))
            fail(s, "reduction %u of collection %u is complete without element %u", r, c->no, i);
    }
    if (!right_result(c, r, data, len))
        fail(s, "reduction %u of collection %u (reducer %u) has a wrong result (%zu bytes)", r,
             c->no, x->reducer, len);
}

/* A result that went to an element, or to all members of the group. */
void
check_result(struct storm *s, c4_pe *pe, const void *data, size_t len, bool all)
{
    int64_t x[3] = { 1, 0, -1 }, t;
    uint64_t bit = (uint64_t)1 << c4_mype(pe);
    struct coll *c;
    struct reduction *r;

    if (len == 16 || len == 24)
        memcpy(x, data, len);
    t = len == 16 ? x[1] : x[0] > 0 ? x[2] / x[0] : -1;
    if (t < 0 || t % 8 >= s->ncolls || t / 8 >= MAXRED) {
        fail(s, "a reduction's result is garbled (%zu bytes)", len);
        return;
    }
    c = &s->coll[t % 8];
    r = &c->red[t / 8];
    if (all && (r->heard & bit))
        fail(s, "PE %u hears reduction %u of collection %u twice", c4_mype(pe), (uint32_t)(t / 8),
             c->no);
    if (!all || !r->heard)
        check_reduced(s, c, (uint32_t)(t / 8), data, len);
    if (all)
        r->heard |= bit;
}

static void
check_reds_end(struct storm *s, const struct coll *c)
{
    for (uint32_t r = 0; r < MAXRED; r++) {
        const struct reduction *x = &c->red[r];

        if (x->begun && !x->done)
            fail(s, "reduction %u of collection %u was never completed: %u contributions", r,
                 c->no, x->count);
        if (x->done && x->cb.kind == C4_CB_BCAST
            && x->heard != ((uint64_t)1 << s->plan.npes) - 1)
            fail(s, "reduction %u of collection %u: members %" PRIx64 " heard of it", r, c->no,
                 x->heard);
    }
}

/* ---- AtSync ------------------------------------------------------------------------------ */

uint64_t
sync_told(const struct elem *e)
{
    return e->sync_birth + e->nresume + (e->nsync > e->nresume);
}

void
check_resume(struct storm *s, struct coll *c, uint32_t slot)
{
    struct elem *e = &c->elem[slot];
    uint64_t round = e->sync_birth + e->nresume;

    event(s, "resume", e->pe, e->pe, c->no, slot, round, 0);
    if (e->nsync <= e->nresume)
        fail(s, "element %u/%u resumes: called %u, resumed %u times", c->no, slot, e->nsync,
             e->nresume);
    e->nresume++;
    if (!s->plan.with_lb)
        return;
    if (round >= s->rounds_resumed) {
        s->rounds_resumed = round + 1;
        s->win->nrounds++;
    }
    for (uint32_t k = 0; k < s->ncolls; k++) {
        const struct coll *o = &s->coll[k];

        for (uint32_t i = 0; o->sync && i < o->nslots; i++) {
            const struct elem *f = &o->elem[i];

            if (!f->dead && (f->born || (o->kind == C_DENSE && f->inserted))
                && sync_told(f) <= round)
                fail(s, "round %" PRIu64 " of AtSync is over without element %u/%u", round, o->no,
                     i);
        }
    }
}

/* ---- Quiescence, the end ------------------------------------------------------------------ */

/* No counted message is outstanding, as far as the checker can see. */
bool
quiet_now(struct storm *s)
{
    /* What quiescence does not wait for; not taken from msg.h, which may be wrong. */
    const uint32_t aside = 1u << C4I_HINT | 1u << C4I_ACK | 1u << C4I_BLOW | 1u << C4I_QD
                         | 1u << C4I_EXIT | 1u << C4I_POST;

    if (s->outstanding != ndead_letters(s) || c4i_sim_in_flight(s->sim, ~aside))
        return false;
    for (uint32_t i = 0; i < s->plan.npes; i++) {
        c4_pe *pe = c4i_sim_pe(s->sim, i);

        if (pe->tasks)
            return false;
        for (const c4i_msg *m = pe->local.head; m; m = m->next)
            if (!(aside >> m->w.kind & 1))
                return false;
    }
    return true;
}

/* Returns how many calls came to elements that were dead. */
static int64_t
check_elems_end(struct storm *s, const struct coll *c)
{
    int64_t lost = 0;

    for (uint32_t i = 0; i < c->nslots; i++) {
        const struct elem *e = &c->elem[i];

        if (!e->wanted)
            continue;
        if (!e->born)
            fail(s, "element %u/%u was never made", c->no, i);
        if (e->nsync != e->nresume && !e->dead)
            fail(s, "element %u/%u waits in AtSync for ever: called %u, resumed %u times", c->no, i,
                 e->nsync, e->nresume);
        for (uint32_t p = 0; p < s->plan.npes; p++)
            if (e->dead)
                lost += e->sent[p] - e->got[p];
            else if (e->sent[p] != e->got[p])
                fail(s, "element %u/%u got %u of %u messages of PE %u", c->no, i, e->got[p],
                     e->sent[p], p);
    }
    return lost;
}

static void
check_futures_end(struct storm *s)
{
    for (size_t i = 0; i < s->nfutures; i++)
        if (s->future[i].ngot != s->future[i].nvalues)
            fail(s, "future %zu on PE %u got %u of %u values", i, s->future[i].pe,
                 s->future[i].ngot, s->future[i].nvalues);
    for (size_t i = 0; i < s->nqd; i++)
        if (!s->qd[i].fired)
            fail(s, "quiescence request %zu never fired", i);
    for (size_t i = 0; i < s->ntimers; i++)
        if (!s->timer[i]->fired)
            fail(s, "timer %zu never fired", i);
    for (uint32_t i = 0; i < s->ncolls; i++)
        if (s->coll[i].created_left != UINT32_MAX && !s->coll[i].created_done)
            fail(s, "nobody was told that collection %u is made", i);
}

static void
check_leftovers(struct storm *s, int64_t lost)
{
    uint64_t created = 0, processed = 0;

    for (uint32_t i = 0; i < s->plan.npes; i++) {
        c4_pe *pe = c4i_sim_pe(s->sim, i);
        char text[200];

        if (c4i_pe_leftovers(pe, text, sizeof(text)))
            fail(s, "left over on PE %u: %s", i, text);
        created += pe->created;
        processed += pe->processed;
    }
    if (created != processed)
        fail(s, "%" PRIu64 " messages created, %" PRIu64 " processed", created, processed);
    if (s->outstanding != lost)
        fail(s, "%" PRId64 " calls are outstanding", s->outstanding - lost);
    if (lost != ndead_letters(s))
        fail(s, "%" PRId64 " calls to destroyed elements are missing, %" PRId64 " were dropped",
             lost, ndead_letters(s));
}

void
check_end(struct storm *s)
{
    int64_t lost = 0;

    for (uint32_t i = 0; i < s->ncolls; i++) {
        const struct coll *c = &s->coll[i];

        lost += check_elems_end(s, c);
        if (c->kind != C_SINGLE)
            check_bcasts_end(s, c);
        check_reds_end(s, c);
    }
    sections_check_end(s);
    check_futures_end(s);
    check_leftovers(s, lost);
}
