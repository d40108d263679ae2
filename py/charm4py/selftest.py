"""Looks whether charm4py works here: ``python3 -m charm4py.selftest [--json]``.

Starts a few small jobs, alone and through the launcher, and tells of each part in a
line whether it works.  It takes a few seconds, and leaves nothing behind.  The exit
status is 0 if all works, else 1; what is optional and not installed is no failure.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from array import array
from typing import Any, Callable, Dict, List, Optional, Tuple

from charm4py import Array, Channel, Chare, Group, Reducer, charm, coro, when
from charmrun import start as launcher

GUARD_S = 60  # against jobs that hang

Check = Tuple[str, str, str]  # "ok", "FAILED" or "-", what, details


# ---- What runs in a job: each prints a line --------------------------------------------------

class Member(Chare):
    """Does what the checks ask for."""

    def __init__(self) -> None:
        self.turn = 0

    def echo(self, *args: Any) -> Any:
        return args[0] if len(args) == 1 else args

    def pe(self) -> int:
        return charm.myPe()

    def fail(self) -> None:
        raise ValueError("on purpose")

    def total(self, callback: Any) -> None:
        self.reduce(callback, self.thisIndex[0], Reducer.sum)

    @when("self.turn == turn")
    def in_turn(self, turn: int) -> int:
        self.turn += 1
        return turn

    @coro
    def stream(self, peer: Any, n: int) -> int:
        channel = Channel(self, peer)
        for i in range(n):
            channel.send(i)
        return sum(channel.recv() for _ in range(n))


def square(x: int) -> int:
    """A task."""
    return x * x


def _messages() -> None:
    group = Group(Member)
    values = [None, 1 << 80, 2.5, "text", b"bytes", (1, [2, {"key": {3}}]), array("d", [1, 2])]
    for pe in range(charm.numPes()):
        assert group[pe].echo(*values, ret=True).get() == tuple(values)
    assert group.pe(ret=True).get() == list(range(charm.numPes()))
    waiting = [group[charm.numPes() - 1].in_turn(turn, ret=True) for turn in (2, 1, 0)]
    assert [f.get() for f in waiting] == [2, 1, 0]
    first, last = group[0], group[charm.numPes() - 1]
    if charm.numPes() > 1:
        both = [first.stream(last, 10, ret=True), last.stream(first, 10, ret=True)]
        assert [f.get() for f in both] == [45, 45]


def _errors() -> None:
    try:
        Group(Member)[charm.numPes() - 1].fail(ret=True).get()
    except ValueError as exc:
        assert exc.remote_stacktrace[0] == charm.numPes() - 1  # type: ignore[attr-defined]
    else:
        raise AssertionError("an exception was lost")


def _numpy() -> Optional[str]:
    try:
        import numpy
    except ImportError:
        return "not installed: left out"
    last = Group(Member)[charm.numPes() - 1]
    matrix = numpy.arange(200000, dtype=numpy.float32).reshape(400, 500)
    for one in (matrix, matrix[::-2, 1::3], matrix[:0], matrix[0].astype("complex128")):
        back = last.echo(one, ret=True).get()
        assert back.dtype == one.dtype and (back == one).all() and back.shape == one.shape
    return None


def _reductions() -> None:
    elements = Array(Member, 10)
    total = charm.Future()
    elements.total(total)
    assert total.get() == 45


def _migration() -> None:
    elements = Array(Member, 4)
    there = charm.numPes() - 1
    elements[0].migrate(there)
    assert elements[0].pe(ret=True).get() == there
    elements[0].migrate(0)
    assert elements[0].pe(ret=True).get() == 0


def _pool() -> Optional[str]:
    assert charm.pool.map(square, range(100)) == [x * x for x in range(100)]
    try:
        import cloudpickle  # noqa: F401
    except ImportError:
        return "without lambdas: cloudpickle is not installed"
    offset = charm.numPes()
    assert charm.pool.map(lambda x: x + offset, range(10)) == list(range(offset, offset + 10))
    return None


CHECKS: List[Tuple[str, Callable[[], Optional[str]]]] = [
    ("messages", _messages), ("errors", _errors), ("NumPy arrays", _numpy),
    ("reductions", _reductions), ("migration", _migration), ("pool", _pool)]  # type: ignore


def _main(args: List[str]) -> None:
    """The job: one line for each check, as JSON."""
    for name, check in CHECKS:
        try:
            said = check()
            state = "-" if said and "left out" in said else "ok"
        except Exception as exc:  # whatever is wrong here is what is looked for
            said, state = f"{type(exc).__name__}: {exc}", "FAILED"
        print(json.dumps([state, name, said or ""]), flush=True)
    charm.exit()


# ---- What is there ------------------------------------------------------------------------

def _version(name: str, purpose: str) -> Check:
    try:
        module = __import__(name)
    except ImportError:
        return "-", name, "not installed: " + purpose
    return "ok", name, str(getattr(module, "__version__", ""))


def _c4prof() -> Optional[str]:
    """The tool that belongs to the launcher."""
    path = launcher._launcher()
    if path is not None:
        folder = os.path.dirname(os.path.realpath(path))
        for one in (folder, os.path.join(folder, os.pardir, "bin")):
            if os.access(os.path.join(one, "c4prof"), os.X_OK):
                return os.path.normpath(os.path.join(one, "c4prof"))
    return shutil.which("c4prof")


def _said_version(tool: str) -> str:
    done = subprocess.run([tool, "--version"], stdout=subprocess.PIPE, universal_newlines=True)
    return done.stdout.strip()


def _environment() -> Dict[str, str]:
    """Jobs shall find this package, wherever it was found."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": here + (os.pathsep + path if path else "")}


# ---- Jobs -----------------------------------------------------------------------------------

def _run(command: List[str]) -> Tuple[int, str, str]:
    """(status, stdout, stderr)"""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=2 * GUARD_S,
                              universal_newlines=True, env=_environment())
    except subprocess.TimeoutExpired:
        return 1, "", f"no end after {2 * GUARD_S} s"
    except OSError as exc:
        return 1, "", str(exc)
    return done.returncode, done.stdout, done.stderr


def _job(title: str, start: List[str], flags: List[str] = []) -> List[Check]:
    status, out, err = _run([*start, sys.executable, "-m", "charm4py.selftest", "--job", "++quiet",
                             *(["++timelimit", str(GUARD_S)] if start else []), *flags])
    found: List[Check] = []
    for line in out.splitlines():
        try:
            state, name, said = json.loads(line)
        except ValueError:
            continue
        found.append((state, f"{title}: {name}", said))
    if status == 0 and len(found) == len(CHECKS):
        return [("ok", title, "start and exit"), *found]
    why = (err.strip().splitlines() or ["no message"])[-1]
    return [("FAILED", title, f"ended with status {status} after {len(found)} of {len(CHECKS)} "
                              f"checks: {why}"), *found]


def _recording(path: str) -> List[Check]:
    tool = _c4prof()
    if tool is None:
        return [("FAILED", "recording", "c4prof was not found beside charmrun, nor on PATH")]
    with tempfile.TemporaryDirectory() as folder:
        database = os.path.join(folder, "run.db")
        wrong = [one for one in _job("recording", [path, "+p2"], ["+trace", database])
                 if one[0] == "FAILED"]
        if wrong:
            return wrong
        status, out, err = _run([tool, "report", "--format", "json", database])
    try:
        assert status == 0 and "Member" in out and json.loads(out)
    except (AssertionError, ValueError):
        why = (err.strip().splitlines() or [out[:200]])[-1]
        return [("FAILED", "recording", f"c4prof report ended with status {status}: {why}")]
    return [("ok", "recording", "+trace, and c4prof report of it")]


def _checks() -> List[Check]:
    from . import charm4py_version
    found: List[Check] = [
        ("ok", "Python", f"{platform.python_version()}, {sys.executable}"),
        ("ok", "charm4py", f"{charm4py_version}, {os.path.dirname(os.path.abspath(__file__))}"),
        _version("greenlet", "needed"),
        _version("numpy", "arrays are left out"),
        _version("cloudpickle", "the pool takes no lambdas")]
    tool = _c4prof()
    if tool is not None:
        found.append(("ok", "c4", f"{_said_version(tool)}, {os.path.dirname(tool)}"))
    found += _job("no launcher", [])
    path = launcher._launcher()
    if path is None:
        found.append(("FAILED", "charmrun", "not found beside the package charmrun, nor on PATH"))
        return found
    found.append(("ok", "charmrun", path))
    for npes in (1, 2):
        found += _job(f"{npes} PE{'s' * (npes > 1)}", [path, f"+p{npes}"])
    return found + _recording(path)


def main(args: List[str]) -> int:
    """Checks, tells, and returns the exit status."""
    if args not in ([], ["--json"]):
        print("usage: python3 -m charm4py.selftest [--json]", file=sys.stderr)
        return 2
    found = _checks()
    failed = sum(state == "FAILED" for state, _, _ in found)
    if args:
        print(json.dumps([dict(zip(("state", "what", "details"), one)) for one in found], indent=1))
    else:
        for state, what, details in found:
            print(f"{state:6}  {what:26}  {details}".rstrip())
        print(f"{failed} of {len(found)} checks failed" if failed else "all works")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        charm.start(_main)
    charm.started = True  # nothing is to be started in this process
    sys.exit(main(sys.argv[1:]))
