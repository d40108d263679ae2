/* Futures, timers, callbacks, replies and reducers do what c4.h says, in jobs
 * of one and of several PEs. */
#include <pthread.h>

#include "core_job.h"

enum { E_HEAR, E_GIVE, E_REPLY, E_ASK };

/* What the last values heard were. */
static struct {
    unsigned n;
    size_t   len;
    unsigned char data[256];
    uint64_t who;                           /* bits of elements that heard */
    uint32_t pe;
} heard;

static void
note(c4_pe *pe, const void *data, size_t len)
{
    heard.n++;
    heard.len = len;
    heard.pe = c4_mype(pe);
    if (len)
        memcpy(heard.data, data, len < sizeof(heard.data) ? len : sizeof(heard.data));
}

static c4_err
value(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)arg;
    note(pe, data, len);
    return C4_OK;
}

static c4_err
hear(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    note(pe, data, len);
    heard.who |= (uint64_t)1 << c4_self(pe).idx;
    return C4_OK;
}

/* A contribution: { reducer, cb, n numbers }, each number plus the key. */
struct give {
    c4_callback cb;
    uint16_t    reducer;
    bool        real;
    int         n;
    int64_t     number[4];
};

static c4_err
give(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct give g;
    int64_t key = (int64_t)c4_self(pe).idx;
    double real[4];

    (void)self;
    CHECK(len == sizeof(g), "%zu", len);
    memcpy(&g, data, sizeof(g));
    for (int i = 0; i < g.n; i++) {
        g.number[i] += key;
        real[i] = (double)g.number[i] + 0.5;
    }
    return c4_reduce(pe, g.reducer, g.real ? (void *)real : (void *)g.number,
                     (size_t)g.n * sizeof(int64_t), &g.cb);
}

static c4_err
reply(c4_pe *pe, void *self, const void *data, size_t len)
{
    uint64_t x = c4_self(pe).idx * 10;

    (void)self;
    (void)data;
    return len ? C4_OK : c4_reply(pe, &x, sizeof(x));
}

static const c4_entry entries[] = { { "hear", hear }, { "give", give }, { "reply", reply },
                                    { NULL, NULL } };
static const c4_type thing = { .name = "thing", .size = 8, .entries = entries,
                               .pup = c4_pup_bytes };
static const c4_type *const types[] = { &thing, NULL };

static c4_array
things(c4i_sim *s, uint32_t npes, int64_t n)
{
    c4_array a;

    memset(&heard, 0, sizeof(heard));
    CHECK(c4_array_new(c4i_sim_pe(s, 0), &thing, c4_dims(n), NULL, &a) == C4_OK, "new");
    job_rest(s, npes);
    return a;
}

/* ---- Futures ------------------------------------------------------------------ */

static void
futures(uint32_t npes)
{
    c4i_sim *s = job_new(npes, types);
    c4_pe *home = c4i_sim_pe(s, npes - 1);
    c4_future f, g;
    uint32_t x = 7;

    memset(&heard, 0, sizeof(heard));
    f = c4_future_new(home, 3, value, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(c4_future_send(c4i_sim_pe(s, i % npes), f, &x, sizeof(x)) == C4_OK, "send");
        job_rest(s, npes);
        CHECK(heard.n == i + 1 && heard.len == 4 && heard.pe == npes - 1, "%u", heard.n);
    }
    CHECK(c4i_futures_open(home) == 0, "it is gone after its last value");
    g = c4_future_new(home, 1, value, NULL);
    CHECK(g != f && g != 0, "a slot's next user has another number");
    c4_future_drop(home, g);
    c4_future_drop(home, g);
    CHECK(c4i_futures_open(home) == 0, "dropped");
    CHECK(c4_future_new(home, 0, value, NULL) == 0, "a future of no values");
    CHECK(c4_future_send(home, 0, NULL, 0) == C4_EINVAL, "no future");
    CHECK(c4_future_send(home, (c4_future)4711 << 48 | 1, NULL, 0) == C4_EINVAL, "no such PE");
    c4i_sim_free(s);
}

static void
late_value(void)
{
    c4i_sim *s = job_new(1, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_future f = c4_future_new(pe, 1, value, NULL);

    c4_future_send(pe, f, NULL, 0);
    c4_future_send(pe, f, NULL, 0);
    c4i_sim_run(s, JOB_STEPS);
}

static void *
poster(void *arg)
{
    void **a = arg;
    int x = 5;

    CHECK(c4_future_post(a[0], *(c4_future *)a[1], &x, sizeof(x)) == C4_OK, "post");
    return NULL;
}

/* From another thread, to a PE that sleeps. */
static c4_err
stop(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)arg;
    CHECK(len == sizeof(int) && *(const int *)data == 5, "value");
    return c4_exit(pe, 42);
}

static void
post(void)
{
    char name[] = "core_api", *argv[] = { name, NULL };
    int argc = 1;
    c4_pe *pe;
    c4_future f;
    pthread_t thread;
    void *args[2];

    CHECK(c4_init(&argc, argv, NULL, &pe) == C4_OK, "init");
    f = c4_future_new(pe, 1, stop, NULL);
    args[0] = pe;
    args[1] = &f;
    c4_start_others(pe, NULL, 0);
    CHECK(pthread_create(&thread, NULL, poster, args) == 0, "thread");
    CHECK(c4_loop(pe) == 42, "exit status");
    pthread_join(thread, NULL);
    c4_release(pe);
}

/* ---- Timers -------------------------------------------------------------------- */

static unsigned nticks;

static c4_err
tick(c4_pe *pe, void *arg)
{
    nticks++;
    return heard.n ? C4_OK : c4_after(pe, 0, tick, arg);
}

static c4_err
never(c4_pe *pe, void *arg)
{
    (void)pe;
    (void)arg;
    CHECK(false, "a timer for the end of time");
    return C4_OK;
}

/* A timer that sets itself again must not keep messages from being handled. */
static void
timers(void)
{
    c4i_sim *s = job_new(1, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_future f = c4_future_new(pe, 1, value, NULL);

    memset(&heard, 0, sizeof(heard));
    c4_after(pe, 0, tick, NULL);
    c4_future_send(pe, f, NULL, 0);
    CHECK(c4i_sim_run(s, 10000) < 10000 && heard.n == 1 && nticks, "%u ticks", nticks);
    c4_after(pe, UINT64_MAX, never, NULL);
    c4i_step_one(pe);
    c4i_sim_free(s);
}

typedef struct droppable {
    size_t   at;
    uint64_t ns;
    bool     dropped;
} droppable;

static uint64_t last_ns;

static c4_err
due(c4_pe *pe, void *arg)
{
    droppable *d = arg;

    (void)pe;
    CHECK(!d->dropped, "a timer that was dropped");
    CHECK(d->ns >= last_ns, "%llu after %llu ns", (unsigned long long)d->ns,
          (unsigned long long)last_ns);
    last_ns = d->ns;
    nticks++;
    return C4_OK;
}

/* Timers are dropped in any order; those that are left come in theirs. */
static void
drop_timers(void)
{
    enum { N = 1000 };
    static droppable d[N];
    c4i_sim *s = job_new(1, types);
    c4_pe *pe = c4i_sim_pe(s, 0);

    nticks = 0;
    for (unsigned i = 0; i < N; i++) {
        d[i].ns = i * 7919u % N * 1000u;
        c4_after_at(pe, d[i].ns, due, &d[i], &d[i].at);
    }
    for (unsigned i = 0; i < N; i++)
        if (i % 3) {
            unsigned k = i * 37u % N;

            if (!d[k].dropped)
                c4_after_drop(pe, &d[k].at);
            d[k].dropped = true;
        }
    c4i_sim_run(s, 100000);
    CHECK(nticks == N - N * 2 / 3, "%u timers", nticks);
    c4i_sim_free(s);
}

/* ---- Calls ----------------------------------------------------------------------- */

static void
replies(uint32_t npes)
{
    c4i_sim *s = job_new(npes, types);
    c4_array a = things(s, npes, 5);
    c4_pe *pe = c4i_sim_pe(s, 0);
    struct iovec iov = { &npes, sizeof(npes) };
    const c4_result *r = (const void *)heard.data;

    CHECK(c4_sendv(pe, c4_elem(a, 4), E_REPLY, NULL, 0, c4_future_new(pe, 1, value, NULL)) == C4_OK,
          "%s", c4_error(pe));
    job_rest(s, npes);
    CHECK(heard.n == 1 && heard.len == 8 && heard.data[0] == 40, "a reply");
    c4_sendv(pe, c4_elem(a, 4), E_REPLY, &iov, 1, c4_future_new(pe, 1, value, NULL));
    job_rest(s, npes);
    CHECK(heard.n == 2 && heard.len == 0, "an empty one where none was given");
    c4_bcastv(pe, a, E_REPLY, NULL, 0, c4_future_new(pe, 1, value, NULL), 0);
    job_rest(s, npes);
    CHECK(heard.n == 3 && heard.len == 0, "an awaited broadcast");
    c4_bcastv(pe, a, E_REPLY, NULL, 0, c4_future_new(pe, 1, value, NULL), C4_BCAST_RESULTS);
    job_rest(s, npes);
    CHECK(heard.n == 4 && heard.len == 5 * (sizeof(*r) + 16), "%zu", heard.len);
    for (unsigned i = 0; i < 5; i++, r = (const void *)((const char *)r + sizeof(*r) + 16))
        CHECK(r->key == i && r->len == 8 && *(const uint64_t *)(r + 1) == 10 * i, "result %u", i);
    CHECK(c4i_futures_open(pe) == 0, "futures");
    c4i_sim_free(s);
}

static void
callbacks(uint32_t npes)
{
    c4i_sim *s = job_new(npes, types);
    c4_array a = things(s, npes, 6);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_callback cb = c4_cb_send(c4_elem(a, 5), E_HEAR), none = { 0 };
    int status;

    CHECK(c4_call_back(pe, &none, "x", 1) == C4_OK, "none");
    CHECK(c4_call_back(pe, &cb, "abc", 3) == C4_OK, "send");
    job_rest(s, npes);
    CHECK(heard.n == 1 && heard.who == 1 << 5 && heard.len == 3, "send");
    cb = c4_cb_bcast(a, E_HEAR);
    CHECK(c4_call_back(pe, &cb, "ab", 2) == C4_OK, "broadcast");
    job_rest(s, npes);
    CHECK(heard.n == 7 && heard.who == 0x3f && heard.len == 2, "broadcast");
    cb = c4_cb_future(c4_future_new(pe, 1, value, NULL));
    CHECK(c4_call_back(pe, &cb, "a", 1) == C4_OK, "future");
    job_rest(s, npes);
    CHECK(heard.n == 8 && heard.len == 1, "future");
    cb.kind = 99;
    CHECK(c4_call_back(pe, &cb, NULL, 0) == C4_EINVAL, "unknown kind");
    CHECK(c4_quiescence(pe, &cb) == C4_EINVAL, "unknown kind");
    cb = c4_cb_exit();
    CHECK(c4_call_back(c4i_sim_pe(s, npes - 1), &cb, NULL, 0) == C4_OK, "exit");
    c4i_sim_run(s, JOB_STEPS);
    for (uint32_t i = 0; i < npes; i++)
        CHECK(c4i_pe_ended(c4i_sim_pe(s, i), &status) && status == 0, "PE %u goes on", i);
    c4i_sim_free(s);
}

/* ---- Reductions --------------------------------------------------------------------- */

static void
reduce_one(c4i_sim *s, uint32_t npes, c4_array a, struct give g)
{
    heard.n = 0;
    g.cb = c4_cb_future(c4_future_new(c4i_sim_pe(s, 0), 1, value, NULL));
    CHECK(c4_bcast(c4i_sim_pe(s, npes - 1), a, E_GIVE, &g, sizeof(g)) == C4_OK, "broadcast");
    job_rest(s, npes);
    CHECK(heard.n == 1, "%u results", heard.n);
}

/* Of keys 0 ... 5 and numbers { 1, -3 }. */
static void
reducers(uint32_t npes)
{
    static const struct { enum c4_builtin_reducer i64, f64; int64_t want[2]; double real[2]; } all[] = {
        { C4_RED_SUM_I64, C4_RED_SUM_F64, { 21, -3 }, { 24, 0 } },
        { C4_RED_PROD_I64, C4_RED_PROD_F64, { 720, 0 }, { 2111.484375, -3.515625 } },
        { C4_RED_MAX_I64, C4_RED_MAX_F64, { 6, 2 }, { 6.5, 2.5 } },
        { C4_RED_MIN_I64, C4_RED_MIN_F64, { 1, -3 }, { 1.5, -2.5 } },
    };
    c4i_sim *s = job_new(npes, types);
    c4_array a = things(s, npes, 6);
    struct give g = { .n = 2, .number = { 1, -3 } };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        g.reducer = (uint16_t)all[i].i64;
        g.real = false;
        reduce_one(s, npes, a, g);
        CHECK(heard.len == 16 && memcmp(heard.data, all[i].want, 16) == 0, "reducer %u", g.reducer);
        g.reducer = (uint16_t)all[i].f64;
        g.real = true;
        reduce_one(s, npes, a, g);
        for (int k = 0; k < 2; k++) {
            double got, off;

            memcpy(&got, heard.data + 8 * k, 8);
            off = got - all[i].real[k];
            CHECK(heard.len == 16 && off < 1e-9 && off > -1e-9, "reducer %u: %g", g.reducer, got);
        }
    }
    g = (struct give){ .reducer = C4_RED_NOP, .n = 2 };
    reduce_one(s, npes, a, g);
    CHECK(heard.len == 0, "nop gives nothing");
    g = (struct give){ .reducer = C4_RED_SUM_I64, .n = 0 };
    reduce_one(s, npes, a, g);
    CHECK(heard.len == 0, "the sum of nothing is nothing");
    g = (struct give){ .reducer = C4_RED_GATHER, .n = 1 };
    reduce_one(s, npes, a, g);
    CHECK(heard.len == 6 * 24, "%zu", heard.len);
    for (uint64_t i = 0; i < 6; i++)
        CHECK(memcmp(heard.data + 24 * i, (uint64_t[]){ i, 8, i }, 24) == 0, "record %u", (int)i);
    c4i_sim_free(s);
}

static void
unequal(size_t first, size_t second)
{
    c4i_sim *s = job_new(1, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    int64_t x[2] = { 1, 2 };
    c4_array a = things(s, 1, 2);
    c4_callback cb = c4_cb_future(c4_future_new(pe, 1, value, NULL));

    c4_reduce_for(pe, c4_elem(a, 0), C4_RED_SUM_I64, x, first, &cb);
    c4_reduce_for(pe, c4_elem(a, 1), C4_RED_SUM_I64, x, second, &cb);
}

static void
unequal_16_8(void)
{
    unequal(16, 8);
}

static void
unequal_0_8(void)
{
    unequal(0, 8);
}

static void
unequal_8_0(void)
{
    unequal(8, 0);
}

static void
bad_contribution(void)
{
    c4i_sim *s = job_new(1, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_array a = things(s, 1, 2);
    c4_callback cb = c4_cb_send(c4_elem(a, 1), 99);
    int64_t x = 1;

    CHECK(c4_reduce_for(pe, c4_elem(a, 0), C4_RED_SUM_I64, &x, 5, NULL) == C4_EINVAL,
          "half a number");
    CHECK(c4_reduce_for(pe, c4_elem(a, 0), 4711, &x, 8, NULL) == C4_EINVAL, "no such reducer");
    CHECK(c4_reduce_for(pe, c4_elem(a, 0), C4_RED_SUM_I64, &x, 8, &cb) == C4_ENOENT,
          "no such entry method");
    CHECK(c4_reduce(pe, C4_RED_SUM_I64, &x, 8, NULL) == C4_EREMOTE, "outside of a chare");
    c4i_sim_free(s);
}

/* ---- Errors --------------------------------------------------------------------------- */

/* An error without a text must not show that of an older one. */
static c4_err
silent(c4_pe *pe, void *arg)
{
    (void)arg;
    c4_elem_at(pe, 4711, &(c4_index){ 1, { 0 } }, &(c4_chare){ 0 });
    return C4_EUSER;
}

static void
silent_error(void)
{
    c4i_sim *s = job_new(1, types);

    c4_after(c4i_sim_pe(s, 0), 0, silent, NULL);
    c4_fail(c4i_sim_pe(s, 0), C4_OK, "nothing");
    c4i_sim_run(s, JOB_STEPS);
}

static void
arguments(void)
{
    c4i_sim *s = job_new(2, types);
    c4_array a = things(s, 2, 3), other;
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_coll singles = c4_single_coll(pe, &thing);
    c4_type unknown = thing;
    c4_chare out;

#define FAILS(err, call, words) \
    CHECK((call) == (err) && strstr(c4_error(pe), words), "%s: %s", #call, c4_error(pe))

    unknown.name = "unknown";
    FAILS(C4_ERANGE, c4_send(pe, c4_elem(a, 3), 0, NULL, 0), "element 3 of an array of 3");
    FAILS(C4_ENOENT, c4_send(pe, c4_elem(a, 0), 3, NULL, 0), "thing has no entry method 3");
    FAILS(C4_EINVAL, c4_send(pe, c4_elem(0, 0), 0, NULL, 0), "no collection");
    FAILS(C4_EINVAL, c4_bcast(pe, 0, 0, NULL, 0), "no collection");
    FAILS(C4_EINVAL, c4_done_inserting(pe, 0), "no collection 0");
    FAILS(C4_ENOENT, c4_bcast(pe, a, 9, NULL, 0), "thing has no entry method 9");
    FAILS(C4_EINVAL, c4_bcast(pe, singles, 0, NULL, 0), "single chare");
    FAILS(C4_ERANGE, c4_send(pe, c4_elem(singles, (uint64_t)77 << 48), 0, NULL, 0), "single chare");
    FAILS(C4_EINVAL, c4_sendv(pe, c4_elem(a, 0), 0, NULL, 0, 4711), "future");
    FAILS(C4_EINVAL, c4_bcastv(pe, a, 0, NULL, 0, 4711, 0), "future");
    FAILS(C4_ENOENT, c4_group_new(pe, &unknown, NULL, &other), "unknown is not registered");
    FAILS(C4_ENOENT, c4_chare_new(pe, &unknown, 0, NULL, &out), "unknown is not registered");
    FAILS(C4_ERANGE, c4_chare_new(pe, &thing, 2, NULL, &out), "PE 2; there are 2");
    FAILS(C4_EINVAL, c4_array_new(pe, &thing, (c4_index){ 7, { 1 } }, NULL, &other), "dimensions");
    FAILS(C4_EINVAL, c4_array_new(pe, &thing, (c4_index){ 0, { 0 } }, NULL, &other), "dimensions");
    FAILS(C4_EINVAL, c4_array_new(pe, &thing, c4_dims2(3, 0), NULL, &other), "dimension 1");
    FAILS(C4_EINVAL, c4_array_new(pe, &thing, c4_dims2(3, -1), NULL, &other), "dimension 1");
    FAILS(C4_ERANGE, c4_array_new(pe, &thing, c4_dims2(1ll << 40, 1ll << 40), NULL, &other), "many");
    FAILS(C4_EINVAL, c4_insert(pe, a, &(c4_index){ 2, { 1 } }, -1, NULL), "dimensions");
    FAILS(C4_EINVAL, c4_elem_at(pe, a, &(c4_index){ 2, { 1 } }, &out), "dimensions");
    FAILS(C4_ERANGE, c4_elem_at(pe, a, &(c4_index){ 1, { 3 } }, &out), "range");
    FAILS(C4_ERANGE, c4_elem_at(pe, a, &(c4_index){ 1, { -1 } }, &out), "range");
    FAILS(C4_ENOENT, c4_elem_at(pe, 4711, &(c4_index){ 1, { 0 } }, &out), "not known");
    FAILS(C4_EREMOTE, c4_migrate(pe, 1), "migration");
    FAILS(C4_ERANGE, c4_migrate_for(pe, c4_elem(a, 0), 2), "PE 2; there are 2");
    FAILS(C4_ESTATE, c4_at_sync_for(pe, c4_elem(a, 0)), "AtSync");
    unknown.name = "thing";
    FAILS(C4_EEXIST, c4_register(pe, &unknown), "thing is registered already");
    CHECK(c4_neighbour(pe, c4_elem(a, 2), 1).idx == 0, "neighbours wrap");
    CHECK(c4_neighbour(pe, c4_elem(a, 0), -4).idx == 2, "neighbours wrap");
    CHECK(c4_neighbour(pe, c4_elem(a, 1), INT64_MAX).idx == 2, "neighbours wrap");
    CHECK(c4_array_new(pe, &thing, c4_dims(0), NULL, &other) == C4_OK, "sparse");
    CHECK(c4_neighbour(pe, c4_elem(other, 5), 1).idx == 6, "a sparse array has no end");
    c4i_sim_free(s);
}

int
main(void)
{
    for (uint32_t npes = 1; npes <= 4; npes += npes) {
        futures(npes);
        replies(npes);
        callbacks(npes);
        reducers(npes);
    }
    timers();
    drop_timers();
    post();
    arguments();
    bad_contribution();
    DIES(late_value, "No pending future", "already received its value");
    DIES(unequal_16_8, "contributions of 16 and 8 bytes");
    DIES(unequal_8_0, "contributions of 8 and 0 bytes");
    DIES(unequal_0_8, "contributions of 0 and 8 bytes");
    DIES(silent_error, "Reason: error in user code\n");
    return 0;
}
