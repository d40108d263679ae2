/*
 * channel.c - a stream of messages between two chares.
 *
 * A channel end is named by its owner (collection, element) and a number: the
 * k-th channel that A makes towards B pairs with the k-th that B makes towards
 * A.  So nothing needs to be agreed on first: each message carries the sending
 * end's name and an order number (senders may migrate, and messages of two PEs
 * may overtake each other), and what comes before the receiving end exists
 * waits in a channel object that Channel() then finds.
 *
 * The ends are kept in the chare's dict "channels": name of the peer's end (the
 * bytes of a struct end_name) -> channel.  They migrate with the chare.
 */
#include <stddef.h>
#include <string.h>

#include "c4py.h"

typedef struct end_name {
    uint64_t key;
    uint32_t coll, number;
} end_name;

/* Goes before each message, as bytes: few mostly, so that it fits the ring's slot. */
typedef struct message_head {
    end_name from;
    uint32_t order;
} message_head;

enum { HEAD_MAX = 10 + 3 * 5 };             /* numbers of 64 and 32 bits, seven bits a byte */

typedef struct py_channel {
    PyObject_HEAD
    py_state  *st;
    PyObject  *remote;                      /* proxy of the peer; NULL: not made yet here */
    py_method *method;                      /* the peer's channel entry */
    end_name   self, peer;
    uint32_t   sent, received;              /* order numbers */
    uint32_t   port;                        /* which of its chare's channels it is */
    PyObject  *queue;                       /* list of tuples; [head:] is unread */
    Py_ssize_t head;
    PyObject  *early;                       /* dict: order -> tuple, or NULL */
    uint64_t   stamp;
    py_waiters waiters;
    py_attrs   attrs;
} py_channel;

/* ---- The head of a message ---------------------------------------------------------- */

static unsigned char *
put_number(unsigned char *p, uint64_t v)
{
    for (; v > 0x7f; v >>= 7)
        *p++ = (unsigned char)(v | 0x80);
    *p++ = (unsigned char)v;
    return p;
}

/* The number at p and where it ends, or NULL if it does not before end. */
static const unsigned char *
take_number(const unsigned char *p, const unsigned char *end, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; p && p < end && shift < 64; shift += 7) {
        *out |= (uint64_t)(*p & 0x7f) << shift;
        if (!(*p++ & 0x80))
            return p;
    }
    return NULL;
}

static PyObject *
head_to_bytes(const message_head *h)
{
    unsigned char bytes[HEAD_MAX], *p = put_number(bytes, h->from.key);

    p = put_number(p, h->from.coll);
    p = put_number(p, h->from.number);
    p = put_number(p, h->order);
    return PyBytes_FromStringAndSize((const char *)bytes, p - bytes);
}

static bool
head_from_bytes(PyObject *o, message_head *h)
{
    const unsigned char *p, *end;
    uint64_t coll, number, order;

    if (!PyBytes_CheckExact(o))
        return false;
    p = (const unsigned char *)PyBytes_AS_STRING(o);
    end = p + PyBytes_GET_SIZE(o);
    p = take_number(p, end, &h->from.key);
    p = take_number(p, end, &coll);
    p = take_number(p, end, &number);
    p = take_number(p, end, &order);
    h->from.coll = (uint32_t)coll;
    h->from.number = (uint32_t)number;
    h->order = (uint32_t)order;
    return p == end;
}

/* ---- Receiving --------------------------------------------------------------------- */

static py_channel *
channel_new(py_state *st, const end_name *peer)
{
    py_channel *ch = PyObject_GC_New(py_channel, st->channel_type);

    if (!ch)
        return NULL;
    memset(&ch->st, 0, sizeof(*ch) - offsetof(py_channel, st));
    ch->st = st;
    ch->peer = *peer;
    ch->queue = PyList_New(0);
    if (!ch->queue)
        Py_CLEAR(ch);
    return ch;
}

/* The end whose peer is named so, made if need be; borrowed. */
static py_channel *
find_end(py_state *st, py_chare *obj, const end_name *peer)
{
    PyObject *key;
    py_channel *ch;

    if (!obj->channels && !(obj->channels = PyDict_New()))
        return NULL;
    key = PyBytes_FromStringAndSize((const char *)peer, sizeof(*peer));
    if (!key)
        return NULL;
    ch = (py_channel *)PyDict_GetItemWithError(obj->channels, key);
    if (!ch && !PyErr_Occurred() && (ch = channel_new(st, peer)) != NULL) {
        int r = PyDict_SetItem(obj->channels, key, (PyObject *)ch);

        Py_DECREF(ch);
        if (r)
            ch = NULL;
    }
    Py_DECREF(key);
    return ch;
}

static int
append(py_channel *ch, PyObject *item)
{
    if (PyList_Append(ch->queue, item))
        return -1;
    ch->received++;
    if (PyList_GET_SIZE(ch->queue) - ch->head == 1) {
        ch->stamp = ++ch->st->stamp;
        py_waiters_wake(ch->st, &ch->waiters);
    }
    return 0;
}

/* What came early and is next now. */
static int
append_early(py_channel *ch)
{
    while (ch->early && PyDict_GET_SIZE(ch->early)) {
        PyObject *key = PyLong_FromUnsignedLong(ch->received), *item;
        int r;

        if (!key)
            return -1;
        item = PyDict_GetItemWithError(ch->early, key);
        if (!item) {
            Py_DECREF(key);
            return PyErr_Occurred() ? -1 : 0;
        }
        r = append(ch, item) || PyDict_DelItem(ch->early, key);
        Py_DECREF(key);
        if (r)
            return -1;
    }
    return 0;
}

static int
accept_message(py_channel *ch, uint32_t order, PyObject *item)
{
    PyObject *key;
    int r;

    if (order == ch->received)
        return append(ch, item) || append_early(ch) ? -1 : 0;
    if (!ch->early && !(ch->early = PyDict_New()))
        return -1;
    key = PyLong_FromUnsignedLong(order);
    r = key ? PyDict_SetItem(ch->early, key, item) : -1;
    Py_XDECREF(key);
    return r;
}

int
py_channel_deliver(py_state *st, py_chare *obj, PyObject *const *args, Py_ssize_t n)
{
    message_head h;
    py_channel *ch;
    PyObject *item;
    int r;

    if (n < 1 || !head_from_bytes(args[0], &h)) {
        PyErr_SetString(PyExc_ValueError, "charm4py: malformed channel message");
        return -1;
    }
    ch = find_end(st, obj, &h.from);
    if (!ch)
        return -1;
    if (n == 2) {
        item = PyTuple_Pack(1, args[1]);
    } else {
        item = PyTuple_New(n - 1);
        for (Py_ssize_t i = 1; item && i < n; i++)
            PyTuple_SET_ITEM(item, i - 1, Py_NewRef(args[i]));
    }
    r = item ? accept_message(ch, h.order, item) : -1;
    Py_XDECREF(item);
    return r;
}

static bool
has_message(const py_channel *ch)
{
    return ch->head < PyList_GET_SIZE(ch->queue);
}

static PyObject *
take_message(py_channel *ch)
{
    enum { KEEP_READ = 32 };
    PyObject *item = PyList_GET_ITEM(ch->queue, ch->head), *r;

    r = Py_NewRef(PyTuple_GET_SIZE(item) == 1 ? PyTuple_GET_ITEM(item, 0) : item);
    PyList_SET_ITEM(ch->queue, ch->head, Py_NewRef(Py_None));
    Py_DECREF(item);
    ch->head++;
    if (!has_message(ch) || (ch->head > KEEP_READ && ch->head * 2 > PyList_GET_SIZE(ch->queue))) {
        if (PyList_SetSlice(ch->queue, 0, ch->head, NULL))
            PyErr_Clear();
        else
            ch->head = 0;
    }
    return r;
}

static PyObject *
channel_recv(PyObject *self, PyObject *unused)
{
    py_channel *ch = (py_channel *)self;
    py_state *st = ch->st;
    int r = 0;

    (void)unused;
    if (py_need_pe(st))
        return NULL;
    if (!has_message(ch)) {
        if (py_co_check(st) || py_waiters_add(&ch->waiters, st->cur))
            return NULL;
        while (r == 0 && !has_message(ch))
            r = py_co_block(st, "a message on the channel to", ch->remote);
        py_waiters_remove(&ch->waiters, st->cur);
        if (r)
            return NULL;
    }
    return take_message(ch);
}

/* ---- Sending --------------------------------------------------------------------------- */

static PyObject *
channel_send(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    py_channel *ch = (py_channel *)self;
    message_head h = { ch->self, ch->sent };
    PyObject *few[8], **all = few, *head, *r;

    if (n + 1 > 8) {
        all = PyMem_Malloc((size_t)(n + 1) * sizeof(*all));
        if (!all)
            return PyErr_NoMemory();
    }
    head = head_to_bytes(&h);
    all[0] = head;
    for (Py_ssize_t i = 0; i < n; i++)
        all[i + 1] = args[i];
    r = head ? py_send((py_proxy *)ch->remote, ch->method, all, n + 1, NULL) : NULL;
    if (r)
        ch->sent++;
    Py_XDECREF(head);
    if (all != few)
        PyMem_Free(all);
    return r;
}

static PyObject *
channel_ready(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(has_message((py_channel *)self));
}

/* ---- Making ------------------------------------------------------------------------------ */

static py_method *
channel_entry(py_class *cls)
{
    for (unsigned i = 0; i < cls->nmethods; i++)
        if (cls->methods[i]->action == PY_DO_CHANNEL)
            return cls->methods[i];
    return NULL;
}

/* How many channels obj has made towards remote, this one not included. */
static int
count_one(PyObject *counts, PyObject *key, uint32_t *out)
{
    PyObject *n, *next;
    int r;

    n = PyDict_GetItemWithError(counts, key);
    if (!n && PyErr_Occurred())
        return -1;
    *out = n ? (uint32_t)PyLong_AsUnsignedLong(n) : 0;
    next = PyLong_FromUnsignedLong(*out + 1);
    r = next ? PyDict_SetItem(counts, key, next) : -1;
    Py_XDECREF(next);
    return r;
}

/* How many channels the chare has made before, towards remote and (under None) at all. */
static int
count_towards(py_chare *obj, PyObject *remote, uint32_t *out, uint32_t *port)
{
    if (!obj->channel_count && !(obj->channel_count = PyDict_New()))
        return -1;
    return count_one(obj->channel_count, remote, out) || count_one(obj->channel_count, Py_None, port);
}

static bool
one_chare(py_state *st, PyObject *o)
{
    return py_proxy_check(st, o) && ((py_proxy *)o)->elem && !py_proxy_bad((py_proxy *)o);
}

static PyObject *
channel_py_new(PyTypeObject *type, PyObject *args, PyObject *kw)
{
    static char *names[] = { "chare", "remote", "local", NULL };
    py_state *st = py_state_of_type(type);
    PyObject *chare, *remote, *local = Py_None;
    end_name self, peer;
    py_chare *obj;
    py_channel *ch;
    uint32_t number, port;

    if (!PyArg_ParseTupleAndKeywords(args, kw, "OO|O", names, &chare, &remote, &local) ||
        py_need_pe(st))
        return NULL;
    if (!PyObject_TypeCheck(chare, st->chare_type) || !((py_chare *)chare)->cls ||
        !one_chare(st, remote) || (local != Py_None && !one_chare(st, local))) {
        PyErr_SetString(PyExc_TypeError, "Channel(chare, remote, local=None): chare is the "
                        "object itself, remote and local are proxies of single chares");
        return NULL;
    }
    obj = (py_chare *)chare;
    if (count_towards(obj, remote, &number, &port))
        return NULL;
    self = (end_name){ obj->who.idx, obj->who.coll, number };
    if (local != Py_None)
        self = (end_name){ ((py_proxy *)local)->key, ((py_proxy *)local)->coll, number };
    peer = (end_name){ ((py_proxy *)remote)->key, ((py_proxy *)remote)->coll, number };
    ch = find_end(st, obj, &peer);
    if (!ch)
        return NULL;
    ch->self = self;
    ch->port = port;
    ch->method = channel_entry(((py_proxy *)remote)->cls);
    Py_XSETREF(ch->remote, Py_NewRef(remote));
    return Py_NewRef(ch);
}

static int
channel_traverse(PyObject *self, visitproc visit, void *arg)
{
    py_channel *ch = (py_channel *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(ch->remote);
    Py_VISIT(ch->queue);
    Py_VISIT(ch->early);
    Py_VISIT(ch->attrs.dict);
    return 0;
}

/* The rest is needed as long as the channel is used, and leads nowhere. */
static int
channel_clear(PyObject *self)
{
    Py_CLEAR(((py_channel *)self)->attrs.dict);
    return 0;
}

static void
channel_dealloc(PyObject *self)
{
    py_channel *ch = (py_channel *)self;
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    if (ch->attrs.weak)
        PyObject_ClearWeakRefs(self);
    (void)channel_clear(self);
    Py_XDECREF(ch->remote);
    Py_XDECREF(ch->queue);
    Py_XDECREF(ch->early);
    PyMem_Free(ch->waiters.more);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyObject *
channel_port(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(((py_channel *)self)->port);
}

/* ---- Migration ------------------------------------------------------------------------------ */

/* A channel is found again by its chare and its peer's name. */
static PyObject *
channel_reduce(PyObject *self, PyObject *unused)
{
    py_channel *ch = (py_channel *)self;
    PyObject *load = PyObject_GetAttrString(ch->st->mod, "_channel"), *rest, *r = NULL;

    (void)unused;
    rest = PyList_GetSlice(ch->queue, ch->head, PyList_GET_SIZE(ch->queue));
    if (load && rest)
        r = Py_BuildValue("(O(y#y#IIOOOI)O)", load, (const char *)&ch->self,
                          (Py_ssize_t)sizeof(ch->self), (const char *)&ch->peer,
                          (Py_ssize_t)sizeof(ch->peer), ch->sent, ch->received,
                          ch->remote ? ch->remote : Py_None, rest,
                          ch->early ? ch->early : Py_None, ch->port,
                          ch->attrs.dict ? ch->attrs.dict : Py_None);
    Py_XDECREF(load);
    Py_XDECREF(rest);
    return r;
}

static PyObject *
channel_load(PyObject *mod, PyObject *args)
{
    py_state *st = PyModule_GetState(mod);
    PyObject *remote, *queue, *early;
    const char *self, *peer;
    Py_ssize_t nself, npeer;
    unsigned sent, received, port;
    end_name name;
    py_channel *ch;

    if (!PyArg_ParseTuple(args, "y#y#IIOO!OI", &self, &nself, &peer, &npeer, &sent, &received,
                          &remote, &PyList_Type, &queue, &early, &port))
        return NULL;
    if (nself != sizeof(name) || npeer != sizeof(name)) {
        PyErr_SetString(PyExc_ValueError, "charm4py: malformed channel");
        return NULL;
    }
    memcpy(&name, peer, sizeof(name));
    ch = channel_new(st, &name);
    if (!ch)
        return NULL;
    memcpy(&ch->self, self, sizeof(ch->self));
    ch->sent = sent;
    ch->received = received;
    ch->port = port;
    Py_SETREF(ch->queue, Py_NewRef(queue));
    if (early != Py_None)
        ch->early = Py_NewRef(early);
    if (remote != Py_None) {
        ch->remote = Py_NewRef(remote);
        ch->method = channel_entry(((py_proxy *)remote)->cls);
    }
    return (PyObject *)ch;
}

PyObject *
py_channels_state(py_chare *obj)
{
    if (!obj->channels)
        return Py_NewRef(Py_None);
    return PyTuple_Pack(2, obj->channels, obj->channel_count ? obj->channel_count : Py_None);
}

int
py_channels_restore(py_chare *obj, PyObject *state)
{
    if (state == Py_None)
        return 0;
    if (!PyTuple_Check(state) || PyTuple_GET_SIZE(state) != 2) {
        PyErr_SetString(PyExc_ValueError, "charm4py: malformed channels of a chare");
        return -1;
    }
    obj->channels = Py_NewRef(PyTuple_GET_ITEM(state, 0));
    if (PyTuple_GET_ITEM(state, 1) != Py_None)
        obj->channel_count = Py_NewRef(PyTuple_GET_ITEM(state, 1));
    return 0;
}

/* A Future or Channel, for charm.wait() and charm.iwait(). */
bool
py_waitable(py_state *st, PyObject *o, bool *ready, uint64_t *stamp, py_waiters **q)
{
    if (Py_TYPE(o) == st->future_type) {
        py_future *f = (py_future *)o;

        *ready = f->ready;
        *stamp = f->stamp;
        *q = &f->waiters;
        return true;
    }
    if (Py_TYPE(o) == st->channel_type) {
        py_channel *ch = (py_channel *)o;

        *ready = has_message(ch);
        *stamp = ch->stamp;
        *q = &ch->waiters;
        return true;
    }
    return false;
}

static PyMethodDef channel_functions[] = {
    { "_channel", channel_load, METH_VARARGS, "A channel end that migrated." },
    { NULL, NULL, 0, NULL }
};

PyDoc_STRVAR(channel_doc,
"Channel(chare, remote, local=None)\n--\n\n"
"A stream of messages between two chares, in order and in both directions.\n\n"
"chare is the object that makes this end (mostly self), remote the proxy of the one\n"
"chare at the other end, which makes its end in the same way.  The n-th channel of A\n"
"towards B and the n-th of B towards A are the two ends of one.  local is the proxy by\n"
"which the other end knows this chare, if that is not its usual one.  Any method may make\n"
"a channel, before the other chare exists, too; an end migrates with its chare.\n\n"
"TypeError if chare is no chare, or remote or local are not proxies of single chares.");

PyDoc_STRVAR(send_doc,
"send($self, /, *args)\n--\n\n"
"Sends one message that consists of args; never waits for the receiver.\n\n"
"NumPy arrays, array.array and bytes travel as they are, all else is encoded or pickled.\n"
"Raises what pickle raises for an argument that cannot be sent.");

PyDoc_STRVAR(recv_doc,
"recv($self, /)\n--\n\n"
"The next message; suspends the coroutine until it is there.\n\n"
"That is the object if one was sent, a tuple of them if several were, () if none.\n"
"NotThreadedError outside of a coroutine.");

PyDoc_STRVAR(ready_doc,
"ready($self, /)\n--\n\n"
"True if recv() would return at once.");

static PyMethodDef channel_methods[] = {
    { "send", (PyCFunction)(void (*)(void))channel_send, METH_FASTCALL, send_doc },
    { "recv", channel_recv, METH_NOARGS, recv_doc },
    { "ready", channel_ready, METH_NOARGS, ready_doc },
    { "__reduce__", channel_reduce, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL }
};

static PyMemberDef channel_members[] = {
    { "remote", T_OBJECT, offsetof(py_channel, remote), READONLY, "Proxy of the chare at the other end." },
    PY_ATTRS_MEMBERS(py_channel),
    { NULL, 0, 0, 0, NULL }
};

static PyGetSetDef channel_getset[] = {
    { "port", channel_port, NULL, "Which of its chare's channels it is, in the order of making, from 0.", NULL },
    PY_ATTRS_GETSET,
    { NULL, NULL, NULL, NULL, NULL }
};

static PyType_Slot channel_slots[] = {
    { Py_tp_dealloc, channel_dealloc },
    { Py_tp_traverse, channel_traverse },
    { Py_tp_clear, channel_clear },
    { Py_tp_setattro, py_attrs_set },
    { Py_tp_getset, channel_getset },
    { Py_tp_new, channel_py_new },
    { Py_tp_methods, channel_methods },
    { Py_tp_members, channel_members },
    { Py_tp_doc, (char *)channel_doc },
    { 0, NULL }
};

static PyType_Spec channel_spec = {
    .name = "charm4py.channel.Channel", .basicsize = sizeof(py_channel), .slots = channel_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
};

int
py_channel_init_type(PyObject *mod, py_state *st)
{
    st->channel_type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, &channel_spec, NULL);
    if (!st->channel_type || PyModule_AddFunctions(mod, channel_functions))
        return -1;
    return PyModule_AddObjectRef(mod, "Channel", (PyObject *)st->channel_type);
}
