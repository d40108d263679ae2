/*
 * copy.c - see copy.h.
 */
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "copy.h"

static void
copy_plain(void *dst, const void *src, size_t nbytes)
{
    memcpy(dst, src, nbytes);
}

#if defined(__x86_64__)

enum {
    SMALL = 4096,                           /* below this memcpy() wins */
    AHEAD = 512                            /* bytes that both sides are fetched ahead */
};

/* One cache line.  The destination was last in another core: asking for it to be
 * written (PREFETCHW, a no-op where the CPU lacks it) and not just read halves
 * the time, since many such requests can be under way at once. */
__attribute__((target("avx2,prfchw"), always_inline)) static inline void
copy_line(unsigned char *dst, const unsigned char *src)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)src);
    __m256i b = _mm256_loadu_si256((const __m256i *)(src + 32));

    _mm256_storeu_si256((__m256i *)dst, a);
    _mm256_storeu_si256((__m256i *)(dst + 32), b);
}

__attribute__((target("avx2,prfchw"))) static void
copy_avx2(void *to, const void *from, size_t nbytes)
{
    unsigned char *dst = to;
    const unsigned char *src = from;
    size_t half = nbytes / 2 & ~(size_t)63, i = 0;

    if (nbytes < SMALL) {
        memcpy(to, from, nbytes);
        return;
    }
    for (; i < half; i += 64) {
        _mm_prefetch((const char *)(src + i + AHEAD), _MM_HINT_T0);
        _mm_prefetch((const char *)(src + half + i + AHEAD), _MM_HINT_T0);
        __builtin_prefetch(dst + i + AHEAD, 1);
        __builtin_prefetch(dst + half + i + AHEAD, 1);
        copy_line(dst + i, src + i);
        copy_line(dst + half + i, src + half + i);
    }
    memcpy(dst + 2 * half, src + 2 * half, nbytes - 2 * half);
}

c4i_copy_fn
c4i_copy_choose(void)
{
    return __builtin_cpu_supports("avx2") ? copy_avx2 : copy_plain;
}

#else

c4i_copy_fn
c4i_copy_choose(void)
{
    return copy_plain;
}

#endif
