/*
 * pe.c - making and freeing a PE, the tree of PEs, small helpers of all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pe.h"

void
c4i_no_memory(size_t n)
{
    fprintf(stderr, "c4: out of memory for %zu bytes\n", n);
    abort();
}

/* Small internal structures only: there is no way on without them. */
void *
c4i_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);

    if (!p)
        c4i_no_memory(n);
    return p;
}

void *
c4i_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);

    if (!q)
        c4i_no_memory(n);
    return q;
}

void
c4i_push_u64(uint64_t **v, size_t *n, size_t *cap, uint64_t x)
{
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 8;
        *v = c4i_realloc(*v, *cap * sizeof(**v));
    }
    (*v)[(*n)++] = x;
}

c4_err
c4i_pe_new(c4i_transport *net, c4_pe **out)
{
    c4_pe *pe = c4i_alloc(sizeof(*pe));

    pe->net = net;
    pe->me = net->pe;
    pe->npes = net->npes;
    pe->arity = 4;
    pe->started = pe->me == 0;
    pe->tasks_tail = &pe->tasks;
    pe->later_tail = &pe->later_tasks;
    pe->next_coll = 1;
    pe->free_future = C4I_NOPE;
    pe->posted_tail = &pe->posted;
    pthread_mutex_init(&pe->post_lock, NULL);
    c4i_queue_init(&pe->local);
    c4i_queue_init(&pe->held);
    c4i_flags_init(&pe->flags);
    pe->fault.pe = pe->me;
    c4i_sync_init(pe);
    if (c4i_reducers_init(pe)) {
        c4i_pe_free(pe);
        return C4_ENOMEM;
    }
    *out = pe;
    return C4_OK;
}

static void
free_messages(c4_pe *pe)
{
    c4i_msg *m;

    while ((m = c4i_queue_pop(&pe->local)))
        c4i_msg_free(pe, m);
    while ((m = c4i_queue_pop(&pe->held)))
        c4i_msg_free(pe, m);
    while (pe->pending) {
        c4i_pending *p = pe->pending;

        while ((m = c4i_queue_pop(&p->queue)))
            c4i_msg_free(pe, m);
        pe->pending = p->next;
        free(p);
    }
    while ((m = pe->free_msgs)) {
        pe->free_msgs = m->next;
        free(m);
    }
}

/* Elements are freed without running user code but their destructors. */
void
c4i_pe_free(c4_pe *pe)
{
    if (!pe)
        return;
    while (pe->tasks || pe->later_tasks) {
        c4i_task *t = pe->tasks ? pe->tasks : pe->later_tasks;

        c4i_task_end(pe, t);
        free(t->key);
        free(t);
    }
    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++)
        if (pe->colls[i])
            c4i_coll_free(pe, pe->colls[i]);
    c4i_sections_release(pe);
    free_messages(pe);
    if (pe->has_lb && pe->lb.release)
        pe->lb.release(pe->lb.ctx);
    if (pe->has_rec && pe->rec.release)
        pe->rec.release(pe->rec.ctx);
    c4i_futures_release(pe);
    pthread_mutex_destroy(&pe->post_lock);
    c4i_sync_release(pe);
    c4i_flags_release(&pe->flags);
    c4_buf_release(&pe->scratch);
    if (pe->timing)
        c4i_cputime_release(&pe->cpu);
    free(pe->timers);
    free(pe->qd_active);
    free(pe->qd_pending);
    free(pe->colls);
    free(pe->types);
    free(pe->type_hash);
    free(pe->reducers);
    if (pe->net)
        pe->net->ops->release(pe->net);
    free(pe);
}

void
c4i_pe_set_clock(c4_pe *pe, uint64_t (*now_ns)(void *), void *arg)
{
    pe->now_ns = now_ns;
    pe->now_arg = arg;
}

uint64_t
c4i_pe_next_timer(const c4_pe *pe)
{
    return pe->ntimers ? pe->timers[0].due_ns : UINT64_MAX;
}

bool
c4i_pe_ended(const c4_pe *pe, int *status)
{
    *status = pe->status;
    return pe->exit == C4I_ENDED;
}

void
c4i_pe_set_arity(c4_pe *pe, uint32_t arity)
{
    c4i_sync_release(pe);
    pe->arity = arity;
    c4i_sync_init(pe);
}

void
c4i_pe_counts(const c4_pe *pe, uint64_t *created, uint64_t *processed)
{
    *created = pe->created;
    *processed = pe->processed;
}

uint64_t
c4i_now_ns(const c4_pe *pe)
{
    return pe->now_ns ? pe->now_ns(pe->now_arg) : c4i_monotonic_ns();
}

double
c4_now(const c4_pe *pe)
{
    if (pe->now_ns)
        return (double)pe->now_ns(pe->now_arg) * 1e-9;
    return (double)c4i_ticks_to_ns(&pe->clock, c4i_ticks(&pe->clock)) * 1e-9;
}

uint32_t
c4_mype(const c4_pe *pe)
{
    return pe->me;
}

uint32_t
c4_npes(const c4_pe *pe)
{
    return pe->npes;
}

const char *
c4_error(const c4_pe *pe)
{
    return pe->error;
}

c4_err
c4_fail(c4_pe *pe, c4_err err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(pe->error, sizeof(pe->error), fmt, ap);
    va_end(ap);
    pe->error_code = err;
    return err;
}

void
c4_set_user(c4_pe *pe, void *user)
{
    pe->user = user;
}

void *
c4_user(const c4_pe *pe)
{
    return pe->user;
}

const char *
c4_flag(const c4_pe *pe, const char *name)
{
    return c4i_flags_get(&pe->flags, name);
}

/* ---- The tree: rank r = (pe - root) mod npes; kids of r are arity*r + 1 ... ---- */

static uint32_t
rank_of(const c4_pe *pe, uint32_t root, uint32_t who)
{
    return who >= root ? who - root : who + pe->npes - root;
}

uint32_t
c4i_tree_parent(const c4_pe *pe, uint32_t root)
{
    uint32_t r = rank_of(pe, root, pe->me);

    return r == 0 ? C4I_NOPE : ((r - 1) / pe->arity + root) % pe->npes;
}

uint32_t
c4i_tree_nkids(const c4_pe *pe, uint32_t root)
{
    uint64_t first = (uint64_t)rank_of(pe, root, pe->me) * pe->arity + 1;

    if (first >= pe->npes)
        return 0;
    return pe->npes - first < pe->arity ? (uint32_t)(pe->npes - first) : pe->arity;
}

uint32_t
c4i_tree_kid(const c4_pe *pe, uint32_t root, uint32_t i)
{
    return (rank_of(pe, root, pe->me) * pe->arity + 1 + i + root) % pe->npes;
}

uint32_t
c4i_tree_kid_no(const c4_pe *pe, uint32_t root, uint32_t of)
{
    uint32_t no = rank_of(pe, root, of) - (rank_of(pe, root, pe->me) * pe->arity + 1);

    if (no >= c4i_tree_nkids(pe, root))
        c4_abort((c4_pe *)pe, "malformed message: PE %u is no child of PE %u", of, pe->me);
    return no;
}

uint32_t
c4i_stress_rand(c4_pe *pe, uint32_t below)
{
    pe->stress_rng = pe->stress_rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((pe->stress_rng >> 33) % below);
}

/* ---- What hooks may ask ---- */

const struct c4i_flags *
c4i_pe_flags(const c4_pe *pe)
{
    return &pe->flags;
}

struct c4i_clock *
c4i_pe_clock(c4_pe *pe)
{
    return &pe->clock;
}

const char *
c4i_pe_transport_name(const c4_pe *pe)
{
    return pe->net->ops->name;
}

bool
c4i_pe_oversubscribed(const c4_pe *pe)
{
    return pe->net->ncores && pe->npes > pe->net->ncores;
}

void
c4i_pe_times(const c4_pe *pe, uint64_t *idle, uint64_t *busy)
{
    *idle = pe->idle_ticks;
    *busy = pe->busy_ticks;
}

static void
timing_on(c4_pe *pe)
{
    if (pe->timing)
        return;
    pe->timing = true;
    c4i_fault_watch_stops();
    c4i_cputime_init(&pe->cpu, &pe->clock);
    pe->lb_begin = c4i_ticks(&pe->clock);
}

void
c4i_set_recorder(c4_pe *pe, const c4i_recorder *r)
{
    pe->rec = *r;
    pe->has_rec = true;
    timing_on(pe);
    pe->want_sent = r->want_sent;
    pe->net->clock = r->want_sent ? &pe->clock : NULL;
}

const c4i_recorder *
c4i_get_recorder(const c4_pe *pe)
{
    return pe->has_rec ? &pe->rec : NULL;
}

void
c4i_set_balancer(c4_pe *pe, const c4i_balancer *b)
{
    pe->lb = *b;
    pe->has_lb = true;
    timing_on(pe);
}

/* ---- Leftovers: what a quiescent PE must not hold ---- */

static c4_err
coll_leftovers(const c4i_coll *c, char *text, size_t n)
{
    for (size_t i = 0; c->table.slot && i <= c->table.mask; i++)
        if (c->table.slot[i].pe == C4I_GONE) {
            if (c->table.slot[i].ghost && c->table.slot[i].ghost->early) {
                snprintf(text, n, "collection %u: early messages wait for element %llu, which is gone",
                         c->id, (unsigned long long)c->table.slot[i].key);
                return C4_ESTATE;
            }
        } else if (c->table.slot[i].wait) {
            snprintf(text, n, "collection %u: message waits for element %llu", c->id,
                     (unsigned long long)c->table.slot[i].key);
            return C4_ESTATE;
        }
    for (const c4i_elem *e = c->first; e; e = e->next)
        if (e->in.early) {
            snprintf(text, n, "collection %u: element %llu holds early messages", c->id,
                     (unsigned long long)e->key);
            return C4_ESTATE;
        }
    if (c->growing.head) {
        snprintf(text, n, "collection %u: insertions wait for PEs to know of it", c->id);
        return C4_ESTATE;
    }
    if (c->unacked.n || c->nahead || c->ntasks || c->comps.n) {
        snprintf(text, n, "collection %u: %s, %zu ahead, %u tasks, %zu completions", c->id,
                 c->unacked.n ? "some unacknowledged" : "all acknowledged", c->nahead, c->ntasks,
                 c->comps.n);
        return C4_ESTATE;
    }
    return C4_OK;
}

c4_err
c4i_pe_leftovers(c4_pe *pe, char *text, size_t n)
{
    if (pe->local.head || pe->held.head || pe->tasks || pe->later_tasks) {
        snprintf(text, n, "a queue is not empty");
        return C4_ESTATE;
    }
    if (pe->pending) {
        snprintf(text, n, "messages wait for collection %u", pe->pending->coll);
        return C4_ESTATE;
    }
    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++)
        if (pe->colls[i] && coll_leftovers(pe->colls[i], text, n))
            return C4_ESTATE;
    return c4i_section_leftovers(pe, text, n);
}
