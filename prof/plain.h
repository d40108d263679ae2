/*
 * plain.h - text of unknown origin, made fit for a terminal.
 *
 * Names, log texts, arguments and paths are whatever a program, a damaged file
 * or a stranger put there: an escape sequence among them must not be obeyed.
 */
#ifndef C4I_PLAIN_H
#define C4I_PLAIN_H

#include <stddef.h>
#include <stdint.h>

/* The character at text, which ends in a 0: its length in bytes, or 0 where
 * there is no UTF-8 character. */
int c4i_utf8(const char *text, uint32_t *character);
/* Does a terminal act on it instead of showing it?  C0, DEL, C1, and what
 * changes the direction of text. */
int c4i_is_control(uint32_t character);
/* Copies text into buf[n], n >= 16: control characters as \x1b or \u202e,
 * bytes that are not UTF-8 as U+FFFD.  What does not fit ends in "...".
 * Returns buf. */
const char *c4i_plain(char *buf, size_t n, const char *text);
/* One line on stderr, "who: ...", with all of the text made plain. */
void c4i_say(const char *who, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
