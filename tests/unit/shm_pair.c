/*
 * shm_pair.c - transports that share segments, in threads of one process: order
 * under floods, large payloads in place, kept blocks, parking and waking.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "runtime/launch.h"
#include "runtime/transport.h"
#include "tests/unit/check.h"

enum { MAX = 4 };

struct job {
    c4i_launch     l;
    c4i_transport *t[MAX];
};

static void
join_job(struct job *j, uint32_t npes, uint32_t ncores)
{
    memset(j, 0, sizeof(*j));
    j->l = (c4i_launch){ .npes = npes, .ncores = ncores, .lifeline = -1, .out = -1, .err = -1 };
    CHECK(!c4i_segments_new(npes, UINT64_C(8) << 30, j->l.fd));
    for (j->l.pe = 0; j->l.pe < npes; j->l.pe++)
        CHECK(!c4i_shm_join(&j->l, &j->t[j->l.pe]));
    for (uint32_t i = 0; i < npes; i++)
        close(j->l.fd[i]);
}

static void
leave_job(struct job *j)
{
    for (uint32_t i = 0; i < j->l.npes; i++)
        j->t[i]->ops->release(j->t[i]);
}

static c4_err
send_bytes(c4i_transport *t, uint32_t dst, uint64_t number, const void *data, size_t len)
{
    c4i_wire w = { .src = t->pe, .elem = number, .coll = 77, .seq = (uint32_t)~number };
    struct iovec iov[3] = { { (void *)data, len / 3 },
                            { (void *)((uintptr_t)data + len / 3), len - len / 3 }, { NULL, 0 } };

    return t->ops->send(t, dst, &w, iov, 3);
}

static void
wait_for(c4i_transport *t, c4i_msg *m)
{
    bool sleepy = false;

    while (!t->ops->recv(t, m))
        sleepy = !t->ops->park(t, UINT64_MAX, sleepy);
}

/* ---- Order under a flood --------------------------------------------------------- */

struct flood {
    c4i_transport *t;
    uint64_t       n;
    size_t         most;                    /* bytes of a payload */
};

static size_t
length_of(const struct flood *f, uint32_t src, uint32_t dst, uint64_t i)
{
    uint64_t seed = (src * 31 + dst + 1) * UINT64_C(0x9e3779b97f4a7c15) + i;
    uint64_t r = check_random(&seed);

    return r % 5 == 0 ? r / 5 % (f->most + 1) : r / 5 % (f->most < 40 ? f->most + 1 : 40);
}

static void
check_message(const struct flood *f, const c4i_msg *m, uint64_t *seen)
{
    uint64_t i = seen[m->w.src]++;
    const unsigned char *data = m->data;

    CHECK(m->w.elem == i && m->w.seq == (uint32_t)~i && m->w.coll == 77, "order of the pair");
    CHECK(m->len == length_of(f, m->w.src, f->t->pe, i));
    CHECK((uintptr_t)data % 16 == 0 || m->mem == C4I_MEM_INLINE);
    if (m->len)
        CHECK(data[0] == (unsigned char)i && data[m->len - 1] == (unsigned char)i);
}

/* Sends all to all others before it takes anything. */
static void *
flood_all(void *arg)
{
    struct flood *f = arg;
    uint64_t seen[MAX] = { 0 }, left = f->n * (f->t->npes - 1);
    unsigned char *data = malloc(f->most + 1);
    c4i_msg m;

    for (uint64_t i = 0; i < f->n; i++) {
        memset(data, (int)i, f->most + 1);
        for (uint32_t dst = 0; dst < f->t->npes; dst++)
            if (dst != f->t->pe)
                CHECK(!send_bytes(f->t, dst, i, data, length_of(f, f->t->pe, dst, i)));
    }
    while (left-- > 0) {
        wait_for(f->t, &m);
        check_message(f, &m, seen);
        f->t->ops->done(f->t, &m);
    }
    while (f->t->ops->recv(f->t, &m))       /* others may still wait for what spilled here */
        CHECK(false, "a message too many");
    free(data);
    return NULL;
}

/* Moves on what is spilled, until everybody is through. */
static void
flood(uint32_t npes, uint32_t ncores, uint64_t n, size_t most, bool must_spill)
{
    struct flood f[MAX];
    pthread_t thread[MAX];
    struct job j;
    uint64_t spilled = 0;

    join_job(&j, npes, ncores);
    for (uint32_t i = 0; i < npes; i++) {
        f[i] = (struct flood){ j.t[i], n, most };
        CHECK(!pthread_create(&thread[i], NULL, flood_all, &f[i]));
    }
    for (uint32_t left = npes, i = 0; left > 0; i = (i + 1) % npes) {
        c4i_msg m;

        if (f[i].t && pthread_tryjoin_np(thread[i], NULL) == 0) {
            f[i].t = NULL;
            left--;
        } else if (!f[i].t) {
            CHECK(!j.t[i]->ops->recv(j.t[i], &m));
        }
        if (left)
            usleep(100);
    }
    for (uint32_t i = 0; i < npes; i++)
        spilled += j.t[i]->spilled;
    CHECK(!must_spill || spilled > 0);
    leave_job(&j);
}

/* ---- One message at a time ------------------------------------------------------- */

/* Where a payload travels, and that it arrives whole. */
static void
sizes(void)
{
    static const struct { size_t n; enum c4i_mem mem; } rows[] = {
        { 0, C4I_MEM_INLINE }, { 1, C4I_MEM_INLINE }, { 16, C4I_MEM_INLINE },
        { 17, C4I_MEM_RING }, { 4096, C4I_MEM_RING }, { 4097, C4I_MEM_ARENA },
        { 100000, C4I_MEM_ARENA }, { 40 << 20, C4I_MEM_ARENA }
    };
    unsigned char *data = malloc(40 << 20);
    struct job j;
    c4i_msg m;

    for (size_t i = 0; i < 40 << 20; i++)
        data[i] = (unsigned char)(i * 7 + i / 1000);
    join_job(&j, 2, 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(!send_bytes(j.t[1], 0, i, data, rows[i].n));
        CHECK(j.t[0]->ops->recv(j.t[0], &m));
        CHECK(m.mem == rows[i].mem && m.len == rows[i].n && m.w.elem == i, "%zu", rows[i].n);
        CHECK(!memcmp(m.data, data, rows[i].n));
        j.t[0]->ops->done(j.t[0], &m);
        CHECK(!j.t[0]->ops->recv(j.t[0], &m));
    }
    CHECK(send_bytes(j.t[1], 0, 0, data, (size_t)1 << 40) == C4_ENOMEM);
    leave_job(&j);
    free(data);
}

/* A kept block stays valid when both transports are gone, and comes back to
 * its owner when it is freed before. */
static void
kept_blocks(void)
{
    unsigned char *data = calloc(1, 1 << 20), *first;
    const unsigned char *kept;
    struct job j;
    c4i_msg m;
    c4_block *b;

    join_job(&j, 2, 2);
    data[12345] = 99;
    CHECK(!send_bytes(j.t[0], 1, 0, data, 100));
    CHECK(j.t[1]->ops->recv(j.t[1], &m) && !j.t[1]->ops->keep(j.t[1], &m));
    j.t[1]->ops->done(j.t[1], &m);

    CHECK(!send_bytes(j.t[0], 1, 1, data, 1 << 20) && j.t[1]->ops->recv(j.t[1], &m));
    first = (unsigned char *)m.data;
    b = j.t[1]->ops->keep(j.t[1], &m);
    CHECK(b && !m.owner);
    j.t[1]->ops->done(j.t[1], &m);          /* has no effect */
    b->free(b);

    CHECK(!send_bytes(j.t[0], 1, 2, data, 1 << 20) && j.t[1]->ops->recv(j.t[1], &m));
    CHECK(m.data == first, "its memory was used again");
    b = j.t[1]->ops->keep(j.t[1], &m);
    kept = m.data;
    leave_job(&j);
    CHECK(kept[12345] == 99);
    *(unsigned char *)(uintptr_t)&kept[0] = 1;  /* it is writable */
    b->free(b);
    free(data);
}

/* ---- Waiting ------------------------------------------------------------------------- */

static void *
wake_later(void *arg)
{
    c4i_transport *t = arg;

    usleep(20000);
    t->ops->wake(t);
    return NULL;
}

static void *
send_later(void *arg)
{
    c4i_transport *t = arg;

    usleep(20000);
    CHECK(!send_bytes(t, 0, 1, "x", 1));
    return NULL;
}

static void
parking(uint32_t ncores)
{
    struct job j;
    pthread_t thread;
    c4i_msg m;

    join_job(&j, 2, ncores);
    CHECK(j.t[0]->ops->park(j.t[0], 0, true));
    CHECK(!j.t[0]->ops->park(j.t[0], UINT64_MAX, false), "spun, and found nothing");
    CHECK(j.t[0]->ops->park(j.t[0], 1000000, true), "the time is over");
    j.t[0]->ops->wake(j.t[0]);
    CHECK(j.t[0]->ops->park(j.t[0], UINT64_MAX, true), "a wake before is not lost");
    CHECK(!pthread_create(&thread, NULL, wake_later, j.t[0]));
    CHECK(j.t[0]->ops->park(j.t[0], UINT64_MAX, true));
    pthread_join(thread, NULL);
    CHECK(!pthread_create(&thread, NULL, send_later, j.t[1]));
    wait_for(j.t[0], &m);
    CHECK(m.len == 1 && *(const char *)m.data == 'x');
    pthread_join(thread, NULL);
    leave_job(&j);
}

/* Turns of ping and pong in which everybody sleeps whenever it may: a lost
 * wake-up would stop it until the longest sleep is over. */
static void *
echo(void *arg)
{
    c4i_transport *t = arg;
    c4i_msg m;

    for (int i = 0; i < 20000; i++) {
        while (!t->ops->recv(t, &m))
            t->ops->park(t, UINT64_MAX, true);
        CHECK(!send_bytes(t, !t->pe, (uint64_t)i, NULL, 0));
    }
    return NULL;
}

static void
sleepy_ping_pong(void)
{
    struct job j;
    pthread_t thread;

    join_job(&j, 2, 1);
    CHECK(!pthread_create(&thread, NULL, echo, j.t[1]));
    CHECK(!send_bytes(j.t[0], 1, 0, NULL, 0));
    echo(j.t[0]);
    pthread_join(thread, NULL);
    leave_job(&j);
}

/* No ring is kept waiting by a busy one. */
static void
fairness(void)
{
    struct job j;
    c4i_msg m;
    int before = 0;

    join_job(&j, 3, 4);
    for (int i = 0; i < 900; i++)
        CHECK(!send_bytes(j.t[1], 0, (uint64_t)i, NULL, 0));
    CHECK(j.t[0]->ops->recv(j.t[0], &m) && m.w.src == 1);
    CHECK(!send_bytes(j.t[2], 0, 0, NULL, 0));
    do {
        CHECK(j.t[0]->ops->recv(j.t[0], &m));
        before++;
    } while (m.w.src != 2);
    CHECK(before < 200, "%d", before);
    leave_job(&j);
}

int
main(void)
{
    sizes();
    kept_blocks();
    parking(2);
    parking(1);
    fairness();
    sleepy_ping_pong();
    flood(2, 2, 100000, 16, true);
    flood(2, 2, 20000, 2000, true);
    flood(2, 1, 3000, 50000, true);
    flood(4, 1, 20000, 60, true);
    return 0;
}
