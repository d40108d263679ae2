/*
 * index.c - index, key and home of an element.
 *
 * A dense element's key is its linear index, a sparse one's the index packed
 * into 64 bits, or a hash where it does not fit.  The home is the PE that
 * always knows where the element is; a map places elements of sparse arrays,
 * but does not make their homes: a key cannot always be turned back.
 *
 * An element that a dense array grows by, outside of its sizes, has a key like
 * that of a sparse one, of 63 bits, and C4I_GROWN.
 */
#include "pe.h"

bool
c4i_is_sparse(const c4_index *dims)
{
    for (int i = 0; i < dims->n; i++)
        if (dims->at[i])
            return false;
    return true;
}

static uint64_t
mix(uint64_t x)                             /* splitmix64's finalizer */
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* One number is its own key; more are packed if they fit, else hashed: then
 * the home compares whole indexes when an element is inserted. */
static uint64_t
packed_key(const c4_index *index, int width)
{
    int bits = width / index->n;
    uint64_t key = 0;

    if (index->n == 1 && width == 64)
        return (uint64_t)index->at[0];
    for (int i = 0; i < index->n; i++) {
        int64_t half = (int64_t)1 << (bits - 1);

        if (index->at[i] < -half || index->at[i] >= half) {
            key = 0;
            for (int k = 0; k < index->n; k++)
                key = mix(key * 31 + (uint64_t)index->at[k] + 0x9e3779b97f4a7c15u);
            return key;
        }
        key = key << bits | ((uint64_t)index->at[i] & (((uint64_t)1 << bits) - 1));
    }
    return key;
}

/* The index that packed_key() packed; of a hashed one, something else. */
static c4_index
unpacked(int n, uint64_t key, int width)
{
    int bits = width / n;
    c4_index index = { n, { 0 } };

    for (int i = n; i-- > 0; key >>= bits)
        index.at[i] = (int64_t)(key << (64 - bits)) >> (64 - bits);
    return index;
}

c4_err
c4_key_of(const c4_index *dims, const c4_index *index, uint64_t *out)
{
    uint64_t key = 0;

    if (index->n != dims->n)
        return C4_EINVAL;
    if (c4i_is_sparse(dims)) {
        *out = packed_key(index, 64);
        return C4_OK;
    }
    for (int i = 0; i < dims->n; i++) {
        if (index->at[i] < 0 || index->at[i] >= dims->at[i]) {
            *out = packed_key(index, 63) | C4I_GROWN;
            return C4_ERANGE;
        }
        key = key * (uint64_t)dims->at[i] + (uint64_t)index->at[i];
    }
    *out = key;
    return C4_OK;
}

c4_index
c4i_index_of_key(const c4i_coll *c, uint64_t key)
{
    c4_index index = { c->dims.n, { 0 } };

    if (c->kind == C4_KIND_ARRAY && c->sparse && c->dims.n > 1)
        return unpacked(c->dims.n, key, 64);
    if (c4i_is_grown(c, key))
        return unpacked(c->dims.n, key & ~C4I_GROWN, 63);
    if (c->kind != C4_KIND_ARRAY || c->sparse) {
        index.n = 1;
        index.at[0] = c->kind == C4_KIND_SINGLE ? 0 : (int64_t)key;
        return index;
    }
    for (int i = c->dims.n; i-- > 0; ) {
        index.at[i] = (int64_t)(key % (uint64_t)c->dims.at[i]);
        key /= (uint64_t)c->dims.at[i];
    }
    return index;
}

c4_err
c4_elem_at(c4_pe *pe, c4_array array, const c4_index *index, c4_chare *out)
{
    c4i_coll *c = c4i_coll_find(pe, array);
    uint64_t key;
    c4_err err;

    if (!c)
        return c4_fail(pe, C4_ENOENT, "collection %u is not known on PE %u yet", array, pe->me);
    err = c4_key_of(&c->dims, index, &key);
    if (err == C4_ERANGE && c->grows)
        err = C4_OK;
    if (err)
        return c4_fail(pe, err, err == C4_EINVAL ? "index has another number of dimensions"
                                                 : "index is out of range");
    *out = (c4_chare){ key, array };
    return C4_OK;
}

c4_chare
c4_neighbour(const c4_pe *pe, c4_chare of, int64_t by)
{
    c4i_coll *c = c4i_coll_find((c4_pe *)pe, of.coll);
    uint64_t n = 0;

    if (c && c->kind == C4_KIND_GROUP)
        n = pe->npes;
    else if (c && c->kind == C4_KIND_ARRAY && !c->sparse)
        n = c->ndense;
    if (!n)                                 /* no bounds: no wrapping */
        of.idx += (uint64_t)by;
    else if (by >= 0)
        of.idx = (of.idx % n + (uint64_t)by % n) % n;
    else
        of.idx = (of.idx % n + n - (0 - (uint64_t)by) % n) % n;
    return of;
}

/* First key of a PE's block: the first ndense % npes PEs hold one more. */
uint64_t
c4i_block_first(const c4_pe *pe, const c4i_coll *c, uint32_t of)
{
    uint64_t each = c->ndense / pe->npes, more = c->ndense % pe->npes;

    return of * each + (of < more ? of : more);
}

bool
c4_grows(c4_pe *pe, c4_array array)
{
    c4i_coll *c = c4i_coll_find(pe, array);

    return c && c->grows;
}

uint32_t
c4i_map_home(c4_pe *pe, c4i_coll *c, const c4_index *index)
{
    c4i_coll *map = c->map_coll;
    uint32_t to = map->type->proc_num(pe, map->first->obj, index);

    if (to >= pe->npes)
        c4_abort(pe, "array map %s gives PE %u; there are %u", map->type->name, to, pe->npes);
    return to;
}

uint32_t
c4i_home(c4_pe *pe, c4i_coll *c, uint64_t key)
{
    if (__builtin_expect(c4i_is_grown(c, key), 0))
        return (uint32_t)(mix(key) % pe->npes);
    switch ((enum c4i_home_kind)c->home) {
    case C4I_HOME_SELF:
        return c->kind == C4_KIND_GROUP ? (uint32_t)key : (uint32_t)(key >> 48);
    case C4I_HOME_BLOCK: {
        uint64_t each = c->ndense / pe->npes, more = c->ndense % pe->npes;

        if (key >= c->ndense)
            c4_abort(pe, "malformed message: element %llu of an array of %llu",
                     (unsigned long long)key, (unsigned long long)c->ndense);
        if (key < more * (each + 1))
            return (uint32_t)(key / (each + 1));
        return (uint32_t)((key - more) / each);
    }
    case C4I_HOME_MAP: {
        c4_index index = c4i_index_of_key(c, key);

        return c4i_map_home(pe, c, &index);
    }
    case C4I_HOME_HASH:
        if (c->dims.n == 1) {
            int64_t r = (int64_t)key % (int64_t)pe->npes;

            return (uint32_t)(r < 0 ? r + pe->npes : r);
        }
        return (uint32_t)(mix(key) % pe->npes);
    }
    return 0;
}
