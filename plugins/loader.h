/*
 * loader.h - opens plugins: shared objects that export one data symbol.
 *
 * One loader for every kind of plugin.  A kind says which symbol to look for
 * and how to tell whether what it found fits; everything else (search path,
 * what is not a plugin at all, words for the user) is the same for all.
 */
#ifndef C4I_LOADER_H
#define C4I_LOADER_H

#include <limits.h>
#include <stddef.h>

#include <c4_err.h>

/* Room for one line to the user, with a path in it. */
enum { C4I_PLUGIN_WHY = PATH_MAX + 256 };

typedef struct c4i_plugin_kind {
    const char *what;                       /* "balancer", for messages */
    const char *symbol;
    /* Does the data at the symbol, nbytes long, fit this program?  C4_EABI or
     * C4_EFORMAT with half a sentence in why ("was built for ..."). */
    c4_err    (*check)(const void *data, size_t nbytes, char *why, size_t nwhy);
} c4i_plugin_kind;

typedef struct c4i_plugin {
    void       *handle;                     /* NULL: nothing is open */
    const void *data;                       /* at the symbol; valid until close */
    char        path[PATH_MAX];
} c4i_plugin;

/* Opens the plugin with this path (a slash in it, or .so at its end), or else
 * this name: NAME.so in a directory of $C4_PLUGIN_PATH (colons between), or
 * where c4 installs plugins.  On an error (C4_ENOENT: no such file; C4_EFORMAT:
 * not a plugin of this kind; C4_EABI: of another version) nothing is open and
 * why holds one line for the user. */
c4_err c4i_plugin_open(const c4i_plugin_kind *kind, const char *name, c4i_plugin *out,
                       char *why, size_t nwhy);
void c4i_plugin_close(c4i_plugin *p);       /* harmless on a closed one */

/* Opens every *.so on the search path, in turn, and shows each to seen():
 * p is NULL for one that was refused, and why says why. */
void c4i_plugin_scan(const c4i_plugin_kind *kind,
                     void (*seen)(void *ctx, const c4i_plugin *p, const char *why), void *ctx);

#endif
