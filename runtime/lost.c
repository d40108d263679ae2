/*
 * lost.c - which elements a round of AtSync waits for, when nothing else happens.
 *
 * PE 0 asks all PEs now and then while it is idle and there are arrays that
 * take part: a wave down its tree, and up the sums of messages created and
 * processed, elements that wait, and per array and PE those that have not
 * called.  If answers of LOST_NS agree, nothing is outstanding but messages to
 * elements that do not exist, and somebody waits, then it tells, once until
 * something happens: only a timer could make it go on.  SIGQUIT asks at once,
 * and tells what there is.
 *
 * Nothing of this counts for quiescence.  It is about real time, so simulated
 * jobs, which call no idle(), never ask.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pe.h"
#include "text.h"

enum { MOST = 4 };                          /* elements that are named, a PE and array */
#define EVERY_NS 2500000000u
#define LOST_NS 10000000000u

enum { CREATED, PROCESSED, WAITING, NSUMS };

/* Elements of one array on one PE that round `round` lacks. */
typedef struct missing {
    c4_coll  coll;
    uint32_t pe, n, all;
    c4_index index[MOST];
} missing;

/* ---- One PE ------------------------------------------------------------------ */

static bool
takes_part(const c4_pe *pe)
{
    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++)
        if (pe->colls[i] && pe->colls[i]->at_sync)
            return true;
    return false;
}

static uint64_t
nwaiting(const c4_pe *pe)
{
    uint64_t n = 0;

    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++)
        for (const c4i_elem *e = pe->colls[i] ? pe->colls[i]->first : NULL; e; e = e->next)
            n += e->at_sync && e->waiting;
    return n;
}

/* Without a balancer a PE's elements wait for each other alone. */
static bool
is_missing(const c4_pe *pe, const c4i_elem *e, uint64_t round, uint64_t waiting)
{
    if (!e->at_sync || e->waiting)
        return e->at_sync && pe->has_lb && e->sync.next <= round;
    return pe->has_lb ? e->sync.next <= round : waiting > 0;
}

/* The elements with the least keys are named. */
static void
name(c4_pe *pe, missing *m, uint64_t *key, const c4i_elem *e)
{
    uint32_t i = m->n < MOST ? m->n : MOST;

    m->n++;
    if (i == MOST && key[MOST - 1] <= e->key)
        return;
    for (i -= i == MOST; i && key[i - 1] > e->key; i--) {
        key[i] = key[i - 1];
        m->index[i] = m->index[i - 1];
    }
    key[i] = e->key;
    m->index[i] = c4_index_of(pe, c4i_chare_of(e));
}

static void
look_at(c4_pe *pe, c4i_coll *c, uint64_t round, uint64_t waiting)
{
    missing m = { .coll = c->id, .pe = pe->me };
    uint64_t key[MOST];

    for (c4i_elem *e = c->first; e; e = e->next) {
        m.all += e->at_sync;
        if (is_missing(pe, e, round, waiting))
            name(pe, &m, key, e);
    }
    if (m.all && c4_buf_add(&pe->lost.list, &m, sizeof(m)))
        c4_abort(pe, "out of memory for a report on AtSync");
}

static void
add_own(c4_pe *pe)
{
    uint64_t waiting = nwaiting(pe);

    pe->lost.sum[CREATED] += pe->created;
    pe->lost.sum[PROCESSED] += pe->processed + c4i_nparked(pe);
    pe->lost.sum[WAITING] += waiting;
    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++)
        if (pe->colls[i])
            look_at(pe, pe->colls[i], pe->lost.round, waiting);
}

/* ---- Telling -------------------------------------------------------------------- */

static void
add_places(struct c4i_text *line, const missing *m, const char *before)
{
    c4i_text_add(line, before);
    for (uint32_t i = 0; i < m->n && i < MOST; i++) {
        c4i_text_add(line, i ? ", " : "");
        c4i_text_index(line, m->index[i].at, m->index[i].n);
    }
    if (m->n > MOST) {
        c4i_text_add(line, " and ");
        c4i_text_number(line, m->n - MOST, 10);
        c4i_text_add(line, " more");
    }
    c4i_text_add(line, " on PE ");
    c4i_text_number(line, m->pe, 10);
}

/* One line of array c, if it lacks any. */
static void
tell_coll(const c4_pe *pe, const c4i_coll *c)
{
    const missing *list = (const missing *)(void *)pe->lost.list.data;
    size_t nlist = pe->lost.list.len / sizeof(*list);
    struct c4i_text line = { .n = 0 };
    uint64_t n = 0, all = 0, nplaces = 0;

    for (size_t i = 0; i < nlist; i++)
        if (list[i].coll == c->id) {
            n += list[i].n;
            all += list[i].all;
        }
    if (!n)
        return;
    c4i_text_add(&line, "c4: AtSync waits: ");
    c4i_text_number(&line, n, 10);
    c4i_text_add(&line, " of ");
    c4i_text_number(&line, all, 10);
    c4i_text_add(&line, " elements of ");
    c4i_text_add(&line, c->type->name);
    c4i_text_add(&line, n == 1 ? " has not called: " : " have not called: ");
    for (size_t i = 0; i < nlist; i++)
        if (list[i].coll == c->id && list[i].n && nplaces++ < MOST)
            add_places(&line, &list[i], nplaces > 1 ? "; " : "");
    if (nplaces > MOST)
        c4i_text_add(&line, "; others on other PEs");
    fprintf(stderr, "%.*s (%llu wait%s)\n", (int)line.n, line.s,
            (unsigned long long)pe->lost.sum[WAITING], pe->lost.sum[WAITING] == 1 ? "s" : "");
}

static int
by_pe(const void *a, const void *b)
{
    const missing *x = a, *y = b;

    return x->pe < y->pe ? -1 : x->pe > y->pe;
}

static void
tell(const c4_pe *pe)
{
    if (pe->lost.list.len)
        qsort(pe->lost.list.data, pe->lost.list.len / sizeof(missing), sizeof(missing), by_pe);
    fflush(stdout);
    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++) {
        const c4i_coll *c = pe->colls[i];

        if (!c)
            continue;
        if (pe->has_lb && c->at_sync && !c->closed)
            fprintf(stderr, "c4: AtSync waits: %s still takes insertions; call ckDoneInserting (C: "
                    "c4_done_inserting)\n", c->type->name);
        tell_coll(pe, c);
    }
    fflush(stderr);
}

/* ---- The wave --------------------------------------------------------------------- */

static void
down(c4_pe *pe, uint64_t round)
{
    pe->lost.round = round;
    pe->lost.heard = 0;
    pe->lost.list.len = 0;
    memset(pe->lost.sum, 0, sizeof(pe->lost.sum));
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, 0); i++) {
        c4i_wire w = c4i_wire_for(C4I_QD, 0);

        w.entry = C4I_QD_LOST;
        w.call = round;
        c4i_post_data(pe, c4i_tree_kid(pe, 0, i), &w, NULL, 0);
    }
}

/* PE 0: is there nothing that could make it go on? */
static void
judge(c4_pe *pe)
{
    struct c4i_lost *l = &pe->lost;
    bool rest = l->sum[CREATED] == l->sum[PROCESSED] && l->sum[WAITING];
    uint64_t now = c4i_now_ns(pe);

    if (!rest || memcmp(l->sum, l->last, sizeof(l->sum)) != 0) {
        l->since = now;
        l->told = false;
    }
    memcpy(l->last, l->sum, sizeof(l->sum));
    if (l->asked || (rest && !l->told && now - l->since >= LOST_NS)) {
        l->told = l->told || !l->asked;
        l->asked = false;
        if (l->sum[WAITING])
            tell(pe);
    }
}

static void
check(c4_pe *pe)
{
    c4i_wire w = c4i_wire_for(C4I_QD, 0);
    struct iovec iov[2];

    if (pe->lost.heard < c4i_tree_nkids(pe, 0))
        return;
    add_own(pe);
    if (pe->me == 0) {
        pe->lost.running = false;
        judge(pe);
        return;
    }
    w.entry = C4I_QD_LOST;
    w.flags = C4I_F_UP;
    iov[0] = (struct iovec){ pe->lost.sum, sizeof(pe->lost.sum) };
    iov[1] = (struct iovec){ pe->lost.list.data, pe->lost.list.len };
    c4i_post(pe, c4i_tree_parent(pe, 0), &w, iov, 2);
}

void
c4i_on_lost(c4_pe *pe, c4i_msg *m)
{
    uint64_t sum[NSUMS];

    if (!(m->w.flags & C4I_F_UP)) {
        down(pe, m->w.call);
    } else {
        if (m->len < sizeof(sum) || (m->len - sizeof(sum)) % sizeof(missing))
            c4_abort(pe, "malformed message: report on AtSync");
        memcpy(sum, m->data, sizeof(sum));
        for (int i = 0; i < NSUMS; i++)
            pe->lost.sum[i] += sum[i];
        if (c4_buf_add(&pe->lost.list, (const char *)m->data + sizeof(sum), m->len - sizeof(sum)))
            c4_abort(pe, "out of memory for a report on AtSync");
        pe->lost.heard++;
    }
    check(pe);
}

/* ---- When PE 0 asks ------------------------------------------------------------------ */

static void
ask(c4_pe *pe)
{
    if (pe->lost.running)
        return;
    pe->lost.running = true;
    down(pe, pe->sync.next);
    check(pe);
}

void
c4i_lost_ask(c4_pe *pe)
{
    if (pe->me != 0 || !takes_part(pe))
        return;
    pe->lost.asked = true;
    ask(pe);
}

uint64_t
c4i_lost_wait(c4_pe *pe)
{
    uint64_t now;

    if (pe->me != 0 || pe->exit != C4I_RUNNING || !takes_part(pe))
        return C4I_INF;
    now = c4i_now_ns(pe);
    if (!pe->lost.due)
        pe->lost.due = now + EVERY_NS;
    return pe->lost.due > now ? pe->lost.due - now : 1;
}

void
c4i_lost_check(c4_pe *pe)
{
    if (!pe->lost.due || pe->exit != C4I_RUNNING || c4i_now_ns(pe) < pe->lost.due)
        return;
    pe->lost.due = 0;
    ask(pe);
}

void
c4i_lost_release(c4_pe *pe)
{
    c4_buf_release(&pe->lost.list);
}
