/*
 * choice.h - a strategy as the user names it: NAME[,option=value...].
 *
 * NAME is a built-in strategy (with or without LB at its end), a plugin's path
 * or name, or plugin:NAME where a plugin has several strategies.
 */
#ifndef C4I_LB_CHOICE_H
#define C4I_LB_CHOICE_H

#include <stdio.h>

#include "c4_lb.h"
#include "plugins/loader.h"

/* The built-in strategies; ends with NULL.  Generated from C4_LB_STRATEGIES in
 * lb/fragment.am. */
extern const c4_lb *const c4i_lb_builtin[];

/* What c4i_plugin_open() needs to load strategies. */
extern const c4i_plugin_kind c4i_lb_plugin_kind;

typedef struct c4i_lb_choice {
    const c4_lb *lb;                        /* valid until release */
    void        *options;                   /* what lb->solve gets; NULL if it has none */
    char         text[96];                  /* all options with their values */
    c4i_plugin   plugin;                    /* closed for a built-in one */
} c4i_lb_choice;

/* Room for one line to the user. */
enum { C4I_LB_WHY = C4I_PLUGIN_WHY };

/* On an error nothing is held, and why holds one line that names what is wrong
 * and what there is instead. */
c4_err c4i_lb_choose(const char *spec, c4i_lb_choice *out, char *why, size_t nwhy);
void c4i_lb_choice_release(c4i_lb_choice *c);

/* For +balancer help: all strategies with their options, also of the plugins
 * on the search path. */
void c4i_lb_list(FILE *out);

#endif
