/*
 * storm_plan.c - what a seed decides: PEs, network, collections, mixture.
 */
#include <stdio.h>
#include <string.h>

#include "storm.h"

const char *const kind_name[NKINDS] = {
    "location", "broadcast", "reduction", "quiescence", "atsync", "insertion", "exit", "mixed",
    "section"
};

/* Weights of actions by kind of storm. */
static const unsigned weights[NKINDS][NACTS] = {
    [K_LOCATION] = { [A_SEND] = 60, [A_CALL] = 6, [A_REF] = 8, [A_MOVE] = 25, [A_INSERT] = 4,
                     [A_PROMISE] = 3, [A_SINGLE] = 3 },
    [K_BROADCAST] = { [A_SEND] = 30, [A_MOVE] = 20, [A_BCAST] = 4, [A_AWAIT] = 3, [A_RESULTS] = 3,
                      [A_INSERT] = 3, [A_PROMISE] = 2, [A_REF] = 2 },
    [K_REDUCTION] = { [A_SEND] = 40, [A_MOVE] = 15, [A_REDUCE] = 40, [A_INSERT] = 4,
                      [A_BCAST] = 1 },
    [K_QUIESCENCE] = { [A_SEND] = 40, [A_MOVE] = 10, [A_QD] = 5, [A_TIMER] = 8, [A_REDUCE] = 4,
                       [A_FUTURE] = 4, [A_INSERT] = 2, [A_PROMISE] = 1, [A_BCAST] = 1,
                       [A_SYNC] = 1 },
    [K_ATSYNC] = { [A_SEND] = 40, [A_MOVE] = 10, [A_SYNC] = 40, [A_INSERT] = 3, [A_REDUCE] = 3,
                   [A_QD] = 1 },
    [K_INSERTION] = { [A_SEND] = 40, [A_MOVE] = 10, [A_INSERT] = 15, [A_PROMISE] = 10,
                      [A_BCAST] = 3, [A_AWAIT] = 2, [A_RESULTS] = 2, [A_REDUCE] = 15,
                      [A_SYNC] = 3 },
    [K_EXIT] = { [A_SEND] = 60, [A_CALL] = 4, [A_REF] = 2, [A_MOVE] = 15, [A_BCAST] = 2,
                 [A_AWAIT] = 1, [A_RESULTS] = 1, [A_REDUCE] = 12, [A_SYNC] = 8, [A_INSERT] = 4,
                 [A_PROMISE] = 2, [A_QD] = 2, [A_TIMER] = 3, [A_FUTURE] = 2, [A_SINGLE] = 1 },
    [K_MIXED] = { [A_SEND] = 60, [A_CALL] = 4, [A_REF] = 3, [A_MOVE] = 18, [A_BCAST] = 2,
                  [A_AWAIT] = 2, [A_RESULTS] = 2, [A_REDUCE] = 14, [A_SYNC] = 8, [A_INSERT] = 4,
                  [A_PROMISE] = 2, [A_QD] = 2, [A_TIMER] = 3, [A_FUTURE] = 2, [A_SINGLE] = 1,
                  [A_SECTION] = 1, [A_CAST] = 3, [A_SREDUCE] = 4 },
    [K_SECTION] = { [A_SEND] = 40, [A_MOVE] = 20, [A_SECTION] = 3, [A_CAST] = 15,
                    [A_SREDUCE] = 25, [A_INSERT] = 4, [A_PROMISE] = 3, [A_REF] = 3,
                    [A_REDUCE] = 3, [A_SINGLE] = 3, [A_BCAST] = 1, [A_QD] = 1 },
};

/* Messages whose delay breaks naive protocols: PROTOCOLS section 11. */
static const uint32_t holds[] = {
    1u << C4I_BCAST | 1u << C4I_REDUCE | 1u << C4I_SYNCGO, 1u << C4I_MIGRATE, 1u << C4I_HOME,
    1u << C4I_HINT, 1u << C4I_ACK, 1u << C4I_INSERT | 1u << C4I_CTOR, 1u << C4I_CALL,
    1u << C4I_BREQ | 1u << C4I_BDONE, 1u << C4I_QD, 1u << C4I_SYNC | 1u << C4I_SYNCLOSE,
    1u << C4I_CREATE | 1u << C4I_CLOSED | 1u << C4I_START, 1u << C4I_EXIT, UINT32_MAX
};

static void
plan_net(struct storm *s)
{
    static const unsigned slow[] = { 0, 20, 50, 70 }, factor[] = { 5, 30, 300 };
    c4i_sim_opts *o = &s->plan.net;

    o->jitter = chance(s, 90);
    o->latency_ns = chance(s, 20) ? 20 : 1000;
    o->ps_per_byte = chance(s, 50) ? 0 : 2000;
    o->step_ns = chance(s, 50) ? 50 : 500;
    o->slow_percent = slow[rnd(s, 4)];
    o->slow_factor = factor[rnd(s, 3)];
    o->slow_pe_percent = chance(s, 30) ? 40 : 0;
    if (chance(s, 60)) {
        o->hold_kinds = holds[rnd(s, sizeof(holds) / sizeof(holds[0]))];
        if (chance(s, 30))
            o->hold_kinds |= holds[rnd(s, sizeof(holds) / sizeof(holds[0]) - 1)];
        o->hold_percent = chance(s, 30) ? 100 : 5 + rnd(s, 50);
        o->hold_ns = chance(s, 30) ? 100000000 : 50000;
    }
}

static void
plan_moves(struct storm *s)
{
    struct plan *p = &s->plan;
    unsigned some = chance(s, 25) ? 100 : rnd(s, 50);

    if (chance(s, 12)) {                    /* nothing moves */
        p->weight[A_MOVE] = 0;
        return;
    }
    p->move_after = chance(s, 40) ? some : 0;
    p->move_back = chance(s, 40) ? 50 + rnd(s, 50) : 10;
    p->move_contrib = chance(s, 40) ? rnd(s, 101) : 0;
    p->stress = chance(s, 15) ? C4I_STRESS_MIGRATE : 0;
}

static void
plan_colls(struct storm *s)
{
    struct plan *p = &s->plan;

    p->ndense = chance(s, 20) ? 1 + rnd(s, 3) : 1 + rnd(s, 22);
    p->dims = 1 + (int)rnd(s, 3);
    p->sparse_dims = 1 + (int)rnd(s, 2);
    p->map = chance(s, 50) ? MAP_BLOCKS : (enum mapping)(1 + rnd(s, 3));
    if (p->weight[A_INSERT] || chance(s, 20)) {
        p->nearly = 1 + rnd(s, 10);
        p->nsparse = p->nearly + rnd(s, 20);
        p->late_insert = chance(s, 75);
        p->nsized = chance(s, 30) ? 1 + rnd(s, 4) : 0;
        if (p->nsized > p->nsparse)
            p->nsized = p->nsparse;
    }
    p->reuse = chance(s, 70);
    p->late_main = chance(s, 50);
    p->group = chance(s, 60);
    for (int i = 0; i < MAXCOLL; i++)
        p->bound[i] = chance(s, 40);
    p->defer = chance(s, 50) ? rnd(s, 60) : 0;
    p->sync_dense = chance(s, 80);
    p->sync_sparse = chance(s, 60);
    p->with_lb = p->kind == K_ATSYNC ? chance(s, 95) : chance(s, 80);
    p->lb_mode = rnd(s, 5);
    p->ahead = chance(s, 60) ? rnd(s, 3) : 0;
}

void
plan_make(struct storm *s, enum kind kind)
{
    static const uint32_t few[] = { 1, 2, 3, 4, 5, 8 };
    struct plan *p = &s->plan;

    *p = (struct plan){ .kind = kind };
    memcpy(p->weight, weights[kind], sizeof(p->weight));
    p->npes = chance(s, 40) ? few[rnd(s, 6)] : 2 + rnd(s, MAXPE - 1);
    p->arity = 1 + rnd(s, 4);
    p->nphases = 1 + rnd(s, 3);
    p->fan = 90 + rnd(s, 80);
    p->budget = 60 + (int)rnd(s, 400);
    plan_net(s);
    plan_moves(s);
    plan_colls(s);
    if (kind != K_SECTION && chance(s, 50)) /* their members live for ever */
        p->weight[A_DIE] = 2 + rnd(s, 10);
    if (kind == K_QUIESCENCE && chance(s, 30))  /* detections all the time */
        p->weight[A_QD] = p->weight[A_TIMER] = 30;
    if (chance(s, 40))
        p->stress |= C4I_STRESS_EVICT;
    if (chance(s, 40))
        p->stress |= C4I_STRESS_LOG;
    if (kind == K_EXIT || (kind == K_MIXED && chance(s, 12))) {
        p->nexit = 1 + rnd(s, 3);
        p->exit_after = rnd(s, 300);
    }
    p->nested_start = chance(s, 30);
}

void
plan_print(const struct storm *s)
{
    const struct plan *p = &s->plan;

    fprintf(stderr, "  %u PEs, arity %u, %u phases, budget %d, fan %u %%, stress %u\n", p->npes,
            p->arity, p->nphases, p->budget, p->fan, p->stress);
    fprintf(stderr, "  dense %u (%d-D, map %d, bound %d, sync %d), sparse %u+%u (%d-D, bound %d, "
            "sync %d, late %d), group %d\n", p->ndense, p->dims, p->map, p->bound[0],
            p->sync_dense, p->nearly, p->nsparse - p->nearly, p->sparse_dims, p->bound[1],
            p->sync_sparse, p->late_insert, p->group);
    fprintf(stderr, "  moves: %u %% after a message, %u %% back, %u %% at contributions; "
            "deferred %u %%; balancer %d (%u), ahead %u; exits %u\n", p->move_after,
            p->move_back, p->move_contrib, p->defer, p->with_lb, p->lb_mode, p->ahead, p->nexit);
    fprintf(stderr, "  net: jitter %d, slow %u %% x%u, held kinds %x %u %% %llu ns\n",
            p->net.jitter, p->net.slow_percent, p->net.slow_factor, p->net.hold_kinds,
            p->net.hold_percent, (unsigned long long)p->net.hold_ns);
}
