/*
 * when.c - messages that wait for a condition (@when), and self.wait().
 *
 * A chare's dict "waiting" has what it holds back, by entry number: for methods
 * with `self.attr == parameter` a dict from the parameter's value, the tag, to the
 * messages with it; for conditions on the chare alone the messages, of which the
 * oldest stands for all; for others a list that is tried message by message.
 * Messages with a tag are found by one look-up, however many wait.
 *
 * Of all messages that may go on the one that came first does.  A message is a
 * tuple (order of arrival, arguments, py_stored).  All of it migrates with
 * the chare.
 */
#include <string.h>

#include "c4py.h"

enum { BY_TAG, BY_STATE, BY_ARGUMENTS };    /* kinds of conditions */
enum { ORDER, ARGS, STORED };               /* parts of a message */

/* ---- Conditions ------------------------------------------------------------------- */

/* From the condition object of charm4py.wait. */
int
py_when_init(py_method *m)
{
    PyObject *kind = PyObject_GetAttrString(m->when, "kind");
    PyObject *arg = PyObject_GetAttrString(m->when, "arg_idx");

    m->when_func = PyObject_GetAttrString(m->when, "func");
    m->when_attr = PyObject_GetAttrString(m->when, "attrib_name");
    if (kind && arg && m->when_func && m->when_attr) {
        m->when_kind = (uint8_t)PyLong_AsLong(kind);
        m->when_arg = (int)PyLong_AsLong(arg);
    }
    Py_XDECREF(kind);
    Py_XDECREF(arg);
    return PyErr_Occurred() ? -1 : 0;
}

static int
is_true(PyObject *r)
{
    int yes = r ? PyObject_IsTrue(r) : -1;

    Py_XDECREF(r);
    return yes;
}

static int
condition_holds(const py_method *m, py_chare *obj, PyObject *args)
{
    PyObject *argv[2] = { (PyObject *)obj, args };
    PyObject *value;
    int yes;

    if (m->when_kind != BY_TAG)
        return is_true(PyObject_Vectorcall(m->when_func, argv, 2, NULL));
    value = PyObject_GetAttr((PyObject *)obj, m->when_attr);
    yes = value ? PyObject_RichCompareBool(value, PyTuple_GET_ITEM(args, m->when_arg), Py_EQ) : -1;
    Py_XDECREF(value);
    return yes;
}

/* The arguments with defaults for those that were left out; NULL without an
 * exception if some are missing, which the call itself will say. */
static PyObject *
whole_arguments(const py_method *m, PyObject *const *args, Py_ssize_t n)
{
    Py_ssize_t want = m->params ? PyTuple_GET_SIZE(m->params) : 0;
    Py_ssize_t ndefaults = m->defaults ? PyTuple_GET_SIZE(m->defaults) : 0;
    Py_ssize_t total = n > want ? n : want;
    PyObject *t;

    if (n < want - ndefaults)
        return NULL;
    t = PyTuple_New(total);
    for (Py_ssize_t i = 0; t && i < total; i++)
        PyTuple_SET_ITEM(t, i, Py_NewRef(i < n ? args[i] : PyTuple_GET_ITEM(
                             m->defaults, i - (want - ndefaults))));
    return t;
}

/* ---- Messages that wait ----------------------------------------------------------- */

/* A queue of messages: one of them, or a deque of several. */
static int
queue_add(py_state *st, PyObject **queue, PyObject *message)
{
    PyObject *pair, *r;

    if (!*queue) {
        *queue = Py_NewRef(message);
        return 0;
    }
    if (PyTuple_CheckExact(*queue)) {
        if (!st->deque) {
            PyObject *mod = PyImport_ImportModule("collections");

            st->deque = mod ? PyObject_GetAttrString(mod, "deque") : NULL;
            Py_XDECREF(mod);
        }
        pair = st->deque ? PyTuple_Pack(2, *queue, message) : NULL;
        r = pair ? PyObject_CallOneArg(st->deque, pair) : NULL;
        Py_XDECREF(pair);
        if (r)
            Py_SETREF(*queue, r);
        return r ? 0 : -1;
    }
    r = PyObject_CallMethodOneArg(*queue, st->s_append, message);
    Py_XDECREF(r);
    return r ? 0 : -1;
}

static PyObject *
queue_first(PyObject *queue)
{
    return PyTuple_CheckExact(queue) ? Py_NewRef(queue) : PySequence_GetItem(queue, 0);
}

/* Takes the first off; *queue becomes NULL with the last. */
static int
queue_drop(PyObject **queue)
{
    PyObject *r;

    if (!PyTuple_CheckExact(*queue)) {
        r = PyObject_CallMethod(*queue, "popleft", NULL);
        Py_XDECREF(r);
        if (!r)
            return -1;
        if (PyObject_Size(*queue))
            return 0;
    }
    Py_CLEAR(*queue);
    return 0;
}

/* Puts the queue back under key, or takes key out if it is NULL.  Steals queue. */
static int
queue_store(PyObject *dict, PyObject *key, PyObject *queue)
{
    int r = queue ? PyDict_SetItem(dict, key, queue) : PyDict_DelItem(dict, key);

    Py_XDECREF(queue);
    return r;
}

static int
add_to_queue(py_state *st, PyObject *dict, PyObject *key, PyObject *message)
{
    PyObject *queue = Py_XNewRef(PyDict_GetItemWithError(dict, key));

    if (PyErr_Occurred() || queue_add(st, &queue, message)) {
        Py_XDECREF(queue);
        return -1;
    }
    return queue_store(dict, key, queue);
}

/* The container under key, made if there is none; borrowed.  Takes made over. */
static PyObject *
container(PyObject *dict, PyObject *key, PyObject *made)
{
    PyObject *r = made ? PyDict_SetDefault(dict, key, made) : NULL;

    Py_XDECREF(made);
    return r;
}

static int
store(py_state *st, py_method *m, py_chare *obj, const py_stored *stored, PyObject *args)
{
    PyObject *key = PyLong_FromLong(m->entry), *message, *c;
    int r = -1;

    if (!obj->waiting)
        obj->waiting = PyDict_New();
    message = Py_BuildValue("(KOy#)", (unsigned long long)++obj->nstored, args,
                            (const char *)stored, (Py_ssize_t)sizeof(*stored));
    if (!obj->waiting || !message || !key)
        ;
    else if (m->when_kind == BY_STATE)
        r = add_to_queue(st, obj->waiting, key, message);
    else if (m->when_kind == BY_TAG && (c = container(obj->waiting, key, PyDict_New())) != NULL)
        r = add_to_queue(st, c, PyTuple_GET_ITEM(args, m->when_arg), message);
    else if (m->when_kind == BY_ARGUMENTS &&
             (c = container(obj->waiting, key, PyList_New(0))) != NULL)
        r = PyList_Append(c, message);
    Py_XDECREF(key);
    Py_XDECREF(message);
    return r;
}

int
py_when_admit(py_state *st, py_method *m, py_chare *obj, c4_call *call, PyObject *const *argv,
              Py_ssize_t n)
{
    PyObject *args = whole_arguments(m, argv, n);
    py_stored stored;
    int yes;

    if (!args)
        return PyErr_Occurred() ? -1 : 1;
    yes = condition_holds(m, obj, args);
    if (yes == 0) {
        memset(&stored, 0, sizeof(stored));     /* all bytes of it travel */
        stored.done = call->done;
        stored.cause = c4_cause_now(st->pe);
        call->deferred = call->stored = true;
    }
    if (yes == 0 && store(st, m, obj, &stored, args)) {
        yes = -1;
    } else if (yes == 0) {
        if (call->done.want)                /* its caller must find the element here */
            c4_hold(st->pe, obj->who);
    }
    Py_DECREF(args);
    return yes;
}

static Py_ssize_t
queue_length(PyObject *queue)
{
    return PyTuple_CheckExact(queue) ? 1 : PyObject_Size(queue);
}

static Py_ssize_t
count_held(const py_method *m, PyObject *held)
{
    PyObject *tag, *queue;
    Py_ssize_t pos = 0, n = 0;

    if (m->when_kind == BY_ARGUMENTS)
        return PyList_GET_SIZE(held);
    if (m->when_kind == BY_STATE)
        return queue_length(held);
    while (PyDict_Next(held, &pos, &tag, &queue))
        n += queue_length(queue);
    return n;
}

PyObject *
py_when_held(py_chare *obj)
{
    PyObject *list = PyList_New(0), *key, *held;
    Py_ssize_t pos = 0;

    while (list && obj->waiting && PyDict_Next(obj->waiting, &pos, &key, &held)) {
        const py_method *m = obj->cls->methods[PyLong_AsLong(key)];
        PyObject *one = Py_BuildValue("(OOn)", m->name, m->when, count_held(m, held));

        if (!one || PyList_Append(list, one))
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

/* ---- Going on ----------------------------------------------------------------------- */

/* Who may go on first, so far. */
typedef struct candidate {
    py_method         *method;
    PyObject          *message;             /* owned; NULL: none */
    unsigned long long order;
    PyObject          *tag;                 /* owned; BY_TAG */
    Py_ssize_t         at;                  /* BY_ARGUMENTS */
} candidate;

static unsigned long long
order_of(PyObject *message)
{
    return PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(message, ORDER));
}

/* Takes over message and tag. */
static void
consider(candidate *c, py_method *m, PyObject *message, PyObject *tag, Py_ssize_t at)
{
    unsigned long long order = order_of(message);

    if (c->message && c->order < order) {
        Py_DECREF(message);
        Py_XDECREF(tag);
        return;
    }
    Py_XDECREF(c->message);
    Py_XDECREF(c->tag);
    *c = (candidate){ m, message, order, tag, at };
}

static int
look_by_tag(candidate *c, py_method *m, py_chare *obj, PyObject *tags)
{
    PyObject *tag = PyObject_GetAttr((PyObject *)obj, m->when_attr), *queue, *first;

    queue = tag ? PyDict_GetItemWithError(tags, tag) : NULL;
    first = queue ? queue_first(queue) : NULL;
    if (first)
        consider(c, m, first, tag, 0);
    else
        Py_XDECREF(tag);
    return PyErr_Occurred() ? -1 : 0;
}

static int
look_by_state(candidate *c, py_method *m, py_chare *obj, PyObject *queue)
{
    PyObject *first = queue_first(queue);
    int yes = first ? condition_holds(m, obj, PyTuple_GET_ITEM(first, ARGS)) : -1;

    if (yes > 0)
        consider(c, m, first, NULL, 0);
    else
        Py_XDECREF(first);
    return yes < 0 ? -1 : 0;
}

static int
look_by_arguments(candidate *c, py_method *m, py_chare *obj, PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyObject *message = Py_NewRef(PyList_GET_ITEM(list, i));
        int yes = 0;

        if (c->message && order_of(message) > c->order)
            i = PyList_GET_SIZE(list);
        else
            yes = condition_holds(m, obj, PyTuple_GET_ITEM(message, ARGS));
        if (yes > 0) {
            consider(c, m, message, NULL, i);
            return 0;
        }
        Py_DECREF(message);
        if (yes < 0)
            return -1;
    }
    return 0;
}

static int
take_out(py_chare *obj, const candidate *c)
{
    PyObject *key = PyLong_FromLong(c->method->entry), *held, *queue;
    int r = -1;

    held = key ? PyDict_GetItemWithError(obj->waiting, key) : NULL;
    if (!held)
        ;
    else if (c->method->when_kind == BY_ARGUMENTS)
        r = PyList_SetSlice(held, c->at, c->at + 1, NULL);
    else {
        PyObject *dict = c->tag ? held : obj->waiting, *at = c->tag ? c->tag : key;

        queue = Py_XNewRef(PyDict_GetItemWithError(dict, at));
        r = !queue || queue_drop(&queue) || queue_store(dict, at, queue) ? -1 : 0;
    }
    if (r == 0 && c->method->when_kind != BY_STATE && PyObject_Size(held) == 0)
        r = PyDict_DelItem(obj->waiting, key);
    Py_XDECREF(key);
    return r;
}

/* The message that goes on, taken out, and its method; new reference. */
static PyObject *
next_message(py_chare *obj, py_method **m, bool *error)
{
    candidate c = { .message = NULL };
    PyObject *key, *held, *copy;
    Py_ssize_t pos = 0;
    int r = 0;

    if (!obj->waiting)
        return NULL;
    copy = PyDict_Copy(obj->waiting);       /* properties may run any code */
    while (copy && r == 0 && PyDict_Next(copy, &pos, &key, &held)) {
        py_method *one = obj->cls->methods[PyLong_AsLong(key)];

        r = one->when_kind == BY_TAG ? look_by_tag(&c, one, obj, held)
          : one->when_kind == BY_STATE ? look_by_state(&c, one, obj, held)
          : look_by_arguments(&c, one, obj, held);
    }
    if (!copy || r || (c.message && take_out(obj, &c))) {
        *error = true;
        Py_CLEAR(c.message);
    }
    Py_XDECREF(copy);
    Py_XDECREF(c.tag);
    *m = c.method;
    return c.message;
}

/* Wakes the first coroutine in self.wait() whose condition holds. */
static int
wake_waiting(py_state *st, py_chare *obj)
{
    PyObject *no = NULL;                    /* this condition does not hold */

    for (py_worker **at = &obj->wait_first; *at; at = &(*at)->wait_next) {
        py_worker *w = *at;
        int yes;

        if (w->wait_cond == no)
            continue;
        yes = is_true(PyObject_CallFunctionObjArgs(st->when_test, w->wait_cond, obj,
                                                   st->empty_tuple, NULL));
        if (yes < 0)
            return -1;
        no = w->wait_cond;
        if (yes) {
            *at = w->wait_next;
            w->wait_next = NULL;
            Py_CLEAR(w->wait_cond);
            py_co_wake(st, w);
            return 0;                       /* it runs first, then the others are tested */
        }
    }
    return 0;
}

int
py_flush_waiting(py_state *st, py_chare *obj)
{
    PyObject *message;
    py_method *m;
    bool error = false;

    if (obj->flushing)
        return 0;
    obj->flushing = true;
    Py_INCREF(obj);
    while ((message = next_message(obj, &m, &error)) != NULL) {
        py_stored stored;

        memcpy(&stored, PyBytes_AS_STRING(PyTuple_GET_ITEM(message, STORED)), sizeof(stored));
        py_run_stored(st, m, obj, PyTuple_GET_ITEM(message, ARGS), &stored);
        Py_DECREF(message);
    }
    obj->flushing = false;
    if (!error && wake_waiting(st, obj))
        error = true;
    if (obj->waiting && PyDict_GET_SIZE(obj->waiting) == 0)
        Py_CLEAR(obj->waiting);
    Py_DECREF(obj);
    return error ? -1 : 0;
}

/* ---- Migration ------------------------------------------------------------------------ */

PyObject *
py_when_state(py_chare *obj)
{
    if (!obj->waiting)
        return Py_NewRef(Py_None);
    return Py_BuildValue("(OK)", obj->waiting, (unsigned long long)obj->nstored);
}

int
py_when_restore(py_chare *obj, PyObject *state)
{
    unsigned long long n;
    PyObject *waiting;

    if (state == Py_None)
        return 0;
    if (!PyTuple_Check(state) || !PyArg_ParseTuple(state, "O!K", &PyDict_Type, &waiting, &n)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "charm4py: malformed messages of a chare");
        return -1;
    }
    obj->waiting = Py_NewRef(waiting);
    obj->nstored = n;
    return 0;
}
