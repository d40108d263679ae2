"""A small recording made by hand of which all invariants hold: 2 PEs, a coroutine, a task, a step
of load balancing with a migration.  Only what is told below is written down; sums follow from it."""
import os
import re
import sqlite3

US = 1000
BIN = 1 << 20
END = 2200 * US

KINDS = ['call', 'insert', 'ctor', 'migration', 'create', 'broadcast', 'reply', 'reduction', 'sync',
         'exit', 'task', 'completion']
OF_PROGRAMS = ['call', 'insert', 'ctor', 'broadcast', 'reply', 'reduction']
ACTIVITIES = ['idle', 'lb', 'migrate_out', 'migrate_in', 'reduce']
MAIN, CREATE, STEP, RUN, MIGRATED, RESUME, TASK = range(1, 8)

# src: [kind, sent, dst, arrived, taken, bytes, object, entry, sender or (PE, number) of the cause]
MESSAGES = {
    0: [['create', 300, 1, 310, 320, 8, None, None, 100],                   # 1
        ['call', 500, 0, 500, 1625, 24, 1, STEP, 100],                      # 2
        ['call', 600, 1, 620, 640, 32, 2, STEP, 100],                       # 3
        ['task', 700, 1, 720, 805, 0, None, None, 100],                     # 4
        ['broadcast', 1770, 1, 1780, 1800, 16, None, RUN, 1760],            # 5
        ['call', 1775, 0, 1775, 1820, 8, 1, STEP, 1760],                    # 6
        ['sync', 1955, 1, 1960, 1965, 8, None, None, (1, 2)],               # 7
        ['reduction', 2025, 0, 2025, 2030, 8, None, None, 2005],            # 8
        ['exit', 2050, 1, 2060, 2070, 0, None, None, 2040]],                # 9
    1: [['reply', 700, 0, 1740, 1750, 4, None, None, 650],                  # 1
        ['sync', 1835, 0, 1900, 1905, 8, None, None, (0, 5)],               # 2
        ['migration', 1985, 0, 1990, 1995, 64, 2, None, (0, 7)]],           # 3
}

FIRST, RESUMED, WOKEN = range(3)
# [PE, begin, end, entry, object, cause, taken, how, suspended]; us
EXECUTIONS = [
    [0, 100, 1600, MAIN, None, None, 100, FIRST, 1],
    [0, 1610, 1620, CREATE, 1, (0, 1), 1605, FIRST, 0],
    [0, 1630, 1730, STEP, 1, (0, 2), 1625, FIRST, 0],
    [0, 1760, 1800, MAIN, None, (1, 1), 1750, WOKEN, 1],
    [0, 1810, 1820, RUN, 1, (0, 5), 1805, FIRST, 1],
    [0, 1822, 1830, STEP, 1, (0, 6), 1820, FIRST, 0],
    [0, 1831, 1850, RUN, 1, (0, 5), 1831, RESUMED, 0],
    [0, 2001, 2003, MIGRATED, 2, (1, 3), 1995, FIRST, 0],
    [0, 2005, 2028, RESUME, 1, (1, 2), 1996, FIRST, 0],
    [0, 2040, 2060, MAIN, None, (0, 8), 2030, WOKEN, 0],
    [1, 330, 340, CREATE, 2, (0, 1), 320, FIRST, 0],
    [1, 650, 800, STEP, 2, (0, 3), 640, FIRST, 0],
    [1, 810, 900, TASK, None, (0, 4), 805, FIRST, 0],
    [1, 1805, 1830, RUN, 2, (0, 5), 1800, FIRST, 0],
]
ACTIVITY = [  # [PE, kind, begin, end]
    [0, 'idle', 1731, 1741], [0, 'lb', 1910, 1950], [0, 'migrate_in', 1996, 2000],
    [0, 'reduce', 2020, 2024], [1, 'idle', 20, 300], [1, 'idle', 905, 1775],
    [1, 'migrate_out', 1970, 1980]]
PROGRAMS = "('call', 'insert', 'ctor', 'broadcast', 'reduction', 'reply', 'future', 'section')"


def message_rows():
    for src, messages in MESSAGES.items():
        for number, (kind, sent, dst, arrived, taken, nbytes, obj, entry, by) in enumerate(messages, 1):
            sender = None if isinstance(by, tuple) else by * US
            cause = by if isinstance(by, tuple) else (None, None)
            yield (src, number, sender, sent * US, dst, arrived * US, taken * US, dst, obj, entry,
                   nbytes, KINDS.index(kind) + 1, *cause)


def execution_rows():
    for pe, begin, end, entry, obj, cause, taken, how, suspended in EXECUTIONS:
        message = MESSAGES[cause[0]][cause[1] - 1] if cause else None
        long = end - begin > 1000
        sends = [m for m in MESSAGES[pe] if not isinstance(m[8], tuple) and m[8] == begin]
        first = message and how != RESUMED
        arrived = min(message[3], taken) if first else taken
        if first and message[2] != pe:              # a broadcast came here later
            arrived = taken - 1
        yield dict(
            pe=pe, begin=begin * US, ns=(end - begin) * US, cpu_ns=1300 * US if long else None,
            stolen_ns=100 * US if long else None, wait_ns=(taken - arrived) * US, entry=entry,
            object=obj, cause_pe=cause and cause[0], cause=cause and cause[1],
            send_ns=len(sends) * US, recv_ns=(begin - taken) * US, bytes=message[5] if message else 0,
            local=int(bool(message) and cause[0] == message[2] == pe and message[0] == 'call'),
            resumed=int(how != FIRST), woken=int(how == WOKEN), suspended=suspended,
            c1=(end - begin) * 3)


def insert(db, table, row):
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
               list(row.values()))


def write_events(db):
    for name, columns in (
            ('src, id, sender, sent, dst, arrived, taken, received_pe, object, entry, bytes, kind,'
             ' cause_pe, cause', message_rows()),):
        db.executemany(f"INSERT INTO message ({name}) VALUES ({', '.join('?' * 14)})", columns)
    for row in execution_rows():
        insert(db, 'execution', row)
    for pe, kind, begin, end in ACTIVITY:
        insert(db, 'activity', dict(pe=pe, begin=begin * US, kind=ACTIVITIES.index(kind) + 1,
                                    ns=(end - begin) * US))


def write_names(db):
    db.executemany('INSERT INTO message_kind VALUES (?, ?, ?)',
                   [(i, name, name in OF_PROGRAMS) for i, name in enumerate(KINDS, 1)])
    db.executemany('INSERT INTO activity_kind VALUES (?, ?)', enumerate(ACTIVITIES, 1))
    insert(db, 'chare_type', dict(id=1, name='Cell'))
    for entry, name, kind, number in (
            (MAIN, 'main', 'main', None), (CREATE, 'create', 'create', None), (STEP, 'step', 'entry', 0),
            (RUN, 'run', 'entry', 1), (MIGRATED, 'migrated', 'migrated', None),
            (RESUME, 'resume', 'resume', None), (TASK, 'program.square', 'task', None)):
        insert(db, 'entry_method', dict(id=entry, type=None if kind in ('main', 'task') else 1,
                                        number=number, name=name, kind=kind))
    insert(db, 'collection', dict(id=1, type=1, kind='array', ndims=1, dims='2', sparse=0, at_sync=1))
    for i, created in ((0, 1609), (1, 329)):
        insert(db, 'object', dict(id=i + 1, collection=1, element=i, idx=str(i), home=i, created_pe=i,
                                  created=created * US))
    insert(db, 'counter', dict(id=1, col='c1', name='PAPI_TOT_INS', unit='events', source='PMU'))
    insert(db, 'counter', dict(id=2, name='NO_SUCH', why_missing='there is none'))
    insert(db, 'log', dict(pe=0, time=5, level='event', text='it began'))


def write_balancing(db):
    insert(db, 'lb_step', dict(
        step=0, begin=1910 * US, end=1950 * US, strategy='GreedyLB', metric='wall',
        statistics_ns=30 * US, strategy_ns=10 * US, migration_ns=20 * US, imbalance_before=0.0,
        imbalance_predicted=1.0, objects=2, migrations=1, bytes=64))
    for pe, busy, idle in ((0, 1600, 10), (1, 250, 1200)):
        insert(db, 'lb_pe', dict(step=0, pe=pe, objects=1, background_ns=0, busy_ns=busy * US,
                                 idle_ns=idle * US if pe == 0 else 1100 * US, wall_ns=1880 * US))
    for obj in (1, 2):
        insert(db, 'lb_object', dict(
            step=0, object=obj, load=100e-6, wall_ns=100 * US, cpu_ns=90 * US, movable=obj - 1,
            from_pe=obj - 1, to_pe=0))
    insert(db, 'migration', dict(id=1, object=2, from_pe=1, to_pe=0, bytes=64, left=1980 * US,
                                 arrived=2000 * US, why='lb'))


def write_bins(db):
    bins = {}
    for pe, begin, ns, entry in db.execute('SELECT pe, begin, ns, entry FROM execution').fetchall():
        end = begin + ns
        for k in range(begin // BIN, end // BIN + 1):
            cell = bins.setdefault((pe, k * BIN, entry), [0, 0])
            cell[0] += min(end, (k + 1) * BIN) - max(begin, k * BIN)
            cell[1] += k == end // BIN
    db.executemany('INSERT INTO bin VALUES (?, ?, ?, ?, ?)', [(*k, *v) for k, v in bins.items()])
    for pe in (0, 1):
        for k in range(END // BIN + 1):
            insert(db, 'pe_bin', dict(pe=pe, begin=k * BIN, cpu_ns=500 * US,
                                      stolen_ns=100 * US if pe == k == 0 else 0, switches=2))


SUMMARY = """INSERT INTO summary (pe, entry, calls, stretches, ns, min_ns, max_ns, sumsq_ns, stolen_ns,
    em_ns, send_ns, recv_ns, bytes, sent, sent_bytes, c1)
SELECT pe, entry, sum(NOT resumed), count(*), sum(ns), min(ns), max(ns), sum(1.0 * ns * ns),
    coalesce(sum(stolen_ns), 0), sum(ns) - sum(send_ns), sum(send_ns),
    sum(iif(resumed, 0, recv_ns)), sum(iif(resumed, 0, bytes)),
    (SELECT count(*) FROM message m JOIN execution y ON y.pe = m.src AND y.begin = m.sender
     WHERE y.pe = x.pe AND y.entry = x.entry AND m.kind IN (SELECT id FROM message_kind WHERE name IN %s)),
    (SELECT coalesce(sum(m.bytes), 0) FROM message m
     JOIN execution y ON y.pe = m.src AND y.begin = m.sender
     WHERE y.pe = x.pe AND y.entry = x.entry AND m.kind IN (SELECT id FROM message_kind WHERE name IN %s)),
    sum(c1) FROM execution x GROUP BY pe, entry""" % (PROGRAMS, PROGRAMS)


def write_sums(db):
    db.execute(SUMMARY)

    def one(sql, *values):
        return db.execute(sql, values).fetchone()
    for pe in (0, 1):
        busy, stolen, = one('SELECT sum(ns), coalesce(sum(stolen_ns), 0) FROM execution WHERE pe = ?', pe)
        spent = dict(db.execute('SELECT k.name, sum(ns) FROM activity JOIN activity_kind k ON k.id = kind'
                                ' WHERE pe = ? GROUP BY kind', [pe]))
        row = dict(pe=pe, host='here', pid=100 + pe, begin=10 * US, end=END, busy_ns=busy,
                   overhead_ns=END - 10 * US - busy - spent['idle'], cpu_ns=3 * 500 * US,
                   stolen_ns=stolen, stopped_ns=0, switches=6, created=1, left=int(pe == 1),
                   arrived=int(pe == 0), dropped=0, status=0, complete=1)
        for kind in ACTIVITIES:
            row[kind + '_ns'] = spent.get(kind, 0)
        of = 'SELECT count(*), coalesce(sum(bytes), 0), min(bytes), max(bytes) FROM '
        of_programs = f' AND kind IN (SELECT id FROM message_kind WHERE name IN {PROGRAMS})'
        for way, rows in (('sent', 'message WHERE src = ?1 AND dst != ?1' + of_programs),
                          ('incoming', 'message WHERE dst = ?1 AND src != ?1' + of_programs),
                          ('received', 'execution WHERE pe = ?1 AND cause_pe != pe AND NOT resumed')):
            values = one(of + rows, pe)
            for name, value in zip(('', '_bytes', '_min', '_max')[:2 if way == 'incoming' else 4], values):
                row[way + name] = value
        row['local_calls'], = one('SELECT count(*) FROM execution WHERE pe = ? AND cause_pe = pe'
                                  ' AND NOT resumed', pe)
        insert(db, 'pe', row)
    insert(db, 'run', dict(id=1, program='program.py', argv='[]', environment='{}', npes=2, level='full',
                           exit_status=0, complete=1, dropped=0, end_ns=END, bin_ns=BIN))


def write(path):
    """Makes the database."""
    with open(os.path.join(os.environ.get('C4_SRCDIR', '.'), 'prof', 'schema.sql')) as f:
        lines = [re.sub(' *--.*', '', line.rstrip()) for line in f]     # as it is compiled in
    db = sqlite3.connect(path)
    db.executescript(''.join(line + '\n' for line in lines if line))
    db.execute(f'PRAGMA application_id = {0x63344442}')
    db.execute('PRAGMA user_version = 2')
    for part in (write_names, write_events, write_balancing, write_bins, write_sums):
        part(db)
    db.execute('CREATE INDEX execution_cause ON execution (cause_pe, cause) WHERE cause IS NOT NULL')
    db.execute('CREATE INDEX migration_object ON migration (object)')
    db.commit()
    db.close()
