/*
 * loop.c - the transport of a job of one PE: nobody to talk to.
 *
 * Messages to oneself never reach a transport, so all that is left is to wait
 * for wake() or for a timer.
 */
#include <stdlib.h>

#include "clock.h"
#include "futex.h"
#include "transport.h"

enum { AWAKE, ASLEEP, POKED };

struct loop {
    c4i_transport    t;
    _Atomic uint32_t state;
};

static c4_err
loop_send(c4i_transport *t, uint32_t dst, c4i_wire *w, const struct iovec *iov, int niov)
{
    (void)t, (void)dst, (void)w, (void)iov, (void)niov;
    return C4_EFAULT;                       /* dst is never this PE, and there is no other */
}

static bool
loop_recv(c4i_transport *t, c4i_msg *m)
{
    (void)t, (void)m;
    return false;
}

static void
loop_done(c4i_transport *t, c4i_msg *m)
{
    (void)t;
    if (m->mem == C4I_MEM_HEAP)
        free(m->owner);
    m->owner = NULL;
}

static c4_block *
loop_keep(c4i_transport *t, c4i_msg *m)
{
    (void)t, (void)m;
    return NULL;
}

/* Sleeping is all there is to do; the first call only says so. */
static bool
loop_park(c4i_transport *t, uint64_t timeout_ns, bool may_sleep)
{
    struct loop *l = (struct loop *)t;
    uint32_t awake = AWAKE;

    if (may_sleep && timeout_ns && atomic_compare_exchange_strong(&l->state, &awake, ASLEEP))
        c4i_futex_wait(&l->state, ASLEEP, timeout_ns);
    return atomic_exchange(&l->state, AWAKE) == POKED || may_sleep || timeout_ns == 0;
}

static void
loop_wake(c4i_transport *t)
{
    struct loop *l = (struct loop *)t;

    if (atomic_exchange(&l->state, POKED) == ASLEEP)
        c4i_futex_wake(&l->state);
}

static void
loop_ending(c4i_transport *t, int status)
{
    (void)t, (void)status;
}

static void
loop_release(c4i_transport *t)
{
    free(t);
}

static const c4i_transport_ops loop_ops = {
    .name = "loop",
    .send = loop_send,
    .recv = loop_recv,
    .done = loop_done,
    .keep = loop_keep,
    .park = loop_park,
    .wake = loop_wake,
    .ending = loop_ending,
    .release = loop_release,
};

c4_err
c4i_loop_new(c4i_transport **out)
{
    struct loop *l = calloc(1, sizeof(*l));

    if (!l)
        return C4_ENOMEM;
    l->t = (c4i_transport){ .ops = &loop_ops, .npes = 1, .ncores = 1,
                            .zero_ns = c4i_monotonic_ns() };
    *out = &l->t;
    return C4_OK;
}
