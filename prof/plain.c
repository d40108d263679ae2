/*
 * plain.c - text made fit for a terminal; plain.h has the contract.
 */
#define _GNU_SOURCE 1
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/plain.h"

#define REPLACEMENT "\xef\xbf\xbd"          /* U+FFFD */

int
c4i_utf8(const char *text, uint32_t *character)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *s = (const unsigned char *)text;
    int n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
            : s[0] < 0xf5 ? 4 : 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *character = c;
    return n;
}

int
c4i_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f
           || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

const char *
c4i_plain(char *buf, size_t n, const char *text)
{
    size_t len = 0;

    while (*text) {
        uint32_t c = 0;
        int from = c4i_utf8(text, &c), to;
        char piece[8];

        if (!from)
            to = snprintf(piece, sizeof(piece), REPLACEMENT);
        else if (c4i_is_control(c))
            to = snprintf(piece, sizeof(piece), c < 0x100 ? "\\x%02x" : "\\u%04x", c);
        else
            to = snprintf(piece, sizeof(piece), "%.*s", from, text);
        if (len + (size_t)to + sizeof("...") > n) {
            memcpy(buf + len, "...", sizeof("..."));
            return buf;
        }
        memcpy(buf + len, piece, (size_t)to);
        len += (size_t)to;
        text += from ? from : 1;
    }
    buf[len] = 0;
    return buf;
}

enum { LONGEST = 4 };                       /* what a byte may become: \x1b */

void
c4i_say(const char *who, const char *fmt, ...)
{
    char *text = NULL, *plain = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (plain = malloc((size_t)n * LONGEST + 16)))
        fprintf(stderr, "%s: %s\n", who, c4i_plain(plain, (size_t)n * LONGEST + 16, text));
    free(plain);
    if (n >= 0)
        free(text);
}
