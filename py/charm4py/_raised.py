"""How exceptions travel: as they are, and not through their constructors.

What pickle makes of an exception is a call of its class with exc.args, which are the
arguments of Exception's constructor and mostly not those of the class: text is added
twice, attributes are lost, or the call fails where the exception arrives.

Here an exception is what it consists of: class, args, slots and attributes, what
caused it, and the members of a group.  It is made without any constructor, and then
filled, so that cycles do no harm.  What of it cannot travel is left out, and a note
names it; an exception whose class cannot is a Charm4PyError with its text.  A class that
says itself how to pickle it is asked first.
"""

import builtins
import copyreg
import pickle
import traceback
from types import MemberDescriptorType
from typing import Any, Dict, List, Optional, Sequence, Tuple

_HEAP_TYPE = 1 << 9         # as in _travel.py
_PLAIN = (str, int, float, bool, bytes, type(None))
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())
_LEFT_OUT = {"obj",         # AttributeError's: may be as large as the program's data
             "message", "exceptions"}   # of groups: these are made with them
_COMPUTED = {"characters_written"}
_OURS = ("remote_stacktrace", "__notes__")

# args, slots, attributes, cause, context, whether that is suppressed
Node = Tuple[Tuple[Any, ...], Dict[Tuple[int, str], Any], Dict[str, Any], Any, Any, bool]


def line(exc: BaseException) -> str:
    """Type and message, even where the message cannot be had."""
    try:
        return f"{type(exc).__name__}: {exc}"
    except Exception:  # str() runs user code
        return traceback.format_exception_only(type(exc), exc)[-1].rstrip()


class Gone:
    """Stands for an argument of an exception that could not travel, in its text."""

    def __init__(self, text: str, shown: str) -> None:
        self.text, self.shown = text, shown

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.shown


def _gone(o: Any) -> Gone:
    texts = []
    for show in str, repr:
        try:
            texts.append(show(o))
        except Exception:  # user code
            texts.append(f"<{type(o).__name__}>")
    return Gone(*texts)


class _Probe:
    """What is being tested now: within it, nothing else is."""

    depth = 0
    links = True


def _defect(o: Any) -> Optional[str]:
    """Why o cannot travel; None if it can."""
    from . import _travel
    if isinstance(o, _PLAIN) or _Probe.depth:
        return None
    _Probe.depth += 1
    try:
        pickle.loads(_travel.dumps(o))
    except Exception as exc:  # user code runs in both directions
        return str(exc)
    finally:
        _Probe.depth -= 1
    return None


# ---- What an exception consists of ------------------------------------------------------

def _native(kind: type) -> Any:
    """The class, written in C, that makes the exception."""
    return next(c for c in kind.__mro__ if not c.__flags__ & _HEAP_TYPE)


def _members(exc: Any) -> List[BaseException]:
    """exc, and if it is a group its members, and theirs."""
    found = [exc]
    if _GROUP and isinstance(exc, _GROUP):
        for one in exc.exceptions:
            found += _members(one)
    return found


def _slots(exc: BaseException) -> Dict[Tuple[int, str], Any]:
    """(number of the class in the order of resolution, name) -> value."""
    values = {}
    for i, cls in enumerate(type(exc).__mro__):
        for name, slot in vars(cls).items():
            native = not cls.__flags__ & _HEAP_TYPE
            if name not in _COMPUTED and type(slot) is not MemberDescriptorType or \
                    name.startswith("__") or native and name in _LEFT_OUT:
                continue
            try:
                value = slot.__get__(exc)
            except AttributeError:
                continue
            if value is not None or not native:
                values[i, name] = value
    return values


def _own_reduction(exc: BaseException) -> Optional[Tuple[Any, ...]]:
    """What the class itself says, if it does and that works."""
    kind = type(exc)
    says = kind in copyreg.dispatch_table or any(
        name in vars(c) for c in kind.__mro__ if c.__flags__ & _HEAP_TYPE
        for name in ("__reduce__", "__reduce_ex__"))
    if not says:
        return None
    try:
        reduce = copyreg.dispatch_table.get(kind)
        made = reduce(exc) if reduce else exc.__reduce_ex__(4)
        if not isinstance(made, tuple) or len(made) < 2 or _defect(made[:3]):
            return None
        if not _Probe.depth and type(_by_reduction(*made[:3])) is not kind:
            return None
    except Exception:  # user code
        return None
    return made[:3]


def _by_reduction(func: Any, args: Tuple[Any, ...], state: Any = None) -> Any:
    exc = func(*args)
    if state is not None:
        exc.__setstate__(state)
    return exc


class _Parcel:
    """An exception, with its members if it is a group: what to make, and the contents of each."""

    def __init__(self, exc: BaseException) -> None:
        self.number: Dict[int, int] = {}
        for i, e in enumerate(_members(exc)):
            self.number.setdefault(id(e), i)
        self.contents: List[Node] = []
        self.shape = self._shape(exc)

    def _shape(self, exc: Any) -> Tuple[Any, ...]:
        """(class,), (class, message, shapes of the members) or a reduction and None."""
        kind = type(exc)
        is_group = _GROUP and isinstance(exc, _GROUP)
        how = None if is_group else _own_reduction(exc)
        if how is not None:
            self._content(exc, (), {}, {k: vars(exc)[k] for k in _OURS if k in vars(exc)}, [])
            return (*how, None, None)[:4]
        dropped: List[str] = []
        stands_in = _defect(kind) is not None
        if stands_in and not is_group:
            from ._errors import Charm4PyError
            text = line(exc)
            own = {k: vars(exc)[k] for k in _OURS if k in vars(exc)}
            self._content(exc, (text,), {}, {**own, "message": text}, dropped)
            return (Charm4PyError,)
        if stands_in:
            kind = _native(kind)
            dropped.append(f"its class {type(exc).__name__}")
        args = () if is_group else exc.args
        self._content(exc, args, {} if stands_in else _slots(exc), vars(exc), dropped)
        if not is_group:
            return (kind,)
        return (kind, exc.message, [self._shape(e) for e in exc.exceptions])

    def _content(self, exc: Any, args: Sequence[Any], slots: Dict[Tuple[int, str], Any],
              attributes: Dict[str, Any], dropped: List[str]) -> None:
        """Adds the contents of exc, without what cannot travel."""
        sound: Dict[str, Any] = {}
        for name, value in list(attributes.items()):
            _keep(sound, name, value, name, dropped)
        sound_slots: Dict[Tuple[int, str], Any] = {}
        for key, value in slots.items():
            _keep(sound_slots, key, value, key[1], dropped)
        sound_args = []
        for i, value in enumerate(args):
            why = _defect(value)
            if why is not None:
                dropped.append(f"argument {i + 1} ({why})")
            sound_args.append(value if why is None else _gone(value))
        if dropped:
            notes = sound.get("__notes__", ())
            sound["__notes__"] = [*(notes if isinstance(notes, (list, tuple)) else ()),
                                  "not sent from one PE to another: " + ", ".join(dropped)]
        self.contents.append((tuple(sound_args), sound_slots, sound, self._of(exc.__cause__),
                              self._of(exc.__context__), exc.__suppress_context__))

    def _of(self, link: Optional[BaseException]) -> Any:
        """A cause or context: the number of a member, or the exception, if it may be long."""
        if link is None or not _Probe.links:
            return None
        return self.number.get(id(link), link)


def _keep(sound: Dict[Any, Any], key: Any, value: Any, name: str, dropped: List[str]) -> None:
    why = _defect(value)
    if why is None:
        sound[key] = value
    else:
        dropped.append(f"attribute {name} ({why})")


def reduction(exc: BaseException) -> Tuple[Any, ...]:
    """How to pickle exc: made first, so that what it leads to may lead to it, and then filled."""
    parcel = _Parcel(exc)
    return _make, (parcel.shape,), parcel.contents, None, None, _fill


class Unlinked:
    """with Unlinked(): without causes and contexts, which may be too long a chain for pickle."""

    def __enter__(self) -> None:
        _Probe.links = False

    def __exit__(self, *error: Any) -> None:
        _Probe.links = True


# ---- ... and back -----------------------------------------------------------------------

def _make(shape: Tuple[Any, ...]) -> Any:
    if len(shape) == 4:
        return _by_reduction(*shape[:3])
    kind = shape[0]
    if len(shape) == 1:
        return _native(kind).__new__(kind)
    return _native(kind).__new__(kind, shape[1], [_make(s) for s in shape[2]])


def _fill(exc: BaseException, contents: List[Node]) -> None:
    members = _members(exc)
    for e, (args, slots, attributes, cause, context, suppress) in zip(members, contents):
        if args:
            _set(e, "args", args)
        for (i, name), value in slots.items():
            try:
                vars(type(e).__mro__[i])[name].__set__(e, value)
            except (AttributeError, LookupError, TypeError):
                pass  # for reading only, and made with the exception
        e.__dict__.update(attributes)
        _set(e, "__cause__", members[cause] if isinstance(cause, int) else cause)
        _set(e, "__context__", members[context] if isinstance(context, int) else context)
        _set(e, "__suppress_context__", suppress)


def _set(exc: BaseException, name: str, value: Any) -> None:
    """Also where the class forbids it."""
    vars(BaseException)[name].__set__(exc, value)
