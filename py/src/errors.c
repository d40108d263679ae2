/*
 * errors.c - where exceptions go.
 *
 * An exception of an entry method goes to the caller if it waits; else it is
 * printed with the place it came from, and the job ends with status 1, unless
 * an interactive shell goes on.
 */
#include <unistd.h>

#include "c4py.h"

void
py_raise(py_state *st, c4_err err)
{
    const char *text = st->pe ? c4_error(st->pe) : NULL;
    PyObject *type = err == C4_ERANGE ? PyExc_IndexError
                   : err == C4_ENOMEM ? PyExc_MemoryError : st->error;

    if (PyErr_Occurred())
        return;
    PyErr_SetString(type, text && *text ? text : c4_strerror(err));
}

/* The pending exception, normalized and with its traceback; new reference. */
static PyObject *
fetch(void)
{
    PyObject *type, *value, *tb;

    PyErr_Fetch(&type, &value, &tb);
    if (!type)
        return NULL;
    PyErr_NormalizeException(&type, &value, &tb);
    if (tb)
        PyException_SetTraceback(value, tb);
    Py_XDECREF(type);
    Py_XDECREF(tb);
    return value;
}

PyObject *
py_take_exception(py_state *st)
{
    PyObject *exc = fetch(), *r;

    if (!exc)
        return NULL;
    r = PyObject_CallOneArg(st->format_remote, exc);
    if (!r)
        PyErr_Clear();
    Py_XDECREF(r);
    return exc;
}

int
py_enc_exception(py_enc *e, PyObject *exc)
{
    PyObject *o;
    size_t len = e->len;
    int r = py_enc_args(e, &exc, 1, NULL);

    if (r == 0)
        return 0;
    PyErr_Clear();
    e->len = len;
    o = PyObject_CallOneArg(e->st->stand_in, exc);
    r = o ? py_enc_args(e, &o, 1, NULL) : -1;
    Py_XDECREF(o);
    return r;
}

bool
py_reportable(void)
{
    return PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_SystemExit) &&
           !PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
}

int
py_status(PyObject *code)
{
    long long status = PyLong_AsLongLong(code);

    if (status == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return 1;
    }
    return status && !(status & 0xff) ? 1 : (int)(status & 0xff);
}

/* exit(x): nothing is 0, a number itself, all else is printed and 1. */
static int
exit_status(PyObject *exc)
{
    PyObject *code = PyObject_GetAttrString(exc, "code");
    int status = 1;

    if (!code) {
        PyErr_Clear();
    } else if (code == Py_None) {
        status = 0;
    } else if (PyLong_Check(code)) {
        status = py_status(code);
    } else {
        PySys_FormatStderr("%S\n", code);
    }
    Py_XDECREF(code);
    return status;
}

/* A child of the PE, made by fork(), ends as Python does but for the teardown;
 * exc may be NULL. */
static void
leave_child(PyObject *exc, int status)
{
    PyObject *atexit = PyImport_ImportModule("atexit");
    PyObject *r = atexit ? PyObject_CallMethod(atexit, "_run_exitfuncs", NULL) : NULL;

    PyErr_Clear();
    Py_XDECREF(r);
    Py_XDECREF(atexit);
    if (exc && !PyErr_GivenExceptionMatches(exc, PyExc_SystemExit))
        PyErr_Display((PyObject *)Py_TYPE(exc), exc, PyException_GetTraceback(exc));
    for (int i = 0; i < 2; i++) {
        PyObject *stream = PySys_GetObject(i ? "stderr" : "stdout");

        r = stream ? PyObject_CallMethod(stream, "flush", NULL) : NULL;
        PyErr_Clear();
        Py_XDECREF(r);
    }
    _exit(status);
}

void
py_child_returns(py_state *st, PyObject *result)
{
    if (!result)
        py_uncaught(st, NULL, NULL);
    leave_child(NULL, 0);
}

bool
py_uncaught(py_state *st, const py_method *m, py_chare *obj)
{
    PyObject *exc = fetch(), *r, *index = NULL;
    bool failed = false, goes_on = false;
    int status = 1;

    if (!exc)
        return false;
    if (!st->pe)
        leave_child(exc, PyErr_GivenExceptionMatches(exc, PyExc_SystemExit) ? exit_status(exc) : 1);
    if (PyErr_GivenExceptionMatches(exc, PyExc_KeyboardInterrupt) &&
        py_co_cancel(st, PY_INTERRUPT)) {
        goes_on = true;
    } else if (PyErr_GivenExceptionMatches(exc, PyExc_SystemExit)) {
        status = exit_status(exc);
    } else {
        if (obj && obj->this_index)
            index = obj->this_index;
        failed = true;
        r = PyObject_CallFunction(st->print_uncaught, "IOzOO", c4_failures(st->pe), exc,
                                  m ? m->cls->name : obj && obj->cls ? obj->cls->name : NULL,
                                  m ? m->name : Py_None, index ? index : Py_None);
        if (!r)
            PyErr_Print();
        goes_on = r == Py_True;
        Py_XDECREF(r);
    }
    Py_DECREF(exc);
    if (goes_on)
        return true;
    if (failed ? c4_exit_failed(st->pe, status) : c4_exit(st->pe, status))
        c4_abort(st->pe, "%s", c4_error(st->pe));
    return false;
}
