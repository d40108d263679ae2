/*
 * digest.c - the seal at the end of a database or a spool; digest.h has the contract.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "prof/digest.h"

enum { MAGIC = 16, SEAL = MAGIC + sizeof(XXH128_canonical_t), PIECE = 1 << 20 };

static const char magic[MAGIC] = "c4 trace, sealed";

/* Hashes the first len bytes; EIO where the file has become shorter. */
static int
hash_pieces(int fd, off_t len, XXH3_state_t *state, unsigned char *piece)
{
    for (off_t at = 0; at < len; ) {
        size_t want = len - at < PIECE ? (size_t)(len - at) : PIECE;
        ssize_t n = pread(fd, piece, want, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        XXH3_128bits_update(state, piece, (size_t)n);
        at += n;
    }
    return 0;
}

static c4_err
make_seal(int fd, off_t len, unsigned char seal[SEAL])
{
    XXH3_state_t *state = XXH3_createState();
    unsigned char *piece = malloc(PIECE);
    int fault = ENOMEM;

    if (state && piece && XXH3_128bits_reset(state) == XXH_OK)
        fault = hash_pieces(fd, len, state, piece);
    if (!fault) {
        memcpy(seal, magic, MAGIC);
        XXH128_canonicalFromHash((XXH128_canonical_t *)(seal + MAGIC),
                                 XXH3_128bits_digest(state));
    }
    XXH3_freeState(state);
    free(piece);
    errno = fault;
    return fault ? C4_EIO : C4_OK;
}

c4_err
c4i_digest_seal(int fd)
{
    unsigned char seal[SEAL];
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) != 0 || make_seal(fd, st.st_size, seal))
        return C4_EIO;
    n = pwrite(fd, seal, SEAL, st.st_size);
    if (n >= 0 && n < SEAL)
        errno = ENOSPC;
    return n == SEAL ? C4_OK : C4_EIO;
}

c4_err
c4i_digest_check(int fd, enum c4i_seal *found)
{
    unsigned char seal[SEAL], there[SEAL];
    struct stat st;

    *found = C4I_SEAL_NONE;
    if (fstat(fd, &st) != 0)
        return C4_EIO;
    if (st.st_size < SEAL || pread(fd, there, SEAL, st.st_size - SEAL) != SEAL
        || memcmp(there, magic, MAGIC) != 0)
        return C4_OK;
    if (make_seal(fd, st.st_size - SEAL, seal))
        return C4_EIO;
    *found = memcmp(seal, there, SEAL) == 0 ? C4I_SEAL_FITS : C4I_SEAL_BROKEN;
    return C4_OK;
}
