/*
 * job.c - see job.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/job.h"
#include "runtime/clock.h"

#define NEVER UINT64_MAX
#define SECOND UINT64_C(1000000000)

enum {
    STATUS_TIME_LIMIT = 124,
    TERM_MS = 500,                          /* from the request to end until the kill */
    MANY = 64,                              /* reads from one PE in a row */
    FLUSH_MS = 1000,                        /* for the reader of our output, when killed */
    LEAVE_S = 30,                           /* for the other PEs, after the first left in order */
    EARLY_MS = 1000                         /* for PE 0 to tell why all fail to start */
};

/* ---- Ending -------------------------------------------------------------------- */

static void
signal_pe(const c4i_proc *p, int sig)
{
    if (p->pid)
        kill(p->own_group ? -p->pid : p->pid, sig);
}

static void
signal_all(const c4i_job *j, int sig)
{
    for (uint32_t i = 0; i < j->npes; i++)
        signal_pe(&j->procs[i], sig);
}

/* Everybody goes; the first reason gives the status. */
static void
end_job(c4i_job *j, int status)
{
    if (j->phase >= C4I_TERMINATING)
        return;
    j->status = status;
    j->phase = C4I_TERMINATING;
    j->phase_ns = c4i_monotonic_ns() + TERM_MS * (SECOND / 1000);
    j->limit_ns = j->join_ns = j->early_ns = NEVER;
    signal_all(j, SIGTERM);
    signal_all(j, SIGCONT);
}

static void
kill_job(c4i_job *j)
{
    j->phase = C4I_KILLING;
    j->phase_ns = NEVER;
    signal_all(j, SIGKILL);
}

static bool
has_joined(const c4i_proc *p)
{
    return atomic_load_explicit(&p->control->joined, memory_order_acquire);
}

static bool
job_ends(const c4i_job *j)
{
    return atomic_load_explicit(&j->procs[0].control->ending, memory_order_acquire);
}

static bool
anybody_joined(const c4i_job *j)
{
    for (uint32_t i = 0; i < j->npes; i++)
        if (has_joined(&j->procs[i]))
            return true;
    return false;
}

/* What all PEs printed so far comes before the launcher's own words. */
static void
catch_up(c4i_job *j)
{
    for (uint32_t i = 0; i < j->npes; i++) {
        for (int n = 0; n < MANY && c4i_stream_forward(&j->procs[i].out); n++)
            ;
        for (int n = 0; n < MANY && c4i_stream_forward(&j->procs[i].err); n++)
            ;
    }
    c4i_sink_flush(&j->out);
}

static const char *
when(const c4i_job *j, const c4i_proc *p)
{
    if (!has_joined(p))
        return " before it joined the job";
    return job_ends(j) ? " while the job was ending" : "";
}

static void
pe_killed(c4i_job *j, uint32_t pe, int sig)
{
    catch_up(j);
    c4i_sink_say(&j->err, "charmrun: PE %u was killed by signal %d (%s)%s; job ended\n", pe, sig,
                 strsignal(sig), when(j, &j->procs[pe]));
    end_job(j, 128 + sig);
}

static void
pe_failed(c4i_job *j, uint32_t pe, int code)
{
    catch_up(j);
    c4i_sink_say(&j->err, "charmrun: PE %u ended with status %d%s; job ended\n", pe, code,
                 when(j, &j->procs[pe]));
    end_job(j, code ? code : 1);
}

/* ---- A PE is gone ---------------------------------------------------------------- */

/* Before it joined.  Failures at start are mostly the same on all PEs, and what
 * PE 0 prints is seen: it gets a moment to fail, too.  Success is fine as long
 * as all do the same, as a program does that never calls the runtime. */
static void
pe_left_early(c4i_job *j, uint32_t pe, int code)
{
    if (pe == 0 && code) {
        pe_failed(j, pe, code);
        return;
    }
    if (j->early_status || (j->early_pe >= 0 && !code))
        return;
    j->early_pe = (int)pe;
    j->early_status = code;
    j->early_ns = c4i_monotonic_ns() + EARLY_MS * (SECOND / 1000);
}

static void
early_is_due(c4i_job *j)
{
    c4i_proc *p = &j->procs[j->early_pe];

    j->early_ns = c4i_monotonic_ns() + EARLY_MS * (SECOND / 1000);
    if (j->early_status == 0 && !anybody_joined(j))
        return;                             /* maybe nobody will */
    if (j->early_pe > 0)
        c4i_stream_finish(&p->early, &j->err);
    pe_failed(j, (uint32_t)j->early_pe, j->early_status);
}

static void
pe_left(c4i_job *j, uint32_t pe, const siginfo_t *how)
{
    c4i_proc *p = &j->procs[pe];
    bool killed = how->si_code != CLD_EXITED;

    if (j->phase >= C4I_TERMINATING) {
        return;
    } else if (killed) {
        pe_killed(j, pe, how->si_status);
    } else if (!has_joined(p)) {
        pe_left_early(j, pe, how->si_status);
    } else if (!job_ends(j)) {
        pe_failed(j, pe, how->si_status);
    } else if (j->phase == C4I_RUNNING) {
        j->phase = C4I_ENDING;
        j->phase_ns = c4i_monotonic_ns() + LEAVE_S * SECOND;
    }
}

/* On failure what a PE has started goes with it; therefore its group is still
 * there, not reaped, when the group is killed. */
static void
reap(c4i_job *j)
{
    for (uint32_t i = 0; i < j->npes; i++) {
        c4i_proc *p = &j->procs[i];
        siginfo_t how = { .si_pid = 0 };

        if (!p->pid || waitid(P_PID, (id_t)p->pid, &how, WEXITED | WNOHANG | WNOWAIT) ||
            how.si_pid == 0)
            continue;
        pe_left(j, i, &how);
        if (j->phase >= C4I_TERMINATING && p->own_group)
            kill(-p->pid, SIGKILL);
        waitid(P_PID, (id_t)p->pid, &how, WEXITED);
        p->pid = 0;
        j->nalive--;
    }
}

/* ---- Signals and limits ------------------------------------------------------------ */

static void
stop_with_us(c4i_job *j)
{
    signal_all(j, SIGSTOP);
    raise(SIGSTOP);
    signal_all(j, SIGCONT);
}

static void
take_signal(c4i_job *j)
{
    struct signalfd_siginfo info;

    while (read(j->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int sig = (int)info.ssi_signo;

        if (sig == SIGCHLD) {
            reap(j);
        } else if (sig == SIGTSTP) {
            stop_with_us(j);
        } else if (sig == SIGQUIT) {        /* they tell what they wait for */
            for (uint32_t i = 0; i < j->npes; i++)
                if (has_joined(&j->procs[i]))
                    signal_pe(&j->procs[i], SIGQUIT);
        } else if (j->phase >= C4I_TERMINATING) {
            kill_job(j);                    /* asked twice */
        } else if (sig != SIGINT || !j->command->interactive) {
            end_job(j, 128 + sig);
        }
    }
}

static void
look_at_clock(c4i_job *j)
{
    uint64_t now = c4i_monotonic_ns();

    c4i_stream_show(&j->procs[0].out, now);
    c4i_stream_show(&j->procs[0].err, now);
    if (now >= j->early_ns)
        early_is_due(j);
    if (now >= j->limit_ns) {
        catch_up(j);
        c4i_sink_say(&j->err, "charmrun: the time limit of %g s is over; job ended\n",
                     j->command->time_limit_s);
        end_job(j, STATUS_TIME_LIMIT);
    }
    if (now >= j->join_ns) {
        uint32_t pe = 0;

        while (pe < j->npes && has_joined(&j->procs[pe]))
            pe++;
        j->join_ns = NEVER;
        if (pe < j->npes) {
            catch_up(j);
            c4i_sink_say(&j->err, "charmrun: PE %u did not join the job within %g s (++timeout); "
                         "job ended\n", pe, j->command->start_limit_s);
            end_job(j, 1);
        }
    }
    if (now >= j->phase_ns && j->phase == C4I_ENDING) {
        catch_up(j);
        c4i_sink_say(&j->err, "charmrun: the job ended %d s ago, but %u of its PEs did not; "
                     "killed\n", LEAVE_S, j->nalive);
        end_job(j, 1);
    } else if (now >= j->phase_ns) {
        kill_job(j);
    }
}

static int
poll_timeout_ms(const c4i_job *j)
{
    uint64_t next[] = { j->limit_ns, j->join_ns, j->phase_ns, j->early_ns,
                        j->procs[0].out.show_ns, j->procs[0].err.show_ns };
    uint64_t first = NEVER, now = c4i_monotonic_ns();

    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++)
        first = next[i] < first ? next[i] : first;
    if (first == NEVER)
        return -1;
    return first <= now ? 0 : (int)((first - now) / (SECOND / 1000) % 1000000) + 1;
}

/* ---- The loop ------------------------------------------------------------------------ */

/* What to wait for: signals, our own output, streams that may be read now. */
static nfds_t
list_events(c4i_job *j, struct pollfd *fds, c4i_stream **streams)
{
    nfds_t n = 0;

    fds[n++] = (struct pollfd){ .fd = j->signals, .events = POLLIN };
    fds[n++] = (struct pollfd){ .fd = j->out.len ? j->out.fd : -1, .events = POLLOUT };
    fds[n++] = (struct pollfd){ .fd = j->err.len ? j->err.fd : -1, .events = POLLOUT };
    for (uint32_t i = 0; i < j->npes; i++) {
        c4i_stream *s[] = { &j->procs[i].out, &j->procs[i].err, &j->procs[i].early };

        for (int k = 0; k < 3; k++)
            if (s[k]->from >= 0 && !(s[k]->to && c4i_sink_is_full(s[k]->to))) {
                fds[n] = (struct pollfd){ .fd = s[k]->from, .events = POLLIN };
                streams[n++] = s[k];
            }
    }
    return n;
}

static void
watch_once(c4i_job *j, struct pollfd *fds, c4i_stream **streams)
{
    nfds_t n = list_events(j, fds, streams);

    if (poll(fds, n, poll_timeout_ms(j)) < 0 && errno != EINTR)
        end_job(j, 1);
    for (nfds_t i = 3; i < n; i++)
        if (fds[i].revents)
            c4i_stream_forward(streams[i]);
    c4i_sink_flush(&j->out);
    c4i_sink_flush(&j->err);
    if (j->out.broken)                      /* as in "charmrun ... | head" */
        end_job(j, 128 + SIGPIPE);
    take_signal(j);
    look_at_clock(j);
}

/* From here on signals have their usual effect: a reader that never reads may
 * keep the launcher, but not the PEs, which are gone. */
static void
finish_output(c4i_job *j)
{
    bool killed = j->phase >= C4I_TERMINATING;
    struct signalfd_siginfo info;

    for (uint32_t i = 0; i < j->npes; i++) {
        c4i_stream_finish(&j->procs[i].out, NULL);
        c4i_stream_finish(&j->procs[i].err, NULL);
        c4i_stream_finish(&j->procs[i].early, NULL);
    }
    while (read(j->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        ;                                   /* came while PEs ended, so they are served */
    sigprocmask(SIG_SETMASK, &j->old_mask, NULL);
    c4i_sink_finish(&j->out, killed ? FLUSH_MS : -1);
    c4i_sink_finish(&j->err, killed ? FLUSH_MS : -1);
}

int
c4i_job_watch(c4i_job *j)
{
    size_t most = 3 * (size_t)j->npes + 3;
    struct pollfd *fds = calloc(most, sizeof(*fds));
    c4i_stream **streams = calloc(most, sizeof(*streams));

    if (!fds || !streams) {
        end_job(j, 1);
        kill_job(j);
    }
    while (j->nalive > 0) {
        if (fds && streams)
            watch_once(j, fds, streams);
        else
            reap(j);
    }
    if (j->phase < C4I_TERMINATING && j->early_status)
        early_is_due(j);
    finish_output(j);
    free(fds);
    free(streams);
    if (c4i_job_ended(j))
        j->status = atomic_load(&j->procs[0].control->status);
    return j->status;
}

/* ---- Life ------------------------------------------------------------------------------ */

static int
catch_signals(c4i_job *j)
{
    static const int caught[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
        struct sigaction now;

        if (!sigaction(caught[i], NULL, &now) && now.sa_handler != SIG_IGN)
            sigaddset(&set, caught[i]);     /* nohup stays in force */
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);               /* a segment beyond ulimit -f is an error */
    sigprocmask(SIG_BLOCK, &set, &j->old_mask);
    j->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return j->signals < 0;
}

static void
raise_file_limit(c4i_job *j)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files))
        return;
    j->old_files = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static int
make_segments(c4i_job *j)
{
    if (c4i_segments_new(j->npes, 0, j->fd)) {
        fprintf(stderr, "charmrun: cannot make the shared memory of %u PEs: %s\n", j->npes,
                strerror(errno));
        return 1;
    }
    for (uint32_t i = 0; i < j->npes; i++) {
        void *at = mmap(NULL, C4I_CONTROL_BYTES, PROT_READ, MAP_SHARED, j->fd[i], 0);

        if (at == MAP_FAILED) {
            perror("charmrun: cannot map shared memory");
            return 1;
        }
        j->procs[i].control = at;
    }
    return 0;
}

static uint64_t
seconds_from(uint64_t ns, double s)
{
    return s > 0 ? ns + (uint64_t)(s * 1e9) : NEVER;
}

int
c4i_job_start(c4i_job *j, const c4i_command *c)
{
    memset(j, 0, sizeof(*j));
    j->command = c;
    j->npes = c->npes;
    j->ncores = c4i_usable_cores();
    j->early_pe = -1;
    c4i_sink_init(&j->out, STDOUT_FILENO);
    c4i_sink_init(&j->err, STDERR_FILENO);
    j->phase_ns = j->early_ns = NEVER;
    j->procs = calloc(j->npes, sizeof(*j->procs));
    if (!j->procs)
        return 1;
    for (uint32_t i = 0; i < j->npes; i++) {
        c4i_stream_init(&j->procs[i].out, -1, NULL);
        c4i_stream_init(&j->procs[i].err, -1, NULL);
        c4i_stream_init(&j->procs[i].early, -1, NULL);
    }
    raise_file_limit(j);
    j->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (j->null < 0 || pipe2(j->lifeline, O_CLOEXEC) || catch_signals(j)) {
        perror("charmrun: cannot start a job");
        return 1;
    }
    if (make_segments(j))
        return 1;
    j->zero_ns = c4i_monotonic_ns();
    j->limit_ns = seconds_from(j->zero_ns, c->time_limit_s);
    j->join_ns = seconds_from(j->zero_ns, c->start_limit_s);
    for (uint32_t i = 0; i < j->npes; i++)
        if (c4i_proc_start(j, i)) {
            end_job(j, 1);
            return c4i_job_watch(j);
        }
    close(j->lifeline[0]);
    return 0;
}

bool
c4i_job_ended(const c4i_job *j)
{
    return j->phase < C4I_TERMINATING && j->procs && j->procs[0].control && job_ends(j);
}

void
c4i_job_release(c4i_job *j)
{
    for (uint32_t i = 0; j->procs && i < j->npes; i++)
        if (j->procs[i].control) {
            munmap(j->procs[i].control, C4I_CONTROL_BYTES);
            close(j->fd[i]);
        }
    free(j->procs);
    j->procs = NULL;
}
