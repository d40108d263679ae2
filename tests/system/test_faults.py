"""What happens when a job goes wrong while it runs: the right message, once;
the right status; every process gone."""
import os
import re
import signal
import sys
import time

import pytest

from jobs import EXAMPLES, GUARD_S, NPES, Job, run, write

PES = """
import os, sys, time, threading, ctypes
class Pe(Chare):
    def pid(self): print('pe', charm.myPe(), 'is', os.getpid(), flush=True)
    def bad(self): raise ValueError('all bad')
    def spin(self):
        while True: pass
    def segv(self, depth=3):
        if depth: self.segv(depth - 1)
        ctypes.string_at(0x40)
    def abort(self): charm.abort('that was it')
    def leave(self, status): os._exit(status)
    def quit(self, status): charm.exit(status)
    def sysexit(self, what): sys.exit(what)
    def ok(self): return charm.myPe()
"""


def program(folder, body, more=""):
    return write(folder, PES + more + "def main(args):\n    n = charm.numPes()\n    g = Group(Pe)\n"
                 + "".join(f"    {line}\n" for line in body.strip().splitlines()))


# ---- Exceptions that nobody catches -----------------------------------------------------

CHARES = """
def fail(what): raise RuntimeError(what)
class Evil:
    def __reduce__(self): return fail, ('while unpickling',)
class A(Chare):
    def __init__(self, where=None):
        if where == self.thisIndex[0]: fail('in constructor')
    def go(self, x=None): fail('in entry method')
    def take(self, x): pass
    @coro
    def later(self): charm.sleep(0.01); fail('in coroutine')
    def migrated(self): fail('in migrated')
    def when_(self): charm.scheduleCallableAfter(fail, 0.01, ['in timer'])
class V:
    def __setstate__(self, state): fail('unpacking')
class B(Chare):
    def __init__(self): self.v = V(); self.v.x = 1
"""
# name: main, texts, on how many PEs at least
EXCEPTIONS = {
    "main": ("fail('in main')", ["in main", "PE 0: RuntimeError"], 1),
    "constructor": ("Array(A, 2 * n, args=[n])", ["in constructor", "A.__init__, element "], 1),
    "entry method": ("Array(A, 2 * n)[2 * n - 1].go()", ["in entry method", "A.go, element "], 1),
    "coroutine": ("Array(A, 2 * n)[2 * n - 1].later()", ["in coroutine", "A.later, element "], 1),
    "timer": ("Array(A, 2 * n)[2 * n - 1].when_()", ["in timer", "RuntimeError"], 1),
    "migrated": ("Array(A, n)[0].migrate(n - 1)", ["in migrated", "A.migrated, element (0,)"], 2),
    "unpickling an argument": ("Array(A, n)[n - 1].take(Evil())",
                               ["while unpickling", "A.take, element "], 2),
    "unpickling an element": ("Array(B, n)[0].migrate(n - 1)", ["unpacking", "__main__.B"], 2),
    "awaited": ("Array(A, n)[n - 1].go(ret=True).get()", ["in entry method", "in main"], 1),
}


@pytest.mark.parametrize("npes", [0] + NPES)
@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_exception(tmp_path, name, npes):
    # contract: 2.5.8
    body, texts, least = EXCEPTIONS[name]
    if npes < least:
        pytest.skip("nothing happens on so few PEs")
    job = run(npes, program(tmp_path, body, CHARES))
    assert job.status == 1, job.err
    job.says(*texts, "Python Stack Traceback PE ", "line ")
    assert job.err.count("Traceback (most recent call last)") == (2 if name == "awaited" else 1)
    assert re.search(r"^PE \d: RuntimeError: ", job.err, re.M), job.err
    assert job.out == ""


@pytest.mark.parametrize("npes", NPES + [8])
def test_exception_on_all_pes_is_told_once(tmp_path, npes):
    # contract: 2.5.8
    job = run(npes, program(tmp_path, "g.bad()"))
    assert job.status == 1
    assert job.err.count("Traceback (most recent call last)") == 1
    assert len(job.err.splitlines()) <= 7 + npes
    told = re.findall(r"^PE (\d): ValueError: all bad in __main__.Pe.bad, element \d$", job.err, re.M)
    assert told and len(set(told)) == len(told)


@pytest.mark.parametrize("bad", ["g[1].bad()\nwhile True: pass", "g[1].spin()\ncharm.sleep(0.2)\nfail"])
def test_exception_while_another_pe_is_busy(tmp_path, bad):
    job = run(2, program(tmp_path, "g.ok(ret=True).get()\n" + bad))
    assert job.status == 1
    job.says("have not stopped within 5 s", "Traceback")


def test_exception_that_is_caught(tmp_path):
    job = run(2, program(tmp_path, "try: g[1].bad(awaitable=True).get()\nexcept ValueError as e: print('got', e)\n"
                         "print(g.ok(ret=True).get())\nexit()"))
    assert (job.status, job.out, job.err) == (0, "got all bad\n[0, 1]\n", "")


# ---- Jobs that do not go on --------------------------------------------------------------

WAITING = """
class A(Chare):
    def __init__(self): self.n = 0
    @coro
    def future(self): Future().get()
    @coro
    def channel(self): Channel(self, remote=self.thisProxy[self.thisIndex]).recv()
    @coro
    def condition(self): self.wait('self.n == 3')
    @coro
    def reply(self, other): other.future(ret=True).get()
    def part(self, to):
        if self.thisIndex[0] % 2: self.reduce(to, 1, Reducer.sum)
    def sync(self):
        if self.thisIndex[0] % 2: self.AtSync()
    def resumeFromSync(self): pass
    def ok(self): return 1
"""
IDLE = "c4: nothing has been left to do for 0.2 s, and nobody has called exit; the job ends (++idle-timeout)"
STALLS = {
    "nothing": ("", []),
    "sparse element": ("s[3, -4].ok(); s[3, -4].ok(); s[5, 6].ok()",
                       [r"PE \d: 2 messages for element \(3, -4\) of __main__.A, which does not exist",
                        r"PE \d: 1 message for element \(5, 6\) of __main__.A, which does not exist"]),
    "awaited sparse element": ("s[3, 4].ok(ret=True).get()",
                               [r"1 message for element \(3, 4\) of __main__.A",
                                r"PE 0: main \(prog.py:\d+\) waits for the end of A.ok"]),
    "future": ("last.future()", [r"A.future of element \(\d,\) \(prog.py:\d+\) waits for a future"]),
    "channel": ("last.channel()", [r"A.channel of element .* waits for a message on the channel to A\(\d,\)"]),
    "condition": ("last.condition()", [r"A.condition of element .* waits for a condition 'self.n == 3'"]),
    "reply": ("a[0].reply(last)", [r"PE 0: A.reply of element \(0,\) .* waits for the end of A.future",
                                   r"A.future of element .* waits for a future"]),
    "reduction": ("f = Future(); a.part(f); f.get()",
                  [r"PE \d: a reduction of __main__.A waits for contributions: there are \d of \d",
                   r"PE 0: main \(prog.py:\d+\) waits for a future"]),
    "insertion": ("s.ckInsert((1, 1)); charm.awaitCreation(a); s[1, 1].ok(ret=True).get()", []),
    "balancing": ("a.sync()", [r"PE \d: load balancing waits: 1 of 2 elements here have called AtSync"]),
    "quiescence": ("s[1, 1].ok(); charm.waitQD()", [r"1 message for element \(1, 1\) of __main__.A"]),
}


@pytest.mark.parametrize("npes", [0] + NPES)
@pytest.mark.parametrize("name", sorted(STALLS))
def test_stalled_job_tells_who_waits_for_what(tmp_path, name, npes):
    # contract: 3.5.12
    body, texts = STALLS[name]
    setup = "a = Array(A, 2 * n, useAtSync=True); s = Array(A, ndims=2); last = a[2 * n - 1]\n"
    job = run(npes, program(tmp_path, setup + body, WAITING), "++idle-timeout", "0.2")
    lines = job.err.splitlines()
    assert lines[0] == IDLE, job.err
    assert job.status == 1
    for text in texts:
        assert len([line for line in lines if re.search(text, line)]) >= 1, job.err
    assert len(lines) <= 1 + len(texts) * (max(npes, 1) if name == "balancing" else 1) + (name == "quiescence")
    assert "None" not in job.err and " at 0x" not in job.err


@pytest.mark.parametrize("npes", NPES)
def test_job_that_works_or_sleeps_is_not_idle(tmp_path, npes):
    # contract: 3.5.12
    body = "for i in range(3):\n    charm.sleep(0.3)\n    t = time.time() + 0.3\n    while time.time() < t: pass\nexit(4)"
    job = run(npes, program(tmp_path, body), "++idle-timeout", "0.2")
    assert (job.status, job.err) == (4, "")


@pytest.mark.parametrize("npes", [0] + NPES)
def test_sparse_element_that_was_never_inserted_is_listed_at_the_end(tmp_path, npes):
    body = "s = Array(A, ndims=2); s[7, 8].ok(); g.ok(ret=True).get(); charm.waitQD if 0 else charm.sleep(0.05); exit(3)"
    job = run(npes, program(tmp_path, body, WAITING))
    assert job.status == 3
    assert re.fullmatch(r"c4: PE \d: 1 message for element \(7, 8\) of __main__.A, which has not been "
                        r"inserted by the end of the job\n", job.err)


def test_many_missing_elements_are_no_wall_of_text(tmp_path):
    body = "s = Array(A, ndims=1)\nfor i in range(500): s[i].ok()\ng.ok(ret=True).get(); charm.sleep(0.05); exit()"
    job = run(2, program(tmp_path, body, WAITING))
    assert job.status == 0 and len(job.err.splitlines()) == 2 * 9, job.err
    assert job.err.count("more elements that do not exist") == 2


# ---- PEs that die ------------------------------------------------------------------------


@pytest.mark.parametrize("npes", NPES)
@pytest.mark.parametrize("last", [False, True])
def test_pe_killed(tmp_path, npes, last):
    # contract: 2.5.7
    pe = npes - 1 if last else 0
    job = Job(npes, program(tmp_path, "g.pid()"))
    pids = job.pes()
    begin = time.monotonic()
    os.kill(pids[pe], signal.SIGKILL)
    job.end()
    assert time.monotonic() - begin < GUARD_S / 4   # 2 s on a machine of its own
    assert job.err == f"charmrun: PE {pe} was killed by signal 9 (Killed); job ended\n"
    assert job.status == 128 + 9


@pytest.mark.parametrize("npes", [0] + NPES)
def test_segmentation_fault_tells_where(tmp_path, npes):
    # contract: 2.5.7
    job = run(npes, program(tmp_path, "g.ok(ret=True).get(); g[n - 1].segv()"))
    pe = max(npes, 1) - 1
    job.says(f"c4: PE {pe}: segmentation fault at address 0x40, running __main__.Pe.segv of element {pe} ")
    assert re.search(r"^ +#\d+ 0x[0-9a-f]+ c4i?_\w+\+0x[0-9a-f]+ in ", job.err, re.M), job.err
    assert re.search(r"^ +#\d+ 0x[0-9a-f]+ _PyEval_EvalFrameDefault\+", job.err, re.M), job.err
    if npes:
        job.says(f"charmrun: PE {pe} was killed by signal 11 (Segmentation fault); job ended")
    assert job.status == (128 + 11 if npes else -11)
    assert len(job.err.splitlines()) < 80


def test_segmentation_fault_on_all_pes_has_one_backtrace(tmp_path):
    job = run(4, program(tmp_path, "g.ok(ret=True).get(); g.segv()"))
    assert job.status == 128 + 11
    assert job.err.count(" #0 ") == 1
    assert job.err.count("was killed by signal") == 1


@pytest.mark.parametrize("npes", [0] + NPES)
def test_abort(tmp_path, npes):
    # contract: 2.5.6
    job = run(npes, program(tmp_path, "g[n - 1].abort()"))
    pe = max(npes, 1) - 1
    job.says(f"- Processor {pe} Exiting: Called CmiAbort -", "Reason: that was it\n",
             f"while running __main__.Pe.abort of element {pe} ", "c4_abort+0x")
    assert job.status == 1 and "Traceback" not in job.err


@pytest.mark.parametrize("npes", NPES)
def test_pe_that_leaves(tmp_path, npes):
    job = run(npes, program(tmp_path, "g[n - 1].leave(3)"))
    assert job.err == f"charmrun: PE {npes - 1} ended with status 3; job ended\n"
    assert job.status == 3


@pytest.mark.parametrize("npes", NPES)
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("busy", ["", "g.spin()"])
def test_signal_to_the_launcher_ends_all(tmp_path, npes, sig, busy):
    job = Job(npes, program(tmp_path, "g.pid(awaitable=True).get()\n" + busy))
    job.pes()
    job.popen.send_signal(sig)
    job.end()
    assert job.status == 128 + sig
    assert len(job.err.splitlines()) <= 1, job.err


@pytest.mark.parametrize("npes", NPES)
@pytest.mark.parametrize("busy", ["", "g.spin()"])
def test_no_process_outlives_the_launcher(tmp_path, npes, busy):
    job = Job(npes, program(tmp_path, "g.pid(awaitable=True).get()\n" + busy))
    job.pes()
    job.popen.kill()
    job.end()
    assert job.status == -9 and job.err == ""


def test_killed_launcher_leaves_no_c_program(tmp_path):
    job = Job(4, os.path.join(EXAMPLES, "stencil"), 8, 64, 1000000, flags=())
    job.popen.stdout.readline()
    job.popen.kill()
    job.end()


# ---- The end -------------------------------------------------------------------------------


@pytest.mark.parametrize("npes", [0] + NPES)
@pytest.mark.parametrize("status", [0, 1, 2, 77, 127, 128, 254, 255])
def test_status(tmp_path, npes, status):
    # contract: 2.5.1
    job = run(npes, program(tmp_path, f"g[n - 1].quit({status})"))
    assert (job.status, job.out, job.err) == (status, "", "")


@pytest.mark.parametrize("npes", NPES + [8])
def test_exit_of_all_pes_at_once(tmp_path, npes):
    # contract: 2.5.1 2.5.10
    for _ in range(3):
        job = run(npes, program(tmp_path, "g.ok(ret=True).get()\nfor i in range(n): g[i].quit(20 + i)"))
        assert 20 <= job.status < 20 + npes
        assert (job.out, job.err) == ("", "")


@pytest.mark.parametrize("npes", [0] + NPES)
@pytest.mark.parametrize("what, status, err", [
    ("4", 4, ""), ("None", 0, ""), ("'bye bye'", 1, "bye bye\n"), ("True", 1, ""),
])
def test_sys_exit(tmp_path, npes, what, status, err):
    # contract: 2.5.3
    job = run(npes, program(tmp_path, f"g[n - 1].sysexit({what})"))
    assert (job.status, job.err) == (status, err)


# ---- While it runs -------------------------------------------------------------------------

FLOOD = """
class F(Chare):
    def __init__(self): self.got = 0
    def send(self, other, count, size):
        data = bytes(size) if size else 7
        for i in range(count): other.take(i, data)
    def take(self, i, data):
        assert i == self.got and (data == 7 or len(data) > 0)
        self.got += 1
    def count(self): return self.got
"""


@pytest.mark.parametrize("count, size", [(60000, 0), (1500, 65536), (60, 2000000)])
def test_pes_that_flood_each_other_finish(tmp_path, count, size):
    body = (f"f = Group(F)\nfor i in range(2): f[i].send(f[1 - i], {count}, {size})\n"
            f"charm.waitQD()\nprint(f.count(ret=True).get())\nexit()")
    job = run(2, program(tmp_path, body, FLOOD))
    assert (job.status, job.out, job.err) == (0, f"[{count}, {count}]\n", "")


def test_idle_pes_use_no_processor(tmp_path):
    """8 PEs together: under 2 % of one core; processor time, not wall-clock."""
    job = Job(8, program(tmp_path, "g.pid()"))
    pids = list(job.pes().values()) + [job.popen.pid]

    def used_ns():
        return sum(int(open(f"/proc/{pid}/schedstat").read().split()[0]) for pid in pids)

    if not os.path.exists("/proc/self/schedstat"):
        job.kill()
        pytest.skip("no schedstat")
    time.sleep(0.5)                         # what the start left to do
    begin, used = time.monotonic(), used_ns()
    time.sleep(3)
    share = (used_ns() - used) / 1e9 / (time.monotonic() - begin)
    job.popen.terminate()
    job.end()
    assert share < 0.02


def test_lines_of_the_pes_are_not_mixed(tmp_path):
    more = """
class P(Chare):
    def talk(self):
        for i in range(300):
            out = sys.stderr if i % 3 == 0 else sys.stdout
            out.write(f'<{charm.myPe()}:{i}:' + 'abcd'[charm.myPe()] * 50)
            out.write('#' * 50 + '>\\n')
"""
    job = run(4, program(tmp_path, "Group(P).talk(awaitable=True).get(); exit()", more))
    assert job.status == 0
    for pe in range(4):
        line = [f"<{pe}:{i}:" + "abcd"[pe] * 50 + "#" * 50 + ">" for i in range(300)]
        assert [s for s in job.out.splitlines() if s.startswith(f"<{pe}:")] == \
            [s for i, s in enumerate(line) if i % 3]
        assert [s for s in job.err.splitlines() if s.startswith(f"<{pe}:")] == line[::3]
    assert len(job.out.splitlines()) == 800 and len(job.err.splitlines()) == 400


def test_killed_job_keeps_what_it_recorded(tmp_path):
    import sqlite3
    prog = program(tmp_path, "for i in range(200): g.ok(ret=True).get()\ng.pid()")
    job = Job(2, prog, "+trace", "run.db", cwd=tmp_path)
    os.kill(job.pes()[1], signal.SIGKILL)
    job.end()
    assert job.status == 128 + 9
    assert sorted(os.listdir(tmp_path)) == ["prog.py", "run.db"]
    assert sqlite3.connect(tmp_path / "run.db").execute(
        "SELECT count(*) >= 400 FROM execution").fetchone() == (1,)
