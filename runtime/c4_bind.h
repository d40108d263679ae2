/*
 * c4_bind.h - what a language binding needs beyond c4.h.
 *
 * A binding owns a c4_type per class.  It may run a method as a coroutine:
 * then it marks the call deferred, holds the element, runs c4_step() while the
 * coroutine waits, and finishes the call later.  Blocking exists only here.
 */
#ifndef C4_BIND_H
#define C4_BIND_H

#include <c4.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names a call whose caller waits for its end.  Plain data: keep a copy. */
typedef struct c4_done {
    c4_future future;                       /* of a call to one element */
    uint64_t  bcast;                        /* broadcast number + 1; 0: none */
    c4_coll   coll;
    uint64_t  idx;
    bool      want;                         /* the caller waits */
    c4_section section;                     /* bcast is the section's, not coll's; 0: none */
} c4_done;

/* One call, as handed to invoke(). */
typedef struct c4_call {
    const void *data;                       /* valid until c4_data_release() or return */
    size_t      len;
    void       *ref;                        /* local call by reference: owned by invoke() */
    void      **cache;                      /* one slot per (PE, broadcast or section call), or NULL */
    c4_done     done;
    uint32_t    src;                        /* sending PE */
    bool        deferred;                   /* out: c4_finish() will be called later */
    bool        stored;                     /* out: nothing of the user's ran; c4_context_enter()
                                             * will begin the execution, with c4_cause_now() */
} c4_call;

/* What made an execution begin, or go on: a message.  Plain data: keep a copy. */
typedef struct c4_cause {
    uint64_t nbytes;                        /* of its payload */
    uint64_t arrived, taken;                /* ticks: seen by a poll; taken up.  0: not yet */
    uint32_t pe, trace;                     /* who sent it, its number there; trace 0: no message */
    bool     local;                         /* it did not leave the PE */
} c4_cause;

/* Happenings on a PE that are no messages, but cause executions: recorded like
 * messages from the running execution to its own PE. */
enum c4_event { C4_EVENT_POST, C4_EVENT_TIMER, C4_EVENT_TASK };

/* Entry numbers that every bound type has beside its own methods. */
enum { C4_ENTRY_CREATE = 0xfff0, C4_ENTRY_MIGRATED, C4_ENTRY_RESUME };

typedef struct c4_binding {
    /* Runs entry (or C4_ENTRY_...) of the object.  An error ends the job. */
    c4_err (*invoke)(c4_pe *pe, void *self, unsigned entry, c4_call *call);
    void   (*ref_free)(c4_pe *pe, void *ref);
    /* Encodes a reference that must leave the PE after all; appends to out. */
    c4_err (*ref_encode)(c4_pe *pe, void *ref, c4_buf *out);
    void   (*cache_free)(c4_pe *pe, void *cached);
} c4_binding;

/* Called by the loop; all OPTIONAL. */
typedef struct c4_host {
    void   (*idle_begin)(c4_pe *pe);        /* before the PE parks or copies much: release the GIL */
    void   (*idle_end)(c4_pe *pe);
    c4_err (*signals)(c4_pe *pe);           /* after a park or an interrupted call */
    c4_err (*start)(c4_pe *pe, const void *data, size_t len);  /* PE != 0: c4_start_others() */
    void   (*waiting)(c4_pe *pe);           /* print what coroutines wait for, to stderr */
    void   (*leave)(c4_pe *pe, int status); /* before the process ends: flush */
    bool   (*stalled)(c4_pe *pe);           /* PE 0, nothing is left to do: true if the job goes on */
    void   (*failed)(c4_pe *pe, const char *text);  /* OPTIONAL: tells of a mistake of the program,
                                             * and ends the job by c4_exit_failed(); else c4_abort() */
} c4_host;

/* ---- Life of a PE, in pieces (c4_run() is made of these) ---------------- */

/* Joins the job that the environment describes, or makes a job of one PE.
 * Takes the runtime's flags out of argv: *argc and argv then hold the
 * program's own arguments. */
C4_API c4_err c4_init(int *argc, char **argv, const c4_host *host, c4_pe **out);
/* PE 0: lets the other PEs run; they hold messages until then.  data reaches
 * their host's start(). */
C4_API c4_err c4_start_others(c4_pe *pe, const void *data, size_t len);
C4_API bool c4_others_started(const c4_pe *pe);
/* Runs until the job ends; returns the exit status. */
C4_API int c4_loop(c4_pe *pe);
/* Handles what is there, at most a batch; parks if nothing is there and block
 * is true.  Returns early after c4_yield_step().  False: the job has ended. */
C4_API bool c4_step(c4_pe *pe, bool block);
/* The running c4_step() returns after the present message. */
C4_API void c4_yield_step(c4_pe *pe);
C4_API void c4_release(c4_pe *pe);
/* In a child that fork() made of the PE, which is no PE: it sends nothing, and
 * what it frees stays the parent's.  It must not return into the loop. */
C4_API void c4_forked(c4_pe *pe);
C4_API void c4_set_user(c4_pe *pe, void *user);
C4_API void *c4_user(const c4_pe *pe);
/* Runs fn(pe, arg) from the loop, as soon as the present message is done. */
C4_API c4_err c4_post(c4_pe *pe, c4_err (*fn)(c4_pe *pe, void *arg), void *arg);
/* The value of a runtime flag as it was given ("+balancer"), or NULL. */
C4_API const char *c4_flag(const c4_pe *pe, const char *name);
/* c4_exit() because of an error that has been told: PEs that are busy for long
 * are not waited for. */
C4_API c4_err c4_exit_failed(c4_pe *pe, int status);
/* This PE is about to tell of an error -> how many have done so in this job.
 * The first should tell everything, the next few a line, others nothing. */
C4_API unsigned c4_failures(c4_pe *pe);
/* True if the job has stopped: user code must not run any more. */
C4_API bool c4_stopping(const c4_pe *pe);

/* ---- Calls ------------------------------------------------------------ */

/* By reference, if the element is on this PE, or is being made here with its group
 * or array: takes ref over.  C4_EREMOTE: encode and use c4_sendv(); ref is untouched. */
C4_API c4_err c4_send_ref(c4_pe *pe, c4_chare to, unsigned entry, void *ref, c4_future done);
/* Frees the current call's data early; needed before c4_step() in a method. */
C4_API void c4_data_release(c4_pe *pe);

/* A part of received data that stays valid until c4_block_free().  NULL: the
 * data is not of a kind that can be kept (small, or shared): copy it. */
typedef struct c4_block c4_block;
C4_API c4_block *c4_data_keep(c4_pe *pe);   /* the current call's data */
C4_API c4_block *c4_block_ref(c4_block *b);
/* Safe after c4_release(). */
C4_API void c4_block_free(c4_block *b);

/* Ends a deferred call: a result or, with is_error, an encoded exception. */
C4_API c4_err c4_finish(c4_pe *pe, const c4_done *done, const struct iovec *iov, int niov,
                        bool is_error);
/* The present call's result, instead of c4_finish(). */
C4_API c4_err c4_replyv(c4_pe *pe, const struct iovec *iov, int niov, bool is_error);

/* What futures of bindings get: flags tell errors from values.  An empty error:
 * the element that was called had been destroyed. */
enum { C4_VALUE_ERROR = 1, C4_VALUE_RESULTS = 2, C4_VALUE_EMPTY = 4 };
typedef c4_err (*c4_bind_future_fn)(c4_pe *pe, void *arg, const c4_call *value, unsigned flags);
C4_API c4_future c4_bind_future(c4_pe *pe, uint32_t nvalues, c4_bind_future_fn fn, void *arg);
C4_API void c4_future_drop(c4_pe *pe, c4_future future);
/* A value by reference to a future of this PE (it is queued); C4_EREMOTE.
 * is_reply: it answers a call, else the program sends it. */
C4_API c4_err c4_future_send_ref(c4_pe *pe, c4_future future, void *ref,
                                 const c4_binding *binding, bool is_reply);
C4_API c4_err c4_future_sendv_flags(c4_pe *pe, c4_future future, const struct iovec *iov,
                                    int niov, unsigned flags);

/* A broadcast's results (C4_VALUE_RESULTS) are records, sorted by key (of a
 * section: by place), each followed by its data padded to 16 bytes. */
typedef struct c4_result {
    uint64_t key;
    uint64_t len;
    uint32_t flags;                         /* C4_VALUE_ERROR */
    c4_coll  coll;                          /* sections: with key, the member */
    uint32_t place;                         /* sections: in the list of members */
    uint32_t pad;
} c4_result;

/* ---- Elements and executions ------------------------------------------ */

/* A held element does not migrate (a coroutine of it is suspended). */
C4_API void c4_hold(c4_pe *pe, c4_chare chare);
C4_API void c4_unhold(c4_pe *pe, c4_chare chare);

/* The execution context: what c4_self(), c4_reduce() ... refer to, and what
 * time is charged to.  A binding saves it when a coroutine suspends and
 * restores it when the coroutine goes on. */
typedef struct c4_context { uint64_t word[16]; } c4_context;
C4_API void c4_context_suspend(c4_pe *pe, c4_context *saved);
/* woke: what it waited for; NULL: it waited for nothing, others had their turn. */
C4_API void c4_context_resume(c4_pe *pe, const c4_context *saved, const c4_cause *woke);
/* Code that runs on behalf of an element (chare.coll 0: of the main program)
 * outside of invoke(); leave ends it.  What runs already is suspended until then,
 * so that no time is counted twice.  cause: OPTIONAL, for the main program only. */
C4_API c4_err c4_context_enter(c4_pe *pe, c4_chare chare, unsigned entry, const c4_cause *cause,
                               c4_context *saved);
/* The same for a task: what runs is no entry method, but c4_task_kind()'s. */
C4_API c4_err c4_context_enter_task(c4_pe *pe, c4_chare chare, unsigned task,
                                    const c4_cause *cause, c4_context *saved);
C4_API void c4_context_leave(c4_pe *pe, const c4_context *saved);
/* Does anybody measure?  If not, contexts of tasks may be left out. */
C4_API bool c4_measured(const c4_pe *pe);
/* A new number for tasks of this name ("module.function").  0: there are too many,
 * and the task counts as its chare's entry method.  file: OPTIONAL. */
C4_API unsigned c4_task_kind(c4_pe *pe, const char *name, const char *file, unsigned line);

/* The message that is being handled, or made the running execution begin. */
C4_API c4_cause c4_cause_now(c4_pe *pe);
/* The running execution itself as a cause of what will run later. */
C4_API c4_cause c4_cause_event(c4_pe *pe, enum c4_event what);

/* The same as c4_reduce(), c4_migrate() ... for a named local element. */
C4_API c4_err c4_reduce_for(c4_pe *pe, c4_chare who, uint16_t reducer, const void *data,
                            size_t len, const c4_callback *cb);
/* The future gets an empty value when all members exist and know of it: from
 * then on c4_in_section() is exact.  Before, it may miss a member. */
C4_API c4_err c4_section_await(c4_pe *pe, c4_section section, c4_future to);
/* Has this local chare heard that it is a member (or contributed)? */
C4_API bool c4_in_section(c4_pe *pe, c4_section section, c4_chare who);
C4_API c4_err c4_reduce_section_for(c4_pe *pe, c4_chare who, c4_section section,
                                    uint16_t reducer, const void *data, size_t len,
                                    const c4_callback *cb);
C4_API c4_err c4_at_sync_for(c4_pe *pe, c4_chare who);
C4_API c4_err c4_migrate_for(c4_pe *pe, c4_chare who, uint32_t to_pe);
C4_API c4_err c4_destroy_for(c4_pe *pe, c4_chare who);
C4_API c4_err c4_set_migratable_for(c4_pe *pe, c4_chare who, bool migratable);
C4_API bool c4_is_migratable(c4_pe *pe, c4_chare who);
C4_API c4_index c4_index_of(c4_pe *pe, c4_chare chare);

enum c4_coll_kind { C4_KIND_SINGLE, C4_KIND_GROUP, C4_KIND_ARRAY };
typedef struct c4_coll_info {
    enum c4_coll_kind kind;
    const c4_type    *type;
    c4_index          dims;                 /* sizes; all 0: sparse */
    bool              sparse, at_sync;
    const uint32_t   *on_pes;               /* sorted: a group's PEs; NULL: all */
    size_t            non_pes;
} c4_coll_info;
/* C4_ENOENT where the collection is not known on this PE yet. */
C4_API c4_err c4_coll_lookup(c4_pe *pe, c4_coll coll, c4_coll_info *out);
/* The hidden collection that holds the single chares of a type. */
C4_API c4_coll c4_single_coll(c4_pe *pe, const c4_type *type);

/* Packs an index into an element key without knowing the collection:
 * C4_ERANGE if a dense index is outside dims (all 0: sparse); *out is then the key
 * that it has if the array grows. */
C4_API c4_err c4_key_of(const c4_index *dims, const c4_index *index, uint64_t *out);
/* May there be elements outside of the array's sizes, as far as this PE knows? */
C4_API bool c4_grows(c4_pe *pe, c4_array array);

/* Time of user code that calls into the runtime, for printStats's "send";
 * begin returns a stamp, 0 if nobody measures. */
C4_API uint64_t c4_send_begin(c4_pe *pe);
C4_API void c4_send_end(c4_pe *pe, uint64_t stamp);
/* The arguments are decoded and user code begins now ("recv" ends). */
C4_API void c4_user_begin(c4_pe *pe);

#ifdef __cplusplus
}
#endif
#endif
