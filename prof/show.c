/*
 * show.c - how numbers and texts of a database look.
 */
#include <math.h>
#include <stdio.h>

#include "prof/c4prof.h"
#include "prof/plain.h"

/* Three digits that count, whatever the unit. */
static const char *
scaled(char buf[16], double v, double base, const char *const *units, int nunits)
{
    int u = 0;

    while (fabs(v) >= 999.5 && u + 1 < nunits) {
        v /= base;
        u++;
    }
    snprintf(buf, 16, "%.*f%s", u == 0 || fabs(v) >= 99.95 ? 0 : fabs(v) >= 9.995 ? 1 : 2, v,
             units[u]);
    return buf;
}

const char *
c4i_show_ns(char buf[16], double ns)
{
    static const char *const units[] = { " ns", " us", " ms", " s" };

    return scaled(buf, ns, 1000, units, 4);
}

const char *
c4i_show_bytes(char buf[16], double bytes)
{
    static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB" };

    return scaled(buf, bytes, 1024, units, 5);
}

const char *
c4i_show_count(char buf[16], double n)
{
    static const char *const units[] = { "", " k", " M", " G", " T" };

    if (n < 100000)
        snprintf(buf, 16, "%.0f", n);
    else
        scaled(buf, n, 1000, units, 5);
    return buf;
}

const char *
c4i_show_text(char *buf, size_t n, sqlite3_stmt *q, int col, const char *otherwise)
{
    const char *text = (const char *)sqlite3_column_text(q, col);

    return text ? c4i_plain(buf, n, text) : otherwise;
}

void
c4i_print_json(const char *json)
{
    while (*json) {
        uint32_t c = 0;
        int n = c4i_utf8(json, &c);

        if (!n || c4i_is_control(c))
            printf("\\u%04x", n ? c : 0xfffd);
        else
            fwrite(json, 1, (size_t)n, stdout);
        json += n ? n : 1;
    }
    putchar('\n');
}
