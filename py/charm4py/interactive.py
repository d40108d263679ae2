"""The interactive shell: ``charmrun +pN ++interactive``.

The prompt is a coroutine of a chare on PE 0, so that what is typed may suspend.
Definitions of chare classes and imports go to all PEs; other statements run on
PE 0 only.  An error on any PE is told here, and the session goes on.
"""

import ast
import atexit
import code
import inspect
import os
import re
import select
import sys
import time
from typing import Any, Dict, List, Sequence, Set

from . import _c4, _errors, _travel
from . import charm as _charm_object
from . import chare as _chare_module
from .channel import Channel
from .chare import Array, ArrayMap, Chare, Group
from .entry_method import coro, threaded, when
from .reduction import Reducer
from .threads import Future

charm: Any = _charm_object

TURN_S = 0.01       # after a statement the others get the PE for so long
POLL_S = 0.02       # ... and while nobody types, it is looked for keys so often
LEAVE_S = 10.0      # at the end of a script, what runs may go on for so long
IDLE_S = "1"        # two looks so far apart find an idle system
ERROR_GAP_S = 1.0   # remote errors are told so often
HISTORY = "~/.charm4py_history"
HISTORY_LINES = 1000


# ---- What both the console and the PEs it talks to need --------------------------------

def prepare_pe() -> None:
    """On every PE, before the job runs: names for typed code, and where errors go."""
    space = sys.modules["__main__"].__dict__
    names: Dict[str, Any] = dict(
        charm=charm, Chare=Chare, Group=Group, Array=Array, ArrayMap=ArrayMap, Reducer=Reducer,
        threaded=threaded, coro=coro, when=when, Channel=Channel, Future=Future,
        sys=sys, time=time, re=re, os=os, inspect=inspect)
    for name, value in names.items():
        space.setdefault(name, value)
    charm.options.remote_exec = True
    _errors.session = _report


def _report(exc: BaseException, place: str) -> None:
    """Tells the console of an exception that nobody will catch."""
    text = _errors.session_text(exc, place)
    if not charm.thisProxy or charm.myPe() == 0:
        tell_error(charm.myPe(), text)
    else:
        charm.thisProxy[0]._tell_error(charm.myPe(), text)


_told_at: List[float] = []
_untold: List[int] = []


def tell_error(pe: int, text: str) -> None:
    """Prints an error of some PE, unless one was printed just now."""
    now = time.monotonic()
    if _told_at and now - _told_at[0] < ERROR_GAP_S:
        _untold.append(pe)
        return
    _told_at[:] = [now]
    sys.stdout.flush()
    sys.stderr.write(f"----------------- Python Stack Traceback from PE {pe} -----------------\n"
                     + text.rstrip() + "\n")
    sys.stderr.flush()


def _tell_untold() -> None:
    if _untold:
        pes = ", ".join(map(str, sorted(set(_untold))))
        print(f"Charm4py> {len(_untold)} more error{'s' * (len(_untold) > 1)} "
              f"within a second not shown (PE {pes})")
        _untold.clear()


# ---- What goes to all PEs --------------------------------------------------------------

def _mentions_chare(node: ast.ClassDef, space: Dict[str, Any]) -> bool:
    """Is a base of this class Chare, by name or by what the name stands for?"""
    for base in node.bases:
        text = ast.unparse(base)
        if "Chare" in re.findall(r"\w+", text):
            return True
        value: Any = space.get(text.split(".")[0])
        for part in text.split(".")[1:]:
            value = getattr(value, part, None)
        if inspect.isclass(value) and issubclass(value, Chare):
            return True
    return False


def _new_chares(before: Set[str]) -> List[type]:
    """Chare classes of the modules that were loaded since."""
    found: Set[type] = set()
    for name in set(sys.modules) - before:
        if name.split(".")[0] == __package__:
            continue
        for value in list(getattr(sys.modules[name], "__dict__", {}).values()):
            if inspect.isclass(value) and issubclass(value, Chare) \
                    and value not in (Chare, ArrayMap):
                found.add(value)
    return sorted(found, key=lambda c: (c.__module__, c.__qualname__))


# ---- The console -----------------------------------------------------------------------

class InteractiveConsole(Chare, code.InteractiveInterpreter):
    """Reads, runs and prints; a chare on PE 0."""

    def __init__(self, args: Sequence[str]) -> None:
        code.InteractiveInterpreter.__init__(self, sys.modules["__main__"].__dict__)
        self.locals["self"] = self
        self.locals["future"] = self._future
        self.source: List[str] = []
        self.tty = False
        self.thisProxy.start()

    def _future(self, num_vals: int = 1) -> Any:
        """A new Future, which is ``_f`` also."""
        self.locals["_f"] = f = Future(num_vals)
        return f

    @coro
    def start(self) -> None:
        """The session, to its end."""
        _c4.shell()
        self._prepare_terminal()
        if charm.options.interactive.verbose > 0 and not charm.options.quiet:
            print("\nCharm4py interactive shell (beta)")
            print(f"charm.options.interactive.verbose = {charm.options.interactive.verbose}")
        while True:
            try:
                line = self._read_line(sys.ps2 if self.source else sys.ps1)
                self._take_line(line)
            except EOFError:
                break
            except KeyboardInterrupt:
                self.write("\nKeyboardInterrupt\n")
                self.source.clear()
        print()
        self._leave()

    def _take_line(self, line: str) -> None:
        self.source.append(line)
        if self.runsource("\n".join(self.source), "<console>"):
            return
        self.source.clear()
        charm.sleep(TURN_S)
        _tell_untold()

    def _leave(self) -> None:
        """The end of the input: what a script has begun may end."""
        if not self.tty:
            quiet = Future()
            charm.startQD(quiet)
            charm.scheduleCallableAfter(_leave_now, LEAVE_S)
            quiet.get()
        charm.exit(0)

    # ---- reading

    def _prepare_terminal(self) -> None:
        if hasattr(sys.stdout, "reconfigure"):
            # other PEs print to the same place: whole lines, even with python -u
            sys.stdout.reconfigure(write_through=False)
        sys.ps1 = getattr(sys, "ps1", ">>> ")
        sys.ps2 = getattr(sys, "ps2", "... ")
        try:
            self.tty = os.isatty(sys.stdin.fileno()) and os.isatty(sys.stdout.fileno())
        except (AttributeError, OSError, ValueError):
            self.tty = False
        if self.tty:
            _use_readline(self.locals)

    def _read_line(self, prompt: Any) -> str:
        if self.tty:
            self._wait_for_key(str(prompt))
        return input(str(prompt))

    def _wait_for_key(self, prompt: str) -> None:
        """Lets the job go on until somebody types."""
        import termios
        fd = sys.stdin.fileno()
        if select.select([fd], [], [], 0)[0]:
            return
        before = termios.tcgetattr(fd)
        raw = [list(part) if isinstance(part, list) else part for part in before]
        raw[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(fd, termios.TCSADRAIN, raw)
        try:
            sys.stdout.write(prompt)
            sys.stdout.flush()
            while not select.select([fd], [], [], 0)[0]:
                charm.sleep(POLL_S)
        finally:
            termios.tcsetattr(fd, termios.TCSADRAIN, before)
        sys.stdout.write("\r")
        sys.stdout.flush()

    # ---- running

    def runsource(self, source: str, filename: str = "<input>", symbol: str = "single") -> bool:
        """Runs a statement if it is whole; True if more lines are needed."""
        try:
            compiled = self.compile(source, filename, symbol)
        except (OverflowError, SyntaxError, ValueError):
            self.showsyntaxerror(filename)
            return False
        if compiled is None:
            return True
        body = ast.parse(source).body
        first = body[0] if body else None
        if isinstance(first, ast.ClassDef) and _mentions_chare(first, self.locals):
            self._guarded(self._define, first.name, source)
        elif body and all(isinstance(s, (ast.Import, ast.ImportFrom)) for s in body):
            self._guarded(self._import, compiled, source)
        else:
            self.runcode(compiled)
        _travel.look_again()
        return False

    def _guarded(self, func: Any, *args: Any) -> None:
        try:
            func(*args)
        except Exception:  # the user's code ran
            self.showtraceback()

    def _define(self, name: str, source: str) -> None:
        charm.thisProxy.registerNewChareType(name, source + "\n", awaitable=True).get()
        self._notice("Broadcasted Chare definition")

    def _import(self, compiled: Any, source: str) -> None:
        before = set(sys.modules)
        exec(compiled, self.locals)
        if not charm.options.interactive.broadcast_imports:
            return
        charm.thisProxy.exec(source, awaitable=True).get()
        self._notice("Broadcasted import statement")
        classes = _new_chares(before)
        if classes:
            charm.thisProxy.registerNewChareTypes(classes, awaitable=True).get()
            self._notice("Broadcasted the following chare definitions: "
                         f"{[c.__name__ for c in classes]}")

    def _notice(self, text: str) -> None:
        if charm.options.interactive.verbose > 0:
            print("Charm4py> " + text)

    def showtraceback(self) -> None:
        """Prints the exception; where it was raised on another PE, too."""
        remote = getattr(sys.exc_info()[1], "remote_stacktrace", None)
        if isinstance(remote, tuple) and len(remote) == 2 and sys.excepthook is sys.__excepthook__:
            tell = f"----------------- Python Stack Traceback from PE {remote[0]} -----------------"
            self.write(f"{tell}\n{str(remote[1]).rstrip()}\n")
        super().showtraceback()

    def write(self, data: str) -> None:
        sys.stdout.flush()
        sys.stderr.write(data)
        sys.stderr.flush()


def _leave_now() -> None:
    _c4.exit(0)


def _use_readline(space: Dict[str, Any]) -> None:
    """Completion and history, if this Python has them."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(space).complete)
    readline.parse_and_bind("tab: complete")
    path = os.path.expanduser(HISTORY)
    try:
        readline.read_history_file(path)
    except OSError:
        pass  # there is none yet
    readline.set_history_length(HISTORY_LINES)
    atexit.register(_write_history, readline, path)


def _write_history(readline: Any, path: str) -> None:
    try:
        readline.write_history_file(path)
    except OSError:
        pass  # nowhere to keep it


if __name__ == "__main__":
    # typed code lives in this namespace: nothing of the shell shall be in it
    for _name in [_n for _n in globals() if not _n.startswith("__") and _n != "charm"]:
        del globals()[_name]
    del _name
    charm.start(interactive=True)
