/*
 * digest.h - tells whether a file is still what c4 wrote.
 *
 * SQLite notices damage of its own structures, but not a figure with one bit
 * changed; a record of a spool may be any bytes.  So c4 closes a database or a
 * spool with a seal: 32 bytes behind the last page or record, of which the
 * second half is the XXH3 (128 bits) of all bytes before it.  SQLite, which has
 * the number of pages in the head of the file, never looks there, nor does who
 * reads records of 64 bytes.  It is no signature: it tells damage and edits,
 * not forgery.
 *
 * Cost: one reading of the file, at the speed of the page cache.
 */
#ifndef C4I_DIGEST_H
#define C4I_DIGEST_H

#include <c4_err.h>

enum c4i_seal {
    C4I_SEAL_NONE,                          /* the file ends in no seal */
    C4I_SEAL_BROKEN,                        /* in that of other bytes */
    C4I_SEAL_FITS
};

/* Appends the seal to a file that nobody writes any more; fd may be read and
 * written.  C4_EIO: see errno. */
c4_err c4i_digest_seal(int fd);
/* Reads fd, from its beginning.  C4_EIO: see errno. */
c4_err c4i_digest_check(int fd, enum c4i_seal *found);

#endif
