/*
 * section_storm.c - random programs full of sections against the protocols.
 *
 *     section_storm [--seeds A..B] [-v]
 *
 * Sections of elements of a dense and of a sparse array, of groups and of
 * single chares, overlapping, made anywhere and used by everybody at once: ids
 * go from PE to PE through this program, faster than any message.  Members move,
 * some do not exist yet.  The checker knows every call and contribution:
 *
 * - A call reaches every member exactly once, all members in one order, and
 *   the calls of one PE in the order in which it made them.
 * - An awaited call is answered when all members have finished, with each one's
 *   result in the order of the list of members.
 * - A reduction's result is that of exactly one contribution of each member.
 * - At rest nothing is left anywhere; quiescence fires; a job can end any time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/pe.h"
#include "runtime/sim.h"

enum { MAXPE = 8, MAXWHO = 64, MAXSEC = 12, MAXCAST = 48, MAXRED = 8, MAXSHOUT = 16, NJOBS = 2 };
enum { MAXORDER = MAXCAST + MAXSEC * MAXRED, STEPS = 400000 };
enum { OP_ACT, OP_CONTRIBUTE, OP_MOVE };
enum { ONE_NOTE, ONE_CAST, ONE_REDUCED, ONE_SHOUT };
enum { TWO_REDUCED, TWO_SPARE, TWO_CAST, TWO_NOTE };    /* the same methods, other numbers */

struct who {                                /* a chare */
    c4_chare chare;
    bool     two, exists, fixed;            /* of type two; is or will be there; cannot move */
    uint32_t rcvd[MAXPE], sent[MAXPE];
};

struct cast {
    uint32_t pe, serial;                    /* caller; its count of calls to the section */
    bool     awaited, results, done;
    uint64_t ran, finished;                 /* places */
};

struct reduction {
    bool     begun, done;
    uint64_t from;                          /* places */
    int64_t  sum;
    uint32_t to;                            /* the section it is for; MAXSEC: a future */
    uint64_t heard;                         /* by places of it */
};

struct section {
    c4_section id;
    uint32_t   n, member[MAXWHO];
    uint32_t   ncast, serial[MAXPE];
    struct cast cast[MAXCAST];
    struct reduction red[MAXRED];
    uint32_t   next[MAXWHO];                /* reduction, by place */
    uint32_t   norder, order[MAXORDER];     /* as the first member had it */
    bool       known;                       /* to all members */
    uint32_t   nran[MAXWHO];                /* by place */
    uint32_t   heard[MAXWHO][MAXPE];        /* by place and caller: calls so far */
};

struct shout {                              /* a broadcast to the group on some PEs */
    uint64_t ran;
    bool     done;
};

struct late {
    c4_done  done;
    uint32_t who;
    uint64_t value;
    struct late *next;
};

struct world {
    uint64_t seed, rng;
    c4i_sim *sim;
    uint32_t npes, nwho, nsec, nshout, nsome;
    uint64_t some;                          /* PEs of the group on some PEs */
    c4_coll  dense, sparse, group, limited;
    struct who who[MAXWHO];
    struct section sec[MAXSEC];
    struct shout shout[MAXSHOUT];
    uint32_t limited_next[MAXPE], limited_fired;
    int      budget;
    unsigned move, defer, fan;              /* percent */
    bool     ending, verbose;
    uint32_t nqd, nawait;
    struct late *late;
};

struct note { uint32_t op, sec, src, seq, arg; };
struct call { uint32_t sec, cast, len; unsigned char fill[]; };
struct sum { int64_t count, sum, tag; };    /* what is reduced; tag: section and number */
struct body { uint32_t who, moves; uint64_t x; };

struct report { uint64_t seed; };           /* shared with the parent */

static void __attribute__((noreturn, format(printf, 2, 3)))
wrong(const struct world *w, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "FAILED: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nrepeat: section_storm --seeds %" PRIu64 "..%" PRIu64 " -v\n", w->seed,
            w->seed);
    _exit(1);
}

#define SAY(w, ...) do { if ((w)->verbose) fprintf(stderr, __VA_ARGS__); } while (0)

static uint32_t
rnd(struct world *w, uint32_t n)
{
    return (uint32_t)(c4i_sim_rand(&w->rng) % n);
}

static bool
chance(struct world *w, unsigned percent)
{
    return rnd(w, 100) < percent;
}

static c4_pe *
some_pe(struct world *w)
{
    return c4i_sim_pe(w->sim, rnd(w, w->npes));
}

/* The API may refuse only when the job is ending. */
static void
ok(struct world *w, c4_pe *pe, c4_err err, const char *what)
{
    if (err && !c4_stopping(pe))
        wrong(w, "%s: %s (%s)", what, c4_strerror(err), c4_error(pe));
}

static uint32_t
who_is(const struct world *w, c4_chare c)
{
    for (uint32_t i = 0; i < w->nwho; i++)
        if (w->who[i].chare.coll == c.coll && w->who[i].chare.idx == c.idx)
            return i;
    wrong(w, "chare %" PRIu64 " of %u does not exist", c.idx, c.coll);
}

static uint32_t
place_of(const struct world *w, const struct section *s, uint32_t who)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->member[i] == who)
            return i;
    wrong(w, "chare %u is called for section %u, of which it is no member", who,
          (uint32_t)(s - w->sec));
}

/* ---- Calls ------------------------------------------------------------------------ */

static uint64_t
value_of(uint32_t sec, uint32_t cast, uint32_t who)
{
    return (uint64_t)sec * 1000003 + cast * 1009 + who;
}

static c4_err
answered(c4_pe *pe, void *arg, const c4_call *value, unsigned flags)
{
    struct world *w = c4_user(pe);
    struct cast *x = arg;
    struct section *s = w->sec;
    const unsigned char *p = value->data;
    uint32_t n = 0, sec, no;
    c4_result r;

    while (x < s->cast || x >= s->cast + MAXCAST)
        s++;
    sec = (uint32_t)(s - w->sec);
    no = (uint32_t)(x - s->cast);
    SAY(w, "  answer of call %u.%u on PE %u\n", sec, no, c4_mype(pe));
    if (x->done || c4_mype(pe) != x->pe)
        wrong(w, "call %u.%u is answered twice, or on PE %u", sec, no, c4_mype(pe));
    if (x->finished != x->ran || (uint32_t)__builtin_popcountll(x->finished) != s->n)
        wrong(w, "call %u.%u is answered after %d of %u", sec, no,
              __builtin_popcountll(x->finished), s->n);
    x->done = true;
    if (x->results != !!(flags & C4_VALUE_RESULTS) || (!x->results && value->len))
        wrong(w, "call %u.%u: results", sec, no);
    for (size_t at = 0; x->results && at < value->len; n++, at += sizeof(r) + 16) {
        uint64_t got;

        memcpy(&r, p + at, sizeof(r));
        memcpy(&got, p + at + sizeof(r), sizeof(got));
        if (n >= s->n || r.place != n || r.len != 8
            || who_is(w, c4_elem(r.coll, r.key)) != s->member[n]
            || got != value_of(sec, no, s->member[n]))
            wrong(w, "call %u.%u: result %u is wrong", sec, no, n);
    }
    if (x->results && n != s->n)
        wrong(w, "call %u.%u has %u results of %u", sec, no, n, s->n);
    return C4_OK;
}

static void
cast(struct world *w, c4_pe *pe, uint32_t sec)
{
    struct section *s = &w->sec[sec];
    uint32_t no = s->ncast, me = c4_mype(pe), extra = chance(w, 80) ? rnd(w, 30) : rnd(w, 4000);
    struct cast *x = &s->cast[no];
    struct call *m;
    c4_future f = 0;

    if (no == MAXCAST)
        return;
    s->ncast++;
    *x = (struct cast){ .pe = me, .serial = s->serial[me]++, .awaited = chance(w, 50) };
    x->results = x->awaited && chance(w, 50);
    m = c4i_alloc(sizeof(*m) + extra);
    *m = (struct call){ sec, no, extra };
    for (uint32_t i = 0; i < extra; i++)
        m->fill[i] = (unsigned char)(no * 7 + i);
    SAY(w, "  PE %u calls %u.%u (%u bytes%s%s)\n", me, sec, no, extra, x->awaited ? ", awaited" : "",
        x->results ? ", results" : "");
    if (x->awaited)
        f = c4_bind_future(pe, 1, answered, x);
    ok(w, pe, c4_section_castv(pe, s->id, c4_method_id("cast"),
                               &(struct iovec){ m, sizeof(*m) + extra }, 1, f,
                               x->results ? C4_BCAST_RESULTS : 0), "c4_section_castv");
    free(m);
}

/* A member runs something of the section: the same things in the same order. */
static void
in_order(struct world *w, struct section *s, uint32_t place, uint32_t what)
{
    uint32_t k = s->nran[place]++, sec = (uint32_t)(s - w->sec);

    if (k < s->norder && s->order[k] != what)
        wrong(w, "member %u of section %u runs %u in place %u, others %u", place, sec, what, k,
              s->order[k]);
    if (k == s->norder)
        s->order[s->norder++] = what;
}

static uint64_t
on_cast(struct world *w, c4_pe *pe, uint32_t who, const void *data, size_t len, bool want)
{
    const struct call *m = data;
    struct section *s;
    struct cast *x;
    uint32_t place;

    if (len < sizeof(*m) || m->sec >= w->nsec || m->cast >= w->sec[m->sec].ncast
        || len != sizeof(*m) + m->len)
        wrong(w, "a call of %zu bytes is damaged", len);
    for (uint32_t i = 0; i < m->len; i++)
        if (m->fill[i] != (unsigned char)(m->cast * 7 + i))
            wrong(w, "call %u.%u is damaged", m->sec, m->cast);
    s = &w->sec[m->sec];
    x = &s->cast[m->cast];
    place = place_of(w, s, who);
    SAY(w, "  call %u.%u on chare %u, PE %u\n", m->sec, m->cast, who, c4_mype(pe));
    if (x->ran >> place & 1)
        wrong(w, "call %u.%u runs twice on chare %u", m->sec, m->cast, who);
    if (s->heard[place][x->pe]++ != x->serial)
        wrong(w, "call %u.%u: chare %u has run %u of %u calls of PE %u before", m->sec, m->cast,
              who, s->heard[place][x->pe] - 1, x->serial, x->pe);
    if (want != x->awaited)
        wrong(w, "call %u.%u is%s awaited", m->sec, m->cast, want ? "" : " not");
    in_order(w, s, place, m->cast);
    x->ran |= (uint64_t)1 << place;
    return value_of(m->sec, m->cast, who);
}

static void
cast_finished(struct world *w, uint32_t who, uint64_t value)
{
    uint32_t sec = (uint32_t)(value / 1000003), no = (uint32_t)(value % 1000003 / 1009);

    w->sec[sec].cast[no].finished |= (uint64_t)1 << place_of(w, &w->sec[sec], who);
}

/* ---- Reductions ---------------------------------------------------------------------- */

static void
check_sum(struct world *w, const void *data, size_t len, uint32_t *sec, uint32_t *r)
{
    struct sum x;
    const struct reduction *red;
    uint32_t n;

    if (len != sizeof(x))
        wrong(w, "a reduction's result has %zu bytes", len);
    memcpy(&x, data, sizeof(x));
    if (x.count <= 0 || x.tag % x.count)
        wrong(w, "a reduction mixes others");
    *sec = (uint32_t)(x.tag / x.count) / MAXRED;
    *r = (uint32_t)(x.tag / x.count) % MAXRED;
    if (*sec >= w->nsec)
        wrong(w, "a reduction of no section");
    n = w->sec[*sec].n;
    red = &w->sec[*sec].red[*r];
    if (x.count != n || (uint32_t)__builtin_popcountll(red->from) != n || x.sum != red->sum)
        wrong(w, "reduction %u of section %u: %d of %u contributions, sum %" PRId64 " for %" PRId64,
              *r, *sec, (int)x.count, n, x.sum, red->sum);
}

static c4_err
reduced(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct world *w = c4_user(pe);
    uint32_t sec, r;

    check_sum(w, data, len, &sec, &r);
    SAY(w, "  reduction %u of section %u is done\n", r, sec);
    if (&w->sec[sec].red[r] != arg || w->sec[sec].red[r].done)
        wrong(w, "reduction %u of section %u goes to the wrong future, or twice", r, sec);
    w->sec[sec].red[r].done = true;
    return C4_OK;
}

static void
on_reduced(struct world *w, uint32_t who, const void *data, size_t len)
{
    uint32_t sec, r, place;
    struct reduction *red;
    struct section *to;

    check_sum(w, data, len, &sec, &r);
    red = &w->sec[sec].red[r];
    if (red->to == MAXSEC)
        wrong(w, "reduction %u of section %u is for a future", r, sec);
    to = &w->sec[red->to];
    place = place_of(w, to, who);
    if (red->heard >> place & 1)
        wrong(w, "chare %u gets reduction %u of section %u twice", who, r, sec);
    in_order(w, to, place, MAXCAST + sec * MAXRED + r);
    red->heard |= (uint64_t)1 << place;
    red->done = (uint32_t)__builtin_popcountll(red->heard) == to->n;
}

static void
contribute(struct world *w, c4_pe *pe, uint32_t who, uint32_t sec)
{
    struct section *s = &w->sec[sec];
    uint32_t place = place_of(w, s, who), r = s->next[place];
    struct reduction *red = &s->red[r];
    struct sum x = { 1, (int64_t)rnd(w, 1000) - 500, sec * MAXRED + r };
    c4_callback cb;

    if (r == MAXRED)
        return;
    if (s->known && !c4_in_section(pe, s->id, w->who[who].chare))
        wrong(w, "chare %u does not know that it is in section %u", who, sec);
    s->next[place]++;
    if (!red->begun)
        red->to = chance(w, 50) ? MAXSEC : rnd(w, w->nsec);
    if (red->to < MAXSEC)
        cb = c4_cb_section(w->sec[red->to].id, c4_method_id("reduced"));
    else if (!red->begun)
        cb = c4_cb_future(c4_future_new(pe, 1, reduced, red));
    else
        cb = (c4_callback){ 0 };            /* the first contributor's counts */
    red->begun = true;
    red->from |= (uint64_t)1 << place;
    red->sum += x.sum;
    SAY(w, "  chare %u contributes to %u of section %u on PE %u\n", who, r, sec, c4_mype(pe));
    ok(w, pe, c4_reduce_section(pe, s->id, C4_RED_SUM_I64, &x, sizeof(x), &cb),
       "c4_reduce_section");
}

/* ---- The group on some PEs -------------------------------------------------------------- */

static c4_err
shout_done(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct world *w = c4_user(pe);
    struct shout *x = arg;

    (void)data;
    if (x->done || x->ran != w->some || len)
        wrong(w, "a broadcast to the group on some PEs is answered early or twice");
    x->done = true;
    return C4_OK;
}

static void
shout(struct world *w, c4_pe *pe)
{
    uint32_t no = w->nshout;
    c4_future f;

    if (no == MAXSHOUT)
        return;
    w->nshout++;
    f = c4_future_new(pe, 1, shout_done, &w->shout[no]);
    ok(w, pe, c4_bcastv(pe, w->limited, ONE_SHOUT, &(struct iovec){ &no, sizeof(no) }, 1, f, 0),
       "c4_bcastv");
}

static c4_err
limited_reduced(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct world *w = c4_user(pe);
    int64_t sum;

    (void)arg;
    memcpy(&sum, data, sizeof(sum));
    if (len != sizeof(sum) || sum != w->nsome)
        wrong(w, "a reduction of the group on some PEs: %" PRId64 " of %u", sum, w->nsome);
    w->limited_fired++;
    return C4_OK;
}

static void
on_shout(struct world *w, c4_pe *pe, const void *data, size_t len)
{
    uint32_t no, me = c4_mype(pe);
    int64_t one = 1;
    c4_callback cb = { 0 };

    memcpy(&no, data, sizeof(no));
    if (len != sizeof(no) || no >= w->nshout || !(w->some >> me & 1) || (w->shout[no].ran >> me & 1))
        wrong(w, "a broadcast to the group on some PEs runs on PE %u", me);
    if (w->shout[no].ran == 0)
        cb = c4_cb_future(c4_future_new(pe, 1, limited_reduced, NULL));
    /* The k-th contributions of the members are to the same reduction, whichever broadcast
     * they are made in: the futures of some of them may be those of others. */
    w->shout[no].ran |= (uint64_t)1 << me;
    ok(w, pe, c4_reduce(pe, C4_RED_SUM_I64, &one, sizeof(one), &cb), "c4_reduce");
    w->limited_next[me]++;
}

/* ---- Acting -------------------------------------------------------------------------------- */

static void
send_note(struct world *w, c4_pe *pe, uint32_t who, struct note m)
{
    struct who *to = &w->who[who];

    m.src = c4_mype(pe);
    m.seq = to->sent[m.src]++;
    SAY(w, "  PE %u sends %u.%u to chare %u\n", m.src, m.op, m.sec, who);
    ok(w, pe, c4_send(pe, to->chare, to->two ? TWO_NOTE : ONE_NOTE, &m, sizeof(m)), "c4_send");
}

static c4_err
members_told(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct world *w = c4_user(pe);
    struct section *s = arg;
    c4_chare c;

    if (len != s->n * sizeof(c))
        wrong(w, "section %u has %zu bytes of members", (uint32_t)(s - w->sec), len);
    for (uint32_t i = 0; i < s->n; i++) {
        memcpy(&c, (const char *)data + i * sizeof(c), sizeof(c));
        if (who_is(w, c) != s->member[i])
            wrong(w, "member %u of section %u is another", i, (uint32_t)(s - w->sec));
    }
    return C4_OK;
}

static void
make_section(struct world *w, c4_pe *pe)
{
    struct section *s = &w->sec[w->nsec];
    c4_chare list[MAXWHO + 3];
    uint32_t order[MAXWHO], n = 0, k = w->nwho, twice = rnd(w, 3);
    unsigned dense = chance(w, 50) ? 10 + rnd(w, 30) : 50 + rnd(w, 51);

    if (w->nsec == MAXSEC)
        return;
    for (uint32_t i = 0; i < w->nwho; i++)
        order[i] = i;
    while (k > 1) {
        uint32_t x = rnd(w, k--), t = order[x];

        order[x] = order[k];
        order[k] = t;
    }
    for (uint32_t i = 0; i < w->nwho; i++)
        if (s->n == 0 || chance(w, dense)) {
            s->member[s->n++] = order[i];
            list[n++] = w->who[order[i]].chare;
        }
    while (twice-- > 0)
        list[n++] = list[rnd(w, s->n)];
    ok(w, pe, c4_section_new(pe, list, n, &s->id), "c4_section_new");
    SAY(w, "  PE %u makes section %u (%u) of %u\n", c4_mype(pe), w->nsec, s->id, s->n);
    w->nsec++;
}

static c4_err
all_know(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct world *w = c4_user(pe);
    struct section *s = arg;

    (void)data;
    if (len || !w->nawait)
        wrong(w, "awaiting section %u: answered twice", (uint32_t)(s - w->sec));
    w->nawait--;
    s->known = true;
    return C4_OK;
}

static void
act(struct world *w, c4_pe *pe)
{
    uint32_t sec = w->nsec ? rnd(w, w->nsec) : 0, who, what = rnd(w, 100);

    if (w->budget-- <= 0 || w->ending)
        return;
    if (w->nsec == 0 || what < 5) {
        make_section(w, pe);
    } else if (what < 7) {
        w->nawait++;
        ok(w, pe, c4_section_await(pe, w->sec[sec].id,
                                   c4_future_new(pe, 1, all_know, &w->sec[sec])),
           "c4_section_await");
    } else if (what < 30) {
        cast(w, pe, sec);
    } else if (what < 60) {
        who = w->sec[sec].member[rnd(w, w->sec[sec].n)];
        send_note(w, pe, who, (struct note){ .op = OP_CONTRIBUTE, .sec = sec });
    } else if (what < 62) {
        ok(w, pe, c4_section_members(pe, w->sec[sec].id,
                                     c4_future_new(pe, 1, members_told, &w->sec[sec])),
           "c4_section_members");
    } else if (what < 65) {
        shout(w, pe);
    } else {
        send_note(w, pe, rnd(w, w->nwho), (struct note){ .op = what < 85 ? OP_MOVE : OP_ACT });
    }
}

static void
on_note(struct world *w, c4_pe *pe, uint32_t who, const void *data, size_t len)
{
    struct note m;

    if (len != sizeof(m))
        wrong(w, "a note of %zu bytes", len);
    memcpy(&m, data, sizeof(m));
    if (w->who[who].rcvd[m.src]++ != m.seq)
        wrong(w, "chare %u gets note %u of PE %u as number %u", who, m.seq, m.src,
              w->who[who].rcvd[m.src] - 1);
    if (m.op == OP_CONTRIBUTE)
        do
            contribute(w, pe, who, m.sec);
        while (w->sec[m.sec].next[place_of(w, &w->sec[m.sec], who)] < m.arg);
}

/* What a chare does after every execution. */
static void
afterwards(struct world *w, c4_pe *pe, struct body *b, bool move)
{
    const struct who *me = &w->who[b->who];

    if ((move || chance(w, w->move)) && !me->fixed)
        ok(w, pe, c4_migrate(pe, rnd(w, w->npes)), "c4_migrate");
    for (unsigned fan = w->fan; fan > 0; fan = fan > 100 ? fan - 100 : 0)
        if (fan >= 100 || chance(w, fan))
            act(w, pe);
}

/* ---- The types ---------------------------------------------------------------------------------- */

static struct world *
begin(c4_pe *pe, struct body *b)
{
    struct world *w = c4_user(pe);
    uint32_t who = who_is(w, c4_self(pe));

    if (b->who != who + 1)
        wrong(w, "chare %u has the state of %u", who, b->who - 1);
    return w;
}

static c4_err
create(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct world *w = c4_user(pe);
    struct body *b = self;
    c4_chare me = c4_self(pe);

    (void)data;
    (void)len;
    if (w->limited == me.coll || !w->limited) {     /* not one of those that sections have */
        b->who = UINT32_MAX;
        if (w->limited && !(w->some >> me.idx & 1))
            wrong(w, "the group on some PEs has a member on PE %u", c4_mype(pe));
        return C4_OK;
    }
    b->who = who_is(w, me) + 1;
    return C4_OK;
}

#define BODY struct body *b = self; struct world *w = begin(pe, b); struct body me = { b->who - 1, 0, 0 }

static c4_err
one_note(c4_pe *pe, void *self, const void *data, size_t len)
{
    BODY;
    on_note(w, pe, me.who, data, len);
    afterwards(w, pe, &me, ((const struct note *)data)->op == OP_MOVE);
    return C4_OK;
}

static c4_err
one_cast(c4_pe *pe, void *self, const void *data, size_t len)
{
    BODY;
    uint64_t v = on_cast(w, pe, me.who, data, len, pe->ctx.done.want);

    if (pe->ctx.done.want)
        cast_finished(w, me.who, v);
    ok(w, pe, c4_reply(pe, &v, sizeof(v)), "c4_reply");
    afterwards(w, pe, &me, false);
    return C4_OK;
}

static c4_err
one_reduced(c4_pe *pe, void *self, const void *data, size_t len)
{
    BODY;
    on_reduced(w, me.who, data, len);
    afterwards(w, pe, &me, false);
    return C4_OK;
}

static c4_err
one_shout(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    on_shout(c4_user(pe), pe, data, len);
    return C4_OK;
}

static const c4_entry one_entries[] = {
    { "note", one_note }, { "cast", one_cast }, { "reduced", one_reduced }, { "shout", one_shout },
    { NULL, NULL }
};

static c4_err
wake_late(c4_pe *pe, void *arg)
{
    struct world *w = c4_user(pe);
    struct late *l = arg, **at = &w->late;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    cast_finished(w, l->who, l->value);
    ok(w, pe, c4_finish(pe, &l->done, &(struct iovec){ &l->value, sizeof(l->value) }, 1, false),
       "c4_finish");
    c4_unhold(pe, w->who[l->who].chare);
    free(l);
    return C4_OK;
}

/* Awaited calls may end later, like those of coroutines. */
static void
two_cast(struct world *w, c4_pe *pe, uint32_t who, c4_call *call)
{
    uint64_t v;
    struct late *l;

    if (call->cache && !*call->cache) {
        *call->cache = c4i_alloc(call->len);
        memcpy(*call->cache, call->data, call->len);
    } else if (call->cache && memcmp(*call->cache, call->data, call->len)) {
        wrong(w, "chare %u shares what another call decoded", who);
    }
    v = on_cast(w, pe, who, call->data, call->len, call->done.want);
    if (!call->done.want)
        return;
    if (!chance(w, w->defer)) {
        cast_finished(w, who, v);
        ok(w, pe, c4_replyv(pe, &(struct iovec){ &v, sizeof(v) }, 1, false), "c4_replyv");
        return;
    }
    l = c4i_alloc(sizeof(*l));
    *l = (struct late){ call->done, who, v, w->late };
    w->late = l;
    call->deferred = true;
    c4_hold(pe, w->who[who].chare);
    ok(w, pe, c4_after(pe, 1 + rnd(w, 200000), wake_late, l), "c4_after");
}

static c4_err
invoke(c4_pe *pe, void *self, unsigned entry, c4_call *call)
{
    bool move = false;

    if (entry == C4_ENTRY_CREATE)
        return create(pe, self, call->data, call->len);
    if (entry == C4_ENTRY_MIGRATED)
        return C4_OK;
    BODY;
    if (entry == TWO_NOTE) {
        on_note(w, pe, me.who, call->data, call->len);
        move = ((const struct note *)call->data)->op == OP_MOVE;
    } else if (entry == TWO_REDUCED) {
        on_reduced(w, me.who, call->data, call->len);
    } else if (entry == TWO_CAST) {
        two_cast(w, pe, me.who, call);
    } else {
        wrong(w, "entry %u is called", entry);
    }
    afterwards(w, pe, &me, move);
    return C4_OK;
}

static void
cache_free(c4_pe *pe, void *cached)
{
    (void)pe;
    free(cached);
}

static const c4_entry two_entries[] = {
    { "reduced", NULL }, { "spare", NULL }, { "cast", NULL }, { "note", NULL }, { NULL, NULL }
};
static const c4_binding binding = { .invoke = invoke, .cache_free = cache_free };
static const c4_type one = { .name = "one", .size = sizeof(struct body), .entries = one_entries,
                             .create = create, .pup = c4_pup_bytes };
static const c4_type two = { .name = "two", .size = sizeof(struct body), .entries = two_entries,
                             .pup = c4_pup_bytes, .binding = &binding };
static const c4_type limited = { .name = "limited", .size = sizeof(struct body),
                                 .entries = one_entries, .create = create };

/* ---- A run ----------------------------------------------------------------------------------------- */

static void
plan_net(struct world *w, c4i_sim_opts *o)
{
    static const uint32_t holds[] = {
        1u << C4I_SCAST, 1u << C4I_SREDUCE, 1u << C4I_SDONE, 1u << C4I_SREQ, 1u << C4I_MIGRATE,
        1u << C4I_HOME, 1u << C4I_HINT, 1u << C4I_INSERT | 1u << C4I_CTOR, 1u << C4I_CALL,
        1u << C4I_CREATE, UINT32_MAX
    };
    static const unsigned slow[] = { 0, 20, 50, 70 }, factor[] = { 5, 30, 300 };

    *o = (c4i_sim_opts){ .jitter = chance(w, 90), .latency_ns = chance(w, 20) ? 20 : 1000,
                         .ps_per_byte = chance(w, 50) ? 0 : 2000,
                         .step_ns = chance(w, 50) ? 50 : 500, .slow_percent = slow[rnd(w, 4)],
                         .slow_factor = factor[rnd(w, 3)],
                         .slow_pe_percent = chance(w, 30) ? 40 : 0 };
    if (chance(w, 60)) {
        o->hold_kinds = holds[rnd(w, 11)];
        if (chance(w, 30))
            o->hold_kinds |= holds[rnd(w, 10)];
        o->hold_percent = chance(w, 30) ? 100 : 5 + rnd(w, 50);
        o->hold_ns = chance(w, 30) ? 100000000 : 50000;
    }
}

static void
start(struct world *w)
{
    const c4_type *const types[] = { &one, &two, &limited };
    c4i_sim_opts net;
    uint32_t arity = 1 + rnd(w, 4), stress = chance(w, 15) ? C4I_STRESS_MIGRATE : 0;

    w->npes = chance(w, 20) ? 1 + rnd(w, 2) : 3 + rnd(w, MAXPE - 2);
    w->budget = 60 + (int)rnd(w, 400);
    w->move = chance(w, 15) ? 0 : chance(w, 20) ? 100 : rnd(w, 60);
    w->defer = chance(w, 50) ? rnd(w, 80) : 0;
    w->fan = 90 + rnd(w, 80);
    plan_net(w, &net);
    stress |= (chance(w, 40) ? C4I_STRESS_EVICT : 0) | (chance(w, 40) ? C4I_STRESS_LOG : 0);
    if (c4i_sim_new(w->npes, c4i_sim_rand(&w->rng), &net, &w->sim))
        wrong(w, "c4i_sim_new");
    for (uint32_t i = 0; i < w->npes; i++) {
        c4_pe *pe = c4i_sim_pe(w->sim, i);

        c4i_pe_set_arity(pe, arity);
        pe->stress = stress;
        pe->stress_rng = c4i_sim_rand(&w->rng);
        c4_set_user(pe, w);
        for (int k = 0; k < 3; k++)
            ok(w, pe, c4_register(pe, types[k]), "c4_register");
    }
    SAY(w, "seed %" PRIu64 ": %u PEs, arity %u, stress %x, moves %u %%, deferred %u %%, held kinds "
        "%x %u %%\n", w->seed, w->npes, arity, stress, w->move, w->defer, net.hold_kinds,
        net.hold_percent);
    c4_start_others(c4i_sim_pe(w->sim, 0), NULL, 0);
}

static void
add_who(struct world *w, c4_chare c, bool is_two, bool fixed, bool exists)
{
    w->who[w->nwho++] = (struct who){ .chare = c, .two = is_two, .fixed = fixed, .exists = exists };
}

static uint64_t
sparse_key(uint32_t i)
{
    return i * 7 + 3;
}

/* Sections are made while other PEs do not know the collections yet. */
static void
make_all(struct world *w)
{
    c4_pe *pe0 = c4i_sim_pe(w->sim, 0), *pe = some_pe(w);
    uint32_t on[MAXPE], n = 1 + rnd(w, 20), k = 0;
    c4_opts opts = { .on_pes = on };
    c4_chare c;

    for (uint32_t i = 0; i < w->npes; i++)
        if (chance(w, 50) || (i + 1 == w->npes && !w->some)) {
            w->some |= (uint64_t)1 << i;
            on[k++] = i;
        }
    opts.non_pes = w->nsome = k;
    ok(w, pe, c4_group_new(pe, &limited, &opts, &w->limited), "c4_group_new");
    ok(w, pe0, c4_array_new(pe0, &one, c4_dims(n), NULL, &w->dense), "c4_array_new");
    for (uint32_t i = 0; i < n; i++)
        add_who(w, c4_elem(w->dense, i), false, false, true);
    ok(w, pe0, c4_array_new(pe0, &two, c4_dims(0), NULL, &w->sparse), "c4_array_new");
    for (uint32_t i = rnd(w, 16); i > 0; i--)
        add_who(w, c4_elem(w->sparse, sparse_key(i)), true, false, false);
    ok(w, pe0, c4_group_new(pe0, &two, NULL, &w->group), "c4_group_new");
    for (uint32_t i = 0; i < w->npes; i++)
        add_who(w, c4_elem(w->group, i), true, true, true);
    for (uint32_t i = rnd(w, 4); i > 0; i--) {
        ok(w, pe0, c4_chare_new(pe0, &one, (int)rnd(w, w->npes), NULL, &c), "c4_chare_new");
        add_who(w, c, false, false, true);
    }
}

static void
insert(struct world *w, uint32_t who)
{
    c4_pe *pe = some_pe(w);
    c4_index at = c4_dims((int64_t)w->who[who].chare.idx);
    int on = chance(w, 50) ? -1 : (int)rnd(w, w->npes);

    if (w->who[who].exists || c4_stopping(pe))
        return;
    w->who[who].exists = true;
    ok(w, pe, c4_insert(pe, w->sparse, &at, on, NULL), "c4_insert");
}

static void
settle(struct world *w)
{
    if (c4i_sim_run(w->sim, STEPS) == STEPS)
        wrong(w, "the job does not come to rest");
}

static c4_err
quiet(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct world *w = c4_user(pe);

    (void)arg;
    (void)data;
    (void)len;
    w->nqd++;
    return C4_OK;
}

/* Every section's members contribute to the same number of reductions. */
static void
level(struct world *w)
{
    for (uint32_t k = 0; k < w->nsec; k++) {
        struct section *s = &w->sec[k];
        uint32_t max = 0;

        for (uint32_t i = 0; i < s->n; i++)
            max = s->next[i] > max ? s->next[i] : max;
        for (uint32_t i = 0; i < s->n; i++)
            if (s->next[i] < max)
                send_note(w, some_pe(w), s->member[i],
                          (struct note){ .op = OP_CONTRIBUTE, .sec = k, .arg = max });
    }
    settle(w);
}

static void
check_section(const struct world *w, const struct section *s)
{
    uint32_t sec = (uint32_t)(s - w->sec);

    for (uint32_t i = 0; i < s->ncast; i++) {
        if ((uint32_t)__builtin_popcountll(s->cast[i].ran) != s->n)
            wrong(w, "call %u.%u ran on %d of %u", sec, i, __builtin_popcountll(s->cast[i].ran),
                  s->n);
        if (s->cast[i].awaited && !s->cast[i].done)
            wrong(w, "call %u.%u is never answered", sec, i);
    }
    for (uint32_t r = 0; r < MAXRED; r++)
        if (s->red[r].begun && !s->red[r].done)
            wrong(w, "reduction %u of section %u is not done: %d of %u have contributed", r, sec,
                  __builtin_popcountll(s->red[r].from), s->n);
    for (uint32_t i = 0; i < s->n; i++)
        if (s->nran[i] != s->norder)
            wrong(w, "member %u of section %u ran %u of %u", i, sec, s->nran[i], s->norder);
}

static void
check_end(struct world *w)
{
    uint64_t created = 0, processed = 0;
    char text[300];

    for (uint32_t i = 0; i < w->nsec; i++)
        check_section(w, &w->sec[i]);
    for (uint32_t i = 0; i < w->nshout; i++)
        if (!w->shout[i].done)
            wrong(w, "a broadcast to the group on some PEs is never answered");
    if (w->limited_fired != w->nshout)
        wrong(w, "%u of %u reductions of the group on some PEs", w->limited_fired, w->nshout);
    for (uint32_t i = 0; i < w->nwho; i++)
        if (memcmp(w->who[i].sent, w->who[i].rcvd, sizeof(w->who[i].sent)))
            wrong(w, "chare %u has not got all its notes", i);
    if (w->nawait)
        wrong(w, "%u sections are not known to all their members", w->nawait);
    if (w->nqd != w->npes)
        wrong(w, "quiescence has fired %u times", w->nqd);
    for (uint32_t i = 0; i < w->npes; i++) {
        c4_pe *pe = c4i_sim_pe(w->sim, i);

        if (c4i_pe_leftovers(pe, text, sizeof(text)))
            wrong(w, "PE %u: %s", i, text);
        created += pe->created;
        processed += pe->processed;
    }
    if (created != processed)
        wrong(w, "%" PRIu64 " created, %" PRIu64 " processed", created, processed);
}

static void
end_early(struct world *w)
{
    int status;

    w->ending = true;
    for (uint32_t n = 1 + rnd(w, 3); n > 0; n--)
        c4_exit(some_pe(w), (int)n);
    settle(w);
    for (uint32_t i = 0; i < w->npes; i++)
        if (!c4i_pe_ended(c4i_sim_pe(w->sim, i), &status))
            wrong(w, "the job was told to exit, PE %u has not ended", i);
}

static void
run(struct world *w)
{
    bool early = chance(w, 8);

    start(w);
    make_all(w);
    for (uint32_t i = 0, n = 5 + rnd(w, 25); i < n; i++) {
        act(w, some_pe(w));
        insert(w, rnd(w, w->nwho));
        if (chance(w, 60))
            c4i_sim_run(w->sim, rnd(w, 150));
        if (early && i == n / 2) {
            end_early(w);
            return;
        }
    }
    if (chance(w, 50))
        settle(w);
    for (uint32_t i = 0; i < w->nwho; i++)
        insert(w, i);
    settle(w);
    w->ending = true;
    level(w);
    for (uint32_t i = 0; i < w->npes; i++) {
        c4_pe *pe = c4i_sim_pe(w->sim, i);
        c4_callback cb = c4_cb_future(c4_future_new(pe, 1, quiet, NULL));

        ok(w, pe, c4_quiescence(pe, &cb), "c4_quiescence");
    }
    settle(w);
    check_end(w);
}

static void
run_seed(uint64_t seed, bool verbose)
{
    struct world *w = c4i_alloc(sizeof(*w));

    w->seed = seed;
    w->rng = seed;
    w->verbose = verbose;
    c4i_sim_rand(&w->rng);
    run(w);
    c4i_sim_free(w->sim);
    while (w->late) {
        struct late *l = w->late;

        w->late = l->next;
        free(l);
    }
    free(w);
}

int
main(int argc, char **argv)
{
    uint64_t from = 1, to = 3000;
    bool verbose = false;
    int njobs = NJOBS, bad = 0;
    struct report *now = mmap(NULL, NJOBS * sizeof(*now), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid[NJOBS];

    for (int i = 1; i < argc; i++) {
        char *end;

        if (!strcmp(argv[i], "-v")) {
            verbose = true;
        } else if (!strcmp(argv[i], "--seeds") && i + 1 < argc) {
            from = to = strtoull(argv[++i], &end, 10);
            if (!strncmp(end, "..", 2))
                to = strtoull(end + 2, &end, 10);
        } else {
            fprintf(stderr, "usage: section_storm [--seeds A..B] [-v]\n");
            return 2;
        }
    }
    if (now == MAP_FAILED)
        return 2;
    njobs = to - from < NJOBS ? 1 : NJOBS;
    for (int k = 0; k < njobs; k++) {
        pid[k] = fork();
        if (pid[k])
            continue;
        for (uint64_t seed = from + (uint64_t)k; seed <= to; seed += (uint64_t)njobs) {
            now[k].seed = seed;
            alarm(100);                     /* one that hangs is one that fails */
            run_seed(seed, verbose);
        }
        return 0;
    }
    for (int k = 0; k < njobs; k++) {
        int status = 1;

        waitpid(pid[k], &status, 0);
        if (status)
            fprintf(stderr, "FAILED: seed %" PRIu64 " ended with status %x\n", now[k].seed, status);
        bad |= status != 0;
    }
    if (!bad)
        printf("%" PRIu64 " runs\n", to - from + 1);
    return bad;
}
