/*
 * spool_format.h - the bytes of a spool: what a PE records while it runs.
 *
 * pe-NNNNN.spool: one head of C4I_SPOOL_HEAD bytes, then records of 64 bytes
 * in the order of writing.  The first byte of a record is its kind, written
 * last: a zero kind ends the recording, so a killed job loses at most the
 * record that it was writing.  pe-NNNNN.stats: the same head, then running
 * totals, updated in place (stats_format below).
 *
 * Host byte order; times are raw ticks.  The head tells how to turn them into
 * ns: two pairs (ticks, CLOCK_MONOTONIC ns), the second refreshed now and then.
 * Everything here is untrusted when read: see spool_read.c.
 */
#ifndef C4I_SPOOL_FORMAT_H
#define C4I_SPOOL_FORMAT_H

#include <stdint.h>

#define C4I_SPOOL_MAGIC   "c4spool"
#define C4I_STATS_MAGIC   "c4stats"
#define C4I_SPOOL_VERSION 2u

enum {
    C4I_SPOOL_HEAD = 4096,
    C4I_SPOOL_MAXCOUNTERS = 6,
    C4I_SPOOL_MAXACTIVITIES = 8,
    C4I_SPOOL_MAXDIMS = 6,
    C4I_SPOOL_BLOBPART = 56
};

enum c4i_level { C4I_LEVEL_NONE, C4I_LEVEL_SUMMARY, C4I_LEVEL_FULL };

typedef struct c4i_spool_head {
    /* Written once, before anything else; covered by sum. */
    char     magic[8];
    uint32_t version, head_size, rec_size;
    uint32_t pe, npes, pid;
    uint32_t level;
    uint32_t core;                          /* where it ran at the start; UINT32_MAX: unknown */
    uint32_t tsc;                           /* ticks are the TSC: comparable within the host */
    uint32_t pad;
    double   ns_per_tick;                   /* as calibrated at the start */
    uint64_t zero_ticks;                    /* when the job began, by that rate */
    uint64_t zero_mono_ns, zero_unix_ns;    /* the same, CLOCK_MONOTONIC and on the wall */
    uint64_t start_ticks, start_mono_ns;    /* one moment, both clocks */
    uint64_t open_ticks;                    /* when this file was made */
    char     host[64];
    uint64_t sum;                           /* FNV-1a of all above */
    /* Live. */
    uint64_t live_ticks, live_mono_ns;
    uint64_t dropped;                       /* records that found no room */
    uint32_t closed;                        /* 1: the PE came to its end */
    int32_t  status;
    uint32_t nstats;                        /* stats file: entries in use */
    uint32_t npads;
    uint64_t covered_ticks;                 /* when the first detail found no room; 0: none yet */
    uint64_t bins_ticks;                    /* when the first bin found none */
} c4i_spool_head;

enum c4i_rec_kind {
    C4I_REC_END,                            /* nothing was written here */
    C4I_REC_EXEC, C4I_REC_COUNTERS, C4I_REC_SENT, C4I_REC_ACTIVITY, C4I_REC_OBJECT,
    C4I_REC_INDEX, C4I_REC_COLLECTION, C4I_REC_BIN, C4I_REC_BLOB,
    C4I_REC_MORE, C4I_REC_HANDLED, C4I_REC_RESIZED, C4I_REC_PE_BIN,
    C4I_NRECS
};

enum {                                      /* c4i_rec_exec.flags, c4i_rec_bin.flags */
    C4I_EXEC_RESUMED = 1, C4I_EXEC_SUSPENDED = 2, C4I_EXEC_LOCAL = 4, C4I_EXEC_MAIN = 8,
    C4I_EXEC_WOKEN = 16, C4I_EXEC_TASK = 32,
    C4I_EXEC_MORE = 64                      /* a MORE record follows */
};

/* Executions of a PE do not overlap and stand in the order of their begins. */
typedef struct c4i_rec_exec {
    uint8_t  kind, flags;
    uint16_t type_no, entry, task;
    uint32_t coll, cause_pe;
    uint32_t cause, send;                   /* message number; ticks spent sending */
    uint64_t elem, begin, ticks, nbytes;
    uint32_t recv, wait;                    /* begin - taken, taken - arrived */
} c4i_rec_exec;

/* Follows its execution where 32 bits do not hold its times, or where the CPU
 * clock was read: then these count, not the execution's. */
typedef struct c4i_rec_more {
    uint8_t  kind, pad[7];
    uint64_t send, recv, wait;              /* ticks */
    int64_t  cpu_ns;                        /* below 0: not read */
    uint64_t lost, stopped;                 /* ticks */
    uint64_t pad2;
} c4i_rec_more;

/* Follows its execution (and MORE); values of counters in the order of COUNTER blobs. */
typedef struct c4i_rec_counters {
    uint8_t  kind, n, pad[6];
    int64_t  value[C4I_SPOOL_MAXCOUNTERS];
    uint64_t pad2;
} c4i_rec_counters;

/* Precedes the execution that sent it. */
typedef struct c4i_rec_sent {
    uint8_t  kind, msg_kind;
    uint16_t entry;
    uint32_t dst;
    uint32_t coll, trace;
    uint64_t elem, nbytes, when;
    uint32_t cause_pe, cause;               /* the message handled meanwhile */
    uint32_t by_execution;                  /* 1: the next execution to end sent it; no cause then */
    uint32_t pad;
    uint64_t pad2;
} c4i_rec_sent;

/* A message that makes no execution begin by itself. */
typedef struct c4i_rec_handled {
    uint8_t  kind, pad[3];
    uint32_t src;
    uint32_t trace, pad2;
    uint64_t arrived, taken;                /* ticks */
    uint64_t pad3[4];
} c4i_rec_handled;

/* A message of this PE that was a reference has become bytes. */
typedef struct c4i_rec_resized {
    uint8_t  kind, pad[3];
    uint32_t trace;
    uint64_t nbytes;
    uint64_t pad2[6];
} c4i_rec_resized;

typedef struct c4i_rec_activity {
    uint8_t  kind, what, pad[6];
    uint64_t begin, end;
    uint64_t pad2[5];
} c4i_rec_activity;

/* An index of more than three dimensions follows in an INDEX record. */
typedef struct c4i_rec_object {
    uint8_t  kind, what, why, ndims;
    uint32_t home;
    uint32_t coll, peer;
    uint64_t elem, nbytes, when;
    int64_t  at[3];
} c4i_rec_object;

typedef struct c4i_rec_index {
    uint8_t kind, pad[7];
    int64_t at[C4I_SPOOL_MAXDIMS];
    int64_t pad2;
} c4i_rec_index;

typedef struct c4i_rec_collection {
    uint8_t  kind, coll_kind, ndims, flags; /* 1: sparse, 2: at_sync */
    uint16_t type_no, pad;
    uint32_t coll, pad2;
    int64_t  dims[C4I_SPOOL_MAXDIMS];
} c4i_rec_collection;

/* Busy time of one entry method from index * width_ns to the next index.  The
 * width is a power of two; the same bin may come again. */
typedef struct c4i_rec_bin {
    uint8_t  kind, flags;                   /* C4I_EXEC_MAIN, C4I_EXEC_TASK */
    uint16_t type_no, entry, pad;
    uint64_t index, width_ns;
    uint64_t ticks, count;
    uint64_t pad2[3];
} c4i_rec_bin;

/* The PE's own time in such a bin. */
typedef struct c4i_pe_bin {
    uint64_t index, width_ns;
    double   cpu_ns, lost;                  /* lost: ticks */
    uint64_t switches;                      /* involuntary */
} c4i_pe_bin;

typedef struct c4i_rec_pe_bin {
    uint8_t    kind, pad[7];
    c4i_pe_bin bin;
    uint64_t   pad2[2];
} c4i_rec_pe_bin;

/* What does not fit 64 bytes comes in parts, one after the other. */
enum c4i_blob {
    /* u16 type_no, then pairs of strings, name and place: the type; create,
     * migrated and resume ("" for their names); the entries.  A place is
     * "file:line", ":line" in the type's file, or "" */
    C4I_BLOB_TYPE,
    C4I_BLOB_INFO,                          /* strings: key, value */
    C4I_BLOB_COUNTER,                       /* u16 column or 0xffff, strings: name, unit, source, why */
    C4I_BLOB_LOG,                           /* u64 when, i32 level, text */
    C4I_BLOB_LB,                            /* lb_record.h */
    C4I_BLOB_TASK,                          /* u16 number, u32 line, strings: name, file or "" */
    C4I_NBLOBS
};

typedef struct c4i_rec_blob {
    uint8_t  kind, what, n, last;           /* n bytes here; last: 1 ends the blob */
    uint32_t part;                          /* from 0 */
    unsigned char data[C4I_SPOOL_BLOBPART];
} c4i_rec_blob;

typedef union c4i_rec {
    uint8_t            kind;
    uint64_t           word[8];
    c4i_rec_exec       exec;
    c4i_rec_counters   counters;
    c4i_rec_sent       sent;
    c4i_rec_activity   activity;
    c4i_rec_object     object;
    c4i_rec_index      index;
    c4i_rec_collection collection;
    c4i_rec_bin        bin;
    c4i_rec_blob       blob;
    c4i_rec_more       more;
    c4i_rec_handled    handled;
    c4i_rec_resized    resized;
    c4i_rec_pe_bin     pe_bin;
} c4i_rec;

_Static_assert(sizeof(c4i_rec) == 64, "a record is one cache line");
_Static_assert(sizeof(c4i_spool_head) <= 512, "the head fits its page");

/* ---- The stats file ------------------------------------------------------- */

/* Number and sizes of messages. */
typedef struct c4i_tally {
    uint64_t n, bytes, min, max;            /* min is UINT64_MAX while n is 0 */
} c4i_tally;

/* At offset C4I_STATS_TOTALS of the head's page: totals of the PE. */
enum { C4I_STATS_TOTALS = 1024 };

typedef struct c4i_totals {
    c4i_tally sent, incoming;               /* messages between PEs */
    c4i_tally received;                     /* calls by messages of other PEs */
    uint64_t  activity[C4I_SPOOL_MAXACTIVITIES];     /* ticks */
    uint64_t  nactivity[C4I_SPOOL_MAXACTIVITIES];
    uint64_t  left, arrived, created;       /* elements */
    uint64_t  left_bytes;
    uint64_t  busy;                         /* ticks in entry methods */
    uint64_t  nlocal;                       /* messages that stayed on the PE */
    uint64_t  cpu_ns;                       /* of the PE's thread since the recording began */
    uint64_t  lost, stopped;                /* ticks of busy that were not the PE's own */
    uint64_t  switches;                     /* involuntary */
    uint64_t  bin_index, bin_width_ns;      /* the bin that c4i_stat.bin_ticks are of */
    c4i_pe_bin bin;                         /* the PE's own, not written yet */
} c4i_totals;

enum { C4I_STAT_ENTRY, C4I_STAT_MAIN, C4I_STAT_TASK };      /* c4i_stat.what */

/* Totals of one entry method, in ticks. */
typedef struct c4i_stat {
    uint16_t  type_no, entry;               /* C4I_STAT_TASK: entry is the task's number */
    uint8_t   what, pad[3];
    uint64_t  calls, stretches;             /* a suspended call has several stretches */
    uint64_t  sum, min, max;                /* of stretches; min is UINT64_MAX while there is none */
    double    sumsq;
    uint64_t  send, recv;
    uint64_t  bytes;                        /* of messages that caused calls */
    uint64_t  counter[C4I_SPOOL_MAXCOUNTERS];
    uint64_t  bin_ticks, bin_count;         /* of the time bin that is open */
    uint64_t  sent, sent_bytes;             /* messages that it sent */
    uint64_t  lost;                         /* ticks of sum that were not the PE's own */
    uint64_t  pad2[3];
} c4i_stat;

_Static_assert(sizeof(c4i_stat) == 192, "stats are whole cache lines");
_Static_assert(C4I_STATS_TOTALS + sizeof(c4i_totals) <= C4I_SPOOL_HEAD, "totals fit the page");

static inline uint64_t
c4i_fnv1a(const void *data, uint64_t n)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u;

    for (uint64_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

#endif
