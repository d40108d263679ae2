/*
 * section.c - sections: fixed lists of chares, of any collections.
 *
 * A section's number is one of its creator's collections, so it names its
 * root.  Only the root holds the list.  A call goes to the root, which makes a
 * copy for each member (multicast.c); what it is told in the meantime waits
 * there for collections that the root does not know yet (held).
 *
 * Members may move.  What an element carries of a section is its mark: the
 * number of its next contribution.  It gets the mark when it hears that it is a
 * member (C4I_ENTRY_JOIN, the first call of every section), or with its first
 * contribution, if that comes before; then the root is asked whether it is one.
 *
 * Reductions are counted trees [3] over all PEs, with E members from the start;
 * a PE has the state once anything of the section has come to it, and a PE
 * without members never says anything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { CAST, MEMBERS, CHECK };              /* c4i_wire.entry of SREQ, or C4I_ENTRY_JOIN */

/* ---- The table of sections ------------------------------------------------ */

static size_t
slot_of(const c4_pe *pe, c4_section id)
{
    size_t i = (id * 2654435769u >> 7) & pe->sections_mask;

    while (pe->sections[i] && pe->sections[i]->id != id)
        i = (i + 1) & pe->sections_mask;
    return i;
}

static void
table_grow(c4_pe *pe)
{
    c4i_section **was = pe->sections;
    size_t n = was ? pe->sections_mask + 1 : 0;

    pe->sections_mask = n ? 2 * n - 1 : 15;
    pe->sections = c4i_alloc((pe->sections_mask + 1) * sizeof(*pe->sections));
    for (size_t i = 0; i < n; i++)
        if (was[i])
            pe->sections[slot_of(pe, was[i]->id)] = was[i];
    free(was);
}

c4i_section *
c4i_section_get(c4_pe *pe, c4_section id)
{
    c4i_section *s;
    size_t i;

    if (!pe->sections || pe->nsections * 2 > pe->sections_mask)
        table_grow(pe);
    i = slot_of(pe, id);
    if (pe->sections[i])
        return pe->sections[i];
    s = pe->sections[i] = c4i_alloc(sizeof(*s));
    pe->nsections++;
    s->id = id;
    c4i_queue_init(&s->held);
    c4i_red_init(pe, &s->red, C4I_SREDUCE, id, id % pe->npes);
    s->red.expect = -1;
    s->red.sent = C4I_INF;
    for (uint32_t k = 0; k < c4i_tree_nkids(pe, s->red.root); k++)
        s->red.up[k] = C4I_INF;
    return s;
}

static void
section_free(c4_pe *pe, c4i_section *s)
{
    c4i_msg *m;

    c4i_comps_release(&s->comps);
    while ((m = c4i_queue_pop(&s->held)))
        c4i_msg_free(pe, m);
    c4i_red_release(&s->red);
    free(s->member);
    free(s->place);
    free(s->part);
    free(s->fixed);
    free(s);
}

void
c4i_sections_release(c4_pe *pe)
{
    for (size_t i = 0; pe->sections && i <= pe->sections_mask; i++)
        if (pe->sections[i])
            section_free(pe, pe->sections[i]);
    free(pe->sections);
    pe->sections = NULL;
}

/* ---- The list of members ----------------------------------------------------- */

static int
by_chare(const c4i_place *x, const c4i_place *y)
{
    if (x->coll != y->coll)
        return x->coll < y->coll ? -1 : 1;
    return x->idx < y->idx ? -1 : x->idx > y->idx;
}

static int
by_chare_and_place(const void *a, const void *b)
{
    const c4i_place *x = a, *y = b;
    int c = by_chare(x, y);

    return c ? c : x->at < y->at ? -1 : x->at > y->at;
}

static int
find_chare(const void *a, const void *b)
{
    return by_chare(a, b);
}

c4i_place *
c4i_section_place(const c4i_section *s, c4_chare who)
{
    c4i_place key = { who.idx, who.coll, 0 };

    return s->n ? bsearch(&key, s->place, s->n, sizeof(key), find_chare) : NULL;
}

/* Sorts the list and drops what is in it twice: the first place counts. */
static void
set_places(c4i_section *s, const c4_chare *members, size_t n)
{
    uint32_t *moved = c4i_alloc(n * sizeof(*moved));    /* new place + 1; 0: dropped */
    uint32_t k = 0;

    s->place = c4i_alloc(n * sizeof(*s->place));
    for (size_t i = 0; i < n; i++)
        s->place[i] = (c4i_place){ members[i].idx, members[i].coll, (uint32_t)i };
    qsort(s->place, n, sizeof(*s->place), by_chare_and_place);
    for (size_t i = 0; i < n; i++)
        if (s->n == 0 || by_chare(&s->place[s->n - 1], &s->place[i])) {
            s->place[s->n++] = s->place[i];
            moved[s->place[i].at] = 1;
        }
    for (size_t i = 0; i < n; i++)
        if (moved[i])
            moved[i] = ++k;
    for (size_t i = 0; i < s->n; i++)
        s->place[i].at = moved[s->place[i].at] - 1;
    free(moved);
}

/* From the sorted list: the list itself, and its collections. */
static void
set_members(c4i_section *s)
{
    s->member = c4i_alloc(s->n * sizeof(*s->member));
    for (size_t i = 0; i < s->n; i++) {
        const c4i_place *p = &s->place[i];

        if (i == 0 || p->coll != s->place[i - 1].coll) {
            s->part = c4i_realloc(s->part, (s->nparts + 1) * sizeof(*s->part));
            s->part[s->nparts++] = (c4i_section_part){ .id = p->coll };
        }
        s->member[p->at] = (c4i_member){ p->idx, p->coll, (uint32_t)s->nparts - 1 };
    }
}

static c4_err
check_members(c4_pe *pe, const c4_chare *members, size_t n)
{
    c4_err err = C4_OK;

    if (n == 0)
        return c4_fail(pe, C4_EINVAL, "a section without members");
    if (n >= UINT32_MAX)
        return c4_fail(pe, C4_ENOMEM, "a section of more than 4 billion members");
    for (size_t i = 0; i < n && !err; i++) {
        c4i_coll *c = c4i_coll_find(pe, members[i].coll);

        if (members[i].coll == 0)
            err = c4_fail(pe, C4_EINVAL, "member %zu of a section is no chare", i);
        else if (c)                         /* else: when it is known */
            err = c4i_check_elem(pe, c, members[i].idx);
    }
    return err;
}

/* ---- Requests: calls, questions ------------------------------------------------- */

/* All collections are known: those that were not are looked at once. */
static bool
parts_known(c4_pe *pe, c4i_section *s)
{
    for (size_t k = 0; k < s->nparts; k++) {
        c4i_coll *c = s->part[k].coll;

        if (c)
            continue;
        c = c4i_coll_find(pe, s->part[k].id);
        if (!c)
            return false;
        s->part[k].coll = c;
        for (size_t i = 0; i < s->n; i++)
            if (s->member[i].part == k && c4i_check_elem(pe, c, s->member[i].idx))
                c4_abort(pe, "a section was made of members that do not exist: %s", c4_error(pe));
    }
    return true;
}

/* PEs of group members: they get their copies on the same way each time. */
static void
find_fixed(c4_pe *pe, c4i_section *s)
{
    bool *on = c4i_alloc(pe->npes * sizeof(*on));

    for (size_t i = 0; i < s->n; i++)
        if (s->part[s->member[i].part].coll->kind == C4_KIND_GROUP)
            on[s->member[i].idx] = true;
    s->fixed = c4i_alloc(pe->npes * sizeof(*s->fixed));
    for (uint32_t i = 0; i < pe->npes; i++)
        if (on[i] && i != pe->me)
            s->fixed[s->nfixed++] = i;
    free(on);
}

static void
cast(c4_pe *pe, c4i_section *s, c4i_msg *m)
{
    if (s->held.head || !parts_known(pe, s)) {
        if (!s->held.head)
            pe->nheld++;
        pe->created++;                      /* outstanding until it is spread */
        c4i_queue_push(&s->held, c4i_msg_keep(pe, m));
        return;
    }
    if (!s->fixed)
        find_fixed(pe, s);
    c4i_section_spread(pe, s, m);
}

static void
wake(c4_pe *pe, c4i_section *s)
{
    c4i_queue held = s->held;
    c4i_msg *m;

    if (!held.head || !parts_known(pe, s))
        return;
    c4i_queue_init(&s->held);
    pe->nheld--;
    while ((m = c4i_queue_pop(&held))) {
        cast(pe, s, m);
        pe->processed++;
        c4i_msg_free(pe, m);
    }
}

void
c4i_sections_wake(c4_pe *pe)
{
    for (size_t i = 0; pe->sections && i <= pe->sections_mask; i++)
        if (pe->sections[i])
            wake(pe, pe->sections[i]);
}

static void
answer_members(c4_pe *pe, const c4i_section *s, c4_future to)
{
    c4_chare *list = c4i_alloc(s->n * sizeof(*list));

    for (size_t i = 0; i < s->n; i++)
        list[i] = (c4_chare){ s->member[i].idx, s->member[i].coll };
    c4i_user_error(pe, c4_future_send(pe, to, list, s->n * sizeof(*list)));
    free(list);
}

static void
check_member(c4_pe *pe, const c4i_section *s, const c4i_msg *m)
{
    c4_chare who;
    c4i_coll *c;

    if (m->len != sizeof(who))
        c4_abort(pe, "malformed message: section");
    memcpy(&who, m->data, sizeof(who));
    if (c4i_section_place(s, who))
        return;
    c = c4i_coll_find(pe, who.coll);
    c4_abort(pe, "element %llu of %s contributes to a reduction of section %u, but is not part of it",
             (unsigned long long)who.idx, c ? c->type->name : "another collection", s->id);
}

void
c4i_on_section_request(c4_pe *pe, c4i_msg *m)
{
    c4i_section *s = c4i_section_get(pe, m->w.coll);

    if (!s->n)
        c4_abort(pe, "section %u does not exist", m->w.coll);
    switch (m->w.entry) {
    case CAST:
    case C4I_ENTRY_JOIN:
        cast(pe, s, m);
        break;
    case MEMBERS:
        answer_members(pe, s, m->w.call);
        break;
    case CHECK:
        check_member(pe, s, m);
        break;
    default:
        c4_abort(pe, "malformed message: section");
    }
}

c4_err
c4_section_new(c4_pe *pe, const c4_chare *members, size_t n, c4_section *out)
{
    c4_err err = check_members(pe, members, n);
    c4i_msg join = { .w = c4i_wire_for(C4I_SREQ, 0), .mem = C4I_MEM_INLINE };
    c4i_section *s;

    if (err)
        return err;
    join.w.coll = c4i_new_number(pe);
    if (!join.w.coll)
        return c4_fail(pe, C4_ENOMEM, "too many collections and sections");
    s = c4i_section_get(pe, join.w.coll);
    set_places(s, members, n);
    set_members(s);
    s->red.expect = (int64_t)s->n;
    join.w.entry = C4I_ENTRY_JOIN;
    join.w.src = pe->me;
    cast(pe, s, &join);
    *out = s->id;
    return C4_OK;
}

static c4_err
request(c4_pe *pe, c4_section to, c4i_wire *w, const struct iovec *iov, int niov)
{
    if (!to)
        return c4_fail(pe, C4_EINVAL, "no section");
    c4i_post(pe, to % pe->npes, w, iov, niov);
    return C4_OK;
}

c4_err
c4_section_castv(c4_pe *pe, c4_section to, c4_method method, const struct iovec *iov, int niov,
                 c4_future done, unsigned flags)
{
    c4i_wire w = c4i_wire_for(C4I_SREQ, to);

    w.entry = CAST;
    w.elem = method;
    w.call = done;
    w.flags = (uint8_t)((done ? C4I_F_WANT : 0)
                        | (done && (flags & C4_BCAST_RESULTS) ? C4I_F_RESULT : 0));
    return request(pe, to, &w, iov, niov);
}

c4_err
c4_section_cast(c4_pe *pe, c4_section to, c4_method method, const void *data, size_t len)
{
    struct iovec iov = { (void *)data, len };

    return c4_section_castv(pe, to, method, &iov, 1, 0, 0);
}

c4_err
c4_section_members(c4_pe *pe, c4_section section, c4_future to)
{
    c4i_wire w = c4i_wire_for(C4I_SREQ, section);

    w.entry = MEMBERS;
    w.call = to;
    return request(pe, section, &w, NULL, 0);
}

c4_err
c4_section_await(c4_pe *pe, c4_section section, c4_future to)
{
    c4i_wire w = c4i_wire_for(C4I_SREQ, section);

    w.entry = C4I_ENTRY_JOIN;
    w.call = to;
    w.flags = C4I_F_WANT;
    return request(pe, section, &w, NULL, 0);
}

/* ---- Reductions ------------------------------------------------------------------ */

static c4i_smark *
mark_of(const c4i_elem *e, c4_section id)
{
    for (uint32_t i = 0; i < e->nsmark; i++)
        if (e->smark[i].section == id)
            return &e->smark[i];
    return NULL;
}

static c4i_smark *
mark_add(c4_pe *pe, c4i_elem *e, c4_section id)
{
    c4i_smark *mark;

    if (e->nsmark == e->smark_cap) {
        e->smark_cap = e->smark_cap ? e->smark_cap * 2 : 2;
        e->smark = c4i_realloc(e->smark, e->smark_cap * sizeof(*e->smark));
    }
    mark = &e->smark[e->nsmark++];
    *mark = (c4i_smark){ .section = id };
    c4i_red_join(&c4i_section_get(pe, id)->red, 0);
    return mark;
}

bool
c4i_section_marked(const c4i_elem *e, c4_section id)
{
    return mark_of(e, id) != NULL;
}

void
c4i_section_join(c4_pe *pe, c4i_elem *e, const c4i_msg *m)
{
    c4_section id = (c4_section)(m->w.call >> 32);
    c4_done done = { .coll = e->coll->id, .idx = e->key, .want = true };

    if (!mark_of(e, id))
        mark_add(pe, e, id);
    if (m->w.flags & C4I_F_WANT) {
        c4i_section_start(pe, m, &done);
        c4i_section_finish(pe, &done, NULL, 0, false);
    }
}

c4_err
c4i_section_contribute(c4_pe *pe, c4i_elem *e, c4_section id, uint16_t reducer, const void *data,
                       size_t len, const c4_callback *cb)
{
    c4i_smark *mark = mark_of(e, id);
    c4i_wire w = c4i_wire_for(C4I_SREQ, id);
    c4_chare who = c4i_chare_of(e);

    if (!id)
        return c4_fail(pe, C4_EINVAL, "no section");
    if (!mark) {
        w.entry = CHECK;
        c4i_post_data(pe, id % pe->npes, &w, &who, sizeof(who));
        mark = mark_add(pe, e, id);
    }
    c4i_red_contribute(pe, &c4i_section_get(pe, id)->red, e, &mark->mark, reducer, data, len, cb);
    return C4_OK;
}

void
c4i_on_section_red(c4_pe *pe, c4i_msg *m)
{
    c4i_on_red(pe, &c4i_section_get(pe, m->w.coll)->red, m);
}

void
c4i_sections_link(c4_pe *pe, c4i_elem *e)
{
    for (uint32_t i = 0; i < e->nsmark; i++)
        c4i_red_join(&c4i_section_get(pe, e->smark[i].section)->red, e->smark[i].mark.next);
}

void
c4i_sections_unlink(c4_pe *pe, c4i_elem *e)
{
    for (uint32_t i = 0; i < e->nsmark; i++)
        c4i_red_leave(&c4i_section_get(pe, e->smark[i].section)->red, e->smark[i].mark.next);
}

void
c4i_sections_check(c4_pe *pe, const c4i_smark *mark, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        c4i_red_check(pe, &c4i_section_get(pe, mark[i].section)->red);
}

/* ---- What is left, what is waited for ---------------------------------------------- */

c4_err
c4i_section_leftovers(const c4_pe *pe, char *text, size_t n)
{
    for (size_t i = 0; pe->sections && i <= pe->sections_mask; i++) {
        const c4i_section *s = pe->sections[i];

        if (s && (s->comps.n || s->held.head)) {
            snprintf(text, n, "section %u: a %s", s->id, s->comps.n ? "completion" : "held request");
            return C4_ESTATE;
        }
    }
    return C4_OK;
}

void
c4i_report_sections(const c4_pe *pe)
{
    for (size_t i = 0; pe->sections && i <= pe->sections_mask; i++) {
        const c4i_section *s = pe->sections[i];

        if (!s || !s->n)
            continue;
        if (s->held.head)
            fprintf(stderr, "c4: PE %u: calls to section %u wait for a collection that is not "
                    "known here\n", pe->me, s->id);
        if (s->red.part.n)
            fprintf(stderr, "c4: PE %u: a reduction of section %u waits for contributions: there "
                    "are %u of %zu\n", pe->me, s->id, s->red.part.at[0].count, s->n);
        if (s->comps.n)
            fprintf(stderr, "c4: PE %u: %zu calls to section %u wait for its %zu members to "
                    "finish\n", pe->me, s->comps.n, s->id, s->n);
    }
}
