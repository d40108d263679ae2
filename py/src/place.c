/*
 * place.c - where a function stands in the user's source, for recordings.
 */
#include "c4py.h"

enum { MOST_WRAPPERS = 16 };

/* Decorators that wrap tell by __wrapped__ (functools.wraps) what: the innermost is the user's. */
static PyCodeObject *
code_of(PyObject *func)
{
    for (int i = 0; i < MOST_WRAPPERS && func && PyFunction_Check(func); i++) {
        PyObject *dict = ((PyFunctionObject *)func)->func_dict;
        PyObject *inner = dict ? PyDict_GetItemString(dict, "__wrapped__") : NULL;

        if (!inner)
            return (PyCodeObject *)PyFunction_GET_CODE(func);
        func = inner;
    }
    return NULL;
}

void
py_place_of(PyObject *func, py_place *out)
{
    PyCodeObject *code = code_of(func);

    *out = (py_place){ NULL, 0 };
    if (code && PyUnicode_AsUTF8(code->co_filename))
        *out = (py_place){ Py_NewRef(code->co_filename), code->co_firstlineno };
    PyErr_Clear();                          /* a name that is no text is not known */
}

c4_place
py_place_text(const py_place *p)
{
    return (c4_place){ p->file ? PyUnicode_AsUTF8(p->file) : NULL, p->line };
}
