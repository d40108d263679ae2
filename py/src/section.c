/*
 * section.c - sections of collections, as proxies.
 *
 * A section's proxy is one of the class of its first collection, with the
 * section's number; calls find their methods by name in each member's class.
 * Which elements are members is decided in charm4py/sections.py.
 */
#include <stddef.h>

#include "c4py.h"

/* ---- Making ---------------------------------------------------------------------- */

/* A member is (collection, key) or the proxy of an element. */
static int
parse_member(py_state *st, PyObject *o, c4_chare *out)
{
    unsigned long long key;
    unsigned int coll;

    if (py_proxy_check(st, o) && ((py_proxy *)o)->elem) {
        if (py_proxy_bad((py_proxy *)o)) {
            PyErr_SetString(PyExc_IndexError, "an index of a section is outside the collection");
            return -1;
        }
        *out = py_target((py_proxy *)o);
        return 0;
    }
    if (!PyTuple_Check(o)) {
        PyErr_SetString(PyExc_TypeError, "a member of a section is an element");
        return -1;
    }
    if (!PyArg_ParseTuple(o, "IK", &coll, &key))
        return -1;
    *out = (c4_chare){ key, coll };
    return 0;
}

/* section_new(like, members): a section with proxies of the class of like. */
PyObject *
py_section_new(PyObject *mod, PyObject *args)
{
    py_state *st = PyModule_GetState(mod);
    PyObject *like, *members;
    c4_section section = 0;
    c4_chare *list;
    c4_err err = C4_OK;
    Py_ssize_t n;
    int r = 0;

    if (!PyArg_ParseTuple(args, "OO!", &like, &PyList_Type, &members) || py_need_pe(st))
        return NULL;
    n = PyList_GET_SIZE(members);
    list = PyMem_Calloc((size_t)n + 1, sizeof(*list));
    if (!list)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; r == 0 && i < n; i++)
        r = parse_member(st, PyList_GET_ITEM(members, i), &list[i]);
    if (r == 0 && (err = c4_section_new(st->pe, list, (size_t)n, &section)))
        py_raise(st, err);
    PyMem_Free(list);
    return r || err ? NULL : (PyObject *)py_proxy_of_section((py_proxy *)like, section);
}

/* Suspends until all members of these new sections know of them. */
PyObject *
py_section_await(PyObject *mod, PyObject *list)
{
    py_state *st = PyModule_GetState(mod);
    Py_ssize_t n = PyList_Check(list) ? PyList_GET_SIZE(list) : 0;
    PyObject *futures = py_co_check(st) ? NULL : PyList_New(0);
    int r = futures ? 0 : -1;

    for (Py_ssize_t i = 0; r == 0 && i < n; i++) {
        const py_proxy *p = (const py_proxy *)PyList_GET_ITEM(list, i);
        py_future *f = py_future_new(st, 1);
        c4_err err = f ? c4_section_await(st->pe, p->section, f->id) : C4_OK;

        if (err)
            py_raise(st, err);
        r = !f || err || PyList_Append(futures, (PyObject *)f) ? -1 : 0;
        Py_XDECREF(f);
    }
    for (Py_ssize_t i = 0; r == 0 && i < n; i++) {
        r = py_future_wait((py_future *)PyList_GET_ITEM(futures, i));
        ((py_proxy *)PyList_GET_ITEM(list, i))->known = r == 0;
    }
    Py_XDECREF(futures);
    return r ? NULL : Py_NewRef(list);
}

/* group_pes(proxy): where the group has members; None if this PE cannot tell. */
PyObject *
py_group_pes(PyObject *mod, PyObject *proxy)
{
    py_state *st = PyModule_GetState(mod);
    const py_proxy *p = (const py_proxy *)proxy;
    PyObject *list;
    c4_coll_info info;
    uint32_t n;

    if (py_need_pe(st))
        return NULL;
    if (p->kind != PY_KIND_GROUP || p->section)
        Py_RETURN_NONE;
    info.on_pes = NULL;
    if (p->part && c4_coll_lookup(st->pe, p->coll, &info))
        Py_RETURN_NONE;
    n = info.on_pes ? (uint32_t)info.non_pes : c4_npes(st->pe);
    list = PyList_New((Py_ssize_t)n);
    for (uint32_t i = 0; list && i < n; i++) {
        PyObject *pe = PyLong_FromUnsignedLong(info.on_pes ? info.on_pes[i] : i);

        if (!pe)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, pe);
    }
    return list;
}

/* ---- Using ------------------------------------------------------------------------- */

static PyObject *
from_package(const char *name, PyObject *a, PyObject *b)
{
    PyObject *mod = PyImport_ImportModule("charm4py.sections");
    PyObject *r = mod ? PyObject_CallMethod(mod, name, "OO", a, b) : NULL;

    Py_XDECREF(mod);
    return r;
}

PyObject *
py_section_slice(PyObject *proxy, PyObject *key)
{
    return from_package("slice_of", proxy, key);
}

PyObject *
py_section_id(const py_proxy *p)
{
    c4_section id = p->section ? p->section : p->coll;
    uint32_t npes;

    if (py_need_pe(p->cls->st))
        return NULL;
    npes = c4_npes(p->cls->st->pe);
    return Py_BuildValue("(I(II))", id % npes, id % npes, id / npes);
}

int
py_section_arg(const py_chare *self, PyObject *arg, c4_section *out)
{
    const py_proxy *p = (const py_proxy *)arg;

    *out = 0;
    if (arg == Py_None)
        return 0;
    if (!py_proxy_check(self->cls->st, arg)) {
        PyErr_Format(PyExc_TypeError, "section must be the proxy of a section, not %s",
                     Py_TYPE(arg)->tp_name);
        return -1;
    }
    *out = p->section ? p->section : p->part ? p->coll : 0;
    if (p->section ? !p->known || c4_in_section(self->cls->st->pe, p->section, self->who)
                   : !p->elem && p->coll == self->who.coll)
        return 0;
    PyErr_SetString(self->cls->st->error,
                    "Chare doing section reduction but is not part of a section");
    return -1;
}

c4_err
py_section_cast(const py_proxy *p, const py_method *m, const struct iovec *iov, int niov,
                c4_future done, unsigned flags)
{
    return c4_section_castv(p->cls->st->pe, p->section,
                            c4_method_id(PyUnicode_AsUTF8(m->name)), iov, niov, done, flags);
}
