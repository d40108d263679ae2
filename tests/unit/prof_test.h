/*
 * prof_test.h - a recorder without a PE, for the tests of recording.
 *
 * Time does not pass by itself: ticks are ns, and t = 0 is an hour from now, so
 * that no clock reading of the recorder's own falls into the recording.
 */
#ifndef C4_PROF_TEST_H
#define C4_PROF_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prof/recorder.h"
#include "prof/store.h"
#include "tests/unit/check.h"

struct prof_test {
    char         dir[256];                  /* of the test, removed at its end */
    char         spools[300], db[300];
    c4i_clock    clock;
    c4i_recorder rec;
    c4i_prof    *prof;
    uint32_t     pe;
};

static inline void
prof_test_init(struct prof_test *t)
{
    const char *tmp = getenv("TMPDIR");
    uint64_t zero = c4i_monotonic_ns() + 3600000000000u;

    memset(t, 0, sizeof(*t));
    snprintf(t->dir, sizeof(t->dir), "%s/c4-prof-XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(t->dir), "%s", t->dir);
    snprintf(t->spools, sizeof(t->spools), "%s/run.db.spool.d", t->dir);
    snprintf(t->db, sizeof(t->db), "%s/run.db", t->dir);
    CHECK(mkdir(t->spools, 0777) == 0);
    t->clock = (c4i_clock){ .ns_per_tick = 1.0, .zero = zero, .zero_ns = zero,
                            .base_ticks = zero, .base_ns = zero };
}

static inline void
prof_test_open(struct prof_test *t, uint32_t pe, uint32_t npes, enum c4i_level level,
               size_t limit)
{
    c4i_prof_config c = { .pe = pe, .npes = npes, .level = level, .dir = t->spools,
                          .limit = limit, .clock = &t->clock };

    t->pe = pe;
    t->prof = c4i_prof_new(&c);
    CHECK(t->prof);
    t->rec = c4i_prof_recorder(t->prof);
}

/* status < 0: the PE is killed, its spool stays as it is. */
static inline void
prof_test_close(struct prof_test *t, int status)
{
    if (status >= 0)
        t->rec.stop(t->rec.ctx, status);
    t->rec.release(t->rec.ctx);
    t->prof = NULL;
}

static inline void
prof_test_release(struct prof_test *t)
{
    char tmp[400];

    c4i_trace_remove_spools(t->spools);
    unlink(t->db);
    snprintf(tmp, sizeof(tmp), "%s.tmp", t->db);
    unlink(tmp);
    CHECK(rmdir(t->dir) == 0, "something is left in %s", t->dir);
}

#endif
