-- The trace database of c4: a public, versioned interface.
--
-- PRAGMA application_id is 0x63344442 ("c4DB"); PRAGMA user_version is the
-- version of this schema.  Times are integer ns since the job began, lengths of
-- time are ns, sizes are bytes.  NULL means "not measured" or "not known",
-- never 0.  doc/schema.md describes each table.

CREATE TABLE run (
    id              INTEGER PRIMARY KEY,
    start_unix_ns   INTEGER,              -- when the job began, since 1970
    start           TEXT,                 -- the same as text, UTC
    program         TEXT,                 -- file of the script or executable
    argv            TEXT,                 -- JSON array
    directory       TEXT,
    version         TEXT,                 -- of c4
    hosts           TEXT,                 -- JSON array
    npes            INTEGER NOT NULL,
    transport       TEXT,
    balancer        TEXT,                 -- as given to +balancer
    environment     TEXT,                 -- JSON object: variables and flags that matter
    level           TEXT NOT NULL,        -- summary, full
    exit_status     INTEGER,              -- NULL: killed
    complete        INTEGER NOT NULL,     -- 1: every PE came to its end
    oversubscribed  INTEGER,              -- 1: more PEs than cores
    dropped         INTEGER NOT NULL,     -- records that found no room
    end_ns          INTEGER NOT NULL,     -- the last event
    bin_ns          INTEGER,              -- width of the bins in table bin
    note            TEXT,                 -- as given to +traceNote
    python          TEXT,                 -- version; NULL: no Python program
    numpy           TEXT,                 -- version; NULL: not imported
    compiler        TEXT,                 -- of c4
    kernel          TEXT,
    cpu_model       TEXT,
    cores           INTEGER,              -- of the host
    git_revision    TEXT,                 -- of the program, when the job began
    git_dirty       INTEGER               -- 1: something was changed since that revision
);

CREATE TABLE pe (
    pe              INTEGER PRIMARY KEY,
    host            TEXT,
    pid             INTEGER,
    core            INTEGER,              -- where it ran at the start
    clock_offset_ns INTEGER,              -- added to bring it onto the common clock
    clock_error_ns  INTEGER,
    begin           INTEGER NOT NULL,     -- recording from ... to
    end             INTEGER NOT NULL,
    busy_ns         INTEGER,              -- in entry methods
    idle_ns         INTEGER,
    cpu_ns          INTEGER,              -- of the PE's thread
    stolen_ns       INTEGER,              -- of busy_ns: ready, but waiting for a core, or stopped
    stopped_ns      INTEGER,              -- of stolen_ns: stopped by a signal
    switches        INTEGER,              -- involuntary context switches
    lb_ns           INTEGER,
    migrate_out_ns  INTEGER,
    migrate_in_ns   INTEGER,
    reduce_ns       INTEGER,
    overhead_ns     INTEGER,              -- end - begin - busy - idle
    sent            INTEGER,              -- messages of the program handed to other PEs
    sent_bytes      INTEGER,
    sent_min        INTEGER,              -- bytes
    sent_max        INTEGER,
    incoming        INTEGER,              -- such messages from other PEs, where they come first
    incoming_bytes  INTEGER,
    received        INTEGER,              -- calls (executions) by messages of other PEs
    received_bytes  INTEGER,
    received_min    INTEGER,
    received_max    INTEGER,
    local_calls     INTEGER,              -- by messages of the PE itself
    created         INTEGER,              -- elements
    left            INTEGER,
    arrived         INTEGER,
    dropped         INTEGER NOT NULL,
    covered_until   INTEGER,              -- executions and messages are whole from begin to here; NULL: to end
    bins_until      INTEGER,              -- bins are whole to here: the disk was full; NULL: to end
    status          INTEGER,              -- as the PE saw it; NULL: it was killed
    complete        INTEGER NOT NULL,
    affinity        TEXT                  -- cores that it may use: "0-1"
);

CREATE TABLE chare_type (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    file            TEXT,
    line            INTEGER
);

CREATE TABLE entry_method (
    id              INTEGER PRIMARY KEY,
    type            INTEGER REFERENCES chare_type,  -- NULL: the main function, a task
    number          INTEGER,              -- in its type; NULL where c4 calls it
    name            TEXT NOT NULL,
    kind            TEXT NOT NULL,        -- entry, create, migrated, resume, main, task
    file            TEXT,
    line            INTEGER
);

CREATE TABLE collection (
    id              INTEGER PRIMARY KEY,
    type            INTEGER REFERENCES chare_type,
    kind            TEXT NOT NULL,        -- single, group, array
    ndims           INTEGER NOT NULL,
    dims            TEXT,                 -- "4,8"; NULL: sparse
    sparse          INTEGER NOT NULL,
    at_sync         INTEGER NOT NULL
);

CREATE TABLE object (
    id              INTEGER PRIMARY KEY,
    collection      INTEGER NOT NULL REFERENCES collection,
    element         INTEGER NOT NULL,     -- its key in the collection
    idx             TEXT,                 -- "3,4"
    home            INTEGER,
    created_pe      INTEGER,
    created         INTEGER,
    destroyed       INTEGER
);

CREATE TABLE counter (
    id              INTEGER PRIMARY KEY,
    col             TEXT,                 -- its column in execution and summary: c1 .. c6; NULL: not counted
    name            TEXT NOT NULL,
    unit            TEXT,
    source          TEXT,                 -- PMU, software
    why_missing     TEXT
);

-- A run of an entry method, or a stretch of one between suspensions.
CREATE TABLE execution (
    pe              INTEGER NOT NULL,
    begin           INTEGER NOT NULL,
    ns              INTEGER NOT NULL,
    cpu_ns          INTEGER,              -- of stretches longer than 1 ms
    stolen_ns       INTEGER,              -- of these: waiting for a core, or stopped
    entry           INTEGER NOT NULL REFERENCES entry_method,
    object          INTEGER REFERENCES object,
    cause_pe        INTEGER,              -- message (src, id) that caused it; NULL: main
    cause           INTEGER,
    send_ns         INTEGER NOT NULL,     -- part of ns spent in sends
    wait_ns         INTEGER NOT NULL,     -- of the message: from arrived to taken
    recv_ns         INTEGER NOT NULL,     -- of the message: from taken to begin
    bytes           INTEGER NOT NULL,     -- of the message
    local           INTEGER NOT NULL,     -- the message did not leave the PE
    woken           INTEGER NOT NULL,     -- resumed by the cause; else it goes on after others
    resumed         INTEGER NOT NULL,     -- not the first stretch
    suspended       INTEGER NOT NULL,     -- not the last stretch
    c1 INTEGER, c2 INTEGER, c3 INTEGER, c4 INTEGER, c5 INTEGER, c6 INTEGER,
    PRIMARY KEY (pe, begin)
) WITHOUT ROWID;

CREATE TABLE message_kind (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL,        -- call, reply, broadcast, reduction, migration, ...
    program         INTEGER NOT NULL      -- 1: programs send it; 0: the runtime's own
);

CREATE TABLE message (
    src             INTEGER NOT NULL,     -- PE
    id              INTEGER NOT NULL,     -- its number there
    sender          INTEGER,              -- execution.begin on src; NULL: sent by the runtime
    cause_pe        INTEGER,              -- ... when it handled this message (src, id)
    cause           INTEGER,
    sent            INTEGER NOT NULL,
    dst             INTEGER NOT NULL,     -- PE that it was sent to first
    arrived         INTEGER,              -- seen by a poll, at the target that took it first
    taken           INTEGER,              -- ... and taken up there; NULL: nowhere
    received        INTEGER GENERATED ALWAYS AS (taken) VIRTUAL,
    received_pe     INTEGER,
    object          INTEGER REFERENCES object,      -- NULL: to no element, or to a whole collection
    entry           INTEGER REFERENCES entry_method,
    bytes           INTEGER NOT NULL,
    kind            INTEGER NOT NULL REFERENCES message_kind,
    PRIMARY KEY (src, id)
) WITHOUT ROWID;

CREATE TABLE activity_kind (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL         -- idle, lb, migrate_out, migrate_in, reduce
);

CREATE TABLE activity (
    pe              INTEGER NOT NULL,
    begin           INTEGER NOT NULL,
    kind            INTEGER NOT NULL REFERENCES activity_kind,
    ns              INTEGER NOT NULL,
    PRIMARY KEY (pe, begin, kind)
) WITHOUT ROWID;

CREATE TABLE summary (
    pe              INTEGER NOT NULL,
    entry           INTEGER NOT NULL REFERENCES entry_method,
    calls           INTEGER NOT NULL,
    stretches       INTEGER NOT NULL,     -- more than calls where methods suspend
    ns              INTEGER NOT NULL,     -- em_ns + send_ns
    min_ns          INTEGER,              -- of stretches
    max_ns          INTEGER,
    sumsq_ns        REAL NOT NULL,
    stolen_ns       INTEGER NOT NULL,     -- of ns: waiting for a core, or stopped
    em_ns           INTEGER NOT NULL,     -- the three parts of charm.printStats()
    send_ns         INTEGER NOT NULL,
    recv_ns         INTEGER NOT NULL,
    bytes           INTEGER NOT NULL,     -- received with the calls
    sent            INTEGER NOT NULL,     -- messages that it sent, local ones included
    sent_bytes      INTEGER NOT NULL,
    c1 INTEGER, c2 INTEGER, c3 INTEGER, c4 INTEGER, c5 INTEGER, c6 INTEGER,
    PRIMARY KEY (pe, entry)
) WITHOUT ROWID;

-- Busy time of an entry method within [begin, begin + run.bin_ns).
CREATE TABLE bin (
    pe              INTEGER NOT NULL,
    begin           INTEGER NOT NULL,
    entry           INTEGER NOT NULL REFERENCES entry_method,
    busy_ns         INTEGER NOT NULL,
    count           INTEGER NOT NULL,     -- of stretches that ended in it
    PRIMARY KEY (pe, begin, entry)
) WITHOUT ROWID;

-- The PE's thread within [begin, begin + run.bin_ns).
CREATE TABLE pe_bin (
    pe              INTEGER NOT NULL,
    begin           INTEGER NOT NULL,
    cpu_ns          INTEGER NOT NULL,
    stolen_ns       INTEGER NOT NULL,     -- of executions
    switches        INTEGER NOT NULL,     -- involuntary
    PRIMARY KEY (pe, begin)
) WITHOUT ROWID;

-- Imbalance is max / mean - 1 of the PEs' load divided by their speed.
CREATE TABLE lb_step (
    step            INTEGER PRIMARY KEY,
    begin           INTEGER NOT NULL,     -- of the decision
    end             INTEGER NOT NULL,
    reason          TEXT,
    strategy        TEXT,
    options         TEXT,
    metric          TEXT,                 -- wall, cpu, user, a counter
    seed            INTEGER,
    statistics_ns   INTEGER,              -- decision without the strategy
    strategy_ns     INTEGER,
    migration_ns    INTEGER,              -- from the first departure to the last arrival
    imbalance_before    REAL,
    imbalance_predicted REAL,
    imbalance_measured  REAL,             -- over the interval that followed
    objects         INTEGER NOT NULL,
    migrations      INTEGER NOT NULL,
    bytes           INTEGER               -- that the migrations moved
);

CREATE TABLE lb_pe (
    step            INTEGER NOT NULL REFERENCES lb_step,
    pe              INTEGER NOT NULL,
    objects         INTEGER NOT NULL,
    background_ns   INTEGER NOT NULL,
    busy_ns         INTEGER NOT NULL,
    idle_ns         INTEGER NOT NULL,
    wall_ns         INTEGER NOT NULL,
    speed           REAL,
    PRIMARY KEY (step, pe)
) WITHOUT ROWID;

CREATE TABLE lb_object (
    step            INTEGER NOT NULL REFERENCES lb_step,
    object          INTEGER NOT NULL REFERENCES object,
    load            REAL NOT NULL,        -- by the step's metric; seconds for times
    wall_ns         INTEGER NOT NULL,
    cpu_ns          INTEGER,
    user_load       REAL,
    bytes           INTEGER,              -- packed
    movable         INTEGER NOT NULL,
    from_pe         INTEGER NOT NULL,
    to_pe           INTEGER NOT NULL,
    PRIMARY KEY (step, object)
) WITHOUT ROWID;

CREATE TABLE lb_comm (
    step            INTEGER NOT NULL REFERENCES lb_step,
    src             INTEGER NOT NULL REFERENCES object,
    dst             INTEGER NOT NULL REFERENCES object,
    messages        INTEGER NOT NULL,
    bytes           INTEGER NOT NULL,
    PRIMARY KEY (step, src, dst)
) WITHOUT ROWID;

CREATE TABLE migration (
    id              INTEGER PRIMARY KEY,
    object          INTEGER NOT NULL REFERENCES object,
    from_pe         INTEGER,
    to_pe           INTEGER,
    bytes           INTEGER,
    left            INTEGER,
    arrived         INTEGER,
    why             TEXT NOT NULL         -- lb, user
);

CREATE TABLE log (
    id              INTEGER PRIMARY KEY,
    pe              INTEGER,
    time            INTEGER,
    level           TEXT NOT NULL,        -- error, warning, info, event
    text            TEXT NOT NULL
);

-- ---- Views: the common questions -------------------------------------------

-- Which entry methods took the time?
CREATE VIEW entry_time AS
SELECT coalesce(t.name || '.', '') || m.name AS entry, m.kind AS kind,
       sum(s.calls) AS calls, sum(s.ns) AS ns,
       sum(s.stretches) AS stretches, sum(s.ns) / max(sum(s.stretches), 1) AS mean_ns,
       min(s.min_ns) AS min_ns, max(s.max_ns) AS max_ns,
       100.0 * sum(s.ns - s.stolen_ns) / (SELECT max(sum(ns - stolen_ns), 1) FROM summary) AS percent,
       sum(s.stolen_ns) AS stolen_ns, sum(s.ns - s.stolen_ns) AS own_ns, sum(s.em_ns) AS em_ns, sum(s.send_ns) AS send_ns, sum(s.recv_ns) AS recv_ns,
       sum(s.bytes) AS bytes, sum(s.sent) AS sent, sum(s.sent_bytes) AS sent_bytes,
       sum(s.c1) AS c1, sum(s.c2) AS c2, sum(s.c3) AS c3,
       sum(s.c4) AS c4, sum(s.c5) AS c5, sum(s.c6) AS c6, m.id AS id
FROM summary s JOIN entry_method m ON m.id = s.entry LEFT JOIN chare_type t ON t.id = m.type
GROUP BY m.id ORDER BY own_ns DESC;

-- How was each PE's time spent?
CREATE VIEW pe_time AS
SELECT pe, host, end - begin AS wall_ns, busy_ns, idle_ns, overhead_ns, stolen_ns, stopped_ns,
       100.0 * (busy_ns - stolen_ns) / max(end - begin, 1) AS busy_percent,
       100.0 * stolen_ns / max(end - begin, 1) AS stolen_percent,
       100.0 * idle_ns / max(end - begin, 1) AS idle_percent,
       100.0 * overhead_ns / max(end - begin, 1) AS overhead_percent
FROM pe;

-- Each execution with names.
CREATE VIEW execution_named AS
SELECT e.pe AS pe, e.begin AS begin, e.ns AS ns, coalesce(t.name || '.', '') || m.name AS entry,
       e.object AS object, o.collection AS collection, o.idx AS idx,
       e.cause_pe AS cause_pe, e.cause AS cause, e.bytes AS bytes
FROM execution e JOIN entry_method m ON m.id = e.entry
     LEFT JOIN chare_type t ON t.id = m.type LEFT JOIN object o ON o.id = e.object;

-- Each message with names, and how long it took.
CREATE VIEW message_named AS
SELECT g.src AS src, g.id AS id, k.name AS kind, g.sent AS sent,
       g.arrived - g.sent AS latency_ns, g.taken - g.arrived AS wait_ns, g.dst AS dst, g.received_pe AS received_pe,
       coalesce(t.name || '.', '') || m.name AS entry, o.idx AS idx, g.bytes AS bytes
FROM message g JOIN message_kind k ON k.id = g.kind
     LEFT JOIN entry_method m ON m.id = g.entry LEFT JOIN chare_type t ON t.id = m.type
     LEFT JOIN object o ON o.id = g.object;

-- Which objects took the time?  (level full)
CREATE VIEW object_time AS
SELECT t.name AS type, o.idx AS idx, count(*) AS stretches, sum(e.ns) AS ns,
       count(DISTINCT e.pe) AS pes, o.id AS id
FROM execution e JOIN object o ON o.id = e.object
     JOIN collection c ON c.id = o.collection LEFT JOIN chare_type t ON t.id = c.type
GROUP BY o.id ORDER BY ns DESC;

-- Did balancing help?
CREATE VIEW lb_history AS
SELECT step, begin, strategy, metric, objects, migrations, strategy_ns, migration_ns,
       round(100 * imbalance_before, 1) AS before_percent,
       round(100 * imbalance_predicted, 1) AS predicted_percent,
       round(100 * imbalance_measured, 1) AS measured_percent
FROM lb_step ORDER BY step;

-- How full was each PE over time?
CREATE VIEW utilization AS
SELECT b.pe AS pe, b.begin AS begin, r.bin_ns AS width_ns, sum(b.busy_ns) AS busy_ns,
       100.0 * sum(b.busy_ns) / r.bin_ns AS busy_percent
FROM bin b, run r GROUP BY b.pe, b.begin;
