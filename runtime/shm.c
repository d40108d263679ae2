/*
 * shm.c - the transport between processes of one host.
 *
 * Small messages are ring slots; payloads of more than C4I_INLINE bytes go to
 * the ring's bytes, large ones to the sender's arena (arena.h), where the
 * receiver uses them in place.
 *
 * Order of a pair: once a message for a PE waits in its spill list, all that
 * follow queue up behind it.
 *
 * Sleeping: a PE sets its bell, then looks at everything once more, then
 * sleeps; a sender publishes, then looks at the bell.  Between the two steps
 * of each there must be a full barrier.  Where the kernel offers it the
 * sleeper issues it for all (membarrier), since it is about to lose
 * microseconds anyway; otherwise the senders pay a fence a message.
 *
 * Cost of a small message: one line written, one read of the bell, which
 * stays in the sender's cache while the receiver is awake.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena.h"
#include "clock.h"
#include "copy.h"
#include "futex.h"
#include "launch.h"
#include "ring.h"
#include "transport.h"

#define IN_ARENA (UINT64_C(1) << 63)        /* c4i_wire.tail.big.place */

enum {
    BURST = 64,                             /* messages from one ring before the others are looked at */
    SPIN_MIN_NS = 5000, SPIN_MAX_NS = 100000,
    SPIN_FIRST = 256,                       /* looks in a row, before the clock is read */
    SPIN_BATCH = 64                         /* looks between two readings of the clock */
};

struct spilled {
    struct spilled *next;
    c4i_wire        w;
    uint32_t        npayload;               /* for the ring's bytes */
    unsigned char   payload[];
};

struct peer {
    struct c4i_ring_in  in;
    struct c4i_ring_out out;
    uint32_t            nseen;              /* messages in it that a poll has seen already */
    uint64_t            seen;               /* ... when, in ticks */
    uint32_t            likely;             /* payload bytes of an answer; 0: none, or fetched */
    c4i_control        *control;
    unsigned char      *arena;              /* this PE's, as mapped here */
    struct spilled     *spill, **spill_tail;
    unsigned char      *base;               /* its segment */
};

struct shm {
    c4i_transport    t;
    c4i_layout       layout;
    c4i_arena        arena;
    c4i_copy_fn      copy;
    unsigned char   *room;                  /* given by shm_room() and not sent yet, or NULL */
    struct peer     *peers;                 /* [npes]; rings of [pe] itself are unused */
    c4i_control     *control;               /* of this PE */
    int              fd;                    /* of this PE's segment */
    uint32_t         hot, burst;            /* ring looked at first; messages it may still give */
    uint32_t         nspilling;             /* peers with a spill list */
    bool             fence;                 /* this PE pays for the barrier when it sends */
    bool             spins;
    uint64_t         spin_ns;
    _Atomic uint32_t poked;                 /* wake() was called */
    _Atomic uint32_t nrefs;                 /* the transport, and its kept blocks */
};

struct kept {
    c4_block    block;
    struct shm *shm;
    struct peer *owner;
    uint64_t    place;
};

/* ---- Waking --------------------------------------------------------------------- */

static void
ring_bell(c4i_control *control)
{
    if (atomic_exchange(&control->bell, 0))
        c4i_futex_wake(&control->bell);
}

/* After something was published for this PE. */
static inline void
wake_if_asleep(const struct shm *s, c4i_control *control)
{
    if (s->fence)
        atomic_thread_fence(memory_order_seq_cst);
    else
        atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(atomic_load_explicit(&control->bell, memory_order_relaxed) != 0, 0))
        ring_bell(control);
}

/* ---- Sending -------------------------------------------------------------------- */

static void
gather(const struct shm *s, unsigned char *dst, const struct iovec *iov, int niov)
{
    for (int i = 0; i < niov; i++) {
        if (iov[i].iov_len)
            s->copy(dst, iov[i].iov_base, iov[i].iov_len);
        dst += iov[i].iov_len;
    }
}

static c4_err
spill(struct shm *s, struct peer *p, const c4i_wire *w, uint64_t npayload,
      const struct iovec *iov, int niov)
{
    struct spilled *q = malloc(sizeof(*q) + npayload);

    if (!q)
        return C4_ENOMEM;
    q->next = NULL;
    q->w = *w;
    q->npayload = (uint32_t)npayload;
    if (npayload)
        gather(s, q->payload, iov, niov);
    if (!p->spill) {
        p->spill_tail = &p->spill;
        s->nspilling++;
        atomic_store_explicit(&p->out.head->starved, 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst);
    }
    *p->spill_tail = q;
    p->spill_tail = &q->next;
    s->t.spilled++;
    return C4_OK;
}

/* Moves on what fits.  True: some did. */
static bool
unspill_peer(struct shm *s, struct peer *p)
{
    bool moved = false;

    while (p->spill && c4i_ring_has_slot(&p->out)) {
        struct spilled *q = p->spill;

        if (q->npayload) {
            uint64_t end;
            unsigned char *at = c4i_ring_payload(&p->out, q->npayload, &end);

            if (!at)
                break;
            memcpy(at, q->payload, q->npayload);
            p->out.payload_pos = end;
        }
        c4i_ring_put(&p->out, &q->w);
        p->spill = q->next;
        free(q);
        moved = true;
    }
    if (!p->spill) {
        s->nspilling--;
        atomic_store_explicit(&p->out.head->starved, 0, memory_order_relaxed);
    }
    if (moved)
        wake_if_asleep(s, p->control);
    return moved;
}

static bool
unspill(struct shm *s)
{
    bool moved = false;

    for (uint32_t i = 0; i < s->t.npes && s->nspilling; i++)
        if (s->peers[i].spill)
            moved |= unspill_peer(s, &s->peers[i]);
    return moved;
}

/* Tells in the header where n bytes of payload are; *npayload becomes n if
 * they are for the ring's bytes. */
static c4_err
place_payload(struct shm *s, c4i_wire *w, uint64_t n, const struct iovec *iov, int niov,
              uint64_t *npayload)
{
    uint64_t place;
    c4_err err;

    *npayload = 0;
    if (n <= C4I_INLINE) {
        unsigned char *dst = w->tail.bytes;

        w->flags &= (uint8_t)~C4I_F_BIG;
        w->ilen = (uint8_t)n;
        for (int i = 0; i < niov; dst += iov[i++].iov_len)
            if (iov[i].iov_len)
                memcpy(dst, iov[i].iov_base, iov[i].iov_len);
        return C4_OK;
    }
    w->flags |= C4I_F_BIG;
    w->ilen = 0;
    w->tail.big.len = n;
    w->tail.big.place = 0;
    if (n <= s->layout.payload_max) {
        *npayload = n;
        return C4_OK;
    }
    if (s->room && iov->iov_base == s->room) {
        place = (uint64_t)(s->room - s->arena.base);
        s->room = NULL;
    } else {
        err = c4i_arena_alloc(&s->arena, n, &place);
        if (err)
            return err;
        if (n >= C4I_LARGE && s->t.copying)
            s->t.copying(s->t.ctx, true);
        gather(s, s->arena.base + place, iov, niov);
        if (n >= C4I_LARGE && s->t.copying)
            s->t.copying(s->t.ctx, false);
    }
    w->tail.big.place = place | IN_ARENA;
    return C4_OK;
}

static void *
shm_room(c4i_transport *t, size_t n)
{
    struct shm *s = (struct shm *)t;
    uint64_t place;

    if (n <= s->layout.payload_max || c4i_arena_alloc(&s->arena, n, &place))
        return NULL;
    s->room = s->arena.base + place;
    return s->room;
}

static c4_err
shm_send(c4i_transport *t, uint32_t dst, c4i_wire *w, const struct iovec *iov, int niov)
{
    struct shm *s = (struct shm *)t;
    struct peer *p = &s->peers[dst];
    uint64_t npayload, end = 0;
    unsigned char *at = NULL;
    c4_err err = place_payload(s, w, c4i_iov_len(iov, niov), iov, niov, &npayload);

    if (err)
        return err;
    if (p->spill)
        unspill_peer(s, p);
    if (p->spill || !c4i_ring_has_slot(&p->out) ||
        (npayload && !(at = c4i_ring_payload(&p->out, npayload, &end)))) {
        err = spill(s, p, w, npayload, iov, niov);
        if (err && !npayload && w->flags & C4I_F_BIG)
            c4i_arena_give_back(s->arena.base, s->arena.returned,
                                w->tail.big.place & ~IN_ARENA);
        return err;
    }
    if (npayload) {
        c4i_ring_fetch(at, npayload);
        for (int i = 0; i < niov; at += iov[i++].iov_len)
            if (iov[i].iov_len)
                memcpy(at, iov[i].iov_base, iov[i].iov_len);
        p->out.payload_pos = end;
        p->likely = (uint32_t)npayload;
    }
    c4i_ring_put(&p->out, w);
    wake_if_asleep(s, p->control);
    return C4_OK;
}

/* ---- Receiving ------------------------------------------------------------------ */

static void
take(struct shm *s, struct peer *p, c4i_msg *m)
{
    c4i_ring_take(&p->in, &m->w);
    m->next = NULL;
    m->owner = NULL;
    if (p->likely) {                        /* who is answered as much as last time waits less */
        c4i_ring_fetch_next(&p->out, p->likely);
        p->likely = 0;
    }
    if (!(m->w.flags & C4I_F_BIG)) {
        m->mem = C4I_MEM_INLINE;
        m->len = m->w.ilen;
        m->data = m->w.tail.bytes;
    } else if (m->w.tail.big.place & IN_ARENA) {
        m->mem = C4I_MEM_ARENA;
        m->len = m->w.tail.big.len;
        m->data = p->arena + (m->w.tail.big.place & ~IN_ARENA);
        m->owner = p;
    } else {
        m->mem = C4I_MEM_RING;
        m->len = m->w.tail.big.len;
        m->data = c4i_ring_payload_of(&p->in, m->len);
    }
    if (c4i_ring_should_tell(&p->in) && c4i_ring_tell(&p->in))
        wake_if_asleep(s, p->control);
}

/* What is in the rings has come by now: one reading of the clock for all of it. */
static __attribute__((noinline)) void
look(struct shm *s)
{
    uint64_t now;

    for (uint32_t i = 0; i < s->t.npes; i++)
        if (!s->peers[i].nseen) {
            s->peers[i].nseen = c4i_ring_count(&s->peers[i].in, BURST);
            s->peers[i].seen = 0;
        }
    c4i_await_loads();
    now = c4i_ticks(s->t.clock);
    for (uint32_t i = 0; i < s->t.npes; i++)
        if (!s->peers[i].seen)
            s->peers[i].seen = now;
}

static inline void
take_from(struct shm *s, struct peer *p, c4i_msg *m)
{
    if (__builtin_expect(s->t.clock != NULL, 0)) {
        if (!p->nseen)
            look(s);
        p->nseen--;
        m->arrived = p->seen;
    }
    take(s, p, m);
}

/* The ring that gave last is looked at first, but not for ever. */
static bool
shm_recv(c4i_transport *t, c4i_msg *m)
{
    struct shm *s = (struct shm *)t;
    uint32_t i = s->hot;

    if (__builtin_expect(s->nspilling != 0, 0))
        unspill(s);
    if (s->burst && c4i_ring_ready(&s->peers[i].in)) {
        s->burst--;
        take_from(s, &s->peers[i], m);
        return true;
    }
    for (uint32_t n = s->t.npes; n-- > 0; ) {
        if (++i == s->t.npes)
            i = 0;
        if (c4i_ring_ready(&s->peers[i].in)) {
            s->hot = i;
            s->burst = BURST;
            take_from(s, &s->peers[i], m);
            return true;
        }
    }
    return false;
}

static void
shm_done(c4i_transport *t, c4i_msg *m)
{
    if (m->mem == C4I_MEM_ARENA && m->owner && !t->forked) {
        struct peer *p = m->owner;

        m->owner = NULL;
        c4i_arena_give_back(p->arena, &p->control->returned,
                            (uint64_t)((const unsigned char *)m->data - p->arena));
    } else if (m->mem == C4I_MEM_HEAP) {
        free(m->owner);
        m->owner = NULL;
    }
}

/* ---- Blocks that outlive their message ------------------------------------------- */

static void
shm_unmap(struct shm *s)
{
    for (uint32_t i = 0; i < s->t.npes; i++)
        if (s->peers[i].base)
            munmap(s->peers[i].base, s->layout.segment_bytes);
    free(s->peers);
    free(s);
}

static void
unref(struct shm *s)
{
    if (atomic_fetch_sub(&s->nrefs, 1) == 1)
        shm_unmap(s);
}

static void
kept_free(c4_block *b)
{
    struct kept *k = (struct kept *)b;

    if (k->shm->t.forked)
        return;
    c4i_arena_give_back(k->owner->arena, &k->owner->control->returned, k->place);
    unref(k->shm);
    free(k);
}

/* Takes the payload over: shm_done() has no effect on m then. */
static c4_block *
shm_keep(c4i_transport *t, c4i_msg *m)
{
    struct shm *s = (struct shm *)t;
    struct peer *p = m->owner;
    struct kept *k;

    if (m->mem != C4I_MEM_ARENA || !p)
        return NULL;
    k = malloc(sizeof(*k));
    if (!k)
        return NULL;
    k->block = (c4_block){ .free = kept_free, .nrefs = 1 };
    k->shm = s;
    k->owner = p;
    k->place = (uint64_t)((const unsigned char *)m->data - p->arena);
    atomic_fetch_add_explicit(&s->nrefs, 1, memory_order_relaxed);
    m->owner = NULL;
    return &k->block;
}

/* ---- Waiting ---------------------------------------------------------------------- */

static bool
anything(struct shm *s)
{
    if (atomic_load_explicit(&s->poked, memory_order_relaxed) && atomic_exchange(&s->poked, 0))
        return true;
    if (s->nspilling)
        unspill(s);
    for (uint32_t i = 0; i < s->t.npes; i++)
        if (c4i_ring_ready(&s->peers[i].in))
            return true;
    return false;
}

#if defined(__x86_64__)
#define RELAX __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RELAX __asm__ volatile("yield")
#else
#define RELAX ((void)0)
#endif

static inline void
relax(void)
{
    RELAX;
}

static bool
spin(struct shm *s, uint64_t timeout_ns)
{
    uint64_t begin, spent = 0;

    for (int i = 0; i < SPIN_FIRST; i++)
        if (anything(s))
            return true;
    begin = c4i_monotonic_ns();
    while (spent < s->spin_ns) {
        for (int i = 0; i < SPIN_BATCH; i++) {
            if (anything(s))
                return true;
            relax();
        }
        spent = c4i_monotonic_ns() - begin;
        if (spent >= timeout_ns)
            return true;
    }
    return false;
}

/* What the sleeper owes those who publish without a fence. */
static void
barrier(const struct shm *s)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (s->control->asymmetric)
        syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
}

/* A short sleep says that spinning longer would have met the message. */
static void
nap(struct shm *s, uint64_t timeout_ns)
{
    uint64_t begin = c4i_monotonic_ns(), slept;

    c4i_arena_collect(&s->arena);
    atomic_store(&s->control->bell, 1);
    barrier(s);
    if (!anything(s))
        c4i_futex_wait(&s->control->bell, 1, timeout_ns);
    atomic_store(&s->control->bell, 0);
    slept = c4i_monotonic_ns() - begin;
    if (slept < 2 * SPIN_MAX_NS)
        s->spin_ns = 2 * s->spin_ns < SPIN_MAX_NS ? 2 * s->spin_ns : SPIN_MAX_NS;
    else
        s->spin_ns = s->spin_ns / 2 > SPIN_MIN_NS ? s->spin_ns / 2 : SPIN_MIN_NS;
}

static bool
shm_park(c4i_transport *t, uint64_t timeout_ns, bool may_sleep)
{
    struct shm *s = (struct shm *)t;

    if (anything(s) || timeout_ns == 0)
        return true;
    if (!may_sleep)
        return s->spins && spin(s, timeout_ns);
    nap(s, timeout_ns);
    atomic_exchange(&s->poked, 0);
    return true;
}

static void
shm_wake(c4i_transport *t)
{
    struct shm *s = (struct shm *)t;

    atomic_store(&s->poked, 1);
    if (atomic_load(&s->control->bell))
        ring_bell(s->control);
}

/* ---- Life ------------------------------------------------------------------------- */

static void
shm_ending(c4i_transport *t, int status)
{
    struct shm *s = (struct shm *)t;

    atomic_store(&s->control->status, status);
    atomic_store_explicit(&s->control->ending, 1, memory_order_release);
}

static void
shm_release(c4i_transport *t)
{
    struct shm *s = (struct shm *)t;

    for (uint32_t i = 0; i < t->npes; i++)
        while (s->peers[i].spill) {
            struct spilled *q = s->peers[i].spill;

            s->peers[i].spill = q->next;
            free(q);
        }
    c4i_arena_release(&s->arena);
    if (s->fd >= 0)
        close(s->fd);
    unref(s);
}

static const c4i_transport_ops shm_ops = {
    .name = "shm",
    .send = shm_send,
    .room = shm_room,
    .recv = shm_recv,
    .done = shm_done,
    .keep = shm_keep,
    .park = shm_park,
    .wake = shm_wake,
    .ending = shm_ending,
    .release = shm_release,
};

/* Maps the segment of PE i; the arena's size is in each control page. */
static c4_err
map_peer(struct shm *s, uint32_t i, int fd)
{
    struct peer *p = &s->peers[i];
    void *at = mmap(NULL, s->layout.segment_bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (at == MAP_FAILED)
        return C4_ENOMEM;
    madvise((char *)at + s->layout.arena_off, s->layout.segment_bytes - s->layout.arena_off,
            MADV_DONTDUMP);
    p->base = at;
    p->control = at;
    p->arena = p->base + s->layout.arena_off;
    return p->control->magic == C4I_SEGMENT_MAGIC && p->control->pe == i &&
           p->control->npes == s->t.npes ? C4_OK : C4_EFORMAT;
}

static c4_err
map_all(struct shm *s, const int *fd)
{
    uint32_t me = s->t.pe;
    c4i_control first;
    c4_err err = C4_OK;

    if (pread(fd[me], &first, sizeof(first), 0) != (ssize_t)sizeof(first) ||
        first.magic != C4I_SEGMENT_MAGIC || first.npes != s->t.npes)
        return C4_EFORMAT;
    c4i_layout_init(&s->layout, s->t.npes, first.arena_bytes);
    for (uint32_t i = 0; i < s->t.npes && !err; i++)
        err = map_peer(s, i, fd[i]);
    if (err)
        return err;
    for (uint32_t i = 0; i < s->t.npes; i++) {
        struct peer *p = &s->peers[i];

        if (i == me) {
            p->in.slots = (void *)p->control->no_slot;
            p->in.lap = 1;
            continue;
        }
        c4i_ring_in_init(&p->in, s->peers[me].base + c4i_layout_ring(&s->layout, me, i),
                         &s->layout);
        c4i_ring_out_init(&p->out, p->base + c4i_layout_ring(&s->layout, i, me), &s->layout);
    }
    s->control = s->peers[me].control;
    s->t.failures = &s->peers[0].control->failures;
    return C4_OK;
}

static void
choose_barrier(struct shm *s)
{
    s->fence = !s->control->asymmetric ||
               syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) != 0;
}

c4_err
c4i_shm_join(const c4i_launch *l, c4i_transport **out)
{
    struct shm *s = calloc(1, sizeof(*s));
    c4_err err = C4_ENOMEM;

    if (!s)
        return C4_ENOMEM;
    s->t = (c4i_transport){ .ops = &shm_ops, .pe = l->pe, .npes = l->npes, .ncores = l->ncores,
                            .zero_ns = l->zero_ns };
    s->copy = c4i_copy_choose();
    s->spins = l->npes <= l->ncores;
    s->spin_ns = SPIN_MAX_NS;
    s->nrefs = 1;
    s->fd = -1;
    s->peers = calloc(l->npes, sizeof(*s->peers));
    if (!s->peers)
        goto fail;
    err = map_all(s, l->fd);
    if (err)
        goto fail;
    choose_barrier(s);
    s->fd = fcntl(l->fd[l->pe], F_DUPFD_CLOEXEC, 3);
    err = s->fd < 0 ? C4_EIO : c4i_arena_init(&s->arena, s->peers[l->pe].arena,
                                              s->control->arena_bytes, s->fd,
                                              s->layout.arena_off, &s->control->returned);
    if (err)
        goto fail;
    atomic_store_explicit(&s->control->joined, 1, memory_order_release);
    *out = &s->t;
    return C4_OK;
fail:
    if (s->fd >= 0)
        close(s->fd);
    if (s->peers)
        shm_unmap(s);
    else
        free(s);
    return err;
}

/* The kernel kills this process when the launcher's end of the pipe closes:
 * also behind a wrapper script, where the parent-death signal does not reach.
 * All PEs inherit one open file, but whom to kill belongs to the open file: so
 * each opens the pipe anew. */
static void
hang_on_lifeline(int inherited)
{
    char name[32];
    int fd;

    if (inherited < 0)
        return;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", inherited);
    fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        close(inherited);
    else
        fd = inherited;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETOWN, getpid());
    fcntl(fd, F_SETSIG, SIGKILL);
    fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
    if (read(fd, &(char){ 0 }, 1) == 0)     /* it closed before */
        raise(SIGKILL);
}

static void
become(int fd, int number)
{
    if (fd < 0)
        return;
    dup2(fd, number);
    close(fd);
}

c4_err
c4i_shm_new(c4i_transport **out)
{
    const char *text = getenv(C4I_LAUNCH_ENV);
    c4i_launch l;
    c4_err err;

    if (!text)
        return C4_ENOENT;
    err = c4i_launch_parse(text, &l);
    if (err)
        return err;
    unsetenv(C4I_LAUNCH_ENV);               /* programs that this one starts are no PEs */
    hang_on_lifeline(l.lifeline);
    fflush(NULL);
    become(l.out, STDOUT_FILENO);
    become(l.err, STDERR_FILENO);
    err = c4i_shm_join(&l, out);
    for (uint32_t i = 0; i < l.npes; i++)
        close(l.fd[i]);
    return err;
}
