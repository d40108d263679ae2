/*
 * pool_run.c - tasks are run.
 *
 * A coroutine, the drainer, runs what waits on this PE: the newest of its own jobs
 * first (so that recursion goes deep before wide), then what the scheduler gave.
 * When a task suspends, its stack goes with it: py_pool_suspended() has another
 * drainer made, so that the PE works on.
 *
 * A coroutine that waits for a job of this PE runs the job's tasks itself, on its own
 * stack, as a call (pool_run_here): it has to wait for them anyway, and what costs two
 * switches costs none.  Tasks of other jobs may not run there, as they could wait for
 * something that comes after.
 *
 * Between two tasks the PE looks for messages, some ten thousand times a second.
 * These looks hide from quiescence detection that the loop has nothing else to do.
 *
 * Cost: a nested task is one decoding and one call; no message, no switch.
 */
#include <string.h>

#include "pool.h"

/* Python's recursion limit and how far this stack is. */
#if PY_VERSION_HEX >= 0x030c0000
#define RECURSION_LIMIT(ts) ((ts)->py_recursion_limit)
#define RECURSION_USED(ts) ((ts)->py_recursion_limit - (ts)->py_recursion_remaining)
#elif PY_VERSION_HEX >= 0x030b0000
#define RECURSION_LIMIT(ts) ((ts)->recursion_limit)
#define RECURSION_USED(ts) ((ts)->recursion_limit - (ts)->recursion_remaining)
#else
#define RECURSION_LIMIT(ts) Py_GetRecursionLimit()
#define RECURSION_USED(ts) ((ts)->recursion_depth)
#endif

enum {
    POLL_US = 30,                           /* tasks run this long before messages are looked for */
    FLUSH_US = 500,                         /* results wait this long at most, tasks permitting */
    OUT_MAX = 1 << 16,                      /* ... or until they are this many bytes */
    KEEP_MIN = 1 << 16                      /* larger messages are kept, not copied */
};

/* A task that was taken out of its run. */
typedef struct task {
    uint64_t       key;
    uint32_t       home, index, n;
    uint8_t        flags;
    pool_def      *def;
    pool_seg      *seg;
    const uint32_t *ids;                    /* in seg, or NULL */
    c4_cause       cause;
    c4_context     outer;                   /* what runs around it, while `measured` */
    bool           measured;
} task;

/* ---- Outcomes ----------------------------------------------------------------------- */

/* The job is ending: no user code runs any more on this stack. */
static void
stop_here(py_pool *p)
{
    c4_data_release(p->st->pe);
    while (c4_step(p->st->pe, true))
        ;
    py_co_leave(p->st);
}

void
pool_put_result(py_pool *p, uint32_t home, const pool_result *r, const void *data)
{
    static const char zeros[16];
    c4_buf *out = &p->out[home];

    if (c4_buf_add(out, r, sizeof(*r)) || c4_buf_add(out, data, r->len) ||
        c4_buf_add(out, zeros, pool_pad(r->len) - r->len))
        c4_abort(p->st->pe, "out of memory for results of charm.pool");
    p->nout++;
}

/* Sends results to one PE, with a large one behind them from where it is. */
static void
send_results(py_pool *p, uint32_t home, unsigned flags, const struct iovec *more, int nmore)
{
    enum { FEW = 30 };
    c4_buf *out = &p->out[home];
    pool_head h = { .kind = POOL_REPORT, .flags = (uint8_t)flags, .started = p->nstarted };
    struct iovec few[FEW + 2], *iov = few;

    if (nmore > FEW && !(iov = PyMem_Malloc(((size_t)nmore + 2) * sizeof(*iov))))
        c4_abort(p->st->pe, "out of memory for results of charm.pool");
    if (home == 0 && p->ndone) {
        double s = (c4_now(p->st->pe) - p->flushed) / p->ndone;

        h.ns = s > 4 ? UINT32_MAX : (uint32_t)(s * 1e9);
        h.key = p->last_key;
        h.home = p->last_home;
    }
    iov[0] = (struct iovec){ &h, sizeof(h) };
    iov[1] = (struct iovec){ out->data, out->len };
    if (nmore)
        memcpy(iov + 2, more, (size_t)nmore * sizeof(*more));
    if (pool_send(p, home, iov, 2 + nmore))
        py_uncaught(p->st, NULL, NULL);
    if (iov != few)
        PyMem_Free(iov);
    out->len = 0;
}

/* All results leave; the scheduler learns how far this worker is. */
void
pool_flush(py_pool *p, unsigned flags)
{
    for (uint32_t pe = 1; p->nout && pe < p->npes; pe++)
        if (p->out[pe].len)
            send_results(p, pe, 0, NULL, 0);
    p->nout = 0;
    if (p->npes > 1 && (p->out[0].len || p->said_started != p->nstarted || flags)) {
        p->said_started = p->nstarted;
        if (flags)
            p->told_dry = (flags & POOL_DRY) != 0;
        if (p->me != 0)
            send_results(p, 0, flags, NULL, 0);
        else if (p->out[0].len)
            c4_abort(p->st->pe, "charm.pool: results of PE 0 for itself");
    }
    p->ndone = 0;
    p->flushed = c4_now(p->st->pe);
}

/* Encodes into e; what cannot be encoded is told instead. */
static enum pool_outcome
encode_values(py_pool *p, py_enc **e, PyObject *const *values, Py_ssize_t n)
{
    static const py_enc_what what = { "charm.pool", "task", true };
    PyObject *exc;

    if (py_enc_args(*e, values, n, &what) == 0)
        return POOL_VALUE;
    exc = py_take_exception(p->st);
    py_enc_end(*e);
    *e = py_enc_begin(p->st);
    if (!*e || !exc || py_enc_exception(*e, exc))
        c4_abort(p->st->pe, "charm.pool: an exception could not be sent");
    Py_DECREF(exc);
    return POOL_ERROR;
}

/* Values, or, if NULL, an exception to the job's PE. */
static void
send_outcome(py_pool *p, const task *t, PyObject *const *values, uint32_t n, PyObject *exc)
{
    py_enc *e = py_enc_begin(p->st);
    pool_result r = { .key = t->key, .index = t->index, .n = n, .count = 1 };
    const struct iovec *iov;
    int niov;

    if (!e)
        c4_abort(p->st->pe, "out of memory for results of charm.pool");
    if (values)
        r.outcome = encode_values(p, &e, values, n);
    else if (r.outcome = POOL_ERROR, py_enc_exception(e, exc))
        c4_abort(p->st->pe, "charm.pool: an exception could not be sent");
    r.len = py_enc_size(e);
    iov = py_enc_iov(e, &niov);
    if (!iov)
        c4_abort(p->st->pe, "out of memory for results of charm.pool");
    if (niov == 1) {
        pool_put_result(p, t->home, &r, iov[0].iov_base);
        if (p->out[t->home].len > OUT_MAX)
            pool_flush(p, 0);
    } else {
        if (c4_buf_add(&p->out[t->home], &r, sizeof(r)))
            c4_abort(p->st->pe, "out of memory for results of charm.pool");
        send_results(p, t->home, 0, iov, niov);
    }
    py_enc_end(e);
}

static void
values_are(py_pool *p, const task *t, PyObject **values, uint32_t n)
{
    pool_job *j = t->home == p->me ? pool_job_find(p, t->key) : NULL;

    if (j) {
        pool_job_values(p, j, t->index, values, n);
        return;
    }
    if (!(t->flags & POOL_NORESULT) && t->home != p->me)
        send_outcome(p, t, values, n, NULL);
    for (uint32_t i = 0; i < n; i++)
        Py_DECREF(values[i]);
}

static void
dropped(py_pool *p, uint32_t home, uint64_t key, uint32_t count)
{
    pool_result r = { .key = key, .outcome = POOL_DROPPED, .count = count };
    pool_job *j;

    if (!count || !key)
        return;
    if (home != p->me)
        pool_put_result(p, home, &r, NULL);
    else if ((j = pool_job_find(p, key)) != NULL)
        pool_job_dropped(p, j, count);
}

/* The pending exception is the outcome of the task. */
static void
task_failed(py_pool *p, const task *t)
{
    py_state *st = p->st;
    bool reports = !(t->flags & POOL_NORESULT) && py_reportable();
    uint32_t n = t->flags & POOL_STAR ? 1 : t->n;
    PyObject *exc;
    pool_job *j;

    if (!reports) {
        py_uncaught(st, NULL, NULL);
        stop_here(p);
    }
    exc = py_take_exception(st);
    if (t->home != p->me) {
        send_outcome(p, t, NULL, n, exc);
        dropped(p, t->home, t->key, pool_drop(p, t->home, t->key));
    } else if ((j = pool_job_find(p, t->key)) != NULL) {
        pool_job_error(p, j, t->index, n, exc);
    }
    Py_DECREF(exc);
}

/* ---- Executions ----------------------------------------------------------------------- */

/* The task is an execution of its own, if anybody measures; its time is not that of
 * the coroutine which waits for it on the same stack. */
static void
execution_begin(py_pool *p, task *t)
{
    c4_pe *pe = p->st->pe;
    unsigned kind;

    t->measured = c4_measured(pe);
    if (!t->measured)
        return;
    kind = pool_def_kind(p, t->def, t->ids ? t->ids[0] : 0);
    if (c4_context_enter_task(pe, (c4_chare){ p->me, p->coll }, kind, &t->cause, &t->outer))
        c4_context_enter_task(pe, (c4_chare){ 0, 0 }, kind, &t->cause, &t->outer);
}

static void
execution_end(py_pool *p, task *t)
{
    if (t->measured)
        c4_context_leave(p->st->pe, &t->outer);
}

/* ---- Running one task ------------------------------------------------------------------ */

/* The error of a plain function that wanted to suspend names the function. */
static void
explain_suspension(py_pool *p, const task *t, PyObject *func)
{
    PyObject *type, *value, *tb, *name = NULL;

    if (!PyErr_ExceptionMatches(p->st->not_threaded))
        return;
    PyErr_Fetch(&type, &value, &tb);
    Py_XDECREF(type);
    Py_XDECREF(value);
    if (!(t->flags & POOL_STAR) && t->n > 1) {
        PyErr_SetString(p->st->error, "Function not decorated with @coro tried to suspend");
    } else {
        name = PyObject_GetAttrString(func, "__qualname__");
        if (!name)
            PyErr_Clear();
        PyErr_Format(p->st->error, "Function %S must be decorated with @coro to be able to "
                     "suspend", name ? name : func);
    }
    Py_XDECREF(name);
    PyErr_Fetch(&type, &value, &name);
    PyErr_Restore(type, value, tb);         /* it tells where */
}

/* argv[-1] is free for the callee. */
static PyObject *
call(py_pool *p, const task *t, uint32_t i, PyObject **argv, Py_ssize_t n)
{
    uint32_t id = t->ids ? t->ids[i] : 0;
    py_worker *w = p->st->cur;
    PyObject *func, *r, *variables;

    if ((Py_ssize_t)id >= PyTuple_GET_SIZE(t->def->funcs)) {
        PyErr_SetString(p->st->error, "charm.pool: malformed task");
        return NULL;
    }
    func = PyTuple_GET_ITEM(t->def->funcs, id);
    w->busy = t->def->coro[id];             /* others may not suspend */
    variables = py_ctx_task_begins(p->st);
    r = PyObject_Vectorcall(func, argv, (size_t)n | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    py_ctx_task_ends(p->st, variables);
    w->busy = true;
    if (!r && !t->def->coro[id])
        explain_suspension(p, t, func);
    return r;
}

/* argv[0 ... t->n-1] are owned, and are replaced by the results -> how many. */
static int
call_all(py_pool *p, const task *t, PyObject **argv)
{
    uint32_t i = 0;
    PyObject *r;

    if (t->flags & POOL_STAR) {
        r = call(p, t, 0, argv, t->n);
        for (i = 0; i < t->n; i++)
            Py_DECREF(argv[i]);
        argv[0] = r;
        return r ? 1 : -1;
    }
    for (; i < t->n; i++) {
        PyObject *pair[2] = { NULL, argv[i] };

        r = call(p, t, i, pair + 1, 1);
        Py_DECREF(argv[i]);
        argv[i] = r;
        if (!r)
            break;
    }
    if (i == t->n)
        return (int)i;
    for (uint32_t k = 0; k < t->n; k++)
        Py_XDECREF(argv[k]);
    return -1;
}

static int
decode(py_pool *p, pool_seg *seg, const unsigned char *data, size_t len, PyObject **out,
       uint32_t n)
{
    Py_ssize_t count;
    py_dec d;
    int r = -1;

    py_dec_init(&d, p->st, data, len, false);
    if (seg->block) {                       /* arrays may stay in it */
        d.kept = true;
        d.block = c4_block_ref(seg->block);
    }
    count = py_dec_count(&d);
    if (count == (Py_ssize_t)n)
        r = py_dec_args(&d, out, count);
    else if (count >= 0)
        PyErr_SetString(p->st->error, "charm.pool: malformed task");
    py_dec_release(&d);
    return r;
}

/* Takes a record out of the run; the run may be gone then. */
static const pool_rec *
take(py_pool *p, pool_run *r, task *t)
{
    const pool_rec *rec = pool_run_next(r);

    t->key = r->key;
    t->home = r->home;
    t->flags = r->flags;
    t->def = r->def;
    t->def->refs++;
    t->seg = r->seg;
    t->seg->refs++;
    t->index = rec->index;
    t->n = rec->n;
    t->ids = r->flags & POOL_FUNCS ? (const uint32_t *)(const void *)(rec + 1) : NULL;
    t->cause = r->cause;
    p->nwaiting--;
    if (r->in == &p->given) {
        p->nstarted++;
        p->last_key = r->key;
        p->last_home = r->home;
    }
    if (!r->ntasks)
        pool_run_free(p, r);
    return rec;
}

static void
run_one(py_pool *p, pool_run *r)
{
    PyObject *slot[1 + PY_MAX_FAST_ARGS], **argv = slot + 1, **heap = NULL;
    task t;
    const pool_rec *rec = take(p, r, &t);
    const unsigned char *data = (const unsigned char *)(rec + 1);
    size_t nids = t.ids ? pool_pad(t.n * sizeof(*t.ids)) : 0;
    int n = -1;

    execution_begin(p, &t);
    if (t.n > PY_MAX_FAST_ARGS) {
        heap = PyMem_Malloc((t.n + 1) * sizeof(*heap));
        argv = heap + 1;
    }
    if (t.n > PY_MAX_FAST_ARGS && !heap)
        PyErr_NoMemory();
    else if (decode(p, t.seg, data + nids, rec->len - nids, argv, t.n) == 0) {
        if (!t.ids) {
            pool_seg_unref(t.seg);          /* the task may be long: what it came from goes */
            t.seg = NULL;
        }
        c4_user_begin(p->st->pe);
        n = call_all(p, &t, argv);
    }
    if (c4_stopping(p->st->pe))
        stop_here(p);
    if (n < 0)
        task_failed(p, &t);
    else
        values_are(p, &t, argv, (uint32_t)n);
    execution_end(p, &t);
    p->ndone++;
    pool_seg_unref(t.seg);
    pool_def_unref(t.def);
    PyMem_Free(heap);
}

/* Between two tasks: messages, and coroutines that may go on. */
static int
look_around(py_pool *p)
{
    double now = c4_now(p->st->pe);

    if ((now - p->polled) * 1e6 < POLL_US)
        return 0;
    if (p->npes > 1 && (now - p->flushed) * 1e6 > FLUSH_US && (p->nout || p->out[0].len))
        pool_flush(p, 0);
    if (py_co_yield(p->st))
        return -1;
    p->polled = c4_now(p->st->pe);
    return 0;
}

int
pool_run_here(py_pool *p, pool_job *j)
{
    PyThreadState *ts = PyThreadState_Get();
    _PyErr_StackItem hide, *outer = ts->exc_info;   /* as in py_co_block() */
    int r = 0;

    if (RECURSION_USED(ts) > RECURSION_LIMIT(ts) / 4)
        return 0;                           /* deep already: the tasks get stacks of their own */
    memset(&hide, 0, sizeof(hide));
    ts->exc_info = &hide;
    while (r == 0 && j->run) {
        run_one(p, j->run);
        r = look_around(p);
    }
    ts->exc_info = outer;
    pool_kick(p);
    return r;
}

/* ---- The drainer -------------------------------------------------------------------------- */

static pool_run *
next_run(const py_pool *p)
{
    return p->nested.first ? p->nested.first : p->given.first;
}

static void
nothing_waits(py_pool *p)
{
    if (p->npes == 1 || p->me == 0)
        return;
    if (!p->told_dry || p->nout || p->out[0].len || p->said_started != p->nstarted)
        pool_flush(p, POOL_DRY);
}

static int
run_all(py_pool *p, py_worker *me)
{
    pool_run *r;

    while ((r = next_run(p)) != NULL) {
        bool given = r->in == &p->given, last = r->ntasks == 1;

        run_one(p, r);
        if (p->drainer != me) {             /* it suspended */
            if (p->drainer || p->scheduled)
                return 0;
            p->drainer = me;
        }
        if (given && last && p->given.first && p->npes > 1)
            pool_flush(p, 0);
        if (look_around(p))
            return -1;
    }
    p->drainer = NULL;
    nothing_waits(p);
    return 0;
}

/* The coroutine; its time is that of the tasks, and overhead. */
static PyObject *
drain(PyObject *capsule, PyObject *unused)
{
    py_pool *p = PyCapsule_GetPointer(capsule, NULL);

    (void)unused;
    p->scheduled = false;
    p->drainer = p->st->cur;
    if (!p->ndone)
        p->flushed = c4_now(p->st->pe);     /* time was not spent on tasks */
    return run_all(p, p->st->cur) ? NULL : Py_NewRef(Py_None);
}

void
pool_kick(py_pool *p)
{
    if (p->drainer || p->scheduled)
        return;
    if (!next_run(p)) {
        nothing_waits(p);
    } else if (py_co_start(p->st, p->drain, p->st->empty_tuple, PY_CO_BARE) == 0) {
        p->scheduled = true;
        c4_yield_step(p->st->pe);
    }
}

void
py_pool_suspended(py_state *st)
{
    py_pool *p = st->pool;

    if (p->drainer == st->cur)
        p->drainer = NULL;
    if (p->drainer || p->scheduled || pool_schedules(p))
        return;
    pool_kick(p);
}

/* ---- Tasks come and go ---------------------------------------------------------------------- */

/* Sends the first n tasks of a run to the scheduler. */
static int
give_away(py_pool *p, pool_run *r, uint32_t n)
{
    static const char zeros[16];
    PyObject *blob = r->blob ? Py_NewRef(r->blob)
                   : r->def->stays ? NULL : pool_def_blob(p, r->def);
    size_t nblob, nbytes;
    pool_job *j;
    int err;

    if (!blob) {
        PyErr_Clear();
        r->def->stays = true;               /* the tasks can only run here */
        return -1;
    }
    if (!r->blob && r->def->by_value)
        r->flags |= POOL_BY_VALUE;
    nblob = (size_t)PyBytes_GET_SIZE(blob);
    nbytes = pool_run_measure(r, &n, SIZE_MAX);
    pool_head h = { .kind = POOL_SUBMIT, .flags = r->flags & (uint8_t)~POOL_KEEP, .home = r->home,
                    .key = r->key, .ntasks = n, .ndef = (uint32_t)nblob, .cause_pe = r->cause.pe,
                    .cause = r->cause.trace };
    struct iovec iov[] = {
        { &h, sizeof(h) }, { PyBytes_AS_STRING(blob), nblob },
        { (void *)(uintptr_t)zeros, pool_pad(nblob) - nblob }, { r->seg->data + r->pos, nbytes }
    };
    err = pool_send(p, 0, iov, 4);
    Py_DECREF(blob);
    if (err)
        return -1;
    if (r->home == p->me && (j = pool_job_find(p, r->key)) != NULL)
        j->spread = true;
    p->told_dry = false;
    r->pos += nbytes;
    r->ntasks -= n;
    p->nwaiting -= n;
    if (r->in == &p->given)
        p->nstarted += n;
    if (!r->ntasks)
        pool_run_free(p, r);
    return 0;
}

/* The oldest half of what waits here goes to those who have nothing to do: of jobs of
 * this PE first, as these are the larger part of a recursion. */
static void
share(py_pool *p, uint32_t goal)
{
    enum { PIECES = 8 };
    pool_run *r = p->nested.last, *before;
    bool given = false;

    for (int i = 0; goal && i < PIECES; i++) {
        uint32_t n;

        if (!r && !given) {
            r = p->given.last;
            given = true;
        }
        if (!r)
            return;
        before = r->prev;
        n = r->ntasks < goal ? r->ntasks : goal;
        if (!(r->flags & POOL_PINNED) && give_away(p, r, n) == 0) {
            goal -= n;
            p->hungry = false;
        }
        r = before;
    }
}

void
pool_nest(py_pool *p, pool_run *r, bool waits)
{
    p->nwaiting += r->ntasks;
    pool_list_push(&p->nested, r);
    if (p->hungry)
        share(p, waits || !p->drainer ? p->nwaiting / 2 : (p->nwaiting + 1) / 2);
    if (p->told_dry && p->nworkers > 1)
        pool_flush(p, POOL_BUSY);
    if (!waits)
        pool_kick(p);
}

void
pool_on_hungry(py_pool *p)
{
    p->hungry = true;
    share(p, p->nwaiting / 2);
}

static pool_kept *
find_kept(py_pool *p, uint32_t home, uint64_t key)
{
    pool_kept *k = p->kept;

    while (k && (k->key != key || k->home != home))
        k = k->next;
    return k;
}

static void
keep_functions(py_pool *p, const pool_head *h, const pool_run *r)
{
    pool_kept *k = PyMem_Calloc(1, sizeof(*k));

    if (!k)
        return;                             /* the tasks that follow will say that they miss it */
    k->key = h->key;
    k->home = h->home;
    k->def = r->def;
    k->def->refs++;
    k->blob = Py_NewRef(r->blob);
    k->next = p->kept;
    p->kept = k;
}

void
pool_on_forget(py_pool *p, const pool_head *h)
{
    for (pool_kept **at = &p->kept; *at; at = &(*at)->next) {
        pool_kept *k = *at;

        if (k->key != h->key || k->home != h->home)
            continue;
        *at = k->next;
        pool_def_unref(k->def);
        Py_DECREF(k->blob);
        PyMem_Free(k);
        return;
    }
}

/* The functions of tasks that came; those sent by value are kept for a while. */
static pool_def *
load_def(py_pool *p, PyObject *blob, bool by_value)
{
    enum { MANY = 64, SMALL = 4096 };
    PyObject *funcs = by_value ? PyDict_GetItemWithError(p->by_value, blob) : NULL;
    pool_def *d;

    if (funcs) {
        Py_INCREF(funcs);
    } else {
        funcs = PyErr_Occurred() ? NULL : PyObject_CallOneArg(p->load, blob);
        if (!funcs)
            return NULL;
        if (PyDict_GET_SIZE(p->by_value) >= MANY)
            PyDict_Clear(p->by_value);
        if (by_value && PyBytes_GET_SIZE(blob) < SMALL &&
            PyDict_SetItem(p->by_value, blob, funcs))
            PyErr_Clear();
    }
    d = pool_def_new(p, funcs);
    Py_DECREF(funcs);
    return d;
}

static int
functions_of(py_pool *p, pool_run *r, const pool_head *h, const unsigned char *data)
{
    pool_kept *k;

    if ((h->flags & POOL_KEEP) && (k = find_kept(p, h->home, h->key)) != NULL) {
        r->def = k->def;
        r->def->refs++;
        r->blob = Py_NewRef(k->blob);
        return 0;
    }
    r->blob = PyBytes_FromStringAndSize((const char *)data, h->ndef);
    r->def = r->blob ? load_def(p, r->blob, (h->flags & POOL_BY_VALUE) != 0) : NULL;
    if (!r->def)
        return -1;
    if (h->flags & POOL_KEEP)
        keep_functions(p, h, r);
    return 0;
}

/* Their functions cannot be had: the first task fails, the others are dropped. */
static void
all_failed(py_pool *p, const pool_head *h, const pool_rec *first)
{
    task t = { .key = h->key, .home = h->home, .index = first->index, .n = first->n,
               .flags = h->flags };

    p->nstarted += h->ntasks;
    task_failed(p, &t);
    dropped(p, h->home, h->key, h->ntasks - 1);
    pool_kick(p);
}

c4_cause
pool_cause(py_pool *p, const pool_head *h)
{
    return (c4_cause){ .pe = h->cause_pe, .trace = h->cause,
                       .arrived = c4_cause_now(p->st->pe).arrived };
}

void
pool_on_tasks(py_pool *p, const pool_head *h, const unsigned char *data, size_t len)
{
    size_t ndef = pool_pad(h->ndef), nbytes = len - ndef;
    pool_run *r;

    if (ndef > len || !h->ntasks || !pool_records_whole(data + ndef, nbytes, h->ntasks)) {
        PyErr_SetString(p->st->error, "charm.pool: malformed tasks");
        return;
    }
    r = pool_run_new(p);
    p->ngiven += h->ntasks;
    p->told_dry = false;
    if (!r)
        return;
    r->flags = h->flags;
    r->home = h->home;
    r->key = h->key;
    r->ntasks = h->ntasks;
    r->cause = pool_cause(p, h);
    if (functions_of(p, r, h, data)) {
        pool_run_free(p, r);
        all_failed(p, h, (const pool_rec *)(const void *)(data + ndef));
        return;
    }
    r->seg = pool_seg_new(nbytes < KEEP_MIN ? nbytes : 0);
    if (r->seg && nbytes >= KEEP_MIN) {
        r->seg->block = c4_data_keep(p->st->pe);
        r->seg->data = r->seg->block ? (unsigned char *)(uintptr_t)(data + ndef)
                                     : PyMem_RawMalloc(nbytes);
    }
    if (!r->seg || !r->seg->data) {
        PyErr_NoMemory();
        pool_run_free(p, r);
        return;
    }
    if (!r->seg->block)
        memcpy(r->seg->data, data + ndef, nbytes);
    r->end = r->seg->len = nbytes;
    p->nwaiting += r->ntasks;
    pool_list_append(&p->given, r);
    pool_kick(p);
}

static uint32_t
drop_in(py_pool *p, pool_list *l, uint32_t home, uint64_t key)
{
    pool_run *r;
    uint32_t n = 0;

    while ((r = pool_list_find(l, home, key)) != NULL) {
        n += r->ntasks;
        if (l == &p->given)
            p->nstarted += r->ntasks;
        pool_run_free(p, r);
    }
    p->nwaiting -= n;
    return n;
}

uint32_t
pool_drop(py_pool *p, uint32_t home, uint64_t key)
{
    return key ? drop_in(p, &p->nested, home, key) + drop_in(p, &p->given, home, key) : 0;
}

void
pool_on_cancel(py_pool *p, const pool_head *h)
{
    uint32_t n = pool_drop(p, h->home, h->key);

    if (n) {
        dropped(p, h->home, h->key, n);
        pool_flush(p, 0);
        pool_kick(p);
    }
}

static PyMethodDef drain_def = { "charm.pool", drain, METH_NOARGS, NULL };

int
pool_run_init(py_pool *p)
{
    PyObject *capsule = PyCapsule_New(p, NULL, NULL);

    p->drain = capsule ? PyCFunction_New(&drain_def, capsule) : NULL;
    Py_XDECREF(capsule);
    p->out = PyMem_Calloc(p->npes, sizeof(*p->out));
    p->hungry = p->nworkers > 1 && p->me != 0;
    p->told_dry = p->me != 0;               /* what the scheduler believes at the start */
    if (!p->out)
        PyErr_NoMemory();
    return p->drain && p->out ? 0 : -1;
}
