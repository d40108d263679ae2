/*
 * storm_section.c - sections of any chares, their calls and reductions.
 */
#include <string.h>

#include "storm.h"

struct shout { uint32_t sect, no; };

static uint64_t
cast_value(uint32_t no, uint32_t place)
{
    return value_of((uint64_t)no * 100 + place + 7);
}

static int
place_of(const struct storm *s, const struct section *x, const struct coll *c, uint32_t slot)
{
    (void)s;
    for (uint32_t i = 0; i < x->n; i++)
        if (x->coll[i] == c->no && x->slot[i] == slot)
            return (int)i;
    return NONE;
}

void
section_make(struct storm *s, c4_pe *pe)
{
    struct section *x = &s->sect[s->nsects];
    c4_chare list[MAXMEMBER];
    uint32_t n = 1 + rnd(s, MAXMEMBER - 1);

    if (s->nsects == MAXSECT)
        return;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot;
        struct coll *c = choose_immortal(s, &slot);

        if (place_of(s, x, c, slot) != NONE)
            continue;
        x->coll[x->n] = c->no;
        x->slot[x->n] = slot;
        list[x->n++] = c4_elem(c->id, c->elem[slot].key);
    }
    if (!ok(s, pe, c4_section_new(pe, list, x->n, &x->id), "c4_section_new"))
        return;
    event(s, "section", c4_mype(pe), c4_mype(pe), s->nsects, x->id, x->n, 0);
    s->nsects++;
}

/* ---- Calls ---------------------------------------------------------------------- */

static struct section *
section_with(struct storm *s, const void *p)
{
    for (uint32_t i = 0; i < s->nsects; i++)
        if ((const char *)p >= (char *)&s->sect[i] && (const char *)p < (char *)&s->sect[i + 1])
            return &s->sect[i];
    return NULL;
}

static bool
right_results(const struct storm *s, const struct section *x, uint32_t no, const unsigned char *p,
              size_t len)
{
    for (uint32_t i = 0; i < x->n; i++, p += sizeof(c4_result) + 16) {
        const struct coll *c = &s->coll[x->coll[i]];
        uint64_t value;
        c4_result r;

        if (len < (size_t)(i + 1) * (sizeof(r) + 16))
            return false;
        memcpy(&r, p, sizeof(r));
        memcpy(&value, p + sizeof(r), sizeof(value));
        if (r.place != i || r.coll != c->id || r.key != c->elem[x->slot[i]].key || r.len != 8
            || value != cast_value(no, i))
            return false;
    }
    return len == x->n * (sizeof(c4_result) + 16);
}

static c4_err
cast_done(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct cast *k = arg;
    struct storm *s = c4_user(pe);
    struct section *x = section_with(s, k);
    uint32_t no = (uint32_t)(k - x->cast);

    check_run(s, pe);
    event(s, "cast done", k->pe, c4_mype(pe), (uint64_t)(x - s->sect), no, k->done_by, len);
    if (k->done || k->pe != c4_mype(pe))
        fail(s, "call %u of section %u completes twice or on PE %u", no, x->id, c4_mype(pe));
    if (k->nfinished != x->n)
        fail(s, "call %u of section %u completes when %u of %u members have finished", no, x->id,
             k->nfinished, x->n);
    if (k->results ? !right_results(s, x, no, data, len) : len != 0)
        fail(s, "call %u of section %u has wrong results (%zu bytes)", no, x->id, len);
    k->done = true;
    return C4_OK;
}

void
section_cast(struct storm *s, c4_pe *pe)
{
    struct section *x = &s->sect[rnd(s, s->nsects)];
    uint32_t me = c4_mype(pe);
    struct shout shout = { (uint32_t)(x - s->sect), x->ncasts };
    struct cast *k = &x->cast[x->ncasts];
    char big[2000] = { 0 };
    struct iovec iov[2] = { { &shout, sizeof(shout) }, { big, sizeof(big) } };
    c4_future done = 0;

    if (!s->nsects || x->ncasts == MAXCAST)
        return;
    x->ncasts++;
    *k = (struct cast){ .pe = me, .serial = ++x->nissued[me], .awaited = chance(s, 60) };
    k->results = k->awaited && chance(s, 60);
    if (k->awaited)
        done = c4_future_new(pe, 1, cast_done, k);
    event(s, "cast", me, x->id % s->plan.npes, shout.sect, shout.no, k->awaited, k->results);
    s->outstanding += x->n;
    ok(s, pe, c4_section_castv(pe, x->id, c4_method_id("cast"), iov, chance(s, 80) ? 1 : 2, done,
                               k->results ? C4_BCAST_RESULTS : 0), "c4_section_castv");
}

uint32_t *
section_called(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, const void *data,
               size_t len, uint64_t *value)
{
    struct shout m = { MAXSECT, 0 };
    struct section *x;
    struct cast *k;
    int place;

    if (len >= sizeof(m))
        memcpy(&m, data, sizeof(m));
    if (m.sect >= s->nsects || m.no >= s->sect[m.sect].ncasts) {
        fail(s, "element %u/%u gets a call of no section", c->no, slot);
        return NULL;
    }
    x = &s->sect[m.sect];
    k = &x->cast[m.no];
    place = place_of(s, x, c, slot);
    event(s, "called", k->pe, c4_mype(pe), c->no, slot, m.sect, m.no);
    if (place == NONE || (k->done_by >> place & 1) || k->done) {
        fail(s, "element %u/%u gets call %u of section %u twice, late or as a stranger", c->no,
             slot, m.no, x->id);
        return NULL;
    }
    k->done_by |= 1u << place;
    x->order[place][x->norder[place]++] = (uint8_t)m.no;
    s->outstanding--;
    *value = cast_value(m.no, (uint32_t)place);
    return &k->nfinished;
}

/* ---- Reductions ------------------------------------------------------------------- */

static c4_err
reduced(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct reduction *r = arg;
    struct storm *s = c4_user(pe);
    struct section *x = section_with(s, r);
    int64_t got[2] = { 0 };

    check_run(s, pe);
    s->win->nreds++;
    if (len == sizeof(got))
        memcpy(got, data, sizeof(got));
    event(s, "sreduced", 0, c4_mype(pe), (uint64_t)(x - s->sect), (uint64_t)(r - x->red),
          r->count, len);
    if (r->done || r->count != x->n || got[0] != r->count || got[1] != r->sum)
        fail(s, "reduction %u of section %u: twice, or %u of %u contributions, %lld, %lld",
             (uint32_t)(r - x->red), x->id, r->count, x->n, (long long)got[0], (long long)got[1]);
    r->done = true;
    return C4_OK;
}

static void
contribute_once(struct storm *s, c4_pe *pe, struct section *x, uint32_t place)
{
    struct reduction *r = &x->red[x->red_next[place]];
    int64_t v[2] = { 1, (int64_t)rnd(s, 1000) };

    if (!r->begun) {
        r->begun = true;
        r->cb = c4_cb_future(c4_future_new(pe, 1, reduced, r));
    }
    event(s, "scontribute", c4_mype(pe), c4_mype(pe), (uint64_t)(x - s->sect), place,
          x->red_next[place], 0);
    r->count++;
    r->sum += v[1];
    x->red_next[place]++;
    ok(s, pe, c4_reduce_section(pe, x->id, C4_RED_SUM_I64, v, sizeof(v), &r->cb),
       "c4_reduce_section");
}

void
section_contribute(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t no,
                   uint32_t r)
{
    struct section *x = &s->sect[no];
    int place = place_of(s, x, c, slot);

    while (place != NONE && x->red_next[place] < r)
        contribute_once(s, pe, x, (uint32_t)place);
}

void
section_contribute_some(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot)
{
    uint32_t from = rnd(s, s->nsects);

    for (uint32_t i = 0; i < s->nsects; i++) {
        struct section *x = &s->sect[(from + i) % s->nsects];
        int place = place_of(s, x, c, slot);

        if (place != NONE && x->red_next[place] < MAXRED) {
            contribute_once(s, pe, x, (uint32_t)place);
            return;
        }
    }
}

/* ---- The end ------------------------------------------------------------------------ */

void
sections_finish(struct storm *s, c4_pe *(*some_pe)(struct storm *s))
{
    for (uint32_t i = 0; i < s->nsects; i++) {
        struct section *x = &s->sect[i];
        uint32_t max = 0;

        for (uint32_t k = 0; k < x->n; k++)
            if (x->red_next[k] > max)
                max = x->red_next[k];
        for (uint32_t k = 0; k < x->n; k++)
            if (x->red_next[k] < max)
                send_note(s, some_pe(s), &s->coll[x->coll[k]], x->slot[k], OP_SREDUCE,
                          max * MAXSECT + i);
    }
}

static void
check_order(struct storm *s, const struct section *x)
{
    uint32_t serial[MAXPE] = { 0 };

    for (uint32_t k = 0; k < x->n; k++)
        if (x->norder[k] != x->ncasts || memcmp(x->order[k], x->order[0], x->ncasts))
            fail(s, "section %u: member %u ran %u of %u calls, or in another order", x->id, k,
                 x->norder[k], x->ncasts);
    for (uint32_t i = 0; i < x->norder[0]; i++) {
        const struct cast *k = &x->cast[x->order[0][i]];

        if (k->serial < serial[k->pe])
            fail(s, "section %u: calls of PE %u are out of order", x->id, k->pe);
        serial[k->pe] = k->serial;
    }
}

void
sections_check_end(struct storm *s)
{
    for (uint32_t i = 0; i < s->nsects; i++) {
        const struct section *x = &s->sect[i];

        check_order(s, x);
        for (uint32_t k = 0; k < x->ncasts; k++)
            if (x->cast[k].awaited && !x->cast[k].done)
                fail(s, "call %u of section %u was never completed", k, x->id);
        for (uint32_t r = 0; r < MAXRED; r++)
            if (x->red[r].begun && !x->red[r].done)
                fail(s, "reduction %u of section %u was never completed", r, x->id);
    }
}
