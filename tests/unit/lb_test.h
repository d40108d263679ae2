/*
 * lb_test.h - problems for the tests of load balancing.
 */
#ifndef C4_LB_TEST_H
#define C4_LB_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/choice.h"
#include "lb/problem.h"

/* Says what was expected and ends the test. */
#define CHECK(cond, ...) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "%s:%d: not true: %s: ", __FILE__, __LINE__, #cond); \
            fprintf(stderr, "" __VA_ARGS__); \
            fprintf(stderr, "\n"); \
            exit(1); \
        } \
    } while (0)

/* A problem with room for its arrays; fill them, then pass &t.p. */
struct lb_test {
    c4_lb_problem p;
    c4_lb_rng     rng;
    double       *load, *background, *speed;
    uint32_t     *pe_of, *host_of, *pe_new;
    uint8_t      *movable;
    uint64_t     *bytes;
    float        *position;                 /* NULL at first */
};

static inline void *
lb_test_room(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    CHECK(p, "out of memory");
    return p;
}

/* No load anywhere, all objects movable and on PE 0, all speeds 1. */
static inline void
lb_test_init(struct lb_test *t, uint32_t nobjs, uint32_t npes)
{
    *t = (struct lb_test){ .p = { .nobjs = nobjs, .npes = npes } };
    t->p.load = t->load = lb_test_room(nobjs, sizeof(*t->load));
    t->p.pe_of = t->pe_of = lb_test_room(nobjs, sizeof(*t->pe_of));
    t->pe_new = lb_test_room(nobjs, sizeof(*t->pe_new));
    t->p.movable = t->movable = lb_test_room(nobjs, sizeof(*t->movable));
    t->p.bytes = t->bytes = lb_test_room(nobjs, sizeof(*t->bytes));
    t->p.background = t->background = lb_test_room(npes, sizeof(*t->background));
    t->p.speed = t->speed = lb_test_room(npes, sizeof(*t->speed));
    t->p.host_of = t->host_of = lb_test_room(npes, sizeof(*t->host_of));
    for (uint32_t i = 0; i < nobjs; i++)
        t->movable[i] = 1;
    for (uint32_t i = 0; i < npes; i++)
        t->speed[i] = 1;
}

static inline void
lb_test_release(struct lb_test *t)
{
    free(t->load);
    free(t->pe_of);
    free(t->pe_new);
    free(t->movable);
    free(t->bytes);
    free(t->position);
    free(t->background);
    free(t->speed);
    free(t->host_of);
}

/* Runs a strategy as the manager does; the answer is in t->pe_new. */
static inline c4_err
lb_test_solve(struct lb_test *t, const c4i_lb_choice *c, uint64_t seed)
{
    t->rng = c4i_lb_rng(seed, 0);
    t->p.rng = &t->rng;
    memcpy(t->pe_new, t->pe_of, t->p.nobjs * sizeof(*t->pe_new));
    return c->lb->solve(&t->p, c->options, t->pe_new);
}

static inline double
lb_test_makespan(const struct lb_test *t, const uint32_t *pe_of)
{
    double *finish = lb_test_room(t->p.npes, sizeof(*finish)), max = 0;

    c4i_lb_finish(&t->p, pe_of, finish);
    for (uint32_t i = 0; i < t->p.npes; i++)
        if (finish[i] > max)
            max = finish[i];
    free(finish);
    return max;
}

/* Uniform in [0, 1). */
static inline double
lb_test_uniform(c4_lb_rng *r)
{
    return (double)(c4_lb_rand(r) >> 11) * 0x1p-53;
}

static inline void
lb_test_choose(c4i_lb_choice *c, const char *spec)
{
    char why[C4I_LB_WHY];

    CHECK(c4i_lb_choose(spec, c, why, sizeof(why)) == C4_OK, "%s", why);
}

#endif
