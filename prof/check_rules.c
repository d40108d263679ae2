/*
 * check_rules.c - the invariants of a recording, as rows of data.
 *
 * An invariant's SQL returns the rows that break it.  A value that must be
 * there and is NULL breaks it, too: hence IS NOT, and coalesce(x, -1).
 * doc/recording.md lists the same names and sentences; tests/prof/check_broken.py
 * has a recording that breaks each.
 *
 * Cost: each is one pass over its tables, with look-ups by primary key or by
 * the index execution_cause, or a sort by a window.
 *
 * Whole ns are cut off once for each record and once for each sum, so a sum of
 * n lengths is up to n + 1 ns above the sum of the records.
 */
#include <stddef.h>

#include "prof/check.h"

#define FULL     C4I_NEED_FULL
#define COMPLETE C4I_NEED_COMPLETE
#define ALL      C4I_NEED_ALL

/* PEs that have recorded all they did. */
#define WHOLE "(SELECT pe FROM pe WHERE complete AND dropped = 0)"
#define KIND(names) "(SELECT id FROM message_kind WHERE name IN (" names "))"
#define IDLE "(SELECT id FROM activity_kind WHERE name = 'idle')"
/* What programs send: tallied in pe.sent, pe.received and summary.sent. */
#define OF_PROGRAMS "(SELECT id FROM message_kind WHERE program)"
/* What no program can hold up: it is taken when it comes. */
#define ANSWERS KIND("'reply', 'future', 'reduction', 'completion', 'quiescence', 'create',"\
                     " 'created', 'close', 'sync', 'start'")
/* One target each. */
#define SINGLE KIND("'call', 'insert', 'ctor', 'migration'")

#define MOVED_BY_PROGRAM "(SELECT count(*) FROM migration WHERE why != 'lb')"

#define CPU_CLOCK "20000"                   /* ns: its resolution */
#define CPU_LATE "50000"                    /* ns: what one of its readings may leave to the next */
#define LONG "1001000"                      /* ns: of such stretches the CPU time is measured */
/* A and b are the same sum of n lengths, but for ns that were cut off. */
#define APART(a, b, n) "coalesce(abs(" a " - " b ") > " n " + 2 + " a " / 1000000, 1)"
#define OUTSIDE(x) x " NOT BETWEEN 0 AND npes - 1"

const char c4i_check_tables[] =
    /* The summary, as single executions have it. */
    "CREATE TEMP TABLE executed AS"
    " SELECT pe, entry, count(*) AS stretches, sum(NOT resumed) AS calls, sum(ns) AS ns,"
    "  min(ns) AS min_ns, max(ns) AS max_ns, sum(1.0 * ns * ns) AS sumsq_ns,"
    "  sum(send_ns) AS send_ns, sum(iif(resumed, 0, recv_ns)) AS recv_ns,"
    "  sum(iif(resumed, 0, bytes)) AS bytes, sum(stolen_ns) AS stolen_ns,"
    "  sum(cpu_ns) AS cpu_ns, sum(c1) AS c1, sum(c2) AS c2, sum(c3) AS c3,"
    "  sum(c4) AS c4, sum(c5) AS c5, sum(c6) AS c6"
    " FROM execution GROUP BY pe, entry;"
    "CREATE UNIQUE INDEX temp.executed_key ON executed (pe, entry);"
    /* What each step of load balancing knew of the elements of each PE. */
    "CREATE TEMP TABLE loads AS"
    " SELECT step, from_pe AS pe, count(*) AS elements, sum(wall_ns) AS wall_ns,"
    "  min(wall_ns) AS least_ns FROM lb_object GROUP BY step, from_pe;"
    "CREATE UNIQUE INDEX temp.loads_key ON loads (step, pe)";

const c4i_invariant c4i_invariants[] = {

/* ---- The file, the run, its PEs --------------------------------------------- */

{ "integrity", "SQLite finds nothing wrong in the file", 0,
  "SELECT integrity_check AS fault FROM pragma_integrity_check(6)"
  " WHERE integrity_check != 'ok'" },

{ "references", "what a row refers to is there", 0,
  "SELECT \"table\" AS of, parent AS refers_to FROM pragma_foreign_key_check" },

{ "one-run", "there is one run", 0,
  "SELECT count(*) AS runs, min(id) AS id FROM run HAVING runs != 1 OR id != 1" },

{ "one-row-a-pe", "PEs are numbered from 0 to npes - 1, and all of a complete job are there", 0,
  "SELECT pe, npes FROM pe, run WHERE " OUTSIDE("pe")
  " UNION ALL SELECT (SELECT count(*) FROM pe), npes FROM run"
  " WHERE complete AND npes != (SELECT count(*) FROM pe)" },

{ "run-is-its-pes", "dropped and end_ns are the sum and the maximum of the PEs', the job is"
  " complete where all PEs are", 0,
  "SELECT r.dropped, p.dropped AS of_pes, end_ns, p.end AS last_end, r.complete,"
  "  p.complete AS pes_complete, npes"
  " FROM run r, (SELECT sum(dropped) AS dropped, max(end) AS end, sum(complete) AS complete"
  "  FROM pe) p WHERE r.dropped IS NOT p.dropped OR end_ns IS NOT p.end"
  " OR r.complete IS NOT (p.complete = npes) OR (r.complete AND exit_status IS NULL)" },

{ "pes-exist", "every PE that a row names is one of the job's", 0,
  "SELECT 'execution' AS row, pe, begin AS at FROM execution, run"
  " WHERE " OUTSIDE("pe") " OR " OUTSIDE("cause_pe")
  " UNION ALL SELECT 'message', src, m.id FROM message m, run"
  " WHERE " OUTSIDE("src") " OR " OUTSIDE("dst") " OR " OUTSIDE("received_pe") " OR "
  OUTSIDE("cause_pe")
  " UNION ALL SELECT 'activity', pe, begin FROM activity, run WHERE " OUTSIDE("pe")
  " UNION ALL SELECT 'summary', pe, entry FROM summary, run WHERE " OUTSIDE("pe")
  " UNION ALL SELECT 'bin', pe, begin FROM bin, run WHERE " OUTSIDE("pe")
  " UNION ALL SELECT 'pe_bin', pe, begin FROM pe_bin, run WHERE " OUTSIDE("pe")
  " UNION ALL SELECT 'object', home, o.id FROM object o, run"
  " WHERE " OUTSIDE("home") " OR " OUTSIDE("created_pe")
  " UNION ALL SELECT 'migration', from_pe, m.id FROM migration m, run"
  " WHERE " OUTSIDE("coalesce(from_pe, -1)") " OR " OUTSIDE("coalesce(to_pe, -1)")
  " UNION ALL SELECT 'lb', pe, step FROM lb_pe, run WHERE " OUTSIDE("pe")
  " UNION ALL SELECT 'lb_object', from_pe, step FROM lb_object, run"
  " WHERE " OUTSIDE("from_pe") " OR " OUTSIDE("to_pe") },

{ "inside-the-run", "nothing is before the begin of its PE's recording, or after its end", 0,
  "SELECT 'pe' AS row, pe, begin AS at, end FROM pe, run"
  " WHERE begin < 0 OR end < begin OR end > end_ns"
  " UNION ALL SELECT 'execution', pe, x.begin, p.end FROM execution x JOIN pe p USING (pe)"
  " WHERE x.begin < p.begin OR x.begin + ns > p.end"
  " UNION ALL SELECT 'activity', pe, a.begin, p.end FROM activity a JOIN pe p USING (pe)"
  " WHERE a.begin < p.begin OR a.begin + ns > p.end"
  " UNION ALL SELECT 'message', src, m.sent, p.end FROM message m JOIN pe p ON p.pe = src"
  " WHERE m.sent < p.begin OR m.sent > p.end"
  " UNION ALL SELECT 'message', received_pe, taken, p.end FROM message m"
  " JOIN pe p ON p.pe = received_pe WHERE taken < p.begin OR taken > p.end"
  " UNION ALL SELECT 'bin', pe, b.begin, p.end FROM bin b JOIN pe p USING (pe), run"
  " WHERE b.begin + bin_ns < p.begin OR b.begin > p.end"
  " UNION ALL SELECT 'pe_bin', pe, b.begin, p.end FROM pe_bin b JOIN pe p USING (pe), run"
  " WHERE b.begin + bin_ns < p.begin OR b.begin > p.end"
  " UNION ALL SELECT 'object', created_pe, coalesce(destroyed, created), end_ns FROM object, run"
  " WHERE created NOT BETWEEN 0 AND end_ns OR destroyed NOT BETWEEN 0 AND end_ns"
  " UNION ALL SELECT 'migration', from_pe, coalesce(arrived, left), end_ns FROM migration, run"
  " WHERE left NOT BETWEEN 0 AND end_ns OR arrived NOT BETWEEN 0 AND end_ns"
  " UNION ALL SELECT 'lb_step', NULL, begin, end_ns FROM lb_step, run"
  " WHERE begin < 0 OR end > end_ns" },

{ "covered-until", "covered_until is known for a PE that dropped records, and for no other", 0,
  "SELECT pe, dropped, covered_until, begin, end FROM pe WHERE dropped < 0"
  " OR (dropped > 0) IS NOT (covered_until IS NOT NULL)"
  " OR covered_until NOT BETWEEN begin AND end" },

{ "names", "entry methods of a type, tasks and main are told apart, elements once", 0,
  "SELECT 'entry_method' AS row, id, kind, name FROM entry_method"
  " WHERE kind NOT IN ('entry', 'create', 'migrated', 'resume', 'main', 'task')"
  " OR (type IS NULL) IS NOT (kind IN ('main', 'task'))"
  " OR (number IS NULL) IS NOT (kind != 'entry') OR name = ''"
  " UNION ALL SELECT 'object', min(id), count(*), collection || ':' || element FROM object"
  " GROUP BY collection, element HAVING count(*) > 1" },

/* ---- The time of PEs ---------------------------------------------------------- */

{ "wall-is-its-parts", "busy_ns + idle_ns + overhead_ns is the wall time of the PE", 0,
  "SELECT pe, busy_ns, idle_ns, overhead_ns, end - begin AS wall_ns FROM pe"
  " WHERE busy_ns + idle_ns + overhead_ns IS NOT end - begin" },

{ "parts-fit-the-wall", "busy, idle and other activities fit into the wall time, within 1 %", 0,
  "SELECT pe, busy_ns, idle_ns, lb_ns, migrate_out_ns, migrate_in_ns, reduce_ns,"
  "  end - begin AS wall_ns FROM pe WHERE"
  " min(coalesce(busy_ns, -1), coalesce(idle_ns, -1), coalesce(lb_ns, -1),"
  "  coalesce(migrate_out_ns, -1), coalesce(migrate_in_ns, -1), coalesce(reduce_ns, -1)) < 0"
  " OR busy_ns + idle_ns > 1.01 * (end - begin)"
  " OR idle_ns + lb_ns + migrate_out_ns + migrate_in_ns + reduce_ns > 1.01 * (end - begin)" },

{ "stretches-are-disjoint", "stretches of a PE do not overlap", FULL,
  "SELECT pe, begin, ns, next FROM (SELECT pe, begin, ns,"
  "  lead(begin) OVER (PARTITION BY pe ORDER BY begin) AS next FROM execution)"
  " WHERE ns < 0 OR begin + ns > next + 2" },

{ "activities-are-disjoint", "activities of one kind do not overlap on a PE", FULL,
  "SELECT pe, kind, begin, ns, next FROM (SELECT pe, kind, begin, ns,"
  "  lead(begin) OVER (PARTITION BY pe, kind ORDER BY begin) AS next FROM activity)"
  " WHERE ns < 0 OR begin + ns > next + 2" },

{ "activities-nest", "a PE is not idle during a stretch; what else it does is all inside of one,"
  " or all outside", FULL,
  "SELECT k.name AS activity, a.pe, a.begin, a.ns, x.begin AS stretch, x.ns AS stretch_ns"
  " FROM activity a JOIN activity_kind k ON k.id = a.kind JOIN execution x ON x.pe = a.pe"
  "  AND x.begin = (SELECT max(y.begin) FROM execution y"
  "   WHERE y.pe = a.pe AND y.begin < a.begin + a.ns)"
  " WHERE a.begin + a.ns > x.begin + 2 AND a.begin < x.begin + x.ns - 2"
  " AND (k.name = 'idle' OR a.begin < x.begin - 2 OR a.begin + a.ns > x.begin + x.ns + 2)" },

{ "busy-is-the-summary", "busy_ns of a PE is the sum over its entry methods", 0,
  "SELECT p.pe, busy_ns, coalesce(sum(s.ns), 0) AS summary_ns, count(s.pe) AS n"
  " FROM pe p LEFT JOIN summary s USING (pe) WHERE p.complete GROUP BY p.pe"
  " HAVING " APART("busy_ns", "summary_ns", "n") },

{ "activities-are-in-the-pe", "idle_ns, lb_ns, ... of a PE are the sums of its activities", FULL,
  "WITH told AS (SELECT pe, 'idle' AS name, idle_ns AS ns FROM pe"
  "  UNION ALL SELECT pe, 'lb', lb_ns FROM pe"
  "  UNION ALL SELECT pe, 'migrate_out', migrate_out_ns FROM pe"
  "  UNION ALL SELECT pe, 'migrate_in', migrate_in_ns FROM pe"
  "  UNION ALL SELECT pe, 'reduce', reduce_ns FROM pe),"
  " were AS (SELECT pe, k.name, count(*) AS n, sum(ns) AS ns"
  "  FROM activity JOIN activity_kind k ON k.id = kind GROUP BY pe, kind)"
  " SELECT pe, name, t.ns, coalesce(w.ns, 0) AS activities_ns, coalesce(n, 0) AS n"
  " FROM told t LEFT JOIN were w USING (pe, name) WHERE pe IN " WHOLE
  " AND " APART("t.ns", "coalesce(w.ns, 0)", "coalesce(n, 0)") },

/* ---- Time bins ------------------------------------------------------------------ */

{ "bins-are-in-step", "bins begin at multiples of run.bin_ns, a power of two", 0,
  "SELECT 'run' AS row, NULL AS pe, bin_ns AS begin FROM run"
  " WHERE coalesce(bin_ns < 1048576 OR bin_ns & (bin_ns - 1), 1)"
  " UNION ALL SELECT 'bin', pe, begin FROM bin, run WHERE begin < 0 OR begin % bin_ns"
  " UNION ALL SELECT 'pe_bin', pe, begin FROM pe_bin, run WHERE begin < 0 OR begin % bin_ns" },

{ "no-bin-above-100-percent", "no PE is busy for longer than a bin in a bin", 0,
  "SELECT pe, begin, sum(busy_ns) AS busy_ns, bin_ns FROM bin, run GROUP BY pe, begin"
  " HAVING sum(busy_ns) > bin_ns + 2 OR min(busy_ns) < 0 OR min(count) < 0" },

{ "bins-are-the-summary", "time and stretches of a PE's bins sum up to the summary", 0,
  "WITH b AS (SELECT pe, entry, sum(busy_ns) AS ns, sum(count) AS stretches, count(*) AS n"
  "  FROM bin GROUP BY pe, entry)"
  " SELECT pe, entry, s.ns, b.ns AS bins_ns, s.stretches, b.stretches AS bins_stretches"
  " FROM summary s LEFT JOIN b USING (pe, entry)"
  " WHERE pe IN (SELECT pe FROM pe WHERE complete AND bins_until IS NULL)"
  " AND (b.stretches IS NOT s.stretches OR " APART("s.ns", "b.ns", "b.n") ")"
  " UNION ALL SELECT pe, entry, NULL, ns, NULL, stretches FROM b"
  " WHERE NOT EXISTS (SELECT 1 FROM summary s WHERE s.pe = b.pe AND s.entry = b.entry)" },

/* ---- CPU time --------------------------------------------------------------------- */

{ "cpu-of-pes", "CPU time of a PE is within its wall time, stolen time within its busy time", 0,
  "SELECT pe, cpu_ns, end - begin AS wall_ns, stolen_ns, busy_ns, stopped_ns, switches FROM pe"
  " WHERE complete AND (coalesce(cpu_ns, -1) NOT BETWEEN 0 AND end - begin + " CPU_CLOCK
  "  OR coalesce(stolen_ns, -1) NOT BETWEEN 0 AND busy_ns"
  "  OR coalesce(stopped_ns, -1) NOT BETWEEN 0 AND stolen_ns OR coalesce(switches, -1) < 0)" },

{ "cpu-of-bins", "a PE has no more CPU time in a bin than the bin is wide", 0,
  "SELECT pe, begin, cpu_ns, stolen_ns, switches, bin_ns FROM pe_bin, run"
  " WHERE coalesce(cpu_ns, -1) NOT BETWEEN 0 AND 1.01 * bin_ns + " CPU_LATE
  " OR coalesce(stolen_ns, -1) NOT BETWEEN 0 AND bin_ns OR coalesce(switches, -1) < 0" },

{ "cpu-bins-are-the-pe", "CPU time, stolen time and switches of the bins sum up to the PE's", 0,
  "SELECT pe, p.cpu_ns, coalesce(sum(b.cpu_ns), 0) AS bins_cpu_ns, p.stolen_ns,"
  "  coalesce(sum(b.stolen_ns), 0) AS bins_stolen_ns, p.switches,"
  "  coalesce(sum(b.switches), 0) AS bins_switches"
  " FROM pe p LEFT JOIN pe_bin b USING (pe) WHERE p.complete AND bins_until IS NULL GROUP BY pe"
  " HAVING coalesce(abs(p.cpu_ns - bins_cpu_ns) > 0.01 * p.cpu_ns + 100000"
  "  OR abs(p.stolen_ns - bins_stolen_ns) > 0.01 * p.stolen_ns + 100000"
  "  OR p.switches != bins_switches, 1)" },

{ "cpu-of-stretches", "CPU and stolen time of a stretch are within its wall time", FULL,
  "SELECT pe, begin, ns, cpu_ns, stolen_ns FROM execution"
  " WHERE cpu_ns NOT BETWEEN 0 AND ns + " CPU_CLOCK " OR stolen_ns NOT BETWEEN 0 AND ns"
  " OR cpu_ns + stolen_ns > ns + " CPU_LATE },

{ "long-stretches-have-cpu", "stretches longer than 1 ms have CPU and stolen time", FULL,
  "SELECT pe, begin, ns, cpu_ns, stolen_ns FROM execution"
  " WHERE ns > " LONG " AND (cpu_ns IS NULL OR stolen_ns IS NULL)" },

{ "cpu-of-stretches-sums-up", "stretches of a PE have no more CPU and stolen time than it"
  " has", FULL,
  "SELECT p.pe, p.cpu_ns, sum(x.cpu_ns) AS stretches_cpu_ns, p.stolen_ns,"
  "  sum(x.stolen_ns) AS stretches_stolen_ns FROM pe p JOIN executed x USING (pe)"
  " WHERE p.complete GROUP BY p.pe HAVING stretches_cpu_ns > 1.01 * p.cpu_ns + 100000"
  " OR stretches_stolen_ns > 1.01 * p.stolen_ns + 100000" },

{ "stolen-is-the-summary", "stolen time of a PE is the sum over its entry methods", 0,
  "SELECT p.pe, p.stolen_ns, coalesce(sum(s.stolen_ns), 0) AS summary_ns, count(s.pe) AS n"
  " FROM pe p LEFT JOIN summary s USING (pe) WHERE p.complete GROUP BY p.pe"
  " HAVING " APART("p.stolen_ns", "summary_ns", "n") },

/* ---- The summary ------------------------------------------------------------------ */

{ "summary-has-its-parts", "em_ns + send_ns is ns, and stolen time is part of it", 0,
  "SELECT pe, entry, ns, em_ns, send_ns, recv_ns, stolen_ns FROM summary"
  " WHERE em_ns + send_ns IS NOT ns OR min(em_ns, send_ns, recv_ns, stolen_ns) < 0"
  " OR stolen_ns > ns" },

{ "summary-is-possible", "least, mean and longest stretch, sum of squares and calls fit together",
  0,
  "SELECT pe, entry, calls, stretches, ns, min_ns, max_ns, sumsq_ns FROM summary"
  " WHERE calls NOT BETWEEN 0 AND stretches OR stretches < 1"
  " OR coalesce(min_ns, -1) NOT BETWEEN 0 AND ns / stretches"
  " OR coalesce((max_ns + 1) * stretches, -1) < ns OR max_ns > ns"
  " OR sumsq_ns * 1.000001 + 2.0 * ns < 1.0 * ns * ns / stretches"
  " OR sumsq_ns > (max_ns + 1.0) * (ns + 1.0) * 1.000001"
  " OR min(bytes, sent, sent_bytes) < 0" },

{ "summary-counts", "calls and stretches of the summary are those of the executions", FULL,
  "SELECT pe, entry, s.calls, x.calls AS executed, s.stretches, x.stretches AS single"
  " FROM summary s LEFT JOIN executed x USING (pe, entry) WHERE pe IN " WHOLE
  " AND (x.calls IS NOT s.calls OR x.stretches IS NOT s.stretches)"
  " UNION ALL SELECT pe, entry, NULL, calls, NULL, stretches FROM executed x"
  " WHERE NOT EXISTS (SELECT 1 FROM summary s WHERE s.pe = x.pe AND s.entry = x.entry)" },

{ "summary-times", "times of the summary are the sums over the executions", FULL,
  "SELECT pe, entry, s.ns, x.ns AS single_ns, s.send_ns, x.send_ns AS single_send_ns,"
  "  s.recv_ns, x.recv_ns AS single_recv_ns, s.sumsq_ns, x.sumsq_ns AS single_sumsq_ns"
  " FROM summary s JOIN executed x USING (pe, entry) WHERE pe IN " WHOLE
  " AND (" APART("s.ns", "x.ns", "x.stretches")
  " OR " APART("s.send_ns", "x.send_ns", "x.stretches")
  " OR " APART("s.recv_ns", "x.recv_ns", "x.stretches")
  " OR abs(s.sumsq_ns - x.sumsq_ns) > s.sumsq_ns * 1e-5 + 4.0 * s.ns + s.stretches)" },

{ "summary-extremes", "least and longest stretch of the summary are those of the executions", FULL,
  "SELECT pe, entry, s.min_ns, x.min_ns AS single_min_ns, s.max_ns, x.max_ns AS single_max_ns"
  " FROM summary s JOIN executed x USING (pe, entry) WHERE pe IN " WHOLE
  " AND (" APART("s.min_ns", "x.min_ns", "0") " OR " APART("s.max_ns", "x.max_ns", "0") ")" },

{ "summary-bytes", "bytes of the summary are the sums over the executions", FULL,
  "SELECT pe, entry, s.bytes, x.bytes AS single_bytes FROM summary s"
  " JOIN executed x USING (pe, entry) WHERE pe IN " WHOLE " AND s.bytes IS NOT x.bytes" },

{ "summary-stolen", "stolen time of the summary is no less than the executions'", FULL,
  "SELECT pe, entry, s.stolen_ns, x.stolen_ns AS single_stolen_ns FROM summary s"
  " JOIN executed x USING (pe, entry)"
  " WHERE pe IN " WHOLE " AND x.stolen_ns > s.stolen_ns + x.stretches + s.stolen_ns / 1000000" },

{ "summary-sent", "messages that an entry method sent are those it is the sender of, their bytes"
  " no more (a reference that becomes bytes later is counted as none)", FULL,
  "WITH m AS (SELECT x.pe, x.entry, count(*) AS sent, sum(m.bytes) AS bytes FROM message m"
  "  JOIN execution x ON x.pe = m.src AND x.begin = m.sender WHERE m.kind IN " OF_PROGRAMS
  "  GROUP BY x.pe, x.entry)"
  " SELECT pe, entry, s.sent, coalesce(m.sent, 0) AS single, s.sent_bytes,"
  "  coalesce(m.bytes, 0) AS single_bytes FROM summary s LEFT JOIN m USING (pe, entry)"
  " WHERE pe IN " WHOLE " AND (s.sent != coalesce(m.sent, 0)"
  "  OR s.sent_bytes > coalesce(m.bytes, 0))" },

{ "counters", "a counter that has a column is in all summaries, and is the sum over the"
  " executions; others are nowhere", 0,
  "WITH on_(col) AS (SELECT col FROM counter WHERE col IS NOT NULL),"
  " told AS (SELECT pe, entry, 'c1' AS col, s.c1 AS v, x.c1 AS w FROM summary s"
  "   LEFT JOIN executed x USING (pe, entry)"
  "  UNION ALL SELECT pe, entry, 'c2', s.c2, x.c2 FROM summary s"
  "   LEFT JOIN executed x USING (pe, entry)"
  "  UNION ALL SELECT pe, entry, 'c3', s.c3, x.c3 FROM summary s"
  "   LEFT JOIN executed x USING (pe, entry)"
  "  UNION ALL SELECT pe, entry, 'c4', s.c4, x.c4 FROM summary s"
  "   LEFT JOIN executed x USING (pe, entry)"
  "  UNION ALL SELECT pe, entry, 'c5', s.c5, x.c5 FROM summary s"
  "   LEFT JOIN executed x USING (pe, entry)"
  "  UNION ALL SELECT pe, entry, 'c6', s.c6, x.c6 FROM summary s"
  "   LEFT JOIN executed x USING (pe, entry))"
  " SELECT pe, entry, col, v AS summary, w AS executions FROM told"
  " WHERE (v IS NOT NULL) IS NOT (col IN on_) OR (col NOT IN on_ AND w IS NOT NULL)"
  " OR ((SELECT level FROM run) = 'full' AND col IN on_ AND pe IN " WHOLE " AND v IS NOT w)" },

/* ---- Executions and what caused them ---------------------------------------------- */

{ "lengths-of-stretches", "lengths and sizes are not negative, sending is part of a stretch",
  FULL,
  "SELECT pe, begin, ns, send_ns, recv_ns, wait_ns, bytes FROM execution"
  " WHERE send_ns NOT BETWEEN 0 AND ns OR min(ns, recv_ns, wait_ns, bytes) < 0" },

{ "flags-of-stretches", "flags are 0 or 1; only a resumed stretch was woken, and one that was not"
  " has not waited", FULL,
  "SELECT pe, begin, local, resumed, woken, suspended, wait_ns FROM execution"
  " WHERE min(local, resumed, woken, suspended) < 0 OR max(local, resumed, woken, suspended) > 1"
  " OR woken > resumed OR (resumed AND NOT woken AND wait_ns != 0)" },

{ "every-execution-has-a-cause", "every stretch but main's own has a cause", FULL,
  "SELECT x.pe, x.begin, m.name AS entry, x.resumed, x.woken, x.cause_pe, x.cause"
  " FROM execution x JOIN entry_method m ON m.id = x.entry"
  " WHERE (x.cause IS NULL AND (m.kind != 'main' OR x.woken))"
  " OR (x.cause IS NULL) IS NOT (x.cause_pe IS NULL)" },

{ "causes-are-messages", "the message that caused a stretch is there, and was sent before", FULL,
  "SELECT x.pe, x.begin, x.cause_pe, x.cause, g.sent FROM execution x"
  " LEFT JOIN message g ON g.src = x.cause_pe AND g.id = x.cause WHERE x.cause IS NOT NULL"
  " AND ((g.id IS NULL AND x.cause_pe IN " WHOLE ") OR g.sent > x.begin)" },

{ "received-before-begun", "a stretch begins when its message has arrived, waited, and was taken;"
  " where another PE took it first, it was sent", FULL,
  "SELECT x.pe, x.begin, x.wait_ns, x.recv_ns, g.src, g.id, g.arrived, g.taken"
  " FROM execution x JOIN message g ON g.src = x.cause_pe AND g.id = x.cause"
  " WHERE (x.woken OR NOT x.resumed)"
  " AND coalesce(x.begin - x.recv_ns < g.taken - 2 OR x.begin - x.recv_ns - x.wait_ns"
  "  < iif(x.pe = g.received_pe, g.arrived, g.sent) - 2, 1)" },

{ "times-of-calls", "arrived and taken of a call are those of its execution", FULL,
  "SELECT x.pe, x.begin, x.wait_ns, x.recv_ns, g.src, g.id, g.arrived, g.taken"
  " FROM execution x JOIN message g ON g.src = x.cause_pe AND g.id = x.cause"
  " WHERE NOT x.resumed AND g.kind IN " KIND("'call'")
  " AND coalesce(abs(x.begin - x.recv_ns - g.taken) > 2"
  "  OR abs(x.begin - x.recv_ns - x.wait_ns - g.arrived) > 3, 1)" },

{ "entries-fit-their-cause", "what runs is what its message can cause", FULL,
  "SELECT x.pe, x.begin, m.kind AS entry_kind, m.name AS entry, k.name AS message_kind"
  " FROM execution x JOIN message g ON g.src = x.cause_pe AND g.id = x.cause"
  " JOIN message_kind k ON k.id = g.kind JOIN entry_method m ON m.id = x.entry"
  " WHERE NOT x.resumed AND CASE m.kind"
  "  WHEN 'create' THEN k.name NOT IN ('create', 'insert', 'ctor')"
  "  WHEN 'migrated' THEN k.name != 'migration'"
  "  WHEN 'resume' THEN k.name NOT IN ('sync', 'migration', 'post')"
  "  WHEN 'task' THEN k.name != 'task'"
  "  WHEN 'entry' THEN k.name IN ('create', 'insert', 'ctor', 'migration', 'task', 'exit', 'start')"
  "  ELSE 0 END" },

{ "calls-reach-their-target", "a call runs the method and the element that it names", FULL,
  "SELECT x.pe, x.begin, x.entry, g.entry AS called, x.object, g.object AS target"
  " FROM execution x JOIN message g ON g.src = x.cause_pe AND g.id = x.cause"
  " WHERE NOT x.resumed AND ((g.kind IN " KIND("'call'") " AND (x.entry IS NOT g.entry"
  "   OR x.object IS NOT g.object))"
  "  OR (g.kind IN " KIND("'insert', 'ctor', 'migration'") " AND x.object IS NOT g.object)"
  "  OR (g.kind IN " KIND("'broadcast'") " AND x.entry IS NOT g.entry))" },

{ "bytes-of-messages", "an execution has the size of its message", FULL,
  "SELECT x.pe, x.begin, x.bytes, g.src, g.id, g.bytes AS message_bytes"
  " FROM execution x JOIN message g ON g.src = x.cause_pe AND g.id = x.cause"
  " WHERE NOT x.resumed AND x.bytes != g.bytes" },

{ "local-messages-stay", "a message that has not left its PE was sent there", FULL,
  "SELECT x.pe, x.begin, x.cause_pe, x.cause, g.dst FROM execution x"
  " LEFT JOIN message g ON g.src = x.cause_pe AND g.id = x.cause"
  " WHERE x.local AND x.cause IS NOT NULL AND (x.cause_pe != x.pe OR g.dst != x.pe)" },

{ "calls-run-once", "a message to one element begins one execution, where it says", FULL,
  "SELECT g.src, g.id, count(*) AS executions, g.received_pe, x.pe, x.begin FROM execution x"
  " JOIN message g ON g.src = x.cause_pe AND g.id = x.cause"
  " WHERE NOT x.resumed AND g.kind IN " SINGLE " GROUP BY g.src, g.id, x.entry"
  " HAVING count(*) > 1 OR x.pe IS NOT g.received_pe" },

{ "targets-are-reached-once", "no message begins two executions of one method of one element,"
  " but for tasks of one submission",
  FULL,
  "SELECT cause_pe, cause, entry, object, count(*) AS executions, min(begin) AS begin"
  " FROM execution WHERE NOT resumed AND cause IS NOT NULL"
  "  AND entry NOT IN (SELECT id FROM entry_method WHERE kind = 'task')"
  " GROUP BY cause_pe, cause, entry, object HAVING count(*) > 1" },

/* ---- Stretches ---------------------------------------------------------------------- */

{ "resumed-after-suspended", "no more stretches of an entry method were resumed than suspended"
  " before", FULL,
  "SELECT pe, begin, entry, object, open FROM (SELECT pe, begin, entry, object,"
  "  sum(suspended - resumed) OVER (PARTITION BY entry, coalesce(object, -1 - pe)"
  "   ORDER BY begin, pe) AS open, suspended, resumed FROM execution"
  "  WHERE suspended OR resumed)"
  " WHERE open - suspended + resumed < resumed AND pe IN " WHOLE
  " AND NOT EXISTS (SELECT 1 FROM pe WHERE NOT complete OR dropped)" },

/* Tasks of one submission cannot be told from each other by their cause. */
{ "resumed-stretches-were-woken", "a resumed stretch that nobody woke goes on after others, with"
  " the cause it had, and its PE was not idle right before", FULL,
  "SELECT x.pe, begin, cause_pe, cause, entry, object, last FROM (SELECT *,"
  "  lag(begin) OVER w AS last, lag(suspended) OVER w AS stopped FROM execution"
  "  WHERE (suspended OR resumed)"
  "  AND entry NOT IN (SELECT id FROM entry_method WHERE kind = 'task')"
  "  WINDOW w AS (PARTITION BY pe, cause_pe, cause, entry, object ORDER BY begin)) x"
  " WHERE resumed AND NOT woken AND pe IN " WHOLE " AND coalesce(NOT stopped"
  "  OR (SELECT max(a.begin) FROM activity a WHERE a.pe = x.pe AND a.begin < x.begin"
  "   AND a.kind = " IDLE ") >= (SELECT max(y.begin) FROM execution y WHERE y.pe = x.pe"
  "   AND y.begin < x.begin), last IS NULL)" },

{ "wakers-are-others", "what woke a stretch is not what began it", FULL,
  "SELECT pe, begin, entry, object, cause_pe, cause FROM (SELECT *,"
  "  sum(NOT resumed) OVER (PARTITION BY cause_pe, cause, entry, object) AS begun"
  "  FROM execution WHERE (cause_pe, cause) IN"
  "   (SELECT cause_pe, cause FROM execution WHERE woken))"
  " WHERE woken AND begun" },

/* ---- Messages ------------------------------------------------------------------------ */

{ "times-of-messages", "a message is sent, arrives, and is taken, in this order and by a PE", FULL,
  "SELECT src, id, sent, arrived, taken, received_pe, bytes FROM message"
  " WHERE arrived < sent OR taken < arrived OR bytes < 0 OR id < 1"
  " OR (taken IS NULL) IS NOT (arrived IS NULL) OR (taken IS NULL) IS NOT (received_pe IS NULL)" },

{ "numbers-of-messages", "messages of a PE are numbered in the order of sending", FULL,
  "SELECT src, id, sent, last FROM (SELECT src, id, sent,"
  "  lag(sent) OVER (PARTITION BY src ORDER BY id) AS last FROM message) WHERE sent < last" },

{ "answers-are-received", "a reply, reduction, completion or creation is received before any that"
  " was sent after it on the same way", FULL,
  "SELECT m.src, m.id, m.dst, k.name AS kind, m.sent, l.last FROM message m"
  " JOIN message_kind k ON k.id = m.kind"
  " JOIN (SELECT src, dst, max(id) AS last FROM message WHERE taken IS NOT NULL"
  "  AND kind IN " ANSWERS " GROUP BY src, dst) l ON l.src = m.src AND l.dst = m.dst"
  " WHERE m.taken IS NULL AND m.id < l.last AND m.kind IN " ANSWERS
  " AND m.src IN " WHOLE " AND m.dst IN " WHOLE },

{ "senders-are-executions", "a message was sent by an execution that ran at that time", FULL,
  "SELECT m.src, m.id, m.sender, m.sent, x.ns FROM message m"
  " LEFT JOIN execution x ON x.pe = m.src AND x.begin = m.sender"
  " WHERE m.sender IS NOT NULL AND ((x.begin IS NULL AND m.src IN " WHOLE ")"
  "  OR m.sent NOT BETWEEN x.begin AND x.begin + x.ns + 2)" },

{ "messages-have-a-cause", "a message of the runtime names the message handled then, sent before;"
  " but for those sent before PE 0 ran anything", FULL,
  "SELECT m.src, m.id, k.name AS kind, m.sent, m.cause_pe, m.cause, g.sent AS cause_sent"
  "  FROM message m"
  " JOIN message_kind k ON k.id = m.kind"
  " LEFT JOIN message g ON g.src = m.cause_pe AND g.id = m.cause"
  " WHERE m.sender IS NULL AND (m.cause IS NOT NULL OR m.src != 0 OR m.sent >"
  "  (SELECT min(begin) FROM execution WHERE pe = 0))"
  " AND (m.src IN " WHOLE " OR m.sent <= (SELECT max(begin) FROM execution WHERE pe = m.src))"
  " AND (m.cause IS NULL OR m.cause_pe IS NULL"
  "  OR (g.id IS NULL AND m.cause_pe IN " WHOLE ") OR g.sent > m.sent)" },

{ "sent-is-counted", "what a PE has sent is what its messages of programs to others sum up to",
  FULL,
  "WITH m AS (SELECT src, count(*) AS n, sum(bytes) AS bytes, min(bytes) AS least,"
  "  max(bytes) AS most FROM message WHERE dst != src AND kind IN " OF_PROGRAMS " GROUP BY src)"
  " SELECT pe, sent, coalesce(n, 0) AS single, sent_bytes, coalesce(bytes, 0) AS single_bytes,"
  "  sent_min, sent_max FROM pe LEFT JOIN m ON src = pe WHERE pe IN " WHOLE
  " AND (sent IS NOT coalesce(n, 0) OR sent_bytes IS NOT coalesce(bytes, 0)"
  "  OR sent_min IS NOT least OR sent_max IS NOT most)" },

{ "incoming-is-counted", "what comes to a PE from others is no less than what it or another took"
  " of it, and no more than was sent there", FULL | COMPLETE | ALL,
  "WITH m AS (SELECT dst, count(*) AS n, sum(bytes) AS bytes, count(taken) AS taken,"
  "  coalesce(sum(bytes) FILTER (WHERE taken IS NOT NULL), 0) AS taken_bytes FROM message"
  "  WHERE dst != src AND kind IN " OF_PROGRAMS " GROUP BY dst)"
  " SELECT pe, incoming, taken, n AS sent, incoming_bytes, taken_bytes, bytes AS sent_bytes"
  " FROM pe LEFT JOIN m ON dst = pe"
  " WHERE coalesce(incoming, -1) NOT BETWEEN coalesce(taken, 0) AND coalesce(n, 0)"
  " OR coalesce(incoming_bytes, -1) NOT BETWEEN coalesce(taken_bytes, 0) AND coalesce(bytes, 0)" },

{ "incoming-was-sent", "to PEs came no more than was sent", COMPLETE,
  "SELECT sum(sent) AS sent, sum(incoming) AS incoming, sum(sent_bytes) AS sent_bytes,"
  "  sum(incoming_bytes) AS incoming_bytes FROM pe HAVING coalesce(sum(incoming) > sum(sent)"
  "  OR sum(incoming_bytes) > sum(sent_bytes), 1)" },

{ "received-is-counted", "received of a PE are its executions by messages of others, local_calls"
  " those by its own", FULL,
  "WITH x AS (SELECT pe, sum(cause_pe != pe) AS n, sum(cause_pe = pe) AS here,"
  "  sum(iif(cause_pe != pe, bytes, 0)) AS bytes,"
  "  min(bytes) FILTER (WHERE cause_pe != pe) AS least,"
  "  max(bytes) FILTER (WHERE cause_pe != pe) AS most"
  "  FROM execution WHERE NOT resumed AND cause IS NOT NULL GROUP BY pe)"
  " SELECT pe, received, coalesce(n, 0) AS executed, received_bytes,"
  "  coalesce(bytes, 0) AS executed_bytes, received_min, least, received_max, most, local_calls,"
  "  coalesce(here, 0) AS own FROM pe LEFT JOIN x USING (pe) WHERE pe IN " WHOLE
  " AND (received IS NOT executed OR received_bytes IS NOT executed_bytes"
  "  OR received_min IS NOT least OR received_max IS NOT most OR local_calls IS NOT own)" },

{ "tallies-are-possible", "numbers, bytes, least and largest message of a PE fit together", 0,
  "SELECT pe, sent, sent_bytes, sent_min, sent_max, received, received_bytes, received_min,"
  "  received_max, incoming, incoming_bytes, local_calls FROM pe"
  " WHERE coalesce(min(sent, received, incoming, incoming_bytes, local_calls) < 0, 1)"
  " OR (sent = 0) IS NOT (sent_min IS NULL) OR (sent = 0) IS NOT (sent_max IS NULL)"
  " OR sent_bytes NOT BETWEEN sent * coalesce(sent_min, 0) AND sent * coalesce(sent_max, 0)"
  " OR (received = 0) IS NOT (received_min IS NULL) OR (received = 0) IS NOT (received_max IS NULL)"
  " OR received_bytes NOT BETWEEN received * coalesce(received_min, 0)"
  "  AND received * coalesce(received_max, 0)" },

/* ---- Elements ------------------------------------------------------------------------ */

{ "elements-live-when-they-run", "an element runs after it was created and before it was"
  " destroyed", FULL,
  "SELECT x.pe, x.begin, x.object, o.created, o.destroyed FROM execution x"
  " JOIN object o ON o.id = x.object JOIN entry_method m ON m.id = x.entry"
  " WHERE (m.kind != 'create' AND x.begin < o.created) OR x.begin > o.destroyed" },

{ "elements-move-by-migration", "an element runs where it was created, or where it came to last",
  FULL | COMPLETE | ALL,
  "SELECT object, pe, at, last FROM (SELECT object, pe, at, came,"
  "  lag(pe) OVER (PARTITION BY object ORDER BY at, came) AS last FROM"
  "   (SELECT object, pe, begin AS at, 0 AS came FROM execution WHERE object IS NOT NULL"
  "    UNION ALL SELECT object, from_pe, left, 0 FROM migration WHERE left IS NOT NULL"
  "    UNION ALL SELECT object, to_pe, arrived, 1 FROM migration WHERE arrived IS NOT NULL"
  "    UNION ALL SELECT id, created_pe, created, 0 FROM object WHERE created IS NOT NULL))"
  " WHERE NOT came AND pe != last" },

{ "migrations-take-time", "an element leaves before it arrives, and arrives unless the job ends",
  0,
  "SELECT m.id, object, from_pe, to_pe, left, arrived FROM migration m, run"
  " WHERE arrived < left OR (left IS NULL AND arrived IS NULL)"
  " OR (complete AND dropped = 0 AND left IS NULL)"
  " OR (complete AND dropped = 0 AND arrived IS NULL AND EXISTS (SELECT 1 FROM migration n"
  "  WHERE n.object = m.object AND n.left > m.left))" },

{ "migrations-are-messages", "each migration is a message, sent after the element has left", FULL,
  "SELECT m.object, m.n, m.from_pe, m.to_pe, m.left, g.src, g.id, g.sent, g.taken, m.arrived"
  " FROM (SELECT *, row_number() OVER (PARTITION BY object ORDER BY left) AS n FROM migration"
  "  WHERE left IS NOT NULL) m"
  " LEFT JOIN (SELECT *, row_number() OVER (PARTITION BY object ORDER BY sent) AS n FROM message"
  "  WHERE kind IN " KIND("'migration'") ") g ON g.object = m.object AND g.n = m.n"
  " WHERE NOT EXISTS (SELECT 1 FROM pe WHERE NOT complete OR dropped)"
  " AND (g.id IS NULL OR g.src != m.from_pe OR g.dst != m.to_pe OR g.sent < m.left"
  "  OR g.sent > m.arrived)" },

{ "elements-are-counted", "created, left and arrived of a PE are what elements and migrations"
  " say", COMPLETE | ALL,
  "WITH made AS (SELECT created_pe AS pe, count(*) AS n FROM object GROUP BY created_pe),"
  " out AS (SELECT from_pe AS pe, count(left) AS n FROM migration GROUP BY from_pe),"
  " in_ AS (SELECT to_pe AS pe, count(arrived) AS n FROM migration GROUP BY to_pe)"
  " SELECT pe, created, coalesce(m.n, 0) AS elements, left, coalesce(o.n, 0) AS departures,"
  "  arrived, coalesce(i.n, 0) AS arrivals FROM pe LEFT JOIN made m USING (pe)"
  " LEFT JOIN out o USING (pe) LEFT JOIN in_ i USING (pe)"
  " WHERE created IS NOT elements OR left IS NOT departures OR arrived IS NOT arrivals" },

/* ---- Load balancing ------------------------------------------------------------------- */

{ "steps-are-in-order", "steps are numbered from 0, one after the other, and their parts fit", 0,
  "SELECT step, begin, end, statistics_ns, strategy_ns, last FROM (SELECT *,"
  "  lag(end) OVER (ORDER BY step) AS last, row_number() OVER (ORDER BY step) AS n FROM lb_step)"
  " WHERE step != n - 1 OR begin < last OR end < begin"
  " OR coalesce(abs(statistics_ns + strategy_ns - (end - begin)) > 2, 1)"
  " OR min(statistics_ns, strategy_ns) < 0" },

{ "steps-are-counted", "objects and migrations of a step are what its rows say", 0,
  "SELECT step, s.objects, count(o.object) AS rows, s.migrations,"
  "  coalesce(sum(from_pe != to_pe), 0) AS moved"
  " FROM lb_step s LEFT JOIN lb_object o USING (step) GROUP BY step"
  " HAVING s.objects != rows OR s.migrations != moved" },

{ "steps-know-all-pes", "a step has a row for each PE, with the number of its elements", 0,
  "SELECT s.step, NULL AS pe, count(p.pe) AS objects, npes AS rows FROM lb_step s, run"
  " LEFT JOIN lb_pe p ON p.step = s.step GROUP BY s.step HAVING count(p.pe) != npes"
  " UNION ALL SELECT step, pe, objects, coalesce(elements, 0) FROM lb_pe"
  " LEFT JOIN loads USING (step, pe) WHERE objects != coalesce(elements, 0)" },

{ "pinned-elements-stay", "a step moves no element that must stay", 0,
  "SELECT step, object, from_pe, to_pe FROM lb_object WHERE NOT movable AND from_pe != to_pe" },

{ "loads-are-busy-time", "the elements of a PE and its background have no more load than it was"
  " busy", 0,
  "SELECT step, pe, busy_ns, background_ns, elements, l.wall_ns AS elements_ns"
  " FROM lb_pe p LEFT JOIN loads l USING (step, pe) WHERE background_ns < 0 OR least_ns < 0"
  " OR coalesce(l.wall_ns, 0) + background_ns > busy_ns + busy_ns / 1000"
  "  + coalesce(elements, 0) + 1000" },

{ "loads-fit-their-interval", "busy and idle time of all steps so far fit into their intervals, over"
  " all PEs together (what an element did after AtSync is told in the next step, where it is then)", 0,
  "SELECT step, pe, busy_ns, idle_ns, wall_ns FROM lb_pe"
  " WHERE min(busy_ns, idle_ns, wall_ns) < 0"
  " UNION ALL SELECT step, NULL, busy_ns, idle_ns, wall_ns FROM (SELECT step,"
  "  sum(sum(busy_ns)) OVER w AS busy_ns, sum(sum(idle_ns)) OVER w AS idle_ns,"
  "  sum(sum(wall_ns)) OVER w AS wall_ns, count(*) AS n FROM lb_pe GROUP BY step"
  "  WINDOW w AS (ORDER BY step))"
  " WHERE busy_ns + idle_ns > 1.01 * wall_ns + 100000 * n" },

{ "intervals-fit-the-run", "intervals of steps are no longer than the run until then, and PEs were"
  " not busy or idle for longer in them than in the run", 0,
  "SELECT step, pe, run_ns, wall_ns, NULL AS busy_ns, NULL AS steps_busy_ns, NULL AS idle_ns,"
  "  NULL AS steps_idle_ns FROM (SELECT l.step, l.pe, s.end - p.begin AS run_ns,"
  "  sum(l.wall_ns) OVER (PARTITION BY l.pe ORDER BY l.step) AS wall_ns FROM lb_pe l"
  "  JOIN lb_step s USING (step) JOIN pe p USING (pe)) WHERE wall_ns > 1.01 * run_ns + 100000"
  " UNION ALL SELECT NULL, NULL, NULL, NULL, p.busy, l.busy, p.idle, l.idle FROM"
  "  (SELECT sum(busy_ns) AS busy, sum(idle_ns) AS idle FROM pe) p,"
  "  (SELECT sum(busy_ns) AS busy, sum(idle_ns) AS idle FROM lb_pe) l, run"
  " WHERE complete AND (l.busy > 1.01 * p.busy + 100000 * npes"
  "  OR l.idle > 1.01 * p.idle + 100000 * npes)" },

{ "loads-are-executions", "an element has no more load in all steps than its executions took",
  FULL,
  "SELECT l.object, l.ns, coalesce(x.ns, 0) AS executions_ns FROM"
  " (SELECT object, sum(wall_ns) AS ns, count(*) AS n FROM lb_object GROUP BY object) l"
  " LEFT JOIN (SELECT object, sum(ns) AS ns, count(*) AS n FROM execution WHERE object IS NOT NULL"
  "  GROUP BY object) x USING (object)"
  " WHERE NOT EXISTS (SELECT 1 FROM pe WHERE NOT complete OR dropped)"
  " AND l.ns > coalesce(x.ns, 0) * 1.0001 + coalesce(x.n, 0) + l.n + 1000" },

{ "loads-are-the-metric", "load is wall or CPU time where the metric says so, CPU within wall",
  0,
  "SELECT step, object, metric, load, wall_ns, cpu_ns FROM lb_object JOIN lb_step USING (step)"
  " WHERE (metric = 'wall' AND abs(load * 1e9 - wall_ns) > 2)"
  " OR (metric = 'cpu' AND abs(load * 1e9 - coalesce(cpu_ns, wall_ns)) > 2)"
  " OR cpu_ns NOT BETWEEN 0 AND 1.01 * wall_ns + 100000" },

{ "imbalance-is-of-the-loads", "imbalance before and predicted are max / mean - 1 of the loads,"
  " within 0.001", 0,
  "WITH place AS (SELECT step, pe, background_ns / 1e9 AS load, background_ns / 1e9 AS later"
  "   FROM lb_pe, run WHERE coalesce(environment, '') NOT LIKE '%LBObjOnly%'"
  "  UNION ALL SELECT step, pe, 0, 0 FROM lb_pe"
  "  UNION ALL SELECT step, from_pe, load, 0 FROM lb_object"
  "  UNION ALL SELECT step, to_pe, 0, load FROM lb_object),"
  " each AS (SELECT step, pe, sum(load) AS load, sum(later) AS later FROM place"
  "  GROUP BY step, pe),"
  " step AS (SELECT step, coalesce(max(load) / nullif(avg(load), 0) - 1, 0) AS before,"
  "  coalesce(max(later) / nullif(avg(later), 0) - 1, 0) AS predicted FROM each GROUP BY step)"
  " SELECT step, imbalance_before, before, imbalance_predicted, predicted FROM lb_step"
  " JOIN step USING (step) WHERE metric IN ('wall', 'cpu')"
  " AND coalesce(abs(imbalance_before - before) > 0.001"
  "  OR abs(imbalance_predicted - predicted) > 0.001, 1)" },

{ "steps-move-elements", "every move of a step is a migration, unless the program moved elements,"
  " too, and no other is said to be one", COMPLETE | ALL,
  "SELECT coalesce((SELECT sum(migrations) FROM lb_step), 0) AS moves, count(*) AS migrations,"
  "  " MOVED_BY_PROGRAM " AS others FROM migration WHERE why = 'lb'"
  " HAVING migrations > moves OR (migrations < moves AND NOT others)" },

/* ---- From the end to the begin --------------------------------------------------------- */

{ "walk-to-main", "from the exit, and from the last execution of each PE, causes lead back to"
  " main", FULL | COMPLETE | ALL, NULL },

{ NULL, NULL, 0, NULL }
};
