/*
 * output.h - what the PEs print reaches the launcher's own output in whole
 * lines.
 */
#ifndef C4I_OUTPUT_H
#define C4I_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* One pipe from a PE.  Lines of one stream keep their order. */
typedef struct c4i_stream {
    int    from;                            /* read end, non-blocking; -1: closed or none */
    int    to;                              /* -1: keep it, do not print it */
    char  *buf;                             /* what has no end of line yet, or is kept */
    size_t len, cap;
} c4i_stream;

/* Takes the read end over. */
void c4i_stream_init(c4i_stream *s, int from, int to);
/* Forwards what is there; closes the stream at its end.  False: the output
 * cannot be written any more (errno tells why). */
bool c4i_stream_forward(c4i_stream *s);
/* Forwards all that is there, and the last line without its end.  What was
 * kept goes to the descriptor kept_to, if that is not -1.  *open tells whether
 * the line before had no end, and then whether this stream's has none. */
void c4i_stream_finish(c4i_stream *s, int kept_to, bool *open);

/* Writes everything, waiting if it must. */
bool c4i_write_all(int fd, const char *data, size_t nbytes);

#endif
