/*
 * storm_chare.c - the random program: chares that do what the plan weighs.
 *
 * All types share one body and the same entry methods.  "Bound" chares take
 * their calls through a binding, as those of another language would: by
 * reference where they can, and some calls end later (a coroutine).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storm.h"

struct body {
    uint32_t coll, slot, mark;
    uint64_t nheap;                         /* bytes */
    unsigned char *heap;                    /* travels with c4_pup_heap() */
    struct storm *storm;                    /* this process has only one */
};

struct note {
    uint64_t uid;
    uint32_t op, arg;
    c4_future future;
    uint64_t value;
    unsigned char fill[];
};

struct birth { uint32_t coll, slot, nheap; };
struct shout { uint32_t coll, no; };

/* The API may refuse what the storm asks for only when the job is ending. */
bool
ok(struct storm *s, c4_pe *pe, c4_err err, const char *what)
{
    if (err && !c4_stopping(pe))
        fail(s, "%s: %s (%s)", what, c4_strerror(err), c4_error(pe));
    return err == C4_OK;
}

/* ---- Indexes and collections ---------------------------------------------------- */

c4_index
slot_index(const struct coll *c, uint32_t slot)
{
    c4_index x = { c->dims.n, { 0 } };

    slot = c->elem[slot].as;
    if (c->nsized) {
        x.at[0] = slot < c->nsized ? slot : (int64_t)slot * 7 - 300;
        return x;
    }
    if (c->kind == C_SPARSE) {
        x.at[0] = c->dims.n == 1 ? (int64_t)slot * 7 - 30 : (int64_t)(slot % 5) - 2;
        if (c->dims.n > 1)
            x.at[1] = (int64_t)(slot / 5) * 100000 - 7;
        return x;
    }
    for (int i = c->dims.n; i-- > 0; slot /= (uint32_t)c->dims.at[i])
        x.at[i] = slot % c->dims.at[i];
    return x;
}

uint64_t
slot_key(const struct coll *c, uint32_t slot)
{
    c4_index x = slot_index(c, slot);
    uint64_t key = slot;

    if (c->kind == C_SPARSE || c->kind == C_DENSE)
        c4_key_of(&c->dims, &x, &key);
    return key;
}

struct coll *
coll_add(struct storm *s, enum coll_kind kind, uint32_t nslots, bool bound)
{
    struct coll *c = &s->coll[s->ncolls];

    c->storm = s;
    c->kind = kind;
    c->no = s->ncolls++;
    c->nslots = nslots;
    c->bound = bound;
    c->created_left = UINT32_MAX;
    for (uint32_t i = 0; i < MAXSLOT; i++) {
        c->elem[i].pe = UINT32_MAX;
        c->elem[i].as = c->elem[i].heir = i;
    }
    return c;
}

/* ---- Futures ---------------------------------------------------------------------- */

static c4_err
future_fired(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct storm *s = c4_user(pe);
    size_t i = (size_t)(uintptr_t)arg;
    struct future_rec *f = &s->future[i];
    uint64_t value = 0;

    check_run(s, pe);
    event(s, "future", f->pe, c4_mype(pe), i, f->ngot, len, 0);
    if (len == sizeof(value))
        memcpy(&value, data, sizeof(value));
    if (f->pe != c4_mype(pe) || f->ngot >= f->nvalues)
        fail(s, "future %zu of PE %u fires on PE %u, %u of %u values were there", i, f->pe,
             c4_mype(pe), f->ngot, f->nvalues);
    if (!data && f->of && (f->of->dead || f->of->again))
        value = f->expect, len = sizeof(value);
    if (len != sizeof(value) || value != f->expect)
        fail(s, "future %zu gets a wrong value of %zu bytes", i, len);
    f->ngot++;
    if (f->nsent)                           /* sent by c4_future_send() */
        s->outstanding--;
    return C4_OK;
}

#define GROW(s, what, n, cap) do { \
        if ((s)->n == (s)->cap) { \
            (s)->cap = (s)->cap ? (s)->cap * 2 : 64; \
            (s)->what = c4i_realloc((s)->what, (s)->cap * sizeof(*(s)->what)); \
        } \
    } while (0)

static int
future_add(struct storm *s, c4_pe *pe, uint32_t nvalues, uint64_t expect)
{
    GROW(s, future, nfutures, future_cap);
    s->future[s->nfutures] = (struct future_rec){ .pe = c4_mype(pe), .nvalues = nvalues,
                                                  .expect = expect };
    s->future[s->nfutures].id = c4_future_new(pe, nvalues, future_fired,
                                              (void *)(uintptr_t)s->nfutures);
    return (int)s->nfutures++;
}

static void
send_value(struct storm *s, c4_pe *pe, size_t i)
{
    struct future_rec *f = &s->future[i];

    event(s, "value", c4_mype(pe), f->pe, i, 0, 0, 0);
    f->nsent++;
    s->outstanding++;
    ok(s, pe, c4_future_send(pe, f->id, &f->expect, sizeof(f->expect)), "c4_future_send");
}

/* ---- Sending ------------------------------------------------------------------------ */

static unsigned char
fill_byte(uint64_t uid, size_t i)
{
    return (unsigned char)(uid * 31 + i * 7);
}

static struct note_rec *
note_add(struct storm *s, uint32_t me, struct coll *c, uint32_t slot)
{
    struct note_rec *n;

    GROW(s, note, nnotes, note_cap);
    n = &s->note[s->nnotes++];
    clock_tick(s, me);
    *n = (struct note_rec){ .coll = c->no, .slot = slot, .src = me, .future = NONE };
    n->seq = c->elem[c->elem[slot].as].sent[me]++;
    memcpy(n->clock, s->clock[me], sizeof(n->clock));
    s->outstanding++;
    return n;
}

static struct note *
note_make(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, enum op op, uint32_t arg,
          size_t *len)
{
    struct note_rec *n = note_add(s, c4_mype(pe), c, slot);
    uint64_t uid = s->nnotes - 1;
    size_t fill = chance(s, 85) ? rnd(s, 40) : chance(s, 80) ? rnd(s, 700) : rnd(s, 5000);
    struct note *m = c4i_alloc(sizeof(*m) + fill);

    *m = (struct note){ .uid = uid, .op = op, .arg = arg };
    for (size_t i = 0; i < fill; i++)
        m->fill[i] = fill_byte(uid, i);
    *len = sizeof(*m) + fill;
    n->len = (uint32_t)*len;
    event(s, "send", c4_mype(pe), c->elem[slot].pe, c->no, slot, uid, n->seq);
    return m;
}

void
send_note(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, enum op op, uint32_t arg)
{
    size_t len;
    struct note *m = note_make(s, pe, c, slot, op, arg, &len);
    c4_err err = c4_send(pe, c4_elem(c->id, c->elem[slot].key), E_NOTE, m, len);

    ok(s, pe, err, "c4_send");
    free(m);
}

/* A call whose result goes to a future. */
static void
send_call(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    size_t len;
    struct note *m = note_make(s, pe, c, slot, OP_ACT, 0, &len);
    int f = future_add(s, pe, 1, value_of(m->uid));
    struct iovec iov[2] = { { m, sizeof(*m) }, { m->fill, len - sizeof(*m) } };
    c4_err err = c4_sendv(pe, c4_elem(c->id, c->elem[slot].key), E_NOTE, iov, 2, s->future[f].id);

    s->note[m->uid].future = f;
    s->future[f].of = &c->elem[slot];
    ok(s, pe, err, "c4_sendv");
    free(m);
}

/* By reference where it may go, else by value. */
static void
send_ref(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    size_t len;
    struct note *m = note_make(s, pe, c, slot, OP_ACT, 0, &len);
    c4_chare to = c4_elem(c->id, c->elem[slot].key);
    c4_future done = 0;
    c4_err err = C4_EREMOTE;

    if (chance(s, 40)) {
        int f = future_add(s, pe, 1, value_of(m->uid));

        s->note[m->uid].future = f;
        s->future[f].of = &c->elem[slot];
        done = s->future[f].id;
    }
    if (c->bound)
        err = c4_send_ref(pe, to, E_NOTE, m, done);
    if (err == C4_EREMOTE) {
        struct iovec iov = { m, len };

        ok(s, pe, c4_sendv(pe, to, E_NOTE, &iov, 1, done), "c4_sendv");
        free(m);
    } else {
        ok(s, pe, err, "c4_send_ref");
    }
}

/* ---- Broadcasts ---------------------------------------------------------------------- */

static c4_err
bcast_done(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct bcast *b = arg;
    struct storm *s = c4_user(pe);
    struct coll *c = &s->coll[0];
    const unsigned char *p = data;
    uint32_t no, n = 0;
    uint64_t seen = 0;

    while (b < c->bcast || b >= c->bcast + MAXBCAST)
        c++;
    no = (uint32_t)(b - c->bcast);
    check_run(s, pe);
    event(s, "bcast done", b->pe, c4_mype(pe), c->no, no, b->nexec, len);
    if (b->done || b->pe != c4_mype(pe))
        fail(s, "broadcast %u of collection %u completes twice or on PE %u", no, c->no,
             c4_mype(pe));
    if (b->nfinished != b->nexec)
        fail(s, "broadcast %u of collection %u completes with %u of %u calls finished", no, c->no,
             b->nfinished, b->nexec);
    b->done = true;
    if (!b->results && len)
        fail(s, "broadcast %u of collection %u gets results it did not ask for", no, c->no);
    for (; b->results && len >= sizeof(c4_result) + 16; n++) {
        c4_result r;
        uint64_t value;
        uint32_t slot = 0;

        memcpy(&r, p, sizeof(r));
        memcpy(&value, p + sizeof(r), sizeof(value));
        while (slot < c->nslots && (c->elem[slot].key != r.key || (seen >> slot & 1)
                                    || !(c->elem[slot].seen >> no & 1)))
            slot++;
        if (slot == c->nslots || r.len != 8 || value != bcast_value(no, r.key)
            || !c->elem[slot].wanted) {
            fail(s, "broadcast %u of collection %u: wrong result %u", no, c->no, n);
            return C4_OK;
        }
        seen |= (uint64_t)1 << slot;
        p += sizeof(r) + 16;
        len -= sizeof(r) + 16;
    }
    if (b->results && (len || n != b->nexec))
        fail(s, "broadcast %u of collection %u has %u results, %u executed it", no, c->no, n,
             b->nexec);
    return C4_OK;
}

static void
shout(struct storm *s, c4_pe *pe, struct coll *c, bool awaited, bool results)
{
    uint32_t me = c4_mype(pe);
    struct shout x = { c->no, c->nbcast };
    struct bcast *b = &c->bcast[c->nbcast];
    c4_future done = 0;
    char big[3000] = { 0 };
    struct iovec iov[2] = { { &x, sizeof(x) }, { big, sizeof(big) } };

    if (c->nbcast == MAXBCAST || c->kind == C_SINGLE)
        return;
    c->nbcast++;
    clock_tick(s, me);
    *b = (struct bcast){ .pe = me, .serial = ++c->nissued[me], .awaited = awaited,
                         .results = results };
    memcpy(b->clock, s->clock[me], sizeof(b->clock));
    event(s, "shout", me, c->maker, c->no, x.no, awaited, results);
    if (c->kind == C_DENSE || c->kind == C_GROUP)
        s->outstanding += nliving(c);
    if (!awaited && chance(s, 80)) {
        ok(s, pe, c4_bcast(pe, c->id, E_BCAST, &x, sizeof(x)), "c4_bcast");
        return;
    }
    if (awaited)
        done = c4_future_new(pe, 1, bcast_done, b);
    ok(s, pe, c4_bcastv(pe, c->id, E_BCAST, iov, chance(s, 80) ? 1 : 2, done,
                        results ? C4_BCAST_RESULTS : 0), "c4_bcastv");
}

/* ---- Reductions ------------------------------------------------------------------------ */

static c4_err
red_future(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct reduction *r = arg;
    struct storm *s = c4_user(pe);
    struct coll *c = &s->coll[0];

    check_run(s, pe);
    while (r < c->red || r >= c->red + MAXRED)
        c++;
    check_reduced(s, c, (uint32_t)(r - c->red), data, len);
    return C4_OK;
}

/* The storm's own reducer: { count, sum, tag }, in an unusual form inside:
 * what was merged since the last combine() lies behind it. */
static c4_err
own_merge(c4_pe *pe, struct c4_buf *acc, const void *data, size_t len)
{
    (void)pe;
    return c4_buf_add(acc, data, len);
}

static c4_err
own_combine(c4_pe *pe, struct c4_buf *acc)
{
    int64_t *x = (int64_t *)(void *)acc->data;

    (void)pe;
    for (size_t i = 3; i < acc->len / 8; i += 3) {
        x[0] += x[i];
        x[1] += x[i + 1];
        x[2] += x[i + 2];
    }
    acc->len = acc->len ? 24 : 0;
    return C4_OK;
}

static c4_err
own_finish(c4_pe *pe, struct c4_buf *acc)
{
    return own_combine(pe, acc);
}

const c4_reducer storm_reducer = {
    .name = "storm", .merge = own_merge, .combine = own_combine, .finish = own_finish,
};

static struct coll *
group_of(struct storm *s)
{
    for (uint32_t i = 0; i < s->ncolls; i++)
        if (s->coll[i].kind == C_GROUP)
            return &s->coll[i];
    return NULL;
}

/* A slot of collection no that lives for ever. */
static uint32_t
immortal(struct storm *s, uint32_t no)
{
    uint32_t slot = rnd(s, s->coll[no].nslots);

    return mortal(s, &s->coll[no], slot) ? slot - 1 : slot;
}

/* The first contribution decides how reduction r goes. */
static void
red_begin(struct storm *s, c4_pe *pe, struct coll *c, struct reduction *r)
{
    static const uint16_t reducers[] = { C4_RED_NOP, C4_RED_SUM_I64, C4_RED_SUM_I64,
        C4_RED_MAX_I64, C4_RED_MIN_I64, C4_RED_SUM_F64, C4_RED_GATHER, C4_RED_BUILTIN };
    struct coll *g = group_of(s);

    r->begun = true;
    r->reducer = reducers[rnd(s, 8)];
    if (r->reducer == C4_RED_BUILTIN)
        r->reducer = s->reducer;
    if ((r->reducer == C4_RED_SUM_I64 || r->reducer == C4_RED_MAX_I64) && g && chance(s, 30))
        r->cb = c4_cb_bcast(g->id, E_REDALL);
    else if (r->reducer == C4_RED_MIN_I64 || r->reducer == s->reducer)
        r->cb = c4_cb_send(c4_elem(s->coll[0].id, s->coll[0].elem[immortal(s, 0)].key), E_RED);
    else
        r->cb = c4_cb_future(c4_future_new(pe, 1, red_future, r));
    (void)c;
}

/* The running element contributes to its next reduction. */
void
contribute(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    struct elem *e = &c->elem[slot];
    struct reduction *r = &c->red[e->red_next];
    int64_t value = (int64_t)rnd(s, 1000) - 500, tag = (int64_t)e->red_next * 8 + c->no;
    int64_t three[3] = { 1, value, tag };
    double floats[3] = { 1, (double)value, (double)tag };
    const void *data = three;
    size_t len = sizeof(three);

    if (e->red_next == MAXRED || c->kind == C_SINGLE)
        return;
    if (!r->begun)
        red_begin(s, pe, c, r);
    if (r->reducer == C4_RED_SUM_F64)
        data = floats;
    else if (r->reducer == C4_RED_MAX_I64 || r->reducer == C4_RED_MIN_I64
             || r->reducer == C4_RED_GATHER)
        data = &three[1], len = 16;
    else if (r->reducer == C4_RED_NOP)
        data = NULL, len = 0;
    check_contribution(s, c, slot, value);
    ok(s, pe, c4_reduce(pe, r->reducer, data, len, &r->cb), "c4_reduce");
}

/* ---- Other actions ------------------------------------------------------------------------ */

static void
move_somewhere(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    struct elem *e = &c->elem[slot];
    uint32_t to = chance(s, s->plan.move_back) ? e->came_from : rnd(s, s->plan.npes);

    if (c->kind == C_GROUP || e->dying)
        return;
    event(s, "move", c4_mype(pe), to, c->no, slot, 0, 0);
    ok(s, pe, c4_migrate(pe, to), "c4_migrate");
}

static void
die(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    struct elem *e = &c->elem[slot];

    if (!mortal(s, c, slot) || e->dying || e->held || e->red_next + 2 >= MAXRED)
        return;
    event(s, "die", c4_mype(pe), c4_mype(pe), c->no, slot, 0, 0);
    e->dying = true;
    ok(s, pe, c4_destroy(pe), "c4_destroy");
}

static void
sync_call(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    struct elem *e = &c->elem[slot];

    if (!c->sync || e->nsync - e->nresume > s->plan.ahead || e->dying
        || (e->nsync >= MAXSYNC && !s->finishing))
        return;
    event(s, "sync", c4_mype(pe), c4_mype(pe), c->no, slot, e->nsync, e->nresume);
    e->nsync++;
    ok(s, pe, c4_at_sync(pe), "c4_at_sync");
}

static bool
knows(c4_pe *pe, const struct coll *c)
{
    c4_coll_info info;

    return c4_coll_lookup(pe, c->id, &info) == C4_OK;
}

void
insert_slot(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, int parent)
{
    c4_index x = slot_index(c, slot);
    struct birth birth = { c->no, slot, rnd(s, 60) };
    c4_opts opts = { .args = &birth, .len = sizeof(birth) };
    int on_pe = chance(s, 40) ? -1 : (int)rnd(s, s->plan.npes);

    check_issue(s, c, slot, c4_mype(pe), parent);
    c->elem[slot].key = slot_key(c, slot);
    ok(s, pe, c4_insert(pe, c->id, &x, on_pe, &opts), "c4_insert");
}

/* A new element in slot n takes the index of one that has ended, or soon will. */
static void
inherit(struct storm *s, struct coll *c, uint32_t n)
{
    uint32_t from = rnd(s, c->nslots);

    if (!s->plan.reuse || c->elem[n].wanted)
        return;
    for (uint32_t k = 0; k < c->nslots; k++) {
        uint32_t i = (from + k) % c->nslots;
        struct elem *e = &c->elem[i];

        if (!e->dying || e->heir != i)
            continue;
        e->heir = n;
        c->elem[n].as = e->as;
        c->elem[n].again = e->again + 1;
        s->win->nheirs++;
        return;
    }
}

/* Inserts an element of the sparse array, if this code may do so. */
static void
insert_some(struct storm *s, c4_pe *pe, struct coll *self, int slot)
{
    for (uint32_t i = 0; i < s->ncolls; i++) {
        struct coll *c = &s->coll[i];
        int parent = c == self ? slot : NONE;
        uint32_t from = rnd(s, c->nslots);

        if (c->kind != C_SPARSE || !knows(pe, c)
            || (c->closed && !(parent == NONE ? s->plan.late_main : s->plan.late_insert)))
            continue;
        for (uint32_t k = 0; k < c->nslots; k++) {
            uint32_t n = (from + k) % c->nslots;

            if (!c->elem[n].inserted) {
                inherit(s, c, n);
                insert_slot(s, pe, c, n, parent);
                return;
            }
        }
    }
}

/* A message to an element that does not exist yet, but will. */
static void
promise_some(struct storm *s, c4_pe *pe)
{
    for (uint32_t i = 0; i < s->ncolls; i++) {
        struct coll *c = &s->coll[i];
        uint32_t n = rnd(s, c->nslots);

        if (c->kind != C_SPARSE || c->elem[n].inserted || c->nsized
            || (c->closed && !s->plan.late_insert))
            continue;
        if (!c->elem[n].wanted)
            s->promised++;
        c->elem[n].wanted = true;
        c->elem[n].key = slot_key(c, n);
        send_note(s, pe, c, n, OP_ACT, 0);
        return;
    }
}

static c4_err
qd_fired(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct storm *s = c4_user(pe);
    struct qd_rec *q = &s->qd[(uintptr_t)arg];

    (void)data;
    (void)len;
    check_run(s, pe);
    s->win->nqds++;
    event(s, "quiescence", c4_mype(pe), c4_mype(pe), (uintptr_t)arg, q->step, s->quiet_step, 0);
    if (q->fired)
        fail(s, "quiescence request %zu fires twice", (size_t)(uintptr_t)arg);
    if (s->quiet_step <= q->step)
        fail(s, "quiescence is reported too early: requested at step %llu, not quiet since %llu",
             (unsigned long long)q->step, (unsigned long long)s->quiet_step);
    q->fired = true;
    return C4_OK;
}

void
request_qd(struct storm *s, c4_pe *pe)
{
    c4_callback cb;

    GROW(s, qd, nqd, qd_cap);
    s->qd[s->nqd] = (struct qd_rec){ .step = s->step };
    cb = c4_cb_future(c4_future_new(pe, 1, qd_fired, (void *)(uintptr_t)s->nqd));
    event(s, "qd request", c4_mype(pe), 0, s->nqd++, 0, 0, 0);
    ok(s, pe, c4_quiescence(pe, &cb), "c4_quiescence");
}

static void late_finish(struct storm *s, c4_pe *pe, struct late *l);

static c4_err
timer_fired(c4_pe *pe, void *arg)
{
    struct timer_rec *t = arg;
    struct storm *s = t->storm;

    check_run(s, pe);
    event(s, "timer", t->pe, c4_mype(pe), t->due, 0, 0, 0);
    if (t->fired || t->pe != c4_mype(pe) || c4i_sim_now(s->sim) < t->due)
        fail(s, "a timer of PE %u fires twice, elsewhere or early", t->pe);
    t->fired = true;
    if (t->late)
        late_finish(s, pe, t->late);
    else
        act(s, pe, NULL, NONE);
    return C4_OK;
}

static void
set_timer(struct storm *s, c4_pe *pe, struct late *late)
{
    struct timer_rec *t = c4i_alloc(sizeof(*t));
    uint64_t ns = chance(s, 20) ? 0 : rnd(s, chance(s, 50) ? 3000 : 100000);

    GROW(s, timer, ntimers, timer_cap);
    s->timer[s->ntimers++] = t;
    *t = (struct timer_rec){ .storm = s, .pe = c4_mype(pe), .due = c4i_sim_now(s->sim) + ns,
                             .late = late };
    ok(s, pe, c4_after(pe, ns, timer_fired, t), "c4_after");
}

static void
make_single(struct storm *s, c4_pe *pe)
{
    for (uint32_t i = 0; i < s->ncolls; i++) {
        struct coll *c = &s->coll[i];
        uint32_t slot = c->nslots;
        struct birth birth = { c->no, slot, rnd(s, 60) };
        c4_opts opts = { .args = &birth, .len = sizeof(birth) };
        struct elem *e = &c->elem[slot];
        c4_chare out;

        if (c->kind != C_SINGLE || slot == MAXSLOT)
            continue;
        c->nslots++;
        e->wanted = e->inserted = true;
        clock_tick(s, c4_mype(pe));
        memcpy(e->clock, s->clock[c4_mype(pe)], sizeof(e->clock));
        s->outstanding++;
        if (ok(s, pe, c4_chare_new(pe, &storm_single, chance(s, 30) ? -1
                                   : (int)rnd(s, s->plan.npes), &opts, &out), "c4_chare_new"))
            e->key = out.idx;
        return;
    }
}

void
call_exit(struct storm *s, c4_pe *pe)
{
    int status = (int)rnd(s, 4) * 60 + (int)rnd(s, 5);
    uint32_t me = c4_mype(pe);

    event(s, "exit", me, 0, (uint64_t)status, 0, 0, 0);
    s->nexit_called++;
    s->exit_statuses[status / 64] |= (uint64_t)1 << (status % 64);
    ok(s, pe, c4_exit(pe, status), "c4_exit");
    s->exit_called[me] = true;
}

/* ---- Choosing ---------------------------------------------------------------------------- */

/* A random element that exists or will. */
struct coll *
choose_elem(struct storm *s, uint32_t *slot)
{
    for (int tries = 0; tries < 20; tries++) {
        struct coll *c = &s->coll[rnd(s, s->ncolls)];

        *slot = rnd(s, c->nslots);
        if (c->nslots && c->elem[*slot].wanted && reachable(c, *slot) && (c->kind != C_GROUP || chance(s, 30)))
            return c;
    }
    *slot = 0;
    return s->coll[0].nslots ? &s->coll[0] : NULL;
}

struct coll *
choose_immortal(struct storm *s, uint32_t *slot)
{
    struct coll *c;

    do
        c = choose_elem(s, slot);
    while (mortal(s, c, *slot));
    return c;
}

static struct coll *
choose_coll(struct storm *s)
{
    struct coll *c = &s->coll[rnd(s, s->ncolls)];

    return c->kind == C_SINGLE ? &s->coll[0] : c;
}

static void
act_anywhere(struct storm *s, c4_pe *pe, enum act what, struct coll *self, int self_slot)
{
    uint32_t slot;
    struct coll *c = choose_elem(s, &slot);

    switch (what) {
    case A_SEND:
        send_note(s, pe, c, slot, OP_ACT, 0);
        break;
    case A_CALL:
        send_call(s, pe, c, slot);
        break;
    case A_REF:
        send_ref(s, pe, c, slot);
        break;
    case A_BCAST:
        shout(s, pe, choose_coll(s), false, false);
        break;
    case A_AWAIT:
        shout(s, pe, choose_coll(s), true, false);
        break;
    case A_RESULTS:
        shout(s, pe, choose_coll(s), true, true);
        break;
    case A_INSERT:
        insert_some(s, pe, self, self_slot);
        break;
    case A_PROMISE:
        promise_some(s, pe);
        break;
    case A_QD:
        request_qd(s, pe);
        break;
    case A_TIMER:
        set_timer(s, pe, NULL);
        break;
    case A_FUTURE: {
        uint32_t n = 1 + rnd(s, 3);
        int f = future_add(s, pe, n, c4i_sim_rand(&s->rng));

        for (uint32_t i = 0; i < n; i++) {
            c = choose_immortal(s, &slot);
            send_note(s, pe, c, slot, OP_VALUE, (uint32_t)f);
        }
        break;
    }
    case A_SINGLE:
        make_single(s, pe);
        break;
    case A_SECTION:
        section_make(s, pe);
        break;
    case A_CAST:
        section_cast(s, pe);
        break;
    default:
        break;
    }
}

static void
act_once(struct storm *s, c4_pe *pe, struct coll *self, int slot)
{
    unsigned sum = 0, k;
    int what = 0;

    for (int i = 0; i < NACTS; i++)
        sum += s->plan.weight[i];
    k = rnd(s, sum);
    while (k >= s->plan.weight[what])
        k -= s->plan.weight[what++];
    if (what != A_MOVE && what != A_REDUCE && what != A_SYNC && what != A_SREDUCE
        && what != A_DIE) {
        act_anywhere(s, pe, (enum act)what, self, slot);
        return;
    }
    if (slot == NONE)
        return;
    if (what == A_MOVE) {
        move_somewhere(s, pe, self, (uint32_t)slot);
    } else if (what == A_SYNC) {
        sync_call(s, pe, self, (uint32_t)slot);
    } else if (what == A_DIE) {
        die(s, pe, self, (uint32_t)slot);
    } else {
        bool move = chance(s, s->plan.move_contrib);

        if (what == A_REDUCE)
            contribute(s, pe, self, (uint32_t)slot);
        else
            section_contribute_some(s, pe, self, (uint32_t)slot);
        if (move)
            move_somewhere(s, pe, self, (uint32_t)slot);
    }
}

/* What a method does at random; slot NONE: main code, a timer. */
void
act(struct storm *s, c4_pe *pe, struct coll *c, int slot)
{
    struct plan *p = &s->plan;
    unsigned n = rnd(s, 2 * p->fan + 1);

    if (s->nexecuted >= p->exit_after && s->nexit_called < p->nexit && chance(s, 30)) {
        call_exit(s, pe);
        return;
    }
    if (s->finishing)
        return;
    if (slot != NONE && chance(s, p->move_after))
        move_somewhere(s, pe, c, (uint32_t)slot);
    for (n = n / 100 + chance(s, n % 100); n && s->budget > 0 && !s->failed; n--) {
        s->budget--;
        act_once(s, pe, c, slot);
    }
}

/* ---- Entry methods ------------------------------------------------------------------------- */

static c4_err
reply(c4_pe *pe, const c4_call *call, uint64_t value)
{
    struct iovec iov = { &value, sizeof(value) };

    return call ? c4_replyv(pe, &iov, 1, false) : c4_reply(pe, &value, sizeof(value));
}

/* Instead of a reply: the call ends later, the element is held until then. */
static bool
defer(struct storm *s, c4_pe *pe, struct body *me, c4_call *call, uint32_t *nfinished,
      uint64_t value)
{
    struct late *l;

    if (!call || !chance(s, s->plan.defer) || s->exit_called[c4_mype(pe)])
        return false;
    l = c4i_alloc(sizeof(*l));
    *l = (struct late){ call->done, c4_mype(pe), me->coll, me->slot, nfinished, value };
    GROW(s, late, nlate, late_cap);
    s->late[s->nlate++] = l;
    call->deferred = true;
    s->coll[me->coll].elem[me->slot].held++;
    event(s, "suspend", l->pe, l->pe, l->coll, l->slot, nfinished != NULL, 0);
    c4_hold(pe, c4_self(pe));
    set_timer(s, pe, l);
    return true;
}

static void
late_finish(struct storm *s, c4_pe *pe, struct late *l)
{
    struct coll *c = &s->coll[l->coll];
    struct elem *e = &c->elem[l->slot];
    c4_chare self = c4_elem(c->id, e->key);
    struct iovec iov = { &l->value, sizeof(l->value) };

    event(s, "go on", l->pe, e->pe, l->coll, l->slot, l->nfinished != NULL, 0);
    if (e->pe != l->pe || !c4_local(pe, self))
        fail(s, "element %u/%u is on PE %u, its coroutine on PE %u", l->coll, l->slot, e->pe,
             l->pe);
    if (l->nfinished)
        (*l->nfinished)++;
    e->held--;
    if (chance(s, 50)) {
        ok(s, pe, c4_finish(pe, &l->done, &iov, 1, false), "c4_finish");
        c4_unhold(pe, self);
    } else {
        c4_unhold(pe, self);
        ok(s, pe, c4_finish(pe, &l->done, &iov, 1, false), "c4_finish");
    }
}

static void
obey(struct storm *s, c4_pe *pe, struct coll *c, struct body *me, const struct note *m)
{
    struct elem *e = &c->elem[me->slot];

    switch ((enum op)m->op) {
    case OP_ACT:
        act(s, pe, c, (int)me->slot);
        break;
    case OP_QUIET:
        break;
    case OP_CONTRIBUTE:
        while (e->red_next < m->arg && !s->failed)
            contribute(s, pe, c, me->slot);
        if (chance(s, s->plan.move_contrib))
            move_somewhere(s, pe, c, me->slot);
        break;
    case OP_SYNC:
        sync_call(s, pe, c, me->slot);
        break;
    case OP_INSERT:                         /* what was promised */
        for (uint32_t i = 0; i < s->ncolls; i++) {
            struct coll *o = &s->coll[i];

            for (uint32_t k = 0; o->kind == C_SPARSE && k < o->nslots; k++)
                if (o->elem[k].wanted && !o->elem[k].inserted)
                    insert_slot(s, pe, o, k, o == c ? (int)me->slot : NONE);
        }
        break;
    case OP_VALUE:
        send_value(s, pe, m->arg);
        act(s, pe, c, (int)me->slot);
        break;
    case OP_SREDUCE:
        section_contribute(s, pe, c, me->slot, m->arg % MAXSECT, m->arg / MAXSECT);
        break;
    }
}

static c4_err
on_note(c4_pe *pe, struct body *me, const void *data, size_t len, c4_call *call)
{
    struct storm *s = c4_user(pe);
    struct coll *c = &s->coll[me->coll];
    const struct note *m = data;
    uint64_t value;

    if (s->failed)
        return C4_OK;
    check_elem(s, pe, c, me->slot, &me->mark);
    if (len < sizeof(*m) || ((uintptr_t)data & 15 && len > C4I_INLINE && !(call && call->ref))) {
        fail(s, "element %u/%u gets %zu bytes at %p", c->no, me->slot, len, data);
        return C4_OK;
    }
    for (size_t i = 0; i < len - sizeof(*m); i++)
        if (m->fill[i] != fill_byte(m->uid, i))
            fail(s, "message %llu is garbled", (unsigned long long)m->uid);
    check_note(s, pe, c, me->slot, m->uid, len);
    if (s->failed)
        return C4_OK;
    value = value_of(m->uid);
    obey(s, pe, c, me, m);
    if (s->exit_called[c4_mype(pe)] || defer(s, pe, me, call, NULL, value))
        return C4_OK;
    return reply(pe, call, value);
}

static c4_err
on_bcast(c4_pe *pe, struct body *me, const void *data, size_t len, c4_call *call)
{
    struct storm *s = c4_user(pe);
    struct coll *c = &s->coll[me->coll];
    struct shout x;
    uint64_t value;

    if (s->failed)
        return C4_OK;
    check_elem(s, pe, c, me->slot, &me->mark);
    memcpy(&x, data, sizeof(x));
    if (len < sizeof(x) || x.coll != c->no) {
        fail(s, "element %u/%u gets a broadcast of collection %u", c->no, me->slot, x.coll);
        return C4_OK;
    }
    check_bcast(s, pe, c, me->slot, x.no);
    if (s->failed)
        return C4_OK;
    if (call && call->cache && !*call->cache)
        *call->cache = c4i_alloc(8);
    value = bcast_value(x.no, c->elem[me->slot].key);
    act(s, pe, c, (int)me->slot);
    if (s->exit_called[c4_mype(pe)] || defer(s, pe, me, call, &c->bcast[x.no].nfinished, value))
        return C4_OK;
    c->bcast[x.no].nfinished++;
    return reply(pe, call, value);
}

static c4_err
on_cast(c4_pe *pe, struct body *me, const void *data, size_t len, c4_call *call)
{
    struct storm *s = c4_user(pe);
    struct coll *c = &s->coll[me->coll];
    uint32_t *nfinished;
    uint64_t value;

    if (s->failed)
        return C4_OK;
    check_elem(s, pe, c, me->slot, &me->mark);
    nfinished = section_called(s, pe, c, me->slot, data, len, &value);
    if (s->failed)
        return C4_OK;
    if (call && call->cache && !*call->cache)
        *call->cache = c4i_alloc(8);
    act(s, pe, c, (int)me->slot);
    if (s->exit_called[c4_mype(pe)] || defer(s, pe, me, call, nfinished, value))
        return C4_OK;
    (*nfinished)++;
    return reply(pe, call, value);
}

/* A reduction's result; the checker finds out of which. */
static c4_err
on_result(c4_pe *pe, struct body *me, const void *data, size_t len, bool all)
{
    struct storm *s = c4_user(pe);
    struct coll *c = &s->coll[me->coll];

    if (s->failed)
        return C4_OK;
    check_elem(s, pe, c, me->slot, &me->mark);
    check_result(s, pe, data, len, all);
    if (!s->failed)
        act(s, pe, c, (int)me->slot);
    return C4_OK;
}

static c4_err
plain_note(c4_pe *pe, void *self, const void *data, size_t len)
{
    return on_note(pe, self, data, len, NULL);
}

static c4_err
plain_bcast(c4_pe *pe, void *self, const void *data, size_t len)
{
    return on_bcast(pe, self, data, len, NULL);
}

static c4_err
plain_red(c4_pe *pe, void *self, const void *data, size_t len)
{
    return on_result(pe, self, data, len, false);
}

static c4_err
plain_redall(c4_pe *pe, void *self, const void *data, size_t len)
{
    return on_result(pe, self, data, len, true);
}

static c4_err
plain_cast(c4_pe *pe, void *self, const void *data, size_t len)
{
    return on_cast(pe, self, data, len, NULL);
}

static const c4_entry entries[] = {
    [E_NOTE] = { "note", plain_note },
    [E_BCAST] = { "bcast", plain_bcast },
    [E_RED] = { "red", plain_red },
    [E_REDALL] = { "redall", plain_redall },
    [E_CAST] = { "cast", plain_cast },
    { NULL, NULL }
};

/* ---- Life of an object ------------------------------------------------------------------------ */

static c4_err
body_create(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct storm *s = c4_user(pe);
    struct body *me = self;
    struct birth b;
    struct coll *c;

    if (s->failed)
        return C4_OK;
    if (len != sizeof(b)) {
        fail(s, "a constructor gets %zu bytes", len);
        return C4_OK;
    }
    memcpy(&b, data, sizeof(b));
    c = &s->coll[b.coll];
    me->storm = s;
    me->coll = b.coll;
    me->slot = c->kind == C_DENSE || c->kind == C_GROUP || b.slot == UINT32_MAX
             ? (uint32_t)c4_self(pe).idx : b.slot;
    if (c->kind != C_SINGLE) {
        c4_index is = c4_self_index(pe), want = slot_index(c, me->slot);

        if (is.n != want.n || memcmp(is.at, want.at, (size_t)is.n * sizeof(is.at[0])))
            fail(s, "element %u/%u has a wrong index", c->no, me->slot);
    }
    if (c4_self(pe).idx != c->elem[me->slot].key)
        fail(s, "element %u/%u has a wrong key", c->no, me->slot);
    me->nheap = b.nheap;
    me->heap = b.nheap ? malloc(b.nheap) : NULL;
    if (me->heap)
        memset(me->heap, (int)me->slot, b.nheap);
    check_born(s, pe, c, me->slot, &me->mark);
    if (chance(s, 20))
        act(s, pe, c, (int)me->slot);
    return C4_OK;
}

static void
body_destroy(c4_pe *pe, void *self)
{
    struct body *me = self;
    struct storm *s = me->storm;

    free(me->heap);
    if (s && s->coll[me->coll].elem[me->slot].dying && !c4_stopping(pe) && !s->failed)
        check_died(s, pe, &s->coll[me->coll], me->slot);
}

static void
body_pup(c4_pup *p, void *self)
{
    struct body *me = self;
    void *heap = me->heap;

    c4_pup_raw(p, &me->coll, sizeof(me->coll));
    c4_pup_raw(p, &me->slot, sizeof(me->slot));
    c4_pup_raw(p, &me->mark, sizeof(me->mark));
    c4_pup_raw(p, &me->storm, sizeof(me->storm));
    c4_pup_heap(p, &heap, &me->nheap);
    me->heap = heap;
}

static c4_err
body_migrated(c4_pe *pe, void *self)
{
    struct storm *s = c4_user(pe);
    struct body *me = self;
    struct coll *c = &s->coll[me->coll];

    if (s->failed)
        return C4_OK;
    for (size_t i = 0; i < me->nheap; i++)
        if (me->heap[i] != (unsigned char)me->slot)
            fail(s, "element %u/%u lost its memory on the way", c->no, me->slot);
    check_arrived(s, pe, c, me->slot, &me->mark);
    if (chance(s, 10))
        act(s, pe, c, (int)me->slot);
    return C4_OK;
}

static c4_err
body_resume(c4_pe *pe, void *self)
{
    struct storm *s = c4_user(pe);
    struct body *me = self;
    struct coll *c = &s->coll[me->coll];

    if (s->failed)
        return C4_OK;
    check_elem(s, pe, c, me->slot, &me->mark);
    check_resume(s, c, me->slot);
    if (!s->failed)
        act(s, pe, c, (int)me->slot);
    if (chance(s, 40) && !s->finishing && !s->exit_called[c4_mype(pe)])
        sync_call(s, pe, c, me->slot);      /* at once the next round */
    return C4_OK;
}

static c4_err
bound_invoke(c4_pe *pe, void *self, unsigned entry, c4_call *call)
{
    const void *data = call->ref ? call->ref : call->data;
    size_t len = call->len;
    c4_err err = C4_OK;

    if (call->ref) {
        struct storm *s = c4_user(pe);
        const struct note *m = call->ref;

        len = m->uid < s->nnotes ? s->note[m->uid].len : 0;
    }
    switch (entry) {
    case E_NOTE:
        err = on_note(pe, self, data, len, call);
        break;
    case E_BCAST:
        err = on_bcast(pe, self, data, len, call);
        break;
    case E_RED:
    case E_REDALL:
        err = on_result(pe, self, data, len, entry == E_REDALL);
        break;
    case E_CAST:
        err = on_cast(pe, self, data, len, call);
        break;
    case C4_ENTRY_CREATE:
        err = body_create(pe, self, data, len);
        if (call->done.want && !err)
            err = c4_replyv(pe, NULL, 0, false);
        break;
    case C4_ENTRY_MIGRATED:
        err = body_migrated(pe, self);
        break;
    case C4_ENTRY_RESUME:
        err = body_resume(pe, self);
        break;
    default:
        fail(c4_user(pe), "entry %u does not exist", entry);
    }
    free(call->ref);
    return err;
}

static void
bound_ref_free(c4_pe *pe, void *ref)
{
    (void)pe;
    free(ref);
}

static c4_err
bound_ref_encode(c4_pe *pe, void *ref, c4_buf *out)
{
    struct storm *s = c4_user(pe);
    const struct note *m = ref;

    return c4_buf_add(out, m, s->note[m->uid].len);
}

static void
bound_cache_free(c4_pe *pe, void *cached)
{
    (void)pe;
    free(cached);
}

static const c4_binding binding = {
    .invoke = bound_invoke,
    .ref_free = bound_ref_free,
    .ref_encode = bound_ref_encode,
    .cache_free = bound_cache_free,
};

#define BODY(type_name) .name = type_name, .size = sizeof(struct body), .entries = entries, \
    .create = body_create, .destroy = body_destroy, .pup = body_pup, \
    .migrated = body_migrated, .resume = body_resume

const c4_type storm_plain = { BODY("plain") };
const c4_type storm_single = { BODY("single") };
const c4_type storm_bound = { BODY("bound"), .binding = &binding };

/* ---- An array map ---------------------------------------------------------------------------- */

static uint32_t
map_proc(c4_pe *pe, void *self, const c4_index *index)
{
    struct storm *s = c4_user(pe);
    uint32_t n = s->plan.npes;
    uint64_t h = (uint64_t)index->at[0] * 3 + (uint64_t)(index->n > 1 ? index->at[1] * 5 : 0);

    (void)self;
    switch (s->plan.map) {
    case MAP_ONE:
        return (uint32_t)(s->seed % n);
    case MAP_SPARE:                         /* nothing on the last PE */
        return n == 1 ? 0 : (uint32_t)(h % (n - 1));
    default:
        return (uint32_t)(value_of(h) % n);
    }
}

const c4_type storm_map = { .name = "map", .size = 8, .entries = entries, .proc_num = map_proc };
