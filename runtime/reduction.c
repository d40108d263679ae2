/*
 * reduction.c - reductions as counted trees [3].
 *
 * Each element numbers its contributions; number r of all members makes one
 * result.  A PE merges what it has and sends everything below its promise
 * (`mine`) up at once; the promise only decides how long parts are held to be
 * merged.  The root decides by count whether r is complete, so elements may
 * move and be inserted meanwhile.
 *
 * Contributions are counted by generation: 0 are the members known from the
 * start, g + 1 those inserted by generation g since its last contribution;
 * births come with the inserter's contribution, claims with the child's.
 * An element that other code inserts later is counted from a number on that the
 * root gives it (c4i_red_late()): the first one to which nobody has contributed
 * there; records of ends are no contributions.
 * What an element that is destroyed owes next, a record without data settles:
 * it is counted, and one is expected less from then on.
 *
 * check() must run after: a contribution, an arrival, a departure, a report.
 * While a PE makes the elements of a new collection, or insertion is open, it
 * holds all parts: nothing can be complete, and each would be a message.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

/* ---- Parts ------------------------------------------------------------------ */

/* The place of r: the first part that is not below it. */
static size_t
parts_place(const c4i_parts *p, uint64_t r)
{
    size_t lo = p->first, hi = p->first + p->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (p->at[mid].r < r)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Room for one more at the end: what was taken from the front comes back when
 * it is half of all. */
static void
parts_room(c4i_parts *p)
{
    if (p->first + p->n < p->cap)
        return;
    if (p->first >= p->n && p->first) {
        memmove(p->at, p->at + p->first, p->n * sizeof(*p->at));
        p->first = 0;
        return;
    }
    p->cap = p->cap ? p->cap * 2 : 4;
    p->at = c4i_realloc(p->at, p->cap * sizeof(*p->at));
}

static c4i_part *
parts_get(c4i_parts *p, uint64_t r)
{
    size_t i;

    if (p->n && p->at[p->first].r == r)     /* the usual case */
        return &p->at[p->first];
    parts_room(p);
    i = parts_place(p, r);
    if (i < p->first + p->n && p->at[i].r == r)
        return &p->at[i];
    memmove(p->at + i + 1, p->at + i, (p->first + p->n - i) * sizeof(*p->at));
    p->n++;
    p->at[i] = (c4i_part){ .r = r };
    return &p->at[i];
}

void
c4i_parts_take(c4i_parts *p, c4i_part *out)
{
    *out = p->at[p->first++];
    if (--p->n == 0)
        p->first = 0;
}

void
c4i_part_release(c4i_part *p)
{
    free(p->births);
    free(p->claims);
    c4_buf_release(&p->data);
}

static void
need_generations(c4i_part *p, uint32_t n)
{
    if (n <= p->ngen)
        return;
    p->births = c4i_realloc(p->births, n * sizeof(*p->births));
    p->claims = c4i_realloc(p->claims, n * sizeof(*p->claims));
    memset(p->births + p->ngen, 0, (n - p->ngen) * sizeof(*p->births));
    memset(p->claims + p->ngen, 0, (n - p->ngen) * sizeof(*p->claims));
    p->ngen = n;
}

static void
merge(c4_pe *pe, c4i_part *p, uint16_t reducer, const void *data, size_t len)
{
    if (reducer == C4_RED_NOP)
        return;
    if (p->reducer == C4_RED_NOP)
        p->reducer = reducer;
    if (p->reducer != reducer)
        c4_abort(pe, "one reduction with different reducers: %s and %s",
                 pe->reducers[p->reducer]->name, pe->reducers[reducer]->name);
    c4i_user_error(pe, pe->reducers[reducer]->merge(pe, &p->data, data, len));
}

/* ---- Local elements by their next number --------------------------------------- */

void
c4i_red_init(c4_pe *pe, c4i_red *r, uint8_t kind, c4_coll coll, uint32_t root)
{
    uint32_t nkids = c4i_tree_nkids(pe, root);

    r->root = root;
    r->kind = kind;
    r->coll = coll;
    r->up = c4i_alloc((nkids + 1) * sizeof(*r->up));
}

void
c4i_red_release(c4i_red *r)
{
    for (size_t i = 0; i < r->part.n; i++)
        c4i_part_release(&r->part.at[r->part.first + i]);
    free(r->part.at);
    free(r->up);
    free(r->late);
    c4i_bag_release(&r->tally);
    *r = (c4i_red){ 0 };
}

void
c4i_red_join(c4i_red *r, uint64_t next)
{
    r->nlocal++;
    c4i_bag_add(&r->tally, next);
}

void
c4i_red_leave(c4i_red *r, uint64_t next)
{
    r->nlocal--;
    c4i_bag_take(&r->tally, next);
}

/* A local element has made contribution `made`. */
void
c4i_red_step(c4i_red *r, uint64_t made)
{
    c4i_bag *t = &r->tally;
    uint64_t at = made - t->base;

    if (made >= t->base && at + 1 < t->n && t->count[t->first + at] > 1) {
        t->count[t->first + at]--;          /* neither the first to do so nor the last */
        t->count[t->first + at + 1]++;
        return;
    }
    c4i_bag_add(t, made + 1);
    c4i_bag_take(t, made);
}

/* ---- Flushing -------------------------------------------------------------------- */

typedef struct part_head {
    uint64_t    r;
    uint32_t    count, ngen, deaths, pad;
    uint16_t    reducer, pad2[3];
    c4_callback cb;
    uint64_t    len;                        /* of the data, which is padded to 8 */
} part_head;

static void
must(c4_pe *pe, c4_err err)
{
    if (err)
        c4_abort(pe, "out of memory in a reduction");
}

static void
pack_part(c4_pe *pe, c4_buf *b, c4i_part *p)
{
    static const unsigned char zero[8];
    const c4_reducer *red = pe->reducers[p->reducer];
    part_head h = { .r = p->r, .count = p->count, .reducer = p->reducer, .ngen = p->ngen,
                    .deaths = p->deaths, .cb = p->cb };

    if (red->combine)
        c4i_user_error(pe, red->combine(pe, &p->data));
    h.len = p->data.len;
    must(pe, c4_buf_add(b, &h, sizeof(h)));
    must(pe, c4_buf_add(b, p->births, p->ngen * sizeof(*p->births)));
    must(pe, c4_buf_add(b, p->claims, p->ngen * sizeof(*p->claims)));
    must(pe, c4_buf_add(b, p->data.data, p->data.len));
    must(pe, c4_buf_add(b, zero, (8 - p->data.len % 8) % 8));
}

/* All parts below mine go up in one message, with the promise. */
static void
flush(c4_pe *pe, c4i_red *r, uint64_t mine)
{
    c4_buf b = { 0 };
    c4i_wire w = c4i_wire_for((enum c4i_kind)r->kind, r->coll);
    uint64_t begin = pe->has_rec ? c4i_ticks(&pe->clock) : 0;

    must(pe, c4_buf_add(&b, &mine, sizeof(mine)));
    while (r->part.n && c4i_parts_first(&r->part)->r < mine) {
        c4i_part p;

        c4i_parts_take(&r->part, &p);
        pack_part(pe, &b, &p);
        c4i_part_release(&p);
    }
    r->sent = mine;
    c4i_post_data(pe, c4i_tree_parent(pe, r->root), &w, b.data, b.len);
    c4_buf_release(&b);
    if (pe->has_rec)
        pe->rec.activity(pe->rec.ctx, C4I_ACT_REDUCE, begin, c4i_ticks(&pe->clock));
}

static uint64_t
promise(const c4_pe *pe, const c4i_red *r)
{
    uint64_t mine = c4i_bag_least(&r->tally);
    uint32_t nkids = c4i_tree_nkids(pe, r->root);

    for (uint32_t i = 0; i < nkids; i++)
        if (r->up[i] < mine)
            mine = r->up[i];
    return mine;
}

void
c4i_red_check(c4_pe *pe, c4i_red *r)
{
    uint64_t mine;

    if (r->off || r->hold)
        return;
    if (pe->me == r->root) {
        if (r->kind == C4I_SYNC)
            c4i_sync_check(pe);
        else
            c4i_red_complete(pe, r);
        return;
    }
    mine = promise(pe, r);
    if (mine > r->sent || (r->part.n && c4i_parts_first(&r->part)->r < mine))
        flush(pe, r, mine);
}

/* The root's own promise, for AtSync. */
uint64_t
c4i_red_promise(const c4_pe *pe, const c4i_red *r)
{
    return promise(pe, r);
}

/* The next contribution of a member is counted, with those that it inserted. */
static c4i_part *
count_next(c4i_red *r, const c4i_mark *mark)
{
    uint32_t gen = mark->birth == mark->next ? mark->gen : 0;
    c4i_part *p = parts_get(&r->part, mark->next);

    need_generations(p, gen + (mark->nborn ? 2 : 1));
    p->count++;
    p->claims[gen]++;
    if (mark->nborn)
        p->births[gen + 1] += mark->nborn;
    return p;
}

void
c4i_red_end(c4i_red *r, const c4i_mark *mark)
{
    count_next(r, mark)->deaths++;
}

void
c4i_red_contribute(c4_pe *pe, c4i_red *r, c4i_elem *e, c4i_mark *mark, uint16_t reducer,
                   const void *data, size_t len, const c4_callback *cb)
{
    c4i_part *p = count_next(r, mark);

    if (cb && cb->kind != C4_CB_NONE)
        p->cb = *cb;
    if (reducer == C4_RED_GATHER) {
        static const unsigned char zero[8];
        uint64_t head[2] = { e->key, len };

        merge(pe, p, reducer, head, sizeof(head));
        merge(pe, p, reducer, data, len);
        merge(pe, p, reducer, zero, (8 - len % 8) % 8);
    } else {
        merge(pe, p, reducer, data, len);
    }
    if (!r->off)
        c4i_red_step(r, mark->next);
    mark->next++;
    mark->nborn = 0;
    if (r->off)
        c4i_red_single(pe, r);
    else
        c4i_red_check(pe, r);
}

static size_t
unpack_part(c4_pe *pe, c4i_red *r, const unsigned char *at, size_t left)
{
    part_head h;
    size_t need;
    c4i_part *p;
    const uint32_t *gens;

    if (left < sizeof(h))
        c4_abort(pe, "malformed message: reduction");
    memcpy(&h, at, sizeof(h));
    need = sizeof(h) + 2 * sizeof(uint32_t) * h.ngen;
    if (h.reducer >= pe->nreducers || !h.ngen || need > left || h.len > left - need)
        c4_abort(pe, h.reducer >= pe->nreducers ? "a reducer that PE %u does not know"
                                                : "malformed message: reduction on PE %u", pe->me);
    gens = (const uint32_t *)(const void *)(at + sizeof(h));
    p = parts_get(&r->part, h.r);
    need_generations(p, h.ngen);
    for (uint32_t g = 0; g < h.ngen; g++) {
        p->births[g] += gens[g];
        p->claims[g] += gens[h.ngen + g];
    }
    p->count += h.count;
    p->deaths += h.deaths;
    if (h.cb.kind != C4_CB_NONE)
        p->cb = h.cb;
    merge(pe, p, h.reducer, at + need, h.len);
    return need + ((h.len + 7) & ~(size_t)7);
}

void
c4i_on_red(c4_pe *pe, c4i_red *r, c4i_msg *m)
{
    const unsigned char *at = m->data;
    size_t off = sizeof(uint64_t);

    if (m->len < off)
        c4_abort(pe, "malformed message: reduction");
    memcpy(&r->up[c4i_tree_kid_no(pe, r->root, m->w.src)], at, sizeof(uint64_t));
    while (off < m->len)
        off += unpack_part(pe, r, at + off, m->len - off);
    c4i_red_check(pe, r);
}

/* ---- Completion at the root -------------------------------------------------------- */

static bool
is_complete(const c4i_red *r, const c4i_part *p)
{
    if (p->r != r->next || r->expect < 0 || (int64_t)p->claims[0] != r->expect)
        return false;
    for (uint32_t g = 1; g < p->ngen; g++)
        if (p->claims[g] != p->births[g])
            return false;
    return true;
}

static void
deliver_result(c4_pe *pe, c4i_part *p)
{
    const c4_reducer *red = pe->reducers[p->reducer];

    if (red->combine)
        c4i_user_error(pe, red->combine(pe, &p->data));
    if (red->finish)
        c4i_user_error(pe, red->finish(pe, &p->data));
    pe->value_is = C4I_EVENT_REDUCED;
    c4i_user_error(pe, c4_call_back(pe, &p->cb, p->data.data, p->data.len));
    pe->value_is = 0;
    c4i_part_release(p);
}

/* Those that owe from `next` on are expected. */
void
c4i_red_admit(c4i_red *r)
{
    size_t kept = 0;

    if (r->expect < 0)
        return;
    for (size_t i = 0; i < r->nlate; i++)
        if (r->late[i] <= r->next)
            r->expect++;
        else
            r->late[kept++] = r->late[i];
    r->nlate = kept;
}

/* At the root: one member more.  The first number that it owes. */
uint64_t
c4i_red_late(c4i_red *r)
{
    uint64_t birth = r->next;

    for (size_t i = 0; i < r->part.n; i++) {
        const c4i_part *p = &r->part.at[r->part.first + i];

        if (p->count > p->deaths)
            birth = p->r + 1;
    }
    c4i_push_u64(&r->late, &r->nlate, &r->late_cap, birth);
    c4i_red_admit(r);
    return birth;
}

void
c4i_red_complete(c4_pe *pe, c4i_red *r)
{
    while (r->part.n && is_complete(r, c4i_parts_first(&r->part))) {
        c4i_part p;

        c4i_parts_take(&r->part, &p);
        for (uint32_t g = 1; g < p.ngen; g++)
            r->expect += p.births[g];
        r->expect -= p.deaths;
        r->next++;
        c4i_red_admit(r);
        deliver_result(pe, &p);
    }
}

/* A single chare is its own collection: its contribution is the result. */
void
c4i_red_single(c4_pe *pe, c4i_red *r)
{
    c4i_part p;

    c4i_parts_take(&r->part, &p);
    deliver_result(pe, &p);
}

/* Before it travels: where it is used at last, nobody could say whose it is. */
c4_err
c4i_check_callback(c4_pe *pe, const c4_callback *cb)
{
    c4i_coll *c;

    if (cb->kind > C4_CB_SECTION)
        return c4_fail(pe, C4_EINVAL, "a callback of kind %u", cb->kind);
    if (cb->kind == C4_CB_FUTURE)
        return cb->target ? c4i_check_future(pe, cb->target)
                          : c4_fail(pe, C4_EINVAL, "a callback to no future");
    if (cb->kind == C4_CB_NONE || cb->kind == C4_CB_EXIT)
        return C4_OK;
    if (!cb->coll)
        return c4_fail(pe, C4_EINVAL, "a callback to no collection");
    c = cb->kind == C4_CB_SECTION ? NULL : c4i_coll_find(pe, cb->coll);
    if (c && cb->entry >= c->nentries)
        return c4_fail(pe, C4_ENOENT, "%s has no entry method %u", c->type->name, cb->entry);
    return C4_OK;
}

c4_err
c4_call_back(c4_pe *pe, const c4_callback *cb, const void *data, size_t len)
{
    c4_chare to = { cb->target, cb->coll };

    switch ((enum c4_cb_kind)cb->kind) {
    case C4_CB_NONE:
        return C4_OK;
    case C4_CB_SEND:
        return c4_send(pe, to, cb->entry, data, len);
    case C4_CB_BCAST:
        return c4_bcast(pe, cb->coll, cb->entry, data, len);
    case C4_CB_FUTURE:
        return c4_future_send(pe, cb->target, data, len);
    case C4_CB_EXIT:
        return c4_exit(pe, 0);
    case C4_CB_SECTION:
        return c4_section_cast(pe, cb->coll, cb->target, data, len);
    }
    return c4_fail(pe, C4_EINVAL, "a callback of kind %u", cb->kind);
}
