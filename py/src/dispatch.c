/*
 * dispatch.c - from a message to the user's method and back.
 *
 * No Python frame stands between the runtime's loop and the method: arguments
 * are decoded onto the C stack and the function is called by vectorcall.
 * Arguments of a call by reference and of a broadcast are a tuple, which the
 * elements of a PE share.
 */
#include <string.h>

#include "c4py.h"

/* Arguments of a call.  slot[0] is free for the callee (vectorcall's offset),
 * slot[1] for self, then n arguments, owned unless a tuple owns them. */
typedef struct arguments {
    PyObject  *slot[2 + PY_MAX_FAST_ARGS];
    PyObject **argv;                        /* &slot[1], or on the heap */
    PyObject **heap;
    PyObject  *tuple;                       /* owner, or NULL */
    Py_ssize_t n;
} arguments;

static int
arguments_from_tuple(arguments *a, PyObject *tuple)
{
    a->tuple = tuple;
    a->n = PyTuple_GET_SIZE(tuple);
    a->argv = a->slot + 1;
    if (a->n > PY_MAX_FAST_ARGS) {
        a->heap = PyMem_Malloc((size_t)(a->n + 2) * sizeof(*a->heap));
        if (!a->heap) {
            PyErr_NoMemory();
            return -1;
        }
        a->argv = a->heap + 1;
    }
    for (Py_ssize_t i = 0; i < a->n; i++)
        a->argv[i + 1] = PyTuple_GET_ITEM(tuple, i);
    return 0;
}

static int
arguments_decode(arguments *a, py_state *st, const c4_call *call, bool may_keep)
{
    py_dec d;
    int r = -1;

    py_dec_init(&d, st, call->data, call->len, may_keep);
    a->n = py_dec_count(&d);
    if (a->n > PY_MAX_FAST_ARGS) {
        PyObject *t;

        py_dec_release(&d);
        t = py_dec_tuple(st, call->data, call->len, may_keep);
        return t ? arguments_from_tuple(a, t) : -1;
    }
    a->argv = a->slot + 1;
    if (a->n >= 0)
        r = py_dec_args(&d, a->argv + 1, a->n);
    if (r)
        a->n = 0;
    py_dec_release(&d);
    return r;
}

static void
arguments_release(arguments *a)
{
    if (a->tuple)
        Py_DECREF(a->tuple);
    else
        for (Py_ssize_t i = 0; i < a->n; i++)
            Py_DECREF(a->argv[i + 1]);
    PyMem_Free(a->heap);
}

/* The default of parameter i, or NULL with an exception; borrowed. */
static PyObject *
default_of(const py_method *m, Py_ssize_t i)
{
    Py_ssize_t first = PyTuple_GET_SIZE(m->params);

    if (m->defaults)
        first -= PyTuple_GET_SIZE(m->defaults);
    if (m->defaults && i >= first)
        return PyTuple_GET_ITEM(m->defaults, i - first);
    PyErr_Format(PyExc_TypeError, "%s.%U() has no value for parameter %R", m->cls->short_name,
                 m->name, PyTuple_GET_ITEM(m->params, i));
    return NULL;
}

/* How far the arguments reach that are in rest, or n. */
static Py_ssize_t
last_placed(const py_method *m, PyObject *rest, Py_ssize_t n)
{
    Py_ssize_t i = m->params ? PyTuple_GET_SIZE(m->params) : 0;

    while (i > n && !PyDict_GetItem(rest, PyTuple_GET_ITEM(m->params, i - 1)))
        i--;
    return i > n ? i : n;
}

/* A call by keywords: the last argument is a dict of them.  Those of parameters with a
 * place go there, with defaults between them; what remains stays as the last argument. */
static __attribute__((noinline)) int
arguments_place(arguments *a, const py_method *m)
{
    PyObject *rest = PyDict_Copy(a->argv[a->n]), *t, *others = NULL;
    Py_ssize_t n = a->n - 1, all = rest ? last_placed(m, rest, n) : 0;

    t = rest ? PyTuple_New(all) : NULL;
    for (Py_ssize_t i = 0; t && i < all; i++) {
        PyObject *v = i < n ? a->argv[i + 1] : PyDict_GetItem(rest, PyTuple_GET_ITEM(m->params, i));

        if (i >= n && v)
            Py_INCREF(v), PyDict_DelItem(rest, PyTuple_GET_ITEM(m->params, i));
        else if ((v = v ? v : default_of(m, i)) != NULL)
            Py_INCREF(v);
        else
            Py_CLEAR(t);
        if (t)
            PyTuple_SET_ITEM(t, i, v);
    }
    if (t && PyDict_GET_SIZE(rest)) {
        others = PyObject_CallOneArg((PyObject *)m->cls->st->keywords_type, rest);
        if (!others || _PyTuple_Resize(&t, all + 1))
            Py_CLEAR(t);
        else
            PyTuple_SET_ITEM(t, all, Py_NewRef(others));
        Py_XDECREF(others);
    }
    Py_XDECREF(rest);
    if (!t)
        return -1;
    arguments_release(a);
    a->heap = NULL;
    return arguments_from_tuple(a, t);
}

/* share: elements may share the arguments; constructors have their own copies,
 * also of the message's memory. */
static int
arguments_get(arguments *a, py_state *st, c4_call *call, bool share)
{
    PyObject *t;

    a->heap = NULL;
    a->tuple = NULL;
    a->n = 0;
    if (call->ref) {
        t = call->ref;
        call->ref = NULL;
        if (arguments_from_tuple(a, t))
            return -1;
        return st->checks ? py_check_delivered(st, t) : 0;
    }
    if (!share || !call->cache)
        return arguments_decode(a, st, call, share);
    if (!*call->cache)
        *call->cache = py_dec_tuple(st, call->data, call->len, true);
    t = *call->cache;
    return t ? arguments_from_tuple(a, Py_NewRef(t)) : -1;
}

/* ---- Results ------------------------------------------------------------------- */

static const c4_binding value_binding;

/* A result to a future of this PE goes by reference. */
static bool
reply_here(py_state *st, const c4_done *done, PyObject *value)
{
    if (!done->future || done->bcast || !st->by_ref)
        return false;
    Py_INCREF(value);
    if (c4_future_send_ref(st->pe, done->future, value, &value_binding, true) == C4_OK)
        return true;
    Py_DECREF(value);
    return false;
}

static void
reply(py_state *st, const py_method *m, c4_call *call, const c4_done *done, PyObject *value,
      bool is_error)
{
    py_enc_what what = { m ? m->cls->short_name : NULL, m ? PyUnicode_AsUTF8(m->name) : NULL, true };
    py_enc *e;
    const struct iovec *iov;
    int niov;

    if (reply_here(st, done, value))
        return;
    e = py_enc_begin(st);
    if (!e)
        return;
    if (is_error ? py_enc_exception(e, value) : py_enc_args(e, &value, 1, &what)) {
        PyObject *exc = py_take_exception(st);

        e->len = 0;                         /* nothing of the value is kept */
        py_enc_end(e);
        e = py_enc_begin(st);
        is_error = true;
        if (!exc || py_enc_exception(e, exc))
            PyErr_Clear();
        Py_XDECREF(exc);
    }
    iov = py_enc_iov(e, &niov);
    if (call)
        c4_replyv(st->pe, iov, niov, is_error);
    else
        c4_finish(st->pe, done, iov, niov, is_error);
    py_enc_end(e);
}

/* May the caller of this method see its exceptions? */
static bool
reports(const py_method *m, const c4_done *done)
{
    return done->want && m && m->entry < C4_ENTRY_CREATE && py_reportable();
}

/* Who waits for the method is told that it has ended, and its result if it can have one. */
static void
answer(py_state *st, const py_method *m, c4_call *call, const c4_done *done, PyObject *result)
{
    if (!done->want)
        return;
    if (m && m->entry < C4_ENTRY_CREATE)
        reply(st, m, call, done, result, false);
    else if (call)
        c4_replyv(st->pe, NULL, 0, false);
    else
        c4_finish(st->pe, done, NULL, 0, false);
}

void
py_finish(py_state *st, py_method *m, py_chare *obj, c4_call *call, const c4_done *done,
          PyObject *result)
{
    const c4_done *who = call ? &call->done : done;
    PyObject *exc;

    if (!st->pe)
        py_child_returns(st, result);
    if (!result) {
        if (!reports(m, who)) {
            if (py_uncaught(st, m, obj))    /* a shell's job goes on, and so does who waits */
                answer(st, m, call, who, Py_None);
        } else if ((exc = py_take_exception(st)) != NULL) {
            reply(st, m, call, who, exc, true);
            Py_DECREF(exc);
        }
    } else {
        answer(st, m, call, who, result);
    }
    Py_XDECREF(result);
    if (obj && (obj->waiting || obj->wait_first) && st->flush_waiting &&
        py_flush_waiting(st, obj))
        py_uncaught(st, m, obj);
}

/* ---- Entry methods ---------------------------------------------------------------- */

static bool
one_argument(const arguments *a, const char *name)
{
    if (a->n != 1)
        PyErr_Format(PyExc_TypeError, "%s() takes 1 argument", name);
    return a->n == 1;
}

/* Entries that the runtime itself carries out. */
static PyObject *
run_action(py_state *st, py_method *m, py_chare *obj, arguments *a)
{
    c4_err err = C4_OK;
    int r = 0;

    switch ((enum py_action)m->action) {
    case PY_DO_MIGRATE:
        r = one_argument(a, "migrate") ? py_migrate(st, obj, a->argv[1]) : -1;
        break;
    case PY_DO_SET_MIGRATABLE:
        r = one_argument(a, "setMigratable") ? PyObject_IsTrue(a->argv[1]) : -1;
        if (r >= 0)
            err = c4_set_migratable_for(st->pe, obj->who, r != 0);
        r = r < 0 ? -1 : 0;
        break;
    case PY_DO_DESTROY:
        err = c4_destroy_for(st->pe, obj->who);
        break;
    case PY_DO_CHANNEL:
        r = py_channel_deliver(st, obj, a->argv + 1, a->n);
        break;
    case PY_DO_DEPOSIT:
        r = py_reducer_deposit(st, obj, a->argv + 1, a->n);
        break;
    default:
        break;
    }
    if (err)
        py_raise(st, err);
    return r || err ? NULL : Py_NewRef(Py_None);
}

static c4_err
run_method(py_state *st, py_method *m, py_chare *obj, c4_call *call, bool share)
{
    arguments a;
    PyObject *r;
    py_method *outer = st->running;
    c4_err err = C4_OK;
    int now = 1;

    if (m->action == PY_DO_POOL)
        return py_pool_message(st, call);
    st->running = m;
    if (arguments_get(&a, st, call, share) ||
        (a.n && Py_TYPE(a.argv[a.n]) == st->keywords_type && arguments_place(&a, m))) {
        py_finish(st, m, obj, call, NULL, NULL);
        arguments_release(&a);
        st->running = outer;
        return C4_OK;
    }
    if (m->when)
        now = py_when_admit(st, m, obj, call, a.argv + 1, a.n);
    if (now < 0) {
        py_uncaught(st, m, obj);
    } else if (now && m->coro) {
        err = py_co_call(st, m, obj, call, a.argv, a.n);
    } else if (now) {
        if (m->action == PY_DO_CALL) {
            a.argv[0] = (PyObject *)obj;
            c4_user_begin(st->pe);
            r = PyObject_Vectorcall(m->func, a.argv,
                                    (size_t)(a.n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        } else {
            r = run_action(st, m, obj, &a);
        }
        if (r && !call->done.want && !obj->waiting && !obj->wait_first && st->pe)
            Py_DECREF(r);
        else
            py_finish(st, m, obj, call, NULL, r);
    }
    arguments_release(&a);
    st->running = outer;
    return err;
}

static PyObject *
own_proxy(py_state *st, py_class *cls, c4_chare who, const c4_coll_info *info,
          enum py_kind *kind)
{
    py_proxy *p;
    c4_index none = c4_dims(0);

    *kind = info->kind == C4_KIND_GROUP ? PY_KIND_GROUP
          : info->kind == C4_KIND_ARRAY ? PY_KIND_ARRAY
          : cls->is_main ? PY_KIND_MAIN : PY_KIND_SINGLE;
    if (*kind == PY_KIND_GROUP || *kind == PY_KIND_ARRAY)
        return py_proxy_of_coll(st, who.coll, NULL);
    p = py_proxy_new(cls, *kind, who.coll, &none);
    if (p) {
        p->elem = true;
        p->key = who.idx;
    }
    return (PyObject *)p;
}

/* The Python object of a new or arriving element. */
static py_chare *
make_object(py_state *st, c4_chare who)
{
    c4_coll_info info;
    c4_index index;
    enum py_kind kind;
    py_class *cls;
    PyObject *proxy;
    py_chare *obj;
    c4_err err = c4_coll_lookup(st->pe, who.coll, &info);

    if (err) {
        py_raise(st, err);
        return NULL;
    }
    cls = (py_class *)(uintptr_t)info.type;
    proxy = own_proxy(st, cls, who, &info, &kind);
    if (!proxy)
        return NULL;
    cls->used |= (uint8_t)(1 << kind);
    index = c4_index_of(st->pe, who);
    obj = py_chare_alloc(cls, who, kind, &index, proxy);
    Py_DECREF(proxy);
    return obj;
}

static c4_err
construct(py_state *st, py_self *s, c4_call *call)
{
    s->obj = make_object(st, c4_self(st->pe));
    if (!s->obj) {
        py_uncaught(st, NULL, NULL);
        return C4_OK;
    }
    /* each element has its own copy of the arguments */
    return run_method(st, s->obj->cls->init, s->obj, call, false);
}

static py_method *
find_method(py_class *cls, unsigned entry)
{
    if (entry < cls->nmethods)
        return cls->methods[entry];
    if (entry == C4_ENTRY_MIGRATED)
        return cls->migrated;
    return entry == C4_ENTRY_RESUME ? cls->resume : NULL;
}

static c4_err
invoke(c4_pe *pe, void *self, unsigned entry, c4_call *call)
{
    py_state *st = c4_user(pe);
    py_self *s = self;
    py_method *m;

    if (entry == C4_ENTRY_CREATE)
        return construct(st, s, call);
    if (!s->obj)
        return C4_OK;                       /* its constructor failed: the job ends */
    m = find_method(s->obj->cls, entry);
    if (!m) {
        PyErr_Format(PyExc_AttributeError, entry == C4_ENTRY_RESUME
                     ? "'%s' object has no attribute 'resumeFromSync': AtSync() was called, so the "
                       "class must define 'resumeFromSync(self)'"
                     : "'%s' object has no attribute 'entry method'", s->obj->cls->short_name);
        py_uncaught(st, NULL, s->obj);
        return C4_OK;
    }
    return run_method(st, m, s->obj, call, true);
}

/* Runs a stored message as if it came now. */
void
py_run_stored(py_state *st, py_method *m, py_chare *obj, PyObject *args, const py_stored *stored)
{
    py_method *outer = st->running;
    c4_call call = { .ref = NULL, .done = stored->done };
    c4_context saved;
    arguments a = { .heap = NULL };
    PyObject *r;

    if (arguments_from_tuple(&a, Py_NewRef(args)) ||
        (!m->coro && c4_context_enter(st->pe, obj->who, m->entry, &stored->cause, &saved))) {
        py_uncaught(st, m, obj);
        return;
    }
    if (m->coro) {
        py_co_queue(st, m, obj, &call, &stored->cause, a.argv + 1, a.n);
    } else {
        st->running = m;
        a.argv[0] = (PyObject *)obj;
        c4_user_begin(st->pe);
        r = PyObject_Vectorcall(m->func, a.argv,
                                (size_t)(a.n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        py_finish(st, m, obj, NULL, &call.done, r);
        st->running = outer;
        c4_context_leave(st->pe, &saved);
    }
    arguments_release(&a);
    if (call.done.want)
        c4_unhold(st->pe, obj->who);
}

/* ---- +checkLocal ----------------------------------------------------------------------- */

int
py_check_sent(py_state *st, const py_method *m, PyObject *args)
{
    PyObject *key = PyLong_FromVoidPtr(args);
    PyObject *record = key ? PyObject_CallFunction(st->check_sent, "OsO", args,
                                                   m->cls->short_name, m->name) : NULL;
    int r = record ? PyDict_SetItem(st->checks, key, record) : -1;

    Py_XDECREF(key);
    Py_XDECREF(record);
    return r;
}

/* What was remembered, new reference, or NULL without an exception. */
static PyObject *
check_take(py_state *st, PyObject *args)
{
    PyObject *key = PyLong_FromVoidPtr(args), *record;

    record = key ? Py_XNewRef(PyDict_GetItemWithError(st->checks, key)) : NULL;
    if (record && PyDict_DelItem(st->checks, key))
        Py_CLEAR(record);
    Py_XDECREF(key);
    return record;
}

int
py_check_delivered(py_state *st, PyObject *args)
{
    PyObject *record = check_take(st, args), *r = NULL;

    if (record)
        r = PyObject_CallFunctionObjArgs(st->check_delivered, args, record, NULL);
    Py_XDECREF(record);
    Py_XDECREF(r);
    return PyErr_Occurred() ? -1 : 0;
}

void
py_check_forget(py_state *st, PyObject *args)
{
    Py_XDECREF(check_take(st, args));
}

/* ---- References ------------------------------------------------------------------------ */

static void
ref_free(c4_pe *pe, void *ref)
{
    py_state *st = c4_user(pe);

    if (st && st->checks)
        py_check_forget(st, ref);
    Py_DECREF((PyObject *)ref);
}

static c4_err
encode_to(py_state *st, PyObject *const *args, Py_ssize_t n, c4_buf *out)
{
    py_enc *e = py_enc_begin(st);
    const struct iovec *iov;
    c4_err err = C4_EUSER;
    int niov;

    if (e && py_enc_args(e, args, n, NULL) == 0 && (iov = py_enc_iov(e, &niov)) != NULL) {
        err = C4_OK;
        for (int i = 0; i < niov && !err; i++)
            err = c4_buf_add(out, iov[i].iov_base, iov[i].iov_len);
    }
    if (e)
        py_enc_end(e);
    if (err == C4_EUSER)
        py_uncaught(st, st->running, NULL);
    return err;
}

static c4_err
ref_encode(c4_pe *pe, void *ref, c4_buf *out)
{
    py_state *st = c4_user(pe);
    PyObject *t = ref;

    if (st->checks && py_check_delivered(st, t))
        py_uncaught(st, st->running, NULL);
    return encode_to(st, &PyTuple_GET_ITEM(t, 0), PyTuple_GET_SIZE(t), out);
}

static c4_err
value_encode(c4_pe *pe, void *ref, c4_buf *out)
{
    PyObject *o = ref;

    return encode_to(c4_user(pe), &o, 1, out);
}

const c4_binding py_binding = {
    .invoke = invoke, .ref_free = ref_free, .ref_encode = ref_encode, .cache_free = ref_free,
};

static const c4_binding value_binding = {
    .invoke = invoke, .ref_free = ref_free, .ref_encode = value_encode, .cache_free = ref_free,
};

const c4_binding *
py_value_binding(void)
{
    return &value_binding;
}

/* ---- Migration --------------------------------------------------------------------------- */

/* (state, channels, deposits, waiting) */
static PyObject *
get_state(py_state *st, py_chare *obj)
{
    PyObject *state, *channels, *waiting, *r = NULL;

    state = obj->cls->custom_state ? PyObject_CallOneArg(st->get_state, (PyObject *)obj)
                                   : PyObject_GenericGetDict((PyObject *)obj, NULL);
    channels = state ? py_channels_state(obj) : NULL;
    waiting = channels ? py_when_state(obj) : NULL;
    if (waiting)
        r = PyTuple_Pack(4, state, channels, obj->deposits ? obj->deposits : Py_None, waiting);
    Py_XDECREF(state);
    Py_XDECREF(channels);
    Py_XDECREF(waiting);
    return r;
}

static int
set_state(py_state *st, py_chare *obj, PyObject *t)
{
    PyObject *state, *r;

    if (!PyTuple_Check(t) || PyTuple_GET_SIZE(t) != 4) {
        PyErr_SetString(PyExc_ValueError, "charm4py: malformed state of a chare");
        return -1;
    }
    state = PyTuple_GET_ITEM(t, 0);
    if (obj->cls->custom_state) {
        r = PyObject_CallFunctionObjArgs(st->set_state, obj, state, NULL);
        Py_XDECREF(r);
        if (!r)
            return -1;
    } else if (PyObject_GenericSetDict((PyObject *)obj, state, NULL)) {
        return -1;
    }
    if (PyTuple_GET_ITEM(t, 2) != Py_None)
        obj->deposits = Py_NewRef(PyTuple_GET_ITEM(t, 2));
    if (py_when_restore(obj, PyTuple_GET_ITEM(t, 3)))
        return -1;
    return py_channels_restore(obj, PyTuple_GET_ITEM(t, 1));
}

typedef struct packed_head {
    uint64_t nbytes;                        /* of all, this head included */
    uint64_t key;
    uint32_t coll;
    uint32_t pad;
} packed_head;

static int
pack(py_state *st, py_self *s)
{
    packed_head h = { 0, s->obj->who.idx, s->obj->who.coll, 0 };
    PyObject *state = get_state(st, s->obj);
    py_enc_what what = { s->obj->cls->short_name, "(state of a migrating chare)", false };
    py_enc *e = state ? py_enc_begin(st) : NULL;
    int r = -1;

    if (e && py_enc_raw(e, &h, sizeof(h)) == 0 && py_enc_args(e, &state, 1, &what) == 0) {
        h.nbytes = py_enc_size(e);
        memcpy(e->buf, &h, sizeof(h));
        s->packed = e;
        r = 0;
    } else if (e) {
        py_enc_end(e);
    }
    Py_XDECREF(state);
    return r;
}

static void
unpack(py_state *st, c4_pup *p, py_self *s)
{
    const unsigned char *base = p->buf + p->off;
    packed_head h;
    PyObject *state = NULL;
    py_dec d;

    memset(&h, 0, sizeof(h));
    c4_pup_raw(p, &h, sizeof(h));
    if (p->failed || h.nbytes < sizeof(h) || h.nbytes - sizeof(h) > p->size - p->off) {
        p->failed = true;
        return;
    }
    p->off += h.nbytes - sizeof(h);
    py_dec_init(&d, st, base, h.nbytes, true);   /* large arrays stay where they arrived */
    d.p += sizeof(h);
    s->obj = make_object(st, (c4_chare){ h.key, h.coll });
    if (!s->obj || py_dec_count(&d) != 1 || py_dec_args(&d, &state, 1) ||
        set_state(st, s->obj, state)) {
        py_uncaught(st, NULL, s->obj);      /* the user's error, not a malformed message */
        Py_CLEAR(s->obj);
    }
    Py_XDECREF(state);
    py_dec_release(&d);
}

void
py_pup(c4_pup *p, void *self)
{
    py_state *st = c4_user(p->pe);
    py_self *s = self;
    const struct iovec *iov;
    int niov;

    if (p->mode == C4_PUP_UNPACK) {
        unpack(st, p, s);
        return;
    }
    if (!s->obj) {
        p->failed = true;
        return;
    }
    if (!s->packed && pack(st, s)) {
        py_uncaught(st, NULL, s->obj);
        p->failed = true;
        if (c4_stopping(st->pe)) {          /* the element can neither go nor stay */
            while (c4_step(st->pe, true))
                ;
            py_co_leave(st);
        }
        return;
    }
    iov = py_enc_iov(s->packed, &niov);
    for (int i = 0; i < niov; i++)
        c4_pup_raw(p, iov[i].iov_base, iov[i].iov_len);
    if (p->mode == C4_PUP_PACK) {
        py_enc_end(s->packed);
        s->packed = NULL;
    }
}

void
py_destroy(c4_pe *pe, void *self)
{
    py_self *s = self;

    (void)pe;
    if (s->packed)
        py_enc_end(s->packed);
    s->packed = NULL;
    if (s->obj)
        s->obj->cls = NULL;                 /* who still holds it has no chare any more */
    Py_CLEAR(s->obj);
}

uint32_t
py_proc_num(c4_pe *pe, void *self, const c4_index *index)
{
    py_state *st = c4_user(pe);
    py_self *s = self;
    PyObject *t, *r = NULL;
    long n = 0;

    if (!s || !s->obj)
        return 0;
    t = py_index_tuple(index->at, index->n);
    if (t)
        r = PyObject_CallMethod((PyObject *)s->obj, "procNum", "(O)", t);
    if (r) {
        n = PyLong_AsLong(r);
        if (PyErr_Occurred() || n < 0 || n >= (long)c4_npes(pe)) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "%s.procNum(%R) returned %R: not a PE",
                         s->obj->cls->short_name, t, r);
        }
        Py_DECREF(r);
    }
    Py_XDECREF(t);
    if (PyErr_Occurred()) {
        py_uncaught(st, NULL, s->obj);
        return 0;
    }
    return (uint32_t)n;
}
