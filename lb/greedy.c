/*
 * greedy.c - heaviest object first, onto the PE that would finish it earliest.
 *
 * Graham's LPT rule (1969).  With equal PEs, no background load and no pinned
 * object the makespan is at most 4/3 - 1/(3 npes) of the best.
 *
 * Cost:     O(n log n + n log p) time, with unequal PEs O(n p); O(n + p) memory.
 * Ignores:  communication, and where an object is now, so most objects move.
 *           Prefer greedyrefine.c where moving is not free, refine.c when the
 *           imbalance is small.
 * Ties:     lower object, then lower PE, so that a plan is reproducible.
 */
#include <stdlib.h>

#include "c4_lb.h"
#include "c4_lb_plan.h"

static c4_err
greedy_solve(const c4_lb_problem *p, const void *opt, uint32_t *pe_new)
{
    c4_lb_ranked *r = calloc(p->nobjs ? p->nobjs : 1, sizeof(*r));
    c4_lb_pes pes;
    uint32_t n;

    (void)opt;                              /* greedy has no options */
    if (!r || c4_lb_pes_init(&pes, p)) {
        free(r);
        return C4_ENOMEM;
    }
    c4_lb_pes_charge_pinned(&pes, p);
    n = c4_lb_rank(p, r);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t pe = c4_lb_pes_earliest(&pes, r[i].load);

        pe_new[r[i].obj] = pe;
        c4_lb_pes_charge(&pes, pe, r[i].load);
    }
    c4_lb_pes_release(&pes);
    free(r);
    return C4_OK;
}

const c4_lb c4_lb_greedy = {
    .abi   = C4_LB_ABI,
    .name  = "GreedyLB",
    .help  = "heaviest object first, to the PE that would finish it first",
    .solve = greedy_solve,
};
