/*
 * codec.c - Python values to bytes and back.
 *
 * A payload is a count of values, then one value after the other, then, if
 * some of them had to be pickled, one pickle of all of these together (so that
 * what they share stays shared).  Common values are a tag and their bytes.
 * Multi-byte numbers are little-endian and unaligned, except the memory of
 * large arrays, which begins at a multiple of 16 of the payload and is not
 * copied into the encoder but sent from where it is.
 *
 * Values come back equal and of the same type.  A value that is cyclic, deeply
 * nested, of a subclass or of any other class is pickled (protocol 5 with buffers
 * out of band).  If the same mutable object, or large bytes, is met twice in the
 * values of a payload, or may be in a pickled one and in another, then all but
 * the plain ones are pickled together, so that it is one object there, too.
 *
 * Cost: an int argument is 3 to 10 bytes and about 15 ns; no allocation for
 * payloads below PY_ENC_SMALL.
 */
#include <string.h>

#include "c4py.h"

/* From Python 3.13 on the caller says whether a value too big is an exception. */
#if PY_VERSION_HEX >= 0x030d0000
#define PY_LONG_THROW , 1
#else
#define PY_LONG_THROW
#endif

enum tag {
    V_NONE, V_TRUE, V_FALSE, V_I16, V_I32, V_I64, V_BIGINT, V_FLOAT,
    V_ASCII8, V_STR, V_BYTES8, V_BYTES, V_TUPLE8, V_TUPLE, V_LIST8, V_LIST,
    V_DICT8, V_DICT, V_PROXY, V_BOUND, V_FUTURE, V_ARRAY, V_NPSCALAR, V_PICKLED,
    V_KEYWORDS,
    V_SMALLINT = 0x40                       /* 0x40 ... 0xff: -32 ... 159 */
};

enum {
    SMALLINT_LEAST = -32, SMALLINT_MOST = 159,
    DEPTH_MAX = 12,                         /* deeper values are pickled */
    DECODE_DEPTH_MAX = 64,
    MANY_ARGS = 255
};

/* What encoding one value came to. */
enum outcome { FAILED = -1, DONE = 0, PICKLE = 1, ALIAS = 2 };

/* ---- Encoder ------------------------------------------------------------ */

py_enc *
py_enc_begin(py_state *st)
{
    py_enc *e = st->encoders;

    if (e) {
        st->encoders = e->link;
    } else {
        e = PyMem_Calloc(1, sizeof(*e));
        if (!e) {
            PyErr_NoMemory();
            return NULL;
        }
        e->st = st;
        e->buf = e->small;
        e->cap = sizeof(e->small);
    }
    e->len = e->outside = e->next = e->nseen = 0;
    return e;
}

static void
drop_outside(py_enc *e, size_t keep)
{
    while (e->next > keep) {
        py_ext *x = &e->ext[--e->next];

        e->outside -= x->nbytes;
        Py_DECREF(x->owner);
    }
}

void
py_enc_end(py_enc *e)
{
    enum { KEEP_CAP = 1 << 16 };

    drop_outside(e, 0);
    if (e->cap > KEEP_CAP) {
        PyMem_Free(e->buf);
        e->buf = e->small;
        e->cap = sizeof(e->small);
    }
    e->link = e->st->encoders;
    e->st->encoders = e;
}

static __attribute__((noinline)) int
grow(py_enc *e, size_t nbytes)
{
    size_t cap = e->cap;
    unsigned char *buf;

    while (cap - e->len < nbytes)
        cap *= 2;
    buf = e->buf == e->small ? PyMem_Malloc(cap) : PyMem_Realloc(e->buf, cap);
    if (!buf) {
        PyErr_NoMemory();
        return -1;
    }
    if (e->buf == e->small)
        memcpy(buf, e->small, e->len);
    e->buf = buf;
    e->cap = cap;
    return 0;
}

static inline int
reserve(py_enc *e, size_t nbytes)
{
    return __builtin_expect(e->cap - e->len >= nbytes, 1) ? 0 : grow(e, nbytes);
}

int
py_enc_raw(py_enc *e, const void *data, size_t nbytes)
{
    if (nbytes == 0)
        return 0;                           /* data may be NULL */
    if (reserve(e, nbytes))
        return -1;
    memcpy(e->buf + e->len, data, nbytes);
    e->len += nbytes;
    return 0;
}

static inline int
put_tag(py_enc *e, unsigned tag)
{
    if (reserve(e, 1))
        return -1;
    e->buf[e->len++] = (unsigned char)tag;
    return 0;
}

/* A tag and a number of nbytes bytes. */
static inline int
put_num(py_enc *e, unsigned tag, uint64_t n, size_t nbytes)
{
    if (reserve(e, 1 + sizeof(n)))
        return -1;
    e->buf[e->len] = (unsigned char)tag;
    memcpy(e->buf + e->len + 1, &n, sizeof(n));
    e->len += 1 + nbytes;
    return 0;
}

/* The short form holds lengths below 256, the next tag any. */
static inline int
put_len(py_enc *e, unsigned short_tag, size_t n)
{
    if (n < 256)
        return put_num(e, short_tag, n, 1);
    return put_num(e, short_tag + 1, n, 8);
}

static int
put_outside(py_enc *e, const void *data, size_t nbytes, PyObject *owner)
{
    if (e->next == e->extcap) {
        size_t cap = e->extcap ? e->extcap * 2 : 8;
        py_ext *ext = PyMem_Realloc(e->ext, cap * sizeof(*ext));

        if (!ext) {
            PyErr_NoMemory();
            return -1;
        }
        e->ext = ext;
        e->extcap = cap;
    }
    e->ext[e->next++] = (py_ext){ e->len, data, nbytes, Py_NewRef(owner) };
    e->outside += nbytes;
    return 0;
}

/* Data at a multiple of 16 of the payload, sent from where it is. */
int
py_enc_aligned(py_enc *e, const void *data, size_t nbytes, PyObject *owner)
{
    size_t pad;

    if (nbytes < PY_OUTSIDE_MIN)
        return py_enc_raw(e, data, nbytes);
    pad = -(e->len + e->outside) & 15;
    if (reserve(e, pad))
        return -1;
    memset(e->buf + e->len, 0, pad);
    e->len += pad;
    return put_outside(e, data, nbytes, owner);
}

size_t
py_enc_size(const py_enc *e)
{
    return e->len + e->outside;
}

void
py_enc_copy(const py_enc *e, unsigned char *out)
{
    size_t at = 0;

    for (size_t i = 0; i < e->next; i++) {
        const py_ext *x = &e->ext[i];

        memcpy(out, e->buf + at, x->at - at);
        out += x->at - at;
        memcpy(out, x->data, x->nbytes);
        out += x->nbytes;
        at = x->at;
    }
    memcpy(out, e->buf + at, e->len - at);
}

const struct iovec *
py_enc_iov(py_enc *e, int *niov)
{
    size_t need = 2 * e->next + 1, at = 0;
    int n = 0;

    if (need > e->iovcap) {
        struct iovec *iov = PyMem_Realloc(e->iov, need * sizeof(*iov));

        if (!iov) {
            PyErr_NoMemory();
            return NULL;
        }
        e->iov = iov;
        e->iovcap = need;
    }
    for (size_t i = 0; i < e->next; i++) {
        const py_ext *x = &e->ext[i];

        if (x->at > at)
            e->iov[n++] = (struct iovec){ e->buf + at, x->at - at };
        e->iov[n++] = (struct iovec){ (void *)x->data, x->nbytes };
        at = x->at;
    }
    if (e->len > at)
        e->iov[n++] = (struct iovec){ e->buf + at, e->len - at };
    *niov = n;
    return e->iov;
}

/* ---- Objects met ---------------------------------------------------------- */

static inline size_t
slot_of(const py_enc *e, const PyObject *o)
{
    return (size_t)((uintptr_t)o >> 4) * 0x9e3779b97f4a7c15u >> 20 & (e->seencap - 1);
}

/* The slot that has o, or would. */
static PyObject **
find_seen(const py_enc *e, PyObject *o)
{
    size_t i = slot_of(e, o);

    while (e->seen[i] && e->seen[i] != o)
        i = (i + 1) & (e->seencap - 1);
    return &e->seen[i];
}

static bool
more_seen(py_enc *e)
{
    enum { FEW = 64 };
    PyObject **old = e->seen;
    size_t n = e->seencap;

    e->seen = PyMem_Calloc(n ? n * 4 : FEW, sizeof(*e->seen));
    if (!e->seen) {
        e->seen = old;
        return false;
    }
    e->seencap = n ? n * 4 : FEW;
    for (size_t i = 0; i < n; i++)
        if (old[i])
            *find_seen(e, old[i]) = old[i];
    PyMem_Free(old);
    return true;
}

static void
forget_seen(py_enc *e)
{
    enum { KEEP = 256 };

    if (e->seencap <= KEEP) {
        memset(e->seen, 0, e->seencap * sizeof(*e->seen));
    } else {
        PyMem_Free(e->seen);
        e->seen = NULL;
        e->seencap = 0;
    }
    e->nseen = 0;
}

/* Was this object met before?  Nobody else holds one with one reference, so most cost
 * nothing. */
static inline bool
met_before(py_enc *e, PyObject *o)
{
    PyObject **slot;

    if (Py_REFCNT(o) == 1)
        return false;
    if (2 * e->nseen >= e->seencap && !more_seen(e))
        return true;
    slot = find_seen(e, o);
    if (*slot)
        return true;
    *slot = o;
    e->nseen++;
    return false;
}

/* The same for what may be changed through a pickled value, too. */
static inline bool
shared_before(py_enc *e, PyObject *o)
{
    if (Py_REFCNT(o) == 1)
        return false;
    e->nshared++;
    return met_before(e, o);
}

bool
py_enc_met_array(py_enc *e, PyObject *o, bool found_by_address)
{
    bool inband = e->st->pickle_protocol >= 0 && e->st->pickle_protocol < 5;

    return found_by_address && !inband ? met_before(e, o) : shared_before(e, o);
}

/* ---- Values out ----------------------------------------------------------- */

static int put_value(py_enc *e, PyObject *o, int depth);

static int
put_bigint(py_enc *e, PyObject *o)
{
    PyObject *bits, *bytes;
    int r;

    bits = PyObject_CallMethod(o, "bit_length", NULL);
    if (!bits)
        return FAILED;
    Py_ssize_t nbytes = PyLong_AsSsize_t(bits) / 8 + 1;
    Py_DECREF(bits);
    bytes = PyBytes_FromStringAndSize(NULL, nbytes);
    if (!bytes)
        return FAILED;
    r = _PyLong_AsByteArray((PyLongObject *)o, (unsigned char *)PyBytes_AS_STRING(bytes),
                            (size_t)nbytes, 1, 1 PY_LONG_THROW);
    if (r == 0)
        r = put_num(e, V_BIGINT, (uint64_t)nbytes, 8);
    if (r == 0)
        r = py_enc_raw(e, PyBytes_AS_STRING(bytes), (size_t)nbytes);
    Py_DECREF(bytes);
    return r;
}

static int
put_int(py_enc *e, PyObject *o)
{
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(o, &overflow);

    if (overflow)
        return put_bigint(e, o);
    if (v >= SMALLINT_LEAST && v <= SMALLINT_MOST)
        return put_tag(e, (unsigned)(v - SMALLINT_LEAST + V_SMALLINT));
    if (v == (int16_t)v)
        return put_num(e, V_I16, (uint64_t)v, 2);
    if (v == (int32_t)v)
        return put_num(e, V_I32, (uint64_t)v, 4);
    return put_num(e, V_I64, (uint64_t)v, 8);
}

static int
put_str(py_enc *e, PyObject *o)
{
    Py_ssize_t n;
    const char *s;

    if (PyUnicode_IS_COMPACT_ASCII(o) && PyUnicode_GET_LENGTH(o) < 256) {
        n = PyUnicode_GET_LENGTH(o);
        if (reserve(e, 2 + 256))
            return FAILED;
        e->buf[e->len] = V_ASCII8;
        e->buf[e->len + 1] = (unsigned char)n;
        memcpy(e->buf + e->len + 2, PyUnicode_DATA(o), (size_t)n);
        e->len += 2 + (size_t)n;
        return DONE;
    }
    s = PyUnicode_AsUTF8AndSize(o, &n);
    if (!s) {                               /* surrogates: pickle knows them */
        PyErr_Clear();
        return PICKLE;
    }
    if (put_num(e, V_STR, (uint64_t)n, 8))
        return FAILED;
    return py_enc_raw(e, s, (size_t)n);
}

static int
put_bytes(py_enc *e, PyObject *o)
{
    size_t n = (size_t)PyBytes_GET_SIZE(o);

    if (put_len(e, V_BYTES8, n))
        return FAILED;
    if (n < PY_OUTSIDE_MIN)
        return py_enc_raw(e, PyBytes_AS_STRING(o), n);
    return met_before(e, o) ? ALIAS : put_outside(e, PyBytes_AS_STRING(o), n, o);
}

static int
put_items(py_enc *e, PyObject *const *items, Py_ssize_t n, int depth)
{
    int r = DONE;

    for (Py_ssize_t i = 0; r == DONE && i < n; i++)
        r = put_value(e, items[i], depth + 1);
    return r;
}

/* A list may be changed by what is called for its items: asked anew each time. */
static int
put_list(py_enc *e, PyObject *o, int depth)
{
    Py_ssize_t n = PyList_GET_SIZE(o);
    int r = put_len(e, V_LIST8, (size_t)n);

    for (Py_ssize_t i = 0; r == DONE && i < n; i++)
        r = i < PyList_GET_SIZE(o) ? put_value(e, PyList_GET_ITEM(o, i), depth + 1) : PICKLE;
    return r;
}

static int
put_dict(py_enc *e, PyObject *o, int depth)
{
    PyObject *key, *value;
    Py_ssize_t pos = 0;
    int r = put_len(e, V_DICT8, (size_t)PyDict_GET_SIZE(o));

    while (r == DONE && PyDict_Next(o, &pos, &key, &value)) {
        r = put_value(e, key, depth + 1);
        if (r == DONE)
            r = put_value(e, value, depth + 1);
    }
    return r;
}

/* Types of the extension and of NumPy. */
static int
put_other(py_enc *e, PyObject *o)
{
    py_state *st = e->st;
    PyTypeObject *t = Py_TYPE(o);
    int r;

    if (t == st->future_type)
        return put_tag(e, V_FUTURE) ? FAILED : py_future_encode(e, (py_future *)o);
    if (t == st->bound_type)
        return put_tag(e, V_BOUND) ? FAILED : py_bound_encode(e, (py_bound *)o);
    if (t == st->keywords_type)
        return put_tag(e, V_KEYWORDS) ? FAILED : put_dict(e, o, 0);
    if (py_proxy_check(st, o))
        return put_tag(e, V_PROXY) ? FAILED : py_proxy_encode(e, (py_proxy *)o);
    r = py_nd_encode(e, o);
    return r < 0 ? FAILED : r == 0 ? PICKLE : r == 1 ? DONE : ALIAS;
}

static int
put_value(py_enc *e, PyObject *o, int depth)
{
    if (PyLong_CheckExact(o))
        return put_int(e, o);
    if (PyUnicode_CheckExact(o))
        return put_str(e, o);
    if (PyFloat_CheckExact(o)) {
        double v = PyFloat_AS_DOUBLE(o);
        uint64_t bits;

        memcpy(&bits, &v, sizeof(bits));
        return put_num(e, V_FLOAT, bits, 8);
    }
    if (o == Py_None)
        return put_tag(e, V_NONE);
    if (PyBool_Check(o))
        return put_tag(e, o == Py_True ? V_TRUE : V_FALSE);
    if (PyBytes_CheckExact(o))
        return put_bytes(e, o);
    if (depth >= DEPTH_MAX)
        return PICKLE;
    if (PyTuple_CheckExact(o)) {
        if (put_len(e, V_TUPLE8, (size_t)PyTuple_GET_SIZE(o)))
            return FAILED;
        return put_items(e, &PyTuple_GET_ITEM(o, 0), PyTuple_GET_SIZE(o), depth);
    }
    if (PyList_CheckExact(o))
        return shared_before(e, o) ? ALIAS : put_list(e, o, depth);
    if (PyDict_CheckExact(o))
        return shared_before(e, o) ? ALIAS : put_dict(e, o, depth);
    return put_other(e, o);
}

/* Array header: tag, type, dimensions, bytes, shape. */
int
py_enc_array_head(py_enc *e, char type, int ndim, const Py_ssize_t *shape, size_t nbytes)
{
    unsigned char head[3] = { V_ARRAY, (unsigned char)type, (unsigned char)ndim };
    uint64_t n = nbytes;

    if (ndim < 0) {                         /* a scalar: one item follows */
        head[0] = V_NPSCALAR;
        return py_enc_raw(e, head, 2);
    }
    if (py_enc_raw(e, head, 3) || py_enc_raw(e, &n, 8))
        return -1;
    return py_enc_raw(e, shape, (size_t)ndim * sizeof(*shape));
}

/* ---- Pickle --------------------------------------------------------------- */

/* Is this the memory of an array that goes in its own right? */
static bool
sent_already(const py_enc *e, const void *data, size_t nbytes)
{
    for (size_t i = 0; nbytes >= PY_OUTSIDE_MIN && i < e->nowned; i++)
        if (e->ext[i].data == data && e->ext[i].nbytes == nbytes)
            return true;
    return false;
}

static int
put_pickle_buffers(py_enc *e, PyObject *buffers)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(buffers); i++) {
        PyObject *b = PyList_GET_ITEM(buffers, i);
        const Py_buffer *view = PyPickleBuffer_GetBuffer(b);
        unsigned char head[9];
        uint64_t n;

        if (!view)
            return -1;
        n = (uint64_t)view->len;
        e->again |= sent_already(e, view->buf, n);
        memcpy(head, &n, 8);
        head[8] = view->readonly != 0;
        if (py_enc_raw(e, head, sizeof(head)) ||
            py_enc_aligned(e, view->buf, (size_t)view->len, b))
            return -1;
    }
    return 0;
}

/* Out of band only buffers that are worth it; the list gets PickleBuffers. */
static PyObject *
dumps_with(py_state *st, PyObject *dumps, PyObject *o, PyObject *buffers)
{
    PyObject *append, *protocol, *r = NULL;
    bool inband = st->pickle_protocol >= 0 && st->pickle_protocol < 5;

    protocol = PyLong_FromLong(st->pickle_protocol);
    append = PyObject_GetAttr(buffers, st->s_append);
    if (protocol && append) {
        PyObject *argv[4] = { o, protocol, append, NULL };
        PyObject *names = inband ? NULL : st->kw_buffer_callback;

        r = PyObject_Vectorcall(dumps, argv, 2, names);
    }
    Py_XDECREF(append);
    Py_XDECREF(protocol);
    return r;
}

/* Has pickle failed as it does on classes and functions that it does not find by name? */
static bool
lacks_name(py_state *st)
{
    return st->dumps_by_rule && (PyErr_ExceptionMatches(st->pickling_error) ||
                                 PyErr_ExceptionMatches(PyExc_AttributeError));
}

/* By pickle, and by the rule of _travel.py what pickle cannot do. */
static PyObject *
pickle_dumps(py_state *st, PyObject *o, PyObject *buffers, bool by_rule)
{
    PyObject *r;

    if (st->main_names && PyDict_GET_SIZE(st->main_names) != st->main_size) {
        r = PyObject_CallNoArgs(st->look_again);
        if (!r)
            return NULL;
        Py_DECREF(r);
    }
    if (!st->by_rule && !by_rule) {
        r = dumps_with(st, st->dumps, o, buffers);
        if (r || !lacks_name(st))
            return r;
        PyErr_Clear();
        if (PyList_SetSlice(buffers, 0, PyList_GET_SIZE(buffers), NULL))
            return NULL;
    }
    return dumps_with(st, st->dumps_by_rule, o, buffers);
}

/* The pickle of all values that need it: length, bytes, number of buffers. */
static int
put_pickle(py_enc *e, PyObject *o)
{
    PyObject *buffers = PyList_New(0), *bytes = NULL;
    uint64_t n;
    int r = -1;

    if (!buffers)
        return -1;
    bytes = pickle_dumps(e->st, o, buffers, e->by_rule && e->st->dumps_by_rule);
    if (bytes && PyBytes_Check(bytes)) {
        n = (uint64_t)PyBytes_GET_SIZE(bytes);
        r = py_enc_raw(e, &n, 8);
        if (r == 0)
            r = n < PY_OUTSIDE_MIN ? py_enc_raw(e, PyBytes_AS_STRING(bytes), n)
                                : put_outside(e, PyBytes_AS_STRING(bytes), n, bytes);
        n = (uint64_t)PyList_GET_SIZE(buffers);
        if (r == 0)
            r = py_enc_raw(e, &n, 8);
        if (r == 0)
            r = put_pickle_buffers(e, buffers);
    }
    Py_XDECREF(bytes);
    Py_DECREF(buffers);
    return r;
}

/* Replaces pickle's complaint by one that names the argument. */
static void
explain(py_enc *e, PyObject *const *args, Py_ssize_t n, const py_enc_what *what)
{
    PyObject *type, *value, *tb, *list, *r;

    if (!e->st->explain_pickle)
        return;
    PyErr_Fetch(&type, &value, &tb);
    PyErr_NormalizeException(&type, &value, &tb);
    if (tb)
        PyException_SetTraceback(value, tb);
    list = PyTuple_New(n);
    for (Py_ssize_t i = 0; list && i < n; i++)
        PyTuple_SET_ITEM(list, i, Py_NewRef(args[i]));
    r = list ? PyObject_CallFunction(e->st->explain_pickle, "OOzzO", list, value,
                                     what ? what->class_name : NULL,
                                     what ? what->method : NULL,
                                     what && what->is_result ? Py_True : Py_False)
             : NULL;
    Py_XDECREF(list);
    if (!r) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(tb);
        return;                             /* the explanation was raised */
    }
    Py_DECREF(r);
    PyErr_Restore(type, value, tb);
}

static int
put_pending(py_enc *e, PyObject *pending, PyObject *const *args, Py_ssize_t n,
            const py_enc_what *what)
{
    if (put_pickle(e, PyList_GET_SIZE(pending) == 1 ? PyList_GET_ITEM(pending, 0) : pending)) {
        explain(e, args, n, what);
        return -1;
    }
    return 0;
}

static bool needs_rule(const py_enc *e, PyObject *o, int depth);

static bool
any_needs_rule(const py_enc *e, PyObject *const *items, Py_ssize_t n, int depth)
{
    for (Py_ssize_t i = 0; i < n; i++)
        if (needs_rule(e, items[i], depth))
            return true;
    return false;
}

/* Pickle does not know how to send exceptions, and changes some arrays that would have
 * gone by themselves: are there such in what it will get? */
static bool
needs_rule(const py_enc *e, PyObject *o, int depth)
{
    enum { DEPTH = 4 };
    PyObject *key, *value;
    Py_ssize_t pos = 0;

    if (PyExceptionInstance_Check(o) || (e->together && py_nd_changes(e->st, o)))
        return true;
    if (depth > (e->together ? DEPTH_MAX : DEPTH))
        return false;
    if (PyList_CheckExact(o) || PyTuple_CheckExact(o))
        return any_needs_rule(e, PySequence_Fast_ITEMS(o), PySequence_Fast_GET_SIZE(o), depth + 1);
    if (!PyDict_Check(o))
        return false;
    while (PyDict_Next(o, &pos, &key, &value))
        if (needs_rule(e, value, depth + 1))
            return true;
    return false;
}

/* Nothing that could be shared. */
static bool
is_plain(PyObject *o)
{
    return PyLong_CheckExact(o) || PyUnicode_CheckExact(o) || PyFloat_CheckExact(o) ||
           o == Py_None || PyBool_Check(o) ||
           (PyBytes_CheckExact(o) && PyBytes_GET_SIZE(o) < PY_OUTSIDE_MIN);
}

/* Leaves a hole for a value that will be pickled, and takes back what there is of it. */
static int
put_hole(py_enc *e, PyObject *o, size_t len, size_t next, PyObject **pending)
{
    e->len = len;
    drop_outside(e, next);
    e->by_rule = e->by_rule || needs_rule(e, o, 0);
    if (!*pending && !(*pending = PyList_New(0)))
        return FAILED;
    return PyList_Append(*pending, o) ? FAILED : put_tag(e, V_PICKLED);
}

/* ALIAS: it has to be done anew, together. */
static int
put_args(py_enc *e, PyObject *const *args, Py_ssize_t n, const py_enc_what *what, bool together)
{
    PyObject *pending = NULL;
    int r;

    e->by_rule = e->again = false;
    e->together = together;
    e->nshared = 0;
    r = n < MANY_ARGS ? put_tag(e, (unsigned)n) : put_num(e, MANY_ARGS, (uint64_t)n, 8);
    for (Py_ssize_t i = 0; r == 0 && i < n; i++) {
        size_t len = e->len, next = e->next, nshared = e->nshared;

        r = together && !is_plain(args[i]) ? PICKLE : put_value(e, args[i], 0);
        if (r == PICKLE) {
            e->nshared = nshared;
            r = put_hole(e, args[i], len, next, &pending);
        }
    }
    if (r == 0 && pending && e->nshared && !together)
        r = ALIAS;
    if (r == 0 && pending) {
        e->nowned = together ? 0 : e->next;
        r = put_pending(e, pending, args, n, what);
        if (r == 0 && e->again)
            r = ALIAS;
    }
    Py_XDECREF(pending);
    return r;
}

int
py_enc_args(py_enc *e, PyObject *const *args, Py_ssize_t n, const py_enc_what *what)
{
    size_t len = e->len, next = e->next;
    int r = put_args(e, args, n, what, false);

    if (e->nseen)
        forget_seen(e);
    if (__builtin_expect(r == ALIAS, 0)) {
        e->len = len;
        drop_outside(e, next);
        r = put_args(e, args, n, what, true);
        if (e->nseen)
            forget_seen(e);
    }
    return r;
}

/* ---- Values in ------------------------------------------------------------- */

void
py_dec_init(py_dec *d, py_state *st, const void *data, size_t len, bool may_keep)
{
    *d = (py_dec){ .st = st, .base = data, .p = data, .may_keep = may_keep };
    d->end = d->base + len;
}

void
py_dec_release(py_dec *d)
{
    if (d->block)
        c4_block_free(d->block);
    d->block = NULL;
}

static int
malformed(void)
{
    PyErr_SetString(PyExc_ValueError, "charm4py: a message could not be decoded");
    return -1;
}

/* Next nbytes in place, or NULL with an exception. */
static inline const unsigned char *
skip(py_dec *d, size_t nbytes)
{
    const unsigned char *p = d->p;

    if (__builtin_expect((size_t)(d->end - p) < nbytes, 0)) {
        malformed();
        return NULL;
    }
    d->p += nbytes;
    return p;
}

const unsigned char *
py_dec_skip(py_dec *d, size_t nbytes)
{
    return skip(d, nbytes);
}

static inline int
take(py_dec *d, void *out, size_t nbytes)
{
    const unsigned char *p = skip(d, nbytes);

    if (!p)
        return -1;
    memcpy(out, p, nbytes);
    return 0;
}

int
py_dec_take(py_dec *d, void *out, size_t nbytes)
{
    return take(d, out, nbytes);
}

/* A length of nbytes bytes (1 or 8), not more than could still follow. */
static inline int
take_len(py_dec *d, size_t nbytes, size_t *out)
{
    uint64_t n = 0;

    if (take(d, &n, nbytes))
        return -1;
    if (n > (size_t)(d->end - d->p))
        return malformed();
    *out = (size_t)n;
    return 0;
}

/* Of the first and last bytes only: the cache compares all of them. */
static inline uint32_t
hash_short(const unsigned char *p, size_t n)
{
    uint64_t a = 0, b = 0;

    if (n >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
    } else if (n) {
        a = p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
    }
    return (uint32_t)(((a ^ (b << 1) ^ n) * 0x9e3779b97f4a7c15u) >> 40);
}

static PyObject *
new_ascii(const unsigned char *p, size_t n)
{
    PyObject *s;

    for (size_t i = 0; i < n; i++)
        if (p[i] > 127) {
            malformed();
            return NULL;
        }
    s = PyUnicode_New((Py_ssize_t)n, 127);
    if (s)
        memcpy(PyUnicode_DATA(s), p, n);
    return s;
}

static PyObject *
take_ascii(py_dec *d)
{
    const unsigned char *p = skip(d, 1);
    PyObject **slot, *s;
    size_t n = p ? *p : 0;

    if (!p || !(p = skip(d, n)))
        return NULL;
    if (n == 0 || n > PY_STRING_MAX)
        return new_ascii(p, n);
    slot = &d->st->strings[hash_short(p, n) % PY_STRINGS];
    s = *slot;
    if (s && (size_t)PyUnicode_GET_LENGTH(s) == n && !memcmp(PyUnicode_DATA(s), p, n))
        return Py_NewRef(s);
    s = new_ascii(p, n);
    if (s)
        Py_XSETREF(*slot, Py_NewRef(s));
    return s;
}

static PyObject *
take_str(py_dec *d)
{
    const unsigned char *p;
    size_t n;

    if (take_len(d, 8, &n) || !(p = skip(d, n)))
        return NULL;
    return PyUnicode_DecodeUTF8((const char *)p, (Py_ssize_t)n, NULL);
}

static PyObject *
take_bytes(py_dec *d, size_t width)
{
    const unsigned char *p;
    size_t n;

    if (take_len(d, width, &n) || !(p = skip(d, n)))
        return NULL;
    return PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)n);
}

static PyObject *
take_bigint(py_dec *d)
{
    const unsigned char *p;
    size_t n;

    if (take_len(d, 8, &n) || !(p = skip(d, n)))
        return NULL;
    return _PyLong_FromByteArray(p, n, 1, 1);
}

static PyObject *take_value(py_dec *d);

static PyObject *
take_tuple(py_dec *d, size_t width)
{
    PyObject *o;
    size_t n;

    if (take_len(d, width, &n) || !(o = PyTuple_New((Py_ssize_t)n)))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        PyObject *item = take_value(d);

        if (!item) {
            Py_DECREF(o);
            return NULL;
        }
        PyTuple_SET_ITEM(o, (Py_ssize_t)i, item);
    }
    return o;
}

static PyObject *
take_list(py_dec *d, size_t width)
{
    PyObject *o;
    size_t n;

    if (take_len(d, width, &n) || !(o = PyList_New((Py_ssize_t)n)))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        PyObject *item = take_value(d);

        if (!item) {
            Py_DECREF(o);
            return NULL;
        }
        PyList_SET_ITEM(o, (Py_ssize_t)i, item);
    }
    return o;
}

static PyObject *
take_dict(py_dec *d, size_t width)
{
    PyObject *o, *key, *value;
    size_t n;
    int r;

    if (take_len(d, width, &n) || !(o = PyDict_New()))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        key = take_value(d);
        value = key ? take_value(d) : NULL;
        r = value ? PyDict_SetItem(o, key, value) : -1;
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (r) {
            Py_DECREF(o);
            return NULL;
        }
    }
    return o;
}

static PyObject *
take_number(py_dec *d, unsigned tag)
{
    int16_t i16;
    int32_t i32;
    int64_t i64;
    double f;

    switch (tag) {
    case V_I16:
        return take(d, &i16, 2) ? NULL : PyLong_FromLong(i16);
    case V_I32:
        return take(d, &i32, 4) ? NULL : PyLong_FromLong(i32);
    case V_I64:
        return take(d, &i64, 8) ? NULL : PyLong_FromLongLong(i64);
    default:
        return take(d, &f, 8) ? NULL : PyFloat_FromDouble(f);
    }
}

/* The keywords of a call: as put_dict() wrote them. */
static PyObject *
take_keywords(py_dec *d)
{
    PyObject *dict = take_value(d), *o = NULL;

    if (dict && PyDict_CheckExact(dict))
        o = PyObject_CallOneArg((PyObject *)d->st->keywords_type, dict);
    else if (dict)
        malformed();
    Py_XDECREF(dict);
    return o;
}

static PyObject *
take_container(py_dec *d, unsigned tag)
{
    PyObject *o = NULL;

    if (++d->depth > DECODE_DEPTH_MAX) {
        malformed();
        return NULL;
    }
    switch (tag) {
    case V_TUPLE8: o = take_tuple(d, 1); break;
    case V_TUPLE: o = take_tuple(d, 8); break;
    case V_LIST8: o = take_list(d, 1); break;
    case V_LIST: o = take_list(d, 8); break;
    case V_DICT8: o = take_dict(d, 1); break;
    case V_DICT: o = take_dict(d, 8); break;
    case V_KEYWORDS: o = take_keywords(d); break;
    case V_PROXY: o = py_proxy_decode(d); break;
    case V_BOUND: o = py_bound_decode(d); break;
    case V_FUTURE: o = py_future_decode(d); break;
    case V_ARRAY: o = py_nd_decode(d, false); break;
    case V_NPSCALAR: o = py_nd_decode(d, true); break;
    default: malformed(); break;
    }
    d->depth--;
    return o;
}

static PyObject *
take_value(py_dec *d)
{
    const unsigned char *p = skip(d, 1);

    if (!p)
        return NULL;
    if (*p >= V_SMALLINT)
        return PyLong_FromLong((long)*p - V_SMALLINT + SMALLINT_LEAST);
    switch (*p) {
    case V_NONE: return Py_NewRef(Py_None);
    case V_TRUE: return Py_NewRef(Py_True);
    case V_FALSE: return Py_NewRef(Py_False);
    case V_I16: case V_I32: case V_I64: case V_FLOAT: return take_number(d, *p);
    case V_BIGINT: return take_bigint(d);
    case V_ASCII8: return take_ascii(d);
    case V_STR: return take_str(d);
    case V_BYTES8: return take_bytes(d, 1);
    case V_BYTES: return take_bytes(d, 8);
    default: return take_container(d, *p);
    }
}

/* Buffers of a pickle, in writable memory of their own. */
static PyObject *
take_pickle_buffers(py_dec *d, size_t n)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; list && i < n; i++) {
        uint64_t len = 0;
        unsigned char readonly = 0;
        const unsigned char *p = NULL;
        PyObject *b = NULL;

        if (take(d, &len, 8) == 0 && take(d, &readonly, 1) == 0) {
            if (len >= PY_OUTSIDE_MIN && !skip(d, (size_t)(d->base - d->p) & 15))
                len = UINT64_MAX;
            p = skip(d, (size_t)len);
        }
        if (p)
            b = readonly ? PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)len)
                         : PyByteArray_FromStringAndSize((const char *)p, (Py_ssize_t)len);
        if (!b || PyList_Append(list, b))
            Py_CLEAR(list);
        Py_XDECREF(b);
    }
    return list;
}

static PyObject *
take_pickle(py_dec *d)
{
    size_t n, nbuffers;
    const unsigned char *p;
    PyObject *bytes, *buffers, *r = NULL;

    if (take_len(d, 8, &n) || !(p = skip(d, n)) || take_len(d, 8, &nbuffers))
        return NULL;
    bytes = PyMemoryView_FromMemory((char *)p, (Py_ssize_t)n, PyBUF_READ);
    buffers = take_pickle_buffers(d, nbuffers);
    if (bytes && buffers) {
        PyObject *argv[2] = { bytes, buffers };

        r = PyObject_Vectorcall(d->st->loads, argv, 1, d->st->kw_buffers);
    }
    Py_XDECREF(bytes);
    Py_XDECREF(buffers);
    return r;
}

Py_ssize_t
py_dec_count(py_dec *d)
{
    const unsigned char *p;
    uint64_t n;

    if (d->p == d->end)
        return 0;
    p = skip(d, 1);
    if (!p)
        return -1;
    if (*p < MANY_ARGS)
        return *p;
    if (take(d, &n, 8))
        return -1;
    return n <= (uint64_t)(d->end - d->p) ? (Py_ssize_t)n : malformed();
}

/* Puts what was pickled where take_args() left holes. */
static int
fill_holes(py_dec *d, PyObject **out, Py_ssize_t n, Py_ssize_t holes)
{
    PyObject *o = take_pickle(d);
    Py_ssize_t k = 0;

    if (!o)
        return -1;
    if (holes > 1 && (!PyList_CheckExact(o) || PyList_GET_SIZE(o) != holes)) {
        Py_DECREF(o);
        return malformed();
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (!out[i])
            out[i] = Py_NewRef(holes > 1 ? PyList_GET_ITEM(o, k++) : o);
    Py_DECREF(o);
    return 0;
}

int
py_dec_args(py_dec *d, PyObject **out, Py_ssize_t n)
{
    Py_ssize_t holes = 0, i;

    for (i = 0; i < n; i++) {
        out[i] = NULL;
        if (d->p < d->end && *d->p == V_PICKLED) {
            d->p++;
            holes++;
            continue;
        }
        out[i] = take_value(d);
        if (!out[i])
            goto fail;
    }
    if (holes && fill_holes(d, out, n, holes))
        goto fail;
    return 0;
fail:
    while (i-- > 0)
        Py_CLEAR(out[i]);
    return -1;
}

PyObject *
py_dec_tuple(py_state *st, const void *data, size_t len, bool may_keep)
{
    PyObject *t = NULL;
    Py_ssize_t n;
    py_dec d;

    py_dec_init(&d, st, data, len, may_keep);
    n = py_dec_count(&d);
    if (n >= 0)
        t = PyTuple_New(n);
    if (t && py_dec_args(&d, &PyTuple_GET_ITEM(t, 0), n))
        Py_CLEAR(t);
    py_dec_release(&d);
    return t;
}

PyObject *
py_dec_one(py_state *st, const void *data, size_t len, bool may_keep)
{
    PyObject *o = NULL;
    Py_ssize_t n;
    py_dec d;

    py_dec_init(&d, st, data, len, may_keep);
    n = py_dec_count(&d);
    if (n == 0)
        o = Py_NewRef(Py_None);
    else if (n == 1)
        py_dec_args(&d, &o, 1);
    else if (n > 0)
        malformed();
    py_dec_release(&d);
    return o;
}
