/*
 * dummy.c - moves nothing, and is the template for a strategy that does.
 *
 * As a balancer it shows what measuring and synchronizing cost by themselves,
 * and records the loads of a run that nothing disturbed.
 *
 * To write the next strategy:
 *  1. Copy this file to lb/mine.c, rename dummy to mine, and say in its head
 *     what it does, after whom, what it costs (time, memory), what it ignores
 *     and how it breaks ties: a plan must be reproducible.
 *  2. Include "c4_lb.h" and nothing of the runtime; c4_lb_pes.h helps to keep
 *     the load of each PE.  All is static but the descriptor.  No state
 *     outlives a call, and p->rng is the only source of chance.
 *  3. Fill pe_new[i] for the objects that shall move.  It comes as a copy of
 *     p->pe_of, so what you do not touch stays.  Never move an object whose
 *     p->movable[i] is 0: such an answer is refused.  Expect no objects, one
 *     PE, loads that are all zero.  On an error return it; nothing moves then.
 *  4. Options are rows of the table below; users write MineLB,option=value.
 *     Drop table, struct and the two lines of the descriptor if there are none.
 *  5. Add lb/mine.c to C4_LB_STRATEGIES in lb/fragment.am.  +balancer, +balancer
 *     help and the tests that loop over all strategies find it from there.
 *     Add what it must do to tests/lb/ as .case files, and a line to
 *     doc/load-balancing.md.
 *  As a plugin instead: see plugins/example/.
 */
#include "c4_lb.h"

struct dummy_options {
    uint8_t fail;
};

static const c4_lb_option dummy_options[] = {
    { .name = "fail", .initial = "no", .help = "return an error, to see that the job goes on",
      .kind = C4_LB_BOOL, .offset = offsetof(struct dummy_options, fail) },
    { 0 }
};

static c4_err
dummy_solve(const c4_lb_problem *p, const void *opt, uint32_t *pe_new)
{
    const struct dummy_options *o = opt;

    for (uint32_t i = 0; i < p->nobjs; i++)
        pe_new[i] = p->pe_of[i];
    return o->fail ? C4_EUSER : C4_OK;
}

const c4_lb c4_lb_dummy = {
    .abi          = C4_LB_ABI,
    .name         = "DummyLB",
    .help         = "moves nothing, shows what balancing itself costs",
    .options      = dummy_options,
    .options_size = sizeof(struct dummy_options),
    .solve        = dummy_solve,
};
