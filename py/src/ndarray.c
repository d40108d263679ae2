/*
 * ndarray.c - NumPy arrays in messages.
 *
 * NumPy is not imported by us: its C API is fetched when the first array is
 * met (sent, received or contributed).  Arrays are a type character, a shape
 * and memory in C order; those of other types than the plain numeric ones
 * (structured, dates, text, other byte orders) have 'V' for the character and
 * their type pickled behind the shape.  What else NumPy has (arrays of objects,
 * subclasses, types of other packages) is pickled.
 *
 * A large array that arrives stays in the arena block of its message: its base
 * object is a "Block", which gives the memory back when the array dies.
 */
#include <string.h>

#include "c4py.h"

enum { KEEP_MIN = 2048 };                   /* smaller arrays are copied out of the message */

typedef struct block_object {
    PyObject_HEAD
    c4_block *block;
} block_object;

#ifdef HAVE_NUMPY
#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL c4py_array_api
#include <numpy/arrayobject.h>

static bool
load_numpy(py_state *st)
{
    if (_import_array() < 0) {
        PyErr_Clear();
        st->numpy_failed = true;
        return false;
    }
    st->ndarray_type = &PyArray_Type;
    st->np_generic = &PyGenericArrType_Type;
    return true;
}

bool
py_nd_ready(py_state *st, bool import)
{
    if (st->ndarray_type)
        return true;
    if (st->numpy_failed || !import)
        return false;
    return load_numpy(st);
}

/* Is o likely NumPy's?  Then its C API is there for us to fetch. */
static bool
is_numpy(py_state *st, PyObject *o)
{
    if (st->ndarray_type)
        return true;
    return !strncmp(Py_TYPE(o)->tp_name, "numpy.", 6) && py_nd_ready(st, true);
}

/* Type number of a character of ours, or NPY_NOTYPE. */
static int
type_number(char c)
{
    switch (c) {
    case '?': return NPY_BOOL;
    case 'b': return NPY_BYTE;
    case 'B': return NPY_UBYTE;
    case 'h': return NPY_SHORT;
    case 'H': return NPY_USHORT;
    case 'i': return NPY_INT;
    case 'I': return NPY_UINT;
    case 'l': return NPY_LONG;
    case 'L': return NPY_ULONG;
    case 'q': return NPY_LONGLONG;
    case 'Q': return NPY_ULONGLONG;
    case 'e': return NPY_HALF;
    case 'f': return NPY_FLOAT;
    case 'd': return NPY_DOUBLE;
    case 'g': return NPY_LONGDOUBLE;
    case 'F': return NPY_CFLOAT;
    case 'D': return NPY_CDOUBLE;
    case 'G': return NPY_CLONGDOUBLE;
    default: return NPY_NOTYPE;
    }
}

size_t
py_nd_itemsize(char c)
{
    switch (c) {
    case '?': case 'b': case 'B': return 1;
    case 'h': case 'H': case 'e': return 2;
    case 'i': case 'I': case 'f': return 4;
    case 'l': case 'L': return sizeof(long);
    case 'q': case 'Q': case 'd': case 'F': return 8;
    case 'D': return 16;
    case 'g': return sizeof(long double);
    case 'G': return 2 * sizeof(long double);
    default: return 0;
    }
}

static bool
plain(PyArray_Descr *descr)
{
    return type_number(descr->type) != NPY_NOTYPE && PyArray_ISNBO(descr->byteorder);
}

static int
encode_scalar(py_enc *e, PyObject *o)
{
    PyArray_Descr *descr = PyArray_DescrFromScalar(o);
    char item[32];
    int r = 0;

    if (!descr)
        return -1;
    /* exact types only: a subclass may carry more than its value */
    if (plain(descr) && descr->typeobj == Py_TYPE(o)) {
        PyArray_ScalarAsCtype(o, item);
        r = py_enc_array_head(e, descr->type, -1, NULL, 0) ||
            py_enc_raw(e, item, py_nd_itemsize(descr->type)) ? -1 : 1;
    }
    Py_DECREF(descr);
    return r;
}

/* The pickled type of an array whose type is not plain; NULL without an
 * exception if the array itself is better pickled. */
static PyObject *
describe(py_state *st, PyArrayObject *a)
{
    enum { PROTOCOL = 4 };
    PyObject *text;

    if (PyDataType_REFCHK(PyArray_DESCR(a)) || PyTypeNum_ISUSERDEF(PyArray_TYPE(a)) ||
        PyArray_ITEMSIZE(a) == 0)
        return NULL;
    text = PyObject_CallFunction(st->dumps, "Oi", PyArray_DESCR(a), (int)PROTOCOL);
    if (!text)
        PyErr_Clear();                      /* so will the array's, and be explained */
    return text;
}

static int
put_description(py_enc *e, PyObject *text)
{
    uint32_t n = (uint32_t)PyBytes_GET_SIZE(text);

    return py_enc_raw(e, &n, sizeof(n)) || py_enc_raw(e, PyBytes_AS_STRING(text), n);
}

int
py_nd_encode(py_enc *e, PyObject *o)
{
    PyArrayObject *a, *c;
    PyObject *text = NULL;
    int r;

    if (!is_numpy(e->st, o))
        return 0;
    if (!PyArray_CheckExact(o))
        return PyArray_IsScalar(o, Generic) ? encode_scalar(e, o) : 0;
    a = (PyArrayObject *)o;
    if (py_enc_met_array(e, o, PyArray_IS_C_CONTIGUOUS(a) && PyArray_NBYTES(a) >= PY_OUTSIDE_MIN))
        return 2;
    if (!plain(PyArray_DESCR(a)) && !(text = describe(e->st, a)))
        return 0;
    c = PyArray_IS_C_CONTIGUOUS(a) ? (PyArrayObject *)Py_NewRef(o)
                                   : (PyArrayObject *)PyArray_NewCopy(a, NPY_CORDER);
    if (!c) {
        Py_XDECREF(text);
        return -1;
    }
    r = py_enc_array_head(e, text ? 'V' : PyArray_DESCR(c)->type, PyArray_NDIM(c),
                          PyArray_DIMS(c), (size_t)PyArray_NBYTES(c));
    if (r == 0 && text)
        r = put_description(e, text);
    if (r == 0)
        r = py_enc_aligned(e, PyArray_DATA(c), (size_t)PyArray_NBYTES(c), (PyObject *)c);
    Py_XDECREF(text);
    Py_DECREF(c);
    return r ? -1 : 1;
}

bool
py_nd_changes(py_state *st, PyObject *o)
{
    return is_numpy(st, o) && PyArray_CheckExact(o) &&
           (!PyArray_ISWRITEABLE((PyArrayObject *)o) || !PyArray_ISONESEGMENT((PyArrayObject *)o));
}

/* The message's memory if it can stay: else NULL. */
static c4_block *
keep(py_dec *d)
{
    if (!d->kept) {
        d->kept = true;
        if (d->may_keep && d->st->pe)
            d->block = c4_data_keep(d->st->pe);
    }
    return d->block;
}

/* Steals descr, as all that makes arrays. */
static PyObject *
array_in_place(py_dec *d, PyArray_Descr *descr, int ndim, npy_intp *shape, const unsigned char *p)
{
    block_object *base = PyObject_New(block_object, d->st->block_type);
    PyObject *a;

    if (!base) {
        Py_DECREF(descr);
        return NULL;
    }
    base->block = c4_block_ref(d->block);
    a = PyArray_NewFromDescr(&PyArray_Type, descr, ndim, shape, NULL, (void *)p, NPY_ARRAY_CARRAY,
                             NULL);
    if (!a) {
        Py_DECREF(base);
        return NULL;
    }
    /* steals base */
    if (PyArray_SetBaseObject((PyArrayObject *)a, (PyObject *)base))
        Py_CLEAR(a);
    return a;
}

/* Checks that shape and nbytes agree, without overflow. */
static bool
fits(const npy_intp *shape, int ndim, size_t itemsize, uint64_t nbytes)
{
    uint64_t n = itemsize;

    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0)
            return false;
        if (shape[i] && n > (UINT64_MAX >> 1) / (uint64_t)shape[i])
            return false;
        n *= (uint64_t)shape[i];
    }
    return n == nbytes;
}

static PyObject *
malformed(void)
{
    PyErr_SetString(PyExc_ValueError, "charm4py: malformed array in a message");
    return NULL;
}

/* What put_description() wrote; *itemsize as it says. */
static PyArray_Descr *
take_description(py_dec *d, size_t *itemsize)
{
    const unsigned char *p;
    PyObject *text, *descr = NULL, *size = NULL;
    uint32_t n;

    if (py_dec_take(d, &n, sizeof(n)) || !(p = py_dec_skip(d, n)))
        return NULL;
    text = PyBytes_FromStringAndSize((const char *)p, n);
    if (text)
        descr = PyObject_CallOneArg(d->st->loads, text);
    Py_XDECREF(text);
    if (descr && PyArray_DescrCheck(descr) && !PyDataType_REFCHK((PyArray_Descr *)descr))
        size = PyObject_GetAttrString(descr, "itemsize");
    else if (descr)
        malformed();
    if (!size) {
        Py_XDECREF(descr);
        return NULL;
    }
    *itemsize = PyLong_AsSize_t(size);
    Py_DECREF(size);
    return (PyArray_Descr *)descr;
}

/* The array's memory is what comes next. */
static PyObject *
decode_items(py_dec *d, PyArray_Descr *descr, int ndim, npy_intp *shape, size_t nbytes)
{
    const unsigned char *p = NULL;
    PyObject *a;

    if (nbytes < PY_OUTSIDE_MIN || py_dec_skip(d, (size_t)(d->base - d->p) & 15))
        p = py_dec_skip(d, nbytes);
    if (!p) {
        Py_DECREF(descr);
        return NULL;
    }
    if (nbytes >= KEEP_MIN && nbytes >= (size_t)(d->end - d->base) / 8 && keep(d))
        return array_in_place(d, descr, ndim, shape, p);
    a = PyArray_NewFromDescr(&PyArray_Type, descr, ndim, shape, NULL, NULL, 0, NULL);
    if (a)
        memcpy(PyArray_DATA((PyArrayObject *)a), p, nbytes);
    return a;
}

static PyObject *
decode_array(py_dec *d, char type)
{
    size_t itemsize = py_nd_itemsize(type);
    npy_intp shape[NPY_MAXDIMS];
    PyArray_Descr *descr;
    unsigned char ndim;
    uint64_t nbytes;

    if (py_dec_take(d, &ndim, 1) || py_dec_take(d, &nbytes, 8))
        return NULL;
    if (ndim > NPY_MAXDIMS || nbytes > (uint64_t)(d->end - d->p))
        return malformed();
    if (py_dec_take(d, shape, ndim * sizeof(*shape)))
        return NULL;
    descr = type == 'V' ? take_description(d, &itemsize) : PyArray_DescrFromType(type_number(type));
    if (!descr)
        return NULL;
    if (!fits(shape, ndim, itemsize, nbytes)) {
        Py_DECREF(descr);
        return malformed();
    }
    return decode_items(d, descr, ndim, shape, (size_t)nbytes);
}

PyObject *
py_nd_decode(py_dec *d, bool scalar)
{
    PyArray_Descr *descr;
    const unsigned char *p;
    char type;
    size_t itemsize;
    PyObject *o;
    union { char bytes[32]; long double align; } item;

    if (py_dec_take(d, &type, 1))
        return NULL;
    itemsize = py_nd_itemsize(type);
    if (!itemsize && (scalar || type != 'V'))
        return malformed();
    if (!py_nd_ready(d->st, true)) {
        PyErr_SetString(PyExc_ValueError, "charm4py: NumPy is not installed on this PE");
        return NULL;
    }
    if (!scalar)
        return decode_array(d, type);
    p = py_dec_skip(d, itemsize);
    if (!p)
        return NULL;
    memcpy(item.bytes, p, itemsize);
    descr = PyArray_DescrFromType(type_number(type));
    o = PyArray_Scalar(item.bytes, descr, NULL);
    Py_DECREF(descr);
    return o;
}

int
py_nd_look(py_state *st, PyObject *o, py_nd_view *v)
{
    PyArrayObject *a;

    if (!is_numpy(st, o))
        return 0;
    if (PyArray_IsScalar(o, Generic)) {
        a = (PyArrayObject *)PyArray_FromScalar(o, NULL);
        v->scalar = true;
    } else if (PyArray_Check(o)) {
        a = (PyArrayObject *)PyArray_FROM_OF(o, NPY_ARRAY_CARRAY_RO);
        v->scalar = false;
    } else {
        return 0;
    }
    if (!a)
        return -1;
    if (!plain(PyArray_DESCR(a)) || PyArray_NDIM(a) > 32) {
        Py_DECREF(a);
        return 0;
    }
    v->type = PyArray_DESCR(a)->type;
    v->ndim = PyArray_NDIM(a);
    for (int i = 0; i < v->ndim; i++)
        v->shape[i] = PyArray_DIM(a, i);
    v->data = PyArray_DATA(a);
    v->nbytes = (size_t)PyArray_NBYTES(a);
    v->owner = (PyObject *)a;
    return 1;
}

#else                                       /* built without NumPy's headers: pickle does it */

bool
py_nd_ready(py_state *st, bool import)
{
    (void)st, (void)import;
    return false;
}

size_t
py_nd_itemsize(char c)
{
    (void)c;
    return 0;
}

int
py_nd_encode(py_enc *e, PyObject *o)
{
    (void)e, (void)o;
    return 0;
}

bool
py_nd_changes(py_state *st, PyObject *o)
{
    (void)st, (void)o;
    return false;
}

PyObject *
py_nd_decode(py_dec *d, bool scalar)
{
    (void)d, (void)scalar;
    PyErr_SetString(PyExc_ValueError, "charm4py was built without NumPy");
    return NULL;
}

int
py_nd_look(py_state *st, PyObject *o, py_nd_view *v)
{
    (void)st, (void)o, (void)v;
    return 0;
}

#endif

/* May run at interpreter exit, after the PE is gone: c4_block_free allows it. */
static void
block_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    c4_block_free(((block_object *)self)->block);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot block_slots[] = {
    { Py_tp_dealloc, block_dealloc },
    { Py_tp_doc, "Memory of a received message." },
    { 0, NULL }
};

PyType_Spec py_block_spec = {
    .name = "charm4py._c4.Block",
    .basicsize = sizeof(block_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = block_slots,
};
