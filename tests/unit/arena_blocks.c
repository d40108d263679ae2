/*
 * arena_blocks.c - blocks of the arena are disjoint, come back from anywhere,
 * are used again, and free memory goes back to the machine.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/arena.h"
#include "tests/unit/check.h"

#define MIB (UINT64_C(1) << 20)

struct fixture {
    c4i_arena        a;
    int              fd;
    uint64_t         nbytes;
    unsigned char   *base;
    _Atomic uint64_t returned;
};

static void
set_up(struct fixture *f, uint64_t nbytes)
{
    f->fd = memfd_create("arena", MFD_CLOEXEC);
    f->nbytes = nbytes;
    f->returned = 0;
    CHECK(f->fd >= 0 && !ftruncate(f->fd, (off_t)nbytes));
    f->base = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, f->fd, 0);
    CHECK(f->base != MAP_FAILED);
    CHECK(!c4i_arena_init(&f->a, f->base, nbytes, f->fd, 0, &f->returned));
}

static void
tear_down(struct fixture *f)
{
    c4i_arena_release(&f->a);
    munmap(f->base, f->nbytes);
    close(f->fd);
}

static uint64_t
memory_of(const struct fixture *f)
{
    struct stat st;

    CHECK(!fstat(f->fd, &st));
    return (uint64_t)st.st_blocks * 512;
}

static uint64_t
get(struct fixture *f, uint64_t n)
{
    uint64_t place = 0;

    CHECK(!c4i_arena_alloc(&f->a, n, &place), "%llu bytes", (unsigned long long)n);
    CHECK(place % 64 == 0 && place + n <= f->nbytes);
    return place;
}

static void
put(struct fixture *f, uint64_t place)
{
    c4i_arena_give_back(f->base, &f->returned, place);
}

/* The block given back last is the next one of its size. */
static void
last_in_first_out(void)
{
    static const uint64_t sizes[] = { 1000, 2049, 4096, 100000, 131000, 200000, MIB, 5 * MIB };
    struct fixture f;

    set_up(&f, 1024 * MIB);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t a = get(&f, sizes[i]), b = get(&f, sizes[i]);

        CHECK(a != b);
        put(&f, a);
        CHECK(get(&f, sizes[i]) == a, "size %llu", (unsigned long long)sizes[i]);
        put(&f, a);
        put(&f, b);
    }
    c4i_arena_collect(&f.a);
    CHECK(f.a.nout == 0);
    tear_down(&f);
}

struct held {
    uint64_t place, n;
    unsigned char mark;
};

static void
fill(struct fixture *f, struct held *h)
{
    f->base[h->place] = f->base[h->place + h->n / 2] = f->base[h->place + h->n - 1] = h->mark;
}

static void
verify(const struct fixture *f, const struct held *h)
{
    CHECK(f->base[h->place] == h->mark && f->base[h->place + h->n / 2] == h->mark &&
          f->base[h->place + h->n - 1] == h->mark);
}

/* Any order of sizes and returns keeps every block's bytes. */
static void
random_use(uint64_t seed)
{
    enum { NHELD = 200, STEPS = 20000 };
    struct held held[NHELD] = { { 0 } };
    struct fixture f;

    set_up(&f, 4096 * MIB);
    f.a.budget = 16 * MIB;
    for (int step = 0; step < STEPS; step++) {
        struct held *h = &held[check_random(&seed) % NHELD];

        if (h->n) {
            verify(&f, h);
            put(&f, h->place);
            h->n = 0;
            continue;
        }
        h->n = 1 + check_random(&seed) % (UINT64_C(1) << (4 + check_random(&seed) % 18));
        h->place = get(&f, h->n);
        h->mark = (unsigned char)check_random(&seed);
        fill(&f, h);
    }
    for (int i = 0; i < NHELD; i++)
        if (held[i].n) {
            verify(&f, &held[i]);
            put(&f, held[i].place);
        }
    c4i_arena_collect(&f.a);
    CHECK(f.a.nout == 0);
    CHECK(f.a.cached <= f.a.budget, "%llu", (unsigned long long)f.a.cached);
    CHECK(memory_of(&f) == f.a.backed, "%llu %llu", (unsigned long long)memory_of(&f),
          (unsigned long long)f.a.backed);
    tear_down(&f);
}

/* Memory that is free beyond the budget goes back, small blocks and large. */
static void
punches_holes(void)
{
    enum { N = 20000 };
    static uint64_t place[N];
    struct fixture f;

    set_up(&f, 1024 * MIB);
    f.a.budget = 8 * MIB;
    for (int i = 0; i < N; i++)
        place[i] = get(&f, 4000);
    CHECK(memory_of(&f) >= N * 4000);
    for (int i = 0; i < N; i++)
        put(&f, place[i]);
    c4i_arena_collect(&f.a);
    CHECK(memory_of(&f) <= 8 * MIB);
    for (int i = 0; i < 10; i++)
        place[i] = get(&f, 10 * MIB);
    CHECK(memory_of(&f) >= 100 * MIB);
    for (int i = 0; i < 10; i++)
        put(&f, place[i]);
    c4i_arena_collect(&f.a);
    CHECK(memory_of(&f) <= 8 * MIB);
    place[0] = get(&f, 10 * MIB);           /* and comes again, zeroed */
    CHECK(f.base[place[0]] == 0);
    memset(f.base + place[0], 1, 10 * MIB);
    tear_down(&f);
}

/* What cannot be had is an error, and what can is still given. */
static void
refuses(void)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * 4096 & ~(MIB - 1), place = 7, a;
    struct fixture f;

    set_up(&f, 16 * MIB);
    CHECK(c4i_arena_alloc(&f.a, UINT64_MAX, &place) == C4_ENOMEM && place == 7);
    CHECK(c4i_arena_alloc(&f.a, 17 * MIB, &place) == C4_ENOMEM && place == 7);
    a = get(&f, 8 * MIB);
    CHECK(c4i_arena_alloc(&f.a, 12 * MIB, &place) == C4_ENOMEM && place == 7);
    get(&f, 2 * MIB);
    put(&f, a);
    CHECK(get(&f, 3 * MIB) == a || f.a.nout == 2);
    tear_down(&f);
    set_up(&f, 4 * memory);
    CHECK(c4i_arena_alloc(&f.a, 2 * memory, &place) == C4_ENOMEM && place == 7);
    get(&f, MIB);
    tear_down(&f);
}

struct giver {
    struct fixture *f;
    uint64_t        place[64];
};

static void *
give_all(void *arg)
{
    struct giver *g = arg;

    for (int i = 0; i < 64; i++)
        put(g->f, g->place[i]);
    return NULL;
}

/* Several threads give back at once while the owner takes. */
static void
returned_from_threads(void)
{
    enum { NTHREADS = 4, ROUNDS = 50 };
    struct giver g[NTHREADS];
    pthread_t thread[NTHREADS];
    struct fixture f;

    set_up(&f, 1024 * MIB);
    for (int r = 0; r < ROUNDS; r++) {
        for (int k = 0; k < NTHREADS; k++) {
            g[k].f = &f;
            for (int i = 0; i < 64; i++)
                g[k].place[i] = get(&f, 3000);
            CHECK(!pthread_create(&thread[k], NULL, give_all, &g[k]));
        }
        for (int k = 0; k < NTHREADS; k++)
            pthread_join(thread[k], NULL);
    }
    c4i_arena_collect(&f.a);
    CHECK(f.a.nout == 0);
    tear_down(&f);
}

int
main(void)
{
    last_in_first_out();
    for (uint64_t seed = 1; seed <= 5; seed++)
        random_use(seed * 7919);
    punches_holes();
    refuses();
    returned_from_threads();
    return 0;
}
