/*
 * spool.h - a file of fixed-size records that a PE appends to by plain stores.
 *
 * The whole extent that the file may ever have is mapped at once; blocks are
 * allocated by posix_fallocate() ahead of the writer, so that a full disk is
 * an error here and never a SIGBUS, and their pages are touched ahead.
 *
 * One thread writes.  c4i_spool_next() costs a compare and an add; every
 * C4I_SPOOL_STEP bytes it makes system calls, unless c4i_spool_ahead() did so
 * before while the PE had nothing to do.
 *
 * Invariant: cur <= ready <= allocated <= limit; bytes from cur on are zero.
 */
#ifndef C4I_SPOOL_H
#define C4I_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include <c4_err.h>
#include "prof/spool_format.h"

enum {
    C4I_SPOOL_STEP  = 256 << 10,            /* pages touched at a time */
    C4I_SPOOL_CHUNK = 64 << 20              /* blocks allocated at a time, at most */
};

typedef struct c4i_spool {
    unsigned char  *cur, *ready;            /* records may be written below ready */
    unsigned char  *base, *allocated;
    unsigned char  *soft, *limit;           /* details stop at soft, everything at limit */
    c4i_spool_head *head;                   /* == base */
    size_t          mapped, chunk;
    int             fd;
    int             said;                   /* a file, locked by who said that the disk is full; -1 */
    bool            full;                   /* said so once */
    char            path[4096];
} c4i_spool;

/* Creates the file with h as its head (magic and sum are filled in) and locks
 * it for as long as this process lives.  nbytes bounds the details; essential
 * records get an eighth more, at least 1 MiB.  err gets one line on failure. */
c4_err c4i_spool_create(c4i_spool *s, const char *path, const c4i_spool_head *h,
                        const char *magic, size_t nbytes, char *err, size_t nerr);
/* Makes the next step writable; false: no room, and a warning was printed. */
bool c4i_spool_grow(c4i_spool *s, bool essential);
/* Moves ready on; false: full, said once. */
bool c4i_spool_prepare(c4i_spool *s);
/* Off the path: prepares what will be needed soon. */
void c4i_spool_ahead(c4i_spool *s);
/* Trims the file to what was written, seals it (digest.h) and unmaps it. */
void c4i_spool_close(c4i_spool *s);

/* Room for one record, or NULL (counted as dropped). */
static inline c4i_rec *
c4i_spool_next(c4i_spool *s, bool essential)
{
    if (__builtin_expect(s->cur == s->ready, 0) || (!essential && s->cur >= s->soft))
        if (!c4i_spool_grow(s, essential))
            return NULL;

    c4i_rec *r = (c4i_rec *)(void *)s->cur;

    s->cur += sizeof(*r);
    return r;
}

/* Writes the record: the word that holds the kind comes last. */
static inline void
c4i_spool_put(c4i_rec *to, const c4i_rec *r)
{
    for (int i = 7; i > 0; i--)
        to->word[i] = r->word[i];
    __atomic_store_n(&to->word[0], r->word[0], __ATOMIC_RELEASE);
}

/* Appends len bytes in as many records as it takes; all or nothing. */
bool c4i_spool_blob(c4i_spool *s, enum c4i_blob what, const void *data, size_t len);

#endif
