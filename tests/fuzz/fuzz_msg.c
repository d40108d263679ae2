/*
 * fuzz_msg.c - any bytes that come as protocol messages are handled or refused.
 *
 * The entry is libFuzzer's; build it with
 *     clang -fsanitize=fuzzer,address,undefined -DC4_LIBFUZZER ...
 * Without C4_LIBFUZZER a driver of its own changes the messages of a real run
 * in many ways, the same ones each time (make check); with file names it
 * replays those.
 *
 * An input is a list of messages: a head of HEAD bytes each, and a payload.
 * They reach PE 1 of a simulated job of three PEs, which then goes on.  To
 * refuse one is to call c4_abort() or to ask for too much memory, which here
 * ends the input (linked with --wrap).  The sending PE is what the transport vouches for.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/pe.h"
#include "runtime/sim.h"

enum { NPES = 3, NCOLLS = 5, HEAD = 12, STEPS = 3000, MAXLEN = 2048, MAXALLOC = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
void __wrap_c4_abort(c4_pe *pe, const char *fmt, ...) __attribute__((noreturn));
const char *__asan_default_options(void) __attribute__((visibility("default")));

void __wrap_c4i_no_memory(size_t n) __attribute__((noreturn));
void *__wrap_c4i_alloc(size_t n);
void *__wrap_c4i_realloc(void *p, size_t n);
void *__real_c4i_alloc(size_t n);
void *__real_c4i_realloc(void *p, size_t n);

/* What was being done when a message was refused is not undone. */
const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}

static jmp_buf refused;

void
__wrap_c4_abort(c4_pe *pe, const char *fmt, ...)
{
    (void)pe;
    (void)fmt;
    longjmp(refused, 1);
}

/* ---- The job ------------------------------------------------------------------ */

/* Absurd numbers may want more memory than there is: refused, too. */
void
__wrap_c4i_no_memory(size_t n)
{
    (void)n;
    longjmp(refused, 1);
}

void *
__wrap_c4i_alloc(size_t n)
{
    if (n > MAXALLOC)
        longjmp(refused, 1);
    return __real_c4i_alloc(n);
}

void *
__wrap_c4i_realloc(void *p, size_t n)
{
    if (n > MAXALLOC)
        longjmp(refused, 1);
    return __real_c4i_realloc(p, n);
}

struct thing { uint64_t n; };

static c4_err
note(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct thing *t = self;

    (void)pe;
    for (size_t i = 0; i < len; i++)        /* all of it can be read */
        t->n += ((const unsigned char *)data)[i];
    return C4_OK;
}

static c4_err
contribute(c4_pe *pe, void *self, const void *data, size_t len)
{
    int64_t one = 1;
    c4_callback none = { 0 };

    (void)self;
    (void)data;
    (void)len;
    return c4_reduce(pe, C4_RED_SUM_I64, &one, sizeof(one), &none);
}

static c4_err
wander(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)data;
    c4_migrate(pe, (uint32_t)((len + ((struct thing *)self)->n) % NPES));
    return C4_OK;                           /* members of groups may not */
}

static c4_err
sync_now(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
    c4_at_sync(pe);                         /* may be refused: called already */
    return C4_OK;
}

static const c4_entry entries[] = {
    { "note", note }, { "contribute", contribute }, { "wander", wander }, { "sync", sync_now },
    { NULL, NULL }
};

static const c4_type thing = {
    .name = "thing", .size = sizeof(struct thing), .entries = entries, .pup = c4_pup_bytes,
};

static const c4_type member = {
    .name = "member", .size = sizeof(struct thing), .entries = entries,
};

static c4_err
decide(void *ctx, c4_pe *pe, uint32_t round, const c4i_lb_object *objs, uint32_t nobjs,
       const c4i_lb_pe *pes, uint32_t npes, c4i_lb_move **moves, uint32_t *nmoves)
{
    volatile double sink = 0;

    (void)ctx, (void)pe, (void)round, (void)moves, (void)nmoves;
    for (uint32_t i = 0; i < nobjs; i++)
        sink = sink + objs[i].wall_s;
    for (uint32_t i = 0; i < npes; i++)
        sink = sink + pes[i].busy_s;
    return C4_OK;
}

static c4_err
fired(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)pe;
    (void)arg;
    (void)data;
    (void)len;
    return C4_OK;
}

struct job {
    c4i_sim  *sim;
    c4_coll   coll[NCOLLS];                 /* dense, sparse, group, unknown; a section */
    c4_future future;
};

static void
start(struct job *j, c4i_sim_tap tap, void *ctx)
{
    c4i_sim_opts opts = { .latency_ns = 1000, .step_ns = 100, .tap = tap, .ctx = ctx };
    c4i_balancer lb = { .decide = decide };
    c4_opts sync = { .at_sync = true };
    c4_chare list[7];
    c4_pe *pe0;

    if (c4i_sim_new(NPES, 1, &opts, &j->sim))
        exit(2);
    for (uint32_t i = 0; i < NPES; i++) {
        c4_pe *pe = c4i_sim_pe(j->sim, i);

        pe->arity = 1;
        c4_register(pe, &thing);
        c4_register(pe, &member);
        c4i_set_balancer(pe, &lb);
    }
    pe0 = c4i_sim_pe(j->sim, 0);
    c4_start_others(pe0, NULL, 0);
    c4_array_new(pe0, &thing, c4_dims2(2, 3), &sync, &j->coll[0]);
    c4_array_new(pe0, &thing, (c4_index){ 2, { 0 } }, NULL, &j->coll[1]);
    c4_group_new(pe0, &member, NULL, &j->coll[2]);
    j->coll[3] = 4711;
    for (int64_t i = 0; i < 3; i++)
        c4_insert(pe0, j->coll[1], &(c4_index){ 2, { i - 1, i } }, (int)i, NULL);
    for (uint64_t i = 0; i < 6; i++)
        list[i] = c4_elem(j->coll[0], i);
    list[6] = c4_elem(j->coll[2], 1);
    c4_section_new(pe0, list, 7, &j->coll[4]);
    j->future = c4_future_new(c4i_sim_pe(j->sim, 1), 3, fired, NULL);
    c4i_sim_run(j->sim, UINT64_MAX);
}

/* ---- An input -------------------------------------------------------------------- */

static uint64_t
element(const struct job *j, uint32_t coll, uint8_t x)
{
    c4_index dims = { 2, { 0 } }, at = { 2, { x % 4 - 1, x % 4 } };
    uint64_t key = x;

    (void)j;
    if (coll == 1 && x < 64)
        c4_key_of(&dims, &at, &key);
    return x == 255 ? UINT64_MAX : key;
}

/* Sends the message that begins at data; returns its bytes. */
static size_t
inject(struct job *j, const uint8_t *data, size_t len)
{
    uint8_t h[HEAD] = { 0 };
    size_t n = len < HEAD ? len : HEAD, body;
    uint32_t coll = 0, src;
    c4i_wire w = { 0 };
    struct iovec iov;
    c4i_transport *net;

    memcpy(h, data, n);
    src = h[3] & 1 ? 0 : 2;
    coll = h[4] % NCOLLS;
    body = (size_t)h[9] | (size_t)(h[10] & 7) << 8;
    body = body < len - n ? body : len - n;
    w.kind = h[0] % C4I_NKINDS;
    w.flags = h[1];
    w.entry = h[2] == 255 ? 0xfff0 : h[2];
    w.src = src;
    w.coll = h[11] & 1 ? 0 : j->coll[coll];
    w.elem = element(j, coll, h[5]);
    w.ep = h[6];
    w.seq = h[7];
    w.call = w.kind == C4I_FUTURE && h[8] < 128 ? j->future : h[8];
    w.hops = h[11] & 2 ? h[11] : 0;
    iov = (struct iovec){ (void *)(uintptr_t)(data + n), body };
    net = c4i_sim_pe(j->sim, src)->net;
    net->ops->send(net, 1, &w, &iov, 1);
    return n + body;
}

static void
run(struct job *j, const uint8_t *data, size_t len)
{
    while (len) {
        size_t n = inject(j, data, len);

        data += n;
        len -= n;
        if (n & 1)
            c4i_sim_run(j->sim, 40);
    }
    c4i_sim_run(j->sim, STEPS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct job j;

    start(&j, NULL, NULL);
    if (!setjmp(refused))
        run(&j, data, len);
    if (!setjmp(refused))
        c4i_sim_free(j.sim);
    return 0;
}

#ifndef C4_LIBFUZZER

enum { NSAMPLES = 400, ROUNDS = 20000 };

struct samples {
    uint8_t  bytes[NSAMPLES][HEAD + MAXLEN];
    size_t   len[NSAMPLES];
    uint32_t n;
    struct job *job;
};

/* Writes a real message down as an input. */
static void
sample(void *ctx, uint32_t from, uint32_t to, const c4i_wire *w, const struct iovec *iov, int niov)
{
    struct samples *s = ctx;
    size_t len = c4i_iov_len(iov, niov), off = HEAD;
    uint8_t *b = s->bytes[s->n];

    (void)to;
    if (s->n == NSAMPLES || len > MAXLEN - 1)
        return;
    b[0] = w->kind;
    b[1] = w->flags;
    b[2] = w->entry >= 0xfff0 ? 255 : (uint8_t)w->entry;
    b[3] = from == 0;
    for (uint8_t k = 0; k < NCOLLS; k++)
        if (s->job->coll[k] == w->coll)
            b[4] = k;
    b[5] = (uint8_t)w->elem;
    b[6] = (uint8_t)w->ep;
    b[7] = (uint8_t)w->seq;
    b[8] = w->kind == C4I_FUTURE ? 0 : (uint8_t)w->call;
    b[9] = (uint8_t)len;
    b[10] = (uint8_t)(len >> 8);
    b[11] = w->coll == 0;
    for (int i = 0; i < niov; off += iov[i++].iov_len)
        if (iov[i].iov_len)
            memcpy(b + off, iov[i].iov_base, iov[i].iov_len);
    s->len[s->n++] = off;
}

/* A run with some of everything. */
static void
take_samples(struct samples *s)
{
    struct job j;
    c4_pe *pe0, *pe1;

    s->job = &j;
    start(&j, sample, s);
    pe0 = c4i_sim_pe(j.sim, 0);
    pe1 = c4i_sim_pe(j.sim, 1);
    for (int i = 0; i < 3; i++) {
        c4_callback cb = c4_cb_future(c4_future_new(pe0, 1, fired, NULL));

        c4_bcast(pe1, j.coll[0], 1, "abc", 3);
        c4_bcastv(pe1, j.coll[1], 0, NULL, 0, c4_future_new(pe1, 1, fired, NULL), C4_BCAST_RESULTS);
        c4_bcast(pe0, j.coll[1], 2, NULL, 0);
        c4_bcast(pe1, j.coll[0], 2, NULL, 0);
        c4_bcast(pe0, j.coll[2], 1, NULL, 0);
        c4_section_castv(pe1, j.coll[4], c4_method_id("note"), NULL, 0,
                         c4_future_new(pe1, 1, fired, NULL), C4_BCAST_RESULTS);
        c4_section_cast(pe0, j.coll[4], c4_method_id("wander"), "ab", 2);
        c4i_sim_run(j.sim, 100);
        c4_bcast(pe0, j.coll[0], 3, NULL, 0);
        c4_future_send(pe0, j.future, "x", 1);
        c4_quiescence(pe1, &cb);
        c4_send(pe0, c4_elem(j.coll[0], 4), 0, "01234567890123456789", 20);
        if (i == 1)
            c4_done_inserting(pe0, j.coll[1]);
        c4i_sim_run(j.sim, UINT64_MAX);
    }
    c4_exit(pe1, 3);
    c4i_sim_run(j.sim, UINT64_MAX);
    c4i_sim_free(j.sim);
}

static uint64_t
random_bits(void)
{
    static uint64_t state = 20240229;

    return c4i_sim_rand(&state);
}

/* One to four messages of the run, one of them changed. */
static size_t
mutated(const struct samples *s, uint8_t *out)
{
    int n = 1 + (int)(random_bits() % 4), bad = (int)(random_bits() % (uint64_t)n);
    size_t len = 0;

    for (int i = 0; i < n; i++) {
        uint32_t k = (uint32_t)(random_bits() % s->n);
        size_t m = s->len[k];
        int nflips = i == bad ? 1 + (int)(random_bits() % 4) : 0;

        memcpy(out + len, s->bytes[k], m);
        for (int f = 0; f < nflips; f++) {
            size_t at = random_bits() & 1 ? random_bits() % HEAD : random_bits() % m;

            out[len + at] = random_bits() & 1 ? (uint8_t)random_bits()
                          : random_bits() & 1 ? 255 : (uint8_t)(out[len + at] + 1);
        }
        len += i == bad && random_bits() % 4 == 0 ? HEAD + random_bits() % (m - HEAD + 1) : m;
    }
    return len;
}

static int
replay(const char *file)
{
    FILE *f = fopen(file, "rb");
    static uint8_t bytes[1 << 16];
    size_t n;

    if (!f) {
        perror(file);
        return 1;
    }
    n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    return LLVMFuzzerTestOneInput(bytes, n);
}

static void
save(const char *name, const uint8_t *bytes, size_t len)
{
    FILE *f = fopen(name, "wb");

    if (!f || fwrite(bytes, 1, len, f) != len)
        perror(name);
    if (f)
        fclose(f);
}

/* Files for libFuzzer to begin with. */
static int
save_samples(const struct samples *s, const char *dir)
{
    char name[4096];

    for (uint32_t i = 0; i < s->n; i++) {
        snprintf(name, sizeof(name), "%s/sample%03u", dir, i);
        save(name, s->bytes[i], s->len[i]);
    }
    return 0;
}

/* fuzz_msg [-n ROUNDS | -w DIR | FILE...]; FUZZ_SAVE names a file that always
 * holds the input which is being tried. */
int
main(int argc, char **argv)
{
    static struct samples s;
    static uint8_t bytes[4 * (HEAD + MAXLEN)];
    const char *keep = getenv("FUZZ_SAVE");
    int rounds = argc == 3 && !strcmp(argv[1], "-n") ? atoi(argv[2]) : ROUNDS;

    if (argc > 1 && argv[1][0] != '-') {
        for (int i = 1; i < argc; i++)
            if (replay(argv[i]))
                return 1;
        return 0;
    }
    take_samples(&s);
    if (argc == 3 && !strcmp(argv[1], "-w"))
        return save_samples(&s, argv[2]);
    for (int i = 0; i < rounds; i++) {
        size_t n = mutated(&s, bytes);

        if (keep)
            save(keep, bytes, n);
        LLVMFuzzerTestOneInput(bytes, n);
    }
    return 0;
}

#endif
