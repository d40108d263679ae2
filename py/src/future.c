/*
 * future.c - a place for values to come, and coroutines that wait for them.
 *
 * The runtime knows a future by a number and calls py_future_got() with each
 * value; until the last one came, the runtime owns a reference.  A future that
 * was sent away and comes home is the same object again: st->exported maps the
 * numbers of those that were sent to their (borrowed) objects.  Futures of the
 * store (charm4py.ray) are waited for on any PE, so one that was sent is kept.
 */
#include <stddef.h>
#include <string.h>

#include "c4py.h"

enum { FREE_FUTURES = 256 };
#define STORED (UINT64_C(1) << 63)          /* of a number in a message: PEs have 15 bits */

#define FOREVER UINT64_MAX

/* ---- Waiters ---------------------------------------------------------------------- */

int
py_waiters_add(py_waiters *q, py_worker *w)
{
    if (!q->one) {
        q->one = w;
        return 0;
    }
    if (q->nmore == q->cap) {
        uint32_t cap = q->cap ? q->cap * 2 : 4;
        py_worker **more = PyMem_Realloc(q->more, cap * sizeof(py_worker *));

        if (!more) {
            PyErr_NoMemory();
            return -1;
        }
        q->more = more;
        q->cap = cap;
    }
    q->more[q->nmore++] = w;
    return 0;
}

void
py_waiters_remove(py_waiters *q, py_worker *w)
{
    if (q->one == w) {
        q->one = NULL;
        return;
    }
    for (uint32_t i = 0; i < q->nmore; i++)
        if (q->more[i] == w) {
            q->more[i] = q->more[--q->nmore];
            return;
        }
}

/* Waiters take themselves off when they run. */
void
py_waiters_wake(py_state *st, py_waiters *q)
{
    if (q->one)
        py_co_wake(st, q->one);
    for (uint32_t i = 0; i < q->nmore; i++)
        py_co_wake(st, q->more[i]);
}

/* ---- Life ---------------------------------------------------------------------------- */

static py_future *
future_alloc(py_state *st)
{
    py_future *f = st->free_futures;

    if (f) {
        st->free_futures = (py_future *)f->value;
        st->nfree_futures--;
        (void)PyObject_Init((PyObject *)f, st->future_type);
    } else {
        f = PyObject_GC_New(py_future, st->future_type);
        if (!f)
            return NULL;
    }
    memset(&f->st, 0, sizeof(*f) - offsetof(py_future, st));
    f->st = st;
    return f;
}

/* A future of this PE; the runtime holds a reference of its own. */
py_future *
py_future_new(py_state *st, uint32_t nvalues)
{
    py_future *f = future_alloc(st);

    if (!f)
        return NULL;
    f->home = true;
    f->nvalues = nvalues;
    f->id = c4_bind_future(st->pe, nvalues, py_future_got, f);
    if (!f->id) {
        Py_DECREF(f);
        PyErr_NoMemory();
        return NULL;
    }
    Py_INCREF(f);
    return f;
}

static int
future_traverse(PyObject *self, visitproc visit, void *arg)
{
    py_future *f = (py_future *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(f->value);
    Py_VISIT(f->error);
    Py_VISIT(f->error_tb);
    Py_VISIT(f->attrs.dict);
    return 0;
}

static int
future_clear(PyObject *self)
{
    py_future *f = (py_future *)self;

    Py_CLEAR(f->value);
    Py_CLEAR(f->error);
    Py_CLEAR(f->error_tb);
    Py_CLEAR(f->attrs.dict);
    return 0;
}

static void
future_dealloc(PyObject *self)
{
    py_future *f = (py_future *)self;
    py_state *st = f->st;
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    if (f->attrs.weak)
        PyObject_ClearWeakRefs(self);
    if (f->exported && st->exported) {
        PyObject *key = PyLong_FromUnsignedLongLong(f->id);

        if (!key || PyDict_DelItem(st->exported, key))
            PyErr_Clear();
        Py_XDECREF(key);
    }
    (void)future_clear(self);
    Py_XDECREF(f->keeps);
    PyMem_Free(f->waiters.more);
    if (st->nfree_futures < FREE_FUTURES) {
        f->value = (PyObject *)st->free_futures;
        st->free_futures = f;
        st->nfree_futures++;
    } else {
        PyObject_GC_Del(f);
    }
    Py_DECREF(type);
}

/* ---- Values ---------------------------------------------------------------------------- */

/* A future is shown to the garbage collector once it has a value that may lead back to it,
 * as an exception does whose traceback has the frame that called get(). */
static void
watch(py_future *f, PyObject *value)
{
    if (PyObject_IS_GC(value) && !PyObject_GC_IsTracked((PyObject *)f))
        PyObject_GC_Track(f);
}

int
py_future_put(py_future *f, PyObject *value)
{
    watch(f, value);
    if (PyExceptionInstance_Check(value) && !f->results_of_bcast) {
        Py_XSETREF(f->error, Py_NewRef(value));
        Py_XSETREF(f->error_tb, PyException_GetTraceback(value));
    }
    if (f->nvalues == 1) {
        Py_XSETREF(f->value, Py_NewRef(value));
    } else {
        if (!f->value && !(f->value = PyList_New(0)))
            return -1;
        if (PyList_Append(f->value, value))
            return -1;
    }
    if (++f->got >= f->nvalues) {
        f->ready = true;
        f->stamp = ++f->st->stamp;
        if (f->keeps)
            Py_CLEAR(f->keeps);
        py_waiters_wake(f->st, &f->waiters);
    }
    return 0;
}

/* What a value came to: an exception where unpickling it raised one. */
static PyObject *
outcome(py_state *st, PyObject *o)
{
    if (!o && py_reportable())
        o = py_take_exception(st);
    return o;
}

/* The list of a broadcast's results. */
static PyObject *
decode_results(py_state *st, const c4_call *value)
{
    const unsigned char *p = value->data, *end = p + value->len;
    PyObject *list = PyList_New(0);

    while (list && (size_t)(end - p) >= sizeof(c4_result)) {
        c4_result r;
        PyObject *o;

        memcpy(&r, p, sizeof(r));
        p += sizeof(r);
        o = r.len <= (uint64_t)(end - p) ? outcome(st, py_dec_one(st, p, r.len, false)) : NULL;
        if (!o || PyList_Append(list, o))
            Py_CLEAR(list);
        Py_XDECREF(o);
        p += r.len < (uint64_t)(end - p) ? (r.len + 15) & ~(uint64_t)15 : (uint64_t)(end - p);
        if (p > end)
            break;
    }
    return list;
}

/* Who would have sent the value is gone: an error, as outcome() gives them. */
static PyObject *
lost(py_state *st)
{
    PyErr_SetString(st->error, "the element that was called has been destroyed");
    return py_take_exception(st);
}

c4_err
py_future_got(c4_pe *pe, void *arg, const c4_call *value, unsigned flags)
{
    py_state *st = c4_user(pe);
    py_future *f = arg;
    PyObject *o;

    if (value->ref)
        o = Py_NewRef((PyObject *)value->ref);
    else if (flags & C4_VALUE_ERROR && flags & C4_VALUE_EMPTY)
        o = lost(st);
    else if (flags & C4_VALUE_RESULTS)
        o = decode_results(st, value);
    else
        o = outcome(st, py_dec_one(st, value->data, value->len, true));
    if (value->ref)
        Py_DECREF((PyObject *)value->ref);
    if (!o || py_future_put(f, o))
        py_uncaught(st, NULL, NULL);
    Py_XDECREF(o);
    if (f->ready)
        Py_DECREF(f);                       /* the runtime forgets it now */
    return C4_OK;
}

int
py_future_give(py_state *st, c4_future id, PyObject *value)
{
    const struct iovec *iov;
    py_enc *e;
    c4_err err = C4_ENOMEM;
    int niov;

    if (st->by_ref) {
        Py_INCREF(value);
        err = c4_future_send_ref(st->pe, id, value, py_value_binding(), false);
        if (err)
            Py_DECREF(value);
        if (err && err != C4_EREMOTE)
            py_raise(st, err);
        if (err != C4_EREMOTE)
            return err ? -1 : 0;
    }
    e = py_enc_begin(st);
    if (!e)
        return -1;
    if ((PyExceptionInstance_Check(value) ? py_enc_exception(e, value)
         : py_enc_args(e, &value, 1, NULL)) == 0 && (iov = py_enc_iov(e, &niov)) != NULL) {
        err = c4_future_sendv(st->pe, id, iov, niov);
        if (err)
            py_raise(st, err);
    } else {
        err = C4_EUSER;
    }
    py_enc_end(e);
    return err ? -1 : 0;
}

/* ---- Methods ------------------------------------------------------------------------------ */

static int
need_home(const py_future *f)
{
    if (f->home)
        return 0;
    PyErr_SetString(f->st->error, "only coroutines of the PE that created a Future can wait "
                    "for it; a copy on another PE can only send");
    return -1;
}

static c4_err
time_is_over(c4_pe *pe, void *arg)
{
    py_worker *w = arg;

    (void)pe;
    w->timed_out = true;
    py_co_wake(w->st, w);
    return C4_OK;
}

/* timeout_ns: FOREVER, or how long; then it returns although f is not ready. */
static int
wait_for(py_future *f, uint64_t timeout_ns)
{
    py_state *st = f->st;
    py_worker *w = st->cur;
    int r = 0;

    if (f->ready)
        return 0;
    if (need_home(f) || py_need_pe(st) || py_co_check(st) || py_waiters_add(&f->waiters, w))
        return -1;
    w->timed_out = false;
    if (timeout_ns != FOREVER)
        c4_after_at(st->pe, timeout_ns, time_is_over, w, &w->timer_at);
    Py_INCREF(f);
    while (r == 0 && !f->ready && !w->timed_out)
        r = py_co_block(st, "a future", (PyObject *)f);
    py_waiters_remove(&f->waiters, w);
    if (timeout_ns != FOREVER && !w->timed_out)
        c4_after_drop(st->pe, &w->timer_at);
    Py_DECREF(f);
    if (r && w->cancel == PY_CANCEL_IDLE) {
        PyErr_Clear();                      /* the shell goes on without the value */
        r = 0;
    }
    return r;
}

int
py_future_wait(py_future *f)
{
    return wait_for(f, FOREVER);
}

/* The argument of get(): seconds, or None. */
static int
parse_timeout(PyObject *const *args, Py_ssize_t n, PyObject *kwnames, PyObject **timeout,
              uint64_t *ns)
{
    Py_ssize_t nkw = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    double secs;

    *ns = FOREVER;
    *timeout = n + nkw ? args[0] : Py_None;
    if (n + nkw > 1 || (nkw && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0),
                                                                "timeout"))) {
        PyErr_SetString(PyExc_TypeError, "get() takes one argument at most, timeout");
        return -1;
    }
    if (*timeout == Py_None)
        return 0;
    secs = PyFloat_AsDouble(*timeout);
    if (secs == -1 && PyErr_Occurred())
        return -1;
    if (secs != secs) {
        PyErr_SetString(PyExc_ValueError, "timeout is not a number");
        return -1;
    }
    *ns = secs <= 0 ? 0 : secs < 1e9 ? (uint64_t)(secs * 1e9) : FOREVER;
    return 0;
}

/* What get() returns if the wait ended before the values came. */
static PyObject *
no_value(const py_future *f)
{
    PyObject *list;

    if (f->nvalues == 1)
        Py_RETURN_NONE;
    list = PyList_New((Py_ssize_t)f->nvalues);
    for (uint32_t i = 0; list && i < f->nvalues; i++)
        PyList_SET_ITEM(list, (Py_ssize_t)i, Py_NewRef(Py_None));
    return list;
}

static PyObject *
future_get(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    py_future *f = (py_future *)self;
    PyObject *timeout = NULL;
    uint64_t ns = FOREVER;

    if ((n || kwnames) && parse_timeout(args, n, kwnames, &timeout, &ns))
        return NULL;
    if (wait_for(f, ns))
        return NULL;
    if (!f->ready && ns != FOREVER && f->st->cur->timed_out) {
        PyErr_Format(PyExc_TimeoutError, "%R is not ready after %R s", self, timeout);
        return NULL;
    }
    if (!f->ready)
        return no_value(f);
    if (f->error) {                         /* as it came: each get() would make it longer */
        PyException_SetTraceback(f->error, f->error_tb ? f->error_tb : Py_None);
        PyErr_SetObject((PyObject *)Py_TYPE(f->error), f->error);
        return NULL;
    }
    return Py_NewRef(f->value ? f->value : Py_None);
}

static PyObject *
future_wait_ready(PyObject *self, PyObject *unused)
{
    (void)unused;
    return py_future_wait((py_future *)self) ? NULL : Py_NewRef(Py_None);
}

/* From another thread than the PE's: queued, and the PE is woken. */
static PyObject *
send_from_thread(py_future *f, PyObject *value)
{
    py_state *st = f->st;
    py_enc *e = py_enc_begin(st);
    unsigned char *flat = NULL;
    c4_err err = C4_ENOMEM;

    if (!e)
        return NULL;
    if (py_enc_args(e, &value, 1, NULL)) {
        py_enc_end(e);
        return NULL;
    }
    flat = PyMem_Malloc(py_enc_size(e));
    if (flat) {
        py_enc_copy(e, flat);
        err = c4_future_post(st->pe, f->id, flat, py_enc_size(e));
    }
    PyMem_Free(flat);
    py_enc_end(e);
    if (err) {
        PyErr_SetString(st->error, c4_strerror(err));
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
send_value(py_future *f, PyObject *value)
{
    py_state *st = f->st;
    uint64_t stamp;
    int r;

    if (st->pe && PyThreadState_GetUnchecked() != st->ts)
        return send_from_thread(f, value);
    if (py_need_pe(st))
        return NULL;
    stamp = c4_send_begin(st->pe);
    r = py_future_give(st, f->id, value);
    if (stamp)
        c4_send_end(st->pe, stamp);
    return r ? NULL : Py_NewRef(Py_None);
}

static PyObject *
future_send(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    if (n > 1) {
        PyErr_SetString(PyExc_TypeError, "send() takes at most 1 argument");
        return NULL;
    }
    return send_value((py_future *)self, n ? args[0] : Py_None);
}

static PyObject *
future_call(PyObject *self, PyObject *args, PyObject *kw)
{
    static char *names[] = { "value", NULL };
    PyObject *value = Py_None;

    if (!PyArg_ParseTupleAndKeywords(args, kw, "|O", names, &value))
        return NULL;
    return send_value((py_future *)self, value);
}

static PyObject *
future_is_ready(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(((py_future *)self)->ready);
}

static PyObject *
future_fid(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(((py_future *)self)->id);
}

static PyObject *
future_get_store(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((py_future *)self)->stored);
}

static int
future_set_store(PyObject *self, PyObject *value, void *unused)
{
    int yes = value ? PyObject_IsTrue(value) : 0;

    (void)unused;
    if (yes >= 0)
        ((py_future *)self)->stored = yes;
    return yes < 0 ? -1 : 0;
}

/* _keep(o): o lives at least until the values came. */
static PyObject *
future_keep(PyObject *self, PyObject *o)
{
    py_future *f = (py_future *)self;

    if (!f->ready)
        Py_XSETREF(f->keeps, Py_NewRef(o));
    Py_RETURN_NONE;
}

static PyObject *
future_richcompare(PyObject *a, PyObject *b, int op)
{
    if ((op != Py_EQ && op != Py_NE) || Py_TYPE(a) != Py_TYPE(b))
        Py_RETURN_NOTIMPLEMENTED;
    return PyBool_FromLong((((py_future *)a)->id == ((py_future *)b)->id) == (op == Py_EQ));
}

static Py_hash_t
future_hash(PyObject *self)
{
    Py_hash_t h = (Py_hash_t)(((py_future *)self)->id * 0x9e3779b97f4a7c15u >> 1);

    return h == -1 ? -2 : h;
}

static PyObject *
future_repr(PyObject *self)
{
    py_future *f = (py_future *)self;

    return PyUnicode_FromFormat("<Future fid=%llu %u of %u values%s>", (unsigned long long)f->id,
                                f->got, f->nvalues, f->home ? "" : ", of another PE");
}

/* f will be in a message: who gets it at home gets f.  The number to send, 0: error. */
static uint64_t
export_future(py_future *f)
{
    PyObject *dict = f->st->exported;

    if (f->home && !f->exported && (!f->ready || f->stored)) {
        PyObject *key = PyLong_FromUnsignedLongLong(f->id), *where = PyLong_FromVoidPtr(f);
        int r = key && where ? PyDict_SetItem(dict, key, where) : -1;

        Py_XDECREF(key);
        Py_XDECREF(where);
        if (r)
            return 0;
        f->exported = true;
        if (f->stored)
            Py_INCREF(f);
    }
    return f->stored ? f->id | STORED : f->id;
}

static PyObject *
future_reduce(PyObject *self, PyObject *unused)
{
    py_future *f = (py_future *)self;
    PyObject *load = PyObject_GetAttrString(f->st->mod, "_future"), *r = NULL;
    uint64_t number = load ? export_future(f) : 0;

    (void)unused;
    if (number)
        r = Py_BuildValue("(O(K))", load, (unsigned long long)number);
    Py_XDECREF(load);
    return r;
}

static PyObject *
future_py_new(PyTypeObject *type, PyObject *args, PyObject *kw)
{
    static char *names[] = { "num_vals", "store", NULL };
    py_state *st = py_state_of_type(type);
    int nvalues = 1, store = 0;
    py_future *f;

    if (!PyArg_ParseTupleAndKeywords(args, kw, "|ip", names, &nvalues, &store))
        return NULL;
    if (py_need_pe(st) || py_co_check(st))
        return NULL;
    if (nvalues < 1) {
        PyErr_SetString(PyExc_ValueError, "a Future needs at least one value");
        return NULL;
    }
    f = py_future_new(st, (uint32_t)nvalues);
    if (f)
        f->stored = store != 0;
    return (PyObject *)f;
}

/* ---- Futures in messages --------------------------------------------------------------------- */

int
py_future_encode(py_enc *e, py_future *f)
{
    uint64_t number = export_future(f);

    return number ? py_enc_raw(e, &number, sizeof(number)) : -1;
}

static PyObject *
future_of(py_state *st, uint64_t number)
{
    c4_future id = number & ~STORED;
    PyObject *key = PyLong_FromUnsignedLongLong(id), *where;
    py_future *f;

    if (!key)
        return NULL;
    where = PyDict_GetItemWithError(st->exported, key);
    Py_DECREF(key);
    if (where)
        return Py_NewRef((PyObject *)PyLong_AsVoidPtr(where));
    f = future_alloc(st);
    if (f) {
        f->id = id;
        f->nvalues = 1;
        f->stored = (number & STORED) != 0;
    }
    return (PyObject *)f;
}

PyObject *
py_future_decode(py_dec *d)
{
    uint64_t number;

    return py_dec_take(d, &number, sizeof(number)) ? NULL : future_of(d->st, number);
}

static PyObject *
future_from_id(PyObject *mod, PyObject *arg)
{
    unsigned long long number = PyLong_AsUnsignedLongLong(arg);

    return PyErr_Occurred() ? NULL : future_of(PyModule_GetState(mod), number);
}

static PyMethodDef future_functions[] = {
    { "_future", future_from_id, METH_O, "The future with this number." },
    { NULL, NULL, 0, NULL }
};

PyDoc_STRVAR(future_doc,
"Future(num_vals=1, store=False)\n--\n\n"
"A place for a value, or for num_vals values, that will be sent later.\n\n"
"Made by a coroutine (NotThreadedError elsewhere).  It can be passed to any chare as an\n"
"argument, and is a callback of reductions and of charm.startQD().  Whoever has it may\n"
"send to it, also by calling it: f(value).  The values come to the PE that made it, and\n"
"get() works there only.  store=True is for charm4py.ray.\n\n"
"ValueError if num_vals is less than 1.  A value too many ends the job with an error.");

PyDoc_STRVAR(get_doc,
"get($self, /, timeout=None)\n--\n\n"
"The value, or the list of the num_vals values in the order in which they came.\n\n"
"Suspends the coroutine until all are there; later calls return the same at once.\n"
"With a timeout, in seconds, TimeoutError if they have not come by then: the future is as\n"
"good as before, and get() may be called again.\n"
"If an exception was sent (a called method failed, say), it is raised here, with the\n"
"traceback of where it came from as exc.remote_stacktrace == (PE, text).\n"
"NotThreadedError outside of a coroutine.");

PyDoc_STRVAR(send_doc,
"send($self, value=None, /)\n--\n\n"
"Sends a value; from any PE, in any method, also from another thread.  Does not wait.");

PyDoc_STRVAR(ready_doc,
"ready($self, /)\n--\n\n"
"True if all values are there, so that get() would return at once.");

PyDoc_STRVAR(wait_ready_doc,
"waitReady($self, /)\n--\n\n"
"Suspends the coroutine until all values are there; returns and raises none of them.");

PyDoc_STRVAR(class_getitem_doc,
"__class_getitem__($type, item, /)\n--\n\n"
"Future[int], say, is a type for annotations.");

static PyMethodDef future_methods[] = {
    { "get", (PyCFunction)(void (*)(void))future_get, METH_FASTCALL | METH_KEYWORDS, get_doc },
    { "send", (PyCFunction)(void (*)(void))future_send, METH_FASTCALL, send_doc },
    { "ready", future_is_ready, METH_NOARGS, ready_doc },
    { "waitReady", future_wait_ready, METH_NOARGS, wait_ready_doc },
    { "_keep", future_keep, METH_O, NULL },
    { "__reduce__", future_reduce, METH_NOARGS, NULL },
    { "__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, class_getitem_doc },
    { NULL, NULL, 0, NULL }
};

static PyGetSetDef future_getset[] = {
    { "store", future_get_store, future_set_store, "Is it of the store of charm4py.ray?", NULL },
    { "fid", future_fid, NULL, "A number that names the future in the whole job.", NULL },
    PY_ATTRS_GETSET,
    { NULL, NULL, NULL, NULL, NULL }
};

static PyMemberDef future_members[] = {
    PY_ATTRS_MEMBERS(py_future),
    { NULL, 0, 0, 0, NULL }
};

static PyType_Slot future_slots[] = {
    { Py_tp_setattro, py_attrs_set },
    { Py_tp_members, future_members },
    { Py_tp_dealloc, future_dealloc },
    { Py_tp_traverse, future_traverse },
    { Py_tp_clear, future_clear },
    { Py_tp_new, future_py_new },
    { Py_tp_call, future_call },
    { Py_tp_repr, future_repr },
    { Py_tp_richcompare, future_richcompare },
    { Py_tp_hash, future_hash },
    { Py_tp_methods, future_methods },
    { Py_tp_getset, future_getset },
    { Py_tp_doc, (char *)future_doc },
    { 0, NULL }
};

static PyType_Spec future_spec = {
    .name = "charm4py.threads.Future", .basicsize = sizeof(py_future), .slots = future_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
};

int
py_future_init_type(PyObject *mod, py_state *st)
{
    st->future_type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, &future_spec, NULL);
    if (!st->future_type || PyModule_AddFunctions(mod, future_functions))
        return -1;
    return PyModule_AddObjectRef(mod, "Future", (PyObject *)st->future_type);
}
