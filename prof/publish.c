/*
 * publish.c - a database has another name until it is whole, and then a name
 * that nobody else's has.
 *
 * The temporary file is locked by who writes it (flock(), which SQLite does
 * not use): one that is not locked was left behind and may go.  Jobs own their
 * names (trace.h), but `c4prof recover -o FILE` may name any file.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prof/digest.h"
#include "prof/store_parts.h"

enum { MOST_TMP = 16 };

/* Is it locked by us, and does it still have its name? */
static bool
lock_file(int fd, const char *path)
{
    struct stat here, there;

    return (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
           && fstat(fd, &here) == 0 && lstat(path, &there) == 0
           && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* A new file of this name that nobody else writes; -1 with errno. */
static int
make_tmp(const char *path)
{
    int left = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC), fd;

    if (left >= 0 && lock_file(left, path))
        unlink(path);
    if (left >= 0)
        close(left);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 && !lock_file(fd, path)) {
        close(fd);
        errno = EEXIST;
        return -1;
    }
    return fd;
}

int
c4i_tmp_open(const char *db_file, char *tmp, size_t n)
{
    int fd = -1;

    errno = EEXIST;
    for (int k = 0; k < MOST_TMP && fd < 0 && errno == EEXIST; k++) {
        if (k)
            snprintf(tmp, n, "%s.%d.tmp", db_file, k);
        else
            snprintf(tmp, n, "%s.tmp", db_file);
        fd = make_tmp(tmp);
    }
    return fd;
}

/* rename() that never replaces, by the best means that the file system has. */
static int
rename_to_new(const char *from, const char *to)
{
    struct stat st;

    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST)
        return -1;
    if (link(from, to) == 0)
        return unlink(from);
    if (errno == EEXIST || lstat(to, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

c4_err
c4i_tmp_publish(int fd, const char *tmp, const char *db_file, bool replace, uint64_t *nbytes,
                char *err, size_t nerr)
{
    c4_err e = c4i_digest_seal(fd);
    struct stat st;

    if (e) {
        snprintf(err, nerr, "cannot write %s: %s", tmp, strerror(errno));
        return e;
    }
    if (fstat(fd, &st) == 0)
        *nbytes = (uint64_t)st.st_size;
    if ((replace ? rename(tmp, db_file) : rename_to_new(tmp, db_file)) == 0)
        return C4_OK;
    if (errno == EEXIST) {
        snprintf(err, nerr, "%s exists", db_file);
        return C4_EEXIST;
    }
    snprintf(err, nerr, "cannot rename %s to %s: %s", tmp, db_file, strerror(errno));
    return C4_EIO;
}
