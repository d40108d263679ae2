/*
 * charmrun.c - starts a program on N PEs of this host and stays until it ends.
 *
 * command.c reads the command line, start.c makes processes into PEs, job.c
 * watches them, output.c forwards what they print.
 */
#include <stdio.h>

#include "launch/command.h"
#include "launch/job.h"

int
main(int argc, char **argv)
{
    c4i_command command;
    c4i_job job;
    int status = c4i_command_read(&command, argc, argv);

    if (status >= 0)
        return status;
    status = c4i_job_start(&job, &command);
    if (!status)
        status = c4i_job_watch(&job);
    c4i_job_release(&job);
    return status;
}
