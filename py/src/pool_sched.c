/*
 * pool_sched.c - PE 0 distributes tasks; every PE takes in results.
 *
 * The oldest job is served first.  A worker is given tasks when it has none: one, as
 * long as it is not known how long they take, then more and more while they turn out
 * to be short, and then also before it is out of them.  Never more than half of what
 * would be each worker's part: so the last tasks are spread evenly.  A worker that is
 * the only one is given all there is, in large messages.
 *
 * If there are workers without tasks and no tasks, all workers are told once
 * (POOL_HUNGRY): one that has some waiting, or will, gives half of them back
 * (POOL_SUBMIT), and is told again if that was not enough.
 */
#include <string.h>

#include "pool.h"

enum {
    BATCH_NS = 200000,                      /* tasks given at once should take this long */
    BATCH_MAX = 1024,
    SHORT_NS = 100000,                      /* longer tasks are given one by one */
    ALONE_MAX = 4096,                       /* tasks at once to an only worker */
    ALONE_BYTES = 1 << 22,                  /* ... or if large, as many as these bytes */
    MESSAGE_MAX = 1 << 18,                  /* bytes of tasks in a message, if not of one */
    KEEP_MIN = 1 << 12                      /* functions from this size on are sent once */
};

/* ---- Giving ------------------------------------------------------------------------- */

static int
send_head(py_pool *p, uint32_t pe, enum pool_kind kind, uint32_t home, uint64_t key)
{
    pool_head h = { .kind = (uint8_t)kind, .home = home, .key = key };
    struct iovec iov = { &h, sizeof(h) };

    return pool_send(p, pe, &iov, 1);
}

/* Large functions of a job of PE 0 go to each worker once. */
static bool
knows_functions(py_pool *p, pool_run *r, uint32_t worker)
{
    pool_job *j;
    bool told;

    if (PyBytes_GET_SIZE(r->blob) < KEEP_MIN || r->home != p->me || !r->key)
        return false;
    j = pool_job_find(p, r->key);
    if (!j || (!j->told && !(j->told = PyMem_Calloc(p->npes, sizeof(*j->told)))))
        return false;
    told = j->told[worker];
    j->told[worker] = true;
    r->flags |= POOL_KEEP;
    return told;
}

void
pool_forget_everywhere(py_pool *p, const pool_job *j)
{
    for (uint32_t w = 1; w < p->npes; w++)
        if (j->told[w] && send_head(p, w, POOL_FORGET, p->me, j->key))
            py_uncaught(p->st, NULL, NULL);
}

/* Gives n tasks, or fewer if they are large, of run r -> 1: it is gone then. */
static int
give(py_pool *p, uint32_t w, pool_run *r, uint32_t n)
{
    static const char zeros[16];
    size_t nbytes = pool_run_measure(r, &n, MESSAGE_MAX);
    size_t ndef = knows_functions(p, r, w) ? 0 : (size_t)PyBytes_GET_SIZE(r->blob);
    pool_head h = { .kind = POOL_TASKS, .flags = r->flags, .home = r->home, .key = r->key,
                    .ntasks = n, .ndef = (uint32_t)ndef, .cause_pe = r->cause.pe,
                    .cause = r->cause.trace };
    struct iovec iov[] = {
        { &h, sizeof(h) }, { PyBytes_AS_STRING(r->blob), ndef },
        { (void *)(uintptr_t)zeros, pool_pad(ndef) - ndef }, { r->seg->data + r->pos, nbytes }
    };

    if (pool_send(p, w, iov, 4))
        return -1;
    p->peer[w].given += n;
    p->peer[w].busy = true;
    if (r->member)
        r->member[w] += n;
    r->pos += nbytes;
    r->ntasks -= n;
    if (r->ntasks || r->member)
        return 0;
    pool_run_free(p, r);
    return 1;
}

/* May one more worker run tasks of this job? */
static bool
admits(const py_pool *p, const pool_run *r, uint32_t w)
{
    uint32_t n = 0;

    if (!r->member || r->member[w])
        return true;
    for (uint32_t i = 1; i < p->npes; i++)
        n += r->member[i] != 0;
    return n < r->ncores;
}

/* A worker for the run and how many tasks it gets; 0: none just now. */
static uint32_t
choose(py_pool *p, pool_run *r, uint32_t *n)
{
    uint32_t part = (r->ntasks + 2 * p->nworkers - 1) / (2 * p->nworkers);

    if (p->nworkers == 1) {
        uint64_t most = ALONE_BYTES / ((r->end - r->pos) / r->ntasks) + 2;

        *n = ALONE_MAX;
        most = most < ALONE_MAX ? most : ALONE_MAX;
        return p->peer[1].given - p->peer[1].started < most ? 1 : 0;
    }
    *n = r->batch < part ? r->batch : part;
    for (uint32_t i = 0; i < p->nworkers; i++) {
        uint32_t w = 1 + (p->turn + i) % p->nworkers;

        if (!p->peer[w].busy && admits(p, r, w)) {
            p->turn = w;
            return w;
        }
    }
    for (uint32_t w = 1; r->batch > 1 && w <= p->nworkers; w++)
        if ((p->peer[w].given - p->peer[w].started) * 2 <= *n && admits(p, r, w))
            return w;
    return 0;
}

static bool
somebody_is_idle(const py_pool *p)
{
    for (uint32_t w = 1; w < p->npes; w++)
        if (!p->peer[w].busy)
            return true;
    return false;
}

/* As many tasks of the run as workers will take -> false: it waits for workers, and so
 * do all that come after it. */
static bool
feed_from(py_pool *p, pool_run *r)
{
    uint32_t w, n;
    int gone;

    while (r->ntasks && (w = choose(p, r, &n)) != 0) {
        gone = give(p, w, r, n);
        if (gone < 0)
            py_uncaught(p->st, NULL, NULL);
        if (gone)
            return true;
    }
    return r->member != NULL;
}

void
pool_feed(py_pool *p)
{
    pool_run *r = p->central.first, *next;

    for (; r; r = next) {
        next = r->next;
        if (!feed_from(p, r))
            return;
    }
    if (p->nworkers == 1 || !somebody_is_idle(p))
        return;
    for (uint32_t w = 1; w < p->npes; w++) {
        if (p->peer[w].hinted)
            continue;
        p->peer[w].hinted = true;
        if (send_head(p, w, POOL_HUNGRY, 0, 0))
            py_uncaught(p->st, NULL, NULL);
    }
}

/* ---- What workers tell ------------------------------------------------------------------ */

/* A worker's job with a limit of workers becomes one of PE 0, which hands results on. */
static int
relay_for(py_pool *p, pool_run *r, const pool_head *h)
{
    pool_job *j = pool_job_new(p);

    r->member = PyMem_Calloc(p->npes, sizeof(*r->member));
    if (!j || !r->member) {
        PyErr_NoMemory();
        return -1;
    }
    j->relay = true;
    j->relay_home = h->home;
    j->relay_key = h->key;
    j->left = h->ntasks;
    j->run = r;
    r->home = p->me;
    r->key = j->key;
    return 0;
}

void
pool_on_submit(py_pool *p, uint32_t src, const pool_head *h, const unsigned char *data,
               size_t len)
{
    size_t ndef = pool_pad(h->ndef);
    bool whole = ndef <= len && h->ntasks && pool_records_whole(data + ndef, len - ndef, h->ntasks);
    pool_job *j = h->home == p->me && h->key ? pool_job_find(p, h->key) : NULL;
    pool_run *r;

    if (!whole || p->me != 0) {
        PyErr_SetString(p->st->error, "charm.pool: malformed tasks");
        return;
    }
    if (!(h->flags & POOL_PINNED)) {
        p->peer[src].hinted = false;
        p->peer[src].busy = true;
    }
    if (j && j->failed) {
        pool_job_dropped(p, j, h->ntasks);
        pool_feed(p);
        return;
    }
    r = pool_run_new(p);
    if (!r)
        return;
    r->flags = h->flags;
    r->home = h->home;
    r->key = h->key;
    r->ntasks = h->ntasks;
    r->ncores = h->ncores;
    r->cause = pool_cause(p, h);
    r->blob = PyBytes_FromStringAndSize((const char *)data, h->ndef);
    r->seg = pool_seg_new(len - ndef);
    if (!r->blob || !r->seg || ((h->flags & POOL_PINNED) && relay_for(p, r, h))) {
        pool_run_free(p, r);
        return;
    }
    memcpy(r->seg->data, data + ndef, len - ndef);
    r->end = r->seg->len = len - ndef;
    pool_list_append(&p->central, r);
    pool_feed(p);
}

/* How far the worker is, and how long its tasks take. */
static void
progress_of(py_pool *p, uint32_t src, const pool_head *h)
{
    pool_peer *peer = &p->peer[src];
    pool_run *r = h->key && h->ns ? pool_list_find(&p->central, h->home, h->key) : NULL;

    peer->started = h->started;
    if (h->flags & POOL_BUSY)
        peer->busy = true;
    else if ((h->flags & POOL_DRY) && peer->started == peer->given)
        peer->busy = false;
    if (!r)
        return;
    if (h->ns > SHORT_NS) {
        r->batch = 1;
    } else {
        uint32_t most = BATCH_NS / (h->ns + 1) + 1;

        r->batch = 2 * r->batch < most ? 2 * r->batch : most;
        if (r->batch > BATCH_MAX)
            r->batch = BATCH_MAX;
    }
}

static void
values_came(py_pool *p, const pool_result *r, const unsigned char *data, c4_block *block)
{
    PyObject *few[PY_MAX_FAST_ARGS], **values = few, *exc;
    pool_job *j;
    py_dec d;
    int err = -1;

    if (r->n > PY_MAX_FAST_ARGS && !(values = PyMem_Malloc(r->n * sizeof(*values)))) {
        PyErr_NoMemory();
        return;
    }
    py_dec_init(&d, p->st, data, r->len, false);
    if (block) {                            /* arrays may stay in it */
        d.kept = true;
        d.block = c4_block_ref(block);
    }
    if (py_dec_count(&d) == (Py_ssize_t)r->n)
        err = py_dec_args(&d, values, (Py_ssize_t)r->n);
    else if (!PyErr_Occurred())
        PyErr_SetString(p->st->error, "charm.pool: malformed result");
    py_dec_release(&d);
    exc = err ? py_take_exception(p->st) : NULL;
    j = pool_job_find(p, r->key);
    if (j && exc) {
        pool_job_error(p, j, r->index, r->n, exc);
    } else if (j) {
        pool_job_values(p, j, r->index, values, r->n);
    } else {
        for (uint32_t i = 0; !err && i < r->n; i++)
            Py_DECREF(values[i]);
    }
    Py_XDECREF(exc);
    if (values != few)
        PyMem_Free(values);
}

static void
error_came(py_pool *p, const pool_result *r, const unsigned char *data)
{
    PyObject *exc = py_dec_one(p->st, data, r->len, false);
    pool_job *j = pool_job_find(p, r->key);

    if (!exc || !PyExceptionInstance_Check(exc)) {
        Py_XDECREF(exc);
        exc = py_take_exception(p->st);
    }
    if (j && exc)
        pool_job_error(p, j, r->index, r->n, exc);
    Py_XDECREF(exc);
}

/* The limited job of another PE. */
static void
hand_on(py_pool *p, pool_job *j, const pool_result *r, const unsigned char *data)
{
    pool_result on = *r;

    on.key = j->relay_key;
    pool_put_result(p, j->relay_home, &on, data);
    pool_job_dropped(p, j, r->count);       /* here it is only counted */
}

static void
result_came(py_pool *p, uint32_t src, const pool_result *r, const unsigned char *data,
            c4_block *block)
{
    pool_job *j = pool_job_find(p, r->key);
    pool_run *run = j ? j->run : NULL;

    if (!j)
        return;
    if (run && run->member) {
        run->member[src] -= r->count < run->member[src] ? r->count : run->member[src];
        if (!run->ntasks)
            pool_run_free(p, run);
    }
    if (j->relay)
        hand_on(p, j, r, data);
    else if (r->outcome == POOL_VALUE)
        values_came(p, r, data, block);
    else if (r->outcome == POOL_ERROR)
        error_came(p, r, data);
    else
        pool_job_dropped(p, j, r->count);
}

void
pool_on_report(py_pool *p, uint32_t src, const pool_head *h, const unsigned char *data,
               size_t len)
{
    enum { BLOCK_MIN = 1 << 14 };
    c4_block *block = len >= BLOCK_MIN ? c4_data_keep(p->st->pe) : NULL;

    if (p->me == 0)
        progress_of(p, src, h);
    while (len >= sizeof(pool_result)) {
        const pool_result *r = (const pool_result *)(const void *)data;
        size_t size = sizeof(*r) + pool_pad(r->len);

        if (r->len > len - sizeof(*r))
            break;
        result_came(p, src, r, data + sizeof(*r), block);
        data += size < len ? size : len;
        len -= size < len ? size : len;
    }
    if (block)
        c4_block_free(block);
    if (p->me == 0) {
        if (p->nout)
            pool_flush(p, 0);
        pool_feed(p);
    }
}

/* ---- Cancelling ------------------------------------------------------------------------------ */

/* Drops what waits here -> number of tasks, and has workers drop what waits there. */
static uint32_t
cancel(py_pool *p, uint32_t home, uint64_t key)
{
    pool_run *r;
    uint32_t n = 0;

    while ((r = pool_list_find(&p->central, home, key)) != NULL) {
        n += r->ntasks;
        pool_run_free(p, r);
    }
    for (uint32_t w = 1; w < p->npes; w++)
        if (p->peer[w].given != p->peer[w].started && send_head(p, w, POOL_CANCEL, home, key))
            py_uncaught(p->st, NULL, NULL);
    return n;
}

/* A job of PE 0, called from its first error: what is dropped is only counted. */
void
pool_cancel_everywhere(py_pool *p, uint32_t home, uint64_t key)
{
    pool_job *j = pool_job_find(p, key);
    uint32_t n = cancel(p, home, key);

    if (j)
        j->left -= n < j->left ? n : j->left;
}

void
pool_on_cancel_request(py_pool *p, const pool_head *h)
{
    pool_result r = { .key = h->key, .outcome = POOL_DROPPED };

    r.count = cancel(p, h->home, h->key);
    for (uint32_t i = 0; i < p->njobs; i++) {
        pool_job *j = p->jobs[i];

        if (j->used && j->relay && j->relay_home == h->home && j->relay_key == h->key) {
            uint32_t n = cancel(p, p->me, j->key);

            r.count += n;
            pool_job_dropped(p, j, n);
        }
    }
    if (r.count)
        pool_put_result(p, h->home, &r, NULL);
    if (p->nout)
        pool_flush(p, 0);
}

int
pool_sched_init(py_pool *p)
{
    if (p->me != 0)
        return 0;
    p->peer = PyMem_Calloc(p->npes, sizeof(*p->peer));
    for (uint32_t w = 0; p->peer && w < p->npes; w++)
        p->peer[w].hinted = true;           /* as workers are at the start */
    if (!p->peer)
        PyErr_NoMemory();
    return p->peer ? 0 : -1;
}
