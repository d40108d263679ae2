/*
 * inbox.c - messages reach an element in the order in which each PE sent them.
 *
 * A sender numbers its messages to an index; the inbox of the element knows
 * which number of each sender is due, and keeps those that come before their
 * turn.  It belongs to the index, not to one element of it: it moves with the
 * element, goes home when that is destroyed (location.c), where messages are
 * taken in the same order, and dropped, and is the next element's if the index
 * is used again: so no number is lost or waits for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

static c4i_order *
order_of(c4i_inbox *in, uint32_t src)
{
    for (uint32_t i = 0; i < in->norder; i++)
        if (in->order[i].src == src)
            return &in->order[i];
    if (in->norder == in->order_cap) {
        in->order_cap = in->order_cap ? in->order_cap * 2 : 2;
        in->order = c4i_realloc(in->order, in->order_cap * sizeof(*in->order));
    }
    in->order[in->norder] = (c4i_order){ src, 0 };
    return &in->order[in->norder++];
}

/* Puts a message among those that came too early; takes its payload over.
 * They mostly come in order, so the place is nearly always the end. */
static void
early_add(c4_pe *pe, c4i_inbox *in, c4i_msg *m)
{
    c4i_early *from = in->early;
    c4i_msg *kept = c4i_msg_keep(pe, m), **at;

    while (from && from->src != m->w.src)
        from = from->next;
    if (!from) {
        from = c4i_alloc(sizeof(*from));
        from->src = m->w.src;
        from->next = in->early;
        c4i_queue_init(&from->queue);
        in->early = from;
    }
    at = from->queue.tail;
    if (at != &from->queue.head && (int32_t)(kept->w.seq - from->last) < 0)
        for (at = &from->queue.head; (int32_t)(kept->w.seq - (*at)->w.seq) > 0; )
            at = &(*at)->next;
    kept->next = *at;
    *at = kept;
    if (!kept->next) {
        from->queue.tail = &kept->next;
        from->last = kept->w.seq;
    }
}

/* The early message whose turn has come goes to the queue; it is checked
 * again when it is taken from there. */
static void
release_early(c4_pe *pe, c4i_inbox *in, const c4i_order *o)
{
    for (c4i_early **at = &in->early; *at; at = &(*at)->next) {
        c4i_early *from = *at;

        if (from->src != o->src)
            continue;
        if (from->queue.head->w.seq != o->next)
            return;
        c4i_queue_push(&pe->local, c4i_queue_pop(&from->queue));
        if (!from->queue.head) {
            *at = from->next;
            free(from);
        }
        return;
    }
}

bool
c4i_inbox_take(c4_pe *pe, c4i_inbox *in, c4i_msg *m)
{
    c4i_order *o = order_of(in, m->w.src);

    if (m->w.seq != o->next) {
        early_add(pe, in, m);
        return false;
    }
    o->next++;
    if (in->early)
        release_early(pe, in, o);
    return true;
}

void
c4i_inbox_release(c4_pe *pe, c4i_inbox *in)
{
    while (in->early) {
        c4i_early *from = in->early;
        c4i_msg *m;

        while ((m = c4i_queue_pop(&from->queue)))
            c4i_msg_free(pe, m);
        in->early = from->next;
        free(from);
    }
    free(in->order);
    *in = (c4i_inbox){ 0 };
}

/* ---- On the way ----------------------------------------------------------------- */

typedef struct inbox_head {
    uint32_t norder, nearly;
} inbox_head;

static void
add(c4_pe *pe, c4_buf *b, const void *data, size_t len)
{
    if (c4_buf_add(b, data, len))
        c4_abort(pe, "out of memory for an element's messages");
}

static void
pack_early(c4_pe *pe, c4_buf *b, const c4i_msg *m)
{
    static const unsigned char zero[8];
    uint64_t len = m->len;
    c4i_wire w = m->w;

    w.away = true;
    add(pe, b, &w, sizeof(w));
    add(pe, b, &len, sizeof(len));
    add(pe, b, m->data, m->len);
    add(pe, b, zero, (8 - m->len % 8) % 8);
}

void
c4i_inbox_pack(c4_pe *pe, c4_buf *b, c4i_inbox *in)
{
    inbox_head h = { .norder = in->norder };

    for (c4i_early *from = in->early; from; from = from->next)
        for (c4i_msg *m = from->queue.head; m; m = m->next) {
            if (m->mem == C4I_MEM_REF)
                c4i_encode_ref(pe, m);
            h.nearly++;
        }
    add(pe, b, &h, sizeof(h));
    add(pe, b, in->order, in->norder * sizeof(*in->order));
    for (c4i_early *from = in->early; from; from = from->next)
        for (c4i_msg *m = from->queue.head; m; m = m->next)
            pack_early(pe, b, m);
}

static void
unpack_early(c4_pe *pe, c4i_inbox *in, c4_pup *p)
{
    c4i_msg m = { .mem = C4I_MEM_HEAP, .arrived = pe->handling.arrived };
    uint64_t len, zero;
    void *copy;

    c4_pup_raw(p, &m.w, sizeof(m.w));
    c4_pup_raw(p, &len, sizeof(len));
    if (p->failed || len > p->size - p->off)
        c4_abort(pe, "malformed message: an element's messages");
    copy = c4i_realloc(NULL, len);
    c4_pup_raw(p, copy, len);
    c4_pup_raw(p, &zero, (8 - len % 8) % 8);
    m.data = copy;
    m.len = len;
    early_add(pe, in, &m);
}

void
c4i_inbox_unpack(c4_pe *pe, c4i_inbox *in, c4_pup *p)
{
    inbox_head h;

    c4_pup_raw(p, &h, sizeof(h));
    if (p->failed || h.norder > p->size / sizeof(c4i_order))
        c4_abort(pe, "malformed message: an element's messages");
    in->norder = in->order_cap = h.norder;
    in->order = c4i_alloc((h.norder + 1) * sizeof(*in->order));
    c4_pup_raw(p, in->order, h.norder * sizeof(*in->order));
    for (uint32_t i = 0; i < h.nearly; i++)
        unpack_early(pe, in, p);
}
