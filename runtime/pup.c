/*
 * pup.c - packing of objects, and growing byte buffers.
 */
#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "pe.h"

void
c4_pup_raw(c4_pup *p, void *data, size_t nbytes)
{
    if (nbytes == 0)
        return;                             /* data may be NULL */
    if (p->mode == C4_PUP_PACK) {
        if (nbytes > p->size - p->off) {    /* more than it said when it was sized */
            p->failed = true;
            return;
        }
        c4i_copy_choose()(p->buf + p->off, data, nbytes);
    } else if (p->mode == C4_PUP_UNPACK) {
        if (p->failed || nbytes > p->size - p->off) {
            p->failed = true;
            memset(data, 0, nbytes);
            return;
        }
        memcpy(data, p->buf + p->off, nbytes);
    }
    p->off += nbytes;
}

void
c4_pup_heap(c4_pup *p, void **data, size_t *nbytes)
{
    uint64_t n = *nbytes;

    c4_pup_raw(p, &n, sizeof(n));
    if (p->mode == C4_PUP_UNPACK) {
        if (p->failed || n > p->size - p->off) {
            p->failed = true;
            n = 0;
        }
        *nbytes = n;
        *data = n ? c4i_alloc(n) : NULL;
    }
    if (n)
        c4_pup_raw(p, *data, n);
}

void
c4_pup_bytes(c4_pup *p, void *self)
{
    c4_pup_raw(p, self, p->self_size);
}

c4_err
c4_buf_add(c4_buf *b, const void *data, size_t len)
{
    if (len > b->cap - b->len) {
        size_t cap = b->cap ? b->cap : 64;
        unsigned char *p;

        if (len > SIZE_MAX / 4)
            return C4_ENOMEM;
        while (cap - b->len < len)
            cap *= 2;
        p = realloc(b->data, cap);
        if (!p)
            return C4_ENOMEM;
        b->data = p;
        b->cap = cap;
    }
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    return C4_OK;
}

void
c4_buf_release(c4_buf *b)
{
    free(b->data);
    *b = (c4_buf){ 0 };
}
