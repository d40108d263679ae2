/*
 * reducers.c - reductions of Python values, as one reducer of the runtime.
 *
 * Each contribution says what it is, so all kinds share one reducer number:
 *
 *   NOP      nothing; vanishes beside any other kind
 *   NUMBERS  op, type character, shape, items: folded in C
 *   GATHER   records of (index, encoded value): sorted by index at the root
 *   OBJECTS  name of a Python reducer, records of encoded values: a PE applies
 *            the function to what it has before it sends its partial result
 *
 * The result is encoded as arguments, since its callback is a call or a future. Any other
 * callable travels with the contributions, and the root calls it.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "c4py.h"

enum kind { KIND_NOP, KIND_NUMBERS, KIND_GATHER, KIND_OBJECTS };

/* Numbers as in charm4py/reduction.py. */
enum op { OP_NOP, OP_SUM, OP_PRODUCT, OP_MAX, OP_MIN, OP_AND, OP_OR, OP_XOR, OP_GATHER, OP_CUSTOM };

typedef struct head {
    uint8_t  kind, op;
    char     type;                          /* NUMBERS: as in NumPy */
    uint8_t  ndim;
    uint32_t nname;                         /* OBJECTS: bytes of the name that follows */
    uint64_t nbytes;                        /* NUMBERS: bytes of items */
    uint32_t section;                       /* 0: of a whole collection */
    uint32_t deposit;                       /* an allreduce of the section */
    uint32_t ncallable;                     /* bytes of a callback that follow */
    uint32_t zero;
} head;                                     /* then the callable, the name: each padded to 8 */

typedef struct record {
    c4_index index;                         /* GATHER */
    uint64_t coll;                          /* GATHER */
    uint64_t nbytes;                        /* data follows, padded to 8 */
} record;

static size_t
padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* Where the callable ends, and where the shape or the records begin. */
static size_t
after_callable(const head *h)
{
    return sizeof(*h) + padded(h->ncallable);
}

static size_t
body(const head *h)
{
    return after_callable(h) + padded(h->nname);
}

/* ---- Folding numbers --------------------------------------------------------------- */

/* Contributions may lie at any address: hence types of alignment 1. */
#define FOLD(name, ctype, wide) \
    typedef ctype __attribute__((aligned(1), may_alias)) name##_any; \
    static void \
    fold_##name(enum op op, void *acc, const void *in, size_t nbytes) \
    { \
        name##_any *a = acc; \
        const name##_any *x = in; \
        size_t n = nbytes / sizeof(*a); \
        switch (op) { \
        case OP_SUM: \
            for (size_t i = 0; i < n; i++) \
                a[i] = (ctype)((wide)a[i] + (wide)x[i]); \
            break; \
        case OP_PRODUCT: \
            for (size_t i = 0; i < n; i++) \
                a[i] = (ctype)((wide)a[i] * (wide)x[i]); \
            break; \
        case OP_MAX: \
            for (size_t i = 0; i < n; i++) \
                a[i] = x[i] > a[i] ? x[i] : a[i]; \
            break; \
        default: \
            for (size_t i = 0; i < n; i++) \
                a[i] = x[i] < a[i] ? x[i] : a[i]; \
            break; \
        } \
    }

/* Sums of signed integers wrap: they are added as unsigned ones. */
FOLD(i8, int8_t, uint32_t)
FOLD(u8, uint8_t, uint32_t)
FOLD(i16, int16_t, uint32_t)
FOLD(u16, uint16_t, uint32_t)
FOLD(i32, int32_t, uint32_t)
FOLD(u32, uint32_t, uint32_t)
FOLD(i64, int64_t, uint64_t)
FOLD(u64, uint64_t, uint64_t)
FOLD(f32, float, float)
FOLD(f64, double, double)
FOLD(fld, long double, long double)

static void
fold_logical(enum op op, void *acc, const void *in, size_t n)
{
    uint8_t *a = acc;
    const uint8_t *x = in;

    for (size_t i = 0; i < n; i++)
        a[i] = op == OP_AND ? a[i] && x[i] : op == OP_OR ? a[i] || x[i] : !a[i] != !x[i];
}

typedef void (*fold_fn)(enum op, void *, const void *, size_t);

static fold_fn
fold_of(char type)
{
    switch (type) {
    case '?': return fold_logical;
    case 'b': return fold_i8;
    case 'B': return fold_u8;
    case 'h': return fold_i16;
    case 'H': return fold_u16;
    case 'i': return fold_i32;
    case 'I': return fold_u32;
    case 'l': return sizeof(long) == 8 ? fold_i64 : fold_i32;
    case 'L': return sizeof(long) == 8 ? fold_u64 : fold_u32;
    case 'q': return fold_i64;
    case 'Q': return fold_u64;
    case 'f': return fold_f32;
    case 'd': return fold_f64;
    case 'g': return fold_fld;
    default: return NULL;
    }
}

/* One character for types that are the same: the one that NumPy prefers. */
static char
same_type(char type)
{
    if (sizeof(long) == sizeof(long long) && (type == 'q' || type == 'Q'))
        return type == 'q' ? 'l' : 'L';
    return type;
}

static size_t
item_size(char type)
{
    size_t n = type == '?' ? 1 : py_nd_itemsize(type);

    return n ? n : 8;
}

/* ---- Contributions ---------------------------------------------------------------------- */

typedef struct contribution {
    head       h;
    py_enc    *e;                           /* all after the head */
    PyObject  *data;                        /* owned; after preprocessing */
} contribution;

static int
no_reducer(void)
{
    PyErr_SetString(PyExc_AssertionError, "Could not find a valid reducer. Check that datatype "
                    "matches the operator");
    return -1;
}

/* bool with the logical operators, all else with the others. */
static bool
suits(char type, enum op op)
{
    return fold_of(type) && (type == '?') == (op >= OP_AND && op <= OP_XOR);
}

static int
put_numbers(contribution *c, char type, int ndim, const Py_ssize_t *shape, const void *data,
            size_t nbytes)
{
    if (!suits(type, (enum op)c->h.op))
        return no_reducer();
    if (nbytes == item_size(type))
        ndim = 0;                           /* one number, however it is wrapped */
    c->h.kind = KIND_NUMBERS;
    c->h.type = same_type(type);
    c->h.ndim = (uint8_t)ndim;
    c->h.nbytes = nbytes;
    return py_enc_raw(c->e, shape, (size_t)ndim * sizeof(*shape)) ||
           py_enc_raw(c->e, data, nbytes) ? -1 : 0;
}

/* Type character of a Python number, 0 for other objects. */
static char
scalar_type(PyObject *o)
{
    if (PyBool_Check(o))
        return '?';
    if (PyLong_CheckExact(o))
        return same_type('q');
    return PyFloat_CheckExact(o) ? 'd' : 0;
}

static int
put_item(py_enc *e, char type, PyObject *o)
{
    unsigned char b = o == Py_True;
    long long i;
    double f;

    if (type == '?')
        return py_enc_raw(e, &b, 1);
    if (type == 'd') {
        f = PyFloat_AS_DOUBLE(o);
        return py_enc_raw(e, &f, sizeof(f));
    }
    i = PyLong_AsLongLong(o);
    if (i == -1 && PyErr_Occurred())
        return -1;
    return py_enc_raw(e, &i, sizeof(i));
}

static int
put_objects(py_state *st, contribution *c, PyObject *name)
{
    const unsigned char zeros[8] = { 0 };
    Py_ssize_t nname;
    const char *s = PyUnicode_AsUTF8AndSize(name, &nname);
    py_enc *value = s ? py_enc_begin(st) : NULL;
    record r = { .nbytes = 0 };
    int err = -1;

    if (!value)
        return -1;
    c->h.kind = KIND_OBJECTS;
    c->h.nname = (uint32_t)nname;
    if (py_enc_args(value, &c->data, 1, NULL) == 0) {
        r.nbytes = py_enc_size(value);
        err = py_enc_raw(c->e, s, (size_t)nname);
        if (!err)
            err = py_enc_raw(c->e, zeros, padded((size_t)nname) - (size_t)nname);
        if (!err)
            err = py_enc_raw(c->e, &r, sizeof(r));
        for (int i = 0, n = 0; !err && i < 1; i++) {
            const struct iovec *iov = py_enc_iov(value, &n);

            for (int k = 0; !err && k < n; k++)
                err = py_enc_raw(c->e, iov[k].iov_base, iov[k].iov_len);
        }
        if (!err)
            err = py_enc_raw(c->e, zeros, padded(r.nbytes) - r.nbytes);
    }
    py_enc_end(value);
    return err;
}

static int
put_gather(py_state *st, contribution *c, const py_chare *self)
{
    const unsigned char zeros[8] = { 0 };
    py_enc *value = py_enc_begin(st);
    record r = { .index = c4_index_of(st->pe, self->who), .coll = self->who.coll };
    const struct iovec *iov;
    int err = -1, n;

    if (!value)
        return -1;
    c->h.kind = KIND_GATHER;
    if (py_enc_args(value, &c->data, 1, NULL) == 0 && (iov = py_enc_iov(value, &n)) != NULL) {
        r.nbytes = py_enc_size(value);
        err = py_enc_raw(c->e, &r, sizeof(r));
        for (int k = 0; !err && k < n; k++)
            err = py_enc_raw(c->e, iov[k].iov_base, iov[k].iov_len);
        if (!err)
            err = py_enc_raw(c->e, zeros, padded(r.nbytes) - r.nbytes);
    }
    py_enc_end(value);
    return err;
}

static const char *const op_names[] = {
    "nop", "sum", "product", "max", "min", "logical_and", "logical_or", "logical_xor", "gather"
};

/* Objects that only Python knows how to add, multiply or compare. */
static int
put_by_python(py_state *st, contribution *c)
{
    PyObject *name;
    int r;

    if (c->h.op >= OP_AND)
        return no_reducer();
    name = PyUnicode_FromString(op_names[c->h.op]);
    r = name ? put_objects(st, c, name) : -1;
    Py_XDECREF(name);
    return r;
}

static int put_array(py_state *st, contribution *c);

/* A list of NumPy's scalars, all of one type, is an array. */
static int
put_scalars(py_state *st, contribution *c)
{
    Py_ssize_t n = PySequence_Fast_GET_SIZE(c->data);
    PyTypeObject *type = n ? Py_TYPE(PySequence_Fast_GET_ITEM(c->data, 0)) : &PyUnicode_Type;
    PyObject *numpy, *array;

    if (strncmp(type->tp_name, "numpy.", 6) || type == st->ndarray_type)
        return put_by_python(st, c);
    for (Py_ssize_t i = 1; i < n; i++)
        if (Py_TYPE(PySequence_Fast_GET_ITEM(c->data, i)) != type)
            return put_by_python(st, c);
    numpy = PyImport_ImportModule("numpy");
    array = numpy ? PyObject_CallMethod(numpy, "asarray", "O", c->data) : NULL;
    Py_XDECREF(numpy);
    if (!array)
        return -1;
    Py_SETREF(c->data, array);
    return put_array(st, c);
}

static int
put_list(py_state *st, contribution *c)
{
    Py_ssize_t n = PySequence_Fast_GET_SIZE(c->data);
    char type = n ? scalar_type(PySequence_Fast_GET_ITEM(c->data, 0)) : 0;

    for (Py_ssize_t i = 1; type && i < n; i++)
        if (scalar_type(PySequence_Fast_GET_ITEM(c->data, i)) != type)
            type = 0;
    if (!type)
        return put_scalars(st, c);
    if (!suits(type, (enum op)c->h.op))
        return no_reducer();
    c->h.kind = KIND_NUMBERS;
    c->h.type = type;
    c->h.ndim = n != 1;
    c->h.nbytes = (uint64_t)n * (type == '?' ? 1 : 8);
    if (c->h.ndim && py_enc_raw(c->e, &n, sizeof(n)))
        return -1;
    for (Py_ssize_t i = 0; i < n; i++)
        if (put_item(c->e, type, PySequence_Fast_GET_ITEM(c->data, i)))
            return -1;
    return 0;
}

/* array.array and the like: one dimension of a plain type. */
static int
put_buffer(py_state *st, contribution *c)
{
    Py_buffer view;
    Py_ssize_t n;
    int r;

    if (PyObject_GetBuffer(c->data, &view, PyBUF_CONTIG_RO | PyBUF_FORMAT)) {
        PyErr_Clear();
        return put_by_python(st, c);
    }
    if (view.ndim != 1 || !view.format || view.format[0] == 0 || view.format[1] ||
        !fold_of(view.format[0])) {
        PyBuffer_Release(&view);
        return put_by_python(st, c);
    }
    n = view.len / view.itemsize;
    r = put_numbers(c, view.format[0], 1, &n, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return r;
}

/* Arrays of what NumPy itself cannot reduce: records, strings, most of dates. */
static bool
is_hopeless(py_state *st, PyObject *o, enum op op)
{
    PyObject *dtype = NULL, *kind = NULL;
    bool ordered = op == OP_MAX || op == OP_MIN, hopeless = false;
    Py_UCS4 k;

    if (!st->ndarray_type || (!PyObject_TypeCheck(o, st->ndarray_type) &&
                              !PyObject_TypeCheck(o, st->np_generic)))
        return false;
    dtype = PyObject_GetAttrString(o, "dtype");
    kind = dtype ? PyObject_GetAttrString(dtype, "kind") : NULL;
    if (kind && PyUnicode_Check(kind) && PyUnicode_GET_LENGTH(kind) == 1) {
        k = PyUnicode_READ_CHAR(kind, 0);
        hopeless = k == 'V' || k == 'U' || k == 'S' || (k == 'M' && !ordered) ||
                   (k == 'm' && op == OP_PRODUCT);
    }
    PyErr_Clear();
    Py_XDECREF(dtype);
    Py_XDECREF(kind);
    return hopeless;
}

static int
put_array(py_state *st, contribution *c)
{
    py_nd_view v;
    int r = py_nd_look(st, c->data, &v);

    if (r < 0)
        return -1;
    if (r == 0 && is_hopeless(st, c->data, (enum op)c->h.op))
        return no_reducer();
    if (r == 0 && !(st->ndarray_type && PyObject_TypeCheck(c->data, st->ndarray_type)) &&
        PyObject_CheckBuffer(c->data) && !PyBytes_Check(c->data))
        return put_buffer(st, c);
    if (r == 0)
        return put_by_python(st, c);
    if (!fold_of(v.type)) {                 /* half precision, complex */
        r = put_by_python(st, c);
    } else {
        r = put_numbers(c, v.type, v.ndim, v.shape, v.data, v.nbytes);
    }
    Py_DECREF(v.owner);
    return r;
}

/* A single number: sets h, writes its bytes to item and returns how many; 0: it is
 * something else, -1: error. */
static int
put_scalar(head *h, PyObject *data, unsigned char item[8])
{
    char type = scalar_type(data);
    long long i;
    double f;

    if (!type)
        return 0;
    if (!suits(type, (enum op)h->op))
        return no_reducer();
    h->kind = KIND_NUMBERS;
    h->type = type;
    h->nbytes = type == '?' ? 1 : 8;
    item[0] = data == Py_True;
    if (type == 'd') {
        f = PyFloat_AS_DOUBLE(data);
        memcpy(item, &f, sizeof(f));
    } else if (type != '?') {
        i = PyLong_AsLongLong(data);
        if (i == -1 && PyErr_Occurred())
            return -1;
        memcpy(item, &i, sizeof(i));
    }
    return (int)h->nbytes;
}

static int
put_builtin(py_state *st, contribution *c)
{
    unsigned char item[8];
    int n = put_scalar(&c->h, c->data, item);

    if (n)
        return n < 0 ? -1 : py_enc_raw(c->e, item, (size_t)n);
    if (PyList_CheckExact(c->data) || PyTuple_CheckExact(c->data))
        return put_list(st, c);
    return put_array(st, c);
}

/* Built-in reducers are tuples (name, number). */
static int
builtin_op(PyObject *reducer)
{
    if (reducer == Py_None)
        return OP_NOP;
    if (PyTuple_CheckExact(reducer) && PyTuple_GET_SIZE(reducer) == 2 &&
        PyLong_CheckExact(PyTuple_GET_ITEM(reducer, 1))) {
        long op = PyLong_AsLong(PyTuple_GET_ITEM(reducer, 1));

        if (op >= OP_NOP && op <= OP_GATHER)
            return (int)op;
    }
    return OP_CUSTOM;
}

/* The package checks the function and preprocesses: (name, data). */
static int
put_custom(py_state *st, contribution *c, py_chare *self, PyObject *reducer)
{
    PyObject *pair = PyObject_CallFunctionObjArgs(st->reducer_prepare, reducer, c->data, self,
                                                  NULL);
    int r;

    if (!pair)
        return -1;
    Py_SETREF(c->data, Py_NewRef(PyTuple_GET_ITEM(pair, 1)));
    r = put_objects(st, c, PyTuple_GET_ITEM(pair, 0));
    Py_DECREF(pair);
    return r;
}

/* What most contributions are: they need no encoder. */
typedef struct number {
    head          h;
    unsigned char item[8];
} number;

static int
hand_over(py_chare *self, c4_section section, const void *flat, size_t n, const c4_callback *cb)
{
    py_state *st = self->cls->st;
    bool whole = !section || section == self->who.coll;     /* a group on some PEs */
    c4_err err = whole ? c4_reduce_for(st->pe, self->who, st->reducer, flat, n, cb)
                       : c4_reduce_section_for(st->pe, self->who, section, st->reducer, flat, n,
                                               cb);

    if (err)
        py_raise(st, err);
    return err ? -1 : 0;
}

/* A callable that is neither a future nor a method of a proxy: goes along as bytes. */
static int
put_callable(py_state *st, contribution *c, PyObject *callable)
{
    const unsigned char zeros[8] = { 0 };
    PyObject *bytes = PyObject_CallOneArg(st->pack_callback, callable);
    Py_ssize_t n = bytes ? PyBytes_GET_SIZE(bytes) : 0;
    int r = -1;

    if (bytes) {
        c->h.ncallable = (uint32_t)n;
        r = py_enc_raw(c->e, PyBytes_AS_STRING(bytes), (size_t)n) ||
            py_enc_raw(c->e, zeros, padded((size_t)n) - (size_t)n) ? -1 : 0;
    }
    Py_XDECREF(bytes);
    return r;
}

/* callable: what is to be called at the root if cb is nothing, or NULL. */
static int
contribute(py_chare *self, PyObject *data, PyObject *reducer, const c4_callback *cb,
           PyObject *callable, c4_section section, bool deposit)
{
    py_state *st = self->cls->st;
    number one = { .h = { .op = (uint8_t)builtin_op(reducer), .section = section,
                          .deposit = section && deposit } };
    contribution c;
    int r = 0;

    if (section == self->who.coll && one.h.op != OP_NOP)
        one.h.section = 0;                  /* as if it had not been named */
    if (!callable && one.h.op == OP_NOP)
        return hand_over(self, section, &one, sizeof(one.h), cb);
    if (!callable && one.h.op <= OP_XOR)
        r = put_scalar(&one.h, data, one.item);
    if (r)
        return r < 0 ? -1 : hand_over(self, section, &one, sizeof(one.h) + (size_t)r, cb);
    c.h = one.h;
    c.e = py_enc_begin(st);
    if (!c.e)
        return -1;
    c.data = Py_NewRef(data);
    r = py_enc_raw(c.e, &c.h, sizeof(c.h));
    if (r == 0 && callable)
        r = put_callable(st, &c, callable);
    if (r == 0)
        r = c.h.op == OP_NOP ? 0 : c.h.op == OP_GATHER ? put_gather(st, &c, self)
          : c.h.op == OP_CUSTOM ? put_custom(st, &c, self, reducer) : put_builtin(st, &c);
    if (r == 0) {
        memcpy(c.e->buf, &c.h, sizeof(c.h));        /* nothing is outside of it */
        r = hand_over(self, section, c.e->buf, c.e->len, cb);
    }
    Py_DECREF(c.data);
    py_enc_end(c.e);
    return r ? -1 : 0;
}

/* The same, as time that the running method spent sending. */
static int
send_contribution(py_chare *self, PyObject *data, PyObject *reducer, const c4_callback *cb,
                  PyObject *callable, c4_section section, bool deposit)
{
    c4_pe *pe = self->cls->st->pe;
    uint64_t stamp = c4_send_begin(pe);
    int r = contribute(self, data, reducer, cb, callable, section, deposit);

    if (stamp)
        c4_send_end(pe, stamp);
    return r;
}

PyObject *
py_reduce(py_chare *self, PyObject *callback, PyObject *data, PyObject *reducer,
          c4_section section)
{
    py_state *st = self->cls->st;
    bool plain = Py_TYPE(callback) != st->future_type && Py_TYPE(callback) != st->bound_type;
    c4_callback cb = { .kind = C4_CB_NONE };

    if (!PyCallable_Check(callback)) {
        PyErr_SetString(PyExc_AssertionError, "the callback of a reduction must be callable");
        return NULL;
    }
    if ((!plain && py_callback(st, callback, &cb)) ||
        send_contribution(self, data, reducer, &cb, plain ? callback : NULL, section, false))
        return NULL;
    Py_RETURN_NONE;
}

/* ---- allreduce ------------------------------------------------------------------------------ */

/* The result is broadcast; each element keeps its futures in order, and results
 * of one collection come in the order of the reductions.  Those of a section come
 * with its number, and its futures are kept as (number, future). */
PyObject *
py_allreduce(py_chare *self, PyObject *data, PyObject *reducer, c4_section section)
{
    py_state *st = self->cls->st;
    unsigned entry = 0;
    PyObject *entry_of;
    c4_callback cb;
    py_future *f;

    if (py_co_check(st))
        return NULL;
    if (section == self->who.coll)
        section = 0;
    while (entry < self->cls->nmethods && self->cls->methods[entry]->action != PY_DO_DEPOSIT)
        entry++;
    cb = section ? c4_cb_section(section, c4_method_id(self->cls->entries[entry].name))
        : self->kind == PY_KIND_GROUP || self->kind == PY_KIND_ARRAY
        ? c4_cb_bcast(self->who.coll, entry) : c4_cb_send(self->who, entry);
    if (!self->deposits && !(self->deposits = PyList_New(0)))
        return NULL;
    f = py_future_new(st, 1);
    if (!f)
        return NULL;
    entry_of = section ? Py_BuildValue("(IO)", section, f) : Py_NewRef((PyObject *)f);
    if (!entry_of || PyList_Append(self->deposits, entry_of) ||
        send_contribution(self, data, reducer, &cb, NULL, section, true))
        Py_CLEAR(f);
    Py_XDECREF(entry_of);
    return (PyObject *)f;
}

/* Position of the first future that waits for this section, or -1. */
static Py_ssize_t
find_deposit(const py_chare *obj, unsigned long section)
{
    Py_ssize_t n = obj->deposits ? PyList_GET_SIZE(obj->deposits) : 0;

    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *o = PyList_GET_ITEM(obj->deposits, i);
        unsigned long of = PyTuple_Check(o) ? PyLong_AsUnsignedLong(PyTuple_GET_ITEM(o, 0)) : 0;

        if (of == section)
            return i;
    }
    return -1;
}

int
py_reducer_deposit(py_state *st, py_chare *obj, PyObject *const *args, Py_ssize_t n)
{
    PyObject *value = n ? args[0] : Py_None;
    unsigned long section = n > 1 ? PyLong_AsUnsignedLong(args[1]) : 0;
    Py_ssize_t at = find_deposit(obj, section);
    PyObject *found;
    py_future *f;
    int r;

    if (at < 0) {
        PyErr_SetString(st->error, "the result of an allreduce came that nobody waits for");
        return -1;
    }
    found = PyList_GET_ITEM(obj->deposits, at);
    f = (py_future *)Py_NewRef(section ? PyTuple_GET_ITEM(found, 1) : found);
    r = PyList_SetSlice(obj->deposits, at, at + 1, NULL);
    if (r == 0 && f->home && !f->ready) {
        r = py_future_put(f, value);
        c4_future_drop(st->pe, f->id);
        Py_DECREF(f);                       /* what the runtime held */
    } else if (r == 0) {
        r = py_future_give(st, f->id, value);
    }
    Py_DECREF(f);
    return r;
}

/* ---- The runtime's side ------------------------------------------------------------------------ */

/* A contribution in words: "sum of float64 (3,)". */
static void
describe(const void *data, char *out, size_t cap)
{
    static const char *const types[] = {
        "?bool", "bint8", "Buint8", "hint16", "Huint16", "iint32", "Iuint32", "lint64", "Luint64",
        "qint64", "Quint64", "ffloat32", "dfloat64", "glongdouble"
    };
    const char *p = data, *type = "";
    size_t n, shape;
    head h;

    memcpy(&h, p, sizeof(h));
    if (h.kind != KIND_NUMBERS) {
        snprintf(out, cap, h.kind == KIND_GATHER ? "gather" : "%.*s of objects",
                 (int)h.nname, p + after_callable(&h));
        return;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i][0] == h.type)
            type = types[i] + 1;
    n = (size_t)snprintf(out, cap, "%s of %s", op_names[h.op], type);
    for (unsigned i = 0; i < h.ndim && n < cap; i++) {
        memcpy(&shape, p + body(&h) + i * sizeof(shape), sizeof(shape));
        n += (size_t)snprintf(out + n, cap - n, "%s%zu", i ? "x" : " array of size ", shape);
    }
}

/* The program's mistake: the job ends with status 1. */
static c4_err
mismatch(c4_pe *pe, const c4_buf *acc, const void *data)
{
    py_state *st = c4_user(pe);
    char one[200], other[200];

    describe(acc->data, one, sizeof(one));
    describe(data, other, sizeof(other));
    PyErr_Format(st->error, "contributions to the same reduction do not fit together: %s, and %s. "
                 "All members must use the same reducer with data of the same type and shape",
                 one, other);
    py_uncaught(st, NULL, NULL);
    return C4_OK;
}

static c4_err
merge_numbers(c4_pe *pe, c4_buf *acc, const head *h, const void *data, size_t len)
{
    size_t nshape = h->ndim * sizeof(Py_ssize_t), to, from = body(h);
    head a;

    memcpy(&a, acc->data, sizeof(a));
    to = body(&a);
    a.ncallable = h->ncallable;             /* the first one is called */
    if (memcmp(&a, h, sizeof(a)) ||
        memcmp(acc->data + to, (const char *)data + from, nshape))
        return mismatch(pe, acc, data);
    if (acc->len < to + nshape + h->nbytes || len < from + nshape + h->nbytes)
        return c4_fail(pe, C4_EFORMAT, "malformed contribution to a reduction");
    fold_of(h->type)((enum op)h->op, acc->data + to + nshape,
                     (const char *)data + from + nshape, h->nbytes);
    return C4_OK;
}

static c4_err
merge(c4_pe *pe, c4_buf *acc, const void *data, size_t len)
{
    head h, a = { .kind = KIND_NOP };

    if (len < sizeof(h))
        return c4_fail(pe, C4_EFORMAT, "malformed contribution to a reduction");
    memcpy(&h, data, sizeof(h));
    if (acc->len == len && len == sizeof(number) && h.kind == KIND_NUMBERS && !h.ndim &&
        h.nbytes == sizeof(int64_t) && memcmp(acc->data, data, sizeof(h)) == 0) {
        fold_of(h.type)((enum op)h.op, acc->data + sizeof(h), (const char *)data + sizeof(h),
                        sizeof(int64_t));
        return C4_OK;
    }
    if (acc->len >= sizeof(a)) {
        memcpy(&a, acc->data, sizeof(a));
        if (h.kind == KIND_NOP)
            return C4_OK;
        if (a.kind == KIND_NOP)
            acc->len = 0;
    }
    if (acc->len == 0)
        return c4_buf_add(acc, data, len);
    if (a.kind != h.kind || a.op != h.op || a.nname != h.nname)
        return mismatch(pe, acc, data);
    if (h.kind == KIND_NUMBERS)
        return merge_numbers(pe, acc, &h, data, len);
    if (h.nname && memcmp(acc->data + after_callable(&a), (const char *)data + after_callable(&h),
                          h.nname))
        return mismatch(pe, acc, data);
    return c4_buf_add(acc, (const char *)data + body(&h), len - body(&h));
}

/* The records of a GATHER or OBJECTS buffer, decoded. */
static PyObject *
decode_records(py_state *st, const c4_buf *acc, const head *h)
{
    size_t at = body(h);
    PyObject *list = PyList_New(0);

    while (list && acc->len - at >= sizeof(record)) {
        record r;
        PyObject *o;

        memcpy(&r, acc->data + at, sizeof(r));
        at += sizeof(r);
        o = py_dec_one(st, acc->data + at, r.nbytes, false);
        if (!o || PyList_Append(list, o))
            Py_CLEAR(list);
        Py_XDECREF(o);
        at += padded(r.nbytes);
    }
    return list;
}

/* Applies the Python reducer to all records: the value, new reference. */
static PyObject *
apply(py_state *st, const c4_buf *acc, const head *h, bool final)
{
    PyObject *list = decode_records(st, acc, h), *r = NULL, *name;

    name = list ? PyUnicode_FromStringAndSize((const char *)acc->data + after_callable(h),
                                              h->nname)
                : NULL;
    if (name)
        r = PyObject_CallFunctionObjArgs(st->reducer_apply, name, list,
                                         final ? Py_True : Py_False, NULL);
    Py_XDECREF(name);
    Py_XDECREF(list);
    return r;
}

static c4_err
user_error(py_state *st)
{
    py_uncaught(st, NULL, NULL);
    return C4_OK;                           /* the job ends with the right status */
}

/* acc becomes what e holds. */
static c4_err
replace(c4_buf *acc, py_enc *e, size_t keep)
{
    const struct iovec *iov;
    c4_err err = C4_OK;
    int n;

    acc->len = keep;
    iov = py_enc_iov(e, &n);
    for (int i = 0; i < n && !err; i++)
        err = c4_buf_add(acc, iov[i].iov_base, iov[i].iov_len);
    return err;
}

static c4_err
combine(c4_pe *pe, c4_buf *acc)
{
    py_state *st = c4_user(pe);
    const unsigned char zeros[8] = { 0 };
    record r = { .nbytes = 0 };
    PyObject *value;
    py_enc *e;
    c4_err err;
    size_t keep;
    head h;

    memcpy(&h, acc->data, sizeof(h));
    if (acc->len < sizeof(h) || h.kind != KIND_OBJECTS)
        return C4_OK;
    keep = body(&h);
    memcpy(&r, acc->data + keep, sizeof(r));
    if (acc->len == keep + sizeof(r) + padded(r.nbytes))
        return C4_OK;                       /* one contribution is its own result */
    value = apply(st, acc, &h, false);
    e = value ? py_enc_begin(st) : NULL;
    if (!e || py_enc_args(e, &value, 1, NULL)) {
        Py_XDECREF(value);
        return user_error(st);
    }
    Py_DECREF(value);
    r.nbytes = py_enc_size(e);
    acc->len = keep;
    err = c4_buf_add(acc, &r, sizeof(r));
    if (!err)
        err = replace(acc, e, keep + sizeof(r));
    if (!err)
        err = c4_buf_add(acc, zeros, padded(r.nbytes) - r.nbytes);
    py_enc_end(e);
    return err;
}

/* Numbers of one item are Python's, others arrays. */
static PyObject *
number_of(const head *h, const unsigned char *p)
{
    union { int8_t b; uint8_t B; int16_t h; uint16_t H; int32_t i; uint32_t I; int64_t q;
            uint64_t Q; float f; double d; long double g; } v;

    memcpy(&v, p, item_size(h->type));
    switch (h->type) {
    case '?': return PyLong_FromLong(v.B != 0);
    case 'b': return PyLong_FromLong(v.b);
    case 'B': return PyLong_FromLong(v.B);
    case 'h': return PyLong_FromLong(v.h);
    case 'H': return PyLong_FromLong(v.H);
    case 'i': return PyLong_FromLong(v.i);
    case 'I': return PyLong_FromUnsignedLong(v.I);
    case 'L': case 'Q': return PyLong_FromUnsignedLongLong(v.Q);
    case 'f': return PyFloat_FromDouble((double)v.f);
    case 'd': return PyFloat_FromDouble(v.d);
    case 'g': return PyFloat_FromDouble((double)v.g);
    default: return PyLong_FromLongLong(v.q);
    }
}

static PyObject *
numbers_result(py_state *st, const c4_buf *acc, const head *h)
{
    const unsigned char *shape = acc->data + body(h);
    const unsigned char *items = shape + h->ndim * sizeof(Py_ssize_t);
    size_t item = item_size(h->type);
    PyObject *bytes, *dims, *r = NULL;
    Py_ssize_t n[32];

    if (h->nbytes == item)
        return number_of(h, items);
    memcpy(n, shape, h->ndim * sizeof(*n));
    bytes = PyByteArray_FromStringAndSize((const char *)items, (Py_ssize_t)h->nbytes);
    dims = PyTuple_New(h->ndim);
    for (int i = 0; dims && i < h->ndim; i++)
        PyTuple_SET_ITEM(dims, i, PyLong_FromSsize_t(n[i]));
    if (bytes && dims)
        r = PyObject_CallFunction(st->to_array, "OCO", bytes, h->type, dims);
    Py_XDECREF(bytes);
    Py_XDECREF(dims);
    return r;
}

/* Position of a record, for sorting. */
struct place {
    uint64_t coll;
    c4_index index;
    size_t   at;
};

static int
by_index(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->coll != y->coll)                 /* sections may have members of several */
        return x->coll < y->coll ? -1 : 1;
    for (int i = 0; i < x->index.n && i < y->index.n; i++)
        if (x->index.at[i] != y->index.at[i])
            return x->index.at[i] < y->index.at[i] ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Puts the records of acc into the order of their indexes. */
static c4_err
sort_records(c4_buf *acc)
{
    size_t n = 0, k = 0, at, first;
    struct place *places;
    c4_buf sorted = { NULL, 0, 0 };
    record r;
    c4_err err;
    head h;

    memcpy(&h, acc->data, sizeof(h));
    first = body(&h);
    for (at = first; at + sizeof(r) <= acc->len; at += sizeof(r) + padded(r.nbytes), n++)
        memcpy(&r, acc->data + at, sizeof(r));
    places = PyMem_Malloc((n ? n : 1) * sizeof(*places));
    if (!places)
        return C4_ENOMEM;
    for (at = first; k < n; at += sizeof(r) + padded(r.nbytes), k++) {
        memcpy(&r, acc->data + at, sizeof(r));
        places[k] = (struct place){ r.coll, r.index, at };
    }
    qsort(places, n, sizeof(*places), by_index);
    err = c4_buf_add(&sorted, acc->data, first);
    for (k = 0; k < n && !err; k++) {
        memcpy(&r, acc->data + places[k].at, sizeof(r));
        err = c4_buf_add(&sorted, acc->data + places[k].at, sizeof(r) + padded(r.nbytes));
    }
    PyMem_Free(places);
    if (err) {
        c4_buf_release(&sorted);
        return err;
    }
    c4_buf_release(acc);
    *acc = sorted;
    return C4_OK;
}

/* At the root: the callable that came along is called, from the loop. */
static c4_err
call_callable(py_state *st, const c4_buf *acc, const head *h, PyObject *value)
{
    PyObject *r = PyObject_CallFunction(st->call_back, value ? "y#O" : "y#",
                                        acc->data + sizeof(*h), (Py_ssize_t)h->ncallable, value);

    if (!r)
        return user_error(st);
    Py_DECREF(r);
    return C4_OK;
}

/* The value; NULL without an exception: none is delivered. */
static PyObject *
value_of(py_state *st, const c4_buf *acc, const head *h)
{
    switch ((enum kind)h->kind) {
    case KIND_NOP: return h->section ? Py_NewRef(Py_None) : NULL;
    case KIND_NUMBERS: return numbers_result(st, acc, h);
    case KIND_GATHER: return decode_records(st, acc, h);
    case KIND_OBJECTS: return apply(st, acc, h, true);
    }
    return NULL;
}

static c4_err
finish(c4_pe *pe, c4_buf *acc)
{
    py_state *st = c4_user(pe);
    PyObject *args[2] = { NULL, NULL };
    c4_err err = C4_OK;
    py_enc *e = NULL;
    head h;

    if (acc->len < sizeof(h))
        return C4_OK;
    memcpy(&h, acc->data, sizeof(h));
    if (h.kind == KIND_GATHER && (err = sort_records(acc)))
        return err;
    args[0] = value_of(st, acc, &h);
    if (!args[0] && PyErr_Occurred())
        return user_error(st);
    if (h.ncallable) {
        err = call_callable(st, acc, &h, args[0]);
        acc->len = 0;
    } else if (!args[0]) {
        acc->len = 0;                       /* no argument */
    } else {
        args[1] = PyLong_FromUnsignedLong(h.section);
        e = args[1] ? py_enc_begin(st) : NULL;
        if (e && py_enc_args(e, args, h.deposit ? 2 : 1, NULL) == 0)
            err = replace(acc, e, 0);
        else
            err = user_error(st);
    }
    if (e)
        py_enc_end(e);
    Py_XDECREF(args[1]);
    Py_XDECREF(args[0]);
    return err;
}

static const c4_reducer reducer = {
    .name = "charm4py", .merge = merge, .combine = combine, .finish = finish,
};

int
py_reducers_register(py_state *st)
{
    c4_err err = c4_reducer_add(st->pe, &reducer, &st->reducer);

    if (err)
        py_raise(st, err);
    return err ? -1 : 0;
}
