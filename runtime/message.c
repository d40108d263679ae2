/*
 * message.c - messages in memory: making, queueing, giving back.
 *
 * A message that the transport hands over lives on the loop's stack; one that
 * must wait is copied into a node from a free list, with its payload moved to
 * the heap if it was the ring's.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { KEEP_FREE = 1 << 16 };               /* nodes in the free list; a flood may need many more */

c4i_msg *
c4i_msg_new(c4_pe *pe)
{
    c4i_msg *m = pe->free_msgs;

    if (!m)
        return c4i_alloc(sizeof(*m));
    pe->free_msgs = m->next;
    pe->nfree_msgs--;
    return m;
}

/* Gives the payload back; the header stays the caller's. */
void
c4i_msg_drop(c4_pe *pe, c4i_msg *m)
{
    switch (m->mem) {
    case C4I_MEM_HEAP:
        free((void *)m->data);
        break;
    case C4I_MEM_RING:
    case C4I_MEM_ARENA:
        pe->net->ops->done(pe->net, m);
        break;
    case C4I_MEM_REF:
        if (m->data)
            ((const c4_binding *)m->owner)->ref_free(pe, (void *)m->data);
        break;
    case C4I_MEM_SHARED:
        c4i_shared_drop(pe, m->owner);
        break;
    case C4I_MEM_INLINE:
        break;
    }
    m->mem = C4I_MEM_INLINE;
    m->data = NULL;
    m->len = 0;
}

static void
node_free(c4_pe *pe, c4i_msg *m)
{
    if (pe->nfree_msgs == KEEP_FREE) {
        free(m);
        return;
    }
    m->next = pe->free_msgs;
    pe->free_msgs = m;
    pe->nfree_msgs++;
}

void
c4i_msg_free(c4_pe *pe, c4i_msg *m)
{
    c4i_msg_drop(pe, m);
    node_free(pe, m);
}

c4i_msg *
c4i_msg_keep(c4_pe *pe, c4i_msg *m)
{
    c4i_msg *kept = c4i_msg_new(pe);

    *kept = *m;
    if (m->mem == C4I_MEM_INLINE) {
        kept->data = kept->w.tail.bytes;
    } else if (m->mem == C4I_MEM_RING) {
        void *copy = c4i_realloc(NULL, m->len);

        memcpy(copy, m->data, m->len);
        c4i_msg_drop(pe, m);
        kept->data = copy;
        kept->mem = C4I_MEM_HEAP;
    }
    m->mem = C4I_MEM_INLINE;                /* the payload is the copy's now */
    m->data = NULL;
    m->len = 0;
    return kept;
}

c4i_wire
c4i_wire_for(enum c4i_kind kind, c4_coll coll)
{
    c4i_wire w = { .coll = coll };

    w.kind = (uint8_t)kind;
    return w;
}

static void
gather(void *to, const struct iovec *iov, int niov)
{
    unsigned char *p = to;

    for (int i = 0; i < niov; i++) {
        if (iov[i].iov_len)
            memcpy(p, iov[i].iov_base, iov[i].iov_len);
        p += iov[i].iov_len;
    }
}

/* Queues a message for this PE itself, with a copy of the payload. */
static void
post_here(c4_pe *pe, const c4i_wire *w, const struct iovec *iov, int niov, uint64_t when)
{
    c4i_msg *m = c4i_msg_new(pe);
    size_t len = c4i_iov_len(iov, niov);

    m->w = *w;
    m->len = len;
    m->owner = NULL;
    m->arrived = when;
    if (len <= C4I_INLINE) {
        gather(m->w.tail.bytes, iov, niov);
        m->w.ilen = (uint8_t)len;
        m->data = m->w.tail.bytes;
        m->mem = C4I_MEM_INLINE;
    } else {
        void *copy = c4i_realloc(NULL, len);

        gather(copy, iov, niov);
        m->data = copy;
        m->mem = C4I_MEM_HEAP;
    }
    c4i_queue_push(&pe->local, m);
}

static const uint8_t kind_counted[C4I_NKINDS] = {
#define C4I_KIND_COUNTED(id, name, counted) counted,
    C4I_KIND_LIST(C4I_KIND_COUNTED)
#undef C4I_KIND_COUNTED
};

void
c4i_post(c4_pe *pe, uint32_t dst, c4i_wire *w, const struct iovec *iov, int niov)
{
    uint64_t when = 0;
    c4_err err;

    if (pe->exit != C4I_RUNNING && w->kind != C4I_EXIT)
        return;                             /* [7]: nobody sends any more */
    w->src = pe->me;
    if (kind_counted[w->kind]) {
        w->flags |= C4I_F_COUNTED;
        pe->created++;
    }
    if (__builtin_expect(pe->want_sent, 0))
        when = c4i_record_sent(pe, w, w->kind == C4I_FUTURE && pe->value_is ? pe->value_is : w->kind,
                               dst, c4i_iov_len(iov, niov));
    if (dst == pe->me) {
        post_here(pe, w, iov, niov, when);
        return;
    }
    err = pe->net->ops->send(pe->net, dst, w, iov, niov);
    if (err)
        c4_abort(pe, "cannot send %zu bytes to PE %u: %s", c4i_iov_len(iov, niov), dst,
                 c4_strerror(err));
}

void
c4i_post_data(c4_pe *pe, uint32_t dst, c4i_wire *w, const void *data, size_t len)
{
    struct iovec iov = { (void *)data, len };

    c4i_post(pe, dst, w, &iov, 1);
}

/* A reference that leaves the PE after all becomes bytes. */
void
c4i_encode_ref(c4_pe *pe, c4i_msg *m)
{
    const c4_binding *binding = m->owner;
    c4_buf out = { 0 };
    c4_err err = binding->ref_encode(pe, (void *)m->data, &out);

    if (err)
        c4_abort(pe, "a message to an element that has moved cannot be encoded: %s",
                 c4_error(pe));
    binding->ref_free(pe, (void *)m->data);
    m->data = out.data;
    m->len = out.len;
    m->mem = C4I_MEM_HEAP;
    if (pe->want_sent)
        pe->rec.resized(pe->rec.ctx, m->w.trace, m->len);
}

void
c4i_forward(c4_pe *pe, uint32_t dst, c4i_msg *m)
{
    struct iovec iov;
    c4i_wire w = m->w;
    c4_err err;

    if (dst >= pe->npes)
        c4_abort(pe, "malformed message: for element %llu of collection %u",
                 (unsigned long long)m->w.elem, m->w.coll);
    if (m->mem == C4I_MEM_REF)
        c4i_encode_ref(pe, m);
    if (dst == pe->me) {
        c4i_queue_push(&pe->local, c4i_msg_keep(pe, m));
        return;
    }
    iov.iov_base = (void *)m->data;
    iov.iov_len = m->len;
    w.flags &= (uint8_t)~C4I_F_BIG;
    err = pe->net->ops->send(pe->net, dst, &w, &iov, 1);
    if (err)
        c4_abort(pe, "cannot forward %zu bytes to PE %u: %s", iov.iov_len, dst,
                 c4_strerror(err));
    c4i_msg_drop(pe, m);
}
