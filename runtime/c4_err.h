/*
 * c4_err.h - the error codes of every part of c4.
 *
 * Needs nothing else, so that plugins can include it without the runtime.
 * A function that can fail returns a c4_err; outputs are set only on success.
 */
#ifndef C4_ERR_H
#define C4_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

/* Code, sentence.  The one list of errors. */
#define C4_ERR_LIST(X) \
    X(C4_OK,       "success") \
    X(C4_ENOMEM,   "out of memory") \
    X(C4_EINVAL,   "invalid argument") \
    X(C4_ERANGE,   "index out of range") \
    X(C4_ENOENT,   "no such thing") \
    X(C4_EEXIST,   "exists already") \
    X(C4_EABI,     "built for another version of the interface") \
    X(C4_EFORMAT,  "malformed data") \
    X(C4_EIO,      "input or output failed") \
    X(C4_ESTATE,   "not possible in this state") \
    X(C4_EREMOTE,  "the element is not on this PE") \
    X(C4_EUSER,    "error in user code") \
    X(C4_EFAULT,   "internal error")

typedef enum c4_err {
#define C4_ERR_ENUM(code, text) code,
    C4_ERR_LIST(C4_ERR_ENUM)
#undef C4_ERR_ENUM
    C4_NERRS
} c4_err;

#ifndef C4_API
#define C4_API __attribute__((visibility("default")))
#endif

/* The sentence for err; static storage. */
C4_API const char *c4_strerror(c4_err err);

#ifdef __cplusplus
}
#endif
#endif
