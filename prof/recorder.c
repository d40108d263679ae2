/*
 * recorder.c - keeps statistics of every entry method and, when a trace is
 * wanted, appends records to the spool; recorder.h has the contract.
 *
 * Cost of exec(), the path of every execution: no lock, no system call, no
 * allocation; level full 25 ns (one look-up by two indexes, ten additions in
 * one or two cache lines, one 64-byte record).
 *
 * Statistics live in the mapped stats file when there is one, so that they
 * survive a kill -9 as the records do.
 *
 * Time bins: the width is a power of two ns, of about a millisecond, and
 * doubles whenever a bin's number reaches C4I_BINS, so that a wider bin holds
 * whole narrower ones and an hour needs about 12000 bins at most.  Bins lie on
 * multiples of their width in CLOCK_MONOTONIC, the same for all PEs, so that
 * none can be more than full.
 *
 * Event counters are read once a boundary: at the end of a stretch, and again at
 * the next begin only if more than COUNT_GAP_NS have passed, in which something
 * else was done: idling, or the recorder's own first steps.
 */
#define _GNU_SOURCE 1
#include <assert.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "prof/recorder.h"
#include "prof/spool.h"
#include "runtime/cputime.h"

enum {
    C4I_BINS = 1024,
    SLOT_OF_ENTRY_0 = 16,                   /* C4_ENTRY_CREATE ... come before */
    STATS_BYTES = 16 << 20,                 /* 87000 entry methods */
    FIRST_BIN_NS = 1 << 20,
    COUNT_GAP_NS = 2000,
    TASKS = 1                               /* p->types: pool tasks by number */
};

_Static_assert((uint16_t)(C4_ENTRY_CREATE + SLOT_OF_ENTRY_0) == 0, "slots wrap around");
_Static_assert((int)C4I_NACTIVITIES <= C4I_SPOOL_MAXACTIVITIES, "room for activities");
_Static_assert((int)C4I_NACTIVITIES <= C4_STATS_ACTIVITIES
               && (int)C4I_ACT_REDUCE == C4_STATS_REDUCE, "the public names of activities");
_Static_assert((int)C4I_PAPI_MAX == C4I_SPOOL_MAXCOUNTERS, "room for counters");
_Static_assert((int)C4_STATS_COUNTERS == C4I_SPOOL_MAXCOUNTERS, "room for counters");

struct type_slot {
    const c4_type *type;
    c4i_stat     **stat;                    /* by slot; NULL where never run */
    uint32_t       nstat;
    bool           named;                   /* its TYPE blob is written */
};

struct c4i_prof {
    c4i_spool        spool, stats_file;
    bool             to_spool;              /* summaries, names, LB records */
    bool             detail;                /* each execution and message, too */
    bool             stopped;
    const c4i_clock *clock;
    uint32_t         pe, npes;
    struct type_slot *types;                /* [0] main function, [TASKS], [2 + type_no] */
    uint32_t         ntypes;
    c4i_stat       **all;                   /* in order of appearance */
    uint32_t         nall, cap;
    c4i_totals      *totals;
    c4i_totals       own_totals;            /* without a stats file */
    c4i_stat         lost;                  /* when there is no memory for one */
    uint64_t         bin_end;               /* of the open bin, ticks */
    uint64_t         pair_ticks;            /* one moment, both clocks: the last reading ... */
    double           pair_ns, ns_per_tick;  /* ... since the job began; the rate so far */
    uint64_t         cpu_ticks, cpu_ns;     /* the last reading of the CPU clock */
    uint64_t         switches;              /* involuntary, counted then */
    uint64_t         last_begin;            /* of an execution */
    uint32_t         nsent;                 /* since the last execution ended */
    uint64_t         sent_bytes;
    char            *file;                  /* the database to be, or NULL */
    c4i_papi        *papi;
    uint64_t         counted, count_gap;    /* ticks: when start[] was read; COUNT_GAP_NS */
    bool             counts;                /* start[] has values */
    int              ncounters;
    int64_t          start[C4I_PAPI_MAX];
    void           (*finish)(void *arg, int status);
    void            *finish_arg;
};

/* ---- Statistics ------------------------------------------------------------ */

static c4i_stat *
new_stat(c4i_prof *p)
{
    c4i_spool *f = &p->stats_file;

    if (!f->base)
        return calloc(1, sizeof(c4i_stat));
    while ((size_t)(f->ready - f->cur) < sizeof(c4i_stat))
        if (f->full || !c4i_spool_prepare(f))
            return NULL;

    c4i_stat *s = (c4i_stat *)(void *)f->cur;

    f->cur += sizeof(*s);
    return s;
}

static bool
grow(void *array, uint32_t *n, uint32_t want, size_t size)
{
    char **a = array;
    uint32_t cap = *n ? *n : 8;
    char *more;

    while (cap < want)
        cap *= 2;
    if (!(more = realloc(*a, cap * size)))
        return false;
    memset(more + *n * size, 0, (cap - *n) * size);
    *a = more;
    *n = cap;
    return true;
}

/* The type's file is not repeated. */
static c4_err
add_named(c4_buf *b, const char *name, const c4_place *at, const char *file)
{
    char text[4096] = "";
    c4_err e = c4_buf_add(b, name, strlen(name) + 1);
    int n = 0;

    if (at && at->file)
        n = snprintf(text, sizeof(text), "%s:%d", file && !strcmp(at->file, file) ? "" : at->file,
                     at->line);
    if (n < 0 || (size_t)n >= sizeof(text))
        text[0] = 0;
    return e ? e : c4_buf_add(b, text, strlen(text) + 1);
}

/* The type's name and its entries', and where they are written, once. */
static void
write_type(c4i_prof *p, uint16_t type_no, const c4_type *t)
{
    static const c4_places unknown = { .entries = NULL };
    const c4_places *at = t->places ? t->places : &unknown;
    const c4_place *special[] = { &at->create, &at->migrated, &at->resume };
    c4_buf b = { 0 };
    c4_err e = c4_buf_add(&b, &type_no, sizeof(type_no));

    if (!e)
        e = add_named(&b, t->name, &at->type, NULL);
    for (int i = 0; i < 3 && !e; i++)
        e = add_named(&b, "", special[i], at->type.file);
    for (size_t i = 0; !e && t->entries && t->entries[i].name; i++)
        e = add_named(&b, t->entries[i].name, at->entries ? &at->entries[i] : NULL,
                      at->type.file);
    if (!e && p->to_spool)
        c4i_spool_blob(&p->spool, C4I_BLOB_TYPE, b.data, b.len);
    c4_buf_release(&b);
}

static struct type_slot *
type_slot(c4i_prof *p, uint32_t t, const c4_type *type)
{
    struct type_slot *s;

    if (t >= p->ntypes && !grow(&p->types, &p->ntypes, t + 1, sizeof(*p->types)))
        return NULL;
    s = &p->types[t];
    if (type && !s->named) {
        s->named = true;
        s->type = type;
        write_type(p, (uint16_t)(t - 2), type);
    }
    return s;
}

static inline uint32_t
type_index(const c4i_exec *x)
{
    return x->task ? TASKS : x->type ? x->type_no + 2u : 0;
}

static inline uint32_t
slot_index(const c4i_exec *x)
{
    return x->task ? x->task : x->type ? (uint16_t)(x->entry + SLOT_OF_ENTRY_0) : SLOT_OF_ENTRY_0;
}

/* The first run of an entry method: off the path. */
static __attribute__((noinline)) c4i_stat *
make_stat(c4i_prof *p, const c4i_exec *x)
{
    uint32_t t = type_index(x), slot = slot_index(x);
    struct type_slot *s = type_slot(p, t, x->task ? NULL : x->type);
    c4i_stat *st;

    if (!s || (slot >= s->nstat && !grow(&s->stat, &s->nstat, slot + 1, sizeof(*s->stat))))
        return &p->lost;
    if (s->stat[slot])
        return s->stat[slot];
    if (p->nall == p->cap && !grow(&p->all, &p->cap, p->cap + 1, sizeof(*p->all)))
        return &p->lost;
    if (!(st = new_stat(p)))
        return &p->lost;
    st->type_no = x->type && !x->task ? x->type_no : 0;
    st->entry = x->task ? x->task : x->type ? x->entry : 0;
    st->what = x->task ? C4I_STAT_TASK : x->type ? C4I_STAT_ENTRY : C4I_STAT_MAIN;
    st->min = UINT64_MAX;
    s->stat[slot] = p->all[p->nall++] = st;
    if (p->stats_file.head)
        p->stats_file.head->nstats = p->nall;
    return st;
}

static inline c4i_stat *
stat_of(c4i_prof *p, const c4i_exec *x)
{
    uint32_t t = type_index(x), slot = slot_index(x);

    if (__builtin_expect(t < p->ntypes && slot < p->types[t].nstat
                         && p->types[t].stat[slot] != NULL, 1))
        return p->types[t].stat[slot];
    return make_stat(p, x);
}

/* ---- Time bins ------------------------------------------------------------- */

/* A fresh pair of both clocks: the longer the baseline, the better the rate. */
static void
refresh_clock(c4i_prof *p)
{
    const c4i_clock *c = p->clock;
    c4i_spool_head *h = p->spool.head;
    uint64_t ticks, mono_ns;

    c4i_clock_read(c, &ticks, &mono_ns);
    p->pair_ticks = ticks;
    p->pair_ns = (double)(int64_t)(mono_ns - c->zero_ns);
    if ((int64_t)(mono_ns - c->base_ns) > 10 * FIRST_BIN_NS && ticks > c->base_ticks)
        p->ns_per_tick = (double)(mono_ns - c->base_ns) / (double)(ticks - c->base_ticks);
    h->live_ticks = ticks;
    h->live_mono_ns = mono_ns;
    p->stats_file.head->live_ticks = ticks;
    p->stats_file.head->live_mono_ns = mono_ns;
}

/* ns since the job began. */
static double
job_ns(const c4i_prof *p, uint64_t ticks)
{
    double ns = p->pair_ns + (double)(int64_t)(ticks - p->pair_ticks) * p->ns_per_tick;

    return ns > 0 ? ns : 0;
}

/* Room for a bin; they end where a disk is full. */
static c4i_rec *
bin_room(c4i_prof *p)
{
    c4i_rec *to = c4i_spool_next(&p->spool, true);

    if (!to && !p->spool.head->bins_ticks)
        p->spool.head->bins_ticks = c4i_ticks(p->clock);
    return to;
}

static void
flush_bins(c4i_prof *p)
{
    for (uint32_t i = 0; i < p->nall; i++) {
        c4i_stat *s = p->all[i];
        c4i_rec r = { .bin = { .kind = C4I_REC_BIN,
                               .flags = s->what == C4I_STAT_MAIN ? C4I_EXEC_MAIN
                                      : s->what == C4I_STAT_TASK ? C4I_EXEC_TASK : 0,
                               .type_no = s->type_no, .entry = s->entry,
                               .index = p->totals->bin_index, .width_ns = p->totals->bin_width_ns,
                               .ticks = s->bin_ticks, .count = s->bin_count } };
        c4i_rec *to;

        if (!s->bin_ticks && !s->bin_count)
            continue;
        if ((to = bin_room(p)))
            c4i_spool_put(to, &r);
        s->bin_ticks = s->bin_count = 0;
    }
    refresh_clock(p);
}

/* The bin that holds `when`; without a spool there are none. */
static void
open_bin(c4i_prof *p, uint64_t when)
{
    c4i_totals *t = p->totals;
    double ns;

    if (!p->to_spool) {
        p->bin_end = UINT64_MAX;
        return;
    }
    ns = job_ns(p, when);
    while (ns / (double)t->bin_width_ns >= C4I_BINS)
        t->bin_width_ns *= 2;
    t->bin_index = (uint64_t)ns / t->bin_width_ns;
    p->bin_end = when + (uint64_t)ceil(((double)((t->bin_index + 1) * t->bin_width_ns) - ns)
                                       / p->ns_per_tick);
}

/* An execution that reaches beyond the present bin; counted where it ends. */
static __attribute__((noinline)) void
cross_bins(c4i_prof *p, c4i_stat *s, uint64_t begin, uint64_t end)
{
    while (end >= p->bin_end) {
        if (begin < p->bin_end) {
            s->bin_ticks += p->bin_end - begin;
            begin = p->bin_end;
        }
        flush_bins(p);
        open_bin(p, begin);
    }
    s->bin_ticks += end - begin;
    s->bin_count++;
}

static uint64_t
switches_now(void)
{
    struct rusage u;

    return getrusage(RUSAGE_THREAD, &u) == 0 ? (uint64_t)u.ru_nivcsw : 0;
}

static void
flush_pe_bin(c4i_prof *p)
{
    c4i_totals *t = p->totals;
    uint64_t now = switches_now();
    c4i_rec *to, r;

    t->bin.switches += now - p->switches;
    t->switches += now - p->switches;
    p->switches = now;
    if (t->bin.cpu_ns > 0 || t->bin.lost > 0 || t->bin.switches) {
        r = (c4i_rec){ .pe_bin = { .kind = C4I_REC_PE_BIN, .bin = t->bin } };
        if ((to = bin_room(p)))
            c4i_spool_put(to, &r);
    }
    t->bin.cpu_ns = t->bin.lost = 0;
    t->bin.switches = 0;
}

/* CPU and lost time of [begin, end] go evenly to the bins that it lies in. */
static void
spread(c4i_prof *p, uint64_t begin, uint64_t end, double cpu_ns, double lost)
{
    c4i_pe_bin *bin = &p->totals->bin;
    double from = job_ns(p, begin), to = job_ns(p, end), at = from;

    while (to / (double)bin->width_ns >= C4I_BINS) {
        flush_pe_bin(p);
        bin->width_ns *= 2;
    }
    do {
        uint64_t index = (uint64_t)at / bin->width_ns;
        double next = (double)((index + 1) * bin->width_ns), part;

        if (index != bin->index) {
            flush_pe_bin(p);
            bin->index = index;
        }
        part = to > from ? ((next < to ? next : to) - at) / (to - from) : 1;
        bin->cpu_ns += cpu_ns * part;
        bin->lost += lost * part;
        at = next;
    } while (at < to);
}

/* ---- The hooks -------------------------------------------------------------- */

static inline uint32_t
saturate(uint64_t v)
{
    return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

/* Room for a detail; from the first that finds none on, details are incomplete. */
static inline c4i_rec *
detail(c4i_prof *p)
{
    c4i_rec *to = c4i_spool_next(&p->spool, false);

    if (__builtin_expect(!to && !p->spool.head->covered_ticks, 0))
        p->spool.head->covered_ticks = c4i_ticks(p->clock);
    return to;
}

static void
prof_begin(void *ctx)
{
    c4i_prof *p = ctx;

    if (p->counts && c4i_ticks(p->clock) - p->counted < p->count_gap)
        return;                             /* the end of the stretch before is our begin */
    p->counts = c4i_papi_read(p->papi, p->start);
    p->counted = c4i_ticks(p->clock);
}

/* What the counters say of the stretch; false: nothing.  First thing at its end,
 * so that they do not count the recorder. */
static bool
count_events(c4i_prof *p, c4i_rec *r)
{
    int64_t now[C4I_PAPI_MAX];
    bool began = p->counts;

    p->counts = c4i_papi_read(p->papi, now);
    p->counted = c4i_ticks(p->clock);
    if (!p->counts)
        return false;
    *r = (c4i_rec){ .counters = { .kind = C4I_REC_COUNTERS, .n = (uint8_t)p->ncounters } };
    for (int i = 0; i < p->ncounters; i++) {
        r->counters.value[i] = now[i] - p->start[i];
        p->start[i] = now[i];
    }
    return began;
}

static inline void
put_exec(c4i_prof *p, const c4i_exec *x, uint64_t recv, uint64_t wait)
{
    bool more = x->cpu_ns >= 0 || x->lost || x->send > UINT32_MAX || recv > UINT32_MAX
                || wait > UINT32_MAX;
    c4i_rec *to = detail(p);
    c4i_rec r;

    if (!to)
        return;
    r.exec = (c4i_rec_exec){
        .kind = C4I_REC_EXEC,
        .flags = (uint8_t)((x->resumed ? C4I_EXEC_RESUMED : 0) | (x->woken ? C4I_EXEC_WOKEN : 0)
                           | (x->suspended ? C4I_EXEC_SUSPENDED : 0)
                           | (x->cause.local ? C4I_EXEC_LOCAL : 0)
                           | (x->task ? C4I_EXEC_TASK : x->type ? 0 : C4I_EXEC_MAIN)
                           | (more ? C4I_EXEC_MORE : 0)),
        .type_no = x->type_no, .entry = x->entry, .task = x->task, .coll = x->coll,
        .cause_pe = x->cause.pe, .cause = x->cause.trace, .send = saturate(x->send),
        .elem = x->elem, .begin = x->begin, .ticks = x->end - x->begin,
        .nbytes = x->cause.nbytes, .recv = saturate(recv), .wait = saturate(wait)
    };
    c4i_spool_put(to, &r);
    if (__builtin_expect(!more, 1) || !(to = detail(p)))
        return;
    r.more = (c4i_rec_more){ .kind = C4I_REC_MORE, .send = x->send, .recv = recv, .wait = wait,
                             .cpu_ns = x->cpu_ns, .lost = x->lost, .stopped = x->stopped };
    c4i_spool_put(to, &r);
}

static inline void
tally(c4i_tally *t, uint64_t nbytes)
{
    t->n++;
    t->bytes += nbytes;
    if (nbytes < t->min)
        t->min = nbytes;
    if (nbytes > t->max)
        t->max = nbytes;
}

static void
prof_exec(void *ctx, const c4i_exec *x)
{
    c4i_prof *p = ctx;
    bool first = !x->resumed, told = first || x->woken;
    uint64_t ticks = x->end - x->begin;
    uint64_t recv = told ? x->begin - x->cause.taken : 0;
    uint64_t wait = told ? x->cause.taken - x->cause.arrived : 0;
    c4i_rec counters, *to;
    bool counted = p->papi && count_events(p, &counters);
    c4i_stat *s = stat_of(p, x);

    assert(x->begin > p->last_begin && x->begin <= x->end);
    p->last_begin = x->begin;
    s->stretches++;
    s->sum += ticks;
    s->sumsq += (double)ticks * (double)ticks;
    if (ticks < s->min)
        s->min = ticks;
    if (ticks > s->max)
        s->max = ticks;
    s->send += x->send;
    s->sent += p->nsent;
    s->sent_bytes += p->sent_bytes;
    p->nsent = 0;
    p->sent_bytes = 0;
    p->totals->busy += ticks;
    if (first) {
        s->calls++;
        s->recv += recv;
        s->bytes += x->cause.nbytes;
        if (x->cause.trace && x->cause.pe != p->pe)
            tally(&p->totals->received, x->cause.nbytes);
        else
            p->totals->nlocal += x->cause.trace != 0;
    }
    if (__builtin_expect(x->lost != 0, 0)) {
        s->lost += x->lost;
        p->totals->lost += x->lost;
        p->totals->stopped += x->stopped;
        if (p->to_spool)
            spread(p, x->begin, x->end, 0, (double)x->lost);
    }
    for (int i = 0; counted && i < p->ncounters; i++)
        s->counter[i] += (uint64_t)counters.counters.value[i];
    if (__builtin_expect(x->end < p->bin_end, 1)) {
        s->bin_ticks += ticks;
        s->bin_count++;
    } else {
        cross_bins(p, s, x->begin, x->end);
    }
    if (!p->detail)
        return;
    put_exec(p, x, recv, wait);
    if (counted && (to = detail(p)))
        c4i_spool_put(to, &counters);
}

static void
prof_cpu(void *ctx, uint64_t ticks, uint64_t cpu_ns)
{
    c4i_prof *p = ctx;
    uint64_t ns = cpu_ns - p->cpu_ns;

    p->totals->cpu_ns += ns;
    if (p->to_spool)
        spread(p, p->cpu_ticks, ticks, (double)ns, 0);
    p->cpu_ticks = ticks;
    p->cpu_ns = cpu_ns;
}

static void
prof_task(void *ctx, uint16_t task, const char *name, const char *file, unsigned line)
{
    c4i_prof *p = ctx;
    uint32_t n = line;
    c4_buf b = { 0 };

    file = file ? file : "";
    if (p->to_spool && !c4_buf_add(&b, &task, sizeof(task)) && !c4_buf_add(&b, &n, sizeof(n))
        && !c4_buf_add(&b, name, strlen(name) + 1) && !c4_buf_add(&b, file, strlen(file) + 1))
        c4i_spool_blob(&p->spool, C4I_BLOB_TASK, b.data, b.len);
    c4_buf_release(&b);
}

/* The runtime's own messages are recorded, not tallied. */
static void
prof_sent(void *ctx, const c4i_sent *m)
{
    c4i_prof *p = ctx;
    c4i_rec *to, r;

    if (c4i_is_programs(m->kind)) {
        if (m->by_execution) {
            p->nsent++;
            p->sent_bytes += m->nbytes;
        }
        if (m->dst != p->pe)
            tally(&p->totals->sent, m->nbytes);
    }
    if (!p->detail || !(to = detail(p)))
        return;
    r = (c4i_rec){ .sent = { .kind = C4I_REC_SENT, .msg_kind = m->kind,
                             .entry = m->w->entry, .dst = m->dst, .coll = m->w->coll,
                             .trace = m->w->trace, .elem = m->w->elem, .nbytes = m->nbytes,
                             .when = m->when, .cause_pe = m->cause_pe, .cause = m->cause,
                             .by_execution = m->by_execution } };
    c4i_spool_put(to, &r);
}

/* Where it came first: what is sent on was received before. */
static void
prof_received(void *ctx, const c4i_wire *w, uint64_t nbytes)
{
    c4i_prof *p = ctx;

    if (c4i_is_programs(w->kind) && !w->hops)
        tally(&p->totals->incoming, nbytes);
}

static void
prof_handled(void *ctx, const c4_cause *m)
{
    c4i_prof *p = ctx;
    c4i_rec *to, r;

    if (!p->detail || !m->trace || !(to = detail(p)))
        return;
    r = (c4i_rec){ .handled = { .kind = C4I_REC_HANDLED, .src = m->pe, .trace = m->trace,
                                .arrived = m->arrived, .taken = m->taken } };
    c4i_spool_put(to, &r);
}

static void
prof_resized(void *ctx, uint32_t trace, uint64_t nbytes)
{
    c4i_prof *p = ctx;
    c4i_rec *to, r;

    if (!p->detail || !(to = detail(p)))
        return;
    r = (c4i_rec){ .resized = { .kind = C4I_REC_RESIZED, .trace = trace, .nbytes = nbytes } };
    c4i_spool_put(to, &r);
}

static void
prof_activity(void *ctx, enum c4i_activity kind, uint64_t begin, uint64_t end)
{
    c4i_prof *p = ctx;
    c4i_rec *to, r;

    p->totals->activity[kind] += end - begin;
    p->totals->nactivity[kind]++;
    if (p->detail && (to = detail(p))) {
        r = (c4i_rec){ .activity = { .kind = C4I_REC_ACTIVITY, .what = (uint8_t)kind,
                                     .begin = begin, .end = end } };
        c4i_spool_put(to, &r);
    }
    if (kind != C4I_ACT_IDLE || !p->to_spool)
        return;
    c4i_spool_ahead(&p->spool);             /* there was time: prepare what comes */
}

static void
prof_type(void *ctx, uint16_t type_no, const c4_type *type)
{
    type_slot(ctx, type_no + 2u, type);
}

static void
prof_collection(void *ctx, c4_coll coll, const c4_coll_info *info)
{
    c4i_prof *p = ctx;
    uint32_t type_no = 0xffff;
    c4i_rec *to, r;

    for (uint32_t t = 2; t < p->ntypes; t++)
        if (p->types[t].type == info->type && info->type)
            type_no = t - 2;
    if (!p->to_spool || !(to = c4i_spool_next(&p->spool, true)))
        return;
    r = (c4i_rec){ .collection = { .kind = C4I_REC_COLLECTION, .coll_kind = (uint8_t)info->kind,
                                   .ndims = (uint8_t)info->dims.n,
                                   .flags = (uint8_t)(info->sparse | info->at_sync << 1),
                                   .type_no = (uint16_t)type_no, .coll = coll } };
    for (int i = 0; i < info->dims.n && i < C4I_SPOOL_MAXDIMS; i++)
        r.collection.dims[i] = info->dims.at[i];
    c4i_spool_put(to, &r);
}

static void
prof_object(void *ctx, enum c4i_object_event what, c4_chare who, const c4_index *index,
            uint32_t home, uint32_t peer, uint64_t nbytes, int why, uint64_t when)
{
    c4i_prof *p = ctx;
    int n = index && what != C4I_OBJ_LEFT ? index->n : 0;
    c4i_rec r = { .object = { .kind = C4I_REC_OBJECT, .what = (uint8_t)what,
                              .why = (uint8_t)why, .ndims = (uint8_t)n, .home = home,
                              .coll = who.coll, .peer = peer, .elem = who.idx,
                              .nbytes = nbytes, .when = when } };
    c4i_rec *to;

    if (what == C4I_OBJ_CREATED)
        p->totals->created++;
    else if (what == C4I_OBJ_ARRIVED)
        p->totals->arrived++;
    else if (what == C4I_OBJ_LEFT) {
        p->totals->left++;
        p->totals->left_bytes += nbytes;
    }
    if (!p->to_spool || !(to = c4i_spool_next(&p->spool, true)))
        return;
    for (int i = 0; i < n && i < 3; i++)
        r.object.at[i] = index->at[i];
    c4i_spool_put(to, &r);
    if (n > 3 && (to = c4i_spool_next(&p->spool, true))) {
        c4i_rec x = { .index = { .kind = C4I_REC_INDEX } };

        for (int i = 0; i < n && i < C4I_SPOOL_MAXDIMS; i++)
            x.index.at[i] = index->at[i];
        c4i_spool_put(to, &x);
    }
}

static void
prof_log(void *ctx, int level, const char *text)
{
    c4i_prof *p = ctx;
    c4_buf b = { 0 };
    uint64_t when = c4i_ticks(p->clock);
    int32_t l = level;

    if (p->to_spool && !c4_buf_add(&b, &when, sizeof(when)) && !c4_buf_add(&b, &l, sizeof(l))
        && !c4_buf_add(&b, text, strlen(text)))
        c4i_spool_blob(&p->spool, C4I_BLOB_LOG, b.data, b.len);
    c4_buf_release(&b);
}

static void
prof_lb(void *ctx, const void *record, size_t len)
{
    c4i_prof *p = ctx;

    if (p->to_spool)
        c4i_spool_blob(&p->spool, C4I_BLOB_LB, record, len);
}

static void
prof_stop(void *ctx, int status)
{
    c4i_prof *p = ctx;

    if (p->stopped)
        return;
    p->stopped = true;
    if (!p->to_spool)
        return;
    prof_cpu(p, c4i_ticks(p->clock), c4i_cpu_now_ns());
    flush_bins(p);
    flush_pe_bin(p);
    p->spool.head->status = status;
    p->spool.head->closed = 1;
    p->to_spool = p->detail = false;
    c4i_spool_close(&p->spool);
    if (p->finish)
        p->finish(p->finish_arg, status);
}

static void
prof_release(void *ctx)
{
    c4i_prof *p = ctx;

    if (!p->stats_file.base)
        for (uint32_t i = 0; i < p->nall; i++)
            free(p->all[i]);
    for (uint32_t t = 0; t < p->ntypes; t++)
        free(p->types[t].stat);
    free(p->types);
    free(p->all);
    c4i_spool_close(&p->spool);
    c4i_spool_close(&p->stats_file);
    c4i_papi_free(p->papi);
    free(p->file);
    free(p->finish_arg);
    free(p);
}

/* ---- Set-up ------------------------------------------------------------------ */

void
c4i_prof_info(c4i_prof *p, const char *key, const char *value)
{
    c4_buf b = { 0 };

    if (p->to_spool && value && !c4_buf_add(&b, key, strlen(key) + 1)
        && !c4_buf_add(&b, value, strlen(value) + 1))
        c4i_spool_blob(&p->spool, C4I_BLOB_INFO, b.data, b.len);
    c4_buf_release(&b);
}

static void
write_counter(c4i_prof *p, const c4i_counter *c, uint16_t column)
{
    const char *text[] = { c->name, c->unit, c->source, c->why };
    c4_buf b = { 0 };
    c4_err e = c4_buf_add(&b, &column, sizeof(column));

    for (int i = 0; i < 4 && !e; i++)
        e = c4_buf_add(&b, text[i], strlen(text[i]) + 1);
    if (!e && p->to_spool)
        c4i_spool_blob(&p->spool, C4I_BLOB_COUNTER, b.data, b.len);
    c4_buf_release(&b);
}

static void
start_counters(c4i_prof *p, const char *names)
{
    c4i_counter c[C4I_PAPI_MAX];
    int n;

    p->papi = c4i_papi_new(names, c, &n);
    for (int i = 0; i < n; i++) {
        if (!c[i].ok && p->pe == 0)
            fprintf(stderr, "c4: +papi %s: %s; it is recorded as NULL\n", c[i].name, c[i].why);
        write_counter(p, &c[i], c[i].ok ? (uint16_t)p->ncounters++ : 0xffff);
    }
}

static uint32_t
current_core(void)
{
    int core = sched_getcpu();

    return core < 0 ? UINT32_MAX : (uint32_t)core;
}

static void
fill_head(c4i_spool_head *h, const c4i_prof_config *c)
{
    struct timespec now;

    memset(h, 0, sizeof(*h));
    h->pe = c->pe;
    h->npes = c->npes;
    h->pid = (uint32_t)getpid();
    h->level = c->level;
    h->rec_size = sizeof(c4i_rec);
    h->tsc = c->clock->tsc;
    h->ns_per_tick = c->clock->ns_per_tick;
    h->zero_ticks = c->clock->zero;
    h->zero_mono_ns = c->clock->zero_ns;
    h->start_ticks = c->clock->base_ticks;
    h->start_mono_ns = c->clock->base_ns;
    clock_gettime(CLOCK_REALTIME, &now);
    h->zero_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec
                      - (c4i_monotonic_ns() - c->clock->zero_ns);
    h->open_ticks = c4i_ticks(c->clock);
    h->live_ticks = h->start_ticks;
    h->live_mono_ns = h->start_mono_ns;
    h->core = current_core();
    gethostname(h->host, sizeof(h->host) - 1);
}

/* Both files or none. */
static bool
open_spools(c4i_prof *p, const c4i_prof_config *c)
{
    c4i_spool_head h;
    char path[4096], err[5000] = "";
    bool ok;

    fill_head(&h, c);
    snprintf(path, sizeof(path), "%s/pe-%05u.spool", c->dir, c->pe);
    ok = !c4i_spool_create(&p->spool, path, &h, C4I_SPOOL_MAGIC, c->limit, err, sizeof(err));
    if (ok) {
        snprintf(path, sizeof(path), "%s/pe-%05u.stats", c->dir, c->pe);
        ok = !c4i_spool_create(&p->stats_file, path, &h, C4I_STATS_MAGIC, STATS_BYTES, err,
                               sizeof(err));
        if (ok)
            (void)flock(p->stats_file.fd, LOCK_UN); /* the spool's lock tells that we live */
        if (!ok) {
            unlink(p->spool.path);
            c4i_spool_close(&p->spool);
        }
    }
    if (!ok) {
        fprintf(stderr, "c4: PE %u records no trace: %s; the job goes on\n", c->pe, err);
        memset(&p->spool, 0, sizeof(p->spool));
        memset(&p->stats_file, 0, sizeof(p->stats_file));
    }
    return ok;
}

c4i_prof *
c4i_prof_new(const c4i_prof_config *c)
{
    c4i_prof *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->pe = c->pe;
    p->npes = c->npes;
    p->clock = c->clock;
    p->totals = &p->own_totals;
    p->finish = c->finish;
    p->finish_arg = c->finish_arg;
    p->lost.min = UINT64_MAX;
    if (c->level != C4I_LEVEL_NONE && open_spools(p, c)) {
        p->to_spool = true;
        p->detail = c->level == C4I_LEVEL_FULL;
        p->file = c->file ? strdup(c->file) : NULL;
        p->totals = (c4i_totals *)(void *)(p->stats_file.base + C4I_STATS_TOTALS);
    }
    p->totals->sent.min = p->totals->incoming.min = p->totals->received.min = UINT64_MAX;
    p->totals->bin_width_ns = FIRST_BIN_NS;
    p->ns_per_tick = c->clock->ns_per_tick;
    p->count_gap = (uint64_t)(COUNT_GAP_NS / c->clock->ns_per_tick);
    p->cpu_ticks = c4i_ticks(c->clock);
    p->cpu_ns = c4i_cpu_now_ns();
    p->switches = switches_now();
    if (p->to_spool)
        refresh_clock(p);
    open_bin(p, p->cpu_ticks);
    p->totals->bin.index = p->totals->bin_index;
    p->totals->bin.width_ns = p->totals->bin_width_ns;
    if (c->counters && *c->counters)
        start_counters(p, c->counters);
    return p;
}

c4i_recorder
c4i_prof_recorder(c4i_prof *p)
{
    return (c4i_recorder){
        .ctx = p, .want_sent = true,
        .begin = p->papi ? prof_begin : NULL, .exec = prof_exec, .sent = prof_sent,
        .received = prof_received, .handled = prof_handled, .resized = prof_resized,
        .cpu = prof_cpu, .task = prof_task,
        .activity = prof_activity, .type = prof_type, .collection = prof_collection,
        .object = prof_object, .log = prof_log, .lb = prof_lb,
        .stop = prof_stop, .release = prof_release
    };
}

bool
c4i_prof_owns(const c4i_recorder *r)
{
    return r && r->exec == prof_exec;
}

const char *
c4i_prof_file(const c4i_prof *p)
{
    return p->file;
}

const c4_type *
c4i_prof_type_of(const c4i_prof *p, uint16_t type_no)
{
    return type_no + 2u < p->ntypes ? p->types[type_no + 2u].type : NULL;
}

/* ---- Snapshot ----------------------------------------------------------------- */

static uint64_t
ns(const c4i_prof *p, uint64_t ticks)
{
    return (uint64_t)((double)ticks * p->clock->ns_per_tick);
}

static c4_stats_row
row_of(const c4i_prof *p, const c4i_stat *s)
{
    double k = p->clock->ns_per_tick;
    c4_stats_row r = {
        .type_no = s->type_no, .entry = s->entry, .is_main = s->what == C4I_STAT_MAIN,
        .is_task = s->what == C4I_STAT_TASK,
        .calls = s->calls, .stretches = s->stretches, .ns = ns(p, s->sum),
        .min_ns = s->stretches ? ns(p, s->min) : 0, .max_ns = ns(p, s->max),
        .sumsq_ns = s->sumsq * k * k,
        .send_ns = ns(p, s->send), .recv_ns = ns(p, s->recv), .nbytes = s->bytes,
        .sent = s->sent, .sent_nbytes = s->sent_bytes
    };

    r.em_ns = r.ns - r.send_ns;
    memcpy(r.counter, s->counter, sizeof(r.counter));
    return r;
}

static c4_stats_msgs
msgs_of(const c4i_tally *t)
{
    return (c4_stats_msgs){ t->n, t->bytes, t->n ? t->min : 0, t->max };
}

/* Tasks have numbers of this PE's own: all of them are one row. */
static void
add_task(c4_stats *s, const c4_stats_row *r)
{
    for (uint32_t i = 0; i < s->nrows; i++)
        if (s->row[i].is_task) {
            c4i_stats_add_row(&s->row[i], r);
            return;
        }
    s->row[s->nrows] = *r;
    s->row[s->nrows++].entry = 0;
}

c4_err
c4i_prof_snapshot(const c4i_prof *p, c4_stats **out)
{
    const c4i_totals *t = p->totals;
    c4_stats *s = calloc(1, sizeof(*s) + p->nall * sizeof(s->row[0]));

    if (!s)
        return C4_ENOMEM;
    s->version = C4_STATS_VERSION;
    s->npes = 1;
    s->wall_ns = c4i_ticks_to_ns(p->clock, c4i_ticks(p->clock));
    s->busy_ns = ns(p, t->busy);
    s->sent = msgs_of(&t->sent);
    s->received = msgs_of(&t->incoming);
    s->nlocal = t->nlocal;
    for (int i = 0; i < C4I_NACTIVITIES; i++) {
        s->activity_ns[i] = ns(p, t->activity[i]);
        s->activity_n[i] = t->nactivity[i];
    }
    s->created = t->created;
    s->left = t->left;
    s->arrived = t->arrived;
    s->left_nbytes = t->left_bytes;
    for (uint32_t i = 0; i < p->nall; i++) {
        c4_stats_row r = row_of(p, p->all[i]);

        if (r.is_task)
            add_task(s, &r);
        else
            s->row[s->nrows++] = r;
    }
    qsort(s->row, s->nrows, sizeof(s->row[0]), c4i_stats_order);
    *out = s;
    return C4_OK;
}
