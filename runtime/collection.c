/*
 * collection.c - chare types, collections, and how they come to be.
 *
 * A collection's number is counter * npes + creator, so every PE can name new
 * ones alone, and the creator is its root.  Single chares are elements of a
 * hidden collection per type, whose number follows from the type's name: it
 * needs no message to exist.
 *
 * Order of arrival: CREATE and broadcasts go down the same tree, so a PE that
 * knows a collection has missed nothing.  A message for a collection that is
 * not known yet waits in pe->pending; while those are being handled, one by
 * one as a task, later ones queue up behind them (c4i_pend()).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pe.h"

#define SINGLE_BIT 0x80000000u

/* ---- Types -------------------------------------------------------------- */

static uint32_t
name_hash(uint32_t h, const char *s)        /* FNV-1a */
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

static uint32_t
type_hash(const c4_type *type)
{
    return name_hash(2166136261u, type->name) & ~SINGLE_BIT;
}

static uint16_t
count_entries(const c4_type *type)
{
    uint16_t n = 0;

    while (type->entries && type->entries[n].name)
        n++;
    return n;
}

/* PEs that registered different methods under one name must not go on. */
static uint32_t
entries_hash(const c4_type *type)
{
    uint32_t h = 2166136261u;

    for (uint16_t i = 0; i < count_entries(type); i++)
        h = name_hash((h ^ 1) * 16777619u, type->entries[i].name);
    return h;
}

static int
type_by_hash(const c4_pe *pe, uint32_t hash)
{
    for (size_t i = 0; i < pe->ntypes; i++)
        if (pe->type_hash[i] == hash)
            return (int)i;
    return -1;
}

static void drain_pending(c4_pe *pe, c4_coll id);

c4_err
c4_register(c4_pe *pe, const c4_type *type)
{
    uint32_t hash = type_hash(type);
    int known = type_by_hash(pe, hash);

    if (known >= 0 && pe->types[known] == type)
        return C4_OK;
    if (known >= 0)
        return c4_fail(pe, C4_EEXIST, "chare type %s is registered already (or its name clashes with %s)",
                       type->name, pe->types[known]->name);
    if (pe->ntypes == UINT16_MAX)
        return c4_fail(pe, C4_ENOMEM, "more than %d chare types", UINT16_MAX);
    if (pe->ntypes == pe->types_cap) {
        pe->types_cap = pe->types_cap ? pe->types_cap * 2 : 16;
        pe->types = c4i_realloc(pe->types, pe->types_cap * sizeof(*pe->types));
        pe->type_hash = c4i_realloc(pe->type_hash, pe->types_cap * sizeof(*pe->type_hash));
    }
    pe->types[pe->ntypes] = type;
    pe->type_hash[pe->ntypes] = hash;
    pe->ntypes++;
    if (pe->has_rec && pe->rec.type)
        pe->rec.type(pe->rec.ctx, (uint16_t)(pe->ntypes - 1), type);
    drain_pending(pe, hash | SINGLE_BIT);
    return C4_OK;
}

/* ---- The table of collections --------------------------------------------- */

static void
table_put(c4_pe *pe, c4i_coll *c)
{
    size_t i;

    if (!pe->colls || (pe->ncolls + 1) * 2 > pe->colls_mask) {
        size_t old = pe->colls ? pe->colls_mask + 1 : 0;
        size_t size = old ? old * 2 : 32;
        c4i_coll **was = pe->colls;

        pe->colls = c4i_alloc(size * sizeof(*pe->colls));
        pe->colls_mask = size - 1;
        pe->ncolls = 0;
        for (size_t k = 0; k < old; k++)
            if (was[k])
                table_put(pe, was[k]);
        free(was);
    }
    for (i = (c->id * 2654435769u >> 7) & pe->colls_mask; pe->colls[i]; i = (i + 1) & pe->colls_mask)
        ;
    pe->colls[i] = c;
    pe->ncolls++;
}

static c4i_coll *
coll_new(c4_pe *pe, c4_coll id, uint16_t type_no, uint8_t kind)
{
    c4i_coll *c = c4i_alloc(sizeof(*c));

    c->id = id;
    c->kind = kind;
    c->type_no = type_no;
    c->type = pe->types[type_no];
    c->nentries = count_entries(c->type);
    c->root = id & SINGLE_BIT ? 0 : id % pe->npes;
    c->log_base = 1;
    c->low_child = c4i_alloc(sizeof(*c->low_child) * (c4i_tree_nkids(pe, c->root) + 1));
    c->red.expect = -1;
    c4i_queue_init(&c->growing);
    c4i_red_init(pe, &c->red, C4I_REDUCE, id, c->root);
    table_put(pe, c);
    return c;
}

/* A collection is told to the recorder when all is known about it. */
static void
record_coll(c4_pe *pe, const c4i_coll *c)
{
    c4_coll_info info = { (enum c4_coll_kind)c->kind, c->type, c->dims, c->sparse, c->at_sync,
                          c->on_pes, c->on_pes ? c->ndense : 0 };

    if (pe->has_rec && pe->rec.collection)
        pe->rec.collection(pe->rec.ctx, c->id, &info);
}

static c4i_coll *
single_coll(c4_pe *pe, c4_coll id)
{
    int type_no = type_by_hash(pe, id & ~SINGLE_BIT);
    c4i_coll *c;

    if (type_no < 0)
        return NULL;
    c = coll_new(pe, id, (uint16_t)type_no, C4_KIND_SINGLE);
    c->home = C4I_HOME_SELF;
    c->dims.n = 1;
    c->sparse = c->closed = c->red.off = true;
    record_coll(pe, c);
    return c;
}

c4i_coll *
c4i_coll_search(c4_pe *pe, c4_coll id)
{
    c4i_coll *c;

    for (size_t i = (id * 2654435769u >> 7) & pe->colls_mask; pe->colls && (c = pe->colls[i]);
         i = (i + 1) & pe->colls_mask)
        if (c->id == id) {
            pe->last_coll = c;
            return c;
        }
    return id & SINGLE_BIT ? single_coll(pe, id) : NULL;
}

void
c4i_coll_free(c4_pe *pe, c4i_coll *c)
{
    while (c->first) {
        c4i_elem *e = c->first;

        c->first = e->next;
        if (c->type->destroy)
            c->type->destroy(pe, e->obj);
        c4i_elem_free(pe, e);
    }
    for (size_t i = 0; c->table.slot && i <= c->table.mask; i++)
        if (c->table.slot[i].pe == C4I_GONE) {
            if (c->table.slot[i].ghost)
                c4i_inbox_release(pe, c->table.slot[i].ghost);
            free(c->table.slot[i].ghost);
        } else if (c->table.slot[i].wait) {
            c4i_msg *m;

            while ((m = c4i_queue_pop(c->table.slot[i].wait)))
                c4i_msg_free(pe, m);
            free(c->table.slot[i].wait);
        }
    for (c4i_msg *m; (m = c4i_queue_pop(&c->growing)); )
        c4i_msg_free(pe, m);
    c4i_bcast_release(pe, c);
    c4i_red_release(&c->red);
    c4i_table_release(&c->table);
    free(c->low_child);
    free(c->on_pes);
    free(c->args);
    free(c);
}

/* ---- Messages for collections not known yet -------------------------------- */

static c4i_pending *
pending_find(c4_pe *pe, c4_coll id)
{
    c4i_pending *p = pe->pending;

    while (p && p->coll != id)
        p = p->next;
    return p;
}

static c4i_pending *
pending_get(c4_pe *pe, c4_coll id)
{
    c4i_pending *p = pending_find(pe, id);

    if (p)
        return p;
    p = c4i_alloc(sizeof(*p));
    p->coll = id;
    c4i_queue_init(&p->queue);
    p->next = pe->pending;
    pe->pending = p;
    return p;
}

void
c4i_pend(c4_pe *pe, c4i_msg *m)
{
    c4i_queue_push(&pending_get(pe, m->w.coll)->queue, c4i_msg_keep(pe, m));
}

static void
pending_free(c4_pe *pe, c4i_pending *p)
{
    c4i_pending **at = &pe->pending;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    free(p);
}

static bool
drain_one(c4_pe *pe, c4i_task *t)
{
    c4i_pending *p = pending_find(pe, (c4_coll)t->b);
    c4i_msg *m = c4i_queue_pop(&p->queue);
    bool more = p->queue.head != NULL;

    if (!more) {
        pending_free(pe, p);
        c4i_task_end(pe, t);
        free(t);
    }
    if (!m)
        return more;
    c4i_handle(pe, m);
    c4i_msg_free(pe, m);
    return more;
}

static void
drain_pending(c4_pe *pe, c4_coll id)
{
    c4i_pending *p = pending_find(pe, id);
    c4i_task *t;

    if (pe->nheld)
        c4i_sections_wake(pe);
    if (!p || p->draining)
        return;
    p->draining = true;
    t = c4i_alloc(sizeof(*t));
    t->run = drain_one;
    t->later = true;
    t->b = id;
    c4i_task_add(pe, t, 0);
}

/* ---- Creation: CREATE goes down the tree, CREATED [6] comes up --------------- */

typedef struct create_head {
    uint32_t type, entries;                 /* hashes */
    char     name[64];                      /* of the type, cut off; for errors */
    uint32_t map;
    uint8_t  kind, sparse, at_sync, pad;
    uint32_t non_pes;                       /* a list of PEs follows; 0: all */
    uint64_t sync_birth;
    c4_index dims;
} create_head;

static uint64_t
product(const c4_index *dims)
{
    uint64_t n = 1;

    for (int i = 0; i < dims->n; i++)
        n *= (uint64_t)dims->at[i];
    return n;
}

static c4_err
check_dims(c4_pe *pe, const c4_index *dims)
{
    uint64_t n = 1;

    if (dims->n < 1 || dims->n > C4_MAXDIMS)
        return c4_fail(pe, C4_EINVAL, "an array has 1 to %d dimensions, not %d", C4_MAXDIMS, dims->n);
    if (c4i_is_sparse(dims))
        return C4_OK;
    for (int i = 0; i < dims->n; i++) {
        if (dims->at[i] <= 0)
            return c4_fail(pe, C4_EINVAL, "dimension %d of an array is %lld", i,
                           (long long)dims->at[i]);
        if (__builtin_mul_overflow(n, (uint64_t)dims->at[i], &n) || n > INT64_MAX)
            return c4_fail(pe, C4_ERANGE, "an array of that many elements");
    }
    return C4_OK;
}

static int
by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The PEs that opts names, sorted, each once, into *list. */
static c4_err
list_pes(c4_pe *pe, const c4_opts *opts, uint32_t **list, uint32_t *n)
{
    uint32_t *l, k = 0;

    *list = NULL;
    *n = 0;
    if (!opts->on_pes)
        return C4_OK;
    if (!opts->non_pes)
        return c4_fail(pe, C4_EINVAL, "a group on no PE");
    for (size_t i = 0; i < opts->non_pes; i++)
        if (opts->on_pes[i] >= pe->npes)
            return c4_fail(pe, C4_ERANGE, "a group on PE %u; there are %u", opts->on_pes[i],
                           pe->npes);
    l = c4i_alloc(opts->non_pes * sizeof(*l));
    memcpy(l, opts->on_pes, opts->non_pes * sizeof(*l));
    qsort(l, opts->non_pes, sizeof(*l), by_number);
    for (size_t i = 0; i < opts->non_pes; i++)
        if (k == 0 || l[i] != l[k - 1])
            l[k++] = l[i];
    *list = l;
    *n = k;
    return C4_OK;
}

bool
c4i_group_has(const c4i_coll *c, uint64_t on_pe)
{
    uint32_t no = (uint32_t)on_pe;

    return !c->on_pes || bsearch(&no, c->on_pes, c->ndense, sizeof(no), by_number);
}

uint32_t
c4i_new_number(c4_pe *pe)
{
    if ((uint64_t)(pe->next_coll + 1) * pe->npes >= SINGLE_BIT)
        return 0;
    return pe->next_coll++ * pe->npes + pe->me;
}

static c4_err
coll_create(c4_pe *pe, const c4_type *type, create_head *h, const c4_opts *opts, c4_coll *out)
{
    c4_opts none = { 0 };
    c4i_wire w = c4i_wire_for(C4I_CREATE, 0);
    c4i_msg m = { 0 };
    c4_buf flat = { 0 };
    uint32_t *on_pes;
    c4_err err;

    if (type_by_hash(pe, type_hash(type)) < 0)
        return c4_fail(pe, C4_ENOENT, "chare type %s is not registered", type->name);
    opts = opts ? opts : &none;
    if (c4i_check_future(pe, opts->created))
        return C4_EINVAL;
    err = list_pes(pe, opts, &on_pes, &h->non_pes);
    if (err)
        return err;
    if (on_pes && (h->kind != C4_KIND_GROUP || type->proc_num)) {
        free(on_pes);
        return c4_fail(pe, C4_EINVAL, "only groups can be limited to some PEs, and no array maps");
    }
    h->type = type_hash(type);
    h->entries = entries_hash(type);
    snprintf(h->name, sizeof(h->name), "%s", type->name);
    h->map = opts->map;
    h->at_sync = opts->at_sync && h->kind == C4_KIND_ARRAY;
    h->sync_birth = h->at_sync ? c4i_sync_issue(pe, h->sparse ? 0 : product(&h->dims)) : 0;
    w.coll = c4i_new_number(pe);
    w.call = opts->created;
    w.flags = opts->created ? C4I_F_WANT : 0;
    w.src = pe->me;
    if (c4_buf_add(&flat, h, sizeof(*h)) ||
        c4_buf_add(&flat, on_pes, h->non_pes * sizeof(*on_pes)) ||
        c4_buf_add(&flat, opts->args, opts->len) || !w.coll)
        err = c4_fail(pe, C4_ENOMEM, w.coll ? "out of memory for constructor arguments"
                                            : "too many collections");
    free(on_pes);
    if (err) {
        c4_buf_release(&flat);
        return err;
    }
    m.w = w;
    m.data = flat.data;
    m.len = flat.len;
    m.mem = C4I_MEM_HEAP;
    *out = w.coll;
    if (pe->want_sent) {
        c4_cause cause;

        m.arrived = c4i_record_sent(pe, &m.w, C4I_CREATE, pe->me, m.len);
        cause = c4i_cause_of(pe, &m);
        cause.taken = m.arrived;
        pe->rec.handled(pe->rec.ctx, &cause);
    }
    c4i_on_create(pe, &m);                  /* here at once: constructors run from the loop */
    c4i_msg_drop(pe, &m);
    return C4_OK;
}

c4_err
c4_group_new(c4_pe *pe, const c4_type *type, const c4_opts *opts, c4_group *out)
{
    create_head h = { .kind = C4_KIND_GROUP, .dims = { 1, { pe->npes } } };

    return coll_create(pe, type, &h, opts, out);
}

c4_err
c4_array_new(c4_pe *pe, const c4_type *type, c4_index dims, const c4_opts *opts, c4_array *out)
{
    create_head h = { .kind = C4_KIND_ARRAY, .dims = dims };
    c4_err err = check_dims(pe, &dims);

    if (err)
        return err;
    h.sparse = c4i_is_sparse(&dims);
    return coll_create(pe, type, &h, opts, out);
}

/* Makes element key here and runs its constructor; nothing may follow. */
static void
construct(c4_pe *pe, c4i_coll *c, uint64_t key, uint64_t sync_birth, const c4_cause *cause)
{
    c4i_elem *e = c4i_elem_new(c, key, NULL);
    c4_call call = { .data = c->args, .len = c->args_len, .src = c->root };

    e->ep = 1;
    e->at_sync = c->at_sync;
    c4i_elem_link(pe, e);
    c4i_elem_made(pe, e);
    c4i_sync_joined(pe, e, sync_birth);
    if (c->awaited) {
        call.done = (c4_done){ 0, 1, c->id, key, true, 0 };
        c4i_bcast_start(pe, c, 0, C4I_F_WANT);
    }
    c4i_execute(pe, e, C4_ENTRY_CREATE, &call, cause);
}

/* The task of a new collection: its elements on this PE, keys lo ... hi - 1;
 * under a map, those of them that are ours (key == NULL means all). */
static bool
construct_one(c4_pe *pe, c4i_task *t)
{
    c4i_coll *c = t->coll;
    uint64_t key = t->key ? t->key[t->at++] : t->lo++;
    bool last = t->key ? t->at == t->n : t->lo == t->hi;
    uint64_t sync_birth = t->b;
    c4_cause cause = t->cause;

    if (last) {
        c4i_task_end(pe, t);
        free(t->key);
        free(t);
    }
    construct(pe, c, key, sync_birth, &cause);
    return !last;
}

/* After the constructors: the completion may be reported, args are free. */
static bool
construct_done(c4_pe *pe, c4i_task *t)
{
    c4i_coll *c = t->coll;

    c4i_task_end(pe, t);
    free(t);
    free(c->args);
    c->args = NULL;
    if (c->awaited)
        c4i_bcast_finish(pe, c, 0, false);
    c->red.hold = !c->closed;
    c4i_red_check(pe, &c->red);
    return false;
}

static void
plan_constructors(c4_pe *pe, c4i_coll *c, uint64_t sync_birth, const c4_cause *cause)
{
    c4i_task *t = c4i_alloc(sizeof(*t)), *done = c4i_alloc(sizeof(*done));
    size_t cap = 0;

    t->run = construct_one;
    t->coll = c;
    t->b = sync_birth;
    t->cause = done->cause = *cause;
    if (c->type->proc_num) {
        /* At once: arrays made right after it ask it.  It cannot suspend. */
        c4i_msg *outer = pe->cur;           /* of the method that makes the map */

        pe->cur = NULL;
        pe->created++;
        construct(pe, c, pe->me, 0, cause);
        pe->cur = outer;
    } else if (c->kind == C4_KIND_GROUP) {
        t->lo = pe->me;
        t->hi = t->lo + c4i_group_has(c, pe->me);
    } else if (c->home == C4I_HOME_BLOCK) {
        t->lo = c4i_block_first(pe, c, pe->me);
        t->hi = c4i_block_first(pe, c, pe->me + 1);
    } else if (c->home == C4I_HOME_MAP) {
        for (uint64_t key = 0; key < c->ndense; key++)
            if (c4i_home(pe, c, key) == pe->me)
                c4i_push_u64(&t->key, &t->n, &cap, key);
    }
    c->red.hold = true;
    if (c->kind == C4_KIND_ARRAY)
        c4i_table_reserve(&c->table, t->key ? t->n : t->hi - t->lo);
    if (t->n || t->lo < t->hi) {
        pe->created += t->key ? t->n : t->hi - t->lo;
        c4i_task_add(pe, t, 0);
    } else {
        free(t);
    }
    done->run = construct_done;
    done->coll = c;
    c4i_task_add(pe, done, 0);
}

/* The number of the type here; below 0 if PEs differ in it, which ends the job. */
static int
type_of_new(c4_pe *pe, const c4i_wire *w, const create_head *h)
{
    int type_no = type_by_hash(pe, h->type);
    uint32_t maker = w->coll % pe->npes;
    c4_err err = C4_OK;

    if (type_no < 0)
        err = c4_fail(pe, C4_ENOENT, "chare type %.64s is registered on PE %u, which makes chares "
                      "of it, but not on PE %u: all PEs must register the same types", h->name,
                      maker, pe->me);
    else if (entries_hash(pe->types[type_no]) != h->entries)
        err = c4_fail(pe, C4_EINVAL, "chare type %s has other entry methods on PE %u than on PE %u",
                      pe->types[type_no]->name, pe->me, maker);
    c4i_user_error(pe, err);
    return err ? -1 : type_no;
}

static c4i_coll *
coll_from(c4_pe *pe, const c4i_wire *w, const create_head *h, const void *on_pes)
{
    int type_no = type_of_new(pe, w, h);
    c4i_coll *c;

    if (type_no < 0)
        return NULL;
    c = coll_new(pe, w->coll, (uint16_t)type_no, h->kind);
    c->dims = h->dims;
    c->sparse = h->sparse;
    c->at_sync = h->at_sync;
    c->closed = !h->sparse;
    c->ndense = h->non_pes ? h->non_pes : h->sparse ? 0 : product(&h->dims);
    if (h->non_pes) {
        c->on_pes = c4i_alloc(h->non_pes * sizeof(*c->on_pes));
        memcpy(c->on_pes, on_pes, h->non_pes * sizeof(*c->on_pes));
    }
    c->map = h->map;
    c->map_coll = h->map ? c4i_coll_find(pe, h->map) : NULL;
    c->home = h->kind == C4_KIND_GROUP ? C4I_HOME_SELF : h->sparse ? C4I_HOME_HASH
            : h->map ? C4I_HOME_MAP : C4I_HOME_BLOCK;
    if (!h->sparse)
        c->red.expect = (int64_t)c->ndense;
    record_coll(pe, c);
    return c;
}

static bool
map_ready(c4_pe *pe, const create_head *h)
{
    c4i_coll *map;

    if (!h->map)
        return true;
    map = c4i_coll_find(pe, h->map);
    if (map && !map->type->proc_num)
        c4_abort(pe, "%s is no array map: it has no proc_num", map->type->name);
    return map && map->first;
}

/* A new collection whose map is not here yet waits for the map. */
static bool
wait_for_map(c4_pe *pe, const create_head *h, c4i_msg *m)
{
    c4i_msg *kept;

    if (map_ready(pe, h))
        return false;
    kept = c4i_msg_keep(pe, m);
    c4i_queue_push(&pending_get(pe, h->map)->queue, kept);
    return true;
}

void
c4i_on_create(c4_pe *pe, c4i_msg *m)
{
    create_head h;
    c4i_coll *c;
    c4i_bcast bc = { .future = m->w.call, .flags = m->w.flags };
    c4_cause cause = c4i_cause_of(pe, m);
    size_t head = sizeof(h);

    if (m->len < sizeof(h))
        c4_abort(pe, "malformed message: create");
    memcpy(&h, m->data, sizeof(h));
    head += h.non_pes * sizeof(uint32_t);
    if (m->len < head || check_dims(pe, &h.dims) || c4i_coll_find(pe, m->w.coll))
        c4_abort(pe, "malformed message: create");
    if (wait_for_map(pe, &h, m))
        return;
    for (uint32_t i = 0; i < c4i_tree_nkids(pe, m->w.coll % pe->npes); i++) {
        c4i_wire w = m->w;

        w.ilen = 0;
        w.flags &= C4I_F_WANT;
        w.hops = 0;
        c4i_post_data(pe, c4i_tree_kid(pe, m->w.coll % pe->npes, i), &w, m->data, m->len);
    }
    c = coll_from(pe, &m->w, &h, (const char *)m->data + sizeof(h));
    if (!c)
        return;
    c->args_len = m->len - head;
    c->args = c4i_alloc(c->args_len);
    memcpy(c->args, (const char *)m->data + head, c->args_len);
    c->awaited = m->w.flags & C4I_F_WANT;
    if (c->awaited)
        c4i_bcast_await(pe, c, &bc, 0);
    plan_constructors(pe, c, h.sync_birth, &cause);
    drain_pending(pe, c->id);
    if (m->w.flags & C4I_F_COUNTED)
        pe->processed++;
}

c4_coll
c4_single_coll(c4_pe *pe, const c4_type *type)
{
    (void)pe;
    return type_hash(type) | SINGLE_BIT;
}

/* ---- Queries --------------------------------------------------------------------- */

c4_err
c4_coll_lookup(c4_pe *pe, c4_coll coll, c4_coll_info *out)
{
    c4i_coll *c = c4i_coll_find(pe, coll);

    if (!c)
        return C4_ENOENT;
    *out = (c4_coll_info){ (enum c4_coll_kind)c->kind, c->type, c->dims, c->sparse, c->at_sync,
                           c->on_pes, c->on_pes ? c->ndense : 0 };
    if (c->sparse)
        memset(out->dims.at, 0, sizeof(out->dims.at));
    return C4_OK;
}
