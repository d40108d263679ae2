/*
 * element.c - elements on this PE, and running their entry methods.
 *
 * Cost of a local call: one look-up, one comparison of order numbers, and the
 * saving and restoring of the context; no allocation but the message node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pe.h"

c4i_elem *
c4i_elem_new(c4i_coll *c, uint64_t key, const c4_index *index)
{
    c4i_elem *e = c4i_alloc(sizeof(*e) + c->type->size);

    e->coll = c;
    e->key = key;
    e->move_to = C4I_NOPE;
    e->migratable = c->kind != C4_KIND_GROUP;
    e->user_load = -1;
    if (index && index->n) {
        e->index = c4i_alloc(sizeof(*e->index));
        *e->index = *index;
    }
    return e;
}

void
c4i_elem_free(c4_pe *pe, c4i_elem *e)
{
    c4i_inbox_release(pe, &e->in);
    free(e->smark);
    free(e->index);
    free(e);
}

static bool
catch_up_task(c4_pe *pe, c4i_task *t)
{
    c4i_elem *e = c4i_elem_find(t->coll, t->lo);

    if (e && e->seen < t->coll->bseen) {
        c4i_catch_up(pe, e);
        return true;
    }
    c4i_task_end(pe, t);
    free(t);
    return false;
}

/* e is here from now on: parked messages go on, missed broadcasts are made up
 * for, before anything else reaches it. */
void
c4i_elem_link(c4_pe *pe, c4i_elem *e)
{
    c4i_coll *c = e->coll;
    c4i_task *t;

    e->next = c->first;
    if (c->first)
        c->first->prev = e;
    c->first = e;
    c->nlocal++;
    c4i_red_join(&c->red, e->red.next);
    c4i_sections_link(pe, e);
    if (e->seen < c->bseen) {
        t = c4i_alloc(sizeof(*t));
        t->run = catch_up_task;
        t->coll = c;
        t->lo = e->key;
        c4i_task_add(pe, t, e->seen);
    }
    if (c->kind != C4_KIND_GROUP) {
        c4i_loc *loc = c4i_table_get(&c->table, e->key);

        loc->elem = e;
        loc->pe = pe->me;
        loc->ep = e->ep;
        c4i_reroute(pe, loc);
    }
}

void
c4i_elem_made(c4_pe *pe, c4i_elem *e)
{
    c4_index index;

    if (!pe->has_rec || !pe->rec.object)
        return;
    index = c4_index_of(pe, c4i_chare_of(e));
    pe->rec.object(pe->rec.ctx, C4I_OBJ_CREATED, c4i_chare_of(e), &index,
                   c4i_home(pe, e->coll, e->key), pe->me, 0, C4I_WHY_USER, c4i_ticks(&pe->clock));
}

void
c4i_elem_unlink(c4_pe *pe, c4i_elem *e)
{
    c4i_coll *c = e->coll;

    if (e->prev)
        e->prev->next = e->next;
    else
        c->first = e->next;
    if (e->next)
        e->next->prev = e->prev;
    e->prev = e->next = NULL;
    c->nlocal--;
    c4i_red_leave(&c->red, e->red.next);
    c4i_sections_unlink(pe, e);
}

/* ---- Executions ------------------------------------------------------------- */

/* A reading of the CPU clock: the recorder hears of it, too. */
uint64_t
c4i_read_cpu(c4_pe *pe, c4i_cpuspan *span)
{
    uint64_t now = c4i_cputime_read(&pe->cpu, span);

    if (pe->has_rec && pe->rec.cpu)
        pe->rec.cpu(pe->rec.ctx, now, pe->cpu.cpu_ns);
    return now;
}

/* What the CPU clock showed at `when`, not long after its last reading. */
static double
cpu_clock_at(const c4_pe *pe, uint64_t when)
{
    return (double)pe->cpu.cpu_ns + (double)(when - pe->cpu.ticks) * pe->clock.ns_per_tick;
}

enum { MOST_READINGS = 4 };

/* User code begins now. */
static void
begin_now(c4_pe *pe)
{
    c4i_ctx *x = &pe->ctx;

    if (pe->has_rec && pe->rec.begin)
        pe->rec.begin(pe->rec.ctx);
    x->begin = c4i_ticks(&pe->clock);
    for (int i = 0; i < MOST_READINGS && c4i_cputime_is_old(&pe->cpu, x->begin); i++) {
        c4i_read_cpu(pe, NULL);             /* it may lose its core meanwhile: then once more */
        x->begin = c4i_ticks(&pe->clock);
    }
    if (pe->has_lb && pe->lb.want_cpu)
        x->cpu = c4i_cpu_now_ns();
    pe->stretch_cpu0 = cpu_clock_at(pe, x->begin);
    x->from = x->begin;
}

static void
stretch_begin(c4_pe *pe)
{
    c4i_ctx *x = &pe->ctx;

    if (!pe->timing)
        return;
    x->send = 0;
    pe->post_event.trace = 0;
    pe->stretch_lost = pe->stretch_stopped = 0;
    begin_now(pe);
    if (!x->cause.taken)
        x->cause.taken = x->begin;
    if (!x->cause.arrived)
        x->cause.arrived = x->cause.taken;
}

/* Reads the CPU clock, at *now: ticks since `from` that were not the PE's own. */
static uint64_t
lost_since(c4_pe *pe, uint64_t from, uint64_t *now)
{
    c4i_cpuspan span;
    uint64_t lost, stopped;

    *now = c4i_read_cpu(pe, &span);
    stopped = (uint64_t)((double)span.stopped_ns / pe->clock.ns_per_tick);
    lost = (uint64_t)((double)span.waited_ns / pe->clock.ns_per_tick) + stopped;
    if (lost > *now - from)                 /* the rest was before, since the last reading */
        lost = *now - from;
    pe->stretch_lost += lost;
    pe->stretch_stopped += stopped < lost ? stopped : lost;
    return lost;
}

/* The running element pays for its time up to now, which is returned; look: the CPU
 * clock is to be read. */
static uint64_t
charge(c4_pe *pe, uint64_t now, bool look)
{
    c4i_elem *e = pe->ctx.elem;
    uint64_t from = pe->ctx.from, lost = 0, cpu = 0, ticks;

    if (look)
        lost = lost_since(pe, from, &now);
    ticks = now - from;
    pe->ctx.from = now;
    pe->busy_ticks += ticks;
    pe->lost_ticks += lost;
    if (pe->has_lb && pe->lb.want_cpu) {
        cpu = c4i_cpu_now_ns() - pe->ctx.cpu;
        pe->ctx.cpu += cpu;
    }
    if (pe->load_off)
        return now;
    if (!e || !e->at_sync)
        pe->lb_background += ticks - lost;
    if (e) {
        e->wall += ticks - lost;
        e->cpu_ns += cpu;
    }
    return now;
}

void
c4i_charge(c4_pe *pe)
{
    charge(pe, 0, true);
}

/* CPU time of the stretch that ends, ns; the clock when it began is an estimate. */
static int64_t
stretch_cpu(const c4_pe *pe)
{
    double ns = (double)pe->cpu.cpu_ns - pe->stretch_cpu0;

    return ns > 0 ? (int64_t)ns : 0;
}

/* Closes the running stretch: time is charged, the recorder is told. */
static void
stretch_end(c4_pe *pe, bool suspended)
{
    c4i_ctx *x = &pe->ctx;
    uint64_t now;
    bool is_long;

    if (!pe->timing)
        return;
    now = c4i_ticks(&pe->clock);
    is_long = c4i_cputime_is_long(&pe->cpu, now - x->begin);
    now = charge(pe, now, is_long);
    if (!pe->has_rec)
        return;
    c4i_exec rec = {
        .type = x->elem ? x->elem->coll->type : NULL,
        .type_no = x->elem ? x->elem->coll->type_no : 0,
        .entry = x->entry, .task = x->task, .resumed = x->resumed, .woken = x->woken,
        .suspended = suspended,
        .coll = x->elem ? x->elem->coll->id : 0, .elem = x->elem ? x->elem->key : 0,
        .begin = x->begin, .end = now, .send = x->send, .lost = pe->stretch_lost,
        .stopped = pe->stretch_stopped,
        .cpu_ns = is_long ? stretch_cpu(pe) : -1, .cause = x->cause
    };
    pe->rec.exec(pe->rec.ctx, &rec);
}

static void
count_processed(c4_pe *pe)
{
    if (pe->ctx.owes)
        pe->processed++;
    pe->ctx.owes = false;
}

static const char *
special_name(uint16_t entry)
{
    return entry == C4_ENTRY_CREATE ? "(constructor)" : entry == C4_ENTRY_MIGRATED ? "migrated"
         : entry == C4_ENTRY_RESUME ? "resumeFromSync" : "?";
}

/* What a fatal signal will say. */
static void
fault_info(c4_pe *pe)
{
    const c4i_elem *e = pe->ctx.elem;
    uint16_t entry = pe->ctx.entry;

    if (!e) {
        pe->fault.type = NULL;
        return;
    }
    pe->fault.type = e->coll->type->name;
    pe->fault.entry = entry < e->coll->nentries ? e->coll->type->entries[entry].name
                                                : special_name(entry);
    pe->fault.coll = e->coll->id;
    pe->fault.in = e->coll;
    pe->fault.elem = e->key;
}

void
c4_context_suspend(c4_pe *pe, c4_context *saved)
{
    if (pe->ctx.active)
        stretch_end(pe, true);
    count_processed(pe);
    memcpy(saved, &pe->ctx, sizeof(pe->ctx));
    pe->ctx = (c4i_ctx){ 0 };
    pe->fault.type = NULL;
}

void
c4_context_resume(c4_pe *pe, const c4_context *saved, const c4_cause *woke)
{
    memcpy(&pe->ctx, saved, sizeof(pe->ctx));
    fault_info(pe);
    if (!pe->ctx.active)
        return;
    pe->ctx.resumed = true;
    pe->ctx.woken = woke != NULL;
    if (woke)
        pe->ctx.cause = *woke;
    stretch_begin(pe);
}

static c4_err
context_enter(c4_pe *pe, c4_chare chare, uint16_t entry, uint16_t task, const c4_cause *cause,
              c4_context *saved)
{
    c4i_coll *c = chare.coll ? c4i_coll_find(pe, chare.coll) : NULL;
    c4i_elem *e = c ? c4i_elem_find(c, chare.idx) : NULL;

    if (chare.coll && !e)
        return C4_EREMOTE;
    c4_context_suspend(pe, saved);
    pe->ctx = (c4i_ctx){ .elem = e, .entry = entry, .task = task, .active = true };
    if (cause)
        pe->ctx.cause = *cause;
    pe->ctx.cause.local &= pe->ctx.cause.pe == pe->me;      /* it may have waited in an element that moved */
    pe->ctx.cause.taken = 0;
    fault_info(pe);
    stretch_begin(pe);
    return C4_OK;
}

c4_err
c4_context_enter(c4_pe *pe, c4_chare chare, unsigned entry, const c4_cause *cause,
                 c4_context *saved)
{
    return context_enter(pe, chare, (uint16_t)entry, 0, cause, saved);
}

c4_err
c4_context_enter_task(c4_pe *pe, c4_chare chare, unsigned task, const c4_cause *cause,
                      c4_context *saved)
{
    return context_enter(pe, chare, 0, (uint16_t)task, cause, saved);
}

static void
context_close(c4_pe *pe)
{
    if (pe->ctx.active)
        stretch_end(pe, false);
    count_processed(pe);
    if (__builtin_expect(pe->want_sent, 0))
        pe->handling = pe->ctx.cause;
}

void
c4_context_leave(c4_pe *pe, const c4_context *saved)
{
    context_close(pe);
    c4_context_resume(pe, saved, NULL);
}

/* A user's method failed or an impossible entry was called: the job ends.  It returns if
 * the binding tells of it: the caller goes on as if nothing had come. */
void
c4i_user_error(c4_pe *pe, c4_err err)
{
    bool told = err == pe->error_code;      /* else the text is of an older error */

    if (err && told && pe->host && pe->host->failed)
        pe->host->failed(pe, pe->error);
    else if (err)
        c4_abort(pe, "%s%s%s", c4_strerror(err), told ? ": " : "", told ? pe->error : "");
}

static c4_err
run_c_entry(c4_pe *pe, c4i_elem *e, uint16_t entry, const c4_call *call)
{
    const c4_type *type = e->coll->type;

    switch (entry) {
    case C4_ENTRY_CREATE:
        return type->create ? type->create(pe, e->obj, call->data, call->len) : C4_OK;
    case C4_ENTRY_MIGRATED:
        return type->migrated ? type->migrated(pe, e->obj) : C4_OK;
    case C4_ENTRY_RESUME:
        return type->resume ? type->resume(pe, e->obj) : C4_OK;
    default:
        if (entry >= e->coll->nentries)
            return c4_fail(pe, C4_ENOENT, "%s has no entry method %u", type->name, entry);
        return type->entries[entry].fn(pe, e->obj, call->data, call->len);
    }
}

/* A C method finished: its caller, if one waits, gets an empty result unless
 * c4_reply() gave one. */
static void
finish_c_call(c4_pe *pe, c4_done done)
{
    if (done.want)
        c4_finish(pe, &done, NULL, 0, false);
}

static void
context_begin(c4_pe *pe, c4i_elem *e, uint16_t entry, const c4_done *done, const c4_cause *cause)
{
    pe->ctx.elem = e;
    pe->ctx.entry = entry;
    pe->ctx.active = pe->ctx.owes = true;
    pe->ctx.resumed = pe->ctx.woken = false;
    pe->ctx.task = 0;
    if (__builtin_expect(pe->want_sent, 0)) {
        pe->ctx.cause = *cause;
        pe->ctx.cause.taken = 0;
    }
    pe->ctx.done = *done;
    fault_info(pe);
    stretch_begin(pe);
}

static void
context_end(c4_pe *pe)
{
    context_close(pe);
    pe->ctx.elem = NULL;
    pe->ctx.active = pe->ctx.done.want = false;
    pe->fault.type = NULL;
    pe->cur = NULL;
}

static c4_err
run_entry(c4_pe *pe, c4i_elem *e, uint16_t entry, c4_call *call)
{
    const c4_binding *binding = e->coll->type->binding;
    c4_err err;

    if (binding)
        return binding->invoke(pe, e->obj, entry, call);
    err = run_c_entry(pe, e, entry, call);
    if (!err)
        finish_c_call(pe, pe->ctx.done);
    return err;
}

void
c4i_execute(c4_pe *pe, c4i_elem *e, uint16_t entry, c4_call *call, const c4_cause *cause)
{
    c4_err err;

    if (__builtin_expect(pe->ctx.active, 0)) {      /* a map's constructor, in the call that makes it */
        c4_context outer;
        c4i_msg *cur = pe->cur;

        c4_context_suspend(pe, &outer);
        c4i_execute(pe, e, entry, call, cause);
        c4_context_resume(pe, &outer, NULL);
        pe->cur = cur;
        return;
    }
    pe->nrun++;
    context_begin(pe, e, entry, &call->done, cause);
    err = run_entry(pe, e, entry, call);
    if (err && pe->exit == C4I_RUNNING)
        c4i_user_error(pe, err);
    if (call->stored)
        pe->ctx.active = false;             /* none of it was an execution */
    context_end(pe);
    if (!call->deferred && e->move_to != C4I_NOPE && !e->held)
        c4i_after_execution(pe, e);         /* deferred: e may be gone, see c4_unhold() */
}

/* The element may leave, or end, now: nothing of it is on any stack.  But not before it
 * has executed what this PE has seen (B1): this PE may have promised its low
 * already.  The task that makes it catch up comes back here. */
void
c4i_after_execution(c4_pe *pe, c4i_elem *e)
{
    uint32_t to = e->move_to;

    if (e->seen < e->coll->bseen)
        return;
    e->move_to = C4I_NOPE;
    if (pe->exit == C4I_RUNNING && to == C4I_GONE)
        c4i_end(pe, e);
    else if (pe->exit == C4I_RUNNING && to != pe->me)
        c4i_move(pe, e, to, e->move_why);
}

/* ---- Delivery in order ------------------------------------------------------- */

static void
hint(c4_pe *pe, c4i_elem *e, const c4i_msg *m)
{
    c4i_wire w = c4i_wire_for(C4I_HINT, e->coll->id);
    uint64_t bit = (uint64_t)1 << (m->w.src & 63);

    if ((e->hinted & bit) || m->w.src == pe->me)
        return;
    if (pe->npes <= 64)
        e->hinted |= bit;
    w.elem = e->key;
    w.ep = e->ep;
    c4i_post_data(pe, m->w.src, &w, NULL, 0);
}

void
c4i_deliver(c4_pe *pe, c4i_elem *e, c4i_msg *m)
{
    c4_call call = { .src = m->w.src };
    c4_cause cause;

    if (m->w.hops)
        hint(pe, e, m);
    if (e->coll->kind != C4_KIND_GROUP && !c4i_inbox_take(pe, &e->in, m))
        return;
    if (m->w.entry == C4I_ENTRY_JOIN) {
        c4i_section_join(pe, e, m);
        if (pe->want_sent) {
            cause = c4i_cause_of(pe, m);
            c4i_handling(pe, &cause);
        }
        pe->processed++;
        return;
    }
    if (m->mem == C4I_MEM_SHARED)
        call.cache = c4i_shared_cache(m->owner, e->coll->type->binding);
    if (m->mem == C4I_MEM_REF) {
        call.ref = (void *)m->data;
        m->mem = C4I_MEM_INLINE;            /* invoke() owns it now */
    } else {
        call.data = m->data;
        call.len = m->len;
    }
    if (m->w.flags & C4I_F_WANT)
        call.done = (c4_done){ m->w.call, 0, e->coll->id, e->key, true, 0 };
    if (call.done.want && (m->w.flags & C4I_F_SECTION))
        c4i_section_start(pe, m, &call.done);
    if (__builtin_expect(pe->stress & C4I_STRESS_MIGRATE, 0) && e->migratable && e->coll->type->pup
        && e->move_to == C4I_NOPE) {
        e->move_to = c4i_stress_rand(pe, pe->npes);
        e->move_why = C4I_WHY_USER;
    }
    if (__builtin_expect(pe->want_sent, 0))
        cause = c4i_cause_of(pe, m);
    pe->cur = m;
    c4i_execute(pe, e, m->w.entry, &call, &cause);
}

/* ---- What a running method may ask ---------------------------------------------- */

c4_chare
c4_self(const c4_pe *pe)
{
    return pe->ctx.elem ? c4i_chare_of(pe->ctx.elem) : (c4_chare){ 0, 0 };
}

static c4i_elem *
local_elem(c4_pe *pe, c4_chare chare)
{
    c4i_elem *e = pe->ctx.elem;             /* mostly it asks for itself */
    c4i_coll *c;

    if (e && e->key == chare.idx && e->coll->id == chare.coll)
        return e;
    c = c4i_coll_find(pe, chare.coll);
    return c ? c4i_elem_find(c, chare.idx) : NULL;
}

void *
c4_local(c4_pe *pe, c4_chare chare)
{
    c4i_elem *e = local_elem(pe, chare);

    return e ? e->obj : NULL;
}

c4_index
c4_index_of(c4_pe *pe, c4_chare chare)
{
    c4i_coll *c = c4i_coll_find(pe, chare.coll);
    c4i_elem *e = pe->arriving;

    if (!c)
        return (c4_index){ 0 };
    if (!e || e->key != chare.idx || e->coll != c)
        e = local_elem(pe, chare);
    return e && e->index ? *e->index : c4i_index_of_key(c, chare.idx);
}

c4_index
c4_self_index(const c4_pe *pe)
{
    return c4_index_of((c4_pe *)pe, c4_self(pe));
}

void
c4_data_release(c4_pe *pe)
{
    if (pe->cur)
        c4i_msg_drop(pe, pe->cur);
    pe->cur = NULL;
}

c4_block *
c4_data_keep(c4_pe *pe)
{
    c4i_msg *m = pe->cur;
    c4_block *b;

    if (!m || m->mem != C4I_MEM_ARENA || !pe->net->ops->keep)
        return NULL;
    b = pe->net->ops->keep(pe->net, m);
    if (b)
        m->mem = C4I_MEM_INLINE;            /* the block owns the memory now */
    return b;
}

c4_block *
c4_block_ref(c4_block *b)
{
    b->nrefs++;
    return b;
}

void
c4_block_free(c4_block *b)
{
    if (--b->nrefs == 0)
        b->free(b);
}

void
c4_hold(c4_pe *pe, c4_chare chare)
{
    c4i_elem *e = local_elem(pe, chare);

    if (e)
        e->held++;
}

static bool
move_task(c4_pe *pe, c4i_task *t)
{
    c4i_elem *e = local_elem(pe, c4_elem(t->coll->id, t->lo));

    c4i_task_end(pe, t);
    free(t);
    if (e && e->move_to != C4I_NOPE && !e->held)
        c4i_after_execution(pe, e);
    return false;
}

void
c4_unhold(c4_pe *pe, c4_chare chare)
{
    c4i_elem *e = local_elem(pe, chare);

    if (!e || !e->held)
        return;
    e->held--;
    if (!e->held && e->move_to != C4I_NOPE) {
        c4i_task *t = c4i_alloc(sizeof(*t));

        t->run = move_task;
        t->coll = e->coll;
        t->lo = e->key;
        c4i_task_add(pe, t, e->coll->bseen);
    }
}

/* ---- Requests by, or for, an element ---------------------------------------------- */

static c4i_elem *
need_local(c4_pe *pe, c4_chare who, const char *what)
{
    c4i_elem *e = local_elem(pe, who);

    if (!e)
        c4_fail(pe, C4_EREMOTE, "%s is for the chare that runs, on its own PE", what);
    return e;
}

c4_err
c4_migrate_for(c4_pe *pe, c4_chare who, uint32_t to_pe)
{
    c4i_elem *e = need_local(pe, who, "migration");

    if (!e)
        return C4_EREMOTE;
    if (to_pe >= pe->npes)
        return c4_fail(pe, C4_ERANGE, "migration to PE %u; there are %u", to_pe, pe->npes);
    if (e->coll->kind == C4_KIND_GROUP)
        return c4_fail(pe, C4_ESTATE, "members of a group cannot migrate");
    if (!e->coll->type->pup)
        return c4_fail(pe, C4_ESTATE, "chares of type %s cannot migrate: they have no pup",
                       e->coll->type->name);
    if (e->move_to == C4I_GONE)
        return c4_fail(pe, C4_ESTATE, "this element is to be destroyed, it cannot migrate");
    e->move_to = to_pe;
    e->move_why = C4I_WHY_USER;
    return C4_OK;
}

c4_err
c4_migrate(c4_pe *pe, uint32_t to_pe)
{
    return c4_migrate_for(pe, c4_self(pe), to_pe);
}

c4_err
c4_destroy_for(c4_pe *pe, c4_chare who)
{
    c4i_elem *e = need_local(pe, who, "c4_destroy()");

    if (!e)
        return C4_EREMOTE;
    if (e->coll->kind == C4_KIND_GROUP)
        return c4_fail(pe, C4_ESTATE, "members of a group cannot be destroyed");
    if (e->nsmark)
        return c4_fail(pe, C4_ESTATE, "members of a section cannot be destroyed");
    e->move_to = C4I_GONE;
    return C4_OK;
}

c4_err
c4_destroy(c4_pe *pe)
{
    return c4_destroy_for(pe, c4_self(pe));
}

c4_err
c4_set_migratable_for(c4_pe *pe, c4_chare who, bool migratable)
{
    c4i_elem *e = need_local(pe, who, "c4_set_migratable()");

    if (!e)
        return C4_EREMOTE;
    e->migratable = migratable && e->coll->kind != C4_KIND_GROUP;
    return C4_OK;
}

c4_err
c4_set_migratable(c4_pe *pe, bool migratable)
{
    return c4_set_migratable_for(pe, c4_self(pe), migratable);
}

c4_err
c4_set_load(c4_pe *pe, double load)
{
    c4i_elem *e = need_local(pe, c4_self(pe), "c4_set_load()");

    if (!e)
        return C4_EREMOTE;
    if (!(load >= 0))
        return c4_fail(pe, C4_EINVAL, "a load is not negative");
    e->user_load = load;
    return C4_OK;
}

void
c4_measure_load(c4_pe *pe, bool on)
{
    if (pe->timing && pe->ctx.active)
        c4i_charge(pe);
    pe->load_off = !on;
}

bool
c4_is_migratable(c4_pe *pe, c4_chare who)
{
    c4i_elem *e = local_elem(pe, who);

    return e && e->migratable;
}

c4_err
c4_reduce_for(c4_pe *pe, c4_chare who, uint16_t reducer, const void *data, size_t len,
              const c4_callback *cb)
{
    c4i_elem *e = need_local(pe, who, "a contribution");

    if (!e)
        return C4_EREMOTE;
    if (reducer >= pe->nreducers)
        return c4_fail(pe, C4_EINVAL, "reducer %u is not known on PE %u", reducer, pe->me);
    if (reducer >= C4_RED_SUM_I64 && reducer <= C4_RED_MIN_F64 && len % sizeof(int64_t))
        return c4_fail(pe, C4_EINVAL, "%zu bytes are no array of numbers for reducer %s", len,
                       pe->reducers[reducer]->name);
    if (cb && c4i_check_callback(pe, cb))
        return pe->error_code;
    c4i_red_contribute(pe, &e->coll->red, e, &e->red, reducer, data, len, cb);
    return C4_OK;
}

c4_err
c4_reduce(c4_pe *pe, uint16_t reducer, const void *data, size_t len, const c4_callback *cb)
{
    return c4_reduce_for(pe, c4_self(pe), reducer, data, len, cb);
}

c4_err
c4_reduce_section_for(c4_pe *pe, c4_chare who, c4_section section, uint16_t reducer,
                      const void *data, size_t len, const c4_callback *cb)
{
    c4i_elem *e = need_local(pe, who, "a contribution");

    if (!e)
        return C4_EREMOTE;
    if (reducer >= pe->nreducers)
        return c4_fail(pe, C4_EINVAL, "reducer %u is not known on PE %u", reducer, pe->me);
    return c4i_section_contribute(pe, e, section, reducer, data, len, cb);
}

bool
c4_in_section(c4_pe *pe, c4_section section, c4_chare who)
{
    c4i_elem *e = local_elem(pe, who);

    return e && c4i_section_marked(e, section);
}

c4_err
c4_reduce_section(c4_pe *pe, c4_section section, uint16_t reducer, const void *data, size_t len,
                  const c4_callback *cb)
{
    return c4_reduce_section_for(pe, c4_self(pe), section, reducer, data, len, cb);
}

uint64_t
c4_send_begin(c4_pe *pe)
{
    return pe->has_rec && pe->ctx.active ? c4i_ticks(&pe->clock) : 0;
}

void
c4_send_end(c4_pe *pe, uint64_t stamp)
{
    if (stamp)
        pe->ctx.send += c4i_ticks(&pe->clock) - (stamp > pe->ctx.begin ? stamp : pe->ctx.begin);
}

void
c4_user_begin(c4_pe *pe)
{
    if (pe->timing && pe->ctx.active && !pe->ctx.resumed)
        begin_now(pe);
}
