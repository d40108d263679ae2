/*
 * loader.c - opens plugins.
 *
 * dlopen() runs the constructors of what it opens, so a file is looked at
 * first: only a shared object for this machine gets that far.  The data behind
 * the symbol is read only after its size is known and its kind has checked the
 * version, since a plugin of another version may be laid out in another way.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loader.h"

#ifndef C4_PLUGINDIR
#define C4_PLUGINDIR "/usr/local/lib/c4"    /* the build says better */
#endif

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE                     /* not checked */
#endif

/* Ends every refusal, so that all read alike. */
__attribute__((format(printf, 6, 7)))
static c4_err
refuse(c4_err err, const c4i_plugin_kind *kind, const char *path, char *why, size_t nwhy,
       const char *fmt, ...)
{
    int n = snprintf(why, nwhy, "%s plugin %s ", kind->what, path);
    va_list ap;

    if (n < 0 || (size_t)n >= nwhy)
        return err;
    va_start(ap, fmt);
    vsnprintf(why + n, nwhy - (size_t)n, fmt, ap);
    va_end(ap);
    return err;
}

static c4_err
look_at_file(const c4i_plugin_kind *kind, const char *path, char *why, size_t nwhy)
{
    struct stat st;
    Elf64_Ehdr h;
    size_t n;
    FILE *f;

    if (stat(path, &st) != 0)
        return refuse(C4_ENOENT, kind, path, why, nwhy, "cannot be opened: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return refuse(C4_EFORMAT, kind, path, why, nwhy, "is not a file");
    f = fopen(path, "rbe");
    if (!f)
        return refuse(C4_ENOENT, kind, path, why, nwhy, "cannot be opened: %s", strerror(errno));
    n = fread(&h, 1, sizeof(h), f);
    fclose(f);
    if (n != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(C4_EFORMAT, kind, path, why, nwhy, "is not a shared object");
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
        (MACHINE != EM_NONE && h.e_machine != MACHINE))
        return refuse(C4_EFORMAT, kind, path, why, nwhy, "is for another kind of machine");
    if (h.e_type != ET_DYN)
        return refuse(C4_EFORMAT, kind, path, why, nwhy,
                      "is not a shared object: link it with -shared");
    return C4_OK;
}

/* Where the symbol's data is and how long; a function of that name is no data. */
static const void *
find_data(void *handle, const char *symbol, size_t *nbytes)
{
    const void *at = dlsym(handle, symbol);
    const ElfW(Sym) *sym = NULL;
    Dl_info info;

    if (!at || !dladdr1(at, &info, (void **)&sym, RTLD_DL_SYMENT) || !sym ||
        ELF64_ST_TYPE(sym->st_info) != STT_OBJECT)
        return NULL;
    *nbytes = sym->st_size;
    return at;
}

static c4_err
open_path(const c4i_plugin_kind *kind, const char *path, c4i_plugin *out,
          char *why, size_t nwhy)
{
    char half[256] = "";
    size_t nbytes = 0;
    c4_err err = look_at_file(kind, path, why, nwhy);

    if (err)
        return err;
    /* a name without a slash would make dlopen() search the system's libraries */
    snprintf(out->path, sizeof(out->path), "%s%s", strchr(path, '/') ? "" : "./", path);
    out->handle = dlopen(out->path, RTLD_NOW | RTLD_LOCAL);
    if (!out->handle)
        return refuse(C4_EFORMAT, kind, path, why, nwhy, "cannot be loaded: %s", dlerror());
    out->data = find_data(out->handle, kind->symbol, &nbytes);
    if (!out->data)
        err = refuse(C4_EFORMAT, kind, path, why, nwhy, "defines no data named %s, so it is no %s",
                     kind->symbol, kind->what);
    else if ((err = kind->check(out->data, nbytes, half, sizeof(half))))
        refuse(err, kind, path, why, nwhy, "%s", half);
    if (err)
        c4i_plugin_close(out);
    return err;
}

/* Calls fn for each directory of the search path until it returns nonzero. */
static int
each_dir(int (*fn)(void *ctx, const char *dir), void *ctx)
{
    const char *at = getenv("C4_PLUGIN_PATH");
    char dir[PATH_MAX];

    while (at && *at) {
        size_t n = strcspn(at, ":");

        if (n > 0 && n < sizeof(dir)) {
            memcpy(dir, at, n);
            dir[n] = 0;
            if (fn(ctx, dir))
                return 1;
        }
        at += n + (at[n] == ':');
    }
    return fn(ctx, C4_PLUGINDIR);
}

static int
has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && strcmp(s + n - m, suffix) == 0;
}

struct search {
    const char *name;
    char        path[PATH_MAX];
};

static int
file_is_in(void *ctx, const char *dir)
{
    struct search *s = ctx;
    struct stat st;
    int n = snprintf(s->path, sizeof(s->path), "%s/%s%s", dir, s->name,
                     has_suffix(s->name, ".so") ? "" : ".so");

    return n > 0 && (size_t)n < sizeof(s->path) && stat(s->path, &st) == 0;
}

c4_err
c4i_plugin_open(const c4i_plugin_kind *kind, const char *name, c4i_plugin *out,
                char *why, size_t nwhy)
{
    struct search s = { .name = name };
    struct stat st;

    out->handle = NULL;
    out->data = NULL;
    if (strlen(name) >= sizeof(s.path))
        return refuse(C4_ENOENT, kind, "", why, nwhy, "has too long a name");
    if (strchr(name, '/') || (has_suffix(name, ".so") && stat(name, &st) == 0))
        return open_path(kind, name, out, why, nwhy);
    if (each_dir(file_is_in, &s))
        return open_path(kind, s.path, out, why, nwhy);
    return refuse(C4_ENOENT, kind, name, why, nwhy,
                  "was not found in $C4_PLUGIN_PATH nor in " C4_PLUGINDIR);
}

void
c4i_plugin_close(c4i_plugin *p)
{
    if (p->handle)
        dlclose(p->handle);
    p->handle = NULL;
    p->data = NULL;
}

struct scan {
    const c4i_plugin_kind *kind;
    void                 (*seen)(void *ctx, const c4i_plugin *p, const char *why);
    void                  *ctx;
};

static int
is_plugin_name(const struct dirent *d)
{
    return has_suffix(d->d_name, ".so");
}

static int
scan_dir(void *ctx, const char *dir)
{
    const struct scan *s = ctx;
    struct dirent **names;
    int n = scandir(dir, &names, is_plugin_name, alphasort);

    for (int i = 0; i < n; i++) {
        char path[PATH_MAX], why[C4I_PLUGIN_WHY] = "";
        c4i_plugin p = { .handle = NULL };

        if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name) < (int)sizeof(path)) {
            c4_err err = open_path(s->kind, path, &p, why, sizeof(why));

            s->seen(s->ctx, err ? NULL : &p, why);
            c4i_plugin_close(&p);
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return 0;
}

void
c4i_plugin_scan(const c4i_plugin_kind *kind,
                void (*seen)(void *ctx, const c4i_plugin *p, const char *why), void *ctx)
{
    struct scan s = { kind, seen, ctx };

    each_dir(scan_dir, &s);
}
