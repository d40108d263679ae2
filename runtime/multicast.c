/*
 * multicast.c - calls to sections, and their completion.
 *
 * The root gives each member's copy its order number (of the pair root,
 * member: so all members run a section's calls in one order) and looks up where
 * it would send it.  Copies for one PE are a bundle; bundles go down a tree of
 * just the PEs concerned, with the payload once a message.  Where a bundle is
 * unpacked its copies become CALL messages with the root as their source, share
 * the payload, and are routed like any other [1]: the member may have left.
 *
 * T1  A copy that comes through other PEs may overtake the MIGRATE or CTOR that
 *     went straight to the same PE.  "No entry, but an epoch" would then be
 *     taken for "was here, has left", and the copy wait at home for an epoch
 *     that never comes.  So a copy carries the epoch before the one the root
 *     knows: home sends it on as soon as it knows what the root knew.
 * T2  Members of groups have no order numbers: their copies must take the same
 *     way each time.  A node's place in the tree follows from its place in the
 *     list of bundles, where the root and the PEs of group members come first.
 *
 * Completion: a PE reports to where its bundle came from when all copies that
 * ran here have finished and all PEs below have reported; what runs later (a
 * copy that was sent on, or waited) reports to the root itself.  The root
 * counts to the number of members.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

enum { REPORT, GUARD };                     /* c4i_wire.entry of SDONE */
enum { LEVELS = 33 };                       /* of a tree of 2^32 PEs */

typedef struct bundle {
    uint32_t pe, n;
} bundle;

typedef struct copy {
    uint64_t key;
    c4_coll  coll;
    uint32_t seq, ep;
    uint16_t entry, pad;
} copy;

/* Payload of SCAST: this, bundles in the order of the tree, the first one the
 * receiver's; their copies; padding to 16; the data of the call. */
typedef struct cast_head {
    uint32_t nbundles, ncopies;
    uint32_t trace;                         /* the root's number of the call */
    uint32_t pad;
} cast_head;

static size_t
data_offset(const cast_head *h)
{
    size_t n = sizeof(*h) + h->nbundles * sizeof(bundle) + h->ncopies * sizeof(copy);

    return (n + 15) & ~(size_t)15;
}

/* ---- Copies that share a payload ---------------------------------------------- */

struct c4i_shared {
    uint32_t          nrefs;
    c4i_msg          *msg;                  /* owns the payload */
    const c4_binding *binding;              /* of cache */
    void             *cache;
};

void **
c4i_shared_cache(c4i_shared *s, const c4_binding *binding)
{
    if (!binding || (s->binding && s->binding != binding))
        return NULL;
    s->binding = binding;
    return &s->cache;
}

void
c4i_shared_drop(c4_pe *pe, c4i_shared *s)
{
    if (--s->nrefs)
        return;
    if (s->cache)
        s->binding->cache_free(pe, s->cache);
    c4i_msg_free(pe, s->msg);
    free(s);
}

/* The n copies of this PE's bundle go to its queue.  Takes m over: its payload,
 * which begins at off, is theirs. */
static void
unpack(c4_pe *pe, const c4i_wire *w, c4i_msg *m, uint32_t trace, const copy *c, uint32_t n,
       size_t off)
{
    c4i_shared *shared = c4i_alloc(sizeof(*shared));
    uint64_t call = (uint64_t)w->coll << 32 | (uint32_t)w->call;
    uint8_t flags = (uint8_t)((w->flags & (C4I_F_WANT | C4I_F_RESULT)) | C4I_F_SECTION
                              | C4I_F_COUNTED);
    uint32_t root = w->coll % pe->npes;
    uint64_t arrived = root == pe->me && pe->want_sent ? c4i_ticks(&pe->clock) : m->arrived;

    shared->msg = m;
    shared->nrefs = n;
    for (uint32_t i = 0; i < n; i++) {
        c4i_msg *x = c4i_msg_new(pe);

        x->w = (c4i_wire){ .coll = c[i].coll, .flags = flags, .entry = c[i].entry, .src = root,
                           .elem = c[i].key, .ep = c[i].ep, .seq = c[i].seq, .call = call,
                           .trace = trace };
        x->w.kind = C4I_CALL;
        x->data = (const char *)m->data + off;
        x->len = m->len - off;
        x->arrived = arrived;
        x->owner = shared;
        x->mem = C4I_MEM_SHARED;
        pe->created++;
        c4i_queue_push(&pe->local, x);
    }
}

/* ---- Completion ------------------------------------------------------------------ */

/* The members' places. */
static uint64_t
rank(c4_pe *pe, const void *arg, const c4_result *r)
{
    c4i_place *p = c4i_section_place(arg, (c4_chare){ r->key, r->coll });

    if (!p)
        c4_abort(pe, "malformed message: completion");
    return p->at;
}

static void
comp_check(c4_pe *pe, c4i_section *s, c4i_comp *x)
{
    c4i_wire w = c4i_wire_for(C4I_SDONE, s->id);
    struct iovec iov[2] = { { &x->count, sizeof(x->count) }, { x->results.data, x->results.len } };

    if (x->running || x->nkids)
        return;
    if (pe->me == s->id % pe->npes) {
        if (x->count < s->n)
            return;
        c4i_comp_answer(pe, x, rank, s);
    } else {
        w.entry = REPORT;
        w.call = x->no;
        w.flags = x->late ? 0 : C4I_F_UP;
        c4i_post(pe, x->parent, &w, iov, 2);
    }
    c4i_comp_free(&s->comps, x);
}

/* An awaited call has come; n copies are for this PE.  If some ran here before,
 * sent on by others, their late report becomes part of this one. */
static void
comp_begin(c4_pe *pe, c4i_section *s, const c4i_wire *w, uint32_t nkids, uint32_t n,
           c4_future future)
{
    c4i_comp *x = c4i_comp_find(&s->comps, (uint32_t)w->call);
    c4i_wire guard = c4i_wire_for(C4I_SDONE, s->id);

    if (!x)
        x = c4i_comp_new(&s->comps, (uint32_t)w->call);
    x->late = false;
    x->parent = w->src;
    x->nkids = nkids;
    x->flags = w->flags & (C4I_F_WANT | C4I_F_RESULT);
    x->future = future;
    if (n) {                                /* until the copies have been looked at */
        x->running++;
        guard.entry = GUARD;
        guard.call = x->no;
        c4i_post_data(pe, pe->me, &guard, NULL, 0);
    } else {
        comp_check(pe, s, x);
    }
}

/* A copy begins to run. */
void
c4i_section_start(c4_pe *pe, const c4i_msg *m, c4_done *done)
{
    c4i_section *s = c4i_section_get(pe, (c4_section)(m->w.call >> 32));
    uint32_t no = (uint32_t)m->w.call;
    c4i_comp *x = c4i_comp_find(&s->comps, no);

    if (!x) {
        x = c4i_comp_new(&s->comps, no);
        x->late = true;
        x->parent = s->id % pe->npes;
        x->flags = m->w.flags & (C4I_F_WANT | C4I_F_RESULT);
    }
    x->running++;
    done->future = 0;
    done->bcast = (uint64_t)no + 1;
    done->section = s->id;
}

void
c4i_section_finish(c4_pe *pe, const c4_done *done, const struct iovec *iov, int niov,
                   bool is_error)
{
    c4i_section *s = c4i_section_get(pe, done->section);
    c4i_comp *x = c4i_comp_find(&s->comps, (uint32_t)(done->bcast - 1));

    if (!x || !x->running)
        return;
    c4i_comp_result(pe, x, done, iov, niov, is_error);
    x->running--;
    x->count++;
    comp_check(pe, s, x);
}

void
c4i_on_section_done(c4_pe *pe, c4i_msg *m)
{
    c4i_section *s = c4i_section_get(pe, m->w.coll);
    c4i_comp *x = c4i_comp_find(&s->comps, (uint32_t)m->w.call);
    uint64_t count;

    if (!x || (m->w.entry == REPORT && m->len < sizeof(count))
        || !(m->w.entry == GUARD ? x->running : m->w.flags & C4I_F_UP ? x->nkids : 1))
        c4_abort(pe, "malformed message: completion");
    if (m->w.entry == GUARD) {
        x->running--;
    } else {
        memcpy(&count, m->data, sizeof(count));
        x->count += count;
        c4i_comp_merge(pe, x, (const char *)m->data + sizeof(count), m->len - sizeof(count));
        if (m->w.flags & C4I_F_UP)
            x->nkids--;
    }
    comp_check(pe, s, x);
}

/* ---- The tree ------------------------------------------------------------------------ */

/* Node i of n has kids arity * i + 1 ... ; so the nodes below any one are, level
 * by level, a few runs of the list, and again a list of that form. */
static void
send_below(c4_pe *pe, const c4i_wire *how, cast_head h, const bundle *b, const copy *c,
           const size_t *first, uint64_t kid, const struct iovec *data)
{
    static const unsigned char zero[16];
    struct iovec iov[2 * LEVELS + 3];
    uint64_t n = h.nbundles, lo = kid, run = 1, end = 0;
    int k = 0;
    c4i_wire w = *how;

    h.nbundles = h.ncopies = 0;
    for (; lo < n; lo = lo * pe->arity + 1, run *= pe->arity) {
        uint64_t hi = lo + run < n ? lo + run : n;

        if (lo != end) {                    /* not a chain: a new run of the list */
            k++;
            iov[k].iov_base = (void *)(b + lo);
            iov[k].iov_len = 0;
            iov[LEVELS + k].iov_base = (void *)(c + first[lo]);
            iov[LEVELS + k].iov_len = 0;
        }
        end = hi;
        iov[k].iov_len += (hi - lo) * sizeof(*b);
        iov[LEVELS + k].iov_len += (first[hi] - first[lo]) * sizeof(*c);
        h.nbundles += (uint32_t)(hi - lo);
        h.ncopies += (uint32_t)(first[hi] - first[lo]);
    }
    iov[0] = (struct iovec){ &h, sizeof(h) };
    memmove(iov + k + 1, iov + LEVELS + 1, (size_t)k * sizeof(*iov));
    iov[2 * k + 1] = (struct iovec){ (void *)zero, data_offset(&h) - sizeof(h)
                                     - h.nbundles * sizeof(*b) - h.ncopies * sizeof(*c) };
    iov[2 * k + 2] = *data;
    c4i_post(pe, b[kid].pe, &w, iov, 2 * k + 3);
}

static uint32_t
send_down(c4_pe *pe, const c4i_wire *how, const cast_head *h, const bundle *b, const copy *c,
          const struct iovec *data)
{
    size_t *first = c4i_alloc((h->nbundles + 1) * sizeof(*first));
    uint32_t kid = 1;

    for (uint32_t i = 0; i < h->nbundles; i++)
        first[i + 1] = first[i] + b[i].n;
    for (; kid <= pe->arity && kid < h->nbundles; kid++)
        send_below(pe, how, *h, b, c, first, kid, data);
    free(first);
    return kid - 1;
}

void
c4i_on_section_cast(c4_pe *pe, c4i_msg *m)
{
    cast_head h;
    const bundle *b;
    const copy *c;
    size_t off;
    uint64_t sum = 0;
    uint32_t nkids, nown;
    c4i_wire w = c4i_wire_for(C4I_SCAST, m->w.coll);
    c4i_wire got = m->w;
    c4i_section *s = c4i_section_get(pe, m->w.coll);

    if (m->len < sizeof(h))
        c4_abort(pe, "malformed message: section");
    memcpy(&h, m->data, sizeof(h));
    off = data_offset(&h);
    if (m->len < off || h.nbundles == 0)
        c4_abort(pe, "malformed message: section");
    b = (const bundle *)(const void *)((const char *)m->data + sizeof(h));
    c = (const copy *)(const void *)(b + h.nbundles);
    for (uint32_t i = 0; i < h.nbundles; i++)
        sum += b[i].pe < pe->npes ? b[i].n : UINT32_MAX;
    if (sum != h.ncopies || b[0].pe != pe->me)
        c4_abort(pe, "malformed message: section");
    w.call = got.call;
    w.flags = got.flags & (C4I_F_WANT | C4I_F_RESULT);
    nkids = send_down(pe, &w, &h, b, c,
                      &(struct iovec){ (char *)m->data + off, m->len - off });
    nown = b[0].n;
    if (nown) {
        size_t at = (size_t)((const char *)c - (const char *)m->data);
        c4i_msg *kept = c4i_msg_keep(pe, m);    /* it may move: the copies are in it */

        c = (const copy *)(const void *)((const char *)kept->data + at);
        unpack(pe, &got, kept, h.trace, c, nown, off);
    }
    if (got.flags & C4I_F_WANT)
        comp_begin(pe, s, &got, nkids, nown, 0);
}

/* ---- The root -------------------------------------------------------------------------- */

c4_method
c4_method_id(const char *name)
{
    uint64_t h = 14695981039346656037u;     /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

static const char *
method_name(const c4_pe *pe, c4_method method)
{
    for (size_t i = 0; i < pe->ntypes; i++)
        for (const c4_entry *e = pe->types[i]->entries; e && e->name; e++)
            if (c4_method_id(e->name) == method)
                return e->name;
    return "of that name";
}

static uint16_t
entry_of(c4_pe *pe, c4i_section *s, uint32_t part, const c4i_wire *w)
{
    c4i_section_part *p = &s->part[part];
    const c4_type *type = p->coll->type;

    if (w->entry == C4I_ENTRY_JOIN)
        return C4I_ENTRY_JOIN;
    if (p->method == w->elem)
        return p->entry;
    for (p->entry = 0; p->entry < p->coll->nentries; p->entry++)
        if (c4_method_id(type->entries[p->entry].name) == w->elem)
            break;
    if (p->entry == p->coll->nentries)
        c4_abort(pe, "a call to section %u: its members of type %s have no entry method %s", s->id,
                 type->name, method_name(pe, w->elem));
    p->method = w->elem;
    return p->entry;
}

/* Bundles in the order of the tree, and *c, the copies in order of bundles. */
static bundle *
make_bundles(c4_pe *pe, c4i_section *s, const c4i_wire *w, uint32_t *nbundles, copy **c)
{
    uint32_t *node = c4i_alloc(pe->npes * sizeof(*node));   /* of a PE, + 1 */
    bundle *b = c4i_alloc(pe->npes * sizeof(*b));
    copy *raw = c4i_alloc(s->n * sizeof(*raw)), *out = c4i_alloc(s->n * sizeof(*out));
    uint32_t *to = c4i_alloc(s->n * sizeof(*to));
    size_t *next = c4i_alloc((pe->npes + 1) * sizeof(*next));
    uint32_t n = 0;

    b[n].pe = pe->me;
    node[pe->me] = ++n;
    for (uint32_t i = 0; i < s->nfixed; i++) {
        b[n].pe = s->fixed[i];
        node[s->fixed[i]] = ++n;
    }
    for (size_t i = 0; i < s->n; i++) {
        const c4i_member *m = &s->member[i];
        c4i_wire a = { .coll = m->coll, .elem = m->idx };

        to[i] = c4i_address(pe, s->part[m->part].coll, &a);
        raw[i] = (copy){ m->idx, m->coll, a.seq, a.ep ? a.ep - 1 : 0,     /* T1 */
                         entry_of(pe, s, m->part, w), 0 };
        if (!node[to[i]]) {
            b[n].pe = to[i];
            node[to[i]] = ++n;
        }
        b[node[to[i]] - 1].n++;
    }
    for (uint32_t i = 0; i < n; i++)
        next[i + 1] = next[i] + b[i].n;
    for (size_t i = 0; i < s->n; i++)
        out[next[node[to[i]] - 1]++] = raw[i];
    free(next);
    free(to);
    free(raw);
    free(node);
    *nbundles = n;
    *c = out;
    return b;
}

/* For the recorder all copies are one message, of the root to itself. */
static uint32_t
record_sent(c4_pe *pe, c4i_wire *w, uint64_t len)
{
    if (pe->want_sent)
        c4i_record_sent(pe, w, C4I_SCAST, pe->me, len);
    return w->trace;
}

void
c4i_section_spread(c4_pe *pe, c4i_section *s, c4i_msg *m)
{
    cast_head h = { .ncopies = (uint32_t)s->n };
    struct iovec data = { (void *)m->data, m->len };
    c4i_wire w = c4i_wire_for(C4I_SCAST, s->id);
    c4_future future = m->w.call;
    bundle *b;
    copy *c;
    uint32_t nkids;

    w.flags = m->w.flags & (C4I_F_WANT | C4I_F_RESULT);
    w.src = pe->me;
    if (w.flags & C4I_F_WANT) {
        s->ncast += s->ncast == UINT32_MAX ? 2 : 1;
        w.call = s->ncast;
    }
    b = make_bundles(pe, s, &m->w, &h.nbundles, &c);
    h.trace = record_sent(pe, &w, m->len);
    nkids = send_down(pe, &w, &h, b, c, &data);
    if (b[0].n)
        unpack(pe, &w, c4i_msg_keep(pe, m), h.trace, c, b[0].n, 0);
    if (w.flags & C4I_F_WANT)
        comp_begin(pe, s, &w, nkids, b[0].n, future);
    free(b);
    free(c);
}
