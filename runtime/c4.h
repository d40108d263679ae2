/*
 * c4.h - migratable objects ("chares") that call each other's entry methods.
 *
 * A job is a number of PEs.  A PE is one process with one thread, which runs
 * an event loop: take a message, find its object, run the entry method.
 * Nothing here may be called from another thread, except c4_future_post().
 *
 * All functions take the PE as their first argument; there is no global state.
 * Data given to a call is copied (or encoded) before the call returns, so the
 * caller keeps ownership of every pointer it passes.  Data handed to an entry
 * method is valid until the method returns.
 *
 * Errors: functions return c4_err, 0 is success; c4_error() tells more.  An
 * entry method that returns an error ends the whole job with a message.
 */
#ifndef C4_H
#define C4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <c4_err.h>

#ifdef __cplusplus
extern "C" {
#endif

#define C4_MAXDIMS 6

typedef struct c4_pe c4_pe;
typedef struct c4_pup c4_pup;
struct c4_buf;
typedef uint32_t c4_coll;                   /* a collection; 0 is none */
typedef c4_coll c4_array;
typedef c4_coll c4_group;
typedef uint32_t c4_section;                /* 0 is none */
typedef uint64_t c4_method;                 /* an entry method by name, of any type */
typedef uint64_t c4_future;                 /* 0 is none */

/* One element of a collection.  idx is the element's key: the linear index
 * of a dense array, the packed index of a sparse one (c4_elem_at() makes it),
 * the PE of a group member. */
typedef struct c4_chare {
    uint64_t idx;
    c4_coll  coll;
} c4_chare;

/* An index of 1 to C4_MAXDIMS integers, or the sizes of as many dimensions. */
typedef struct c4_index {
    int     n;
    int64_t at[C4_MAXDIMS];
} c4_index;

static inline c4_index
c4_dims(int64_t n)
{
    return (c4_index){ 1, { n } };
}

static inline c4_index
c4_dims2(int64_t n, int64_t m)
{
    return (c4_index){ 2, { n, m } };
}

static inline c4_index
c4_dims3(int64_t n, int64_t m, int64_t k)
{
    return (c4_index){ 3, { n, m, k } };
}

/* ---- Chare types ------------------------------------------------------ */

/* Runs in the event loop; data holds len bytes, aligned to 16. */
typedef c4_err (*c4_entry_fn)(c4_pe *pe, void *self, const void *data, size_t len);

typedef struct c4_entry {
    const char *name;                       /* NULL ends the table */
    c4_entry_fn fn;
} c4_entry;

/* A place in a source file, for recordings; file NULL: not known. */
typedef struct c4_place {
    const char *file;
    int         line;
} c4_place;

#define C4_HERE { __FILE__, __LINE__ }      /* initialises a c4_place */

/* Where the parts of a type are written. */
typedef struct c4_places {
    c4_place        type, create, migrated, resume;
    const c4_place *entries;                /* OPTIONAL; in the order of the type's entries */
} c4_places;

struct c4_binding;                          /* c4_bind.h, for other languages */

/* A chare type; the tables must outlive the job and be the same on all PEs. */
typedef struct c4_type {
    const char     *name;                   /* unique in the program */
    size_t          size;                   /* bytes of an object; zeroed when made */
    const c4_entry *entries;
    /* OPTIONAL constructor; data is what the creating call gave as arguments. */
    c4_err        (*create)(c4_pe *pe, void *self, const void *data, size_t len);
    /* OPTIONAL; frees what the object owns, not the object.  Also called on
     * the old PE after the object was packed and sent away. */
    void          (*destroy)(c4_pe *pe, void *self);
    /* Sizes, packs or unpacks the object; NULL: elements cannot migrate. */
    void          (*pup)(c4_pup *p, void *self);
    c4_err        (*migrated)(c4_pe *pe, void *self);   /* OPTIONAL, after arrival */
    c4_err        (*resume)(c4_pe *pe, void *self);     /* OPTIONAL, after c4_at_sync() */
    /* OPTIONAL, makes groups of this type array maps: the PE of an index. */
    uint32_t      (*proc_num)(c4_pe *pe, void *self, const c4_index *index);
    const struct c4_binding *binding;       /* OPTIONAL */
    const c4_places *places;                /* OPTIONAL */
} c4_type;

/* Makes a type known; all PEs register the same types.  C programs pass
 * theirs to c4_run() instead. */
C4_API c4_err c4_register(c4_pe *pe, const c4_type *type);

/* ---- Packing ---------------------------------------------------------- */

enum c4_pup_mode { C4_PUP_SIZE, C4_PUP_PACK, C4_PUP_UNPACK };

/* One traversal of an object.  off counts bytes; in C4_PUP_UNPACK, a read
 * beyond size sets failed and yields zeros. */
struct c4_pup {
    enum c4_pup_mode mode;
    c4_pe           *pe;
    unsigned char   *buf;
    size_t           size, off;
    size_t           self_size;             /* of the type, for c4_pup_bytes() */
    bool             failed;
};

C4_API void c4_pup_raw(c4_pup *p, void *data, size_t nbytes);
/* A malloc'ed buffer of *nbytes; unpacking allocates it. */
C4_API void c4_pup_heap(c4_pup *p, void **data, size_t *nbytes);
/* The whole object is plain bytes: use this as c4_type.pup. */
C4_API void c4_pup_bytes(c4_pup *p, void *self);

/* ---- Starting and ending ---------------------------------------------- */

/* Runs on PE 0 only; args are the program's own, argv[0] first. */
typedef c4_err (*c4_main_fn)(c4_pe *pe, int argc, char **argv);

/* Runs the job: joins the launcher's PEs, or is a job of one PE.  types ends
 * with NULL.  Returns the exit status. */
C4_API int c4_run(int argc, char **argv, const c4_type *const *types, c4_main_fn main_fn);

/* Ends the job with status (0..255); the first call to reach PE 0 wins.
 * Returns at once; no further entry method runs on this PE. */
C4_API c4_err c4_exit(c4_pe *pe, int status);
/* Prints PE, entry method, object, the reason and a backtrace; ends the job. */
C4_API void c4_abort(c4_pe *pe, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/* The text of the last error on this PE; valid until the next one. */
C4_API const char *c4_error(const c4_pe *pe);
/* Records the text for err and returns err. */
C4_API c4_err c4_fail(c4_pe *pe, c4_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

C4_API uint32_t c4_mype(const c4_pe *pe);
C4_API uint32_t c4_npes(const c4_pe *pe);
/* Seconds since the job began, from a monotonic clock. */
C4_API double c4_now(const c4_pe *pe);

/* ---- Collections ------------------------------------------------------ */

typedef struct c4_opts {
    const void *args;                       /* for each constructor */
    size_t      len;
    c4_group    map;                        /* array map; 0: blocks */
    c4_future   created;                    /* gets an empty value when all constructors are done */
    bool        at_sync;                    /* elements will call c4_at_sync() */
    /* Groups: OPTIONAL, the PEs that have a member (any order, duplicates do
     * no harm); all else about the group concerns these only. */
    const uint32_t *on_pes;
    size_t      non_pes;
} c4_opts;

/* opts may be NULL. */
C4_API c4_err c4_group_new(c4_pe *pe, const c4_type *type, const c4_opts *opts, c4_group *out);
/* dims: sizes of a dense array; all sizes 0: an empty array for c4_insert(). */
C4_API c4_err c4_array_new(c4_pe *pe, const c4_type *type, c4_index dims,
                           const c4_opts *opts, c4_array *out);
/* A chare of its own, on PE on_pe (-1: the runtime chooses). */
C4_API c4_err c4_chare_new(c4_pe *pe, const c4_type *type, int on_pe,
                           const c4_opts *opts, c4_chare *out);
/* Inserts an element; on_pe -1: on the PE that the map says.  After
 * c4_done_inserting() it takes part in broadcasts that this PE makes later, and
 * in reductions that nobody has begun, as far as the array's root knows.  An index
 * outside of the sizes of a dense array can be called when the element is there. */
C4_API c4_err c4_insert(c4_pe *pe, c4_array array, const c4_index *index, int on_pe,
                        const c4_opts *opts);
/* Once per array made empty: reductions that have begun need not wait for what
 * is inserted later. */
C4_API c4_err c4_done_inserting(c4_pe *pe, c4_array array);

static inline c4_chare
c4_elem(c4_coll coll, uint64_t linear)
{
    return (c4_chare){ linear, coll };
}

/* The element with this index; C4_ERANGE outside a dense array's bounds,
 * C4_ENOENT where this PE does not know the array yet. */
C4_API c4_err c4_elem_at(c4_pe *pe, c4_array array, const c4_index *index, c4_chare *out);

/* ---- Inside an entry method ------------------------------------------- */

C4_API c4_chare c4_self(const c4_pe *pe);
C4_API c4_index c4_self_index(const c4_pe *pe);
/* The neighbour at distance by in a 1-D dense array or a group, wrapping. */
C4_API c4_chare c4_neighbour(const c4_pe *pe, c4_chare of, int64_t by);
static inline c4_chare
c4_next(const c4_pe *pe, c4_chare of)
{
    return c4_neighbour(pe, of, 1);
}
/* The object, if the element is on this PE; else NULL. */
C4_API void *c4_local(c4_pe *pe, c4_chare chare);

/* ---- Messages --------------------------------------------------------- */

/* Messages of one PE to one element are delivered in the order of sending,
 * wherever the element goes.  Never runs the method inside the call. */
C4_API c4_err c4_send(c4_pe *pe, c4_chare to, unsigned entry, const void *data, size_t len);
/* The same with data in pieces.  done: OPTIONAL, a future for the result
 * (see c4_reply()). */
C4_API c4_err c4_sendv(c4_pe *pe, c4_chare to, unsigned entry,
                       const struct iovec *iov, int niov, c4_future done);
/* To every element of the collection, exactly once. */
C4_API c4_err c4_bcast(c4_pe *pe, c4_coll to, unsigned entry, const void *data, size_t len);

enum { C4_BCAST_RESULTS = 1 };              /* the future gets all results */
/* done gets a value when every element has finished: empty, or with
 * C4_BCAST_RESULTS the elements' replies (c4_bind.h tells the layout). */
C4_API c4_err c4_bcastv(c4_pe *pe, c4_coll to, unsigned entry,
                        const struct iovec *iov, int niov, c4_future done, unsigned flags);
/* The result of the running entry method, if its caller waits for one. */
C4_API c4_err c4_reply(c4_pe *pe, const void *data, size_t len);

/* ---- Sections: a fixed list of chares ---------------------------------- */

/* Members are chares of any collections and types, each counted once (its
 * first place in the list); they may migrate, and need not exist yet.  May be
 * used at once, anywhere.  C4_EINVAL, C4_ERANGE: no members, no such member. */
C4_API c4_err c4_section_new(c4_pe *pe, const c4_chare *members, size_t n, c4_section *out);
/* The entry method of that name, whichever number it has in a member's type. */
C4_API c4_method c4_method_id(const char *name);
/* To every member, exactly once; all members run the calls of a section in
 * one order, and those of one PE in the order of calling. */
C4_API c4_err c4_section_cast(c4_pe *pe, c4_section to, c4_method method, const void *data,
                              size_t len);
/* done and flags as for c4_bcastv(); results are sorted by place in the list. */
C4_API c4_err c4_section_castv(c4_pe *pe, c4_section to, c4_method method,
                               const struct iovec *iov, int niov, c4_future done,
                               unsigned flags);
/* The future gets the members, an array of c4_chare. */
C4_API c4_err c4_section_members(c4_pe *pe, c4_section section, c4_future to);

/* ---- Futures and callbacks -------------------------------------------- */

/* Gets each value as it arrives; after the last one the future is gone. */
typedef c4_err (*c4_future_fn)(c4_pe *pe, void *arg, const void *data, size_t len);

/* nvalues is at least 1, else there is no future and 0 is returned. */
C4_API c4_future c4_future_new(c4_pe *pe, uint32_t nvalues, c4_future_fn fn, void *arg);
/* From any PE: queues a value for the future's PE. */
C4_API c4_err c4_future_send(c4_pe *pe, c4_future future, const void *data, size_t len);
C4_API c4_err c4_future_sendv(c4_pe *pe, c4_future future, const struct iovec *iov, int niov);
/* The same from any thread of a PE's process; the PE is woken. */
C4_API c4_err c4_future_post(c4_pe *pe, c4_future future, const void *data, size_t len);

enum c4_cb_kind { C4_CB_NONE, C4_CB_SEND, C4_CB_BCAST, C4_CB_FUTURE, C4_CB_EXIT, C4_CB_SECTION };

/* Where a result goes; plain data, may travel in messages. */
typedef struct c4_callback {
    uint64_t target;                        /* element key, future or c4_method */
    c4_coll  coll;                          /* or section */
    uint16_t entry;
    uint8_t  kind;
    uint8_t  user;                          /* for bindings */
} c4_callback;

static inline c4_callback
c4_cb_send(c4_chare to, unsigned entry)
{
    return (c4_callback){ to.idx, to.coll, (uint16_t)entry, C4_CB_SEND, 0 };
}

static inline c4_callback
c4_cb_bcast(c4_coll to, unsigned entry)
{
    return (c4_callback){ 0, to, (uint16_t)entry, C4_CB_BCAST, 0 };
}

static inline c4_callback
c4_cb_future(c4_future f)
{
    return (c4_callback){ f, 0, 0, C4_CB_FUTURE, 0 };
}

static inline c4_callback
c4_cb_exit(void)                            /* ends the job with status 0 */
{
    return (c4_callback){ 0, 0, 0, C4_CB_EXIT, 0 };
}

static inline c4_callback
c4_cb_section(c4_section to, c4_method method)
{
    return (c4_callback){ method, to, 0, C4_CB_SECTION, 0 };
}

C4_API c4_err c4_call_back(c4_pe *pe, const c4_callback *cb, const void *data, size_t len);

/* ---- Reductions ------------------------------------------------------- */

/* How contributions become one.  merge must be associative and commutative. */
typedef struct c4_reducer {
    const char *name;                       /* unique; the same on all PEs */
    /* Folds one contribution, or a partial result, of len bytes into acc. */
    c4_err    (*merge)(c4_pe *pe, struct c4_buf *acc, const void *data, size_t len);
    /* OPTIONAL; before a partial result leaves a PE. */
    c4_err    (*combine)(c4_pe *pe, struct c4_buf *acc);
    /* OPTIONAL; at the root, turns acc into what the callback gets. */
    c4_err    (*finish)(c4_pe *pe, struct c4_buf *acc);
} c4_reducer;

/* A growing byte buffer; data is malloc'ed. */
typedef struct c4_buf {
    unsigned char *data;
    size_t         len, cap;
} c4_buf;

C4_API c4_err c4_buf_add(c4_buf *b, const void *data, size_t len);
C4_API void c4_buf_release(c4_buf *b);

/* Built in; contributions are arrays of int64_t or double of equal length.
 * GATHER: records of { uint64_t key, uint64_t len, data padded to 8 } sorted by
 * key.  NOP: no data. */
enum c4_builtin_reducer {
    C4_RED_NOP, C4_RED_SUM_I64, C4_RED_PROD_I64, C4_RED_MAX_I64, C4_RED_MIN_I64,
    C4_RED_SUM_F64, C4_RED_PROD_F64, C4_RED_MAX_F64, C4_RED_MIN_F64,
    C4_RED_GATHER, C4_RED_BUILTIN
};

/* Returns the reducer's number, the same on all PEs if all register the same
 * reducers in the same order; bindings register on every PE. */
C4_API c4_err c4_reducer_add(c4_pe *pe, const c4_reducer *reducer, uint16_t *out);
/* The running element's contribution to its collection's next reduction. */
C4_API c4_err c4_reduce(c4_pe *pe, uint16_t reducer, const void *data, size_t len,
                        const c4_callback *cb);
/* The same to the next reduction of a section, of which the running element is
 * a member; each section has its own sequence. */
C4_API c4_err c4_reduce_section(c4_pe *pe, c4_section section, uint16_t reducer,
                                const void *data, size_t len, const c4_callback *cb);

/* ---- Quiescence, time -------------------------------------------------- */

/* Calls back once there was an instant, after this call, at which no message
 * was outstanding anywhere. */
C4_API c4_err c4_quiescence(c4_pe *pe, const c4_callback *cb);
/* Calls fn(pe, arg) on this PE, not earlier than after ns nanoseconds. */
C4_API c4_err c4_after(c4_pe *pe, uint64_t ns, c4_err (*fn)(c4_pe *pe, void *arg), void *arg);
/* The same for a timer that may be dropped before it is due: *at says where it is, and must
 * stay where it is until then; the timer is gone once fn is called. */
C4_API c4_err c4_after_at(c4_pe *pe, uint64_t ns, c4_err (*fn)(c4_pe *pe, void *arg), void *arg,
                          size_t *at);
C4_API void c4_after_drop(c4_pe *pe, const size_t *at);

/* ---- Migration and load balancing -------------------------------------- */

/* Moves the running element after its entry method has returned. */
C4_API c4_err c4_migrate(c4_pe *pe, uint32_t to_pe);
C4_API c4_err c4_set_migratable(c4_pe *pe, bool migratable);
/* The running element's load by the program's own measure, in any unit, until
 * set again; used under +LBLoad user. */
C4_API c4_err c4_set_load(c4_pe *pe, double load);
/* Whether what runs on this PE from now on, the rest of the running method
 * included, counts as load of its elements; at first it does. */
C4_API void c4_measure_load(c4_pe *pe, bool on);
/* Destroys the running element after its entry method has returned (and after
 * the broadcasts that its PE has seen).  What is sent to it later is dropped; a
 * future that waits for such a call gets data NULL, and c4_error() says why.  It
 * counts as a member of the reduction, and of the AtSync round, that it owes
 * next, without data.  Calls of c4_at_sync() that it was not resumed for end with
 * it.  Its index may be inserted again by whoever knows of this call; what is
 * sent before that insertion has reached the index's home is dropped.
 * C4_ESTATE: members of groups and sections. */
C4_API c4_err c4_destroy(c4_pe *pe);
/* The running element is ready for balancing; its type's resume() runs when
 * all such elements have called and the balancer is done.  It may call again
 * before that: each call is its arrival at the next round, and each is resumed
 * once, in order. */
C4_API c4_err c4_at_sync(c4_pe *pe);

#ifdef __cplusplus
}
#endif
#endif
