/*
 * storm_run.c - one run: set up, stir, let it come to rest, look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storm.h"

enum { STEPS_CHUNK = 4000, STEPS_MAX = 600000, HOPS_MAX = 250 };

/* ---- Watching --------------------------------------------------------------------- */

static bool
watch(void *ctx)
{
    struct storm *s = ctx;

    s->step++;
    if (s->nqd && quiet_now(s))
        s->quiet_step = s->step;
    return !s->failed;
}

static void
tap(void *ctx, uint32_t from, uint32_t to, const c4i_wire *w, const struct iovec *iov, int niov)
{
    static const char *const name[C4I_NKINDS] = {
#define KIND_NAME(id, text, counted) [C4I_##id] = "." #id,
        C4I_KIND_LIST(KIND_NAME)
#undef KIND_NAME
    };

    (void)iov;
    (void)niov;
    if (w->kind == C4I_CALL && w->hops > HOPS_MAX && w->hops != C4I_HOPS_UNSENT)
        fail(ctx, "a message for element %llu of collection %u goes in circles",
             (unsigned long long)w->elem, w->coll);
    event(ctx, name[w->kind], from, to, w->coll, w->elem, w->ep, w->seq);
}

/* ---- The balancer: wrong in every way that is allowed -------------------------------- */

/* The element that took part in that round, the last of its index. */
static struct elem *
elem_by_key(struct storm *s, c4_coll coll, uint64_t key, uint32_t round, struct coll **c)
{
    struct elem *found = NULL;

    for (uint32_t i = 0; i < s->ncolls; i++)
        for (uint32_t k = 0; s->coll[i].id == coll && k < s->coll[i].nslots; k++) {
            struct elem *e = &s->coll[i].elem[k];

            if (!e->wanted || e->key != key || e->sync_birth > round || sync_told(e) != round + 1
                || (found && e->again < found->again))
                continue;
            *c = &s->coll[i];
            found = e;
        }
    return found;
}

/* An element with the same index has taken part in the round, too, and ended in it. */
static bool
twin_before(const struct coll *c, uint32_t slot, uint32_t round)
{
    for (uint32_t k = 0; k < slot; k++)
        if (c->elem[k].born && c->elem[k].as == c->elem[slot].as && c->elem[k].sync_birth <= round
            && sync_told(&c->elem[k]) > round)
            return true;
    return false;
}

static void
check_objects(struct storm *s, uint32_t round, const c4i_lb_object *o, uint32_t n)
{
    uint32_t want = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct coll *c = NULL;
        struct elem *e = elem_by_key(s, o[i].coll, o[i].elem, round, &c);

        if (!e || !c->sync)
            fail(s, "round %u: the balancer sees element %llu of collection %u, which does not "
                 "take part", round, (unsigned long long)o[i].elem, o[i].coll);
        else if (o[i].pe != e->pe && !s->plan.weight[A_MOVE] && !s->plan.stress)
            fail(s, "round %u: the balancer sees element %llu of collection %u on PE %u, it is on "
                 "PE %u", round, (unsigned long long)o[i].elem, o[i].coll, o[i].pe, e->pe);
        if (i && (o[i].coll < o[i - 1].coll
                  || (o[i].coll == o[i - 1].coll && o[i].elem <= o[i - 1].elem)))
            fail(s, "round %u: the balancer's objects are not sorted", round);
    }
    for (uint32_t i = 0; i < s->ncolls; i++)
        for (uint32_t k = 0; s->coll[i].sync && k < s->coll[i].nslots; k++) {
            struct elem *e = &s->coll[i].elem[k];

            want += e->born && e->sync_birth <= round && (!e->dead || sync_told(e) > round)
                    && !twin_before(&s->coll[i], k, round);
        }
    if (want != n)
        fail(s, "round %u: the balancer sees %u objects, %u take part", round, n, want);
}

static c4_err
decide(void *ctx, c4_pe *pe, uint32_t round, const c4i_lb_object *objs, uint32_t nobjs,
       const c4i_lb_pe *pes, uint32_t npes, c4i_lb_move **moves, uint32_t *nmoves)
{
    struct storm *s = ctx;
    uint32_t target = rnd(s, s->plan.npes), n = 0;
    c4i_lb_move *m = c4i_alloc((nobjs + 3) * sizeof(*m));

    event(s, "decide", c4_mype(pe), 0, round, nobjs, 0, 0);
    if (round != s->round_decided++)
        fail(s, "round %u is decided after round %d", round, (int)s->round_decided - 2);
    for (uint32_t i = 0; i < npes; i++)
        if (pes[i].pe != i || npes != s->plan.npes)
            fail(s, "round %u: the balancer sees %u PEs", round, npes);
    check_objects(s, round, objs, nobjs);
    for (uint32_t i = 0; i < nobjs && s->plan.lb_mode != 4; i++) {
        uint32_t to = s->plan.lb_mode == 0 ? target : rnd(s, s->plan.npes);

        if (s->plan.lb_mode == 1 && chance(s, 50))
            continue;
        m[n++] = (c4i_lb_move){ objs[i].elem, objs[i].coll, to };
    }
    if (s->plan.lb_mode == 3) {             /* nobody has heard of these */
        m[n++] = (c4i_lb_move){ 123456789, s->coll[0].id, target };
        m[n++] = (c4i_lb_move){ 0, 4711, target };
    }
    if (chance(s, 5)) {
        free(m);
        return C4_EUSER;
    }
    *moves = m;
    *nmoves = n;
    return C4_OK;
}

/* ---- Setting up ------------------------------------------------------------------------ */

static void
start_pes(struct storm *s)
{
    const c4_type *const types[] = { &storm_plain, &storm_bound, &storm_single, &storm_map };
    c4i_balancer lb = { .ctx = s, .decide = decide };
    uint16_t no = 0;

    for (uint32_t i = 0; i < s->plan.npes; i++) {
        c4_pe *pe = c4i_sim_pe(s->sim, i);

        c4i_pe_set_arity(pe, s->plan.arity);
        pe->stress = s->plan.stress;
        pe->stress_rng = c4i_sim_rand(&s->rng);
        c4_set_user(pe, s);
        for (int k = 0; k < 4; k++)
            if (c4_register(pe, types[k]))
                fail(s, "c4_register: %s", c4_error(pe));
        if (c4_reducer_add(pe, &storm_reducer, &s->reducer) || (i && s->reducer != no))
            fail(s, "c4_reducer_add: %s", c4_error(pe));
        no = s->reducer;
        if (s->plan.with_lb)
            c4i_set_balancer(pe, &lb);
    }
}

/* A PE that main code may use just now. */
static c4_pe *
some_pe(struct storm *s)
{
    return c4i_sim_pe(s->sim, s->coll[0].id ? rnd(s, s->plan.npes) : 0);
}

static c4_err
created(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct coll *c = arg;
    struct storm *s = c4_user(pe);

    (void)data;
    check_run(s, pe);
    event(s, "created", c4_mype(pe), 0, c->no, c->created_left, 0, 0);
    if (c->created_left || c->created_done || len)
        fail(s, "collection %u is reported made, %u constructors are left", c->no,
             c->created_left);
    c->created_done = true;
    return C4_OK;
}

static void
all_wanted(struct storm *s, struct coll *c)
{
    uint32_t n = c->kind == C_SPARSE ? c->nsized : c->nslots;

    for (uint32_t i = 0; i < n; i++) {
        c->elem[i].wanted = c->elem[i].inserted = true;
        c->elem[i].key = slot_key(c, i);
        memcpy(c->elem[i].clock, s->clock[c->maker], sizeof(c->elem[i].clock));
    }
    s->outstanding += n;
}

static void
make_coll(struct storm *s, c4_pe *pe, struct coll *c)
{
    const c4_type *type = c->bound ? &storm_bound : &storm_plain;
    struct birth { uint32_t coll, slot, nheap; } birth = { c->no, c->nsized ? UINT32_MAX : 0, rnd(s, 60) };
    c4_opts opts = { .args = &birth, .len = sizeof(birth), .at_sync = c->sync };
    c4_err err;

    c->maker = c4_mype(pe);
    all_wanted(s, c);
    if (chance(s, 50)) {
        c->created_left = c->kind == C_SPARSE ? c->nsized : c->nslots;
        opts.created = c4_future_new(pe, 1, created, c);
    }
    if (c->kind == C_GROUP) {
        err = c4_group_new(pe, type, &opts, &c->id);
    } else {
        if (s->plan.map != MAP_BLOCKS && s->map)
            opts.map = s->map;
        err = c4_array_new(pe, type, c->dims, &opts, &c->id);
    }
    if (err)
        fail(s, "creation of collection %u: %s", c->no, c4_error(pe));
    event(s, "make", c->maker, c->maker, c->no, c->id, c->nslots, 0);
}

static c4_index
dense_dims(struct storm *s)
{
    c4_index d = { s->plan.dims, { 0 } };
    uint32_t left = s->plan.ndense;

    for (int i = 0; i < d.n; i++) {
        d.at[i] = i == d.n - 1 ? left : 1 + rnd(s, left < 4 ? left : 4);
        left /= (uint32_t)d.at[i];
        left = left ? left : 1;
    }
    return d;
}

static void
make_dense(struct storm *s, c4_pe *pe)
{
    struct coll *c = coll_add(s, C_DENSE, 1, s->plan.bound[0]);

    c->dims = dense_dims(s);
    for (int i = 0; i < c->dims.n; i++)
        c->nslots *= (uint32_t)c->dims.at[i];
    c->sync = s->plan.sync_dense;
    c->closed = true;
    make_coll(s, pe, c);
}

static void
make_others(struct storm *s)
{
    struct coll *c;

    if (s->plan.nsparse) {
        c = coll_add(s, C_SPARSE, s->plan.nsparse, s->plan.bound[1]);
        c->dims.n = s->plan.nsized ? 1 : s->plan.sparse_dims;
        c->dims.at[0] = c->nsized = s->plan.nsized;
        c->closed = c->nsized;
        c->sync = s->plan.sync_sparse;
        make_coll(s, some_pe(s), c);
    }
    if (s->plan.group) {
        c = coll_add(s, C_GROUP, s->plan.npes, s->plan.bound[2]);
        c->dims = c4_dims(s->plan.npes);
        make_coll(s, some_pe(s), c);
    }
    if (s->plan.weight[A_SINGLE]) {
        c = coll_add(s, C_SINGLE, 0, false);
        c->id = c4_single_coll(c4i_sim_pe(s->sim, 0), &storm_single);
    }
}

static void
run_some(struct storm *s)
{
    if (chance(s, 60))
        c4i_sim_run(s->sim, rnd(s, 200));
}

/* Everybody who is there calls AtSync. */
static void
sync_all(struct storm *s)
{
    for (uint32_t i = 0; i < s->ncolls; i++)
        for (uint32_t k = 0; s->coll[i].sync && k < s->coll[i].nslots; k++)
            if (s->coll[i].elem[k].inserted && reachable(&s->coll[i], k))
                send_note(s, some_pe(s), &s->coll[i], k, OP_SYNC, 0);
}

/* Main code inserts, from any PE that knows the array, and says it is done. */
static void
early_insertions(struct storm *s, struct coll *c)
{
    c4_coll_info known;

    for (int i = 0; c4_coll_lookup(c4i_sim_pe(s->sim, c->maker), c->id, &known); i++) {
        c4i_sim_run(s->sim, 50);            /* the array waits for its map */
        if (i == 1000)
            fail(s, "collection %u does not come to be", c->no);
        if (s->failed || s->nexit_called)
            return;
    }
    for (uint32_t i = 0; i < s->plan.nearly && !s->failed; i++) {
        c4_coll_info info;
        c4_pe *pe = c4i_sim_pe(s->sim, chance(s, 50) ? c->maker : rnd(s, s->plan.npes));

        if (c->elem[i].inserted || c4_coll_lookup(pe, c->id, &info) || c4_stopping(pe))
            continue;
        if (chance(s, 20) && !c->elem[i].wanted && !c->nsized) {
            c->elem[i].wanted = true;       /* a message before the insertion */
            c->elem[i].key = slot_key(c, i);
            s->promised++;
            send_note(s, pe, c, i, OP_ACT, 0);
        }
        insert_slot(s, pe, c, i, NONE);
        if (chance(s, 10))
            sync_all(s);
        run_some(s);
    }
    for (uint32_t i = 0; i < c->nslots; i++)    /* what was promised, and at least one */
        if (!c->elem[i].inserted && (i == 0 || c->elem[i].wanted))
            insert_slot(s, c4i_sim_pe(s->sim, c->maker), c, i, NONE);
    event(s, "close", c->maker, 0, c->no, 0, 0, 0);
    c->closed = true;
    if (c4_done_inserting(c4i_sim_pe(s->sim, c->maker), c->id)
        && !c4_stopping(c4i_sim_pe(s->sim, c->maker)))
        fail(s, "c4_done_inserting: %s", c4_error(c4i_sim_pe(s->sim, c->maker)));
}

static void
setup(struct storm *s)
{
    c4_pe *pe0 = c4i_sim_pe(s->sim, 0);

    start_pes(s);
    if (!s->plan.nested_start)
        c4_start_others(pe0, NULL, 0);
    if (s->plan.map != MAP_BLOCKS && c4_group_new(pe0, &storm_map, NULL, &s->map))
        fail(s, "the map: %s", c4_error(pe0));
    make_dense(s, s->plan.nested_start ? pe0 : c4i_sim_pe(s->sim, rnd(s, s->plan.npes)));
    if (s->plan.nested_start) {
        send_note(s, pe0, &s->coll[0], 0, OP_ACT, 0);
        c4i_sim_run(s->sim, rnd(s, 60));
        c4_start_others(pe0, NULL, 0);
    }
    run_some(s);
    make_others(s);
}

/* ---- Phases -------------------------------------------------------------------------------- */

static void
keep_promises(struct storm *s)
{
    for (uint32_t i = 0; i < s->ncolls && s->promised; i++) {
        struct coll *c = &s->coll[i];
        uint32_t slot = rnd(s, c->nslots);

        if (c->kind != C_SPARSE)
            continue;
        while (!c->elem[slot].inserted || c->elem[slot].dead)
            slot = (slot + 1) % c->nslots;
        send_note(s, some_pe(s), c, slot, OP_INSERT, 0);
    }
}

static bool
all_ended(struct storm *s)
{
    for (uint32_t i = 0; i < s->plan.npes; i++)
        if (c4i_sim_pe(s->sim, i)->exit != C4I_ENDED)
            return false;
    return true;
}

/* Runs until nothing is left to do. */
static void
settle(struct storm *s)
{
    uint64_t begin = s->step;

    while (!s->failed) {
        if (c4i_sim_run(s->sim, STEPS_CHUNK) < STEPS_CHUNK && !s->failed) {
            if (!s->promised || s->nexit_called)
                return;
            keep_promises(s);
        } else if (s->promised && !s->nexit_called) {
            keep_promises(s);
        }
        if (s->step - begin > STEPS_MAX)
            fail(s, "the job does not come to rest");
    }
}

static void
phase(struct storm *s)
{
    uint32_t n = 3 + rnd(s, 15);

    for (uint32_t i = 0; i < n && !s->nexit_called && !s->failed; i++) {
        struct coll *c = &s->coll[rnd(s, s->ncolls)];
        uint32_t slot = rnd(s, c->nslots);

        if (chance(s, 30))
            act(s, some_pe(s), NULL, NONE);
        else if (c->nslots && c->elem[slot].wanted && reachable(c, slot))
            send_note(s, some_pe(s), c, slot, chance(s, 10) && c->sync ? OP_SYNC : OP_ACT, 0);
        run_some(s);
    }
    settle(s);
    for (size_t i = 0; i < s->nqd; i++)
        if (!s->qd[i].fired && !s->nexit_called)
            fail(s, "quiescence request %zu has not fired, and nothing is left to do", i);
}

/* Everybody contributes to the same number of reductions. */
static void
finish_reductions(struct storm *s)
{
    for (uint32_t i = 0; i < s->ncolls; i++) {
        struct coll *c = &s->coll[i];
        uint32_t max = 0;

        for (uint32_t k = 0; k < c->nslots; k++)
            if (c->elem[k].red_next > max)
                max = c->elem[k].red_next;
        for (uint32_t k = 0; k < c->nslots; k++)
            if (c->elem[k].wanted && c->elem[k].red_next < max)
                send_note(s, some_pe(s), c, k, OP_CONTRIBUTE, max);
    }
    settle(s);
}

static bool
waits(const struct elem *e)
{
    return e->nsync > e->nresume && !e->dead;
}

/* Everybody who does not wait in AtSync calls it until nobody waits. */
static bool
finish_sync_once(struct storm *s)
{
    bool waiting = false;                   /* somebody */

    for (uint32_t i = 0; i < s->ncolls; i++)
        for (uint32_t k = 0; k < s->coll[i].nslots; k++)
            waiting |= waits(&s->coll[i].elem[k]);
    if (!waiting)
        return false;
    for (uint32_t i = 0; i < s->ncolls; i++)
        for (uint32_t k = 0; s->coll[i].sync && k < s->coll[i].nslots; k++)
            if (s->coll[i].elem[k].wanted && !s->coll[i].elem[k].dying && !waits(&s->coll[i].elem[k]))
                send_note(s, some_pe(s), &s->coll[i], k, OP_SYNC, 0);
    settle(s);
    return true;
}

static void
finish(struct storm *s)
{
    s->finishing = true;
    finish_reductions(s);
    sections_finish(s, some_pe);
    settle(s);
    /* Without a balancer a PE's elements wait for each other only while they
     * stay: nothing moves any more. */
    for (uint32_t i = 0; i < s->plan.npes && !s->plan.with_lb; i++)
        c4i_sim_pe(s->sim, i)->stress = 0;
    for (int i = 0; i < 2 * MAXSYNC && !s->failed; i++)
        if (!finish_sync_once(s))
            break;
    for (uint32_t i = 0; i < s->plan.npes; i++)
        request_qd(s, c4i_sim_pe(s->sim, i));
    settle(s);
    if (!s->failed)
        check_end(s);
}

/* The job must end, with a status that somebody gave. */
static void
finish_exit(struct storm *s)
{
    int status;

    if (!s->nexit_called)
        call_exit(s, some_pe(s));
    settle(s);
    if (s->failed)
        return;
    status = c4i_sim_pe(s->sim, 0)->status;
    if (!all_ended(s))
        fail(s, "the job was told to exit and has not ended");
    for (uint32_t i = 0; i < s->plan.npes; i++)
        if (c4i_sim_pe(s->sim, i)->status != status)
            fail(s, "PE %u ends with status %d, PE 0 with %d", i,
                 c4i_sim_pe(s->sim, i)->status, status);
    if (!(s->exit_statuses[status / 64] >> (status % 64) & 1))
        fail(s, "the job ends with status %d, which nobody gave", status);
    if (c4i_sim_late(s->sim))
        fail(s, "%llu messages were sent to a PE that had left",
             (unsigned long long)c4i_sim_late(s->sim));
    s->win->nexits++;
}

static void
run(struct storm *s)
{
    setup(s);
    for (uint32_t i = 0; i < s->ncolls; i++)
        if (s->coll[i].kind == C_SPARSE)
            early_insertions(s, &s->coll[i]);
    for (uint32_t i = 0; i < s->plan.nphases && !s->failed && !s->nexit_called; i++) {
        s->budget += s->plan.budget / (int)s->plan.nphases;
        phase(s);
    }
    if (s->failed)
        return;
    if (s->plan.nexit)
        finish_exit(s);
    else
        finish(s);
}

static void
storm_free(struct storm *s)
{
    s->win->nsteps += s->step;
    if (s->sim)
        s->win->nmessages += c4i_sim_sent(s->sim);
    c4i_sim_free(s->sim);
    for (size_t i = 0; i < s->ntimers; i++)
        free(s->timer[i]);
    for (size_t i = 0; i < s->nlate; i++)
        free(s->late[i]);
    free(s->timer);
    free(s->late);
    free(s->note);
    free(s->future);
    free(s->qd);
    free(s);
}

bool
storm_run(struct window *w, enum kind kind, uint64_t seed, int npes, bool verbose)
{
    struct storm *s = c4i_alloc(sizeof(*s));
    bool good;

    w->kind = kind;
    w->seed = seed;
    w->nevents = w->hash = 0;
    s->seed = seed;
    s->rng = seed * 8 + kind;
    c4i_sim_rand(&s->rng);
    s->win = w;
    s->verbose = verbose;
    plan_make(s, kind);
    if (npes > 0)
        s->plan.npes = (uint32_t)npes;
    if (verbose)
        plan_print(s);
    s->plan.net.tap = tap;
    s->plan.net.watch = watch;
    s->plan.net.ctx = s;
    if (c4i_sim_new(s->plan.npes, c4i_sim_rand(&s->rng), &s->plan.net, &s->sim))
        fail(s, "c4i_sim_new");
    else
        run(s);
    good = !s->failed;
    if (!good)
        plan_print(s);
    storm_free(s);
    w->nruns++;
    return good;
}
