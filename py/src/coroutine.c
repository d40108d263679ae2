/*
 * coroutine.c - coroutines are greenlets that run the scheduler themselves.
 *
 * A worker is a greenlet with a loop that never ends.  At any time exactly one
 * worker runs: it "holds the loop".  Its stack is one of
 *
 *   base:      worker_run > c4_step > dispatch > plain entry method
 *   in place:  worker_run > c4_step > dispatch > coroutine
 *   job:       worker_run > coroutine
 *   blocked:   ... coroutine > py_co_block > c4_step > dispatch > plain method
 *
 * A coroutine that must wait runs c4_step() itself; what arrives meanwhile runs
 * on its stack, unless it is a coroutine: that is queued as a job, and
 * py_co_block() hands the loop to an idle worker, which runs it.  So coroutines
 * never nest, and most waits cost no switch.
 *
 * Switches happen in two places only, both outside of c4_step(): in the loop of
 * py_co_block() and in the loop of worker_run().  A worker whose wait is over
 * while another holds the loop is in the ready queue; the holder hands over as
 * soon as its c4_step() returns (c4_yield_step() makes it return).
 *
 * The first greenlet, which called charm.start(), never runs user code after
 * that: it starts workers, and waits until the job has ended.  A greenlet's stack
 * and recursion depth begin where it is started: if blocked workers started
 * others, each would begin deeper than the one before.
 */
#include <stddef.h>
#include <string.h>

#include "c4py.h"

#include <greenlet/greenlet.h>              /* its API pointer is per file: only here */

int
py_co_import(py_state *st)
{
    PyGreenlet_Import();
    if (!_PyGreenlet_API)
        return -1;
    st->ready_tail = &st->ready_head;
    st->jobs_tail = &st->jobs_head;
    return 0;
}

/* ---- Switching -------------------------------------------------------------------- */

/* Runs target until somebody switches back here. */
static int
switch_to(py_state *st, PyObject *target, py_worker *back)
{
    PyObject *r;

    py_ctx_leaves_greenlet(st);
    r = PyGreenlet_Switch((PyGreenlet *)target, NULL, NULL);
    py_ctx_enters_greenlet(st);
    st->cur = back;
    if (!r)
        return -1;
    Py_DECREF(r);
    return 0;
}

void
py_co_leave(py_state *st)
{
    st->ended = true;
    for (;;) {
        if (switch_to(st, st->main_greenlet, st->cur))
            PyErr_Clear();
    }
}

static py_worker *
ready_pop(py_state *st)
{
    py_worker *w = st->ready_head;

    if (w) {
        st->ready_head = w->next;
        if (!st->ready_head)
            st->ready_tail = &st->ready_head;
        w->next = NULL;
        w->queued = false;
    }
    return w;
}

void
py_co_wake(py_state *st, py_worker *w)
{
    w->wake = true;
    w->woke = c4_cause_now(st->pe);
    if (w != st->cur && !w->queued) {
        w->queued = true;
        w->next = NULL;
        *st->ready_tail = w;
        st->ready_tail = &w->next;
    }
    c4_yield_step(st->pe);
}

static py_job *
job_pop(py_state *st)
{
    py_job *j = st->jobs_head;

    if (j) {
        st->jobs_head = j->next;
        if (!st->jobs_head)
            st->jobs_tail = &st->jobs_head;
    }
    return j;
}

static void
job_push(py_state *st, py_job *j)
{
    j->next = NULL;
    *st->jobs_tail = j;
    st->jobs_tail = &j->next;
}

static py_worker *worker_new(py_state *st);

/* Hands the loop to an idle worker, which will find the job. */
static int
give_to_idle(py_state *st, py_worker *me)
{
    py_worker *w = st->idle;

    if (!w) {
        st->launch = worker_new(st);
        return st->launch ? switch_to(st, st->main_greenlet, me) : -1;
    }
    st->idle = w->next;
    w->next = NULL;
    return switch_to(st, w->greenlet, me);
}

/* ---- Waiting ------------------------------------------------------------------------ */

bool
py_co_can(py_state *st)
{
    return st->cur && st->cur->busy && !st->cur->blocked;
}

int
py_co_check(py_state *st)
{
    const py_method *m = st->running;

    if (py_co_can(st))
        return 0;
    if (m)
        PyErr_Format(st->not_threaded, "Method '%s.%U' must be a couroutine to be able to "
                     "suspend (decorate it with @coro)", m->cls->short_name, m->name);
    else
        PyErr_SetString(st->not_threaded, "only a coroutine is able to suspend "
                        "(main, or a method decorated with @coro)");
    return -1;
}

/* PE 0 lets the others run when main first suspends or returns. */
static int
start_others(py_state *st)
{
    PyObject *blob = st->collect_readonlies ? PyObject_CallNoArgs(st->collect_readonlies) : NULL;
    py_enc *e = NULL;
    c4_err err = C4_EINVAL;
    unsigned char *flat = NULL;

    if (blob && (e = py_enc_begin(st)) && py_enc_args(e, &blob, 1, NULL) == 0 &&
        (flat = PyMem_Malloc(py_enc_size(e)))) {
        py_enc_copy(e, flat);
        err = c4_start_others(st->pe, flat, py_enc_size(e));
        if (err)
            py_raise(st, err);
    }
    PyMem_Free(flat);
    if (e)
        py_enc_end(e);
    Py_XDECREF(blob);
    return err ? -1 : 0;
}

/* The first suspension of this coroutine: its call is answered later. */
static int
detach(py_state *st, py_worker *w)
{
    if (w->call) {
        w->done = w->call->done;
        w->call->deferred = true;
        w->call = NULL;
        c4_data_release(st->pe);
        c4_hold(st->pe, w->who);
    }
    if (w->is_main && !c4_others_started(st->pe))
        return start_others(st);
    return 0;
}

static int
run_until_awake(py_state *st, py_worker *w)
{
    while (!w->wake) {
        py_worker *r;

        if (st->jobs_head) {
            if (give_to_idle(st, w))
                return -1;
        } else if ((r = ready_pop(st)) != NULL) {
            if (r != w && switch_to(st, r->greenlet, w))
                return -1;
        } else if (!c4_step(st->pe, true)) {
            py_co_leave(st);
        }
    }
    if (w->cancel == PY_INTERRUPT)
        PyErr_SetNone(PyExc_KeyboardInterrupt);
    else if (w->cancel == PY_CANCEL_IDLE)
        PyErr_Format(st->error, "system is idle, canceling block on %s", w->waits_for);
    return w->cancel ? -1 : 0;
}

bool
py_co_cancel(py_state *st, enum py_cancel how)
{
    py_worker *w = st->shell;

    if (!w || !w->blocked || w->wake)
        return false;
    w->cancel = how;
    py_co_wake(st, w);
    return true;
}

/* What waits for a condition may go on when a coroutine of its chare suspends. */
static int
flush_waiting(py_state *st, py_chare *obj)
{
    if (!obj || !st->flush_waiting || (!obj->waiting && !obj->wait_first))
        return 0;
    return py_flush_waiting(st, obj);
}

static c4_err
nothing(c4_pe *pe, void *arg)
{
    (void)pe, (void)arg;
    return C4_OK;
}

/* One turn of the loop, and of each coroutine that may go on.  The PE is not idle, so
 * its step must not take it for that: there is a message at least. */
static int
take_turns(py_state *st, py_worker *w)
{
    py_worker *r;

    if (c4_post(st->pe, nothing, NULL) || !c4_step(st->pe, false))
        py_co_leave(st);
    if (!st->jobs_head && !st->ready_head)
        return 0;
    w->wake = true;
    if (!w->queued) {
        w->queued = true;
        w->next = NULL;
        *st->ready_tail = w;
        st->ready_tail = &w->next;
    }
    if (st->jobs_head)
        return give_to_idle(st, w);
    r = ready_pop(st);
    return r == w ? 0 : switch_to(st, r->greenlet, w);
}

/* what: NULL, it only takes turns with others. */
static int
suspend(py_state *st, const char *what, PyObject *on)
{
    PyThreadState *ts = PyThreadState_Get();
    _PyErr_StackItem hide, *outer;          /* code on our stack must not see our exceptions */
    py_worker *w = st->cur;
    py_method *running = st->running;
    PyObject *variables;
    c4_context saved;
    int r;

    if (py_co_check(st) || detach(st, w))
        return -1;
    variables = py_ctx_to_base(st);
    w->cancel = PY_GO_ON;
    memset(&hide, 0, sizeof(hide));
    outer = ts->exc_info;                   /* not linked: Python would look behind an empty item */
    ts->exc_info = &hide;
    w->blocked = true;
    w->waits_for = what ? what : "its turn";
    w->waits_on = on;
    if (what && st->pool)
        py_pool_suspended(st);
    c4_context_suspend(st->pe, &saved);
    r = flush_waiting(st, w->obj);
    if (r == 0)
        r = what ? run_until_awake(st, w) : take_turns(st, w);
    c4_context_resume(st->pe, &saved, what ? &w->woke : NULL);
    w->wake = false;
    w->blocked = false;
    w->waits_on = NULL;
    ts->exc_info = outer;
    st->running = running;
    py_ctx_from_base(st, variables);
    return r;
}

int
py_co_block(py_state *st, const char *what, PyObject *on)
{
    return suspend(st, what, on);
}

int
py_co_yield(py_state *st)
{
    return suspend(st, NULL, NULL);
}

/* ---- Running -------------------------------------------------------------------------- */

/* After the coroutine's end: result may be NULL with an exception set. */
static void
coroutine_end(py_state *st, py_worker *w, PyObject *result, c4_call *call)
{
    py_method *m = w->method;
    py_chare *obj = w->obj;
    bool detached = w->call == NULL;

    if (w->is_main && result && !c4_others_started(st->pe) && start_others(st))
        Py_CLEAR(result);
    Py_XDECREF(py_ctx_to_base(st));
    py_finish(st, m, obj, detached ? NULL : call, detached ? &w->done : NULL, result);
    if (obj)
        obj->ncoros--;
    w->busy = false;
    w->is_main = false;
    w->call = NULL;
    w->obj = NULL;
    w->method = NULL;
    if (detached && obj)
        c4_unhold(st->pe, w->who);          /* the element may leave, obj be gone */
    if (st->jobs_head || st->ready_head)
        c4_yield_step(st->pe);              /* what came first runs first */
}

static void
coroutine_begin(py_state *st, py_worker *w, py_method *m, py_chare *obj, c4_call *call)
{
    w->busy = true;
    w->method = m;
    w->obj = obj;
    w->call = call;
    w->is_main = m && m->entry == C4_ENTRY_CREATE && m->cls->is_main;
    if (obj) {
        w->who = obj->who;
        obj->ncoros++;
    }
    st->running = m;
    py_ctx_coroutine_begins(st);
}

static void
job_free(py_job *j)
{
    Py_XDECREF(j->obj);
    Py_XDECREF(j->func);
    Py_DECREF(j->args);
    PyMem_Free(j);
}

/* A job on the bare stack of its worker; the element is held already. */
static void
job_run(py_state *st, py_worker *w, py_job *j)
{
    PyObject *argv[PY_MAX_FAST_ARGS + 2], *r;
    Py_ssize_t n = PyTuple_GET_SIZE(j->args);
    c4_context saved;

    if (!j->bare && c4_context_enter(st->pe, j->who, j->method ? j->method->entry : 0, &j->cause,
                                     &saved)) {
        py_raise(st, C4_ESTATE);
        py_uncaught(st, j->method, j->obj);
        return;
    }
    coroutine_begin(st, w, j->method, j->obj, NULL);
    w->done = j->done;
    w->who = j->who;
    w->is_main |= j->is_main;
    c4_user_begin(st->pe);
    if (!j->method) {
        r = PyObject_Call(j->func, j->args, NULL);
    } else if (n <= PY_MAX_FAST_ARGS) {
        argv[1] = (PyObject *)j->obj;
        for (Py_ssize_t i = 0; i < n; i++)
            argv[i + 2] = PyTuple_GET_ITEM(j->args, i);
        r = PyObject_Vectorcall(j->method->func, argv + 1,
                                (size_t)(n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    } else {
        PyObject *bound = PyMethod_New(j->method->func, (PyObject *)j->obj);

        r = bound ? PyObject_Call(bound, j->args, NULL) : NULL;
        Py_XDECREF(bound);
    }
    coroutine_end(st, w, r, NULL);
    if (!j->bare)
        c4_context_leave(st->pe, &saved);
    job_free(j);
}

static void
worker_loop(py_worker *w)
{
    py_state *st = w->st;

    for (;;) {
        py_job *j = job_pop(st);
        py_worker *r;

        st->running = NULL;
        if (j) {
            job_run(st, w, j);
        } else if ((r = ready_pop(st)) != NULL) {
            w->next = st->idle;
            st->idle = w;
            if (switch_to(st, r->greenlet, w))
                py_uncaught(st, NULL, NULL);
        } else if (!c4_step(st->pe, true)) {
            py_co_leave(st);
        }
    }
}

static PyObject *
worker_run(PyObject *capsule, PyObject *unused)
{
    py_worker *w = PyCapsule_GetPointer(capsule, NULL);

    (void)unused;
    w->st->cur = w;
    py_ctx_enters_greenlet(w->st);
    worker_loop(w);
    return NULL;
}

static PyMethodDef worker_def = { "worker", worker_run, METH_NOARGS, NULL };

static py_worker *
worker_new(py_state *st)
{
    py_worker *w = PyMem_Calloc(1, sizeof(*w));
    PyObject *capsule = w ? PyCapsule_New(w, NULL, NULL) : NULL;
    PyObject *run = capsule ? PyCFunction_New(&worker_def, capsule) : NULL;

    Py_XDECREF(capsule);
    if (run) {
        w->st = st;
        w->greenlet = (PyObject *)PyGreenlet_New(run, (PyGreenlet *)st->main_greenlet);
        Py_DECREF(run);
    }
    if (!w || !w->greenlet) {
        PyMem_Free(w);
        return NULL;
    }
    w->all_next = st->all;
    st->all = w;
    return w;
}

/* The loop is busy with a blocked coroutine: this one gets a stack of its own. */
c4_err
py_co_queue(py_state *st, py_method *m, py_chare *obj, c4_call *call, const c4_cause *cause,
            PyObject **argv, Py_ssize_t n)
{
    py_job *j = PyMem_Calloc(1, sizeof(*j));

    if (!j || !(j->args = PyTuple_New(n))) {
        PyMem_Free(j);
        return C4_ENOMEM;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        PyTuple_SET_ITEM(j->args, i, Py_NewRef(argv[i]));
    j->method = m;
    j->obj = (py_chare *)Py_NewRef(obj);
    j->who = obj->who;
    j->done = call->done;
    j->cause = *cause;
    call->deferred = call->stored = true;
    c4_hold(st->pe, j->who);
    job_push(st, j);
    c4_yield_step(st->pe);
    return C4_OK;
}

/* argv[-1] is free for the callee, argv[0] is obj's place: arguments follow. */
c4_err
py_co_call(py_state *st, py_method *m, py_chare *obj, c4_call *call, PyObject **argv,
           Py_ssize_t n)
{
    py_worker *w = st->cur;
    PyObject *r;

    if (w->busy) {
        c4_cause cause = c4_cause_now(st->pe);

        return py_co_queue(st, m, obj, call, &cause, argv + 1, n);
    }
    coroutine_begin(st, w, m, obj, call);
    argv[0] = (PyObject *)obj;
    c4_user_begin(st->pe);
    r = PyObject_Vectorcall(m->func, argv, (size_t)(n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET,
                            NULL);
    coroutine_end(st, w, r, call);
    return C4_OK;
}

int
py_co_start(py_state *st, PyObject *func, PyObject *args, enum py_co_kind kind)
{
    py_job *j = PyMem_Calloc(1, sizeof(*j));

    if (!j) {
        PyErr_NoMemory();
        return -1;
    }
    j->func = Py_NewRef(func);
    j->args = Py_NewRef(args);
    j->is_main = kind == PY_CO_MAIN;
    j->bare = kind == PY_CO_BARE;
    if (kind == PY_CO_OTHER)
        j->cause = c4_cause_event(st->pe, C4_EVENT_POST);
    job_push(st, j);
    return 0;
}

int
py_co_run(py_state *st)
{
    py_worker *w;

    st->main_greenlet = (PyObject *)PyGreenlet_GetCurrent();
    st->at_base = true;
    w = st->launch = st->main_greenlet ? worker_new(st) : NULL;
    while (w && !st->ended) {
        st->launch = NULL;
        if (switch_to(st, w->greenlet, NULL))
            return -1;
        w = st->launch;
    }
    return st->ended ? 0 : -1;
}

PyObject *
py_co_names(py_state *st, const py_chare *obj)
{
    PyObject *names = NULL;
    unsigned n = 0;

    for (const py_worker *w = st->all; w; w = w->all_next)
        if (w->busy && w->obj == obj && w->method && ++n == 1)
            names = PyUnicode_FromFormat("coroutine %s.%U", w->method->cls->short_name,
                                         w->method->name);
    for (const py_job *j = st->jobs_head; j && !names; j = j->next)
        if (j->obj == obj && j->method)
            names = PyUnicode_FromFormat("coroutine %s.%U", j->method->cls->short_name,
                                         j->method->name);
    if (n > 1 && names)
        Py_SETREF(names, PyUnicode_FromFormat("%U (and %u more)", names, n - 1));
    return names ? names : PyErr_Occurred() ? NULL : PyUnicode_FromString("a coroutine");
}

/* What a blocked coroutine waits for, as text. */
static PyObject *
waited_for(py_state *st, const py_worker *w)
{
    if (!w->waits_on)
        return PyUnicode_FromString(w->waits_for);
    if (Py_TYPE(w->waits_on) == st->future_type) {
        const py_future *f = (const py_future *)w->waits_on;

        if (f->of)
            return PyUnicode_FromFormat("the end of %s.%U", f->of->cls->short_name, f->of->name);
        if (f->made)
            return PyUnicode_FromFormat("the creation of %s", f->made->short_name);
        return PyUnicode_FromString(w->waits_for);
    }
    if (py_proxy_check(st, w->waits_on)) {
        const py_proxy *p = (const py_proxy *)w->waits_on;
        PyObject *index = py_index_tuple(p->at, p->elem ? p->dims.n : 0), *text = NULL;

        if (index)
            text = PyUnicode_FromFormat("%s %s%R", w->waits_for, p->cls->short_name, index);
        Py_XDECREF(index);
        return text;
    }
    return PyUnicode_FromFormat("%s %R", w->waits_for, w->waits_on);
}

void
py_co_print_waiting(py_state *st)
{
    PyObject *held;

    for (py_worker *w = st->all; w; w = w->all_next) {
        PyObject *what, *r = NULL;

        if (!w->blocked)
            continue;
        what = waited_for(st, w);
        if (what)
            r = PyObject_CallFunction(st->print_waiting, "OzOOO", w->greenlet,
                                      w->method ? w->method->cls->short_name : NULL,
                                      w->method ? w->method->name : Py_None,
                                      w->obj && w->obj->this_index ? w->obj->this_index : Py_None,
                                      what);
        if (!r)
            PyErr_WriteUnraisable(NULL);
        Py_XDECREF(r);
        Py_XDECREF(what);
    }
    held = PyObject_CallNoArgs(st->print_held);
    if (!held)
        PyErr_WriteUnraisable(NULL);
    Py_XDECREF(held);
}
