/*
 * completion.c - awaited calls to many: how many have finished, their results,
 * and the answer to the caller [6].  broadcast.c and multicast.c say when one
 * is complete.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

/* A hash by number, chained.  Numbers are given in turn: the low bits do. */
c4i_comp *
c4i_comp_find(const c4i_comps *t, uint64_t no)
{
    c4i_comp *x = t->slot ? t->slot[no & t->mask] : NULL;

    while (x && x->no != no)
        x = x->next;
    return x;
}

static void
link_up(c4i_comps *t, c4i_comp *x)
{
    c4i_comp **at = &t->slot[x->no & t->mask];

    x->next = *at;
    *at = x;
}

static void
grow(c4i_comps *t)
{
    c4i_comp **was = t->slot;
    size_t n = was ? t->mask + 1 : 0;

    t->mask = n ? 2 * n - 1 : 3;
    t->slot = c4i_alloc((t->mask + 1) * sizeof(*t->slot));
    for (size_t i = 0; i < n; i++)
        for (c4i_comp *x = was[i], *next; x; x = next) {
            next = x->next;
            link_up(t, x);
        }
    free(was);
}

c4i_comp *
c4i_comp_new(c4i_comps *t, uint64_t no)
{
    c4i_comp *x = c4i_alloc(sizeof(*x));

    if (!t->slot || t->n > t->mask)
        grow(t);
    x->no = no;
    t->n++;
    link_up(t, x);
    return x;
}

void
c4i_comp_free(c4i_comps *t, c4i_comp *x)
{
    c4i_comp **at = &t->slot[x->no & t->mask];

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    t->n--;
    c4_buf_release(&x->results);
    free(x);
}

void
c4i_comps_release(c4i_comps *t)
{
    for (size_t i = 0; t->slot && i <= t->mask; i++)
        while (t->slot[i])
            c4i_comp_free(t, t->slot[i]);
    free(t->slot);
    *t = (c4i_comps){ 0 };
}

/* ---- Results: records, their data padded to 16 bytes ------------------------- */

static void
add(c4_pe *pe, c4_buf *b, const void *data, size_t len)
{
    if (c4_buf_add(b, data, len))
        c4_abort(pe, "out of memory for results");
}

static size_t
padded(uint64_t len)
{
    return (len + 15) & ~(size_t)15;
}

void
c4i_comp_result(c4_pe *pe, c4i_comp *x, const c4_done *done, const struct iovec *iov, int niov,
                bool is_error)
{
    static const unsigned char zero[16];
    c4_result r = { .key = done->idx, .len = c4i_iov_len(iov, niov),
                    .coll = done->section ? done->coll : 0,
                    .flags = is_error ? C4_VALUE_ERROR : 0 };

    if (!is_error && !(x->flags & C4I_F_RESULT))
        return;
    add(pe, &x->results, &r, sizeof(r));
    for (int i = 0; i < niov; i++)
        add(pe, &x->results, iov[i].iov_base, iov[i].iov_len);
    add(pe, &x->results, zero, padded(r.len) - r.len);
}

void
c4i_comp_merge(c4_pe *pe, c4i_comp *x, const void *records, size_t len)
{
    const unsigned char *at = records;
    c4_result r;

    for (size_t left = len; left; left -= sizeof(r) + padded(r.len)) {
        if (left < sizeof(r))
            c4_abort(pe, "malformed message: completion");
        memcpy(&r, at + (len - left), sizeof(r));
        if (r.len > left || padded(r.len) > left - sizeof(r))
            c4_abort(pe, "malformed message: completion");
    }
    add(pe, &x->results, records, len);
}

typedef struct ranked {
    uint64_t rank;
    size_t   at;
} ranked;

static int
by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The records in order of their ranks. */
static c4_buf
sorted_results(c4_pe *pe, const c4i_comp *x, c4i_rank_fn rank, const void *arg)
{
    const c4_buf *in = &x->results;
    c4_buf out = { 0 };
    ranked *order = c4i_alloc((in->len / sizeof(c4_result) + 1) * sizeof(*order));
    size_t n = 0;
    c4_result r;

    for (size_t at = 0; at < in->len; at += sizeof(r) + padded(r.len)) {
        memcpy(&r, in->data + at, sizeof(r));
        order[n++] = (ranked){ rank(pe, arg, &r), at };
    }
    qsort(order, n, sizeof(*order), by_rank);
    for (size_t i = 0; i < n; i++) {
        memcpy(&r, in->data + order[i].at, sizeof(r));
        r.place = (uint32_t)order[i].rank;
        add(pe, &out, &r, sizeof(r));
        add(pe, &out, in->data + order[i].at + sizeof(r), padded(r.len));
    }
    free(order);
    return out;
}

/* Of a call that wants no results, they are errors: the first one is given. */
void
c4i_comp_answer(c4_pe *pe, c4i_comp *x, c4i_rank_fn rank, const void *arg)
{
    struct iovec iov;
    c4_buf sorted;
    c4_result r;

    if (x->flags & C4I_F_RESULT) {
        sorted = sorted_results(pe, x, rank, arg);
        iov = (struct iovec){ sorted.data, sorted.len };
        c4_future_sendv_flags(pe, x->future, &iov, 1, C4_VALUE_RESULTS);
        c4_buf_release(&sorted);
    } else if (x->results.len) {
        memcpy(&r, x->results.data, sizeof(r));
        iov = (struct iovec){ x->results.data + sizeof(r), r.len };
        c4_future_sendv_flags(pe, x->future, &iov, 1, C4_VALUE_ERROR);
    } else {
        c4_future_sendv_flags(pe, x->future, NULL, 0, C4_VALUE_EMPTY);
    }
}
