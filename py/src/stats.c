/*
 * stats.c - what entry methods cost, for charm.printStats().
 *
 * The recorder's statistics are bytes that may be sent and merged; rows() makes
 * Python objects of them, which the package formats.
 */
#include <stdlib.h>
#include <string.h>

#include "c4py.h"
#include "prof/c4_prof.h"

/* stats() -> bytes, or None where nothing is kept. */
PyObject *
py_stats(PyObject *mod, PyObject *unused)
{
    py_state *st = PyModule_GetState(mod);
    c4_stats *s;
    PyObject *bytes;

    (void)unused;
    if (py_need_pe(st))
        return NULL;
    if (c4_prof_stats(st->pe, &s))
        Py_RETURN_NONE;
    bytes = PyBytes_FromStringAndSize((const char *)s, (Py_ssize_t)c4_stats_size(s));
    free(s);
    return bytes;
}

/* trace_file() -> the database that the job is recorded into, or None. */
PyObject *
py_trace_file(PyObject *mod, PyObject *unused)
{
    py_state *st = PyModule_GetState(mod);
    const char *name;

    (void)unused;
    if (py_need_pe(st))
        return NULL;
    name = c4_prof_trace(st->pe);
    return name ? PyUnicode_DecodeFSDefault(name) : Py_NewRef(Py_None);
}

/* stats_start(): keeps statistics from now on. */
PyObject *
py_stats_start(PyObject *mod, PyObject *unused)
{
    py_state *st = PyModule_GetState(mod);
    c4_err err;

    (void)unused;
    if (py_need_pe(st))
        return NULL;
    err = c4_prof_start(st->pe);
    if (err) {
        py_raise(st, err);
        return NULL;
    }
    Py_RETURN_NONE;
}

/* stats_merge(list of bytes) -> bytes */
PyObject *
py_stats_merge(PyObject *mod, PyObject *list)
{
    c4_stats *sum = NULL;
    PyObject *seq = PySequence_Fast(list, "stats_merge() takes a list"), *bytes = NULL;
    c4_err err = seq ? C4_OK : C4_EINVAL;

    for (Py_ssize_t i = 0; !err && i < PySequence_Fast_GET_SIZE(seq); i++) {
        PyObject *b = PySequence_Fast_GET_ITEM(seq, i);

        err = PyBytes_Check(b) ? c4_stats_merge(&sum, PyBytes_AS_STRING(b),
                                                (size_t)PyBytes_GET_SIZE(b)) : C4_EINVAL;
    }
    if (err)
        py_raise(PyModule_GetState(mod), err);
    else if (sum)
        bytes = PyBytes_FromStringAndSize((const char *)sum, (Py_ssize_t)c4_stats_size(sum));
    else
        bytes = Py_NewRef(Py_None);
    free(sum);
    Py_XDECREF(seq);
    return bytes;
}

static const char *
entry_name(const py_class *cls, unsigned entry)
{
    if (entry == C4_ENTRY_CREATE)
        return "__init__";
    if (entry == C4_ENTRY_MIGRATED)
        return "migrated";
    if (entry == C4_ENTRY_RESUME)
        return "resumeFromSync";
    return entry < cls->nmethods ? cls->entries[entry].name : "?";
}

static const char *
kind_name(const py_class *cls)
{
    if (cls->is_main)
        return "Mainchare";
    return cls->used == 1 << PY_KIND_GROUP ? "Group" : "Array";
}

/* (class or None, kind, method, calls, em, send, recv), in seconds */
static PyObject *
row(py_state *st, const c4_stats_row *r)
{
    const c4_type *type = r->is_main || r->is_task ? NULL : c4_prof_type(st->pe, r->type_no);
    const py_class *cls = type && type->binding == &py_binding ? (const py_class *)type : NULL;

    return Py_BuildValue("(OssKddd)", cls ? cls->cls : Py_None,
                         cls ? kind_name(cls) : r->is_task ? "Task" : "",
                         cls ? entry_name(cls, r->entry) : "",
                         (unsigned long long)r->calls, (double)r->em_ns * 1e-9,
                         (double)r->send_ns * 1e-9, (double)r->recv_ns * 1e-9);
}

static PyObject *
messages(const c4_stats_msgs *m)
{
    return Py_BuildValue("(KKKK)", (unsigned long long)m->n, (unsigned long long)m->nbytes,
                         (unsigned long long)m->min, (unsigned long long)m->max);
}

/* stats_rows(bytes) -> dict of rows, sent, received, reductions, migrating, npes */
PyObject *
py_stats_rows(PyObject *mod, PyObject *bytes)
{
    py_state *st = PyModule_GetState(mod);
    c4_stats *s = NULL;
    PyObject *rows, *r = NULL;

    if (py_need_pe(st) || !PyBytes_Check(bytes))
        return NULL;
    if (c4_stats_merge(&s, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes))) {
        py_raise(st, C4_EFORMAT);
        return NULL;
    }
    rows = PyList_New(0);
    for (uint32_t i = 0; rows && i < s->nrows; i++) {
        PyObject *one = row(st, &s->row[i]);

        if (!one || PyList_Append(rows, one))
            Py_CLEAR(rows);
        Py_XDECREF(one);
    }
    if (rows)
        r = Py_BuildValue("{s:N,s:N,s:N,s:d,s:d,s:I}", "rows", rows, "sent", messages(&s->sent),
                          "received", messages(&s->received), "reductions",
                          (double)s->activity_ns[C4_STATS_REDUCE] * 1e-9, "migrating",
                          (double)s->activity_ns[C4_STATS_MIGRATE_OUT] * 1e-9, "npes", s->npes);
    free(s);
    return r;
}

/* methods(cls) -> names of the entry methods, by number */
PyObject *
py_methods(PyObject *mod, PyObject *pycls)
{
    py_class *cls = py_class_of(PyModule_GetState(mod), pycls);
    PyObject *list = PyList_New(0);

    for (unsigned i = 0; cls && list && i < cls->nmethods; i++)
        if (PyList_Append(list, cls->methods[i]->name))
            Py_CLEAR(list);
    return list;
}
