/*
 * problem.h - facts about a balancing problem and an answer to it.
 *
 * Shared by the manager, the tools and the tests; a mapping is pe_of[nobjs].
 */
#ifndef C4I_LB_PROBLEM_H
#define C4I_LB_PROBLEM_H

#include "c4_lb.h"

/* Is pe_new a mapping that may be carried out?  C4_EINVAL with the first
 * offending object in *obj if it goes to no PE of the job, or may not move. */
c4_err c4i_lb_check(const c4_lb_problem *p, const uint32_t *pe_new, uint32_t *obj);

/* finish[npes]: background plus load / speed of what pe_of puts there. */
void c4i_lb_finish(const c4_lb_problem *p, const uint32_t *pe_of, double *finish);

/* max / mean - 1 of c4i_lb_finish(); 0 where there is no load at all.
 * C4_ENOMEM leaves *out alone. */
c4_err c4i_lb_imbalance(const c4_lb_problem *p, const uint32_t *pe_of, double *out);

/* How many objects pe_new moves. */
uint32_t c4i_lb_nmoves(const c4_lb_problem *p, const uint32_t *pe_new);

/* The generator of one round: rounds differ, and each can be replayed alone. */
c4_lb_rng c4i_lb_rng(uint64_t seed, uint32_t round);

#endif
