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
 * Time bins: the width is a power of two of about a millisecond and doubles
 * whenever a bin's number reaches C4I_BINS, so that a wider bin holds whole
 * narrower ones and an hour needs about 12000 bins at most.
 */
#define _GNU_SOURCE 1
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "prof/recorder.h"
#include "prof/spool.h"

enum {
    C4I_BINS = 1024,
    SLOT_OF_ENTRY_0 = 16,                   /* C4_ENTRY_CREATE ... come before */
    STATS_BYTES = 16 << 20                  /* 87000 entry methods */
};

#define FIRST_BIN_NS 1048576.0              /* 2^20 */

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
    struct type_slot *types;                /* [0] main function, [1 + type_no] */
    uint32_t         ntypes;
    c4i_stat       **all;                   /* in order of appearance */
    uint32_t         nall, cap;
    c4i_totals      *totals;
    c4i_totals       own_totals;            /* without a stats file */
    c4i_stat         lost;                  /* when there is no memory for one */
    uint64_t         bin_begin, bin_end, bin_width;
    uint64_t         first_ticks, first_ns; /* clock pair: our own calibration */
    uint32_t         nsent;                 /* since the last execution ended */
    uint64_t         sent_bytes;
    char            *file;                  /* the database to be, or NULL */
    c4i_papi        *papi;
    bool             began;                 /* counter values in start[] are of this stretch */
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
        write_type(p, (uint16_t)(t - 1), type);
    }
    return s;
}

/* The first run of an entry method: off the path. */
static __attribute__((noinline)) c4i_stat *
make_stat(c4i_prof *p, const c4i_exec *x)
{
    uint32_t t = x->type ? x->type_no + 1u : 0;
    uint32_t slot = x->type ? (uint16_t)(x->entry + SLOT_OF_ENTRY_0) : SLOT_OF_ENTRY_0;
    struct type_slot *s = type_slot(p, t, x->type);
    c4i_stat *st;

    if (!s || (slot >= s->nstat && !grow(&s->stat, &s->nstat, slot + 1, sizeof(*s->stat))))
        return &p->lost;
    if (s->stat[slot])
        return s->stat[slot];
    if (p->nall == p->cap && !grow(&p->all, &p->cap, p->cap + 1, sizeof(*p->all)))
        return &p->lost;
    if (!(st = new_stat(p)))
        return &p->lost;
    st->type_no = x->type ? x->type_no : 0;
    st->entry = x->type ? x->entry : 0;
    st->is_main = !x->type;
    st->min = UINT64_MAX;
    s->stat[slot] = p->all[p->nall++] = st;
    if (p->stats_file.head)
        p->stats_file.head->nstats = p->nall;
    return st;
}

static inline c4i_stat *
stat_of(c4i_prof *p, const c4i_exec *x)
{
    uint32_t t = x->type ? x->type_no + 1u : 0;
    uint32_t slot = (uint16_t)(x->entry + SLOT_OF_ENTRY_0);

    if (__builtin_expect(x->type && t < p->ntypes && slot < p->types[t].nstat
                         && p->types[t].stat[slot] != NULL, 1))
        return p->types[t].stat[slot];
    return make_stat(p, x);
}

/* ---- Time bins ------------------------------------------------------------- */

/* A fresh pair of both clocks: the longer the baseline, the better the rate. */
static void
refresh_clock(c4i_prof *p)
{
    c4i_spool_head *h = p->spool.head;

    if (!h)
        return;
    h->live_ticks = c4i_ticks(p->clock);
    h->live_mono_ns = c4i_monotonic_ns();
    if (p->stats_file.head) {
        p->stats_file.head->live_ticks = h->live_ticks;
        p->stats_file.head->live_mono_ns = h->live_mono_ns;
    }
}

static void
flush_bins(c4i_prof *p)
{
    for (uint32_t i = 0; i < p->nall; i++) {
        c4i_stat *s = p->all[i];
        c4i_rec r = { .bin = { .kind = C4I_REC_BIN, .flags = s->is_main ? C4I_EXEC_MAIN : 0,
                               .type_no = s->type_no, .entry = s->entry,
                               .begin = p->bin_begin, .end = p->bin_end,
                               .ticks = s->bin_ticks, .count = s->bin_count } };
        c4i_rec *to;

        if (!s->bin_ticks && !s->bin_count)
            continue;
        s->bin_ticks = s->bin_count = 0;
        if (p->to_spool && (to = c4i_spool_next(&p->spool, true)))
            c4i_spool_put(to, &r);
    }
    refresh_clock(p);
}

/* The bin that holds `when`, which is not before the present one. */
static void
open_bin(c4i_prof *p, uint64_t when)
{
    uint64_t zero = p->clock->zero;
    uint64_t at = when > zero ? when - zero : 0;

    while (at / p->bin_width >= C4I_BINS)
        p->bin_width *= 2;
    p->bin_begin = zero + at / p->bin_width * p->bin_width;
    p->bin_end = p->bin_begin + p->bin_width;
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

/* ---- The hooks -------------------------------------------------------------- */

static inline uint32_t
saturate(uint64_t v)
{
    return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

static void
prof_begin(void *ctx)
{
    c4i_prof *p = ctx;

    p->began = c4i_papi_read(p->papi, p->start);
}

/* What the counters say of the stretch; false: nothing. */
static bool
count_events(c4i_prof *p, c4i_stat *s, c4i_rec *r)
{
    int64_t now[C4I_PAPI_MAX];

    if (!p->began || !c4i_papi_read(p->papi, now))
        return false;
    p->began = false;
    *r = (c4i_rec){ .counters = { .kind = C4I_REC_COUNTERS, .n = (uint8_t)p->ncounters } };
    for (int i = 0; i < p->ncounters; i++) {
        r->counters.value[i] = now[i] - p->start[i];
        s->counter[i] += (uint64_t)(now[i] - p->start[i]);
    }
    return true;
}

static inline void
put_exec(c4i_prof *p, const c4i_exec *x, uint64_t ticks, uint64_t recv)
{
    c4i_rec *to = c4i_spool_next(&p->spool, false);
    c4i_rec r;

    if (!to)
        return;
    r.exec = (c4i_rec_exec){
        .kind = C4I_REC_EXEC,
        .flags = (uint8_t)((x->resumed ? C4I_EXEC_RESUMED : 0)
                           | (x->suspended ? C4I_EXEC_SUSPENDED : 0)
                           | (x->local ? C4I_EXEC_LOCAL : 0) | (x->type ? 0 : C4I_EXEC_MAIN)),
        .type_no = x->type_no, .entry = x->entry, .coll = x->coll,
        .cause_pe = x->cause_pe, .cause = x->cause, .send = saturate(x->send),
        .elem = x->elem, .begin = x->begin, .ticks = ticks, .nbytes = x->nbytes,
        .recv = saturate(recv)
    };
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
    uint64_t ticks = x->end > x->begin ? x->end - x->begin : 0;
    uint64_t recv = x->begin > x->arrived ? x->begin - x->arrived : 0;
    c4i_stat *s = stat_of(p, x);
    c4i_rec counters;
    bool counted = p->papi && count_events(p, s, &counters);

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
    if (!x->resumed) {
        s->calls++;
        s->recv += recv;
        s->bytes += x->nbytes;
        if (x->local || (x->cause && x->cause_pe == p->pe))
            p->totals->nlocal++;
        else if (x->cause)
            tally(&p->totals->received, x->nbytes);
    }
    if (__builtin_expect(x->end < p->bin_end, 1)) {
        s->bin_ticks += ticks;
        s->bin_count++;
    } else {
        cross_bins(p, s, x->begin, x->end);
    }
    if (p->detail) {
        put_exec(p, x, ticks, recv);
        if (counted) {
            c4i_rec *to = c4i_spool_next(&p->spool, false);

            if (to)
                c4i_spool_put(to, &counters);
        }
    }
}

/* Messages that programs send; the runtime's own are recorded, not tallied. */
static bool
is_user_kind(uint8_t kind)
{
    return kind == C4I_CALL || kind == C4I_INSERT || kind == C4I_CTOR || kind == C4I_BREQ
           || kind == C4I_BCAST || kind == C4I_REDUCE || kind == C4I_FUTURE || kind == C4I_SREQ
           || kind == C4I_SCAST || kind == C4I_SREDUCE;
}

static void
prof_sent(void *ctx, const c4i_sent *m)
{
    c4i_prof *p = ctx;
    c4i_rec *to, r;

    if (is_user_kind(m->w->kind)) {
        p->nsent++;
        p->sent_bytes += m->nbytes;
        if (m->dst != p->pe)
            tally(&p->totals->sent, m->nbytes);
    }
    if (!p->detail || !(to = c4i_spool_next(&p->spool, false)))
        return;
    r = (c4i_rec){ .sent = { .kind = C4I_REC_SENT, .msg_kind = m->w->kind,
                             .entry = m->w->entry, .dst = m->dst, .coll = m->w->coll,
                             .trace = m->w->trace, .elem = m->w->elem, .nbytes = m->nbytes,
                             .when = m->when } };
    c4i_spool_put(to, &r);
}

static void
prof_activity(void *ctx, enum c4i_activity kind, uint64_t begin, uint64_t end)
{
    c4i_prof *p = ctx;
    c4i_rec *to, r;

    p->totals->activity[kind] += end - begin;
    p->totals->nactivity[kind]++;
    if (p->detail && (to = c4i_spool_next(&p->spool, false))) {
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
    type_slot(ctx, type_no + 1u, type);
}

static void
prof_collection(void *ctx, c4_coll coll, const c4_coll_info *info)
{
    c4i_prof *p = ctx;
    uint32_t type_no = 0xffff;
    c4i_rec *to, r;

    for (uint32_t t = 1; t < p->ntypes; t++)
        if (p->types[t].type == info->type && info->type)
            type_no = t - 1;
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
    flush_bins(p);
    if (!p->to_spool)
        return;
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
    p->totals->sent.min = p->totals->received.min = UINT64_MAX;
    p->bin_width = (uint64_t)(FIRST_BIN_NS / c->clock->ns_per_tick);
    open_bin(p, c4i_ticks(c->clock));
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
    return type_no + 1u < p->ntypes ? p->types[type_no + 1u].type : NULL;
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
        .type_no = s->type_no, .entry = s->entry, .is_main = s->is_main,
        .calls = s->calls, .stretches = s->stretches, .ns = ns(p, s->sum),
        .min_ns = s->stretches ? ns(p, s->min) : 0, .max_ns = ns(p, s->max),
        .sumsq_ns = s->sumsq * k * k,
        .send_ns = ns(p, s->send), .recv_ns = ns(p, s->recv), .nbytes = s->bytes,
        .sent = s->sent, .sent_nbytes = s->sent_bytes
    };

    r.em_ns = r.ns > r.send_ns ? r.ns - r.send_ns : 0;
    memcpy(r.counter, s->counter, sizeof(r.counter));
    return r;
}

static c4_stats_msgs
msgs_of(const c4i_tally *t)
{
    return (c4_stats_msgs){ t->n, t->bytes, t->n ? t->min : 0, t->max };
}

static int
by_type_entry(const void *a, const void *b)
{
    const c4_stats_row *x = a, *y = b;

    if (x->is_main != y->is_main)
        return y->is_main - x->is_main;
    if (x->type_no != y->type_no)
        return x->type_no < y->type_no ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
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
    s->nrows = p->nall;
    s->wall_ns = c4i_ticks_to_ns(p->clock, c4i_ticks(p->clock));
    s->busy_ns = ns(p, t->busy);
    s->sent = msgs_of(&t->sent);
    s->received = msgs_of(&t->received);
    s->nlocal = t->nlocal;
    for (int i = 0; i < C4I_NACTIVITIES; i++) {
        s->activity_ns[i] = ns(p, t->activity[i]);
        s->activity_n[i] = t->nactivity[i];
    }
    s->created = t->created;
    s->left = t->left;
    s->arrived = t->arrived;
    s->left_nbytes = t->left_bytes;
    for (uint32_t i = 0; i < p->nall; i++)
        s->row[i] = row_of(p, p->all[i]);
    qsort(s->row, s->nrows, sizeof(s->row[0]), by_type_entry);
    *out = s;
    return C4_OK;
}
