"""How functions and classes travel between PEs.

One rule for tasks, their arguments and results, entry methods, channels, futures and
exceptions: what the program has on all PEs goes by name, and is there the object of that
name.  That is what can be imported; what __main__ had when charm.start() was called, under
whatever name; and what exec(), updateGlobals() and the like brought to __main__, if it is
there where it arrives.

All else is known on one PE only.  A class goes as code, once, and is the same class
wherever it goes and when it comes back, so that its objects can travel.  A function goes
as code if it is a task, or belongs to such a class; as a value it is refused.  Code needs
the package cloudpickle.

The pickler with this rule is for what pickle itself cannot do: it fails on what has no
name, and is not asked first while __main__ has names that other PEs do not.
"""

import importlib
import io
import pickle
import sys
import types
import weakref
from types import BuiltinFunctionType, FunctionType
from typing import Any, Dict, Iterable, List, Optional, Tuple

from . import _c4, _raised

try:
    from cloudpickle import CloudPickler
    from cloudpickle.cloudpickle import _DYNAMIC_CLASS_TRACKER_BY_ID as _class_by_id
    from cloudpickle.cloudpickle import _get_or_create_tracker_id as _id_of_class
except ImportError:
    CloudPickler = None

_ABSENT: Any = object()
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by Python code


class _Names:
    """What this PE knows of the others' names."""

    def __init__(self) -> None:
        self.start: Dict[str, Any] = {}                 # __main__ at charm.start()
        self.of_start: Dict[int, str] = {}              # id of a definition there -> its name
        self.came: Dict[int, Tuple[Any, str]] = {}      # id -> what came later, and its name
        self.code: Any = weakref.WeakKeyDictionary()    # class without a name -> its code


_names = _Names()


def _main() -> Dict[str, Any]:
    return vars(sys.modules["__main__"])


def _is_definition(o: Any) -> bool:
    """A class, a function, or what stands for one: a decorator's or compiler's object."""
    if isinstance(o, (type, FunctionType)):
        return True
    try:
        return callable(o) and "__qualname__" in vars(o)
    except Exception:  # no attributes, or code of the user that makes them up
        return False


def note_start(*spaces: Dict[str, Any]) -> None:
    """charm.start(): what is in these is there on all PEs."""
    for space in spaces:
        _names.start.update(space)
    for name, value in reversed(list(_names.start.items())):
        if _is_definition(value):
            _names.of_start[id(value)] = name
    look_again()


class Code:
    """with Code(): runs what came from another PE, and may define something in __main__."""

    def __enter__(self) -> None:
        self.before = dict(_main())

    def __exit__(self, *error: Any) -> None:
        for name, value in list(_main().items()):
            if self.before.get(name, _ABSENT) is not value and _is_definition(value):
                _names.came[id(value)] = (value, name)
        look_again()


def look_again() -> None:
    """__main__ may have changed: tells the extension if others lack a definition of it."""
    space = _main()
    _c4.main_is(space, any(map(_is_alone, list(space.values()))))


def _is_alone(o: Any) -> bool:
    """A definition in __main__ that other PEs lack; each makes the classes of proxies itself."""
    return isinstance(o, (type, FunctionType)) and getattr(o, "__module__", None) == "__main__" \
        and id(o) not in _names.came and id(o) not in _names.of_start and not is_known(o) \
        and not (isinstance(o, type) and issubclass(o, _c4.Proxy))


# ---- Names ---------------------------------------------------------------------------

def _at(found: Any, path: Iterable[str]) -> Any:
    for name in path:
        found = getattr(found, name, _ABSENT)
    return found


def _path(o: Any) -> Tuple[Optional[str], List[str]]:
    module, path = getattr(o, "__module__", None), getattr(o, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(path, str) or "<" in path:
        return None, []
    return module, path.split(".")


def is_known(o: Any) -> bool:
    """Can other PEs find o by its own name?  In __main__ if it was there at the start."""
    if not isinstance(o, (type, FunctionType, BuiltinFunctionType)):
        return False
    module, path = _path(o)
    if module is None or _at(sys.modules.get(module, _ABSENT), path) is not o:
        return False
    return module != "__main__" or _at(_names.start.get(path[0], _ABSENT), path[1:]) is o


def _in_module(o: Any) -> Optional[str]:
    """The name under which the module of a class has it, where that is not its own."""
    module = sys.modules.get(getattr(o, "__module__", None) or "")
    if module is None or module.__name__ == "__main__":
        return None
    return next((name for name, value in list(vars(module).items()) if value is o), None)


def _of_start(name: str, path: Tuple[str, ...] = ()) -> Any:
    """A definition of __main__ as it was when the program started."""
    return _at(_names.start[name], path)


def _either(module: str, name: str, code: bytes) -> Any:
    """What the module has under this name; if it has no such definition, the code."""
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        found = None
    return found if _is_definition(found) or not code else pickle.loads(code)


def _class_of(number: str, code: bytes) -> Any:
    """A class that goes as code."""
    return _class_by_id.get(number) or pickle.loads(code)


def _object(o: Any) -> Any:
    """How to pickle an object that may stand for a function, an exception, or an array."""
    if id(o) in _names.of_start:
        return _of_start, (_names.of_start[id(o)],)
    if isinstance(o, BaseException):
        return _raised.reduction(o)
    numpy = sys.modules.get("numpy")
    if numpy is not None and type(o) is numpy.ndarray and \
            not (o.flags.writeable and o.flags.forc):
        return o.copy().__reduce_ex__(5)  # else it arrives read-only, or in another byte order
    return NotImplemented


def _by_name(o: Any) -> Any:
    """How to pickle a definition that others have; None if they do not."""
    if is_known(o):
        return NotImplemented  # as pickle does it
    if id(o) in _names.of_start:
        return _of_start, (_names.of_start[id(o)],)
    module, path = _path(o)
    if module != "__main__":
        return None
    if _at(_names.start.get(path[0], _ABSENT), path[1:]) is o:
        return _of_start, (path[0], tuple(path[1:]))
    root = _main().get(path[0])
    if len(path) > 1 and id(root) in _names.came and _at(root, path[1:]) is o:
        return _at, (root, tuple(path[1:]))
    return None


# ---- Picklers -------------------------------------------------------------------------

class ValuePickler(pickle.Pickler):
    """Of values.  Functions that other PEs do not have are refused."""

    def function(self, o: FunctionType) -> Any:
        """How to pickle a function that other PEs do not have."""
        raise pickle.PicklingError(f"Can't pickle {o!r}: other PEs do not have this function")

    def reducer_override(self, o: Any) -> Any:
        if not isinstance(o, (type, FunctionType)):
            return _object(o)
        how = _by_name(o)
        if how is None:
            how = _by_name_or_code(o)
        if how is None:
            how = _class_as_code(o) if isinstance(o, type) else self.function(o)
        return how


def _by_name_or_code(o: Any) -> Any:
    """How to pickle what other PEs may have; None if there is no such name."""
    if id(o) in _names.came:
        return _either, ("__main__", _names.came[id(o)][1], _code_of(o))
    name = _in_module(o) if isinstance(o, type) else None
    return name and (_either, (o.__module__, name, _code_of(o)))


def _class_as_code(o: type) -> Any:
    if CloudPickler is None:
        return NotImplemented  # pickle says that it cannot
    if not o.__flags__ & _HEAP_TYPE:
        return CloudPickler.reducer_override(None, o)  # type(None) and its like
    return _class_of, (_id_of_class(o), _code_of(o))


def _code_of(o: Any) -> bytes:
    """A definition and all that it refers to, as code."""
    if CloudPickler is None:
        return b""
    code = _names.code.get(o)
    if code is None:
        out = io.BytesIO()
        _CodePickler(out, whole=True).dump(o)
        code = out.getvalue()
        if isinstance(o, type):
            _names.code[o] = code
    return code


if CloudPickler is not None:
    class _CodePickler(CloudPickler):  # type: ignore[misc, valid-type]
        """Of definitions.  whole: those without a name are part of the first, else apart."""

        def __init__(self, file: Any, whole: bool = False) -> None:
            super().__init__(file, pickle.HIGHEST_PROTOCOL)
            self.whole = whole
            self.has_code = False

        def reducer_override(self, o: Any) -> Any:
            if type(o) is types.MethodType:
                name = o.__func__.__name__
                same = getattr(o.__self__, name, None) == o
                return (getattr, (o.__self__, name)) if same else NotImplemented
            if not isinstance(o, (type, FunctionType)):
                return _object(o)
            how = _by_name(o)
            if how is None and not self.whole:
                how = _by_name_or_code(o)
                if how is None and isinstance(o, type):
                    how = _class_as_code(o)
                self.has_code = True
            return super().reducer_override(o) if how is None else how


def dumps(o: Any, protocol: int = pickle.HIGHEST_PROTOCOL, buffer_callback: Any = None) -> bytes:
    """A value as bytes, for pickle.loads(), where pickle.dumps() fails or knows too little."""
    out = io.BytesIO()
    try:
        ValuePickler(out, protocol, buffer_callback=buffer_callback).dump(o)
    except RecursionError:
        out = io.BytesIO()
        with _raised.Unlinked():
            ValuePickler(out, protocol, buffer_callback=buffer_callback).dump(o)
    return out.getvalue()


def dump_functions(funcs: Tuple[Any, ...]) -> Tuple[bytes, bool]:
    """(tasks as bytes, whether these hold more than names)."""
    if all(is_known(func) for func in funcs):
        return pickle.dumps(funcs, -1), False
    if CloudPickler is None:
        return dumps(funcs), not all(type(f) is FunctionType for f in funcs)
    out = io.BytesIO()
    pickler = _CodePickler(out)
    pickler.dump(funcs)
    return out.getvalue(), pickler.has_code or not all(map(_is_definition, funcs))
