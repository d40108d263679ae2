"""AtSync in whole jobs: elements that are ahead of the others, and rounds that do not come to pass."""
import os
import signal
import sqlite3
import subprocess
import time

import pytest

GUARD_S = 120                               # against hangs
NPES = [1, 2, 4]
BALANCERS = [(), ("+balancer", "GreedyRefineLB"), ("+balancer", "RotateLB")]


def run(folder, body, pes, *flags, **env):
    path = folder / "prog.py"
    path.write_text("from charm4py import charm, Chare, Array, Future, Reducer, coro\n" + body
                    + "\ncharm.start(main)\n")
    return subprocess.run(["charmrun", f"+p{pes}", str(path), *flags], cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=GUARD_S,
                          env=dict(os.environ, **env))


# ---- Ahead ---------------------------------------------------------------------

AHEAD = """
ROUNDS = 12

class Runner(Chare):
    '''Has up to `lead` calls more under way than it needs.'''
    def __init__(self, lead, done):
        self.lead, self.done = lead, done
        self.called = self.resumed = 0

    def go(self):
        while self.called < min(ROUNDS, self.resumed + 1 + self.lead):
            self.called += 1
            self.AtSync()

    def resumeFromSync(self):
        self.resumed += 1
        assert self.resumed <= self.called
        if self.resumed < ROUNDS:
            self.thisProxy[self.thisIndex].go()
        else:
            self.reduce(self.done, self.resumed, Reducer.sum)

class Walker(Runner):
    '''Moves by itself meanwhile.'''
    def go(self):
        Runner.go(self)
        if (self.thisIndex[0] + self.resumed) % 3 == 0:
            self.migrate((charm.myPe() + 1) % charm.numPes())

def main(args):
    done, n = [], 3 * charm.numPes() + 1
    for cls, lead in ((Runner, 0), (Walker, 1), (Runner, 2), (Walker, 100)):
        done.append(Future())
        Array(cls, n, args=[lead, done[-1]], useAtSync=True).go()
    for f in done:
        assert f.get() == n * ROUNDS
    charm.exit(3)
"""


@pytest.mark.parametrize("flags", BALANCERS)
@pytest.mark.parametrize("pes", NPES)
def test_one_resume_for_each_call(tmp_path, pes, flags):
    # contract: 10.34
    done = run(tmp_path, AHEAD, pes, *flags)
    assert (done.returncode, done.stderr) == (3, "")


# Of 6 elements one calls three times at once; the others follow, one round after the other.
LEADER = """
import time
class E(Chare):
    def __init__(self, done):
        self.done, self.n = done, 0
    def call(self, times):
        for i in range(times):
            end = time.thread_time() + 0.002
            while time.thread_time() < end:
                pass
            self.AtSync()
    def resumeFromSync(self):
        self.n += 1
        if self.n == 3:
            self.reduce(self.done, charm.myPe(), Reducer.gather)
        elif self.thisIndex[0]:
            self.call(1)
def main(args):
    done = Future()
    a = Array(E, 6, args=[done], useAtSync=True)
    a[0].call(3, awaitable=True).get()
    for i in range(1, 6):
        a[i].call(1)
    print(done.get())
    charm.exit()
"""


@pytest.mark.parametrize("pes", NPES)
def test_an_element_that_is_ahead_moves_and_its_loads_add_up(tmp_path, pes):
    """RotateLB moves all 6 elements in each of 3 rounds; no load is told twice or of the wrong PE."""
    done = run(tmp_path, LEADER, pes, "+balancer", "RotateLB", "+trace", "run.db")
    assert done.returncode == 0, done.stderr
    begin = [i * pes // 6 if 6 % pes == 0 else [0, 0, 1, 1, 2, 3][i] for i in range(6)]
    assert done.stdout.splitlines()[-1] == f"{[(pe + 3) % pes for pe in begin]}"
    db = sqlite3.connect(tmp_path / "run.db")
    moved = db.execute("SELECT step, sum(from_pe != to_pe) FROM lb_object GROUP BY step ORDER BY step")
    assert [n for _, n in moved] == [6 if pes > 1 else 0] * 3
    assert not db.execute("""SELECT o.step, p.pe, p.busy_ns, sum(o.wall_ns)
                               FROM lb_object o JOIN lb_pe p ON p.step = o.step AND p.pe = o.from_pe
                              GROUP BY o.step, p.pe HAVING sum(o.wall_ns) > p.busy_ns + 1000""").fetchall()
    (total,) = db.execute("SELECT sum(wall_ns) / 1e6 FROM lb_object").fetchone()
    assert total > 18 * 2 - 1


# ---- A round that does not come to pass ------------------------------------------

LOST = """
class A(Chare):
    def go(self):
        if self.thisIndex[0] not in (3, 4): self.AtSync()
    def resumeFromSync(self): pass
class B(A):
    pass
def main(args):
    a, b = Array(A, 8, useAtSync=True), Array(B, (2, 2), useAtSync=True)
    a.go()
    print('called', flush=True)
"""


def begin(folder, body, pes, *flags):
    path = folder / f"prog{pes}{len(flags)}.py"
    path.write_text("from charm4py import charm, Chare, Array, Future, Reducer\n" + body + "\ncharm.start(main)\n")
    return subprocess.Popen(["charmrun", f"+p{pes}", "++quiet", str(path), *flags], cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def lost_lines(job, n):
    lines = []
    while len(lines) < n:
        line = job.stderr.readline()
        assert line, lines
        if line.startswith("c4: AtSync waits"):
            lines.append(line)
    job.terminate()
    job.communicate()
    return sorted(lines)


WHERE = {1: ("3, 4 on PE 0", "(0, 0), (0, 1), (1, 0), (1, 1) on PE 0"),
         2: ("3 on PE 0; 4 on PE 1", "(0, 0), (0, 1) on PE 0; (1, 0), (1, 1) on PE 1"),
         4: ("3 on PE 1; 4 on PE 2", "(0, 0) on PE 0; (0, 1) on PE 1; (1, 0) on PE 2; (1, 1) on PE 3")}


def check_lost(lines, pes):
    a, b = WHERE[pes]
    assert lines == [f"c4: AtSync waits: 2 of 8 elements of __main__.A have not called: {a} (6 wait)\n",
                     f"c4: AtSync waits: 4 of 4 elements of __main__.B have not called: {b} (6 wait)\n"]


def test_a_lost_call_is_told_after_10_s_and_only_then(tmp_path):
    """Which elements of which array, and where; a timer that runs makes no difference."""
    # contract: 10.35
    start = time.monotonic()
    jobs = [(pes, begin(tmp_path, LOST + "    charm.sleep(60)\n", pes, "+balancer", "GreedyLB"))
            for pes in (1, 2)]
    for pes, job in jobs:
        check_lost(lost_lines(job, 2), pes)
        assert time.monotonic() - start > 10


@pytest.mark.parametrize("pes", NPES)
def test_the_quit_signal_tells_of_lost_calls_at_once(tmp_path, pes):
    job = begin(tmp_path, LOST, pes, "+balancer", "GreedyLB")
    start = time.monotonic()
    while "called" not in job.stdout.readline():
        pass
    time.sleep(0.3)
    job.send_signal(signal.SIGQUIT)
    check_lost(lost_lines(job, 2), pes)
    assert time.monotonic() - start < 9


def test_without_a_balancer_the_elements_of_one_pe_wait_for_each_other(tmp_path):
    job = begin(tmp_path, LOST, 2)
    while "called" not in job.stdout.readline():
        pass
    time.sleep(0.3)
    job.send_signal(signal.SIGQUIT)
    lines = lost_lines(job, 2)
    check_lost(lines, 2)


def test_an_array_that_takes_insertions_is_named(tmp_path):
    job = begin(tmp_path, """
class A(Chare):
    def go(self): self.AtSync()
    def resumeFromSync(self): pass
def main(args):
    a, b = Array(A, 4, useAtSync=True), Array(A, ndims=1, useAtSync=True)
    a.go()
    print('called', flush=True)
""", 2, "+balancer", "GreedyLB")
    while "called" not in job.stdout.readline():
        pass
    time.sleep(0.3)
    job.send_signal(signal.SIGQUIT)
    assert lost_lines(job, 1) == ["c4: AtSync waits: __main__.A still takes insertions; call ckDoneInserting "
                                  "(C: c4_done_inserting)\n"]
