/*
 * choice.c - finds the strategy that the user names, and reads its options.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "choice.h"
#include "runtime/flags.h"

enum { NEAR = 3 };                          /* edits within which a name is suggested */

/* ---- Plugins ------------------------------------------------------------ */

static c4_err
check_descriptors(const void *data, size_t nbytes, char *why, size_t nwhy)
{
    const c4_lb *const *list = data;
    size_t n = nbytes / sizeof(*list), i;

    for (i = 0; i < n && list[i]; i++) {
        const c4_lb *lb = list[i];
        Dl_info in;

        if (!dladdr(lb, &in)) {
            snprintf(why, nwhy, "has a " C4_LB_SYMBOL " that is no list of pointers to c4_lb");
            return C4_EFORMAT;
        }
        if (lb->abi != C4_LB_ABI) {
            snprintf(why, nwhy, "was built for version %u of the balancer interface, but this "
                     "c4 has version %u: build it again with this c4's c4_lb.h",
                     lb->abi, C4_LB_ABI);
            return C4_EABI;
        }
        if (!lb->name || !lb->help || !lb->solve) {
            snprintf(why, nwhy, "has a balancer (number %zu) without a name, help or solve function",
                     i + 1);
            return C4_EFORMAT;
        }
    }
    if (n == 0 || i == n) {
        snprintf(why, nwhy, "has a list " C4_LB_SYMBOL " that does not end with NULL");
        return C4_EFORMAT;
    }
    if (i == 0) {
        snprintf(why, nwhy, "has no balancer in its list " C4_LB_SYMBOL);
        return C4_EFORMAT;
    }
    return C4_OK;
}

const c4i_plugin_kind c4i_lb_plugin_kind = { "balancer", C4_LB_SYMBOL, check_descriptors };

/* ---- Names -------------------------------------------------------------- */

/* GreedyLB is called GreedyLB or Greedy. */
static int
is_called(const c4_lb *lb, const char *name)
{
    size_t n = strlen(lb->name);

    if (strcmp(lb->name, name) == 0)
        return 1;
    return n > 2 && strcmp(lb->name + n - 2, "LB") == 0 && strlen(name) == n - 2 &&
           strncmp(lb->name, name, n - 2) == 0;
}

static const c4_lb *
find(const c4_lb *const *list, const char *name)
{
    for (; *list; list++)
        if (is_called(*list, name))
            return *list;
    return NULL;
}

static void
append(char *to, size_t size, const char *before, const char *text)
{
    size_t n = strlen(to);

    snprintf(to + n, size - n, "%s%s", before, text);
}

/* "DummyLB, GreedyLB, ..." */
static void
append_names(const c4_lb *const *list, char *to, size_t size)
{
    for (const c4_lb *const *lb = list; *lb; lb++)
        append(to, size, lb == list ? "" : ", ", (*lb)->name);
}

static unsigned
distance(const c4_lb *lb, const char *name)
{
    char with_lb[64];
    unsigned d = c4i_edit_distance(name, lb->name), with;

    snprintf(with_lb, sizeof(with_lb), "%sLB", name);
    with = c4i_edit_distance(with_lb, lb->name);
    return with < d ? with : d;
}

static c4_err
unknown_name(const c4_lb *const *list, const char *name, char *why, size_t nwhy)
{
    const c4_lb *best = NULL;
    unsigned least = NEAR + 1;

    for (const c4_lb *const *lb = list; *lb; lb++) {
        unsigned d = distance(*lb, name);

        if (d < least && d < strlen(name)) {
            least = d;
            best = *lb;
        }
    }
    snprintf(why, nwhy, "there is no balancer '%.64s'%s%s%s; known: ", name,
             best ? " (did you mean " : "", best ? best->name : "", best ? "?)" : "");
    append_names(list, why, nwhy);
    return C4_ENOENT;
}

static int
ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* name is PLUGIN or PLUGIN:STRATEGY; it is cut at the colon. */
static c4_err
choose_from_plugin(char *name, c4i_lb_choice *out, char *why, size_t nwhy)
{
    char *colon = strrchr(name, ':'), *inner = NULL;
    const c4_lb *const *list;
    c4_err err;

    if (colon && !strchr(colon, '/')) {
        *colon = 0;
        inner = colon + 1;
    }
    err = c4i_plugin_open(&c4i_lb_plugin_kind, name, &out->plugin, why, nwhy);
    if (err)
        return err;
    list = out->plugin.data;
    if (inner) {
        out->lb = find(list, inner);
        return out->lb ? C4_OK : unknown_name(list, inner, why, nwhy);
    }
    if (list[1]) {
        snprintf(why, nwhy, "balancer plugin %s has several balancers, say which as %s:NAME: ",
                 out->plugin.path, name);
        append_names(list, why, nwhy);
        return C4_EINVAL;
    }
    out->lb = list[0];
    return C4_OK;
}

/* Without a path, a name that no plugin file has is a misspelt built-in. */
static c4_err
choose_by_name(char *name, c4i_lb_choice *out, char *why, size_t nwhy)
{
    const char *py = strstr(name, ".py");
    c4_err err;

    out->lb = find(c4i_lb_builtin, name);
    if (out->lb)
        return C4_OK;
    if (!*name) {
        snprintf(why, nwhy, "a balancer's name is missing; known: ");
        append_names(c4i_lb_builtin, why, nwhy);
        return C4_EINVAL;
    }
    if (py && (py[3] == ':' || !py[3])) {
        snprintf(why, nwhy, "balancer %s: strategies in Python are not supported yet, "
                 "only those in C (built in, or plugin.so)", name);
        return C4_EINVAL;
    }
    if (strchr(name, '/') || ends_with(name, ".so") || strstr(name, ".so:"))
        return choose_from_plugin(name, out, why, nwhy);
    err = choose_from_plugin(name, out, why, nwhy);
    if (err == C4_ENOENT && !out->plugin.handle) {
        err = unknown_name(c4i_lb_builtin, name, why, nwhy);
        append(why, nwhy, "", ", or path/to/plugin.so");
    }
    return err;
}

/* ---- Options ------------------------------------------------------------ */

static int
read_bool(const char *text, uint8_t *out)
{
    static const char *const words[] = { "no", "yes", "0", "1", "false", "true", "off", "on" };

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *out = i & 1;
            return 1;
        }
    return 0;
}

/* Stores text as the option's kind in block; says whether it was one. */
static int
store(const c4_lb_option *o, const char *text, char *block)
{
    char *end;
    double x;
    uint8_t flag;
    uint32_t n;

    if (o->kind == C4_LB_BOOL) {
        if (!read_bool(text, &flag))
            return 0;
        memcpy(block + o->offset, &flag, sizeof(flag));
        return 1;
    }
    x = strtod(text, &end);
    if (end == text || *end || !isfinite(x) || (o->min != o->max && (x < o->min || x > o->max)))
        return 0;
    if (o->kind == C4_LB_DOUBLE) {
        memcpy(block + o->offset, &x, sizeof(x));
        return 1;
    }
    n = x >= 0 && x <= UINT32_MAX ? (uint32_t)x : 0;
    if (n != x)
        return 0;
    memcpy(block + o->offset, &n, sizeof(n));
    return 1;
}

/* "a number from 1 to 1e+09" */
static void
describe_kind(const c4_lb_option *o, char *to, size_t size)
{
    static const char *const kinds[] = { [C4_LB_DOUBLE] = "a number", [C4_LB_BOOL] = "yes or no",
                                         [C4_LB_UINT] = "a whole number" };

    if (o->min != o->max)
        snprintf(to, size, "%s from %g to %g", kinds[o->kind], o->min, o->max);
    else
        snprintf(to, size, "%s", kinds[o->kind]);
}

static c4_err
unknown_option(const c4_lb *lb, const char *name, char *why, size_t nwhy)
{
    if (!lb->options || !lb->options->name) {
        snprintf(why, nwhy, "balancer %s has no options, so none called '%.64s'", lb->name, name);
        return C4_EINVAL;
    }
    snprintf(why, nwhy, "balancer %s has no option '%.64s'; it has: ", lb->name, name);
    for (const c4_lb_option *o = lb->options; o->name; o++)
        append(why, nwhy, o == lb->options ? "" : ", ", o->name);
    return C4_EINVAL;
}

/* One "option=value" of the user. */
static c4_err
set_option(const c4_lb *lb, char *given, char *block, char *why, size_t nwhy)
{
    char *value = strchr(given, '='), kind[96];

    if (value)
        *value++ = 0;
    for (const c4_lb_option *o = lb->options; o && o->name; o++) {
        if (strcmp(o->name, given) != 0)
            continue;
        if (value && store(o, value, block))
            return C4_OK;
        describe_kind(o, kind, sizeof(kind));
        snprintf(why, nwhy, "option %s of balancer %s takes %s, as in %s,%s=%s%s%.64s%s",
                 o->name, lb->name, kind, lb->name, o->name, o->initial,
                 value ? "; not '" : "", value ? value : "", value ? "'" : "");
        return C4_EINVAL;
    }
    return unknown_option(lb, given, why, nwhy);
}

static void
describe_options(c4i_lb_choice *c)
{
    const char *block = c->options;

    c->text[0] = 0;
    for (const c4_lb_option *o = c->lb->options; o && o->name; o++) {
        char value[32];
        double x;
        uint32_t n;

        if (o->kind == C4_LB_DOUBLE) {
            memcpy(&x, block + o->offset, sizeof(x));
            snprintf(value, sizeof(value), "=%.10g", x);
        } else if (o->kind == C4_LB_UINT) {
            memcpy(&n, block + o->offset, sizeof(n));
            snprintf(value, sizeof(value), "=%u", n);
        } else {
            snprintf(value, sizeof(value), "=%s", block[o->offset] ? "yes" : "no");
        }
        append(c->text, sizeof(c->text), o == c->lb->options ? "" : ",", o->name);
        append(c->text, sizeof(c->text), "", value);
    }
}

/* A mistake in a plugin's table, found before it can write outside its block. */
static c4_err
set_initial(const c4_lb *lb, char *block, char *why, size_t nwhy)
{
    static const size_t sizes[] = { [C4_LB_DOUBLE] = sizeof(double),
                                    [C4_LB_UINT] = sizeof(uint32_t), [C4_LB_BOOL] = 1 };

    for (const c4_lb_option *o = lb->options; o && o->name; o++)
        if ((unsigned)o->kind > C4_LB_BOOL || o->offset + sizes[o->kind] > lb->options_size ||
            !o->initial || !store(o, o->initial, block)) {
            snprintf(why, nwhy, "balancer %s declares its option %s wrongly: kind, offset or "
                     "initial value", lb->name, o->name);
            return C4_EFORMAT;
        }
    return C4_OK;
}

/* list: the user's options with commas between, or NULL; it is cut up. */
static c4_err
read_options(c4i_lb_choice *c, char *list, char *why, size_t nwhy)
{
    c4_err err = C4_OK;
    char *rest, *given;

    if (c->lb->options_size) {
        c->options = calloc(1, c->lb->options_size);
        if (!c->options) {
            snprintf(why, nwhy, "%s", c4_strerror(C4_ENOMEM));
            return C4_ENOMEM;
        }
    }
    err = set_initial(c->lb, c->options, why, nwhy);
    if (list)
        for (given = strtok_r(list, ",", &rest); given && !err; given = strtok_r(NULL, ",", &rest))
            err = set_option(c->lb, given, c->options, why, nwhy);
    if (!err)
        describe_options(c);
    return err;
}

/* ---- Both --------------------------------------------------------------- */

c4_err
c4i_lb_choose(const char *spec, c4i_lb_choice *out, char *why, size_t nwhy)
{
    char *name = strdup(spec), *options;
    c4_err err;

    *out = (c4i_lb_choice){ .lb = NULL };
    if (!name) {
        snprintf(why, nwhy, "%s", c4_strerror(C4_ENOMEM));
        return C4_ENOMEM;
    }
    options = strchr(name, ',');
    if (options)
        *options++ = 0;
    err = choose_by_name(name, out, why, nwhy);
    if (!err)
        err = read_options(out, options, why, nwhy);
    if (err)
        c4i_lb_choice_release(out);
    free(name);
    return err;
}

void
c4i_lb_choice_release(c4i_lb_choice *c)
{
    free(c->options);
    c4i_plugin_close(&c->plugin);
    c->options = NULL;
    c->lb = NULL;
}

static void
list_one(FILE *out, const c4_lb *lb)
{
    fprintf(out, "  %-16s %s\n", lb->name, lb->help);
    for (const c4_lb_option *o = lb->options; o && o->name; o++)
        fprintf(out, "    ,%s=%s  %s\n", o->name, o->initial, o->help);
}

static void
list_plugin(void *ctx, const c4i_plugin *p, const char *why)
{
    if (!p) {
        fprintf(ctx, "%s\n", why);
        return;
    }
    fprintf(ctx, "Plugin %s:\n", p->path);
    for (const c4_lb *const *lb = p->data; *lb; lb++)
        list_one(ctx, *lb);
}

void
c4i_lb_list(FILE *out)
{
    fprintf(out, "Load balancers, for +balancer NAME[,option=value...] (LB may be left out):\n");
    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++)
        list_one(out, *lb);
    c4i_plugin_scan(&c4i_lb_plugin_kind, list_plugin, out);
    fprintf(out, "Others: +balancer path/to/plugin.so, or NAME of a NAME.so in $C4_PLUGIN_PATH.\n");
}
