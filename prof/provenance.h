/*
 * provenance.h - what the run was: the program, the machine, the settings.
 *
 * Collected once when the recorder is attached, on PE 0 (the affinity: on each
 * PE), and written into the spool as facts for the tables run and pe.  Nothing
 * here runs when nothing is recorded.
 */
#ifndef C4I_PROVENANCE_H
#define C4I_PROVENANCE_H

#include <stdbool.h>

#include "prof/recorder.h"

/* program: argv[0] of a C program, or the script of another language ("" or
 * NULL: not known).  dir: of the spools. */
void c4i_provenance(c4i_prof *p, c4_pe *pe, const char *program, bool script, const char *dir);

/* ---- git.c: the revision of the program ------------------------------------- */

#define C4I_GIT_FILE "git.txt"              /* in the folder of the spools */

enum { C4I_REVISION = 72 };

typedef struct c4i_git {
    char revision[C4I_REVISION];            /* "": not known */
    int  dirty;                             /* -1: not known */
} c4i_git;

/* Lets git look at the program's working tree, in the background and with low
 * priority.  Returns at once, without a child process.  Does nothing outside of
 * a working tree. */
void c4i_git_ask(const char *dir, const char *program, bool script);
/* What it found; waits for it for at most 2 seconds. */
c4i_git c4i_git_answer(const char *dir);

#endif
