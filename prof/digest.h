/*
 * digest.h - tells whether a trace database is still what c4 wrote.
 *
 * SQLite notices damage of its own structures, but not a figure with one bit
 * changed.  So the store closes the file with a seal: 32 bytes behind the last
 * page, of which the second half is the XXH3 (128 bits) of all bytes before
 * it.  SQLite, which has the number of pages in the head of the file, never
 * looks there.  It is no signature: it tells damage and edits, not forgery.
 *
 * Cost: one reading of the file, at the speed of the page cache.
 */
#ifndef C4I_DIGEST_H
#define C4I_DIGEST_H

#include <stdbool.h>

#include <c4_err.h>

/* Appends the seal to a file that nobody writes any more.  C4_EIO: see errno. */
c4_err c4i_digest_seal(const char *path);
/* Reads fd from its beginning.  *same: the file ends in the seal of what
 * stands before it.  C4_EIO: see errno. */
c4_err c4i_digest_check(int fd, bool *same);

#endif
