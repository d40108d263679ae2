/*
 * fault.c - the handler of fatal signals.
 *
 * It may run with any lock held and any data broken, so it calls nothing but
 * write(), sigaction(), nanosleep() and the unwinder, on a stack of its own.  The signal
 * then takes its course: the launcher sees by which one the PE died.
 *
 * A second fault within the handler ends the process at once.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "pe.h"
#include "text.h"

enum { STACK_BYTES = 128 << 10 };

/* A handler has no other way to its PE.  The one mutable variable of libc4. */
static c4i_fault_info *c4i_fault_pe;

static const struct {
    int         sig;
    const char *name;
} fatal[] = {
    { SIGSEGV, "segmentation fault" }, { SIGBUS, "bus error" },
    { SIGILL, "illegal instruction" }, { SIGFPE, "arithmetic error" }, { SIGABRT, "aborted" }
};

unsigned
c4i_failures(const c4i_fault_info *f)
{
    return f->failures ? atomic_fetch_add(f->failures, 1) : 0;
}

/* The launcher ends the job when the first PE dies.  Let that be the one that
 * tells most, and is slower for it. */
void
c4i_let_first_speak(unsigned before)
{
    struct timespec patience = { 2, 0 };

    if (before)
        nanosleep(&patience, NULL);
}

void
c4i_where(const c4i_fault_info *f, struct c4i_text *out)
{
    if (!f->type)
        return;
    c4i_text_add(out, f->type);
    c4i_text_add(out, ".");
    c4i_text_add(out, f->entry ? f->entry : "?");
    c4i_text_add(out, " of element ");
    if (f->in) {
        c4_index index = c4i_index_of_key(f->in, f->elem);

        c4i_text_index(out, index.at, index.n);
    } else {
        c4i_text_number(out, f->elem, 10);
    }
    c4i_text_add(out, " of collection ");
    c4i_text_number(out, f->coll, 10);
}

static void
say_where(struct c4i_text *line, const c4i_fault_info *f)
{
    if (f->type)
        c4i_text_add(line, ", running ");
    c4i_where(f, line);
}

static void
say_what(int sig, const siginfo_t *info)
{
    const c4i_fault_info *f = c4i_fault_pe;
    struct c4i_text line = { .n = 0 };

    c4i_text_add(&line, "c4: PE ");
    c4i_text_number(&line, f->pe, 10);
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
        if (fatal[i].sig == sig) {
            c4i_text_add(&line, ": ");
            c4i_text_add(&line, fatal[i].name);
        }
    if ((sig == SIGSEGV || sig == SIGBUS) && info->si_code > 0) {
        c4i_text_add(&line, " at address 0x");
        c4i_text_number(&line, (uintptr_t)info->si_addr, 16);
    }
    say_where(&line, f);
    c4i_text_add(&line, "\n");
    c4i_text_write(&line, STDERR_FILENO);
}

static void
on_fatal_signal(int sig, siginfo_t *info, void *context)
{
    unsigned before = c4i_failures(c4i_fault_pe);

    if (before < C4I_TELL_MOST)
        say_what(sig, info);
    if (before == 0)
        c4i_backtrace_of(STDERR_FILENO, context);
    c4i_let_first_speak(before);
    signal(sig, SIG_DFL);
    raise(sig);                             /* pending until this returns */
}

/* The loop says the rest, if it comes round at all. */
static void
on_quit(int sig)
{
    c4i_fault_info *f = c4i_fault_pe;
    struct c4i_text line = { .n = 0 };

    (void)sig;
    c4i_text_add(&line, "c4: PE ");
    c4i_text_number(&line, f->pe, 10);
    c4i_text_add(&line, f->type ? "" : ": runs no entry method");
    say_where(&line, f);
    c4i_text_add(&line, "\n");
    c4i_text_write(&line, STDERR_FILENO);
    f->asked = 1;
}

static void
on_continue(int sig)
{
    (void)sig;
    c4i_fault_pe->continued++;
}

void
c4i_fault_watch_stops(void)
{
    struct sigaction act = { .sa_handler = on_continue, .sa_flags = SA_RESTART }, old;

    if (!c4i_fault_pe || sigaction(SIGCONT, NULL, &old) || old.sa_handler != SIG_DFL)
        return;                             /* a program that handles it itself keeps it */
    sigemptyset(&act.sa_mask);
    sigaction(SIGCONT, &act, NULL);
}

uint32_t
c4i_fault_continued(void)
{
    return c4i_fault_pe ? c4i_fault_pe->continued : 0;
}

void
c4i_fault_install(c4i_fault_info *info)
{
    struct sigaction act = { .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND };
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);

    if (stack == MAP_FAILED || sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = STACK_BYTES }, NULL))
        act.sa_flags &= ~SA_ONSTACK;
    c4i_fault_pe = info;
    act.sa_sigaction = on_fatal_signal;
    sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
        sigaction(fatal[i].sig, &act, NULL);
    act.sa_flags &= SA_ONSTACK;             /* no SA_RESTART: it shall end a sleep */
    act.sa_handler = on_quit;
    sigaction(SIGQUIT, &act, NULL);
}
