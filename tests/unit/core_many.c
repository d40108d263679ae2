/* Hundreds of thousands of things that wait cost no more than linear time:
 * with what was quadratic this would run for minutes. */
#include "core_job.h"

enum { MANY = 300000 };
enum { E_COUNT, E_AHEAD, E_LATER };

static struct {
    uint64_t expect, ncalls, ndone, nmoved;
    c4_done *done;
    size_t   ndeferred;
    int64_t  sum;
} seen;

static c4_err
count(c4_pe *pe, void *self, const void *data, size_t len)
{
    uint64_t x;

    (void)self;
    CHECK(len == sizeof(x), "%zu", len);
    memcpy(&x, data, sizeof(x));
    CHECK(x == seen.expect, "%llu for %llu on PE %u", (unsigned long long)x,
          (unsigned long long)seen.expect, c4_mype(pe));
    seen.expect++;
    seen.ncalls++;
    return C4_OK;
}

static c4_err
result(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    (void)len;
    CHECK(*(const int64_t *)data == (int64_t)seen.ndone * 2, "result %llu",
          (unsigned long long)seen.ndone);
    seen.ndone++;
    return C4_OK;
}

/* As many contributions as there are futures. */
static c4_err
ahead(c4_pe *pe, void *self, const void *data, size_t len)
{
    const c4_future *f = data;

    (void)self;
    for (size_t i = 0; i < len / sizeof(*f); i++) {
        int64_t x = (int64_t)i;
        c4_callback cb = c4_cb_future(f[i]);
        c4_err err = c4_reduce(pe, C4_RED_SUM_I64, &x, sizeof(x), &cb);

        if (err)
            return err;
    }
    return C4_OK;
}

static const c4_entry entries[] = { { "count", count }, { "ahead", ahead }, { NULL, NULL } };
static const c4_type plain = { .name = "plain", .size = 8, .entries = entries,
                               .pup = c4_pup_bytes };

static c4_err
invoke(c4_pe *pe, void *self, unsigned entry, c4_call *call)
{
    (void)self;
    if (entry >= C4_ENTRY_CREATE)
        return c4_finish(pe, &call->done, NULL, 0, false);
    call->deferred = true;
    seen.done[seen.ndeferred++] = call->done;
    return C4_OK;
}

static const c4_binding binding = { .invoke = invoke };
static const c4_type bound = { .name = "bound", .size = 8, .entries = entries,
                               .binding = &binding };
static const c4_type *const types[] = { &plain, &bound, NULL };

static void
send_number(c4i_sim *s, uint32_t from, c4_chare to, uint64_t x)
{
    CHECK(c4_send(c4i_sim_pe(s, from), to, E_COUNT, &x, sizeof(x)) == C4_OK, "%s",
          c4_error(c4i_sim_pe(s, from)));
}

static c4_array
empty_array(c4i_sim *s, const c4_type *type)
{
    c4_array a;

    CHECK(c4_array_new(c4i_sim_pe(s, 0), type, c4_dims(0), NULL, &a) == C4_OK, "new");
    c4i_sim_run(s, JOB_STEPS);
    return a;
}

static void
insert(c4i_sim *s, c4_array a, int64_t at, int on_pe)
{
    c4_index index = { 1, { at } };

    CHECK(c4_insert(c4i_sim_pe(s, 0), a, &index, on_pe, NULL) == C4_OK, "insert");
}

static void
parked(void)
{
    c4i_sim *s = job_new(3, types);
    c4_array a = empty_array(s, &plain);

    memset(&seen, 0, sizeof(seen));
    for (uint64_t i = 0; i < MANY; i++)
        send_number(s, 2, c4_elem(a, 1), i);
    c4i_sim_run(s, JOB_STEPS);
    insert(s, a, 1, 0);
    job_rest(s, 3);
    CHECK(seen.ncalls == MANY, "%llu calls", (unsigned long long)seen.ncalls);
    c4i_sim_free(s);
}

/* The first message is held on its way; all that follow it come early. */
static void
early(void)
{
    c4i_sim *s = job_new(3, types);
    c4_array a = empty_array(s, &plain);

    memset(&seen, 0, sizeof(seen));
    insert(s, a, 1, 0);                     /* at home on PE 1 */
    job_rest(s, 3);
    c4i_sim_hold(s, 0, 2);                  /* the hint */
    send_number(s, 2, c4_elem(a, 1), 0);
    c4i_sim_run(s, JOB_STEPS);
    CHECK(seen.ncalls == 1, "%llu calls", (unsigned long long)seen.ncalls);
    c4i_sim_hold(s, 1, 0);
    send_number(s, 2, c4_elem(a, 1), 1);
    c4i_sim_run(s, JOB_STEPS);
    c4i_sim_flow(s, 0, 2);
    c4i_sim_run(s, JOB_STEPS);
    for (uint64_t i = 2; i < MANY; i++)
        send_number(s, 2, c4_elem(a, 1), i);
    c4i_sim_run(s, JOB_STEPS);
    CHECK(seen.ncalls == 1, "%llu calls", (unsigned long long)seen.ncalls);
    c4i_sim_flow(s, 1, 0);
    job_rest(s, 3);
    CHECK(seen.ncalls == MANY, "%llu calls", (unsigned long long)seen.ncalls);
    c4i_sim_free(s);
}

static void
insertions(void)
{
    c4i_sim *s = job_new(2, types);
    c4_array a = empty_array(s, &plain);

    for (int64_t i = 0; i < MANY; i++)
        insert(s, a, 2 * i, 1);
    CHECK(c4_done_inserting(c4i_sim_pe(s, 0), a) == C4_OK, "done");
    job_rest(s, 2);
    CHECK(c4i_coll_find(c4i_sim_pe(s, 1), a)->nlocal == MANY, "not all are there");
    c4i_sim_free(s);
}

/* One element is far ahead of the others, on its own PE and on another. */
static void
reductions(uint32_t npes)
{
    enum { N = MANY / 2 };
    c4i_sim *s = job_new(npes, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_future *f = c4i_alloc(N * sizeof(*f));
    c4_array a;

    memset(&seen, 0, sizeof(seen));
    CHECK(c4_array_new(pe, &plain, c4_dims(2), NULL, &a) == C4_OK, "new");
    for (size_t i = 0; i < N; i++)
        f[i] = c4_future_new(pe, 1, result, NULL);
    c4_send(pe, c4_elem(a, 1), E_AHEAD, f, N * sizeof(*f));
    c4i_sim_run(s, JOB_STEPS);
    CHECK(seen.ndone == 0, "too early");
    c4_send(pe, c4_elem(a, 0), E_AHEAD, f, N * sizeof(*f));
    job_rest(s, npes);
    CHECK(seen.ndone == N, "%llu results", (unsigned long long)seen.ndone);
    free(f);
    c4i_sim_free(s);
}

static c4_err
awaited(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    (void)data;
    (void)len;
    seen.ndone++;
    return C4_OK;
}

/* Broadcasts that all wait for their coroutines. */
static void
completions(void)
{
    c4i_sim *s = job_new(2, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_array a;

    memset(&seen, 0, sizeof(seen));
    seen.done = c4i_alloc((size_t)MANY * 2 * sizeof(*seen.done));
    CHECK(c4_array_new(pe, &bound, c4_dims(2), NULL, &a) == C4_OK, "new");
    for (int i = 0; i < MANY; i++)
        CHECK(c4_bcastv(pe, a, 0, NULL, 0, c4_future_new(pe, 1, awaited, NULL), 0) == C4_OK,
              "broadcast");
    c4i_sim_run(s, JOB_STEPS);
    CHECK(seen.ndeferred == (size_t)MANY * 2 && seen.ndone == 0, "%zu calls", seen.ndeferred);
    for (size_t i = 0; i < seen.ndeferred; i++)
        c4_finish(c4i_sim_pe(s, (uint32_t)seen.done[i].idx), &seen.done[i], NULL, 0, false);
    job_rest(s, 2);
    CHECK(seen.ndone == MANY, "%llu are done", (unsigned long long)seen.ndone);
    free(seen.done);
    c4i_sim_free(s);
}

static c4_err
posted(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    CHECK(len == sizeof(int) && *(const int *)data == (int)seen.ndone, "out of order");
    seen.ndone++;
    return C4_OK;
}

static void
posts(void)
{
    c4i_sim *s = job_new(1, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    c4_future f = c4_future_new(pe, MANY, posted, NULL);

    memset(&seen, 0, sizeof(seen));
    for (int i = 0; i < MANY; i++)
        CHECK(c4_future_post(pe, f, &i, sizeof(i)) == C4_OK, "post");
    job_rest(s, 1);
    CHECK(seen.ndone == MANY && c4i_futures_open(pe) == 0, "%llu", (unsigned long long)seen.ndone);
    c4i_sim_free(s);
}

static c4_err
timer(c4_pe *pe, void *arg)
{
    uint64_t due = (uint64_t)(uintptr_t)arg;

    CHECK(c4i_now_ns(pe) >= due, "too early");
    CHECK(due >= seen.expect, "out of order");
    seen.expect = due;
    seen.ndone++;
    return C4_OK;
}

static void
timers(void)
{
    c4i_sim *s = job_new(1, types);
    c4_pe *pe = c4i_sim_pe(s, 0);
    uint64_t rng = 7, now = c4i_now_ns(pe);

    memset(&seen, 0, sizeof(seen));
    for (int i = 0; i < MANY; i++) {
        uint64_t ns = check_random(&rng) % 1000000;

        c4_after(pe, ns, timer, (void *)(uintptr_t)(now + ns));
    }
    job_rest(s, 1);
    CHECK(seen.ndone == MANY, "%llu timers", (unsigned long long)seen.ndone);
    c4i_sim_free(s);
}

static const struct { const char *name; void (*run)(void); } tests[] = {
    { "parked", parked }, { "early", early }, { "insertions", insertions },
    { "completions", completions }, { "posts", posts }, { "timers", timers },
};

int
main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        if (argc < 2 || strcmp(argv[1], tests[i].name) == 0)
            tests[i].run();
    for (uint32_t npes = 1; npes <= 2; npes++)
        if (argc < 2 || strcmp(argv[1], "reductions") == 0)
            reductions(npes);
    return 0;
}
