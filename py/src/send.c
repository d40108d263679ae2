/*
 * send.c - calls of entry methods, and creation of collections.
 *
 * Cost of a call: to an element on this PE one tuple (no encoding) and the
 * runtime's queue; to another PE the codec and one c4_sendv().  No allocation
 * besides the tuple; a Future only where the caller asks for one.
 */
#include <string.h>

#include "c4py.h"

enum want { WANT_NOTHING, WANT_END, WANT_RESULT };

/* ---- Arguments --------------------------------------------------------------- */

/* ret and awaitable out of the keywords; others = how many remain. */
static int
parse_want(py_state *st, PyObject *const *values, PyObject *kwnames, enum want *want,
           Py_ssize_t *others)
{
    *others = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        bool ret = PyUnicode_Compare(name, st->s_ret) == 0;

        if (ret || PyUnicode_Compare(name, st->s_awaitable) == 0) {
            int yes = PyObject_IsTrue(values[i]);

            if (yes < 0)
                return -1;
            if (yes && ret)
                *want = WANT_RESULT;
            else if (yes && *want == WANT_NOTHING)
                *want = WANT_END;
        } else {
            ++*others;
        }
    }
    return 0;
}

static PyObject *
keyword(PyObject *const *values, PyObject *kwnames, PyObject *name)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++)
        if (PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, i), name) == 0)
            return values[i];
    return NULL;
}

/* A keyword that names no parameter, or one that was given by position: raises. */
static int
bad_keyword(const py_method *m, PyObject *name, bool twice)
{
    PyErr_Format(PyExc_TypeError, twice ? "%s.%U() got multiple values for argument %R"
                 : "%s.%U() got an unexpected keyword argument %R",
                 m->cls->short_name, m->name, name);
    return -1;
}

/* The keyword arguments that go by keyword: all those after what can take its place. */
static int
rest_of_keywords(py_method *m, Py_ssize_t n, Py_ssize_t placed, PyObject *const *values,
                 PyObject *kwnames, PyObject *rest)
{
    py_state *st = m->cls->st;
    bool any = m->keywords && PyObject_IsTrue(PyTuple_GET_ITEM(m->keywords, 2));

    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        int at, known = 0;

        if (PyUnicode_Compare(name, st->s_ret) == 0 || PyUnicode_Compare(name, st->s_awaitable) == 0)
            continue;
        at = m->params && PySequence_Contains(m->params, name)
           ? (int)PySequence_Index(m->params, name) : -1;
        if (at >= 0 && at < n)
            return bad_keyword(m, name, true);
        if (at >= 0 && at < placed)
            continue;
        if (at < 0 && m->keywords)
            known = PySequence_Contains(PyTuple_GET_ITEM(m->keywords, 0), name);
        if (at < 0 && known == 0 && !any)
            return bad_keyword(m, name, false);
        if (known < 0 || PyDict_SetItem(rest, name, values[i]))
            return -1;
    }
    return 0;
}

/* Is there a value for all that has none by itself? */
static int
check_required(py_method *m, Py_ssize_t placed, PyObject *rest)
{
    PyObject *required = m->keywords ? PyTuple_GET_ITEM(m->keywords, 1) : NULL;

    for (Py_ssize_t i = placed; i < m->min_args; i++) {
        PyObject *name = PyTuple_GET_ITEM(m->params, i);

        if (PyDict_GetItem(rest, name))
            continue;
        PyErr_Format(PyExc_AssertionError, "Value not found for parameter '%U' of entry method %s.%U",
                     name, m->cls->short_name, m->name);
        return -1;
    }
    for (Py_ssize_t i = 0; required && i < PyTuple_GET_SIZE(required); i++) {
        if (PyDict_GetItem(rest, PyTuple_GET_ITEM(required, i)))
            continue;
        PyErr_Format(PyExc_TypeError, "%s.%U() missing required keyword-only argument: %R",
                     m->cls->short_name, m->name, PyTuple_GET_ITEM(required, i));
        return -1;
    }
    return 0;
}

/* The arguments as a tuple: keywords that come next in order take their place, the others
 * are in a dict after them.  Defaults stay with the callee: see arguments_place(). */
static PyObject *
place_keywords(py_method *m, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    Py_ssize_t nparams = m->params ? PyTuple_GET_SIZE(m->params) : n, placed = n;
    PyObject *rest = PyObject_CallNoArgs((PyObject *)m->cls->st->keywords_type), *t = NULL;

    while (placed < nparams && keyword(args + n, kwnames, PyTuple_GET_ITEM(m->params, placed)))
        placed++;
    if (!rest || rest_of_keywords(m, n, placed, args + n, kwnames, rest) ||
        check_required(m, placed, rest)) {
        Py_XDECREF(rest);
        return NULL;
    }
    t = PyTuple_New(placed + (PyDict_GET_SIZE(rest) > 0));
    for (Py_ssize_t i = 0; t && i < placed; i++)
        PyTuple_SET_ITEM(t, i, Py_NewRef(i < n ? args[i] : keyword(args + n, kwnames,
                                                       PyTuple_GET_ITEM(m->params, i))));
    if (t && PyDict_GET_SIZE(rest))
        PyTuple_SET_ITEM(t, placed, Py_NewRef(rest));
    Py_DECREF(rest);
    return t;
}

/* ---- Sending ------------------------------------------------------------------ */

static PyObject *
bad_index(py_proxy *p)
{
    PyObject *index = py_index_tuple(p->at, p->dims.n);
    PyObject *dims = p->kind == PY_KIND_GROUP
        ? Py_BuildValue("(I)", c4_npes(p->cls->st->pe))
        : py_index_tuple(p->dims.at, p->dims.n);

    if (index && dims)
        PyErr_Format(PyExc_IndexError, "index %R is outside the %s of %s with sizes %R", index,
                     p->kind == PY_KIND_GROUP ? "group" : "array", p->cls->short_name, dims);
    Py_XDECREF(index);
    Py_XDECREF(dims);
    return NULL;
}

static bool
takes(const py_method *m, Py_ssize_t n)
{
    return n >= m->min_args && (n <= m->max_args || m->max_args == UINT16_MAX);
}

/* As Python says it where the method is called, but without self. */
static PyObject *
wrong_count(const py_method *m, Py_ssize_t n)
{
    PyObject *names;

    if (n < m->min_args) {
        names = PyTuple_GetSlice(m->params, n, m->min_args);
        if (names)
            PyErr_Format(PyExc_TypeError, "%s.%U() missing %zd required positional argument%s: %R",
                         m->cls->short_name, m->name, m->min_args - n,
                         m->min_args - n == 1 ? "" : "s",
                         m->min_args - n == 1 ? PyTuple_GET_ITEM(names, 0) : names);
        Py_XDECREF(names);
    } else if (m->min_args == m->max_args) {
        PyErr_Format(PyExc_TypeError, "%s.%U() takes %d positional argument%s but %zd %s given",
                     m->cls->short_name, m->name, m->max_args, m->max_args == 1 ? "" : "s", n,
                     n == 1 ? "was" : "were");
    } else {
        PyErr_Format(PyExc_TypeError, "%s.%U() takes from %d to %d positional arguments but %zd "
                     "were given", m->cls->short_name, m->name, m->min_args, m->max_args, n);
    }
    return NULL;
}

/* By reference to an element of this PE: C4_EREMOTE if it is not one. */
static c4_err
send_here(py_proxy *p, py_method *m, PyObject *const *args, Py_ssize_t n, c4_future done)
{
    py_state *st = p->cls->st;
    PyObject *ref;
    c4_err err;

    if (p->remote && !c4_local(st->pe, py_target(p)))
        return C4_EREMOTE;
    ref = n ? PyTuple_New(n) : Py_NewRef(st->empty_tuple);
    if (!ref)
        return C4_ENOMEM;
    for (Py_ssize_t i = 0; i < n; i++)
        PyTuple_SET_ITEM(ref, i, Py_NewRef(args[i]));
    if (st->checks && py_check_sent(st, m, ref)) {
        Py_DECREF(ref);
        return C4_EUSER;
    }
    err = c4_send_ref(st->pe, py_target(p), m->entry, ref, done);
    if (err && st->checks)
        py_check_forget(st, ref);
    if (err)
        Py_DECREF(ref);
    p->remote = err == C4_EREMOTE;
    return err;
}

static int
send_encoded(py_proxy *p, py_method *m, PyObject *const *args, Py_ssize_t n, c4_future done,
             unsigned flags)
{
    py_state *st = p->cls->st;
    py_enc_what what = { p->cls->short_name, PyUnicode_AsUTF8(m->name), false };
    py_enc *e = py_enc_begin(st);
    const struct iovec *iov;
    c4_err err = C4_OK;
    int niov, r = -1;

    if (!e)
        return -1;
    if (py_enc_args(e, args, n, &what) == 0 && (iov = py_enc_iov(e, &niov)) != NULL) {
        if (p->elem)
            err = c4_sendv(st->pe, py_target(p), m->entry, iov, niov, done);
        else if (p->section)
            err = py_section_cast(p, m, iov, niov, done, flags);
        else
            err = c4_bcastv(st->pe, p->coll, m->entry, iov, niov, done, flags);
        r = err ? -1 : 0;
        if (err)
            py_raise(st, err);
    }
    py_enc_end(e);
    return r;
}

static int
send_args(py_proxy *p, py_method *m, PyObject *const *args, Py_ssize_t n, c4_future done,
          enum want want)
{
    py_state *st = p->cls->st;
    uint64_t stamp = c4_send_begin(st->pe);
    int r;

    if (p->elem && st->by_ref) {
        c4_err err = send_here(p, m, args, n, done);

        if (err != C4_EREMOTE) {
            if (stamp)
                c4_send_end(st->pe, stamp);
            if (err)
                py_raise(st, err);
            return err ? -1 : 0;
        }
    }
    r = send_encoded(p, m, args, n, done, want == WANT_RESULT ? C4_BCAST_RESULTS : 0);
    if (stamp)
        c4_send_end(st->pe, stamp);
    return r;
}

static PyObject *
send_wanted(py_proxy *p, py_method *m, PyObject *const *args, Py_ssize_t n, enum want want)
{
    py_state *st = p->cls->st;
    py_future *f;

    if (py_co_check(st))
        return NULL;
    f = py_future_new(st, 1);
    if (!f)
        return NULL;
    f->of = m;
    f->results_of_bcast = want == WANT_RESULT && !p->elem;
    if (send_args(p, m, args, n, f->id, want)) {
        c4_future_drop(st->pe, f->id);
        Py_DECREF(f);                       /* what the runtime held */
        Py_CLEAR(f);
    }
    return (PyObject *)f;
}

PyObject *
py_send(py_proxy *p, py_method *m, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    enum want want = WANT_NOTHING;
    PyObject *placed = NULL, *r = NULL;
    Py_ssize_t others;

    if (py_need_pe(p->cls->st))
        return NULL;
    if (p->bad && py_proxy_bad(p))
        return bad_index(p);
    if (kwnames) {
        if (parse_want(p->cls->st, args + n, kwnames, &want, &others))
            return NULL;
        if (others || n < m->min_args) {
            if (n > m->max_args)
                return wrong_count(m, n);
            placed = place_keywords(m, args, n, kwnames);
            if (!placed)
                return NULL;
            args = &PyTuple_GET_ITEM(placed, 0);
            n = PyTuple_GET_SIZE(placed);
        }
    }
    if (!placed && !takes(m, n))
        return wrong_count(m, n);
    if (want != WANT_NOTHING)
        r = send_wanted(p, m, args, n, want);
    else if (send_args(p, m, args, n, 0, want) == 0)
        r = Py_NewRef(Py_None);
    Py_XDECREF(placed);
    return r;
}

/* ---- Creation ------------------------------------------------------------------- */

/* Constructor arguments in one piece; *heap is to be freed, if not NULL. */
static const void *
flatten(py_enc *e, void **heap, size_t *len)
{
    *len = py_enc_size(e);
    *heap = NULL;
    if (!e->outside)
        return e->buf;
    *heap = PyMem_Malloc(*len);
    if (!*heap) {
        PyErr_NoMemory();
        return NULL;
    }
    py_enc_copy(e, *heap);
    return *heap;
}

static c4_err
create_coll(py_class *cls, enum py_kind kind, const c4_index *dims, int on_pe,
            const c4_opts *opts, c4_chare *out)
{
    c4_pe *pe = cls->st->pe;

    if (kind == PY_KIND_GROUP)
        return c4_group_new(pe, &cls->type, opts, &out->coll);
    if (kind == PY_KIND_ARRAY)
        return c4_array_new(pe, &cls->type, *dims, opts, &out->coll);
    return c4_chare_new(pe, &cls->type, on_pe, opts, out);
}

/* An array that begins empty: its elements come with arguments of their own. */
static bool
begins_empty(int kind, const c4_index *dims)
{
    for (int i = 0; kind == PY_KIND_ARRAY && i < dims->n; i++)
        if (dims->at[i] == 0)
            return true;
    return false;
}

/* Is there something that charm.awaitCreation() can wait for?  Maps are made at
 * once, and an array without elements may stay so. */
static bool
can_be_awaited(const py_class *cls, enum py_kind kind, const c4_index *dims)
{
    return !cls->is_map && !begins_empty(kind, dims) && py_co_can(cls->st);
}

static PyObject *
create_encoded(py_class *cls, enum py_kind kind, const c4_index *dims, int on_pe, c4_opts *opts)
{
    py_state *st = cls->st;
    py_future *created = NULL;
    c4_chare who = { 0, 0 };
    py_proxy *p;
    c4_err err;

    if (can_be_awaited(cls, kind, dims)) {
        created = py_future_new(st, 1);
        if (!created)
            return NULL;
        created->made = cls;
        opts->created = created->id;
    }
    err = create_coll(cls, kind, dims, on_pe, opts, &who);
    if (err) {
        if (created) {
            c4_future_drop(st->pe, created->id);
            Py_DECREF(created);
            Py_DECREF(created);
        }
        py_raise(st, err);
        return NULL;
    }
    p = opts->on_pes ? py_proxy_part(cls, who.coll) : py_proxy_new(cls, kind, who.coll, dims);
    if (!p) {
        Py_XDECREF(created);
        return NULL;
    }
    p->created = (PyObject *)created;
    if (kind == PY_KIND_SINGLE || kind == PY_KIND_MAIN) {
        p->elem = true;
        p->key = who.idx;
    }
    return (PyObject *)p;
}

/* Makes sequence into the arguments of a constructor (of none that is called
 * now, if !called) and encodes them. */
static py_enc *
encode_args(py_class *cls, PyObject *sequence, bool called)
{
    py_enc_what what = { cls->short_name, "__init__", false };
    PyObject *fast = PySequence_Fast(sequence, "args must be a sequence");
    py_enc *e = NULL;

    if (fast && called && !takes(cls->init, PySequence_Fast_GET_SIZE(fast)))
        wrong_count(cls->init, PySequence_Fast_GET_SIZE(fast));
    else if (fast)
        e = py_enc_begin(cls->st);
    if (e && py_enc_args(e, PySequence_Fast_ITEMS(fast), PySequence_Fast_GET_SIZE(fast), &what)) {
        py_enc_end(e);
        e = NULL;
    }
    Py_XDECREF(fast);
    return e;
}

static int
parse_map(py_state *st, PyObject *map, c4_group *out)
{
    *out = 0;
    if (map == Py_None)
        return 0;
    if (!py_proxy_check(st, map) || !((py_proxy *)map)->cls->is_map) {
        PyErr_SetString(PyExc_TypeError, "map must be the proxy of a group of an ArrayMap class");
        return -1;
    }
    *out = ((py_proxy *)map)->coll;
    return 0;
}

/* The PEs of a group: memory of its own in opts. */
static int
parse_pes(PyObject *list, c4_opts *opts)
{
    Py_ssize_t n;
    uint32_t *pes;

    if (list == Py_None)
        return 0;
    n = PyTuple_GET_SIZE(list);
    pes = PyMem_Calloc((size_t)n + 1, sizeof(*pes));
    if (!pes) {
        PyErr_NoMemory();
        return -1;
    }
    opts->on_pes = pes;
    opts->non_pes = (size_t)n;
    for (Py_ssize_t i = 0; i < n; i++)
        pes[i] = (uint32_t)PyLong_AsUnsignedLong(PyTuple_GET_ITEM(list, i));
    return PyErr_Occurred() ? -1 : 0;
}

/* create(cls, kind, args, dims, on_pe, map, at_sync, on_pes=None): dims and on_pes are tuples. */
PyObject *
py_create(PyObject *mod, PyObject *args, PyObject *kw)
{
    static char *names[] = { "cls", "kind", "args", "dims", "on_pe", "map", "at_sync",
                             "on_pes", NULL };
    py_state *st = PyModule_GetState(mod);
    PyObject *pycls, *ctor_args, *dims_arg, *map, *on_pes = Py_None, *r = NULL;
    int kind, on_pe, at_sync;
    c4_index dims;
    c4_opts opts = { 0 };
    py_class *cls;
    py_enc *e;
    void *heap;

    if (!PyArg_ParseTupleAndKeywords(args, kw, "OiOOiOp|O", names, &pycls, &kind, &ctor_args,
                                     &dims_arg, &on_pe, &map, &at_sync, &on_pes))
        return NULL;
    if (py_need_pe(st) || py_index_parse(dims_arg, &dims) || parse_map(st, map, &opts.map))
        return NULL;
    cls = py_class_of(st, pycls);
    if (!cls) {
        if (!PyErr_Occurred())
            PyErr_Format(st->error, "%R is not a registered chare class", pycls);
        return NULL;
    }
    opts.at_sync = at_sync;
    e = encode_args(cls, ctor_args, !begins_empty(kind, &dims));
    if (!e)
        return NULL;
    opts.args = flatten(e, &heap, &opts.len);
    if (opts.args && parse_pes(on_pes, &opts) == 0)
        r = create_encoded(cls, (enum py_kind)kind, &dims, on_pe, &opts);
    PyMem_Free((void *)opts.on_pes);
    PyMem_Free(heap);
    py_enc_end(e);
    return r;
}

PyObject *
py_insert(PyObject *self, PyObject *args, PyObject *kw)
{
    static char *names[] = { "index", "args", "onPE", "useAtSync", NULL };
    py_proxy *p = (py_proxy *)self;
    py_state *st = p->cls->st;
    PyObject *index_arg, *ctor_args = st->empty_tuple;
    int on_pe = -1, at_sync = 0;
    c4_err err = C4_ENOMEM;
    c4_opts opts = { 0 };
    c4_index index;
    py_enc *e;
    void *heap;

    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|Oip", names, &index_arg, &ctor_args, &on_pe,
                                     &at_sync))
        return NULL;
    if (py_need_pe(st) || py_index_parse(index_arg, &index))
        return NULL;
    if (p->kind != PY_KIND_ARRAY || p->elem || p->section || index.n != p->dims.n) {
        PyErr_SetString(PyExc_AssertionError, "Invalid index dimensions passed to ckInsert");
        return NULL;
    }
    e = encode_args(p->cls, ctor_args, true);
    if (!e)
        return NULL;
    opts.at_sync = at_sync;
    opts.args = flatten(e, &heap, &opts.len);
    if (opts.args) {
        err = c4_insert(st->pe, p->coll, &index, on_pe, &opts);
        if (err)
            py_raise(st, err);
    }
    PyMem_Free(heap);
    py_enc_end(e);
    return err ? NULL : Py_NewRef(Py_None);
}

PyObject *
py_done_inserting(PyObject *self, PyObject *unused)
{
    py_proxy *p = (py_proxy *)self;
    c4_err err;

    (void)unused;
    if (py_need_pe(p->cls->st))
        return NULL;
    err = c4_done_inserting(p->cls->st->pe, p->coll);
    if (err) {
        py_raise(p->cls->st, err);
        return NULL;
    }
    Py_RETURN_NONE;
}
