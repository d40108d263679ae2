/*
 * greedyrefine.c - as good as greedy within a tolerance, with few moves.
 *
 * The aim of Charm++'s GreedyRefineLB by another way.  One run of Graham's
 * rule tells which makespan M can be reached; tolerance * M is the limit.
 * Every PE that finishes after the bar, at first the limit, sheds objects down
 * to it.  What was shed is placed by Graham's rule: heaviest first, where it
 * finishes earliest.  If a PE then ends after the limit, a lower bar is tried.
 *
 * Which objects are shed?  First the lightest that suffices alone, else the
 * heaviest, so that few go.  Where objects are too heavy for the room that is
 * left elsewhere, the lightest (as Charm++ does; in lb_bench that moves seven
 * times as many).  At last all, which is Graham's plan itself.
 *
 * Holds:    The plan ends by tolerance * M.  If the present mapping does,
 *           nothing moves; so a plan is never worse than what it replaces.
 * Cost:     O(n log n) to sort, then at most NBARS passes of O(n log p), with
 *           unequal PEs O(n p); O(n + p) memory.
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

enum shed_what { FEW, LIGHT, ALL };
enum { NBARS = 4 };                         /* tried with FEW, and with LIGHT */

struct work {
    c4_lb_pes     pes;
    c4_lb_ranked *r, *of_pe;                /* [n] by load; by PE, then by load */
    uint32_t     *first;                    /* [npes + 1] into of_pe */
    uint32_t      n;
    uint8_t      *shed;                     /* [nobjs] leaves its PE */
    double       *pinned_s, *left_s;        /* [npes] finish times without what can move; what is shed */
};

/* Finish times of what is not shed: summed up anew, in one order, so that
 * rounding does not depend on the way here. */
static void
sum_up(const c4_lb_problem *p, struct work *w)
{
    memcpy(w->left_s, w->pinned_s, p->npes * sizeof(*w->left_s));
    for (uint32_t i = 0; i < w->n; i++) {
        uint32_t obj = w->r[i].obj, pe = p->pe_of[obj];

        if (!w->shed[obj])
            w->left_s[pe] += w->r[i].load / p->speed[pe];
    }
}

/* Marks what has to leave pe, which now finishes at left_s, to finish by bar_s. */
static void
shed_few(const c4_lb_problem *p, struct work *w, uint32_t pe, double left_s, double bar_s)
{
    uint32_t end = w->first[pe + 1];

    for (uint32_t i = w->first[pe]; i < end && left_s > bar_s; i++) {
        double excess = (left_s - bar_s) * p->speed[pe];

        while (i + 1 < end && w->of_pe[i + 1].load >= excess)
            i++;
        w->shed[w->of_pe[i].obj] = 1;
        left_s -= w->of_pe[i].load / p->speed[pe];
    }
}

static void
shed_light(const c4_lb_problem *p, struct work *w, uint32_t pe, double left_s, double bar_s)
{
    for (uint32_t i = w->first[pe + 1]; i-- > w->first[pe] && left_s > bar_s; ) {
        w->shed[w->of_pe[i].obj] = 1;
        left_s -= w->of_pe[i].load / p->speed[pe];
    }
}

static void
shed_all_pes(const c4_lb_problem *p, struct work *w, enum shed_what what, double bar_s)
{
    memset(w->shed, 0, p->nobjs);
    if (what == ALL) {
        for (uint32_t i = 0; i < w->n; i++)
            w->shed[w->r[i].obj] = 1;
        return;
    }
    sum_up(p, w);
    for (uint32_t pe = 0; pe < p->npes; pe++)
        (what == FEW ? shed_few : shed_light)(p, w, pe, w->left_s[pe], bar_s);
}

/* Returns the makespan of the plan. */
static double
plan_for(const c4_lb_problem *p, struct work *w, enum shed_what what, double bar_s,
         uint32_t *pe_new)
{
    shed_all_pes(p, w, what, bar_s);
    sum_up(p, w);
    c4_lb_pes_set(&w->pes, w->left_s);
    for (uint32_t i = 0; i < w->n; i++) {
        uint32_t obj = w->r[i].obj;

        pe_new[obj] = p->pe_of[obj];
        if (!w->shed[obj])
            continue;
        pe_new[obj] = c4_lb_pes_earliest(&w->pes, w->r[i].load);
        c4_lb_pes_charge(&w->pes, pe_new[obj], w->r[i].load);
    }
    return c4_lb_pes_makespan(&w->pes);
}

static void
plan(const c4_lb_problem *p, struct work *w, double tolerance, uint32_t *pe_new)
{
    static const double bars[NBARS] = { 1, 0.98, 0.93, 0.85 };
    double limit_s = tolerance * plan_for(p, w, ALL, 0, pe_new);

    for (int what = FEW; what < ALL; what++)
        for (int i = 0; i < NBARS; i++)
            if (plan_for(p, w, (enum shed_what)what, bars[i] * limit_s, pe_new) <= limit_s)
                return;
    plan_for(p, w, ALL, 0, pe_new);
}

static c4_err
greedyrefine_solve(const c4_lb_problem *p, const void *opt, uint32_t *pe_new)
{
    const struct greedyrefine_options *o = opt;
    uint32_t room = p->nobjs ? p->nobjs : 1;
    struct work w = { .r = calloc(room, sizeof(*w.r)) };
    c4_err err = C4_ENOMEM;

    w.of_pe = calloc(room, sizeof(*w.of_pe));
    w.first = calloc((size_t)p->npes + 1, sizeof(*w.first));
    w.shed = calloc(room, sizeof(*w.shed));
    w.pinned_s = calloc(p->npes, sizeof(*w.pinned_s));
    w.left_s = calloc(p->npes, sizeof(*w.left_s));
    if (!w.r || !w.of_pe || !w.first || !w.shed || !w.pinned_s || !w.left_s)
        goto out;
    err = c4_lb_pes_init(&w.pes, p);
    if (err)
        goto out;
    w.n = c4_lb_rank(p, w.r);
    c4_lb_group(p, w.r, w.n, w.of_pe, w.first);
    c4_lb_pes_charge_pinned(&w.pes, p);
    memcpy(w.pinned_s, w.pes.finish_s, p->npes * sizeof(*w.pinned_s));
    plan(p, &w, o->tolerance, pe_new);
    c4_lb_pes_release(&w.pes);
out:
    free(w.left_s);
    free(w.pinned_s);
    free(w.shed);
    free(w.first);
    free(w.of_pe);
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
