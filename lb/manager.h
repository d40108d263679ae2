/*
 * manager.h - the balancer hook: what the runtime calls at each AtSync step.
 */
#ifndef C4I_LB_MANAGER_H
#define C4I_LB_MANAGER_H

#include <stdbool.h>
#include <stdio.h>

#include <c4.h>

#include "runtime/flags.h"

/* On every PE, between c4_init() and c4_loop(): reads +balancer and the +LB
 * flags and, if there is something to balance with, gives the PE its balancer.
 * An error (of the flags or of a plugin) is the same on all PEs and leaves one
 * line for the user in c4_error(). */
c4_err c4i_lb_attach(c4_pe *pe);

/* Was +balancer help given?  Then prints the list to out (NULL: does not), and
 * the caller is to end the job with status 0. */
bool c4i_lb_help(const c4i_flags *flags, FILE *out);

#endif
