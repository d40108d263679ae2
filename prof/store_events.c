/*
 * store_events.c - the second pass: messages and executions, the large tables.
 *
 * A message is known from its sender (a SENT record), from the executions that
 * name it as their cause, on any PE, and from HANDLED records where it made no
 * execution begin.  The messages of as many senders as fit MAX_INDEX are looked
 * up at a time, in one pass over all of these.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/store_parts.h"

enum { MAX_INDEX = 16 << 20 };              /* messages in memory at a time, 32 bytes each */

/* ---- Who received what ------------------------------------------------------------ */

struct receipt {
    uint32_t trace, pe;
    uint64_t taken;                         /* ns; UINT64_MAX: nowhere */
    uint64_t arrived;                       /* ns */
    uint64_t nbytes;                        /* what it became; UINT64_MAX: as it was sent */
};

struct sender {
    struct receipt *r;                      /* by trace */
    size_t n;
};

static int
by_trace(const void *a, const void *b)
{
    const struct receipt *x = a, *y = b;

    return x->trace < y->trace ? -1 : x->trace > y->trace;
}

static size_t
count_kind(const c4i_spool_in *in, uint8_t kind)
{
    size_t n = 0;

    for (uint64_t i = 0; i < in->nrecs; i++)
        n += in->bytes[C4I_SPOOL_HEAD + i * sizeof(c4i_rec)] == kind;
    return n;
}

static c4_err
index_sender(struct sender *to, const c4i_spool_in *in, size_t n)
{
    bool sorted = true;
    c4i_rec r;

    to->n = 0;
    if (!(to->r = malloc((n + 1) * sizeof(*to->r))))
        return C4_ENOMEM;
    for (uint64_t i = 0; i < in->nrecs && to->n < n; i++) {
        c4i_spool_get(in, i, &r);
        if (r.kind != C4I_REC_SENT)
            continue;
        if (to->n && to->r[to->n - 1].trace >= r.sent.trace)
            sorted = false;
        to->r[to->n++] = (struct receipt){ r.sent.trace, 0, UINT64_MAX, 0, UINT64_MAX };
    }
    if (!sorted)
        qsort(to->r, to->n, sizeof(*to->r), by_trace);
    return C4_OK;
}

/* Traces are mostly consecutive: try the place where it would be then. */
static struct receipt *
find_receipt(const struct sender *s, uint32_t trace)
{
    struct receipt key = { .trace = trace };
    size_t guess;

    if (!s->n)
        return NULL;
    guess = trace - s->r[0].trace;
    if (guess < s->n && s->r[guess].trace == trace)
        return &s->r[guess];
    return bsearch(&key, s->r, s->n, sizeof(key), by_trace);
}

/* An execution's times that may stand in a MORE record behind it. */
struct times {
    uint64_t send, recv, wait;              /* ticks */
    int64_t  cpu_ns;                        /* below 0: not read */
    uint64_t lost;                          /* ticks */
};

static struct times
times_of(const c4i_spool_in *in, uint64_t i, const c4i_rec_exec *x)
{
    c4i_rec more = { .kind = C4I_REC_END };

    if ((x->flags & C4I_EXEC_MORE) && i + 1 < in->nrecs)
        c4i_spool_get(in, i + 1, &more);
    if (more.kind == C4I_REC_MORE)
        return (struct times){ more.more.send, more.more.recv, more.more.wait, more.more.cpu_ns,
                               more.more.lost };
    return (struct times){ x->send, x->recv, x->wait, -1, 0 };
}

/* What record i says was received: whose message, and when; false: nothing. */
static bool
received(const c4i_spool_in *in, uint64_t i, uint32_t *src, struct receipt *out)
{
    struct times t;
    c4i_rec r;

    c4i_spool_get(in, i, &r);
    if (r.kind == C4I_REC_HANDLED) {
        *src = r.handled.src;
        *out = (struct receipt){ .trace = r.handled.trace,
                                 .taken = c4i_spool_ns(in, r.handled.taken),
                                 .arrived = c4i_spool_ns(in, r.handled.arrived) };
        return true;
    }
    if (r.kind != C4I_REC_EXEC || !r.exec.cause
        || (r.exec.flags & (C4I_EXEC_RESUMED | C4I_EXEC_WOKEN)) == C4I_EXEC_RESUMED)
        return false;
    t = times_of(in, i, &r.exec);
    *src = r.exec.cause_pe;
    *out = (struct receipt){ .trace = r.exec.cause,
                             .taken = c4i_spool_ns(in, r.exec.begin - t.recv),
                             .arrived = c4i_spool_ns(in, r.exec.begin - t.recv - t.wait) };
    return true;
}

/* Notes where each message of senders [lo, hi) was taken up first. */
static void
note_receipts(const c4i_store *s, struct sender *senders, const uint32_t *by_pe, uint32_t lo,
              uint32_t hi)
{
    for (uint32_t n = 0; n < s->nsrc; n++) {
        const c4i_spool_in *in = &s->src[n].spool;

        for (uint64_t i = 0; i < in->nrecs; i++) {
            struct receipt *to, here;
            uint32_t from;

            if (!received(in, i, &from, &here) || from >= s->npes)
                continue;
            from = by_pe[from];
            if (from < lo || from >= hi || !(to = find_receipt(&senders[from], here.trace)))
                continue;
            if (here.taken < to->taken) {
                to->taken = here.taken;
                to->arrived = here.arrived;
                to->pe = in->head.pe;
            }
        }
    }
}

/* References that became bytes. */
static void
note_sizes(const c4i_spool_in *in, const struct sender *me)
{
    struct receipt *to;
    c4i_rec r;

    for (uint64_t i = 0; i < in->nrecs; i++) {
        c4i_spool_get(in, i, &r);
        if (r.kind == C4I_REC_RESIZED && (to = find_receipt(me, r.resized.trace)))
            to->nbytes = r.resized.nbytes;
    }
}

/* ---- Messages ------------------------------------------------------------------- */

static int64_t
or_null(uint32_t id)
{
    return id ? (int64_t)id : C4I_NULL;
}

static bool
has_target(uint8_t kind)
{
    return kind == C4I_CALL || kind == C4I_INSERT || kind == C4I_CTOR || kind == C4I_MIGRATE;
}

static c4_err
put_message(c4i_store *s, c4i_source *src, const c4i_rec_sent *m, const struct receipt *r,
            int64_t sender, c4i_rows *rows)
{
    uint64_t sent = c4i_spool_ns(&src->spool, m->when);
    uint32_t object = has_target(m->msg_kind) ? c4i_store_object(s, m->coll, m->elem) : 0;
    bool calls = m->msg_kind == C4I_CALL || m->msg_kind == C4I_BREQ || m->msg_kind == C4I_BCAST;
    bool came = r && r->taken != UINT64_MAX;

    c4i_note_time(src, sent);
    s->result->messages++;
    return c4i_rows_add(rows, (int64_t[]){
        src->spool.head.pe, m->trace, sender, m->cause ? (int64_t)m->cause_pe : C4I_NULL,
        or_null(m->cause), (int64_t)sent, m->dst, came ? (int64_t)r->arrived : C4I_NULL,
        came ? (int64_t)r->taken : C4I_NULL, came ? (int64_t)r->pe : C4I_NULL,
        or_null(object), calls ? or_null(c4i_store_entry_of_coll(s, m->coll, m->entry)) : C4I_NULL,
        (int64_t)(r && r->nbytes != UINT64_MAX ? r->nbytes : m->nbytes), m->msg_kind + 1 });
}

/* The execution that ends next has sent what stands before its record, if it
 * was running then, or being made ready. */
static c4_err
write_messages(c4i_store *s, c4i_source *src, const struct sender *me, c4i_rows *rows)
{
    const c4i_spool_in *in = &src->spool;
    uint64_t next = 0;
    c4i_rec r, x = { .kind = 0 };
    c4_err e = C4_OK;

    for (uint64_t i = 0; i < in->nrecs && !e; i++) {
        int64_t sender = C4I_NULL;

        c4i_spool_get(in, i, &r);
        if (r.kind != C4I_REC_SENT)
            continue;
        for (next = next > i ? next : i; next < in->nrecs; next++) {
            c4i_spool_get(in, next, &x);
            if (x.kind == C4I_REC_EXEC)
                break;
        }
        if (next < in->nrecs && !r.sent.cause && r.sent.when <= x.exec.begin + x.exec.ticks
            && r.sent.when >= x.exec.begin - times_of(in, next, &x.exec).recv)
            sender = (int64_t)c4i_spool_ns(in, x.exec.begin);
        e = put_message(s, src, &r.sent, find_receipt(me, r.sent.trace), sender, rows);
    }
    return e;
}

/* As many senders from lo on as fit; at least one. */
static c4_err
index_group(c4i_store *s, struct sender *senders, uint32_t lo, uint32_t *hi)
{
    size_t total = 0;
    c4_err e = C4_OK;

    for (*hi = lo; *hi < s->nsrc && !e; (*hi)++) {
        size_t n = count_kind(&s->src[*hi].spool, C4I_REC_SENT);

        if (*hi > lo && total + n > MAX_INDEX)
            break;
        total += n;
        e = index_sender(&senders[*hi], &s->src[*hi].spool, n);
    }
    return e;
}

c4_err
c4i_store_messages(c4i_store *s)
{
    struct sender *senders = calloc(s->nsrc + 1, sizeof(*senders));
    uint32_t *by_pe = malloc((s->npes + 1) * sizeof(*by_pe));
    c4_err e = C4_OK, end;
    uint32_t lo = 0, hi;
    c4i_rows rows;

    if (!senders || !by_pe) {
        free(senders);
        free(by_pe);
        return C4_ENOMEM;
    }
    for (uint32_t p = 0; p < s->npes; p++)
        by_pe[p] = UINT32_MAX;
    for (uint32_t n = 0; n < s->nsrc; n++)
        by_pe[s->src[n].spool.head.pe] = n;
    e = c4i_rows_begin(&rows, s->db, "message", 14);
    for (; lo < s->nsrc && !e; lo = hi) {
        e = index_group(s, senders, lo, &hi);
        if (!e)
            note_receipts(s, senders, by_pe, lo, hi);
        for (uint32_t n = lo; n < hi; n++) {
            if (!e)
                note_sizes(&s->src[n].spool, &senders[n]);
            if (!e)
                e = write_messages(s, &s->src[n], &senders[n], &rows);
            free(senders[n].r);
        }
    }
    end = c4i_rows_end(&rows);
    free(senders);
    free(by_pe);
    return e ? e : end;
}

/* ---- Executions ------------------------------------------------------------------ */

enum { WITHOUT_COUNTERS = 17, WITH_COUNTERS = 23 };

static uint32_t
entry_of(c4i_store *s, c4i_source *src, const c4i_rec_exec *x)
{
    if (x->flags & C4I_EXEC_TASK)
        return c4i_store_entry(s, src, 0, x->task, C4I_STAT_TASK);
    return c4i_store_entry(s, src, x->type_no, x->entry,
                           x->flags & C4I_EXEC_MAIN ? C4I_STAT_MAIN : C4I_STAT_ENTRY);
}

/* The counters of execution i, or none (kind 0). */
static c4i_rec
counters_of(const c4i_spool_in *in, uint64_t i, const c4i_rec_exec *x)
{
    c4i_rec r = { .kind = C4I_REC_END };

    i += x->flags & C4I_EXEC_MORE ? 2 : 1;
    if (i < in->nrecs)
        c4i_spool_get(in, i, &r);
    return r;
}

/* *last: the previous begin.  Stretches of a PE do not overlap, so begins grow. */
static c4_err
put_execution(c4i_store *s, c4i_source *src, uint64_t i, int64_t *last, c4i_rows *rows)
{
    const c4i_spool_in *in = &src->spool;
    c4i_rec r, c;
    const c4i_rec_exec *x = &r.exec;
    bool nobody = false;
    uint32_t entry, object = 0;
    int64_t begin, ns;
    struct times t;

    c4i_spool_get(in, i, &r);
    begin = (int64_t)c4i_spool_ns(in, x->begin);
    ns = (int64_t)c4i_spool_ns(in, x->begin + x->ticks) - begin;    /* rounds neither way */
    if (begin <= *last) {
        s->noverlaps++;
        return C4_OK;
    }
    *last = begin;
    t = times_of(in, i, x);
    c = counters_of(in, i, x);
    entry = entry_of(s, src, x);
    nobody = (x->flags & C4I_EXEC_MAIN) || !x->coll;
    if (!nobody)
        object = c4i_store_object(s, x->coll, x->elem);
    if (!entry || (!object && !nobody))
        return C4_ENOMEM;
    c4i_note_time(src, (uint64_t)begin + (uint64_t)ns);
    s->result->executions++;
    int64_t row[] = {
        in->head.pe, begin, ns, t.cpu_ns < 0 ? C4I_NULL : t.cpu_ns,
        t.cpu_ns < 0 ? C4I_NULL : (int64_t)c4i_spool_span(in, t.lost), entry, or_null(object),
        x->cause ? (int64_t)x->cause_pe : C4I_NULL, or_null(x->cause),
        (int64_t)c4i_spool_span(in, t.send), (int64_t)c4i_spool_span(in, t.wait),
        (int64_t)c4i_spool_span(in, t.recv), (int64_t)x->nbytes,
        (x->flags & C4I_EXEC_LOCAL) != 0, (x->flags & C4I_EXEC_WOKEN) != 0,
        (x->flags & C4I_EXEC_RESUMED) != 0, (x->flags & C4I_EXEC_SUSPENDED) != 0,
        C4I_NULL, C4I_NULL, C4I_NULL, C4I_NULL, C4I_NULL, C4I_NULL
    };

    for (int k = 0; c.kind == C4I_REC_COUNTERS && k < c.counters.n; k++)
        row[WITHOUT_COUNTERS + k] = c.counters.value[k];
    return c4i_rows_add(rows, row);
}

static c4_err
write_executions(c4i_store *s, c4i_source *src, c4i_rows *rows)
{
    const c4i_spool_in *in = &src->spool;
    int64_t last = -1;
    c4_err e = C4_OK;

    for (uint64_t i = 0; i < in->nrecs && !e; i++)
        if (in->bytes[C4I_SPOOL_HEAD + i * sizeof(c4i_rec)] == C4I_REC_EXEC)
            e = put_execution(s, src, i, &last, rows);
    if (s->noverlaps && !e) {
        char text[120];

        snprintf(text, sizeof(text), "%llu executions begin before one that ended earlier: the "
                 "spool is damaged, they are left out", (unsigned long long)s->noverlaps);
        s->noverlaps = 0;
        e = c4i_store_log(s, in->head.pe, C4I_NULL, "warning", text);
    }
    return e;
}

c4_err
c4i_store_executions(c4i_store *s)
{
    static const char plain[] = "execution (pe, begin, ns, cpu_ns, stolen_ns, entry, object,"
                                " cause_pe, cause, send_ns, wait_ns, recv_ns, bytes, local, woken,"
                                " resumed, suspended)";
    bool counted = c4i_store_ncounters(s) > 0;
    c4i_rows rows;
    c4_err e = c4i_rows_begin(&rows, s->db, counted ? "execution" : plain,
                              counted ? WITH_COUNTERS : WITHOUT_COUNTERS), end;

    for (uint32_t n = 0; n < s->nsrc && !e; n++)
        e = write_executions(s, &s->src[n], &rows);
    end = c4i_rows_end(&rows);
    return e ? e : end;
}
