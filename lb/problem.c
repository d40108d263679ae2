/*
 * problem.c - facts about a balancing problem and an answer to it.
 */
#include <stdlib.h>
#include <string.h>

#include "problem.h"

c4_err
c4i_lb_check(const c4_lb_problem *p, const uint32_t *pe_new, uint32_t *obj)
{
    for (uint32_t i = 0; i < p->nobjs; i++)
        if (pe_new[i] >= p->npes || (!p->movable[i] && pe_new[i] != p->pe_of[i])) {
            *obj = i;
            return C4_EINVAL;
        }
    return C4_OK;
}

void
c4i_lb_finish(const c4_lb_problem *p, const uint32_t *pe_of, double *finish)
{
    memcpy(finish, p->background, p->npes * sizeof(*finish));
    for (uint32_t i = 0; i < p->nobjs; i++)
        finish[pe_of[i]] += p->load[i] / p->speed[pe_of[i]];
}

c4_err
c4i_lb_imbalance(const c4_lb_problem *p, const uint32_t *pe_of, double *out)
{
    double *finish = calloc(p->npes, sizeof(*finish));
    double sum = 0, max = 0;

    if (!finish)
        return C4_ENOMEM;
    c4i_lb_finish(p, pe_of, finish);
    for (uint32_t i = 0; i < p->npes; i++) {
        sum += finish[i];
        if (finish[i] > max)
            max = finish[i];
    }
    free(finish);
    *out = sum > 0 ? max / (sum / p->npes) - 1 : 0;
    return C4_OK;
}

uint32_t
c4i_lb_nmoves(const c4_lb_problem *p, const uint32_t *pe_new)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->nobjs; i++)
        n += pe_new[i] != p->pe_of[i];
    return n;
}

c4_lb_rng
c4i_lb_rng(uint64_t seed, uint32_t round)
{
    c4_lb_rng seeds = { seed };
    c4_lb_rng rounds = { c4_lb_rand(&seeds) + round };

    return (c4_lb_rng){ c4_lb_rand(&rounds) };
}
