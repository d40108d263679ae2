/*
 * text.c - see text.h.
 */
#include <unistd.h>

#include "text.h"

void
c4i_text_add(struct c4i_text *t, const char *s)
{
    while (*s && t->n < sizeof(t->s) - 1)
        t->s[t->n++] = *s++;
    if (*s)
        t->s[t->n - 1] = '\n';
}

void
c4i_text_number(struct c4i_text *t, uint64_t x, unsigned base)
{
    char digits[24], *at = digits + sizeof(digits) - 1;

    *at = 0;
    do
        *--at = "0123456789abcdef"[x % base];
    while (x /= base);
    c4i_text_add(t, at);
}

void
c4i_text_index(struct c4i_text *t, const int64_t *at, int n)
{
    c4i_text_add(t, n > 1 ? "(" : "");
    for (int i = 0; i < n; i++) {
        c4i_text_add(t, i ? ", " : "");
        c4i_text_add(t, at[i] < 0 ? "-" : "");
        c4i_text_number(t, at[i] < 0 ? 0 - (uint64_t)at[i] : (uint64_t)at[i], 10);
    }
    c4i_text_add(t, n > 1 ? ")" : "");
}

void
c4i_text_write(const struct c4i_text *t, int fd)
{
    for (size_t done = 0; done < t->n; ) {
        ssize_t n = write(fd, t->s + done, t->n - done);

        if (n <= 0)
            return;
        done += (size_t)n;
    }
}
