/*
 * greedyrefine.c - as good as greedy within a tolerance, with fewer moves.
 *
 * The idea of Charm++'s GreedyRefineLB.  One run of Graham's rule tells which
 * makespan M can be reached.  Then, heaviest object first: it stays if its PE
 * would still finish by the limit, tolerance * M; else it goes to the PE that
 * would finish it earliest.  What stays fills PEs up to the limit, so that the
 * last, light objects may not find room; then the same is done with a lower
 * bar for staying, and Graham's plan itself is the last resort.
 *
 * Holds:    The plan ends by tolerance * M.  If the present mapping does,
 *           nothing moves; so a plan is never worse than what it replaces.
 * Cost:     O(n log n + n log p) time, with unequal PEs O(n p); O(n + p) memory.
 * Ignores:  communication, and how large an object is.
 * Ties:     lower object, then lower PE.
 */
#include <stdlib.h>
#include <string.h>

#include "c4_lb.h"
#include "c4_lb_plan.h"

struct greedyrefine_options {
    double tolerance;
};

static const c4_lb_option greedyrefine_options[] = {
    { .name = "tolerance", .initial = "1.05",
      .help = "makespan that is good enough, as a multiple of what GreedyLB reaches",
      .kind = C4_LB_DOUBLE, .offset = offsetof(struct greedyrefine_options, tolerance),
      .min = 1, .max = 1e9 },
    { 0 }
};

enum { NBARS = 5 };                         /* heights of the bar that are tried */

struct work {
    c4_lb_pes     pes;
    c4_lb_ranked *r;
    uint32_t      n;                        /* ranked objects */
    double       *pinned_s;                 /* [npes] before anything is placed */
};

/* An object stays where its PE finishes by stay_s.  Returns the makespan. */
static double
place_all(const c4_lb_problem *p, struct work *w, double stay_s, uint32_t *pe_new)
{
    c4_lb_pes_set(&w->pes, w->pinned_s);
    for (uint32_t i = 0; i < w->n; i++) {
        uint32_t obj = w->r[i].obj, pe = p->pe_of[obj];

        if (c4_lb_pes_with(&w->pes, pe, w->r[i].load) > stay_s)
            pe = c4_lb_pes_earliest(&w->pes, w->r[i].load);
        pe_new[obj] = pe;
        c4_lb_pes_charge(&w->pes, pe, w->r[i].load);
    }
    return c4_lb_pes_makespan(&w->pes);
}

static void
plan(const c4_lb_problem *p, struct work *w, double tolerance, uint32_t *pe_new)
{
    const double nobody_stays = -1;
    double ideal_s = c4_lb_ideal(p);
    double limit_s = tolerance * place_all(p, w, nobody_stays, pe_new);

    for (int i = 0; i < NBARS; i++)
        if (place_all(p, w, limit_s - (limit_s - ideal_s) * i / NBARS, pe_new) <= limit_s)
            return;
    place_all(p, w, nobody_stays, pe_new);
}

static c4_err
greedyrefine_solve(const c4_lb_problem *p, const void *opt, uint32_t *pe_new)
{
    const struct greedyrefine_options *o = opt;
    struct work w = { .n = 0 };
    c4_err err = C4_ENOMEM;

    w.r = calloc(p->nobjs ? p->nobjs : 1, sizeof(*w.r));
    w.pinned_s = calloc(p->npes, sizeof(*w.pinned_s));
    if (!w.r || !w.pinned_s)
        goto out;
    err = c4_lb_pes_init(&w.pes, p);
    if (err)
        goto out;
    w.n = c4_lb_rank(p, w.r);
    c4_lb_pes_charge_pinned(&w.pes, p);
    memcpy(w.pinned_s, w.pes.finish_s, p->npes * sizeof(*w.pinned_s));
    plan(p, &w, o->tolerance, pe_new);
    c4_lb_pes_release(&w.pes);
out:
    free(w.pinned_s);
    free(w.r);
    return err;
}

const c4_lb c4_lb_greedyrefine = {
    .abi          = C4_LB_ABI,
    .name         = "GreedyRefineLB",
    .help         = "nearly as good as GreedyLB, moving only what must move",
    .options      = greedyrefine_options,
    .options_size = sizeof(struct greedyrefine_options),
    .solve        = greedyrefine_solve,
};
