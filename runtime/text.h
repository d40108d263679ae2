/*
 * text.h - one line of text put together without the C library, for handlers
 * of fatal signals.  What does not fit is cut off.
 */
#ifndef C4I_TEXT_H
#define C4I_TEXT_H

#include <stdint.h>
#include <stddef.h>

struct c4i_text {
    size_t n;
    char   s[512];
};

void c4i_text_add(struct c4i_text *t, const char *s);
void c4i_text_number(struct c4i_text *t, uint64_t x, unsigned base);
/* "3", or "(3, -4)" of several. */
void c4i_text_index(struct c4i_text *t, const int64_t *at, int n);
/* In one piece, so that lines of several processes do not mix. */
void c4i_text_write(const struct c4i_text *t, int fd);

#endif
