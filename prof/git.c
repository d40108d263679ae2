/*
 * git.c - which revision of the program runs, and was it changed?
 *
 * git itself is asked, once, when the job begins: whether files were changed
 * cannot be told without its index, and the user may edit them while the job
 * runs.  `git status` may take long in a large working tree, so it runs in the
 * background with low priority and leaves its answer in the folder of the
 * spools, whose reader waits a little where the job was shorter.
 *
 * A shell starts it and ends: git is then nobody's child here, and a program
 * that waits for its children does not meet it.  The answer's file is locked
 * by all who have it open for writing; when the lock is free, they have ended.
 *
 * git refuses a working tree of another user: then nothing is known, likewise
 * without git, or where it needs more than its time.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prof/provenance.h"
#include "prof/trace.h"
#include "runtime/clock.h"

enum { PATIENCE_MS = 2000 };

extern char **environ;

/* $1: the folder, $2: the script, or nothing.  No locks are taken and no hooks
 * of the working tree run.  A script that git does not know is a change. */
static const char script_text[] =
    "cd \"$1\" || exit\n"
    "{\n"
    "    nice -n 19 git --no-optional-locks -c core.fsmonitor=false status --porcelain=v2 \\\n"
    "        --branch --untracked-files=no --ignore-submodules=dirty &&\n"
    "    { [ -z \"$2\" ] || git ls-files --error-unmatch -- \"$2\" >/dev/null ||\n"
    "        echo \"? $2\"; } &&\n"
    "    echo .\n"
    "} &\n";

/* Is there a .git in this folder or above it? */
static bool
has_repository(const char *folder)
{
    char path[C4I_TRACE_PATH + 8];
    size_t n = strlen(folder);

    if (n >= C4I_TRACE_PATH)
        return false;
    memcpy(path, folder, n + 1);
    for (;;) {
        memcpy(path + n, "/.git", 6);
        if (access(path, F_OK) == 0)
            return true;
        if (n == 0)
            return false;
        while (n > 0 && path[--n] != '/')
            ;
    }
}

/* The environment without what would name another repository. */
static char **
plain_environment(void)
{
    size_t n = 0, k = 0;
    char **out;

    while (environ && environ[n])
        n++;
    out = calloc(n + 1, sizeof(*out));
    for (size_t i = 0; out && i < n; i++)
        if (strncmp(environ[i], "GIT_", 4) != 0)
            out[k++] = environ[i];
    return out;
}

static void
start_shell(int out, char *folder, char *script)
{
    char *argv[] = { (char *)"sh", (char *)"-c", (char *)script_text, (char *)"sh", folder, script,
                     NULL };
    char **env = plain_environment();
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid;

    if (!env)
        return;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    if (posix_spawn(&pid, "/bin/sh", &files, &attr, argv, env) == 0)
        waitpid(pid, NULL, 0);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    free(env);
}

void
c4i_git_ask(const char *dir, const char *program, bool script)
{
    char path[C4I_TRACE_PATH + 16];
    char *file = realpath(program, NULL), *copy = file ? strdup(file) : NULL;
    char *folder = copy ? dirname(copy) : NULL;
    int fd = -1;

    if (folder && has_repository(folder)) {
        snprintf(path, sizeof(path), "%s/" C4I_GIT_FILE, dir);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (fd >= 0) {
        (void)flock(fd, LOCK_EX | LOCK_NB);
        start_shell(fd, folder, script ? file : (char *)"");
        close(fd);
    }
    free(copy);
    free(file);
}

/* ---- The answer -------------------------------------------------------------------- */

/* False: it takes too long. */
static bool
wait_for(int fd)
{
    uint64_t limit = c4i_monotonic_ns() + PATIENCE_MS * UINT64_C(1000000);

    while (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        if (c4i_monotonic_ns() > limit)
            return false;
        usleep(500);
    }
    return true;
}

static void
read_line(c4i_git *g, const char *line, bool *whole)
{
    if (sscanf(line, "# branch.oid %71[0-9a-f]", g->revision) == 1)
        g->dirty = 0;
    else if (line[0] != '#' && line[0] != '.')
        g->dirty = 1;
    *whole = strcmp(line, ".\n") == 0;
}

c4i_git
c4i_git_answer(const char *dir)
{
    c4i_git g = { .dirty = -1 };
    char path[C4I_TRACE_PATH + 16], line[8192];
    bool whole = false;
    struct stat st;
    FILE *f = NULL;
    int fd;

    snprintf(path, sizeof(path), "%s/" C4I_GIT_FILE, dir);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        f = fdopen(fd, "r");
    if (!f) {
        if (fd >= 0)
            close(fd);
        return g;
    }
    if (wait_for(fd))
        while (fgets(line, sizeof(line), f))
            read_line(&g, line, &whole);
    fclose(f);
    return whole && g.revision[0] ? g : (c4i_git){ .dirty = -1 };
}
