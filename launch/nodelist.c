/*
 * nodelist.c - see nodelist.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/nodelist.h"

static const char blanks[] = " \t\r\n";

static const struct option {
    const char *name;
    int         nvalues;                    /* -1: the rest of the line */
    bool        number;
} options[] = {
    { "cpus", 1, true }, { "shell", 1, false }, { "login", 1, false }, { "setup", -1, false },
    { "pathfix", 2, false }, { "ext", 1, false }, { "speed", 1, true }, { "nice", 1, true },
};

struct reader {
    c4i_nodelist *list;
    const char   *path, *group;
    unsigned      line;
    bool          chosen, found;            /* in the group now; at all */
    char         *why;
    size_t        len;
};

__attribute__((format(printf, 2, 3)))
static int
fail(struct reader *r, const char *fmt, ...)
{
    int n = snprintf(r->why, r->len, "node list %s, line %u: ", r->path, r->line);
    va_list ap;

    va_start(ap, fmt);
    if (n >= 0 && (size_t)n < r->len)
        vsnprintf(r->why + n, r->len - (size_t)n, fmt, ap);
    va_end(ap);
    return -1;
}

static const struct option *
find_option(const char *word)
{
    if (!strncmp(word, "++", 2))
        word += 2;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (!strcmp(word, options[i].name))
            return &options[i];
    return NULL;
}

static bool
is_number(const char *text)
{
    char *end;

    strtod(text, &end);
    return end != text && !*end;
}

/* The options from word on, the first word of what is left of the line. */
static int
read_options(struct reader *r, char *word, char **rest)
{
    for (; word; word = strtok_r(NULL, blanks, rest)) {
        const struct option *o = find_option(word);

        if (!o)
            return fail(r, "%s is no option; there are ++cpus, ++shell, ++login, ++setup, "
                        "++pathfix, ++ext, ++speed and ++nice", word);
        if (o->nvalues < 0)
            return 0;
        for (int i = 0; i < o->nvalues; i++) {
            const char *value = strtok_r(NULL, blanks, rest);

            if (!value)
                return fail(r, "%s needs %d value%s", word, o->nvalues, o->nvalues > 1 ? "s" : "");
            if (o->number && !is_number(value))
                return fail(r, "%s takes a number, not %s", word, value);
        }
    }
    return 0;
}

static int
add_host(struct reader *r, const char *name)
{
    c4i_nodelist *l = r->list;
    char **grown;

    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->host[i], name))
            return 0;
    grown = realloc(l->host, (l->n + 1) * sizeof(*grown));
    if (!grown)
        return fail(r, "out of memory");
    l->host = grown;
    l->host[l->n] = strdup(name);
    return l->host[l->n] ? (l->n++, 0) : fail(r, "out of memory");
}

static int
read_line(struct reader *r, char *line)
{
    char *rest, *word = strtok_r(line, blanks, &rest), *name;
    bool group;

    if (!word || word[0] == '#')
        return 0;
    group = !strcmp(word, "group");
    if (!group && strcmp(word, "host")) {
        if (!find_option(word))
            return fail(r, "a line starts with host, group, an option or #, not with %s", word);
        return read_options(r, word, &rest);
    }
    name = strtok_r(NULL, blanks, &rest);
    if (!name)
        return fail(r, "%s needs a name", word);
    if (group) {
        r->chosen = !strcmp(name, r->group);
        r->found |= r->chosen;
    } else if (r->chosen && add_host(r, name)) {
        return -1;
    }
    return read_options(r, strtok_r(NULL, blanks, &rest), &rest);
}

int
c4i_nodelist_read(c4i_nodelist *l, const char *path, const char *group, char *why, size_t len)
{
    struct reader r = { .list = l, .path = path, .group = group, .why = why, .len = len };
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    int err = 0;

    *l = (c4i_nodelist){ 0 };
    if (!f) {
        snprintf(why, len, "node list %s: %s", path, strerror(errno));
        return -1;
    }
    r.chosen = !strcmp(group, "main");
    while (!err && getline(&line, &cap, f) >= 0) {
        r.line++;
        err = read_line(&r, line);
    }
    free(line);
    fclose(f);
    if (!err && !l->n) {
        snprintf(why, len, r.found || !strcmp(group, "main") ? "node list %s: group %s has no hosts"
                 : "node list %s has no group %s (++nodegroup)", path, group);
        err = -1;
    }
    return err;
}

void
c4i_nodelist_release(c4i_nodelist *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->host[i]);
    free(l->host);
    *l = (c4i_nodelist){ 0 };
}

static bool
is_loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strcmp(host, "127.0.0.1");
}

static bool
is_this_host(const char *host)
{
    char name[HOST_NAME_MAX + 1] = "";

    gethostname(name, sizeof(name) - 1);
    return is_loopback(host) || !strcmp(host, name);
}

int
c4i_nodelist_check_local(const c4i_nodelist *l, const char *path, char *why, size_t len)
{
    const char *loopback = NULL, *named = NULL, *other = NULL;

    for (size_t i = 0; i < l->n; i++) {
        if (is_loopback(l->host[i]))
            loopback = l->host[i];
        else
            named = l->host[i];
        if (!is_this_host(l->host[i]))
            other = l->host[i];
    }
    if (loopback && named) {
        snprintf(why, len, "node list %s names %s beside %s: other hosts cannot reach it by "
                 "that name", path, loopback, named);
        return -1;
    }
    if (other) {
        snprintf(why, len, "node list %s names host %s: this version runs on one host only; "
                 "start it with ++local", path, other);
        return -1;
    }
    return 0;
}

char *
c4i_nodelist_find(const char *named)
{
    const char *home = getenv("HOME");
    char *path = NULL;

    if (!named)
        named = getenv("NODELIST");
    if (!named && !access("nodelist", F_OK))
        named = "nodelist";
    if (named)
        return strdup(named);
    if (!home || asprintf(&path, "%s/.nodelist", home) < 0)
        return NULL;
    if (!access(path, F_OK))
        return path;
    free(path);
    return NULL;
}
