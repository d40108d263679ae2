"""c4prof check finds each invariant broken where exactly that was done to a good recording."""
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_recording  # noqa: E402

SRC = os.environ.get('C4_SRCDIR', '.')
C4PROF = os.path.join(os.environ.get('C4_BUILDDIR', '.'), 'prof', 'c4prof')

# The first stretch of step on PE 0, a call to it, and other rows that are easy to break.
STEP = 'WHERE pe = 0 AND begin = 1630000'
MAIN = 'WHERE pe = 0 AND begin = 100000'
CALL = 'WHERE src = 0 AND id = 2'
AWAY = 'WHERE src = 0 AND id = 3'
REPLY = 'WHERE src = 1 AND id = 1'


def without_not_null(table, column, update):
    """SQLite does not look when the schema is put back."""
    definition = (f"UPDATE sqlite_schema SET sql = replace(sql, '{{}}', '{{}}') "
                  f"WHERE name = '{table}'")
    return [f'PRAGMA writable_schema = ON; {definition.format(column + " NOT NULL", column)}', update,
            f'PRAGMA writable_schema = ON; {definition.format(column, column + " NOT NULL")}']


# Invariant -> ways to break it; each is SQL, or a list of SQL for one connection after the other.
BROKEN = {
    'integrity': [without_not_null('run', 'end_ns          INTEGER', 'UPDATE run SET end_ns = NULL')],
    'references': ['UPDATE execution SET entry = 99 ' + STEP, 'UPDATE message SET kind = 99 ' + CALL,
                   'UPDATE execution SET object = 99 ' + STEP, 'DELETE FROM collection'],
    'one-run': ['UPDATE run SET id = 3'],
    'one-row-a-pe': ['DELETE FROM pe WHERE pe = 1', 'UPDATE pe SET pe = 2 WHERE pe = 1'],
    'run-is-its-pes': ['UPDATE run SET dropped = 3', 'UPDATE run SET end_ns = end_ns + 1',
                       'UPDATE run SET complete = 0', 'UPDATE pe SET complete = 0 WHERE pe = 1',
                       'UPDATE run SET exit_status = NULL'],
    'pes-exist': ['UPDATE execution SET pe = 2 ' + STEP, 'UPDATE message SET dst = 2 ' + AWAY,
                  'UPDATE execution SET cause_pe = 7 ' + STEP, 'UPDATE activity SET pe = 2 WHERE kind = 2',
                  'UPDATE summary SET pe = -1 WHERE entry = 1', 'UPDATE bin SET pe = 2 WHERE entry = 1',
                  'UPDATE object SET home = 2', 'UPDATE migration SET to_pe = 2',
                  'UPDATE migration SET from_pe = NULL', 'UPDATE lb_pe SET pe = 2 WHERE pe = 1',
                  'UPDATE lb_object SET to_pe = 2', 'UPDATE pe_bin SET pe = 2 WHERE pe = 1',
                  'UPDATE message SET received_pe = 5 ' + REPLY],
    'inside-the-run': ['UPDATE pe SET begin = -1, overhead_ns = overhead_ns + 10001 WHERE pe = 0',
                       'UPDATE execution SET begin = 9 ' + STEP,
                       'UPDATE execution SET ns = 700000 WHERE pe = 0 AND begin = 2040000',
                       'UPDATE activity SET begin = 3000000 WHERE kind = 2',
                       'UPDATE message SET sent = 3000000 WHERE id = 9',
                       'UPDATE message SET taken = 3000000 WHERE id = 9',
                       'UPDATE bin SET begin = 64 << 20 WHERE entry = 7',
                       'UPDATE pe_bin SET begin = 64 << 20 WHERE begin = 0',
                       'UPDATE object SET destroyed = 3000000 WHERE id = 1',
                       'UPDATE migration SET arrived = 3000000', 'UPDATE lb_step SET end = 3000000'],
    'covered-until': ['UPDATE pe SET covered_until = 2000000', 'UPDATE pe SET dropped = 1; UPDATE run'
                      ' SET dropped = 2', 'UPDATE pe SET dropped = 1, covered_until = 1; UPDATE run SET'
                      ' dropped = 2'],
    'names': ["UPDATE entry_method SET kind = 'other' WHERE id = 3", "UPDATE entry_method SET type = 1"
              " WHERE kind = 'task'", "UPDATE entry_method SET number = NULL WHERE id = 3",
              'UPDATE object SET element = 0'],
    'wall-is-its-parts': ['UPDATE pe SET overhead_ns = 0', 'UPDATE pe SET overhead_ns = NULL'],
    'parts-fit-the-wall': ['UPDATE pe SET idle_ns = 3000000', 'UPDATE pe SET lb_ns = NULL',
                           'UPDATE pe SET reduce_ns = 3000000', 'UPDATE pe SET lb_ns = -1'],
    'stretches-are-disjoint': ['UPDATE execution SET ns = ns + 50000 ' + STEP],
    'activities-are-disjoint': ['UPDATE activity SET ns = 1000000 WHERE pe = 1 AND begin = 20000'],
    'activities-nest': ['UPDATE activity SET ns = 100000 WHERE pe = 0 AND kind = 1',
                        'UPDATE activity SET begin = 2026000 WHERE kind = 5',
                        'UPDATE activity SET begin = 1650000, ns = 1000 WHERE pe = 0 AND kind = 1',
                        'UPDATE activity SET begin = 2000000 WHERE kind = 5'],
    'busy-is-the-summary': ['UPDATE pe SET busy_ns = busy_ns + 1000', 'DELETE FROM summary WHERE entry = 1',
                            'UPDATE pe SET busy_ns = NULL'],
    'activities-are-in-the-pe': ['DELETE FROM activity WHERE kind = 2', 'UPDATE pe SET reduce_ns = 0',
                                 'UPDATE activity SET ns = ns - 100 WHERE kind = 1',
                                 'UPDATE pe SET migrate_out_ns = NULL'],
    'bins-are-in-step': ['UPDATE run SET bin_ns = 1000000', 'UPDATE run SET bin_ns = NULL',
                         'UPDATE bin SET begin = begin + 1', 'UPDATE pe_bin SET begin = begin + 1'],
    'no-bin-above-100-percent': ['UPDATE bin SET busy_ns = 1048577 WHERE entry = 1',
                                 'UPDATE bin SET busy_ns = -1 WHERE entry = 1'],
    'bins-are-the-summary': ['UPDATE bin SET busy_ns = busy_ns - 100 WHERE entry = 3',
                             'UPDATE bin SET count = 0', 'DELETE FROM bin WHERE entry = 7',
                             'DELETE FROM summary WHERE entry = 7'],
    'cpu-of-pes': ['UPDATE pe SET cpu_ns = 2300000', 'UPDATE pe SET cpu_ns = NULL',
                   'UPDATE pe SET stolen_ns = busy_ns + 1', 'UPDATE pe SET stopped_ns = stolen_ns + 1',
                   'UPDATE pe SET switches = NULL'],
    'cpu-of-bins': ['UPDATE pe_bin SET cpu_ns = 1200000',
                    'UPDATE pe_bin SET stolen_ns = 1100000', 'UPDATE pe_bin SET switches = -1'],
    'cpu-bins-are-the-pe': ['DELETE FROM pe_bin WHERE begin = 0', 'UPDATE pe SET switches = 7',
                            'UPDATE pe_bin SET stolen_ns = stolen_ns + 200000',
                            'UPDATE pe SET cpu_ns = NULL'],
    'cpu-of-stretches': ['UPDATE execution SET cpu_ns = ns + 20001 ' + MAIN,
                         'UPDATE execution SET stolen_ns = ns + 1 ' + MAIN,
                         'UPDATE execution SET stolen_ns = 1400000 ' + MAIN],
    'long-stretches-have-cpu': ['UPDATE execution SET cpu_ns = NULL ' + MAIN,
                                'UPDATE execution SET stolen_ns = NULL ' + MAIN],
    'cpu-of-stretches-sums-up': ['UPDATE pe SET cpu_ns = 1000000', 'UPDATE execution SET stolen_ns = 350000 ' + MAIN],
    'stolen-is-the-summary': ['UPDATE pe SET stolen_ns = stolen_ns + 100',
                                     'UPDATE summary SET stolen_ns = 5'],
    'summary-has-its-parts': ['UPDATE summary SET em_ns = em_ns + 1', 'UPDATE summary SET stolen_ns = ns + 1',
                              'UPDATE summary SET em_ns = ns + 1, send_ns = -1'],
    'summary-is-possible': ['UPDATE summary SET calls = stretches + 1', 'UPDATE summary SET min_ns = ns + 1',
                            'UPDATE summary SET max_ns = 1', 'UPDATE summary SET max_ns = NULL',
                            'UPDATE summary SET sumsq_ns = 0', 'UPDATE summary SET sumsq_ns = 1e30'],
    'summary-counts': ['UPDATE summary SET calls = 0', 'DELETE FROM execution ' + STEP,
                       'UPDATE summary SET stretches = stretches + 1', 'DELETE FROM summary WHERE entry = 7',
                       'DELETE FROM execution WHERE entry = 7'],
    'summary-times': ['UPDATE execution SET ns = ns - 100 ' + STEP,
                      'UPDATE execution SET send_ns = 0 ' + MAIN,
                      'UPDATE execution SET recv_ns = recv_ns + 100 ' + STEP,
                      'UPDATE summary SET sumsq_ns = sumsq_ns * 1.001'],
    'summary-extremes': ['UPDATE summary SET min_ns = min_ns - 100', 'UPDATE summary SET max_ns = max_ns + 100',
                         'UPDATE summary SET max_ns = NULL'],
    'summary-bytes': ['UPDATE summary SET bytes = bytes + 1', 'UPDATE execution SET bytes = 0 ' + STEP],
    'summary-stolen': ['UPDATE summary SET stolen_ns = 0'],
    'summary-sent': ['UPDATE summary SET sent = sent + 1', 'UPDATE message SET bytes = 1 ' + CALL,
                     'UPDATE message SET sender = NULL, cause_pe = 0, cause = 1 ' + CALL],
    'counters': ['UPDATE summary SET c1 = NULL', 'UPDATE summary SET c2 = 0',
                 'UPDATE execution SET c1 = c1 + 1 ' + STEP, 'UPDATE execution SET c6 = 0 ' + STEP,
                 "UPDATE counter SET col = 'c3' WHERE id = 2"],
    'lengths-of-stretches': ['UPDATE execution SET send_ns = ns + 1 ' + STEP,
                             'UPDATE execution SET wait_ns = -1 ' + STEP,
                             'UPDATE execution SET recv_ns = -1 ' + STEP],
    'flags-of-stretches': ['UPDATE execution SET resumed = 2 ' + STEP, 'UPDATE execution SET woken = 1 ' + STEP,
                           'UPDATE execution SET wait_ns = 1 WHERE resumed AND NOT woken'],
    'every-execution-has-a-cause': ['UPDATE execution SET cause = NULL, cause_pe = NULL ' + STEP,
                                    'UPDATE execution SET cause = NULL ' + STEP,
                                    'UPDATE execution SET cause = NULL, cause_pe = NULL WHERE entry = 1',
                                    'UPDATE execution SET cause = NULL, cause_pe = NULL WHERE entry = 7'],
    'causes-are-messages': ['DELETE FROM message ' + CALL, 'UPDATE execution SET cause = 99 ' + STEP,
                            'UPDATE message SET sent = 1640000 ' + CALL],
    'received-before-begun': ['UPDATE message SET taken = 1628000 ' + CALL,
                              'UPDATE message SET arrived = 501000 ' + CALL,
                              'UPDATE message SET arrived = NULL, taken = NULL, received_pe = NULL ' + REPLY],
    'times-of-calls': ['UPDATE message SET taken = 1620000 ' + CALL, 'UPDATE message SET arrived = NULL ' + CALL,
                       'UPDATE execution SET wait_ns = 0 ' + STEP],
    'entries-fit-their-cause': ['UPDATE execution SET cause = 1, cause_pe = 0 ' + STEP,
                                'UPDATE execution SET cause = 2, cause_pe = 0 WHERE entry IN (2, 5, 6, 7)'],
    'calls-reach-their-target': ['UPDATE message SET object = 2 ' + CALL, 'UPDATE message SET entry = 4 ' + CALL,
                                 'UPDATE message SET object = NULL ' + CALL,
                                 'UPDATE message SET object = 1 WHERE kind = 4',
                                 'UPDATE message SET entry = NULL WHERE kind = 6'],
    'bytes-of-messages': ['UPDATE execution SET bytes = 0 ' + STEP, 'UPDATE message SET bytes = 99 ' + CALL],
    'local-messages-stay': ['UPDATE execution SET local = 1 WHERE pe = 1 AND begin = 650000',
                            'UPDATE message SET dst = 1 ' + CALL],
    'calls-run-once': ['UPDATE execution SET cause = 2 WHERE pe = 0 AND begin = 1822000',
                       'UPDATE message SET received_pe = 1 ' + CALL],
    'targets-are-reached-once': ['UPDATE execution SET entry = 3, object = 1 WHERE cause = 5 AND NOT resumed'],
    'resumed-after-suspended': ['UPDATE execution SET suspended = 0 WHERE pe = 0 AND begin = 1810000',
                                'UPDATE execution SET suspended = 0 WHERE entry = 1'],
    'resumed-stretches-were-woken': ['UPDATE execution SET cause = 6 WHERE pe = 0 AND begin = 1831000',
                                     "UPDATE activity SET begin = 1830100, ns = 800 WHERE pe = 0 AND kind = 1",
                                     'UPDATE execution SET woken = 0, wait_ns = 0 WHERE woken',
                                     'UPDATE execution SET suspended = 0 WHERE pe = 0 AND begin = 1810000'],
    'wakers-are-others': ['UPDATE execution SET woken = 1 WHERE pe = 0 AND begin = 1831000'],
    'times-of-messages': ['UPDATE message SET arrived = sent - 1 ' + REPLY,
                          'UPDATE message SET taken = arrived - 1 ' + REPLY,
                          'UPDATE message SET arrived = NULL ' + REPLY,
                          'UPDATE message SET received_pe = NULL ' + REPLY, 'UPDATE message SET bytes = -1 ' + REPLY],
    'numbers-of-messages': ['UPDATE message SET sent = 800000 ' + CALL],
    'answers-are-received': ["UPDATE message SET taken = NULL, arrived = NULL, received_pe = NULL,"
                             " src = 0, id = 10, dst = 0 " + REPLY + "; UPDATE message SET id = 11 WHERE id = 8"],
    'senders-are-executions': ['UPDATE message SET sender = sender + 1 ' + CALL,
                               'UPDATE message SET sender = 1822000 ' + CALL],
    'messages-have-a-cause': ['UPDATE message SET cause = NULL, cause_pe = NULL WHERE kind = 4',
                              'UPDATE message SET sender = NULL ' + CALL,
                              'UPDATE message SET cause = 77 WHERE kind = 4',
                              'UPDATE message SET sent = 1990000, arrived = 1990000, taken = 1990000 WHERE src = 0 AND id = 7'],
    'sent-is-counted': ['UPDATE pe SET sent = sent + 1', 'UPDATE pe SET sent_bytes = 1', 'DELETE FROM message ' + AWAY,
                        'UPDATE pe SET sent_min = 0', 'UPDATE pe SET sent_max = NULL'],
    'incoming-is-counted': ['UPDATE pe SET incoming = incoming + 1', 'UPDATE pe SET incoming_bytes = 0',
                            'UPDATE message SET dst = 0 ' + AWAY, 'UPDATE pe SET incoming = NULL'],
    'incoming-was-sent': ['UPDATE pe SET incoming = 9', 'UPDATE pe SET incoming_bytes = 999',
                          'UPDATE pe SET incoming = NULL'],
    'received-is-counted': ['UPDATE pe SET received = received + 1', 'UPDATE pe SET received_bytes = 0',
                            'UPDATE pe SET local_calls = 0', 'UPDATE execution SET cause_pe = 1, cause = 1 ' + STEP,
                            'UPDATE pe SET received_min = NULL', 'UPDATE pe SET received_max = received_max + 1'],
    'tallies-are-possible': ['UPDATE pe SET sent = 0', 'UPDATE pe SET received_max = 1',
                             'UPDATE pe SET sent_min = 9999', 'UPDATE pe SET local_calls = NULL'],
    'elements-live-when-they-run': ['UPDATE object SET created = 1640000 WHERE id = 1',
                                    'UPDATE object SET destroyed = 1640000 WHERE id = 1'],
    'elements-move-by-migration': ['DELETE FROM migration', 'UPDATE migration SET arrived = 2100000',
                                   'UPDATE migration SET to_pe = 1', 'UPDATE object SET created_pe = 0'],
    'migrations-take-time': ['UPDATE migration SET arrived = left - 1',
                             'UPDATE migration SET arrived = NULL, left = NULL', 'UPDATE migration SET left = NULL',
                             "INSERT INTO migration VALUES (2, 2, 1, 0, 64, 1960000, NULL, 'lb')"],
    'migrations-are-messages': ['DELETE FROM message WHERE kind = 4', 'UPDATE migration SET left = 1986000',
                                'UPDATE migration SET from_pe = 0',
                                'UPDATE message SET dst = 1 WHERE kind = 4'],
    'elements-are-counted': ['UPDATE pe SET created = 0', 'UPDATE pe SET left = left + 1',
                             'UPDATE pe SET arrived = NULL', 'DELETE FROM migration'],
    'steps-are-in-order': ['UPDATE lb_step SET step = 1', 'UPDATE lb_step SET end = begin - 1',
                           'UPDATE lb_step SET strategy_ns = NULL', 'UPDATE lb_step SET statistics_ns = 0'],
    'steps-are-counted': ['UPDATE lb_step SET objects = 3', 'UPDATE lb_step SET migrations = 0',
                          'DELETE FROM lb_object'],
    'steps-know-all-pes': ['DELETE FROM lb_pe WHERE pe = 0', 'UPDATE lb_pe SET objects = 2'],
    'pinned-elements-stay': ['UPDATE lb_object SET movable = 0'],
    'loads-are-busy-time': ['UPDATE lb_object SET wall_ns = 260000 WHERE object = 2',
                            'UPDATE lb_pe SET background_ns = 200000 WHERE pe = 1',
                            'UPDATE lb_object SET wall_ns = -1'],
    'loads-fit-their-interval': ['UPDATE lb_pe SET idle_ns = 2000000', 'UPDATE lb_pe SET wall_ns = 9'],
    'intervals-fit-the-run': ['UPDATE lb_pe SET wall_ns = 3000000', 'UPDATE lb_pe SET busy_ns = 2100000',
                              'UPDATE lb_pe SET idle_ns = 1400000'],
    'loads-are-executions': ['UPDATE lb_object SET wall_ns = 999000'],
    'loads-are-the-metric': ['UPDATE lb_object SET load = 1', 'UPDATE lb_object SET cpu_ns = 300000',
                               "UPDATE lb_step SET metric = 'cpu'"],
    'imbalance-is-of-the-loads': ['UPDATE lb_step SET imbalance_before = 0.5',
                                  'UPDATE lb_step SET imbalance_predicted = NULL',
                                  'UPDATE lb_object SET from_pe = 0'],
    'steps-move-elements': ['UPDATE lb_step SET migrations = 0', 'DELETE FROM migration'],
    'walk-to-main': ['UPDATE execution SET cause = NULL, cause_pe = NULL WHERE pe = 1',
                     'UPDATE message SET sender = NULL WHERE kind = 10',
                     'DELETE FROM execution WHERE entry = 1',
                     'UPDATE message SET sender = NULL, cause_pe = 1, cause = 3 WHERE src = 1 AND id = 3;'
                     ' UPDATE message SET sender = NULL, cause_pe = 1, cause = 3 WHERE kind = 10'],
}

# c4prof finds that already when it opens a file that is not as c4 wrote it.
REFUSED = {'integrity'}

# What is less than a whole recording of all details, and yet in order.
DETAILS = 'DELETE FROM execution; DELETE FROM message; DELETE FROM activity;'
SOUND = {
    'level summary': DETAILS + "UPDATE run SET level = 'summary'",
    'records were dropped': DETAILS + 'UPDATE run SET dropped = 9;'
    'UPDATE pe SET dropped = 9, covered_until = 50000 WHERE pe = 0;'
    'UPDATE pe SET dropped = 0 WHERE pe = 1; UPDATE pe SET dropped = 4, covered_until = 50000 WHERE pe = 1;'
    'UPDATE pe SET dropped = 5 WHERE pe = 0',
    'the execution that was running when room ran out is missing': 'UPDATE run SET dropped = 9;'
    'UPDATE pe SET dropped = 9, covered_until = 2045000 WHERE pe = 0;'
    'DELETE FROM execution WHERE pe = 0 AND begin = 2040000; UPDATE message SET sender = NULL WHERE kind = 10',
    'one PE was killed': 'UPDATE run SET complete = 0, exit_status = NULL;'
    'UPDATE pe SET complete = 0, status = NULL WHERE pe = 1; DELETE FROM execution WHERE pe = 1 AND begin > 700000;'
    'DELETE FROM bin WHERE pe = 1; DELETE FROM pe_bin WHERE pe = 1;'
    'DELETE FROM message WHERE src = 1 AND sender IS NULL',
}


def check(path):
    """-> exit status, names of the invariants that are broken, output."""
    done = subprocess.run([C4PROF, 'check', '--as-is', path], text=True, capture_output=True)
    return done.returncode, re.findall(r'^([a-z0-9-]+): ', done.stdout, re.M), done.stdout + done.stderr


def change(good, work, scripts):
    path = os.path.join(work, 'broken.db')
    shutil.copy(good, path)
    for script in [scripts] if isinstance(scripts, str) else scripts:
        db = sqlite3.connect(path)
        db.executescript(script)
        db.commit()
        db.close()
    return path


def listed():
    """-> {name: sentence} of --list."""
    out = subprocess.run([C4PROF, 'check', '--list'], text=True, capture_output=True, check=True).stdout
    return dict(line.split(None, 1) for line in out.splitlines())


def documented():
    with open(os.path.join(SRC, 'doc', 'recording.md')) as f:
        return dict(re.findall(r'^\| `([a-z0-9-]+)` \| (.*) \|$', f.read(), re.M))


def main():
    there, bad = listed(), []
    if len(there) < 50:
        bad.append(f'only {len(there)} invariants: the test is blind')
    for name in there.keys() ^ BROKEN.keys():
        bad.append(f'{name} is only in ' + ('--list: break it here' if name in there else 'this test'))
    if there != documented():
        bad += ['doc/recording.md is not --list:'] + sorted(
            '  ' + str(row) for row in set(there.items()) ^ set(documented().items()))
    with tempfile.TemporaryDirectory() as work:
        good = os.path.join(work, 'good.db')
        check_recording.write(good)
        status, _, output = check(good)
        if status or output:
            bad.append(f'the good recording: {status}\n{output}')
        for name, ways in BROKEN.items():
            for way in ways:
                status, names, output = check(change(good, work, way))
                if name in REFUSED and status == 2:
                    continue
                if status != 1 or name not in names:
                    bad.append(f'{name}: status {status}, {names} after {way}\n{output}')
        for what, script in SOUND.items():
            status, _, output = check(change(good, work, script))
            if status or output:
                bad.append(f'{what}: status {status}\n{output}')
    print('\n'.join(bad))
    return 1 if bad else 0


sys.exit(main())
