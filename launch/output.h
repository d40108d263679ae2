/*
 * output.h - what the PEs print reaches the launcher's own output in whole
 * lines, and a reader that is slow does not keep the launcher from its work.
 *
 * Streams (pipes from PEs) put whole lines into a sink (1 or 2), which writes
 * when the descriptor takes it.  When a sink has enough, its streams are not
 * read, so that the PEs wait, not the launcher.
 */
#ifndef C4I_OUTPUT_H
#define C4I_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct c4i_stream;

typedef struct c4i_sink {
    int     fd;
    bool    broken;                         /* its reader is gone: what comes is dropped */
    const struct c4i_stream *open;          /* whose line without end stands last; NULL: none */
    char   *buf;
    size_t  len, cap;
} c4i_sink;

typedef struct c4i_stream {
    int       from;                         /* read end, non-blocking; -1: closed or none */
    c4i_sink *to;                           /* NULL: keep it, do not print it */
    bool      prompt;                       /* a line without end is shown after a moment */
    uint64_t  show_ns;                      /* that moment; UINT64_MAX: never */
    char     *buf;                          /* what has no end of line yet, or is kept */
    size_t    len, cap;
} c4i_stream;

void c4i_sink_init(c4i_sink *s, int fd);
/* Enough for now: its streams should not be read. */
bool c4i_sink_is_full(const c4i_sink *s);
/* Writes what the descriptor takes without waiting; sets broken. */
void c4i_sink_flush(c4i_sink *s);
/* Writes the rest, as long as it goes on within patience_ms, and frees. */
void c4i_sink_finish(c4i_sink *s, int patience_ms);
/* The launcher's own words: a whole line. */
void c4i_sink_say(c4i_sink *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Takes the read end over. */
void c4i_stream_init(c4i_stream *s, int from, c4i_sink *to);
/* Forwards what is there; closes the stream at its end.  False: nothing was. */
bool c4i_stream_forward(c4i_stream *s);
/* Shows a line without end whose moment has come. */
void c4i_stream_show(c4i_stream *s, uint64_t now_ns);
/* Forwards all that is there, also the last line without its end, and closes.
 * What was kept goes to kept_to, if that is not NULL. */
void c4i_stream_finish(c4i_stream *s, c4i_sink *kept_to);

#endif
