/*
 * recorder.h - the recorder of runtime/hooks.h: statistics always, a trace on
 * request.
 *
 * job/ calls c4i_prof_attach() on every PE before the loop; bindings call
 * c4_prof_start() (c4_prof.h) for statistics alone.
 */
#ifndef C4I_RECORDER_H
#define C4I_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/papi.h"
#include "prof/spool_format.h"
#include "prof/c4_prof.h"
#include "runtime/clock.h"
#include "runtime/hooks.h"

/* Reads +trace, +traceLevel, +traceLimit, +traceOverwrite, +traceNote, +papi and
 * attaches a recorder if +trace or +papi was given.  program: argv[0], or the
 * script of another language.  A trace that cannot be written is one warning,
 * not an error.  C4_EINVAL (with c4_error()) for a bad value. */
c4_err c4i_prof_attach(c4_pe *pe, const char *program, bool script);

/* ---- Below: what attach.c and the tests use ------------------------------- */

typedef struct c4i_prof c4i_prof;

typedef struct c4i_prof_config {
    uint32_t        pe, npes;
    enum c4i_level  level;                  /* C4I_LEVEL_NONE: statistics only */
    const char     *dir;                    /* of the spools; ignored without level */
    const char     *file;                   /* OPTIONAL: the database to be */
    size_t          limit;                  /* bytes of details on this PE */
    const char     *counters;               /* "NAME,NAME" or NULL */
    const c4i_clock *clock;                 /* must outlive the recorder */
    /* OPTIONAL: the spool of this PE is complete; a job of one PE writes its
     * database here. */
    void          (*finish)(void *arg, int status);
    void           *finish_arg;             /* freed with free() on release */
} c4i_prof_config;

/* The recorder's ctx.  Never fails for want of a spool: warns and keeps
 * statistics only.  NULL: out of memory. */
c4i_prof *c4i_prof_new(const c4i_prof_config *c);
/* The hook table for it. */
c4i_recorder c4i_prof_recorder(c4i_prof *p);
/* A fact about the run, for the tables run and pe. */
void c4i_prof_info(c4i_prof *p, const char *key, const char *value);
/* The database to be; NULL where nothing is recorded. */
const char *c4i_prof_file(const c4i_prof *p);
c4_err c4i_prof_snapshot(const c4i_prof *p, c4_stats **out);
const c4_type *c4i_prof_type_of(const c4i_prof *p, uint16_t type_no);
/* stats.c: adds a row to one of the same key; the order of rows, for qsort(). */
void c4i_stats_add_row(c4_stats_row *to, const c4_stats_row *r);
int c4i_stats_order(const void *a, const void *b);
/* Is this recorder one of ours? */
bool c4i_prof_owns(const c4i_recorder *r);

#endif
