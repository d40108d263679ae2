/*
 * report_warnings.c - what the data says went wrong, or could go better.
 *
 * Each warning is a query whose rows are sentences; no row, no warning.  What a
 * sentence advises can be done and would help as far as the data tells: if not,
 * it says what is so and advises nothing.
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
    " are too small (the summary is right)' || CASE level WHEN 'full' THEN"
    "  '; give them room (+traceLimit, the disk), or record +traceLevel summary' ELSE '' END"
    " FROM run WHERE dropped > 0",

    "SELECT printf('PE %d: single executions and messages are whole from %.3f s to %.3f s of %.3f s',"
    " pe, begin / 1e9, covered_until / 1e9, end / 1e9) FROM pe WHERE covered_until IS NOT NULL"
    " ORDER BY pe LIMIT 8",

    "SELECT printf('PE %d: the disk was full, how busy it was over time is known to %.3f s of %.3f s',"
    " pe, bins_until / 1e9, end / 1e9) FROM pe WHERE bins_until IS NOT NULL ORDER BY pe LIMIT 8",

    "SELECT CASE WHEN pe IS NULL THEN '' ELSE 'PE ' || pe || ': ' END || text FROM log"
    " WHERE level IN ('warning', 'error') LIMIT 5",

    "SELECT name || ' could not be counted: ' || why_missing FROM counter"
    " WHERE why_missing IS NOT NULL",

    "SELECT 'more PEs than cores: the time of executions shorter than 1 ms includes their waiting"
    " for a core' FROM run WHERE oversubscribed",

    "SELECT printf('PE %d was stopped for %.3f s by a signal: that is not counted as its work', pe,"
    " stopped_ns / 1e9) FROM pe WHERE stopped_ns > 1000000 ORDER BY stopped_ns DESC LIMIT 4",

    "SELECT printf('PE %d waited %.3f s for a core while it had work (%d involuntary switches):"
    " that is not counted as its work', pe, (stolen_ns - stopped_ns) / 1e9, switches) FROM pe"
    " WHERE stolen_ns - stopped_ns > max(10000000, 0.02 * busy_ns)"
    " ORDER BY stolen_ns - stopped_ns DESC LIMIT 4",

    "SELECT printf('PEs were idle %.0f %% of the time', sum(100.0 * idle_ns) / sum(end - begin))"
    " FROM pe HAVING sum(idle_ns) > 0.5 * sum(end - begin) AND count(*) > 1",

    /* one: what took the most on the busiest PE; free: what balancing can move there. */
    "WITH own AS (SELECT pe, busy_ns - stolen_ns AS busy FROM pe),"
    " top AS (SELECT pe, busy, mean FROM own, (SELECT avg(busy) AS mean, count(*) AS n FROM own)"
    "   WHERE n > 1 AND busy > 1.2 * mean AND mean > 10000000"
    "   AND NOT EXISTS (SELECT 1 FROM lb_step) ORDER BY busy DESC LIMIT 1),"
    " one AS (SELECT object, sum(ns - coalesce(stolen_ns, 0)) AS ns FROM execution WHERE pe = (SELECT pe FROM top)"
    "  GROUP BY object ORDER BY ns DESC LIMIT 1),"
    " free AS (SELECT (SELECT coalesce(sum(s.ns - s.stolen_ns), 0) FROM summary s JOIN entry_method m"
    "   ON m.id = s.entry WHERE s.pe = (SELECT pe FROM top)"
    "   AND m.type IN (SELECT type FROM collection WHERE at_sync)) AS ns,"
    "  (SELECT count(*) FROM object o JOIN collection c ON c.id = o.collection WHERE at_sync"
    "   AND coalesce((SELECT to_pe FROM migration WHERE object = o.id ORDER BY id DESC LIMIT 1),"
    "    created_pe) = (SELECT pe FROM top)) AS n)"
    " SELECT printf('PE %d was busy %.2f times as long as the mean, and nothing was balanced: ',"
    "  pe, busy / mean) || CASE"
    " WHEN one.ns > 1.2 * mean AND object IS NULL THEN printf('the main function alone took"
    " %.2f times the mean, give its work to chares', one.ns / mean)"
    " WHEN one.ns > 1.2 * mean THEN printf('one object (%s) alone took %.2f times the mean,"
    " split it', (SELECT trim(coalesce(t.name || ' ', '') ||"
    "   iif(c.kind = 'single', '', coalesce(o.idx, ''))) FROM object o"
    "  JOIN collection c ON c.id = o.collection LEFT JOIN chare_type t ON t.id = c.type"
    "  WHERE o.id = object), one.ns / mean)"
    " WHEN NOT EXISTS (SELECT 1 FROM collection WHERE at_sync) THEN 'nothing there can move, no"
    " array takes part in load balancing (useAtSync=True)'"
    " WHEN n < 2 THEN printf('nothing there can be spread, of its elements %s takes part in load"
    " balancing', iif(n, 'one', 'none'))"
    " WHEN max(mean, busy - free.ns, coalesce(one.ns, 0)) < 0.9 * busy"
    "  THEN 'try +balancer GreedyRefineLB'"
    " ELSE printf('balancing could move only %.0f %% of it', 100.0 * free.ns / busy) END"
    " FROM top, free LEFT JOIN one",

    "SELECT printf('balancing did not help at %s: imbalance %.0f %% before, %.0f %% predicted,"
    " %.0f %% measured afterwards', CASE count(*) WHEN 1 THEN 'step ' || min(step)"
    " ELSE count(*) || ' steps, first at step ' || min(step) END, 100 * imbalance_before,"
    " 100 * imbalance_predicted, 100 * imbalance_measured) FROM lb_step"
    " WHERE imbalance_before > 0.1 AND imbalance_predicted < 0.8 * imbalance_before"
    " AND imbalance_measured > 0.95 * imbalance_before HAVING count(*) > 0",

    "SELECT printf('the strategy and its migrations took %.0f %% of the run', 100.0 * spent / wall)"
    " || iif(nsteps > 1, printf(', in %d steps: balance less often', nsteps), '')"
    " FROM (SELECT count(*) AS nsteps, (SELECT max(end) FROM pe) AS wall, sum(end - begin)"
    "  + (SELECT sum(migrate_out_ns + migrate_in_ns) / max(count(*), 1) FROM pe)"
    "  * (SELECT coalesce(avg(why = 'lb'), 0) FROM migration) AS spent FROM lb_step)"
    " WHERE spent > 0.1 * wall",

    /* The mean PE has its background, too, where that is of the same unit. */
    "SELECT printf('one object (%s%s) has %.1f times the load of a mean PE: no mapping can"
    " balance that, split it', coalesce(t.name || ' ', ''), coalesce(o.idx, o.element),"
    " l.load / n.mean)"
    " FROM lb_object l, (SELECT s.step, max(b.load) AS top, (sum(b.load) + CASE WHEN s.metric"
    "   IN ('wall', 'cpu') THEN (SELECT sum(background_ns) / 1e9 FROM lb_pe p"
    "    WHERE p.step = s.step) ELSE 0 END) / (SELECT count(*) FROM lb_pe p"
    "    WHERE p.step = s.step) AS mean, (SELECT count(*) FROM lb_pe p WHERE p.step = s.step)"
    "   AS npes FROM lb_step s JOIN lb_object b USING (step)"
    "  WHERE s.step = (SELECT max(step) FROM lb_step)) n"
    " JOIN object o ON o.id = l.object LEFT JOIN collection c ON c.id = o.collection"
    " LEFT JOIN chare_type t ON t.id = c.type"
    " WHERE l.step = n.step AND l.load = n.top AND npes > 1 AND n.top > 1.2 * n.mean LIMIT 1",

    /* Many, and none of them waiting for something else than the next. */
    "SELECT printf('PEs spent %.0f %% of the time between executions of %s on average: make"
    " the work of a message larger', 100.0 * over / wall,"
    " CASE WHEN mean < 1000 THEN printf('%.0f ns', mean) ELSE printf('%.1f us', mean / 1000) END)"
    " FROM (SELECT sum(overhead_ns - lb_ns - migrate_out_ns - migrate_in_ns - reduce_ns) AS over,"
    "  sum(end - begin) AS wall FROM pe),"
    " (SELECT sum(ns) * 1.0 / sum(stretches) AS mean, sum(stretches) AS n FROM summary)"
    " WHERE over > 0.3 * wall AND mean < 20000 AND wall > 100000000 AND n > 1000"
    " AND over < 50000.0 * n",

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
