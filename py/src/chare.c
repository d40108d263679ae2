/*
 * chare.c - the C base of class Chare: what the runtime keeps with an object.
 *
 * thisIndex and thisProxy are members, not in __dict__: they are made anew
 * where an element arrives, and __dict__ is exactly the user's state.
 */
#include <stddef.h>

#include "c4py.h"

py_chare *
py_chare_alloc(py_class *cls, c4_chare who, enum py_kind kind, const c4_index *index,
               PyObject *proxy)
{
    PyTypeObject *type = (PyTypeObject *)cls->cls;
    /* object's, not tp_alloc(): attributes then live in the object, not in a dict */
    py_chare *o = (py_chare *)PyBaseObject_Type.tp_new(type, cls->st->empty_tuple, NULL);

    if (!o)
        return NULL;
    o->cls = cls;
    o->who = who;
    o->kind = (uint8_t)kind;
    o->this_proxy = Py_NewRef(proxy);
    if (kind == PY_KIND_GROUP)
        o->this_index = PyLong_FromUnsignedLongLong(who.idx);
    else if (kind == PY_KIND_ARRAY)
        o->this_index = py_index_tuple(index->at, index->n);
    else if (kind == PY_KIND_SINGLE)
        o->this_index = Py_BuildValue("(i)", 0);
    if (!o->this_index && kind != PY_KIND_MAIN)
        Py_CLEAR(o);
    return o;
}

/* The state if self is an element here, else NULL with an exception. */
static py_state *
element(PyObject *self)
{
    const py_chare *o = (const py_chare *)self;

    if (!o->cls) {
        PyErr_Format(PyExc_RuntimeError, "this %s object is not a chare of this PE: it was made "
                     "by %s() and not by Chare(%s), Group(%s) or Array(%s, ...), or it has left",
                     Py_TYPE(self)->tp_name, Py_TYPE(self)->tp_name, Py_TYPE(self)->tp_name,
                     Py_TYPE(self)->tp_name, Py_TYPE(self)->tp_name);
        return NULL;
    }
    return py_need_pe(o->cls->st) ? NULL : o->cls->st;
}

static PyObject *
none_or_raise(py_state *st, c4_err err)
{
    if (err) {
        py_raise(st, err);
        return NULL;
    }
    Py_RETURN_NONE;
}

/* AttributeError elsewhere, as for a method that is not there. */
static py_state *
has_method(PyObject *self, const char *name, bool yes)
{
    py_state *st = element(self);

    if (st && !yes) {
        PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute '%s' (it is not an "
                     "element of an Array)", Py_TYPE(self)->tp_name, name);
        return NULL;
    }
    return st;
}

static py_state *
array_element(PyObject *self, const char *name)
{
    return has_method(self, name, ((py_chare *)self)->kind == PY_KIND_ARRAY);
}

/* Elements of arrays and single chares, which are elements of hidden ones. */
static py_state *
migrating_element(PyObject *self, const char *name)
{
    enum py_kind kind = (enum py_kind)((py_chare *)self)->kind;

    return has_method(self, name, kind == PY_KIND_ARRAY || kind == PY_KIND_SINGLE);
}

int
py_migrate(py_state *st, py_chare *o, PyObject *to)
{
    PyObject *number = PyNumber_Index(to);
    long pe = number ? PyLong_AsLong(number) : -1;
    c4_err err;

    Py_XDECREF(number);
    if (PyErr_Occurred())
        return -1;
    if (pe < 0 || pe >= (long)c4_npes(st->pe)) {
        PyErr_Format(PyExc_IndexError, "migration to PE %ld: there are %u PEs", pe,
                     c4_npes(st->pe));
        return -1;
    }
    if (o->ncoros) {
        PyObject *names = py_co_names(st, o);

        if (names)
            PyErr_Format(st->error, "Migration of chares with active threads is not currently "
                         "supported: %U of this element has not ended", names);
        Py_XDECREF(names);
        return -1;
    }
    err = c4_migrate_for(st->pe, o->who, (uint32_t)pe);
    if (err)
        py_raise(st, err);
    return err ? -1 : 0;
}

static PyObject *
chare_at_sync(PyObject *self, PyObject *unused)
{
    py_state *st = array_element(self, "AtSync");
    uint64_t stamp;
    c4_err err;

    (void)unused;
    if (!st)
        return NULL;
    stamp = c4_send_begin(st->pe);
    err = c4_at_sync_for(st->pe, ((py_chare *)self)->who);
    if (stamp)
        c4_send_end(st->pe, stamp);
    return none_or_raise(st, err);
}

static PyObject *
chare_migrate(PyObject *self, PyObject *to)
{
    py_state *st = migrating_element(self, "migrate");

    if (!st || py_migrate(st, (py_chare *)self, to))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
chare_destroy(PyObject *self, PyObject *unused)
{
    py_state *st = migrating_element(self, "ckDestroy");

    (void)unused;
    return st ? none_or_raise(st, c4_destroy_for(st->pe, ((py_chare *)self)->who)) : NULL;
}

static PyObject *
chare_set_migratable(PyObject *self, PyObject *value)
{
    py_state *st = migrating_element(self, "setMigratable");
    int yes = st ? PyObject_IsTrue(value) : -1;

    if (yes < 0)
        return NULL;
    return none_or_raise(st, c4_set_migratable_for(st->pe, ((py_chare *)self)->who, yes != 0));
}

static PyObject *
chare_migratable(PyObject *self, void *unused)
{
    py_state *st = migrating_element(self, "migratable");

    (void)unused;
    return st ? PyBool_FromLong(c4_is_migratable(st->pe, ((py_chare *)self)->who)) : NULL;
}

/* (collection, key): who it is, for sections */
static PyObject *
chare_who(PyObject *self, void *unused)
{
    const py_chare *o = (const py_chare *)self;

    (void)unused;
    return Py_BuildValue("(IK)", o->who.coll, (unsigned long long)o->who.idx);
}

/* [(method, condition, number of messages)]: what @when holds back, for lists of who waits */
static PyObject *
chare_held(PyObject *self, void *unused)
{
    (void)unused;
    return py_when_held((py_chare *)self);
}

static PyObject *
chare_numthreads(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(((py_chare *)self)->ncoros);
}

/* Arguments that are given by position are taken as they are, all else costs a
 * tuple and a dict: out[0] ... have the names in `names`, `least` of them are needed. */
static int
parse(PyObject *const *args, Py_ssize_t n, PyObject *kwnames, int least, const char *format,
      char **names, PyObject **out)
{
    PyObject *t, *kw = NULL;
    int r = -1;

    if (!kwnames && n >= least && n <= 4 && names[n ? n - 1 : 0]) {
        for (Py_ssize_t i = 0; i < n; i++)
            out[i] = args[i];
        return 0;
    }
    t = PyTuple_New(n);
    for (Py_ssize_t i = 0; t && i < n; i++)
        PyTuple_SET_ITEM(t, i, Py_NewRef(args[i]));
    if (t && kwnames && !(kw = PyDict_New()))
        Py_CLEAR(t);
    for (Py_ssize_t i = 0; t && kwnames && i < PyTuple_GET_SIZE(kwnames); i++)
        if (PyDict_SetItem(kw, PyTuple_GET_ITEM(kwnames, i), args[n + i]))
            Py_CLEAR(t);
    if (t && PyArg_ParseTupleAndKeywords(t, kw, format, names, &out[0], &out[1], &out[2],
                                         &out[3]))
        r = 0;
    Py_XDECREF(t);                          /* the caller's references keep the arguments */
    Py_XDECREF(kw);
    return r;
}

static PyObject *
chare_reduce(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    static char *names[] = { "callback", "data", "reducer", "section", NULL };
    PyObject *a[4] = { NULL, Py_None, Py_None, Py_None };
    c4_section id;

    if (parse(args, n, kwnames, 1, "O|OOO:reduce", names, a))
        return NULL;
    if (!element(self) || py_section_arg((py_chare *)self, a[3], &id))
        return NULL;
    return py_reduce((py_chare *)self, a[0], a[1], a[2], id);
}

static PyObject *
chare_contribute(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    static char *names[] = { "data", "reducer", "callback", "section", NULL };
    PyObject *a[4] = { NULL, NULL, NULL, Py_None };
    c4_section id;

    if (parse(args, n, kwnames, 3, "OOO|O:contribute", names, a))
        return NULL;
    if (!element(self) || py_section_arg((py_chare *)self, a[3], &id))
        return NULL;
    return py_reduce((py_chare *)self, a[2], a[0], a[1], id);
}

static PyObject *
chare_allreduce(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    static char *names[] = { "data", "reducer", "section", NULL };
    PyObject *a[4] = { Py_None, Py_None, Py_None, NULL };
    c4_section id;

    if (parse(args, n, kwnames, 0, "|OOO:allreduce", names, a))
        return NULL;
    if (!element(self) || py_section_arg((py_chare *)self, a[2], &id))
        return NULL;
    return py_allreduce((py_chare *)self, a[0], a[1], id);
}

static int
holds(py_state *st, PyObject *cond, PyObject *self)
{
    PyObject *r = PyObject_CallFunctionObjArgs(st->when_test, cond, self, st->empty_tuple, NULL);
    int yes = r ? PyObject_IsTrue(r) : -1;

    Py_XDECREF(r);
    return yes;
}

/* A coroutine whose wait was interrupted is not to be woken for its condition. */
static void
stop_waiting(py_chare *o, py_worker *w)
{
    py_worker **at = &o->wait_first;

    while (*at && *at != w)
        at = &(*at)->wait_next;
    if (*at)
        *at = w->wait_next;
    w->wait_next = NULL;
    Py_CLEAR(w->wait_cond);
}

/* Queues the running coroutine up, at the front if it has waited already. */
static int
wait_once(py_state *st, py_chare *o, PyObject *cond, bool again)
{
    py_worker **at = &o->wait_first, *w = st->cur;

    while (*at && !again)
        at = &(*at)->wait_next;
    w->wait_cond = Py_NewRef(cond);
    w->wait_next = *at;
    *at = w;
    while (w->wait_cond)
        if (py_co_block(st, "a condition", cond)) {
            stop_waiting(o, w);
            return -1;
        }
    return 0;
}

/* _wait(condition): the package makes a condition of the string. */
static PyObject *
chare_wait(PyObject *self, PyObject *cond)
{
    py_chare *o = (py_chare *)self;
    py_state *st = element(self);
    int yes;

    if (!st || py_co_check(st))
        return NULL;
    /* others may have run since it was found to hold: it is tested again */
    for (bool again = false; (yes = holds(st, cond, self)) == 0; again = true)
        if (wait_once(st, o, cond, again))
            return NULL;
    if (yes < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
chare_flush(PyObject *self, PyObject *unused)
{
    py_state *st = element(self);
    PyObject *variables;
    bool was_base;
    int r;

    (void)unused;
    if (!st)
        return NULL;
    was_base = st->at_base;
    variables = py_ctx_to_base(st);
    r = py_flush_waiting(st, (py_chare *)self);
    if (!was_base)
        py_ctx_from_base(st, variables);
    return r ? NULL : Py_NewRef(Py_None);
}

static PyObject *
chare_default_hook(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_NONE;
}

static int
chare_init(PyObject *self, PyObject *args, PyObject *kw)
{
    (void)self, (void)args, (void)kw;       /* super().__init__(...) is welcome */
    return 0;
}

static int
chare_traverse(PyObject *self, visitproc visit, void *arg)
{
    py_chare *o = (py_chare *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(o->this_index);
    Py_VISIT(o->this_proxy);
    Py_VISIT(o->channels);
    Py_VISIT(o->channel_count);
    Py_VISIT(o->deposits);
    Py_VISIT(o->waiting);
    return 0;
}

static int
chare_clear(PyObject *self)
{
    py_chare *o = (py_chare *)self;

    Py_CLEAR(o->this_index);
    Py_CLEAR(o->this_proxy);
    Py_CLEAR(o->channels);
    Py_CLEAR(o->channel_count);
    Py_CLEAR(o->deposits);
    Py_CLEAR(o->waiting);
    return 0;
}

static void
chare_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    chare_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef chare_members[] = {
    { "thisIndex", T_OBJECT_EX, offsetof(py_chare, this_index), 0,
      "Index of the member: a PE number in a group, else a tuple of ints." },
    { "thisProxy", T_OBJECT_EX, offsetof(py_chare, this_proxy), 0, "Proxy of the collection." },
    { NULL, 0, 0, 0, NULL }
};

static PyGetSetDef chare_getset[] = {
    { "migratable", chare_migratable, NULL, "May the balancer move this element? See setMigratable().", NULL },
    { "_c4_who", chare_who, NULL, NULL, NULL },
    { "_c4_held", chare_held, NULL, NULL, NULL },
    { "_numthreads", chare_numthreads, NULL, "Number of coroutines of this chare that have not ended.", NULL },
    { NULL, NULL, NULL, NULL, NULL }
};

PyDoc_STRVAR(at_sync_doc,
"AtSync($self, /)\n--\n\n"
"Says that this element is ready for load balancing; returns at once.\n\n"
"For elements of arrays made with useAtSync=True (AttributeError for other chares).  When\n"
"all of them have called it, the balancer may move some, and then resumeFromSync(), which\n"
"the class must define, is called on each.  It may be called again before that: each call is\n"
"the arrival at the next round, and resumeFromSync() is called once for each.");

PyDoc_STRVAR(migrate_doc,
"migrate($self, toPe, /)\n--\n\n"
"Moves this element of an array to PE toPe when the method that runs has ended.\n\n"
"The attributes travel by pickle, __init__ is not called again; on arrival migrated() is,\n"
"then what was sent meanwhile.  Mostly called through a proxy: array[i].migrate(pe).\n"
"Charm4PyError if a coroutine of the element has not ended.");

PyDoc_STRVAR(migrated_doc,
"migrated($self, /)\n--\n\n"
"Called on an element after it has arrived on another PE; for classes to override.");

PyDoc_STRVAR(set_migratable_doc,
"setMigratable($self, migratable, /)\n--\n\n"
"Whether the balancer may move this element of an array; True at first.");

PyDoc_STRVAR(destroy_doc,
"ckDestroy($self, /)\n--\n\n"
"Ends this element of an array, or this single chare, after its coroutines have ended.\n\n"
"Through a proxy, array[i].ckDestroy(); of all elements, array.ckDestroy().  It counts as a member\n"
"of the reduction and the round of AtSync that it owes next, without data.  Calls that come\n"
"later are dropped, and raise where they are awaited, until the index is inserted again:\n"
"array.ckInsert(index).  Charm4PyError for members of sections.");

PyDoc_STRVAR(reduce_doc,
"reduce($self, /, callback, data=None, reducer=None, section=None)\n--\n\n"
"Contributes data to a reduction over the collection, or over a section; does not wait.\n\n"
"Each member contributes once to each reduction; the n-th contributions of all belong\n"
"together.  reducer is one of Reducer (charm.reducers); numbers, and lists and arrays of\n"
"them (by element, equally long everywhere), are reduced natively, other objects by Python.\n"
"The result goes to callback: a Future, a method of a proxy (element, collection or\n"
"section), or any other callable, which runs on the PE where the result is.  Without data or reducer the callback gets no argument (a Future gets None).\n\n"
"AssertionError if reducer does not fit the data; Charm4PyError if it is not registered,\n"
"or if this chare is not in section.");

PyDoc_STRVAR(contribute_doc,
"contribute($self, /, data, reducer, callback, section=None)\n--\n\n"
"The same as reduce(callback, data, reducer, section).");

PyDoc_STRVAR(allreduce_doc,
"allreduce($self, /, data=None, reducer=None, section=None)\n--\n\n"
"A reduction whose result every member gets: returns a Future of it.\n\n"
"self.allreduce().get() is a barrier.  Coroutines only (NotThreadedError); else as reduce().");

PyDoc_STRVAR(flush_doc,
"__flush_wait_queues__($self, /)\n--\n\n"
"Tests the conditions of @when and self.wait() now.\n\n"
"Needed only with charm.options.auto_flush_wait_queues = False.");

static PyMethodDef chare_methods[] = {
    { "AtSync", chare_at_sync, METH_NOARGS, at_sync_doc },
    { "ckDestroy", chare_destroy, METH_NOARGS, destroy_doc },
    { "migrate", chare_migrate, METH_O, migrate_doc },
    { "migrated", chare_default_hook, METH_NOARGS, migrated_doc },
    { "setMigratable", chare_set_migratable, METH_O, set_migratable_doc },
    { "reduce", (PyCFunction)(void (*)(void))chare_reduce, METH_FASTCALL | METH_KEYWORDS,
      reduce_doc },
    { "contribute", (PyCFunction)(void (*)(void))chare_contribute, METH_FASTCALL | METH_KEYWORDS,
      contribute_doc },
    { "allreduce", (PyCFunction)(void (*)(void))chare_allreduce, METH_FASTCALL | METH_KEYWORDS,
      allreduce_doc },
    { "_wait", chare_wait, METH_O, NULL },
    { "__flush_wait_queues__", chare_flush, METH_NOARGS, flush_doc },
    { NULL, NULL, 0, NULL }
};

static PyType_Slot chare_slots[] = {
    { Py_tp_dealloc, chare_dealloc },
    { Py_tp_traverse, chare_traverse },
    { Py_tp_clear, chare_clear },
    { Py_tp_init, chare_init },
    { Py_tp_members, chare_members },
    { Py_tp_getset, chare_getset },
    { Py_tp_methods, chare_methods },
    { Py_tp_doc, "Base of class Chare." },
    { 0, NULL }
};

static PyType_Spec chare_spec = {
    .name = "charm4py._c4.ChareBase", .basicsize = sizeof(py_chare), .slots = chare_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
};

int
py_chare_init_type(PyObject *mod, py_state *st)
{
    st->chare_type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, &chare_spec, NULL);
    if (!st->chare_type)
        return -1;
    return PyModule_AddObjectRef(mod, "ChareBase", (PyObject *)st->chare_type);
}
