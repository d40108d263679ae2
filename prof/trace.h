/*
 * trace.h - where a recording goes: names agreed before the PEs start.
 *
 * The launcher calls c4i_trace_begin() before it starts the PEs and
 * c4i_trace_end() (store.h) after the last has ended.  In between two
 * environment variables tell the PEs; a job of one PE without a launcher does
 * the same by itself.  PEs that find C4_TRACE_DIR empty record nothing and say
 * nothing: the launcher has said already why not.
 */
#ifndef C4I_TRACE_H
#define C4I_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include <c4_err.h>

#define C4I_TRACE_DIR_ENV  "C4_TRACE_DIR"
#define C4I_TRACE_FILE_ENV "C4_TRACE_FILE"
#define C4I_SPOOL_SUFFIX   ".spool.d"

enum { C4I_TRACE_PATH = 2048 };

typedef struct c4i_trace {
    char file[C4I_TRACE_PATH];              /* the database; absolute */
    char dir[C4I_TRACE_PATH];               /* of the spools; made, and this job's alone */
} c4i_trace;

/* Decides the names.  A file that exists, or that another job is writing, is
 * left alone: run.db becomes run-1.db ... unless overwrite is true.  Makes the
 * folder of the spools.  On failure (C4_EIO, C4_EEXIST where overwrite meets a
 * running job) err gets one line. */
c4_err c4i_trace_prepare(const char *file, bool overwrite, c4i_trace *t,
                         char *err, size_t nerr);
/* The launcher's form: prepares, exports both variables, prints a warning on
 * failure (then the job runs without a trace). */
c4_err c4i_trace_begin(const char *file, bool overwrite, c4i_trace *t);
/* Does a PE that lives hold a spool of this folder? */
bool c4i_trace_is_live(const char *dir);
/* Removes the spools and their folder. */
void c4i_trace_remove_spools(const char *dir);
/* "64K", "1.5G", bytes without a letter; C4_EINVAL. */
c4_err c4i_trace_size(const char *text, size_t *out);

#endif
