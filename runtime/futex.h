/*
 * futex.h - sleeping on a word in memory that processes may share.
 */
#ifndef C4I_FUTEX_H
#define C4I_FUTEX_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A sleep never lasts longer: a signal that arrives between the look at its
 * flag and the system call is then late, not lost. */
enum { C4I_SLEEP_MAX_NS = 500000000 };

/* Sleeps while *word == seen, at most timeout_ns; returns early on signals. */
static inline void
c4i_futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns)
{
    uint64_t ns = timeout_ns < C4I_SLEEP_MAX_NS ? timeout_ns : C4I_SLEEP_MAX_NS;
    struct timespec ts = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

    syscall(SYS_futex, word, FUTEX_WAIT, seen, &ts, NULL, 0);
}

static inline void
c4i_futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#endif
