/*
 * spool_read.h - reads what spool.c wrote, or what is left of it.
 *
 * Nothing in a spool is trusted: a killed job, a full disk or a wrong file must
 * give an error or a shorter recording, never a crash.  Fuzzed.
 */
#ifndef C4I_SPOOL_READ_H
#define C4I_SPOOL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <c4_err.h>
#include "lb/lb_record.h"
#include "prof/spool_format.h"
#include "runtime/hooks.h"

typedef struct c4i_spool_in {
    const unsigned char *bytes;
    size_t         len;
    bool           mapped;
    c4i_spool_head head;
    uint64_t       nrecs;                   /* records up to the first that is not whole */
    double         ns_per_tick;             /* from the longest pair of clock readings */
} c4i_spool_in;

/* Checks the head and finds the end.  bytes stay the caller's.  err gets one
 * line on failure. */
c4_err c4i_spool_parse(c4i_spool_in *in, const void *bytes, size_t len, const char *magic,
                       char *err, size_t nerr);
/* Maps a file.  C4_ESTATE: its PE is still running (not looked at if over). */
c4_err c4i_spool_open(c4i_spool_in *in, const char *path, const char *magic, bool over,
                      char *err, size_t nerr);
void c4i_spool_release(c4i_spool_in *in);

/* Takes over ticks-to-ns of another PE of the same host, so that the order of
 * events between the two is exact. */
void c4i_spool_share_clock(c4i_spool_in *in, const c4i_spool_in *from);
/* Since the job began; 0 for moments before it or out of reason. */
uint64_t c4i_spool_ns(const c4i_spool_in *in, uint64_t ticks);
/* A length of time. */
uint64_t c4i_spool_span(const c4i_spool_in *in, uint64_t ticks);

/* Brings a record's fields within their bounds (times excepted). */
void c4i_spool_bound(c4i_rec *r);
/* Record i < nrecs, with its fields within their bounds (times excepted). */
void c4i_spool_get(const c4i_spool_in *in, uint64_t i, c4i_rec *r);
/* Record *i begins a blob: collects it into out (cleared first) and moves *i
 * to its last part.  False: it is not whole. */
bool c4i_spool_get_blob(const c4i_spool_in *in, uint64_t *i, enum c4i_blob *what, c4_buf *out);

/* The stats file. */
c4i_totals c4i_spool_totals(const c4i_spool_in *in);
uint32_t c4i_spool_nstats(const c4i_spool_in *in);
c4i_stat c4i_spool_stat(const c4i_spool_in *in, uint32_t i);

/* The string at *off of a blob, which moves behind it; NULL at the end. */
const char *c4i_blob_string(const c4_buf *b, size_t *off);

/* An LB record in parts; the arrays are copies for free(). */
typedef struct c4i_lb_parts {
    c4i_lb_step    step;                    /* its strings are terminated */
    c4i_lb_pe     *pes;
    c4i_lb_placed *placed;
    c4i_lb_object *objs;
} c4i_lb_parts;

c4_err c4i_lb_parts_get(c4i_lb_parts *p, const void *data, size_t len);
void c4i_lb_parts_release(c4i_lb_parts *p);

#endif
