/*
 * command.h - the launcher's command line: its own flags, and the program.
 */
#ifndef C4I_COMMAND_H
#define C4I_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

typedef struct c4i_command {
    uint32_t npes;
    bool     interactive, quiet, verbose;
    double   start_limit_s, time_limit_s;   /* time_limit_s 0: none */
    char    *trace_file;                    /* +trace; NULL: none */
    bool     trace_overwrite;
    char   **argv;                          /* of a PE; argv[0] is searched on PATH */
} c4i_command;

/* Reads the command line.  -1: go on; else the status to exit with, all having
 * been said.  What it allocates lives until the launcher ends. */
int c4i_command_read(c4i_command *c, int argc, char **argv);

#endif
