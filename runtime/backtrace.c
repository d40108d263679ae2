/*
 * backtrace.c - the call chain with function names, through libunwind.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "text.h"

enum { FRAMES_MAX = 64 };

#if __has_include(<libunwind.h>)

#define UNW_LOCAL_ONLY
#include <libunwind.h>

static void
print_frame(int fd, unsigned number, unw_cursor_t *at)
{
    struct c4i_text line = { .n = 0 };
    unw_word_t ip = 0, offset = 0;
    char name[256];
    Dl_info object;

    unw_get_reg(at, UNW_REG_IP, &ip);
    c4i_text_add(&line, number < 10 ? "  #" : " #");
    c4i_text_number(&line, number, 10);
    c4i_text_add(&line, " 0x");
    c4i_text_number(&line, ip, 16);
    if (!unw_get_proc_name(at, name, sizeof(name), &offset)) {
        c4i_text_add(&line, " ");
        c4i_text_add(&line, name);
        c4i_text_add(&line, "+0x");
        c4i_text_number(&line, offset, 16);
    }
    if (dladdr((void *)(uintptr_t)ip, &object) && object.dli_fname) {
        const char *slash = strrchr(object.dli_fname, '/');

        c4i_text_add(&line, " in ");
        c4i_text_add(&line, slash ? slash + 1 : object.dli_fname);
    }
    c4i_text_add(&line, "\n");
    c4i_text_write(&line, fd);
}

static void
print_frames(int fd, unw_cursor_t *at)
{
    unsigned n = 0;

    do
        print_frame(fd, n++, at);
    while (n < FRAMES_MAX && unw_step(at) > 0);
}

void
c4i_backtrace(int fd)
{
    unw_context_t here;
    unw_cursor_t at;

    if (!unw_getcontext(&here) && !unw_init_local(&at, &here))
        print_frames(fd, &at);
}

#if defined(__x86_64__)

/* On this machine a signal's context is what libunwind begins with. */
void
c4i_backtrace_of(int fd, void *signal_context)
{
    unw_cursor_t at;

    if (!unw_init_local2(&at, signal_context, UNW_INIT_SIGNAL_FRAME))
        print_frames(fd, &at);
}

#else

void
c4i_backtrace_of(int fd, void *signal_context)
{
    (void)signal_context;
    c4i_backtrace(fd);
}

#endif

#else

void
c4i_backtrace(int fd)
{
    struct c4i_text line = { .n = 0 };

    c4i_text_add(&line, "(no backtrace: built without libunwind)\n");
    c4i_text_write(&line, fd);
}

void
c4i_backtrace_of(int fd, void *signal_context)
{
    (void)signal_context;
    c4i_backtrace(fd);
}

#endif
