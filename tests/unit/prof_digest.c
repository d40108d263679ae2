/*
 * prof_digest.c - the seal of a file notices any byte changed, added or lost.
 *
 * prof_digest --seal FILE adds one, for tests of what comes behind the check.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prof/digest.h"
#include "tests/unit/prof_test.h"

enum { BYTES = 3000000 };                   /* several pieces, the last not whole */

static bool
fits(int fd)
{
    enum c4i_seal seal;

    CHECK(!c4i_digest_check(fd, &seal));
    return seal == C4I_SEAL_FITS;
}

static void
flip(int fd, off_t at)
{
    unsigned char c;

    CHECK(pread(fd, &c, 1, at) == 1);
    c ^= 1;
    CHECK(pwrite(fd, &c, 1, at) == 1);
}

static void
check_all(void)
{
    char path[] = "/tmp/c4-digest-XXXXXX";
    int fd = mkstemp(path);
    struct stat st;

    CHECK(fd >= 0 && !fits(fd));
    for (int i = 0; i < BYTES / 8; i++) {
        int64_t v = i * INT64_C(0x9e3779b97f4a7c15);

        CHECK(write(fd, &v, sizeof(v)) == sizeof(v));
    }
    CHECK(!fits(fd));
    CHECK(!c4i_digest_seal(fd) && fits(fd));
    CHECK(fstat(fd, &st) == 0 && st.st_size == BYTES + 32);
    for (int i = 0; i < 40; i++) {
        off_t at = i < 32 ? st.st_size - 1 - i : (off_t)i * (BYTES / 40);

        flip(fd, at);
        CHECK(!fits(fd), "byte %lld", (long long)at);
        flip(fd, at);
    }
    CHECK(fits(fd));
    CHECK(ftruncate(fd, st.st_size - 1) == 0 && !fits(fd));
    CHECK(ftruncate(fd, st.st_size + 1) == 0 && !fits(fd));
    close(fd);
    unlink(path);
    CHECK(c4i_digest_seal(-1));
}

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seal") == 0)
        return c4i_digest_seal(open(argv[2], O_RDWR)) != C4_OK;
    check_all();
    return 0;
}
