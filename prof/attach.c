/*
 * attach.c - gives a PE its recorder as the command line asks.
 */
#define _GNU_SOURCE 1
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/plain.h"
#include "prof/provenance.h"
#include "prof/recorder.h"
#include "prof/store.h"
#include "prof/trace.h"
#include "runtime/flags.h"

enum { DEFAULT_LIMIT_MB = 1024 };           /* of all PEs together */
enum { LOG_WARNING = 1 };                   /* for c4i_recorder.log */

/* ---- Where it goes ------------------------------------------------------------- */

/* A job of one PE is its own launcher. */
static void
finish_alone(void *arg, int status)
{
    c4i_trace *t = arg;
    c4i_run_info run = { .exit_status = status };

    c4i_trace_end(t, &run, true);
}

/* The folder of the spools, or NULL: no trace, and that has been said. */
static const char *
find_dir(c4_pe *pe, const char *file, c4i_trace *t, bool *alone)
{
    const char *dir = getenv(C4I_TRACE_DIR_ENV), *told = getenv(C4I_TRACE_FILE_ENV);
    bool overwrite = c4i_flags_has(c4i_pe_flags(pe), "+traceOverwrite");

    if (dir) {
        snprintf(t->dir, sizeof(t->dir), "%s", dir);
        snprintf(t->file, sizeof(t->file), "%s", told ? told : "");
    } else if (c4_npes(pe) == 1) {
        *alone = c4i_trace_begin(file, overwrite, t) == C4_OK;
    } else if (c4_mype(pe) == 0) {
        fprintf(stderr, "c4: no trace: the launcher did not say where to record; "
                "the job goes on\n");
    }
    unsetenv(C4I_TRACE_DIR_ENV);            /* not for programs that this one starts */
    unsetenv(C4I_TRACE_FILE_ENV);
    return t->dir[0] ? t->dir : NULL;
}

static c4_err
read_level(c4_pe *pe, enum c4i_level *level)
{
    const char *text = c4i_flags_get(c4i_pe_flags(pe), "+traceLevel");

    *level = C4I_LEVEL_FULL;
    if (!text || !strcmp(text, "full"))
        return C4_OK;
    *level = C4I_LEVEL_SUMMARY;
    if (!strcmp(text, "summary"))
        return C4_OK;
    if (!strcmp(text, "sampled"))
        return c4_fail(pe, C4_EINVAL, "+traceLevel sampled is not there yet: use summary or full");
    return c4_fail(pe, C4_EINVAL, "+traceLevel takes summary or full, not '%s'", text);
}

static c4_err
read_limit(c4_pe *pe, size_t *limit)
{
    const char *text = c4i_flags_get(c4i_pe_flags(pe), "+traceLimit");

    *limit = (size_t)DEFAULT_LIMIT_MB << 20;
    if (text && c4i_trace_size(text, limit))
        return c4_fail(pe, C4_EINVAL, "+traceLimit takes a size like 512M or 2G, not '%s'", text);
    *limit /= c4_npes(pe);
    return C4_OK;
}

/* What +papi names: those to count, in order, and what is to be said of the rest. */
struct counters {
    char list[C4I_PAPI_MAX * 64 + 64];      /* "NAME,NAME" */
    char note[1024];                        /* "": nothing */
    int  n;
};

static void __attribute__((format(printf, 2, 3)))
note(struct counters *c, const char *fmt, ...)
{
    size_t len = strlen(c->note);
    va_list ap;

    if (len)
        len += (size_t)snprintf(c->note + len, sizeof(c->note) - len, "; ");
    va_start(ap, fmt);
    if (len < sizeof(c->note))
        vsnprintf(c->note + len, sizeof(c->note) - len, fmt, ap);
    va_end(ap);
}

/* Is the name in the list? */
static bool
is_listed(const char *list, const char *name, size_t len)
{
    for (; *list; list += list[0] == ',') {
        size_t n = strcspn(list, ",");

        if (n == len && memcmp(list, name, n) == 0)
            return true;
        list += n;
    }
    return false;
}

static void
add_counter(struct counters *c, const char *name, size_t len)
{
    size_t used = strlen(c->list);

    if (is_listed(c->list, name, len)) {
        note(c, "+papi: %.*s is named twice, it is counted once", (int)len, name);
    } else if (c->n == C4I_PAPI_MAX) {
        note(c, "+papi: %.*s is left out, %d counters are the most", (int)len, name,
             C4I_PAPI_MAX);
    } else {
        snprintf(c->list + used, sizeof(c->list) - used, "%s%.*s", used ? "," : "", (int)len,
                 name);
        c->n++;
    }
}

/* Reads all +papi flags. */
static c4_err
read_counters(c4_pe *pe, struct counters *c)
{
    const char *value;
    size_t k = 0;

    for (; (value = c4i_flags_nth(c4i_pe_flags(pe), "+papi", k)); k++) {
        while (*value) {
            size_t len = strcspn(value, ",");

            if (len >= sizeof((c4i_counter *)0)->name)
                return c4_fail(pe, C4_EINVAL, "+papi: the name %.*s... is too long", 40, value);
            if (len)
                add_counter(c, value, len);
            value += len + (value[len] == ',');
        }
    }
    if (k && !c->n)
        note(c, "+papi names no counter: nothing is counted");
    return C4_OK;
}

/* text: for the report, from PE 0; "": nothing. */
static c4_err
attach(c4_pe *pe, c4i_prof_config *c, const char *program, bool script, const char *text)
{
    c4i_recorder r;
    c4i_prof *p;

    c->pe = c4_mype(pe);
    c->npes = c4_npes(pe);
    c->clock = c4i_pe_clock(pe);
    if (!(p = c4i_prof_new(c)))
        return c4_fail(pe, C4_ENOMEM, "no memory for the recorder");
    r = c4i_prof_recorder(p);
    if (c->level != C4I_LEVEL_NONE)
        c4i_provenance(p, pe, program, script, c->dir);
    if (c->pe == 0 && *text)
        r.log(r.ctx, LOG_WARNING, text);
    c4i_set_recorder(pe, &r);
    return C4_OK;
}

c4_err
c4i_prof_attach(c4_pe *pe, const char *program, bool script)
{
    const c4i_flags *f = c4i_pe_flags(pe);
    const char *file = c4i_flags_get(f, "+trace");
    c4i_trace *t = NULL;
    struct counters counters = { .n = 0 };
    c4i_prof_config c = { .counters = counters.list };
    bool alone = false;
    c4_err e = read_counters(pe, &counters);

    if (!e)
        e = read_level(pe, &c.level);
    if (!e)
        e = read_limit(pe, &c.limit);
    if (!e && *counters.note && c4_mype(pe) == 0)
        c4i_say("c4", "%s", counters.note);
    if (e || (!file && !counters.n))
        return e;
    if (!(t = calloc(1, sizeof(*t))))
        return c4_fail(pe, C4_ENOMEM, "no memory for the recorder");
    if (!file || !(c.dir = find_dir(pe, file, t, &alone)))
        c.level = C4I_LEVEL_NONE;
    c.file = t->file[0] ? t->file : NULL;
    if (alone) {
        c.finish = finish_alone;
        c.finish_arg = t;
    }
    e = attach(pe, &c, program, script, counters.note);
    if (!alone)
        free(t);
    return e;
}

c4_err
c4_prof_start(c4_pe *pe)
{
    c4i_prof_config c = { .level = C4I_LEVEL_NONE };

    return c4_prof_on(pe) ? C4_OK : attach(pe, &c, NULL, false, "");
}
