/*
 * proxy.c - chare classes as the runtime sees them, and their proxies.
 *
 * Each class has a proxy class per kind of collection (XGroupProxy ...), whose
 * dict holds one py_method per entry method.  A py_method has the method
 * descriptor flag, so that proxy.m(x) is one vectorcall without a bound method
 * in between.  Proxies are values: collection, element key and the array's
 * dimensions; they never change and are equal on all PEs.
 */
#include <stddef.h>
#include <string.h>

#include "c4py.h"

/* ---- Indexes -------------------------------------------------------------- */

PyObject *
py_index_tuple(const int64_t *at, int n)
{
    PyObject *t = PyTuple_New(n);

    for (int i = 0; t && i < n; i++) {
        PyObject *v = PyLong_FromLongLong(at[i]);

        if (!v)
            Py_CLEAR(t);
        else
            PyTuple_SET_ITEM(t, i, v);
    }
    return t;
}

static int
index_item(PyObject *o, int64_t *out)
{
    PyObject *v;
    long long n;

    if (PyLong_CheckExact(o)) {
        n = PyLong_AsLongLong(o);
    } else {
        v = PyNumber_Index(o);
        if (!v)
            return -1;
        n = PyLong_AsLongLong(v);
        Py_DECREF(v);
    }
    *out = n;
    return n == -1 && PyErr_Occurred() ? -1 : 0;
}

/* An int, or a sequence of 1 to C4_MAXDIMS of them. */
int
py_index_parse(PyObject *o, c4_index *out)
{
    PyObject *seq;
    Py_ssize_t n;
    int r = 0;

    if (PyLong_Check(o) || PyIndex_Check(o)) {
        out->n = 1;
        if (index_item(o, &out->at[0]) == 0)
            return 0;
        /* an array of NumPy's claims to have an index, but only one of no dimension has */
        if (!PySequence_Check(o) || !PyErr_ExceptionMatches(PyExc_TypeError))
            return -1;
        PyErr_Clear();
    }
    seq = PySequence_Fast(o, "an index is an int or a sequence of ints");
    if (!seq)
        return -1;
    n = PySequence_Fast_GET_SIZE(seq);
    if (n < 1 || n > C4_MAXDIMS) {
        PyErr_Format(PyExc_AssertionError, "an index has 1 to %d dimensions, not %zd",
                     C4_MAXDIMS, n);
        r = -1;
    }
    for (Py_ssize_t i = 0; r == 0 && i < n; i++)
        r = index_item(PySequence_Fast_GET_ITEM(seq, i), &out->at[i]);
    out->n = (int)n;
    Py_DECREF(seq);
    return r;
}

/* ---- Classes --------------------------------------------------------------- */

static uint64_t
hash_name(const char *s)
{
    uint64_t h = 14695981039346656037u;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h;
}

py_class *
py_class_by_hash(py_state *st, uint64_t hash)
{
    if (!st->class_cap)
        return NULL;
    for (size_t i = hash & (st->class_cap - 1); st->class_table[i]; i = (i + 1) & (st->class_cap - 1))
        if (st->class_table[i]->hash == hash)
            return st->class_table[i];
    return NULL;
}

static int
table_add(py_state *st, py_class *cls)
{
    size_t i;

    if (2 * (st->nclasses + 1) > st->class_cap) {
        size_t cap = st->class_cap ? 2 * st->class_cap : 64;
        py_class **table = PyMem_Calloc(cap, sizeof(*table));

        if (!table) {
            PyErr_NoMemory();
            return -1;
        }
        for (py_class *c = st->classes; c; c = c->next) {
            for (i = c->hash & (cap - 1); table[i]; i = (i + 1) & (cap - 1))
                ;
            table[i] = c;
        }
        PyMem_Free(st->class_table);
        st->class_table = table;
        st->class_cap = cap;
    }
    for (i = cls->hash & (st->class_cap - 1); st->class_table[i]; i = (i + 1) & (st->class_cap - 1))
        ;
    st->class_table[i] = cls;
    cls->next = st->classes;
    st->classes = cls;
    st->nclasses++;
    return 0;
}

/* The class's record, NULL without an exception if it is not registered. */
py_class *
py_class_of(py_state *st, PyObject *cls)
{
    PyObject *capsule = PyDict_GetItemWithError(st->class_map, cls);

    return capsule ? PyCapsule_GetPointer(capsule, NULL) : NULL;
}

static PyObject *
method_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    py_method *m = (py_method *)callable;
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);

    if (n < 1 || !py_proxy_check(m->cls->st, args[0])) {
        PyErr_Format(PyExc_TypeError, "%U is an entry method: call it on a proxy", m->name);
        return NULL;
    }
    return py_send((py_proxy *)args[0], m, args + 1, n - 1, kwnames);
}

/* From a tuple as chare.py describes it. */
static py_method *
method_new(py_class *cls, PyObject *spec, uint16_t entry)
{
    py_state *st = cls->st;
    py_method *m = PyObject_New(py_method, st->method_type);
    PyObject *name, *func, *params, *defaults, *when, *keywords;
    int coro, varargs, action;

    if (!m)
        return NULL;
    memset(&m->vectorcall, 0, sizeof(*m) - offsetof(py_method, vectorcall));
    if (!PyArg_ParseTuple(spec, "UOOOppOiO", &name, &func, &params, &defaults, &coro, &varargs,
                          &when, &action, &keywords)) {
        Py_DECREF(m);
        return NULL;
    }
    m->vectorcall = method_vectorcall;
    m->cls = cls;
    m->name = Py_NewRef(name);
    m->func = func == Py_None ? NULL : Py_NewRef(func);
    m->params = params == Py_None ? NULL : Py_NewRef(params);
    m->defaults = defaults == Py_None ? NULL : Py_NewRef(defaults);
    m->when = when == Py_None ? NULL : Py_NewRef(when);
    m->keywords = keywords == Py_None ? NULL : Py_NewRef(keywords);
    py_place_of(func, &m->place);
    m->entry = entry;
    m->action = (uint8_t)action;
    m->coro = coro != 0;
    m->varargs = varargs != 0;
    m->max_args = params == Py_None || varargs ? UINT16_MAX : (uint16_t)PyTuple_GET_SIZE(params);
    m->min_args = params == Py_None ? 0 : (uint16_t)PyTuple_GET_SIZE(params);
    if (m->defaults)
        m->min_args -= (uint16_t)PyTuple_GET_SIZE(m->defaults);
    if (m->when) {
        cls->has_when = true;
        if (py_when_init(m)) {
            Py_DECREF(m);
            return NULL;
        }
    }
    return m;
}

static void
method_dealloc(PyObject *self)
{
    py_method *m = (py_method *)self;
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(m->name);
    Py_XDECREF(m->func);
    Py_XDECREF(m->params);
    Py_XDECREF(m->defaults);
    Py_XDECREF(m->when);
    Py_XDECREF(m->keywords);
    Py_XDECREF(m->when_func);
    Py_XDECREF(m->when_attr);
    Py_XDECREF(m->place.file);
    type->tp_free(self);
    Py_DECREF(type);
}

static int
add_methods(py_class *cls, PyObject *specs)
{
    Py_ssize_t n = PyList_GET_SIZE(specs);

    cls->methods = PyMem_Calloc((size_t)n + 1, sizeof(*cls->methods));
    cls->entries = PyMem_Calloc((size_t)n + 1, sizeof(*cls->entries));
    cls->entry_places = PyMem_Calloc((size_t)n + 1, sizeof(*cls->entry_places));
    if (!cls->methods || !cls->entries || !cls->entry_places) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        py_method *m = method_new(cls, PyList_GET_ITEM(specs, i), (uint16_t)i);

        if (!m)
            return -1;
        cls->methods[i] = m;
        cls->entries[i].name = PyUnicode_AsUTF8(m->name);
        cls->entry_places[i] = py_place_text(&m->place);
        cls->nmethods++;
    }
    return 0;
}

/* Entry methods that only array elements have. */
static bool
for_arrays_only(const py_method *m)
{
    return m->action == PY_DO_MIGRATE || m->action == PY_DO_SET_MIGRATABLE
           || m->action == PY_DO_DESTROY;
}

int
py_attrs_set(PyObject *self, PyObject *name, PyObject *value)
{
    if (PyObject_GenericSetAttr(self, name, value))
        return -1;
    if (!PyObject_GC_IsTracked(self))
        PyObject_GC_Track(self);
    return 0;
}

PyObject *
py_attrs_dict(PyObject *self, void *unused)
{
    if (!PyObject_GC_IsTracked(self))
        PyObject_GC_Track(self);
    return PyObject_GenericGetDict(self, unused);
}

static int
proxy_traverse(PyObject *self, visitproc visit, void *arg)
{
    py_proxy *p = (py_proxy *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(p->created);
    Py_VISIT(p->attrs.dict);
    return 0;
}

static int
proxy_clear(PyObject *self)
{
    py_proxy *p = (py_proxy *)self;

    Py_CLEAR(p->created);
    Py_CLEAR(p->attrs.dict);
    return 0;
}

static void
proxy_dealloc(PyObject *self)
{
    py_proxy *p = (py_proxy *)self;
    PyTypeObject *type = Py_TYPE(self);

    if (PyObject_GC_IsTracked(self))
        PyObject_GC_UnTrack(self);
    if (p->attrs.weak)
        PyObject_ClearWeakRefs(self);
    Py_XDECREF(p->created);
    Py_XDECREF(p->attrs.dict);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyObject *
make_proxy_class(py_class *cls, enum py_kind kind, bool section, const char *module)
{
    static const char *const suffix[][2] = {
        { "ArrayProxy" }, { "GroupProxy", "GroupSecProxy" }, { "ArrayProxy", "ArraySecProxy" },
        { "Proxy" },
    };
    /* without a dealloc of its own the class would get the slow general one */
    PyType_Slot slots[] = { { Py_tp_dealloc, proxy_dealloc }, { Py_tp_traverse, proxy_traverse },
                            { Py_tp_clear, proxy_clear }, { 0, NULL } };
    PyObject *bases, *type, *name, *mod;
    PyType_Spec spec = {
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_GC,
        .slots = slots, .basicsize = sizeof(py_proxy),
    };

    name = PyUnicode_FromFormat("%s.%s%s", module, cls->short_name, suffix[kind][section]);
    bases = PyTuple_Pack(1, (PyObject *)cls->st->proxy_type);
    if (!name || !bases)
        return NULL;
    spec.name = PyUnicode_AsUTF8(name);
    type = PyType_FromSpecWithBases(&spec, bases);
    Py_DECREF(bases);
    mod = PyUnicode_FromString(module);
    if (!type || !mod || PyObject_SetAttrString(type, "__module__", mod))
        Py_CLEAR(type);
    Py_XDECREF(mod);
    Py_DECREF(name);
    for (unsigned i = 0; type && i < cls->nmethods; i++) {
        if (kind == PY_KIND_GROUP && for_arrays_only(cls->methods[i]))
            continue;
        if (PyObject_SetAttr(type, cls->methods[i]->name, (PyObject *)cls->methods[i]))
            Py_CLEAR(type);
    }
    return type;
}

static int
make_proxy_classes(py_class *cls, const char *module)
{
    for (int k = 0; k < PY_NKINDS; k++) {
        if (k == PY_KIND_SINGLE)
            continue;
        if (cls->is_main != (k == PY_KIND_MAIN))
            continue;
        cls->proxies[k] = make_proxy_class(cls, (enum py_kind)k, false, module);
        if (k != PY_KIND_MAIN)
            cls->sec_proxies[k] = make_proxy_class(cls, (enum py_kind)k, true, module);
        if (!cls->proxies[k] || (k != PY_KIND_MAIN && !cls->sec_proxies[k]))
            return -1;
    }
    if (!cls->is_main)
        cls->proxies[PY_KIND_SINGLE] = Py_NewRef(cls->proxies[PY_KIND_ARRAY]);
    return 0;
}

static void
fill_type(py_class *cls)
{
    cls->places = (c4_places){
        .type = py_place_text(&cls->place), .create = py_place_text(&cls->init->place),
        .migrated = py_place_text(&cls->migrated->place), .entries = cls->entry_places,
    };
    if (cls->resume)
        cls->places.resume = py_place_text(&cls->resume->place);
    cls->type = (c4_type){
        .name = cls->name, .size = sizeof(py_self), .entries = cls->entries,
        .destroy = py_destroy, .pup = py_pup, .proc_num = cls->is_map ? py_proc_num : NULL,
        .binding = &py_binding, .places = &cls->places,
    };
}

static int
fill_class(py_class *cls, PyObject *specs, PyObject *init, PyObject *migrated, PyObject *resume,
           const char *module)
{
    if (add_methods(cls, specs))
        return -1;
    cls->init = method_new(cls, init, C4_ENTRY_CREATE);
    cls->migrated = method_new(cls, migrated, C4_ENTRY_MIGRATED);
    if (!cls->init || !cls->migrated)
        return -1;
    cls->init->coro |= cls->is_main;
    if (resume != Py_None && !(cls->resume = method_new(cls, resume, C4_ENTRY_RESUME)))
        return -1;
    fill_type(cls);
    return make_proxy_classes(cls, module);
}

static int
announce_class(py_state *st, py_class *cls)
{
    PyObject *capsule;
    int r;

    if (py_class_by_hash(st, cls->hash)) {
        PyErr_Format(st->error, "a chare class named %s is registered already", cls->name);
        return -1;
    }
    capsule = PyCapsule_New(cls, NULL, NULL);
    r = capsule ? PyDict_SetItem(st->class_map, cls->cls, capsule) : -1;
    Py_XDECREF(capsule);
    if (r == 0)
        r = table_add(st, cls);
    if (r == 0 && st->pe) {
        c4_err err = c4_register(st->pe, &cls->type);

        if (err) {
            py_raise(st, err);
            r = -1;
        }
    }
    return r;
}

/* Of the class statement: a tuple, or None. */
static void
set_place(py_class *cls, PyObject *place)
{
    PyObject *file;

    if (!PyTuple_Check(place) || !PyArg_ParseTuple(place, "Ui", &file, &cls->place.line)
        || !PyUnicode_AsUTF8(file))
        PyErr_Clear();                      /* not known */
    else
        cls->place.file = Py_NewRef(file);
}

/* register(cls, module, qualname, methods, init, migrated, resume, is_map, is_main, custom_state,
 * place) */
PyObject *
py_register(PyObject *mod, PyObject *args, PyObject *kw)
{
    static char *names[] = { "cls", "module", "qualname", "methods", "init", "migrated",
                             "resume", "is_map", "is_main", "custom_state", "place", NULL };
    py_state *st = PyModule_GetState(mod);
    PyObject *pycls, *specs, *init, *migrated, *resume, *place, *full;
    const char *module, *qualname;
    int is_map, is_main, custom_state, i;
    py_class *cls;
    PyObject *out;

    if (!PyArg_ParseTupleAndKeywords(args, kw, "OssO!OOOpppO", names, &pycls, &module, &qualname,
                                     &PyList_Type, &specs, &init, &migrated, &resume,
                                     &is_map, &is_main, &custom_state, &place))
        return NULL;
    cls = PyMem_Calloc(1, sizeof(*cls));
    full = PyUnicode_FromFormat("%s.%s", module, qualname);
    if (!cls || !full)
        return PyErr_NoMemory();
    cls->st = st;
    cls->cls = Py_NewRef(pycls);
    cls->name = strdup(PyUnicode_AsUTF8(full));
    cls->short_name = strdup(((PyTypeObject *)pycls)->tp_name);
    cls->hash = hash_name(cls->name);
    cls->is_map = is_map;
    cls->is_main = is_main;
    cls->custom_state = custom_state;
    set_place(cls, place);
    Py_DECREF(full);
    if (fill_class(cls, specs, init, migrated, resume, module) || announce_class(st, cls))
        return NULL;                        /* the class stays allocated: the program ends */
    out = PyList_New(0);
    for (i = 0; out && i < PY_NKINDS; i++)
        if (i != PY_KIND_SINGLE && cls->proxies[i] &&
            (PyList_Append(out, cls->proxies[i]) ||
             (cls->sec_proxies[i] && PyList_Append(out, cls->sec_proxies[i]))))
            Py_CLEAR(out);
    return out;
}

/* ---- Proxies ---------------------------------------------------------------- */

bool
py_proxy_check(const py_state *st, PyObject *o)
{
    return Py_TYPE(o)->tp_base == st->proxy_type;
}

/* section: a section, or a group on some PEs. */
static py_proxy *
proxy_new(py_class *cls, enum py_kind kind, bool section, c4_coll coll, const c4_index *dims)
{
    PyTypeObject *type = (PyTypeObject *)(section ? cls->sec_proxies : cls->proxies)[kind];
    py_proxy *p;

    if (!type) {
        PyErr_Format(cls->st->error, "%s not registered for use in %ss", cls->short_name,
                     kind == PY_KIND_GROUP ? "Group" : "Array");
        return NULL;
    }
    p = PyObject_GC_New(py_proxy, type);
    if (!p)
        return NULL;
    memset(&p->cls, 0, sizeof(*p) - offsetof(py_proxy, cls));
    p->cls = cls;
    p->coll = coll;
    p->kind = (uint8_t)kind;
    p->dims = *dims;
    return p;
}

py_proxy *
py_proxy_new(py_class *cls, enum py_kind kind, c4_coll coll, const c4_index *dims)
{
    return proxy_new(cls, kind, false, coll, dims);
}

py_proxy *
py_proxy_part(py_class *cls, c4_coll coll)
{
    c4_index none = c4_dims(0);
    py_proxy *p = proxy_new(cls, PY_KIND_GROUP, true, coll, &none);

    if (p)
        p->part = true;
    return p;
}

py_proxy *
py_proxy_of_section(const py_proxy *of, c4_section section)
{
    py_proxy *p = proxy_new(of->cls, (enum py_kind)of->kind, true, of->coll, &of->dims);

    if (p)
        p->section = section;
    return p;
}

py_proxy *
py_proxy_elem(const py_proxy *coll, const c4_index *index)
{
    py_proxy *p = py_proxy_new(coll->cls, (enum py_kind)coll->kind, coll->coll, &coll->dims);

    if (!p)
        return NULL;
    p->elem = true;
    for (int i = 0; i < index->n; i++)
        p->at[i] = index->at[i];
    if (coll->kind == PY_KIND_GROUP) {
        uint32_t npes = coll->cls->st->pe ? c4_npes(coll->cls->st->pe) : UINT32_MAX;

        p->key = (uint64_t)index->at[0];
        p->bad = index->at[0] < 0 || index->at[0] >= npes;
    } else if (coll->kind == PY_KIND_SINGLE) {
        p->key = coll->key;
    } else {
        p->bad = c4_key_of(&coll->dims, index, &p->key) != C4_OK;
    }
    return p;
}

bool
py_proxy_bad(const py_proxy *p)
{
    return p->bad && !(p->kind == PY_KIND_ARRAY && p->cls->st->pe && c4_grows(p->cls->st->pe, p->coll));
}

static bool
has_slice(PyObject *key)
{
    if (PySlice_Check(key))
        return true;
    return PyTuple_Check(key) && PyTuple_GET_SIZE(key) && PySlice_Check(PyTuple_GET_ITEM(key, 0));
}

static PyObject *
proxy_subscript(PyObject *self, PyObject *key)
{
    py_proxy *p = (py_proxy *)self;
    c4_index index;

    if (p->kind == PY_KIND_MAIN) {
        PyErr_Format(PyExc_TypeError, "%s is a proxy to one chare: it has no elements",
                     Py_TYPE(self)->tp_name);
        return NULL;
    }
    if (has_slice(key))
        return py_section_slice(self, key);
    if (py_index_parse(key, &index))
        return NULL;
    if (index.n != p->dims.n) {
        PyErr_Format(PyExc_AssertionError, "Dimensions of index %R don't match array dimensions",
                     key);
        return NULL;
    }
    return (PyObject *)py_proxy_elem(p, &index);
}

static PyObject *
proxy_iter(PyObject *self)
{
    PyErr_Format(PyExc_TypeError, "'%s' object is not iterable", Py_TYPE(self)->tp_name);
    return NULL;
}

static PyObject *
proxy_richcompare(PyObject *a, PyObject *b, int op)
{
    py_proxy *p = (py_proxy *)a, *q = (py_proxy *)b;
    bool same;

    if ((op != Py_EQ && op != Py_NE) || !py_proxy_check(p->cls->st, b))
        Py_RETURN_NOTIMPLEMENTED;
    same = p->coll == q->coll && p->section == q->section && p->elem == q->elem &&
           p->bad == q->bad;
    if (same && p->elem)
        same = p->bad ? !memcmp(p->at, q->at, sizeof(p->at)) : p->key == q->key;
    return PyBool_FromLong(same == (op == Py_EQ));
}

static Py_hash_t
proxy_hash(PyObject *self)
{
    const py_proxy *p = (const py_proxy *)self;
    uint64_t h = ((p->section ? p->section : p->coll) + 0x9e3779b97f4a7c15u) *
                 0xbf58476d1ce4e5b9u;

    if (p->elem)
        h = (h ^ (p->key + 1)) * 0x94d049bb133111ebu;
    h ^= h >> 31;
    return (Py_hash_t)h == -1 ? -2 : (Py_hash_t)h;
}

/* Pickling is the codec: (load, (bytes,)). */
static PyObject *
reduce_by_codec(py_state *st, PyObject *self)
{
    py_enc *e = py_enc_begin(st);
    PyObject *load, *bytes = NULL, *r = NULL;

    if (!e)
        return NULL;
    if (py_enc_args(e, &self, 1, NULL) == 0)
        bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)py_enc_size(e));
    if (bytes)
        py_enc_copy(e, (unsigned char *)PyBytes_AS_STRING(bytes));
    py_enc_end(e);
    load = bytes ? PyObject_GetAttrString(st->mod, "_load") : NULL;
    if (load)
        r = Py_BuildValue("(O(O))", load, bytes);
    Py_XDECREF(load);
    Py_XDECREF(bytes);
    return r;
}

static PyObject *
proxy_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    return reduce_by_codec(((py_proxy *)self)->cls->st, self);
}

enum proxy_attr { ATTR_ISSEC, ATTR_SECTION, ATTR_GID, ATTR_AID, ATTR_CID, ATTR_NDIMS, ATTR_ELEMIDX };

static PyObject *
proxy_get(PyObject *self, void *which)
{
    py_proxy *p = (py_proxy *)self;
    bool array = p->kind == PY_KIND_ARRAY || p->kind == PY_KIND_SINGLE;

    switch ((enum proxy_attr)(intptr_t)which) {
    case ATTR_ISSEC:
        if (p->kind != PY_KIND_MAIN)
            return PyBool_FromLong(p->section || p->part);
        break;
    case ATTR_SECTION:
        if (p->section || p->part)
            return py_section_id(p);
        break;
    case ATTR_GID:
        if (p->kind == PY_KIND_GROUP)
            return PyLong_FromUnsignedLong(p->coll);
        break;
    case ATTR_AID:
        if (array)
            return PyLong_FromUnsignedLong(p->coll);
        break;
    case ATTR_CID:
        if (p->kind == PY_KIND_MAIN)
            return PyLong_FromUnsignedLong(p->coll);
        break;
    case ATTR_NDIMS:
        if (array)
            return PyLong_FromLong(p->dims.n);
        break;
    case ATTR_ELEMIDX:
        if (array)
            return py_index_tuple(p->at, p->elem ? p->dims.n : 0);
        if (p->kind == PY_KIND_GROUP)
            return PyLong_FromLongLong(p->elem ? p->at[0] : -1);
        break;
    }
    PyErr_Format(PyExc_AttributeError, "'%s' object has no such attribute",
                 Py_TYPE(self)->tp_name);
    return NULL;
}

static PyObject *
proxy_created(PyObject *self, PyObject *unused)
{
    py_proxy *p = (py_proxy *)self;
    PyObject *f = p->created;

    (void)unused;
    p->created = NULL;
    return f ? f : Py_NewRef(Py_None);
}

/* The object itself if it is here. */
static PyObject *
proxy_local(PyObject *self, PyObject *unused)
{
    py_proxy *p = (py_proxy *)self;
    py_state *st = p->cls->st;
    c4_chare who = py_target(p);
    py_self *s;

    (void)unused;
    if (py_need_pe(st))
        return NULL;
    if (p->kind == PY_KIND_ARRAY && !p->elem) {
        PyErr_SetString(PyExc_TypeError, "ckLocal() is of one element of an array: proxy[index].ckLocal()");
        return NULL;
    }
    if (p->kind == PY_KIND_GROUP && !p->elem)
        who.idx = c4_mype(st->pe);
    s = py_proxy_bad(p) ? NULL : c4_local(st->pe, who);
    return Py_NewRef(s && s->obj ? (PyObject *)s->obj : Py_None);
}

static PyObject *
proxy_insert(PyObject *self, PyObject *args, PyObject *kw)
{
    return py_insert(self, args, kw);
}

static PyGetSetDef proxy_getset[] = {
    { "issec", proxy_get, NULL, "True for sections.", (void *)ATTR_ISSEC },
    { "section", proxy_get, NULL, "What names the section on all PEs, hashable; sections only.", (void *)ATTR_SECTION },
    { "gid", proxy_get, NULL, "Number of the group; groups only.", (void *)ATTR_GID },
    { "aid", proxy_get, NULL, "Number of the array; arrays and single chares only.", (void *)ATTR_AID },
    { "cid", proxy_get, NULL, "Number of the chare; entry chares only.", (void *)ATTR_CID },
    { "ndims", proxy_get, NULL, "Number of dimensions; arrays only.", (void *)ATTR_NDIMS },
    { "elemIdx", proxy_get, NULL, "Index of the element; () of a whole array, -1 of a whole group.", (void *)ATTR_ELEMIDX },
    PY_ATTRS_GETSET,
    { NULL, NULL, NULL, NULL, NULL }
};

PyDoc_STRVAR(proxy_doc,
"Refers to a chare, to a collection of chares or to a section of some; travels anywhere.\n\n"
"proxy.method(*args, awaitable=False, ret=False, **kwargs) calls the method of the chare, or\n"
"of all chares, by a message, and returns None at once.  With ret=True it returns a Future\n"
"of the return value (of the list of them, by index, for several chares); with\n"
"awaitable=True one that is there when all have run.  Both need a coroutine.\n\n"
"group[pe], array[i], array[i, j] refer to one member; group[a:b:c], array[a:b, c:d] to a\n"
"section.  Proxies of the same target are equal on all PEs, and hashable.");

PyDoc_STRVAR(bound_doc,
"A method of a proxy: calling it sends a message.\n\n"
"method(*args, awaitable=False, ret=False, **kwargs); it may also be sent to others, and is\n"
"a callback of reductions and of charm.startQD().");

PyDoc_STRVAR(local_branch_doc,
"ckLocalBranch($self, /)\n--\n\n"
"The member of the group on this PE, itself; None if there is none.");

PyDoc_STRVAR(local_doc,
"ckLocal($self, /)\n--\n\n"
"The chare itself if it is on this PE now, else None.\n\n"
"Of a group's proxy: its member here.  It may migrate later: do not keep it.\n"
"TypeError for a whole array.");

PyDoc_STRVAR(insert_doc,
"ckInsert($self, /, index, args=[], onPE=-1, useAtSync=False)\n--\n\n"
"Adds an element with this index to an array, from any PE.\n\n"
"args are the arguments of its constructor, onPE is where it is made (-1: the array's map\n"
"decides).  Broadcasts and reductions count on all elements after ckDoneInserting().\n\n"
"AssertionError if index has the wrong number of dimensions.");

PyDoc_STRVAR(done_inserting_doc,
"ckDoneInserting($self, /)\n--\n\n"
"Says, once, that all elements of this array have been inserted.");

static PyMethodDef proxy_methods[] = {
    { "__reduce__", proxy_reduce, METH_NOARGS, NULL },
    { "_take_created", proxy_created, METH_NOARGS, "The creation future, once." },
    { "ckLocalBranch", proxy_local, METH_NOARGS, local_branch_doc },
    { "ckLocal", proxy_local, METH_NOARGS, local_doc },
    { "ckInsert", (PyCFunction)(void (*)(void))proxy_insert, METH_VARARGS | METH_KEYWORDS,
      insert_doc },
    { "ckDoneInserting", py_done_inserting, METH_NOARGS, done_inserting_doc },
    { NULL, NULL, 0, NULL }
};

static PyMemberDef proxy_members[] = {
    PY_ATTRS_MEMBERS(py_proxy),
    { NULL, 0, 0, 0, NULL }
};

static PyType_Slot proxy_slots[] = {
    { Py_tp_dealloc, proxy_dealloc },
    { Py_tp_traverse, proxy_traverse },
    { Py_tp_clear, proxy_clear },
    { Py_tp_setattro, py_attrs_set },
    { Py_tp_members, proxy_members },
    { Py_tp_richcompare, proxy_richcompare },
    { Py_tp_hash, proxy_hash },
    { Py_tp_iter, proxy_iter },
    { Py_mp_subscript, proxy_subscript },
    { Py_tp_getset, proxy_getset },
    { Py_tp_methods, proxy_methods },
    { Py_tp_doc, (char *)proxy_doc },
    { 0, NULL }
};

static PyType_Spec proxy_spec = {
    .name = "charm4py._c4.Proxy", .basicsize = sizeof(py_proxy), .slots = proxy_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_HAVE_GC,
};

static enum py_kind
kind_of(const py_class *cls, const c4_coll_info *info)
{
    if (info->kind == C4_KIND_GROUP)
        return PY_KIND_GROUP;
    if (info->kind == C4_KIND_ARRAY)
        return PY_KIND_ARRAY;
    return cls->is_main ? PY_KIND_MAIN : PY_KIND_SINGLE;
}

PyObject *
py_proxy_of_coll(py_state *st, c4_coll coll, c4_coll_info *info)
{
    PyObject *key = PyLong_FromUnsignedLong(coll), *p;
    c4_coll_info found;
    c4_err err;

    if (!key)
        return NULL;
    p = info ? NULL : PyDict_GetItemWithError(st->coll_proxies, key);
    if (p) {
        Py_DECREF(key);
        return Py_NewRef(p);
    }
    err = c4_coll_lookup(st->pe, coll, info ? info : &found);
    if (err) {
        py_raise(st, err);
    } else {
        const c4_coll_info *i = info ? info : &found;
        py_class *cls = (py_class *)(uintptr_t)i->type;
        c4_index dims = i->dims;

        if (i->kind != C4_KIND_ARRAY)
            dims = c4_dims(0);
        p = (PyObject *)(i->on_pes ? py_proxy_part(cls, coll)
                         : py_proxy_new(cls, kind_of(cls, i), coll, &dims));
        if (p && PyDict_SetItem(st->coll_proxies, key, p))
            Py_CLEAR(p);
    }
    Py_DECREF(key);
    return p;
}

/* ---- Proxies in messages ------------------------------------------------------ */

enum { WIRE_ELEM = 1, WIRE_PART = 2, WIRE_SECTION = 4, WIRE_KNOWN = 8 };

typedef struct wire_proxy {
    uint64_t hash;
    uint32_t coll;
    uint8_t  kind, flags, bad, ndims;       /* WIRE_SECTION: its number follows */
} wire_proxy;

int
py_proxy_encode(py_enc *e, py_proxy *p)
{
    uint8_t flags = (uint8_t)((p->elem ? WIRE_ELEM : 0) | (p->part ? WIRE_PART : 0) |
                              (p->section ? WIRE_SECTION : 0) | (p->known ? WIRE_KNOWN : 0));
    wire_proxy w = { p->cls->hash, p->coll, p->kind, flags, p->bad, (uint8_t)p->dims.n };
    size_t nbytes = (size_t)p->dims.n * sizeof(p->at[0]);

    if (py_enc_raw(e, &w, sizeof(w)) || py_enc_raw(e, p->dims.at, nbytes))
        return -1;
    if (p->section)
        return py_enc_raw(e, &p->section, sizeof(p->section)) ? -1 : 0;
    if (p->kind == PY_KIND_SINGLE || p->kind == PY_KIND_MAIN || p->elem)
        return py_enc_raw(e, &p->key, sizeof(p->key)) || py_enc_raw(e, p->at, nbytes) ? -1 : 0;
    return 0;
}

PyObject *
py_proxy_decode(py_dec *d)
{
    wire_proxy w;
    py_class *cls;
    py_proxy *p;
    c4_index dims;
    size_t nbytes;
    bool section;

    if (py_dec_take(d, &w, sizeof(w)))
        return NULL;
    cls = py_class_by_hash(d->st, w.hash);
    section = (w.flags & (WIRE_PART | WIRE_SECTION)) != 0;
    if (!cls || w.kind >= PY_NKINDS || (section && !cls->sec_proxies[w.kind]) ||
        w.ndims < 1 || w.ndims > C4_MAXDIMS) {
        PyErr_SetString(PyExc_ValueError, cls ? "charm4py: malformed proxy in a message" :
                        "charm4py: a proxy refers to a class that is not registered on this PE");
        return NULL;
    }
    dims.n = w.ndims;
    nbytes = (size_t)w.ndims * sizeof(dims.at[0]);
    if (py_dec_take(d, dims.at, nbytes))
        return NULL;
    p = proxy_new(cls, (enum py_kind)w.kind, section, w.coll, &dims);
    if (!p)
        return NULL;
    p->elem = (w.flags & WIRE_ELEM) != 0;
    p->part = (w.flags & WIRE_PART) != 0;
    p->known = (w.flags & WIRE_KNOWN) != 0;
    p->bad = w.bad != 0;
    if (w.flags & WIRE_SECTION) {
        if (py_dec_take(d, &p->section, sizeof(p->section)))
            Py_CLEAR(p);
    } else if ((p->kind == PY_KIND_SINGLE || p->kind == PY_KIND_MAIN || p->elem) &&
        (py_dec_take(d, &p->key, sizeof(p->key)) || py_dec_take(d, p->at, nbytes)))
        Py_CLEAR(p);
    return (PyObject *)p;
}

/* ---- Bound entry methods: proxy.m ---------------------------------------------- */

static PyObject *
bound_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    py_bound *b = (py_bound *)callable;

    return py_send(b->self, b->method, args, PyVectorcall_NARGS(nargsf), kwnames);
}

static PyObject *
bound_new(py_proxy *p, py_method *m)
{
    py_bound *b = PyObject_New(py_bound, p->cls->st->bound_type);

    if (!b)
        return NULL;
    b->vectorcall = bound_vectorcall;
    b->self = (py_proxy *)Py_NewRef(p);
    b->method = (py_method *)Py_NewRef(m);
    return (PyObject *)b;
}

static PyObject *
method_get(PyObject *self, PyObject *obj, PyObject *type)
{
    py_method *m = (py_method *)self;

    (void)type;
    if (!obj || !py_proxy_check(m->cls->st, obj))
        return Py_NewRef(self);
    return bound_new((py_proxy *)obj, m);
}

static void
bound_dealloc(PyObject *self)
{
    py_bound *b = (py_bound *)self;
    PyTypeObject *type = Py_TYPE(self);

    Py_DECREF(b->self);
    Py_DECREF(b->method);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
bound_repr(PyObject *self)
{
    py_bound *b = (py_bound *)self;

    return PyUnicode_FromFormat("<entry method %s.%U>", Py_TYPE(b->self)->tp_name,
                                b->method->name);
}

static PyObject *
bound_richcompare(PyObject *a, PyObject *b, int op)
{
    py_bound *x = (py_bound *)a, *y = (py_bound *)b;
    PyObject *r;

    if ((op != Py_EQ && op != Py_NE) || Py_TYPE(a) != Py_TYPE(b))
        Py_RETURN_NOTIMPLEMENTED;
    if (x->method != y->method)
        return PyBool_FromLong(op == Py_NE);
    r = proxy_richcompare((PyObject *)x->self, (PyObject *)y->self, op);
    return r;
}

static Py_hash_t
bound_hash(PyObject *self)
{
    py_bound *b = (py_bound *)self;
    Py_hash_t h = (Py_hash_t)((Py_uhash_t)proxy_hash((PyObject *)b->self) * 31 + b->method->entry);

    return h == -1 ? -2 : h;
}

static PyObject *
bound_ep(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((py_bound *)self)->method->entry);
}

static PyObject *
bound_name(PyObject *self, void *unused)
{
    (void)unused;
    return Py_NewRef(((py_bound *)self)->method->name);
}

static PyObject *
bound_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    return reduce_by_codec(((py_bound *)self)->self->cls->st, self);
}

int
py_bound_encode(py_enc *e, py_bound *b)
{
    uint16_t entry = b->method->entry;

    return py_enc_raw(e, &entry, sizeof(entry)) ? -1 : py_proxy_encode(e, b->self);
}

PyObject *
py_bound_decode(py_dec *d)
{
    PyObject *b = NULL;
    py_proxy *p;
    uint16_t entry;

    if (py_dec_take(d, &entry, sizeof(entry)) || !(p = (py_proxy *)py_proxy_decode(d)))
        return NULL;
    if (entry < p->cls->nmethods)
        b = bound_new(p, p->cls->methods[entry]);
    else
        PyErr_SetString(PyExc_ValueError, "charm4py: malformed callback in a message");
    Py_DECREF(p);
    return b;
}

static PyMemberDef bound_members[] = {
    { "__self__", T_OBJECT, offsetof(py_bound, self), READONLY, "The proxy." },
    { "__vectorcalloffset__", T_PYSSIZET, offsetof(py_bound, vectorcall), READONLY, NULL },
    { NULL, 0, 0, 0, NULL }
};

static PyGetSetDef bound_getset[] = {
    { "ep", bound_ep, NULL, "Number of the entry method in its class.", NULL },
    { "__name__", bound_name, NULL, "Name of the method.", NULL },
    { NULL, NULL, NULL, NULL, NULL }
};

static PyMethodDef bound_methods[] = {
    { "__reduce__", bound_reduce, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL }
};

static PyType_Slot bound_slots[] = {
    { Py_tp_dealloc, bound_dealloc },
    { Py_tp_repr, bound_repr },
    { Py_tp_call, PyVectorcall_Call },
    { Py_tp_richcompare, bound_richcompare },
    { Py_tp_hash, bound_hash },
    { Py_tp_members, bound_members },
    { Py_tp_getset, bound_getset },
    { Py_tp_methods, bound_methods },
    { Py_tp_doc, (char *)bound_doc },
    { 0, NULL }
};

static PyType_Spec bound_spec = {
    .name = "charm4py._c4.BoundMethod", .basicsize = sizeof(py_bound), .slots = bound_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
};

static PyMemberDef method_members[] = {
    { "__name__", T_OBJECT, offsetof(py_method, name), READONLY, NULL },
    { "__vectorcalloffset__", T_PYSSIZET, offsetof(py_method, vectorcall), READONLY, NULL },
    { NULL, 0, 0, 0, NULL }
};

static PyType_Slot method_slots[] = {
    { Py_tp_dealloc, method_dealloc },
    { Py_tp_call, PyVectorcall_Call },
    { Py_tp_descr_get, method_get },
    { Py_tp_members, method_members },
    { Py_tp_doc, "An entry method, in a proxy class." },
    { 0, NULL }
};

static PyType_Spec method_spec = {
    .name = "charm4py._c4.Method", .basicsize = sizeof(py_method), .slots = method_slots,
    /* immutable: else the interpreter's caches do not take it for a method */
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
             Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
};

int
py_callback(py_state *st, PyObject *o, c4_callback *cb)
{
    if (Py_TYPE(o) == st->future_type) {
        *cb = c4_cb_future(((py_future *)o)->id);
        return 0;
    }
    if (Py_TYPE(o) == st->bound_type) {
        const py_bound *b = (const py_bound *)o;
        const py_proxy *p = b->self;

        if (p->elem || p->kind == PY_KIND_SINGLE || p->kind == PY_KIND_MAIN)
            *cb = c4_cb_send(py_target(p), b->method->entry);
        else if (p->section)
            *cb = c4_cb_section(p->section, c4_method_id(PyUnicode_AsUTF8(b->method->name)));
        else
            *cb = c4_cb_bcast(p->coll, b->method->entry);
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "a callback is a Future or a proxy's method, not %s",
                 Py_TYPE(o)->tp_name);
    return -1;
}

int
py_proxy_init_types(PyObject *mod, py_state *st)
{
    st->method_type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, &method_spec, NULL);
    st->bound_type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, &bound_spec, NULL);
    st->proxy_type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, &proxy_spec, NULL);
    if (!st->method_type || !st->bound_type || !st->proxy_type)
        return -1;
    if (PyModule_AddObjectRef(mod, "BoundMethod", (PyObject *)st->bound_type))
        return -1;
    return PyModule_AddObjectRef(mod, "Proxy", (PyObject *)st->proxy_type);
}
