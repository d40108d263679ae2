/*
 * prof_bench.c - what recording adds to an execution, against its floor.
 *
 * Floor: two clock reads and 64 bytes appended to a warm mapping.  Rounds are
 * short and interleaved; the best of each is the path itself, for the machine
 * is shared.  The mean is CPU time of all rounds, with the system calls that
 * make room in the file.
 *
 *     prof_bench [DIR]      where the spools go (default: $TMPDIR or /tmp)
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prof/recorder.h"
#include "prof/trace.h"

enum { N = 2000, ROUNDS = 1500 };

static const c4_entry entries[] = { { "a", NULL }, { "b", NULL }, { 0 } };
static const c4_type type = { .name = "t", .entries = entries };

static c4i_recorder
recorder(const c4i_clock *clock, const char *dir, enum c4i_level level, uint32_t pe)
{
    c4i_prof_config c = { .pe = pe, .npes = 8, .level = level, .dir = dir,
                          .limit = (size_t)1 << 30, .clock = clock };
    c4i_prof *p = c4i_prof_new(&c);

    if (!p)
        exit(1);
    return c4i_prof_recorder(p);
}

static uint64_t
cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ns an execution: two clock reads and, if r is given, the recorder. */
static double
run(const c4i_clock *clock, const c4i_recorder *r, bool send)
{
    uint64_t from = cpu_ns();

    for (int i = 0; i < N; i++) {
        uint64_t begin = c4i_ticks(clock);
        c4i_wire w = { .trace = (uint32_t)i };

        if (send) {
            c4i_sent s = { .w = &w, .dst = 1, .nbytes = 16, .when = begin };

            r->sent(r->ctx, &s);
        }
        c4i_exec x = { .type = &type, .entry = i & 1, .coll = 1, .elem = (uint64_t)i,
                       .begin = begin, .end = c4i_ticks(clock), .cpu_ns = -1,
                       .cause = { .trace = 1, .nbytes = 8, .taken = begin, .arrived = begin } };

        if (r)
            r->exec(r->ctx, &x);
        else
            __asm__ volatile("" : : "r"(&x) : "memory");
    }
    return (double)(cpu_ns() - from) / N;
}

static double
floor_run(const c4i_clock *clock, unsigned char *to)
{
    uint64_t from = cpu_ns();

    for (int i = 0; i < N; i++, to += 64) {
        uint64_t begin = c4i_ticks(clock), v[8] = { begin, 1, 2, 3, 4, 5, 6, 0 };

        v[7] = c4i_ticks(clock);
        memcpy(to, v, sizeof(v));
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    return (double)(cpu_ns() - from) / N;
}

struct figure { double best, sum; };

static void
note(struct figure *f, double v)
{
    if (v < f->best)
        f->best = v;
    f->sum += v;
}

int
main(int argc, char **argv)
{
    const char *tmp = argc > 1 ? argv[1] : getenv("TMPDIR");
    enum { CLOCKS, FLOOR, STATS, SUMMARY, FULL, FULL_SEND, NKINDS };
    static const char *const names[] = {
        "two clock reads", "floor: and 64 bytes appended", "statistics only", "summary", "full",
        "full, and one message sent"
    };
    struct figure fig[NKINDS];
    unsigned char *warm = mmap(NULL, (size_t)N * 64, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    char dir[1024];
    c4i_recorder r[NKINDS];
    c4i_clock clock;

    snprintf(dir, sizeof(dir), "%s/c4-bench-XXXXXX", tmp ? tmp : "/tmp");
    if (warm == MAP_FAILED || !mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    c4i_clock_init(&clock);
    r[STATS] = recorder(&clock, dir, C4I_LEVEL_NONE, 0);
    r[SUMMARY] = recorder(&clock, dir, C4I_LEVEL_SUMMARY, 1);
    r[FULL] = recorder(&clock, dir, C4I_LEVEL_FULL, 2);
    r[FULL_SEND] = recorder(&clock, dir, C4I_LEVEL_FULL, 3);
    for (int i = 0; i < NKINDS; i++)
        fig[i] = (struct figure){ 1e9, 0 };
    for (int i = 0; i < ROUNDS; i++) {
        note(&fig[CLOCKS], run(&clock, NULL, false));
        note(&fig[FLOOR], floor_run(&clock, warm));
        note(&fig[STATS], run(&clock, &r[STATS], false));
        note(&fig[SUMMARY], run(&clock, &r[SUMMARY], false));
        note(&fig[FULL], run(&clock, &r[FULL], false));
        note(&fig[FULL_SEND], run(&clock, &r[FULL_SEND], true));
    }
    for (int i = 0; i < NKINDS; i++)
        printf("%-30s best %6.1f  mean %6.1f ns an execution\n", names[i], fig[i].best,
               fig[i].sum / ROUNDS);
    printf("%-30s best %6.1f\n", "full / floor", fig[FULL].best / fig[FLOOR].best);
    for (int i = STATS; i < NKINDS; i++)
        r[i].release(r[i].ctx);
    c4i_trace_remove_spools(dir);
    return 0;
}
