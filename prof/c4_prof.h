/*
 * c4_prof.h - what a PE's entry methods have cost so far, in ns.
 *
 * For bindings (charm.printStats()) and programs that look at themselves.  The
 * statistics are one flat block without pointers: it may be sent to another PE
 * as bytes and merged there.  All PEs register the same types in the same
 * order, so (type_no, entry) means the same everywhere.
 *
 * printStats: em = em_ns, send = send_ns, recv = recv_ns, total = their sum.
 * A method that is running when it asks is not yet counted.
 */
#ifndef C4_PROF_H
#define C4_PROF_H

#include <c4.h>

#ifdef __cplusplus
extern "C" {
#endif

#define C4_STATS_VERSION 2u

enum { C4_STATS_COUNTERS = 6 };
enum c4_stats_activity {
    C4_STATS_IDLE, C4_STATS_LB, C4_STATS_MIGRATE_OUT, C4_STATS_MIGRATE_IN, C4_STATS_REDUCE,
    C4_STATS_ACTIVITIES = 8
};

typedef struct c4_stats_row {
    uint16_t type_no, entry;                /* entry may be C4_ENTRY_... of c4_bind.h */
    uint8_t  is_main;                       /* the main function; type_no and entry are 0 */
    uint8_t  is_task, pad[2];               /* all tasks of the pool; likewise */
    uint64_t calls;                         /* messages that ran it */
    uint64_t stretches;                     /* a call that was suspended has several */
    uint64_t ns, min_ns, max_ns;            /* of stretches: em + send */
    double   sumsq_ns;
    uint64_t em_ns;                         /* user code, without sends */
    uint64_t send_ns;                       /* in the runtime's send calls */
    uint64_t recv_ns;                       /* from delivery to the start of user code */
    uint64_t nbytes;                        /* received with the calls */
    uint64_t sent, sent_nbytes;             /* messages sent, local ones included */
    uint64_t counter[C4_STATS_COUNTERS];
} c4_stats_row;

typedef struct c4_stats_msgs {              /* between PEs; payload bytes */
    uint64_t n, nbytes, min, max;           /* min and max are 0 while n is 0 */
} c4_stats_msgs;

typedef struct c4_stats {
    uint32_t version, npes;                 /* PEs that were merged into this */
    uint32_t nrows, pad;
    uint64_t wall_ns;                       /* since the job began; merged: the longest */
    uint64_t busy_ns;
    c4_stats_msgs sent, received;
    uint64_t nlocal;                        /* calls by messages that stayed on their PE */
    uint64_t activity_ns[C4_STATS_ACTIVITIES], activity_n[C4_STATS_ACTIVITIES];
    uint64_t created, left, arrived;        /* elements */
    uint64_t left_nbytes;
    c4_stats_row row[];                     /* [nrows]: main, tasks, then by (type_no, entry) */
} c4_stats;

/* Keeps statistics from now on; between c4_init() and c4_loop(), on every PE.
 * A no-op where they are kept already (+trace). */
C4_API c4_err c4_prof_start(c4_pe *pe);
C4_API bool c4_prof_on(const c4_pe *pe);
/* The database that the job is recorded into, absolute; NULL: none. */
C4_API const char *c4_prof_trace(const c4_pe *pe);
/* A fact about the run, where it is recorded: versions "python" and "numpy",
 * "main_file" and "main_line" of the main function.  On PE 0; the first of a
 * key counts. */
C4_API void c4_prof_fact(c4_pe *pe, const char *key, const char *value);
/* A snapshot of this PE, for free(); C4_ESTATE where nothing is kept. */
C4_API c4_err c4_prof_stats(const c4_pe *pe, c4_stats **out);
/* The type with this number, NULL if it has not been seen here. */
C4_API const c4_type *c4_prof_type(const c4_pe *pe, uint16_t type_no);

C4_API size_t c4_stats_size(const c4_stats *s);     /* in bytes, rows included */
/* Adds what another PE sent to *into, which may be NULL at first and is
 * realloc'ed.  C4_EFORMAT if the bytes are not a c4_stats. */
C4_API c4_err c4_stats_merge(c4_stats **into, const void *bytes, size_t len);

#ifdef __cplusplus
}
#endif
#endif
