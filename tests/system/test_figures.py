"""What is recorded is so: programs whose answer is known by construction."""
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

BUILD = os.path.abspath(os.environ.get("C4_BUILDDIR", "."))
GUARD_S = 120

HEAD = """
from charm4py import charm, Chare, Group, Array, Future, Channel, Reducer, coro, when
import os, sys, time

def spin(ms):
    end = time.thread_time() + ms / 1e3
    while time.thread_time() < end:
        pass
"""


def record(folder, body, pes, *flags, name="run.db", during=None):
    """Runs the program with a trace -> its database.  during(process): meanwhile."""
    (folder / "prog.py").write_text(HEAD + body + "\ncharm.start(main)\n")
    p = subprocess.Popen(["charmrun", f"+p{pes}", "prog.py", "+trace", name, *flags], cwd=folder,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        if during:
            during(p)
        out = p.communicate(timeout=GUARD_S)[0]
    finally:
        p.kill()
    assert p.returncode == 0, out
    return sqlite3.connect(folder / name)


def rows(db, sql):
    return db.execute(sql).fetchall()


def one(db, sql):
    (row,) = rows(db, sql)
    return row if len(row) > 1 else row[0]


def summed(db, method):
    """(calls, ms of its own) of an entry method, over all PEs."""
    return one(db, f"SELECT sum(s.calls), sum(s.ns - s.stolen_ns) / 1e6 FROM summary s "
                   f"JOIN entry_method m ON m.id = s.entry WHERE m.name LIKE '%{method}'")


def check_disjoint(db):
    assert not rows(db, """SELECT * FROM (SELECT pe, begin, ns, lead(begin) OVER
        (PARTITION BY pe ORDER BY begin) AS next FROM execution) WHERE begin + ns > next + 1""")
    assert not rows(db, "SELECT * FROM utilization WHERE busy_percent > 100.1")
    assert not rows(db, "SELECT * FROM pe WHERE overhead_ns < 0")
    assert not rows(db, """SELECT * FROM execution x JOIN activity a ON a.pe = x.pe AND a.kind = 1
        AND a.begin + 1 < x.begin + x.ns AND a.begin + a.ns > x.begin + 1""")


# ---- Time is counted once ------------------------------------------------------

HELD_BACK = """
class A(Chare):
    def __init__(self, done):
        self.n = 0
        self.done = done

    @when('self.n == k')
    def step(self, k):
        spin(10)
        self.n += 1
        if self.n == 10:
            self.done()

def main(args):
    done = Future()
    a = Chare(A, args=[done], onPE=charm.numPes() - 1)
    for k in reversed(range(10)):
        a.step(k)
    done.get()
    exit()
"""


@pytest.mark.parametrize("pes", [1, 2])
def test_calls_that_when_holds_back_are_counted_once(tmp_path, pes):
    db = record(tmp_path, HELD_BACK, pes)
    calls, ms = summed(db, "step")
    assert calls == 10 and 99 <= ms < 120
    assert one(db, "SELECT count(*) FROM execution WHERE NOT resumed AND cause IS NULL") == 1
    check_disjoint(db)


NESTED = """
class A(Chare):
    @coro
    def outer(self, depth, done):
        spin(5)
        if depth:
            f = Future()
            self.thisProxy[self.thisIndex].outer(depth - 1, f)
            f.get()                 # the inner one runs on top of this one's stack
        spin(5)
        done()

    def plain(self):
        spin(5)

def main(args):
    a = Array(A, 2 * charm.numPes())
    fs = [Future() for _ in range(2 * charm.numPes())]
    for i, f in enumerate(fs):
        a[i].outer(3, f)
        a[i].plain()
    for f in fs:
        f.get()
    exit()
"""


@pytest.mark.parametrize("pes", [1, 2])
def test_coroutines_that_wait_for_each_other_are_counted_once(tmp_path, pes):
    db = record(tmp_path, NESTED, pes)
    n = 2 * pes
    calls, ms = summed(db, "outer")
    assert calls == 4 * n and 39 * n <= ms < 50 * n
    calls, ms = summed(db, "plain")
    assert calls == n and 4.9 * n <= ms < 8 * n
    check_disjoint(db)


POOL = """
def work(ms):
    spin(ms)
    return ms

@coro
def outer(ms):
    return sum(charm.pool.map(work, [ms] * 4))

def main(args):
    assert charm.pool.map(work, [5] * 20) == [5] * 20
    assert charm.pool.map(outer, [5] * 3) == [20] * 3
    exit()
"""


@pytest.mark.parametrize("pes", [1, 2, 4])
def test_tasks_have_names_and_are_counted_once(tmp_path, pes):
    db = record(tmp_path, POOL, pes)
    assert one(db, "SELECT count(*) FROM entry_method WHERE kind = 'task'") == 2
    calls, ms = summed(db, "__main__.work")
    assert calls == 32 and 159 <= ms
    if pes < 4:                             # else they take the cores from each other
        assert ms < 180
        assert summed(db, "__main__.outer")[1] < 20
        assert summed(db, "main")[1] < 20
    assert one(db, "SELECT sum(calls) FROM summary s JOIN entry_method m ON m.id = s.entry "
                   "WHERE m.kind = 'main'") == 1
    assert one(db, "SELECT max(file) LIKE '%prog.py' AND min(line) > 0 FROM entry_method "
                   "WHERE kind = 'task'")
    # Who submitted: main, and the tasks that did so themselves.
    submitters = rows(db, """SELECT DISTINCT sm.name FROM execution x
        JOIN entry_method m ON m.id = x.entry AND m.kind = 'task' AND NOT x.resumed
        JOIN message g ON g.src = x.cause_pe AND g.id = x.cause
        JOIN execution s ON s.pe = g.src AND s.begin = g.sender
        JOIN entry_method sm ON sm.id = s.entry""")
    assert sorted(submitters) == [("__main__.outer",), ("main",)]
    check_disjoint(db)


LOADS = """
class A(Chare):
    def __init__(self, done):
        self.n = self.next = 0
        self.done = done

    @when('self.next == k')
    def step(self, k):
        spin(10)
        self.n += 1
        self.next = self.n if self.n % 5 else -1
        if self.n % 5 == 0:
            self.AtSync()
            spin(3)                 # this belongs to the next step

    def resumeFromSync(self):
        self.next = self.n
        if self.n == 10:
            self.reduce(self.done)

def task(ms):
    spin(ms)

def main(args):
    done = Future()
    a = Array(A, 4, args=[done], useAtSync=True)
    for k in reversed(range(10)):
        a.step(k)
    if 'pool' in args:
        charm.pool.map_async(task, [3] * 20)
    done.get()
    exit()
"""


@pytest.mark.parametrize("pes", [1, 2])
@pytest.mark.parametrize("pool", ["alone", "pool"])
def test_the_balancer_sees_the_same_numbers(tmp_path, pes, pool):
    for attempt in range(5):
        db = record(tmp_path, LOADS, pes, "+balancer", "GreedyRefineLB", pool, name=f"{attempt}.db")
        # No PE's objects have more than the PE was busy, and nothing lies outside the run.
        for objects, busy, wall in rows(db, """SELECT sum(o.wall_ns), p.busy_ns, p.wall_ns
                FROM lb_object o JOIN lb_pe p ON p.step = o.step AND p.pe = o.from_pe
                GROUP BY o.step, o.from_pe"""):
            assert objects <= busy + 1000
            assert wall <= one(db, "SELECT end_ns FROM run")
        check_disjoint(db)
        # A page of a file may keep it waiting: that is neither CPU time nor stolen.
        if one(db, "SELECT max(abs(ns - cpu_ns - stolen_ns)) FROM execution") < 1e6:
            break
    for step, want in ((0, 0.050), (1, 0.053)):
        loads = [x for x, in rows(db, f"SELECT load FROM lb_object WHERE step = {step}")]
        assert len(loads) == 4
        assert all(abs(x / want - 1) < 0.05 for x in loads), loads


MOVES = """
class Outside(Chare):
    def work(self, ms):
        spin(ms)

    def go(self, to):
        self.migrate(to)

class A(Chare):
    def round(self, n, done):
        self.n, self.done = n, done
        spin(10)
        self.AtSync()

    def resumeFromSync(self):
        if self.n:
            self.thisProxy[self.thisIndex].round(self.n - 1, self.done)
        else:
            self.reduce(self.done)

def main(args):
    outside = Array(Outside, 2)
    outside[0].work(200, ret=True).get()
    done = Future()
    Array(A, 4, useAtSync=True).round(3, done)
    outside[0].go(1)                # it takes no part in balancing
    done.get()
    exit()
"""


def test_an_element_that_takes_no_part_brings_no_load_along(tmp_path):
    db = record(tmp_path, MOVES, 2, "+balancer", "RotateLB")
    assert one(db, "SELECT count(*) FROM migration WHERE why = 'user'") == 1
    assert one(db, "SELECT count(*) FROM lb_step") == 4
    for objects, busy in rows(db, """SELECT sum(o.wall_ns), p.busy_ns FROM lb_object o
            JOIN lb_pe p ON p.step = o.step AND p.pe = o.from_pe GROUP BY o.step, o.from_pe"""):
        assert objects <= busy + 1000
    # All that was told fits into the run: nothing is told twice.
    assert one(db, "SELECT sum(busy_ns) <= (SELECT sum(busy_ns) FROM pe) FROM lb_pe")
    assert subprocess.run(["c4prof", "check", "run.db"], cwd=tmp_path).returncode == 0


# ---- What was not ours -------------------------------------------------------------

LONG = """
class A(Chare):
    def work(self, ms):
        print('at work', os.getpid(), flush=True)
        spin(ms)

def main(args):
    a = Chare(A, onPE=charm.numPes() - 1)
    a.work(400, ret=True).get()
    exit()
"""


def wait_for_work(p):
    for line in p.stdout:
        if line.startswith("at work"):
            return int(line.split()[2])
    raise AssertionError("the job ended")


def work_of(db):
    return one(db, "SELECT x.ns, x.cpu_ns, x.stolen_ns FROM execution x "
                   "JOIN entry_method m ON m.id = x.entry WHERE m.name = 'work'")


def test_a_stopped_pe_is_told_as_such(tmp_path):
    def stop(p):
        pid = wait_for_work(p)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(pid, signal.SIGCONT)

    db = record(tmp_path, LONG, 2, during=stop)
    ns, cpu_ns, stolen_ns = work_of(db)
    assert ns > 1.3e9 and 0.39e9 < cpu_ns < 0.45e9
    assert abs(ns - cpu_ns - stolen_ns) < 0.05e9
    stolen, stopped = one(db, "SELECT stolen_ns, stopped_ns FROM pe WHERE pe = 1")
    assert 0.9e9 < stopped <= stolen and stolen_ns <= stolen
    assert abs(one(db, "SELECT sum(stolen_ns) FROM pe_bin WHERE pe = 1") - stolen) < 1e4
    report = subprocess.run(["c4prof", "report", "run.db"], cwd=tmp_path, timeout=GUARD_S,
                            capture_output=True, text=True)
    assert "PE 1 was stopped for" in report.stdout, report.stdout


def test_a_shared_core_is_told_apart_from_own_work(tmp_path):
    hogs = []

    def share(p):
        pid = wait_for_work(p)
        os.sched_setaffinity(pid, {0})
        code = "import os\nos.sched_setaffinity(0, {0})\nwhile True: pass"
        hogs.append(subprocess.Popen(["python3", "-c", code]))

    try:
        db = record(tmp_path, LONG, 2, during=share)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    ns, cpu_ns, stolen_ns = work_of(db)
    assert 0.39e9 < cpu_ns < 0.45e9 and stolen_ns > 0.1e9
    assert abs(ns - cpu_ns - stolen_ns) < 0.1e9
    assert one(db, "SELECT switches FROM pe WHERE pe = 1") > 5
    assert one(db, "SELECT stopped_ns FROM pe WHERE pe = 1") == 0
    report = subprocess.run(["c4prof", "report", "run.db"], cwd=tmp_path, timeout=GUARD_S,
                            capture_output=True, text=True)
    assert re.search(r"PE 1 waited [0-9.]+ s for a core", report.stdout), report.stdout


SLEEPS = """
class A(Chare):
    def __init__(self, done):
        self.done = done

    def work(self):
        time.sleep(0.05)
        self.AtSync()

    def resumeFromSync(self):
        self.reduce(self.done)

def main(args):
    done = Future()
    Array(A, 2, args=[done], useAtSync=True).work()
    done.get()
    exit()
"""


def test_own_waiting_is_not_stolen(tmp_path):
    db = record(tmp_path, SLEEPS, 1, "+balancer", "GreedyLB")
    assert rows(db, "SELECT wall_ns > 50e6, wall_ns < 70e6 FROM lb_object") == [(1, 1)] * 2
    for ns, cpu_ns, stolen_ns in rows(db, """SELECT x.ns, x.cpu_ns, x.stolen_ns FROM execution x
            JOIN entry_method m ON m.id = x.entry WHERE m.name = 'work'"""):
        assert ns > 50e6 and cpu_ns < 10e6 and stolen_ns < 10e6


def test_cpu_time_adds_up(tmp_path):
    db = record(tmp_path, HELD_BACK, 2)
    for cpu, bins, wall in rows(db, """SELECT p.cpu_ns, (SELECT sum(cpu_ns) FROM pe_bin b
            WHERE b.pe = p.pe), p.end - p.begin FROM pe p"""):
        assert abs(cpu - bins) < 1e4 and cpu <= wall
    assert not rows(db, "SELECT * FROM pe_bin, run WHERE cpu_ns > 1.01 * bin_ns + 20000")
    for ns, cpu in rows(db, "SELECT ns, cpu_ns FROM execution WHERE ns > 1000000"):
        assert cpu is not None and 0 < cpu <= ns + 20000
    assert one(db, "SELECT count(*) FROM execution WHERE ns < 900000 AND cpu_ns IS NOT NULL") == 0


COUNTED = """
class A(Chare):
    def hop(self, k, done):
        spin(0.05)
        if k == 0:
            done()
        else:
            self.thisProxy[self.thisIndex].hop(k - 1, done)

def main(args):
    done = Future()
    Array(A, 1)[0].hop(500, done)
    done.get()
    exit()
"""


def test_counters_count_the_method_and_not_the_recorder(tmp_path):
    db = record(tmp_path, COUNTED, 1, "+papi", "perf::TASK-CLOCK")
    if one(db, "SELECT col FROM counter") is None:
        pytest.skip("no event counters here")
    of_hop = """FROM execution x JOIN entry_method m ON m.id = x.entry WHERE m.name = 'hop'"""
    assert one(db, f"SELECT count(*) {of_hop}") == 501
    # Wall time may be longer where the PE lost its core, but not shorter; reading takes half
    # a microsecond or two, and longer now and then where an interrupt comes into it.
    outliers, least = one(db, f"SELECT sum(c1 - ns > 40000), min(c1) {of_hop}")
    assert outliers <= 2 and least > 40000
    assert one(db, f"SELECT avg(c1 - ns) {of_hop}") < 5000


SATURATES = """
class A(Chare):
    def keep_busy(self):
        spin(2200)

    def late(self, done):
        done()

def main(args):
    a = Array(A, 1)
    done = Future()
    a[0].keep_busy()
    a[0].late(done)
    done.get()
    exit()
"""


def test_long_waiting_is_not_cut_off(tmp_path):
    db = record(tmp_path, SATURATES, 1)
    assert one(db, "SELECT x.wait_ns FROM execution x JOIN entry_method m ON m.id = x.entry "
                   "WHERE m.name = 'late'") > 2.19e9


# ---- Causes ------------------------------------------------------------------------

WAKES = """
class A(Chare):
    def __init__(self):
        self.flag = 0

    @coro
    def sleeps(self, other, done):
        charm.sleep(0.002)
        done()

    @coro
    def asks(self, other, done):
        other.answer(ret=True).get()
        done()

    @coro
    def awaits_value(self, other, done):
        f = Future()
        other.give(f)
        f.get()
        done()

    @coro
    def awaits_condition(self, other, done):
        other.poke(self.thisProxy[self.thisIndex])
        self.wait('self.flag == 1')
        done()

    @coro
    def receives(self, other, done):
        ch = Channel(self, remote=other)
        other.sends(self.thisProxy[self.thisIndex])
        ch.recv()
        done()

    @coro
    def sends(self, other):
        Channel(self, remote=other).send(1)

    @coro
    def awaits_tasks(self, other, done):
        charm.pool.map(str, [1, 2, 3])
        done()

    @coro
    def awaits_reduction(self, other, done):
        f = Future()

        group.add(f)
        f.get()
        done()

    @coro
    def times_out(self, other, done):
        try:
            Future().get(0.002)
        except Exception:
            pass
        done()

    def answer(self):
        return 3

    def give(self, f):
        f(4)

    def poke(self, who):
        who.set_flag()

    def set_flag(self):
        self.flag = 1

class Adder(Chare):
    def add(self, f):
        self.reduce(f, 1, Reducer.sum)

def main(args):
    charm.thisProxy.updateGlobals({'group': Group(Adder)}, awaitable=True).get()
    a = Array(A, charm.numPes() + 1)
    for name in ('sleeps', 'asks', 'awaits_value', 'awaits_condition', 'receives', 'awaits_tasks',
                 'awaits_reduction', 'times_out'):
        done = Future()
        getattr(a[0], name)(a[charm.numPes()], done)
        done.get()
    done = Future()
    charm.startQD(done)
    done.get()
    exit()
"""

# kind of the message that woke, and the method that sent it where that is one
WOKEN_BY = {
    "sleeps": {("timer", "sleeps")}, "asks": {("reply", "answer")},
    "awaits_value": {("future", "give")}, "awaits_condition": {("call", "poke")},
    "receives": {("call", "sends")}, "awaits_reduction": {("reduction", "add"), ("reduction", None)},
    "times_out": {("timer", "times_out")},
}


@pytest.mark.parametrize("pes", [1, 2])
def test_a_stretch_names_what_woke_it(tmp_path, pes):
    db = record(tmp_path, WAKES, pes)
    woken = {}
    for method, kind, sender in rows(db, """SELECT m.name, k.name, sm.name FROM execution x
            JOIN entry_method m ON m.id = x.entry JOIN message g ON g.src = x.cause_pe AND g.id = x.cause
            JOIN message_kind k ON k.id = g.kind
            LEFT JOIN execution s ON s.pe = g.src AND s.begin = g.sender
            LEFT JOIN entry_method sm ON sm.id = s.entry
            WHERE x.resumed AND x.woken"""):
        woken.setdefault(method, set()).add((kind, sender))
    for method, by in WOKEN_BY.items():
        assert woken[method] <= by and woken[method], (method, woken[method])
    # Tasks: their results, or on one PE the task itself.
    assert woken.get("awaits_tasks", set()) <= {("call", None), ("post", "builtins.str")}
    assert ("quiescence", None) in woken["main"]
    assert one(db, "SELECT count(*) FROM execution WHERE cause IS NULL") == 1
    assert one(db, "SELECT count(*) FROM execution x LEFT JOIN message g ON g.src = x.cause_pe "
                   "AND g.id = x.cause WHERE x.cause IS NOT NULL AND g.id IS NULL") == 0
    check_disjoint(db)


DELIVERED = """
class A(Chare):
    def __init__(self):
        self.ready = False

    @coro
    def run(self, done):
        self.reduce(done)

    @when('self.ready')
    @coro
    def held(self):
        pass

    def let_go(self):
        self.ready = True

    def far(self, data):
        pass

def main(args):
    a = Array(A, 8)
    a.held()
    done = Future()
    a.run(done)
    done.get()
    a.let_go(awaitable=True).get()
    for i in range(8):
        a[i].far(bytes(100 * i))
    f = Future()
    charm.startQD(f)
    f.get()
    exit()
"""


@pytest.mark.parametrize("pes", [1, 2, 4])
def test_messages_are_counted_where_they_are_delivered(tmp_path, pes):
    db = record(tmp_path, DELIVERED, pes)
    for method in ("run", "held", "let_go", "far"):
        assert summed(db, method)[0] == 8
    assert not rows(db, """SELECT * FROM message m JOIN message_kind k ON k.id = m.kind
        JOIN execution x ON x.cause_pe = m.src AND x.cause = m.id AND NOT x.resumed
        WHERE k.name = 'call' GROUP BY m.src, m.id HAVING count(*) > 1""")
    # The four times of a message, everywhere; an element runs what was sent to it.
    assert not rows(db, "SELECT * FROM message WHERE arrived < sent OR taken < arrived")
    assert not rows(db, """SELECT * FROM execution x JOIN message m ON m.src = x.cause_pe
        AND m.id = x.cause WHERE m.taken > x.begin OR (NOT x.resumed AND m.bytes != x.bytes)""")
    assert not rows(db, """SELECT * FROM message m JOIN message_kind k ON k.id = m.kind
        WHERE taken IS NULL AND k.name IN ('reply', 'reduction', 'completion', 'future')""")
    assert one(db, "SELECT sum(sent) = sum(incoming), sum(sent_bytes) = sum(incoming_bytes) "
                   "FROM pe") == (1, 1)
    check_disjoint(db)


def test_a_forwarded_call_keeps_its_size(tmp_path):
    body = """
class A(Chare):
    def go(self, to):
        self.migrate(to)

    def take(self, data):
        pass

def main(args):
    a = Array(A, 2)
    a[0].take(b'', ret=True).get()
    a[0].go(1)
    for _ in range(3):
        a[0].take(bytes(1000))      # by reference, but the element leaves first
    f = Future()
    charm.startQD(f)
    f.get()
    exit()
"""
    db = record(tmp_path, body, 2)
    taken = rows(db, """SELECT x.pe, x.bytes, m.bytes FROM execution x
        JOIN message m ON m.src = x.cause_pe AND m.id = x.cause
        JOIN entry_method e ON e.id = x.entry WHERE e.name = 'take' AND NOT x.resumed""")
    assert len(taken) == 4 and any(b > 1000 for _, b, _ in taken)
    assert all(x == m for _, x, m in taken)
    left, arrived, sent = one(db, """SELECT g.left, g.arrived, m.sent FROM migration g
        JOIN message m JOIN message_kind k ON k.id = m.kind AND k.name = 'migration'""")
    assert left <= sent <= arrived
