/*
 * store_lb.c - load balancing steps and migrations.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/store_parts.h"

static int64_t
ns_of(double seconds)
{
    return isfinite(seconds) && fabs(seconds) < 4e9 ? (int64_t)llround(seconds * 1e9) : C4I_NULL;
}

static double
given(double v)
{
    return v < 0 ? NAN : v;
}

static c4_err
put_step(c4i_store *s, const c4i_lb_step *p)
{
    int64_t took = (int64_t)(p->end_ns - p->begin_ns);

    return c4i_put(s->db, &s->put_step, "lb_step", "iiissssiiiirrriii", (int64_t)p->round,
                   (int64_t)p->begin_ns, (int64_t)p->end_ns, p->reason, p->strategy,
                   p->options, p->metric, (int64_t)p->seed,
                   took - (int64_t)p->strategy_ns, (int64_t)p->strategy_ns, C4I_NULL, p->imbalance_before,
                   p->imbalance_predicted, NAN, (int64_t)p->nobjs, (int64_t)p->nmoves,
                   C4I_NULL);
}

static c4_err
put_pes(c4i_store *s, const c4i_lb_parts *p)
{
    c4_err e = C4_OK;

    for (uint32_t i = 0; i < p->step.npes && !e; i++) {
        const c4i_lb_pe *q = &p->pes[i];

        e = c4i_put(s->db, &s->put_lb_pe, "lb_pe", "iiiiiiir", (int64_t)p->step.round,
                    (int64_t)q->pe, (int64_t)q->nobjs, ns_of(q->background_s),
                    ns_of(q->busy_s), ns_of(q->idle_s), ns_of(q->wall_s), NAN);
    }
    return e;
}

static c4_err
put_objects(c4i_store *s, const c4i_lb_parts *p)
{
    c4_err e = C4_OK;

    for (uint32_t i = 0; i < p->step.nobjs && !e; i++) {
        const c4i_lb_object *o = &p->objs[i];
        uint32_t id = c4i_store_object(s, o->coll, o->elem);

        if (!id)
            return C4_ENOMEM;
        c4i_store_index(s, id, o->ndims <= C4_MAXDIMS ? (int)o->ndims : 0, o->index);
        e = c4i_put(s->db, &s->put_lb_object, "lb_object", "iiriiriiii",
                    (int64_t)p->step.round, (int64_t)id, given(p->placed[i].load),
                    ns_of(o->wall_s), o->cpu_s < 0 ? C4I_NULL : ns_of(o->cpu_s),
                    given(o->user_load), o->nbytes ? (int64_t)o->nbytes : C4I_NULL,
                    (int64_t)(o->movable != 0), (int64_t)p->placed[i].from,
                    (int64_t)p->placed[i].to);
    }
    return e;
}

/* A damaged record is as if it were not there. */
c4_err
c4i_store_lb(c4i_store *s, const c4_buf *blob)
{
    c4i_lb_parts p;
    c4_err e = c4i_lb_parts_get(&p, blob->data, blob->len);

    if (e)
        return e == C4_EFORMAT ? C4_OK : e;
    s->nsteps++;
    e = put_step(s, &p.step);
    if (!e)
        e = put_pes(s, &p);
    if (!e)
        e = put_objects(s, &p);
    c4i_lb_parts_release(&p);
    return e;
}

/* ---- Migrations ------------------------------------------------------------------ */

static int
by_object_when(const void *a, const void *b)
{
    const c4i_seen_move *x = a, *y = b;

    if (x->object != y->object)
        return x->object < y->object ? -1 : 1;
    if (x->when != y->when)
        return x->when < y->when ? -1 : 1;
    return x->arrival - y->arrival;
}

/* The arrival that belongs to departure i: on the PE it went to, the next one
 * of this object; n where there is none. */
static size_t
match(const c4i_store *s, const unsigned char *used, size_t i)
{
    const c4i_seen_move *out = &s->moves[i];
    /* Clocks of two hosts may differ, so look a little before it, too. */
    size_t from = i;

    while (from > 0 && i - from < 4 && s->moves[from - 1].object == out->object)
        from--;
    for (size_t k = from; k < s->nmoves && s->moves[k].object == out->object; k++) {
        const c4i_seen_move *in = &s->moves[k];

        if (in->arrival && !used[k] && in->pe == out->peer && in->peer == out->pe)
            return k;
    }
    return s->nmoves;
}

static c4_err
put_move(c4i_store *s, sqlite3_stmt **put, const c4i_seen_move *out, const c4i_seen_move *in)
{
    const c4i_seen_move *any = out ? out : in;

    return c4i_put(s->db, put, "migration", "iiiiiiis", C4I_NULL, (int64_t)any->object,
                   (int64_t)(out ? out->pe : in->peer), (int64_t)(in ? in->pe : out->peer),
                   any->nbytes ? (int64_t)any->nbytes
                   : in && in->nbytes ? (int64_t)in->nbytes : C4I_NULL,
                   out ? (int64_t)out->when : C4I_NULL, in ? (int64_t)in->when : C4I_NULL,
                   any->why == C4I_WHY_LB ? "lb" : "user");
}

c4_err
c4i_store_moves_write(c4i_store *s)
{
    unsigned char *used = calloc(s->nmoves + 1, 1);
    sqlite3_stmt *put = NULL;
    c4_err e = used ? C4_OK : C4_ENOMEM;

    if (s->nmoves)
        qsort(s->moves, s->nmoves, sizeof(*s->moves), by_object_when);
    for (size_t i = 0; i < s->nmoves && !e; i++) {
        size_t k;

        if (s->moves[i].arrival)
            continue;
        k = match(s, used, i);
        if (k < s->nmoves)
            used[k] = 1;
        e = put_move(s, &put, &s->moves[i], k < s->nmoves ? &s->moves[k] : NULL);
    }
    for (size_t i = 0; i < s->nmoves && !e; i++)
        if (s->moves[i].arrival && !used[i])
            e = put_move(s, &put, NULL, &s->moves[i]);
    sqlite3_finalize(put);
    free(used);
    return e;
}

/* ---- What only the whole recording tells ------------------------------------------ */

/* What a step has achieved is what the next one found; the last step's is
 * measured from the time bins until the end of the run, if it was wall time
 * that was balanced. */
c4_err
c4i_store_lb_finish(c4i_store *s)
{
    static const char *const sql[] = {
        "UPDATE lb_step SET imbalance_measured ="
        " (SELECT n.imbalance_before FROM lb_step n WHERE n.step > lb_step.step"
        "  ORDER BY n.step LIMIT 1)",
        /* A last interval of less than a tenth of the mean says nothing. */
        "WITH last AS (SELECT max(step) AS step, max(end) AS end, min(begin) AS first,"
        "                     count(*) AS n FROM lb_step),"
        " span AS (SELECT step, end AS lo, (SELECT max(end) FROM pe) AS hi,"
        "                 (end - first) / max(n - 1, 1) AS mean FROM last),"
        " load AS (SELECT p.pe AS pe, coalesce((SELECT sum(b.busy_ns *"
        "            max(0.0, min(1.0, (b.begin + r.bin_ns - span.lo) * 1.0 / r.bin_ns)))"
        "            FROM bin b, run r WHERE b.pe = p.pe AND b.begin + r.bin_ns > span.lo), 0)"
        "          AS ns FROM pe p, span)"
        " UPDATE lb_step SET imbalance_measured ="
        "  (SELECT max(ns) * 1.0 / avg(ns) - 1 FROM load HAVING avg(ns) > 0)"
        " WHERE step = (SELECT step FROM span WHERE hi - lo > mean / 10) AND metric = 'wall'",
        "UPDATE lb_step SET (bytes, migration_ns) ="
        " (SELECT sum(m.bytes), max(m.arrived) - min(m.left) FROM migration m"
        "  WHERE m.why = 'lb' AND m.left >= lb_step.begin AND m.left < coalesce("
        "   (SELECT min(n.begin) FROM lb_step n WHERE n.begin > lb_step.begin),"
        "   9223372036854775807))"
    };
    c4_err e = C4_OK;

    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]) && !e; i++)
        e = c4i_sql(s->db, sql[i]);
    return e;
}
