/* Elements are made, move, wait for the balancer and end their calls late; a
 * job ends with the status that was asked for. */
#include "core_job.h"

enum { E_GO, E_KEEP, E_LOOK, E_SYNC, E_END, E_LATE };

struct node {
    size_t   nbytes;
    void    *bytes;                         /* malloc'ed */
    uint32_t narrived, nresumed;
};

static struct {
    unsigned lost;                          /* futures whose element was destroyed */
    c4_err   err;                           /* of the last c4_destroy() */
    unsigned created, destroyed, looked, migrated, resumed, futures, refs_made, refs_freed, encoded;
    uint32_t pe;
    c4_done  done[8];
    unsigned ndone;
    int64_t  sum;
} seen;

static c4_err
create(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct node *n = self;

    (void)pe;
    seen.created++;
    n->nbytes = len;
    n->bytes = len ? malloc(len) : NULL;
    if (len)
        memcpy(n->bytes, data, len);
    return C4_OK;
}

static void
destroy(c4_pe *pe, void *self)
{
    (void)pe;
    seen.destroyed++;
    free(((struct node *)self)->bytes);
}

static void
pup(c4_pup *p, void *self)
{
    struct node *n = self;

    c4_pup_heap(p, &n->bytes, &n->nbytes);
    c4_pup_raw(p, &n->narrived, sizeof(n->narrived));
    c4_pup_raw(p, &n->nresumed, sizeof(n->nresumed));
}

static c4_err
migrated(c4_pe *pe, void *self)
{
    struct node *n = self;

    n->narrived++;
    seen.migrated++;
    seen.pe = c4_mype(pe);
    return C4_OK;
}

static c4_err
resume(c4_pe *pe, void *self)
{
    ((struct node *)self)->nresumed++;
    seen.resumed++;
    seen.pe = c4_mype(pe);
    return C4_OK;
}

static c4_err
go(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)len;
    return c4_migrate(pe, *(const uint32_t *)data);
}

static c4_err
keep(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)data;
    return c4_set_migratable(pe, len != 0);
}

static c4_err
look(c4_pe *pe, void *self, const void *data, size_t len)
{
    const struct node *n = self;

    (void)data;
    (void)len;
    seen.looked++;
    seen.pe = c4_mype(pe);
    CHECK(n->nbytes == 5 && memcmp(n->bytes, "hello", 5) == 0, "%zu bytes", n->nbytes);
    return C4_OK;
}

static c4_err
at_sync(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
    return c4_at_sync(pe);
}

static c4_err
end(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
    seen.err = c4_destroy(pe);
    if (!seen.err)
        CHECK(c4_migrate(pe, 0) == C4_ESTATE, "an element that ends does not migrate");
    return C4_OK;
}

static const c4_entry entries[] = { { "go", go }, { "keep", keep }, { "look", look },
                                    { "sync", at_sync }, { "end", end }, { NULL, NULL } };
static const c4_type node = {
    .name = "node", .size = sizeof(struct node), .entries = entries, .create = create,
    .destroy = destroy, .pup = pup, .migrated = migrated, .resume = resume,
};

/* ---- A binding: calls end later, references travel within a PE --------------------- */

static c4_err
invoke(c4_pe *pe, void *self, unsigned entry, c4_call *call)
{
    if (entry == C4_ENTRY_MIGRATED)
        return migrated(pe, self);
    if (entry >= C4_ENTRY_CREATE)
        return c4_finish(pe, &call->done, NULL, 0, false);
    if (entry == E_GO)
        return go(pe, self, call->data, call->len);
    if (entry == E_LATE) {
        call->deferred = true;
        seen.done[seen.ndone++] = call->done;
        c4_hold(pe, c4_self(pe));
        return C4_OK;
    }
    seen.looked++;
    seen.pe = c4_mype(pe);
    if (call->ref) {
        CHECK(*(int *)call->ref == 77, "the reference itself");
        free(call->ref);
        seen.refs_freed++;
    } else {
        CHECK(call->len == sizeof(int) && *(const int *)call->data == 77, "the encoded one");
    }
    return C4_OK;
}

static void
ref_free(c4_pe *pe, void *ref)
{
    (void)pe;
    seen.refs_freed++;
    free(ref);
}

static c4_err
ref_encode(c4_pe *pe, void *ref, c4_buf *out)
{
    (void)pe;
    seen.encoded++;
    return c4_buf_add(out, ref, sizeof(int));
}

static void
bound_pup(c4_pup *p, void *self)
{
    (void)self;
    c4_pup_raw(p, &(int){ 0 }, sizeof(int));
}

static const c4_entry bound_entries[] = { { "go", go }, { "a", go }, { "b", go }, { "c", go },
                                          { "d", go }, { "late", go }, { NULL, NULL } };
static const c4_binding binding = { .invoke = invoke, .ref_free = ref_free,
                                    .ref_encode = ref_encode };
static const c4_type bound = { .name = "bound", .size = sizeof(struct node), .entries = bound_entries,
                               .binding = &binding, .pup = bound_pup };
static const c4_type *const types[] = { &node, &bound, NULL };

/* ---- Helpers ------------------------------------------------------------------------ */

static c4_err
count(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    (void)data;
    (void)len;
    seen.futures++;
    return C4_OK;
}

static c4_future
future(c4i_sim *s)
{
    return c4_future_new(c4i_sim_pe(s, 0), 1, count, NULL);
}

static c4i_sim *
begin(uint32_t npes)
{
    memset(&seen, 0, sizeof(seen));
    return job_new(npes, types);
}

static void
send(c4i_sim *s, uint32_t from, c4_chare to, unsigned entry, const void *data, size_t len)
{
    CHECK(c4_send(c4i_sim_pe(s, from), to, entry, data, len) == C4_OK, "%s",
          c4_error(c4i_sim_pe(s, from)));
}

/* ---- Creation -------------------------------------------------------------------------- */

static void
created_futures(uint32_t npes)
{
    c4i_sim *s = begin(npes);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_opts opts = { .args = "hello", .len = 5 };
    c4_index index = { 1, { 5 } };
    c4_coll c;
    c4_chare who;

    opts.created = future(s);
    CHECK(c4_array_new(pe, &node, c4_dims2(3, 5), &opts, &c) == C4_OK, "array");
    CHECK(seen.created == 0, "constructors run from the loop");
    job_rest(s, npes);
    CHECK(seen.created == 15 && seen.futures == 1, "%u", seen.created);
    opts.created = future(s);
    CHECK(c4_group_new(c4i_sim_pe(s, npes - 1), &node, &opts, &c) == C4_OK, "group");
    job_rest(s, npes);
    CHECK(seen.created == 15 + npes && seen.futures == 2, "%u", seen.created);
    opts.created = future(s);
    CHECK(c4_chare_new(pe, &node, (int)npes - 1, &opts, &who) == C4_OK, "chare");
    send(s, npes - 1, who, E_LOOK, NULL, 0);            /* before it is there */
    job_rest(s, npes);
    CHECK(seen.futures == 3 && seen.looked == 1 && seen.pe == npes - 1, "chare");
    opts.created = future(s);
    CHECK(c4_array_new(pe, &node, c4_dims(0), &opts, &c) == C4_OK, "an empty array");
    job_rest(s, npes);
    CHECK(seen.futures == 4, "an empty array is made at once");
    opts.created = future(s);
    CHECK(c4_insert(pe, c, &index, -1, &opts) == C4_OK, "insert");
    job_rest(s, npes);
    CHECK(seen.futures == 5, "an inserted element is made");
    CHECK(c4_done_inserting(pe, c) == C4_OK && c4_done_inserting(pe, c) == C4_OK, "twice is once");
    job_rest(s, npes);
    index.at[0]++;
    opts.created = future(s);
    CHECK(c4_insert(c4i_sim_pe(s, npes - 1), c, &index, -1, &opts) == C4_OK, "insert later");
    job_rest(s, npes);
    CHECK(seen.futures == 6, "an array may grow");
    c4i_sim_free(s);
    CHECK(seen.created == seen.destroyed, "%u made, %u gone", seen.created, seen.destroyed);
}

/* A PE inserts into, calls and broadcasts to an array that it only knows by
 * name yet; CREATE is held back. */
static void
unknown_array(void)
{
    c4i_sim *s = begin(3);
    c4_pe *pe = c4i_sim_pe(s, 2);
    c4_opts opts = { .args = "hello", .len = 5 };
    c4_array a;
    c4_chare who;

    c4i_sim_hold(s, 0, 2);
    opts.created = future(s);
    CHECK(c4_array_new(c4i_sim_pe(s, 0), &node, c4_dims(0), NULL, &a) == C4_OK, "new");
    for (int64_t i = 0; i < 9; i++) {
        c4_index index = { 1, { i * i - 7 } };

        CHECK(c4_insert(pe, a, &index, -1, &opts) == C4_OK, "insert");
        opts.created = 0;
        send(s, 2, c4_elem(a, (uint64_t)(i * i - 7)), E_LOOK, NULL, 0);
    }
    CHECK(c4_done_inserting(pe, a) == C4_OK, "done");
    CHECK(c4_elem_at(pe, a, &(c4_index){ 1, { 2 } }, &who) == C4_ENOENT, "not known yet");
    c4i_sim_run(s, JOB_STEPS);
    CHECK(seen.created == 0, "nothing can be made yet");
    c4i_sim_flow(s, 0, 2);
    job_rest(s, 3);
    CHECK(seen.created == 9 && seen.looked == 9 && seen.futures == 1, "%u made", seen.created);
    CHECK(c4_bcast(pe, a, E_LOOK, NULL, 0) == C4_OK, "broadcast");
    job_rest(s, 3);
    CHECK(seen.looked == 18, "%u", seen.looked);
    c4i_sim_free(s);
}

/* A reduction of what constructors contribute is one message a PE, however
 * many elements there are; so it is where they are inserted. */
static c4_err
contribute(c4_pe *pe, void *self, const void *data, size_t len)
{
    c4_callback cb;

    (void)self;
    (void)len;
    memcpy(&cb, data, sizeof(cb));
    return c4_reduce(pe, C4_RED_SUM_I64, &(int64_t){ 1 }, sizeof(int64_t), &cb);
}

static c4_err
sum(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    CHECK(len == sizeof(seen.sum), "%zu", len);
    memcpy(&seen.sum, data, len);
    return C4_OK;
}

static void
contributions_of_constructors(void)
{
    static const c4_type giver = { .name = "giver", .create = contribute };
    static const c4_type *const all[] = { &giver, NULL };
    c4i_sim *s = job_new(4, all);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_callback cb = c4_cb_future(c4_future_new(pe, 2, sum, NULL));
    c4_opts opts = { .args = &cb, .len = sizeof(cb) };
    uint64_t before;
    c4_array a;

    job_rest(s, 4);
    before = c4i_sim_sent(s);
    CHECK(c4_array_new(pe, &giver, c4_dims(1000), &opts, &a) == C4_OK, "new");
    job_rest(s, 4);
    CHECK(seen.sum == 1000 && c4i_sim_sent(s) - before == 6, "%u messages",
          (unsigned)(c4i_sim_sent(s) - before));
    CHECK(c4_array_new(pe, &giver, c4_dims(0), &opts, &a) == C4_OK, "new");
    for (int64_t i = 0; i < 100; i++)
        CHECK(c4_insert(pe, a, &(c4_index){ 1, { i } }, -1, &opts) == C4_OK, "insert");
    job_rest(s, 4);
    before = c4i_sim_sent(s);
    CHECK(c4_done_inserting(pe, a) == C4_OK, "done");
    job_rest(s, 4);
    CHECK(seen.sum == 100 && c4i_sim_sent(s) - before == 9, "%u messages",
          (unsigned)(c4i_sim_sent(s) - before));
    c4i_sim_free(s);
}

/* PEs do not keep a large broadcast until the next one comes. */
static void
large_broadcast(void)
{
    enum { BYTES = 3 << 20 };
    c4i_sim *s = begin(5);
    c4_opts opts = { .args = "hello", .len = 5 };
    void *data = calloc(1, BYTES);
    c4_array a;

    CHECK(c4_array_new(c4i_sim_pe(s, 1), &node, c4_dims(7), &opts, &a) == C4_OK, "new");
    for (int i = 0; i < 3; i++) {
        CHECK(c4_bcast(c4i_sim_pe(s, 2), a, E_LOOK, data, BYTES) == C4_OK, "broadcast");
        job_rest(s, 5);
        for (uint32_t k = 0; k < 5; k++)
            CHECK(c4i_coll_find(c4i_sim_pe(s, k), a)->log_bytes == 0, "PE %u keeps it", k);
    }
    CHECK(seen.looked == 21, "%u", seen.looked);
    free(data);
    c4i_sim_free(s);
}

/* ---- Migration ---------------------------------------------------------------------------- */

static void
moves(void)
{
    c4i_sim *s = begin(4);
    c4_opts opts = { .args = "hello", .len = 5 };
    c4_array a;
    c4_chare who;

    CHECK(c4_array_new(c4i_sim_pe(s, 0), &node, c4_dims(4), &opts, &a) == C4_OK, "new");
    who = c4_elem(a, 2);
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t to = i * 7 % 4;

        send(s, i % 4, who, E_GO, &to, sizeof(to));
        send(s, i % 4, who, E_LOOK, NULL, 0);
        job_rest(s, 4);
        CHECK(seen.looked == i + 1 && seen.pe == to, "%u looks, on PE %u", seen.looked, seen.pe);
        for (uint32_t k = 0; k < 4; k++)
            CHECK(!c4_local(c4i_sim_pe(s, k), who) == (k != to), "c4_local on PE %u", k);
    }
    CHECK(seen.migrated + 1 == seen.destroyed + 1 && seen.migrated >= 9, "%u", seen.migrated);
    CHECK(((struct node *)c4_local(c4i_sim_pe(s, seen.pe), who))->narrived == seen.migrated,
          "state came along");
    c4i_sim_free(s);
    CHECK(seen.destroyed == seen.created + seen.migrated, "%u gone", seen.destroyed);
}

/* ---- Destruction ------------------------------------------------------------------------ */

static c4_err
count_lost(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)arg;
    (void)len;
    seen.futures++;
    if (!data) {
        seen.lost++;
        CHECK(strstr(c4_error(pe), "destroyed"), "%s", c4_error(pe));
    }
    return C4_OK;
}

/* An element may have moved before; all it had owed is settled. */
static void
destruction(uint32_t npes, uint32_t at)
{
    c4i_sim *s = begin(npes);
    c4_pe *pe = c4i_sim_pe(s, 0), *last = c4i_sim_pe(s, npes - 1);
    c4_opts opts = { .args = "hello", .len = 5 };
    c4_index dims = c4_dims(6);
    c4_array a;
    c4_chare who;

    CHECK(c4_array_new(pe, &node, dims, &opts, &a) == C4_OK, "new");
    who = c4_elem(a, 4);
    send(s, 0, who, E_GO, &at, sizeof(at));
    send(s, 0, who, E_END, NULL, 0);
    job_rest(s, npes);
    CHECK(seen.err == C4_OK && seen.destroyed == seen.migrated + 1, "%u gone", seen.destroyed);
    for (uint32_t i = 0; i < npes; i++) {
        c4_future f = c4_future_new(c4i_sim_pe(s, i), 1, count_lost, NULL);

        CHECK(c4_sendv(c4i_sim_pe(s, i), who, E_LOOK, NULL, 0, f) == C4_OK, "a call to the dead");
        send(s, i, who, E_LOOK, NULL, 0);
    }
    job_rest(s, npes);
    CHECK(seen.lost == npes && seen.futures == npes && !seen.looked, "%u lost", seen.lost);
    CHECK(c4_bcastv(last, a, E_LOOK, NULL, 0, c4_future_new(last, 1, count_lost, NULL), 0) == C4_OK,
          "broadcast");
    job_rest(s, npes);
    CHECK(seen.futures == npes + 1 && seen.looked == 5, "%u look", seen.looked);
    c4i_sim_free(s);
    CHECK(seen.destroyed == seen.created + seen.migrated, "%u gone", seen.destroyed);
}

/* An index is used once; single chares end as elements do. */
static void
index_again(void)
{
    c4i_sim *s = begin(2);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_opts opts = { .args = "hello", .len = 5 };
    c4_index index = { 1, { 5 } };
    c4_array a;
    c4_chare who;

    CHECK(c4_chare_new(pe, &node, 1, &opts, &who) == C4_OK, "chare");
    send(s, 0, who, E_END, NULL, 0);
    send(s, 0, who, E_LOOK, NULL, 0);
    job_rest(s, 2);
    CHECK(seen.destroyed == 1 && !seen.looked, "a single chare ends");
    CHECK(c4_array_new(pe, &node, c4_dims(0), &opts, &a) == C4_OK, "array");
    job_rest(s, 2);
    CHECK(c4_insert(pe, a, &index, 1, &opts) == C4_OK, "insert");
    CHECK(c4_elem_at(pe, a, &index, &who) == C4_OK, "index");
    send(s, 0, who, E_END, NULL, 0);
    job_rest(s, 2);
    CHECK(seen.destroyed == 2, "%u gone", seen.destroyed);
    send(s, 1, who, E_LOOK, NULL, 0);
    job_rest(s, 2);
    CHECK(c4_insert(pe, a, &index, 0, &opts) == C4_OK, "insert again");
    job_rest(s, 2);
    CHECK(c4_local(c4i_sim_pe(s, 0), who) && seen.created == 3, "the index is used again");
    for (uint32_t i = 0; i < 2; i++)
        send(s, i, who, E_LOOK, NULL, 0);
    job_rest(s, 2);
    CHECK(seen.looked == 2, "%u calls reach it", seen.looked);
    c4i_sim_free(s);
}

static void
immortal(void)
{
    c4i_sim *s = begin(2);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_opts opts = { .args = "hello", .len = 5, .at_sync = true };
    c4_section section;
    c4_chare who;
    c4_coll c;

    CHECK(c4_group_new(pe, &node, &opts, &c) == C4_OK, "group");
    send(s, 0, c4_elem(c, 1), E_END, NULL, 0);
    job_rest(s, 2);
    CHECK(seen.err == C4_ESTATE, "members of groups stay");
    CHECK(c4_array_new(pe, &node, c4_dims(4), &opts, &c) == C4_OK, "array");
    who = c4_elem(c, 3);
    CHECK(c4_section_new(pe, &who, 1, &section) == C4_OK, "section");
    job_rest(s, 2);
    send(s, 0, who, E_END, NULL, 0);
    job_rest(s, 2);
    CHECK(seen.err == C4_ESTATE, "members of sections stay");
    who = c4_elem(c, 0);                    /* has a neighbour that does not call AtSync */
    send(s, 0, who, E_SYNC, NULL, 0);
    send(s, 0, who, E_END, NULL, 0);
    job_rest(s, 2);
    CHECK(seen.destroyed == 1, "%u gone: elements in AtSync may", seen.destroyed);
    c4i_sim_free(s);
}

/* ---- AtSync --------------------------------------------------------------------------------- */

static unsigned ndecided, nmovable;

static c4_err
all_to_last(void *ctx, c4_pe *pe, uint32_t round, const c4i_lb_object *objs, uint32_t nobjs,
            const c4i_lb_pe *pes, uint32_t npes, c4i_lb_move **moves, uint32_t *nmoves)
{
    (void)ctx;
    (void)pe;
    (void)pes;
    CHECK(round == ndecided, "round %u", round);
    ndecided++;
    nmovable = 0;
    *moves = calloc(nobjs, sizeof(**moves));
    for (uint32_t i = 0; i < nobjs; i++) {
        nmovable += objs[i].movable;
        (*moves)[i] = (c4i_lb_move){ objs[i].elem, objs[i].coll, npes - 1 };
    }
    *nmoves = nobjs;
    return C4_OK;
}

static void
balanced(uint32_t npes, bool with_lb)
{
    static const c4i_balancer lb = { .decide = all_to_last };
    c4i_sim *s = begin(npes);
    c4_opts opts = { .args = "hello", .len = 5, .at_sync = true };
    c4_array a;

    ndecided = 0;
    for (uint32_t i = 0; with_lb && i < npes; i++)
        c4i_set_balancer(c4i_sim_pe(s, i), &lb);
    CHECK(c4_array_new(c4i_sim_pe(s, 0), &node, c4_dims(6), &opts, &a) == C4_OK, "new");
    send(s, 0, c4_elem(a, 0), E_KEEP, NULL, 0);
    job_rest(s, npes);
    for (unsigned round = 1; round <= 3; round++) {
        for (uint64_t i = 0; i < 5; i++)
            send(s, 0, c4_elem(a, i), E_SYNC, NULL, 0);
        c4i_sim_run(s, JOB_STEPS);
        if (with_lb)
            CHECK(seen.resumed == 6 * (round - 1), "%u resumed before all have called", seen.resumed);
        send(s, 0, c4_elem(a, 5), E_SYNC, NULL, 0);
        job_rest(s, npes);
        CHECK(seen.resumed == 6 * round, "%u resumed", seen.resumed);
    }
    CHECK(ndecided == (with_lb ? 3 : 0), "%u decisions", ndecided);
    if (with_lb) {
        CHECK(nmovable == 5, "%u may move", nmovable);
        CHECK(c4_local(c4i_sim_pe(s, 0), c4_elem(a, 0)), "the unmovable stays");
        for (uint64_t i = 1; i < 6; i++)
            CHECK(c4_local(c4i_sim_pe(s, npes - 1), c4_elem(a, i)), "the others move");
    }
    send(s, 0, c4_elem(a, 3), E_SYNC, NULL, 0);
    c4i_sim_run(s, JOB_STEPS);
    for (uint32_t i = 0; i < npes; i++)
        if (c4_local(c4i_sim_pe(s, i), c4_elem(a, 3)))
            CHECK(c4_at_sync_for(c4i_sim_pe(s, i), c4_elem(a, 3)) == C4_OK, "called twice: %s",
                  c4_error(c4i_sim_pe(s, i)));
    for (unsigned round = 4; round <= 5; round++) {
        for (uint64_t i = 0; i < 6; i++)
            if (i != 3)
                send(s, 0, c4_elem(a, i), E_SYNC, NULL, 0);
        job_rest(s, npes);
        CHECK(seen.resumed == 6 * round || !(with_lb || round == 5), "%u resumed, one was ahead",
              seen.resumed);
    }
    c4i_sim_free(s);
}

/* ---- Bindings ---------------------------------------------------------------------------------- */

static void *
reference(void)
{
    int *x = malloc(sizeof(*x));

    *x = 77;
    seen.refs_made++;
    return x;
}

/* References are handed over, or encoded when the element has gone. */
static void
references(void)
{
    c4i_sim *s = begin(2);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_array a;
    uint32_t to = 1;
    void *ref = reference();

    CHECK(c4_array_new(pe, &bound, c4_dims(2), NULL, &a) == C4_OK, "new");
    CHECK(c4_send_ref(pe, c4_elem(a, 1), 1, ref, 0) == C4_EREMOTE, "it will be elsewhere");
    CHECK(c4_send_ref(pe, c4_elem(a, 0), 1, ref, 0) == C4_OK, "it will be here");
    CHECK(seen.looked == 0, "it is not made yet");
    job_rest(s, 2);
    CHECK(seen.looked == 1 && seen.refs_freed == 1 && seen.encoded == 0, "as soon as it is");
    ref = reference();
    CHECK(c4_send_ref(pe, c4_elem(a, 1), 1, ref, 0) == C4_EREMOTE, "it is elsewhere");
    CHECK(c4_send_ref(pe, c4_elem(a, 0), 1, ref, 0) == C4_OK, "here");
    job_rest(s, 2);
    CHECK(seen.looked == 2 && seen.refs_freed == 2 && seen.encoded == 0, "by reference");
    send(s, 0, c4_elem(a, 0), E_GO, &to, sizeof(to));
    CHECK(c4_send_ref(pe, c4_elem(a, 0), 1, reference(), 0) == C4_OK, "still here");
    CHECK(c4_send_ref(pe, c4_elem(a, 0), 1, reference(), 0) == C4_OK, "still here");
    job_rest(s, 2);
    CHECK(seen.looked == 4 && seen.pe == 1 && seen.encoded == 2 && seen.refs_freed == 4, "encoded");
    to = 0;
    send(s, 1, c4_elem(a, 0), E_GO, &to, sizeof(to));
    job_rest(s, 2);
    CHECK(c4_send_ref(pe, c4_elem(a, 0), 1, reference(), 0) == C4_OK, "it is back");
    CHECK(c4_exit(pe, 0) == C4_OK, "exit");
    c4i_sim_run(s, JOB_STEPS);
    c4i_sim_free(s);
    CHECK(seen.refs_made == seen.refs_freed, "%u made, %u freed", seen.refs_made, seen.refs_freed);
}

static c4_err
result(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    CHECK(len == 3 && memcmp(data, "fin", 3) == 0, "%zu", len);
    seen.futures++;
    return C4_OK;
}

/* A held element goes when its last coroutine has ended. */
static void
deferred(void)
{
    c4i_sim *s = begin(2);
    c4_pe *pe = c4i_sim_pe(s, 0), *other = c4i_sim_pe(s, 1);
    struct iovec iov = { "fin", 3 };
    c4_context saved;
    c4_array a;
    c4_chare who;

    CHECK(c4_array_new(pe, &bound, c4_dims(2), NULL, &a) == C4_OK, "new");
    who = c4_elem(a, 0);
    CHECK(c4_sendv(other, who, E_LATE, NULL, 0, c4_future_new(other, 1, result, NULL)) == C4_OK, "");
    CHECK(c4_bcastv(other, a, E_LATE, NULL, 0, future(s), 0) == C4_OK, "broadcast");
    c4i_sim_run(s, JOB_STEPS);
    CHECK(seen.ndone == 3 && seen.futures == 0, "%u calls", seen.ndone);
    CHECK(c4_context_enter(pe, c4_elem(a, 1), 0, NULL, &saved) == C4_EREMOTE, "not here");
    CHECK(c4_context_enter(pe, who, 0, NULL, &saved) == C4_OK, "enter");
    CHECK(c4_self(pe).idx == 0 && c4_self(pe).coll == a, "self");
    CHECK(c4_migrate(pe, 1) == C4_OK, "migrate");
    c4_context_leave(pe, &saved);
    CHECK(c4_self(pe).coll == 0, "nobody");
    c4i_sim_run(s, JOB_STEPS);
    CHECK(c4_local(pe, who), "it is held");
    for (unsigned i = 0; i < 3; i++) {
        c4_pe *on = c4i_sim_pe(s, (uint32_t)(seen.done[i].bcast ? seen.done[i].idx : 0));
        c4_chare self = { seen.done[i].bcast ? seen.done[i].idx : 0, a };

        CHECK(c4_finish(on, &seen.done[i], &iov, 1, false) == C4_OK, "finish");
        c4_unhold(on, self);
    }
    job_rest(s, 2);
    CHECK(seen.futures == 2, "%u results", seen.futures);
    CHECK(!c4_local(pe, who) && c4_local(other, who) && seen.migrated == 1, "it has gone");
    c4i_sim_free(s);
}

/* ---- Quiescence, exit -------------------------------------------------------------------------- */

/* Fires although a reduction waits, and not while a message is held. */
static void
quiescence(void)
{
    c4i_sim *s = begin(3);
    c4_opts opts = { .args = "hello", .len = 5 };
    c4_callback cb;
    c4_array a;

    CHECK(c4_array_new(c4i_sim_pe(s, 0), &node, c4_dims(3), &opts, &a) == C4_OK, "new");
    job_rest(s, 3);
    CHECK(c4_reduce_for(c4i_sim_pe(s, 1), c4_elem(a, 1), C4_RED_NOP, NULL, 0, NULL) == C4_OK, "");
    cb = c4_cb_future(future(s));
    c4i_sim_hold(s, 1, 2);
    send(s, 1, c4_elem(a, 2), E_LOOK, NULL, 0);
    CHECK(c4_quiescence(c4i_sim_pe(s, 2), &cb) == C4_OK, "ask");
    c4i_sim_run(s, 100000);
    CHECK(seen.futures == 0, "a message is on its way");
    c4i_sim_flow(s, 1, 2);
    job_rest(s, 3);
    CHECK(seen.futures == 1 && seen.looked == 1, "fired");
    c4i_sim_free(s);
}

static void
ends(uint32_t npes, uint32_t first)
{
    c4i_sim *s = begin(npes);
    c4_opts opts = { .args = "hello", .len = 5 };
    int status;
    c4_array a;

    CHECK(c4_array_new(c4i_sim_pe(s, 0), &node, c4_dims(20), &opts, &a) == C4_OK, "new");
    c4i_sim_run(s, 20);
    CHECK(c4_bcast(c4i_sim_pe(s, 0), a, E_KEEP, NULL, 0) == C4_OK, "broadcast");
    CHECK(c4_exit(c4i_sim_pe(s, first), 7) == C4_OK && c4_exit(c4i_sim_pe(s, first), 8) == C4_OK,
          "the first call counts");
    CHECK(c4i_sim_run(s, JOB_STEPS) < JOB_STEPS, "end");
    for (uint32_t i = 0; i < npes; i++)
        CHECK(c4i_pe_ended(c4i_sim_pe(s, i), &status) && status == 7, "PE %u: %d", i, status);
    CHECK(c4i_sim_late(s) == 0, "a message to a PE that had left");
    c4i_sim_free(s);
    CHECK(seen.created == seen.destroyed, "%u, %u", seen.created, seen.destroyed);
}

/* A type whose packing lies about its size. */
static void
lying_pup(c4_pup *p, void *self)
{
    (void)self;
    for (int i = 0; i < (p->mode == C4_PUP_SIZE ? 1 : 100); i++)
        c4_pup_raw(p, &(int64_t){ 0 }, 8);
}

static void
lies(void)
{
    static const c4_type liar = { .name = "liar", .pup = lying_pup, .entries = entries };
    static const c4_type *const all[] = { &liar, NULL };
    c4i_sim *s = job_new(2, all);
    uint32_t to = 1;
    c4_array a;

    c4_array_new(c4i_sim_pe(s, 0), &liar, c4_dims(1), NULL, &a);
    c4_send(c4i_sim_pe(s, 0), c4_elem(a, 0), E_GO, &to, sizeof(to));
    c4i_sim_run(s, JOB_STEPS);
}

int
main(void)
{
    for (uint32_t npes = 1; npes <= 8; npes *= 2) {
        created_futures(npes);
        balanced(npes, false);
        balanced(npes, true);
        for (uint32_t first = 0; first < npes; first++)
            ends(npes, first);
    }
    unknown_array();
    contributions_of_constructors();
    large_broadcast();
    moves();
    for (uint32_t at = 0; at < 4; at++)
        destruction(4, at);
    destruction(1, 0);
    index_again();
    immortal();
    references();
    deferred();
    quiescence();
    DIES(lies, "liar", "packed");
    return 0;
}
