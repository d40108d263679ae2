/*
 * storm.h - a random program of chares, and a checker that knows everything.
 *
 * One run is decided by (kind, seed): the plan (how many PEs, which network,
 * which collections, how often which action), the program (chares that send,
 * move, insert, reduce ... at random while there is budget) and the schedule.
 * The checker stands outside the protocols: it keeps its own record of every
 * message, element, broadcast and reduction and compares with what the chares
 * see.  The first thing that is wrong stops the run.
 */
#ifndef STORM_H
#define STORM_H

#include "runtime/pe.h"
#include "runtime/sim.h"

enum {
    MAXPE = 8, MAXCOLL = 6, MAXSLOT = 64, MAXBCAST = 64, MAXRED = 24, MAXSYNC = 8,
    NEVENT = 256, MAXSECT = 4, MAXMEMBER = 24, MAXCAST = 32
};
enum { NONE = -1 };

enum kind { K_LOCATION, K_BROADCAST, K_REDUCTION, K_QUIESCENCE, K_ATSYNC, K_INSERTION, K_EXIT,
            K_MIXED, K_SECTION, NKINDS };

/* What an element or main code may do next. */
enum act { A_SEND, A_CALL, A_REF, A_MOVE, A_BCAST, A_AWAIT, A_RESULTS, A_REDUCE, A_SYNC, A_INSERT,
           A_PROMISE, A_QD, A_TIMER, A_FUTURE, A_SINGLE, A_SECTION, A_CAST, A_SREDUCE, A_DIE,
           NACTS };

/* Entry methods of all types. */
enum { E_NOTE, E_BCAST, E_RED, E_REDALL, E_CAST, NENTRIES };

/* Orders that a note can carry. */
enum op { OP_ACT, OP_QUIET, OP_CONTRIBUTE, OP_SYNC, OP_INSERT, OP_VALUE, OP_SREDUCE };

enum mapping { MAP_BLOCKS, MAP_ONE, MAP_SPARE, MAP_MIX };

struct plan {
    enum kind kind;
    uint32_t  npes, arity, nphases;
    c4i_sim_opts net;
    uint32_t  stress;                       /* C4I_STRESS_... of the runtime */
    unsigned  weight[NACTS];
    unsigned  move_after;                   /* percent: an element moves after a message */
    unsigned  move_back;                    /* ... of those: to where it came from */
    unsigned  move_contrib;                 /* percent: it moves after (or before) contributing */
    unsigned  defer;                        /* percent of calls to bound chares end later */
    unsigned  fan;                          /* mean number of actions a call, in percent */
    int       budget;                       /* actions in all */
    uint32_t  nsized;                       /* of nsparse: the array is made with these */
    uint32_t  ndense, nsparse, nearly;      /* elements; of nsparse: before done inserting */
    int       dims, sparse_dims;
    enum mapping map;
    bool      bound[MAXCOLL];
    bool      late_main;                    /* other code inserts after the end of insertion, too */
    bool      reuse;                        /* indexes of destroyed elements */
    bool      group, late_insert, with_lb, sync_dense, sync_sparse, nested_start;
    unsigned  lb_mode;
    uint32_t  ahead;                        /* most calls of AtSync before a resume, less one */
    uint32_t  nexit;                        /* PEs that call exit */
    uint64_t  exit_after;                   /* messages */
};

/* The record of one element. */
struct elem {
    uint64_t key;
    bool     wanted;                        /* will exist in the end */
    bool     inserted, born;
    bool     dying, dead;                   /* asked for its end; it is destroyed */
    uint32_t pe, came_from;                 /* last seen */
    uint32_t mark;                          /* what its state must say */
    uint32_t again;                         /* how many had its index before */
    uint32_t as;                            /* its index is that of slot `as`, which was there before */
    uint32_t heir;                          /* the slot that has its index now, or its own */
    /* by sending PE; of slot `as` for all that have its index: sent, due next, received */
    uint32_t sent[MAXPE], rcvd[MAXPE], got[MAXPE];
    uint32_t held;
    uint32_t red_birth, red_next;           /* reductions */
    uint64_t sync_birth;
    uint32_t nsync, nresume;                /* calls of AtSync; resumed */
    /* insertion: where and when, for the birth rule of broadcasts */
    uint32_t ins_pe, ins_clock;
    bool     by_main, late;                 /* late: by other code, after insertion was closed */
    uint32_t clock[MAXPE];                  /* vector clock of its last deed */
    uint64_t before;                        /* broadcasts that it must not see */
    uint64_t seen;                          /* ... that it executed */
    uint8_t  order[MAXBCAST];               /* in this order */
    uint32_t norder;
};

struct bcast {
    uint32_t pe, serial;                    /* issuer, its count of broadcasts to this collection */
    uint32_t clock[MAXPE];                  /* vector clock when issued */
    uint32_t on_pe;                         /* PEs on which someone executed it */
    uint32_t nexec, nfinished;
    bool     awaited, results, done;
};

struct reduction {
    uint32_t count;                         /* contributions */
    int64_t  sum, max, min;
    uint64_t who;                           /* slots that contributed */
    uint16_t reducer;
    c4_callback cb;
    bool     begun, done;
    uint64_t heard;                         /* C4_CB_BCAST: members that got it */
};

/* A call to a section; the bits of done_by are members. */
struct cast {
    uint32_t pe, serial;
    bool     awaited, results, done;
    uint32_t done_by, nfinished;
};

struct section {
    c4_section id;
    uint32_t   n, ncasts, nissued[MAXPE];
    uint32_t   coll[MAXMEMBER], slot[MAXMEMBER];
    uint32_t   norder[MAXMEMBER];
    uint8_t    order[MAXMEMBER][MAXCAST];
    struct cast cast[MAXCAST];
    uint32_t   red_next[MAXMEMBER];
    struct reduction red[MAXRED];
};

enum coll_kind { C_DENSE, C_SPARSE, C_GROUP, C_SINGLE };

struct coll {
    struct storm *storm;
    enum coll_kind kind;
    c4_coll   id;
    uint32_t  no, nslots;
    bool      bound, sync, closed;
    uint64_t  first_round;                  /* of AtSync, + 1: of elements that main inserts */
    c4_index  dims;
    uint32_t  maker;                        /* the PE that made it */
    uint32_t  nsized;                       /* C_SPARSE: made with so many elements; others lie outside */
    struct elem elem[MAXSLOT];
    struct bcast bcast[MAXBCAST];
    uint32_t  nbcast, nissued[MAXPE];
    struct reduction red[MAXRED];
    uint32_t  created_left;                 /* constructors still to run; UINT32_MAX: not watched */
    bool      created_done;
};

struct note_rec {                           /* a message to one element */
    uint32_t coll, slot, src, seq, len;
    uint32_t clock[MAXPE];
    bool     done;
    int      future;                        /* index, or NONE */
};

struct future_rec {
    c4_future id;
    uint32_t  pe, nvalues, ngot, nsent;
    uint64_t  expect;                       /* the value that is due */
    const struct elem *of;                  /* who is to send it: its death is an answer; or NULL */
};

struct qd_rec {
    uint64_t step;                          /* of the request */
    bool     fired;
};

struct timer_rec {
    struct storm *storm;
    uint32_t pe;
    uint64_t due;
    bool     fired;
    struct late *late;                      /* a deferred call to be finished */
};

struct late {                               /* a deferred call */
    c4_done  done;
    uint32_t pe, coll, slot;
    uint32_t *nfinished;                    /* counts the ends of a broadcast, or NULL */
    uint64_t value;
};

struct event {
    uint64_t step;
    const char *what;
    uint32_t pe, peer;
    uint64_t a, b, c, d;
};

/* Seen by the parent process, too: what is needed when a run dies. */
struct window {
    uint64_t seed, nruns, nevents;
    uint64_t hash;                          /* of all events of the run */
    uint64_t nfailed;
    uint64_t ndeaths, nheirs, nlate, nnotes, nmoves, nbcasts, nreds, nrounds, nqds, nexits, nsteps, nmessages;
    int      kind;
    char     why[400];
    struct event event[NEVENT];
};

struct storm {
    uint64_t      seed, rng;
    struct plan   plan;
    struct window *win;
    bool          verbose, failed;
    c4i_sim      *sim;
    struct coll   coll[MAXCOLL];
    uint32_t      ncolls;
    struct section sect[MAXSECT];
    uint32_t      nsects;
    c4_group      map;
    uint16_t      reducer;                  /* the storm's own */
    uint32_t      clock[MAXPE][MAXPE];      /* vector clocks */
    struct note_rec *note;
    size_t        nnotes, note_cap;
    struct future_rec *future;
    size_t        nfutures, future_cap;
    struct qd_rec *qd;
    size_t        nqd, qd_cap;
    struct timer_rec **timer;
    size_t        ntimers, timer_cap;
    struct late **late;
    size_t        nlate, late_cap;
    int           budget;
    uint64_t      step, quiet_step;
    int64_t       outstanding;              /* counted things that the checker knows of */
    uint64_t      nexecuted;
    uint64_t      rounds_resumed;           /* AtSync rounds < this have resumed someone */
    uint64_t      round_decided;
    uint32_t      nsync_open;               /* sync elements inserted but not constructed */
    uint32_t      promised;                 /* wanted, not inserted yet */
    bool          finishing;                /* no new actions */
    bool          exit_called[MAXPE];
    uint32_t      nexit_called;
    uint64_t      exit_statuses[4];         /* bit set of those given */
};

/* storm_plan.c */
extern const char *const kind_name[NKINDS];
void plan_make(struct storm *s, enum kind kind);
void plan_print(const struct storm *s);

/* storm_check.c: records and verdicts */
void fail(struct storm *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void event(struct storm *s, const char *what, uint32_t pe, uint32_t peer, uint64_t a, uint64_t b,
           uint64_t c, uint64_t d);
void print_events(const struct window *w);
uint32_t rnd(struct storm *s, uint32_t n);  /* below n */
bool chance(struct storm *s, unsigned percent);
void check_run(struct storm *s, c4_pe *pe); /* user code begins on pe */
/* An entry of an element begins; its state says mark. */
struct elem *check_elem(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t *mark);
void check_born(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t *mark);
void check_arrived(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t *mark);
void check_died(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot);
void check_note(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint64_t uid,
                size_t len);
void check_bcast(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t b);
void check_contribution(struct storm *s, struct coll *c, uint32_t slot, int64_t value);
void check_reduced(struct storm *s, struct coll *c, uint32_t r, const void *data, size_t len);
void check_result(struct storm *s, c4_pe *pe, const void *data, size_t len, bool all);
void check_resume(struct storm *s, struct coll *c, uint32_t slot);
/* The first round that e has not contributed to. */
uint64_t sync_told(const struct elem *e);
void check_issue(struct storm *s, struct coll *c, uint32_t slot, uint32_t pe, int parent);
void check_end(struct storm *s);
bool quiet_now(struct storm *s);
bool mortal(const struct storm *s, const struct coll *c, uint32_t slot);
/* May anyone call it?  Not an index outside of sizes before all know of it. */
bool reachable(const struct coll *c, uint32_t slot);
uint32_t nliving(const struct coll *c);     /* slots whose element is not destroyed */
void clock_tick(struct storm *s, uint32_t pe);
void clock_merge(uint32_t *into, const uint32_t *from);
uint64_t value_of(uint64_t uid);            /* what a call with this uid returns */
uint64_t bcast_value(uint32_t b, uint64_t key);

/* storm_chare.c: the program */
extern const c4_type storm_plain, storm_bound, storm_single, storm_map;
extern const c4_reducer storm_reducer;
struct coll *coll_add(struct storm *s, enum coll_kind kind, uint32_t nslots, bool bound);
c4_index slot_index(const struct coll *c, uint32_t slot);
uint64_t slot_key(const struct coll *c, uint32_t slot);
void send_note(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, enum op op, uint32_t arg);
void act(struct storm *s, c4_pe *pe, struct coll *c, int slot);
void insert_slot(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, int parent);
void contribute(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot);
void request_qd(struct storm *s, c4_pe *pe);
void call_exit(struct storm *s, c4_pe *pe);

bool ok(struct storm *s, c4_pe *pe, c4_err err, const char *what);
struct coll *choose_elem(struct storm *s, uint32_t *slot);
struct coll *choose_immortal(struct storm *s, uint32_t *slot);

/* storm_section.c */
void section_make(struct storm *s, c4_pe *pe);
void section_cast(struct storm *s, c4_pe *pe);
/* A member runs a call; the counter of its end, and in *value its result. */
uint32_t *section_called(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot,
                         const void *data, size_t len, uint64_t *value);
/* The running element contributes to reductions of section no up to r. */
void section_contribute(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot, uint32_t no,
                        uint32_t r);
void section_contribute_some(struct storm *s, c4_pe *pe, struct coll *c, uint32_t slot);
void sections_finish(struct storm *s, c4_pe *(*some_pe)(struct storm *s));
void sections_check_end(struct storm *s);

/* storm_run.c: one run; true if all was right */
bool storm_run(struct window *w, enum kind kind, uint64_t seed, int npes, bool verbose);

#endif
