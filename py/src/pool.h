/*
 * pool.h - what the files of charm.pool share.
 *
 * A job is a call of map(), submit() or Task(); it lives on the PE that made it,
 * its home, and falls into tasks.  A task is a record: its number, how many items
 * it has, and their encoding; nobody but the PE that runs it decodes it.  A run is
 * a number of records of one job that wait on one PE.
 *
 *   PE 0, if it is not alone   the scheduler: runs in `central`, oldest first
 *   a worker                   runs given to it in `given` (oldest first), and runs
 *                              of its own jobs in `nested` (newest first)
 *
 * Every record is accounted for at the home exactly once: as a result, an error or
 * dropped.  pool.c has jobs and the calls, pool_run.c runs tasks, pool_sched.c
 * distributes them.
 */
#ifndef C4PY_POOL_H
#define C4PY_POOL_H

#include "c4py.h"

enum pool_kind {                            /* messages, and who sends them to whom */
    POOL_TASKS,                             /* scheduler -> worker */
    POOL_SUBMIT,                            /* worker -> scheduler: tasks to hand on */
    POOL_REPORT,                            /* worker -> home: results; -> scheduler: how far it is */
    POOL_HUNGRY,                            /* scheduler -> worker: others have nothing to do */
    POOL_CANCEL,                            /* home -> scheduler -> workers: the job has failed */
    POOL_FORGET,                            /* scheduler -> worker: the job's functions */
    POOL_HELLO                              /* worker -> scheduler: first use */
};

enum {                                      /* flags of runs */
    POOL_STAR = 1,                          /* the items are the arguments of one call */
    POOL_FUNCS = 2,                         /* each item has its own function */
    POOL_NORESULT = 4,                      /* nobody waits; errors end the program */
    POOL_PINNED = 8,                        /* on at most ncores workers */
    POOL_BY_VALUE = 16,                     /* the functions' code travels */
    POOL_KEEP = 32                          /* the worker keeps the functions */
};

enum {                                      /* flags of reports */
    POOL_DRY = 1,                           /* nothing waits, nothing runs */
    POOL_BUSY = 2                           /* has found work of its own */
};

/* Head of every message; its size keeps what follows aligned to 16. */
typedef struct pool_head {
    uint8_t  kind, flags;
    uint16_t pad;
    uint32_t home;                          /* of the job */
    uint64_t key;                           /* of the job at its home; 0: none */
    uint32_t ntasks, ncores;
    uint32_t ndef;                          /* bytes of the functions that follow */
    uint32_t ns;                            /* report: mean time of a task */
    uint64_t started;                       /* report: given tasks that do not wait any more */
    uint32_t cause_pe, cause;               /* tasks: the event of their submission; 0: not recorded */
} pool_head;

/* A task, followed by its data, padded to 16 bytes. */
typedef struct pool_rec {
    uint32_t index;                         /* of its first item */
    uint32_t n;                             /* items */
    uint64_t len;
} pool_rec;

enum pool_outcome { POOL_VALUE, POOL_ERROR, POOL_DROPPED };

/* What became of a task, followed by the values or the exception, padded. */
typedef struct pool_result {
    uint64_t key;
    uint32_t index, n;
    uint32_t outcome;
    uint32_t count;                         /* tasks: more than 1 if dropped */
    uint64_t len;
} pool_result;

static inline size_t
pool_pad(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

/* Records in memory, shared by the runs that are parts of one. */
typedef struct pool_seg {
    size_t         refs, len, cap;
    unsigned char *data;
    c4_block      *block;                   /* data lies in a message that was kept, or NULL */
} pool_seg;

/* Functions of a job, as they are on this PE. */
typedef struct pool_def {
    size_t    refs;
    PyObject *funcs;                        /* tuple */
    PyObject *blob;                         /* their pickle, bytes, or NULL: not made */
    bool      by_value;                     /* the blob tells their code, not their names */
    bool      stays;                        /* they cannot be sent */
    uint16_t *kind;                         /* c4_task_kind() of each, or NULL: nobody measures */
    bool      coro[];                       /* may this one suspend? */
} pool_def;

typedef struct pool_job pool_job;

typedef struct pool_run {
    struct pool_run *next, *prev;
    struct pool_list *in;                   /* the list that it is in */
    uint64_t  key;
    uint32_t  home;
    uint8_t   flags;
    uint32_t  ntasks, ncores;
    uint32_t  batch;                        /* scheduler: tasks to give at once */
    c4_cause  cause;                        /* of its tasks: their submission */
    uint32_t *member;                       /* scheduler, pinned: tasks out, by worker */
    pool_def *def;                          /* NULL where the tasks only pass through */
    PyObject *blob;                         /* functions for other PEs, or NULL */
    pool_seg *seg;
    size_t    pos, end;                     /* its records in seg */
} pool_run;

typedef struct pool_list {
    pool_run *first, *last;
} pool_list;

struct pool_job {
    uint64_t  key;
    uint32_t  left;                         /* tasks not accounted for */
    uint32_t  nfree;                        /* number + 1 of the next free slot */
    bool      used, failed;
    bool      waited;                       /* a coroutine takes the result from here */
    bool      single;                       /* the value is the result, not a list */
    bool      spread;                       /* tasks have left this PE */
    Py_ssize_t done, total;                 /* items */
    py_worker *waiter;                      /* whom to wake, or NULL */
    PyObject *results;                      /* list, or the value; NULL: futures get them */
    PyObject *futures;                      /* list: one for each item, or NULL */
    py_future *future;                      /* for all, or NULL */
    PyObject *error;
    PyObject *progress;                     /* called with (done, total), or NULL */
    double    shown;                        /* ... last */
    pool_run *run;                          /* what of it waits on this PE, or NULL */
    bool      relay;                        /* scheduler, for a pinned job of a worker: */
    uint32_t  relay_home;
    uint64_t  relay_key;
    bool     *told;                         /* scheduler: workers that keep the functions */
};

typedef struct pool_peer {                  /* what the scheduler knows of a worker */
    uint64_t given, started;                /* tasks */
    bool     busy;                          /* with its own */
    bool     hinted;                        /* will give away tasks when it can */
} pool_peer;

/* Functions that a worker keeps for a job. */
typedef struct pool_kept {
    uint64_t  key;
    uint32_t  home;
    pool_def *def;
    PyObject *blob;
    struct pool_kept *next;
} pool_kept;

enum { POOL_CACHE = 64 };

typedef struct pool_func {                  /* a function used lately */
    PyObject *func;
    pool_def *def;
} pool_func;

typedef struct py_pool {
    py_state *st;
    uint32_t  me, npes, nworkers;
    c4_coll   coll;                         /* the group that gets the messages */
    uint16_t  entry;
    PyObject *dump, *load;                  /* functions of pool.py */
    PyObject *drain;                        /* the coroutine that runs tasks */
    PyObject *kinds;                        /* dict: name -> c4_task_kind(), or NULL */
    PyObject *by_value;                     /* dict: blob -> functions, some used lately */
    pool_func cache[POOL_CACHE];
    pool_run *free_runs;

    pool_job **jobs;
    uint32_t  njobs, free_job;              /* number + 1 */

    pool_list nested, given;                /* worker */
    uint32_t  nwaiting;                     /* tasks in both */
    uint64_t  ngiven, nstarted;             /* given tasks, ever */
    py_worker *drainer;                     /* coroutine that runs tasks and is not blocked */
    bool      scheduled;                    /* one will */
    bool      hungry;                       /* others would take tasks */
    bool      told_dry;                     /* the scheduler takes this worker for idle */
    uint64_t  said_started;
    c4_buf   *out;                          /* results for each PE */
    uint32_t  nout;                         /* results in all of them */
    double    polled, flushed;
    uint32_t  ndone;                        /* tasks since flushed */
    uint64_t  last_key;                     /* job of the last given task */
    uint32_t  last_home;
    pool_kept *kept;

    pool_list central;                      /* scheduler */
    pool_peer *peer;
    uint32_t  turn;
} py_pool;

/* ---- pool.c ---------------------------------------------------------------------- */

/* The pool of this PE, which is made if need be; NULL with an exception. */
py_pool *pool_get(py_state *st);
static inline bool
pool_schedules(const py_pool *p)
{
    return p->me == 0 && p->npes > 1;
}
int pool_send(py_pool *p, uint32_t pe, const struct iovec *iov, int niov);

pool_seg *pool_seg_new(size_t cap);
void pool_seg_unref(pool_seg *s);
pool_def *pool_def_new(py_pool *p, PyObject *funcs);
void pool_def_unref(pool_def *d);
/* What the recorder calls tasks of function i: a number, 0: it has none. */
unsigned pool_def_kind(py_pool *p, pool_def *d, uint32_t i);
/* The pickle of the functions; new reference. */
PyObject *pool_def_blob(py_pool *p, pool_def *d);

pool_run *pool_run_new(py_pool *p);
void pool_run_free(py_pool *p, pool_run *r);     /* takes it out of its list */
void pool_list_append(pool_list *l, pool_run *r);
void pool_list_push(pool_list *l, pool_run *r);
pool_run *pool_list_find(pool_list *l, uint32_t home, uint64_t key);
/* The record at the run's begin, which is then one task shorter. */
const pool_rec *pool_run_next(pool_run *r);
/* Are these n records, and nothing else? */
bool pool_records_whole(const unsigned char *data, size_t len, uint32_t n);
/* Bytes of the next n tasks, or of fewer if these are more than max (one at least). */
size_t pool_run_measure(const pool_run *r, uint32_t *n, size_t max);

pool_job *pool_job_new(py_pool *p);
pool_job *pool_job_find(py_pool *p, uint64_t key);
/* Outcomes of tasks; values are stolen.  The job may be gone afterwards. */
void pool_job_values(py_pool *p, pool_job *j, uint32_t index, PyObject **values, uint32_t n);
void pool_job_error(py_pool *p, pool_job *j, uint32_t index, uint32_t n, PyObject *exc);
void pool_job_dropped(py_pool *p, pool_job *j, uint32_t count);

/* ---- pool_run.c ------------------------------------------------------------------- */

int pool_run_init(py_pool *p);
/* A job of this PE: its tasks run here and where others have nothing to do. */
void pool_nest(py_pool *p, pool_run *r, bool waits);
/* Runs tasks of job j here, as its caller has to wait for them anyway. */
int pool_run_here(py_pool *p, pool_job *j);
/* The cause of tasks that came with this head. */
c4_cause pool_cause(py_pool *p, const pool_head *h);
/* Sees to it that waiting tasks are run. */
void pool_kick(py_pool *p);
/* Drops what waits here of a job -> number of tasks. */
uint32_t pool_drop(py_pool *p, uint32_t home, uint64_t key);
void pool_put_result(py_pool *p, uint32_t home, const pool_result *r, const void *data);
void pool_flush(py_pool *p, unsigned flags);
void pool_on_tasks(py_pool *p, const pool_head *h, const unsigned char *data, size_t len);
void pool_on_hungry(py_pool *p);
void pool_on_cancel(py_pool *p, const pool_head *h);
void pool_on_forget(py_pool *p, const pool_head *h);

/* ---- pool_sched.c ------------------------------------------------------------------ */

int pool_sched_init(py_pool *p);
void pool_feed(py_pool *p);
void pool_cancel_everywhere(py_pool *p, uint32_t home, uint64_t key);
void pool_forget_everywhere(py_pool *p, const pool_job *j);
void pool_on_submit(py_pool *p, uint32_t src, const pool_head *h, const unsigned char *data,
                    size_t len);
void pool_on_report(py_pool *p, uint32_t src, const pool_head *h, const unsigned char *data,
                    size_t len);
void pool_on_cancel_request(py_pool *p, const pool_head *h);

#endif
