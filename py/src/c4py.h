/*
 * c4py.h - what the files of the Python extension share.
 *
 * All state of the module is in one struct py_state, which the PE carries as
 * its user pointer and every object reaches through its class.  All functions
 * need the GIL and the PE's own thread, unless said otherwise.  "New" and
 * "borrowed" references as in the Python documentation; functions that return
 * int give 0 for success and -1 with a Python exception set.
 */
#ifndef C4PY_H
#define C4PY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <c4.h>
#include <c4_bind.h>

#if PY_VERSION_HEX < 0x030d0000
#define PyThreadState_GetUnchecked _PyThreadState_UncheckedGet
#endif

typedef struct py_state py_state;
typedef struct py_class py_class;
typedef struct py_worker py_worker;

/* ---- codec.c: values <-> bytes ------------------------------------------ */

/* A piece of memory that is sent from where it is. */
typedef struct py_ext {
    size_t      at;                         /* position in buf where it goes */
    const void *data;
    size_t      nbytes;
    PyObject   *owner;                      /* keeps data alive; owned */
} py_ext;

enum {
    PY_ENC_SMALL = 1024,
    PY_OUTSIDE_MIN = 512                    /* bytes and arrays from here on are not copied */
};

/* An encoder: small things in buf, large ones by reference in ext. */
typedef struct py_enc {
    py_state      *st;
    unsigned char *buf;
    size_t         len, cap;
    size_t         outside;                 /* bytes in ext so far */
    py_ext        *ext;
    size_t         next, extcap;
    struct iovec  *iov;
    size_t         iovcap;
    bool           by_rule;                 /* pickle by _travel.py: see needs_rule() */
    PyObject     **seen;                    /* a set of objects met, borrowed */
    size_t         nseen, seencap;
    size_t         nshared;                 /* mutable ones that a pickled value may have, too */
    size_t         nowned;                  /* so many pieces in ext are not of the pickle */
    bool           together;                /* all values are in one pickle */
    bool           again;                   /* the pickle has memory of one of them */
    struct py_enc *link;                    /* in the free list */
    unsigned char  small[PY_ENC_SMALL];
} py_enc;

/* What a failed encoding was for, for the message. */
typedef struct py_enc_what {
    const char *class_name, *method;        /* OPTIONAL */
    bool        is_result;                  /* what the method returned, else its arguments */
} py_enc_what;

/* Encoders nest (pickling may run user code that sends), hence a free list. */
py_enc *py_enc_begin(py_state *st);
void py_enc_end(py_enc *e);
/* Arguments of a call, or one value (n == 1). */
int py_enc_args(py_enc *e, PyObject *const *args, Py_ssize_t n, const py_enc_what *what);
int py_enc_raw(py_enc *e, const void *data, size_t nbytes);
/* The pieces; valid until the encoder is used again. */
const struct iovec *py_enc_iov(py_enc *e, int *niov);
size_t py_enc_size(const py_enc *e);
/* Copies all pieces to out, which holds py_enc_size() bytes. */
void py_enc_copy(const py_enc *e, unsigned char *out);
/* For ndarray.c and reducers.c. */
int py_enc_aligned(py_enc *e, const void *data, size_t nbytes, PyObject *owner);
/* Was this array met before?  found_by_address: it will be sent from where it is. */
bool py_enc_met_array(py_enc *e, PyObject *o, bool found_by_address);
int py_enc_array_head(py_enc *e, char type, int ndim, const Py_ssize_t *shape, size_t nbytes);

typedef struct py_dec {
    py_state            *st;
    const unsigned char *base, *p, *end;
    bool                 may_keep;          /* large arrays may stay where they are */
    bool                 kept;
    c4_block            *block;
    int                  depth;
} py_dec;

enum { PY_MAX_FAST_ARGS = 16 };

void py_dec_init(py_dec *d, py_state *st, const void *data, size_t len, bool may_keep);
void py_dec_release(py_dec *d);
/* Number of arguments (0 for empty data), or -1. */
Py_ssize_t py_dec_count(py_dec *d);
/* Decodes n arguments into out (new references). */
int py_dec_args(py_dec *d, PyObject **out, Py_ssize_t n);
/* All in one: a tuple, new reference. */
PyObject *py_dec_tuple(py_state *st, const void *data, size_t len, bool may_keep);
/* The only argument, or None. */
PyObject *py_dec_one(py_state *st, const void *data, size_t len, bool may_keep);
int py_dec_take(py_dec *d, void *out, size_t nbytes);
/* Next nbytes in place, NULL with an exception if they are not there. */
const unsigned char *py_dec_skip(py_dec *d, size_t nbytes);

/* ---- ndarray.c: NumPy, loaded when first met ----------------------------- */

/* 1: done; 0: not for us, pickle it; 2: it was met before; -1: error. */
int py_nd_encode(py_enc *e, PyObject *o);
PyObject *py_nd_decode(py_dec *d, bool scalar);
/* Is it an array that pickle changes?  It keeps what is not writable, and forgets the byte
 * order of what is not contiguous. */
bool py_nd_changes(py_state *st, PyObject *o);
/* The C API, loading NumPy if import is true; false: not there. */
bool py_nd_ready(py_state *st, bool import);
/* Bytes of an item of this type character; 0: none of ours. */
size_t py_nd_itemsize(char type);

/* What a contribution to a reduction consists of; owner is a new reference. */
typedef struct py_nd_view {
    char        type;
    int         ndim;
    Py_ssize_t  shape[32];
    const void *data;
    size_t      nbytes;
    PyObject   *owner;
    bool        scalar;
} py_nd_view;
int py_nd_look(py_state *st, PyObject *o, py_nd_view *v);

/* ---- chare classes and proxies (proxy.c) --------------------------------- */

enum py_kind { PY_KIND_SINGLE, PY_KIND_GROUP, PY_KIND_ARRAY, PY_KIND_MAIN, PY_NKINDS };

enum py_action {                            /* what an entry does */
    PY_DO_CALL,                             /* run func */
    PY_DO_MIGRATE, PY_DO_SET_MIGRATABLE, PY_DO_CHANNEL, PY_DO_DEPOSIT, PY_DO_POOL,
    PY_DO_DESTROY
};

/* ---- place.c: where a function is written --------------------------------- */

typedef struct py_place {
    PyObject *file;                         /* str; NULL: not known */
    int       line;
} py_place;

/* Of the function that the user wrote, whatever wraps it; file is a new reference. */
void py_place_of(PyObject *func, py_place *out);
/* Lives as long as p->file. */
c4_place py_place_text(const py_place *p);

/* An entry method; as a Python object it is the descriptor in proxy classes. */
typedef struct py_method {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    py_class      *cls;
    PyObject      *name;
    PyObject      *func;                    /* called with self first; NULL: look up by name */
    PyObject      *params;                  /* tuple of names without self, or NULL */
    PyObject      *defaults;                /* tuple, of the last parameters, or NULL */
    PyObject      *keywords;                /* (names, required, any?) of those without a place,
                                               or NULL */
    PyObject      *when;                    /* condition object, or NULL; its parts: */
    PyObject      *when_func, *when_attr;   /* see when.c */
    int            when_arg;
    uint8_t        when_kind;
    uint16_t       entry;
    uint16_t       min_args, max_args;      /* of a call; max: UINT16_MAX if any number will do */
    uint8_t        action;
    bool           coro, varargs;
    py_place       place;
} py_method;

struct py_class {
    c4_type      type;                      /* first: a c4_type is a py_class */
    py_state    *st;
    uint64_t     hash;                      /* of the name, the class's id on the wire */
    char        *name, *short_name;
    PyObject    *cls;
    PyObject    *proxies[PY_NKINDS];        /* proxy classes */
    PyObject    *sec_proxies[PY_NKINDS];    /* of sections of groups and arrays */
    py_method  **methods;                   /* by entry number */
    unsigned     nmethods;
    c4_entry    *entries;
    c4_place    *entry_places;
    c4_places    places;
    py_place     place;
    py_method   *init, *migrated, *resume;  /* resume may be NULL */
    bool         is_main, is_map, has_when;
    uint8_t      used;                      /* kinds seen on this PE, for statistics */
    bool         custom_state;              /* has __getstate__, __setstate__ or slots */
    py_class    *next;
};

/* Attributes of one's own and weak references, of proxies, futures and channels.  These
 * are shown to the garbage collector once they have attributes. */
typedef struct py_attrs {
    PyObject *dict, *weak;
} py_attrs;
int py_attrs_set(PyObject *self, PyObject *name, PyObject *value);
PyObject *py_attrs_dict(PyObject *self, void *unused);
#define PY_ATTRS_MEMBERS(type) \
    { "__dictoffset__", T_PYSSIZET, offsetof(type, attrs.dict), READONLY, NULL }, \
    { "__weaklistoffset__", T_PYSSIZET, offsetof(type, attrs.weak), READONLY, NULL }
#define PY_ATTRS_GETSET \
    { "__dict__", py_attrs_dict, PyObject_GenericSetDict, NULL, NULL }

typedef struct py_proxy {
    PyObject_HEAD
    py_class *cls;
    uint64_t  key;
    c4_coll   coll;                         /* sections: what they were first made of */
    c4_section section;                     /* 0: not a section */
    uint8_t   kind;
    bool      part;                         /* a group with members on some PEs only */
    bool      known;                        /* all members know of the section */
    bool      elem;                         /* one element, else the collection */
    bool      bad;                          /* index outside the array's bounds */
    bool      remote;                       /* hint: was not on this PE lately */
    c4_index  dims;
    int64_t   at[C4_MAXDIMS];               /* of an element */
    PyObject *created;                      /* creation future, or NULL */
    py_attrs  attrs;
} py_proxy;

typedef struct py_bound {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    py_proxy      *self;
    py_method     *method;
} py_bound;

static inline c4_chare
py_target(const py_proxy *p)
{
    return (c4_chare){ p->key, p->coll };
}

int py_proxy_init_types(PyObject *mod, py_state *st);
py_proxy *py_proxy_new(py_class *cls, enum py_kind kind, c4_coll coll, const c4_index *dims);
/* A group of this class that has members on some PEs only. */
py_proxy *py_proxy_part(py_class *cls, c4_coll coll);
/* The section of that number, made of elements of `of` first. */
py_proxy *py_proxy_of_section(const py_proxy *of, c4_section section);
/* The element of the same collection with this index. */
py_proxy *py_proxy_elem(const py_proxy *coll, const c4_index *index);
bool py_proxy_check(const py_state *st, PyObject *o);
/* thisProxy of elements of a collection; new reference. */
PyObject *py_proxy_of_coll(py_state *st, c4_coll coll, c4_coll_info *info);
int py_proxy_encode(py_enc *e, py_proxy *p);
PyObject *py_proxy_decode(py_dec *d);
int py_bound_encode(py_enc *e, py_bound *b);
PyObject *py_bound_decode(py_dec *d);
PyObject *py_index_tuple(const int64_t *at, int n);
int py_index_parse(PyObject *o, c4_index *out);
py_class *py_class_by_hash(py_state *st, uint64_t hash);
py_class *py_class_of(py_state *st, PyObject *cls);
PyObject *py_register(PyObject *mod, PyObject *args, PyObject *kw);
/* Where a reduction's or quiescence's result goes. */
int py_callback(py_state *st, PyObject *o, c4_callback *cb);

/* ---- send.c: calls and creation ------------------------------------------ */

/* Is it of no element?  An array may have grown by an index outside of its sizes. */
bool py_proxy_bad(const py_proxy *p);
PyObject *py_send(py_proxy *p, py_method *m, PyObject *const *args, Py_ssize_t n,
                  PyObject *kwnames);
PyObject *py_create(PyObject *mod, PyObject *args, PyObject *kw);
PyObject *py_insert(PyObject *mod, PyObject *args, PyObject *kw);
PyObject *py_done_inserting(PyObject *mod, PyObject *proxy);

/* ---- chare.c -------------------------------------------------------------- */

typedef struct py_chare {
    PyObject_HEAD
    py_class *cls;                          /* NULL: not an element */
    c4_chare  who;
    uint8_t   kind;
    uint32_t  ncoros;                       /* unfinished coroutines */
    PyObject *this_index, *this_proxy;
    PyObject *channels;                     /* dict: key bytes -> channel, or NULL */
    PyObject *channel_count;                /* dict: peer -> number of channels */
    PyObject *deposits;                     /* list: futures of allreduce, or NULL */
    PyObject *waiting;                      /* dict: messages held by @when, or NULL */
    uint64_t  nstored;                      /* messages held so far */
    py_worker *wait_first;                  /* coroutines in self.wait() */
    bool      flushing;
} py_chare;

/* What the runtime keeps of an element. */
typedef struct py_self {
    py_chare *obj;
    py_enc   *packed;                       /* between sizing and packing */
} py_self;

int py_chare_init_type(PyObject *mod, py_state *st);
/* Lets o go when its method has ended. */
int py_migrate(py_state *st, py_chare *o, PyObject *to);
py_chare *py_chare_alloc(py_class *cls, c4_chare who, enum py_kind kind,
                         const c4_index *index, PyObject *proxy);

/* ---- dispatch.c ----------------------------------------------------------- */

extern const c4_binding py_binding;
const c4_binding *py_value_binding(void);   /* of references that futures get */
void py_pup(c4_pup *p, void *self);
void py_destroy(c4_pe *pe, void *self);
uint32_t py_proc_num(c4_pe *pe, void *self, const c4_index *index);
/* Sends the result (or, if NULL, the pending exception) to who waits for it;
 * ends the job if nobody does.  Steals result. */
void py_finish(py_state *st, py_method *m, py_chare *obj, c4_call *call,
               const c4_done *done, PyObject *result);
/* +checkLocal: remembers what the arguments of a call within the PE are; compares
 * them when they are delivered, or leave after all. */
int py_check_sent(py_state *st, const py_method *m, PyObject *args);
int py_check_delivered(py_state *st, PyObject *args);
void py_check_forget(py_state *st, PyObject *args);
/* Whom to answer when a message that @when held back has run, and what brought it. */
typedef struct py_stored {
    c4_done  done;
    c4_cause cause;
} py_stored;
/* Runs such a message; the element is held if done wants an answer. */
void py_run_stored(py_state *st, py_method *m, py_chare *obj, PyObject *args,
                   const py_stored *stored);

/* ---- when.c ---------------------------------------------------------------- */

/* Takes the parts of m->when. */
int py_when_init(py_method *m);
/* 1: run it now; 0: stored, the call is answered later; -1: error. */
int py_when_admit(py_state *st, py_method *m, py_chare *obj, c4_call *call,
                  PyObject *const *argv, Py_ssize_t n);
/* After a method of obj ran: @when messages and self.wait() conditions. */
int py_flush_waiting(py_state *st, py_chare *obj);
/* [(method, condition, number of messages)] of what is held back. */
PyObject *py_when_held(py_chare *obj);
/* For migration. */
PyObject *py_when_state(py_chare *obj);
int py_when_restore(py_chare *obj, PyObject *state);

/* ---- coroutine.c ----------------------------------------------------------- */

/* A coroutine to be started. */
typedef struct py_job {
    py_method *method;                      /* borrowed; NULL: main function */
    py_chare  *obj;                         /* owned; may be NULL */
    PyObject  *func;                        /* owned; if method is NULL */
    PyObject  *args;                        /* tuple, owned */
    c4_chare   who;
    c4_done    done;
    c4_cause   cause;                       /* of its execution; none of main's */
    bool       is_main;
    bool       bare;                        /* no execution of its own: func sees to that */
    struct py_job *next;
} py_job;

/* A greenlet that runs coroutines, one after the other. */
struct py_worker {
    PyObject  *greenlet;
    py_state  *st;
    py_worker *next;                        /* idle list or ready queue */
    py_worker *wait_next;                   /* chare.wait_first */
    PyObject  *wait_cond;                   /* condition of self.wait(), owned */
    bool       busy;                        /* has an unfinished coroutine */
    bool       blocked;                     /* ... that waits: other code runs on its stack */
    bool       wake;                        /* it may go on */
    c4_cause   woke;                        /* ... because of this */
    bool       queued;                      /* in the ready queue */
    bool       timed_out;                   /* the time for which it waits is over */
    size_t     timer_at;                    /* where the timer for that is */
    bool       is_main;
    c4_call   *call;                        /* started in place and never suspended */
    c4_done    done;
    c4_chare   who;
    py_chare  *obj;                         /* borrowed from the call */
    py_method *method;
    const char *waits_for;                  /* for the list of who waits for what */
    PyObject   *waits_on;                   /* borrowed, OPTIONAL */
    py_worker  *all_next;
    enum py_cancel { PY_GO_ON, PY_CANCEL_IDLE, PY_INTERRUPT } cancel;   /* the wait ends so */
};

int py_co_import(py_state *st);
/* Runs the loop in workers until the job has ended; call from the first greenlet. */
int py_co_run(py_state *st);
/* Ends the wait of the interactive shell with an error; false if it does not wait. */
bool py_co_cancel(py_state *st, enum py_cancel how);
/* Is running code allowed to suspend?  If not, raises NotThreadedError. */
bool py_co_can(py_state *st);
int py_co_check(py_state *st);
/* Suspends the coroutine until py_co_wake(); may return early for no reason. */
int py_co_block(py_state *st, const char *what, PyObject *on);
void py_co_wake(py_state *st, py_worker *w);
/* Lets what has arrived run, and coroutines that may go on, and goes on itself. */
int py_co_yield(py_state *st);
/* Runs m of obj as a coroutine, here or in a worker of its own. */
c4_err py_co_call(py_state *st, py_method *m, py_chare *obj, c4_call *call,
                  PyObject **argv, Py_ssize_t n);
/* The same, always as a job: arguments begin at argv[0]; cause: of its execution. */
c4_err py_co_queue(py_state *st, py_method *m, py_chare *obj, c4_call *call,
                   const c4_cause *cause, PyObject **argv, Py_ssize_t n);
/* func(*args) as a coroutine that belongs to no element.  PY_CO_BARE: it is no
 * execution by itself. */
enum py_co_kind { PY_CO_MAIN, PY_CO_OTHER, PY_CO_BARE };
int py_co_start(py_state *st, PyObject *func, PyObject *args, enum py_co_kind kind);
/* The job ends: never returns to user code. */
void py_co_leave(py_state *st) __attribute__((noreturn));
void py_co_print_waiting(py_state *st);
/* The unfinished coroutines of an element, as text. */
PyObject *py_co_names(py_state *st, const py_chare *obj);

/* ---- context.c: context variables -------------------------------------------- */

/* From the base context to one that begins as a copy of it. */
void py_ctx_coroutine_begins(py_state *st);
/* The base context instead of the running code's, which is returned (owned, may be
 * NULL); nothing, if it is the base that runs. */
PyObject *py_ctx_to_base(py_state *st);
/* Back from there; takes own over. */
void py_ctx_from_base(py_state *st, PyObject *own);
/* A task on the stack of a coroutine; returns what py_ctx_task_ends() takes. */
PyObject *py_ctx_task_begins(py_state *st);
void py_ctx_task_ends(py_state *st, PyObject *outer);
/* Around a switch: the loop's code runs with the base context on every stack. */
void py_ctx_leaves_greenlet(py_state *st);
void py_ctx_enters_greenlet(py_state *st);

/* ---- future.c ---------------------------------------------------------------- */

/* Coroutines that wait for one object. */
typedef struct py_waiters {
    py_worker *one;
    py_worker **more;
    uint32_t   nmore, cap;
} py_waiters;
int py_waiters_add(py_waiters *q, py_worker *w);
void py_waiters_remove(py_waiters *q, py_worker *w);
void py_waiters_wake(py_state *st, py_waiters *q);

typedef struct py_future {
    PyObject_HEAD
    py_state  *st;
    c4_future  id;
    uint32_t   nvalues, got;
    bool       home;                        /* made on this PE */
    bool       ready, exported, results_of_bcast;
    bool       stored;                      /* kept from when it is sent: see future.c */
    uint64_t   stamp;                       /* order of becoming ready */
    PyObject  *value;                       /* the value, or a list of them */
    PyObject  *error;                       /* the last exception that came */
    PyObject  *error_tb;                    /* its traceback then, or NULL */
    PyObject  *keeps;                       /* kept alive until it is ready, OPTIONAL */
    const py_method *of;                    /* the call whose result it is, or NULL */
    const py_class  *made;                  /* what is created, or NULL */
    py_waiters waiters;
    py_attrs   attrs;
} py_future;

int py_future_init_type(PyObject *mod, py_state *st);
py_future *py_future_new(py_state *st, uint32_t nvalues);
int py_future_wait(py_future *f);
/* Sends one value from any PE. */
int py_future_give(py_state *st, c4_future id, PyObject *value);
/* Takes a value on the spot; f is of this PE. */
int py_future_put(py_future *f, PyObject *value);
int py_future_encode(py_enc *e, py_future *f);
PyObject *py_future_decode(py_dec *d);
c4_err py_future_got(c4_pe *pe, void *arg, const c4_call *value, unsigned flags);

/* ---- channel.c ---------------------------------------------------------------- */

int py_channel_init_type(PyObject *mod, py_state *st);
/* A message for a channel of obj: args[0] is its head. */
int py_channel_deliver(py_state *st, py_chare *obj, PyObject *const *args, Py_ssize_t n);
/* For migration. */
PyObject *py_channels_state(py_chare *obj);
int py_channels_restore(py_chare *obj, PyObject *state);
bool py_waitable(py_state *st, PyObject *o, bool *ready, uint64_t *stamp, py_waiters **q);

/* ---- reducers.c ---------------------------------------------------------------- */

int py_reducers_register(py_state *st);
/* section: 0 for a reduction over the whole collection. */
PyObject *py_reduce(py_chare *self, PyObject *callback, PyObject *data, PyObject *reducer,
                    c4_section section);
PyObject *py_allreduce(py_chare *self, PyObject *data, PyObject *reducer, c4_section section);
int py_reducer_deposit(py_state *st, py_chare *obj, PyObject *const *args, Py_ssize_t n);

/* ---- pool.c (pool.h has what its files share) ------------------------------------ */

struct py_pool;
PyObject *py_pool_map(PyObject *mod, PyObject *const *args, Py_ssize_t nargs);
PyObject *py_pool_task(PyObject *mod, PyObject *const *args, Py_ssize_t nargs);
c4_err py_pool_message(py_state *st, const c4_call *call);
/* The running coroutine suspends: others may run tasks. */
void py_pool_suspended(py_state *st);

/* ---- section.c ------------------------------------------------------------------- */

PyObject *py_section_new(PyObject *mod, PyObject *args);
PyObject *py_section_await(PyObject *mod, PyObject *list);
PyObject *py_group_pes(PyObject *mod, PyObject *proxy);
/* proxy[slices]; new reference. */
PyObject *py_section_slice(PyObject *proxy, PyObject *key);
/* (root PE, (creator, number)) */
PyObject *py_section_id(const py_proxy *p);
/* What the argument section of a reduction means for self: 0 for its whole
 * collection, or the number of its group on some PEs. */
int py_section_arg(const py_chare *self, PyObject *arg, c4_section *out);
c4_err py_section_cast(const py_proxy *p, const py_method *m, const struct iovec *iov, int niov,
                       c4_future done, unsigned flags);

/* ---- stats.c -------------------------------------------------------------------- */

PyObject *py_stats(PyObject *mod, PyObject *unused);
PyObject *py_stats_start(PyObject *mod, PyObject *unused);
PyObject *py_trace_file(PyObject *mod, PyObject *unused);
PyObject *py_stats_merge(PyObject *mod, PyObject *list);
PyObject *py_stats_rows(PyObject *mod, PyObject *bytes);
PyObject *py_methods(PyObject *mod, PyObject *pycls);

/* ---- errors.c ------------------------------------------------------------------- */

/* Raises Charm4PyError from what the runtime reported. */
void py_raise(py_state *st, c4_err err);
/* The pending exception becomes an object with remote_stacktrace set. */
PyObject *py_take_exception(py_state *st);
/* The exit status of a process for a number: its low 8 bits, but what is not 0
 * never becomes 0; 1 for what is no number of 64 bits. */
int py_status(PyObject *code);
/* The pending exception is uncaught: SystemExit ends the job with its code,
 * else prints banner and traceback and ends the job with 1. */
/* True: a shell has told of it, and the job goes on. */
bool py_uncaught(py_state *st, const py_method *m, py_chare *obj);
/* A method has returned in a child of the PE (result NULL: with an exception),
 * which has no loop to go on with: it ends. */
void py_child_returns(py_state *st, PyObject *result) Py_GCC_ATTRIBUTE((cold));
/* Encodes an exception, or a stand-in if it cannot be pickled. */
int py_enc_exception(py_enc *e, PyObject *exc);
/* Does the pending exception go to who waits?  All do but those that end the program. */
bool py_reportable(void);

/* ---- module.c: the one state ------------------------------------------------------ */

enum { PY_STRINGS = 512, PY_STRING_MAX = 32 };

struct py_state {
    c4_pe         *pe;                      /* NULL before start and after a fork */
    PyThreadState *ts;                      /* of the PE's thread */
    PyThreadState *idle_ts;                 /* while parked without the GIL */
    PyObject      *mod;
    bool           by_ref, started, ended;
    int            pickle_protocol;

    PyTypeObject *chare_type, *proxy_type, *method_type, *bound_type, *future_type,
                 *channel_type, *block_type, *keywords_type;
    py_class    *classes;
    py_class   **class_table;               /* open addressing by hash */
    size_t       class_cap, nclasses;
    PyObject    *class_map;                 /* Python class -> capsule of py_class */
    PyObject    *coll_proxies;              /* collection -> proxy */

    /* helpers from the package, by name: see module.c */
    PyObject *error, *not_threaded;         /* exception classes */
    PyObject *dumps, *loads;                /* pickle */
    PyObject *dumps_by_rule, *look_again, *pickling_error;  /* see _travel.py */
    PyObject  *main_names;                  /* __main__'s dict, NULL before the start */
    Py_ssize_t main_size;                   /* ... when it was looked at */
    bool       by_rule;                     /* it has names that other PEs do not know */
    PyObject *explain_pickle, *print_uncaught, *format_remote, *collect_readonlies,
             *apply_start, *get_state, *set_state, *reducer_apply, *reducer_prepare,
             *to_array, *when_test, *stand_in, *print_waiting,
             *print_held, *check_sent, *check_delivered, *pack_callback, *call_back;
    PyObject *checks;                       /* +checkLocal: arguments -> what they were; or NULL */
    PyObject *kw_buffer_callback, *kw_buffers;
    PyObject *deque;                        /* collections.deque, when first needed */
    PyObject *s_append, *s_ret, *s_awaitable, *s_stacktrace, *empty_tuple;

    py_enc    *encoders;                    /* free list */
    PyObject  *strings[PY_STRINGS];         /* cache of short decoded strings */
    py_future *free_futures;
    unsigned   nfree_futures;
    PyObject  *exported;                    /* future id -> address, see future.c */
    uint64_t   stamp;
    bool       numpy_failed;
    PyTypeObject *ndarray_type;             /* NULL until NumPy was met */
    PyTypeObject *np_generic;

    PyObject  *base_context;                /* see context.c */
    bool       at_base;
    Py_ssize_t base_size;                   /* number of its variables when looked at */
    PyObject  *decimal_var;                 /* ... and the one of decimal, or NULL */

    py_worker *cur;                         /* whose greenlet runs */
    py_worker *shell;                       /* runs the interactive shell, or NULL */
    py_worker *idle, *all;
    py_worker *launch;                      /* to be started by the first greenlet */
    py_worker *ready_head, **ready_tail;
    py_job    *jobs_head, **jobs_tail;
    PyObject  *main_greenlet;
    struct py_pool *pool;                   /* NULL until first used */
    py_method *running;                     /* plain entry method, for messages */
    uint16_t   reducer;
    PyObject  *start_proxy;                 /* of the charm group */
    bool       flush_waiting;               /* charm.options.auto_flush_wait_queues */
};

/* The state of the module that made this type. */
py_state *py_state_of_type(PyTypeObject *type);

/* -1 with an exception unless this process is a PE and this its thread. */
int py_not_a_pe(py_state *st);
static inline int
py_need_pe(py_state *st)
{
    if (st->pe && PyThreadState_GetUnchecked() == st->ts)
        return 0;
    return py_not_a_pe(st);
}

#endif
