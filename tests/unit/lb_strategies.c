/* Every strategy of the build keeps the rules, on problems of all kinds; the
 * built-in ones keep their promises. */
#include <math.h>

#include "lb/c4_lb_plan.h"
#include "lb_test.h"

enum { NRANDOM = 3000 };

/* Random in every way: sizes, loads of several shapes, pinned objects,
 * background, unequal PEs. */
static void
random_problem(struct lb_test *t, c4_lb_rng *r)
{
    uint32_t npes = 1 + c4_lb_below(r, 20), nobjs = c4_lb_below(r, 60);
    uint32_t shape = c4_lb_below(r, 5), pinned = c4_lb_below(r, 3);

    lb_test_init(t, nobjs, npes);
    for (uint32_t i = 0; i < nobjs; i++) {
        double u = lb_test_uniform(r);
        const double loads[] = { u, 1, -log1p(-u), u < 0.5 ? 0 : u, u * 1e100 };

        t->load[i] = loads[shape];
        t->pe_of[i] = c4_lb_below(r, npes);
        t->movable[i] = !pinned || c4_lb_below(r, 4) != 0;
    }
    for (uint32_t i = 0; i < npes; i++) {
        t->background[i] = c4_lb_below(r, 3) == 0 ? lb_test_uniform(r) : 0;
        t->speed[i] = shape == 2 && pinned == 1 ? 0.25 + lb_test_uniform(r) : 1;
    }
}

static void
keeps_the_rules(struct lb_test *t, const c4i_lb_choice *c, const char *what)
{
    uint32_t obj = 0, *first = lb_test_room(t->p.nobjs, sizeof(*first));
    double imbalance;

    CHECK(lb_test_solve(t, c, 7) == C4_OK, "%s, %s", c->lb->name, what);
    CHECK(c4i_lb_check(&t->p, t->pe_new, &obj) == C4_OK, "%s, %s: object %u to PE %u",
          c->lb->name, what, obj, t->pe_new[obj]);
    CHECK(c4i_lb_imbalance(&t->p, t->pe_new, &imbalance) == C4_OK && isfinite(imbalance),
          "%s, %s", c->lb->name, what);
    memcpy(first, t->pe_new, t->p.nobjs * sizeof(*first));
    CHECK(lb_test_solve(t, c, 7) == C4_OK, "%s, %s", c->lb->name, what);
    if (!(c->lb->needs & C4_LB_NONDETERMINISTIC))
        CHECK(memcmp(first, t->pe_new, t->p.nobjs * sizeof(*first)) == 0,
              "%s, %s: not the same answer twice", c->lb->name, what);
    free(first);
}

static void
all_keep_the_rules_on_random_problems(void)
{
    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++) {
        c4_lb_rng r = { 11 };
        c4i_lb_choice c;

        lb_test_choose(&c, (*lb)->name);
        for (int k = 0; k < NRANDOM; k++) {
            struct lb_test t;
            char what[32];

            snprintf(what, sizeof(what), "random problem %d", k);
            random_problem(&t, &r);
            keeps_the_rules(&t, &c, what);
            lb_test_release(&t);
        }
        c4i_lb_choice_release(&c);
    }
}

/* Loads of one value on so many objects and PEs, all on PE 0. */
static void
all_keep_the_rules_on(uint32_t nobjs, uint32_t npes, double load, const char *what)
{
    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++) {
        struct lb_test t;
        c4i_lb_choice c;

        lb_test_choose(&c, (*lb)->name);
        lb_test_init(&t, nobjs, npes);
        for (uint32_t i = 0; i < nobjs; i++)
            t.load[i] = load;
        keeps_the_rules(&t, &c, what);
        for (uint32_t i = 0; i < nobjs; i++)
            t.movable[i] = 0;
        keeps_the_rules(&t, &c, what);
        CHECK(memcmp(t.pe_new, t.pe_of, nobjs * sizeof(*t.pe_of)) == 0, "%s", c.lb->name);
        lb_test_release(&t);
        c4i_lb_choice_release(&c);
    }
}

/* The best makespan there is, by trying all mappings (the first object stays
 * on PE 0, since PEs are equal). */
static double
best_makespan(const struct lb_test *t, double *finish, uint32_t i, double so_far, double best)
{
    if (so_far >= best)
        return best;
    if (i == t->p.nobjs)
        return so_far;
    for (uint32_t pe = 0; pe < t->p.npes && pe <= i; pe++) {
        finish[pe] += t->load[i];
        best = best_makespan(t, finish, i + 1, finish[pe] > so_far ? finish[pe] : so_far, best);
        finish[pe] -= t->load[i];
    }
    return best;
}

static void
greedy_is_within_grahams_bound(void)
{
    c4_lb_rng r = { 13 };
    c4i_lb_choice c;

    lb_test_choose(&c, "GreedyLB");
    for (int k = 0; k < 400; k++) {
        uint32_t npes = 2 + c4_lb_below(&r, 3), nobjs = 1 + c4_lb_below(&r, 9);
        double finish[5] = { 0 }, best, got;
        struct lb_test t;

        lb_test_init(&t, nobjs, npes);
        for (uint32_t i = 0; i < nobjs; i++)
            t.load[i] = 1 + c4_lb_below(&r, 12);    /* whole numbers: sums are exact */
        CHECK(lb_test_solve(&t, &c, 1) == C4_OK, "problem %d", k);
        got = lb_test_makespan(&t, t.pe_new);
        best = best_makespan(&t, finish, 0, 0, 1e300);
        CHECK(got <= best * (4.0 / 3 - 1.0 / (3 * npes)) * (1 + 1e-12),
              "problem %d: %g, the best is %g", k, got, best);
        lb_test_release(&t);
    }
    c4i_lb_choice_release(&c);
}

/* Whatever the options are: never worse, nothing taken from a PE that is not
 * overloaded. */
static void
refine_is_never_worse(void)
{
    static const char *const specs[] = { "RefineLB", "RefineLB,tolerance=1", "RefineLB,tolerance=2" };

    for (size_t s = 0; s < sizeof(specs) / sizeof(*specs); s++) {
        c4_lb_rng r = { 17 + s };
        c4i_lb_choice c;

        lb_test_choose(&c, specs[s]);
        for (int k = 0; k < NRANDOM; k++) {
            struct lb_test t;
            double before, after;

            random_problem(&t, &r);
            before = lb_test_makespan(&t, t.pe_of);
            CHECK(lb_test_solve(&t, &c, 1) == C4_OK, "problem %d", k);
            after = lb_test_makespan(&t, t.pe_new);
            CHECK(after <= before, "%s, problem %d: %.17g, was %.17g", specs[s], k, after, before);
            CHECK(after < before || c4i_lb_nmoves(&t.p, t.pe_new) == 0,
                  "%s, problem %d: moves for nothing", specs[s], k);
            lb_test_release(&t);
        }
        c4i_lb_choice_release(&c);
    }
}

static double
ideal(const struct lb_test *t)
{
    double work = 0, speed = 0;

    for (uint32_t i = 0; i < t->p.nobjs; i++)
        work += t->load[i];
    for (uint32_t i = 0; i < t->p.npes; i++) {
        work += t->background[i] * t->speed[i];
        speed += t->speed[i];
    }
    return work / speed;
}

static void
refine_takes_from_overloaded_pes_only(void)
{
    c4_lb_rng r = { 19 };
    c4i_lb_choice c;

    lb_test_choose(&c, "RefineLB,tolerance=1.1");
    for (int k = 0; k < NRANDOM; k++) {
        struct lb_test t;
        double *finish;

        random_problem(&t, &r);
        finish = lb_test_room(t.p.npes, sizeof(*finish));
        c4i_lb_finish(&t.p, t.pe_of, finish);
        CHECK(lb_test_solve(&t, &c, 1) == C4_OK, "problem %d", k);
        for (uint32_t i = 0; i < t.p.nobjs; i++)
            CHECK(t.pe_new[i] == t.pe_of[i] ||
                  finish[t.pe_of[i]] > 1.1 * ideal(&t) * (1 - 1e-12),
                  "problem %d: object %u leaves PE %u", k, i, t.pe_of[i]);
        free(finish);
        lb_test_release(&t);
    }
    c4i_lb_choice_release(&c);
}

/* Within its tolerance of greedy, never worse than what there is; returns its
 * moves as a share of those that greedy makes. */
static double
greedyrefine_is_nearly_greedy(double tolerance)
{
    c4_lb_rng r = { 23 };
    c4i_lb_choice greedy, mixed;
    uint64_t greedy_moves = 0, mixed_moves = 0;
    char spec[64];

    snprintf(spec, sizeof(spec), "GreedyRefineLB,tolerance=%g", tolerance);
    lb_test_choose(&greedy, "GreedyLB");
    lb_test_choose(&mixed, spec);
    for (int k = 0; k < NRANDOM; k++) {
        struct lb_test t;
        double best, before, after;

        random_problem(&t, &r);
        before = lb_test_makespan(&t, t.pe_of);
        CHECK(lb_test_solve(&t, &greedy, 1) == C4_OK, "problem %d", k);
        best = lb_test_makespan(&t, t.pe_new);
        greedy_moves += c4i_lb_nmoves(&t.p, t.pe_new);
        CHECK(lb_test_solve(&t, &mixed, 1) == C4_OK, "problem %d", k);
        after = lb_test_makespan(&t, t.pe_new);
        mixed_moves += c4i_lb_nmoves(&t.p, t.pe_new);
        CHECK(after <= tolerance * best * (1 + 1e-12), "problem %d: %g, greedy %g", k, after, best);
        CHECK(after <= before * (1 + 1e-12), "problem %d: %g, was %g", k, after, before);
        lb_test_release(&t);
    }
    c4i_lb_choice_release(&greedy);
    c4i_lb_choice_release(&mixed);
    return (double)mixed_moves / (double)greedy_moves;
}

static void
randcent_hears_the_seed_and_reaches_every_pe(void)
{
    uint32_t seen[16] = { 0 }, differ = 0, first[2000];
    struct lb_test t;
    c4i_lb_choice c;

    lb_test_choose(&c, "RandCentLB");
    lb_test_init(&t, 2000, 16);
    CHECK(lb_test_solve(&t, &c, 1) == C4_OK, "seed 1");
    memcpy(first, t.pe_new, sizeof(first));
    CHECK(lb_test_solve(&t, &c, 2) == C4_OK, "seed 2");
    for (uint32_t i = 0; i < 2000; i++) {
        differ += first[i] != t.pe_new[i];
        seen[first[i]]++;
    }
    CHECK(differ > 1000, "only %u of 2000 differ", differ);
    for (uint32_t i = 0; i < 16; i++)
        CHECK(seen[i] > 60 && seen[i] < 200, "PE %u got %u", i, seen[i]);
    lb_test_release(&t);
    c4i_lb_choice_release(&c);
}

static void
rounds_and_seeds_give_different_generators(void)
{
    c4_lb_rng a = c4i_lb_rng(1, 0), b = c4i_lb_rng(1, 1), c = c4i_lb_rng(2, 0), d = c4i_lb_rng(1, 0);
    uint64_t x = c4_lb_rand(&a);

    CHECK(x != c4_lb_rand(&b) && x != c4_lb_rand(&c) && x == c4_lb_rand(&d), "generators");
    for (uint32_t n = 1; n < 50; n++)
        for (int k = 0; k < 50; k++)
            CHECK(c4_lb_below(&a, n) < n, "below %u", n);
}

/* Objects come and go at random; the PE on top is always the one that a look at
 * all would find. */
static void
the_heap_of_pes_stays_in_order(void)
{
    c4_lb_rng r = { 29 };
    struct lb_test t;
    c4_lb_pes pes;

    lb_test_init(&t, 0, 37);
    CHECK(c4_lb_pes_init(&pes, &t.p) == C4_OK, "out of memory");
    for (int k = 0; k < 20000; k++) {
        uint32_t pe = c4_lb_below(&r, 37), least = 0;
        double load = c4_lb_below(&r, 10);

        if (c4_lb_below(&r, 2))
            c4_lb_pes_charge(&pes, pe, load);
        else
            c4_lb_pes_relieve(&pes, pe, load);
        for (uint32_t i = 1; i < 37; i++)
            if (pes.finish_s[i] < pes.finish_s[least])
                least = i;
        CHECK(c4_lb_pes_earliest(&pes, 1) == least, "step %d", k);
    }
    c4_lb_pes_release(&pes);
    lb_test_release(&t);
}

static void
wrong_answers_are_found(void)
{
    struct lb_test t;
    uint32_t obj = 99;

    lb_test_init(&t, 3, 2);
    CHECK(c4i_lb_check(&t.p, t.pe_new, &obj) == C4_OK, "object %u", obj);
    t.pe_new[2] = 2;
    CHECK(c4i_lb_check(&t.p, t.pe_new, &obj) == C4_EINVAL && obj == 2, "no such PE");
    t.pe_new[1] = 1;
    t.movable[1] = 0;
    CHECK(c4i_lb_check(&t.p, t.pe_new, &obj) == C4_EINVAL && obj == 1, "a pinned object");
    lb_test_release(&t);
}

int
main(void)
{
    static const double tolerances[] = { 1.02, 1.1, 1.5 };
    double share;

    all_keep_the_rules_on_random_problems();
    all_keep_the_rules_on(0, 1, 0, "no objects, one PE");
    all_keep_the_rules_on(0, 9, 0, "no objects");
    all_keep_the_rules_on(40, 1, 1, "one PE");
    all_keep_the_rules_on(40, 9, 0, "no load");
    all_keep_the_rules_on(40, 9, 1e100, "huge loads");
    all_keep_the_rules_on(40, 9, 5e-324, "the smallest load there is");
    all_keep_the_rules_on(3, 9, 1, "fewer objects than PEs");
    greedy_is_within_grahams_bound();
    refine_is_never_worse();
    refine_takes_from_overloaded_pes_only();
    share = greedyrefine_is_nearly_greedy(1);
    for (size_t i = 0; i < sizeof(tolerances) / sizeof(*tolerances); i++) {
        double less = greedyrefine_is_nearly_greedy(tolerances[i]);

        CHECK(less < share, "tolerance %g: %g of greedy's moves, not less than %g", tolerances[i],
              less, share);
        share = less;
    }
    the_heap_of_pes_stays_in_order();
    wrong_answers_are_found();
    randcent_hears_the_seed_and_reaches_every_pe();
    rounds_and_seeds_give_different_generators();
    return 0;
}
