/*
 * fuzz_spool.c - bytes that claim to be a spool are read without a crash.
 *
 * The entry is libFuzzer's; from a build tree, build it with
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DC4_LIBFUZZER -I$src/runtime \
 *         -I$src $src/tests/fuzz/fuzz_spool.c $src/prof/spool_read.c \
 *         .libs/libc4core.a -lunwind -lsqlite3 -lpapi -lm
 * Without C4_LIBFUZZER a driver of its own changes a good spool in many ways,
 * the same ones each time (make check); with file names it replays those.
 *
 * The first byte chooses: a spool, or a stats file.  The head's sum is made
 * right, else nothing behind it would ever be reached; one input in 16 keeps it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/spool_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
visit_blob(const c4i_spool_in *in, enum c4i_blob what, const c4_buf *b)
{
    size_t off = what == C4I_BLOB_TYPE || what == C4I_BLOB_COUNTER ? 2 : 0, n = 0;
    c4i_lb_parts parts;
    const char *s;

    (void)in;
    if (what == C4I_BLOB_LB) {
        if (!c4i_lb_parts_get(&parts, b->data, b->len))
            c4i_lb_parts_release(&parts);
        return;
    }
    while (b->data && (s = c4i_blob_string(b, &off)))
        n += strlen(s);
}

static void
visit(const c4i_spool_in *in)
{
    volatile uint64_t sink = 0;
    c4_buf b = { 0 };
    enum c4i_blob what;
    c4i_rec r;

    for (uint64_t i = 0; i < in->nrecs; i++) {
        c4i_spool_get(in, i, &r);
        if (r.kind == C4I_REC_BLOB && c4i_spool_get_blob(in, &i, &what, &b))
            visit_blob(in, what, &b);
        else if (r.kind == C4I_REC_EXEC)
            sink += c4i_spool_ns(in, r.exec.begin) + c4i_spool_span(in, r.exec.ticks);
    }
    c4_buf_release(&b);
}

static void
visit_stats(const c4i_spool_in *in)
{
    volatile uint64_t sink = c4i_spool_totals(in).busy;

    for (uint32_t i = 0; i < c4i_spool_nstats(in); i++)
        sink += c4i_spool_span(in, c4i_spool_stat(in, i).sum);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bool stats = len && data[0] & 1;
    c4i_spool_in in;
    char err[300];
    uint8_t *copy;

    if (len < 1 || !(copy = malloc(len)))
        return 0;
    memcpy(copy, data + 1, len - 1);
    if (len - 1 >= sizeof(c4i_spool_head) && (data[0] & 0xf0) != 0xf0) {
        uint64_t sum = c4i_fnv1a(copy, offsetof(c4i_spool_head, sum));

        memcpy(copy + offsetof(c4i_spool_head, sum), &sum, sizeof(sum));
    }
    if (!c4i_spool_parse(&in, copy, len - 1, stats ? C4I_STATS_MAGIC : C4I_SPOOL_MAGIC, err,
                         sizeof(err))) {
        if (stats)
            visit_stats(&in);
        else
            visit(&in);
    }
    free(copy);
    return 0;
}

#ifndef C4_LIBFUZZER

enum { RECORDS = 60, SIZE = 1 + C4I_SPOOL_HEAD + RECORDS * sizeof(c4i_rec), ROUNDS = 50000 };

/* xorshift64*: the same inputs each time. */
static uint64_t
random_bits(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(2685821657736338717);
}

/* A good spool: every kind of record, blobs of several parts. */
static void
make_seed(uint8_t *out, bool stats)
{
    c4i_spool_head h = { .version = C4I_SPOOL_VERSION, .head_size = C4I_SPOOL_HEAD,
                         .rec_size = sizeof(c4i_rec), .npes = 2, .level = 2,
                         .ns_per_tick = 0.4, .nstats = 3 };

    memset(out, 0, SIZE);
    out[0] = stats;
    memcpy(h.magic, stats ? C4I_STATS_MAGIC : C4I_SPOOL_MAGIC, 7);
    memcpy(out + 1, &h, sizeof(h));
    for (int i = 0; i < RECORDS; i++) {
        uint8_t *r = out + 1 + C4I_SPOOL_HEAD + (size_t)i * sizeof(c4i_rec);

        for (size_t k = 0; k < sizeof(c4i_rec); k++)
            r[k] = (uint8_t)(random_bits() & random_bits());
        r[0] = (uint8_t)(1 + i % (C4I_NRECS - 1));
        if (i % 3 == 0) {                   /* parts 0, 1 ... of a blob, now and then its end */
            c4i_rec_blob b = { .kind = C4I_REC_BLOB, .what = (uint8_t)(i / 15 % C4I_NBLOBS),
                               .n = C4I_SPOOL_BLOBPART, .last = i % 15 == 12,
                               .part = (uint32_t)(i % 15 / 3) };

            memcpy(r, &b, offsetof(c4i_rec_blob, data));
        }
    }
}

static void
mutate(uint8_t *bytes, size_t *len)
{
    int n = 1 + (int)(random_bits() % 8);

    for (int i = 0; i < n; i++) {
        size_t at = random_bits() % (random_bits() & 1 ? sizeof(c4i_spool_head) : SIZE);

        bytes[at] = random_bits() & 1 ? (uint8_t)random_bits() : (uint8_t)(bytes[at] ^ 0x80);
    }
    *len = random_bits() % 4 ? SIZE : random_bits() % SIZE;
}

static int
replay(const char *file)
{
    FILE *f = fopen(file, "rb");
    uint8_t *bytes = malloc(1 << 22);
    size_t n;

    if (!f || !bytes) {
        perror(file);
        return 1;
    }
    n = fread(bytes, 1, 1 << 22, f);
    fclose(f);
    LLVMFuzzerTestOneInput(bytes, n);
    free(bytes);
    return 0;
}

int
main(int argc, char **argv)
{
    uint8_t *bytes = malloc(SIZE);
    size_t len = SIZE;

    if (!bytes)
        return 1;
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]))
            return 1;
    for (int i = 0; argc == 1 && i < ROUNDS; i++) {
        if (i % 16 == 0)
            make_seed(bytes, i % 64 == 0);
        mutate(bytes, &len);
        LLVMFuzzerTestOneInput(bytes, len);
    }
    free(bytes);
    return 0;
}

#endif
