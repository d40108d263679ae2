/*
 * check.h - says what was expected and ends the test.
 */
#ifndef C4_CHECK_H
#define C4_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond, ...) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "%s:%d: not true: %s:", __FILE__, __LINE__, #cond); \
            fprintf(stderr, " " __VA_ARGS__); \
            fprintf(stderr, "\n"); \
            exit(1); \
        } \
    } while (0)

/* xorshift64*: the same numbers for the same seed, everywhere. */
static inline uint64_t
check_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

#endif
