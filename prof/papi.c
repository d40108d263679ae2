/*
 * papi.c - event counters through PAPI; papi.h has the contract.
 *
 * Presets that a PMU counts and software events of the kernel are kept in two
 * event sets: a set with a software event in it cannot be read by rdpmc.
 * Where PAPI refuses to run two sets at once, one set holds both.
 *
 * Cost of a read: about 60 ns with rdpmc, 350 ns (a system call) without.
 */
#include <papi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/papi.h"

enum { HARD, SOFT, NSETS };

struct c4i_papi {
    int set[NSETS];                         /* PAPI_NULL: not used */
    int nset[NSETS];
    int nvalues;
    struct { int set, at; } where[C4I_PAPI_MAX];    /* of the k-th good counter */
};

static bool
is_software(const char *name)
{
    return strncasecmp(name, "perf::", 6) == 0 || strncasecmp(name, "PERF_COUNT_SW", 13) == 0;
}

/* Counts for a moment: the only test that PAPI does not pass by mistake. */
static int
try_event(int code)
{
    int set = PAPI_NULL, e;
    long long v = 0;

    if ((e = PAPI_create_eventset(&set)) != PAPI_OK)
        return e;
    if ((e = PAPI_add_event(set, code)) == PAPI_OK && (e = PAPI_start(set)) == PAPI_OK) {
        e = PAPI_read(set, &v);
        PAPI_stop(set, &v);
    }
    PAPI_cleanup_eventset(set);
    PAPI_destroy_eventset(&set);
    return e;
}

static const char *
reason(int e, const char *name)
{
    if (e == PAPI_ENOEVNT && strncmp(name, "PAPI_", 5) == 0)
        return "this machine has no PMU that counts it; perf::TASK-CLOCK, perf::PAGE-FAULTS "
               "and other software events may work";
    if (e == PAPI_EPERM)
        return "no permission; see /proc/sys/kernel/perf_event_paranoid";
    return PAPI_strerror(e);
}

static void
unit_of(c4i_counter *c)
{
    bool clock = strstr(c->name, "CLOCK") != NULL;

    snprintf(c->source, sizeof(c->source), "%s", is_software(c->name) ? "software" : "PMU");
    snprintf(c->unit, sizeof(c->unit), "%s",
             clock && is_software(c->name) ? "ns" : strstr(c->name, "_CYC") ? "cycles" : "events");
}

static int
add_to(c4i_papi *p, int which, int code)
{
    int e;

    if (p->set[which] == PAPI_NULL && (e = PAPI_create_eventset(&p->set[which])) != PAPI_OK)
        return e;
    return PAPI_add_event(p->set[which], code);
}

static void
probe(c4i_papi *p, c4i_counter *c)
{
    int code = 0, which = is_software(c->name) ? SOFT : HARD;
    int e = PAPI_event_name_to_code(c->name, &code);

    if (e != PAPI_OK) {
        snprintf(c->why, sizeof(c->why), "PAPI knows no event of this name; papi_avail and "
                 "papi_native_avail list them");
        return;
    }
    e = try_event(code);
    if (e == PAPI_OK)
        e = add_to(p, which, code);
    if (e != PAPI_OK) {
        snprintf(c->why, sizeof(c->why), "%s", reason(e, c->name));
        return;
    }
    unit_of(c);
    c->ok = true;
    p->where[p->nvalues].set = which;
    p->where[p->nvalues++].at = p->nset[which]++;
}

/* All into the first set, in order. */
static int
merge_sets(c4i_papi *p, const c4i_counter *c, int n)
{
    int k = 0, e = PAPI_OK;

    for (int s = 0; s < NSETS; s++) {
        long long v[C4I_PAPI_MAX];

        if (p->set[s] == PAPI_NULL)
            continue;
        PAPI_stop(p->set[s], v);
        PAPI_cleanup_eventset(p->set[s]);
        PAPI_destroy_eventset(&p->set[s]);
        p->set[s] = PAPI_NULL;
        p->nset[s] = 0;
    }
    for (int i = 0; i < n && e == PAPI_OK; i++) {
        int code = 0;

        if (!c[i].ok)
            continue;
        if ((e = PAPI_event_name_to_code(c[i].name, &code)) == PAPI_OK)
            e = add_to(p, HARD, code);
        p->where[k].set = HARD;
        p->where[k].at = k;
        k++;
    }
    p->nset[HARD] = k;
    return e == PAPI_OK ? PAPI_start(p->set[HARD]) : e;
}

static int
start_sets(c4i_papi *p, const c4i_counter *c, int n)
{
    for (int s = 0; s < NSETS; s++)
        if (p->set[s] != PAPI_NULL && PAPI_start(p->set[s]) != PAPI_OK)
            return merge_sets(p, c, n);
    return PAPI_OK;
}

/* Splits names; the counters' fields are empty but for the name. */
static int
split(const char *names, c4i_counter c[C4I_PAPI_MAX])
{
    int n = 0;

    while (*names) {
        size_t len = strcspn(names, ",");

        if (len && n < C4I_PAPI_MAX) {
            memset(&c[n], 0, sizeof(c[n]));
            snprintf(c[n++].name, sizeof(c[0].name), "%.*s", (int)len, names);
        }
        names += len + (names[len] == ',');
    }
    return n;
}

c4i_papi *
c4i_papi_new(const char *names, c4i_counter c[C4I_PAPI_MAX], int *n)
{
    c4i_papi *p = calloc(1, sizeof(*p));
    int e;

    *n = split(names, c);
    if (!p)
        return NULL;
    p->set[HARD] = p->set[SOFT] = PAPI_NULL;
    e = PAPI_is_initialized() ? (int)PAPI_VER_CURRENT : PAPI_library_init(PAPI_VER_CURRENT);
    for (int i = 0; i < *n; i++) {
        if (e != PAPI_VER_CURRENT)
            snprintf(c[i].why, sizeof(c[i].why), "the PAPI library does not start: %s",
                     PAPI_strerror(e));
        else
            probe(p, &c[i]);
    }
    if (p->nvalues && (e = start_sets(p, c, *n)) != PAPI_OK) {
        for (int i = 0; i < *n; i++) {
            if (c[i].ok)
                snprintf(c[i].why, sizeof(c[i].why), "cannot be counted together with the "
                         "others: %s", PAPI_strerror(e));
            c[i].ok = false;
        }
        p->nvalues = 0;
    }
    if (p->nvalues)
        return p;
    c4i_papi_free(p);
    return NULL;
}

bool
c4i_papi_read(c4i_papi *p, int64_t value[C4I_PAPI_MAX])
{
    long long v[NSETS][C4I_PAPI_MAX];

    for (int s = 0; s < NSETS; s++)
        if (p->set[s] != PAPI_NULL && PAPI_read(p->set[s], v[s]) != PAPI_OK)
            return false;
    for (int i = 0; i < p->nvalues; i++)
        value[i] = v[p->where[i].set][p->where[i].at];
    return true;
}

void
c4i_papi_free(c4i_papi *p)
{
    if (!p)
        return;
    for (int s = 0; s < NSETS; s++) {
        long long v[C4I_PAPI_MAX];

        if (p->set[s] == PAPI_NULL)
            continue;
        PAPI_stop(p->set[s], v);
        PAPI_cleanup_eventset(p->set[s]);
        PAPI_destroy_eventset(&p->set[s]);
    }
    free(p);
}
