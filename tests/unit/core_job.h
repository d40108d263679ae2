/*
 * core_job.h - a whole job of virtual PEs for a unit test.
 *
 * The PEs share the process, so chares tell the test what they saw through
 * plain variables of the test; c4_user() gives the job.
 */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "runtime/pe.h"
#include "runtime/sim.h"

enum { JOB_STEPS = 100000000 };

static c4i_sim *
job_new(uint32_t npes, const c4_type *const *types)
{
    c4i_sim *s;

    CHECK(c4i_sim_new(npes, 1, NULL, &s) == C4_OK, "%u PEs", npes);
    for (uint32_t i = 0; i < npes; i++) {
        c4i_pe_set_arity(c4i_sim_pe(s, i), 2);
        for (const c4_type *const *t = types; t && *t; t++)
            CHECK(c4_register(c4i_sim_pe(s, i), *t) == C4_OK, "%s", c4_error(c4i_sim_pe(s, i)));
        c4i_clock_init(&c4i_sim_pe(s, i)->clock);
    }
    CHECK(c4_start_others(c4i_sim_pe(s, 0), NULL, 0) == C4_OK, "start");
    return s;
}

/* Runs until nothing is left to do; what was sent must have been processed,
 * and nothing may be kept. */
__attribute__((unused)) static void
job_rest(c4i_sim *s, uint32_t npes)
{
    uint64_t created = 0, processed = 0;

    CHECK(c4i_sim_run(s, JOB_STEPS) < JOB_STEPS, "the job does not come to rest");
    for (uint32_t i = 0; i < npes; i++) {
        c4_pe *pe = c4i_sim_pe(s, i);
        uint64_t c, p;
        char text[200] = "";

        CHECK(c4i_pe_leftovers(pe, text, sizeof(text)) == C4_OK, "PE %u: %s", i, text);
        c4i_pe_counts(pe, &c, &p);
        created += c;
        processed += p;
    }
    CHECK(created == processed, "%llu created, %llu processed", (unsigned long long)created,
          (unsigned long long)processed);
}

/* Runs fn in a child, which must end by c4_abort() and say all of words on
 * stderr; words ends with NULL.  Under valgrind, which calls what the child
 * leaves a leak, set CORE_NO_DEATHS. */
__attribute__((unused)) static void
dies(void (*fn)(void), const char *const *words)
{
    static char said[65536];
    size_t n = 0;
    ssize_t got;
    int pipe_fd[2], status;
    pid_t pid;

    if (getenv("CORE_NO_DEATHS"))
        return;
    CHECK(pipe(pipe_fd) == 0, "pipe");
    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        dup2(pipe_fd[1], STDERR_FILENO);
        fn();
        fprintf(stderr, "(it did not die)\n");
        _exit(0);
    }
    close(pipe_fd[1]);
    while (n < sizeof(said) - 1 && (got = read(pipe_fd[0], said + n, sizeof(said) - 1 - n)) > 0)
        n += (size_t)got;
    said[n] = 0;
    close(pipe_fd[0]);
    CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %x: %s", (unsigned)status, said);
    for (; *words; words++)
        CHECK(strstr(said, *words), "'%s' is missing in: %s", *words, said);
}

#define DIES(fn, ...) dies(fn, (const char *const[]){ __VA_ARGS__, NULL })

#endif
