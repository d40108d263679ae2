/*
 * start.c - one process becomes a PE.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "launch/job.h"
#include "prof/plain.h"

/* Write ends, in the launcher until the PE has them. */
struct ends {
    int out, err, early;
};

static int
say(const char *what)
{
    fprintf(stderr, "charmrun: %s: %s\n", what, strerror(errno));
    return 1;
}

/* PE 0 of a shell, or of a job of one, talks to the terminal itself. */
static bool
prints_directly(const c4i_job *j, uint32_t pe)
{
    return pe == 0 && (j->npes == 1 || j->command->interactive);
}

static int
open_stream(c4i_stream *s, c4i_sink *to, int *end)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC))
        return say("cannot make a pipe");
    c4i_stream_init(s, p[0], to);
    *end = p[1];
    return 0;
}

static int
open_streams(c4i_job *j, uint32_t pe, struct ends *e)
{
    c4i_proc *p = &j->procs[pe];

    *e = (struct ends){ -1, -1, -1 };
    if (prints_directly(j, pe))
        return 0;
    if (open_stream(&p->out, &j->out, &e->out) || open_stream(&p->err, &j->err, &e->err))
        return 1;
    p->out.prompt = p->err.prompt = pe == 0;
    return pe ? open_stream(&p->early, NULL, &e->early) : 0;
}

static void
close_ends(const struct ends *e)
{
    if (e->out >= 0)
        close(e->out);
    if (e->err >= 0)
        close(e->err);
    if (e->early >= 0)
        close(e->early);
}

static void
inherit(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

/* Before it joins, a PE other than 0 prints into `early`: what every PE prints
 * while it starts shall appear once. */
static void
set_descriptors(c4i_job *j, uint32_t pe, const struct ends *e, c4i_launch *l)
{
    l->out = l->err = -1;
    if (pe == 0) {
        if (e->out >= 0) {
            dup2(e->out, STDOUT_FILENO);
            dup2(e->err, STDERR_FILENO);
        }
    } else {
        dup2(j->null, STDIN_FILENO);
        dup2(e->early, STDOUT_FILENO);
        dup2(e->early, STDERR_FILENO);
        l->out = e->out;
        l->err = e->err;
        inherit(l->out);
        inherit(l->err);
    }
    for (uint32_t i = 0; i < j->npes; i++) {
        l->fd[i] = j->fd[i];
        inherit(l->fd[i]);
    }
    l->lifeline = j->lifeline[0];
    inherit(l->lifeline);
}

static void
reset_signals(const c4i_job *j, bool ignore_interrupt)
{
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    if (ignore_interrupt)
        signal(SIGINT, SIG_IGN);
    sigprocmask(SIG_SETMASK, &j->old_mask, NULL);
}

__attribute__((noreturn)) static void
become_pe(c4i_job *j, uint32_t pe, const struct ends *e, pid_t launcher)
{
    c4i_launch l = { .pe = pe, .npes = j->npes, .ncores = j->ncores, .zero_ns = j->zero_ns };
    bool own_group = j->procs[pe].own_group;
    struct rlimit files;
    char *text;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher)
        _exit(1);
    if (own_group)
        setpgid(0, 0);
    set_descriptors(j, pe, e, &l);
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = j->old_files;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    text = c4i_launch_format(&l);
    if (!text || setenv(C4I_LAUNCH_ENV, text, 1) || setenv("PYTHONHASHSEED", "0", 0))
        _exit(1);
    reset_signals(j, !own_group && !j->command->interactive);
    execvp(j->command->argv[0], j->command->argv);
    c4i_say("charmrun", "program %s cannot be run: %s", j->command->argv[0], strerror(errno));
    _exit(127);
}

/* ++verbose */
static void
tell_start(const c4i_job *j, uint32_t pe, pid_t pid)
{
    if (pe == 0) {
        char shown[4096];

        fputs("charmrun: running", stderr);
        for (char **word = j->command->argv; *word; word++)
            fprintf(stderr, " %s", c4i_plain(shown, sizeof(shown), *word));
        fputc('\n', stderr);
    }
    fprintf(stderr, "charmrun: PE %u of %u is process %ld\n", pe, j->npes, (long)pid);
}

int
c4i_proc_start(c4i_job *j, uint32_t pe)
{
    c4i_proc *p = &j->procs[pe];
    pid_t launcher = getpid();
    struct ends e;
    pid_t pid;

    if (open_streams(j, pe, &e)) {
        close_ends(&e);
        return 1;
    }
    /* A process that reads the terminal must be in its foreground group. */
    p->own_group = pe > 0 || !isatty(STDIN_FILENO);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        become_pe(j, pe, &e, launcher);
    close_ends(&e);
    if (pid < 0)
        return say("cannot start a process");
    if (p->own_group)
        setpgid(pid, pid);                  /* here, too: whoever is first */
    p->pid = pid;
    j->nalive++;
    if (j->command->verbose)
        tell_start(j, pe, pid);
    return 0;
}
