/* Sections of mixed chares, and groups on some PEs, do what c4.h says. */
#include "core_job.h"

enum { NPES = 5, NA = 12, MAXHIT = 64 };

/* What members were called with, in order of execution. */
static struct hit {
    c4_chare who;
    uint32_t pe;
    uint64_t value;
} hits[MAXHIT * 8];
static size_t nhits;

static struct {
    size_t   nfired, nresults, nmembers, ncached, nfreed, nmade;
    int64_t  sum;
    c4_chare member[MAXHIT], result[MAXHIT];
    uint64_t value[MAXHIT];
    c4_chare gathered[MAXHIT];
} seen;

struct body { uint64_t value, x; };
struct order { uint64_t value; c4_section section; uint32_t to, times; c4_callback cb; };

static void
hit(c4_pe *pe, uint64_t value)
{
    CHECK(nhits < sizeof(hits) / sizeof(hits[0]), "too many executions");
    hits[nhits++] = (struct hit){ c4_self(pe), c4_mype(pe), value };
}

static c4_err
note(c4_pe *pe, void *self, const void *data, size_t len)
{
    uint64_t reply = c4_self(pe).idx * 100 + c4_self(pe).coll;
    struct order o = { 0 };

    (void)self;
    CHECK(((uintptr_t)data & 15) == 0 || len == 0, "alignment");
    memcpy(&o, data, len < sizeof(o) ? len : sizeof(o));
    hit(pe, o.value);
    return c4_reply(pe, &reply, sizeof(reply));
}

static c4_err
other(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
    hit(pe, 999);
    return C4_OK;
}

static c4_err
contribute(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct order o;
    int64_t v;

    (void)self;
    CHECK(len == sizeof(o), "%zu", len);
    memcpy(&o, data, len);
    for (uint32_t i = 0; i < o.times; i++) {
        c4_err err;

        v = (int64_t)(c4_self(pe).idx + 1 + i);
        err = o.section ? c4_reduce_section(pe, o.section, C4_RED_SUM_I64, &v, sizeof(v), &o.cb)
                        : c4_reduce(pe, C4_RED_SUM_I64, &v, sizeof(v), &o.cb);
        if (err)
            return err;
    }
    return C4_OK;
}

static c4_err
go(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct order o;

    (void)self;
    (void)len;
    memcpy(&o, data, sizeof(o));
    return c4_migrate(pe, o.to);
}

static c4_err
summed(c4_pe *pe, void *self, const void *data, size_t len)
{
    int64_t v;

    (void)self;
    CHECK(len == sizeof(v), "%zu", len);
    memcpy(&v, data, len);
    hit(pe, (uint64_t)v);
    return C4_OK;
}

static c4_err
made(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)data;
    CHECK(len == 3, "arguments of %zu bytes", len);
    seen.nmade++;
    hit(pe, 7777);
    return C4_OK;
}

/* The same methods, numbered otherwise. */
static const c4_entry entries[] = { { "note", note }, { "contribute", contribute }, { "go", go },
                                    { "summed", summed }, { NULL, NULL } };
static const c4_entry entries2[] = { { "summed", summed }, { "other", other },
                                     { "contribute", contribute }, { "note", note },
                                     { "go", go }, { NULL, NULL } };

#define PLAIN(n, e) .name = n, .size = sizeof(struct body), .entries = e, .pup = c4_pup_bytes
static const c4_type first = { PLAIN("first", entries) };
static const c4_type second = { PLAIN("second", entries2) };
static const c4_type counted = { PLAIN("counted", entries), .create = made };

/* A binding whose calls share what they decoded. */
static c4_err
invoke(c4_pe *pe, void *self, unsigned entry, c4_call *call)
{
    (void)self;
    if (entry == C4_ENTRY_CREATE)
        return c4_finish(pe, &call->done, NULL, 0, false);
    CHECK(call->cache, "a copy on the PE where the bundle was unpacked has a cache");
    if (!*call->cache) {
        seen.ncached++;
        *call->cache = malloc(1);
    }
    hit(pe, 1);
    return c4_replyv(pe, NULL, 0, c4_self(pe).idx == 3);
}

static void
cache_free(c4_pe *pe, void *cached)
{
    (void)pe;
    seen.nfreed++;
    free(cached);
}

static const c4_binding binding = { .invoke = invoke, .cache_free = cache_free };
static const c4_type bound = { PLAIN("bound", entries), .binding = &binding };

static uint32_t
proc_num(c4_pe *pe, void *self, const c4_index *index)
{
    (void)pe;
    (void)self;
    return index->at[0] % 2;
}

static const c4_type map = { .name = "map", .size = 8, .entries = entries, .proc_num = proc_num };

static const c4_type *const types[] = { &first, &second, &counted, &bound, &map, NULL };

/* ---- What every test has: a job with arrays, a group and a chare ------------- */

struct job {
    c4i_sim *sim;
    c4_pe   *pe0;
    c4_array a, b;                          /* of first, of second */
    c4_group g;                             /* of second */
    c4_chare single;                        /* of first */
};

static struct job
job(void)
{
    struct job j = { .sim = job_new(NPES, types) };

    j.pe0 = c4i_sim_pe(j.sim, 0);
    CHECK(!c4_array_new(j.pe0, &first, c4_dims(NA), NULL, &j.a), "%s", c4_error(j.pe0));
    CHECK(!c4_array_new(j.pe0, &second, c4_dims2(3, 4), NULL, &j.b), "%s", c4_error(j.pe0));
    CHECK(!c4_group_new(j.pe0, &second, NULL, &j.g), "%s", c4_error(j.pe0));
    CHECK(!c4_chare_new(j.pe0, &first, 3, NULL, &j.single), "%s", c4_error(j.pe0));
    job_rest(j.sim, NPES);
    nhits = 0;
    memset(&seen, 0, sizeof(seen));
    return j;
}

static c4_section
mixed(const struct job *j, c4_pe *pe)
{
    const c4_chare list[] = { c4_elem(j->a, 5), c4_elem(j->b, 0), j->single, c4_elem(j->g, 4),
                              c4_elem(j->a, 0), c4_elem(j->a, 5), c4_elem(j->g, 1) };
    c4_section s;

    CHECK(!c4_section_new(pe, list, 7, &s), "%s", c4_error(pe));
    return s;
}

static size_t
hits_of(c4_chare who, uint64_t value)
{
    size_t n = 0;

    for (size_t i = 0; i < nhits; i++)
        n += hits[i].who.coll == who.coll && hits[i].who.idx == who.idx && hits[i].value == value;
    return n;
}

static c4_err
fired(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    seen.nfired++;
    if (len == sizeof(seen.sum))
        memcpy(&seen.sum, data, len);
    return C4_OK;
}

static c4_err
got_members(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    memcpy(seen.member, data, len);
    seen.nmembers = len / sizeof(c4_chare);
    return C4_OK;
}

static c4_err
got_results(c4_pe *pe, void *arg, const c4_call *value, unsigned flags)
{
    const unsigned char *p = value->data;
    c4_result r;

    (void)pe;
    (void)arg;
    seen.nfired++;
    if (flags & C4_VALUE_ERROR)
        seen.sum = -1;
    if (!(flags & C4_VALUE_RESULTS))
        return C4_OK;
    for (size_t at = 0; at < value->len; at += sizeof(r) + ((r.len + 15) & ~(size_t)15)) {
        memcpy(&r, p + at, sizeof(r));
        CHECK(r.coll == 0 || r.place == seen.nresults, "place %u", r.place);
        seen.result[seen.nresults] = c4_elem(r.coll, r.key);
        if (r.len)
            memcpy(&seen.value[seen.nresults], p + at + sizeof(r), 8);
        seen.nresults++;
    }
    return C4_OK;
}

static void
cast(c4_pe *pe, c4_section s, const char *method, uint64_t value)
{
    struct order o = { .value = value };

    CHECK(!c4_section_cast(pe, s, c4_method_id(method), &o, sizeof(o)), "%s", c4_error(pe));
}

static void
order_to(c4_pe *pe, c4_chare to, unsigned entry, struct order o)
{
    CHECK(!c4_send(pe, to, entry, &o, sizeof(o)), "%s", c4_error(pe));
}

/* ---- Calls -------------------------------------------------------------------- */

static void
members_once(void)
{
    struct job j = job();
    c4_pe *pe2 = c4i_sim_pe(j.sim, 2);
    c4_section s = mixed(&j, pe2);

    CHECK(!c4_section_members(j.pe0, s, c4_future_new(j.pe0, 1, got_members, NULL)), "members");
    cast(j.pe0, s, "note", 41);             /* at once, from another PE */
    cast(pe2, s, "note", 42);
    job_rest(j.sim, NPES);
    CHECK(seen.nmembers == 6, "%zu: what is named twice counts once", seen.nmembers);
    CHECK(seen.member[0].idx == 5 && seen.member[4].idx == 0 && seen.member[4].coll == j.a
          && seen.member[5].coll == j.g && seen.member[5].idx == 1, "order of members");
    CHECK(nhits == 12, "%zu executions", nhits);
    for (size_t i = 0; i < 6; i++)
        CHECK(hits_of(seen.member[i], 41) == 1 && hits_of(seen.member[i], 42) == 1, "%zu", i);
    c4i_sim_free(j.sim);
}

static void
after_migration(void)
{
    struct job j = job();
    c4_section s = mixed(&j, j.pe0);
    uint64_t sent;

    for (uint32_t round = 0; round < 3; round++) {
        order_to(j.pe0, c4_elem(j.a, 5), 2, (struct order){ .to = (round + 1) % NPES });
        order_to(j.pe0, c4_elem(j.b, 0), 4, (struct order){ .to = (round + 3) % NPES });
        cast(j.pe0, s, "note", round);      /* chases the members */
        cast(c4i_sim_pe(j.sim, 4), s, "note", 10 + round);
        job_rest(j.sim, NPES);
    }
    CHECK(nhits == 36, "%zu executions", nhits);
    for (uint32_t round = 0; round < 3; round++)
        CHECK(hits_of(c4_elem(j.a, 5), round) == 1 && hits_of(c4_elem(j.b, 0), round) == 1
              && hits_of(j.single, 10 + round) == 1, "round %u", round);
    /* The root has learnt: a call is one message for each PE concerned. */
    sent = c4i_sim_sent(j.sim);
    cast(j.pe0, s, "note", 50);
    job_rest(j.sim, NPES);
    CHECK(c4i_sim_sent(j.sim) - sent <= NPES - 1, "%llu messages",
          (unsigned long long)(c4i_sim_sent(j.sim) - sent));
    c4i_sim_free(j.sim);
}

static void
awaited(void)
{
    struct job j = job();
    c4_pe *pe1 = c4i_sim_pe(j.sim, 1);
    c4_section s = mixed(&j, c4i_sim_pe(j.sim, 3));
    c4_future f = c4_bind_future(pe1, 1, got_results, NULL);
    struct iovec none = { NULL, 0 };

    CHECK(!c4_section_castv(pe1, s, c4_method_id("note"), &none, 1, f, C4_BCAST_RESULTS), "cast");
    job_rest(j.sim, NPES);
    CHECK(seen.nfired == 1 && seen.nresults == 6, "%zu results", seen.nresults);
    CHECK(seen.result[0].coll == j.a && seen.result[0].idx == 5 && seen.result[1].coll == j.b
          && seen.result[2].coll == j.single.coll && seen.result[3].idx == 4, "order of results");
    for (size_t i = 0; i < 6; i++)
        CHECK(seen.value[i] == seen.result[i].idx * 100 + seen.result[i].coll, "value %zu", i);
    f = c4_future_new(pe1, 1, fired, NULL);
    CHECK(!c4_section_castv(pe1, s, c4_method_id("note"), &none, 1, f, 0), "cast");
    job_rest(j.sim, NPES);
    CHECK(seen.nfired == 2, "%zu", seen.nfired);
    c4i_sim_free(j.sim);
}

static void
all_know(void)
{
    struct job j = job();
    c4_section s = mixed(&j, c4i_sim_pe(j.sim, 3));
    c4_pe *pe4 = c4i_sim_pe(j.sim, 4);

    CHECK(!c4_section_await(pe4, s, c4_future_new(pe4, 1, fired, NULL)), "await");
    CHECK(!c4_in_section(pe4, s, c4_elem(j.g, 4)), "nobody has told it yet");
    job_rest(j.sim, NPES);
    CHECK(seen.nfired == 1 && nhits == 0, "%zu", seen.nfired);
    CHECK(c4_in_section(pe4, s, c4_elem(j.g, 4)) && c4_in_section(j.pe0, s, c4_elem(j.a, 0))
          && !c4_in_section(j.pe0, s, c4_elem(j.a, 1)) && !c4_in_section(j.pe0, s, c4_elem(j.a, 5)),
          "members on their own PEs, and nobody else");
    c4i_sim_free(j.sim);
}

static void
shared_decoding(void)
{
    struct job j = job();
    c4_array c;
    c4_chare list[NA];
    c4_section s;

    CHECK(!c4_array_new(j.pe0, &bound, c4_dims(NA), NULL, &c), "%s", c4_error(j.pe0));
    for (uint64_t i = 0; i < NA; i++)
        list[i] = c4_elem(c, NA - 1 - i);
    job_rest(j.sim, NPES);
    CHECK(!c4_section_new(j.pe0, list, NA, &s), "%s", c4_error(j.pe0));
    CHECK(!c4_section_castv(j.pe0, s, c4_method_id("note"), &(struct iovec){ list, sizeof(list) }, 1,
                            c4_bind_future(j.pe0, 1, got_results, NULL), 0), "cast");
    job_rest(j.sim, NPES);
    CHECK(nhits == NA && seen.ncached == NPES && seen.nfreed == NPES,
          "%zu calls, decoded %zu times, freed %zu times", nhits, seen.ncached, seen.nfreed);
    CHECK(seen.nfired == 1 && seen.sum == -1, "an exception of one member is the answer");
    c4i_sim_free(j.sim);
}

static void
members_not_there_yet(void)
{
    struct job j = job();
    c4_pe *pe4 = c4i_sim_pe(j.sim, 4);
    c4_array late;
    c4_group g;
    c4_section s;
    c4_chare list[3];
    c4_index where = c4_dims(77);

    /* PE 4 hears of neither collection before it makes and calls the section. */
    CHECK(!c4_array_new(j.pe0, &first, c4_dims(0), NULL, &late), "%s", c4_error(j.pe0));
    CHECK(!c4_group_new(j.pe0, &first, NULL, &g), "%s", c4_error(j.pe0));
    list[0] = c4_elem(late, 77);
    list[1] = c4_elem(g, 4);
    list[2] = c4_elem(g, 0);
    CHECK(!c4_section_new(pe4, list, 3, &s), "%s", c4_error(pe4));
    cast(pe4, s, "note", 1);
    cast(j.pe0, s, "note", 2);
    c4i_sim_run(j.sim, JOB_STEPS);
    CHECK(nhits == 4 && hits_of(list[1], 1) == 1 && hits_of(list[2], 2) == 1, "%zu", nhits);
    CHECK(!c4_insert(j.pe0, late, &where, 2, NULL), "%s", c4_error(j.pe0));
    job_rest(j.sim, NPES);
    CHECK(nhits == 6 && hits_of(list[0], 1) == 1 && hits_of(list[0], 2) == 1, "%zu", nhits);
    c4i_sim_free(j.sim);
}

/* ---- Reductions ------------------------------------------------------------------ */

static void
reductions(void)
{
    struct job j = job();
    c4_section s = mixed(&j, c4i_sim_pe(j.sim, 2)), t;
    c4_chare few[] = { c4_elem(j.a, 5), c4_elem(j.a, 6) };
    struct order o = { .section = s, .times = 3 };
    uint64_t sent;

    CHECK(!c4_section_new(j.pe0, few, 2, &t), "%s", c4_error(j.pe0));
    o.cb = c4_cb_section(s, c4_method_id("summed"));
    CHECK(!c4_section_cast(j.pe0, s, c4_method_id("contribute"), &o, sizeof(o)), "cast");
    order_to(j.pe0, c4_elem(j.a, 5), 2, (struct order){ .to = 3 });
    job_rest(j.sim, NPES);
    /* 5 + 0 + single's key + 4 + 0 + 1, and 1, 2, 3 of each */
    for (uint64_t r = 0; r < 3; r++)
        for (size_t i = 0; i < 2; i++)
            CHECK(hits_of(few[i], 5 + 4 + 1 + j.single.idx + 6 * (r + 1)) == (i == 0), "round %u",
                  (unsigned)r);
    CHECK(nhits == 18, "%zu", nhits);
    /* Another section of the same element has its own sequence. */
    o = (struct order){ .section = t, .times = 1 };
    o.cb = c4_cb_future(c4_future_new(j.pe0, 1, fired, NULL));
    CHECK(!c4_section_cast(j.pe0, t, c4_method_id("contribute"), &o, sizeof(o)), "cast");
    job_rest(j.sim, NPES);
    CHECK(seen.nfired == 1 && seen.sum == 13, "%lld", (long long)seen.sum);
    /* A PE with several members says something once. */
    o.section = s;
    o.cb = c4_cb_future(c4_future_new(c4i_sim_pe(j.sim, 2), 1, fired, NULL));
    CHECK(!c4_section_cast(c4i_sim_pe(j.sim, 2), s, c4_method_id("contribute"), &o, sizeof(o)),
          "cast");
    sent = c4i_sim_sent(j.sim);
    job_rest(j.sim, NPES);
    CHECK(seen.nfired == 2 && c4i_sim_sent(j.sim) - sent <= 2 * (NPES - 1), "%llu messages",
          (unsigned long long)(c4i_sim_sent(j.sim) - sent));
    c4i_sim_free(j.sim);
}

/* A contribution before the member has heard that it is one. */
static void
early_contribution(void)
{
    struct job j = job();
    c4_chare few[] = { c4_elem(j.a, 11), c4_elem(j.a, 0) };
    c4_section s;
    struct order o = { .times = 2 };

    c4i_sim_hold(j.sim, 0, NPES - 1);       /* the call that tells the last PE */
    CHECK(!c4_section_new(j.pe0, few, 2, &s), "%s", c4_error(j.pe0));
    o.section = s;
    o.cb = c4_cb_future(c4_future_new(j.pe0, 2, fired, NULL));
    order_to(c4i_sim_pe(j.sim, 3), few[0], 1, o);
    order_to(c4i_sim_pe(j.sim, 3), few[1], 1, o);
    c4i_sim_run(j.sim, JOB_STEPS);
    CHECK(seen.nfired == 2 && seen.sum == 2 + 13, "%zu: %lld", seen.nfired, (long long)seen.sum);
    c4i_sim_flow(j.sim, 0, NPES - 1);
    job_rest(j.sim, NPES);
    c4i_sim_free(j.sim);
}

static void
callbacks(void)
{
    struct job j = job();
    c4_section s = mixed(&j, j.pe0);
    c4_callback cb = c4_cb_section(s, c4_method_id("note"));

    CHECK(!c4_quiescence(c4i_sim_pe(j.sim, 1), &cb), "quiescence");
    job_rest(j.sim, NPES);
    CHECK(nhits == 6, "%zu", nhits);
    c4i_sim_free(j.sim);
}

/* ---- Groups on some PEs -------------------------------------------------------------- */

static void
some_pes(void)
{
    struct job j = job();
    const uint32_t on[] = { 4, 1, 4 };
    c4_opts opts = { .args = "abc", .len = 3, .on_pes = on, .non_pes = 3 };
    c4_group g;
    c4_coll_info info;
    c4_pe *pe2 = c4i_sim_pe(j.sim, 2);
    struct order o = { .times = 2 };

    opts.created = c4_future_new(pe2, 1, fired, NULL);
    CHECK(!c4_group_new(pe2, &counted, &opts, &g), "%s", c4_error(pe2));
    order_to(pe2, c4_elem(g, 1), 0, (struct order){ .value = 5 });    /* not built yet */
    CHECK(!c4_bcastv(j.pe0, g, 0, &(struct iovec){ &o, 8 }, 1,
                     c4_bind_future(j.pe0, 1, got_results, NULL), C4_BCAST_RESULTS), "bcast");
    job_rest(j.sim, NPES);
    CHECK(seen.nmade == 2 && hits_of(c4_elem(g, 1), 7777) && hits_of(c4_elem(g, 4), 7777),
          "%zu constructors", seen.nmade);
    CHECK(hits_of(c4_elem(g, 1), 5) == 1 && nhits == 5 && seen.nfired == 2, "%zu", nhits);
    CHECK(!c4_coll_lookup(j.pe0, g, &info) && info.non_pes == 2 && info.on_pes[0] == 1
          && info.on_pes[1] == 4, "c4_coll_lookup");
    o.cb = c4_cb_future(c4_future_new(j.pe0, 2, fired, NULL));
    CHECK(!c4_bcast(j.pe0, g, 1, &o, sizeof(o)), "bcast");
    job_rest(j.sim, NPES);
    CHECK(seen.nfired == 4 && seen.sum == 2 + 5 + 2, "%lld", (long long)seen.sum);
    CHECK(c4_send(j.pe0, c4_elem(g, 0), 0, NULL, 0) == C4_ERANGE, "no member there");
    c4i_sim_free(j.sim);
}

/* ---- Mistakes ------------------------------------------------------------------------- */

static void
refused(void)
{
    struct job j = job();
    c4_section s;
    c4_group g;
    const c4_chare bad[] = { c4_elem(j.a, NA), c4_elem(j.g, NPES), c4_elem(0, 1) };
    const uint32_t nine = 9, one = 1;
    c4_opts opts = { .on_pes = &nine, .non_pes = 1 };

    CHECK(c4_section_new(j.pe0, bad, 0, &s) == C4_EINVAL, "no members");
    CHECK(c4_section_new(j.pe0, bad, 1, &s) == C4_ERANGE, "no such element");
    CHECK(c4_section_new(j.pe0, bad + 1, 1, &s) == C4_ERANGE, "no such PE");
    CHECK(c4_section_new(j.pe0, bad + 2, 1, &s) == C4_EINVAL, "no chare");
    CHECK(c4_section_cast(j.pe0, 0, c4_method_id("note"), NULL, 0) == C4_EINVAL, "no section");
    CHECK(c4_group_new(j.pe0, &first, &opts, &g) == C4_ERANGE, "no such PE");
    opts.non_pes = 0;
    CHECK(c4_group_new(j.pe0, &first, &opts, &g) == C4_EINVAL, "no PE");
    opts = (c4_opts){ .on_pes = &one, .non_pes = 1 };
    CHECK(c4_group_new(j.pe0, &map, &opts, &g) == C4_EINVAL, "a map is everywhere");
    CHECK(c4_array_new(j.pe0, &first, c4_dims(3), &opts, &g) == C4_EINVAL, "an array is everywhere");
    job_rest(j.sim, NPES);
    c4i_sim_free(j.sim);
}

static void
not_a_member(void)
{
    struct job j = job();
    c4_section s = mixed(&j, j.pe0);
    struct order o = { .section = s, .times = 1 };

    order_to(j.pe0, c4_elem(j.a, 7), 1, o);
    c4i_sim_run(j.sim, JOB_STEPS);
}

static void
no_such_method(void)
{
    struct job j = job();

    cast(j.pe0, mixed(&j, j.pe0), "other", 0);
    c4i_sim_run(j.sim, JOB_STEPS);
}

static void
no_such_section(void)
{
    struct job j = job();

    cast(j.pe0, 1000, "note", 0);
    c4i_sim_run(j.sim, JOB_STEPS);
}

int
main(void)
{
    members_once();
    after_migration();
    awaited();
    all_know();
    shared_decoding();
    members_not_there_yet();
    reductions();
    early_contribution();
    callbacks();
    some_pes();
    refused();
    DIES(not_a_member, "element 7 of first contributes to a reduction of section", "not part of it");
    DIES(no_such_method, "its members of type first have no entry method other");
    DIES(no_such_section, "section 1000 does not exist");
    return 0;
}
