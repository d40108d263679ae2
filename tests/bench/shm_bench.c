/*
 * shm_bench.c - what the shm transport costs, beside the floor of the machine
 * in the same run.
 *
 * usage: shm_bench [rounds]     two processes; a figure is the best of many
 * short batches in interleaved rounds, since machines slow down for seconds at
 * a time and other programs take cores away.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/launch.h"
#include "runtime/transport.h"

enum { ECHO, COUNT, STOP };                 /* c4i_wire.entry: what PE 1 does */

#define BATCHES_S 0.1                       /* of each figure in each round */

struct floor_box {
    _Alignas(128) _Atomic uint32_t v;
};

static double
now_s(void)
{
    return (double)c4i_monotonic_ns() * 1e-9;
}

static void
send_one(c4i_transport *t, uint32_t dst, unsigned what, const void *data, size_t len)
{
    c4i_wire w = { .entry = (uint16_t)what, .src = t->pe };
    struct iovec iov = { (void *)data, len };
    c4_err err = t->ops->send(t, dst, &w, &iov, 1);

    if (err) {
        fprintf(stderr, "send: %s\n", c4_strerror(err));
        exit(1);
    }
}

static void
wait_for(c4i_transport *t, c4i_msg *m)
{
    bool sleepy = false;

    while (!t->ops->recv(t, m))
        sleepy = !t->ops->park(t, UINT64_MAX, sleepy);
}

/* PE 1: sends back, or counts and answers at the end of a flood. */
static void
serve(c4i_transport *t)
{
    uint64_t counted = 0;
    c4i_msg m;

    for (;;) {
        wait_for(t, &m);
        if (m.w.entry == STOP)
            return;
        if (m.w.entry == ECHO)
            send_one(t, 0, ECHO, m.data, m.len);
        else if (++counted == m.w.call)
            send_one(t, 0, ECHO, &counted, sizeof(counted)), counted = 0;
        t->ops->done(t, &m);
    }
}

static double
round_trip_ns(c4i_transport *t, const void *data, size_t len, unsigned n)
{
    double begin = now_s();
    c4i_msg m;

    for (unsigned i = 0; i < n; i++) {
        send_one(t, 1, ECHO, data, len);
        wait_for(t, &m);
        t->ops->done(t, &m);
    }
    return (now_s() - begin) * 1e9 / n;
}

static double
flood_ns(c4i_transport *t, const void *data, size_t len, unsigned n)
{
    c4i_wire w = { .entry = COUNT, .call = n };
    struct iovec iov = { (void *)data, len };
    double begin = now_s();
    c4i_msg m;

    for (unsigned i = 0; i < n; i++)
        t->ops->send(t, 1, &w, &iov, 1);
    wait_for(t, &m);
    t->ops->done(t, &m);
    return (now_s() - begin) * 1e9 / n;
}

static double
floor_ns(struct floor_box *box, uint32_t *turn, unsigned n)
{
    double begin = now_s();

    for (uint32_t end = *turn + n; *turn != end; ) {
        ++*turn;
        atomic_store_explicit(&box[0].v, *turn, memory_order_release);
        while (atomic_load_explicit(&box[1].v, memory_order_acquire) != *turn)
            ;
    }
    return (now_s() - begin) * 1e9 / n;
}

static void
floor_echo(struct floor_box *box)
{
    for (uint32_t turn = 1; ; turn++) {
        while (atomic_load_explicit(&box[0].v, memory_order_acquire) != turn)
            ;
        atomic_store_explicit(&box[1].v, turn, memory_order_release);
    }
}

/* The best batch of a tenth of a second. */
static double
floor_run(void)
{
    struct floor_box *box = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                 -1, 0);
    double best = 1e18, end = now_s() + BATCHES_S;
    uint32_t turn = 0;
    pid_t kid = fork();

    if (kid == 0)
        floor_echo(box);
    while (now_s() < end) {
        double ns = floor_ns(box, &turn, 2000);

        best = ns < best ? ns : best;
    }
    kill(kid, SIGKILL);
    waitpid(kid, NULL, 0);
    munmap(box, 4096);
    return best;
}

struct figure {
    const char *name;
    size_t      len;
    unsigned    n;
    bool        flood;
    double      best_ns;
};

static void
run_batches(c4i_transport *t, struct figure *f, const void *data)
{
    double end = now_s() + BATCHES_S;

    do {
        double ns = (f->flood ? flood_ns : round_trip_ns)(t, data, f->len, f->n);

        f->best_ns = ns < f->best_ns ? ns : f->best_ns;
    } while (now_s() < end);
}

int
main(int argc, char **argv)
{
    static struct figure f[] = {
        { "round trip", 8, 4000, false, 1e18 },
        { "round trip", 64, 4000, false, 1e18 },
        { "round trip", 256, 3000, false, 1e18 },
        { "round trip", 1024, 2000, false, 1e18 },
        { "round trip", 4096, 1000, false, 1e18 },
        { "round trip", 65536, 100, false, 1e18 },
        { "round trip", 1 << 20, 10, false, 1e18 },
        { "round trip", 64 << 20, 1, false, 1e18 },
        { "flood", 8, 20000, true, 1e18 },
        { "flood", 64, 20000, true, 1e18 },
        { "flood", 4096, 5000, true, 1e18 }
    };
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 5;
    c4i_launch l = { .npes = 2, .ncores = c4i_usable_cores(), .lifeline = -1, .out = -1, .err = -1 };
    c4i_transport *t;
    unsigned char *data = malloc(64 << 20);
    double floor = 1e18;
    pid_t kid;

    if (!data || c4i_segments_new(2, 0, l.fd)) {
        perror("shm_bench");
        return 1;
    }
    memset(data, 1, 64 << 20);
    kid = fork();
    l.pe = kid == 0;
    if (c4i_shm_join(&l, &t))
        return 1;
    if (kid == 0) {
        serve(t);
        t->ops->release(t);
        return 0;
    }
    for (unsigned r = 0; r < rounds; r++) {
        double ns = floor_run();

        floor = ns < floor ? ns : floor;
        for (size_t i = 0; i < sizeof(f) / sizeof(f[0]); i++)
            run_batches(t, &f[i], data);
    }
    printf("%-12s %10s %12.0f ns\n", "floor", "4 B", floor);
    for (size_t i = 0; i < sizeof(f) / sizeof(f[0]); i++)
        printf("%-12s %8zu B %12.0f ns  %8.2f M/s %8.2f GiB/s\n", f[i].name, f[i].len, f[i].best_ns,
               1e3 / f[i].best_ns,
               (f[i].flood ? 1.0 : 2.0) * (double)f[i].len / f[i].best_ns / 1.073741824);
    printf("spilled %llu\n", (unsigned long long)t->spilled);
    send_one(t, 1, STOP, NULL, 0);
    waitpid(kid, NULL, 0);
    t->ops->release(t);
    free(data);
    return 0;
}
