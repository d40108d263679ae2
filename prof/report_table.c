/*
 * report_table.c - c4prof report: one screen of 100 columns.
 *
 * Each section is one query and one loop; long lists show their ends.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "prof/c4prof.h"
#include "prof/plain.h"

enum { BAR = 40, MOST_PES = 16, MOST_ENTRIES = 12, MOST_STEPS = 12, NAME = 34 };

enum { TEXT = 200, LONG_TEXT = 8192 };

/* A short text of the database, fit for a terminal; lives as long as the block. */
#define TEXT(q, col, otherwise) \
    c4i_show_text((char[TEXT]){ 0 }, TEXT, q, col, otherwise)

/* Columns of a terminal, combining and wide characters aside. */
static int
columns(const char *s)
{
    int n = 0;

    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

/* A name that is too long keeps its end, where methods differ. */
static void
print_name(sqlite3_stmt *q, int col)
{
    const char *name = (const char *)sqlite3_column_text(q, col);
    size_t n = name ? strlen(name) : 0;
    char buf[4 * TEXT];
    const char *s = c4i_plain(buf, sizeof(buf), name ? name + (n > TEXT ? n - TEXT : 0) : "?");
    int left_out = columns(s) - (NAME - 2);

    if (columns(s) > NAME) {
        for (; left_out > 0; left_out--)
            for (s++; (*s & 0xc0) == 0x80; s++)
                ;
        printf("  ..%s", s);
    } else {
        printf("  %s%*s", s, NAME - columns(s), "");
    }
}

/* ---- The run --------------------------------------------------------------------- */

static void
print_run(sqlite3 *db, const char *path)
{
    sqlite3_stmt *q = c4i_db_query(db,
        "SELECT coalesce((SELECT group_concat(value, ' ') FROM json_each(argv)), program),"
        " start, npes, json_array_length(hosts), json_extract(hosts, '$[0]'), transport,"
        " exit_status, complete, level, end_ns, balancer, version FROM run");
    char t[16], file[LONG_TEXT], command[LONG_TEXT];

    if (c4i_db_row(q)) {
        bool alone = sqlite3_column_int(q, 3) < 2;

        printf("%s: %s\n", c4i_plain(file, sizeof(file), path),
               c4i_show_text(command, sizeof(command), q, 0, "?"));
        printf("%s, %d PE%s on %s%s by %s, %s", TEXT(q, 1, "?"), sqlite3_column_int(q, 2),
               sqlite3_column_int(q, 2) == 1 ? "" : "s", TEXT(q, 4, "?"),
               alone ? "" : " and others", TEXT(q, 5, "?"),
               c4i_show_ns(t, sqlite3_column_double(q, 9)));
        if (sqlite3_column_type(q, 6) == SQLITE_NULL)
            printf(", killed");
        else
            printf(", exit status %d", sqlite3_column_int(q, 6));
        printf(", level %s, balancer %s, c4 %s\n", TEXT(q, 8, "?"), TEXT(q, 10, "none"),
               TEXT(q, 11, "?"));
    }
    sqlite3_finalize(q);
}

static bool
has(sqlite3_stmt *q, int col)
{
    return sqlite3_column_bytes(q, col) > 0;
}

/* What was run, and why; nothing where nothing is known. */
static void
print_origin(sqlite3 *db)
{
    sqlite3_stmt *q = c4i_db_query(db,
        "SELECT program, substr(git_revision, 1, 12), git_dirty, python, numpy, note FROM run");
    char name[LONG_TEXT];
    bool row = c4i_db_row(q);

    if (row && has(q, 0)) {
        printf("program %s", c4i_show_text(name, sizeof(name), q, 0, ""));
        if (has(q, 1))
            printf(" at revision %s%s", TEXT(q, 1, ""),
                   sqlite3_column_int(q, 2) ? " with changes" : "");
        if (has(q, 3))
            printf(", Python %s", TEXT(q, 3, ""));
        if (has(q, 4))
            printf(", NumPy %s", TEXT(q, 4, ""));
        printf("\n");
    }
    if (row && has(q, 5))
        printf("note: %s\n", c4i_show_text(name, sizeof(name), q, 5, ""));
    sqlite3_finalize(q);
}

/* ---- PEs ------------------------------------------------------------------------- */

static void
print_bar(double busy, double stolen, double over)
{
    int b = (int)(busy * BAR / 100 + 0.5), s = (int)((busy + stolen) * BAR / 100 + 0.5);
    int o = (int)((busy + stolen + over) * BAR / 100 + 0.5);

    putchar('|');
    for (int i = 0; i < BAR; i++)
        putchar(i < b ? '#' : i < s ? '-' : i < o ? '+' : '.');
    putchar('|');
}

static void
print_pe(sqlite3_stmt *q)
{
    double busy = sqlite3_column_double(q, 1), stolen = sqlite3_column_double(q, 2);
    double over = sqlite3_column_double(q, 4);
    char a[16], b[16];

    printf("  %4s  %5.1f  %7.1f  %5.1f  %8.1f  ", TEXT(q, 0, "mean"), busy, stolen,
           sqlite3_column_double(q, 3), over);
    print_bar(busy, stolen, over);
    printf("  %8s  %8s\n", c4i_show_count(a, sqlite3_column_double(q, 5)),
           c4i_show_bytes(b, sqlite3_column_double(q, 6)));
}

static void
print_pes(sqlite3 *db)
{
    static const char all[] =
        "SELECT pe, busy_percent, stolen_percent, idle_percent, overhead_percent, sent, sent_bytes"
        " FROM pe_time JOIN pe USING (pe) ORDER BY pe";
    static const char ends[] =
        "WITH ranked AS (SELECT pe, busy_percent, stolen_percent, idle_percent, overhead_percent,"
        " sent, sent_bytes, row_number() OVER (ORDER BY busy_percent DESC) AS r,"
        " count(*) OVER () AS n FROM pe_time JOIN pe USING (pe))"
        " SELECT * FROM ranked WHERE r <= 8 OR r > n - 8 ORDER BY r";
    static const char mean[] =
        "SELECT NULL, avg(busy_percent), avg(stolen_percent), avg(idle_percent),"
        " avg(overhead_percent), avg(sent), avg(sent_bytes), count(*), max(busy_percent) FROM pe_time JOIN pe USING (pe)";
    sqlite3_stmt *m = c4i_db_query(db, mean), *q;
    bool have = c4i_db_row(m);
    int n = sqlite3_column_int(m, 7);

    printf("\n  %4s  %5s  %7s  %5s  %8s  %-*s  %8s  %8s\n", "PE", "busy%", "stolen%", "idle%",
           "overhead", BAR + 2, "# busy - stolen + overhead . idle", "sent", "bytes");
    q = c4i_db_query(db, n > MOST_PES ? ends : all);
    for (int i = 0; c4i_db_row(q); i++) {
        if (n > MOST_PES && i == 8)
            printf("   ...  %d PEs between the busiest and the idlest are left out\n",
                   n - MOST_PES);
        print_pe(q);
    }
    sqlite3_finalize(q);
    if (have && n > 1) {
        double busy = sqlite3_column_double(m, 1);

        print_pe(m);
        if (busy > 0)
            printf("  imbalance of busy time over the whole run: %.1f %%\n",
                   100 * (sqlite3_column_double(m, 8) / busy - 1));
    }
    sqlite3_finalize(m);
}

/* ---- Entry methods ----------------------------------------------------------------- */

enum { FIRST_COUNTER = 6, MEAN_WIDTH = 12, MAX_WIDTH = 11 };

/* Returns the number of counters; in_ns tells which count time. */
static int
print_entry_heads(sqlite3 *db, bool in_ns[6])
{
    sqlite3_stmt *q = c4i_db_query(db, "SELECT name, unit FROM counter WHERE col IS NOT NULL"
                                       " ORDER BY col");
    int n = 0;

    printf("\n  %-*s  %8s  %8s  %*s  %*s  %6s", NAME, "entry method", "calls", "total",
           MEAN_WIDTH, "mean/stretch", MAX_WIDTH, "max/stretch", "share%");
    while (n < 6 && c4i_db_row(q)) {
        const char *name = TEXT(q, 0, "?"), *colon = strrchr(name, ':');

        printf("  %*s", 10, colon ? colon + 1 : name);
        in_ns[n++] = strcmp(TEXT(q, 1, ""), "ns") == 0;
    }
    printf("\n");
    sqlite3_finalize(q);
    return n;
}

static void
print_counter(sqlite3_stmt *q, int col, bool in_ns)
{
    double v = sqlite3_column_double(q, col);
    char a[16];

    if (sqlite3_column_type(q, col) == SQLITE_NULL)
        printf("  %10s", "-");
    else
        printf("  %10s", in_ns ? c4i_show_ns(a, v) : c4i_show_count(a, v));
}

static void
print_entries(sqlite3 *db)
{
    bool in_ns[6];
    int ncounters = print_entry_heads(db, in_ns), shown = 0;
    sqlite3_stmt *q = c4i_db_query(db, "SELECT entry, calls, own_ns, mean_ns, max_ns, percent,"
                                       " c1, c2, c3, c4, c5, c6 FROM entry_time");
    double rest = 0;
    char a[16];

    for (; c4i_db_row(q); shown++) {
        if (shown >= MOST_ENTRIES) {
            rest += sqlite3_column_double(q, 5);
            continue;
        }
        print_name(q, 0);
        printf("  %8s", c4i_show_count(a, sqlite3_column_double(q, 1)));
        printf("  %8s", c4i_show_ns(a, sqlite3_column_double(q, 2)));
        printf("  %*s", MEAN_WIDTH, c4i_show_ns(a, sqlite3_column_double(q, 3)));
        printf("  %*s", MAX_WIDTH, c4i_show_ns(a, sqlite3_column_double(q, 4)));
        printf("  %6.1f", sqlite3_column_double(q, 5));
        for (int i = 0; i < ncounters; i++)
            print_counter(q, FIRST_COUNTER + i, in_ns[i]);
        printf("\n");
    }
    if (shown > MOST_ENTRIES)
        printf("  ... and %d more with %.1f %%\n", shown - MOST_ENTRIES, rest);
    sqlite3_finalize(q);
}

/* ---- Messages ----------------------------------------------------------------------- */

static void
print_messages(sqlite3 *db)
{
    sqlite3_stmt *q = c4i_db_query(db,
        "SELECT sum(sent), sum(sent_bytes), min(sent_min), max(sent_max), sum(local_calls)"
        " FROM pe");
    char a[16], b[16], c[16], d[16], e[16];
    bool some = false;

    if (c4i_db_row(q))
        printf("\n  messages between PEs: %s with %s (min %s, max %s); calls within a PE: %s\n",
               c4i_show_count(a, sqlite3_column_double(q, 0)),
               c4i_show_bytes(b, sqlite3_column_double(q, 1)),
               c4i_show_bytes(c, sqlite3_column_double(q, 2)),
               c4i_show_bytes(d, sqlite3_column_double(q, 3)),
               c4i_show_count(e, sqlite3_column_double(q, 4)));
    sqlite3_finalize(q);
    q = c4i_db_query(db,
        "SELECT k.name, count(*) AS n, sum(bytes), avg(arrived - sent)"
        " FROM message m JOIN message_kind k ON k.id = m.kind WHERE m.dst != m.src"
        " GROUP BY k.name ORDER BY n DESC LIMIT 5");
    for (; c4i_db_row(q); some = true) {
        printf("%s%s %s, %s", some ? "; " : "    of these ", TEXT(q, 0, "?"),
               c4i_show_count(a, sqlite3_column_double(q, 1)),
               c4i_show_bytes(b, sqlite3_column_double(q, 2)));
        if (sqlite3_column_type(q, 3) != SQLITE_NULL)
            printf(", mean latency %s", c4i_show_ns(c, sqlite3_column_double(q, 3)));
    }
    if (some)
        printf("\n");
    sqlite3_finalize(q);
}

/* ---- Load balancing ------------------------------------------------------------------ */

static void
print_percent(sqlite3_stmt *q, int col)
{
    if (sqlite3_column_type(q, col) == SQLITE_NULL)
        printf("  %9s", "-");
    else
        printf("  %7.1f %%", 100 * sqlite3_column_double(q, col));
}

static void
print_step(sqlite3_stmt *q)
{
    char a[16];

    printf("  %4d  %8s", sqlite3_column_int(q, 0),
           c4i_show_ns(a, sqlite3_column_double(q, 1)));
    printf("  %-16s  %7d  %6d", TEXT(q, 2, "?"), sqlite3_column_int(q, 3),
           sqlite3_column_int(q, 4));
    printf("  %8s", c4i_show_ns(a, sqlite3_column_double(q, 5)));
    printf("  %9s", sqlite3_column_type(q, 6) == SQLITE_NULL
           ? "-" : c4i_show_ns(a, sqlite3_column_double(q, 6)));
    for (int i = 7; i < 10; i++)
        print_percent(q, i);
    printf("\n");
}

static void
print_steps(sqlite3 *db)
{
    sqlite3_stmt *q = c4i_db_query(db,
        "SELECT step, begin, strategy, objects, migrations,"
        " coalesce(statistics_ns, 0) + coalesce(strategy_ns, 0), migration_ns,"
        " imbalance_before, imbalance_predicted, imbalance_measured, metric,"
        " count(*) OVER () AS n FROM lb_step ORDER BY step");

    for (int i = 0; c4i_db_row(q); i++) {
        int n = sqlite3_column_int(q, 11);

        if (i == 0)
            printf("\n  load balancing by %s time; imbalance is max / mean - 1\n"
                   "  %4s  %8s  %-16s  %7s  %6s  %8s  %9s  %9s  %9s  %9s\n",
                   TEXT(q, 10, "?"), "step", "at", "strategy", "objects", "moved", "decision",
                   "migration", "before", "predicted", "measured");
        if (n > MOST_STEPS && i == 3)
            printf("   ...  %d steps are left out\n", n - MOST_STEPS);
        if (n <= MOST_STEPS || i < 3 || i >= n - (MOST_STEPS - 3))
            print_step(q);
    }
    sqlite3_finalize(q);
}

static void
print_migrations(sqlite3 *db)
{
    sqlite3_stmt *q = c4i_db_query(db,
        "SELECT count(*), sum(why = 'user'), sum(bytes), avg(arrived - left),"
        " (SELECT sum(migrate_out_ns + migrate_in_ns) FROM pe) FROM migration");
    char a[16], b[16], c[16], d[16];

    if (c4i_db_row(q) && sqlite3_column_int64(q, 0) > 0)
        printf("\n  migrations: %s (%lld of them by the program), %s, mean flight %s, PEs spent "
               "%s on them\n", c4i_show_count(a, sqlite3_column_double(q, 0)),
               (long long)sqlite3_column_int64(q, 1),
               c4i_show_bytes(b, sqlite3_column_double(q, 2)),
               c4i_show_ns(c, sqlite3_column_double(q, 3)),
               c4i_show_ns(d, sqlite3_column_double(q, 4)));
    sqlite3_finalize(q);
}

static void
print_warning(void *arg, const char *warning)
{
    bool *first = arg;
    char shown[LONG_TEXT];

    if (*first)
        printf("\n");
    *first = false;
    printf("  ! %s\n", c4i_plain(shown, sizeof(shown), warning));
}

int
c4i_report_table(sqlite3 *db, const char *path)
{
    bool first = true;

    print_run(db, path);
    print_origin(db);
    print_pes(db);
    print_entries(db);
    print_messages(db);
    print_steps(db);
    print_migrations(db);
    c4i_report_warnings(db, print_warning, &first);
    return 0;
}
