/*
 * strips.c - a strategy as a plugin: strips of neighbours, one for each PE.
 *
 * Objects are sorted by their position in one dimension and cut into strips
 * of equal load, so that neighbours stay together, which strategies that look
 * at loads only tear apart.
 *
 * Build:    make (pkg-config finds c4's headers; nothing is linked)
 * Use:      +balancer ./strips.so  or  +balancer ./strips.so,dimension=1
 *
 * Cost:     O(n log n) time, O(n) memory.
 * Ignores:  where an object is now.  Pinned objects stay, and the load of the
 *           rest is cut as if they were not there.
 * Ties:     lower object.
 */
#include <stdlib.h>

#include <c4_lb.h>

struct strips_options {
    uint32_t dimension;
};

static const c4_lb_option strips_options[] = {
    { .name = "dimension", .initial = "0", .help = "of the index, along which to cut",
      .kind = C4_LB_UINT, .offset = offsetof(struct strips_options, dimension),
      .min = 0, .max = 5 },
    { 0 }
};

struct placed {
    float    at;
    uint32_t obj;
};

static int
by_position(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->obj < y->obj ? -1 : 1;
}

/* Collects the movable objects in order; returns how many, and their load. */
static uint32_t
line_up(const c4_lb_problem *p, uint32_t dimension, struct placed *line, double *load)
{
    uint32_t n = 0;

    *load = 0;
    for (uint32_t i = 0; i < p->nobjs; i++)
        if (p->movable[i]) {
            line[n++] = (struct placed){ p->position[(size_t)i * p->ndims + dimension], i };
            *load += p->load[i];
        }
    qsort(line, n, sizeof(*line), by_position);
    return n;
}

static c4_err
strips_solve(const c4_lb_problem *p, const void *opt, uint32_t *pe_new)
{
    const struct strips_options *o = opt;
    struct placed *line;
    double load, before = 0;
    uint32_t n;

    if (p->nobjs == 0)
        return C4_OK;
    if (!p->position || o->dimension >= p->ndims)
        return C4_EINVAL;                   /* no positions: everything stays */
    line = malloc(p->nobjs * sizeof(*line));
    if (!line)
        return C4_ENOMEM;
    n = line_up(p, o->dimension, line, &load);
    for (uint32_t i = 0; i < n && load > 0; i++) {
        uint32_t obj = line[i].obj;
        double middle = before + p->load[obj] / 2;
        uint32_t pe = (uint32_t)(middle / load * p->npes);

        pe_new[obj] = pe < p->npes ? pe : p->npes - 1;
        before += p->load[obj];
    }
    free(line);
    return C4_OK;
}

static const c4_lb strips = {
    .abi          = C4_LB_ABI,
    .name         = "StripsLB",
    .help         = "strips of neighbours, cut where the loads are equal",
    .options      = strips_options,
    .options_size = sizeof(struct strips_options),
    .solve        = strips_solve,
};

C4_API const c4_lb *const c4_lb_plugin[] = { &strips, NULL };
