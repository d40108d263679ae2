"""Recording real jobs: the database is there, whatever happens to the job or the disk."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

BUILD = os.path.abspath(os.environ.get("C4_BUILDDIR", "."))
STENCIL = os.path.join(BUILD, "examples", "stencil")
NEIGHBOUR = os.path.join(BUILD, "examples", "kneighbour")

PROGRAM = """
from charm4py import charm, Chare, Array, coro

class Cell(Chare):
    def __init__(self):
        self.n = 0

    def step(self, data):
        for _ in range(100):
            self.n += sum(data)

    def total(self):
        return self.n

def main(args):
    cells = Array(Cell, 6)
    cells.total(awaitable=True).get()
    for i in range(50):
        cells.step([i] * 100)
        cells[i % 6].step((1, 2, 3))
    cells.total(awaitable=True).get()
    charm.thisProxy.printStats(awaitable=True).get()
    exit(int(args[1]) if len(args) > 1 else 0)

charm.options.profiling = True
charm.start(main)
"""


def run(cwd, *command, timeout=120, **kw):
    return subprocess.run(command, cwd=cwd, timeout=timeout, text=True, capture_output=True, **kw)


def query(path, sql):
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def no_left_overs(folder):
    return not [f for f in os.listdir(folder) if ".spool.d" in f or f.endswith(".tmp")]


@pytest.mark.parametrize("pes", [1, 2, 4])
def test_sums_and_single_records_agree(tmp_path, pes):
    r = run(tmp_path, "charmrun", f"+p{pes}", STENCIL, "+trace", "run.db")
    assert r.returncode == 0, r.stderr
    assert no_left_overs(tmp_path)
    db = tmp_path / "run.db"
    assert query(db, "SELECT npes, exit_status, complete, dropped FROM run") == [(pes, 0, 1, 0)]
    assert query(db, "SELECT count(*) FROM pe") == [(pes,)]
    # Whole ns are cut off once for each execution, and once for the sum.
    sums = query(db, """SELECT s.pe, s.entry, s.stretches, s.ns, count(*), sum(e.ns)
        FROM summary s JOIN execution e ON e.pe = s.pe AND e.entry = s.entry GROUP BY 1, 2""")
    assert sums
    for _, _, stretches, ns, count, total in sums:
        assert stretches == count and abs(ns - total) <= count + ns * 1e-6
    # What was received was sent, and earlier.
    assert query(db, """SELECT count(*) FROM execution e LEFT JOIN message m
        ON m.src = e.cause_pe AND m.id = e.cause WHERE e.cause IS NOT NULL AND m.id IS NULL""") == [(0,)]
    assert query(db, "SELECT count(*) FROM message WHERE received < sent - 1000") == [(0,)]
    # Executions of a PE do not overlap.
    assert query(db, """SELECT count(*) FROM (SELECT begin, lag(begin + ns) OVER
        (PARTITION BY pe ORDER BY begin) AS last FROM execution) WHERE begin < last - 10""") == [(0,)]
    report = run(tmp_path, "c4prof", "report", "run.db")
    assert report.returncode == 0 and "block.ghost" in report.stdout


def test_without_launcher(tmp_path):
    r = run(tmp_path, STENCIL, "+trace", "run.db")
    assert r.returncode == 0 and no_left_overs(tmp_path)
    assert query(tmp_path / "run.db", "SELECT npes, complete, transport FROM run") == [(1, 1, "loop")]


def test_python_and_print_stats(tmp_path):
    (tmp_path / "prog.py").write_text(PROGRAM)
    r = run(tmp_path, "charmrun", "+p2", "prog.py", "3", "+trace", "run.db")
    assert r.returncode == 3, r.stdout + r.stderr
    db = tmp_path / "run.db"
    assert query(db, "SELECT exit_status, complete FROM run") == [(3, 1)]
    (calls,), = query(db, "SELECT calls FROM entry_time WHERE entry LIKE '%Cell.step'")
    assert calls == 50 * 6 + 50
    # printStats came before the end, so that its figures are at most the database's.
    printed = [float(m) for m in re.findall(r"\| *step *\| *([0-9.e-]+)", r.stdout)]
    assert len(printed) == 2, r.stdout
    (em,), = query(db, "SELECT em_ns FROM entry_time WHERE entry LIKE '%Cell.step'")
    assert abs(sum(printed) - em / 1e9) <= 0.002


def test_a_file_that_exists_is_kept(tmp_path):
    for _ in range(2):
        assert run(tmp_path, STENCIL, "+trace", "run.db").returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["run-1.db", "run.db"]
    old = os.stat(tmp_path / "run.db").st_ino
    assert run(tmp_path, "charmrun", "+p2", STENCIL, "+trace", "run.db",
               "+traceOverwrite").returncode == 0
    assert os.stat(tmp_path / "run.db").st_ino != old
    assert query(tmp_path / "run.db", "SELECT npes FROM run") == [(2,)]
    assert sorted(os.listdir(tmp_path)) == ["run-1.db", "run.db"]


def test_level_summary(tmp_path):
    r = run(tmp_path, "charmrun", "+p2", NEIGHBOUR, "+trace", "run.db", "+traceLevel", "summary",
            "+balancer", "GreedyRefineLB")
    assert r.returncode == 0, r.stderr
    db = tmp_path / "run.db"
    assert query(db, "SELECT count(*) FROM execution") == [(0,)]
    assert query(db, "SELECT sum(busy_ns) > 0 FROM bin") == [(1,)]
    steps = query(db, "SELECT imbalance_before, imbalance_predicted, imbalance_measured FROM lb_step")
    assert steps and all(None not in s for s in steps[:-1])
    moved = query(db, "SELECT count(*), count(arrived) FROM migration WHERE why = 'lb'")[0]
    assert moved[0] == moved[1] == query(db, "SELECT sum(migrations) FROM lb_step")[0][0]
    out = run(tmp_path, "c4prof", "report", "--format", "json", "run.db").stdout
    assert len(json.loads(out)["lb_steps"]) == len(steps)


@pytest.mark.parametrize("pes", [1, 2])
@pytest.mark.parametrize("program", ["prog.py", STENCIL])
def test_a_path_is_bytes(tmp_path, program, pes):
    """A name that is no UTF-8, with a control sequence: recorded into, and not obeyed."""
    (tmp_path / "prog.py").write_text(PROGRAM)
    name = b"\xff\x1b[31m.db"
    r = subprocess.run([b"charmrun", b"+p%d" % pes, program, b"+trace", name], cwd=tmp_path,
                       timeout=120, capture_output=True)
    assert r.returncode == 0, r.stdout + r.stderr
    assert b"\x1b" not in r.stdout + r.stderr and b"\\x1b[31m.db" in r.stderr
    assert name in os.listdir(os.fsencode(tmp_path))
    r = subprocess.run([b"c4prof", b"report", name], cwd=tmp_path, capture_output=True)
    assert r.returncode == 0 and b"\x1b" not in r.stdout and r.stdout.decode(), r.stdout
    r = subprocess.run([b"c4prof", b"report", b"-F", b"json", name], cwd=tmp_path, capture_output=True)
    assert json.loads(r.stdout.decode())["run"]["npes"] == pes


def test_bad_values(tmp_path):
    for flags, words in ((["+traceLevel", "some"], "summary or full"),
                         (["+traceLimit", "much"], "a size like"),
                         (["+traceLevel", "sampled"], "not there yet")):
        r = run(tmp_path, STENCIL, "+trace", "run.db", *flags)
        assert r.returncode != 0 and words in r.stderr, r.stderr
    assert no_left_overs(tmp_path)


def test_unknown_counter_is_null(tmp_path):
    r = run(tmp_path, "charmrun", "+p2", STENCIL, "+trace", "run.db",
            "+papi", "NO_SUCH_EVENT,perf::TASK-CLOCK")
    assert r.returncode == 0
    assert r.stderr.count("NO_SUCH_EVENT") == 1, r.stderr
    db = tmp_path / "run.db"
    rows = query(db, "SELECT name, col, why_missing IS NULL FROM counter ORDER BY id")
    assert rows[0] == ("NO_SUCH_EVENT", None, 0)
    if rows[1][1] == "c1":
        assert query(db, "SELECT min(c1) >= 0, count(c2) FROM execution") == [(1, 0)]


@pytest.mark.parametrize("given, words, counted", [
    ("perf::A,perf::B,perf::C,perf::D,perf::E,perf::F,perf::G", "perf::G is left out, 6 counters", 6),
    ("perf::A,perf::B,perf::A", "perf::A is named twice", 2),
    ("", "names no counter", 0),
    (",", "names no counter", 0)])
def test_list_of_counters(tmp_path, given, words, counted):
    """What cannot be counted of the list is named, once, and the job goes on."""
    r = run(tmp_path, "charmrun", "+p2", STENCIL, "+trace", "run.db", "+papi", given)
    assert r.returncode == 0 and r.stderr.count(words) == 1, r.stderr
    names = query(tmp_path / "run.db", "SELECT name FROM counter ORDER BY id")
    assert [n for (n,) in names] == [f"perf::{c}" for c in "ABCDEF"[:counted]]
    assert words in run(tmp_path, "c4prof", "report", "run.db").stdout
    r = run(tmp_path, "charmrun", "+p2", STENCIL, "+papi", given)
    assert r.returncode == 0 and r.stderr.count(words) == 1, r.stderr


def test_folder_that_cannot_be_written(tmp_path):
    r = run(tmp_path, "charmrun", "+p2", STENCIL, "+trace", "/proc/no/run.db")
    assert r.returncode == 0 and "100 iterations" in r.stdout
    assert r.stderr.count("no trace") == 1, r.stderr


def test_full_disk(tmp_path):
    """A limit on file sizes stands for the full disk: both refuse to give room."""
    script = 'ulimit -f 400; exec "$0" +trace run.db'
    r = run(tmp_path, "sh", "-c", script, STENCIL)
    assert r.returncode == 0 and "100 iterations" in r.stdout, r.stderr
    assert r.stderr.count("recording stops here") == 1, r.stderr
    assert "c4prof recover" in r.stderr, r.stderr
    r = run(tmp_path, "c4prof", "recover", "run.db.spool.d")
    assert r.returncode == 0, r.stderr
    (n, dropped), = query(tmp_path / "run.db", "SELECT (SELECT count(*) FROM execution), dropped FROM run")
    assert n > 1000 and dropped > 0
    assert query(tmp_path / "run.db", "SELECT sum(calls) >= 4800 FROM summary") == [(1,)]


def test_limit(tmp_path):
    r = run(tmp_path, "charmrun", "+p2", STENCIL, "+trace", "run.db", "+traceLimit", "64K")
    assert r.returncode == 0 and "+traceLimit" in r.stderr
    db = tmp_path / "run.db"
    (dropped, complete), = query(db, "SELECT dropped, complete FROM run")
    assert dropped > 0 and complete == 1
    (calls,), = query(db, "SELECT calls FROM entry_time WHERE entry = 'block.ghost'")
    assert calls == 4800
    assert "found no room" in run(tmp_path, "c4prof", "report", "run.db").stdout


ENDLESS = """
import os, sys, time
from charm4py import charm, Chare, Group

class Worker(Chare):
    def work(self, n):
        end = time.time() + 0.002
        while time.time() < end:
            pass
        if n == 50 and charm.myPe() == 1:
            print('pid', os.getpid(), flush=True)
        self.thisProxy[charm.myPe()].work(n + 1)

def main(args):
    Group(Worker).work(0)

charm.start(main)
"""


@pytest.fixture
def endless(tmp_path):
    """A job that does not end, and a PE of it; it ends with the test, whatever happens."""
    (tmp_path / "endless.py").write_text(ENDLESS)
    p = subprocess.Popen(["charmrun", "+p2", "endless.py", "+trace", "run.db"], cwd=tmp_path,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in p.stdout:
        if line.startswith("pid"):
            yield p, int(line.split()[1])
            break
    else:
        raise AssertionError(p.stderr.read())
    p.kill()
    p.communicate()


def test_killed_pe(tmp_path, endless):
    p, victim = endless
    os.kill(victim, signal.SIGKILL)
    assert p.wait(timeout=30) != 0
    db = tmp_path / "run.db"
    assert query(db, "SELECT complete FROM run") == [(0,)]
    assert query(db, "SELECT complete, dropped FROM pe WHERE pe = 1") == [(0, 0)]
    (n,), = query(db, "SELECT count(*) FROM execution WHERE pe = 1")
    (calls,), = query(db, "SELECT sum(calls) FROM summary WHERE pe = 1")
    assert n >= 50 and abs(n - calls) <= 1
    assert "did not come to its end" in run(tmp_path, "c4prof", "report", "run.db").stdout
    assert no_left_overs(tmp_path)


def test_killed_launcher_and_recovery(tmp_path, endless):
    p, pid = endless
    assert "job is running" in run(tmp_path, "c4prof", "report", "run.db").stderr
    r = run(tmp_path, "c4prof", "recover", "run.db.spool.d")
    assert r.returncode == 2 and "still running" in r.stderr, r.stderr
    p.kill()
    p.wait()
    for _ in range(200):                    # the PEs die with it
        if not os.path.exists(f"/proc/{pid}"):
            break
        time.sleep(0.05)
    time.sleep(0.2)
    assert "c4prof recover" in run(tmp_path, "c4prof", "report", "run.db").stderr
    r = run(tmp_path, "c4prof", "recover", "run.db.spool.d")
    assert r.returncode == 0, r.stderr
    assert query(tmp_path / "run.db", "SELECT npes, complete, exit_status FROM run") == [(2, 0, None)]
    assert query(tmp_path / "run.db", "SELECT count(*) >= 50 FROM execution WHERE pe = 1") == [(1,)]
    assert no_left_overs(tmp_path)
