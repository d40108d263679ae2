/*
 * launch.h - what charmrun and the PEs of a job agree on.
 *
 * The launcher makes one memfd segment a PE (segment.c) and hands all of them
 * to every PE by inheritance; the environment variable C4_SHM tells the
 * numbers.  A segment holds, in this order: the control page, the inbound
 * rings (one for each other PE), the arena of large messages that this PE
 * sends.  Everything but the arena is backed by memory before a PE starts;
 * the arena is sparse and backed as it grows.
 */
#ifndef C4I_LAUNCH_H
#define C4I_LAUNCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <c4_err.h>

#define C4I_LAUNCH_ENV "C4_SHM"

enum { C4I_MAXPES = 256, C4I_CONTROL_BYTES = 4096, C4I_LINE = 128 };

#define C4I_SEGMENT_MAGIC UINT64_C(0x3130676573346321)

/* The control page of a PE. */
typedef struct c4i_control {
    /* Written by the launcher before the PE starts. */
    uint64_t magic;
    uint64_t arena_bytes;
    uint32_t pe, npes;
    uint32_t asymmetric;                    /* sleepers pay for the memory barrier, senders do not */
    _Alignas(C4I_LINE) uint64_t no_slot[8]; /* stays 0: the ring of a PE to itself, always empty */
    /* Written by the PE, read by the launcher. */
    _Alignas(C4I_LINE) _Atomic uint32_t joined;
    _Atomic uint32_t ending;                /* the job ends in order, with status */
    _Atomic int32_t  status;
    /* Written by everybody.  bell is 1 while the PE sleeps, or is about to. */
    _Alignas(C4I_LINE) _Atomic uint32_t bell;
    _Atomic uint32_t failures;              /* of PE 0: how many have told of a failure */
    /* Blocks of this PE's arena that came back: a stack of offsets, 0 ends. */
    _Alignas(C4I_LINE) _Atomic uint64_t returned;
} c4i_control;

_Static_assert(sizeof(c4i_control) <= C4I_CONTROL_BYTES, "the control page holds it");

/* Where things are in a segment; follows from npes and arena_bytes. */
typedef struct c4i_layout {
    uint32_t nslots;                        /* of a ring; a power of two */
    uint32_t payload_bytes;                 /* of a ring; a power of two */
    uint32_t payload_max;                   /* a larger payload goes to the arena */
    size_t   ring_stride;
    size_t   arena_off;                     /* from the segment's begin; also: bytes before it */
    size_t   segment_bytes;
} c4i_layout;

/* What a PE is told. */
typedef struct c4i_launch {
    uint32_t pe, npes, ncores;
    uint64_t zero_ns;                       /* CLOCK_MONOTONIC when the job began */
    int      lifeline;                      /* at its end of file the launcher is dead; -1: none */
    int      out, err;                      /* become 1 and 2 when the PE joins; -1: they are already */
    int      fd[C4I_MAXPES];                /* the segments */
} c4i_launch;

void c4i_layout_init(c4i_layout *l, uint32_t npes, uint64_t arena_bytes);
/* Begin of the ring that PE src fills, in the segment of PE dst != src. */
size_t c4i_layout_ring(const c4i_layout *l, uint32_t dst, uint32_t src);

/* Makes the segments of a job, close-on-exec; on failure none is left and
 * errno tells why.  arena_bytes 0: as large as makes sense here. */
c4_err c4i_segments_new(uint32_t npes, uint64_t arena_bytes, int *fd);

/* Cores that this process, and so a job started by it, may use. */
uint32_t c4i_usable_cores(void);

/* The text of C4_SHM, malloc'ed; and back.  C4_EFORMAT: not ours. */
char *c4i_launch_format(const c4i_launch *l);
c4_err c4i_launch_parse(const char *text, c4i_launch *l);

/* Joins a job as described, without touching the process's environment,
 * descriptors 0 to 2 or signals: for c4i_shm_new() and for tests, which may
 * join several times in one process. */
struct c4i_transport;
c4_err c4i_shm_join(const c4i_launch *l, struct c4i_transport **out);

#endif
