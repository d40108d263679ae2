/*
 * prof_stats.c - statistics without a trace, and their sum over PEs.
 */
#include "tests/unit/prof_test.h"

static const c4_entry entries[] = { { "go", NULL }, { "stop", NULL }, { 0 } };
static const c4_type type = { .name = "thing", .entries = entries };

static void
run(struct prof_test *t, const c4_type *of, uint16_t entry, uint64_t ns, uint32_t cause_pe)
{
    uint64_t zero = t->clock.zero;
    c4i_exec x = { .type = of, .entry = entry, .begin = zero + 10, .end = zero + 10 + ns,
                   .send = ns / 2, .cpu_ns = -1,
                   .cause = { .pe = cause_pe, .trace = 1, .nbytes = ns, .taken = zero,
                              .arrived = zero } };
    c4i_wire w = { .kind = C4I_CALL };

    t->clock.zero += 10 + ns;               /* the next one begins later */
    t->rec.exec(t->rec.ctx, &x);
    if (cause_pe != t->pe)
        t->rec.received(t->rec.ctx, &w, ns);
}

static c4_stats *
of_pe(uint32_t pe)
{
    struct prof_test t;
    c4_stats *s;

    prof_test_init(&t);
    prof_test_open(&t, pe, 2, C4I_LEVEL_NONE, 0);
    run(&t, &type, 1, 100 + pe, 1 - pe);
    run(&t, &type, 1, 300, pe);
    if (pe == 0)
        run(&t, NULL, 0, 50, 0);
    else
        run(&t, &type, C4_ENTRY_CREATE, 70, 0);
    t.rec.activity(t.rec.ctx, C4I_ACT_REDUCE, t.clock.zero, t.clock.zero + 9);
    CHECK(!c4i_prof_snapshot(t.prof, &s));
    CHECK(c4i_prof_type_of(t.prof, 0) == &type && !c4i_prof_type_of(t.prof, 1));
    CHECK(c4i_prof_owns(&t.rec));
    prof_test_close(&t, 0);
    prof_test_release(&t);
    return s;
}

int
main(void)
{
    c4_stats *a = of_pe(0), *b = of_pe(1), *sum = NULL;

    CHECK(a->nrows == 2 && a->row[0].is_main && a->row[0].ns == 50);
    CHECK(a->row[1].calls == 2 && a->row[1].ns == 400 && a->row[1].send_ns == 200
          && a->row[1].em_ns == 200 && a->row[1].recv_ns == 20);
    CHECK(a->received.n == 1 && a->received.min == 100 && a->nlocal == 2 && a->sent.n == 0
          && a->sent.min == 0);
    CHECK(!c4_stats_merge(&sum, a, c4_stats_size(a)));
    CHECK(!c4_stats_merge(&sum, b, c4_stats_size(b)));
    CHECK(sum->npes == 2 && sum->nrows == 3);
    CHECK(sum->row[0].is_main && sum->row[1].entry == 1 && sum->row[2].entry == C4_ENTRY_CREATE);
    CHECK(sum->row[1].calls == 4 && sum->row[1].ns == 801 && sum->row[1].min_ns == 100
          && sum->row[1].max_ns == 300);
    CHECK(sum->received.n == 3 && sum->received.nbytes == 100 + 101 + 70
          && sum->received.min == 70 && sum->received.max == 101);
    CHECK(sum->activity_ns[C4_STATS_REDUCE] == 18 && sum->busy_ns == 50 + 70 + 801);

    CHECK(c4_stats_merge(&sum, a, c4_stats_size(a) - 1) == C4_EFORMAT);
    CHECK(c4_stats_merge(&sum, a, 3) == C4_EFORMAT);
    a->nrows = UINT32_MAX;
    CHECK(c4_stats_merge(&sum, a, sizeof(*a)) == C4_EFORMAT);
    CHECK(sum->nrows == 3, "a failed merge changes nothing");
    free(a);
    free(b);
    free(sum);
    return 0;
}
