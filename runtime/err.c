/*
 * err.c - the sentences of the error codes.
 */
#include "c4_err.h"

static const char *const sentences[] = {
#define C4_ERR_SENTENCE(code, text) [code] = text,
    C4_ERR_LIST(C4_ERR_SENTENCE)
#undef C4_ERR_SENTENCE
};

const char *
c4_strerror(c4_err err)
{
    if ((unsigned)err >= C4_NERRS)
        return "unknown error";
    return sentences[err];
}
