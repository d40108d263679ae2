/*
 * transport.h - how messages travel between PEs.
 *
 * Messages of one ordered pair of PEs arrive in the order of sending, exactly
 * once.  A transport belongs to one PE and is called from its thread only,
 * except wake().
 */
#ifndef C4I_TRANSPORT_H
#define C4I_TRANSPORT_H

#include "msg.h"

typedef struct c4i_transport c4i_transport;

typedef struct c4i_transport_ops {
    const char *name;

    /* Sends header w and the payload in iov (total bytes: the sum) to PE dst,
     * which is never this PE.  Copies what it is given; never waits.  What the
     * rings cannot hold goes to a spill list (counted) and follows in order
     * from recv().  Sets w->ilen / C4I_F_BIG / w->tail itself.
     * C4_ENOMEM only when memory for the payload cannot be had. */
    c4_err (*send)(c4i_transport *t, uint32_t dst, c4i_wire *w,
                   const struct iovec *iov, int niov);

    /* OPTIONAL: memory for a payload of n bytes that send() will not copy: the
     * next call whose only piece it is takes it over.  NULL: give send() a copy. */
    void *(*room)(c4i_transport *t, size_t n);

    /* Takes the next message that has arrived, if any, into *m: header copied,
     * data and len set, mem INLINE, RING, ARENA or HEAP.  Also moves spilled
     * messages on.  Does not wait.  An INLINE message's data points into *m. */
    bool (*recv)(c4i_transport *t, c4i_msg *m);

    /* Gives the payload of a received message back.  RING: before the next
     * recv().  ARENA: whenever; HEAP: frees.  A no-op for the rest.  Works on
     * a copy of the message, too, once. */
    void (*done)(c4i_transport *t, c4i_msg *m);

    /* An ARENA payload that shall outlive the message: a handle for
     * c4_block_free(), which works after release(), too.  NULL: copy. */
    c4_block *(*keep)(c4i_transport *t, c4i_msg *m);

    /* Waits until something may have arrived, at most timeout_ns (UINT64_MAX:
     * for ever), or until wake().  Spins briefly first where there is a core
     * for it.  False: nothing yet, and idle_begin() should be called before
     * the next call, which really sleeps (spin phase over). */
    bool (*park)(c4i_transport *t, uint64_t timeout_ns, bool may_sleep);

    /* From any thread: makes park() return. */
    void (*wake)(c4i_transport *t);

    /* The job ends with this status: told to the launcher (PE 0). */
    void (*ending)(c4i_transport *t, int status);

    /* Unmaps everything but blocks that are still kept. */
    void (*release)(c4i_transport *t);
} c4i_transport_ops;

enum { C4I_LARGE = 4 << 20 };

struct c4i_transport {
    const c4i_transport_ops *ops;
    uint32_t pe, npes;
    uint32_t ncores;                        /* cores this job may use on this host */
    bool     forked;                        /* this is a child of the PE: touch nothing shared */
    void   (*copying)(void *ctx, bool begins);  /* OPTIONAL: around the copy of C4I_LARGE bytes or
                                             * more, in which other threads may run */
    void    *ctx;
    const struct c4i_clock *clock;          /* OPTIONAL: recv() fills m->arrived, by this clock, with
                                             * the time of the poll that first saw the message */
    uint64_t spilled;                       /* messages that had to wait in the spill list */
    uint64_t zero_ns;                       /* CLOCK_MONOTONIC when the job began, on all PEs */
    _Atomic uint32_t *failures;             /* shared by all PEs, see fault.h; NULL: none */
};

/* A kept block: free it with c4_block_free().  Transports embed this. */
struct c4_block {
    void (*free)(c4_block *b);
    uint32_t nrefs;
};

/* One PE, no other process. */
c4_err c4i_loop_new(c4i_transport **out);
/* The launcher's shared memory, as the environment variable C4_SHM describes
 * it (launch.h); C4_ENOENT where there is none. */
c4_err c4i_shm_new(c4i_transport **out);

/* Bytes of all pieces. */
static inline size_t
c4i_iov_len(const struct iovec *iov, int niov)
{
    size_t n = 0;

    for (int i = 0; i < niov; i++)
        n += iov[i].iov_len;
    return n;
}

#endif
