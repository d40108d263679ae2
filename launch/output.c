/*
 * output.c - see output.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/output.h"
#include "runtime/clock.h"

enum {
    READ_BYTES = 64 << 10,
    WRITE_BYTES = 4096,                     /* what a pipe takes that says it is ready */
    SINK_BYTES = 256 << 10,
    LINE_MAX_BYTES = 1 << 20,               /* a longer line is forwarded in pieces */
    KEEP_BYTES = 64 << 10,                  /* of output that is kept: its end */
    PROMPT_MS = 100
};

/* Room for nbytes more; false: no memory. */
static bool
reserve(char **buf, size_t *cap, size_t len, size_t nbytes)
{
    size_t want = *cap ? *cap : READ_BYTES;
    char *grown;

    if (*cap - len >= nbytes)
        return true;
    while (want - len < nbytes)
        want *= 2;
    grown = realloc(*buf, want);
    if (!grown)
        return false;
    *buf = grown;
    *cap = want;
    return true;
}

/* ---- Sinks ------------------------------------------------------------------------ */

void
c4i_sink_init(c4i_sink *s, int fd)
{
    *s = (c4i_sink){ .fd = fd };
}

bool
c4i_sink_is_full(const c4i_sink *s)
{
    return s->len >= SINK_BYTES && !s->broken;
}

static void
sink_add(c4i_sink *s, const char *data, size_t nbytes)
{
    if (s->broken || !reserve(&s->buf, &s->cap, s->len, nbytes))
        return;
    memcpy(s->buf + s->len, data, nbytes);
    s->len += nbytes;
}

/* Begins a line of by's own (NULL: the launcher's). */
static void
sink_turn(c4i_sink *s, const c4i_stream *by)
{
    if (s->open && s->open != by)
        sink_add(s, "\n", 1);
    s->open = NULL;
}

/* Waits at most so long until the descriptor takes something. */
static bool
sink_write(c4i_sink *s, int patience_ms)
{
    size_t done = 0;

    while (done < s->len && !s->broken) {
        struct pollfd p = { .fd = s->fd, .events = POLLOUT };
        size_t n = s->len - done < WRITE_BYTES ? s->len - done : WRITE_BYTES;
        ssize_t wrote;

        if (poll(&p, 1, patience_ms) != 1)
            break;
        wrote = write(s->fd, s->buf + done, n);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote < 0 && errno != EINTR && errno != EAGAIN)
            s->broken = true;
    }
    s->len = s->broken ? 0 : s->len - done;
    if (done && s->len)
        memmove(s->buf, s->buf + done, s->len);
    return s->len == 0;
}

void
c4i_sink_flush(c4i_sink *s)
{
    if (s->len)
        sink_write(s, 0);
}

void
c4i_sink_finish(c4i_sink *s, int patience_ms)
{
    sink_write(s, patience_ms);
    free(s->buf);
    c4i_sink_init(s, s->fd);
}

void
c4i_sink_say(c4i_sink *s, const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    sink_turn(s, NULL);
    sink_add(s, line, strlen(line));
    c4i_sink_flush(s);
}

/* ---- Streams ----------------------------------------------------------------------- */

void
c4i_stream_init(c4i_stream *s, int from, c4i_sink *to)
{
    *s = (c4i_stream){ .from = from, .to = to, .show_ns = UINT64_MAX };
    if (from >= 0)
        fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
}

static void
drop_front(c4i_stream *s, size_t n)
{
    s->len -= n;
    memmove(s->buf, s->buf + n, s->len);
}

/* Gives the first n bytes to the sink. */
static void
put(c4i_stream *s, size_t n)
{
    bool ends = s->buf[n - 1] == '\n';

    sink_turn(s->to, s);
    sink_add(s->to, s->buf, n);
    s->to->open = ends ? NULL : s;
    drop_front(s, n);
}

/* Gives the whole lines; what is left has no end yet. */
static void
put_lines(c4i_stream *s)
{
    char *end;

    if (!s->to) {
        if (s->len > 2 * KEEP_BYTES)
            drop_front(s, s->len - KEEP_BYTES);
        return;
    }
    end = memrchr(s->buf, '\n', s->len);
    if (end)
        put(s, (size_t)(end - s->buf) + 1);
    else if (s->len > LINE_MAX_BYTES)
        put(s, s->len);
    s->show_ns = s->prompt && s->len ? c4i_monotonic_ns() + PROMPT_MS * UINT64_C(1000000)
                                     : UINT64_MAX;
}

/* Bytes read; 0 at the end, -1 if there is nothing (or no memory) now. */
static ssize_t
read_more(c4i_stream *s)
{
    ssize_t n;

    if (!reserve(&s->buf, &s->cap, s->len, READ_BYTES))
        return -1;
    do
        n = read(s->from, s->buf + s->len, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        s->len += (size_t)n;
    return n;
}

bool
c4i_stream_forward(c4i_stream *s)
{
    ssize_t n = s->from < 0 ? -1 : read_more(s);

    if (n > 0) {
        put_lines(s);
    } else if (n == 0 || (s->from >= 0 && errno != EAGAIN)) {
        close(s->from);
        s->from = -1;
    }
    return n > 0;
}

void
c4i_stream_show(c4i_stream *s, uint64_t now_ns)
{
    if (now_ns < s->show_ns)
        return;
    s->show_ns = UINT64_MAX;
    put(s, s->len);
}

void
c4i_stream_finish(c4i_stream *s, c4i_sink *kept_to)
{
    while (s->from >= 0 && read_more(s) > 0)
        put_lines(s);
    if (s->from >= 0)
        close(s->from);
    if (!s->to)
        s->to = kept_to;
    if (s->to && s->len)
        put(s, s->len);
    free(s->buf);
    s->buf = NULL;
    s->len = s->cap = 0;
    s->from = -1;
    s->show_ns = UINT64_MAX;
}
