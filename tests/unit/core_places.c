/* Index, key and home of an element go together, for 1 to 6 dimensions, dense
 * and sparse; elements are made where they belong, once each. */
#include "core_job.h"

static struct {
    unsigned n, npairs;
    uint32_t pe[4096];
    uint64_t key[4096];
    c4_index index[4096];
} made;

static c4_err
create(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    CHECK(len == 3 && memcmp(data, "abc", 3) == 0, "arguments");
    made.pe[made.n] = c4_mype(pe);
    made.key[made.n] = c4_self(pe).idx;
    made.index[made.n++] = c4_self_index(pe);
    return C4_OK;
}

/* Everything on PE (sum of the index) mod npes. */
static uint32_t
by_sum(c4_pe *pe, void *self, const c4_index *index)
{
    uint64_t sum = (uint64_t)*(int64_t *)self;

    for (int i = 0; i < index->n; i++)
        sum += (uint64_t)index->at[i];
    return (uint32_t)(sum % c4_npes(pe));
}

static c4_err
map_create(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)pe;
    CHECK(len == sizeof(int64_t), "arguments of the map");
    memcpy(self, data, len);
    return C4_OK;
}

static const c4_type cell = { .name = "cell", .create = create };
static const c4_type map = { .name = "map", .size = sizeof(int64_t), .create = map_create,
                             .proc_num = by_sum };
static const c4_type *const types[] = { &cell, &map, NULL };

static bool
same(const c4_index *a, const c4_index *b)
{
    return a->n == b->n && memcmp(a->at, b->at, (size_t)a->n * sizeof(a->at[0])) == 0;
}

static uint64_t
elements_of(const c4_index *dims)
{
    uint64_t n = 1;

    for (int i = 0; i < dims->n; i++)
        n *= (uint64_t)dims->at[i];
    return n;
}

/* The row-major linear index is the key; the first (n mod npes) PEs hold one
 * more than the others. */
static void
dense(uint32_t npes, c4_index dims, bool mapped)
{
    c4i_sim *s = job_new(npes, types);
    c4_pe *pe = c4i_sim_pe(s, npes - 1);
    c4_opts opts = { .args = "abc", .len = 3 }, map_opts = { 0 };
    uint64_t n = elements_of(&dims), each = n / npes, more = n % npes;
    int64_t add = 3;
    c4_array a;
    uint64_t bits[64] = { 0 };

    made.n = 0;
    map_opts.args = &add;
    map_opts.len = sizeof(add);
    if (mapped)
        CHECK(c4_group_new(pe, &map, &map_opts, &opts.map) == C4_OK, "map");
    CHECK(c4_array_new(pe, &cell, dims, &opts, &a) == C4_OK, "%s", c4_error(pe));
    job_rest(s, npes);
    CHECK(made.n == n, "%u of %u elements", made.n, (unsigned)n);
    for (unsigned i = 0; i < made.n; i++) {
        uint64_t key = made.key[i], linear = 0;
        uint32_t want = (uint32_t)(key < more * (each + 1) ? key / (each + 1)
                                                           : more + (key - more * (each + 1)) / each);
        c4_chare who;

        for (int d = 0; d < dims.n; d++)
            linear = linear * (uint64_t)dims.at[d] + (uint64_t)made.index[i].at[d];
        if (mapped)
            want = by_sum(pe, &add, &made.index[i]);
        CHECK(key < n && !(bits[key / 64] >> key % 64 & 1), "key %u twice", (unsigned)key);
        bits[key / 64] |= (uint64_t)1 << key % 64;
        CHECK(linear == key && made.index[i].n == dims.n, "index of %u", (unsigned)key);
        CHECK(made.pe[i] == want, "%u is on PE %u, not %u", (unsigned)key, made.pe[i], want);
        CHECK(c4_elem_at(pe, a, &made.index[i], &who) == C4_OK && who.idx == key, "c4_elem_at");
        CHECK(!c4_local(pe, who) == (want != c4_mype(pe)), "c4_local");
    }
    c4i_sim_free(s);
}

static void
group(uint32_t npes)
{
    c4i_sim *s = job_new(npes, types);
    c4_opts opts = { .args = "abc", .len = 3 };
    c4_group g;

    made.n = 0;
    CHECK(c4_group_new(c4i_sim_pe(s, npes / 2), &cell, &opts, &g) == C4_OK, "new");
    job_rest(s, npes);
    CHECK(made.n == npes, "%u members", made.n);
    for (unsigned i = 0; i < npes; i++)
        CHECK(made.key[i] == made.pe[i] && made.index[i].n == 1
              && made.index[i].at[0] == made.pe[i], "member");
    c4i_sim_free(s);
}

static const int64_t odd[] = { 0, 1, -1, 7, -8, 1000, -100000, INT32_MAX, INT32_MIN,
                               (int64_t)1 << 40, -((int64_t)1 << 52), INT64_MAX, INT64_MIN };
enum { NODD = sizeof(odd) / sizeof(odd[0]) };

/* Far and negative indexes: every element keeps its own index. */
static void
sparse(uint32_t npes, int ndims, bool mapped)
{
    c4i_sim *s = job_new(npes, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_opts opts = { .args = "abc", .len = 3 }, map_opts = { 0 };
    c4_index dims = { ndims, { 0 } }, want[NODD * 2];
    int64_t add = 0;
    unsigned n = 0;
    c4_array a;

    made.n = 0;
    map_opts.args = &add;
    map_opts.len = sizeof(add);
    if (mapped)
        CHECK(c4_group_new(pe, &map, &map_opts, &opts.map) == C4_OK, "map");
    CHECK(c4_array_new(pe, &cell, dims, &opts, &a) == C4_OK, "%s", c4_error(pe));
    for (unsigned i = 0; i < NODD * 2; i++) {
        c4_index index = { ndims, { 0 } };

        if (ndims == 1 && i >= NODD)
            break;
        for (int d = 0; d < ndims; d++)     /* the odd one in one place, then everywhere */
            index.at[d] = i >= NODD || d == (int)i % ndims ? odd[i % NODD] : d + 20 + (int)i;
        want[n++] = index;
        CHECK(c4_insert(c4i_sim_pe(s, i % npes), a, &index, i % 3 ? -1 : (int)(i % npes), &opts)
              == C4_OK, "insert");
    }
    c4i_sim_run(s, JOB_STEPS);
    CHECK(c4_done_inserting(pe, a) == C4_OK, "done");
    job_rest(s, npes);
    CHECK(made.n == n, "%u of %u elements", made.n, n);
    for (unsigned i = 0; i < n; i++) {
        unsigned k = 0;
        c4_chare who;

        while (k < n && !same(&made.index[k], &want[i]))
            k++;
        CHECK(k < n, "index %u is lost", i);
        CHECK(c4_elem_at(pe, a, &want[i], &who) == C4_OK && who.idx == made.key[k], "key");
        for (unsigned j = 0; j < i; j++)
            CHECK(c4_elem_at(pe, a, &want[j], &who) == C4_OK && who.idx != made.key[k],
                  "%u and %u have one key", i, j);
        if (i % 3 == 0)
            CHECK(made.pe[k] == i % npes, "on_pe");
        else if (mapped)
            CHECK(made.pe[k] == by_sum(pe, &add, &want[i]), "the map's PE");
        else if (ndims == 1)
            CHECK((want[i].at[0] - (int64_t)made.pe[k]) % (int64_t)npes == 0, "index modulo PEs");
    }
    c4i_sim_free(s);
}

static void
twice(void)
{
    c4i_sim *s = job_new(2, types);
    c4_opts opts = { .args = "abc", .len = 3 };
    c4_index index = { 2, { 3, -4 } };
    c4_array a;

    c4_array_new(c4i_sim_pe(s, 0), &cell, c4_dims2(0, 0), &opts, &a);
    c4_insert(c4i_sim_pe(s, 0), a, &index, -1, &opts);
    c4_insert(c4i_sim_pe(s, 0), a, &index, 1, &opts);
    c4i_sim_run(s, JOB_STEPS);
}

static void
dims_of_all_kinds(uint32_t npes)
{
    dense(npes, c4_dims(1), false);
    dense(npes, c4_dims(10 * npes), false);
    for (int more = 0; more < 2; more++) {
        dense(npes, c4_dims(37), more);
        dense(npes, c4_dims2(5, 7), more);
        dense(npes, c4_dims3(3, 1, 4), more);
        dense(npes, (c4_index){ 4, { 2, 3, 2, 3 } }, more);
        dense(npes, (c4_index){ 5, { 2, 1, 2, 3, 2 } }, more);
        dense(npes, (c4_index){ 6, { 2, 3, 2, 1, 2, 4 } }, more);
        for (int d = 1; d <= 6; d++)
            sparse(npes, d, more);
    }
}

int
main(void)
{
    for (uint32_t npes = 1; npes <= 8; npes = npes * 2 - (npes == 2)) {
        dims_of_all_kinds(npes);
        group(npes);
    }
    DIES(twice, "element (3, -4) of cell is inserted twice");
    return 0;
}
