/* The manager reads its flags, poses the problem, checks the answer and
 * records the step; a PE of our own stands in for the runtime's. */
#include <math.h>
#include <stdarg.h>

#include "lb/lb_record.h"
#include "lb/manager.h"
#include "plugin_build.h"
#include "runtime/clock.h"
#include "runtime/hooks.h"

/* ---- A PE that is only what the manager asks of it --------------------------- */

struct c4_pe {
    uint32_t     me;
    bool         crowded;                   /* more PEs than cores */
    c4i_flags    flags;
    c4i_clock    clock;
    c4i_balancer lb;
    bool         has_lb;
    c4i_recorder rec;
    unsigned char *record;                  /* the last one */
    size_t       record_len;
    unsigned     nrecords, nlogs;
    char         error[1024];
};

uint32_t
c4_mype(const c4_pe *pe)
{
    return pe->me;
}

const c4i_flags *
c4i_pe_flags(const c4_pe *pe)
{
    return &pe->flags;
}

struct c4i_clock *
c4i_pe_clock(c4_pe *pe)
{
    return &pe->clock;
}

bool
c4i_pe_oversubscribed(const c4_pe *pe)
{
    return pe->crowded;
}

const c4i_recorder *
c4i_get_recorder(const c4_pe *pe)
{
    return &pe->rec;
}

void
c4i_set_balancer(c4_pe *pe, const c4i_balancer *b)
{
    pe->lb = *b;
    pe->has_lb = true;
}

c4_err
c4_fail(c4_pe *pe, c4_err err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(pe->error, sizeof(pe->error), fmt, ap);
    va_end(ap);
    return err;
}

static void
keep_record(void *ctx, const void *record, size_t len)
{
    c4_pe *pe = ctx;

    free(pe->record);
    pe->record = lb_test_room(len, 1);
    memcpy(pe->record, record, len);
    pe->record_len = len;
    pe->nrecords++;
}

static void
count_log(void *ctx, int level, const char *text)
{
    (void)level;
    (void)text;
    ((c4_pe *)ctx)->nlogs++;
}

/* words: the command line, with spaces between. */
static c4_err
attach(c4_pe *pe, const char *words)
{
    char *copy = strdup(words), *argv[32] = { "prog" };
    int argc = 1;
    c4_err err;

    *pe = (c4_pe){ .me = pe->me, .crowded = pe->crowded };
    pe->rec = (c4i_recorder){ .ctx = pe, .lb = keep_record, .log = count_log };
    c4i_clock_init(&pe->clock);
    c4i_flags_init(&pe->flags);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    argv[argc] = NULL;
    CHECK(c4i_flags_parse(&pe->flags, &argc, argv, ~0u) == C4_OK, "%s: %s", words, pe->flags.error);
    err = c4i_lb_attach(pe);
    free(copy);
    return err;
}

static void
detach(c4_pe *pe)
{
    if (pe->has_lb)
        pe->lb.release(pe->lb.ctx);
    c4i_flags_release(&pe->flags);
    free(pe->record);
}

/* ---- Steps ------------------------------------------------------------------- */

enum { NOBJS = 12, NPES = 3 };

struct step {
    c4i_lb_object objs[NOBJS];
    c4i_lb_pe     pes[NPES];
    c4i_lb_move  *moves;
    uint32_t      nmoves;
};

/* All objects on PE 0, with loads 1, 2, 3 ... by wall time, the reverse by CPU
 * time; element numbers that are not positions. */
static void
step_init(struct step *s)
{
    *s = (struct step){ .moves = NULL };
    for (uint32_t i = 0; i < NOBJS; i++)
        s->objs[i] = (c4i_lb_object){ .elem = 100 + i, .coll = 7, .wall_s = 1 + i,
                                      .cpu_s = NOBJS - i, .user_load = -1, .movable = 1,
                                      .nbytes = 64, .ndims = 1, .index = { i } };
    for (uint32_t i = 0; i < NPES; i++)
        s->pes[i] = (c4i_lb_pe){ .pe = i, .nobjs = i ? 0 : NOBJS, .wall_s = 80 };
}

static c4_err
decide(c4_pe *pe, uint32_t round, struct step *s)
{
    free(s->moves);
    s->moves = NULL;
    s->nmoves = 99;
    return pe->lb.decide(pe->lb.ctx, pe, round, s->objs, NOBJS, s->pes, NPES, &s->moves, &s->nmoves);
}

static const c4i_lb_step *
recorded(const c4_pe *pe)
{
    CHECK(pe->record, "nothing was recorded");
    return (const c4i_lb_step *)(const void *)pe->record;
}

static const c4i_lb_placed *
placed(const c4_pe *pe)
{
    return (const c4i_lb_placed *)(const void *)
           (pe->record + sizeof(c4i_lb_step) + NPES * sizeof(c4i_lb_pe));
}

static void
no_flag_no_balancer(void)
{
    static const char *const words[] = { "", "+LBDebug 2", "+balancer GreedyLB +LBOff ++quiet",
                                         "+balancer help" };

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        c4_pe pe = { 0 };

        CHECK(attach(&pe, words[i]) == C4_OK && !pe.has_lb, "%s", words[i]);
        detach(&pe);
    }
}

static void
wrong_flags_are_refused(void)
{
    static const struct { const char *words, *says; } bad[] = {
        { "+balancer Nonsense", "+balancer: there is no balancer 'Nonsense'; known: DummyLB" },
        { "+balancer GreedyLB +balancer RefineLB,x=1", "no option 'x'" },
        { "+balancer ./missing.so", "./missing.so cannot be opened: No such file" },
        { "+balancer GreedyLB +LBLoad PAPI_TOT_INS", "+LBLoad takes wall, cpu or user" },
        { "+balancer GreedyLB +LBSeed x", "+LBSeed takes a whole number" },
        { "+balancer GreedyLB +LBSeed -1", "+LBSeed takes a whole number" },
        { "+balancer GreedyLB +LBSeed 18446744073709551616", "+LBSeed takes a whole number" },
        { "+balancer GreedyLB +LBPeriod -2", "+LBPeriod takes a number" },
        { "+balancer GreedyLB +LBPolicy never", "+LBPolicy takes atsync" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        c4_pe pe = { 0 };

        CHECK(attach(&pe, bad[i].words) != C4_OK && !pe.has_lb, "%s", bad[i].words);
        CHECK(strstr(pe.error, bad[i].says), "%s: '%s'", bad[i].words, pe.error);
        CHECK(!strchr(pe.error, '\n'), "%s", pe.error);
        detach(&pe);
    }
}

static void
a_step_is_decided_and_recorded(void)
{
    c4_pe pe = { 0 };
    struct step s;
    const c4i_lb_step *r;
    double load[NPES] = { 0 };
    uint32_t moved = 0;

    step_init(&s);
    s.objs[3].movable = 0;
    CHECK(attach(&pe, "+balancer GreedyLB +LBSeed 5") == C4_OK && pe.has_lb, "%s", pe.error);
    CHECK(!pe.lb.want_cpu, "wall time is enough");
    CHECK(decide(&pe, 0, &s) == C4_OK, "%s", pe.error);
    r = recorded(&pe);
    CHECK(pe.record_len == sizeof(*r) + NPES * sizeof(c4i_lb_pe) +
          NOBJS * (sizeof(c4i_lb_placed) + sizeof(c4i_lb_object)), "%zu bytes", pe.record_len);
    CHECK(r->version == C4I_LB_RECORD_VERSION && r->round == 0 && r->npes == NPES &&
          r->nobjs == NOBJS && r->nmoves == s.nmoves && r->seed == 5, "the head");
    CHECK(strcmp(r->strategy, "GreedyLB") == 0 && strcmp(r->metric, "wall") == 0 &&
          strcmp(r->reason, "AtSync") == 0 && *r->options == 0, "%s %s %s", r->strategy,
          r->metric, r->reason);
    CHECK(r->begin_ns <= r->end_ns && r->strategy_ns <= r->end_ns - r->begin_ns + 1, "times");
    CHECK(fabs(r->imbalance_before - 2) < 1e-12, "%g", r->imbalance_before);
    for (uint32_t i = 0; i < NOBJS; i++) {
        load[placed(&pe)[i].to] += placed(&pe)[i].load;
        moved += placed(&pe)[i].to != 0;
    }
    CHECK(placed(&pe)[3].to == 0 && moved == s.nmoves, "%u moved, %u listed", moved, s.nmoves);
    CHECK(fabs(fmax(load[0], fmax(load[1], load[2])) / 26 - 1 - r->imbalance_predicted) < 1e-12,
          "%g", r->imbalance_predicted);
    for (uint32_t i = 0; i < s.nmoves; i++)
        CHECK(s.moves[i].coll == 7 && s.moves[i].to == placed(&pe)[s.moves[i].elem - 100].to &&
              s.moves[i].to != 0 && (i == 0 || s.moves[i].elem > s.moves[i - 1].elem), "move %u", i);
    CHECK(memcmp(placed(&pe) + NOBJS, s.objs, sizeof(s.objs)) == 0, "the objects");
    free(s.moves);
    detach(&pe);
}

static void
first_balancer_first_last_for_ever(void)
{
    static const char *const expected[] = { "RotateLB", "DummyLB", "RefineLB", "RefineLB" };
    c4_pe pe = { 0 };
    struct step s;

    step_init(&s);
    CHECK(attach(&pe, "+balancer Rotate,by=2 +balancer DummyLB +balancer RefineLB ++quiet") == C4_OK,
          "%s", pe.error);
    for (uint32_t round = 0; round < 4; round++) {
        CHECK(decide(&pe, round, &s) == C4_OK, "%s", pe.error);
        CHECK(strcmp(recorded(&pe)->strategy, expected[round]) == 0, "round %u: %s", round,
              recorded(&pe)->strategy);
        CHECK(round != 0 || strcmp(recorded(&pe)->options, "by=2") == 0, "%s", recorded(&pe)->options);
        CHECK(round != 1 || s.nmoves == 0, "DummyLB moved %u", s.nmoves);
    }
    free(s.moves);
    detach(&pe);
}

static double
load_under(const char *words, bool crowded, uint32_t obj, bool want_cpu, const char *metric)
{
    c4_pe pe = { .crowded = crowded };
    struct step s;
    double load;

    step_init(&s);
    s.objs[1].user_load = 1000;
    s.objs[2].cpu_s = -1;
    CHECK(attach(&pe, words) == C4_OK, "%s", pe.error);
    CHECK(pe.lb.want_cpu == want_cpu, "%s", words);
    CHECK(decide(&pe, 0, &s) == C4_OK, "%s", pe.error);
    CHECK(strcmp(recorded(&pe)->metric, metric) == 0, "%s: %s", words, recorded(&pe)->metric);
    load = placed(&pe)[obj].load;
    free(s.moves);
    detach(&pe);
    return load;
}

static void
the_chosen_load_counts(void)
{
    CHECK(load_under("+balancer DummyLB", false, 1, false, "wall") == 2, "wall");
    CHECK(load_under("+balancer DummyLB", true, 1, true, "cpu") == 11, "more PEs than cores");
    CHECK(load_under("+balancer DummyLB", true, 2, true, "cpu") == 3, "no CPU time of object 2");
    CHECK(load_under("+balancer DummyLB +LBLoad wall", true, 1, false, "wall") == 2, "wall");
    CHECK(load_under("+balancer DummyLB +LBLoad cpu", false, 1, true, "cpu") == 11, "cpu");
    CHECK(load_under("+balancer DummyLB +LBLoad user", false, 1, false, "user,wall") == 1000, "user");
    CHECK(load_under("+balancer DummyLB +LBLoad user", false, 0, false, "user,wall") == 1, "user");
    CHECK(load_under("+balancer DummyLB +LBLoad user", true, 0, true, "user,cpu") == 12, "user");
}

static void
wild_loads_are_tamed(void)
{
    const double wild[] = { NAN, INFINITY, -INFINITY, -1, 1e300, 1e-320 };
    const double tame[] = { 0, 1e100, 0, 0, 1e100, 1e-320 };
    c4_pe pe = { 0 };
    struct step s;

    step_init(&s);
    for (uint32_t i = 0; i < 6; i++)
        s.objs[i].wall_s = wild[i];
    s.pes[1].background_s = NAN;
    CHECK(attach(&pe, "+balancer GreedyRefineLB") == C4_OK && decide(&pe, 0, &s) == C4_OK, "%s",
          pe.error);
    for (uint32_t i = 0; i < 6; i++)
        CHECK(placed(&pe)[i].load == tame[i], "%g became %g", wild[i], placed(&pe)[i].load);
    CHECK(isfinite(recorded(&pe)->imbalance_before) && isfinite(recorded(&pe)->imbalance_predicted),
          "imbalance");
    free(s.moves);
    detach(&pe);
}

static void
background_counts_unless_objects_only(void)
{
    static const char *const words[] = { "+balancer GreedyLB", "+balancer GreedyLB +LBObjOnly" };

    for (int only = 0; only < 2; only++) {
        c4_pe pe = { 0 };
        struct step s;
        uint32_t to_busy = 0;

        step_init(&s);
        s.pes[2].background_s = 1000;
        CHECK(attach(&pe, words[only]) == C4_OK && decide(&pe, 0, &s) == C4_OK, "%s", pe.error);
        for (uint32_t i = 0; i < s.nmoves; i++)
            to_busy += s.moves[i].to == 2;
        CHECK((to_busy > 0) == only, "%s: %u objects to the busy PE", words[only], to_busy);
        free(s.moves);
        detach(&pe);
    }
}

static void
the_same_seed_gives_the_same_moves(void)
{
    static const char *const words[] = { "+balancer RandCentLB +LBSeed 3", "+balancer RandCentLB +LBSeed 3",
                                         "+balancer RandCentLB +LBSeed 4" };
    uint64_t sum[3][4] = { { 0 } };

    for (int k = 0; k < 3; k++) {
        c4_pe pe = { 0 };
        struct step s;

        step_init(&s);
        CHECK(attach(&pe, words[k]) == C4_OK, "%s", pe.error);
        for (uint32_t round = 0; round < 4; round++) {
            CHECK(decide(&pe, round, &s) == C4_OK, "%s", pe.error);
            for (uint32_t i = 0; i < s.nmoves; i++)
                sum[k][round] = sum[k][round] * 31 + s.moves[i].elem * 7 + s.moves[i].to;
        }
        free(s.moves);
        detach(&pe);
    }
    CHECK(memcmp(sum[0], sum[1], sizeof(sum[0])) == 0, "same seed");
    CHECK(memcmp(sum[0], sum[2], sizeof(sum[0])) != 0, "other seed");
    CHECK(sum[0][0] != sum[0][1] && sum[0][1] != sum[0][2], "rounds");
}

static void
a_failing_strategy_moves_nothing_and_is_told_once(void)
{
    c4_pe pe = { 0 };
    struct step s;

    step_init(&s);
    CHECK(attach(&pe, "+balancer DummyLB,fail=yes") == C4_OK, "%s", pe.error);
    for (uint32_t round = 0; round < 3; round++) {
        CHECK(decide(&pe, round, &s) == C4_OK && s.nmoves == 0 && s.moves, "%s", pe.error);
        CHECK(strstr(recorded(&pe)->reason, "failed"), "%s", recorded(&pe)->reason);
    }
    CHECK(pe.nlogs == 1 && pe.nrecords == 3, "%u logs, %u records", pe.nlogs, pe.nrecords);
    free(s.moves);
    detach(&pe);
}

/* A plugin that sends all objects to a PE: of the job or not, movable or not. */
static void
a_wrong_answer_is_not_carried_out(void)
{
    static const char *const wrong[] = { "1", "3", "4294967295" };

    plugin_build("evil.so",
                 "#include <stdlib.h>\n"
                 "static const c4_lb_option opts[] = { { .name = \"to\", .initial = \"0\","
                 " .help = \"PE\", .kind = C4_LB_UINT }, { 0 } };\n"
                 "static c4_err solve(const c4_lb_problem *p, const void *o, uint32_t *n)\n"
                 "{ for (uint32_t i = 0; i < p->nobjs; i++) n[i] = *(const uint32_t *)o; return C4_OK; }\n"
                 "static const c4_lb evil = { .abi = C4_LB_ABI, .name = \"EvilLB\", .help = \"evil\","
                 " .options = opts, .options_size = 4, .solve = solve };\n"
                 "const c4_lb *const c4_lb_plugin[] = { &evil, NULL };\n");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        c4_pe pe = { 0 };
        struct step s;
        char words[256];

        step_init(&s);
        s.objs[5].movable = 0;
        snprintf(words, sizeof(words), "+balancer %s/evil.so,to=%s", plugin_dir, wrong[i]);
        CHECK(attach(&pe, words) == C4_OK, "%s", pe.error);
        CHECK(decide(&pe, 0, &s) == C4_OK && s.nmoves == 0, "%s: %u moves", words, s.nmoves);
        CHECK(pe.nlogs == 1 && strstr(recorded(&pe)->reason, "failed"), "%s", words);
        free(s.moves);
        detach(&pe);
    }
}

static void
within_the_period_nothing_moves(void)
{
    c4_pe pe = { 0 };
    struct step s;

    step_init(&s);
    CHECK(attach(&pe, "+balancer RotateLB +LBPeriod 1e6 +LBDebug") == C4_OK, "%s", pe.error);
    CHECK(decide(&pe, 0, &s) == C4_OK && s.nmoves == NOBJS, "the first step: %u moves", s.nmoves);
    CHECK(decide(&pe, 1, &s) == C4_OK && s.nmoves == 0, "the second: %u moves", s.nmoves);
    CHECK(strstr(recorded(&pe)->reason, "+LBPeriod"), "%s", recorded(&pe)->reason);
    free(s.moves);
    detach(&pe);
}

static void
no_objects_and_one_pe_are_fine(void)
{
    c4_pe pe = { 0 };
    c4i_lb_pe lone = { .pe = 0 };
    c4i_lb_move *moves = NULL;
    uint32_t n = 99;

    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++) {
        char words[128];

        snprintf(words, sizeof(words), "+balancer %s +LBDebug 2 ++quiet", (*lb)->name);
        CHECK(attach(&pe, words) == C4_OK, "%s", pe.error);
        CHECK(pe.lb.decide(pe.lb.ctx, &pe, 0, NULL, 0, &lone, 1, &moves, &n) == C4_OK && n == 0,
              "%s: %s", words, pe.error);
        free(moves);
        detach(&pe);
    }
}

int
main(void)
{
    CHECK(freopen("/dev/null", "w", stdout), "stdout");
    no_flag_no_balancer();
    wrong_flags_are_refused();
    a_step_is_decided_and_recorded();
    first_balancer_first_last_for_ever();
    the_chosen_load_counts();
    wild_loads_are_tamed();
    background_counts_unless_objects_only();
    the_same_seed_gives_the_same_moves();
    a_failing_strategy_moves_nothing_and_is_told_once();
    plugin_build_begin();
    a_wrong_answer_is_not_carried_out();
    within_the_period_nothing_moves();
    no_objects_and_one_pe_are_fine();
    return 0;
}
