/*
 * directed.c - what single operations cost in messages, and schedules that
 * random storms meet too seldom.
 *
 * Costs are those of PROTOCOLS section 0: a protocol that is right but sends
 * twice as much as it should passes every storm.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/pe.h"
#include "runtime/sim.h"
#include "tests/unit/check.h"

enum { N = 8, ARITY = 4, NELEM = 32 };
enum { E_NOTHING, E_SUM, E_SYNC, E_MOVE, E_SEND, NENTRIES };

/* ---- A small program -------------------------------------------------------- */

struct world {
    c4i_sim  *sim;
    uint64_t  sent[C4I_NKINDS];             /* messages by kind */
    uint32_t  nfired, nrun, nresumed;
    uint32_t  last;                         /* number in the last note */
    bool      in_order;
    c4_array  array;
};

struct chare { uint64_t unused; };

static struct world *
world_of(c4_pe *pe)
{
    return c4_user(pe);
}

static c4_err
fired(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)arg;
    (void)data;
    (void)len;
    world_of(pe)->nfired++;
    return C4_OK;
}

static c4_err
nothing(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct world *w = world_of(pe);
    uint32_t no;

    (void)self;
    w->nrun++;
    if (len == sizeof(no)) {
        memcpy(&no, data, sizeof(no));
        w->in_order = w->in_order && no == w->last + 1;
        w->last = no;
    }
    return C4_OK;
}

static c4_err
sum(c4_pe *pe, void *self, const void *data, size_t len)
{
    int64_t one = 1;
    c4_callback cb;

    (void)self;
    (void)len;
    memcpy(&cb, data, sizeof(cb));
    return c4_reduce(pe, C4_RED_SUM_I64, &one, sizeof(one), &cb);
}

static c4_err
sync_now(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
    return c4_at_sync(pe);
}

static c4_err
move_now(c4_pe *pe, void *self, const void *data, size_t len)
{
    uint32_t to;

    (void)self;
    (void)len;
    memcpy(&to, data, sizeof(to));
    return c4_migrate(pe, to);
}

/* Sends a numbered note on; data: target, number. */
static c4_err
send_on(c4_pe *pe, void *self, const void *data, size_t len)
{
    uint32_t x[2];

    (void)self;
    (void)len;
    memcpy(x, data, sizeof(x));
    return c4_send(pe, c4_elem(world_of(pe)->array, x[0]), E_NOTHING, &x[1], sizeof(x[1]));
}

static c4_err
resumed(c4_pe *pe, void *self)
{
    (void)self;
    world_of(pe)->nresumed++;
    return C4_OK;
}

static const c4_entry entries[] = {
    [E_NOTHING] = { "nothing", nothing },
    [E_SUM] = { "sum", sum },
    [E_SYNC] = { "sync", sync_now },
    [E_MOVE] = { "move", move_now },
    [E_SEND] = { "send", send_on },
    { NULL, NULL }
};

static const c4_type chare = {
    .name = "chare", .size = sizeof(struct chare), .entries = entries,
    .pup = c4_pup_bytes, .resume = resumed,
};

static void
tap(void *ctx, uint32_t from, uint32_t to, const c4i_wire *w, const struct iovec *iov, int niov)
{
    (void)from;
    (void)to;
    (void)iov;
    (void)niov;
    ((struct world *)ctx)->sent[w->kind]++;
}

static c4_err
no_moves(void *ctx, c4_pe *pe, uint32_t round, const c4i_lb_object *objs, uint32_t nobjs,
         const c4i_lb_pe *pes, uint32_t npes, c4i_lb_move **moves, uint32_t *nmoves)
{
    (void)ctx, (void)pe, (void)round, (void)objs, (void)nobjs, (void)pes, (void)npes;
    (void)moves, (void)nmoves;
    return C4_OK;
}

static void
start(struct world *w, uint32_t npes, uint32_t arity)
{
    c4i_sim_opts opts = { .latency_ns = 1000, .ps_per_byte = 1000, .step_ns = 100, .tap = tap,
                          .ctx = w };
    c4i_balancer lb = { .decide = no_moves };

    *w = (struct world){ .in_order = true };
    if (c4i_sim_new(npes, 1, &opts, &w->sim))
        abort();
    for (uint32_t i = 0; i < npes; i++) {
        c4_pe *pe = c4i_sim_pe(w->sim, i);

        pe->arity = arity;
        c4_set_user(pe, w);
        c4_register(pe, &chare);
        c4i_set_balancer(pe, &lb);
    }
    c4_start_others(c4i_sim_pe(w->sim, 0), NULL, 0);
    c4i_sim_run(w->sim, UINT64_MAX);
}

static c4_pe *
pe_of(struct world *w, uint32_t i)
{
    return c4i_sim_pe(w->sim, i);
}

/* Runs to rest and counts from there. */
static void
rest(struct world *w)
{
    c4i_sim_run(w->sim, UINT64_MAX);
}

static void
count_anew(struct world *w)
{
    rest(w);
    memset(w->sent, 0, sizeof(w->sent));
    w->nfired = w->nrun = w->nresumed = 0;
}

static uint64_t
sent_all(const struct world *w)
{
    uint64_t n = 0;

    for (int i = 0; i < C4I_NKINDS; i++)
        n += w->sent[i];
    return n;
}

static c4_array
make_array(struct world *w, int64_t n, bool at_sync)
{
    c4_opts opts = { .at_sync = at_sync };

    if (c4_array_new(pe_of(w, 0), &chare, c4_dims(n), &opts, &w->array))
        abort();
    return w->array;
}

static void
done(struct world *w)
{
    char text[200];

    for (uint32_t i = 0; i < pe_of(w, 0)->npes; i++)
        CHECK(c4i_pe_leftovers(pe_of(w, i), text, sizeof(text)) == C4_OK, "PE %u: %s", i, text);
    c4i_sim_free(w->sim);
}

/* ---- Costs --------------------------------------------------------------------- */

static void
cost_creation(void)
{
    struct world w;
    c4_opts opts = { 0 };

    start(&w, N, ARITY);
    count_anew(&w);
    opts.created = c4_future_new(pe_of(&w, 0), 1, fired, NULL);
    c4_array_new(pe_of(&w, 0), &chare, c4_dims(NELEM), &opts, &w.array);
    rest(&w);
    CHECK(w.sent[C4I_CREATE] == N - 1 && w.sent[C4I_BDONE] == N - 1 && w.nfired == 1,
          "creation: %lu down, %lu up", w.sent[C4I_CREATE], w.sent[C4I_BDONE]);
    CHECK(sent_all(&w) == 2 * (N - 1), "creation: %lu messages", sent_all(&w));
    done(&w);
}

static void
cost_broadcast(void)
{
    struct world w;

    start(&w, N, ARITY);
    make_array(&w, NELEM, false);
    count_anew(&w);
    c4_bcast(pe_of(&w, 3), w.array, E_NOTHING, NULL, 0);
    rest(&w);
    CHECK(w.sent[C4I_BREQ] == 1 && w.sent[C4I_BCAST] == N - 1 && w.nrun == NELEM,
          "broadcast: %lu + %lu", w.sent[C4I_BREQ], w.sent[C4I_BCAST]);
    CHECK(sent_all(&w) == N, "broadcast: %lu messages", sent_all(&w));
    done(&w);
}

static void
cost_awaited(void)
{
    struct world w;

    start(&w, N, ARITY);
    make_array(&w, NELEM, false);
    count_anew(&w);
    c4_bcastv(pe_of(&w, 3), w.array, E_NOTHING, NULL, 0,
              c4_future_new(pe_of(&w, 3), 1, fired, NULL), C4_BCAST_RESULTS);
    rest(&w);
    CHECK(w.sent[C4I_BDONE] == N - 1 && w.sent[C4I_FUTURE] == 1 && w.nfired == 1,
          "awaited broadcast: %lu reports", w.sent[C4I_BDONE]);
    CHECK(sent_all(&w) == 1 + 2 * (N - 1) + 1, "awaited broadcast: %lu messages", sent_all(&w));
    done(&w);
}

/* The reports of what the log still needs: at most one an edge in 8 broadcasts. */
static void
cost_log(void)
{
    struct world w;

    start(&w, N, ARITY);
    make_array(&w, NELEM, false);
    count_anew(&w);
    for (int i = 0; i < 80; i++) {
        c4_bcast(pe_of(&w, 0), w.array, E_NOTHING, NULL, 0);
        rest(&w);
    }
    CHECK(w.sent[C4I_BLOW] <= 10 * (N - 1), "80 broadcasts: %lu reports", w.sent[C4I_BLOW]);
    for (uint32_t i = 0; i < N; i++) {
        c4i_coll *c = c4i_coll_find(pe_of(&w, i), w.array);

        CHECK(c->nlog <= 32, "PE %u still logs %zu broadcasts", i, c->nlog);
    }
    done(&w);
}

static void
cost_reduction(void)
{
    struct world w;
    c4_callback cb;

    start(&w, N, ARITY);
    make_array(&w, NELEM, false);
    count_anew(&w);
    cb = c4_cb_future(c4_future_new(pe_of(&w, 0), 1, fired, NULL));
    c4_bcast(pe_of(&w, 0), w.array, E_SUM, &cb, sizeof(cb));
    rest(&w);
    CHECK(w.sent[C4I_REDUCE] == N - 1 && w.nfired == 1, "reduction: %lu", w.sent[C4I_REDUCE]);
    CHECK(sent_all(&w) == 2 * (N - 1), "reduction: %lu messages", sent_all(&w));
    done(&w);
}

static void
cost_section(void)
{
    struct world w;
    c4_chare list[NELEM];
    c4_section section;

    start(&w, N, ARITY);
    make_array(&w, NELEM, false);
    for (uint32_t i = 0; i < NELEM; i++)
        list[i] = c4_elem(w.array, i);
    count_anew(&w);
    if (c4_section_new(pe_of(&w, 0), list, NELEM, &section))
        abort();
    rest(&w);
    CHECK(w.sent[C4I_SCAST] == N - 1 && sent_all(&w) == N - 1, "a section: %lu messages",
          sent_all(&w));
    count_anew(&w);
    c4_section_castv(pe_of(&w, 3), section, c4_method_id("nothing"), NULL, 0,
                     c4_future_new(pe_of(&w, 3), 1, fired, NULL), C4_BCAST_RESULTS);
    rest(&w);
    CHECK(w.nrun == NELEM && w.nfired == 1, "%u ran, %u completions", w.nrun, w.nfired);
    CHECK(w.sent[C4I_SCAST] == N - 1 && w.sent[C4I_SDONE] == N - 1,
          "call of a section: %lu down, %lu up", w.sent[C4I_SCAST], w.sent[C4I_SDONE]);
    CHECK(sent_all(&w) == 1 + 2 * (N - 1) + 1, "call of a section: %lu messages", sent_all(&w));
    done(&w);
}

static void
cost_sync(void)
{
    struct world w;

    start(&w, N, ARITY);
    make_array(&w, NELEM, true);
    for (int round = 0; round < 3; round++) {
        count_anew(&w);
        c4_bcast(pe_of(&w, 0), w.array, E_SYNC, NULL, 0);
        rest(&w);
        CHECK(w.nresumed == NELEM, "AtSync: %u resumed", w.nresumed);
        CHECK(w.sent[C4I_SYNCLOSE] == 2 * (N - 1) && w.sent[C4I_SYNCGO] == N - 1,
              "AtSync: %lu, %lu", w.sent[C4I_SYNCLOSE], w.sent[C4I_SYNCGO]);
        /* In the first round parents do not know yet which children have members. */
        CHECK(w.sent[C4I_SYNC] == N - 1 || (round == 0 && w.sent[C4I_SYNC] <= 2 * (N - 1)),
              "AtSync: %lu contributions", w.sent[C4I_SYNC]);
        CHECK(sent_all(&w) == 4 * (N - 1) + w.sent[C4I_SYNC], "AtSync: %lu messages",
              sent_all(&w));
    }
    done(&w);
}

static void
cost_quiescence(void)
{
    struct world w;
    c4_callback cb;

    start(&w, N, ARITY);
    make_array(&w, NELEM, false);
    count_anew(&w);
    cb = c4_cb_future(c4_future_new(pe_of(&w, 3), 1, fired, NULL));
    c4_quiescence(pe_of(&w, 3), &cb);
    rest(&w);
    CHECK(w.nfired == 1 && w.sent[C4I_QD] == 1 + 2 * 2 * (N - 1), "quiescence: %lu",
          w.sent[C4I_QD]);
    CHECK(sent_all(&w) == w.sent[C4I_QD] + 1, "quiescence: %lu messages", sent_all(&w));
    done(&w);
}

static void
cost_insertion(void)
{
    struct world w;
    c4_index x = { 1, { 5 } };

    start(&w, N, ARITY);
    make_array(&w, 0, false);
    count_anew(&w);
    c4_insert(pe_of(&w, 0), w.array, &x, 3, NULL);      /* home is PE 5 */
    rest(&w);
    CHECK(w.sent[C4I_INSERT] == 1 && w.sent[C4I_CTOR] == 1 && w.sent[C4I_ACK] == 1
          && sent_all(&w) == 3, "insertion: %lu messages", sent_all(&w));
    count_anew(&w);
    c4_done_inserting(pe_of(&w, 0), w.array);
    rest(&w);
    /* PEs without elements then say that nobody has to wait for them. */
    CHECK(w.sent[C4I_CLOSED] == 2 * (N - 1) && w.sent[C4I_REDUCE] <= N - 1
          && sent_all(&w) == 2 * (N - 1) + w.sent[C4I_REDUCE], "done inserting: %lu messages",
          sent_all(&w));
    done(&w);
}

/* One move, then messages of one PE: the home is told, and the sender once. */
static void
cost_migration(void)
{
    struct world w;
    uint32_t to = 5;

    start(&w, N, ARITY);
    make_array(&w, NELEM, false);
    c4_send(pe_of(&w, 7), c4_elem(w.array, 0), E_NOTHING, NULL, 0);
    count_anew(&w);
    c4_send(pe_of(&w, 0), c4_elem(w.array, 0), E_MOVE, &to, sizeof(to));    /* home is PE 0 */
    rest(&w);
    CHECK(w.sent[C4I_MIGRATE] == 1 && w.sent[C4I_HOME] == 1 && w.sent[C4I_ACK] == 1
          && sent_all(&w) == 3, "migration: %lu messages", sent_all(&w));
    count_anew(&w);
    for (int i = 0; i < 10; i++) {
        c4_send(pe_of(&w, 7), c4_elem(w.array, 0), E_NOTHING, NULL, 0);
        rest(&w);
    }
    CHECK(w.nrun == 10 && w.sent[C4I_CALL] == 11 && w.sent[C4I_HINT] == 1,
          "after a migration: %lu hops, %lu hints", w.sent[C4I_CALL], w.sent[C4I_HINT]);
    done(&w);
}

static void
cost_exit(void)
{
    struct world w;
    uint32_t nended = 0;

    start(&w, N, ARITY);
    make_array(&w, NELEM, false);
    count_anew(&w);
    c4_exit(pe_of(&w, 3), 42);
    rest(&w);
    for (uint32_t i = 0; i < N; i++)
        nended += pe_of(&w, i)->exit == C4I_ENDED && pe_of(&w, i)->status == 42;
    CHECK(nended == N && sent_all(&w) == 1 + 3 * (N - 1), "exit: %u ended, %lu messages", nended,
          sent_all(&w));
    c4i_sim_free(w.sim);
}

/* ---- The network itself ----------------------------------------------------------- */

static void
held_pairs(void)
{
    struct world w;
    uint32_t no;

    start(&w, 3, ARITY);
    make_array(&w, 3, false);
    count_anew(&w);
    c4i_sim_hold(w.sim, 0, 1);
    for (no = 1; no <= 4; no++)
        c4_send(pe_of(&w, 0), c4_elem(w.array, 1), E_NOTHING, &no, sizeof(no));
    rest(&w);
    CHECK(w.nrun == 0, "a held pair delivers");
    CHECK(c4i_sim_peek(w.sim, 0, 1) == C4I_CALL && c4i_sim_peek(w.sim, 1, 0) == -1, "peek");
    CHECK(c4i_sim_deliver(w.sim, 0, 1), "nothing to deliver");
    rest(&w);
    CHECK(w.nrun == 1 && w.last == 1, "%u delivered", w.nrun);
    c4i_sim_flow(w.sim, 0, 1);
    rest(&w);
    CHECK(w.nrun == 4 && w.in_order, "%u delivered", w.nrun);
    CHECK(!c4i_sim_deliver(w.sim, 0, 1), "delivered more than was sent");
    done(&w);
}

static void
killed_pe(void)
{
    struct world w;

    start(&w, 4, 2);
    make_array(&w, 8, false);
    count_anew(&w);
    c4i_sim_kill(w.sim, 1);
    for (uint64_t i = 0; i < 8; i++)
        c4_send(pe_of(&w, 0), c4_elem(w.array, i), E_NOTHING, NULL, 0);
    rest(&w);
    CHECK(w.nrun == 6, "%u ran", w.nrun);
    CHECK(c4i_sim_in_flight(w.sim, ~0u) == 0, "messages wait for a PE that is gone");
    c4i_sim_free(w.sim);
}

/* ---- Schedules ----------------------------------------------------------------------- */

/* L7: two messages of one PE, the first goes round by the home. */
static void
first_overtaken(void)
{
    struct world w;
    uint32_t no, x[2] = { 0, 1 }, to = 2;

    start(&w, 4, ARITY);
    make_array(&w, 4, false);
    c4_send(pe_of(&w, 0), c4_elem(w.array, 0), E_MOVE, &to, sizeof(to));
    count_anew(&w);
    c4i_sim_hold(w.sim, 0, 2);              /* what the home forwards */
    c4_send(pe_of(&w, 3), c4_elem(w.array, 3), E_SEND, x, sizeof(x));
    rest(&w);
    c4i_learn(pe_of(&w, 3), c4i_coll_find(pe_of(&w, 3), w.array), 0, 2, 2);
    no = 2;
    c4_send(pe_of(&w, 3), c4_elem(w.array, 0), E_NOTHING, &no, sizeof(no));
    rest(&w);
    CHECK(w.nrun == 0, "the second message was delivered before the first");
    c4i_sim_flow(w.sim, 0, 2);
    rest(&w);
    CHECK(w.nrun == 2 && w.in_order, "%u delivered", w.nrun);
    done(&w);
}

/* A reduction that has begun is completed without elements that are inserted late;
 * the next one has them, also on PEs that have had nothing so far. */
static void
inserted_in_a_reduction(void)
{
    for (uint32_t from = 0; from < 4; from++) {
        struct world w;
        c4_callback cb;
        c4_index x = { 1, { 0 } };

        start(&w, 4, ARITY);
        make_array(&w, 0, false);
        for (x.at[0] = 0; x.at[0] < 3; x.at[0]++)
            c4_insert(pe_of(&w, 0), w.array, &x, -1, NULL);
        c4_done_inserting(pe_of(&w, 0), w.array);
        count_anew(&w);
        cb = c4_cb_future(c4_future_new(pe_of(&w, 0), 2, fired, NULL));
        for (uint64_t i = 0; i < 2; i++)
            c4_send(pe_of(&w, 0), c4_elem(w.array, i), E_SUM, &cb, sizeof(cb));
        rest(&w);
        for (x.at[0] = 3; x.at[0] < 9; x.at[0]++)
            CHECK(!c4_insert(pe_of(&w, from), w.array, &x, -1, NULL), "insertion: %s",
                  c4_error(pe_of(&w, from)));
        c4_done_inserting(pe_of(&w, from), w.array);
        rest(&w);
        c4_send(pe_of(&w, 0), c4_elem(w.array, 2), E_SUM, &cb, sizeof(cb));
        rest(&w);
        CHECK(w.nfired == 1, "the reduction that had begun is complete: %u", w.nfired);
        c4_bcast(pe_of(&w, from), w.array, E_SUM, &cb, sizeof(cb));
        rest(&w);
        CHECK(w.nfired == 2, "the next one is complete: %u", w.nfired);
        done(&w);
    }
}

/* Q4: a request comes between the two waves of an earlier detection, something
 * is outstanding when it is made, and only then does the second wave pass. */
static void
request_during_detection(void)
{
    struct world w;
    c4_callback a, b;

    start(&w, 2, ARITY);
    make_array(&w, 2, false);
    count_anew(&w);
    a = c4_cb_future(c4_future_new(pe_of(&w, 0), 1, fired, NULL));
    b = c4_cb_future(c4_future_new(pe_of(&w, 0), 1, fired, NULL));
    c4i_sim_hold(w.sim, 0, 1);
    c4i_sim_hold(w.sim, 1, 0);
    c4_quiescence(pe_of(&w, 0), &a);
    rest(&w);
    c4i_sim_deliver(w.sim, 0, 1);           /* the first wave: there ... */
    rest(&w);
    c4i_sim_deliver(w.sim, 1, 0);           /* ... and back; the second begins */
    rest(&w);
    CHECK(w.nfired == 0 && c4i_sim_peek(w.sim, 0, 1) == C4I_QD, "one wave was enough");
    c4i_sim_deliver(w.sim, 0, 1);           /* PE 1 answers the second wave */
    rest(&w);
    c4_send(pe_of(&w, 1), c4_elem(w.array, 0), E_NOTHING, NULL, 0);
    c4_quiescence(pe_of(&w, 0), &b);        /* PE 0 hears of b before the answer */
    rest(&w);
    CHECK(c4i_sim_peek(w.sim, 1, 0) == C4I_QD, "no answer is on its way");
    c4i_sim_deliver(w.sim, 1, 0);
    rest(&w);
    CHECK(w.nfired == 1 && w.nrun == 0, "the second request was served by the first detection");
    c4i_sim_flow(w.sim, 0, 1);
    c4i_sim_flow(w.sim, 1, 0);
    rest(&w);
    CHECK(w.nfired == 2 && w.nrun == 1, "%u requests served", w.nfired);
    done(&w);
}

static c4_err
timer(c4_pe *pe, void *arg)
{
    (void)pe;
    (void)arg;
    return C4_OK;
}

/* A request that comes while PE 0 looks whether the job has stalled. */
static void
request_during_idle_check(void)
{
    struct world w;
    c4_callback cb;

    start(&w, 2, ARITY);
    make_array(&w, 2, false);
    count_anew(&w);
    c4_after(pe_of(&w, 1), 1000000000, timer, NULL);    /* no stall */
    pe_of(&w, 0)->idle_limit = 1;
    c4i_sim_hold(w.sim, 0, 1);
    c4i_stall_check(pe_of(&w, 0));
    CHECK(c4i_sim_peek(w.sim, 0, 1) == C4I_QD, "no idle check is made");
    cb = c4_cb_future(c4_future_new(pe_of(&w, 0), 1, fired, NULL));
    c4_quiescence(pe_of(&w, 0), &cb);
    c4i_sim_run(w.sim, 20);
    c4i_sim_flow(w.sim, 0, 1);
    c4i_sim_run(w.sim, 1000);
    CHECK(w.nfired == 1, "the request was forgotten");
    c4i_sim_free(w.sim);
}

/* One PE has nobody to wait for. */
static void
alone(void)
{
    struct world w;
    c4_callback cb;

    start(&w, 1, ARITY);
    make_array(&w, 3, true);
    count_anew(&w);
    cb = c4_cb_future(c4_future_new(pe_of(&w, 0), 1, fired, NULL));
    c4_bcast(pe_of(&w, 0), w.array, E_SYNC, NULL, 0);
    c4_quiescence(pe_of(&w, 0), &cb);
    rest(&w);
    CHECK(w.nfired == 1 && w.nresumed == 3, "%u, %u", w.nfired, w.nresumed);
    CHECK(sent_all(&w) == 0, "%lu messages", sent_all(&w));
    done(&w);
}

/* Many PEs: virtual time, chains. */
static void
many_pes(void)
{
    struct world w;
    c4_callback cb;

    start(&w, 2000, 1);
    make_array(&w, 3000, false);
    count_anew(&w);
    cb = c4_cb_future(c4_future_new(pe_of(&w, 0), 1, fired, NULL));
    c4_bcast(pe_of(&w, 1999), w.array, E_SUM, &cb, sizeof(cb));
    rest(&w);
    CHECK(w.nfired == 1 && w.sent[C4I_REDUCE] == 1999, "%lu", w.sent[C4I_REDUCE]);
    CHECK(c4i_sim_now(w.sim) > 2 * 1999 * 1000, "%lu ns", c4i_sim_now(w.sim));
    done(&w);
}

int
main(void)
{
    cost_creation();
    cost_broadcast();
    cost_awaited();
    cost_log();
    cost_reduction();
    cost_section();
    cost_sync();
    cost_quiescence();
    cost_insertion();
    cost_migration();
    cost_exit();
    held_pairs();
    killed_pe();
    first_overtaken();
    inserted_in_a_reduction();
    request_during_detection();
    request_during_idle_check();
    alone();
    many_pes();
    return 0;
}
