/*
 * rotate.c - every object to the next PE.
 *
 * Balances nothing: it moves all that can move, in a way that is easy to
 * check.  For tests of migration and for measuring what migration costs.
 *
 * Cost:     O(n) time, no memory.
 * Ignores:  loads.
 */
#include "c4_lb.h"

struct rotate_options {
    uint32_t by;
};

static const c4_lb_option rotate_options[] = {
    { .name = "by", .initial = "1", .help = "how many PEs further",
      .kind = C4_LB_UINT, .offset = offsetof(struct rotate_options, by) },
    { 0 }
};

static c4_err
rotate_solve(const c4_lb_problem *p, const void *opt, uint32_t *pe_new)
{
    const struct rotate_options *o = opt;

    for (uint32_t i = 0; i < p->nobjs; i++)
        if (p->movable[i])
            pe_new[i] = (uint32_t)(((uint64_t)p->pe_of[i] + o->by) % p->npes);
    return C4_OK;
}

const c4_lb c4_lb_rotate = {
    .abi          = C4_LB_ABI,
    .name         = "RotateLB",
    .help         = "every object to the next PE, to test and measure migration",
    .options      = rotate_options,
    .options_size = sizeof(struct rotate_options),
    .solve        = rotate_solve,
};
