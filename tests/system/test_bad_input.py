"""Mistakes on the command line and in programs: one clear message, the right
status, nothing left over, and no wall of text from the other PEs."""
import os
import re
import shutil
import subprocess
import sys

import pytest

from jobs import BUILD, C4PROF, CHARMRUN, EXAMPLES, GUARD_S, NPES, Job, run, write

HELLO = """
def main(args):
    print('args', args[1:])
    exit()
"""
BUILT_IN = ["DummyLB", "GreedyLB", "GreedyRefineLB", "RandCentLB", "RefineLB", "RotateLB"]


@pytest.fixture
def hello(tmp_path):
    return write(tmp_path, HELLO)


def c_error(job, *texts):
    """One line of ours, and at most the launcher's beside it."""
    ours = [line for line in job.err.splitlines()
            if not line.startswith(("charmrun: PE ", "c4: nothing was recorded"))]
    assert len(ours) == 1, job.err
    assert "Traceback" not in job.err
    for text in texts:
        assert text in ours[0], job.err
    assert "args" not in job.out
    return job


# ---- Flags ---------------------------------------------------------------------------


@pytest.mark.parametrize("npes", [0] + NPES)
def test_unknown_balancer(hello, npes):
    job = run(npes, hello, "+balancer", "NoSuchLB")
    c_error(job, "+balancer", "'NoSuchLB'", *BUILT_IN)
    assert job.status == 1


@pytest.mark.parametrize("npes", [0] + NPES)
@pytest.mark.parametrize("flags, texts", [
    (["+balancr", "GreedyLB"], ["+balancr", "did you mean +balancer"]),
    (["+tracee", "x"], ["+tracee", "did you mean +trace"]),
    (["++idle-timout", "3"], ["++idle-timout", "did you mean ++idle-timeout"]),
    (["+balancer"], ["+balancer needs a value"]),
    (["+stress", "everything"], ["+stress", "migrate, evict and log", "'everything'"]),
    (["++idle-timeout", "soon"], ["++idle-timeout", "a number", "'soon'"]),
    (["+trace", "x.db", "+traceLevel", "all"], ["+traceLevel", "summary or full", "'all'"]),
    (["+trace", "x.db", "+traceLimit", "much"], ["+traceLimit", "512M", "'much'"]),
])
def test_bad_flag(hello, npes, flags, texts):
    job = c_error(run(npes, hello, *flags, cwd=hello.parent), *texts)
    assert job.status == 1


@pytest.mark.parametrize("npes", ["0", "9999", "x", "-1", "2.5", "1e3"])
def test_bad_number_of_pes(hello, npes):
    done = subprocess.run([CHARMRUN, "+p", npes, str(hello)], stdout=subprocess.PIPE, timeout=GUARD_S,
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert done.stderr == f"charmrun: +p {npes}: the number of PEs must be from 1 to 256\n"
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("npes", NPES)
def test_program_is_missing(tmp_path, npes):
    for program in ("nothing.py", "nothing"):
        done = subprocess.run([CHARMRUN, f"+p{npes}", program], cwd=tmp_path, timeout=GUARD_S,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert done.stderr.startswith(f"charmrun: program {program} was not found")
        assert (done.stderr.count("\n"), done.stdout, done.returncode) == (1, "", 1)


@pytest.mark.parametrize("npes", [0] + NPES)
def test_unknown_balancing_flag_is_a_warning(hello, npes):
    # contract: 2.1.20
    job = run(npes, hello, "+LBxyz", "a")
    assert job.err == "+LBxyz: unknown load balancing flag, ignored\n"
    assert (job.status, job.out) == (0, "args ['a']\n")


@pytest.mark.parametrize("npes", [0] + NPES)
def test_flag_without_meaning_is_noticed_once(hello, npes):
    # contract: 2.1.19
    job = run(npes, hello, "+LBVersion", "a")
    assert job.err == "+LBVersion: accepted, but has no meaning here\n"
    assert (job.status, job.out) == (0, "args ['a']\n")


FLAGS = [["+balancer", "GreedyLB"], ["+LBDebug", "1"], ["+LBPeriod", "5"], ["+LBOff"],
         ["+libcharm_interface", "cython"], ["++idle-timeout", "60"]]


@pytest.mark.parametrize("npes", [0] + NPES)
@pytest.mark.parametrize("turn", range(4))
def test_flags_stand_anywhere_and_never_reach_main(hello, npes, turn):
    # contract: 2.1.19 2.2.2
    words = ["a", "+mine", "-x", "7"]
    line = []
    for i, word in enumerate(words):
        line += FLAGS[(i + turn) % len(FLAGS)] + [word] + FLAGS[(i + turn + 2) % len(FLAGS)]
    job = run(npes, hello, *line)
    assert job.out == f"args {words}\n", job.err
    assert job.status == 0


def test_flags_around_the_program(hello):
    # contract: 2.1.8
    done = subprocess.run([CHARMRUN, "+LBOff", sys.executable, str(hello), "a", "+p", "3", "b", "++local",
                           "++quiet"], stdout=subprocess.PIPE, universal_newlines=True, timeout=GUARD_S)
    assert (done.stdout, done.returncode) == ("args ['a', 'b']\n", 0)


# ---- Plugins -------------------------------------------------------------------------

PLUGIN = """
#include <c4_lb.h>
static c4_err solve(const c4_lb_problem *p, const void *opt, uint32_t *pe)
{ (void)p; (void)opt; (void)pe; return C4_OK; }
static const c4_lb mine = { .abi = %s, .name = "MineLB", .help = "mine", .solve = solve };
const c4_lb *const c4_lb_plugin[] = { &mine, NULL };
"""


def build_plugin(folder, source):
    flags = subprocess.run(["pkg-config", "--cflags", "c4-uninstalled"], stdout=subprocess.PIPE,
                           env={**os.environ, "PKG_CONFIG_PATH": BUILD}, universal_newlines=True)
    if flags.returncode:
        pytest.skip("no pkg-config")
    (folder / "mine.c").write_text(source)
    subprocess.run([os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-o", "mine.so", "mine.c",
                    *flags.stdout.split()], cwd=folder, check=True)
    return "./mine.so"


@pytest.mark.parametrize("npes", NPES)
def test_plugin_works(tmp_path, hello, npes):
    so = build_plugin(tmp_path, PLUGIN % "C4_LB_ABI")
    job = run(npes, hello, "+balancer", so, cwd=tmp_path)
    assert (job.status, job.err) == (0, "")


@pytest.mark.parametrize("npes", NPES)
@pytest.mark.parametrize("source, texts", [
    (PLUGIN % "C4_LB_ABI + 1", ["version", "build it again"]),
    ("int nothing;", ["c4_lb_plugin", "no balancer"]),
    ("long c4_lb_plugin[2] = { 5 };", ["c4_lb_plugin", "no list"]),
    (None, ["not a shared object"]),
    ("", ["cannot be opened: No such file"]),
], ids=["another ABI", "missing symbol", "another type", "not a plugin", "missing file"])
def test_bad_plugin(tmp_path, hello, npes, source, texts):
    so = "./mine.so"
    if source:
        build_plugin(tmp_path, source)
    elif source is None:
        (tmp_path / "mine.so").write_text("this is text\n" * 100)
    job = run(npes, hello, "+balancer", so, cwd=tmp_path)
    c_error(job, "./mine.so", *texts)
    assert job.status == 1


# ---- Calls that cannot work ------------------------------------------------------------

CALLS = """
import threading
class Deep:
    def __init__(self): self.inner = {'key': [1, threading.Lock()]}
class A(Chare):
    def go(self, *x): return len(x)
def main(args):
    a = Array(A, (2, charm.numPes()))
    s = Array(A, ndims=2)
    charm.awaitCreation(a)
    last = a[1, charm.numPes() - 1]
    other = Group(A)[charm.numPes() - 1]
    caught = 0
    for go in [%s]:
        try:
            go()
        except Exception as e:
            print(type(e).__name__ + ':', e)
            caught += 1
    assert other.go(1, 2, ret=True).get() == 2  # the job goes on
    print('caught', caught)
    charm.exit(10 + caught)
"""


@pytest.mark.parametrize("npes", [2, 4])
def test_unpicklable_argument_names_its_path(tmp_path, npes):
    job = run(npes, write(tmp_path, CALLS % "lambda: other.go(1, [Deep()])"))
    assert job.out == ("TypeError: argument 2 [0].inner['key'][1] of A.go cannot be sent to another PE: "
                       "cannot pickle '_thread.lock' object\ncaught 1\n")
    assert (job.status, job.err) == (11, "")


@pytest.mark.parametrize("npes", NPES)
@pytest.mark.parametrize("call, texts", [
    ("lambda: last.nothing()", ["AttributeError", "AArrayProxy", "nothing"]),
    ("lambda: a[2, 0].go()", ["IndexError", "(2, 0)", "array of A", "(2, "]),
    ("lambda: a[0, -1].go()", ["IndexError", "(0, -1)"]),
    ("lambda: Group(A)[charm.numPes()].go()", ["IndexError", "group of A"]),
    ("lambda: a[1]", ["AssertionError", "dimensions"]),
    ("lambda: s.ckInsert(3)", ["AssertionError", "Invalid index dimensions"]),
], ids=["method", "index", "negative index", "group index", "dimensions", "insert"])
def test_bad_call_raises_at_the_call(tmp_path, npes, call, texts):
    job = run(npes, write(tmp_path, CALLS % call))
    assert job.status == 11, job.out + job.err
    for text in texts:
        assert text in job.out.splitlines()[0]
    assert job.err == ""


@pytest.mark.parametrize("npes", [0] + NPES)
def test_bad_call_uncaught(tmp_path, npes):
    job = run(npes, write(tmp_path, "class A(Chare): pass\ndef main(args): Array(A, 3)[3].setMigratable(1)"))
    assert job.status == 1
    job.says("PE 0: IndexError", "(3,)", "sizes (3,)", 'prog.py", line 3')
    assert job.err.count("Traceback (most") == 1


# ---- Traces ------------------------------------------------------------------------------

WORK = """
class A(Chare):
    def go(self, n): return n + 1
def main(args):
    a = Array(A, 8)
    for i in range(int(args[1])):
        a.go(i, ret=True).get()
    print('done')
    charm.exit(6)
"""


def left(folder):
    return sorted(name for name in os.listdir(folder) if name != "prog.py")


def sums(db):
    done = subprocess.run([C4PROF, "report", "--format", "json", str(db)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=GUARD_S, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("npes", [0] + NPES)
def test_folder_of_trace_is_read_only(tmp_path, npes):
    folder = "/proc"                        # where root cannot write, either
    if os.getuid():
        folder = str(tmp_path / "locked")
        os.mkdir(folder, 0o500)
    job = run(npes, write(tmp_path, WORK), 3, "+trace", folder + "/run.db")
    assert (job.status, job.out) == (6, "done\n")
    assert job.err.startswith("c4: no trace: cannot make the folder " + folder)
    assert "the job goes on" in job.err and job.err.count("\n") == 1
    assert [name for name in left(tmp_path) if name != "locked"] == []


@pytest.mark.parametrize("npes", [0] + NPES)
def test_disk_is_full(tmp_path, npes):
    """A limit on the size of files, set by the program, stands for the disk."""
    source = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (300000, -1))\n" + WORK
    job = run(npes, write(tmp_path, source), 4000 // max(npes, 1), "+trace", "run.db", cwd=tmp_path)
    assert (job.status, job.out) == (6, "done\n"), job.err
    warnings = [line for line in job.err.splitlines() if "recording stops here" in line]
    assert len(warnings) == 1, job.err
    assert "the job goes on, what was recorded is kept" in warnings[0]
    if left(tmp_path) != ["run.db"]:        # alone it could not write the database, either
        assert npes == 0 and left(tmp_path) == ["run.db.spool.d"]
        job.says("c4prof recover")
        subprocess.run([C4PROF, "recover", "run.db.spool.d"], cwd=tmp_path, check=True, timeout=GUARD_S,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert left(tmp_path) == ["run.db"]
    assert '"' in sums(tmp_path / "run.db")


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="mounts a file system")
@pytest.mark.parametrize("npes", [0] + NPES)
def test_file_system_is_full(tmp_path, npes):
    prog = write(tmp_path, WORK)
    small = tmp_path / "small"
    small.mkdir()
    start = [CHARMRUN, f"+p{npes}"] if npes else []
    script = 'mount -t tmpfs -o size=1M none small || exit 77; "$@"; s=$?; ls small >&2; exit $s'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *start, sys.executable, str(prog),
                           "4000", "++quiet", "+trace", "small/run.db"], cwd=tmp_path, timeout=GUARD_S,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode in (1, 77) and "done" not in done.stdout:
        pytest.skip("no mounts here")
    assert (done.returncode, done.stdout) == (6, "done\n"), done.stderr
    assert done.stderr.count("the disk is full") == 1, done.stderr
    assert "run.db" in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) <= 4, done.stderr


@pytest.mark.parametrize("npes", [0] + NPES)
def test_trace_file_exists(tmp_path, npes):
    prog = write(tmp_path, WORK)
    (tmp_path / "run.db").write_text("mine")
    job = run(npes, prog, 3, "+trace", "run.db", cwd=tmp_path)
    assert job.status == 6
    assert left(tmp_path) == ["run-1.db", "run.db"]
    assert (tmp_path / "run.db").read_text() == "mine"
    job.says("run-1.db")
    assert len(job.err.splitlines()) == 1
    job = run(npes, prog, 3, "+trace", "run.db", "+traceOverwrite", cwd=tmp_path)
    assert job.status == 6 and left(tmp_path) == ["run-1.db", "run.db"]
    assert (tmp_path / "run.db").read_bytes()[:6] == b"SQLite"
