/*
 * charmrun.c - starts a program on N PEs of this host and stays until it ends.
 *
 * command.c reads the command line, start.c makes processes into PEs, job.c
 * watches them, output.c forwards what they print.
 */
#include "launch/command.h"
#include "launch/job.h"
#include "prof/store.h"

/* What the PEs recorded becomes a database when the last one has ended. */
static int
run_recorded(const c4i_command *c)
{
    c4i_trace trace = { .lock = -1 };
    c4i_run_info run = { .npes = c->npes };
    c4i_job job;
    int status;

    if (c->trace_file)
        c4i_trace_begin(c->trace_file, c->trace_overwrite, &trace);
    status = c4i_job_start(&job, c);
    if (!status)
        status = c4i_job_watch(&job);
    run.exit_status = status;
    run.killed = !c4i_job_ended(&job);
    c4i_job_release(&job);
    if (c->trace_file)
        c4i_trace_end(&trace, &run, c->quiet);
    return status;
}

int
main(int argc, char **argv)
{
    c4i_command command;
    int status = c4i_command_read(&command, argc, argv);

    return status >= 0 ? status : run_recorded(&command);
}
