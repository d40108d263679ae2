/*
 * pe.h - one PE: the root of all state, and the structures of its modules.
 *
 * Everything the runtime knows hangs from struct c4_pe.  Modules: table.c and
 * location.c (where elements are), element.c (executions), collection.c,
 * broadcast.c, reduction.c, quiescence.c, sync.c (AtSync), future.c, timer.c,
 * exit.c, sched.c (the loop).  PROTOCOLS sections are cited as [1] ... [7].
 *
 * A coroutine of a binding may block inside an execution and run c4_step()
 * from there, and its C stack may be switched out.  Hence the two rules that
 * shape the code: nothing in the heap points into a stack that can run user
 * code, and no handler does anything but unwind after it has run user code.
 * What must still be done is put into pe->tasks or pe->local first.
 */
#ifndef C4I_PE_H
#define C4I_PE_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "clock.h"
#include "cputime.h"
#include "fault.h"
#include "flags.h"
#include "hooks.h"
#include "msg.h"
#include "transport.h"

#define C4I_INF UINT64_MAX
#define C4I_NOPE UINT32_MAX
#define C4I_GONE (UINT32_MAX - 1)           /* where a destroyed element is */

typedef struct c4i_coll c4i_coll;
typedef struct c4i_section c4i_section;
typedef struct c4i_shared c4i_shared;
typedef struct c4i_elem c4i_elem;
typedef struct c4i_inbox c4i_inbox;

/* ---- Locations (table.c, location.c) [1] --------------------------------- */

/* All that a PE knows of one element.  Invariant I1: (pe, ep) changes only to
 * a larger ep.  ep 0: no knowledge; the entry is there for nsent or wait, and
 * pe is the element's home, or C4I_NOPE.  pe C4I_GONE: it was destroyed, and
 * this PE is its home. */
typedef struct c4i_loc {
    uint64_t  key;
    c4i_elem *elem;                         /* NULL: not here */
    union {
        c4i_queue *wait;                    /* parked messages, or NULL */
        c4i_inbox *ghost;                   /* pe C4I_GONE: for the next of that index, or NULL */
    };
    uint32_t  pe, ep;
    uint32_t  nsent;                        /* order number of the next message sent from here */
    uint32_t  used;                         /* the slot is taken */
} c4i_loc;

/* Open addressing; entries are never removed.  Pointers into it are valid
 * until the next c4i_table_get(). */
typedef struct c4i_table {
    c4i_loc *slot;
    size_t   n, mask;                       /* mask + 1 slots, a power of 2; 0: none yet */
} c4i_table;

c4i_loc *c4i_table_find(const c4i_table *t, uint64_t key);      /* NULL: none */
c4i_loc *c4i_table_get(c4i_table *t, uint64_t key);             /* makes one; aborts on no memory */
void c4i_table_reserve(c4i_table *t, size_t more);      /* so many new ones will come */
void c4i_table_release(c4i_table *t);

/* ---- Numbers that lie near each other (bag.c) ---------------------------- */

typedef struct c4i_bag {
    uint32_t *count;
    size_t    first, n, cap;                /* count[first + i] of them are base + i */
    uint64_t  base;                         /* the least; n 0: there is none */
} c4i_bag;

void c4i_bag_add(c4i_bag *t, uint64_t x);
bool c4i_bag_take(c4i_bag *t, uint64_t x);          /* false: it is not in */
void c4i_bag_release(c4i_bag *t);

static inline uint64_t
c4i_bag_least(const c4i_bag *t)
{
    return t->n ? t->base : C4I_INF;
}

/* ---- Counted trees (reduction.c) [3] -------------------------------------- */

enum { C4I_MOST_GENERATIONS = 1 << 24 };

/* What an element carries for one instance. */
typedef struct c4i_mark {
    uint64_t next;                          /* number of its next contribution */
    uint64_t birth;                         /* the first one it owes */
    uint32_t gen;                           /* 0: counted in E from the start */
    uint32_t nborn;                         /* insertions by it since its last contribution */
} c4i_mark;

/* A partial result of reduction r. */
typedef struct c4i_part {
    uint64_t    r;
    uint32_t    count;
    uint16_t    reducer;
    uint32_t    ngen;                       /* length of births and claims */
    uint32_t   *births, *claims;            /* by generation */
    uint32_t    deaths;                     /* of count: they owe no more */
    c4_callback cb;
    c4_buf      data;
} c4i_part;

typedef struct c4i_parts {
    c4i_part *at;                           /* at[first] ... at[first + n - 1], sorted by r */
    size_t    first, n, cap;
} c4i_parts;

static inline c4i_part *
c4i_parts_first(const c4i_parts *p)         /* NULL: none */
{
    return p->n ? &p->at[p->first] : NULL;
}

typedef struct c4i_red {
    uint32_t  root;
    uint8_t   kind;                         /* C4I_REDUCE, C4I_SYNC or C4I_SREDUCE */
    bool      hold;                         /* more elements are being made here: keep the parts */
    bool      off;                          /* single chares: nobody to combine with */
    c4_coll   coll;                         /* of C4I_REDUCE; the section of C4I_SREDUCE */
    c4i_parts part;                         /* not sent yet; at the root: accumulated */
    uint64_t *up;                           /* promises of the children */
    uint64_t  sent;                         /* promise given to the parent */
    uint64_t  nlocal;                       /* local elements */
    c4i_bag tally;                        /* ... by their next number */
    uint64_t  next;                         /* root: the next to complete */
    int64_t   expect;                       /* root: members owing next; -1: not known yet */
    uint64_t *late;                         /* root: first numbers of members beyond expect */
    size_t    nlate, late_cap;
} c4i_red;

/* ---- Broadcasts (broadcast.c) [2, 6] -------------------------------------- */

/* An element inserted by this PE (n 1), or destroyed on it (n -1), that is
 * ahead of what this PE has seen. */
typedef struct c4i_ahead {
    uint64_t seen;
    int64_t  n;
} c4i_ahead;

/* One broadcast as this PE keeps it; number 0 is the creation. */
typedef struct c4i_bcast {
    uint64_t  b;
    uint16_t  entry;
    uint8_t   flags;                        /* C4I_F_WANT, C4I_F_RESULT */
    uint64_t  future;
    void     *data;                         /* malloc'ed */
    size_t    len;
    void     *cache;                        /* the binding's, see c4_call */
    uint32_t  src, trace;
    uint64_t  arrived;                       /* ticks */
} c4i_bcast;

/* ---- Awaited calls to many (completion.c) [6] ------------------------------ */

/* What a PE knows of one of them: a broadcast, or a call to a section. */
typedef struct c4i_comp {
    uint64_t no, future;
    uint8_t  flags;                         /* C4I_F_WANT, C4I_F_RESULT */
    bool     late;                          /* the report has gone up: this is one more */
    uint32_t parent;                        /* who gets the report */
    uint32_t nkids;                         /* reports that are to come */
    uint32_t running;                       /* executions begun here and not finished; +1 while starting */
    int64_t  issued;                        /* broadcasts: insertions before it, less deaths, this subtree */
    uint64_t count;                         /* executions finished, this subtree, not reported yet */
    c4_buf   results;                       /* records */
    struct c4i_comp *next;
} c4i_comp;

typedef struct c4i_comps {
    c4i_comp **slot;
    size_t    n, mask;                      /* mask + 1 slots, a power of 2 */
} c4i_comps;

c4i_comp *c4i_comp_find(const c4i_comps *t, uint64_t no);       /* NULL: none */
c4i_comp *c4i_comp_new(c4i_comps *t, uint64_t no);
void c4i_comp_free(c4i_comps *t, c4i_comp *x);
void c4i_comps_release(c4i_comps *t);
/* One execution's result, if the caller wants it, or its error. */
void c4i_comp_result(c4_pe *pe, c4i_comp *x, const c4_done *done, const struct iovec *iov,
                     int niov, bool is_error);
/* Records out of a report; malformed ones end the job. */
void c4i_comp_merge(c4_pe *pe, c4i_comp *x, const void *records, size_t len);
/* The caller's future gets its value; results in order of their ranks. */
typedef uint64_t (*c4i_rank_fn)(c4_pe *pe, const void *arg, const c4_result *r);
void c4i_comp_answer(c4_pe *pe, c4i_comp *x, c4i_rank_fn rank, const void *arg);

/* ---- Collections ---------------------------------------------------------- */

enum c4i_home_kind { C4I_HOME_SELF, C4I_HOME_BLOCK, C4I_HOME_HASH, C4I_HOME_MAP };

struct c4i_coll {
    c4_coll        id;
    uint8_t        kind;                    /* enum c4_coll_kind */
    uint8_t        home;                    /* enum c4i_home_kind */
    bool           sparse, at_sync, closed; /* closed: no more insertions by main code */
    bool           awaited;                 /* its creation is */
    bool           grows, all_know;         /* there may be elements outside of dims; root: PEs know */
    uint32_t       root;
    uint16_t       type_no;
    const c4_type *type;
    uint16_t       nentries;
    c4_index       dims;
    uint64_t       ndense;                  /* elements made at creation, on all PEs */
    uint32_t      *on_pes;                  /* sorted: PEs of a group, ndense of them; NULL: all */
    c4_coll        map;
    c4i_coll      *map_coll;
    c4i_table      table;
    c4i_elem      *first;                   /* list of local elements */
    uint64_t       nlocal;
    void          *args;                    /* of the constructor, until all are made */
    size_t         args_len;

    /* broadcasts */
    uint64_t   bseen;
    c4i_bcast **log;                        /* numbers log_base ... bseen */
    size_t     nlog, log_cap;
    uint64_t   log_base, log_bytes;
    uint64_t   log_freed;                   /* root: bytes dropped since `stable` was last told */
    uint64_t   nbcast;                      /* root: the last number given */
    uint64_t   stable;                      /* nobody needs numbers up to this */
    uint64_t   low_sent, *low_child;
    c4i_bag  unacked;                     /* `seen` of elements sent away and not acknowledged */
    uint32_t   ntasks;                      /* tasks of this collection that will execute broadcasts */
    uint64_t   task_low;                    /* ... all numbers above this may still be needed */
    c4i_ahead *ahead;                       /* with seen beyond bseen */
    size_t     nahead, ahead_cap;
    c4i_comps  comps;

    /* insertions */
    int64_t    nissued;                     /* c4_insert() calls on this PE, less elements
                                             * destroyed here */
    uint64_t   nissued_main;                /* ... not by an element of the array */
    uint32_t   close_heard, grow_heard;
    c4i_queue  growing;                     /* root: insertions until all PEs know */
    uint64_t   close_sum;

    c4i_red    red;
};

/* ---- Sections (section.c, multicast.c) ------------------------------------- */

/* What an element carries of a section that it is in. */
typedef struct c4i_smark {
    c4_section section;
    c4i_mark   mark;
} c4i_smark;

typedef struct c4i_member {
    uint64_t idx;
    c4_coll  coll;
    uint32_t part;                          /* which of the section's collections */
} c4i_member;

typedef struct c4i_place {                  /* sorted: finds a member's place in the list */
    uint64_t idx;
    c4_coll  coll;
    uint32_t at;
} c4i_place;

/* One of the collections that the members of a section belong to. */
typedef struct c4i_section_part {
    c4_coll   id;
    c4i_coll *coll;                         /* NULL: not known here yet */
    c4_method method;                       /* the last one called, and its number */
    uint16_t  entry;
} c4i_section_part;

/* What a PE knows of a section: everything but red and comps, only the root. */
struct c4i_section {
    c4_section id;
    c4i_red    red;
    c4i_comps  comps;
    c4i_member *member;
    c4i_place *place;
    size_t     n;
    c4i_section_part *part;
    size_t     nparts;
    uint32_t  *fixed;                       /* PEs of group members */
    uint32_t   nfixed;
    uint32_t   ncast;                       /* number of the last awaited call */
    c4i_queue  held;                        /* requests, until all collections are known */
};

/* ---- Elements ------------------------------------------------------------- */

typedef struct c4i_order {                  /* next order number expected from src */
    uint32_t src, next;
} c4i_order;

typedef struct c4i_early {
    uint32_t  src, last;                    /* order number of the queue's last */
    c4i_queue queue;                        /* by order number; never empty */
    struct c4i_early *next;
} c4i_early;

struct c4i_inbox {                          /* see inbox.c */
    c4i_order *order;
    uint32_t   norder, order_cap;
    c4i_early *early;                       /* messages that came before their turn, by sender */
};

struct c4i_elem {
    c4i_coll  *coll;
    uint64_t   key;
    c4i_elem  *prev, *next;
    uint32_t   ep;
    uint32_t   held;                        /* unfinished coroutines */
    uint32_t   move_to;                     /* pending migration, C4I_NOPE: none; C4I_GONE: its end */
    uint8_t    move_why;
    bool       migratable, at_sync, waiting;
    bool       resuming;                    /* a task will end its waiting */
    uint64_t   seen;                        /* broadcasts executed */
    uint64_t   born;                        /* `seen` at birth */
    c4i_mark   red, sync;                   /* sync.next: rounds arrived at */
    uint64_t   ahead;                       /* calls of AtSync that wait for the present one */
    c4i_inbox  in;
    c4i_smark *smark;                       /* sections that it is in, or says so */
    uint32_t   nsmark, smark_cap;
    uint64_t   hinted;                      /* PEs told of this place (mod 64) */
    uint64_t   wall, nbytes;                /* ticks since the last LB step; packed size */
    uint64_t   cpu_ns;
    double     user_load;                   /* c4_set_load(); < 0: not given */
    c4_index  *index;                       /* sparse collections only; NULL otherwise */
    _Alignas(16) unsigned char obj[];
};

/* NULL: not here. */
static inline c4i_elem *
c4i_elem_find(const c4i_coll *c, uint64_t key)
{
    c4i_loc *loc;

    if (c->kind == C4_KIND_GROUP)
        return c->first && c->first->key == key ? c->first : NULL;
    loc = c4i_table_find(&c->table, key);
    return loc ? loc->elem : NULL;
}

/* ---- Executions ------------------------------------------------------------ */

/* What is running; lives in the PE by value, fits a c4_context.  While nothing
 * runs, elem, active, owes and done.want are 0 and the rest has no meaning. */
typedef struct c4i_ctx {
    c4i_elem *elem;                         /* NULL: main, or nothing */
    uint16_t  entry, task;                  /* task: c4_task_kind(); 0: it is an entry method */
    bool      active;                       /* user code is running */
    bool      owes;                         /* its message is not counted as processed yet */
    bool      resumed;
    bool      woken;                        /* resumed by cause; else it goes on after others */
    c4_cause  cause;                        /* only while messages are recorded */
    uint64_t  begin, send;
    uint64_t  from, cpu;                    /* charged up to here: ticks, CPU ns */
    c4_done   done;
} c4i_ctx;

_Static_assert(sizeof(c4i_ctx) <= sizeof(c4_context), "a saved context holds a c4i_ctx");

/* A list of executions still to be done here.  run() takes one and returns;
 * it unlinks the task before it starts the last. */
typedef struct c4i_task c4i_task;
struct c4i_task {
    bool      later;                        /* handles messages: after all other tasks */
    bool (*run)(c4_pe *pe, c4i_task *t);    /* false: unlinked and freed */
    c4i_task *next;
    c4i_coll *coll;
    uint64_t  b, lo, hi;
    uint64_t *key;
    size_t    n, at;
    c4_cause  cause;                        /* of the executions; filled in by c4i_task_add() */
};

/* ---- Futures, timers -------------------------------------------------------- */

typedef struct c4i_future {
    uint64_t          id;                   /* 0: free */
    uint32_t          left;                 /* values to come */
    uint32_t          next_free;
    c4_future_fn      fn;
    c4_bind_future_fn bind;
    void             *arg;
} c4i_future;

typedef struct c4i_timer {
    uint64_t due_ns, no;
    c4_err (*fn)(c4_pe *pe, void *arg);
    void    *arg;
    size_t  *at;                            /* OPTIONAL: told where in the heap it is */
    uint32_t trace;                         /* of its C4I_TIMER event; 0: not recorded */
} c4i_timer;

/* ---- What AtSync waits for (lost.c) ------------------------------------------- */

struct c4i_lost {
    bool     running, asked, told;          /* PE 0: a wave is out; by the user; since something happened */
    uint32_t heard;
    uint64_t round;
    uint64_t sum[3], last[3];
    uint64_t since, due;                    /* PE 0, ns: answers agree; the next wave */
    c4_buf   list;
};

/* ---- The PE ------------------------------------------------------------------ */

typedef struct c4i_pending {                /* messages for a collection not known yet */
    c4_coll   coll;
    bool      draining;                     /* a task hands them out */
    c4i_queue queue;
    struct c4i_pending *next;
} c4i_pending;

enum c4i_exit_state { C4I_RUNNING, C4I_STOPPED, C4I_ENDED };

struct c4_pe {
    uint32_t       me, npes, arity;
    c4i_transport *net;
    c4i_queue      local;                   /* messages to be routed here, first in first out */
    c4i_task      *tasks, **tasks_tail, *later_tasks, **later_tail;
    c4i_ctx        ctx;
    c4_cause       handling;                /* see cause.c; kept only while messages are recorded */
    c4_cause       post_event;              /* C4_EVENT_POST of this stretch; trace 0: none yet */
    uint8_t        value_is;                /* enum c4i_event of FUTURE messages just now; 0: replies */
    uint16_t       ntasks;                  /* c4_task_kind() */
    c4i_elem      *arriving;                /* its state is being unpacked; not linked yet */
    c4i_msg       *cur;                     /* message whose data is being used, until released */
    bool           yield, timing, want_sent;
    enum c4i_exit_state exit;
    uint64_t       ndead;                   /* calls to elements that had been destroyed */
    uint64_t       created, processed;      /* [4] */
    uint64_t       nrun;                    /* executions */
    uint32_t       trace;                   /* last trace number given */

    c4i_coll     **colls;                   /* hash by id, open addressing */
    size_t         ncolls, colls_mask;
    c4i_coll      *last_coll;
    uint32_t       next_coll;
    c4i_pending   *pending;
    c4i_section  **sections;                /* hash by id, open addressing */
    size_t         nsections, sections_mask;
    uint32_t       nheld;                   /* sections with held requests */
    const c4_type **types;
    uint32_t      *type_hash;
    size_t         ntypes, types_cap;
    const c4_reducer **reducers;
    size_t         nreducers;
    uint32_t       next_single;

    c4i_future    *futures;
    uint32_t       nfutures, free_future;
    uint64_t       future_serial;
    c4i_timer     *timers;                  /* heap, earliest first */
    size_t         ntimers, timers_cap;
    uint64_t       ntimed, timer_no;        /* the runtime's own among them */

    /* quiescence [4] */
    uint32_t       qd_heard;
    bool           qd_wave, qd_valid, qd_idle;
    uint64_t       qd_sum[4], qd_last[4];
    c4_callback   *qd_active, *qd_pending;
    size_t         nqd_active, nqd_pending;
    bool           qd_answer;               /* a wave waits for this PE to be idle */
    uint64_t       qd_round, qd_since, qd_delay;

    /* AtSync [5] */
    c4i_red        sync;
    uint64_t       sync_done, sync_cur;     /* rounds decided; round of new elements */
    uint64_t       sync_issued;             /* AtSync elements created by calls on this PE */
    bool           sync_closing, sync_closed;
    uint32_t       sync_heard;
    uint64_t       sync_sum, sync_round;
    uint64_t       sync_deaths;             /* root: in rounds that are over */
    c4_buf         sync_pes;                /* c4i_lb_pe of this subtree */
    uint64_t       lb_begin, lb_idle, lb_busy, lb_background;     /* ticks */
    uint64_t       lb_closed;               /* rounds for which this PE has told its statistics */
    struct c4i_lost lost;
    int64_t        lb_carry;                /* busy before lb_begin or elsewhere that this round tells */

    /* start and exit [7] */
    bool           started, start_sent, releasing;
    uint64_t       steps;
    c4i_queue      held;                    /* until started */
    int            status;
    uint32_t       exit_heard;
    bool           exit_seen, exit_sent;
    uint64_t       patience_ns;             /* it ended the job: others have until then; 0: no */
    bool           failed;                  /* by an error */

    c4i_clock      clock;
    uint64_t     (*now_ns)(void *arg);      /* virtual time, or NULL */
    void          *now_arg;
    c4i_cputime    cpu;
    uint64_t       lost_ticks;              /* of busy_ticks: not the PE's own */
    uint64_t       stretch_lost, stretch_stopped;      /* ticks of the running stretch, so far */
    double         stretch_cpu0;            /* the CPU clock when it began, ns */
    uint64_t       idle_ticks, busy_ticks;
    uint64_t       idle_since;              /* ns; for ++idle-timeout */
    uint64_t       idle_limit;
    bool           reported;                /* what this PE waits for */

    c4i_recorder   rec;
    c4i_balancer   lb;
    bool           has_rec, has_lb;
    bool           load_off;                /* c4_measure_load(): executions are not charged */
    const c4_host *host;
    void          *user;
    c4i_flags      flags;
    c4i_fault_info fault;
    c4i_msg       *free_msgs;
    uint32_t       nfree_msgs;
    c4_buf         scratch;
    char           error[512];
    c4_err         error_code;              /* of that text */
    uint32_t       turn;                    /* shares the loop between net and local */
    struct c4i_posted *posted, **posted_tail;   /* from other threads, under post_lock */
    pthread_mutex_t post_lock;
    _Atomic bool   has_posted;
    uint64_t       stress_rng;
    unsigned       stress;                  /* bits C4I_STRESS_... */
};

enum { C4I_STRESS_MIGRATE = 1, C4I_STRESS_EVICT = 2, C4I_STRESS_LOG = 4 };

/* ---- pe.c ---- */
c4_err c4i_pe_new(c4i_transport *net, c4_pe **out);
void c4i_pe_free(c4_pe *pe);
/* Virtual time, for the simulator. */
void c4i_pe_set_clock(c4_pe *pe, uint64_t (*now_ns)(void *), void *arg);
uint64_t c4i_now_ns(const c4_pe *pe);
/* When the next timer is due, on that clock; UINT64_MAX: there is none. */
uint64_t c4i_pe_next_timer(const c4_pe *pe);
/* True once the PE has left; *status is the job's. */
bool c4i_pe_ended(const c4_pe *pe, int *status);
void c4i_pe_set_arity(c4_pe *pe, uint32_t arity);       /* before the first collection */
void c4i_pe_counts(const c4_pe *pe, uint64_t *created, uint64_t *processed);
/* C4_OK if no queue, buffer or table holds anything; else text says what. */
c4_err c4i_pe_leftovers(c4_pe *pe, char *text, size_t n);
/* malloc and friends that abort with a message: for small internal structures. */
void *c4i_alloc(size_t n);
void *c4i_realloc(void *p, size_t n);
/* Says so and aborts. */
void c4i_no_memory(size_t n) __attribute__((noreturn));
/* Appends v to a vector of uint64_t. */
void c4i_push_u64(uint64_t **v, size_t *n, size_t *cap, uint64_t x);
/* The tree of PEs for a root. */
uint32_t c4i_tree_parent(const c4_pe *pe, uint32_t root);
uint32_t c4i_tree_nkids(const c4_pe *pe, uint32_t root);
uint32_t c4i_tree_kid(const c4_pe *pe, uint32_t root, uint32_t i);
/* Which child of this PE is `of`. */
uint32_t c4i_tree_kid_no(const c4_pe *pe, uint32_t root, uint32_t of);
uint32_t c4i_stress_rand(c4_pe *pe, uint32_t below);

/* ---- message.c ---- */
c4i_msg *c4i_msg_new(c4_pe *pe);
void c4i_msg_free(c4_pe *pe, c4i_msg *m);               /* header and payload */
void c4i_msg_drop(c4_pe *pe, c4i_msg *m);               /* payload only */
/* A queued copy of a message; takes its payload over. */
c4i_msg *c4i_msg_keep(c4_pe *pe, c4i_msg *m);

static inline void
c4i_queue_init(c4i_queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
}

static inline void
c4i_queue_push(c4i_queue *q, c4i_msg *m)
{
    m->next = NULL;
    *q->tail = m;
    q->tail = &m->next;
}

static inline c4i_msg *
c4i_queue_pop(c4i_queue *q)
{
    c4i_msg *m = q->head;

    if (!m)
        return NULL;
    q->head = m->next;
    if (!q->head)
        q->tail = &q->head;
    return m;
}

/* Sends a new message; w->src and counting are filled in.  To this PE: queued. */
void c4i_post(c4_pe *pe, uint32_t dst, c4i_wire *w, const struct iovec *iov, int niov);
void c4i_post_data(c4_pe *pe, uint32_t dst, c4i_wire *w, const void *data, size_t len);
/* Sends a message on that was counted before; consumes its payload. */
void c4i_forward(c4_pe *pe, uint32_t dst, c4i_msg *m);
void c4i_encode_ref(c4_pe *pe, c4i_msg *m);
c4i_wire c4i_wire_for(enum c4i_kind kind, c4_coll coll);

/* ---- collection.c ---- */
c4i_coll *c4i_coll_search(c4_pe *pe, c4_coll id);

static inline c4i_coll *
c4i_coll_find(c4_pe *pe, c4_coll id)
{
    c4i_coll *c = pe->last_coll;

    return c && c->id == id ? c : c4i_coll_search(pe, id);
}

void c4i_on_create(c4_pe *pe, c4i_msg *m);
void c4i_pend(c4_pe *pe, c4i_msg *m);
void c4i_coll_free(c4_pe *pe, c4i_coll *c);
bool c4i_group_has(const c4i_coll *c, uint64_t on_pe);
/* The number of a new collection or section; 0: there are too many. */
uint32_t c4i_new_number(c4_pe *pe);

/* ---- index.c ---- */
#define C4I_GROWN ((uint64_t)1 << 63)
static inline bool
c4i_is_grown(const c4i_coll *c, uint64_t key)
{
    return key & C4I_GROWN && !c->sparse && c->kind == C4_KIND_ARRAY;
}

bool c4i_is_sparse(const c4_index *dims);
c4_index c4i_index_of_key(const c4i_coll *c, uint64_t key);
uint32_t c4i_home(c4_pe *pe, c4i_coll *c, uint64_t key);
/* The PE that the array's map gives. */
uint32_t c4i_map_home(c4_pe *pe, c4i_coll *c, const c4_index *index);
/* The first key of a PE's block of a dense array. */
uint64_t c4i_block_first(const c4_pe *pe, const c4i_coll *c, uint32_t of);

/* ---- insert.c ---- */
void c4i_on_insert(c4_pe *pe, c4i_coll *c, c4i_msg *m);
void c4i_on_ctor(c4_pe *pe, c4i_coll *c, c4i_msg *m);
void c4i_on_closed(c4_pe *pe, c4i_coll *c, c4i_msg *m);

/* ---- element.c ---- */
/* index: NULL in a dense collection, where the key tells it. */
c4i_elem *c4i_elem_new(c4i_coll *c, uint64_t key, const c4_index *index);
void c4i_elem_free(c4_pe *pe, c4i_elem *e);
void c4i_elem_link(c4_pe *pe, c4i_elem *e);             /* local from now on */
void c4i_elem_made(c4_pe *pe, c4i_elem *e);            /* tells the recorder that e is new */
void c4i_elem_unlink(c4_pe *pe, c4i_elem *e);
/* Runs entry of e; the caller does nothing with e or m afterwards but
 * c4i_msg_drop(). */
void c4i_execute(c4_pe *pe, c4i_elem *e, uint16_t entry, c4_call *call, const c4_cause *cause);
void c4i_charge(c4_pe *pe);
uint64_t c4i_read_cpu(c4_pe *pe, c4i_cpuspan *span);    /* returns when; span: OPTIONAL */
void c4i_after_execution(c4_pe *pe, c4i_elem *e);
/* Delivers a message to a local element in order. */
void c4i_deliver(c4_pe *pe, c4i_elem *e, c4i_msg *m);

/* ---- inbox.c ---- */
/* Is it m's turn?  If not it is kept, with its payload, until it is. */
bool c4i_inbox_take(c4_pe *pe, c4i_inbox *in, c4i_msg *m);
void c4i_inbox_pack(c4_pe *pe, c4_buf *b, c4i_inbox *in);       /* in stays as it is */
void c4i_inbox_unpack(c4_pe *pe, c4i_inbox *in, c4_pup *p);
void c4i_inbox_release(c4_pe *pe, c4i_inbox *in);

/* ---- cause.c ---- */
/* Tells the recorder of a message: gives it its number; returns when, in ticks. */
uint64_t c4i_record_sent(c4_pe *pe, c4i_wire *w, unsigned kind, uint32_t dst, uint64_t nbytes);
static inline c4_cause
c4i_cause_of(const c4_pe *pe, const c4i_msg *m)
{
    return (c4_cause){ .pe = m->w.src, .trace = m->w.trace, .nbytes = m->len,
                       .arrived = m->arrived, .local = m->w.src == pe->me && !m->w.away };
}

/* A message, or an event, is handled now that makes no execution begin itself. */
void c4i_handling(c4_pe *pe, const c4_cause *c);
/* m is handled now. */
void c4i_note_message(c4_pe *pe, const c4i_msg *m);

/* ---- location.c ---- */
enum { C4I_HOPS_UNSENT = 255 };             /* of a call that has no order number yet */
enum { C4I_HOME_HERE, C4I_HOME_GONE };      /* c4i_wire.entry of HOME: it is at src; it was destroyed,
                                             * and here is its inbox */
void c4i_route(c4_pe *pe, c4i_coll *c, c4i_msg *m);
void c4i_resend(c4_pe *pe, c4i_coll *c, c4i_msg *m);
/* Gives a new message for element w->elem its order number and epoch; returns
 * the PE that it goes to first. */
uint32_t c4i_address(c4_pe *pe, c4i_coll *c, c4i_wire *w);
c4_err c4i_check_elem(c4_pe *pe, const c4i_coll *c, uint64_t key);
void c4i_learn(c4_pe *pe, c4i_coll *c, uint64_t key, uint32_t at, uint32_t ep);
void c4i_on_home(c4_pe *pe, c4i_coll *c, c4i_msg *m);
void c4i_reroute(c4_pe *pe, c4i_loc *loc);
void c4i_park(c4_pe *pe, c4i_loc *loc, c4i_msg *m);
void c4i_pursue(c4_pe *pe, c4i_coll *c, c4i_loc *loc, c4i_msg *m);
void c4i_move(c4_pe *pe, c4i_elem *e, uint32_t to, int why);
void c4i_on_migrate(c4_pe *pe, c4i_coll *c, c4i_msg *m);
/* e is destroyed; nothing of it is running, and it has caught up. */
void c4i_end(c4_pe *pe, c4i_elem *e);

/* ---- broadcast.c ---- */
void c4i_on_breq(c4_pe *pe, c4i_coll *c, c4i_msg *m);
void c4i_on_bcast(c4_pe *pe, c4i_coll *c, c4i_msg *m);
void c4i_on_blow(c4_pe *pe, c4i_coll *c, c4i_msg *m);
void c4i_on_ack(c4_pe *pe, c4i_coll *c, c4i_msg *m);
void c4i_on_bdone(c4_pe *pe, c4i_coll *c, c4i_msg *m);
/* One broadcast that e has not executed; false: none. */
bool c4i_catch_up(c4_pe *pe, c4i_elem *e);
void c4i_unacked_add(c4i_coll *c, uint64_t seen);
void c4i_issued_add(c4i_coll *c, int64_t n, uint64_t seen);
void c4i_low_check(c4_pe *pe, c4i_coll *c);
void c4i_task_add(c4_pe *pe, c4i_task *t, uint64_t low);
void c4i_task_end(c4_pe *pe, c4i_task *t);              /* unlinks, keeps the struct */
void c4i_bcast_release(c4_pe *pe, c4i_coll *c);
/* Completion of broadcast b (0: the creation): it has come; an execution of it
 * begins here; one has ended (counts), or the loop over local elements. */
void c4i_bcast_await(c4_pe *pe, c4i_coll *c, const c4i_bcast *bc, int64_t issued);
void c4i_bcast_start(c4_pe *pe, c4i_coll *c, uint64_t b, uint8_t flags);
void c4i_bcast_finish(c4_pe *pe, c4i_coll *c, uint64_t b, bool counts);

/* ---- reduction.c ---- */
void c4i_red_init(c4_pe *pe, c4i_red *r, uint8_t kind, c4_coll coll, uint32_t root);
void c4i_red_release(c4i_red *r);
void c4i_red_join(c4i_red *r, uint64_t next);           /* a local element more */
void c4i_red_leave(c4i_red *r, uint64_t next);
void c4i_red_step(c4i_red *r, uint64_t made);
void c4i_red_check(c4_pe *pe, c4i_red *r);
void c4i_red_contribute(c4_pe *pe, c4i_red *r, c4i_elem *e, c4i_mark *mark, uint16_t reducer,
                        const void *data, size_t len, const c4_callback *cb);
/* e has ended: its record stands for the contribution that it owes. */
void c4i_red_end(c4i_red *r, const c4i_mark *mark);
void c4i_on_red(c4_pe *pe, c4i_red *r, c4i_msg *m);
void c4i_parts_take(c4i_parts *p, c4i_part *out);       /* the first one */
void c4i_part_release(c4i_part *p);
uint64_t c4i_red_late(c4i_red *r);
void c4i_red_admit(c4i_red *r);
void c4i_red_complete(c4_pe *pe, c4i_red *r);           /* root: all that are */
c4_err c4i_check_callback(c4_pe *pe, const c4_callback *cb);
void c4i_red_single(c4_pe *pe, c4i_red *r);
uint64_t c4i_red_promise(const c4_pe *pe, const c4i_red *r);
enum { C4I_RED_APPEND = C4_RED_BUILTIN, C4I_RED_NBUILTIN };    /* bytes one after the other */
c4_err c4i_reducers_init(c4_pe *pe);

/* ---- section.c ---- */
enum { C4I_ENTRY_JOIN = 0xfff8 };           /* a member learns that it is one */
c4i_section *c4i_section_get(c4_pe *pe, c4_section id);
void c4i_on_section_request(c4_pe *pe, c4i_msg *m);
void c4i_on_section_red(c4_pe *pe, c4i_msg *m);
void c4i_sections_wake(c4_pe *pe);                      /* a collection has become known */
/* e hears from its root, by m, that it is a member. */
void c4i_section_join(c4_pe *pe, c4i_elem *e, const c4i_msg *m);
bool c4i_section_marked(const c4i_elem *e, c4_section id);
c4_err c4i_section_contribute(c4_pe *pe, c4i_elem *e, c4_section id, uint16_t reducer,
                              const void *data, size_t len, const c4_callback *cb);
void c4i_sections_link(c4_pe *pe, c4i_elem *e);         /* e is here with its marks */
void c4i_sections_unlink(c4_pe *pe, c4i_elem *e);
void c4i_sections_check(c4_pe *pe, const c4i_smark *mark, uint32_t n);
c4i_place *c4i_section_place(const c4i_section *s, c4_chare who);
c4_err c4i_section_leftovers(const c4_pe *pe, char *text, size_t n);
void c4i_report_sections(const c4_pe *pe);
void c4i_sections_release(c4_pe *pe);

/* ---- multicast.c ---- */
/* Root: a request becomes copies for the members. */
void c4i_section_spread(c4_pe *pe, c4i_section *s, c4i_msg *m);
void c4i_on_section_cast(c4_pe *pe, c4i_msg *m);
void c4i_on_section_done(c4_pe *pe, c4i_msg *m);
void **c4i_shared_cache(c4i_shared *s, const c4_binding *binding);
void c4i_shared_drop(c4_pe *pe, c4i_shared *s);
void c4i_section_start(c4_pe *pe, const c4i_msg *m, c4_done *done);
void c4i_section_finish(c4_pe *pe, const c4_done *done, const struct iovec *iov, int niov,
                        bool is_error);

/* ---- quiescence.c ---- */
void c4i_on_qd(c4_pe *pe, c4i_msg *m);
void c4i_qd_idle(c4_pe *pe);                            /* nothing to do just now */
void c4i_stall_check(c4_pe *pe);

/* ---- lost.c ---- */
enum { C4I_QD_LOST = 3 };                   /* c4i_wire.entry of QD */
void c4i_on_lost(c4_pe *pe, c4i_msg *m);
void c4i_lost_ask(c4_pe *pe);                           /* PE 0 tells which elements have not called */
uint64_t c4i_lost_wait(c4_pe *pe);                      /* ns for which PE 0 may sleep, when idle */
void c4i_lost_check(c4_pe *pe);                         /* PE 0 has slept */
void c4i_lost_release(c4_pe *pe);

/* ---- waiting.c ---- */
uint64_t c4i_nparked(const c4_pe *pe);                  /* messages for elements that are not known */
/* What this PE waits for, one line each, to stderr: the job has stalled. */
void c4i_report_waiting(c4_pe *pe);
/* Elements that messages were sent to but that were not there: the job ends. */
void c4i_report_end(c4_pe *pe);

/* ---- sync.c ---- */
void c4i_sync_init(c4_pe *pe);
void c4i_sync_release(c4_pe *pe);
void c4i_sync_check(c4_pe *pe);                         /* root: is a round complete? */
void c4i_sync_close_check(c4_pe *pe);                   /* heard the children, insertion closed */
void c4i_on_sync_close(c4_pe *pe, c4i_msg *m);
void c4i_on_sync_go(c4_pe *pe, c4i_msg *m);
void c4i_sync_arrived(c4_pe *pe, c4i_elem *e);
void c4i_sync_joined(c4_pe *pe, c4i_elem *e, uint64_t birth);
void c4i_sync_left(c4_pe *pe, c4i_elem *e);
/* n elements will be made by a call on this PE; their first round. */
uint64_t c4i_sync_issue(c4_pe *pe, uint64_t n);
void c4i_sync_local_check(c4_pe *pe);

/* ---- future.c, timer.c, exit.c, sched.c ---- */
void c4i_on_future(c4_pe *pe, c4i_msg *m);
void c4i_future_lost(c4_pe *pe, c4_future future);      /* who would send the value is gone */
c4_err c4i_check_future(c4_pe *pe, c4_future future);   /* 0 is none, and fine */
void c4i_futures_release(c4_pe *pe);
void c4i_posted_run(c4_pe *pe);                         /* values from other threads */
size_t c4i_futures_open(const c4_pe *pe);
bool c4i_timers_run(c4_pe *pe);                         /* one that is due */
uint64_t c4i_timers_wait(const c4_pe *pe);              /* ns until the next; UINT64_MAX: none */
void c4i_on_exit(c4_pe *pe, c4i_msg *m);
_Noreturn void c4i_leave(c4_pe *pe, int status);        /* the process, at once */
uint64_t c4i_impatient(c4_pe *pe);
void c4i_be_patient(c4_pe *pe, int status);
void c4i_on_start(c4_pe *pe, c4i_msg *m);
bool c4i_step_one(c4_pe *pe);
/* Handles one message, which is the caller's to free. */
void c4i_handle(c4_pe *pe, c4i_msg *m);
/* The same, but behind messages that wait for the same collection. */
void c4i_admit(c4_pe *pe, c4i_msg *m);
void c4i_user_error(c4_pe *pe, c4_err err);

static inline c4_chare
c4i_chare_of(const c4i_elem *e)
{
    return (c4_chare){ e->key, e->coll->id };
}

#endif
