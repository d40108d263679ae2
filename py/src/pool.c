/*
 * pool.c - charm.pool: jobs, and the calls that make them.
 *
 * Arguments are encoded when the job is made, also for tasks that stay on this PE:
 * changing them afterwards is safe, and a program does the same on any number of
 * PEs.  Functions are encoded when they leave the PE.
 *
 * Cost: a task of map() is a record of 16 bytes and its argument, padded to 16; no
 * allocation for each task but what its values need.
 */
#include <string.h>

#include "pool.h"

/* ---- Records ------------------------------------------------------------------------ */

pool_seg *
pool_seg_new(size_t cap)
{
    pool_seg *s = PyMem_Calloc(1, sizeof(*s));

    if (s && cap) {
        s->data = PyMem_RawMalloc(cap);
        s->cap = cap;
    }
    if (!s || (cap && !s->data)) {
        PyMem_Free(s);
        PyErr_NoMemory();
        return NULL;
    }
    s->refs = 1;
    return s;
}

void
pool_seg_unref(pool_seg *s)
{
    if (!s || --s->refs)
        return;
    if (s->block)
        c4_block_free(s->block);
    else
        PyMem_RawFree(s->data);
    PyMem_Free(s);
}

/* Room for nbytes more; nobody may be reading the segment. */
static unsigned char *
seg_room(pool_seg *s, size_t nbytes)
{
    if (s->cap - s->len < nbytes) {
        size_t cap = s->cap * 2 > s->len + nbytes ? s->cap * 2 : s->len + nbytes;
        unsigned char *data = PyMem_RawRealloc(s->data, cap);

        if (!data) {
            PyErr_NoMemory();
            return NULL;
        }
        s->data = data;
        s->cap = cap;
    }
    return s->data + s->len;
}

pool_run *
pool_run_new(py_pool *p)
{
    pool_run *r = p->free_runs;

    if (r)
        p->free_runs = r->next;
    else
        r = PyMem_Malloc(sizeof(*r));
    if (!r) {
        PyErr_NoMemory();
        return NULL;
    }
    memset(r, 0, sizeof(*r));
    r->batch = 1;
    return r;
}

void
pool_run_free(py_pool *p, pool_run *r)
{
    pool_job *j = r->home == p->me && r->key ? pool_job_find(p, r->key) : NULL;

    if (j && j->run == r)
        j->run = NULL;
    if (r->in) {
        *(r->prev ? &r->prev->next : &r->in->first) = r->next;
        *(r->next ? &r->next->prev : &r->in->last) = r->prev;
    }
    pool_seg_unref(r->seg);
    pool_def_unref(r->def);
    Py_XDECREF(r->blob);
    PyMem_Free(r->member);
    r->next = p->free_runs;
    p->free_runs = r;
}

void
pool_list_append(pool_list *l, pool_run *r)
{
    r->in = l;
    r->next = NULL;
    r->prev = l->last;
    *(l->last ? &l->last->next : &l->first) = r;
    l->last = r;
}

void
pool_list_push(pool_list *l, pool_run *r)
{
    r->in = l;
    r->prev = NULL;
    r->next = l->first;
    *(l->first ? &l->first->prev : &l->last) = r;
    l->first = r;
}

pool_run *
pool_list_find(pool_list *l, uint32_t home, uint64_t key)
{
    pool_run *r = l->first;

    while (r && (r->key != key || r->home != home))
        r = r->next;
    return r;
}

const pool_rec *
pool_run_next(pool_run *r)
{
    const pool_rec *rec = (const pool_rec *)(const void *)(r->seg->data + r->pos);

    r->pos += sizeof(*rec) + pool_pad(rec->len);
    r->ntasks--;
    return rec;
}

bool
pool_records_whole(const unsigned char *data, size_t len, uint32_t n)
{
    while (n && len >= sizeof(pool_rec)) {
        uint64_t size = ((const pool_rec *)(const void *)data)->len;

        len -= sizeof(pool_rec);
        if (size > len || pool_pad(size) > len)
            return false;
        data += sizeof(pool_rec) + pool_pad(size);
        len -= pool_pad(size);
        n--;
    }
    return n == 0 && len == 0;
}

size_t
pool_run_measure(const pool_run *r, uint32_t *n, size_t max)
{
    size_t nbytes = 0;
    uint32_t i = 0;

    while (i < *n && i < r->ntasks) {
        const unsigned char *at = r->seg->data + r->pos + nbytes;
        size_t more = sizeof(pool_rec) + pool_pad(((const pool_rec *)(const void *)at)->len);

        if (i && nbytes + more > max)
            break;
        nbytes += more;
        i++;
    }
    *n = i;
    return nbytes;
}

/* Adds a task: items[0 ... n-1], with the numbers of their functions if ids is given. */
static int
add_task(py_pool *p, pool_run *r, uint32_t index, PyObject *const *items, Py_ssize_t n,
         const uint32_t *ids, const py_enc_what *what)
{
    py_enc *e = py_enc_begin(p->st);
    size_t nids = ids ? pool_pad((size_t)n * sizeof(*ids)) : 0;
    unsigned char *at = NULL;
    pool_rec rec = { index, (uint32_t)n, 0 };

    if (!e)
        return -1;
    if (py_enc_args(e, items, n, what) == 0) {
        rec.len = nids + py_enc_size(e);
        at = seg_room(r->seg, sizeof(rec) + pool_pad(rec.len));
    }
    if (at) {
        memcpy(at, &rec, sizeof(rec));
        if (ids)
            memcpy(at + sizeof(rec), ids, (size_t)n * sizeof(*ids));
        py_enc_copy(e, at + sizeof(rec) + nids);
        r->seg->len += sizeof(rec) + pool_pad(rec.len);
        r->end = r->seg->len;
        r->ntasks++;
    }
    py_enc_end(e);
    return at ? 0 : -1;
}

/* ---- Functions ------------------------------------------------------------------------ */

static int
is_coro(PyObject *func)
{
    PyObject *mark = PyObject_GetAttrString(func, "_c4_coro"), *inner;
    int r;

    if (mark) {
        r = PyObject_IsTrue(mark);
        Py_DECREF(mark);
        return r;
    }
    PyErr_Clear();
    inner = PyObject_GetAttrString(func, "func");   /* functools.partial */
    if (!inner) {
        PyErr_Clear();
        return 0;
    }
    r = PyObject_HasAttrString(inner, "_c4_coro");
    Py_DECREF(inner);
    return r;
}

pool_def *
pool_def_new(py_pool *p, PyObject *funcs)
{
    Py_ssize_t n = PyTuple_GET_SIZE(funcs);
    pool_def *d = PyMem_Calloc(1, sizeof(*d) + (size_t)n * sizeof(d->coro[0]));

    (void)p;
    if (!d) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        d->coro[i] = is_coro(PyTuple_GET_ITEM(funcs, i)) > 0;
    d->refs = 1;
    d->funcs = Py_NewRef(funcs);
    return d;
}

void
pool_def_unref(pool_def *d)
{
    if (!d || --d->refs)
        return;
    Py_DECREF(d->funcs);
    Py_XDECREF(d->blob);
    PyMem_Free(d->kind);
    PyMem_Free(d);
}

/* "module.function"; what has no such names is called by its type's. */
static PyObject *
task_name(PyObject *func)
{
    PyObject *module = PyObject_GetAttrString(func, "__module__");
    PyObject *name = module ? PyObject_GetAttrString(func, "__qualname__") : NULL, *r = NULL;

    if (name)
        r = PyUnicode_FromFormat("%S.%S", module, name);
    Py_XDECREF(module);
    Py_XDECREF(name);
    if (!r)
        PyErr_Clear();
    return r ? r : PyUnicode_FromString(Py_TYPE(func)->tp_name);
}

/* A new number for tasks of this name; 0 with an exception. */
static unsigned
new_kind(py_pool *p, PyObject *func, PyObject *name)
{
    PyObject *code = PyObject_GetAttrString(func, "__code__"), *file = NULL;
    const char *text = PyUnicode_AsUTF8(name);
    unsigned line = 0, kind = 0;

    if (code && PyCode_Check(code)) {
        file = PyUnicode_EncodeFSDefault(((PyCodeObject *)code)->co_filename);
        line = (unsigned)((PyCodeObject *)code)->co_firstlineno;
    }
    PyErr_Clear();
    if (text)
        kind = c4_task_kind(p->st->pe, text, file ? PyBytes_AS_STRING(file) : NULL, line);
    Py_XDECREF(code);
    Py_XDECREF(file);
    return kind;
}

static unsigned
kind_of(py_pool *p, PyObject *func)
{
    PyObject *name = task_name(func), *number = NULL;
    unsigned kind = 0;

    if (!p->kinds)
        p->kinds = PyDict_New();
    if (name && p->kinds)
        number = Py_XNewRef(PyDict_GetItemWithError(p->kinds, name));
    if (!number && name && p->kinds && !PyErr_Occurred()) {
        number = PyLong_FromUnsignedLong(new_kind(p, func, name));
        if (number && PyDict_SetItem(p->kinds, name, number))
            Py_CLEAR(number);
    }
    if (number)
        kind = (unsigned)PyLong_AsUnsignedLong(number);
    Py_XDECREF(number);
    Py_XDECREF(name);
    PyErr_Clear();
    return kind;
}

unsigned
pool_def_kind(py_pool *p, pool_def *d, uint32_t i)
{
    Py_ssize_t n = PyTuple_GET_SIZE(d->funcs);

    if ((Py_ssize_t)i >= n)
        return 0;
    if (!d->kind)
        d->kind = PyMem_Calloc((size_t)n, sizeof(*d->kind));
    if (d->kind && !d->kind[i])
        d->kind[i] = (uint16_t)kind_of(p, PyTuple_GET_ITEM(d->funcs, i));
    return d->kind ? d->kind[i] : 0;
}

/* What was found for a function is kept, but not the code of one without a name
 * that others know: it may be another the next time. */
PyObject *
pool_def_blob(py_pool *p, pool_def *d)
{
    PyObject *t, *blob;

    if (d->blob)
        return Py_NewRef(d->blob);
    t = PyObject_CallOneArg(p->dump, d->funcs);
    if (!t)
        return NULL;
    blob = Py_NewRef(PyTuple_GET_ITEM(t, 0));
    d->by_value = PyTuple_GET_ITEM(t, 1) == Py_True;
    Py_DECREF(t);
    if (!d->by_value)
        d->blob = Py_NewRef(blob);
    return blob;
}

static pool_def *
def_of_function(py_pool *p, PyObject *func)
{
    pool_func *slot = &p->cache[((uintptr_t)func >> 4) % POOL_CACHE];
    PyObject *t;

    if (slot->func != func) {
        pool_def *d = (t = PyTuple_Pack(1, func)) ? pool_def_new(p, t) : NULL;

        Py_XDECREF(t);
        if (!d)
            return NULL;
        pool_def_unref(slot->def);
        Py_XSETREF(slot->func, Py_NewRef(func));
        slot->def = d;
    }
    slot->def->refs++;
    return slot->def;
}

/* A function, or a tuple of them. */
static pool_def *
def_of(py_pool *p, PyObject *funcs)
{
    return PyTuple_CheckExact(funcs) ? pool_def_new(p, funcs) : def_of_function(p, funcs);
}

/* ---- Jobs -------------------------------------------------------------------------------- */

static int
more_jobs(py_pool *p)
{
    uint32_t n = p->njobs ? p->njobs * 2 : 16;
    pool_job **jobs = PyMem_Realloc(p->jobs, n * sizeof(pool_job *));

    if (!jobs)
        return -1;
    p->jobs = jobs;
    while (p->njobs < n) {
        pool_job *j = PyMem_Calloc(1, sizeof(*j));

        if (!j)
            return p->free_job ? 0 : -1;
        j->key = (uint64_t)1 << 32 | (p->njobs + 1);
        j->nfree = p->free_job;
        p->jobs[p->njobs++] = j;
        p->free_job = p->njobs;
    }
    return 0;
}

pool_job *
pool_job_new(py_pool *p)
{
    pool_job *j;

    if (!p->free_job && more_jobs(p)) {
        PyErr_NoMemory();
        return NULL;
    }
    j = p->jobs[p->free_job - 1];
    p->free_job = j->nfree;
    j->used = true;
    return j;
}

pool_job *
pool_job_find(py_pool *p, uint64_t key)
{
    uint32_t no = (uint32_t)key - 1;

    return no < p->njobs && p->jobs[no]->used && p->jobs[no]->key == key ? p->jobs[no] : NULL;
}

static void
job_free(py_pool *p, pool_job *j)
{
    uint64_t key = j->key;

    if (j->run)
        pool_run_free(p, j->run);
    if (j->told)
        pool_forget_everywhere(p, j);
    Py_XDECREF(j->results);
    Py_XDECREF(j->futures);
    Py_XDECREF(j->future);
    Py_XDECREF(j->error);
    Py_XDECREF(j->progress);
    PyMem_Free(j->told);
    memset(j, 0, sizeof(*j));
    j->key = key + ((uint64_t)1 << 32);
    j->nfree = p->free_job;
    p->free_job = (uint32_t)key;
}

/* A future of this PE gets its value; the runtime forgets it. */
static void
settle(py_state *st, py_future *f, PyObject *value)
{
    if (f->ready)
        return;
    if (py_future_put(f, value))
        py_uncaught(st, NULL, NULL);
    c4_future_drop(st->pe, f->id);
    Py_DECREF(f);
}

static void
show_progress(py_pool *p, pool_job *j)
{
    enum { PER_S = 10 };
    double now = c4_now(p->st->pe);
    PyObject *r;

    if (j->left && (now - j->shown) * PER_S < 1)
        return;
    j->shown = now;
    r = PyObject_CallFunction(j->progress, "nnO", j->done, j->total,
                              j->left ? Py_False : Py_True);
    if (!r)
        PyErr_WriteUnraisable(j->progress);
    Py_XDECREF(r);
}

/* All tasks are accounted for. */
static void
job_end(py_pool *p, pool_job *j)
{
    if (j->waited) {
        if (j->waiter && j->waiter->blocked)
            py_co_wake(p->st, j->waiter);
        return;
    }
    if (j->future)
        settle(p->st, j->future, j->error ? j->error : j->results);
    for (Py_ssize_t i = 0; j->futures && j->error && i < PyList_GET_SIZE(j->futures); i++)
        settle(p->st, (py_future *)PyList_GET_ITEM(j->futures, i), j->error);
    job_free(p, j);
}

static void
job_step(py_pool *p, pool_job *j, uint32_t ntasks, Py_ssize_t nitems)
{
    j->left -= ntasks < j->left ? ntasks : j->left;
    j->done += nitems;
    if (j->progress)
        show_progress(p, j);
    if (!j->left)
        job_end(p, j);
}

void
pool_job_values(py_pool *p, pool_job *j, uint32_t index, PyObject **values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        PyObject *v = values[i];

        if ((Py_ssize_t)index + i >= j->total) {
            Py_DECREF(v);
        } else if (j->futures) {
            settle(p->st, (py_future *)PyList_GET_ITEM(j->futures, index + i), v);
            Py_DECREF(v);
        } else if (j->single) {
            Py_XSETREF(j->results, v);
        } else {
            PyList_SetItem(j->results, (Py_ssize_t)index + i, v);
        }
    }
    job_step(p, j, 1, n);
}

/* Drops what has not begun.  Others tell what they drop. */
static void
job_cancel(py_pool *p, pool_job *j)
{
    pool_head h = { .kind = POOL_CANCEL, .home = p->me, .key = j->key };
    struct iovec iov = { &h, sizeof(h) };

    if (j->run) {
        uint32_t n = j->run->ntasks;

        if (!pool_schedules(p))
            p->nwaiting -= n;
        pool_run_free(p, j->run);
        j->left -= n;
    }
    if (pool_schedules(p))
        pool_cancel_everywhere(p, p->me, j->key);
    else if (j->spread)
        pool_send(p, 0, &iov, 1);
}

void
pool_job_error(py_pool *p, pool_job *j, uint32_t index, uint32_t n, PyObject *exc)
{
    for (uint32_t i = 0; j->futures && i < n && (Py_ssize_t)index + i < j->total; i++)
        settle(p->st, (py_future *)PyList_GET_ITEM(j->futures, index + i), exc);
    if (!j->failed) {
        j->failed = true;
        j->error = Py_NewRef(exc);
        job_cancel(p, j);
    }
    job_step(p, j, 1, n);
}

void
pool_job_dropped(py_pool *p, pool_job *j, uint32_t count)
{
    job_step(p, j, count, 0);
}

/* ---- Making jobs ---------------------------------------------------------------------------- */

/* Does this job's distribution need the scheduler? */
static bool
is_central(const py_pool *p, const pool_run *r)
{
    return p->npes > 1 && (p->me == 0 || (r->flags & POOL_PINNED));
}

/* Before the job is made: whatever can fail fails here. */
static int
prepare(py_pool *p, pool_run *r)
{
    if (r->ncores && r->ncores < p->nworkers && !(r->flags & POOL_NORESULT))
        r->flags |= POOL_PINNED;
    if (!is_central(p, r))
        return 0;
    r->blob = pool_def_blob(p, r->def);
    if (!r->blob)
        return -1;
    if (r->def->by_value)
        r->flags |= POOL_BY_VALUE;
    if ((r->flags & POOL_PINNED) && p->me == 0) {
        r->member = PyMem_Calloc(p->npes, sizeof(*r->member));
        if (!r->member) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

/* One task after the other without result: they wait as one run. */
static bool
joins_last(const pool_run *last, const pool_run *r)
{
    return last && (r->flags & POOL_NORESULT) && last->flags == r->flags && last->blob == r->blob
           && last->seg->refs == 1 && !last->seg->block && last->seg->len < (1 << 16);
}

static void
to_central(py_pool *p, pool_run *r)
{
    pool_run *last = p->central.last;
    size_t n = r->end - r->pos;

    if (joins_last(last, r)) {
        unsigned char *at = seg_room(last->seg, n);

        if (at) {
            memcpy(at, r->seg->data + r->pos, n);
            last->seg->len += n;
            last->end = last->seg->len;
            last->ntasks += r->ntasks;
            pool_run_free(p, r);
            pool_feed(p);
            return;
        }
        PyErr_Clear();
    }
    pool_list_append(&p->central, r);
    pool_feed(p);
}

static int
to_scheduler(py_pool *p, pool_run *r)
{
    pool_head h = { .kind = POOL_SUBMIT, .flags = r->flags, .home = p->me, .key = r->key,
                    .ntasks = r->ntasks, .ncores = r->ncores, .cause_pe = r->cause.pe,
                    .cause = r->cause.trace };
    static const char zeros[16];
    size_t n = (size_t)PyBytes_GET_SIZE(r->blob);
    struct iovec iov[] = {
        { &h, sizeof(h) }, { PyBytes_AS_STRING(r->blob), n },
        { (void *)(uintptr_t)zeros, pool_pad(n) - n }, { r->seg->data + r->pos, r->end - r->pos }
    };

    h.ndef = (uint32_t)n;
    return pool_send(p, 0, iov, 4);
}

/* The run is on its way; it belongs to somebody else now. */
static int
launch(py_pool *p, pool_run *r, pool_job *j, bool waits)
{
    int err;

    r->home = p->me;
    if (r->ntasks)
        r->cause = c4_cause_event(p->st->pe, C4_EVENT_TASK);
    if (j) {
        r->key = j->key;
        j->run = r;
    }
    if (!is_central(p, r)) {
        pool_nest(p, r, waits);
        return 0;
    }
    if (j)
        j->spread = true;
    if (p->me == 0) {
        to_central(p, r);
        return 0;
    }
    err = to_scheduler(p, r);
    pool_run_free(p, r);
    return err;
}

static PyObject *
wait_for(py_pool *p, pool_job *j)
{
    py_state *st = p->st;
    PyObject *r = NULL;
    int err = 0;

    j->waiter = st->cur;
    if (j->run && !pool_schedules(p))
        err = pool_run_here(p, j);
    while (!err && j->left)
        err = py_co_block(st, "tasks of charm.pool", NULL);
    j->waiter = NULL;
    if (j->left) {
        j->waited = false;                  /* it is freed when its tasks are done */
        return NULL;
    }
    if (!err && j->error)
        PyErr_SetObject((PyObject *)Py_TYPE(j->error), j->error);
    else if (!err)
        r = Py_NewRef(j->results);
    job_free(p, j);
    return r;
}

/* ---- Calls from pool.py ------------------------------------------------------------------------ */

enum mode { MODE_WAIT, MODE_FUTURE, MODE_FUTURES };

/* Cuts items into tasks. */
static pool_run *
run_of_items(py_pool *p, pool_def *d, PyObject *fast, const uint32_t *ids, Py_ssize_t chunk)
{
    static const py_enc_what what = { "charm.pool", "map", false };
    Py_ssize_t n = PySequence_Fast_GET_SIZE(fast);
    pool_run *r = pool_run_new(p);

    if (!r)
        return NULL;
    r->def = d;
    d->refs++;
    r->flags = ids ? POOL_FUNCS : 0;
    r->seg = pool_seg_new(n > 8 ? (size_t)(n / chunk + 1) * 32 : 128);
    for (Py_ssize_t i = 0; r->seg && i < n; i += chunk) {
        Py_ssize_t now = n - i < chunk ? n - i : chunk;

        if (n > PySequence_Fast_GET_SIZE(fast)) {
            PyErr_SetString(PyExc_RuntimeError, "charm.pool: the list changed while its items "
                            "were pickled");
            break;
        }
        if (add_task(p, r, (uint32_t)i, PySequence_Fast_ITEMS(fast) + i, now,
                     ids ? ids + i : NULL, &what))
            break;
    }
    if (PyErr_Occurred()) {
        pool_run_free(p, r);
        return NULL;
    }
    return r;
}

static PyObject *
many_futures(py_state *st, Py_ssize_t n)
{
    PyObject *list = PyList_New(n);

    for (Py_ssize_t i = 0; list && i < n; i++) {
        py_future *f = py_future_new(st, 1);

        if (!f)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, (PyObject *)f);
    }
    return list;
}

/* A job for the run; *out gets what the caller is given, NULL if it waits. */
static pool_job *
job_for(py_pool *p, enum mode mode, Py_ssize_t nitems, uint32_t ntasks, PyObject **out)
{
    pool_job *j = pool_job_new(p);

    *out = NULL;
    if (!j)
        return NULL;
    j->left = ntasks;
    j->total = nitems;
    j->waited = mode == MODE_WAIT;
    if (mode == MODE_FUTURES)
        *out = j->futures = many_futures(p->st, nitems);
    else
        j->results = PyList_New(nitems);
    if (mode == MODE_FUTURE && j->results)
        *out = (PyObject *)(j->future = py_future_new(p->st, 1));
    if ((!j->futures && !j->results) || (mode == MODE_FUTURE && !j->future)) {
        job_free(p, j);
        return NULL;
    }
    Py_XINCREF(*out);
    return j;
}

static PyObject *
nothing_to_do(py_pool *p, enum mode mode)
{
    PyObject *list = PyList_New(0);
    py_future *f;

    if (mode != MODE_FUTURE || !list)
        return list;
    f = py_future_new(p->st, 1);
    if (f)
        settle(p->st, f, list);
    Py_DECREF(list);
    return (PyObject *)f;
}

static PyObject *
start_job(py_pool *p, pool_run *r, enum mode mode, Py_ssize_t nitems, PyObject *progress)
{
    PyObject *out;
    pool_job *j;

    if (prepare(p, r) || !(j = job_for(p, mode, nitems, r->ntasks, &out))) {
        pool_run_free(p, r);
        return NULL;
    }
    if (progress != Py_None)
        j->progress = Py_NewRef(progress);
    if (launch(p, r, j, mode == MODE_WAIT)) {
        Py_XDECREF(out);
        return NULL;
    }
    return mode == MODE_WAIT ? wait_for(p, j) : out;
}

/* pool_map(mode, funcs, ids, iterable, chunksize, ncores, progress): funcs is a
 * function, or a tuple of them and ids (bytes of uint32) tells which for each item */
PyObject *
py_pool_map(PyObject *mod, PyObject *const *args, Py_ssize_t nargs)
{
    py_state *st = PyModule_GetState(mod);
    py_pool *p;
    PyObject *fast, *r = NULL;
    Py_ssize_t n, chunk;
    const uint32_t *ids = NULL;
    long mode, ncores;
    pool_def *d;
    pool_run *run;

    if (nargs != 7) {
        PyErr_SetString(PyExc_TypeError, "pool_map() takes 7 arguments");
        return NULL;
    }
    mode = PyLong_AsLong(args[0]);
    chunk = PyNumber_AsSsize_t(args[4], NULL);
    ncores = PyLong_AsLong(args[5]);
    if (PyErr_Occurred() || py_need_pe(st) || py_co_check(st) || !(p = pool_get(st)))
        return NULL;
    fast = PySequence_Fast(args[3], "charm.pool: the tasks must be iterable");
    if (!fast)
        return NULL;
    n = PySequence_Fast_GET_SIZE(fast);
    if (PyBytes_Check(args[2]) && (size_t)PyBytes_GET_SIZE(args[2]) == (size_t)n * sizeof(*ids))
        ids = (const uint32_t *)(const void *)PyBytes_AS_STRING(args[2]);
    if (n == 0) {
        r = nothing_to_do(p, (enum mode)mode);
    } else if ((d = def_of(p, args[1])) != NULL) {
        run = run_of_items(p, d, fast, ids, chunk < 1 || chunk > n ? n : chunk);
        pool_def_unref(d);
        Py_CLEAR(fast);                     /* the items are encoded: let them go */
        if (run) {
            run->ncores = ncores > 0 ? (uint32_t)ncores : 0;
            r = start_job(p, run, (enum mode)mode, n, args[6]);
        }
    }
    Py_XDECREF(fast);
    return r;
}

static pool_run *
run_of_call(py_pool *p, PyObject *func, PyObject *args)
{
    static const py_enc_what what = { "charm.pool", "Task", false };
    PyObject *t = PySequence_Tuple(args);
    pool_run *r = t ? pool_run_new(p) : NULL;

    if (r) {
        r->flags = POOL_STAR;
        if (!(r->def = def_of_function(p, func)) || !(r->seg = pool_seg_new(64)) ||
            add_task(p, r, 0, &PyTuple_GET_ITEM(t, 0), PyTuple_GET_SIZE(t), NULL, &what)) {
            pool_run_free(p, r);
            r = NULL;
        }
    }
    Py_XDECREF(t);
    return r;
}

/* pool_task(func, args, wants_result) */
PyObject *
py_pool_task(PyObject *mod, PyObject *const *args, Py_ssize_t nargs)
{
    py_state *st = PyModule_GetState(mod);
    py_pool *p;
    int wants = nargs == 3 ? PyObject_IsTrue(args[2]) : 0;
    PyObject *out = NULL;
    pool_job *j = NULL;
    pool_run *r;

    if (nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "pool_task() takes 3 arguments");
        return NULL;
    }
    if (wants < 0 || py_need_pe(st) || (wants && py_co_check(st)) || !(p = pool_get(st)))
        return NULL;
    r = run_of_call(p, args[0], args[1]);
    if (!r)
        return NULL;
    if (!wants)
        r->flags |= POOL_NORESULT;
    if (prepare(p, r) || (wants && !(j = job_for(p, MODE_FUTURE, 1, 1, &out)))) {
        pool_run_free(p, r);
        return NULL;
    }
    if (j) {
        j->single = true;
        Py_CLEAR(j->results);
    }
    if (launch(p, r, j, false)) {
        Py_XDECREF(out);
        return NULL;
    }
    return out ? out : Py_NewRef(Py_None);
}

/* ---- Messages ------------------------------------------------------------------------------------ */

int
pool_send(py_pool *p, uint32_t pe, const struct iovec *iov, int niov)
{
    c4_err err = c4_sendv(p->st->pe, (c4_chare){ pe, p->coll }, p->entry, iov, niov, 0);

    if (err)
        py_raise(p->st, err);
    return err ? -1 : 0;
}

static py_pool *
pool_new(py_state *st)
{
    PyObject *module = PyImport_ImportModule("charm4py.pool"), *t = NULL;
    py_pool *p = module ? PyMem_Calloc(1, sizeof(*p)) : NULL;
    py_proxy *proxy;

    if (p) {
        p->st = st;
        p->me = c4_mype(st->pe);
        p->npes = c4_npes(st->pe);
        p->nworkers = p->npes > 1 ? p->npes - 1 : 1;
        t = PyObject_CallMethod(module, "_start", NULL);
    }
    Py_XDECREF(module);
    if (!t || !PyArg_ParseTuple(t, "OOO", &proxy, &p->dump, &p->load)) {
        PyMem_Free(p);
        return NULL;
    }
    Py_INCREF(p->dump);
    Py_INCREF(p->load);
    p->coll = proxy->coll;
    while (p->entry < proxy->cls->nmethods &&
           proxy->cls->methods[p->entry]->action != PY_DO_POOL)
        p->entry++;
    Py_DECREF(t);
    p->by_value = PyDict_New();
    if (!p->by_value || pool_run_init(p) || pool_sched_init(p))
        return NULL;
    st->pool = p;
    return p;
}

py_pool *
pool_get(py_state *st)
{
    pool_head h = { .kind = POOL_HELLO };
    struct iovec iov = { &h, sizeof(h) };

    if (st->pool)
        return st->pool;
    if (pool_new(st) && st->pool->me != 0)
        pool_send(st->pool, 0, &iov, 1);
    return st->pool;
}

/* A message to the pool of this PE. */
c4_err
py_pool_message(py_state *st, const c4_call *call)
{
    py_pool *p = st->pool ? st->pool : pool_new(st);
    const unsigned char *data = call->data;
    pool_head h;

    if (p && call->len >= sizeof(h)) {
        memcpy(&h, data, sizeof(h));
        data += sizeof(h);
        switch ((enum pool_kind)h.kind) {
        case POOL_TASKS: pool_on_tasks(p, &h, data, call->len - sizeof(h)); break;
        case POOL_SUBMIT: pool_on_submit(p, call->src, &h, data, call->len - sizeof(h)); break;
        case POOL_REPORT: pool_on_report(p, call->src, &h, data, call->len - sizeof(h)); break;
        case POOL_HUNGRY: pool_on_hungry(p); break;
        case POOL_CANCEL:
            if (p->me == 0)
                pool_on_cancel_request(p, &h);
            else
                pool_on_cancel(p, &h);
            break;
        case POOL_FORGET: pool_on_forget(p, &h); break;
        case POOL_HELLO: break;             /* it has made the pool */
        }
    }
    if (PyErr_Occurred())
        py_uncaught(st, NULL, NULL);
    return C4_OK;
}
