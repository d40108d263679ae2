/*
 * prof_plain.c - nothing that a terminal obeys is left of a text.
 */
#include <string.h>

#include "prof/plain.h"
#include "tests/unit/check.h"

int
main(void)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "Cell.step", "Cell.step" },
        { "\x1b[31mred\x7f\n", "\\x1b[31mred\\x7f\\x0a" },
        { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
        { "\xc2\x9b" "2J", "\\x9b2J" },                     /* C1: CSI */
        { "a\xe2\x80\xae" "b", "a\\u202e" "b" },            /* right to left */
        { "\xff.db", "\xef\xbf\xbd.db" },
        { "\xc0\x9b", "\xef\xbf\xbd\xef\xbf\xbd" },         /* overlong */
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },     /* a surrogate */
        { "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },         /* cut off */
        { "0123456789012345678901234567890", "0123456789012345678901234567..." },
        { "01234567890123456789012345678", "0123456789012345678901234567..." },
        { "0123456789012345678901234567", "0123456789012345678901234567" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char buf[32];
        const char *got = c4i_plain(buf, sizeof(buf), cases[i][0]);

        CHECK(got == buf && strcmp(got, cases[i][1]) == 0, "case %zu: %s", i, got);
    }
    return 0;
}
