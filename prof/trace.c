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
#include "prof/trace.h"

/* A spool's name: pe-NNNNN.spool or .stats. */
static bool
is_spool(const char *name)
{
    const char *dot = strrchr(name, '.');

    return strncmp(name, "pe-", 3) == 0 && dot
           && (strcmp(dot, ".spool") == 0 || strcmp(dot, ".stats") == 0);
}

void
c4i_trace_remove_spools(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    if (!d)
        return;
    while ((e = readdir(d)))
        if (is_spool(e->d_name))
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(dir);
}

bool
c4i_trace_is_live(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool live = false;

    while (d && !live && (e = readdir(d))) {
        int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
        int fd = is_spool(e->d_name) ? openat(dirfd(d), e->d_name, flags) : -1;

        if (fd < 0)
            continue;
        live = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        close(fd);
    }
    if (d)
        closedir(d);
    return live;
}

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

static c4_err
take_over(c4i_trace *t, char *err, size_t nerr)
{
    name_dir(t);
    if (mkdir(t->dir, 0777) == 0)
        return C4_OK;
    if (errno == EEXIST && c4i_trace_is_live(t->dir)) {
        snprintf(err, nerr, "another job that is running records into %s", t->file);
        return C4_EEXIST;
    }
    if (errno == EEXIST) {
        c4i_trace_remove_spools(t->dir);
        if (mkdir(t->dir, 0777) == 0)
            return C4_OK;
    }
    snprintf(err, nerr, "cannot make the folder %s: %s", t->dir, strerror(errno));
    return C4_EIO;
}

c4_err
c4i_trace_prepare(const char *file, bool overwrite, c4i_trace *t, char *err, size_t nerr)
{
    char full[C4I_TRACE_PATH];
    struct stat st;

    if (!*file || file[strlen(file) - 1] == '/' || (stat(file, &st) == 0 && S_ISDIR(st.st_mode))) {
        snprintf(err, nerr, "'%s' is no name for a file", file);
        return C4_EIO;
    }
    if (absolute(file, full, sizeof(full))) {
        snprintf(err, nerr, "cannot record into %s: %s", file, strerror(errno));
        return C4_EIO;
    }
    if (overwrite) {
        numbered(full, 0, t->file, sizeof(t->file));
        return take_over(t, err, nerr);
    }
    for (unsigned k = 0; k < 100000; k++) {
        numbered(full, k, t->file, sizeof(t->file));
        name_dir(t);
        if (access(t->file, F_OK) == 0)
            continue;
        if (mkdir(t->dir, 0777) == 0)
            return C4_OK;
        if (errno != EEXIST) {
            snprintf(err, nerr, "cannot make the folder %s: %s", t->dir, strerror(errno));
            return C4_EIO;
        }
    }
    snprintf(err, nerr, "no free name like %s", full);
    return C4_EEXIST;
}

c4_err
c4i_trace_begin(const char *file, bool overwrite, c4i_trace *t)
{
    char err[C4I_TRACE_PATH + 200] = "";
    c4_err e = c4i_trace_prepare(file, overwrite, t, err, sizeof(err));

    if (e) {
        c4i_say("c4", "no trace: %s; the job goes on", err);
        t->file[0] = t->dir[0] = 0;
    } else if (!overwrite && access(file, F_OK) == 0) {
        c4i_say("c4", "%s exists: recording into %s (+traceOverwrite replaces it)", file, t->file);
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
