"""Type stubs, docstrings and what inspect tells agree with the package as it is."""
import ast
import atexit
import importlib
import inspect
import os
import re
import subprocess
import sys
import types

import pytest

import charm4py
from charm4py import charm, Chare
from jobs import GUARD_S

atexit.unregister(sys.modules["charm4py.charm"].check_started_at_exit)

PACKAGE = os.path.dirname(charm4py.__file__)
SOURCE = os.path.join(os.environ["C4_SRCDIR"], "py", "charm4py")
STUBS = sorted(name[:-4] for name in os.listdir(SOURCE) if name.endswith(".pyi"))
# of what only exists for type checkers
DECLARED = {"__getattr__", "__setattr__"}
# a class, and an object of it where there is one before charm.start()
CLASSES = [charm4py.Chare, charm4py.ArrayMap, charm4py.Group, charm4py.Array, charm4py.Future,
           charm4py.Channel, charm4py.Options, type(charm), type(charm4py.Reducer)]
CLASSES += [getattr(sys.modules["charm4py.charm"], name)
            for name in ("CharmRemote", "Readonlies", "Charm4PyError", "NotThreadedError")]
CLASSES += [importlib.import_module("charm4py.pool").Pool,
            *(getattr(importlib.import_module("charm4py._c4"), name)
              for name in ("Proxy", "BoundMethod"))]
OBJECTS = {"Charm": charm, "Options": charm.options, "ReducerContainer": charm4py.Reducer,
           "Charm4PyError": sys.modules["charm4py.charm"].Charm4PyError(),
           "NotThreadedError": sys.modules["charm4py.charm"].NotThreadedError()}
# type slots say nothing of their parameters; Chare() and the constructors share __new__
NOT_COMPARED = {"__call__", "__getitem__", "Chare.__new__"}


def module(name):
    if name == "__init__":
        return charm4py
    importlib.import_module("charm4py." + name)
    return sys.modules["charm4py." + name]      # the attribute charm is not the module


def stub(name):
    with open(os.path.join(SOURCE, name + ".pyi")) as f:
        return ast.parse(f.read())


def is_overload(node):
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)


def is_property(node):
    return any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)


def declared_names(body):
    """name -> node of what a stub's module or class declares."""
    names = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            names[node.target.id] = node
        elif isinstance(node, ast.Assign):
            names[node.targets[0].id] = node
        elif isinstance(node, ast.ImportFrom):
            names.update((a.asname, node) for a in node.names if a.asname == a.name)
    return {name: node for name, node in names.items()
            if not name.startswith("_") or name.startswith("__") and name not in DECLARED}


def parameters(node):
    """[(name, has a default, kind)] of a function in a stub."""
    a = node.args
    found = []
    plain = a.posonlyargs + a.args
    for i, arg in enumerate(plain):
        kind = "pos" if i < len(a.posonlyargs) else "plain"
        found.append((arg.arg, i >= len(plain) - len(a.defaults), kind))
    if a.vararg:
        found.append((a.vararg.arg, False, "*"))
    for arg, default in zip(a.kwonlyargs, a.kw_defaults):
        found.append((arg.arg, default is not None, "keyword"))
    if a.kwarg:
        found.append((a.kwarg.arg, False, "**"))
    return found


KINDS = {inspect.Parameter.POSITIONAL_ONLY: "pos", inspect.Parameter.POSITIONAL_OR_KEYWORD: "plain",
         inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.KEYWORD_ONLY: "keyword",
         inspect.Parameter.VAR_KEYWORD: "**"}


def real_parameters(func):
    return [(p.name, p.default is not p.empty, KINDS[p.kind])
            for p in inspect.signature(func).parameters.values()]


def without_self(params):
    return [p for i, p in enumerate(params) if i or p[0] not in ("self", "cls")]


def check_function(where, node, func):
    if is_overload(node):
        return []
    mine, real = without_self(parameters(node)), without_self(real_parameters(func))
    # whether self may be given by name, and what follows it, is nobody's business
    strip = [(name, default, "plain" if kind == "pos" and real_kind == "plain" else kind)
             for (name, default, kind), (_, _, real_kind) in zip(mine, real)] \
        if len(mine) == len(real) else mine
    return [] if strip == real else [f"{where}: stub {mine}, is {real}"]


def check_class(where, node, cls):
    wrong = []
    names = declared_names(node.body)
    for name, member in names.items():
        here = f"{where}.{name}"
        has = hasattr(cls, name) or hasattr(OBJECTS.get(cls.__name__), name)
        if cls.__name__ == "Proxy" and name in ("ckDestroy", "migrate", "setMigratable"):
            continue                            # of the proxies of chares
        if not has and not (isinstance(member, ast.AnnAssign) and cls.__name__.endswith("Cond")):
            wrong.append(f"{here}: in the stub only")
        elif isinstance(member, ast.FunctionDef) and not is_property(member):
            if name == "__init__" and cls.__init__ is object.__init__:
                real = cls                      # written in C: made by __new__
            elif NOT_COMPARED & {name, f"{cls.__name__}.{name}"}:
                continue
            else:
                real = getattr(cls, name)
            wrong += check_function(here, member, real)
    if cls in CLASSES:
        public = {*vars(cls), *vars(OBJECTS.get(cls.__name__, types.SimpleNamespace()))}
        wrong += [f"{where}.{name}: not in the stub" for name in sorted(public - set(names))
                  if not name.startswith("_")]
    return wrong


@pytest.mark.parametrize("name", STUBS)
def test_stub_is_as_the_module(name):
    # contract: 17.11
    mod, tree, wrong = module(name), stub(name), []
    for declared, node in declared_names(tree.body).items():
        where = f"{name}.{declared}"
        if not hasattr(mod, declared):
            wrong.append(f"{where}: in the stub only")
        elif isinstance(node, ast.FunctionDef):
            wrong += check_function(where, node, getattr(mod, declared))
        elif isinstance(node, ast.ClassDef):
            wrong += check_class(where, node, getattr(mod, declared))
    assert wrong == []


def public_names():
    space = {}
    exec("from charm4py import *", space)
    return {name: value for name, value in space.items()
            if not name.startswith("_") and not isinstance(value, types.ModuleType)}


def test_stub_of_the_package_has_every_public_name():
    declared = declared_names(stub("__init__").body)
    assert set(public_names()) - set(declared) == set()


@pytest.mark.parametrize("name", STUBS)
def test_stub_is_installed_with_the_package(name):
    assert os.path.exists(os.path.join(PACKAGE, name + ".pyi"))
    assert os.path.exists(os.path.join(PACKAGE, "py.typed"))


# ---- What help() and inspect say -------------------------------------------------------------


def members():
    """(where, object) of everything public."""
    for name, value in public_names().items():
        if not isinstance(value, str):
            yield f"charm4py.{name}", value
    for cls in CLASSES:
        yield cls.__name__, cls
        for name in vars(cls):
            if not name.startswith("_"):
                yield f"{cls.__name__}.{name}", inspect.getattr_static(cls, name)


def test_everything_public_has_a_docstring():
    # contract: 17.11
    bare = []
    for where, value in members():
        doc = getattr(value, "__doc__", None)
        inherited = not inspect.isroutine(value) and not inspect.isclass(value) \
            and not isinstance(value, property) and doc == type(type(value)).__doc__
        if not doc or not doc.strip() or inherited:
            bare.append(where)
    assert bare == []


def test_every_public_function_has_a_signature():
    # contract: 17.11
    without = []
    for where, value in members():
        if callable(value) and not inspect.isclass(value):
            try:
                inspect.signature(value)
            except (TypeError, ValueError):
                without.append(where)
    for cls in (charm4py.Future, charm4py.Channel):
        assert "=" in str(inspect.signature(cls))
    assert without == []


@pytest.mark.parametrize("what, texts", [
    ("charm4py", ["charm.start(main)", "charmrun +p4", "Channel", "selftest"]),
    ("charm4py.charm", ["awaitCreation(", "thisProxy", "pool", "options", "Suspends"]),
    ("charm4py.Chare", ["thisIndex", "reduce(self", "section=None", "onPE"]),
    ("charm4py.Future", ["get(self", "num_vals=1", "NotThreadedError"]),
    ("charm4py.Channel", ["recv(self", "send(self", "remote"]),
    ("importlib.import_module('charm4py.pool').pool", ["map(self", "chunksize", "cloudpickle"]),
    ("charm4py.Reducer", ["logical_xor", "gather", "addReducer"]),
    ("charm4py.charm.options", ["pickle_protocol", "remote_exec"]),
])
def test_help_says(what, texts):
    code = f"import importlib, charm4py; help({what})"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=GUARD_S,
                          universal_newlines=True, env={**os.environ, "PAGER": "cat"})
    for text in texts:
        assert text in done.stdout


def test_future_can_be_a_type_with_its_value():
    assert charm4py.Future[int].__args__ == (int,)


# ---- With mypy, where it is installed -----------------------------------------------------------

PROGRAM = """
from typing import List
from charm4py import charm, Array, Chare, Future, Group, Reducer, coro, when

class W(Chare):
    def __init__(self, n: int) -> None:
        self.n = n

    @coro
    def go(self, x: int) -> int:
        self.reduce(self.thisProxy[0].end, x, Reducer.sum)
        return x

    @when('self.n == n')
    def end(self, n: int) -> None:
        charm.exit()

def square(x: int) -> int:
    return x * x

def main(args: List[str]) -> None:
    group = Group(W, args=[1])
    array = Array(W, (2, 3), args=[1])
    chare = Chare(W, args=[1], onPE=0)
    charm.awaitCreation(group, array, chare)
    array[1, 2].go(1)
    future = group.go(1, ret=True)
    future.get()
    numbers: List[int] = charm.pool.map(square, range(3))
    mine: 'Future[int]' = Future()
    print(mine.get() + numbers[0])
    for one in charm.iwait([mine, future]):
        one.get()

charm.start(main)
"""
MISTAKES = """
from charm4py import charm, Chare, Future, Group
class W(Chare):
    def go(self) -> None: ...
def main(args: object) -> None:
    Group(3)
    group = Group(W)
    x = group.go() + 1
    charm.pool.map(len, 3)
    charm.numPEs()
    Future(1, 2, 3)
    Chare(W, onPe=1)
"""


def mypy(*args, cwd):
    pytest.importorskip("mypy")
    path = os.pathsep.join([os.path.dirname(SOURCE)])
    return subprocess.run([sys.executable, "-m", *args], stdout=subprocess.PIPE, timeout=600, cwd=cwd,
                          stderr=subprocess.STDOUT, universal_newlines=True,
                          env={**os.environ, "MYPYPATH": path})


def test_mypy_takes_a_program(tmp_path):
    (tmp_path / "prog.py").write_text(PROGRAM)
    done = mypy("mypy", "--strict", "--cache-dir=cache", "prog.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_mypy_sees_mistakes(tmp_path):
    (tmp_path / "prog.py").write_text(MISTAKES)
    done = mypy("mypy", "--cache-dir=cache", "prog.py", cwd=tmp_path)
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines()
             if line.startswith("prog.py:") and " error: " in line}
    assert lines == {6, 8, 9, 10, 11, 12}, done.stdout


def test_stubtest_finds_nothing(tmp_path):
    allow = ["charm4py.charm.Options.__getattr__", "charm4py.charm.Readonlies.__getattr__",
             "charm4py.reduction.ReducerContainer.__getattr__", r"charm4py._c4.Proxy.__getattr__",
             "charm4py._c4.Proxy.ckDestroy", "charm4py._c4.Proxy.migrate", "charm4py._c4.Proxy.setMigratable"]
    (tmp_path / "allow").write_text("\n".join(allow) + "\n")
    modules = ["charm4py." + name for name in STUBS if name != "__init__"]
    done = mypy("mypy.stubtest", "--concise", "--ignore-missing-stub", "--allowlist", "allow", *modules,
                cwd=tmp_path)
    assert done.returncode == 0, done.stdout


# ---- The guide ---------------------------------------------------------------------------------


def guide_names():
    yield from public_names()
    for cls in CLASSES:
        yield from (name for name in vars(cls) if not name.startswith("_"))
    for thing in (charm, charm.options, charm.options.interactive, charm4py.Reducer):
        yield from (name for name in vars(thing) if not name.startswith("_"))


def test_guide_has_every_name():
    with open(os.path.join(SOURCE, "..", "..", "doc", "guide.md")) as f:
        text = f.read()
    known = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    internal = {"message", "args", "procNum"}
    assert sorted(set(guide_names()) - known - internal) == []
