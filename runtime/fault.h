/*
 * fault.h - what is said when a PE dies: where it was and a backtrace.
 */
#ifndef C4I_FAULT_H
#define C4I_FAULT_H

#include <stdint.h>

/* What the PE runs just now; kept up to date by element.c, read by the
 * fatal-signal handler.  Strings are static or outlive the PE. */
typedef struct c4i_fault_info {
    uint32_t    pe, coll;
    uint64_t    elem;
    const char *type, *entry;               /* NULL: no entry method runs */
    _Atomic uint32_t *failures;             /* of all PEs, or NULL */
    const struct c4i_coll *in;              /* what elem is an index of; NULL: elem says it */
    volatile uint32_t continued;            /* SIGCONT came so often */
    volatile int asked;                     /* SIGQUIT came: the loop tells what the PE waits for */
} c4i_fault_info;

/* Says that this PE tells of a failure -> how many have done so before.  A
 * mistake mostly hits all PEs at once: the first tells everything, the next few
 * one line, the others nothing. */
enum { C4I_TELL_MOST = 8 };
unsigned c4i_failures(const c4i_fault_info *info);
/* A PE that failed after others gives the first time to print; a signal handler may call it. */
void c4i_let_first_speak(unsigned before);

struct c4i_text;
/* "Worker.step of element (3, 4) of collection 2"; nothing if no entry method runs. */
void c4i_where(const c4i_fault_info *info, struct c4i_text *out);

/* Handles fatal signals on an alternate stack from now on, and SIGQUIT, which
 * prints where the PE is and sets info->asked; info must stay. */
void c4i_fault_install(c4i_fault_info *info);
/* Counts from now on how often the process was stopped and went on (SIGCONT). */
void c4i_fault_watch_stops(void);
/* How often so far. */
uint32_t c4i_fault_continued(void);
/* A C backtrace with function names, to file descriptor fd. */
void c4i_backtrace(int fd);
/* The same of where a signal came in: context is the handler's third argument. */
void c4i_backtrace_of(int fd, void *signal_context);

#endif
