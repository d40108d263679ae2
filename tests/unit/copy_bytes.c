/*
 * copy_bytes.c - the fast copy copies, whatever the size and alignment, and
 * nothing beyond.
 */
#include <string.h>

#include "runtime/copy.h"
#include "tests/unit/check.h"

int
main(void)
{
    enum { CAP = 300000, PAD = 64 };
    c4i_copy_fn copy = c4i_copy_choose();
    unsigned char *src = malloc(CAP + PAD), *dst = malloc(CAP + 2 * PAD);
    uint64_t seed = 5;

    CHECK(src && dst);
    for (size_t i = 0; i < CAP + PAD; i++)
        src[i] = (unsigned char)check_random(&seed);
    for (int k = 0; k < 500; k++) {
        size_t from = check_random(&seed) % PAD, to = PAD + check_random(&seed) % PAD;
        size_t n = k < 200 ? 4000 + (size_t)k : check_random(&seed) % (CAP - PAD);

        memset(dst, 0x5a, CAP + 2 * PAD);
        copy(dst + to, src + from, n);
        CHECK(!memcmp(dst + to, src + from, n), "%zu bytes", n);
        CHECK(dst[to - 1] == 0x5a && dst[to + n] == 0x5a, "%zu bytes", n);
    }
    free(src);
    free(dst);
    return 0;
}
