"""Mistakes, from the user's seat: what is printed is one story, on one PE, and says what to do;
the job ends with status 1."""
import os
import signal
import subprocess
import sys

import pytest

from jobs import GUARD_S, NPES, Job, run, write

# ---- Before charm.start() ----------------------------------------------------------------

EARLY = """
import sys
from charm4py import *
from charm4py.charm import Charm4PyError
class A(Chare):
    pass
made = A()
for call in [
        lambda: Chare(A), lambda: Group(A), lambda: Array(A, 3), lambda: Future(), lambda: charm.exit(),
        lambda: charm.abort('no'), lambda: charm.startQD(None), lambda: charm.waitQD(),
        lambda: charm.scheduleCallableAfter(print, 1), lambda: charm.pool.map(len, []),
        lambda: charm.thisProxy.exit(), lambda: charm.thisProxy[0].exit(), lambda: checkCharmStarted(),
        lambda: charm.LBTurnInstrumentOn(), lambda: charm.getTopoTreeEdges(0, 0)]:
    try:
        call()
    except Charm4PyError as exc:
        assert str(exc).startswith('charm was not started: ') and 'charm.start()' in str(exc), exc
    else:
        raise Exception('no error')
for call in [lambda: made.reduce(print), lambda: made.allreduce(), lambda: made.wait('True'),
             lambda: made.migrate(0), lambda: made.AtSync(), lambda: made.setMigratable(True)]:
    try:
        call()
    except RuntimeError as exc:
        assert 'Group(A)' in str(exc), exc
    else:
        raise Exception('no error')
assert (charm.myPe(), charm.numPes()) == (-1, -1)
assert not charm.thisProxy and not hasattr(charm.thisProxy, '__iter__')
print('done')
"""


def test_before_start():
    # contract: 17.12
    done = subprocess.run([sys.executable, "-c", EARLY], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=GUARD_S)
    assert done.stderr == ""
    assert done.stdout.startswith("done\n")


# ---- Uncaught errors ---------------------------------------------------------------------

A_CLASS = """
class A(Chare):
    y = 1
    def go(self, *args): pass
    def take(self, n, key=None): pass
    @property
    def prop(self): return 3
"""


def ends(tmp_path, npes, source, *says, code=True):
    """The program ends with 1, tells on one PE, and its last line of that says all."""
    job = run(npes, write(tmp_path, source))
    assert job.status == 1, job.out + job.err
    assert job.err.count("Python Stack Traceback") <= 1, job.err
    assert job.err.count("Traceback (most recent") == (1 if code else 0), job.err
    assert "libc4" not in job.err and "_c4.so" not in job.err, job.err
    story = [line for line in job.err.splitlines() if line.startswith("PE ")]
    assert 1 <= len(story) <= npes and len({line.split(":")[0] for line in story}) == len(story), job.err
    for line in story:
        for text in says:
            assert text in line, job.err
    return job


@pytest.mark.parametrize("npes", NPES)
@pytest.mark.parametrize("call, says", [
    ("Group(A).goo()", ["no attribute 'goo'", "(did you mean go?)"]),
    ("Array(A, 2)[0].nothing()", ["no attribute 'nothing'", "(proxies have the methods of the class and no "
                                  "attributes: ckDestroy, go, migrate, setMigratable, take)"]),
    ("Chare(A).y", ["no attribute 'y'", "no attributes: ckDestroy, go, migrate"]),
    ("Group(A).prop", ["no attribute 'prop'"]),
    ("Group(A).reduce(Future())", ["(the chare itself calls it: self.reduce(...))"]),
    ("Array(A, 2).wait('True')", ["(the chare itself calls it: self.wait(...))"]),
    ("Group(A)[0].migrate(0)", ["(only elements of arrays can migrate)"]),
    ("Group(A).take(1, m=2)", ["TypeError: A.take() got an unexpected keyword argument 'm'"]),
    ("Group(A).take(1, n=2, awaitable=True)", ["TypeError: A.take() got multiple values for argument 'n'"]),
    ("Group(A).take()", ["TypeError: A.take() missing 1 required positional argument: 'n'"]),
    ("Group(A).take(key=1)", ["AssertionError: Value not found for parameter 'n' of entry method A.take"]),
    ("charm.wait([3])", ["TypeError: can only wait for Futures and Channels, not int"]),
    ("charm.thisProxy.updateGlobals({}, 'nowhere')", ["KeyError", "module 'nowhere' is not imported on PE "]),
    ("Chare(B)", ["Charm4PyError: ", "not registered for use in Arrays: decorate it with @register, or give "
                  "its module to charm.start(modules=[...])"]),
])
def test_call_that_cannot_work(tmp_path, npes, call, says):
    # contract: 17.5 17.7 17.8
    ends(tmp_path, npes, f"{A_CLASS}\ndef main(args):\n    class B(Chare): pass\n    {call}\n    charm.waitQD()\n",
         *says)


@pytest.mark.parametrize("npes", NPES)
@pytest.mark.parametrize("returned", ["77", "-1", "None", "'x'", "1 << 80"])
def test_map_that_is_wrong(tmp_path, npes, returned):
    # contract: 17.13
    ends(tmp_path, npes, A_CLASS + f"""
class M(ArrayMap):
    def procNum(self, index): return {returned}
def main(args): Array(A, 8, map=Group(M))
""", f"ValueError: M.procNum((", f"returned {eval(returned)!r}: not a PE", code=False)


@pytest.mark.parametrize("npes", NPES)
def test_condition_that_is_no_expression(tmp_path, npes):
    # contract: 17.13 17.14
    ends(tmp_path, npes, """
class A(Chare):
    @when('self.x = x')
    def go(self, x): pass
def main(args): pass
""", "SyntaxError: @when('self.x = x') of A.go: invalid syntax")


@pytest.mark.parametrize("npes", NPES)
def test_module_of_start_is_missing(tmp_path, npes):
    # contract: 17.14
    prog = write(tmp_path, "def main(args): pass\ncharm.start(main, modules=['no_such_module'])")
    job = run(npes, prog)
    assert job.status == 1
    assert job.err.count("Traceback (most recent") == 1, job.err
    job.says("ModuleNotFoundError: No module named 'no_such_module'")


@pytest.mark.parametrize("npes", [2, 4])
def test_module_of_start_fails_on_one_pe(tmp_path, npes):
    # contract: 17.14
    (tmp_path / "bad_on_one.py").write_text("from charm4py import charm\nassert charm.myPe() != 1, 'not here'\n")
    prog = write(tmp_path, "def main(args):\n    charm.waitQD()\ncharm.start(main, modules=['bad_on_one'])")
    job = run(npes, prog)
    assert job.status == 1
    assert job.err.count("Traceback (most recent") == 1, job.err
    job.says("PE 1: AssertionError: not here")


# ---- Suspending where that cannot be: each way to suspend, in a plain method -------------------

SUSPEND = """
class B(Chare):
    def work(self): pass
def section(element): return 0
def task(): pass
class A(Chare):
    def probe(self, array, group):
        return (%s)
def main(args):
    array, group, one = Array(B, 3), Group(B), Chare(A, onPE=charm.numPes() - 1)
    charm.awaitCreation(array, group)
    try:
        one.probe(array, group, ret=True).get()
    except Exception as exc:
        print(type(exc).__name__ + ':', exc)
    charm.exit()
"""


@pytest.mark.parametrize("npes", [1, 2])
@pytest.mark.parametrize("call", [
    "Future()", "array[0].work(ret=True)", "array.work(awaitable=True)", "group.work(ret=True)",
    "self.wait('False')", "charm.waitQD()", "charm.split(array, 1, section)",
    "charm.split(array, 1, elems=[[(0,)]])", "charm.split(group, 1, section)", "charm.combine(array, group)",
    "array[0:2]", "charm.pool.map(len, [[]])", "charm.pool.map_async(len, [[]])",
    "charm.pool.submit([(len, [])])", "charm.pool.Task(task, (), ret=True)", "self.allreduce()",
    "Channel(self, array[0]).recv()", "charm.wait([Channel(self, array[0])])",
    "list(charm.iwait([Channel(self, array[0])]))"])
def test_suspending_in_a_plain_method(tmp_path, npes, call):
    # contract: 17.6
    job = run(npes, write(tmp_path, SUSPEND % call))
    assert (job.status, job.err) == (0, ""), job.out + job.err
    assert job.out == ("NotThreadedError: Method 'A.probe' must be a couroutine to be able to suspend "
                       "(decorate it with @coro)\n")


@pytest.mark.parametrize("npes", [1, 2])
@pytest.mark.parametrize("source, name", [
    ("class A(Chare):\n    def __init__(self): charm.waitQD()\ndef main(args): Array(A, 3)", "Method 'A.__init__'"),
    ("class A(Chare):\n    def migrated(self): charm.waitQD()\n"
     "def main(args):\n    a = Array(A, 3)\n    a[0].migrate(charm.numPes() - 1)", "Method 'A.migrated'"),
    ("def late(): charm.waitQD()\ndef main(args): charm.scheduleCallableAfter(late, 0)", "main, or a method"),
], ids=["constructor", "migrated", "timer"])
def test_suspending_elsewhere(tmp_path, npes, source, name):
    # contract: 17.6
    if npes == 1 and "migrated" in name:
        pytest.skip("nothing migrates")
    ends(tmp_path, npes, source, "NotThreadedError", name, "@coro")


# ---- Jobs that hang --------------------------------------------------------------------------

DEADLOCK = """
class A(Chare):
    def __init__(self): self.n = 0
    @coro
    def wait_value(self): Future().get()
    @coro
    def wait_condition(self): self.wait('self.n == 3')
    @coro
    def wait_message(self): Channel(self, self.thisProxy[0]).recv()
    def never(self): pass
    @coro
    def wait_several(self): charm.wait([Future(), Future()])
    @when('self.n == turn')
    def in_turn(self, turn): pass
    def part(self, f):
        if self.thisIndex == 0: self.reduce(f, 1, Reducer.sum)
def main(args):
    g = Group(A)
    last = g[charm.numPes() - 1]
    last.wait_value(); last.wait_condition(); last.wait_message(); last.wait_several(); g[0].in_turn(7)
    g.part(Future()) if charm.numPes() > 1 else None
    s = Array(A, ndims=1)
    s[5].never()
    Future().get()
"""


@pytest.mark.parametrize("npes", NPES)
def test_deadlock_is_told(tmp_path, npes):
    """++idle-timeout ends it, and says what each coroutine of each PE waits for, and where."""
    # contract: 17.9
    job = run(npes, write(tmp_path, DEADLOCK), "++idle-timeout", "0.5")
    assert job.status == 1, job.err
    for who in ("A.wait_value", "A.wait_condition", "A.wait_message", "A.wait_several"):
        line = [one for one in job.err.splitlines() if who in one]
        assert len(line) == 1, job.err
        assert f"PE {npes - 1}: " in line[0] and f"element {npes - 1}" in line[0] and "prog.py:" in line[0]
    job.says("waits for a condition 'self.n == 3'", "1 message for element 5 of", "main (prog.py:",
             "PE 0: A.in_turn of element 0: @when('self.n == turn') holds back 1 message\n")
    assert ("a reduction of __main__.A waits for contributions: there are 1 of" in job.err) == (npes > 1)
    assert "Traceback" not in job.err


@pytest.mark.parametrize("npes", NPES)
def test_exit_while_coroutines_wait_is_silent(tmp_path, npes):
    # contract: 17.10
    assert DEADLOCK.endswith("\n    Future().get()\n")
    source = DEADLOCK.replace("    s[5].never()\n", "")[:-len("Future().get()\n")] + "charm.sleep(0.05)\n    charm.exit(7)\n"
    job = run(npes, write(tmp_path, source))
    assert (job.status, job.out, job.err) == (7, "", "")


# ---- Elements that cannot do what is asked -------------------------------------------------


@pytest.mark.parametrize("npes", [2, 4])
def test_state_that_cannot_be_pickled(tmp_path, npes):
    # contract: 17.13
    job = run(npes, write(tmp_path, """
import threading
class A(Chare):
    def fill(self): self.x = {'a': [threading.Lock()]}
def main(args):
    a = Array(A, 4)
    a.fill(awaitable=True).get()
    a[0].migrate(charm.numPes() - 1)
    charm.waitQD()
"""))
    assert job.status == 1
    job.says("PE 0: TypeError: A cannot migrate: self.x['a'][0]: cannot pickle '_thread.lock' object in "
             "__main__.A, element (0,)")


@pytest.mark.parametrize("npes", NPES)
def test_at_sync_of_a_class_that_cannot_resume(tmp_path, npes):
    ends(tmp_path, npes, """
class A(Chare):
    def go(self): self.AtSync()
def main(args): Array(A, 8, useAtSync=True).go()
""", "AttributeError: 'A' object has no attribute 'resumeFromSync': AtSync() was called, so the class must "
         "define 'resumeFromSync(self)' in __main__.A, element (", code=False)


@pytest.mark.parametrize("npes", NPES)
def test_at_sync_of_an_array_that_does_not(tmp_path, npes):
    ends(tmp_path, npes, """
class A(Chare):
    def go(self): self.AtSync()
def main(args): Array(A, 8).go()
""", "AtSync is for elements of arrays created to use it (useAtSync)")


@pytest.mark.parametrize("npes", NPES)
def test_local_chare(tmp_path, npes):
    # contract: 17.4
    job = run(npes, write(tmp_path, """
class A(Chare):
    def same(self):
        one = self.thisProxy[self.thisIndex].ckLocal()
        return one is self
def main(args):
    group, array = Group(A), Array(A, 8)
    one, far = Chare(A, onPE=0), Chare(A, onPE=charm.numPes() - 1)
    charm.awaitCreation(group, array, one, far)
    assert all(group.same(ret=True).get()) and all(array.same(ret=True).get())
    assert group.ckLocal() is group[0].ckLocal() is group.ckLocalBranch() is not None
    assert isinstance(one.ckLocal(), A) and isinstance(array[0].ckLocal(), A)
    if charm.numPes() > 1:
        assert group[1].ckLocal() is far.ckLocal() is array[7].ckLocal() is None
    for whole in (array, array[0:2]):
        try:
            whole.ckLocal()
        except TypeError as exc:
            assert 'proxy[index].ckLocal()' in str(exc)
        else:
            raise Exception('no error')
    charm.exit(5)
"""))
    assert (job.status, job.err) == (5, ""), job.err


@pytest.mark.parametrize("npes", NPES)
def test_ctrl_backslash_lists_who_waits(tmp_path, npes):
    # contract: 17.9
    source = DEADLOCK[:-len("    Future().get()\n")]
    source += "    g.tell(awaitable=True).get()\n    Future().get()\n"
    source = source.replace("    def never(self)", "    def tell(self):\n        import os\n"
                            "        print('pe', charm.myPe(), 'is', os.getpid())\n    def never(self)")
    job = Job(npes, write(tmp_path, source))
    job.pes()
    os.kill(job.popen.pid, signal.SIGQUIT)
    told = ""
    while "waits for a condition 'self.n == 3'" not in told or "main (prog.py:" not in told \
            or "holds back 1 message" not in told:
        line = job.popen.stderr.readline()
        assert line, told
        told += line
    job.popen.send_signal(signal.SIGINT)
    assert job.end().status == 130
