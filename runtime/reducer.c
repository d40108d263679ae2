/*
 * reducer.c - the built-in reducers: arrays of numbers, gather, nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "pe.h"

static c4_err
merge_nop(c4_pe *pe, c4_buf *acc, const void *data, size_t len)
{
    (void)pe;
    (void)acc;
    (void)data;
    (void)len;
    return C4_OK;
}

/* The first contribution is copied; the others must have its length.  A
 * buffer with memory tells that there was one, even an empty one. */
static c4_err
first_or_same(c4_pe *pe, c4_buf *acc, const void *data, size_t len, bool *first)
{
    *first = acc->data == NULL;
    if (*first && !len) {
        acc->data = malloc(1);
        return acc->data ? C4_OK : C4_ENOMEM;
    }
    if (*first)
        return c4_buf_add(acc, data, len);
    if (acc->len != len)
        return c4_fail(pe, C4_EINVAL, "contributions of %zu and %zu bytes to one reduction",
                       acc->len, len);
    return C4_OK;
}

#define NUMERIC(name, type, expr) \
static c4_err \
merge_##name(c4_pe *pe, c4_buf *acc, const void *data, size_t len) \
{ \
    bool first; \
    c4_err err = first_or_same(pe, acc, data, len, &first); \
    type *to = (type *)(void *)acc->data; \
    \
    for (size_t i = 0; !err && !first && i < len / sizeof(type); i++) { \
        type a = to[i], b; \
        \
        memcpy(&b, (const char *)data + i * sizeof(type), sizeof(b)); \
        to[i] = (expr); \
    } \
    return err; \
}

/* Sums and products of integers wrap. */
NUMERIC(sum_i64, int64_t, (int64_t)((uint64_t)a + (uint64_t)b))
NUMERIC(prod_i64, int64_t, (int64_t)((uint64_t)a * (uint64_t)b))
NUMERIC(max_i64, int64_t, a > b ? a : b)
NUMERIC(min_i64, int64_t, a < b ? a : b)
NUMERIC(sum_f64, double, a + b)
NUMERIC(prod_f64, double, a * b)
NUMERIC(max_f64, double, a > b ? a : b)
NUMERIC(min_f64, double, a < b ? a : b)

static c4_err
merge_gather(c4_pe *pe, c4_buf *acc, const void *data, size_t len)
{
    (void)pe;
    return c4_buf_add(acc, data, len);
}

typedef struct gathered {
    uint64_t key;
    size_t   at, size;
} gathered;

static int
by_key(const void *a, const void *b)
{
    const gathered *x = a, *y = b;

    return x->key < y->key ? -1 : x->key > y->key;
}

static c4_err
finish_gather(c4_pe *pe, c4_buf *acc)
{
    gathered *rec = NULL;
    size_t n = 0, cap = 0;
    c4_buf out = { 0 };

    for (size_t at = 0; at < acc->len; n++) {
        uint64_t head[2] = { 0, UINT64_MAX };

        if (acc->len - at >= sizeof(head))
            memcpy(head, acc->data + at, sizeof(head));
        if (head[1] > acc->len - at - sizeof(head)) {
            free(rec);
            return c4_fail(pe, C4_EFORMAT, "malformed records in a gather");
        }
        if (n == cap) {
            cap = cap ? cap * 2 : 64;
            rec = c4i_realloc(rec, cap * sizeof(*rec));
        }
        rec[n] = (gathered){ head[0], at, sizeof(head) + ((head[1] + 7) & ~(uint64_t)7) };
        at += rec[n].size;
    }
    if (n)
        qsort(rec, n, sizeof(*rec), by_key);
    for (size_t i = 0; i < n; i++)
        if (c4_buf_add(&out, acc->data + rec[i].at, rec[i].size)) {
            c4_buf_release(&out);
            free(rec);
            return C4_ENOMEM;
        }
    free(rec);
    c4_buf_release(acc);
    *acc = out;
    return C4_OK;
}

static const c4_reducer builtin[C4I_RED_NBUILTIN] = {
    [C4_RED_NOP] = { "nop", merge_nop, NULL, NULL },
    [C4_RED_SUM_I64] = { "sum_i64", merge_sum_i64, NULL, NULL },
    [C4_RED_PROD_I64] = { "product_i64", merge_prod_i64, NULL, NULL },
    [C4_RED_MAX_I64] = { "max_i64", merge_max_i64, NULL, NULL },
    [C4_RED_MIN_I64] = { "min_i64", merge_min_i64, NULL, NULL },
    [C4_RED_SUM_F64] = { "sum_f64", merge_sum_f64, NULL, NULL },
    [C4_RED_PROD_F64] = { "product_f64", merge_prod_f64, NULL, NULL },
    [C4_RED_MAX_F64] = { "max_f64", merge_max_f64, NULL, NULL },
    [C4_RED_MIN_F64] = { "min_f64", merge_min_f64, NULL, NULL },
    [C4_RED_GATHER] = { "gather", merge_gather, NULL, finish_gather },
    [C4I_RED_APPEND] = { "append", merge_gather, NULL, NULL },
};

c4_err
c4_reducer_add(c4_pe *pe, const c4_reducer *reducer, uint16_t *out)
{
    if (pe->nreducers == UINT16_MAX)
        return c4_fail(pe, C4_ENOMEM, "too many reducers");
    for (size_t i = 0; i < pe->nreducers; i++)
        if (strcmp(pe->reducers[i]->name, reducer->name) == 0)
            return c4_fail(pe, C4_EEXIST, "a reducer %s is registered already", reducer->name);
    pe->reducers = c4i_realloc(pe->reducers, (pe->nreducers + 1) * sizeof(*pe->reducers));
    pe->reducers[pe->nreducers] = reducer;
    if (out)
        *out = (uint16_t)pe->nreducers;
    pe->nreducers++;
    return C4_OK;
}

c4_err
c4i_reducers_init(c4_pe *pe)
{
    for (int i = 0; i < C4I_RED_NBUILTIN; i++)
        if (c4_reducer_add(pe, &builtin[i], NULL))
            return C4_ENOMEM;
    return C4_OK;
}
