/*
 * kneighbour.c - chares in a ring exchange messages with k neighbours on each
 * side; some work much harder than others, and which ones they are drifts.
 *
 *   charmrun +p4 ./kneighbour [chares] [k] [iterations] +balancer GreedyRefineLB
 *
 * Every LB_EVERY iterations all chares call c4_at_sync().  Prints the time of
 * each such stretch, and at the end whether every message arrived.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <c4.h>

enum { BEGIN, HELLO, STRETCH, TOTAL, NENTRIES };
enum { LB_EVERY = 10, HEAVY = 20 };         /* a heavy chare works so many times as much */

struct params {
    int nchares, k, iterations;
};

struct person {
    struct params p;
    int     me, iteration;
    int     nheard[2];                      /* a neighbour may be one iteration ahead */
    int64_t nreceived;
    bool    waiting;                        /* for its beginning, or for the balancer */
    double  sum;                            /* keeps the work from being optimized away */
    double  since;                          /* chare 0: begin of this stretch */
};

struct hello {
    int iteration, from;
};

static c4_err
person_create(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct person *x = self;

    if (len != sizeof(x->p))
        return C4_EFORMAT;
    memcpy(&x->p, data, sizeof(x->p));
    x->me = (int)c4_self(pe).idx;
    x->waiting = true;
    return C4_OK;
}

/* A quarter of the ring is heavy; it moves on by one chare in ten iterations. */
static bool
is_heavy(const struct person *x)
{
    int begin = x->iteration / 10 % x->p.nchares;

    return (x->me - begin + x->p.nchares) % x->p.nchares < x->p.nchares / 4;
}

static void
work(struct person *x)
{
    int n = is_heavy(x) ? 4000 * HEAVY : 4000;

    for (int i = 1; i <= n; i++)
        x->sum += 1.0 / (i + x->sum);
}

static c4_err
greet(c4_pe *pe, struct person *x)
{
    struct hello h = { x->iteration, x->me };
    c4_err err = C4_OK;

    for (int d = 1; !err && d <= x->p.k; d++) {
        err = c4_send(pe, c4_neighbour(pe, c4_self(pe), d), HELLO, &h, sizeof(h));
        if (!err)
            err = c4_send(pe, c4_neighbour(pe, c4_self(pe), -d), HELLO, &h, sizeof(h));
    }
    return err;
}

/* Goes on for as long as it has heard all.  Of a neighbour that moves to another
 * PE the next greeting may come before the last one, hence the loop. */
static c4_err
advance(c4_pe *pe, struct person *x)
{
    c4_callback total = c4_cb_send(c4_elem(c4_self(pe).coll, 0), TOTAL);
    c4_err err = C4_OK;

    while (!err && !x->waiting && x->nheard[x->iteration & 1] == 2 * x->p.k) {
        x->nheard[x->iteration & 1] = 0;
        work(x);
        x->iteration++;
        if (x->iteration == x->p.iterations)
            return c4_reduce(pe, C4_RED_SUM_I64, &x->nreceived, sizeof(x->nreceived), &total);
        if (x->iteration % LB_EVERY == 0) {
            x->waiting = true;
            return c4_at_sync(pe);
        }
        err = greet(pe, x);
    }
    return err;
}

static c4_err
person_begin(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct person *x = self;
    c4_err err = greet(pe, x);

    (void)data;
    (void)len;
    x->waiting = false;
    /* Neighbours that began earlier may have greeted already. */
    return err ? err : advance(pe, x);
}

static c4_err
person_hello(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct person *x = self;
    struct hello h;

    if (len != sizeof(h))
        return C4_EFORMAT;
    memcpy(&h, data, sizeof(h));
    x->nheard[h.iteration & 1]++;
    x->nreceived++;
    return h.iteration == x->iteration ? advance(pe, x) : C4_OK;
}

/* The barrier is over: all go on, and chare 0 is told how long it took. */
static c4_err
person_resume(c4_pe *pe, void *self)
{
    struct person *x = self;
    c4_callback stretch = c4_cb_send(c4_elem(c4_self(pe).coll, 0), STRETCH);
    c4_err err = c4_reduce(pe, C4_RED_NOP, NULL, 0, &stretch);

    x->waiting = false;
    if (!err)
        err = greet(pe, x);
    /* Neighbours that resumed earlier may have greeted already. */
    return err ? err : advance(pe, x);
}

static c4_err
person_stretch(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct person *x = self;

    (void)data;
    (void)len;
    printf("iteration %4d: %7.3f ms each\n", x->iteration / LB_EVERY * LB_EVERY,
           (c4_now(pe) - x->since) * 1e3 / LB_EVERY);
    x->since = c4_now(pe);
    return C4_OK;
}

static c4_err
person_total(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct person *x = self;
    int64_t want = 2 * (int64_t)x->p.k * x->p.nchares * x->p.iterations, got;

    if (len != sizeof(got))
        return C4_EFORMAT;
    memcpy(&got, data, sizeof(got));
    printf("%lld of %lld messages arrived, %.3f s on %u PEs\n", (long long)got, (long long)want,
           c4_now(pe), c4_npes(pe));
    return c4_exit(pe, got == want ? 0 : 1);
}

static const c4_entry person_entries[NENTRIES + 1] = {
    [BEGIN] = { "begin", person_begin },
    [HELLO] = { "hello", person_hello },
    [STRETCH] = { "stretch", person_stretch },
    [TOTAL] = { "total", person_total },
};

static const c4_type person = {
    .name = "person", .size = sizeof(struct person), .entries = person_entries,
    .create = person_create, .pup = c4_pup_bytes, .resume = person_resume
};

static c4_err
kneighbour_main(c4_pe *pe, int argc, char **argv)
{
    struct params p = { argc > 1 ? atoi(argv[1]) : 64, argc > 2 ? atoi(argv[2]) : 2,
                        argc > 3 ? atoi(argv[3]) : 100 };
    c4_opts opts = { .args = &p, .len = sizeof(p), .at_sync = true };
    c4_array people;
    c4_err err;

    if (p.k < 1 || p.nchares <= 2 * p.k || p.iterations < 1)
        return c4_fail(pe, C4_EINVAL, "usage: kneighbour [chares] [k] [iterations], chares > 2 k");
    err = c4_array_new(pe, &person, c4_dims(p.nchares), &opts, &people);
    return err ? err : c4_bcast(pe, people, BEGIN, NULL, 0);
}

int
main(int argc, char **argv)
{
    static const c4_type *const types[] = { &person, NULL };

    return c4_run(argc, argv, types, kneighbour_main);
}
