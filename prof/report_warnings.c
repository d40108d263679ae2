/*
 * report_warnings.c - what the data says went wrong, or could go better.
 *
 * Each warning is a query whose rows are sentences; no row, no warning.
 */
#include <stddef.h>

#include "prof/c4prof.h"

static const char *const queries[] = {
    "SELECT 'the job did not come to its end: ' || CASE n WHEN 0 THEN 'PEs are missing'"
    " WHEN 1 THEN 'PE ' || pes || ' was killed' WHEN npes THEN 'all PEs were killed'"
    " ELSE 'PEs ' || pes || ' were killed' END"
    " FROM (SELECT count(*) AS n, group_concat(pe, ', ') AS pes FROM pe WHERE NOT complete), run"
    " WHERE NOT complete",

    "SELECT 'the job ended with exit status ' || exit_status FROM run WHERE exit_status != 0",

    "SELECT dropped || ' records found no room and are missing: sums over executions and messages"
    " are too small (the summary is right); give +traceLimit a larger size, or record"
    " +traceLevel summary' FROM run WHERE dropped > 0",

    "SELECT CASE WHEN pe IS NULL THEN '' ELSE 'PE ' || pe || ': ' END || text FROM log"
    " WHERE level IN ('warning', 'error') LIMIT 5",

    "SELECT name || ' could not be counted: ' || why_missing FROM counter"
    " WHERE why_missing IS NOT NULL",

    "SELECT 'more PEs than cores: an execution''s time includes waiting for a core'"
    " FROM run WHERE oversubscribed",

    "SELECT printf('PEs were idle %.0f %% of the time', sum(100.0 * idle_ns) / sum(end - begin))"
    " FROM pe HAVING sum(idle_ns) > 0.5 * sum(end - begin) AND count(*) > 1",

    "SELECT printf('PE %d was busy %.2f times as long as the mean, and nothing was balanced:"
    " try +balancer GreedyRefineLB', pe, busy_ns / mean)"
    " FROM (SELECT pe, max(busy_ns) AS busy_ns, avg(busy_ns) AS mean FROM pe)"
    " WHERE busy_ns > 1.2 * mean AND mean > 10000000 AND NOT EXISTS (SELECT 1 FROM lb_step)"
    " AND (SELECT count(*) FROM pe) > 1",

    "SELECT printf('balancing did not help at %s: imbalance %.0f %% before, %.0f %% predicted,"
    " %.0f %% measured afterwards', CASE count(*) WHEN 1 THEN 'step ' || min(step)"
    " ELSE count(*) || ' steps, first at step ' || min(step) END, 100 * imbalance_before,"
    " 100 * imbalance_predicted, 100 * imbalance_measured) FROM lb_step"
    " WHERE imbalance_before > 0.1 AND imbalance_predicted < 0.8 * imbalance_before"
    " AND imbalance_measured > 0.95 * imbalance_before HAVING count(*) > 0",

    "SELECT printf('the strategy and migrations took %.0f %% of the run: balance less often',"
    " 100.0 * spent / wall) FROM (SELECT (SELECT sum(end - begin) FROM lb_step) +"
    " (SELECT sum(migrate_out_ns + migrate_in_ns) / max(count(*), 1) FROM pe) AS spent,"
    " (SELECT max(end) FROM pe) AS wall) WHERE spent > 0.1 * wall",

    "SELECT printf('one object (%s%s) has %.1f times the load of a mean PE: no mapping can"
    " balance that, split it', coalesce(t.name || ' ', ''), coalesce(o.idx, o.element),"
    " l.load * n.npes / n.total)"
    " FROM lb_object l, (SELECT step, sum(load) AS total, max(load) AS top,"
    "  (SELECT count(*) FROM lb_pe p WHERE p.step = (SELECT max(step) FROM lb_step)) AS npes"
    "  FROM lb_object WHERE step = (SELECT max(step) FROM lb_step)) n"
    " JOIN object o ON o.id = l.object LEFT JOIN collection c ON c.id = o.collection"
    " LEFT JOIN chare_type t ON t.id = c.type"
    " WHERE l.step = n.step AND l.load = n.top AND n.npes > 1"
    " AND n.top * n.npes > 1.2 * n.total LIMIT 1",

    "SELECT printf('PEs spent %.0f %% of the time between executions of %s on average: make"
    " the work of a message larger', 100.0 * over / wall,"
    " CASE WHEN mean < 1000 THEN printf('%.0f ns', mean) ELSE printf('%.1f us', mean / 1000) END)"
    " FROM (SELECT sum(overhead_ns) AS over, sum(end - begin) AS wall FROM pe),"
    " (SELECT sum(ns) * 1.0 / sum(stretches) AS mean FROM summary)"
    " WHERE over > 0.3 * wall AND mean < 20000 AND wall > 100000000",

    NULL
};

void
c4i_report_warnings(sqlite3 *db, void (*say)(void *arg, const char *text), void *arg)
{
    for (int i = 0; queries[i]; i++) {
        sqlite3_stmt *q = c4i_db_query(db, queries[i]);

        while (c4i_db_row(q)) {
            const char *text = (const char *)sqlite3_column_text(q, 0);

            if (text)
                say(arg, text);
        }
        sqlite3_finalize(q);
    }
}
