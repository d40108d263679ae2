/*
 * output.c - see output.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/output.h"

enum {
    READ_BYTES = 64 << 10,
    LINE_MAX_BYTES = 1 << 20,               /* a longer line is forwarded in pieces */
    KEEP_BYTES = 64 << 10                   /* of output that is kept: its end */
};

bool
c4i_write_all(int fd, const char *data, size_t nbytes)
{
    while (nbytes > 0) {
        ssize_t n = write(fd, data, nbytes);

        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
        else if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            data += n;
            nbytes -= (size_t)n;
        }
    }
    return true;
}

void
c4i_stream_init(c4i_stream *s, int from, int to)
{
    *s = (c4i_stream){ .from = from, .to = to };
    if (from >= 0)
        fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
}

static void
drop_front(c4i_stream *s, size_t n)
{
    s->len -= n;
    memmove(s->buf, s->buf + n, s->len);
}

/* Writes the whole lines; what is left has no end yet. */
static bool
put_lines(c4i_stream *s)
{
    char *end;
    size_t n;

    if (s->to < 0) {
        if (s->len > 2 * KEEP_BYTES)
            drop_front(s, s->len - KEEP_BYTES);
        return true;
    }
    end = memrchr(s->buf, '\n', s->len);
    n = end ? (size_t)(end - s->buf) + 1 : s->len > LINE_MAX_BYTES ? s->len : 0;
    if (n == 0)
        return true;
    if (!c4i_write_all(s->to, s->buf, n))
        return false;
    drop_front(s, n);
    return true;
}

/* Bytes read; 0 at the end, -1 if there is nothing (or no memory) now. */
static ssize_t
read_more(c4i_stream *s)
{
    ssize_t n;

    if (s->cap - s->len < READ_BYTES) {
        size_t cap = s->cap + 2 * READ_BYTES;
        char *grown = realloc(s->buf, cap);

        if (!grown)
            return -1;
        s->buf = grown;
        s->cap = cap;
    }
    do
        n = read(s->from, s->buf + s->len, s->cap - s->len);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        s->len += (size_t)n;
    return n;
}

bool
c4i_stream_forward(c4i_stream *s)
{
    ssize_t n = s->from < 0 ? -1 : read_more(s);

    if (n == 0 || (n < 0 && s->from >= 0 && errno != EAGAIN)) {
        close(s->from);
        s->from = -1;
    }
    return n <= 0 || put_lines(s);
}

void
c4i_stream_finish(c4i_stream *s, int kept_to, bool *open)
{
    int to = s->to < 0 ? kept_to : s->to;

    while (s->from >= 0 && read_more(s) > 0)
        put_lines(s);
    if (s->from >= 0)
        close(s->from);
    if (to >= 0 && s->len) {
        if (*open)
            c4i_write_all(to, "\n", 1);
        c4i_write_all(to, s->buf, s->len);
        *open = s->buf[s->len - 1] != '\n';
    }
    free(s->buf);
    c4i_stream_init(s, -1, -1);
}
