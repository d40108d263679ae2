/*
 * arena.h - the memory of the large messages that one PE sends.
 *
 * The owner allocates and is the only one to touch the books; receivers use
 * blocks in place and give them back by pushing them on the stack `returned`
 * of the owner's control page, from any process and thread.  The owner takes
 * the whole stack at once, so there is no ABA problem.
 *
 * The arena is cut into units of 1 MiB of address space.  A span is one or
 * more units: a slab of equal blocks (up to SLAB_MAX bytes each) or one block.
 * Spans never merge or split: address space is plentiful.  What is scarce is
 * memory, which is had by fallocate() (so that its lack is an error and not a
 * SIGBUS) and given back by punching holes into the spans that have been free
 * longest, when free memory exceeds a budget.
 *
 * States of a span: cold (no block in use, no memory), warm (no block in use,
 * but memory), busy (a block in use).  Cold ones are in cold[class]; warm ones
 * in lru, newest first; a slab with a free block is in partial[class], a warm
 * large one in warm[class].  Last in, first out everywhere.
 */
#ifndef C4I_ARENA_H
#define C4I_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <c4_err.h>

enum { C4I_ARENA_HEADER = 64, C4I_SLAB_CLASSES = 28, C4I_SPAN_CLASSES = 96 };

struct c4i_span;

typedef struct c4i_arena {
    unsigned char    *base;
    uint64_t          nbytes;
    int               fd;                   /* the segment; the arena begins at off in it */
    uint64_t          off;
    _Atomic uint64_t *returned;
    uint64_t          top;                  /* units ever used */
    struct c4i_span **span_of;              /* by unit */
    struct c4i_span  *partial[C4I_SLAB_CLASSES];
    struct c4i_span  *warm[C4I_SPAN_CLASSES], *cold[C4I_SPAN_CLASSES];
    struct c4i_span  *lru_newest, *lru_oldest;
    uint64_t          backed, cached;       /* bytes of memory; of those, in warm spans */
    uint64_t          budget;               /* of cached */
    uint64_t          credit;               /* may grow so much before asking how much memory is left */
    uint64_t          nout;                 /* blocks in use */
} c4i_arena;

/* Errors: C4_ENOMEM. */
c4_err c4i_arena_init(c4i_arena *a, unsigned char *base, uint64_t nbytes, int fd, uint64_t off,
                      _Atomic uint64_t *returned);
/* Frees the books, not the memory, which is the segment's. */
void c4i_arena_release(c4i_arena *a);
/* *place is the offset of nbytes, aligned to 64. */
c4_err c4i_arena_alloc(c4i_arena *a, uint64_t nbytes, uint64_t *place);
/* Takes back what receivers returned. */
void c4i_arena_collect(c4i_arena *a);
/* From any process and thread; base is where it has that arena mapped. */
void c4i_arena_give_back(unsigned char *base, _Atomic uint64_t *returned, uint64_t place);

#endif
