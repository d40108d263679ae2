/*
 * papi.h - event counters around entry methods.
 *
 * Hardware presets (PAPI_TOT_CYC) where the machine has a PMU, perf:: software
 * events where not.  Only adding, starting and reading an event tells whether
 * it can be had; what cannot be had is NULL in the database, never 0.
 *
 * Variants: papi.c, and papi_none.c where c4 was built without PAPI.
 */
#ifndef C4I_PAPI_H
#define C4I_PAPI_H

#include <stdbool.h>
#include <stdint.h>

enum { C4I_PAPI_MAX = 6 };

typedef struct c4i_counter {
    char name[64];
    char unit[16];
    char source[16];                        /* "PMU", "software" or "" */
    char why[128];                          /* why it cannot be counted; "": it can */
    bool ok;
} c4i_counter;

typedef struct c4i_papi c4i_papi;

/* Tries each of "NAME,NAME"; fills c[0..*n).  NULL if none can be counted.
 * names has at most C4I_PAPI_MAX, each once. */
c4i_papi *c4i_papi_new(const char *names, c4i_counter c[C4I_PAPI_MAX], int *n);
/* Values so far of those that are ok, in their order, running since new(). */
bool c4i_papi_read(c4i_papi *p, int64_t value[C4I_PAPI_MAX]);
void c4i_papi_free(c4i_papi *p);

#endif
