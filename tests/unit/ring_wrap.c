/*
 * ring_wrap.c - what goes into a ring comes out, in order, over many laps, with
 * payloads of any size, and a full ring always empties.
 */
#include <pthread.h>
#include <string.h>

#include "runtime/ring.h"
#include "tests/unit/check.h"

struct pair {
    void               *at;
    struct c4i_ring_out out;
    struct c4i_ring_in  in;
    c4i_layout          layout;
    uint64_t            sent, got, seed_out, seed_in;
};

static void
set_up(struct pair *p, uint32_t npes, uint64_t seed)
{
    c4i_layout_init(&p->layout, npes, 1 << 20);
    p->at = aligned_alloc(C4I_LINE, (p->layout.ring_stride + C4I_LINE - 1) & ~(size_t)(C4I_LINE - 1));
    CHECK(p->at);
    memset(p->at, 0, p->layout.ring_stride);
    c4i_ring_out_init(&p->out, p->at, &p->layout);
    c4i_ring_in_init(&p->in, p->at, &p->layout);
    p->sent = p->got = 0;
    p->seed_out = p->seed_in = seed;
}

/* Both sides draw the same lengths. */
static uint64_t
draw_length(const struct pair *p, uint64_t *seed)
{
    uint64_t r = check_random(seed);

    return r % 3 == 0 ? 0 : r % 3 == 1 ? 17 + r / 3 % 64 : 1 + r / 3 % p->layout.payload_max;
}

static bool
send_one(struct pair *p)
{
    uint64_t seed = p->seed_out, n = draw_length(p, &seed), end = 0;
    c4i_wire w = { .coll = (uint32_t)p->sent * 3, .elem = p->sent };
    unsigned char *to = NULL;

    if (!c4i_ring_has_slot(&p->out))
        return false;
    if (n) {
        to = c4i_ring_payload(&p->out, n, &end);
        if (!to)
            return false;
        CHECK((uintptr_t)to % 16 == 0);
        memset(to, (int)p->sent, n);
        p->out.payload_pos = end;
    }
    w.tail.big.len = n;
    c4i_ring_put(&p->out, &w);
    p->seed_out = seed;
    p->sent++;
    return true;
}

static bool
take_one(struct pair *p)
{
    uint64_t n = draw_length(p, &p->seed_in);
    const unsigned char *data;
    c4i_wire w;

    c4i_ring_take(&p->in, &w);
    CHECK(w.elem == p->got && w.coll == (uint32_t)p->got * 3 && w.tail.big.len == n);
    if (n) {
        data = c4i_ring_payload_of(&p->in, n);
        for (uint64_t i = 0; i < n; i++)
            CHECK(data[i] == (unsigned char)p->got);
    }
    p->got++;
    return c4i_ring_should_tell(&p->in) && c4i_ring_tell(&p->in);
}

/* One thread, bursts of random length. */
static void
bursts(uint32_t npes, uint64_t seed)
{
    struct pair p;
    uint64_t dice = seed;

    set_up(&p, npes, seed);
    while (p.got < 40000) {
        for (uint64_t n = check_random(&dice) % 3000; n > 0 && send_one(&p); n--)
            ;
        for (uint64_t n = check_random(&dice) % 3000; n > 0 && c4i_ring_ready(&p.in); n--)
            take_one(&p);
    }
    free(p.at);
}

/* Filled to the brim and emptied, there is room again: else a spilled message
 * would wait for ever. */
static void
never_locks_up(uint32_t npes)
{
    struct pair p;

    set_up(&p, npes, npes + 1);
    for (int lap = 0; lap < 60; lap++) {
        uint64_t before = p.sent;

        while (send_one(&p))
            ;
        CHECK(p.sent > before, "lap %d of %u PEs", lap, npes);
        atomic_store(&p.out.head->starved, 1);
        bool told = false;
        while (c4i_ring_ready(&p.in))
            told |= take_one(&p);
        CHECK(told, "the writer must be woken");
    }
    free(p.at);
}

static void *
reader(void *arg)
{
    struct pair *p = arg;

    while (p->got < 100000)
        if (c4i_ring_ready(&p->in))
            take_one(p);
    return NULL;
}

static void
two_threads(void)
{
    struct pair p;
    pthread_t thread;

    set_up(&p, 2, 4711);
    CHECK(!pthread_create(&thread, NULL, reader, &p));
    while (p.sent < 100000)
        send_one(&p);
    pthread_join(thread, NULL);
    free(p.at);
}

int
main(void)
{
    static const uint32_t npes[] = { 2, 8, 16, 32, 64, 128, 256 };

    for (size_t i = 0; i < sizeof(npes) / sizeof(npes[0]); i++) {
        bursts(npes[i], i + 1);
        never_locks_up(npes[i]);
    }
    two_threads();
    return 0;
}
