/*
 * spool.c - the writing side of a spool; spool.h has the contract.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "prof/digest.h"
#include "prof/plain.h"
#include "prof/spool.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23              /* Linux 5.14; older kernels say EINVAL */
#endif

/* A disk is full for all PEs at once: the one that gets the lock of PE 0's
 * statistics says so, and holds it until its spool is closed. */
static bool
first_to_say(c4i_spool *s)
{
    char path[sizeof(s->path) + 32];
    const char *slash = strrchr(s->path, '/');

    snprintf(path, sizeof(path), "%.*s/pe-00000.stats", slash ? (int)(slash - s->path) : 1,
             slash ? s->path : ".");
    s->said = open(path, O_RDONLY | O_CLOEXEC);
    return s->said < 0 || flock(s->said, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

static void
say_full(c4i_spool *s, const char *why)
{
    if (s->full)
        return;
    s->full = true;
    if (!first_to_say(s))
        return;
    c4i_say("c4", "PE %u: recording stops here: %s (%s); the job goes on, "
            "what was recorded is kept", s->head->pe, why, s->path);
}

/* As much again as there is, within bounds: on ext4 it costs far more to make a
 * file longer while it has dirty pages than to allocate the blocks. */
static size_t
next_chunk(const c4i_spool *s, size_t have)
{
    return have < s->chunk ? s->chunk : have > C4I_SPOOL_CHUNK ? C4I_SPOOL_CHUNK
           : have & ~(size_t)(C4I_SPOOL_HEAD - 1);
}

/* Allocates blocks up to (at least) want; false: there are none. */
static bool
allocate(c4i_spool *s, unsigned char *want)
{
    size_t from = (size_t)(s->allocated - s->base);
    size_t n = next_chunk(s, from);
    struct rlimit rl;
    int e;

    if (want <= s->allocated)
        return true;
    if (n > (size_t)(s->limit - s->allocated))
        n = (size_t)(s->limit - s->allocated);
    /* Beyond RLIMIT_FSIZE the kernel would kill us with SIGXFSZ. */
    if (getrlimit(RLIMIT_FSIZE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY) {
        if (rl.rlim_cur < from + C4I_SPOOL_HEAD) {
            say_full(s, "the limit on file sizes (ulimit -f) is reached");
            return false;
        }
        if (n > rl.rlim_cur - from)
            n = (rl.rlim_cur - from) & ~(size_t)(C4I_SPOOL_HEAD - 1);
    }
    /* Of a disk that is almost full, the rest. */
    while ((e = posix_fallocate(s->fd, (off_t)from, (off_t)n)) != 0 && n > C4I_SPOOL_HEAD)
        n = e == EINTR ? n : n / 2 & ~(size_t)(C4I_SPOOL_HEAD - 1);
    if (e != 0) {
        say_full(s, e == ENOSPC ? "the disk is full" : strerror(e));
        return false;
    }
    s->allocated += n;
    /* What is written stays in the file's pages; we need not keep it mapped. */
    if (from > C4I_SPOOL_CHUNK / 4)
        (void)madvise(s->base + C4I_SPOOL_HEAD,
                      (size_t)(s->cur - s->base - C4I_SPOOL_HEAD) & ~(size_t)(C4I_SPOOL_HEAD - 1),
                      MADV_DONTNEED);
    return true;
}

/* Touches pages of the next step; a hint, failure only costs page faults. */
bool
c4i_spool_prepare(c4i_spool *s)
{
    size_t n = C4I_SPOOL_STEP;

    if (s->ready == s->limit || !allocate(s, s->ready + 1))
        return false;
    if (n > (size_t)(s->allocated - s->ready))
        n = (size_t)(s->allocated - s->ready);
    (void)madvise(s->ready, n, MADV_POPULATE_WRITE);
    s->ready += n;
    return true;
}

bool
c4i_spool_grow(c4i_spool *s, bool essential)
{
    if (!essential && s->cur >= s->soft) {
        s->head->dropped++;
        return false;
    }
    if (s->cur == s->ready && (s->full || !c4i_spool_prepare(s))) {
        s->head->dropped++;
        return false;
    }
    return true;
}

void
c4i_spool_ahead(c4i_spool *s)
{
    if (!s->full && s->cur < s->soft && s->ready - s->cur < C4I_SPOOL_STEP / 2)
        c4i_spool_prepare(s);
}

/* All the parts of a blob are reserved before the first is written. */
bool
c4i_spool_blob(c4i_spool *s, enum c4i_blob what, const void *data, size_t len)
{
    size_t nparts = len ? (len + C4I_SPOOL_BLOBPART - 1) / C4I_SPOOL_BLOBPART : 1;

    while ((size_t)(s->ready - s->cur) / sizeof(c4i_rec) < nparts) {
        if (s->full || !c4i_spool_prepare(s)) {
            s->head->dropped++;
            return false;
        }
    }
    for (size_t i = 0; i < nparts; i++) {
        size_t off = i * C4I_SPOOL_BLOBPART;
        size_t n = len - off < C4I_SPOOL_BLOBPART ? len - off : C4I_SPOOL_BLOBPART;
        c4i_rec r = { .blob = { .kind = C4I_REC_BLOB, .what = (uint8_t)what, .n = (uint8_t)n,
                                .last = i + 1 == nparts, .part = (uint32_t)i } };

        if (n)
            memcpy(r.blob.data, (const char *)data + off, n);
        c4i_spool_put(c4i_spool_next(s, true), &r);
    }
    return true;
}

static size_t
page_round(size_t n)
{
    return (n + C4I_SPOOL_HEAD - 1) & ~(size_t)(C4I_SPOOL_HEAD - 1);
}

c4_err
c4i_spool_create(c4i_spool *s, const char *path, const c4i_spool_head *h,
                 const char *magic, size_t nbytes, char *err, size_t nerr)
{
    size_t soft = C4I_SPOOL_HEAD + nbytes / sizeof(c4i_rec) * sizeof(c4i_rec);
    size_t extra = soft / 8 > (1 << 20) ? soft / 8 : 1 << 20;
    c4i_spool_head first = *h;
    int e;

    memset(s, 0, sizeof(*s));
    s->said = -1;
    s->mapped = page_round(soft + extra);
    snprintf(s->path, sizeof(s->path), "%s", path);
    s->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (s->fd < 0) {
        snprintf(err, nerr, "cannot create %s: %s", path, strerror(errno));
        return C4_EIO;
    }
    (void)flock(s->fd, LOCK_EX | LOCK_NB);  /* tells readers that we live */
    while ((e = posix_fallocate(s->fd, 0, C4I_SPOOL_HEAD)) == EINTR)
        ;
    if (e == 0) {
        s->base = mmap(NULL, s->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
        if (s->base == MAP_FAILED)
            e = errno;
    }
    if (e != 0) {
        snprintf(err, nerr, "cannot allocate %s: %s", path, strerror(e));
        close(s->fd);
        unlink(path);
        return C4_EIO;
    }
    memset(first.magic, 0, sizeof(first.magic));
    memcpy(first.magic, magic, strnlen(magic, sizeof(first.magic)));
    first.version = C4I_SPOOL_VERSION;
    first.head_size = C4I_SPOOL_HEAD;
    first.sum = c4i_fnv1a(&first, offsetof(c4i_spool_head, sum));
    s->head = (c4i_spool_head *)(void *)s->base;
    *s->head = first;
    s->cur = s->ready = s->allocated = s->base + C4I_SPOOL_HEAD;
    s->soft = s->base + soft;
    s->chunk = page_round(soft / 16);
    if (s->chunk > C4I_SPOOL_CHUNK / 16)
        s->chunk = C4I_SPOOL_CHUNK / 16;
    s->limit = s->base + s->mapped;
    return C4_OK;
}

/* Where a full disk has no room for the seal, or a limit on the sizes of files
 * forbids it (by SIGXFSZ), there is none; records were dropped before that. */
static void
seal(const c4i_spool *s, size_t used)
{
    struct rlimit rl;

    if (getrlimit(RLIMIT_FSIZE, &rl) == 0
        && (rl.rlim_cur == RLIM_INFINITY || rl.rlim_cur >= used + sizeof(c4i_rec)))
        (void)c4i_digest_seal(s->fd);
}

void
c4i_spool_close(c4i_spool *s)
{
    size_t used;

    if (!s->base)
        return;
    used = (size_t)(s->cur - s->base);
    munmap(s->base, s->mapped);
    if (ftruncate(s->fd, (off_t)used) != 0)
        c4i_say("c4", "cannot trim %s: %s", s->path, strerror(errno));
    seal(s, used);
    close(s->fd);
    if (s->said >= 0)
        close(s->said);
    s->base = NULL;
    s->head = NULL;
}
