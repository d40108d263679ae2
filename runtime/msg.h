/*
 * msg.h - the one message header, on the wire and in memory.
 *
 * A message is a 64-byte wire header, which is also a ring slot, and a
 * payload.  Up to C4I_INLINE bytes of payload ride in the header.  In memory
 * the header is followed by where the payload is and who owns it (mem).
 */
#ifndef C4I_MSG_H
#define C4I_MSG_H

#include <c4.h>
#include <c4_bind.h>

/* Kind, name, is it counted by quiescence detection?  The one list of kinds.
 * Counted: created where the send is called, processed where its code has
 * finished; forwarding and parking count nothing (PROTOCOLS.md, 4). */
#define C4I_KIND_LIST(X) \
    X(CALL,     "call",       1)   /* to one element */ \
    X(INSERT,   "insert",     1)   /* to the element's home */ \
    X(CTOR,     "ctor",       1)   /* INSERT, forwarded to where it will live */ \
    X(MIGRATE,  "migration",  1) \
    X(HOME,     "home",       1)   /* element is at src with this epoch */ \
    X(HINT,     "hint",       0)   /* the same, to a sender that did not know */ \
    X(ACK,      "ack",        0)   /* of MIGRATE and CTOR, for the broadcast log */ \
    X(CREATE,   "create",     1)   /* a collection, down its tree */ \
    X(CREATED,  "created",    1)   /* constructors done, up */ \
    X(BREQ,     "broadcast",  1)   /* to the collection's root */ \
    X(BCAST,    "broadcast",  1)   /* down the tree */ \
    X(BLOW,     "log",        0)   /* the subtree needs no log below this */ \
    X(BDONE,    "completion", 1)   /* results of an awaited broadcast, up */ \
    X(CLOSED,   "close",      1)   /* insertion closed: wave down and up */ \
    X(REDUCE,   "reduction",  1) \
    X(FUTURE,   "reply",      1) \
    X(QD,       "qd",         0) \
    X(SYNC,     "sync",       1)   /* AtSync: contributions up */ \
    X(SYNCLOSE, "sync",       1)   /* AtSync: close wave */ \
    X(SYNCGO,   "sync",       1)   /* AtSync: decision and resume, down */ \
    X(START,    "start",      1)   /* PE 0's program is ready: others may run */ \
    X(EXIT,     "exit",       0)   /* EXIT request, STOP, ack, BYE */ \
    X(POST,     "post",       0)   /* run a function on this PE */ \
    X(SREQ,     "section",    1)   /* to a section's root */ \
    X(SCAST,    "section",    1)   /* copies for members, from the root on */ \
    X(SDONE,    "completion", 1)   /* results of an awaited call to a section */ \
    X(SREDUCE,  "reduction",  1)   /* of a section */

enum c4i_kind {
#define C4I_KIND_ENUM(id, name, counted) C4I_##id,
    C4I_KIND_LIST(C4I_KIND_ENUM)
#undef C4I_KIND_ENUM
    C4I_NKINDS
};

enum {                                      /* c4i_wire.flags */
    C4I_F_WANT   = 1,                       /* the caller waits: call is its future */
    C4I_F_RESULT = 2,                       /* ... and wants every element's result */
    C4I_F_ERROR  = 4,                       /* the payload is an encoded exception */
    C4I_F_UP     = 8,                       /* waves: the answer */
    C4I_F_SECTION = 8,                      /* CALL: a section's; call is (section, number) */
    C4I_F_BIG    = 16,                      /* payload is not inline: tail holds len and place */
    C4I_F_RECORDS = 32,                     /* FUTURE: payload is c4_result records */
    C4I_F_EMPTY  = 64,                      /* FUTURE: no value beside completion */
    C4I_F_COUNTED = 128                     /* FUTURE, CALL ... : included in QD sums */
};

enum { C4I_INLINE = 16 };

/* 64 bytes, one ring slot.  Fields a kind has no use for are 0. */
typedef struct c4i_wire {
    uint32_t lap;                           /* belongs to the ring */
    uint32_t coll;
    uint8_t  kind, flags;
    uint16_t entry;
    uint32_t src;                           /* the PE that sent it first */
    uint64_t elem;
    uint32_t ep;                            /* location epoch; 0: no knowledge */
    uint32_t seq;                           /* order number of (src, elem) */
    uint64_t call;                          /* future, broadcast number, ... */
    uint32_t trace;                         /* number at src, for the recorder */
    uint8_t  ilen;                          /* bytes in tail, without C4I_F_BIG */
    uint8_t  hops;
    uint8_t  pad[2];
    union {
        unsigned char bytes[C4I_INLINE];
        struct { uint64_t len, place; } big;
    } tail;
} c4i_wire;

_Static_assert(sizeof(c4i_wire) == 64, "a message header is one ring slot");

enum c4i_mem {
    C4I_MEM_INLINE,                         /* in w.tail */
    C4I_MEM_HEAP,                           /* malloc'ed, owned by the message */
    C4I_MEM_RING,                           /* the transport's: done() before the next recv() */
    C4I_MEM_ARENA,                          /* the transport's: done() at any time */
    C4I_MEM_REF,                            /* data is a binding's reference */
    C4I_MEM_SHARED                          /* one of several copies: owner counts them */
};

typedef struct c4i_msg {
    c4i_wire        w;
    const void     *data;                   /* payload, 16-byte aligned; or the reference */
    uint64_t        len;
    uint64_t        arrived;                /* ticks, where that is recorded */
    struct c4i_msg *next;                   /* in a queue */
    void           *owner;                  /* transport's or binding's, by mem */
    enum c4i_mem    mem;
} c4i_msg;

typedef struct c4i_queue {
    c4i_msg *head, **tail;
} c4i_queue;

#endif
