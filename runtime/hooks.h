/*
 * hooks.h - what the runtime calls but does not know: a balancer and a
 * recorder.  With a hook unset each costs one predicted branch.
 *
 * Ticks are raw clock readings (clock.h turns them into ns since the job
 * began); all calls are on the PE's own thread.
 */
#ifndef C4I_HOOKS_H
#define C4I_HOOKS_H

#include "msg.h"

/* ---- Recorder ----------------------------------------------------------- */

/* One execution of an entry method, or a stretch of one between suspensions. */
typedef struct c4i_exec {
    const c4_type *type;                    /* NULL: the main function */
    uint16_t type_no;                       /* dense, from 0, in order of registration */
    uint16_t entry;                         /* or C4_ENTRY_... */
    uint16_t task;                          /* c4_task_kind(): it is a task, type and entry are not
                                             * what runs; 0: it is not */
    bool     resumed;                       /* not the first stretch */
    bool     woken;                         /* resumed, by cause; else it goes on after others */
    bool     suspended;                     /* not the last stretch */
    c4_coll  coll;
    uint64_t elem;
    uint64_t begin, end;                    /* ticks; stretches of a PE do not overlap */
    uint64_t send;                          /* ticks within [begin, end] spent sending */
    uint64_t lost, stopped;                 /* ticks within it when the PE waited for a core or was
                                             * stopped; the latter alone */
    int64_t  cpu_ns;                        /* below 0: not read */
    c4_cause cause;                         /* trace 0: of main alone */
} c4i_exec;

/* What is recorded like a message without being one, or is told apart from its kind. */
#define C4I_EVENT_LIST(X) \
    X(TIMER,   "timer")         /* set, until it is due */ \
    X(TASK,    "task")          /* handed to the pool, until it runs */ \
    X(VALUE,   "future")        /* FUTURE: a value that a program sends */ \
    X(REDUCED, "reduction")     /* FUTURE: a reduction's result */ \
    X(QUIET,   "quiescence")    /* FUTURE: the job is quiescent */

enum c4i_event {
    C4I_EVENT_FIRST = C4I_NKINDS - 1,
#define C4I_EVENT_ENUM(id, name) C4I_EVENT_##id,
    C4I_EVENT_LIST(C4I_EVENT_ENUM)
#undef C4I_EVENT_ENUM
    C4I_NRECORDED
};

typedef struct c4i_sent {                   /* a message was sent */
    const c4i_wire *w;                      /* trace number, target */
    uint8_t  kind;                          /* enum c4i_kind, or c4i_event */
    uint32_t dst;                           /* PE it was sent to first */
    uint64_t nbytes;
    uint64_t when;                          /* ticks */
    bool     by_execution;                  /* the running one sent it; else the runtime: */
    uint32_t cause_pe, cause;               /* when it handled this message; 0: before any */
} c4i_sent;

/* Kinds that programs send, as opposed to the runtime's own. */
static inline bool
c4i_is_programs(unsigned kind)
{
    const uint64_t kinds = 1u << C4I_CALL | 1u << C4I_INSERT | 1u << C4I_CTOR | 1u << C4I_BREQ
                         | 1u << C4I_BCAST | 1u << C4I_REDUCE | 1u << C4I_FUTURE | 1u << C4I_SREQ
                         | 1u << C4I_SCAST | UINT64_C(1) << C4I_SREDUCE
                         | UINT64_C(1) << C4I_EVENT_VALUE | UINT64_C(1) << C4I_EVENT_REDUCED
                         | UINT64_C(1) << C4I_EVENT_QUIET;

    return kinds >> kind & 1;
}

enum c4i_activity { C4I_ACT_IDLE, C4I_ACT_LB, C4I_ACT_MIGRATE_OUT, C4I_ACT_MIGRATE_IN,
                    C4I_ACT_REDUCE, C4I_NACTIVITIES };

enum c4i_object_event { C4I_OBJ_CREATED, C4I_OBJ_LEFT, C4I_OBJ_ARRIVED,
                        C4I_OBJ_DESTROYED };
enum { C4I_WHY_LB, C4I_WHY_USER };          /* of a migration */

typedef struct c4i_recorder {
    void *ctx;
    bool want_sent;                         /* call sent(), received(), handled(), resized() */
    void (*begin)(void *ctx);               /* OPTIONAL; user code is about to run, or to go on */
    void (*exec)(void *ctx, const c4i_exec *x);
    void (*sent)(void *ctx, const c4i_sent *s);
    /* A message came from another PE; nbytes: of its payload. */
    void (*received)(void *ctx, const c4i_wire *w, uint64_t nbytes);
    /* A message was handled that makes no execution begin by itself. */
    void (*handled)(void *ctx, const c4_cause *m);
    /* A message of this PE that was a reference has become bytes. */
    void (*resized)(void *ctx, uint32_t trace, uint64_t nbytes);
    /* OPTIONAL; a reading of the CPU clock: ns at ticks, since the thread began. */
    void (*cpu)(void *ctx, uint64_t ticks, uint64_t cpu_ns);
    /* OPTIONAL; tasks of this number are called so. */
    void (*task)(void *ctx, uint16_t task, const char *name, const char *file, unsigned line);
    void (*activity)(void *ctx, enum c4i_activity kind, uint64_t begin, uint64_t end);
    void (*type)(void *ctx, uint16_t type_no, const c4_type *type);
    void (*collection)(void *ctx, c4_coll coll, const c4_coll_info *info);
    /* index, home: of C4I_OBJ_CREATED, else NULL and no PE; peer: where it came
     * from or goes to; nbytes: packed size, 0 if unknown */
    void (*object)(void *ctx, enum c4i_object_event what, c4_chare who, const c4_index *index,
                   uint32_t home, uint32_t peer, uint64_t nbytes, int why, uint64_t when);
    void (*log)(void *ctx, int level, const char *text);
    /* an LB step's record, opaque to the runtime: lb/ writes, prof/ reads */
    void (*lb)(void *ctx, const void *record, size_t len);
    /* The job ends: flush.  Statistics stay readable until release. */
    void (*stop)(void *ctx, int status);
    void (*release)(void *ctx);
} c4i_recorder;

/* ---- Balancer ----------------------------------------------------------- */

/* One element's statistics, as the runtime gathers them. */
typedef struct c4i_lb_object {
    uint64_t elem;
    c4_coll  coll;
    uint32_t pe;
    double   wall_s, cpu_s;                 /* since the last step; cpu_s < 0: not measured */
    double   user_load;                     /* < 0: not given */
    uint64_t nbytes;                        /* packed size when last known, else 0 */
    uint16_t movable;
    uint16_t late;                          /* told after its PE was: its load is not in busy_s yet */
    uint32_t ndims;
    int64_t  index[C4_MAXDIMS];
    uint64_t ep;                            /* of two elements of one index: larger in the later */
} c4i_lb_object;

typedef struct c4i_lb_pe {
    uint32_t pe, nobjs;
    /* From the end of the last step's measuring, or the begin of the loop, to
     * that of this step's.  busy_s is the time whose loads are told in this
     * step: what an element did after AtSync, or before it came to this PE,
     * counts where and when its load does.  Without what was not the PE's own. */
    double   busy_s, idle_s;
    double   background_s;                  /* executions of objects that do not take part */
    double   wall_s;                        /* length of the interval */
} c4i_lb_pe;

typedef struct c4i_lb_move {
    uint64_t elem;
    c4_coll  coll;
    uint32_t to;
} c4i_lb_move;

typedef struct c4i_balancer {
    void *ctx;
    bool want_cpu;                          /* measure CPU time of each execution */
    /* On the deciding PE, in round `round` from 0: objects sorted by (coll,
     * elem), PEs by number.  Returns malloc'ed moves (the runtime frees them).
     * An error leaves everything in place. */
    c4_err (*decide)(void *ctx, c4_pe *pe, uint32_t round,
                     const c4i_lb_object *objs, uint32_t nobjs,
                     const c4i_lb_pe *pes, uint32_t npes,
                     c4i_lb_move **moves, uint32_t *nmoves);
    /* Every PE, when the decision is known and the elements resume. */
    void (*done)(void *ctx, c4_pe *pe, uint32_t round);
    void (*release)(void *ctx);
} c4i_balancer;

/* ---- What a hook may ask the PE ------------------------------------------ */

struct c4i_flags;                           /* flags.h */
struct c4i_clock;                           /* clock.h */
const struct c4i_flags *c4i_pe_flags(const c4_pe *pe);
struct c4i_clock *c4i_pe_clock(c4_pe *pe);
const char *c4i_pe_transport_name(const c4_pe *pe);
bool c4i_pe_oversubscribed(const c4_pe *pe);        /* more PEs than cores */
/* Ticks of idle time and of executions on this PE so far. */
void c4i_pe_times(const c4_pe *pe, uint64_t *idle, uint64_t *busy);

/* To be called between c4_init() and c4_loop(); the PE takes them over. */
void c4i_set_recorder(c4_pe *pe, const c4i_recorder *r);
void c4i_set_balancer(c4_pe *pe, const c4i_balancer *b);
const c4i_recorder *c4i_get_recorder(const c4_pe *pe);

#endif
