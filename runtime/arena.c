/*
 * arena.c - see arena.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define UNIT     (UINT64_C(1) << 20)
#define SLAB_MAX (UINT64_C(128) << 10)      /* block with header */
#define MIB      (UINT64_C(1) << 20)

enum { POPULATE_MIN = 256 << 10, KEEP_FREE = 64 << 20 };

/* In the arena, before each block's payload. */
struct block {
    uint64_t next;                          /* in `returned`: place of the next, 0 ends */
};

struct c4i_span {
    uint64_t unit, nunits;
    uint64_t backed;                        /* bytes of memory, from the begin */
    unsigned class;
    bool     slab, free;                    /* free: warm or cold */
    uint32_t nused, nblocks;                /* of a slab */
    uint32_t fresh;                         /* blocks from here on were never used */
    uint16_t nfree;
    struct c4i_span *prev, *next;           /* in partial, warm or cold */
    struct c4i_span *newer, *older;         /* in lru */
    uint16_t *stack;                        /* free blocks of a slab, last in on top */
};

/* ---- Lists ------------------------------------------------------------------ */

static void
list_push(struct c4i_span **list, struct c4i_span *s)
{
    s->prev = NULL;
    s->next = *list;
    if (s->next)
        s->next->prev = s;
    *list = s;
}

static void
list_remove(struct c4i_span **list, struct c4i_span *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        *list = s->next;
    if (s->next)
        s->next->prev = s->prev;
}

static void
lru_push(c4i_arena *a, struct c4i_span *s)
{
    s->newer = NULL;
    s->older = a->lru_newest;
    if (s->older)
        s->older->newer = s;
    else
        a->lru_oldest = s;
    a->lru_newest = s;
    a->cached += s->backed;
    s->free = true;
}

static void
lru_remove(c4i_arena *a, struct c4i_span *s)
{
    if (s->newer)
        s->newer->older = s->older;
    else
        a->lru_newest = s->older;
    if (s->older)
        s->older->newer = s->newer;
    else
        a->lru_oldest = s->newer;
    a->cached -= s->backed;
    s->free = false;
}

/* ---- Classes: four to each power of two --------------------------------------- */

/* The least class whose size, in steps, is at least n; 1, 2, 3, 4, 5, 6, 7,
 * 8, 10, 12, 14, 16, 20, ... */
static unsigned
class_of(uint64_t n)
{
    unsigned shift = 0;

    if (n <= 4)
        return (unsigned)n - 1;
    n--;
    while ((n >> shift) >= 8)
        shift++;
    return 4 * shift + (unsigned)(n >> shift);
}

static uint64_t
class_size(unsigned class)
{
    if (class < 4)
        return class + 1;
    return (uint64_t)((class & 3) + 5) << (class / 4 - 1);
}

enum { SLAB_STEP = 512 };                   /* bytes; slab classes count in these */

/* ---- Memory --------------------------------------------------------------------- */

static uint64_t
read_number(const char *file)
{
    FILE *f = fopen(file, "re");
    unsigned long long n;
    int got;

    if (!f)
        return UINT64_MAX;
    got = fscanf(f, "%llu", &n);
    fclose(f);
    return got == 1 ? n : UINT64_MAX;
}

/* Bytes that this host could still give, UINT64_MAX where nobody tells.  A
 * memfd has no limit of its own: without a look, the kernel would kill some
 * process instead of refusing. */
static uint64_t
available_bytes(void)
{
    FILE *f = fopen("/proc/meminfo", "re");
    uint64_t avail = UINT64_MAX, max, used;
    unsigned long long kib;
    char line[128];

    if (f) {
        while (fgets(line, sizeof(line), f))
            if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
                avail = (uint64_t)kib << 10;
        fclose(f);
    }
    max = read_number("/sys/fs/cgroup/memory.max");
    used = read_number("/sys/fs/cgroup/memory.current");
    if (max != UINT64_MAX && used != UINT64_MAX && max - (used < max ? used : max) < avail)
        avail = max - (used < max ? used : max);
    return avail;
}

/* Other PEs look at the same number: each takes a small part on trust. */
static bool
may_grow(c4i_arena *a, uint64_t nbytes)
{
    uint64_t avail;

    if (nbytes <= a->credit) {
        a->credit -= nbytes;
        return true;
    }
    avail = available_bytes();
    if (avail < KEEP_FREE || nbytes > avail - KEEP_FREE)
        return false;
    a->credit = (avail - KEEP_FREE - nbytes) / 16;
    return true;
}

static void
punch(c4i_arena *a, struct c4i_span *s)
{
    lru_remove(a, s);
    list_remove(s->slab ? &a->partial[s->class] : &a->warm[s->class], s);
    fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (off_t)(a->off + s->unit * UNIT), (off_t)s->backed);
    a->backed -= s->backed;
    a->credit += s->backed;
    s->backed = 0;
    s->free = true;
    s->class = class_of(s->nunits);
    list_push(&a->cold[s->class], s);
}

static void
trim(c4i_arena *a, uint64_t most)
{
    while (a->cached > most && a->lru_oldest)
        punch(a, a->lru_oldest);
}

/* Backs the first nbytes of s with memory. */
static c4_err
back(c4i_arena *a, struct c4i_span *s, uint64_t nbytes)
{
    uint64_t begin = s->unit * UNIT + s->backed, more;

    nbytes = (nbytes + 4095) & ~UINT64_C(4095);
    if (nbytes <= s->backed)
        return C4_OK;
    more = nbytes - s->backed;
    if (!may_grow(a, more)) {
        trim(a, 0);
        if (!may_grow(a, more))
            return C4_ENOMEM;
    }
    while (fallocate(a->fd, 0, (off_t)(a->off + begin), (off_t)more))
        if (errno != EINTR)
            return C4_ENOMEM;
    if (more >= POPULATE_MIN)               /* one call, instead of a fault a page */
        madvise(a->base + begin, more, MADV_POPULATE_WRITE);
    s->backed = nbytes;
    a->backed += more;
    return C4_OK;
}

/* ---- Spans ---------------------------------------------------------------------- */

static struct c4i_span *
span_new(c4i_arena *a, uint64_t nunits)
{
    struct c4i_span *s;

    if (nunits > a->nbytes / UNIT - a->top)
        return NULL;
    s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->unit = a->top;
    s->nunits = nunits;
    a->span_of[s->unit] = s;
    a->top += nunits;
    return s;
}

/* A free span of at least nunits without a list; its memory, if any, is kept. */
static struct c4i_span *
span_get(c4i_arena *a, uint64_t nunits)
{
    unsigned class = class_of(nunits);
    struct c4i_span *s = a->warm[class];

    if (s) {
        list_remove(&a->warm[class], s);
        lru_remove(a, s);
        return s;
    }
    for (unsigned c = class; c <= class + 1; c++)
        if (c < C4I_SPAN_CLASSES && (s = a->cold[c])) {
            list_remove(&a->cold[c], s);
            s->free = false;
            return s;
        }
    s = span_new(a, class_size(class));
    if (s)
        return s;
    trim(a, 0);                             /* address space is used up: take any that is large enough */
    for (unsigned c = class; c < C4I_SPAN_CLASSES; c++)
        if ((s = a->cold[c])) {
            list_remove(&a->cold[c], s);
            s->free = false;
            return s;
        }
    return NULL;
}

static void
span_put(c4i_arena *a, struct c4i_span *s)
{
    s->class = class_of(s->nunits);
    s->slab = false;
    if (s->backed) {
        list_push(&a->warm[s->class], s);
        lru_push(a, s);
        return;
    }
    s->free = true;
    list_push(&a->cold[s->class], s);
}

/* ---- Blocks --------------------------------------------------------------------- */

static uint64_t
slab_block_bytes(unsigned class)
{
    return class_size(class) * SLAB_STEP;
}

static c4_err
slab_new(c4i_arena *a, unsigned class, struct c4i_span **out)
{
    struct c4i_span *s = span_get(a, 1);
    c4_err err;

    if (!s)
        return C4_ENOMEM;
    if (!s->stack)                          /* enough for slabs of any class */
        s->stack = malloc(UNIT / SLAB_STEP * sizeof(*s->stack));
    err = s->stack ? back(a, s, UNIT) : C4_ENOMEM;
    if (err) {
        span_put(a, s);
        return err;
    }
    s->slab = true;
    s->class = class;
    s->nblocks = (uint32_t)(UNIT / slab_block_bytes(class));
    s->nused = s->fresh = s->nfree = 0;
    list_push(&a->partial[class], s);
    *out = s;
    return C4_OK;
}

static c4_err
alloc_in_slab(c4i_arena *a, uint64_t need, uint64_t *begin)
{
    unsigned class = class_of((need + SLAB_STEP - 1) / SLAB_STEP);
    struct c4i_span *s = a->partial[class];
    uint32_t at;
    c4_err err;

    if (!s) {
        err = slab_new(a, class, &s);
        if (err)
            return err;
    }
    if (s->free)
        lru_remove(a, s);
    at = s->nfree ? s->stack[--s->nfree] : s->fresh++;
    if (++s->nused == s->nblocks)
        list_remove(&a->partial[class], s);
    *begin = s->unit * UNIT + at * slab_block_bytes(class);
    return C4_OK;
}

static c4_err
alloc_span(c4i_arena *a, uint64_t need, uint64_t *begin)
{
    struct c4i_span *s = span_get(a, (need + UNIT - 1) / UNIT);
    c4_err err;

    if (!s)
        return C4_ENOMEM;
    err = back(a, s, need);
    if (err) {
        span_put(a, s);
        return err;
    }
    s->slab = false;
    *begin = s->unit * UNIT;
    return C4_OK;
}

c4_err
c4i_arena_alloc(c4i_arena *a, uint64_t nbytes, uint64_t *place)
{
    uint64_t need = nbytes + C4I_ARENA_HEADER, begin = 0;
    c4_err err;

    if (nbytes >= a->nbytes)
        return C4_ENOMEM;
    c4i_arena_collect(a);
    err = need <= SLAB_MAX ? alloc_in_slab(a, need, &begin) : alloc_span(a, need, &begin);
    if (err)
        return err;
    a->nout++;
    *place = begin + C4I_ARENA_HEADER;
    return C4_OK;
}

static void
free_block(c4i_arena *a, uint64_t place)
{
    uint64_t unit = place / UNIT;
    struct c4i_span *s = a->span_of[unit];

    a->nout--;
    if (!s->slab) {
        span_put(a, s);
        return;
    }
    s->stack[s->nfree++] = (uint16_t)((place - unit * UNIT) / slab_block_bytes(s->class));
    if (s->nused-- == s->nblocks)
        list_push(&a->partial[s->class], s);
    if (s->nused == 0)
        lru_push(a, s);
}

void
c4i_arena_collect(c4i_arena *a)
{
    uint64_t place;

    if (!atomic_load_explicit(a->returned, memory_order_relaxed))
        return;
    place = atomic_exchange_explicit(a->returned, 0, memory_order_acquire);
    while (place) {
        const struct block *b = (void *)(a->base + place - C4I_ARENA_HEADER);
        uint64_t next = b->next;

        free_block(a, place);
        place = next;
    }
    if (a->cached > a->budget)
        trim(a, a->budget / 2);
}

void
c4i_arena_give_back(unsigned char *base, _Atomic uint64_t *returned, uint64_t place)
{
    struct block *b = (void *)(base + place - C4I_ARENA_HEADER);
    uint64_t head = atomic_load_explicit(returned, memory_order_relaxed);

    do
        b->next = head;
    while (!atomic_compare_exchange_weak_explicit(returned, &head, place, memory_order_release,
                                                  memory_order_relaxed));
}

/* ---- Life ----------------------------------------------------------------------- */

c4_err
c4i_arena_init(c4i_arena *a, unsigned char *base, uint64_t nbytes, int fd, uint64_t off,
               _Atomic uint64_t *returned)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    memset(a, 0, sizeof(*a));
    a->base = base;
    a->nbytes = nbytes;
    a->fd = fd;
    a->off = off;
    a->returned = returned;
    a->budget = memory / 32 < 1024 * MIB ? memory / 32 : 1024 * MIB;
    if (a->budget < 64 * MIB)
        a->budget = 64 * MIB;
    a->span_of = calloc(nbytes / UNIT, sizeof(*a->span_of));
    return a->span_of ? C4_OK : C4_ENOMEM;
}

void
c4i_arena_release(c4i_arena *a)
{
    for (uint64_t unit = 0; a->span_of && unit < a->top; ) {
        struct c4i_span *s = a->span_of[unit];

        unit += s->nunits;
        free(s->stack);
        free(s);
    }
    free(a->span_of);
    a->span_of = NULL;
}
