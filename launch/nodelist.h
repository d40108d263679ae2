/*
 * nodelist.h - the file that says on which hosts PEs may be started.
 *
 *   # comment
 *   group NAME [options]        the hosts that follow are of this group; at first "main"
 *   host NAME [options]         a host named again is the same host
 *   [options]                   for the lines that follow
 *
 * Options: ++cpus N, ++shell CMD, ++login USER, ++setup CMD (to the end of the
 * line), ++pathfix OLD NEW, ++ext EXT, ++speed F, ++nice N; the ++ may be left
 * out.  They are checked and have no effect yet, as all PEs run on this host.
 */
#ifndef C4I_NODELIST_H
#define C4I_NODELIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct c4i_nodelist {
    char **host;                            /* [n] of the group, each once */
    size_t n;
} c4i_nodelist;

/* Reads the hosts of a group.  0, or -1 with one line for the user in why;
 * in both cases the list is to be released. */
int c4i_nodelist_read(c4i_nodelist *l, const char *path, const char *group, char *why, size_t len);
void c4i_nodelist_release(c4i_nodelist *l);

/* Do all of its hosts stand for this one?  0, or -1 with why. */
int c4i_nodelist_check_local(const c4i_nodelist *l, const char *path, char *why, size_t len);

/* The list to read, as a new string: named, else $NODELIST, ./nodelist,
 * ~/.nodelist; NULL if there is none. */
char *c4i_nodelist_find(const char *named);

#endif
