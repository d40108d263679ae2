/*
 * store.h - turns the spools of a job into one SQLite database.
 *
 * Runs when the job is over: in the launcher, in a job of one PE, and in
 * `c4prof recover`.  schema.sql is the one description of the tables.
 */
#ifndef C4I_STORE_H
#define C4I_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <c4_err.h>
#include "prof/trace.h"

#define C4I_DB_APPLICATION_ID 0x63344442    /* "c4DB" */
#define C4I_DB_SCHEMA 2

typedef struct c4i_run_info {
    int         argc;                       /* OPTIONAL: else what PE 0 recorded */
    char      **argv;
    int         exit_status;
    bool        killed;                     /* the job did not come to its end: no exit status */
    bool        over;                       /* all PEs have ended: a lock on a spool is a child's */
    bool        replace;                    /* a database of that name is replaced */
    uint32_t    npes;                       /* OPTIONAL: else what the spools say */
} c4i_run_info;

typedef struct c4i_store_result {           /* what was written */
    uint32_t npes, missing;                 /* PEs without a spool that can be read */
    uint64_t executions, messages, dropped;
    uint64_t file_bytes;
} c4i_store_result;

/* Merges the spools in spool_dir into db_file (by way of db_file.tmp, and a
 * rename) and removes the spools; the caller owns the folder (trace.h).  On
 * failure they stay, and err gets one line.  Spools that cannot be read, or are
 * of another job, are left out, warned of in the table log.  C4_ESTATE: a PE is
 * still running; C4_EEXIST: there is a file of that name, and not to be
 * replaced. */
c4_err c4i_store_write(const char *spool_dir, const char *db_file, const c4i_run_info *run,
                       bool keep_spools, c4i_store_result *result, char *err, size_t nerr);
/* The launcher's form: writes and prints one line, unless quiet, about what
 * was recorded, or a warning about why not.  Gives the folder up. */
c4_err c4i_trace_end(c4i_trace *t, const c4i_run_info *run, bool quiet);

#endif
