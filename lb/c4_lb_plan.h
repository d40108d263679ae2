/*
 * c4_lb_plan.h - a plan in the making: objects by weight, PEs by finish time.
 *
 * OPTIONAL for strategies: what most of them keep beside the mapping.
 * c4_lb_rank() lists the objects worth moving, heaviest first.  A c4_lb_pes
 * begins with each PE's background load, is charged with objects one by one
 * and answers "who would finish this object first?".  All inline, so that a
 * plugin has nothing to link.
 *
 * Invariant: slot[] is a binary heap of PE numbers by (finish_s, PE), and
 * slot[where[pe]] == pe.
 * Cost: charge O(log p); earliest O(1) with equal speeds, else O(p).
 */
#ifndef C4_LB_PLAN_H
#define C4_LB_PLAN_H

#include <stdlib.h>

#include "c4_lb.h"

/* ---- Objects ------------------------------------------------------------ */

/* Copied out of the problem so that sorting touches 16 bytes an object. */
typedef struct c4_lb_ranked {
    double   load;
    uint32_t obj;
} c4_lb_ranked;

static inline int
c4_lb_heavier_first(const void *a, const void *b)
{
    const c4_lb_ranked *x = (const c4_lb_ranked *)a, *y = (const c4_lb_ranked *)b;

    if (x->load != y->load)
        return x->load < y->load ? 1 : -1;
    return x->obj < y->obj ? -1 : 1;
}

/* Is there anything to gain from moving object i? */
static inline int
c4_lb_counts(const c4_lb_problem *p, uint32_t i)
{
    return p->movable[i] && p->load[i] > 0;
}

/* The movable objects with a load, heaviest first, of equals the lower first.
 * r holds nobjs; returns how many were filled. */
static inline uint32_t
c4_lb_rank(const c4_lb_problem *p, c4_lb_ranked *r)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->nobjs; i++)
        if (c4_lb_counts(p, i)) {
            r[n].load = p->load[i];
            r[n++].obj = i;
        }
    qsort(r, n, sizeof(*r), c4_lb_heavier_first);
    return n;
}

/* The same objects by the PE where they are, heaviest first on each: those of
 * PE k go to out[first[k]] ... out[first[k + 1] - 1].  out holds n, first
 * holds npes + 1. */
static inline void
c4_lb_group(const c4_lb_problem *p, const c4_lb_ranked *r, uint32_t n,
            c4_lb_ranked *out, uint32_t *first)
{
    for (uint32_t pe = 0; pe <= p->npes; pe++)
        first[pe] = 0;
    for (uint32_t i = 0; i < n; i++)
        first[p->pe_of[r[i].obj] + 1]++;
    for (uint32_t pe = 0; pe < p->npes; pe++)
        first[pe + 1] += first[pe];
    for (uint32_t i = 0; i < n; i++)
        out[first[p->pe_of[r[i].obj]]++] = r[i];
    for (uint32_t pe = p->npes; pe > 0; pe--)
        first[pe] = first[pe - 1];
    first[0] = 0;
}

/* ---- PEs ---------------------------------------------------------------- */

typedef struct c4_lb_pes {
    double       *finish_s;                 /* [n] by PE, in the unit of the loads */
    const double *speed;                    /* [n] the problem's */
    uint32_t     *slot, *where;
    uint32_t      n;
    int           alike;                    /* all speeds are equal */
} c4_lb_pes;

static inline int
c4_lb_pes_before(const c4_lb_pes *s, uint32_t a, uint32_t b)
{
    if (s->finish_s[a] != s->finish_s[b])
        return s->finish_s[a] < s->finish_s[b];
    return a < b;
}

static inline void
c4_lb_pes_swap(c4_lb_pes *s, uint32_t i, uint32_t j)
{
    uint32_t a = s->slot[i], b = s->slot[j];

    s->slot[i] = b;
    s->slot[j] = a;
    s->where[b] = i;
    s->where[a] = j;
}

static inline void
c4_lb_pes_sift_down(c4_lb_pes *s, uint32_t i)
{
    for (;;) {
        uint32_t least = i, kid = 2 * i + 1;

        if (kid < s->n && c4_lb_pes_before(s, s->slot[kid], s->slot[least]))
            least = kid;
        if (kid + 1 < s->n && c4_lb_pes_before(s, s->slot[kid + 1], s->slot[least]))
            least = kid + 1;
        if (least == i)
            return;
        c4_lb_pes_swap(s, i, least);
        i = least;
    }
}

static inline void
c4_lb_pes_sift_up(c4_lb_pes *s, uint32_t i)
{
    while (i > 0 && c4_lb_pes_before(s, s->slot[i], s->slot[(i - 1) / 2])) {
        c4_lb_pes_swap(s, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

/* Starts over from these finish times, for instance p->background. */
static inline void
c4_lb_pes_set(c4_lb_pes *s, const double *finish_s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        s->finish_s[i] = finish_s[i];
        s->slot[i] = s->where[i] = i;
    }
    for (uint32_t i = s->n / 2; i-- > 0; )
        c4_lb_pes_sift_down(s, i);
}

static inline void
c4_lb_pes_release(c4_lb_pes *s)
{
    free(s->finish_s);
    free(s->slot);
    free(s->where);
    s->finish_s = NULL;
    s->slot = s->where = NULL;
}

/* C4_ENOMEM leaves nothing to release (releasing is harmless). */
static inline c4_err
c4_lb_pes_init(c4_lb_pes *s, const c4_lb_problem *p)
{
    s->n = p->npes;
    s->speed = p->speed;
    s->alike = 1;
    s->finish_s = (double *)calloc(s->n, sizeof(*s->finish_s));
    s->slot = (uint32_t *)calloc(s->n, sizeof(*s->slot));
    s->where = (uint32_t *)calloc(s->n, sizeof(*s->where));
    if (!s->finish_s || !s->slot || !s->where) {
        c4_lb_pes_release(s);
        return C4_ENOMEM;
    }
    for (uint32_t i = 1; i < s->n; i++)
        if (s->speed[i] != s->speed[0])
            s->alike = 0;
    c4_lb_pes_set(s, p->background);
    return C4_OK;
}

/* When pe would finish if it got load in addition. */
static inline double
c4_lb_pes_with(const c4_lb_pes *s, uint32_t pe, double load)
{
    return s->finish_s[pe] + load / s->speed[pe];
}

/* The object with this load goes to pe. */
static inline void
c4_lb_pes_charge(c4_lb_pes *s, uint32_t pe, double load)
{
    s->finish_s[pe] = c4_lb_pes_with(s, pe, load);
    c4_lb_pes_sift_down(s, s->where[pe]);
}

/* The object with this load leaves pe. */
static inline void
c4_lb_pes_relieve(c4_lb_pes *s, uint32_t pe, double load)
{
    s->finish_s[pe] -= load / s->speed[pe];
    c4_lb_pes_sift_up(s, s->where[pe]);
}

/* The PE that would finish an object with this load first; of equals the
 * lowest. */
static inline uint32_t
c4_lb_pes_earliest(const c4_lb_pes *s, double load)
{
    uint32_t best = s->slot[0];

    if (s->alike)
        return best;
    for (uint32_t i = 0; i < s->n; i++) {
        double t = c4_lb_pes_with(s, i, load), t_best = c4_lb_pes_with(s, best, load);

        if (t < t_best || (t == t_best && i < best))
            best = i;
    }
    return best;
}

/* What c4_lb_rank() leaves out stays where it is, and counts. */
static inline void
c4_lb_pes_charge_pinned(c4_lb_pes *s, const c4_lb_problem *p)
{
    for (uint32_t i = 0; i < p->nobjs; i++)
        if (!c4_lb_counts(p, i))
            c4_lb_pes_charge(s, p->pe_of[i], p->load[i]);
}

/* When the last PE would finish. */
static inline double
c4_lb_pes_makespan(const c4_lb_pes *s)
{
    double last = s->finish_s[0];

    for (uint32_t i = 1; i < s->n; i++)
        if (s->finish_s[i] > last)
            last = s->finish_s[i];
    return last;
}

/* When all would finish if load could be cut at will: no plan is better. */
static inline double
c4_lb_ideal(const c4_lb_problem *p)
{
    double work = 0, speed = 0;

    for (uint32_t i = 0; i < p->nobjs; i++)
        work += p->load[i];
    for (uint32_t i = 0; i < p->npes; i++) {
        work += p->background[i] * p->speed[i];
        speed += p->speed[i];
    }
    return work / speed;
}

#endif
