/*
 * launch_text.c - what the launcher tells a PE arrives, and the parts of a
 * segment do not overlap, whatever the number of PEs.
 */
#include <string.h>

#include "runtime/launch.h"
#include "runtime/ring.h"
#include "tests/unit/check.h"

static void
there_and_back(uint32_t npes)
{
    c4i_launch a = { .pe = npes - 1, .npes = npes, .ncores = 3, .zero_ns = UINT64_MAX - 1,
                     .lifeline = 9, .out = -1, .err = 12 }, b;
    char *text;

    for (uint32_t i = 0; i < npes; i++)
        a.fd[i] = (int)(i * 7);
    text = c4i_launch_format(&a);
    memset(&b, 0, sizeof(b));
    CHECK(text && !c4i_launch_parse(text, &b), "%s", text);
    CHECK(a.pe == b.pe && a.npes == b.npes && a.ncores == b.ncores && a.zero_ns == b.zero_ns &&
          a.lifeline == b.lifeline && a.out == b.out && a.err == b.err);
    CHECK(!memcmp(a.fd, b.fd, npes * sizeof(a.fd[0])));
    free(text);
}

static void
refused(void)
{
    static const char *const rows[] = {
        "", "x", "2 0 1 1 0 -1 -1 -1 3", "1 0 0 1 0 -1 -1 -1", "1 1 1 1 0 -1 -1 -1 3",
        "1 0 257 1 0 -1 -1 -1 3", "1 0 2 1 0 -1 -1 -1 3", "1 0 1 1 0 -1 -1 -1 -3",
        "1 0 1 1 0 -1 -1 -1 x"
    };
    c4i_launch l;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK(c4i_launch_parse(rows[i], &l) == C4_EFORMAT, "%s", rows[i]);
}

static void
disjoint(uint32_t npes)
{
    c4i_layout l;
    size_t ring, end = C4I_CONTROL_BYTES;

    c4i_layout_init(&l, npes, 1 << 30);
    ring = sizeof(struct c4i_ring_head) + l.nslots * sizeof(struct c4i_slot) + l.payload_bytes;
    CHECK((l.nslots & (l.nslots - 1)) == 0 && (l.payload_bytes & (l.payload_bytes - 1)) == 0);
    CHECK(l.payload_max >= 1024 && 8 * l.payload_max <= l.payload_bytes);
    for (uint32_t src = 0; src < npes; src++) {
        size_t at;

        if (src == npes / 2)
            continue;
        at = c4i_layout_ring(&l, npes / 2, src);
        CHECK(at == end && at % C4I_LINE == 0 && l.ring_stride >= ring);
        end = at + l.ring_stride;
    }
    CHECK(end <= l.arena_off && l.arena_off % 4096 == 0);
    CHECK(l.segment_bytes == l.arena_off + (1 << 30));
}

int
main(void)
{
    there_and_back(1);
    there_and_back(2);
    there_and_back(C4I_MAXPES);
    refused();
    for (uint32_t npes = 1; npes <= C4I_MAXPES; npes++)
        disjoint(npes);
    return 0;
}
