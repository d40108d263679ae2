/*
 * stats.c - statistics of a PE as flat bytes, and their sum over PEs.
 */
#include <stdlib.h>
#include <string.h>

#include "prof/recorder.h"

static const c4i_prof *
prof_of(const c4_pe *pe)
{
    const c4i_recorder *r = c4i_get_recorder(pe);

    return c4i_prof_owns(r) ? r->ctx : NULL;
}

bool
c4_prof_on(const c4_pe *pe)
{
    return prof_of(pe) != NULL;
}

const char *
c4_prof_trace(const c4_pe *pe)
{
    const c4i_prof *p = prof_of(pe);

    return p ? c4i_prof_file(p) : NULL;
}

void
c4_prof_fact(c4_pe *pe, const char *key, const char *value)
{
    const c4i_recorder *r = c4i_get_recorder(pe);

    if (c4i_prof_owns(r))
        c4i_prof_info(r->ctx, key, value);
}

c4_err
c4_prof_stats(const c4_pe *pe, c4_stats **out)
{
    const c4i_prof *p = prof_of(pe);

    return p ? c4i_prof_snapshot(p, out) : C4_ESTATE;
}

const c4_type *
c4_prof_type(const c4_pe *pe, uint16_t type_no)
{
    const c4i_prof *p = prof_of(pe);

    return p ? c4i_prof_type_of(p, type_no) : NULL;
}

size_t
c4_stats_size(const c4_stats *s)
{
    return sizeof(*s) + s->nrows * sizeof(s->row[0]);
}

/* ---- Merging ---------------------------------------------------------------- */

int
c4i_stats_order(const void *x, const void *y)
{
    const c4_stats_row *a = x, *b = y;

    if (a->is_main != b->is_main)
        return a->is_main ? -1 : 1;
    if (a->is_task != b->is_task)
        return a->is_task ? -1 : 1;
    if (a->type_no != b->type_no)
        return a->type_no < b->type_no ? -1 : 1;
    return a->entry < b->entry ? -1 : a->entry > b->entry;
}

void
c4i_stats_add_row(c4_stats_row *to, const c4_stats_row *r)
{
    if (r->stretches && (!to->stretches || r->min_ns < to->min_ns))
        to->min_ns = r->min_ns;
    if (r->max_ns > to->max_ns)
        to->max_ns = r->max_ns;
    to->calls += r->calls;
    to->stretches += r->stretches;
    to->ns += r->ns;
    to->sumsq_ns += r->sumsq_ns;
    to->em_ns += r->em_ns;
    to->send_ns += r->send_ns;
    to->recv_ns += r->recv_ns;
    to->nbytes += r->nbytes;
    to->sent += r->sent;
    to->sent_nbytes += r->sent_nbytes;
    for (int i = 0; i < C4_STATS_COUNTERS; i++)
        to->counter[i] += r->counter[i];
}

static void
add_msgs(c4_stats_msgs *to, const c4_stats_msgs *m)
{
    if (m->n && (!to->n || m->min < to->min))
        to->min = m->min;
    if (m->max > to->max)
        to->max = m->max;
    to->n += m->n;
    to->nbytes += m->nbytes;
}

static void
add_totals(c4_stats *to, const c4_stats *s)
{
    to->npes += s->npes;
    if (s->wall_ns > to->wall_ns)
        to->wall_ns = s->wall_ns;
    to->busy_ns += s->busy_ns;
    add_msgs(&to->sent, &s->sent);
    add_msgs(&to->received, &s->received);
    to->nlocal += s->nlocal;
    for (int i = 0; i < C4_STATS_ACTIVITIES; i++) {
        to->activity_ns[i] += s->activity_ns[i];
        to->activity_n[i] += s->activity_n[i];
    }
    to->created += s->created;
    to->left += s->left;
    to->arrived += s->arrived;
    to->left_nbytes += s->left_nbytes;
}

/* Both are in order; equal keys become one row. */
static uint32_t
merge_rows(c4_stats_row *out, const c4_stats *a, const c4_stats *b)
{
    uint32_t n = 0, i = 0, j = 0;

    while (i < a->nrows || j < b->nrows) {
        int d = i == a->nrows ? 1 : j == b->nrows ? -1 : c4i_stats_order(&a->row[i], &b->row[j]);

        out[n] = d <= 0 ? a->row[i++] : b->row[j++];
        if (d == 0)
            c4i_stats_add_row(&out[n], &b->row[j++]);
        n++;
    }
    return n;
}

/* A copy, since bytes from a message may not be aligned. */
static c4_err
parse(const void *bytes, size_t len, c4_stats **out)
{
    c4_stats *s;

    if (len < sizeof(*s))
        return C4_EFORMAT;
    if (!(s = malloc(len)))
        return C4_ENOMEM;
    memcpy(s, bytes, len);
    if (s->version != C4_STATS_VERSION || s->nrows > len / sizeof(s->row[0])
        || c4_stats_size(s) != len) {
        free(s);
        return C4_EFORMAT;
    }
    *out = s;
    return C4_OK;
}

c4_err
c4_stats_merge(c4_stats **into, const void *bytes, size_t len)
{
    c4_stats *a = *into, *b = NULL, *sum;
    c4_err e = parse(bytes, len, &b);

    if (e || !a) {
        if (!e)
            *into = b;
        return e;
    }
    sum = malloc(sizeof(*sum) + (a->nrows + (size_t)b->nrows) * sizeof(sum->row[0]));
    if (!sum) {
        free(b);
        return C4_ENOMEM;
    }
    *sum = *a;
    add_totals(sum, b);
    sum->nrows = merge_rows(sum->row, a, b);
    free(a);
    free(b);
    *into = sum;
    return C4_OK;
}
