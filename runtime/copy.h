/*
 * copy.h - copying large buffers into memory that another core touched last.
 *
 * memcpy() is slow there; reading and writing two streams at once (the front
 * and the back half) with the source fetched ahead is faster.  For private
 * data memcpy() wins.
 */
#ifndef C4I_COPY_H
#define C4I_COPY_H

#include <stddef.h>

typedef void (*c4i_copy_fn)(void *dst, const void *src, size_t nbytes);

/* The best for this CPU; small buffers go to memcpy(). */
c4i_copy_fn c4i_copy_choose(void);

#endif
