/*
 * sim.h - a whole job of virtual PEs in one thread, under a simulated network.
 *
 * For tests of the protocols and for simulations: each PE is a complete c4_pe
 * on a transport that keeps messages in memory.  Time is virtual.  A seed
 * decides all delays, so the same seed gives the same run, message by message.
 *
 * Whoever owns a simulation is also its main program: between steps it may
 * call anything of c4.h on any PE (c4i_sim_pe()), as main code would.
 */
#ifndef C4I_SIM_H
#define C4I_SIM_H

#include "transport.h"

typedef struct c4i_sim c4i_sim;

/* A message is about to enter the network; for tests that watch. */
typedef void (*c4i_sim_tap)(void *ctx, uint32_t from, uint32_t to, const c4i_wire *w,
                            const struct iovec *iov, int niov);
/* A step was taken; false: c4i_sim_run() shall return. */
typedef bool (*c4i_sim_watch)(void *ctx);

typedef struct c4i_sim_opts {
    uint64_t latency_ns;                    /* of an empty message */
    uint64_t ps_per_byte;                   /* inverse bandwidth of a pair, in picoseconds */
    uint64_t step_ns;                       /* a PE needs to handle one message */
    bool     jitter;                        /* latency and step are random, the above their scale */
    unsigned slow_percent, slow_factor;     /* so many ordered pairs are so many times slower */
    unsigned slow_pe_percent;               /* the same for the steps of PEs */
    /* Holds messages of some kinds back: 1 << c4i_kind.  What was sent after
     * them on the same ordered pair waits behind them. */
    uint32_t hold_kinds;
    unsigned hold_percent;                  /* of those messages */
    uint64_t hold_ns;                       /* a large number: until nothing else happens */
    c4i_sim_tap   tap;                      /* OPTIONAL */
    c4i_sim_watch watch;                    /* OPTIONAL */
    void         *ctx;                      /* theirs */
} c4i_sim_opts;

/* Makes npes PEs; none has run yet.  opts NULL: 1 us, 1 ns a byte, exact. */
c4_err c4i_sim_new(uint32_t npes, uint64_t seed, const c4i_sim_opts *opts, c4i_sim **out);
/* Frees the PEs and all that is on its way; works at any moment. */
void c4i_sim_free(c4i_sim *s);
c4_pe *c4i_sim_pe(const c4i_sim *s, uint32_t pe);
uint64_t c4i_sim_now(const c4i_sim *s);

/* Takes the next step of the run: one arrival or one handled message.
 * False: nothing is left to do. */
bool c4i_sim_step(c4i_sim *s);
/* Steps until nothing is left or max_steps were taken; returns their number. */
uint64_t c4i_sim_run(c4i_sim *s, uint64_t max_steps);

/* Messages of some kinds (1 << c4i_kind) that have not been handed to their PE. */
uint64_t c4i_sim_in_flight(const c4i_sim *s, uint32_t kinds);
/* Messages sent so far; messages sent to a PE after it had left. */
uint64_t c4i_sim_sent(const c4i_sim *s);
uint64_t c4i_sim_late(const c4i_sim *s);

/* The PE is gone: it does nothing any more, what is sent to it vanishes. */
void c4i_sim_kill(c4i_sim *s, uint32_t pe);

/* Directed schedules: a held pair delivers nothing by itself ... */
void c4i_sim_hold(c4i_sim *s, uint32_t src, uint32_t dst);
/* ... but its next message on request: false if there is none. */
bool c4i_sim_deliver(c4i_sim *s, uint32_t src, uint32_t dst);
/* The kind of its next message, or -1. */
int c4i_sim_peek(const c4i_sim *s, uint32_t src, uint32_t dst);
/* Ends the hold. */
void c4i_sim_flow(c4i_sim *s, uint32_t src, uint32_t dst);

/* Splitmix64, for whoever needs more seeded randomness. */
static inline uint64_t
c4i_sim_rand(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#endif
