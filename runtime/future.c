/*
 * future.c - futures: a place on one PE where values arrive.
 *
 * A future's number is pe:16 | serial:24 | slot:24; the slot is reused, the
 * serial tells a late value from one for the slot's next user.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { SLOT_BITS = 24 };

typedef struct c4i_posted {
    struct c4i_posted *next;
    c4_future          future;
    size_t             len;
    unsigned char      data[];
} c4i_posted;

static uint32_t
slot_of(c4_future f)
{
    return (uint32_t)(f & ((1u << SLOT_BITS) - 1));
}

static uint32_t
pe_of(c4_future f)
{
    return (uint32_t)(f >> 48) - 1;
}

static c4i_future *
future_find(const c4_pe *pe, c4_future f)
{
    uint32_t slot = slot_of(f);

    return slot < pe->nfutures && pe->futures[slot].id == f ? &pe->futures[slot] : NULL;
}

c4_err
c4i_check_future(c4_pe *pe, c4_future future)
{
    if (future && pe_of(future) >= pe->npes)
        return c4_fail(pe, C4_EINVAL, "%llx is no future", (unsigned long long)future);
    return C4_OK;
}

static c4i_future *
future_new(c4_pe *pe, uint32_t nvalues)
{
    uint32_t slot = pe->free_future;
    c4i_future *f;

    if (!nvalues) {
        c4_fail(pe, C4_EINVAL, "a future of no values");
        return NULL;
    }
    if (slot == C4I_NOPE) {
        uint32_t n = pe->nfutures ? pe->nfutures * 2 : 64;

        if (n > 1u << SLOT_BITS)
            c4_abort(pe, "more than %u futures wait on PE %u", 1u << SLOT_BITS, pe->me);
        pe->futures = c4i_realloc(pe->futures, n * sizeof(*pe->futures));
        for (uint32_t i = pe->nfutures; i < n; i++)
            pe->futures[i] = (c4i_future){ .next_free = i + 1 < n ? i + 1 : C4I_NOPE };
        slot = pe->nfutures;
        pe->nfutures = n;
    }
    f = &pe->futures[slot];
    pe->free_future = f->next_free;
    pe->future_serial = (pe->future_serial + 1) & 0xffffff;
    *f = (c4i_future){ .left = nvalues };
    f->id = (uint64_t)(pe->me + 1) << 48 | pe->future_serial << SLOT_BITS | slot;
    return f;
}

static void
future_free(c4_pe *pe, c4i_future *f)
{
    f->id = 0;
    f->next_free = pe->free_future;
    pe->free_future = (uint32_t)(f - pe->futures);
}

c4_future
c4_future_new(c4_pe *pe, uint32_t nvalues, c4_future_fn fn, void *arg)
{
    c4i_future *f = future_new(pe, nvalues);

    if (!f)
        return 0;
    f->fn = fn;
    f->arg = arg;
    return f->id;
}

c4_future
c4_bind_future(c4_pe *pe, uint32_t nvalues, c4_bind_future_fn fn, void *arg)
{
    c4i_future *f = future_new(pe, nvalues);

    if (!f)
        return 0;
    f->bind = fn;
    f->arg = arg;
    return f->id;
}

void
c4_future_drop(c4_pe *pe, c4_future future)
{
    c4i_future *f = future_find(pe, future);

    if (f)
        future_free(pe, f);
}

size_t
c4i_futures_open(const c4_pe *pe)
{
    size_t n = 0;

    for (uint32_t i = 0; i < pe->nfutures; i++)
        n += pe->futures[i].id != 0;
    return n;
}

void
c4i_futures_release(c4_pe *pe)
{
    while (pe->posted) {
        c4i_posted *p = pe->posted;

        pe->posted = p->next;
        free(p);
    }
    free(pe->futures);
}

/* ---- Values --------------------------------------------------------------------- */

c4_err
c4_future_sendv_flags(c4_pe *pe, c4_future future, const struct iovec *iov, int niov,
                      unsigned flags)
{
    c4i_wire w = c4i_wire_for(C4I_FUTURE, 0);

    if (!future)
        return c4_fail(pe, C4_EINVAL, "0 is no future");
    if (c4i_check_future(pe, future))
        return C4_EINVAL;
    w.call = future;
    w.flags = (uint8_t)((flags & C4_VALUE_ERROR ? C4I_F_ERROR : 0)
                        | (flags & C4_VALUE_RESULTS ? C4I_F_RECORDS : 0)
                        | (flags & C4_VALUE_EMPTY ? C4I_F_EMPTY : 0));
    c4i_post(pe, pe_of(future), &w, iov, niov);
    return C4_OK;
}

void
c4i_future_lost(c4_pe *pe, c4_future future)
{
    c4_future_sendv_flags(pe, future, NULL, 0, C4_VALUE_ERROR | C4_VALUE_EMPTY);
}

c4_err
c4_future_sendv(c4_pe *pe, c4_future future, const struct iovec *iov, int niov)
{
    uint8_t is = pe->value_is;
    c4_err err;

    if (!is)
        pe->value_is = C4I_EVENT_VALUE;
    err = c4_future_sendv_flags(pe, future, iov, niov, 0);
    pe->value_is = is;
    return err;
}

c4_err
c4_future_send(c4_pe *pe, c4_future future, const void *data, size_t len)
{
    struct iovec iov = { (void *)data, len };

    return c4_future_sendv(pe, future, &iov, 1);
}

c4_err
c4_future_send_ref(c4_pe *pe, c4_future future, void *ref, const c4_binding *binding,
                   bool is_reply)
{
    c4i_msg *m;

    if (pe_of(future) != pe->me)
        return C4_EREMOTE;
    if (pe->exit != C4I_RUNNING) {
        binding->ref_free(pe, ref);
        return C4_OK;
    }
    m = c4i_msg_new(pe);
    m->w = c4i_wire_for(C4I_FUTURE, 0);
    m->w.call = future;
    m->w.src = pe->me;
    m->w.flags = C4I_F_COUNTED;
    m->data = ref;
    m->len = 0;
    m->owner = (void *)binding;
    m->mem = C4I_MEM_REF;
    m->arrived = 0;
    pe->created++;
    if (__builtin_expect(pe->want_sent, 0))
        m->arrived = c4i_record_sent(pe, &m->w, is_reply ? C4I_FUTURE : C4I_EVENT_VALUE, pe->me, 0);
    c4i_queue_push(&pe->local, m);
    return C4_OK;
}

/* A plain future's function has no flags: data NULL is an error, of that text. */
static c4_err
give_value(c4_pe *pe, const c4i_future *it, const c4i_msg *m)
{
    if (!(m->w.flags & C4I_F_ERROR && m->w.flags & C4I_F_EMPTY))
        return it->fn(pe, it->arg, m->data, m->len);
    c4_fail(pe, C4_ENOENT, "the element called was destroyed");
    return it->fn(pe, it->arg, NULL, 0);
}

/* The value reaches its future; the message is processed after that. */
void
c4i_on_future(c4_pe *pe, c4i_msg *m)
{
    c4i_future *f = future_find(pe, m->w.call);
    c4i_future it;
    c4_err err;

    if (!f) {
        c4i_user_error(pe, c4_fail(pe, C4_ENOENT, "No pending future with fid=%llu. A common "
                                   "reason is sending to a future that already received its "
                                   "value(s) (PE %u sent it)", (unsigned long long)m->w.call,
                                   m->w.src));
        return;
    }
    it = *f;
    if (--f->left == 0)
        future_free(pe, f);
    pe->cur = m;
    if (it.bind) {
        c4_call call = { .src = m->w.src };
        unsigned flags = (m->w.flags & C4I_F_ERROR ? C4_VALUE_ERROR : 0)
                       | (m->w.flags & C4I_F_RECORDS ? C4_VALUE_RESULTS : 0)
                       | (m->w.flags & C4I_F_EMPTY ? C4_VALUE_EMPTY : 0);

        if (m->mem == C4I_MEM_REF) {
            call.ref = (void *)m->data;
            m->mem = C4I_MEM_INLINE;
        } else {
            call.data = m->data;
            call.len = m->len;
        }
        err = it.bind(pe, it.arg, &call, flags);
    } else {
        err = give_value(pe, &it, m);
    }
    pe->cur = NULL;
    c4i_user_error(pe, err);
}

/* ---- From other threads ------------------------------------------------------------ */

c4_err
c4_future_post(c4_pe *pe, c4_future future, const void *data, size_t len)
{
    c4i_posted *p = malloc(sizeof(*p) + len);

    if (!p)
        return C4_ENOMEM;
    *p = (c4i_posted){ .future = future, .len = len };
    if (len)
        memcpy(p->data, data, len);
    pthread_mutex_lock(&pe->post_lock);
    *pe->posted_tail = p;
    pe->posted_tail = &p->next;
    atomic_store(&pe->has_posted, true);
    pthread_mutex_unlock(&pe->post_lock);
    pe->net->ops->wake(pe->net);
    return C4_OK;
}

void
c4i_posted_run(c4_pe *pe)
{
    c4i_posted *p;

    pthread_mutex_lock(&pe->post_lock);
    p = pe->posted;
    pe->posted = NULL;
    pe->posted_tail = &pe->posted;
    atomic_store(&pe->has_posted, false);
    pthread_mutex_unlock(&pe->post_lock);
    while (p) {
        c4i_posted *next = p->next;

        c4_future_send(pe, p->future, p->data, p->len);
        free(p);
        p = next;
    }
}
