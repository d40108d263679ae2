/*
 * refine.c - takes objects off the overloaded PEs only, and few of them.
 *
 * After Charm++'s RefineLB.  A PE is overloaded if it finishes after the limit,
 * tolerance times the ideal.  Overloaded PEs, the latest first, give objects to
 * the PE that would finish them earliest, provided it ends by the limit: the
 * lightest object that suffices alone, else the heaviest that finds room.
 * Where the limit cannot be met, bisection finds a higher one that can.
 *
 * Holds:    PEs that are not overloaded lose nothing.  Never worse than before:
 *           a plan whose makespan is not lower is dropped.
 * Cost:     O(n log n) to sort, then at most NTRIES passes over the objects of
 *           overloaded PEs, O(log p) a move (O(p) with unequal speeds).
 * Ignores:  communication.  Moves one object at a time: two that would have to
 *           change places stay.
 * Ties:     lower PE; lower object.
 */
#include <stdlib.h>
#include <string.h>

#include "c4_lb.h"
#include "c4_lb_plan.h"

struct refine_options {
    double tolerance;
};

static const c4_lb_option refine_options[] = {
    { .name = "tolerance", .initial = "1.02",
      .help = "a PE is overloaded from this multiple of the ideal makespan on",
      .kind = C4_LB_DOUBLE, .offset = offsetof(struct refine_options, tolerance),
      .min = 1, .max = 1e9 },
    { 0 }
};

enum { NTRIES = 12 };                       /* limits that are tried */

struct work {
    c4_lb_pes     pes;
    double       *now_s;                    /* [npes] finish times at present */
    c4_lb_ranked *objs;                     /* by PE, heaviest first ... */
    uint32_t     *first;                    /* [npes + 1] ... from here on */
    c4_lb_ranked *donors;                   /* PEs, the latest first */
    uint32_t     *trial;                    /* [nobjs] a mapping in the making */
};

/* Finish times of a mapping, summed in the order of the objects: two mappings
 * that share a PE's objects get the same figure for it. */
static double
finish_times(const c4_lb_problem *p, const uint32_t *pe_of, double *finish_s)
{
    double last = 0;

    memcpy(finish_s, p->background, p->npes * sizeof(*finish_s));
    for (uint32_t i = 0; i < p->nobjs; i++)
        finish_s[pe_of[i]] += p->load[i] / p->speed[pe_of[i]];
    for (uint32_t pe = 0; pe < p->npes; pe++)
        if (finish_s[pe] > last)
            last = finish_s[pe];
    return last;
}

static void
sort_donors(const c4_lb_problem *p, struct work *w)
{
    for (uint32_t pe = 0; pe < p->npes; pe++)
        w->donors[pe] = (c4_lb_ranked){ w->now_s[pe], pe };
    qsort(w->donors, p->npes, sizeof(*w->donors), c4_lb_heavier_first);
}

/* Moves objects away until the PE ends by limit_s; says whether it does. */
static int
unload(const c4_lb_problem *p, struct work *w, uint32_t donor, double limit_s)
{
    uint32_t end = w->first[donor + 1];

    for (uint32_t i = w->first[donor]; i < end; i++) {
        double excess = (w->pes.finish_s[donor] - limit_s) * p->speed[donor];
        uint32_t to;

        if (excess <= 0)
            return 1;
        while (i + 1 < end && w->objs[i + 1].load >= excess)
            i++;
        to = c4_lb_pes_earliest(&w->pes, w->objs[i].load);
        if (c4_lb_pes_with(&w->pes, to, w->objs[i].load) > limit_s)
            continue;
        w->trial[w->objs[i].obj] = to;
        c4_lb_pes_relieve(&w->pes, donor, w->objs[i].load);
        c4_lb_pes_charge(&w->pes, to, w->objs[i].load);
    }
    return w->pes.finish_s[donor] <= limit_s;
}

static int
try_limit(const c4_lb_problem *p, struct work *w, double limit_s)
{
    memcpy(w->trial, p->pe_of, p->nobjs * sizeof(*w->trial));
    c4_lb_pes_set(&w->pes, w->now_s);
    for (uint32_t i = 0; i < p->npes && w->donors[i].load > limit_s; i++)
        if (!unload(p, w, w->donors[i].obj, limit_s))
            return 0;
    return 1;
}

/* The plan for the lowest limit found goes to pe_new. */
static void
plan(const c4_lb_problem *p, struct work *w, double tolerance, uint32_t *pe_new)
{
    double now_s = finish_times(p, p->pe_of, w->now_s);
    double low_s = tolerance * c4_lb_ideal(p), high_s = now_s, limit_s = low_s;

    sort_donors(p, w);
    for (int i = 0; i < NTRIES && limit_s < high_s; i++) {
        if (try_limit(p, w, limit_s)) {
            memcpy(pe_new, w->trial, p->nobjs * sizeof(*pe_new));
            high_s = limit_s;
        } else {
            low_s = limit_s;
        }
        limit_s = low_s + (high_s - low_s) / 2;
    }
    if (finish_times(p, pe_new, w->now_s) >= now_s)
        memcpy(pe_new, p->pe_of, p->nobjs * sizeof(*pe_new));
}

static c4_err
refine_solve(const c4_lb_problem *p, const void *opt, uint32_t *pe_new)
{
    const struct refine_options *o = opt;
    uint32_t room = p->nobjs ? p->nobjs : 1;
    struct work w = { .now_s = calloc(p->npes, sizeof(*w.now_s)) };
    c4_lb_ranked *ranked = calloc(room, sizeof(*ranked));
    c4_err err = C4_ENOMEM;

    w.objs = calloc(room, sizeof(*w.objs));
    w.first = calloc((size_t)p->npes + 1, sizeof(*w.first));
    w.donors = calloc(p->npes, sizeof(*w.donors));
    w.trial = calloc(room, sizeof(*w.trial));
    if (!w.now_s || !ranked || !w.objs || !w.first || !w.donors || !w.trial)
        goto out;
    err = c4_lb_pes_init(&w.pes, p);
    if (err)
        goto out;
    c4_lb_group(p, ranked, c4_lb_rank(p, ranked), w.objs, w.first);
    plan(p, &w, o->tolerance, pe_new);
    c4_lb_pes_release(&w.pes);
out:
    free(w.trial);
    free(w.donors);
    free(w.first);
    free(w.objs);
    free(ranked);
    free(w.now_s);
    return err;
}

const c4_lb c4_lb_refine = {
    .abi          = C4_LB_ABI,
    .name         = "RefineLB",
    .help         = "takes objects off overloaded PEs only, and few of them",
    .options      = refine_options,
    .options_size = sizeof(struct refine_options),
    .solve        = refine_solve,
};
