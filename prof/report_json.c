/*
 * report_json.c - c4prof report --format json: the same facts for programs.
 *
 * SQLite makes the JSON.  Times are ns, sizes bytes, shares percent; a fact
 * that is not known is null.
 */
#include "prof/c4prof.h"

static const char report_sql[] =
    "SELECT json_object("
    "'run', (SELECT json_object('program', program, 'argv', json(argv), 'start', start,"
    "  'start_unix_ns', start_unix_ns, 'end_ns', end_ns, 'npes', npes, 'hosts', json(hosts),"
    "  'transport', transport, 'balancer', balancer, 'level', level, 'exit_status', exit_status,"
    "  'complete', json(iif(complete, 'true', 'false')), 'version', version,"
    "  'environment', json(environment), 'dropped', dropped, 'directory', directory,"
    "  'note', note, 'python', python, 'numpy', numpy, 'compiler', compiler, 'kernel', kernel,"
    "  'cpu_model', cpu_model, 'cores', cores, 'git_revision', git_revision,"
    "  'git_dirty', json(iif(git_dirty IS NULL, 'null', iif(git_dirty, 'true', 'false'))))"
    "  FROM run),"
    "'pes', (SELECT json_group_array(json_object('pe', p.pe, 'host', p.host, 'pid', pid,"
    "  'affinity', affinity,"
    "  'wall_ns', p.end - p.begin, 'busy_ns', busy_ns, 'idle_ns', idle_ns,"
    "  'cpu_ns', cpu_ns, 'stolen_ns', stolen_ns, 'stopped_ns', stopped_ns, 'switches', switches,"
    "  'overhead_ns', overhead_ns, 'sent', sent, 'sent_bytes', sent_bytes,"
    "  'incoming', incoming, 'incoming_bytes', incoming_bytes,"
    "  'received', received, 'received_bytes', received_bytes, 'dropped', dropped,"
    "  'begin', p.begin, 'covered_until', covered_until,"
    "  'complete', json(iif(complete, 'true', 'false'))))"
    "  FROM (SELECT * FROM pe ORDER BY pe) p),"
    "'counters', (SELECT json_group_array(json_object('column', col, 'name', name, 'unit', unit,"
    "  'source', source, 'why_missing', why_missing)) FROM counter),"
    "'entries', (SELECT json_group_array(json_object('entry', entry, 'kind', kind,"
    "  'calls', calls, 'stretches', stretches, 'ns', ns, 'stolen_ns', stolen_ns, 'mean_ns', mean_ns, 'min_ns', min_ns, 'max_ns', max_ns,"
    "  'percent', percent, 'em_ns', em_ns, 'send_ns', send_ns, 'recv_ns', recv_ns,"
    "  'bytes', bytes, 'sent', sent, 'sent_bytes', sent_bytes,"
    "  'c1', c1, 'c2', c2, 'c3', c3, 'c4', c4, 'c5', c5, 'c6', c6)) FROM entry_time),"
    "'messages', (SELECT json_group_array(json_object('kind', kind, 'count', n, 'bytes', bytes,"
    "  'max_bytes', max_bytes, 'mean_latency_ns', latency)) FROM"
    "  (SELECT k.name AS kind, count(*) AS n, sum(bytes) AS bytes, max(bytes) AS max_bytes,"
    "   avg(arrived - sent) AS latency FROM message m JOIN message_kind k ON k.id = m.kind"
    "   GROUP BY k.name ORDER BY n DESC)),"
    "'lb_steps', (SELECT json_group_array(json_object('step', step, 'begin', begin,"
    "  'strategy', strategy, 'options', options, 'metric', metric, 'reason', reason,"
    "  'seed', seed, 'strategy_ns', strategy_ns, 'statistics_ns', statistics_ns,"
    "  'migration_ns', migration_ns, 'imbalance_before', imbalance_before,"
    "  'imbalance_predicted', imbalance_predicted, 'imbalance_measured', imbalance_measured,"
    "  'objects', objects, 'migrations', migrations, 'bytes', bytes))"
    "  FROM (SELECT * FROM lb_step ORDER BY step)),"
    "'migrations', (SELECT json_object('count', count(*), 'lb', coalesce(sum(why = 'lb'), 0),"
    "  'user', coalesce(sum(why = 'user'), 0), 'bytes', coalesce(sum(bytes), 0),"
    "  'mean_flight_ns', avg(arrived - left),"
    "  'pe_ns', (SELECT sum(migrate_out_ns + migrate_in_ns) FROM pe)) FROM migration),"
    "'warnings', (SELECT json_group_array(text) FROM temp.warning))";

static void
keep(void *arg, const char *text)
{
    sqlite3_stmt *insert = arg;

    sqlite3_bind_text(insert, 1, text, -1, SQLITE_TRANSIENT);
    c4i_db_row(insert);
    sqlite3_reset(insert);
}

/* SQLite passes infinite numbers on, for which JSON has no word. */
static void
check_json(sqlite3 *db, sqlite3_stmt *report)
{
    sqlite3_stmt *q = c4i_db_query(db, "SELECT iif(json_valid(?1), 1, json(?1))");

    sqlite3_bind_value(q, 1, sqlite3_column_value(report, 0));
    c4i_db_row(q);
    sqlite3_finalize(q);
}

int
c4i_report_json(sqlite3 *db)
{
    sqlite3_stmt *q = c4i_db_query(db, "CREATE TEMP TABLE warning (text)");

    c4i_db_row(q);
    sqlite3_finalize(q);
    q = c4i_db_query(db, "INSERT INTO temp.warning VALUES (?)");
    c4i_report_warnings(db, keep, q);
    sqlite3_finalize(q);
    q = c4i_db_query(db, report_sql);
    c4i_db_row(q);
    check_json(db, q);
    c4i_print_json((const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    return C4I_EXIT_OK;
}
