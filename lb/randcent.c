/*
 * randcent.c - every object to a random PE.
 *
 * The yardstick that any strategy must beat, and a storm for tests: with many
 * more objects than PEs it also balances, roughly, whatever the loads are.
 *
 * Cost:     O(n) time, no memory.
 * Ignores:  loads, and where an object is now: (p - 1)/p of them move.
 */
#include "c4_lb.h"

static c4_err
randcent_solve(const c4_lb_problem *p, const void *opt, uint32_t *pe_new)
{
    (void)opt;                              /* no options; +LBSeed gives the seed */
    for (uint32_t i = 0; i < p->nobjs; i++)
        if (p->movable[i])
            pe_new[i] = c4_lb_below(p->rng, p->npes);
    return C4_OK;
}

const c4_lb c4_lb_randcent = {
    .abi   = C4_LB_ABI,
    .name  = "RandCentLB",
    .help  = "every object to a random PE",
    .solve = randcent_solve,
};
