/*
 * stencil.c - Jacobi iteration on a square, cut into a 2-D array of blocks.
 *
 *   charmrun +p4 ./stencil [blocks per side] [cells per block side] [iterations]
 *
 * Each block sends its edges to its four neighbours, waits for theirs, and
 * averages.  Every tenth iteration the largest change is found by a reduction;
 * at the end the sum of all cells is printed, which does not depend on how the
 * square is cut or on the number of PEs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <c4.h>

enum { BEGIN, GHOST, CHANGE, TOTAL, NENTRIES };
enum { LEFT, RIGHT, UP, DOWN, NSIDES };
enum { REPORT_EVERY = 10 };

struct params {
    int nblocks, n, iterations;             /* blocks a side, cells a block side */
};

/* Ghost edges come in pairs: a neighbour may be one iteration ahead. */
struct block {
    struct params p;
    c4_index at;
    int      iteration;
    bool     begun;                         /* its own edges of iteration 0 are sent */
    int      nheard[2], nneighbours;
    double  *cell, *next;                   /* [n * n] */
    double  *ghost;                         /* [2][NSIDES][n] */
};

struct edge {
    int iteration, side;
    double cell[];
};

static size_t
ncells(const struct block *b)
{
    return (size_t)b->p.n * (size_t)b->p.n;
}

static double *
ghost_of(struct block *b, int iteration, int side)
{
    return b->ghost + ((iteration & 1) * NSIDES + side) * b->p.n;
}

static bool
neighbour(const struct block *b, int side, c4_index *out)
{
    *out = b->at;
    out->at[0] += side == UP ? -1 : side == DOWN ? 1 : 0;
    out->at[1] += side == LEFT ? -1 : side == RIGHT ? 1 : 0;
    return out->at[0] >= 0 && out->at[0] < b->p.nblocks && out->at[1] >= 0 &&
           out->at[1] < b->p.nblocks;
}

static c4_err
block_create(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct block *b = self;
    c4_index other;

    if (len != sizeof(b->p))
        return C4_EFORMAT;
    memcpy(&b->p, data, sizeof(b->p));
    b->at = c4_self_index(pe);
    b->cell = calloc(ncells(b), sizeof(double));
    b->next = calloc(ncells(b), sizeof(double));
    b->ghost = calloc(2 * NSIDES * (size_t)b->p.n, sizeof(double));
    if (!b->cell || !b->next || !b->ghost)
        return C4_ENOMEM;
    for (int side = 0; side < NSIDES; side++)
        b->nneighbours += neighbour(b, side, &other);
    /* The square's left edge is hot, the rest is cold. */
    for (int i = 0; i < b->p.n && b->at.at[1] == 0; i++)
        ghost_of(b, 0, LEFT)[i] = ghost_of(b, 1, LEFT)[i] = 1.0;
    return C4_OK;
}

static void
block_destroy(c4_pe *pe, void *self)
{
    struct block *b = self;

    (void)pe;
    free(b->cell);
    free(b->next);
    free(b->ghost);
}

static void
block_pup(c4_pup *p, void *self)
{
    struct block *b = self;
    size_t cells = ncells(b) * sizeof(double);
    size_t ghosts = 2 * NSIDES * (size_t)b->p.n * sizeof(double);

    c4_pup_raw(p, b, sizeof(*b));
    c4_pup_heap(p, (void **)&b->cell, &cells);
    c4_pup_heap(p, (void **)&b->next, &cells);
    c4_pup_heap(p, (void **)&b->ghost, &ghosts);
}

/* The cells that the neighbour on this side needs. */
static void
copy_edge(const struct block *b, int side, double *to)
{
    int n = b->p.n;

    for (int i = 0; i < n; i++)
        to[i] = side == LEFT ? b->cell[i * n] : side == RIGHT ? b->cell[i * n + n - 1]
              : side == UP ? b->cell[i] : b->cell[(n - 1) * n + i];
}

static c4_err
send_edges(c4_pe *pe, struct block *b)
{
    static const int opposite[NSIDES] = { RIGHT, LEFT, DOWN, UP };
    size_t len = sizeof(struct edge) + (size_t)b->p.n * sizeof(double);
    struct edge *e = malloc(len);
    c4_err err = e ? C4_OK : C4_ENOMEM;
    c4_index other;
    c4_chare to;

    for (int side = 0; !err && side < NSIDES; side++) {
        if (!neighbour(b, side, &other))
            continue;
        e->iteration = b->iteration;
        e->side = opposite[side];
        copy_edge(b, side, e->cell);
        err = c4_elem_at(pe, c4_self(pe).coll, &other, &to);
        if (!err)
            err = c4_send(pe, to, GHOST, e, len);
    }
    free(e);
    return err;
}

static double
cell_at(struct block *b, int i, int j)
{
    int n = b->p.n;

    if (i < 0)
        return ghost_of(b, b->iteration, UP)[j];
    if (i >= n)
        return ghost_of(b, b->iteration, DOWN)[j];
    if (j < 0)
        return ghost_of(b, b->iteration, LEFT)[i];
    if (j >= n)
        return ghost_of(b, b->iteration, RIGHT)[i];
    return b->cell[i * n + j];
}

/* One iteration; returns the largest change. */
static double
relax(struct block *b)
{
    double largest = 0, *t;

    for (int i = 0; i < b->p.n; i++)
        for (int j = 0; j < b->p.n; j++) {
            double x = (cell_at(b, i - 1, j) + cell_at(b, i + 1, j) + cell_at(b, i, j - 1) +
                        cell_at(b, i, j + 1)) / 4;

            largest = fmax(largest, fabs(x - b->cell[i * b->p.n + j]));
            b->next[i * b->p.n + j] = x;
        }
    t = b->cell;
    b->cell = b->next;
    b->next = t;
    return largest;
}

static c4_err
finish(c4_pe *pe, struct block *b)
{
    c4_callback to_first = c4_cb_send(c4_elem(c4_self(pe).coll, 0), TOTAL);
    double sum = 0;

    for (size_t i = 0; i < ncells(b); i++)
        sum += b->cell[i];
    return c4_reduce(pe, C4_RED_SUM_F64, &sum, sizeof(sum), &to_first);
}

/* Goes on for as long as the edges of the present iteration are there.  Those
 * of iteration 0 may all be there before begin() has run. */
static c4_err
advance(c4_pe *pe, struct block *b)
{
    c4_callback to_first = c4_cb_send(c4_elem(c4_self(pe).coll, 0), CHANGE);
    c4_err err = C4_OK;

    while (!err && b->begun && b->iteration < b->p.iterations &&
           b->nheard[b->iteration & 1] == b->nneighbours) {
        double change = relax(b);

        b->nheard[b->iteration & 1] = 0;
        b->iteration++;
        if (b->iteration % REPORT_EVERY == 0)
            err = c4_reduce(pe, C4_RED_MAX_F64, &change, sizeof(change), &to_first);
        if (!err && b->iteration < b->p.iterations)
            err = send_edges(pe, b);
        else if (!err)
            err = finish(pe, b);
    }
    return err;
}

static c4_err
block_begin(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct block *b = self;
    c4_err err = send_edges(pe, b);

    (void)data;
    (void)len;
    b->begun = true;
    return err ? err : advance(pe, b);
}

static c4_err
block_ghost(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct block *b = self;
    const struct edge *e = data;

    if (len != sizeof(*e) + (size_t)b->p.n * sizeof(double))
        return C4_EFORMAT;
    memcpy(ghost_of(b, e->iteration, e->side), e->cell, (size_t)b->p.n * sizeof(double));
    b->nheard[e->iteration & 1]++;
    return e->iteration == b->iteration ? advance(pe, b) : C4_OK;
}

static c4_err
block_change(c4_pe *pe, void *self, const void *data, size_t len)
{
    double change;

    (void)pe;
    (void)self;
    if (len != sizeof(change))
        return C4_EFORMAT;
    memcpy(&change, data, sizeof(change));
    printf("largest change %.6f\n", change);
    return C4_OK;
}

static c4_err
block_total(c4_pe *pe, void *self, const void *data, size_t len)
{
    const struct block *b = self;
    double sum;

    if (len != sizeof(sum))
        return C4_EFORMAT;
    memcpy(&sum, data, sizeof(sum));
    printf("%d iterations on %u PEs in %.3f s, sum of the cells %.9f\n", b->p.iterations,
           c4_npes(pe), c4_now(pe), sum);
    return c4_exit(pe, 0);
}

static const c4_entry block_entries[NENTRIES + 1] = {
    [BEGIN] = { "begin", block_begin },
    [GHOST] = { "ghost", block_ghost },
    [CHANGE] = { "change", block_change },
    [TOTAL] = { "total", block_total },
};

static const c4_type block = {
    .name = "block", .size = sizeof(struct block), .entries = block_entries,
    .create = block_create, .destroy = block_destroy, .pup = block_pup
};

static int
number(int argc, char **argv, int i, int initial)
{
    int n = argc > i ? atoi(argv[i]) : initial;

    if (n < 1) {
        fprintf(stderr, "usage: stencil [blocks per side] [cells per block side] [iterations]\n");
        exit(2);
    }
    return n;
}

static c4_err
stencil_main(c4_pe *pe, int argc, char **argv)
{
    struct params p = { number(argc, argv, 1, 4), number(argc, argv, 2, 64),
                        number(argc, argv, 3, 100) };
    c4_opts opts = { .args = &p, .len = sizeof(p) };
    c4_array blocks;
    c4_err err = c4_array_new(pe, &block, c4_dims2(p.nblocks, p.nblocks), &opts, &blocks);

    return err ? err : c4_bcast(pe, blocks, BEGIN, NULL, 0);
}

int
main(int argc, char **argv)
{
    static const c4_type *const types[] = { &block, NULL };

    return c4_run(argc, argv, types, stencil_main);
}
