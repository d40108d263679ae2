/*
 * probe.c - a program on the bare transport, to test the launcher with.
 *
 * usage: probe WHAT [ARG...]     see the table at the end
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/fault.h"
#include "runtime/transport.h"

enum { END = 1, READY, DATA };              /* c4i_wire.entry */

static void
nap_s(double s)
{
    struct timespec ts = { (time_t)s, (long)((s - (double)(time_t)s) * 1e9) };

    while (nanosleep(&ts, &ts))
        ;
}

static void
tell(c4i_transport *t, uint32_t dst, unsigned what, uint64_t value)
{
    c4i_wire w = { .entry = (uint16_t)what, .src = t->pe, .elem = value };

    if (t->ops->send(t, dst, &w, NULL, 0))
        abort();
}

static void
next(c4i_transport *t, c4i_msg *m)
{
    bool sleepy = false;

    while (!t->ops->recv(t, m))
        sleepy = !t->ops->park(t, UINT64_MAX, sleepy);
}

static void
wait_for(c4i_transport *t, unsigned what)
{
    c4i_msg m;

    do {
        next(t, &m);
        t->ops->done(t, &m);
    } while (m.w.entry != what);
}

/* All PEs leave together; PE 0 says with which status. */
static int
leave(c4i_transport *t, int status)
{
    uint32_t pe = t->pe;

    if (pe == 0) {
        for (uint32_t i = 1; i < t->npes; i++)
            wait_for(t, READY);
        t->ops->ending(t, status);
        for (uint32_t i = 1; i < t->npes; i++)
            tell(t, i, END, 0);
    } else {
        tell(t, 0, READY, 0);
        wait_for(t, END);
    }
    t->ops->release(t);
    return pe == 0 ? status : 0;
}

static int
do_hello(c4i_transport *t, int argc, char **argv)
{
    printf("hello from PE %u of %u\n", t->pe, t->npes);
    for (int i = 2; t->pe == 0 && i < argc; i++)
        printf("arg %s\n", argv[i]);
    return leave(t, 0);
}

static int
do_status(c4i_transport *t, int argc, char **argv)
{
    return leave(t, argc > 2 ? atoi(argv[2]) : 0);
}

/* Long lines in small pieces, from all PEs at once. */
static int
do_lines(c4i_transport *t, int argc, char **argv)
{
    int n = argc > 2 ? atoi(argv[2]) : 100;

    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < n; i++) {
        printf("<PE %u line %d ", t->pe, i);
        for (int k = 0; k < 20; k++)
            printf("%c%c%c", 'a' + (int)t->pe, 'a' + (int)t->pe, 'a' + (int)t->pe);
        printf(">\n");
    }
    printf("<PE %u last line has no end", t->pe);
    return leave(t, 0);
}

static int
do_flood_lines(c4i_transport *t, int argc, char **argv)
{
    long n = argc > 2 ? atol(argv[2]) : 100000;

    for (long i = 0; i < n; i++)
        printf("PE %u says the line number %ld\n", t->pe, i);
    fflush(stdout);
    return leave(t, 0);
}

static int
do_hang(c4i_transport *t, int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("pid %d of PE %u\n", (int)getpid(), t->pe);
    fflush(stdout);
    wait_for(t, END);                       /* which never comes */
    return 0;
}

/* PE ARG raises signal ARG. */
static int
do_raise(c4i_transport *t, int argc, char **argv)
{
    if (argc > 3 && t->pe == (uint32_t)atoi(argv[2])) {
        printf("last words of PE %u\n", t->pe);
        fflush(stdout);
        nap_s(0.05);
        raise(atoi(argv[3]));
    }
    return do_hang(t, argc, argv);
}

/* PE ARG exits with status ARG, the others stay. */
static int
do_exit(c4i_transport *t, int argc, char **argv)
{
    if (argc > 3 && t->pe == (uint32_t)atoi(argv[2]))
        exit(atoi(argv[3]));
    return do_hang(t, argc, argv);
}

__attribute__((noinline)) static void
write_where_nobody_lives(volatile uintptr_t where)
{
    *(volatile int *)where = 1;
}

/* PE ARG faults within a method. */
static int
do_fault(c4i_transport *t, int argc, char **argv)
{
    static c4i_fault_info info = { .coll = 3, .elem = 5, .type = "cell", .entry = "step" };

    info.pe = t->pe;
    c4i_fault_install(&info);
    if (argc > 2 && t->pe == (uint32_t)atoi(argv[2]))
        write_where_nobody_lives(64);
    return do_hang(t, argc, argv);
}

static double
cpu_ms(void)
{
    struct timespec cpu;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec * 1e-6;
}

/* Processor time of a wait for ARG seconds. */
static int
do_idle(c4i_transport *t, int argc, char **argv)
{
    double begin = cpu_ms();

    if (t->pe == 0) {
        nap_s(argc > 2 ? atof(argv[2]) : 1);
        for (uint32_t i = 1; i < t->npes; i++)
            tell(t, i, DATA, 0);
    } else {
        wait_for(t, DATA);
    }
    printf("cpu_ms %.3f\n", cpu_ms() - begin);
    return leave(t, 0);
}

/* Every PE sends ARG messages of ARG bytes to every other, and only then looks. */
static int
do_storm(c4i_transport *t, int argc, char **argv)
{
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000, sum = 0, ready = 0;
    size_t len = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    unsigned char *data = malloc(len + 1);
    struct iovec iov = { data, len };
    uint64_t *seen = calloc(t->npes, sizeof(*seen));

    memset(data, (int)t->pe, len);
    for (uint64_t i = 0; i < n; i++)
        for (uint32_t dst = 0; dst < t->npes; dst++) {
            c4i_wire w = { .entry = DATA, .src = t->pe, .elem = i };

            if (dst != t->pe && t->ops->send(t, dst, &w, &iov, 1))
                abort();
        }
    while (sum < n * (t->npes - 1)) {
        c4i_msg m;

        next(t, &m);
        if (m.w.entry == DATA) {
            const unsigned char *got = m.data;

            if (m.w.elem != seen[m.w.src]++ || m.len != len ||
                (len && (got[0] != m.w.src || got[len - 1] != m.w.src)))
                abort();
            sum++;
        }
        ready += m.w.entry == READY;
        t->ops->done(t, &m);
    }
    printf("PE %u got %llu, %llu of its own were spilled\n", t->pe, (unsigned long long)sum,
           (unsigned long long)t->spilled);
    free(data);
    free(seen);
    for (uint32_t dst = 0; dst < t->npes; dst++)    /* nobody leaves while others wait for it */
        if (dst != t->pe)
            tell(t, dst, READY, 0);
    while (ready++ < t->npes - 1)
        wait_for(t, READY);
    return leave(t, 0);
}

/* What a program that this one starts gets from it. */
static int
do_child(c4i_transport *t, int argc, char **argv)
{
    (void)argc, (void)argv;
    fflush(stdout);
    if (system("ls /proc/self/fd | sed 's/^/fd /'; echo shm ${C4_SHM-none}"))
        return 4;
    return leave(t, 0);
}

static const struct {
    const char *name;
    int (*run)(c4i_transport *t, int argc, char **argv);
} table[] = {
    { "hello", do_hello }, { "status", do_status }, { "lines", do_lines },
    { "flood-lines", do_flood_lines }, { "hang", do_hang }, { "raise", do_raise },
    { "exit", do_exit }, { "fault", do_fault }, { "idle", do_idle }, { "storm", do_storm },
    { "child", do_child }
};

int
main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "hello";
    c4i_transport *t;
    c4_err err;

    if (!strcmp(what, "early")) {           /* before it joins: status, text */
        printf("printed before joining\n");
        return argc > 2 ? atoi(argv[2]) : 0;
    }
    if (!strcmp(what, "never")) {           /* does not join */
        nap_s(100);
        return 0;
    }
    printf("printed while starting\n");
    err = c4i_shm_new(&t);
    if (err == C4_ENOENT)
        err = c4i_loop_new(&t);
    if (err) {
        fprintf(stderr, "probe: %s\n", c4_strerror(err));
        return 3;
    }
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (!strcmp(what, table[i].name))
            return table[i].run(t, argc, argv);
    fprintf(stderr, "probe: what is %s?\n", what);
    return 2;
}
