/*
 * c4_lb.h - all that a load-balancing strategy sees.
 *
 * A strategy maps objects to PEs.  It knows nothing of the runtime, so the
 * same compiled code runs inside a job and on recorded loads.  A plugin is a
 * shared object that exports one data symbol:
 *
 *     const c4_lb *const c4_lb_plugin[] = { &mine, NULL };
 *
 * Build it with `pkg-config --cflags c4`; nothing needs to be linked.
 */
#ifndef C4_LB_H
#define C4_LB_H

#include <stddef.h>
#include <stdint.h>

#include <c4_err.h>

#ifdef __cplusplus
extern "C" {
#endif

#define C4_LB_ABI 1u
#define C4_LB_SYMBOL "c4_lb_plugin"

/* A seeded generator: splitmix64 (Steele, Lea, Flood, 2014).  The only source
 * of randomness that a strategy may use. */
typedef struct c4_lb_rng {
    uint64_t state;
} c4_lb_rng;

static inline uint64_t
c4_lb_rand(c4_lb_rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0, n), n > 0, without bias (Lemire, 2019). */
static inline uint32_t
c4_lb_below(c4_lb_rng *r, uint32_t n)
{
    uint64_t m = (c4_lb_rand(r) >> 32) * n;

    if ((uint32_t)m < n) {
        uint32_t least = -n % n;

        while ((uint32_t)m < least)
            m = (c4_lb_rand(r) >> 32) * n;
    }
    return (uint32_t)(m >> 32);
}

/* Who talks to whom, compressed sparse rows: object i sends to
 * peer[first[i] .. first[i+1]-1].  Empty (first == NULL) unless asked for. */
typedef struct c4_lb_graph {
    const uint32_t *first;                  /* [nobjs + 1] */
    const uint32_t *peer;
    const uint64_t *nmessages, *nbytes;
} c4_lb_graph;

typedef struct c4_lb_cost {
    double message_s, byte_s;               /* within a host */
    double remote_message_s, remote_byte_s; /* between hosts */
    double migration_s, migration_byte_s;
} c4_lb_cost;

/* The caller owns the arrays; they stay valid and unchanged during solve().
 * Loads and background are finite, >= 0 and at most 1e100, so that sums stay
 * finite; speeds are > 0; pe_of[i] < npes; npes > 0.  nobjs may be 0. */
typedef struct c4_lb_problem {
    uint32_t        npes, nobjs;
    const double   *load;                   /* [nobjs] seconds, or the chosen metric, since the last step */
    const uint32_t *pe_of;                  /* [nobjs] where each object is now */
    const uint8_t  *movable;                /* [nobjs] */
    const uint64_t *bytes;                  /* [nobjs] size when packed; 0 where unknown */
    const float    *position;               /* [nobjs * ndims] from the index; NULL where there is none */
    uint32_t        ndims;
    const double   *background;             /* [npes] load that no object accounts for */
    const double   *speed;                  /* [npes] relative, 1.0 is the mean */
    const uint32_t *host_of;                /* [npes] */
    c4_lb_graph     comm;
    c4_lb_cost      cost;
    c4_lb_rng      *rng;
} c4_lb_problem;

/* A typed option of a strategy, a row of data; parsed values are stored at
 * offset in a zeroed block of c4_lb.options_size bytes.  Users give it as
 * NAME,option=value. */
enum c4_lb_option_kind { C4_LB_DOUBLE, C4_LB_UINT, C4_LB_BOOL };
typedef struct c4_lb_option {
    const char            *name;            /* NULL ends the list */
    const char            *initial;         /* default, as text */
    const char            *help;
    enum c4_lb_option_kind kind;
    size_t                 offset;          /* of a double, uint32_t or uint8_t */
    double                 min, max;        /* what is accepted; both 0: no limit */
} c4_lb_option;

enum {                                      /* c4_lb.needs */
    C4_LB_NEEDS_COMM = 1,                   /* the communication graph */
    C4_LB_NONDETERMINISTIC = 2
};

typedef struct c4_lb {
    uint32_t            abi;                /* C4_LB_ABI */
    uint32_t            needs;
    const char         *name;               /* GreedyLB; the LB may be left out by users */
    const char         *help;               /* one line */
    const c4_lb_option *options;            /* OPTIONAL */
    size_t              options_size;
    /* Fills pe_new[nobjs], which comes as a copy of pe_of.  opt points to the
     * parsed options, NULL if there are none.  Any error leaves the present
     * mapping in force, as does an answer that moves what is not movable.
     * Keeps no state between calls: the same problem and seed, the same answer. */
    c4_err            (*solve)(const c4_lb_problem *p, const void *opt, uint32_t *pe_new);
} c4_lb;

#ifdef __cplusplus
}
#endif
#endif
