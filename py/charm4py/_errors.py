"""Errors: where they came from, and how they travel."""

import difflib
import os
import pickle
import re
import sys
import traceback
from typing import Any, Callable, List, Optional, Tuple

from . import _c4, _raised, _travel


class Charm4PyError(Exception):
    """The runtime was used in a way that it cannot be; message says which."""

    def __init__(self, msg: str = "") -> None:
        super().__init__(msg)
        self.message = msg


def _banner(pe: int) -> str:
    return f"----------------- Python Stack Traceback PE {pe} -----------------"


def _text(exc: BaseException) -> str:
    return "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))


def _place(class_name: Optional[str], method: Optional[str], index: Any) -> str:
    """Which method of which chare: "in Class.method of element (1,)"."""
    if class_name is None:
        return ""
    where = f"in {class_name}"
    if method is not None:
        where += f".{method}"
    if index is not None:
        where += f", element {index}"
    return where


def _hint(exc: BaseException) -> str:
    """What to do about a mistake that many make: " (...)", or nothing."""
    obj, name = getattr(exc, "obj", None), getattr(exc, "name", None)
    if not isinstance(exc, AttributeError) or not isinstance(obj, _c4.Proxy) or not name:
        return ""
    methods = [m for m in vars(type(obj)) if not m.startswith("_")]
    close = difflib.get_close_matches(name, methods, 1)
    if name in ("reduce", "contribute", "allreduce", "wait", "AtSync"):
        return f" (the chare itself calls it: self.{name}(...))"
    if name == "ckDestroy":
        return " (only elements of arrays can be destroyed)"
    if name in ("migrate", "setMigratable"):
        return " (only elements of arrays can migrate)"
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (proxies have the methods of the class and no attributes: {', '.join(methods)})"


_told: List[str] = []  # what this PE has said of uncaught exceptions

# An interactive session: told of what nobody catches, and the job goes on.
session: Optional[Callable[[BaseException, str], None]] = None


def session_text(exc: BaseException, place: str) -> str:
    """exc, for a session: where it was raised first, and where it is now."""
    remote = getattr(exc, "remote_stacktrace", None)
    parts = []
    if isinstance(remote, tuple) and len(remote) == 2:
        parts += [_banner(remote[0]), str(remote[1]).rstrip()]
    parts.append(_text(exc).rstrip() + _hint(exc))
    return "\n".join(parts + [place] * bool(place))


def print_uncaught(before: int, exc: BaseException, class_name: Optional[str],
                   method: Optional[str], index: Any) -> bool:
    """Shows an exception that nobody will catch.

    A mistake mostly hits all PEs at once: the first shows everything, the next
    few (before: how many times that was so) a line, the others nothing.  True if
    the job goes on.
    """
    place = _place(class_name, method, index)
    if session is not None:
        session(exc, place)
        return True
    summary = f"PE {_c4.mype()}: {_raised.line(exc)}" + (f" {place}" if place else "") + _hint(exc)
    sys.stdout.flush()
    _told.append(summary)
    if before:
        if before < 8 and len(_told) == 1:
            sys.stderr.write(summary + "\n")
        return False
    lines = []
    remote = getattr(exc, "remote_stacktrace", None)
    if isinstance(remote, tuple) and len(remote) == 2:
        lines += [_banner(remote[0]), str(remote[1]).rstrip()]
    if place or exc.__traceback__ is not None:  # else no code of the program failed
        lines += [_banner(_c4.mype()), _text(exc).rstrip()]
    lines.append(summary)
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()
    return False


def print_waiting(greenlet: Any, class_name: Optional[str], method: Optional[str], index: Any,
                  what: str) -> None:
    """Shows what a suspended coroutine waits for, and where in the user's code."""
    frame = greenlet.gr_frame or sys._getframe(1)  # none: it runs the loop, and this
    package = os.path.dirname(__file__) + os.sep
    while frame.f_back and frame.f_code.co_filename.startswith(package):
        frame = frame.f_back
    who = f"{class_name}.{method}" if class_name else frame.f_code.co_name
    if index is not None:
        who += f" of element {index}"
    place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
    sys.stderr.write(f"c4: PE {_c4.mype()}: {who} ({place}) waits for {what}\n")


def print_held() -> None:
    """Shows what @when holds back on this PE."""
    import gc
    lines = []
    for chare in gc.get_objects():
        if not isinstance(chare, _c4.ChareBase):
            continue
        for method, condition, n in chare._c4_held:
            index = getattr(chare, "thisIndex", None)
            who = f"{type(chare).__name__}.{method}" + (f" of element {index}" * (index is not None))
            lines.append(f"c4: PE {_c4.mype()}: {who}: @when({condition!r}) holds back {n} "
                         f"message{'s' * (n > 1)}\n")
    sys.stderr.writelines(lines[:_MOST_HELD])
    if len(lines) > _MOST_HELD:
        sys.stderr.write(f"c4: PE {_c4.mype()}: ... and {len(lines) - _MOST_HELD} more of these\n")


_MOST_HELD = 20


def format_remote(exc: BaseException) -> None:
    """Notes on exc where it was raised, for the caller on another PE."""
    if getattr(exc, "remote_stacktrace", None) is None:
        exc.__dict__["remote_stacktrace"] = (_c4.mype(), _text(exc))  # the class may forbid more


def stand_in(exc: BaseException) -> Charm4PyError:
    """What arrives for an exception that cannot travel."""
    other = Charm4PyError(_raised.line(exc))
    other.remote_stacktrace = getattr(exc, "remote_stacktrace", None)  # type: ignore[attr-defined]
    return other


def _can_pickle(o: Any) -> bool:
    try:
        _travel.dumps(o)
    except Exception:
        return False
    return True


def _parts(o: Any) -> Any:
    """(path, part) for what o consists of."""
    if isinstance(o, dict):
        for key, value in o.items():
            yield f"key {key!r}", key
            yield f"[{key!r}]", value
    elif isinstance(o, (list, tuple)):
        for i, value in enumerate(o):
            yield f"[{i}]", value
    elif isinstance(getattr(o, "__dict__", None), dict) and not isinstance(o, type):
        for key, value in o.__dict__.items():
            yield f".{key}", value


def _culprit(o: Any, depth: int = 0) -> str:
    """Path from o to the innermost part that cannot be pickled."""
    if depth < 20:
        for path, part in _parts(o):
            if not _can_pickle(part):
                return path + _culprit(part, depth + 1)
    return ""


_STATE = "(state of a migrating chare)"  # as in src/dispatch.c


def _attribute(path: str) -> str:
    """What of a chare cannot be pickled, from the path in its state: "self.x[1]"."""
    name = re.match(r"\[0\]\['(\w+)'\]", path)
    return f"self.{name[1]}{path[name.end():]}" if name else "its state" + path


def explain_pickle(args: Tuple[Any, ...], exc: BaseException, class_name: Optional[str],
                   method: Optional[str], is_result: bool = False) -> None:
    """Raises exc's error again, saying which argument of which call it was, or whose result.

    What is not pickle's own complaint but an error of the user's code is left as it is.
    """
    pickles_own = type(exc) in (TypeError, AttributeError, ValueError, pickle.PicklingError)
    if exc.__traceback__ and not pickles_own:
        return
    for i, arg in enumerate(args):
        if _can_pickle(arg):
            continue
        if method == _STATE:
            text = f"{class_name} cannot migrate: {_attribute(_culprit(arg))}: {exc}"
            raise (type(exc) if pickles_own else pickle.PicklingError)(text) from None
        of = f" of {class_name}.{method}" if class_name and method else ""
        what = "the result" if is_result else f"argument {i + 1}"
        where = what + (" " if _culprit(arg) else "") + _culprit(arg)
        text = f"{where}{of} cannot be sent to another PE: {exc}"
        kind = type(exc) if pickles_own else pickle.PicklingError
        raise kind(text) from (exc if exc.__traceback__ else None)
