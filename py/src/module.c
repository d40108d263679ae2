/*
 * module.c - module charm4py._c4: its state, the life of a PE, and what the
 * package calls from Python.
 */
#include <string.h>

#include "c4py.h"
#include "prof/c4_prof.h"

extern PyType_Spec py_block_spec;

static struct PyModuleDef module_def;

static py_state *
state_of(PyObject *mod)
{
    return PyModule_GetState(mod);
}

py_state *
py_state_of_type(PyTypeObject *type)
{
    PyObject *mod = PyType_GetModuleByDef(type, &module_def);

    return mod ? state_of(mod) : NULL;
}

int
py_not_a_pe(py_state *st)
{
    if (!st->pe)
        PyErr_SetString(st->error, st->started ? "this process is a child of a PE: it cannot "
                        "use charm" : "charm was not started: this works only in what charm.start() runs");
    else
        PyErr_SetString(st->error, "charm can only be used from the PE's main thread; other "
                        "threads may only send to a Future");
    return -1;
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

/* ---- Callbacks of the runtime -------------------------------------------------------- */

static void
host_idle_begin(c4_pe *pe)
{
    py_state *st = c4_user(pe);

    st->idle_ts = PyEval_SaveThread();
}

static void
host_idle_end(c4_pe *pe)
{
    py_state *st = c4_user(pe);

    PyEval_RestoreThread(st->idle_ts);
}

static c4_err
host_signals(c4_pe *pe)
{
    py_state *st = c4_user(pe);

    if (PyErr_CheckSignals())
        py_uncaught(st, NULL, NULL);
    return C4_OK;
}

static c4_err
host_start(c4_pe *pe, const void *data, size_t len)
{
    py_state *st = c4_user(pe);
    PyObject *blob = py_dec_one(st, data, len, false);
    PyObject *r = blob ? PyObject_CallOneArg(st->apply_start, blob) : NULL;

    Py_XDECREF(blob);
    if (!r)
        py_uncaught(st, NULL, NULL);
    Py_XDECREF(r);
    return C4_OK;
}

static void
host_waiting(c4_pe *pe)
{
    py_co_print_waiting(c4_user(pe));
}

/* Nothing is left to do: what the shell waits for will not come. */
static bool
host_stalled(c4_pe *pe)
{
    py_state *st = c4_user(pe);
    bool future = st->shell && st->shell->waits_on &&
                  Py_TYPE(st->shell->waits_on) == st->future_type;

    if (py_co_cancel(st, PY_CANCEL_IDLE) && future)
        PySys_WriteStdout("Error: system is idle, canceling block on future\n");
    return st->shell != NULL;
}

/* A mistake that the runtime found: there is no Python code to blame. */
static void
host_failed(c4_pe *pe, const char *text)
{
    py_state *st = c4_user(pe);

    PyErr_SetString(st->error, text);
    py_uncaught(st, NULL, NULL);
}

static const c4_host host = {
    .idle_begin = host_idle_begin, .idle_end = host_idle_end, .signals = host_signals,
    .start = host_start, .waiting = host_waiting,
    .stalled = host_stalled, .failed = host_failed,
};

/* ---- Starting and ending ----------------------------------------------------------------- */

static char **
argv_from_list(PyObject *list)
{
    Py_ssize_t n = PyList_GET_SIZE(list);
    char **argv = PyMem_Calloc((size_t)n + 1, sizeof(*argv));

    for (Py_ssize_t i = 0; argv && i < n; i++) {
        PyObject *b = PyUnicode_EncodeFSDefault(PyList_GET_ITEM(list, i));

        argv[i] = b ? strdup(PyBytes_AS_STRING(b)) : NULL;
        Py_XDECREF(b);
        if (!argv[i])
            return NULL;
    }
    return argv;
}

static PyObject *
list_from_argv(int argc, char **argv)
{
    PyObject *list = PyList_New(0);

    for (int i = 0; list && i < argc; i++) {
        PyObject *s = PyUnicode_DecodeFSDefault(argv[i]);

        if (!s || PyList_Append(list, s))
            Py_CLEAR(list);
        Py_XDECREF(s);
    }
    return list;
}

/* It is never imported for this: the program may have done so by now. */
static void
tell_numpy(py_state *st)
{
    PyObject *modules = PyImport_GetModuleDict(), *numpy, *version = NULL;

    if (!c4_prof_trace(st->pe))
        return;
    numpy = PyDict_GetItemString(modules, "numpy");     /* borrowed */
    if (numpy && (version = PyObject_GetAttrString(numpy, "__version__"))
        && PyUnicode_Check(version))
        c4_prof_fact(st->pe, "numpy", PyUnicode_AsUTF8(version));
    Py_XDECREF(version);
    PyErr_Clear();
}

static int
register_all(py_state *st)
{
    /* the list has the last class first; the order does not matter */
    for (py_class *c = st->classes; c; c = c->next) {
        c4_err err = c4_register(st->pe, &c->type);

        if (err) {
            py_raise(st, err);
            return -1;
        }
    }
    return py_reducers_register(st);
}

/* What the trace shall tell of the interpreter. */
static void
tell_facts(py_state *st)
{
    const char *version = Py_GetVersion();  /* "3.11.2 (main, ...) [GCC ...]" */
    char text[32];

    snprintf(text, sizeof(text), "%.*s", (int)strcspn(version, " "), version);
    c4_prof_fact(st->pe, "python", text);
    tell_numpy(st);
}

/* init(argv, by_ref, pickle_protocol, flush, program) -> the program's own arguments */
static PyObject *
mod_init(PyObject *mod, PyObject *args)
{
    py_state *st = state_of(mod);
    PyObject *list, *program;
    int argc, by_ref, flush, status;
    char **argv, *first;

    if (!PyArg_ParseTuple(args, "O!pipO&", &PyList_Type, &list, &by_ref, &st->pickle_protocol,
                          &flush, PyUnicode_FSConverter, &program))
        return NULL;
    st->by_ref = by_ref;
    st->flush_waiting = flush;
    argc = (int)PyList_GET_SIZE(list);
    argv = argv_from_list(list);            /* kept: the runtime may refer to it */
    if (!argv || py_co_import(st)) {
        Py_DECREF(program);
        return argv ? NULL : PyErr_NoMemory();
    }
    first = argv[0];                        /* programs may have changed it */
    argv[0] = PyBytes_AS_STRING(program);
    status = c4_init(&argc, argv, &host, &st->pe);
    argv[0] = first;
    Py_DECREF(program);
    if (status) {
        st->pe = NULL;
        PyErr_SetObject(PyExc_SystemExit, Py_True);     /* 1; c4 has said why */
        return NULL;
    }
    st->ts = PyThreadState_Get();
    st->started = true;
    if (c4_flag(st->pe, "+checkLocal") && !(st->checks = PyDict_New()))
        return NULL;
    c4_set_user(st->pe, st);
    if (c4_mype(st->pe) == 0)
        tell_facts(st);
    if (register_all(st))
        return NULL;
    return list_from_argv(argc, argv);
}

/* Runs the job to its end -> exit status. */
static PyObject *
mod_run(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);

    (void)unused;
    if (py_need_pe(st) || py_co_run(st))
        return NULL;
    return PyLong_FromLong(c4_loop(st->pe));
}

static PyObject *
mod_release(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);
    c4_pe *pe = st->pe;

    (void)unused;
    if (pe && c4_mype(pe) == 0)
        tell_numpy(st);
    st->pe = NULL;
    if (pe)
        c4_release(pe);
    Py_RETURN_NONE;
}

static PyObject *
mod_after_fork(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);

    (void)unused;
    if (st->pe)
        c4_forked(st->pe);
    st->pe = NULL;                          /* the parent's: not to be released here */
    Py_RETURN_NONE;
}

/* Does not return to the caller. */
static PyObject *
mod_exit(PyObject *mod, PyObject *arg)
{
    py_state *st = state_of(mod);

    if (py_need_pe(st))
        return NULL;
    if (c4_exit(st->pe, py_status(arg))) {
        py_raise(st, C4_ESTATE);
        return NULL;
    }
    c4_data_release(st->pe);
    while (c4_step(st->pe, true))
        ;
    py_co_leave(st);
}

static PyObject *
mod_abort(PyObject *mod, PyObject *arg)
{
    py_state *st = state_of(mod);
    const char *text = PyUnicode_AsUTF8(arg);

    if (!text || py_need_pe(st))
        return NULL;
    c4_abort(st->pe, "%s", text);
}

/* uncaught(exception) -> does the job go on?  Else it ends. */
static PyObject *
mod_uncaught(PyObject *mod, PyObject *exc)
{
    PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
    return PyBool_FromLong(py_uncaught(state_of(mod), NULL, NULL));
}

/* Where the main function is written. */
static void
tell_main(py_state *st, PyObject *func)
{
    char line[16];
    py_place at;

    if (!st->pe || !c4_prof_trace(st->pe))
        return;
    py_place_of(func, &at);
    if (!at.file)
        return;
    snprintf(line, sizeof(line), "%d", at.line);
    c4_prof_fact(st->pe, "main_file", PyUnicode_AsUTF8(at.file));
    c4_prof_fact(st->pe, "main_line", line);
    Py_DECREF(at.file);
}

/* coroutine(func, args, is_main): runs func(*args) as a coroutine. */
static PyObject *
mod_coroutine(PyObject *mod, PyObject *args)
{
    PyObject *func, *func_args;
    int is_main;

    if (!PyArg_ParseTuple(args, "OO!p", &func, &PyTuple_Type, &func_args, &is_main))
        return NULL;
    if (is_main)
        tell_main(state_of(mod), func);
    if (py_co_start(state_of(mod), func, func_args, is_main ? PY_CO_MAIN : PY_CO_OTHER))
        return NULL;
    Py_RETURN_NONE;
}

/* The running coroutine is the interactive shell: its waits can be cut short. */
static PyObject *
mod_shell(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);

    (void)unused;
    if (py_need_pe(st) || py_co_check(st))
        return NULL;
    st->shell = st->cur;
    Py_RETURN_NONE;
}

/* ---- Queries ------------------------------------------------------------------------------- */

static PyObject *
mod_mype(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);

    (void)unused;
    return PyLong_FromLong(st->pe ? (long)c4_mype(st->pe) : -1);
}

static PyObject *
mod_npes(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);

    (void)unused;
    return PyLong_FromLong(st->pe ? (long)c4_npes(st->pe) : -1);
}

static PyObject *
mod_now(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);

    (void)unused;
    return py_need_pe(st) ? NULL : PyFloat_FromDouble(c4_now(st->pe));
}

static PyObject *
mod_flag(PyObject *mod, PyObject *arg)
{
    py_state *st = state_of(mod);
    const char *name = PyUnicode_AsUTF8(arg), *value;

    if (!name || py_need_pe(st))
        return NULL;
    value = c4_flag(st->pe, name);
    return value ? PyUnicode_DecodeFSDefault(value) : Py_NewRef(Py_None);
}

static PyObject *
mod_can_suspend(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);

    (void)unused;
    return PyBool_FromLong(st->pe && py_co_can(st));
}

static PyObject *
mod_measure_load(PyObject *mod, PyObject *arg)
{
    py_state *st = state_of(mod);
    int on = PyObject_IsTrue(arg);

    if (on < 0 || py_need_pe(st))
        return NULL;
    c4_measure_load(st->pe, on);
    Py_RETURN_NONE;
}

static PyObject *
mod_check_suspend(PyObject *mod, PyObject *unused)
{
    py_state *st = state_of(mod);

    (void)unused;
    return py_need_pe(st) || py_co_check(st) ? NULL : Py_NewRef(Py_None);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* A timer's target; lives on the heap, as stacks of greenlets move. */
typedef struct timer {
    py_state  *st;
    py_worker *worker;                      /* to wake, or NULL */
    PyObject  *func, *args;                 /* to call, or NULL */
    bool       done, orphan;
} timer;

static c4_err
timer_fired(c4_pe *pe, void *arg)
{
    timer *t = arg;
    PyObject *r;

    (void)pe;
    if (t->orphan) {
        PyMem_Free(t);
        return C4_OK;
    }
    t->done = true;
    if (t->worker) {
        py_co_wake(t->st, t->worker);
        return C4_OK;                       /* the sleeper frees it */
    }
    r = PyObject_CallObject(t->func, t->args);
    if (!r)
        py_uncaught(t->st, NULL, NULL);
    Py_XDECREF(r);
    Py_DECREF(t->func);
    Py_DECREF(t->args);
    PyMem_Free(t);
    return C4_OK;
}

static uint64_t
to_ns(double secs)
{
    return !(secs > 0) ? 0 : secs > 1e9 ? (uint64_t)1e18 : (uint64_t)(secs * 1e9);
}

static PyObject *
mod_sleep(PyObject *mod, PyObject *arg)
{
    py_state *st = state_of(mod);
    double secs = PyFloat_AsDouble(arg);
    timer *t;
    c4_err err;
    int r = 0;

    if (PyErr_Occurred() || py_need_pe(st) || py_co_check(st))
        return NULL;
    t = PyMem_Calloc(1, sizeof(*t));
    if (!t)
        return PyErr_NoMemory();
    t->st = st;
    t->worker = st->cur;
    err = c4_after(st->pe, to_ns(secs), timer_fired, t);
    while (!err && r == 0 && !t->done)
        r = py_co_block(st, "charm.sleep()", NULL);
    if (err || t->done)
        PyMem_Free(t);
    else
        t->orphan = true;                   /* interrupted: the timer is still to come */
    return r ? NULL : none_or_raise(st, err);
}

/* after(secs, callable, args) */
static PyObject *
mod_after(PyObject *mod, PyObject *args)
{
    py_state *st = state_of(mod);
    PyObject *func, *func_args;
    double secs;
    timer *t;

    if (!PyArg_ParseTuple(args, "dOO!", &secs, &func, &PyTuple_Type, &func_args))
        return NULL;
    if (py_need_pe(st))
        return NULL;
    t = PyMem_Calloc(1, sizeof(*t));
    if (!t)
        return PyErr_NoMemory();
    t->st = st;
    t->func = Py_NewRef(func);
    t->args = Py_NewRef(func_args);
    return none_or_raise(st, c4_after(st->pe, to_ns(secs), timer_fired, t));
}

static PyObject *
mod_quiescence(PyObject *mod, PyObject *callback)
{
    py_state *st = state_of(mod);
    c4_callback cb;

    if (py_need_pe(st) || py_callback(st, callback, &cb))
        return NULL;
    return none_or_raise(st, c4_quiescence(st->pe, &cb));
}

/* (ready, stamp) of a Future or Channel */
static PyObject *
mod_readiness(PyObject *mod, PyObject *o)
{
    py_waiters *q;
    uint64_t stamp;
    bool ready;

    if (!py_waitable(state_of(mod), o, &ready, &stamp, &q)) {
        PyErr_Format(PyExc_TypeError, "can only wait for Futures and Channels, not %s",
                     Py_TYPE(o)->tp_name);
        return NULL;
    }
    return Py_BuildValue("(NK)", PyBool_FromLong(ready), (unsigned long long)stamp);
}

static bool
any_ready(py_state *st, PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        py_waiters *q;
        uint64_t stamp;
        bool ready;

        if (!py_waitable(st, PyList_GET_ITEM(list, i), &ready, &stamp, &q) || ready)
            return true;
    }
    return false;
}

/* Adds or removes the current worker in the queues of all. */
static int
queue_up(py_state *st, PyObject *list, bool add)
{
    int r = 0;

    for (Py_ssize_t i = 0; r == 0 && i < PyList_GET_SIZE(list); i++) {
        py_waiters *q;
        uint64_t stamp;
        bool ready;

        if (!py_waitable(st, PyList_GET_ITEM(list, i), &ready, &stamp, &q))
            continue;
        if (add)
            r = py_waiters_add(q, st->cur);
        else
            py_waiters_remove(q, st->cur);
    }
    return r;
}

/* wait_any(list): suspends until one of them is ready. */
static PyObject *
mod_wait_any(PyObject *mod, PyObject *list)
{
    py_state *st = state_of(mod);
    int r;

    if (!PyList_CheckExact(list)) {
        PyErr_SetString(PyExc_TypeError, "wait_any() takes a list");
        return NULL;
    }
    if (any_ready(st, list))
        Py_RETURN_NONE;
    if (py_need_pe(st) || py_co_check(st))
        return NULL;
    r = queue_up(st, list, true);
    while (r == 0 && !any_ready(st, list))
        r = py_co_block(st, "one of several futures or channels", list);
    queue_up(st, list, false);
    return r ? NULL : Py_NewRef(Py_None);
}

/* ---- For the package -------------------------------------------------------------------------- */

/* Python helpers, by the name of the field. */
typedef struct helper {
    const char *name;
    size_t      at;
} helper;

#define HELPER(name) { #name, offsetof(py_state, name) }
static const helper helpers[] = {
    HELPER(error), HELPER(not_threaded), HELPER(dumps), HELPER(loads), HELPER(explain_pickle),
    HELPER(print_uncaught), HELPER(format_remote), HELPER(stand_in), HELPER(collect_readonlies),
    HELPER(apply_start), HELPER(get_state), HELPER(set_state), HELPER(reducer_apply),
    HELPER(reducer_prepare), HELPER(to_array), HELPER(when_test),
    HELPER(print_waiting), HELPER(print_held), HELPER(check_sent), HELPER(check_delivered),
    HELPER(pack_callback), HELPER(call_back), HELPER(dumps_by_rule), HELPER(look_again),
    HELPER(pickling_error),
};
enum { NHELPERS = sizeof(helpers) / sizeof(helpers[0]) };

static PyObject **
helper_slot(py_state *st, size_t i)
{
    return (PyObject **)(void *)((char *)st + helpers[i].at);
}

/* configure(name=callable, ...) */
static PyObject *
mod_configure(PyObject *mod, PyObject *args, PyObject *kw)
{
    PyObject *key, *value;
    Py_ssize_t pos = 0;

    (void)args;
    while (kw && PyDict_Next(kw, &pos, &key, &value)) {
        size_t i = 0;

        while (i < NHELPERS && PyUnicode_CompareWithASCIIString(key, helpers[i].name))
            i++;
        if (i == NHELPERS) {
            PyErr_Format(PyExc_TypeError, "configure() knows no %R", key);
            return NULL;
        }
        Py_XSETREF(*helper_slot(state_of(mod), i), Py_NewRef(value));
    }
    Py_RETURN_NONE;
}

/* main_is(dict, alone): __main__ as it was looked at, and whether other PEs lack names of it */
static PyObject *
mod_main_is(PyObject *mod, PyObject *args)
{
    py_state *st = state_of(mod);
    PyObject *space;
    int alone;

    if (!PyArg_ParseTuple(args, "O!p", &PyDict_Type, &space, &alone))
        return NULL;
    Py_XSETREF(st->main_names, Py_NewRef(space));
    st->main_size = PyDict_GET_SIZE(space);
    st->by_rule = alone != 0;
    Py_RETURN_NONE;
}

static PyObject *
mod_encode(PyObject *mod, PyObject *args)
{
    py_enc *e = py_enc_begin(state_of(mod));
    PyObject *bytes = NULL;

    if (!e)
        return NULL;
    if (py_enc_args(e, &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), NULL) == 0)
        bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)py_enc_size(e));
    if (bytes)
        py_enc_copy(e, (unsigned char *)PyBytes_AS_STRING(bytes));
    py_enc_end(e);
    return bytes;
}

static PyObject *
mod_decode(PyObject *mod, PyObject *arg)
{
    Py_buffer b;
    PyObject *t;

    if (PyObject_GetBuffer(arg, &b, PyBUF_SIMPLE))
        return NULL;
    t = py_dec_tuple(state_of(mod), b.buf, (size_t)b.len, false);
    PyBuffer_Release(&b);
    return t;
}

static PyObject *
mod_load(PyObject *mod, PyObject *arg)
{
    Py_buffer b;
    PyObject *o;

    if (PyObject_GetBuffer(arg, &b, PyBUF_SIMPLE))
        return NULL;
    o = py_dec_one(state_of(mod), b.buf, (size_t)b.len, false);
    PyBuffer_Release(&b);
    return o;
}

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))
static PyMethodDef module_methods[] = {
    { "configure", KEYWORDS(mod_configure), METH_VARARGS | METH_KEYWORDS, NULL },
    { "main_is", mod_main_is, METH_VARARGS, NULL },
    { "init", mod_init, METH_VARARGS, NULL },
    { "run", mod_run, METH_NOARGS, NULL },
    { "release", mod_release, METH_NOARGS, NULL },
    { "after_fork", mod_after_fork, METH_NOARGS, NULL },
    { "exit", mod_exit, METH_O, NULL },
    { "abort", mod_abort, METH_O, NULL },
    { "uncaught", mod_uncaught, METH_O, NULL },
    { "coroutine", mod_coroutine, METH_VARARGS, NULL },
    { "shell", mod_shell, METH_NOARGS, NULL },
    { "mype", mod_mype, METH_NOARGS, NULL },
    { "npes", mod_npes, METH_NOARGS, NULL },
    { "now", mod_now, METH_NOARGS, NULL },
    { "flag", mod_flag, METH_O, NULL },
    { "can_suspend", mod_can_suspend, METH_NOARGS, NULL },
    { "check_suspend", mod_check_suspend, METH_NOARGS, NULL },
    { "measure_load", mod_measure_load, METH_O, NULL },
    { "sleep", mod_sleep, METH_O, NULL },
    { "after", mod_after, METH_VARARGS, NULL },
    { "quiescence", mod_quiescence, METH_O, NULL },
    { "readiness", mod_readiness, METH_O, NULL },
    { "wait_any", mod_wait_any, METH_O, NULL },
    { "register", KEYWORDS(py_register), METH_VARARGS | METH_KEYWORDS, NULL },
    { "create", KEYWORDS(py_create), METH_VARARGS | METH_KEYWORDS, NULL },
    { "section_new", py_section_new, METH_VARARGS, NULL },
    { "section_await", py_section_await, METH_O, NULL },
    { "group_pes", py_group_pes, METH_O, NULL },
    { "stats", py_stats, METH_NOARGS, NULL },
    { "stats_start", py_stats_start, METH_NOARGS, NULL },
    { "trace_file", py_trace_file, METH_NOARGS, NULL },
    { "stats_merge", py_stats_merge, METH_O, NULL },
    { "stats_rows", py_stats_rows, METH_O, NULL },
    { "methods", py_methods, METH_O, NULL },
    { "pool_map", KEYWORDS(py_pool_map), METH_FASTCALL, NULL },
    { "pool_task", KEYWORDS(py_pool_task), METH_FASTCALL, NULL },
    { "_encode", mod_encode, METH_VARARGS, "The payload of a call with these arguments." },
    { "_decode", mod_decode, METH_O, "The arguments in a payload." },
    { "_load", mod_load, METH_O, "The one value in a payload." },
    { NULL, NULL, 0, NULL }
};

/* ---- Module ------------------------------------------------------------------------------------- */

static PyObject *
names_tuple(const char *name)
{
    PyObject *s = PyUnicode_InternFromString(name), *t = s ? PyTuple_Pack(1, s) : NULL;

    Py_XDECREF(s);
    return t;
}

/* What a call by keywords carries: a type of its own, so that no dict is taken for one. */
static int
add_keywords_type(PyObject *mod, py_state *st)
{
    st->keywords_type = (PyTypeObject *)PyObject_CallFunction(
        (PyObject *)&PyType_Type, "s(O){ssss}", "Keywords", &PyDict_Type, "__module__",
        "charm4py._c4", "__doc__", "Keyword arguments of a call.");
    if (!st->keywords_type)
        return -1;
    return PyModule_AddObjectRef(mod, "Keywords", (PyObject *)st->keywords_type);
}

static int
module_exec(PyObject *mod)
{
    py_state *st = state_of(mod);

    st->mod = mod;                          /* borrowed: the state dies with it */
    st->pickle_protocol = -1;
    st->by_ref = st->flush_waiting = true;
    st->error = Py_NewRef(PyExc_RuntimeError);
    st->not_threaded = Py_NewRef(PyExc_RuntimeError);
    st->s_append = PyUnicode_InternFromString("append");
    st->s_ret = PyUnicode_InternFromString("ret");
    st->s_awaitable = PyUnicode_InternFromString("awaitable");
    st->kw_buffer_callback = names_tuple("buffer_callback");
    st->kw_buffers = names_tuple("buffers");
    st->empty_tuple = PyTuple_New(0);
    st->class_map = PyDict_New();
    st->coll_proxies = PyDict_New();
    st->exported = PyDict_New();
    st->block_type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, &py_block_spec, NULL);
    if (!st->s_append || !st->s_ret || !st->s_awaitable || !st->kw_buffer_callback ||
        !st->kw_buffers || !st->empty_tuple || !st->class_map || !st->coll_proxies ||
        !st->exported || !st->block_type)
        return -1;
    if (add_keywords_type(mod, st) || py_proxy_init_types(mod, st) || py_chare_init_type(mod, st) ||
        py_future_init_type(mod, st) || py_channel_init_type(mod, st))
        return -1;
    return 0;
}

static int
module_traverse(PyObject *mod, visitproc visit, void *arg)
{
    py_state *st = state_of(mod);

    for (size_t i = 0; i < NHELPERS; i++)
        Py_VISIT(*helper_slot(st, i));
    Py_VISIT(st->class_map);
    Py_VISIT(st->coll_proxies);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    { Py_mod_exec, (void *)module_exec },
    { 0, NULL }
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "charm4py._c4",
    .m_doc = "Chares, proxies, futures and coroutines over libc4.",
    .m_size = sizeof(py_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
};

PyMODINIT_FUNC PyInit__c4(void);

PyMODINIT_FUNC
PyInit__c4(void)
{
    return PyModuleDef_Init(&module_def);
}
