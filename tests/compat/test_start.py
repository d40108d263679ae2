"""Command lines, start-up, output and ends of Python jobs, as a user meets them."""
import os
import re
import subprocess
import sys

import pytest

BUILD = os.environ.get("C4_BUILDDIR", os.getcwd())
GUARD_S = 120  # against hangs

ARGS = """
import sys
from charm4py import charm
def main(args):
    print('args', args[1:])
    print('argv', sys.argv[1:])
    print('pes', charm.numPes())
    exit()
"""


def run(command, input=None, **more):
    feed = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    env = {**os.environ, **more.pop("env", {})}
    return subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=GUARD_S, env=env, **feed, **more)


@pytest.fixture
def program(tmp_path):
    def write(text, start="charm.start(main)", name="prog.py"):
        path = tmp_path / name
        path.write_text(text + start + "\n")
        return path
    return write


def lines(done, status=0):
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


# ---- Command lines -------------------------------------------------------------------------


def test_launcher_in_the_tree(program, tmp_path):
    # contract: 2.1.8
    prog = program(ARGS)
    line = [sys.executable, prog, "7", "x", "++local", "+p2", "+libcharm_interface", "cython", "++quiet"]
    said = lines(run(["charmrun/charmrun", *line], cwd=os.path.join(BUILD, "py")))
    assert (said["args"], said["pes"]) == ("['7', 'x']", "2")


def test_list_given_to_start(program):
    # contract: 2.1.1 2.1.2
    prog = program(ARGS)
    code = ("import sys\nfrom charmrun import start\nargs = ['+p2', sys.argv[1], '++quiet', 'x']\n"
            "given = list(args)\nstatus = start.start(args)\n"
            "assert args[:len(given)] == given\nsys.exit(status + 5)")
    done = run([sys.executable, "-c", code, prog])
    assert "args ['x']" in done.stdout and done.returncode == 5


def test_wrappers(program, tmp_path):
    # contract: 2.1.6
    prog = program(ARGS)
    wrapper = tmp_path / "wrapper.sh"
    wrapper.write_text('#!/bin/sh\necho wrapped "$1"\nexec "$@"\n')
    wrapper.chmod(0o755)
    for launcher in (["charmrun"], [sys.executable, "-m", "charmrun.start"]):
        done = run([*launcher, "+p2", wrapper, sys.executable, prog, "a", "++quiet"])
        said = lines(done)
        assert said["args"] == "['a']" and said["pes"] == "2"
        assert f"wrapped {sys.executable}\n" in done.stdout


def test_lone_plus_plus(program):
    # contract: 2.1.13
    said = lines(run(["charmrun", "+p2", program(ARGS), "a", "++quiet", "++", "++np", "5", "++own"]))
    assert said["pes"] == "2"
    assert [w for w in eval(said["args"]) if w != "++"] == ["a", "++np", "5", "++own"]


IGNORED = ["++numHosts 2", "++mpiexec-no-n", "++remote-shell ssh", "++debug", "++ppn 1", "++server",
           "++server-port 1234", "++useip 127.0.0.1", "++scalable-start", "++batch 3"]


@pytest.mark.parametrize("flag", IGNORED)
def test_flags_of_other_launchers(program, flag):
    # contract: 2.1.16
    done = run(["charmrun", "+p2", *flag.split(), program(ARGS), "a", "++quiet"])
    assert lines(done)["args"] == "['a']"
    assert done.stderr == f"{flag.split()[0]}: accepted, but has no meaning here\n"


def test_verbose(program):
    # contract: 2.1.17
    done = run(["charmrun", "+p2", "++verbose", program(ARGS), "++quiet"])
    assert lines(done)["args"] == "[]" and "charmrun:" in done.stderr
    done = run(["charmrun", "++help"])
    assert done.returncode == 0 and "++nodelist FILE" in done.stdout


def test_mpiexec_is_refused(program):
    # contract: 2.1.18 2.1.3
    for launcher in (["charmrun"], [sys.executable, "-m", "charmrun.start"]):
        done = run([*launcher, "+p2", "++mpiexec", program(ARGS)])
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith("charmrun: ++mpiexec: ") and done.stderr.count("\n") == 1


RUNTIME = ["+balancer GreedyLB", "+LBPeriod 1.5", "+LBDebug 2", "+LBDebug", "+LBOff", "+LBCommOff",
           "+LBObjOnly", "+LBVersion", "+LBCentPE 0", "+LBLoop", "+LBTopo ring", "+LBSyncResume",
           "+LBPredictor", "+LBAlpha 0.1", "+LBBeta 0.2", "+MetaLB", "+TreeLBFile x.json",
           "+traceroot /tmp", "+setcpuaffinity", "+pemap 0-1", "+logsize 100", "+isomalloc_sync",
           "+libcharm_interface cython", "+restart there"]


@pytest.mark.parametrize("npes", [0, 2])
def test_flags_of_the_runtime(program, npes):
    # contract: 2.1.19 2.2.2
    prog = program(ARGS)
    words = [word for i, flag in enumerate(RUNTIME) for word in (f"w{i}", *flag.split())]
    first = ["charmrun", f"+p{npes}", prog] if npes else [sys.executable, prog]
    said = lines(run([*first, *words, "++quiet"]))
    assert eval(said["args"]) == [f"w{i}" for i in range(len(RUNTIME))]


@pytest.mark.parametrize("npes", [0, 2])
@pytest.mark.parametrize("flag", RUNTIME)
def test_flag_between_arguments(program, npes, flag):
    # contract: 2.1.19
    prog = program(ARGS)
    first = ["charmrun", f"+p{npes}", prog] if npes else [sys.executable, prog]
    assert lines(run([*first, "4", *flag.split(), "-5", "++quiet"]))["args"] == "['4', '-5']"


def test_several_balancers(program):
    # contract: 2.1.23
    text = """
from charm4py import charm, Chare, Array, Future
class Work(Chare):
    def go(self, f):
        self.f, self.round = f, 0
        self.AtSync()
    def resumeFromSync(self):
        self.round += 1
        if self.round < 3:
            self.AtSync()
        else:
            self.reduce(self.f)
def main(args):
    f = Future()
    Array(Work, 8, useAtSync=True).go(f)
    f.get()
    exit()
"""
    done = run(["charmrun", "+p2", program(text), "++quiet", "+balancer", "RotateLB", "+balancer",
                "GreedyLB", "+LBDebug", "1"])
    assert re.findall(r"LB step \d+ \(AtSync\): (\w+)", done.stdout) == ["RotateLB", "GreedyLB", "GreedyLB"]
    assert done.returncode == 0, done.stderr


def test_without_launcher(program):
    # contract: 2.1.29
    said = lines(run([sys.executable, program(ARGS), "a", "++quiet"]))
    assert (said["args"], said["pes"]) == ("['a']", "1")


@pytest.mark.parametrize("runner", ["", "-m cProfile -o /dev/null", "-m trace --count -C TMP", "-m pdb -c c",
                                    "-O", "-X dev -W error"])
def test_run_by_tools(program, tmp_path, runner):
    # contract: 3.1.7
    text = """
from charm4py import charm, Chare, Group
class Mine(Chare):
    def pe(self): return charm.myPe()
def main(args):
    print('pes', Group(Mine).pe(ret=True).get())
    print('args', args[1:])
    exit(3)
"""
    words = runner.replace("TMP", str(tmp_path / "counts")).split()
    said = lines(run(["charmrun", "+p2", "++quiet", sys.executable, *words, program(text), "x"]), 3)
    assert said["pes"] == "[0, 1]" and "'x'" in said["args"]


@pytest.mark.parametrize("rank, size", [("PMI_RANK", "PMI_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
                                        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")])
def test_started_by_mpirun(program, rank, size):
    # contract: 2.1.30
    prog = program(ARGS)
    for number, told in ((0, 1), (1, 0)):
        done = run([sys.executable, prog, "++quiet"], env={rank: str(number), size: "4"})
        assert lines(done)["pes"] == "1" and done.stderr.count("charmrun +p4 starts one job") == told
    for npes, n in ((2, "4"), (0, "1")):
        first = ["charmrun", "+p2"] if npes else [sys.executable]
        assert run([*first, prog, "++quiet"], env={rank: "0", size: n}).stderr == ""


# ---- sys.argv -----------------------------------------------------------------------------------


@pytest.mark.parametrize("npes", [0, 1, 3])
def test_program_adds_to_argv(program, npes):
    # contract: 2.2.1 2.2.3 2.2.4 2.2.5
    prog = program("import sys\nsys.argv += ['+LBCommOff', '+balancer', 'RandCentLB', '--NO-RENDER']\n"
                   "import atexit\n" + ARGS.replace("exit()", "args.remove('a'); args.sort(); exit()"))
    first = ["charmrun", f"+p{npes}", prog] if npes else [sys.executable, prog]
    done = run([*first, "b", "a", "+LBOff", "+mine"])
    said = lines(done)
    assert said["args"] == "['b', 'a', '+mine', '--NO-RENDER']"
    assert said["argv"] == ("['b', 'a', '+LBOff', '+mine', '+LBCommOff', '+balancer', 'RandCentLB', "
                            "'--NO-RENDER']")
    assert "balancer: off" in done.stdout


@pytest.mark.parametrize("npes", [0, 2])
def test_interface_and_quiet(program, npes):
    # contract: 1.5.1 2.2.4 3.7.7 2.3.4
    text = ("import sys\nfrom charm4py import charm\nassert 'cffi' not in sys.argv\n"
            "def main(args):\n    print('argv', sys.argv[1:], charm.options.quiet)\n    exit()\n")
    first = ["charmrun", f"+p{npes}"] if npes else [sys.executable]
    done = run([*first, program(text), "+libcharm_interface", "cffi", "a", "++quiet"])
    assert done.stdout == "argv ['a', '++quiet'] True\n"
    done = run([*first, program(text, "charm.options.quiet = True\ncharm.start(main)"), "a"])
    assert done.stdout == "argv ['a', '++quiet'] True\n"


def test_unknown_interface(program):
    # contract: 1.5.2
    done = run([sys.executable, program(ARGS), "+libcharm_interface", "swig"])
    assert done.returncode == 1 and "Charm4PyError: Unrecognized interface swig" in done.stderr


def test_start_up_lines(program):
    # contract: 2.3.1 2.3.2 2.3.3
    import platform
    import charm4py
    first = (f"Charm4py> Running Charm4py version {charm4py.charm4py_version} on Python "
             f"{platform.python_version()} (CPython). Using 'cython' interface to access Charm++")
    done = run(["charmrun", "+p2", program(ARGS)])
    assert done.stdout.splitlines()[:2] == [first, "c4> 2 PEs on 1 host, balancer: none, trace: none"]
    prof = program(ARGS, "charm.options.profiling = True\ncharm.start(main)")
    done = run([sys.executable, prof, "+balancer", "GreedyLB"])
    assert [line for line in done.stdout.splitlines() if not line.startswith("c4> bal")][:3] == [
        first, "Charm4py> Profiling is ON (this affects performance)",
        "c4> 1 PE on 1 host, balancer: GreedyLB, trace: none"]


# ---- Before the start -----------------------------------------------------------------------------


def test_noload(program):
    # contract: 1.4.1
    code = "import charm4py, sys\nprint(charm4py.charm4py_version, hasattr(charm4py, 'charm'), 'greenlet' in sys.modules)"
    assert run([sys.executable, "-c", code], env={"CHARM_NOLOAD": "1"}).stdout.endswith(" False False\n")
    assert " True True\n" in run([sys.executable, "-c", code], env={"CHARM_NOLOAD": "0"}).stdout


def test_no_greenlet(tmp_path):
    # contract: 1.4.2
    code = "import sys\nsys.modules['greenlet'] = None\nimport charm4py"
    done = run([sys.executable, "-c", code])
    assert done.returncode == 255 and "greenlet" in done.stdout and "Traceback" not in done.stderr


NEVER = ("Program is exiting but charm was not started: charm.start() was not called or error happened "
         "before start\n")


def test_never_started(program):
    # contract: 1.6.1
    done = run([sys.executable, program("from charm4py import charm\n", "")])
    assert (done.stdout, done.returncode) == (NEVER, 0)
    done = run(["charmrun", "+p3", program("from charm4py import charm\n", "1/0")])
    assert done.stdout.count(NEVER) == 1 and done.returncode == 1


@pytest.mark.parametrize("text, error", [("def main(args:\n", "SyntaxError"), ("import nothing_like_that\n",
                                                                               "ModuleNotFoundError")])
def test_error_before_the_start_is_told_once(program, text, error):
    # contract: 2.5.9 2.4.4
    done = run(["charmrun", "+p4", program("print('top')\n" + text)])
    assert done.returncode == 1 and done.stderr.count(error) == 1
    assert done.stdout.count("top") == (error != "SyntaxError")


@pytest.mark.parametrize("npes", [2, 4])
@pytest.mark.parametrize("kind", ["Group(Local)", "Array(Local, 5)"])
def test_class_that_other_pes_do_not_know(program, npes, kind):
    text = f"""
from charm4py import charm, Chare, Group, Array
def main(args):
    class Local(Chare):
        pass
    charm.register(Local)
    {kind}
"""
    done = run(["charmrun", f"+p{{npes}}".format(npes=npes), program(text), "++quiet"])
    assert done.returncode == 1
    told = re.findall(r"chare type __main__.main.<locals>.Local is registered on PE 0, which makes chares of "
                      r"it, but not on PE \d: all PEs must register the same types", done.stderr)
    assert told and "c4_abort" not in done.stderr, done.stderr


# ---- Output and ends -----------------------------------------------------------------------------


@pytest.mark.parametrize("npes", [1, 2, 4])
def test_output(program, npes):
    # contract: 2.4.1 2.4.2 2.4.3
    text = """
import sys
from charm4py import charm, Chare, Group
class Talks(Chare):
    def talk(self):
        assert sys.stdout.line_buffering and sys.stderr.line_buffering
        for i in range(50):
            print('out', self.thisIndex, i)
            print('err', self.thisIndex, i, file=sys.stderr)
def main(args):
    Group(Talks).talk(awaitable=True).get()
    print('no end of line', end='')
    charm.exit()
"""
    done = run(["charmrun", f"+p{npes}", program(text), "++quiet"])
    assert done.returncode == 0
    for word, out in (("out", done.stdout), ("err", done.stderr)):
        for pe in range(npes):
            assert re.findall(rf"(?m)^{word} {pe} (\d+)$", out) == [str(i) for i in range(50)]
    assert "no end of line" in done.stdout


ENDS = """
import sys, atexit
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro
atexit.register(lambda: print('atexit', charm.myPe() if False else 'ran'))
def leave(how, x):
    if how == 'charm': charm.exit(x)
    if how == 'exit': exit(x)
    if how == 'sys': sys.exit(x)
    if how == 'raise': raise SystemExit(x)
    print('not reached')
    return 'not reached'
def later(how, x):
    try:
        leave(how, x)
    finally:
        pass
    print('not reached')
class Ends(Chare):
    def method(self, how, x):
        leave(how, x)
        print('not reached')
    @coro
    def coroutine(self, how, x):
        charm.sleep(0)
        leave(how, x)
        print('not reached')
    def reduced(self, how, x):
        self.reduce(self.thisProxy[0].take, (how, x), Reducer.gather)
    def take(self, data):
        leave(*data[0])
class Made(Chare):
    def __init__(self, how, x):
        leave(how, x)
@coro
def task(args):
    return leave(*args)
def main(args):
    where, how, x = args[1], args[2], eval(args[3])
    last = charm.numPes() - 1
    Group(Ends).coroutine  # a coroutine of its own waits while the job ends
    if where == 'main': leave(how, x)
    if where == 'method': Group(Ends)[last].method(how, x)
    if where == 'awaited': Group(Ends)[last].method(how, x, ret=True).get()
    if where == 'coroutine': Array(Ends, 4 + last)[3 + last].coroutine(how, x)
    if where == 'constructor': Chare(Made, args=[how, x], onPE=last)
    if where == 'timer': charm.scheduleCallableAfter(later, 0.01, [how, x])
    if where == 'reduction': Array(Ends, 4).reduced(how, x)
    if where == 'task': charm.pool.map(task, [(how, x)] * 3)
    if where in ('main', 'awaited', 'task'): print('not reached')
"""


@pytest.mark.parametrize("npes", [1, 3])
@pytest.mark.parametrize("how, x, status, told", [
    ("charm", "0", 0, ""), ("charm", "41", 41, ""), ("exit", "None", 0, ""), ("exit", "42", 42, ""),
    ("sys", "256", 1, ""), ("charm", "512", 1, ""), ("charm", "257", 1, ""), ("sys", "-1", 255, ""),
    ("raise", "'a reason'", 1, "a reason\n"), ("sys", "[1]", 1, "[1]\n"), ("charm", "10**30", 1, ""),
    ("charm", "None", 0, ""), ("charm", "True", 1, ""), ("charm", "'text'", 1, "text\n")])
@pytest.mark.parametrize("where", ["main", "method"])
def test_statuses(program, npes, where, how, x, status, told):
    # contract: 2.5.1 2.5.2 2.5.3 2.5.11
    done = run(["charmrun", f"+p{npes}", program(ENDS), where, how, x, "++quiet"])
    assert (done.returncode, done.stderr) == (status, told)
    assert done.stdout == "atexit ran\n" * npes                     # contract: 2.5.5


@pytest.mark.parametrize("npes", [1, 2])
@pytest.mark.parametrize("how", ["charm", "exit", "raise"])
@pytest.mark.parametrize("where", ["awaited", "coroutine", "constructor", "timer", "reduction", "task"])
def test_ends_everywhere(program, npes, where, how):
    # contract: 2.5.1 2.5.2 2.5.3 2.5.4
    done = run(["charmrun", f"+p{npes}", program(ENDS), where, how, "9", "++quiet"])
    assert (done.returncode, done.stderr) == (9, "")
    assert "not reached" not in done.stdout


HOOKS = """
from charm4py import charm, Chare, Group, Array, ArrayMap, Future, Reducer, coro, when
def bye(contribs): exit(9)
Reducer.addReducer(bye)
def before(data, contributor): exit(9)
def first(contribs): return sum(contribs)
Reducer.addReducer(first, pre=before)
def after(data): exit(9)
def last(contribs): return sum(contribs)
Reducer.addReducer(last, post=after)
class Map(ArrayMap):
    def procNum(self, index): exit(9)
class Hooks(Chare):
    def __init__(self, mode): self.mode, self.open = mode, False
    @when('self.open')
    def held(self): exit(9)
    @coro
    def waits(self):
        self.wait('self.open')
        exit(9)
    def let(self): self.open = True
    def move(self): self.migrate((charm.myPe() + 1) % charm.numPes())
    def migrated(self): exit(9)
    def __getstate__(self):
        if self.mode == 'getstate': exit(9)
        return dict(self.__dict__)
    def __setstate__(self, state):
        if state['mode'] == 'setstate': exit(9)
        self.__dict__.update(state)
    def sync(self): self.AtSync()
    def resumeFromSync(self): exit(9)
    def contribute_to(self, name, f): self.reduce(f, 1, getattr(Reducer, name))
    def quiet(self): exit(9)
    def take(self, x): pass
    @coro
    def loop(self, f):
        mine = Future()
        f.send(mine)
        for one in charm.iwait([mine]): exit(9)
class Unpickled:
    def __reduce__(self): return exit, (9,)
class Pickled:
    def __reduce__(self): exit(9)
def select(chare): exit(9)
def main(args):
    mode, n = args[1], charm.numPes()
    a = Array(Hooks, 2 * n, args=[mode], useAtSync=True)
    charm.awaitCreation(a)
    far = a[2 * n - 1]
    if mode in ('when', 'wait'):
        far.held() if mode == 'when' else far.waits()
        far.let()
    if mode in ('migrated', 'getstate', 'setstate'): far.move()
    if mode == 'sync': a.sync()
    if mode in ('bye', 'first', 'last'): a.contribute_to(mode, Future())
    if mode == 'quiescence': charm.startQD(far.quiet)
    if mode == 'iwait':
        f = Future()
        far.loop(f)
        f.get().send(1)
    if mode == 'map': Array(Hooks, 4, args=[mode], map=Group(Map))
    if mode == 'unpickle': far.take(Unpickled())
    if mode == 'pickle': far.take(Pickled())
    if mode == 'section': charm.split(a, 2, select)
    if mode == 'timer': charm.scheduleCallableAfter(exit, 0.01, [9])
    if mode == 'finally':
        try: exit(9)
        finally: charm.myPe()
"""


@pytest.mark.parametrize("npes", [2, 3])
@pytest.mark.parametrize("mode", ["when", "wait", "migrated", "getstate", "setstate", "sync", "bye", "first", "last",
                                  "quiescence", "iwait", "map", "unpickle", "pickle", "section", "timer", "finally"])
def test_exit_wherever_user_code_runs(program, npes, mode):
    # contract: 2.5.3
    done = run(["charmrun", f"+p{npes}", program(HOOKS), mode, "++quiet"])
    assert (done.returncode, done.stdout, done.stderr) == (9, "", "")


@pytest.mark.parametrize("npes", [0, 2, 4])
def test_waiting_coroutines_are_no_trouble(program, npes):
    # contract: 2.5.10
    text = """
from charm4py import charm, Chare, Array, Channel, Future, coro
class Waits(Chare):
    def __init__(self): self.never = False
    @coro
    def future(self):
        try:
            Future().get()
        finally:
            print('unwound')
    @coro
    def condition(self): self.wait('self.never')
    @coro
    def channel(self): Channel(self, remote=self.thisProxy[0]).recv()
    @coro
    def sleep(self): charm.sleep(1000)
    @coro
    def reduction(self):
        if self.thisIndex[0]: self.allreduce(1).get()
def main(args):
    a = Array(Waits, 6)
    for method in (a.future, a.condition, a.channel, a.sleep, a.reduction):
        method()
    charm.waitQD()
    charm.exit(6)
"""
    first = ["charmrun", f"+p{npes}"] if npes else [sys.executable]
    done = run([*first, program(text), "++quiet"])
    assert (done.returncode, done.stdout, done.stderr) == (6, "", "")


# ---- The shell ---------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [["+LBOff"], ["+balancer", "GreedyLB", "+p3"], ["+p2", "+LBDebug", "2", "++quiet"],
                                   ["+libcharm_interface", "cython", "+p2"]])
def test_shell_with_flags_and_no_program(flags):
    # contract: 14.1 2.1.5
    npes = {"+p2": 2, "+p3": 3}.get(next((f for f in flags if f.startswith("+p")), ""), 1)
    for launcher in (["charmrun"], [sys.executable, "-m", "charmrun.start"]):
        done = run([*launcher, "++interactive", *flags], input="'pes', charm.numPes()\nexit(4)\n")
        assert done.returncode == 4 and f"('pes', {npes})" in done.stdout, (done.stdout, done.stderr)


def test_names_in_the_shell():
    # contract: 14.3 14.6 3.1.6
    text = ("[n for n in 'charm Chare Group Array Reducer threaded coro Channel Future sys time re os inspect "
            "self future'.split() if n not in globals()]\n__name__, type(self).__name__, future() is _f\n"
            "charm.options.remote_exec\n")
    done = run(["charmrun", "+p2", "++interactive"], input=text)
    assert "\nCharm4py interactive shell (beta)\ncharm.options.interactive.verbose = 1\n" in done.stdout
    assert "[]\n" in done.stdout and "('__main__', 'InteractiveConsole', True)\n" in done.stdout
    assert ">>> True\n" in done.stdout and done.returncode == 0
