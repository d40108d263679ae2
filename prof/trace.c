/*
 * trace.c - names and folders of a recording; trace.h has the contract.
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prof/plain.h"
#include "prof/provenance.h"
#include "prof/trace.h"

enum { LOCK_TRIES = 4, LOCK_WAIT_US = 1000, MOST_NAMES = 100000 };

/* A spool's name: pe-NNNNN.spool or .stats. */
static bool
is_spool(const char *name)
{
    const char *dot = strrchr(name, '.');

    return strncmp(name, "pe-", 3) == 0 && dot
           && (strcmp(dot, ".spool") == 0 || strcmp(dot, ".stats") == 0);
}

/* The owner takes the files of a recording away; the folder stays. */
static void
clear_dir(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (is_spool(e->d_name) || strcmp(e->d_name, C4I_GIT_FILE) == 0)
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

void
c4i_trace_remove_spools(const char *dir)
{
    clear_dir(dir);
    rmdir(dir);
}

/* ---- Whose folder is it? ------------------------------------------------------- */

static bool
is_locked(int fd)
{
    return flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/* A PE may live for a moment longer than the launcher that owned the folder. */
static bool
has_live_spool(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool live = false;

    while (d && !live && (e = readdir(d))) {
        int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
        int fd = is_spool(e->d_name) ? openat(dirfd(d), e->d_name, flags) : -1;

        if (fd < 0)
            continue;
        live = is_locked(fd);
        close(fd);
    }
    if (d)
        closedir(d);
    return live;
}

static bool
has_spool(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool found = false;

    while (d && !found && (e = readdir(d))) {
        const char *dot = strrchr(e->d_name, '.');

        found = is_spool(e->d_name) && dot && strcmp(dot, ".spool") == 0;
    }
    if (d)
        closedir(d);
    return found;
}

bool
c4i_trace_is_live(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool owned = fd >= 0 && is_locked(fd);

    if (fd >= 0)
        close(fd);
    return owned || has_live_spool(dir);
}

/* Is what is open still what has this name?  Its last owner may have removed it. */
static bool
has_name(int fd, const char *path)
{
    struct stat here, there;

    return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_dev == there.st_dev
           && here.st_ino == there.st_ino;
}

/* Who only looks whether there is an owner locks the folder, too, for
 * microseconds: what is locked is tried again.  A file system without locks
 * leaves it to mkdir() to keep jobs apart. */
int
c4i_trace_lock(const char *dir)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool owned;

        if (fd < 0)
            return -1;
        owned = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        if (!owned && has_name(fd, dir))
            return fd;
        close(fd);
        if (owned)
            usleep(LOCK_WAIT_US);
    }
    errno = EWOULDBLOCK;
    return -1;
}

/* Also makes it; the last owner may remove what was there in between. */
static int
own_dir(const char *dir)
{
    int fd = -1;

    errno = ENOENT;
    for (int i = 0; i < LOCK_TRIES && fd < 0 && errno == ENOENT; i++) {
        if (mkdir(dir, 0777) != 0 && errno != EEXIST)
            return -1;
        fd = c4i_trace_lock(dir);
    }
    return fd;
}

/* ---- Names ----------------------------------------------------------------------- */

/* The absolute name, so that a program may change its working directory. */
static c4_err
absolute(const char *file, char *out, size_t n)
{
    char cwd[C4I_TRACE_PATH] = "";
    int len;

    if (file[0] != '/' && !getcwd(cwd, sizeof(cwd)))
        return C4_EIO;
    len = file[0] == '/' ? snprintf(out, n, "%s", file) : snprintf(out, n, "%s/%s", cwd, file);
    if (len >= 0 && (size_t)len + 32 < n)
        return C4_OK;
    errno = ENAMETOOLONG;
    return C4_EIO;
}

/* run.db, 2 -> run-2.db; 0 leaves it. */
static int
numbered(const char *file, unsigned k, char *out, size_t n)
{
    const char *base = strrchr(file, '/');
    const char *dot = strrchr(base ? base : file, '.');
    int stem = (int)(dot && dot != (base ? base + 1 : file) ? (size_t)(dot - file) : strlen(file));

    if (k == 0)
        return snprintf(out, n, "%s", file);
    return snprintf(out, n, "%.*s-%u%s", stem, file, k, file + stem);
}

static void
name_dir(c4i_trace *t)
{
    size_t n = strlen(t->file);

    memcpy(t->dir, t->file, n);
    snprintf(t->dir + n, sizeof(t->dir) - n, "%s", C4I_SPOOL_SUFFIX);
}

static bool
file_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* What is in the folder, now that it is ours. */
static enum c4i_trace_name
judge(const c4i_trace *t)
{
    if (has_live_spool(t->dir))
        return C4I_NAME_RUNNING;
    if (!t->replace && has_spool(t->dir))
        return C4I_NAME_KILLED;
    clear_dir(t->dir);
    if (t->replace || !file_exists(t->file))
        return C4I_NAME_FREE;
    rmdir(t->dir);
    return C4I_NAME_EXISTS;
}

/* t->file becomes ours, with its folder, if it is free; errno tells why it is blocked. */
static enum c4i_trace_name
claim(c4i_trace *t)
{
    enum c4i_trace_name name;

    name_dir(t);
    if (!t->replace && file_exists(t->file))
        return C4I_NAME_EXISTS;
    t->lock = own_dir(t->dir);
    if (t->lock < 0)
        return errno == EWOULDBLOCK ? C4I_NAME_RUNNING : C4I_NAME_BLOCKED;
    name = judge(t);
    if (name != C4I_NAME_FREE) {
        close(t->lock);
        t->lock = -1;
    }
    return name;
}

c4_err
c4i_trace_prepare(const char *file, bool overwrite, c4i_trace *t, char *err, size_t nerr)
{
    char full[C4I_TRACE_PATH];
    struct stat st;

    t->lock = -1;
    t->asked = C4I_NAME_FREE;
    if (!*file || file[strlen(file) - 1] == '/' || (stat(file, &st) == 0 && !S_ISREG(st.st_mode))) {
        snprintf(err, nerr, "'%s' is no name for a file", file);
        return C4_EIO;
    }
    if (absolute(file, full, sizeof(full))) {
        snprintf(err, nerr, "cannot record into %s: %s", file, strerror(errno));
        return C4_EIO;
    }
    for (unsigned k = 0; k < MOST_NAMES; k++) {
        enum c4i_trace_name name;

        numbered(full, k, t->file, sizeof(t->file));
        t->replace = overwrite && k == 0;
        name = claim(t);
        if (name == C4I_NAME_FREE)
            return C4_OK;
        if (name == C4I_NAME_BLOCKED && !file_exists(t->dir)) {
            snprintf(err, nerr, "cannot make the folder %s: %s", t->dir, strerror(errno));
            return C4_EIO;
        }
        if (k == 0)
            t->asked = name;
    }
    snprintf(err, nerr, "no free name like %s", full);
    return C4_EEXIST;
}

/* Why it is another name than the one that was asked for. */
static void
say_name(const char *file, const c4i_trace *t)
{
    static const char *const why[] = {
        [C4I_NAME_EXISTS] = "exists (+traceOverwrite replaces it)",
        [C4I_NAME_RUNNING] = "is being recorded by another job that is running",
        [C4I_NAME_KILLED] = C4I_SPOOL_SUFFIX " has what a job recorded that was killed "
                            "(c4prof recover makes a database of it)",
        [C4I_NAME_BLOCKED] = C4I_SPOOL_SUFFIX " cannot be used",
    };

    if (t->asked == C4I_NAME_FREE)
        return;
    c4i_say("c4", "%s%s%s: recording into %s", file, why[t->asked][0] == '.' ? "" : " ",
            why[t->asked], t->file);
}

c4_err
c4i_trace_begin(const char *file, bool overwrite, c4i_trace *t)
{
    char err[C4I_TRACE_PATH + 200] = "";
    c4_err e = c4i_trace_prepare(file, overwrite, t, err, sizeof(err));

    if (e) {
        c4i_say("c4", "no trace: %s; the job goes on", err);
        t->file[0] = t->dir[0] = 0;
    } else {
        say_name(file, t);
    }
    setenv(C4I_TRACE_DIR_ENV, t->dir, 1);
    setenv(C4I_TRACE_FILE_ENV, t->file, 1);
    return e;
}

c4_err
c4i_trace_size(const char *text, size_t *out)
{
    static const char letters[] = "KMGT";
    char *end;
    double v = strtod(text, &end);
    const char *letter = *end ? strchr(letters, *end & ~0x20) : NULL;

    if (end == text || !(v > 0))
        return C4_EINVAL;
    if (letter && *letter) {
        for (const char *l = letters; l <= letter; l++)
            v *= 1024;
        end++;
    }
    if (*end == 'B' || *end == 'b')
        end++;
    if (*end || v >= 0x1p50)
        return C4_EINVAL;
    *out = (size_t)v;
    return C4_OK;
}
