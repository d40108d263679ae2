/*
 * trace.h - where a recording goes: names agreed before the PEs start.
 *
 * The launcher calls c4i_trace_begin() before it starts the PEs and
 * c4i_trace_end() (store.h) after the last has ended.  In between two
 * environment variables tell the PEs; a job of one PE without a launcher does
 * the same by itself.  PEs that find C4_TRACE_DIR empty record nothing and say
 * nothing: the launcher has said already why not.
 *
 * Invariant: who holds the flock() of the folder that is at FILE.spool.d owns
 * that folder and the names FILE and FILE.spool.d.  It is held from before the
 * PEs start until the database has its name and the folder is gone; only its
 * holder takes spools away, or the folder.  Making the folder gives no right:
 * another job may lock it first, and then has it.  Locks end with their
 * process, so a job that was killed holds nothing.
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

enum c4i_trace_name {                       /* what is to be said of a name */
    C4I_NAME_FREE,
    C4I_NAME_EXISTS,                        /* there is such a file */
    C4I_NAME_RUNNING,                       /* a job that is running records into it */
    C4I_NAME_KILLED,                        /* there are spools of a job that was killed */
    C4I_NAME_BLOCKED                        /* its folder can be neither made nor used */
};

typedef struct c4i_trace {
    char file[C4I_TRACE_PATH];              /* the database; absolute */
    char dir[C4I_TRACE_PATH];               /* of the spools; this job's alone */
    int  lock;                              /* dir, open and locked; -1: none */
    bool replace;                           /* a file of that name is to be replaced */
    enum c4i_trace_name asked;              /* why it is not the name that was asked for */
} c4i_trace;

/* Decides the names, and makes and locks the folder of the spools.  A file
 * that exists is left alone, unless overwrite is true; one that a running job
 * will write is always left alone: run.db becomes run-1.db ...  On failure
 * (C4_EIO, C4_EEXIST: no name is free) err gets one line, t->lock is -1. */
c4_err c4i_trace_prepare(const char *file, bool overwrite, c4i_trace *t,
                         char *err, size_t nerr);
/* The launcher's form: prepares, exports both variables, says if the name is
 * another one, and prints a warning on failure (then the job runs without a
 * trace). */
c4_err c4i_trace_begin(const char *file, bool overwrite, c4i_trace *t);
/* The folder, open and locked; -1 with errno: EWOULDBLOCK if another process
 * owns it. */
int c4i_trace_lock(const char *dir);
/* Has the folder an owner, or does a PE that lives hold a spool in it? */
bool c4i_trace_is_live(const char *dir);
/* Removes the spools and their folder. */
void c4i_trace_remove_spools(const char *dir);
/* "64K", "1.5G", bytes without a letter; C4_EINVAL. */
c4_err c4i_trace_size(const char *text, size_t *out);

#endif
