/*
 * job.h - the PEs of a job: starting them, watching them, ending them.
 *
 * A job is over when all PEs are gone and what they printed has been
 * forwarded.  It succeeds when PE 0 said with which status it ends; any PE that
 * goes before that takes all others with it.
 *
 * No PE outlives the launcher: the parent-death signal kills those that it
 * started, and the lifeline (a pipe whose write end only the launcher has)
 * those behind a wrapper script.
 */
#ifndef C4I_JOB_H
#define C4I_JOB_H

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "launch/command.h"
#include "launch/output.h"
#include "runtime/launch.h"

typedef struct c4i_proc {
    pid_t        pid;                       /* 0: not started, or gone */
    bool         own_group;
    c4i_stream   out, err;
    c4i_stream   early;                     /* what it printed before it joined; not of PE 0 */
    c4i_control *control;
} c4i_proc;

enum c4i_phase {
    C4I_RUNNING,
    C4I_ENDING,                             /* PE 0 ended the job, PEs are leaving */
    C4I_TERMINATING,                        /* they were asked to end */
    C4I_KILLING                             /* they were killed */
};

typedef struct c4i_job {
    const c4i_command *command;
    uint32_t   npes, nalive, ncores;
    c4i_proc  *procs;
    c4i_sink   out, err;                    /* this process's own output */
    int        fd[C4I_MAXPES];              /* segments */
    int        lifeline[2];
    int        signals;                     /* signalfd */
    int        null;                        /* /dev/null */
    sigset_t   old_mask;
    rlim_t     old_files;
    enum c4i_phase phase;
    int        status;
    int        early_pe, early_status;      /* left before it joined; PE 0 may be about to tell why */
    uint64_t   zero_ns, limit_ns, join_ns, phase_ns, early_ns;  /* instants; UINT64_MAX: never */
} c4i_job;

/* Starts all PEs.  On failure a message was printed and no PE is left. */
int c4i_job_start(c4i_job *j, const c4i_command *c);
/* Waits for the end; returns the exit status. */
int c4i_job_watch(c4i_job *j);
/* The job came to its end in order. */
bool c4i_job_ended(const c4i_job *j);
void c4i_job_release(c4i_job *j);

/* start.c, for job.c */
int c4i_proc_start(c4i_job *j, uint32_t pe);

#endif
