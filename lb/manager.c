/*
 * manager.c - the balancer: when to balance, by which load, with which strategy.
 *
 * All PEs attach, since all must know whether to measure CPU time; the PE
 * where an AtSync round completes decides.  The runtime sorts the objects, so
 * that a decision depends on loads and seed alone.  Between rounds nothing is
 * kept but when the last step was.
 *
 * Cost of a step: the strategy's, and O(n + p) to set up, check and record.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "choice.h"
#include "lb_record.h"
#include "manager.h"
#include "problem.h"
#include "runtime/clock.h"
#include "runtime/hooks.h"

enum metric { BY_WALL, BY_CPU, BY_USER };

static const char *const metric_names[] = { [BY_WALL] = "wall", [BY_CPU] = "cpu", [BY_USER] = "user" };

struct manager {
    c4i_lb_choice *choice;                  /* [nchoices] by round, the last for all that follow */
    size_t         nchoices;
    enum metric    metric;
    bool           cpu;                     /* measured loads are CPU time */
    bool           objects_only;            /* +LBObjOnly: background does not count */
    bool           warned;
    uint32_t       debug;
    uint64_t       seed, period_ns, last_ns;
};

/* ---- Flags -------------------------------------------------------------- */

bool
c4i_lb_help(const c4i_flags *flags, FILE *out)
{
    const char *name;

    for (size_t k = 0; (name = c4i_flags_nth(flags, "+balancer", k)); k++)
        if (strcmp(name, "help") == 0) {
            if (out) {
                c4i_lb_list(out);
                fflush(out);
            }
            return true;
        }
    return false;
}

static c4_err
read_number(c4_pe *pe, const char *name, double max, double *out)
{
    const char *text = c4i_flags_get(c4i_pe_flags(pe), name);
    char *end;
    double x;

    *out = 0;
    if (!text)
        return C4_OK;
    x = strtod(text, &end);
    if (end == text || *end || !(x >= 0 && x <= max))
        return c4_fail(pe, C4_EINVAL, "%s takes a number from 0 to %g, not '%s'", name, max, text);
    *out = x;
    return C4_OK;
}

static c4_err
read_metric(c4_pe *pe, struct manager *m)
{
    const char *text = c4i_flags_get(c4i_pe_flags(pe), "+LBLoad");

    m->cpu = c4i_pe_oversubscribed(pe);
    m->metric = m->cpu ? BY_CPU : BY_WALL;
    if (!text)
        return C4_OK;
    for (size_t i = 0; i < sizeof(metric_names) / sizeof(*metric_names); i++)
        if (strcmp(text, metric_names[i]) == 0) {
            m->metric = (enum metric)i;
            if (m->metric != BY_USER)
                m->cpu = m->metric == BY_CPU;
            return C4_OK;
        }
    return c4_fail(pe, C4_EINVAL, "+LBLoad takes wall, cpu or user, not '%s'", text);
}

static c4_err
read_seed(c4_pe *pe, struct manager *m)
{
    const char *text = c4i_flags_get(c4i_pe_flags(pe), "+LBSeed");
    char *end;

    m->seed = 1;
    if (!text)
        return C4_OK;
    errno = 0;
    m->seed = strtoull(text, &end, 0);
    if (end == text || *end || errno || strchr(text, '-'))
        return c4_fail(pe, C4_EINVAL, "+LBSeed takes a whole number from 0 to 2^64 - 1, not '%s'", text);
    return C4_OK;
}

static c4_err
read_flags(c4_pe *pe, struct manager *m)
{
    const c4i_flags *f = c4i_pe_flags(pe);
    const char *policy = c4i_flags_get(f, "+LBPolicy"), *debug = c4i_flags_get(f, "+LBDebug");
    double level = 1, period_s;
    c4_err err;

    if (policy && strcmp(policy, "atsync") != 0)
        return c4_fail(pe, C4_EINVAL, "+LBPolicy takes atsync (balance at each AtSync), not '%s'", policy);
    if (!debug || *debug) {                 /* +LBDebug alone is level 1 */
        err = read_number(pe, "+LBDebug", 100, &level);
        if (err)
            return err;
    }
    err = read_number(pe, "+LBPeriod", 1e9, &period_s);
    if (err)
        return err;
    m->debug = (uint32_t)level;
    m->period_ns = (uint64_t)(period_s * 1e9);
    m->objects_only = c4i_flags_has(f, "+LBObjOnly");
    err = read_metric(pe, m);
    return err ? err : read_seed(pe, m);
}

static c4_err
read_choices(c4_pe *pe, struct manager *m)
{
    const c4i_flags *f = c4i_pe_flags(pe);
    char why[C4I_LB_WHY];
    size_t n = 0;

    while (c4i_flags_nth(f, "+balancer", n))
        n++;
    m->choice = calloc(n, sizeof(*m->choice));
    if (!m->choice)
        return c4_fail(pe, C4_ENOMEM, "out of memory for balancers");
    for (size_t k = 0; k < n; k++) {
        c4_err err = c4i_lb_choose(c4i_flags_nth(f, "+balancer", k), &m->choice[k], why, sizeof(why));

        if (err)
            return c4_fail(pe, err, "+balancer: %s", why);
        m->nchoices++;
    }
    return C4_OK;
}

/* ---- The problem -------------------------------------------------------- */

/* A problem with its arrays, which are what it points to. */
struct posed {
    c4_lb_problem p;
    c4_lb_rng     rng;
    double       *load, *background, *speed;
    uint32_t     *pe_of, *host_of, *pe_new;
    uint8_t      *movable;
    uint64_t     *bytes;
    float        *position;
};

static void
posed_release(struct posed *q)
{
    free(q->load);
    free(q->background);
    free(q->speed);
    free(q->pe_of);
    free(q->host_of);
    free(q->pe_new);
    free(q->movable);
    free(q->bytes);
    free(q->position);
}

static c4_err
posed_init(struct posed *q, uint32_t nobjs, uint32_t npes, uint32_t ndims)
{
    size_t n = nobjs ? nobjs : 1;

    *q = (struct posed){ .p = { .nobjs = nobjs, .npes = npes, .ndims = ndims } };
    q->p.load = q->load = calloc(n, sizeof(*q->load));
    q->p.pe_of = q->pe_of = calloc(n, sizeof(*q->pe_of));
    q->pe_new = calloc(n, sizeof(*q->pe_new));
    q->p.movable = q->movable = calloc(n, sizeof(*q->movable));
    q->p.bytes = q->bytes = calloc(n, sizeof(*q->bytes));
    q->p.position = q->position = ndims ? calloc(n * ndims, sizeof(*q->position)) : NULL;
    q->p.background = q->background = calloc(npes, sizeof(*q->background));
    q->p.speed = q->speed = calloc(npes, sizeof(*q->speed));
    q->p.host_of = q->host_of = calloc(npes, sizeof(*q->host_of));
    q->p.rng = &q->rng;
    if (q->load && q->pe_of && q->pe_new && q->movable && q->bytes && (q->position || !ndims) &&
        q->background && q->speed && q->host_of)
        return C4_OK;
    posed_release(q);
    return C4_ENOMEM;
}

/* What strategies are promised of a load: finite, not negative, summable. */
static double
sane(double x)
{
    const double most = 1e100;

    return x > 0 ? (x < most ? x : most) : 0;
}

static double
load_of(const struct manager *m, const c4i_lb_object *o)
{
    if (m->metric == BY_USER && o->user_load >= 0)
        return sane(o->user_load);
    return sane(m->cpu && o->cpu_s >= 0 ? o->cpu_s : o->wall_s);
}

static uint32_t
dims_of(const c4i_lb_object *objs, uint32_t nobjs)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < nobjs; i++)
        if (objs[i].ndims > most && objs[i].ndims <= C4_MAXDIMS)
            most = objs[i].ndims;
    return most;
}

static void
fill_object(const struct manager *m, struct posed *q, uint32_t i, const c4i_lb_object *o)
{
    q->load[i] = load_of(m, o);
    q->pe_of[i] = q->pe_new[i] = o->pe;
    q->movable[i] = o->movable != 0;
    q->bytes[i] = o->nbytes;
    for (uint32_t d = 0; d < q->p.ndims && d < o->ndims; d++)
        q->position[(size_t)i * q->p.ndims + d] = (float)o->index[d];
}

static c4_err
pose(const struct manager *m, c4_pe *pe, const c4i_lb_object *objs, uint32_t nobjs,
     const c4i_lb_pe *pes, uint32_t npes, struct posed *q)
{
    if (npes == 0 || posed_init(q, nobjs, npes, dims_of(objs, nobjs)))
        return c4_fail(pe, C4_ENOMEM, "out of memory for balancing %u objects", nobjs);
    for (uint32_t i = 0; i < nobjs; i++) {
        if (objs[i].pe >= npes) {
            posed_release(q);
            return c4_fail(pe, C4_EFAULT, "statistics of an object on PE %u of %u", objs[i].pe, npes);
        }
        fill_object(m, q, i, &objs[i]);
    }
    for (uint32_t i = 0; i < npes; i++) {
        q->background[i] = m->objects_only ? 0 : sane(pes[i].background_s);
        q->speed[i] = 1;
    }
    return C4_OK;
}

/* ---- The decision ------------------------------------------------------- */

/* One line, once: a strategy that fails will fail in each round. */
__attribute__((format(printf, 3, 4)))
static void
warn(struct manager *m, c4_pe *pe, const char *fmt, ...)
{
    const c4i_recorder *r = c4i_get_recorder(pe);
    char text[256];
    va_list ap;

    if (m->warned)
        return;
    m->warned = true;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(stderr, "c4: warning: %s; objects stay where they are (said once)\n", text);
    if (r && r->log)
        r->log(r->ctx, 1, text);
}

/* Runs the strategy; an answer that cannot be used becomes "nothing moves". */
static void
solve(struct manager *m, c4_pe *pe, const c4i_lb_choice *c, struct posed *q, c4i_lb_step *step)
{
    struct c4i_clock *clock = c4i_pe_clock(pe);
    uint64_t begin = c4i_ticks(clock);
    uint32_t obj = 0;
    c4_err err = c->lb->solve(&q->p, c->options, q->pe_new);

    step->strategy_ns = c4i_ticks_to_ns(clock, c4i_ticks(clock)) - c4i_ticks_to_ns(clock, begin);
    if (err)
        warn(m, pe, "balancer %s failed: %s", c->lb->name, c4_strerror(err));
    else if ((err = c4i_lb_check(&q->p, q->pe_new, &obj)))
        warn(m, pe, "balancer %s wants object %u on PE %u, %s", c->lb->name, obj, q->pe_new[obj],
             q->pe_new[obj] < q->p.npes ? "but that object must not move" : "which does not exist");
    if (!err)
        return;
    memcpy(q->pe_new, q->pe_of, q->p.nobjs * sizeof(*q->pe_new));
    snprintf(step->reason, sizeof(step->reason), "AtSync, but the strategy failed");
}

/* The text of a fixed field, cut if need be, always terminated. */
static void
set_text(char *field, size_t size, const char *text)
{
    snprintf(field, size, "%s", text);
}

static void
step_init(struct manager *m, c4_pe *pe, uint32_t round, const c4i_lb_choice *c,
          const struct posed *q, c4i_lb_step *step)
{
    struct c4i_clock *clock = c4i_pe_clock(pe);

    *step = (c4i_lb_step){
        .version = C4I_LB_RECORD_VERSION, .round = round,
        .npes = q->p.npes, .nobjs = q->p.nobjs, .seed = m->seed,
        .begin_ns = c4i_ticks_to_ns(clock, c4i_ticks(clock)),
    };
    set_text(step->strategy, sizeof(step->strategy), c->lb->name);
    set_text(step->options, sizeof(step->options), c->text);
    set_text(step->reason, sizeof(step->reason), "AtSync");
    if (m->metric == BY_USER)
        snprintf(step->metric, sizeof(step->metric), "user,%s", m->cpu ? "cpu" : "wall");
    else
        set_text(step->metric, sizeof(step->metric), metric_names[m->metric]);
}

/* ---- Telling about it --------------------------------------------------- */

static void
record(c4_pe *pe, const c4i_lb_step *step, const struct posed *q,
       const c4i_lb_object *objs, const c4i_lb_pe *pes)
{
    const c4i_recorder *r = c4i_get_recorder(pe);
    size_t npes = step->npes, nobjs = step->nobjs;
    size_t len = sizeof(*step) + npes * sizeof(*pes) +
                 nobjs * (sizeof(c4i_lb_placed) + sizeof(*objs));
    unsigned char *buf, *at;

    if (!r || !r->lb)
        return;
    buf = at = malloc(len);
    if (!buf)
        return;                             /* a record less; the job matters more */
    memcpy(at, step, sizeof(*step));
    at += sizeof(*step);
    memcpy(at, pes, npes * sizeof(*pes));
    at += npes * sizeof(*pes);
    for (size_t i = 0; i < nobjs; i++, at += sizeof(c4i_lb_placed)) {
        c4i_lb_placed placed = { q->pe_of[i], q->pe_new[i], q->load[i] };

        memcpy(at, &placed, sizeof(placed));
    }
    if (nobjs)
        memcpy(at, objs, nobjs * sizeof(*objs));
    r->lb(r->ctx, buf, len);
    free(buf);
}

static void
print_pes(const struct posed *q, const c4i_lb_pe *pes)
{
    uint32_t npes = q->p.npes;
    double *finish = calloc(npes, 2 * sizeof(*finish));
    uint32_t *count = calloc(npes, 2 * sizeof(*count));

    if (finish && count) {
        c4i_lb_finish(&q->p, q->pe_of, finish);
        c4i_lb_finish(&q->p, q->pe_new, finish + npes);
        for (uint32_t i = 0; i < q->p.nobjs; i++) {
            count[q->pe_of[i]]++;
            count[npes + q->pe_new[i]]++;
        }
        printf("c4>   PE  objects  ->      load         ->   background     busy s     idle s\n");
        for (uint32_t i = 0; i < npes; i++)
            printf("c4> %4u %8u %-6u %10.4g %-10.4g %10.4g %10.4g %10.4g\n", i, count[i],
                   count[npes + i], finish[i], finish[npes + i], q->background[i],
                   pes[i].busy_s, pes[i].idle_s);
    }
    free(count);
    free(finish);
}

static void
report(const struct manager *m, const c4i_lb_step *s, const struct posed *q, const c4i_lb_pe *pes)
{
    if (m->debug == 0)
        return;
    printf("c4> LB step %u (%s): %s%s%s, load %s, %u of %u objects move, "
           "imbalance %.3f -> %.3f predicted, %.3f ms\n",
           s->round, s->reason, s->strategy, *s->options ? "," : "", s->options, s->metric,
           s->nmoves, s->nobjs, s->imbalance_before, s->imbalance_predicted,
           (double)s->strategy_ns / 1e6);
    if (m->debug > 1)
        print_pes(q, pes);
    fflush(stdout);
}

/* ---- The hook ----------------------------------------------------------- */

static c4_err
list_moves(const struct posed *q, const c4i_lb_object *objs, uint32_t n, c4i_lb_move **out)
{
    c4i_lb_move *moves = calloc(n ? n : 1, sizeof(*moves));
    uint32_t k = 0;

    if (!moves)
        return C4_ENOMEM;
    for (uint32_t i = 0; i < q->p.nobjs; i++)
        if (q->pe_new[i] != q->pe_of[i])
            moves[k++] = (c4i_lb_move){ objs[i].elem, objs[i].coll, q->pe_new[i] };
    *out = moves;
    return C4_OK;
}

/* +LBPeriod: too early for another step?  Then only the loads are recorded. */
static bool
too_early(struct manager *m, c4i_lb_step *step)
{
    if (m->last_ns && step->begin_ns - m->last_ns < m->period_ns) {
        set_text(step->reason, sizeof(step->reason), "AtSync, within +LBPeriod");
        return true;
    }
    m->last_ns = step->begin_ns ? step->begin_ns : 1;
    return false;
}

static c4_err
decide(void *ctx, c4_pe *pe, uint32_t round, const c4i_lb_object *objs, uint32_t nobjs,
       const c4i_lb_pe *pes, uint32_t npes, c4i_lb_move **moves, uint32_t *nmoves)
{
    struct manager *m = ctx;
    const c4i_lb_choice *c = &m->choice[round < m->nchoices ? round : m->nchoices - 1];
    struct c4i_clock *clock = c4i_pe_clock(pe);
    c4i_lb_step step;
    struct posed q;
    c4_err err = pose(m, pe, objs, nobjs, pes, npes, &q);

    if (err)
        return err;
    q.rng = c4i_lb_rng(m->seed, round);
    step_init(m, pe, round, c, &q, &step);
    if (!too_early(m, &step))
        solve(m, pe, c, &q, &step);
    step.nmoves = c4i_lb_nmoves(&q.p, q.pe_new);
    err = c4i_lb_imbalance(&q.p, q.pe_of, &step.imbalance_before);
    if (!err)
        err = c4i_lb_imbalance(&q.p, q.pe_new, &step.imbalance_predicted);
    if (!err)
        err = list_moves(&q, objs, step.nmoves, moves);
    if (!err) {
        *nmoves = step.nmoves;
        step.end_ns = c4i_ticks_to_ns(clock, c4i_ticks(clock));
        record(pe, &step, &q, objs, pes);
        report(m, &step, &q, pes);
    } else {
        c4_fail(pe, err, "out of memory for balancing %u objects", nobjs);
    }
    posed_release(&q);
    return err;
}

static void
release(void *ctx)
{
    struct manager *m = ctx;

    for (size_t i = 0; i < m->nchoices; i++)
        c4i_lb_choice_release(&m->choice[i]);
    free(m->choice);
    free(m);
}

static void
announce(const struct manager *m, c4_pe *pe)
{
    const c4i_flags *f = c4i_pe_flags(pe);
    const char *also = m->metric == BY_USER ? "as given by objects, else " : "";

    if (c4_mype(pe) != 0 || c4i_flags_has(f, "++quiet"))
        return;
    printf("c4> balancing with %s, load is %s%s time%s\n", m->choice[0].lb->name, also,
           m->cpu ? "CPU" : "wall",
           c4i_pe_oversubscribed(pe) && m->cpu ? " (there are more PEs than cores)" : "");
    if (c4i_flags_has(f, "+LBCommOn"))
        printf("c4> +LBCommOn: who talks to whom is not measured yet, balancing by load\n");
    if (m->period_ns)
        printf("c4> +LBPeriod: at most one step in %g s; steps begin with AtSync only\n",
               (double)m->period_ns / 1e9);
    fflush(stdout);
}

c4_err
c4i_lb_attach(c4_pe *pe)
{
    const c4i_flags *f = c4i_pe_flags(pe);
    c4i_balancer b = { .decide = decide, .release = release };
    struct manager *m;
    c4_err err;

    if (!c4i_flags_has(f, "+balancer") || c4i_lb_help(f, NULL))
        return C4_OK;
    if (c4i_flags_has(f, "+LBOff")) {
        if (c4_mype(pe) == 0 && !c4i_flags_has(f, "++quiet"))
            printf("c4> +LBOff: nothing is measured, so +balancer does nothing\n");
        return C4_OK;
    }
    b.ctx = m = calloc(1, sizeof(*m));
    if (!m)
        return c4_fail(pe, C4_ENOMEM, "out of memory for the balancer");
    err = read_flags(pe, m);
    if (!err)
        err = read_choices(pe, m);
    if (err) {
        release(m);
        return err;
    }
    b.want_cpu = m->cpu;
    c4i_set_balancer(pe, &b);
    announce(m, pe);
    return C4_OK;
}
