"""A recording tells where it comes from: program, versions, machine, settings, revision."""
import importlib.util
import json
import os
import pathlib
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import pytest

BUILD = os.path.abspath(os.environ.get("C4_BUILDDIR", "."))
PIDS = os.path.join(BUILD, "tests", "system", "pids")
CHARMRUN = os.path.join(BUILD, "bin", "charmrun")

PROGRAM = """
import os, sys
from charm4py import charm

def main(args):
    for word in args[1:]:
        exec(word)
    exit()

charm.start(main)
"""


def run(cwd, *command, **env):
    r = subprocess.run([str(word) for word in command], cwd=cwd, text=True, capture_output=True,
                       timeout=120, env={**os.environ, "PATH": os.environ["PATH"], **env})
    assert r.returncode == 0, r.stdout + r.stderr
    return r


def facts(path):
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    try:
        row = dict(db.execute("SELECT * FROM run").fetchone())
        row["affinity"] = [a for a, in db.execute("SELECT affinity FROM pe ORDER BY pe")]
        row["log"] = [t for t, in db.execute("SELECT text FROM log")]
        return row
    finally:
        db.close()


@pytest.fixture
def outside():
    """A script in no working tree; the tests' own folder may lie in one."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "prog.py").write_text(PROGRAM)
        yield folder


@pytest.fixture
def script(tmp_path):
    (tmp_path / "prog.py").write_text(PROGRAM)
    return tmp_path


def record(cwd, *command, **env):
    run(cwd, *command, "+trace", "run.db", "+traceOverwrite", **env)
    assert not [f for f in os.listdir(cwd) if ".spool.d" in f]
    return facts(os.path.join(cwd, "run.db"))


def test_program_is_the_script(script):
    for command in (["charmrun", "+p2", "prog.py"], ["charmrun", "+p1", "prog.py"],
                    [sys.executable, "prog.py"], [sys.executable, "-m", "prog"],
                    ["charmrun", "+p2", "-m", "prog"]):
        f = record(script, *command)
        assert os.path.join(f["directory"], f["program"]) == str(script / "prog.py"), command
        assert f["python"] == platform.python_version()
    os.mkdir(script / "sub")
    f = record(script / "sub", "charmrun", "+p2", "../prog.py")
    assert (f["program"], f["directory"]) == ("../prog.py", str(script / "sub"))
    f = record(script, sys.executable, "-c", "exec(open('prog.py').read())")
    assert f["program"] is None and f["git_revision"] is None


def test_changed_arguments_and_folder(script):
    """Programs may change sys.argv and the folder before they start."""
    (script / "other.py").write_text("import os, sys\nsys.argv[0] = '/etc/passwd'\n" + PROGRAM)
    assert record(script, "charmrun", "+p2", "other.py")["program"] == str(script / "other.py")
    (script / "other.py").write_text("import os\nos.chdir('/')\n" + PROGRAM)
    f = record(script, "charmrun", "+p2", "other.py")
    assert os.path.join(f["directory"], f["program"]) == str(script / "other.py")


def test_c_program(tmp_path):
    f = record(tmp_path, "charmrun", "+p2", PIDS)
    assert f["program"] == PIDS and f["python"] is f["numpy"] is None
    f = record(tmp_path, "charmrun", "+p2", "pids", PATH=f"{os.path.dirname(PIDS)}:{os.environ['PATH']}")
    assert os.path.realpath(f["program"]) == os.path.realpath(PIDS)


def test_machine_and_versions(script):
    f = record(script, "charmrun", "+p2", "prog.py")
    assert f["kernel"] == f"{platform.system()} {platform.release()} {platform.machine()}"
    assert f["cores"] == os.sysconf("SC_NPROCESSORS_ONLN")
    assert f["compiler"] and f["cpu_model"] != ""
    assert f["numpy"] is None
    core = min(os.sched_getaffinity(0))
    assert record(script, "taskset", "-c", core, "charmrun", "+p2", "prog.py")["affinity"] == [str(core)] * 2


@pytest.mark.skipif(not importlib.util.find_spec("numpy"), reason="there is no numpy")
def test_numpy_if_imported(script):
    version = subprocess.check_output([sys.executable, "-c", "import numpy; print(numpy.__version__)"],
                                      text=True).strip()
    assert record(script, "charmrun", "+p2", "prog.py", "import numpy")["numpy"] == version
    assert record(script, "charmrun", "+p2", "prog.py")["numpy"] is None


def test_variables_and_flags(script):
    f = record(script, "charmrun", "+p2", "prog.py", "+stress", "log", "+stress", "evict",
               "+traceLimit", "1M", "+traceLimit", "2M", "+LBOff",
               OMP_NUM_THREADS="1", OMP_TOKEN="geheim", SLURM_JWT="geheim", C4_MY_KEY="geheim",
               PYTHON_PASSWORD="geheim", MY_OWN="geheim", MALLOC_ARENA_MAX="2",
               LC_ALL="C.UTF-8", LD_ODD=os.fsdecode(b"\xff\xe9"))
    env = json.loads(f["environment"])
    assert env["env.OMP_NUM_THREADS"] == "1" and env["env.MALLOC_ARENA_MAX"] == "2"
    assert env["env.LC_ALL"] == "C.UTF-8" and env["env.LD_ODD"] == "??"
    assert "geheim" not in json.dumps(f, default=str)
    assert not [name for name in env if name.startswith(("env.C4_SHM", "env.C4_TRACE"))]
    assert env["flag.+stress"] == "log,evict" and env["flag.+LBOff"] == ""
    assert env["flag.+traceLimit"] == "2M"


def test_note(script):
    note = "with äöü, 'quotes' and\ttabs"
    f = record(script, "charmrun", "+p2", "prog.py", "+traceNote", "first", "+traceNote", note)
    assert f["note"] == note
    plain = note.replace("\t", "\\x09")
    assert f"note: {plain}" in run(script, "c4prof", "report", "run.db").stdout
    out = json.loads(run(script, "c4prof", "report", "-F", "json", "run.db").stdout)
    assert out["run"]["note"] == note and out["run"]["python"] == platform.python_version()
    assert record(script, "charmrun", "+p2", "prog.py")["note"] is None
    assert record(script, sys.executable, "prog.py", "+traceNote=alone")["note"] == "alone"
    f = record(script, sys.executable, "prog.py", "+traceNote", os.fsdecode(b"caf\xe9"))
    assert f["note"] == "caf?"


# ---- Places in source files -----------------------------------------------------------

PLACES = """
import functools
from charm4py import charm, Chare, Group, coro, when

def wrapping(f):
    @functools.wraps(f)
    def inner(*args, **kw):                 # not here
        return f(*args, **kw)
    return inner

class Cell(Chare):                          # class
    def __init__(self):                     # create
        self.n = 0

    def plain(self):                        # plain
        pass

    @coro                                   # waits
    def waits(self):
        pass

    @when('self.n == x')                    # held
    def held(self, x):
        pass

    @wrapping                               # wrapped
    def wrapped(self):
        pass

    @staticmethod                           # static
    def static():
        pass

    partial = functools.partialmethod(plain)
    builtin = len

class Odd(Chare, metaclass=type('Meta', (type,), {})):      # odd
    def __init_subclass__(cls, word=''):
        pass                                # without super(): not known

class Below(Odd, word='x'):
    pass

def main(args):                             # main
    cells = Group(Cell)
    cells.plain(awaitable=True).get()
    exit()

charm.start(main)
"""


def test_places(tmp_path):
    (tmp_path / "prog.py").write_text(PLACES)
    line = {text.split("#")[1].strip(): n for n, text in enumerate(PLACES.splitlines(), 1)
            if "#" in text}
    for command in (["charmrun", "+p2", "prog.py"], [sys.executable, "prog.py"]):
        record(tmp_path, *command)
        db = sqlite3.connect(tmp_path / "run.db")
        types = {n: (f, at) for n, f, at in db.execute("SELECT name, file, line FROM chare_type")}
        found = {n: (os.path.basename(f or ""), at) for n, f, at in db.execute(
            "SELECT m.name, m.file, m.line FROM entry_method m LEFT JOIN chare_type t ON"
            " t.id = m.type WHERE t.name IS NULL OR t.name = '__main__.Cell'")}
        db.close()
        assert types["__main__.Cell"][1] == line["class"]
        assert os.path.basename(types["__main__.Cell"][0]) == "prog.py"
        assert types["__main__.Odd"][1] == line["odd"] and types["__main__.Below"] == (None, None)
        for name in ("create", "plain", "waits", "held", "wrapped", "static", "main"):
            assert found[name] == ("prog.py", line[name]), name
        assert found["partial"] == found["plain"]
        assert found["builtin"] == found["migrate"] == ("", None)


# ---- git -----------------------------------------------------------------------------

def git(cwd, *words):
    return subprocess.check_output(
        ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@localhost", *words],
        cwd=cwd, text=True, stderr=subprocess.DEVNULL).strip()


@pytest.fixture
def tree(script):
    if not shutil.which("git"):
        pytest.skip("there is no git")
    (script / ".gitignore").write_text("*.db\n__pycache__\n")
    (script / "data.txt").write_text("1\n")
    git(script, "init")
    git(script, "add", ".")
    git(script, "commit", "-m", "first")
    return script


def revision(cwd, *command, **env):
    f = record(cwd, *(command or ("charmrun", "+p2", "prog.py")), **env)
    return f["git_revision"], f["git_dirty"]


def test_revision(tree):
    head = git(tree, "rev-parse", "HEAD")
    for command in (["charmrun", "+p2", "prog.py"], [sys.executable, "prog.py"]):
        assert revision(tree, *command) == (head, 0)
    os.mkdir(tree / "sub")
    assert revision(tree / "sub", "charmrun", "+p2", "../prog.py") == (head, 0)
    (tree / "new.txt").write_text("not tracked\n")
    assert revision(tree) == (head, 0)
    (tree / "data.txt").write_text("2\n")
    assert revision(tree) == (head, 1)
    assert f"revision {head[:12]} with changes" in run(tree, "c4prof", "report", "run.db").stdout
    git(tree, "add", "data.txt")
    assert revision(tree) == (head, 1)
    git(tree, "commit", "-m", "second")
    assert revision(tree) == (git(tree, "rev-parse", "HEAD"), 0)
    shutil.copy(tree / "prog.py", tree / "mine.py")
    assert revision(tree, "charmrun", "+p2", "mine.py")[1] == 1


def test_revision_is_that_of_the_begin(tree):
    head = git(tree, "rev-parse", "HEAD")
    change = "import time; time.sleep(0.5); open('data.txt', 'w').write('3')"
    assert revision(tree, "charmrun", "+p2", "prog.py", change) == (head, 0)


def test_variables_of_git_do_not_count(tree):
    head = git(tree, "rev-parse", "HEAD")
    assert revision(tree, GIT_DIR="/nowhere", GIT_WORK_TREE="/", GIT_INDEX_FILE="/x") == (head, 0)


def test_other_working_trees(tree, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "tree"
    git(tree, "worktree", "add", other)
    git(other, "checkout", "--detach")
    assert revision(other) == (git(other, "rev-parse", "HEAD"), 0)
    git(tree, "pack-refs", "--all")
    assert revision(tree) == (git(tree, "rev-parse", "HEAD"), 0)


def test_no_revision(outside):
    script = outside
    assert revision(script) == (None, None)
    if shutil.which("git"):
        git(script, "init")
        assert revision(script) == (None, None)     # nothing is committed yet
    (script / ".git" / "HEAD").write_text("rubbish") if (script / ".git").exists() else None
    assert revision(script) == (None, None)


def test_without_git(tree):
    shell = os.path.dirname(shutil.which("true"))
    empty = tree / "bin"
    os.mkdir(empty)
    for word in ("sh", "nice"):
        os.symlink(shutil.which(word), empty / word)
    assert shell and revision(tree, CHARMRUN, "+p2", "prog.py", PATH=str(empty)) == (None, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user's files")
def test_of_another_user(tree):
    for path in [tree, *tree.rglob("*")]:
        os.chown(path, 12345, 12345)
    assert revision(tree, HOME=str(tree), XDG_CONFIG_HOME=str(tree), GIT_CONFIG_NOSYSTEM="1") == (None, None)


def fake_git(folder, text):
    os.mkdir(folder / "bin")
    (folder / "bin" / "git").write_text("#!/bin/sh\n" + text)
    os.chmod(folder / "bin" / "git", 0o755)
    return f"{folder / 'bin'}:{os.environ['PATH']}"


def test_git_takes_too_long(tree):
    path = fake_git(tree, "exec sleep 6\n")
    begin = time.monotonic()
    assert revision(tree, PATH=path) == (None, None)
    assert time.monotonic() - begin < 5


def test_git_is_nobodys_child(tree):
    """A program that waits for its children does not meet it."""
    path = fake_git(tree, "exec sleep 1\n")
    wait = """
try:
    os.wait()
    print('met one')
except ChildProcessError:
    print('met none')"""
    for command in ([sys.executable], ["charmrun", "+p2"]):
        out = run(tree, *command, "prog.py", wait, "+trace", "run.db", "+traceOverwrite", PATH=path).stdout
        assert "met none" in out and "met one" not in out


def test_killed_job(tree):
    """The revision was asked for at the begin."""
    r = subprocess.run(["charmrun", "+p2", "prog.py", "import time, signal; time.sleep(0.3); "
                        "os.kill(os.getpid(), signal.SIGKILL)", "+trace", "run.db"], cwd=tree,
                       capture_output=True, timeout=60)
    assert r.returncode == 137
    f = facts(tree / "run.db")
    assert (f["git_revision"], f["git_dirty"]) == (git(tree, "rev-parse", "HEAD"), 0)
    assert f["program"] == "prog.py" or f["program"] == "./prog.py"
