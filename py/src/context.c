/*
 * context.c - context variables, of PEs, coroutines and tasks.
 *
 * The PE has a base context: the one in which charm.start() was called.  Plain methods
 * run in it, so what they set stays, as in any thread.  A coroutine and a task of the
 * pool each begin with a copy of it, and nobody else sees what they set.  Greenlets have
 * contexts, too, but run one coroutine after the other, and plain methods in between:
 * who runs changes the thread's context here.
 *
 * st->at_base: the thread's context is the base one; else that is in st->base_context.
 * No context is an empty one: Python makes it when a variable is set first.
 *
 * Cost: some stores; a copy (of a pointer, in an object) once the base has variables.
 */
#include <string.h>

#include "c4py.h"

/* Makes ctx the thread's context and returns what was; both owned. */
static inline PyObject *
exchange(py_state *st, PyObject *ctx)
{
    PyThreadState *ts = st->ts;
    PyObject *old = ts->context;

    if (old != ctx) {
        ts->context = ctx;
        ts->context_ver++;
    }
    return old;
}

/* The variable with decimal's context, new reference; NULL if the base has none. */
static PyObject *
find_decimal(PyObject *base)
{
    PyObject *it = PyObject_GetIter(base), *var, *found = NULL;

    while (it && !found && (var = PyIter_Next(it)) != NULL) {
        PyObject *name = PyObject_GetAttrString(var, "name");

        if (name && PyUnicode_Check(name) &&
            PyUnicode_CompareWithASCIIString(name, "decimal_context") == 0)
            found = Py_NewRef(var);
        Py_XDECREF(name);
        Py_DECREF(var);
    }
    Py_XDECREF(it);
    PyErr_Clear();
    return found;
}

/* Programs change decimal's context in place: whoever begins has one of its own. */
static void
own_decimal(py_state *st)
{
    PyObject *value = NULL, *copy, *token;
    Py_ssize_t size = PyObject_Size(st->base_context);

    if (size != st->base_size) {
        st->base_size = size;
        Py_XSETREF(st->decimal_var, find_decimal(st->base_context));
    }
    if (!st->decimal_var || PyContextVar_Get(st->decimal_var, NULL, &value) || !value)
        return;
    copy = PyObject_CallMethod(value, "copy", NULL);
    token = copy ? PyContextVar_Set(st->decimal_var, copy) : NULL;
    PyErr_Clear();
    Py_XDECREF(token);
    Py_XDECREF(copy);
    Py_DECREF(value);
}

/* A context as the base is, for code that begins; returns the one before. */
static PyObject *
begin(py_state *st)
{
    PyObject *old;

    if (!st->base_context)
        return exchange(st, NULL);
    old = exchange(st, PyContext_Copy(st->base_context));
    own_decimal(st);
    PyErr_Clear();                          /* without memory, it begins with none */
    return old;
}

void
py_ctx_coroutine_begins(py_state *st)
{
    if (!st->at_base)
        return;
    st->at_base = false;
    st->base_context = exchange(st, NULL);
    Py_XDECREF(begin(st));
}

PyObject *
py_ctx_to_base(py_state *st)
{
    PyObject *own;

    if (st->at_base)
        return NULL;
    own = exchange(st, st->base_context);
    st->base_context = NULL;
    st->at_base = true;
    return own;
}

void
py_ctx_from_base(py_state *st, PyObject *own)
{
    st->at_base = false;
    st->base_context = exchange(st, own);
}

PyObject *
py_ctx_task_begins(py_state *st)
{
    return begin(st);
}

void
py_ctx_task_ends(py_state *st, PyObject *outer)
{
    Py_XDECREF(exchange(st, outer));
}

void
py_ctx_leaves_greenlet(py_state *st)
{
    if (st->at_base)
        st->base_context = exchange(st, NULL);
    st->at_base = false;
}

void
py_ctx_enters_greenlet(py_state *st)
{
    Py_XDECREF(exchange(st, st->base_context));
    st->base_context = NULL;
    st->at_base = true;
}
