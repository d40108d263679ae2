/*
 * store_first.c - the first pass over the spools: all but executions and
 * messages; and the tables pe, summary, bin.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/store_parts.h"

c4_err
c4i_store_log(c4i_store *s, int64_t pe, int64_t time, const char *level, const char *text)
{
    return c4i_put(s->db, &s->put_log, "log", "iiiss", C4I_NULL, pe, time, level, text);
}

/* ---- Blobs -------------------------------------------------------------------- */

static c4_err
take_info(c4i_store *s, c4i_source *src, const c4_buf *b)
{
    size_t off = 0;
    const char *key = c4i_blob_string(b, &off), *value = c4i_blob_string(b, &off);

    if (!key || !value)
        return C4_OK;
    return c4i_put(s->db, &s->put_info, "temp.info", "iss", (int64_t)src->spool.head.pe, key,
                   value);
}

/* All PEs count the same events; PE 0 (or who comes first) tells. */
static c4_err
take_counter(c4i_store *s, const c4_buf *b)
{
    uint16_t column;
    size_t off = sizeof(column);
    const char *text[4];
    char name[8];

    if (b->len < off)
        return C4_OK;
    memcpy(&column, b->data, sizeof(column));
    for (int i = 0; i < 4; i++)
        if (!(text[i] = c4i_blob_string(b, &off)))
            return C4_OK;
    snprintf(name, sizeof(name), "c%u", (column + 1u) % 1000);
    return c4i_put(s->db, &s->put_counter, "counter", "isssss", C4I_NULL,
                   column < C4I_SPOOL_MAXCOUNTERS ? name : NULL, text[0], text[1], text[2],
                   text[3][0] ? text[3] : NULL);
}

static c4_err
take_log(c4i_store *s, c4i_source *src, const c4_buf *b)
{
    static const char *const levels[] = { "error", "warning", "info", "event" };
    uint64_t when;
    int32_t level;
    size_t head = sizeof(when) + sizeof(level);
    char *text;
    c4_err e;

    if (b->len < head)
        return C4_OK;
    memcpy(&when, b->data, sizeof(when));
    memcpy(&level, b->data + sizeof(when), sizeof(level));
    if (!(text = strndup((const char *)b->data + head, b->len - head)))
        return C4_ENOMEM;
    e = c4i_store_log(s, src->spool.head.pe, (int64_t)c4i_spool_ns(&src->spool, when),
                      levels[level < 0 || level > 3 ? 3 : level], text);
    free(text);
    return e;
}

static c4_err
take_blob(c4i_store *s, c4i_source *src, uint32_t n, enum c4i_blob what, const c4_buf *b)
{
    switch (what) {
    case C4I_BLOB_TYPE:    return c4i_store_type(s, src, b);
    case C4I_BLOB_INFO:    return take_info(s, src, b);
    case C4I_BLOB_COUNTER: return n == 0 ? take_counter(s, b) : C4_OK;
    case C4I_BLOB_LOG:     return take_log(s, src, b);
    case C4I_BLOB_LB:      return c4i_store_lb(s, b);
    case C4I_BLOB_TASK:    return c4i_store_task(s, src, b);
    default:               return C4_OK;
    }
}

/* ---- Records ------------------------------------------------------------------ */

static c4_err
take_object(c4i_store *s, c4i_source *src, const c4i_rec_object *r, const c4i_rec *next)
{
    uint32_t pe = src->spool.head.pe, id = c4i_store_object(s, r->coll, r->elem);
    uint64_t when = c4i_spool_ns(&src->spool, r->when);
    c4i_seen_object *o;

    if (!id)
        return C4_ENOMEM;
    c4i_note_time(src, when);
    o = &s->object[id - 1];
    if (r->ndims > 3 && next && next->kind == C4I_REC_INDEX)
        c4i_store_index(s, id, r->ndims, next->index.at);
    else if (r->ndims <= 3)
        c4i_store_index(s, id, r->ndims, r->at);
    if (o->home == C4I_NULL && r->home < s->npes)
        o->home = r->home;
    if (r->what == C4I_OBJ_CREATED) {
        o->created_pe = pe;
        o->created = (int64_t)when;
        return C4_OK;
    }
    if (r->what == C4I_OBJ_DESTROYED) {
        o->destroyed = (int64_t)when;
        return C4_OK;
    }
    if (!c4i_room(&s->moves, &s->capmoves, s->nmoves, sizeof(*s->moves)))
        return C4_ENOMEM;
    s->moves[s->nmoves++] = (c4i_seen_move){
        .object = id, .pe = pe, .peer = r->peer, .arrival = r->what == C4I_OBJ_ARRIVED,
        .why = r->why, .nbytes = r->nbytes, .when = when
    };
    return C4_OK;
}

/* One bin of an entry method, or (entry 0) of the PE itself. */
static c4_err
add_bin(c4i_store *s, c4i_source *src, uint64_t index, uint64_t width_ns, const c4i_seen_bin *bin)
{
    enum { LEAST = 1 << 16 };
    c4i_seen_bin *to;

    if (width_ns < LEAST || width_ns & (width_ns - 1) || index >= INT64_MAX / width_ns
        || !(bin->busy < 4e18))
        return C4_OK;                       /* not one of ours: damaged */
    if (!c4i_room(&src->bins, &src->capbins, src->nbins, sizeof(*src->bins)))
        return C4_ENOMEM;
    to = &src->bins[src->nbins++];
    *to = *bin;
    to->begin = index * width_ns;
    to->width = width_ns;
    c4i_note_time(src, to->begin);
    if (width_ns > s->bin_ns)
        s->bin_ns = width_ns;
    return C4_OK;
}

static c4_err
take_bin(c4i_store *s, c4i_source *src, const c4i_rec_bin *r)
{
    c4i_seen_bin bin = {
        .entry = c4i_store_entry(s, src, r->type_no, r->entry,
                                 r->flags & C4I_EXEC_MAIN ? C4I_STAT_MAIN
                                 : r->flags & C4I_EXEC_TASK ? C4I_STAT_TASK : C4I_STAT_ENTRY),
        .busy = (double)r->ticks * src->spool.ns_per_tick, .count = r->count
    };

    return bin.entry ? add_bin(s, src, r->index, r->width_ns, &bin) : C4_ENOMEM;
}

static c4_err
take_pe_bin(c4i_store *s, c4i_source *src, const c4i_pe_bin *r)
{
    c4i_seen_bin bin = { .busy = r->cpu_ns, .lost = r->lost * src->spool.ns_per_tick,
                         .count = r->switches };

    return add_bin(s, src, r->index, r->width_ns, &bin);
}

/* What the bins that were open held when the PE was killed. */
static c4_err
take_open_bins(c4i_store *s, c4i_source *src)
{
    c4i_totals t = c4i_spool_totals(&src->stats);
    c4i_rec r = { .pe_bin = { .kind = C4I_REC_PE_BIN, .bin = t.bin } };
    c4_err e = C4_OK;

    if (src->spool.head.closed)
        return C4_OK;
    c4i_spool_bound(&r);
    if (r.pe_bin.bin.cpu_ns > 0 || r.pe_bin.bin.lost > 0 || r.pe_bin.bin.switches)
        e = take_pe_bin(s, src, &r.pe_bin.bin);
    for (uint32_t i = 0; i < c4i_spool_nstats(&src->stats) && !e; i++) {
        c4i_stat st = c4i_spool_stat(&src->stats, i);
        c4i_rec_bin bin = { .flags = st.what == C4I_STAT_MAIN ? C4I_EXEC_MAIN
                                   : st.what == C4I_STAT_TASK ? C4I_EXEC_TASK : 0,
                            .type_no = st.type_no, .entry = st.entry, .index = t.bin_index,
                            .width_ns = t.bin_width_ns, .ticks = st.bin_ticks,
                            .count = st.bin_count };

        if (st.bin_ticks || st.bin_count)
            e = take_bin(s, src, &bin);
    }
    return e;
}

static c4_err
take_activity(c4i_source *src, const c4i_rec_activity *r, c4i_rows *rows)
{
    uint64_t begin = c4i_spool_ns(&src->spool, r->begin);
    uint64_t end = c4i_spool_ns(&src->spool, r->end);
    int64_t row[] = { src->spool.head.pe, (int64_t)begin, r->what + 1, (int64_t)(end - begin) };

    if (end < begin)
        return C4_OK;
    c4i_note_time(src, end);
    return c4i_rows_add(rows, row);
}

static c4_err
first_pass_of(c4i_store *s, uint32_t n, c4i_rows *rows, c4_buf *buf)
{
    c4i_source *src = &s->src[n];
    const c4i_spool_in *in = &src->spool;
    c4_err e = C4_OK;
    c4i_rec r, next;
    enum c4i_blob what;

    for (uint64_t i = 0; i < in->nrecs && !e; i++) {
        c4i_spool_get(in, i, &r);
        switch (r.kind) {
        case C4I_REC_BLOB:
            if (c4i_spool_get_blob(in, &i, &what, buf))
                e = take_blob(s, src, n, what, buf);
            break;
        case C4I_REC_COLLECTION:
            e = c4i_store_coll(s, src, &r.collection);
            break;
        case C4I_REC_OBJECT:
            if (i + 1 < in->nrecs)
                c4i_spool_get(in, i + 1, &next);
            e = take_object(s, src, &r.object, i + 1 < in->nrecs ? &next : NULL);
            break;
        case C4I_REC_BIN:
            e = take_bin(s, src, &r.bin);
            break;
        case C4I_REC_HANDLED:
            c4i_note_time(src, c4i_spool_ns(in, r.handled.taken));
            break;
        case C4I_REC_PE_BIN:
            e = take_pe_bin(s, src, &r.pe_bin.bin);
            break;
        case C4I_REC_ACTIVITY:
            e = take_activity(src, &r.activity, rows);
            break;
        default:
            break;
        }
    }
    return e;
}

c4_err
c4i_store_first_pass(c4i_store *s)
{
    c4i_rows rows;
    c4_buf buf = { 0 };
    c4_err e = c4i_rows_begin(&rows, s->db, "activity", 4), end;

    for (uint32_t n = 0; n < s->nsrc && !e; n++) {
        e = first_pass_of(s, n, &rows, &buf);
        if (!e && s->src[n].has_stats)
            e = take_open_bins(s, &s->src[n]);
    }
    end = c4i_rows_end(&rows);
    c4_buf_release(&buf);
    return e ? e : end;
}

/* ---- Bins ----------------------------------------------------------------------- */

static int
by_bin_entry(const void *a, const void *b)
{
    const c4i_seen_bin *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static c4_err
put_bin(c4i_rows *bins, c4i_rows *pe_bins, uint32_t pe, const c4i_seen_bin *b)
{
    if (b->entry)
        return c4i_rows_add(bins, (int64_t[]){ pe, (int64_t)b->begin, b->entry, llround(b->busy),
                                               (int64_t)b->count });
    return c4i_rows_add(pe_bins, (int64_t[]){ pe, (int64_t)b->begin, llround(b->busy),
                                              llround(b->lost), (int64_t)b->count });
}

/* All bins get the width of the widest. */
static c4_err
write_bins_of(c4i_store *s, c4i_source *src, c4i_rows *bins, c4i_rows *pe_bins)
{
    c4_err e = C4_OK;

    for (size_t i = 0; i < src->nbins; i++)
        src->bins[i].begin = src->bins[i].begin / s->bin_ns * s->bin_ns;
    if (src->nbins)
        qsort(src->bins, src->nbins, sizeof(*src->bins), by_bin_entry);
    for (size_t i = 0, k; i < src->nbins && !e; i = k) {
        c4i_seen_bin *b = &src->bins[i];

        for (k = i + 1; k < src->nbins && by_bin_entry(b, &src->bins[k]) == 0; k++) {
            b->busy += src->bins[k].busy;
            b->lost += src->bins[k].lost;
            b->count += src->bins[k].count;
        }
        e = put_bin(bins, pe_bins, src->spool.head.pe, b);
    }
    return e;
}

static c4_err
write_bins(c4i_store *s)
{
    c4i_rows bins, pe_bins;
    c4_err e = c4i_rows_begin(&bins, s->db, "bin", 5), end;
    c4_err e2 = c4i_rows_begin(&pe_bins, s->db, "pe_bin", 5);

    e = e ? e : e2;
    for (uint32_t n = 0; n < s->nsrc && !e; n++)
        e = write_bins_of(s, &s->src[n], &bins, &pe_bins);
    end = c4i_rows_end(&bins);
    e = e ? e : end;
    end = c4i_rows_end(&pe_bins);
    return e ? e : end;
}

/* ---- Totals ------------------------------------------------------------------- */

static int64_t
counted(const c4i_stat *st, int ncounters, int i)
{
    return i < ncounters ? (int64_t)st->counter[i] : C4I_NULL;
}

static c4_err
write_summary(c4i_store *s, int ncounters)
{
    sqlite3_stmt *put = NULL;
    c4_err e = C4_OK;

    for (uint32_t n = 0; n < s->nsrc && !e; n++) {
        c4i_source *src = &s->src[n];
        uint32_t nstats = src->has_stats ? c4i_spool_nstats(&src->stats) : 0;

        for (uint32_t i = 0; i < nstats && !e; i++) {
            c4i_stat st = c4i_spool_stat(&src->stats, i);
            double k = src->spool.ns_per_tick;
            int64_t ns = (int64_t)c4i_spool_span(&src->spool, st.sum);
            int64_t send = (int64_t)c4i_spool_span(&src->spool, st.send);
            uint32_t entry = c4i_store_entry(s, src, st.type_no, st.entry, st.what);

            if (!entry)
                return C4_ENOMEM;
            if (!st.stretches)
                continue;
            e = c4i_put(s->db, &put, "summary", "iiiiiiiriiiiiiiiiiiii",
                        (int64_t)src->spool.head.pe, (int64_t)entry, (int64_t)st.calls,
                        (int64_t)st.stretches, ns,
                        (int64_t)c4i_spool_span(&src->spool, st.min),
                        (int64_t)c4i_spool_span(&src->spool, st.max), st.sumsq * k * k,
                        (int64_t)c4i_spool_span(&src->spool, st.lost), ns - send, send,
                        (int64_t)c4i_spool_span(&src->spool, st.recv), (int64_t)st.bytes,
                        (int64_t)st.sent, (int64_t)st.sent_bytes, counted(&st, ncounters, 0),
                        counted(&st, ncounters, 1), counted(&st, ncounters, 2),
                        counted(&st, ncounters, 3), counted(&st, ncounters, 4),
                        counted(&st, ncounters, 5));
        }
    }
    sqlite3_finalize(put);
    return e;
}

static int64_t
or_null(const c4i_tally *t, uint64_t v)
{
    return t->n ? (int64_t)v : C4I_NULL;
}

static c4_err
write_pe(c4i_store *s, c4i_source *src, sqlite3_stmt **put)
{
    const c4i_spool_in *in = &src->spool;
    const c4i_spool_head *h = &in->head;
    c4i_totals t = { .sent.n = 0 };
    int64_t act[C4I_NACTIVITIES], begin = (int64_t)c4i_spool_ns(in, h->open_ticks), end, busy;

    if (src->has_stats)
        t = c4i_spool_totals(&src->stats);
    for (int i = 0; i < C4I_NACTIVITIES; i++)
        act[i] = (int64_t)c4i_spool_span(in, t.activity[i]);
    c4i_note_time(src, c4i_spool_ns(in, h->live_ticks));
    busy = (int64_t)c4i_spool_span(in, t.busy);
    end = (int64_t)src->end_ns > begin ? (int64_t)src->end_ns : begin;
    return c4i_put(s->db, put, "pe", "isiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiis", (int64_t)h->pe, h->host,
                   (int64_t)h->pid, h->core == UINT32_MAX ? C4I_NULL : (int64_t)h->core,
                   (int64_t)0, (int64_t)(h->tsc ? 100 : 0), begin, end, busy,
                   act[C4I_ACT_IDLE], (int64_t)t.cpu_ns, (int64_t)c4i_spool_span(in, t.lost),
                   (int64_t)c4i_spool_span(in, t.stopped), (int64_t)t.switches, act[C4I_ACT_LB], act[C4I_ACT_MIGRATE_OUT],
                   act[C4I_ACT_MIGRATE_IN], act[C4I_ACT_REDUCE],
                   end - begin - busy - act[C4I_ACT_IDLE],
                   (int64_t)t.sent.n, (int64_t)t.sent.bytes, or_null(&t.sent, t.sent.min),
                   or_null(&t.sent, t.sent.max), (int64_t)t.incoming.n,
                   (int64_t)t.incoming.bytes, (int64_t)t.received.n,
                   (int64_t)t.received.bytes, or_null(&t.received, t.received.min),
                   or_null(&t.received, t.received.max), (int64_t)t.nlocal, (int64_t)t.created,
                   (int64_t)t.left, (int64_t)t.arrived, (int64_t)h->dropped,
                   h->covered_ticks ? (int64_t)c4i_spool_ns(in, h->covered_ticks) : C4I_NULL,
                   h->bins_ticks ? (int64_t)c4i_spool_ns(in, h->bins_ticks) : C4I_NULL,
                   h->closed ? (int64_t)h->status : C4I_NULL, (int64_t)(h->closed == 1),
                   NULL);                   /* affinity: see store.c */
}

int
c4i_store_ncounters(c4i_store *s)
{
    sqlite3_stmt *q = NULL;
    int n = 0;

    if (sqlite3_prepare_v2(s->db, "SELECT count(col) FROM counter", -1, &q, NULL) == SQLITE_OK
        && sqlite3_step(q) == SQLITE_ROW)
        n = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return n;
}

c4_err
c4i_store_small_write(c4i_store *s)
{
    sqlite3_stmt *put = NULL;
    c4_err e = write_bins(s);

    if (!e)
        e = write_summary(s, c4i_store_ncounters(s));
    for (uint32_t n = 0; n < s->nsrc && !e; n++)
        e = write_pe(s, &s->src[n], &put);
    sqlite3_finalize(put);
    return e;
}
