/*
 * core_bench.c - what calls, broadcasts, reductions and creation cost in C.
 *
 * usage: charmrun +p2 core_bench [elements] [rounds]    (one PE: without charmrun)
 *
 * Round trips and floods stand beside the same on the bare transport in the
 * same run; figures are the best of the rounds, since such machines slow down
 * for seconds at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/pe.h"

enum { NPING = 20000, NFLOOD = 200000, NLOCAL = 200000, BATCH = 1000 };
enum phase { LOCAL, REF, PING, FLOOR_PING, FLOOD, FLOOR_FLOOD, CREATE, BCAST, REDUCE, AWAIT, NPHASES };
enum { E_SINK, E_PING, E_PONG, E_FLOOD, E_FLOOR, E_DONE, E_NOTHING, E_REDUCE };

static const struct {
    const char *name, *unit;
    enum phase  floor;                      /* NPHASES: none */
    bool        pair;                       /* needs two PEs */
} phases[NPHASES] = {
    [LOCAL] = { "local call", "ns", NPHASES, false },
    [REF] = { "local call by reference", "ns", NPHASES, false },
    [PING] = { "round trip, 8 bytes", "ns", FLOOR_PING, true },
    [FLOOR_PING] = { "  bare transport", "ns", NPHASES, true },
    [FLOOD] = { "one way, 8 bytes", "ns", FLOOR_FLOOD, true },
    [FLOOR_FLOOD] = { "  bare transport", "ns", NPHASES, true },
    [CREATE] = { "creation, an element", "ns", NPHASES, false },
    [BCAST] = { "broadcast, an element", "ns", NPHASES, false },
    [REDUCE] = { "broadcast + reduction, an element", "ns", NPHASES, false },
    [AWAIT] = { "awaited broadcast, an element", "ns", NPHASES, false },
};

/* The state of the run, on PE 0; the other PEs know only elements. */
struct bench {
    int        rounds, round;
    uint64_t   nelem;
    enum phase phase;
    uint64_t   begin, left;
    double     best[NPHASES];
    c4_group   group;
    c4_array   array;
    c4_chare   near, far;
    double     kib;                         /* resident memory of PE 0 for an element */
};

struct node { uint64_t n; };
struct cell { int64_t n; };

static c4_err next_phase(c4_pe *pe, struct bench *b);
static const c4_type cell_type;

static double
resident_kib(void)
{
    long pages = 0, ignored;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f && fscanf(f, "%ld %ld", &ignored, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * 4;
}

/* n things were done since the phase began. */
static c4_err
phase_end(c4_pe *pe, double n)
{
    struct bench *b = c4_user(pe);
    double ns = (double)(c4i_monotonic_ns() - b->begin) / n;

    if (b->best[b->phase] == 0 || ns < b->best[b->phase])
        b->best[b->phase] = ns;
    if (++b->phase == NPHASES) {
        b->phase = 0;
        b->round++;
    }
    return next_phase(pe, b);
}

/* ---- Calls -------------------------------------------------------------------- */

/* Local calls in batches: the next batch when the last call of one ran. */
static c4_err
local_batch(c4_pe *pe, struct bench *b)
{
    for (int i = 0; i < BATCH; i++) {
        uint64_t x = i == BATCH - 1;
        c4_err err = b->phase == LOCAL ? c4_send(pe, b->near, E_SINK, &x, sizeof(x))
                                       : c4_send_ref(pe, b->near, E_SINK, x ? b : NULL, 0);

        if (err)
            return err;
    }
    return C4_OK;
}

static c4_err
sink(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct bench *b = c4_user(pe);
    uint64_t x;

    (void)self;
    (void)len;
    memcpy(&x, data, sizeof(x));
    if (!x)
        return C4_OK;
    b->left -= BATCH;
    return b->left ? local_batch(pe, b) : phase_end(pe, NLOCAL);
}

static c4_err
ping(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    return c4_send(pe, c4_elem(c4_self(pe).coll, 0), E_PONG, data, len);
}

static c4_err
pong(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct bench *b = c4_user(pe);

    (void)self;
    if (--b->left)
        return c4_send(pe, b->far, E_PING, data, len);
    return phase_end(pe, NPING);
}

static c4_err
flood(c4_pe *pe, void *self, const void *data, size_t len)
{
    struct node *n = self;

    (void)data;
    if (++n->n < NFLOOD)
        return C4_OK;
    n->n = 0;
    return c4_send(pe, c4_elem(c4_self(pe).coll, 0), E_DONE, data, len);
}

static c4_err
flood_done(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
    return phase_end(pe, NFLOOD);
}

/* ---- The floor: the transport without a runtime ---------------------------------- */

static void
bare_send(c4_pe *pe, uint32_t dst)
{
    c4i_wire w = { .src = pe->me };
    uint64_t x = 0;
    struct iovec iov = { &x, sizeof(x) };

    if (pe->net->ops->send(pe->net, dst, &w, &iov, 1))
        c4_abort(pe, "the transport cannot send");
}

static void
bare_recv(c4_pe *pe)
{
    c4i_msg m;

    while (!pe->net->ops->recv(pe->net, &m))
        ;
    pe->net->ops->done(pe->net, &m);
}

/* Both PEs run this at the same time; nothing else is under way. */
static c4_err
floor_run(c4_pe *pe, void *self, const void *data, size_t len)
{
    uint64_t phase;

    (void)self;
    (void)len;
    memcpy(&phase, data, sizeof(phase));
    if (pe->me == 1)
        bare_send(pe, 0);                   /* ready */
    else
        bare_recv(pe);
    for (int i = 0; i < NPING && phase == FLOOR_PING; i++) {
        if (pe->me == 0)
            bare_send(pe, 1);
        bare_recv(pe);
        if (pe->me == 1)
            bare_send(pe, 0);
    }
    for (int i = 0; i < NFLOOD && phase == FLOOR_FLOOD; i++) {
        if (pe->me == 0)
            bare_send(pe, 1);
        else
            bare_recv(pe);
    }
    if (phase == FLOOR_FLOOD && pe->me == 1)
        bare_send(pe, 0);
    if (phase == FLOOR_FLOOD && pe->me == 0)
        bare_recv(pe);
    return pe->me ? C4_OK : phase_end(pe, phase == FLOOR_PING ? NPING : NFLOOD);
}

/* ---- Collections ------------------------------------------------------------------ */

static c4_err
over_elements(c4_pe *pe, void *arg, const void *data, size_t len)
{
    struct bench *b = arg;

    (void)data;
    (void)len;
    if (b->phase == CREATE && b->round == 0)
        b->kib = (resident_kib() - b->kib) / ((double)b->nelem / pe->npes);
    return phase_end(pe, (double)b->nelem);
}

static c4_err
create_array(c4_pe *pe, struct bench *b)
{
    c4_opts opts = { .created = c4_future_new(pe, 1, over_elements, b) };

    b->kib = resident_kib();
    return c4_array_new(pe, &cell_type, c4_dims((int64_t)b->nelem), &opts, &b->array);
}

static c4_err
nothing(c4_pe *pe, void *self, const void *data, size_t len)
{
    (void)pe;
    (void)data;
    (void)len;
    ((struct cell *)self)->n++;
    return C4_OK;
}

static c4_err
contribute(c4_pe *pe, void *self, const void *data, size_t len)
{
    int64_t one = 1;
    c4_callback cb;

    (void)self;
    (void)len;
    memcpy(&cb, data, sizeof(cb));
    return c4_reduce(pe, C4_RED_SUM_I64, &one, sizeof(one), &cb);
}

static c4_err
start_phase(c4_pe *pe, struct bench *b)
{
    uint64_t x = b->phase;
    c4_callback cb;
    c4_err err = C4_OK;

    switch (b->phase) {
    case LOCAL:
    case REF:
        b->left = NLOCAL;
        return local_batch(pe, b);
    case PING:
        b->left = NPING;
        return c4_send(pe, b->far, E_PING, &x, sizeof(x));
    case FLOOD:
        for (int i = 0; i < NFLOOD && !err; i++)
            err = c4_send(pe, b->far, E_FLOOD, &x, sizeof(x));
        return err;
    case FLOOR_PING:
    case FLOOR_FLOOD:
        err = c4_send(pe, b->near, E_FLOOR, &x, sizeof(x));
        return err ? err : c4_send(pe, b->far, E_FLOOR, &x, sizeof(x));
    case CREATE:
        return create_array(pe, b);
    case BCAST:                             /* all executions are over at quiescence */
        err = c4_bcast(pe, b->array, E_NOTHING - E_NOTHING, NULL, 0);
        cb = c4_cb_future(c4_future_new(pe, 1, over_elements, b));
        return err ? err : c4_quiescence(pe, &cb);
    case REDUCE:
        cb = c4_cb_future(c4_future_new(pe, 1, over_elements, b));
        return c4_bcast(pe, b->array, E_REDUCE - E_NOTHING, &cb, sizeof(cb));
    case AWAIT:
        return c4_bcastv(pe, b->array, 0, NULL, 0, c4_future_new(pe, 1, over_elements, b), 0);
    case NPHASES:
        break;
    }
    return C4_EINVAL;
}

static void
print_results(const struct bench *b, uint32_t npes)
{
    printf("%u PEs, %llu elements, best of %d rounds\n", npes, (unsigned long long)b->nelem,
           b->rounds);
    for (enum phase i = 0; i < NPHASES; i++) {
        if (npes == 1 && phases[i].pair)
            continue;
        printf("%-36s %9.1f %s", phases[i].name, b->best[i], phases[i].unit);
        if (phases[i].floor != NPHASES)
            printf("   %5.2f times the bare transport", b->best[i] / b->best[phases[i].floor]);
        printf("\n");
    }
    printf("%-36s %9.3f KiB\n", "memory, an element", b->kib);
}

/* One array is enough: elements cannot be destroyed. */
static bool
skipped(const c4_pe *pe, const struct bench *b)
{
    return (phases[b->phase].pair && pe->npes == 1) || (b->phase == CREATE && b->round > 0);
}

static c4_err
next_phase(c4_pe *pe, struct bench *b)
{
    while (b->round < b->rounds && skipped(pe, b))
        b->phase++;
    if (b->round == b->rounds) {
        print_results(b, pe->npes);
        return c4_exit(pe, 0);
    }
    b->begin = c4i_monotonic_ns();
    return start_phase(pe, b);
}

/* ---- Types -------------------------------------------------------------------------- */

static const c4_entry node_entries[] = {
    [E_SINK] = { "sink", sink },
    [E_PING] = { "ping", ping },
    [E_PONG] = { "pong", pong },
    [E_FLOOD] = { "flood", flood },
    [E_FLOOR] = { "floor", floor_run },
    [E_DONE] = { "done", flood_done },
    { NULL, NULL },
};

/* As a binding would do it: the reference is the argument. */
static c4_err
node_invoke(c4_pe *pe, void *self, unsigned entry, c4_call *call)
{
    uint64_t last = call->ref != NULL;

    if (entry >= C4_ENTRY_CREATE)
        return c4_finish(pe, &call->done, NULL, 0, false);
    if (entry == E_SINK && !call->data)
        return sink(pe, self, &last, sizeof(last));
    return node_entries[entry].fn(pe, self, call->data, call->len);
}

static void
ref_free(c4_pe *pe, void *ref)
{
    (void)pe;
    (void)ref;
}

static const c4_binding node_binding = { .invoke = node_invoke, .ref_free = ref_free };
static const c4_type node_type = { .name = "node", .size = sizeof(struct node),
                                   .entries = node_entries, .binding = &node_binding };

static const c4_entry cell_entries[] = {
    { "nothing", nothing },
    { "contribute", contribute },
    { NULL, NULL },
};
static const c4_type cell_type = { .name = "cell", .size = sizeof(struct cell),
                                   .entries = cell_entries, .pup = c4_pup_bytes };

static c4_err
begin(c4_pe *pe, void *arg, const void *data, size_t len)
{
    (void)data;
    (void)len;
    return next_phase(pe, arg);
}

static c4_err
bench_main(c4_pe *pe, int argc, char **argv)
{
    struct bench *b = c4i_alloc(sizeof(*b));
    c4_opts opts = { .created = c4_future_new(pe, 1, begin, b) };

    b->nelem = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    b->rounds = argc > 2 ? atoi(argv[2]) : 5;
    if (b->nelem < 1 || b->rounds < 1)
        return c4_fail(pe, C4_EINVAL, "usage: core_bench [elements] [rounds]");
    c4_set_user(pe, b);
    c4_err err = c4_array_new(pe, &node_type, c4_dims(pe->npes), &opts, &b->group);
    b->near = c4_elem(b->group, 0);
    b->far = c4_elem(b->group, pe->npes - 1);
    return err;
}

int
main(int argc, char **argv)
{
    const c4_type *const types[] = { &node_type, &cell_type, NULL };

    return c4_run(argc, argv, types, bench_main);
}
