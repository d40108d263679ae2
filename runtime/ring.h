/*
 * ring.h - one direction of one pair of PEs: one writer, one reader.
 *
 * Slots are of one cache line.  A slot is valid when its lap number is the
 * reader's; nothing is ever zeroed, and the reader never looks at how far the
 * writer is.  Medium payloads are in a byte ring beside the slots; writer and
 * reader compute the same places, since both see the same lengths in the same
 * order.  The reader tells its progress every quarter of a ring only.
 *
 * Why that cannot lock up: a writer that finds a ring full waits (spills)
 * until the reader has told of progress.  When the reader has taken all there
 * is, at most a quarter, and the last payload, is untold, so that at least
 * one more message fits.
 */
#ifndef C4I_RING_H
#define C4I_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "launch.h"
#include "msg.h"

struct c4i_slot {
    _Alignas(64) _Atomic uint64_t first;    /* lap, then coll: written last */
    uint64_t rest[7];
};

_Static_assert(sizeof(struct c4i_slot) == sizeof(c4i_wire), "a header is a slot");

struct c4i_ring_head {
    /* Reader: everything before these positions may be overwritten. */
    _Alignas(C4I_LINE) _Atomic uint64_t taken;
    _Atomic uint64_t payload_taken;
    /* Writer: waits for progress, wake it. */
    _Alignas(C4I_LINE) _Atomic uint32_t starved;
};

/* Positions count from the job's begin; masks turn them into places. */
struct c4i_ring_out {
    struct c4i_slot *slots;
    unsigned char   *payload;
    struct c4i_ring_head *head;
    uint64_t pos, limit;                    /* limit: pos that would overwrite untaken slots */
    uint64_t payload_pos, payload_limit;
    uint32_t lap, mask, payload_mask;
};

struct c4i_ring_in {
    struct c4i_slot *slots;
    unsigned char   *payload;
    struct c4i_ring_head *head;
    uint32_t lap, mask;
    uint32_t payload_mask;
    uint64_t pos, told;
    uint64_t payload_pos, payload_told;     /* before the payload that is in use */
    uint64_t payload_next;                  /* after it */
};

static inline void
c4i_ring_out_init(struct c4i_ring_out *r, void *at, const c4i_layout *l)
{
    r->head = at;
    r->slots = (void *)(r->head + 1);
    r->payload = (void *)(r->slots + l->nslots);
    r->lap = 1;
    r->mask = l->nslots - 1;
    r->payload_mask = l->payload_bytes - 1;
    r->pos = r->payload_pos = 0;
    r->limit = l->nslots;
    r->payload_limit = l->payload_bytes;
}

static inline void
c4i_ring_in_init(struct c4i_ring_in *r, void *at, const c4i_layout *l)
{
    r->head = at;
    r->slots = (void *)(r->head + 1);
    r->payload = (void *)(r->slots + l->nslots);
    r->lap = 1;
    r->mask = l->nslots - 1;
    r->payload_mask = l->payload_bytes - 1;
    r->pos = r->told = 0;
    r->payload_pos = r->payload_told = r->payload_next = 0;
}

/* ---- Writer --------------------------------------------------------------- */

static inline bool
c4i_ring_has_slot(struct c4i_ring_out *r)
{
    if (__builtin_expect(r->pos != r->limit, 1))
        return true;
    r->limit = atomic_load_explicit(&r->head->taken, memory_order_acquire) + r->mask + 1;
    return r->pos != r->limit;
}

/* Where a payload of n bytes begins, the position at *at being free: it never
 * wraps around the end, and is aligned to 16.  *at becomes its end. */
static inline uint64_t
c4i_ring_place(uint64_t *at, uint64_t n, uint32_t mask)
{
    uint64_t begin = *at, room = (uint64_t)mask + 1 - (begin & mask);

    n = (n + 15) & ~(uint64_t)15;
    if (n > room)
        begin += room;
    *at = begin + n;
    return begin;
}

/* Asks for a cache line that is to be written.  Compilers take PREFETCHW only for
 * CPUs that surely have it; those that lack it take it for no instruction. */
#if defined(__x86_64__)
static inline void
c4i_fetch_to_write(const void *line)
{
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
}
#else
static inline void
c4i_fetch_to_write(const void *line)
{
    __builtin_prefetch(line, 1);
}
#endif

/* The reader had these lines last: asked for all at once, they come together. */
static inline void
c4i_ring_fetch(const unsigned char *at, uint64_t n)
{
    for (uint64_t i = 0; i < n; i += 64)
        c4i_fetch_to_write(at + i);
}

/* Memory for a payload of n bytes, or NULL.  It counts when the slot is put. */
static inline unsigned char *
c4i_ring_payload(struct c4i_ring_out *r, uint64_t n, uint64_t *end)
{
    uint64_t begin;

    *end = r->payload_pos;
    begin = c4i_ring_place(end, n, r->payload_mask);
    if (*end > r->payload_limit) {
        r->payload_limit = atomic_load_explicit(&r->head->payload_taken, memory_order_acquire) +
                           r->payload_mask + 1;
        if (*end > r->payload_limit)
            return NULL;
    }
    return r->payload + (begin & r->payload_mask);
}

/* The lines of the next payload, if it will be of n bytes. */
static inline void
c4i_ring_fetch_next(const struct c4i_ring_out *r, uint64_t n)
{
    uint64_t end = r->payload_pos, begin = c4i_ring_place(&end, n, r->payload_mask);

    c4i_ring_fetch(r->payload + (begin & r->payload_mask), n);
}

/* Needs c4i_ring_has_slot(). */
static inline void
c4i_ring_put(struct c4i_ring_out *r, const c4i_wire *w)
{
    struct c4i_slot *slot = &r->slots[r->pos & r->mask];

    memcpy(slot->rest, (const char *)w + sizeof(slot->first), sizeof(slot->rest));
    atomic_store_explicit(&slot->first, r->lap | (uint64_t)w->coll << 32, memory_order_release);
    r->pos++;
    r->lap += (r->pos & r->mask) == 0;
}

/* ---- Reader ----------------------------------------------------------------- */

static inline bool
c4i_ring_ready(const struct c4i_ring_in *r)
{
    uint64_t first = atomic_load_explicit(&r->slots[r->pos & r->mask].first, memory_order_acquire);

    return (uint32_t)first == r->lap;
}

/* How many are ready, if fewer than most. */
static inline uint32_t
c4i_ring_count(const struct c4i_ring_in *r, uint32_t most)
{
    uint64_t pos = r->pos;
    uint32_t lap = r->lap, n = 0;

    while (n < most && (uint32_t)atomic_load_explicit(&r->slots[pos & r->mask].first,
                                                      memory_order_acquire) == lap) {
        pos++;
        lap += (pos & r->mask) == 0;
        n++;
    }
    return n;
}

/* Copies the slot that is ready.  The payload of the message before is over. */
static inline void
c4i_ring_take(struct c4i_ring_in *r, c4i_wire *w)
{
    memcpy(w, &r->slots[r->pos & r->mask], sizeof(*w));
    r->pos++;
    r->lap += (r->pos & r->mask) == 0;
    r->payload_pos = r->payload_next;
}

/* The payload of n bytes of the slot just taken. */
static inline const void *
c4i_ring_payload_of(struct c4i_ring_in *r, uint64_t n)
{
    const unsigned char *at = r->payload +
        (c4i_ring_place(&r->payload_next, n, r->payload_mask) & r->payload_mask);

    for (uint64_t i = 0; i < n; i += 64)
        __builtin_prefetch(at + i);
    return at;
}

static inline bool
c4i_ring_should_tell(const struct c4i_ring_in *r)
{
    return r->pos - r->told > r->mask / 4 ||
           r->payload_pos - r->payload_told > r->payload_mask / 4;
}

/* True: the writer waits for it (then wake its PE). */
static inline bool
c4i_ring_tell(struct c4i_ring_in *r)
{
    r->told = r->pos;
    r->payload_told = r->payload_pos;
    atomic_store_explicit(&r->head->taken, r->pos, memory_order_release);
    atomic_store_explicit(&r->head->payload_taken, r->payload_pos, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&r->head->starved, memory_order_relaxed);
}

#endif
