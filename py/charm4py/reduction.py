"""What the members of a collection can be reduced with.

The built-in reducers are plain values, as they travel as arguments and are
compared; the numbers are those of src/reducers.c.
"""

import array
import functools
import importlib
import io
import marshal
import operator
import pickle
import sys
import time
from types import CellType, FunctionType
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import _c4, _travel
from ._errors import Charm4PyError

ReducerFunc = Callable[[List[Any]], Any]


def _sum(values: List[Any]) -> Any:
    try:
        return functools.reduce(operator.add, values)
    except TypeError:
        return sum(values)  # objects that only know how to be added to something


def _product(values: List[Any]) -> Any:
    return functools.reduce(operator.mul, values)


def _elementwise(func: Callable[[List[Any]], Any], name: str) -> ReducerFunc:
    """func of whole objects, or NumPy's, item by item, for arrays."""

    def apply(values: List[Any]) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(values[0], (numpy.ndarray, numpy.generic)):
            return functools.reduce(getattr(numpy, name), values)
        return func(values)

    return apply


class ReducerContainer:
    """``Reducer`` (or ``charm.reducers``): what chare.reduce() can do with the contributions.

    sum, product, max, min                  of numbers, or of lists, tuples, array.array and
                                            NumPy arrays of them, element by element; sum and
                                            product also of objects that know + and *
    logical_and, logical_or, logical_xor    of bools, or of lists and arrays of them
    gather                                  the list of all contributions, by index
    nop                                     nothing: just tells that all have contributed

    addReducer() adds others, under the names of their functions.
    """

    def __init__(self) -> None:
        self.nop = ("nop", 0)
        self.sum = ("sum", 1)
        self.product = ("product", 2)
        self.max = ("max", 3)
        self.min = ("min", 4)
        self.logical_and = ("logical_and", 5)
        self.logical_or = ("logical_or", 6)
        self.logical_xor = ("logical_xor", 7)
        self.gather = ("gather", 8)

    def addReducer(self, func: ReducerFunc, pre: Optional[Callable[..., Any]] = None,
                   post: Optional[Callable[[Any], Any]] = None) -> None:
        """Makes func known as ``Reducer.<name of func>``; to be called on every PE, before use.

        func(contributions) returns what a list of contributions or partial results comes to.
        It is called with some of them at a time, in any order.
        pre(data, chare) says what chare contributes instead of data; post(result) what is
        delivered instead of the result.
        Charm4PyError if the name is taken.
        """
        name = func.__name__
        if hasattr(self, name):
            raise Charm4PyError(f"Reducer with name {name} already registered")
        _hooks[name] = pre, post
        setattr(self, name, func)
        try:
            func.hasPreprocess = pre is not None  # type: ignore[attr-defined]
            func.hasPostprocess = post is not None  # type: ignore[attr-defined]
            if pre is not None:
                func.preprocess = pre  # type: ignore[attr-defined]
            if post is not None:
                func.postprocess = post  # type: ignore[attr-defined]
        except AttributeError:
            pass  # a builtin: nobody but programs looks at these


_hooks: Dict[str, Tuple[Optional[Callable[..., Any]], Optional[Callable[[Any], Any]]]] = {}

Reducer = ReducerContainer()

measuring = False   # charm.options.profiling
custom_s = 0.0      # spent in reducers that were added

_python: Dict[str, ReducerFunc] = {
    "sum": _sum,
    "product": _product,
    "max": _elementwise(max, "maximum"),
    "min": _elementwise(min, "minimum"),
}


def prepare(reducer: Any, data: Any, contributor: Any) -> Tuple[str, Any]:
    """Checks a custom reducer and preprocesses data: (name, data)."""
    name = getattr(reducer, "__name__", None)
    if not callable(reducer) or name is None or Reducer.__dict__.get(name) is not reducer:
        raise Charm4PyError(f"Invalid reducer {reducer!r}. Reducers must be functions "
                            "registered with addReducer")
    pre = _hooks[name][0]
    return name, data if pre is None else pre(data, contributor)


def apply(name: str, contributions: List[Any], final: bool) -> Any:
    """What contributions come to; final: at the root, before delivery."""
    global custom_s
    func = _python.get(name) or getattr(Reducer, name, None)
    if func is None:
        raise Charm4PyError(f"PE {_c4.mype()} does not know Reducer.{name}: register it on all "
                            "PEs, at the top level of a module or with "
                            f"charm.thisProxy.addReducer({name}, awaitable=True).get()")
    begin = time.perf_counter() if measuring and name not in _python else None
    value = contributions[0] if len(contributions) == 1 else func(contributions)
    post = _hooks[name][1] if final and name in _hooks else None
    if post is not None:
        value = post(value)
    if begin is not None:
        custom_s += time.perf_counter() - begin
    return _plain(value) if final and name in _python else value


def _plain(value: Any) -> Any:
    """One number of NumPy's is delivered as Python's: those that C does not reduce, too."""
    numpy = sys.modules.get("numpy")
    if (numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))
            and value.size == 1 and value.dtype.kind in "fciu"):
        return value.item()
    return value


# ---- Callbacks that are neither futures nor methods of proxies --------------------------

class _Pickler(_travel.ValuePickler):
    """Functions that other PEs do not have go as code; its globals are those there."""

    def function(self, obj: Any) -> Any:
        code = marshal.dumps(obj.__code__)
        state = (obj.__defaults__, obj.__kwdefaults__, obj.__dict__,
                 [cell.cell_contents for cell in obj.__closure__ or ()])
        return (_make_function, (code, obj.__module__, obj.__name__), state, None, None,
                _fill_function)


def _make_function(code: bytes, module: str, name: str) -> FunctionType:
    compiled = marshal.loads(code)
    return FunctionType(compiled, vars(importlib.import_module(module)), name, None,
                        tuple(CellType() for _ in compiled.co_freevars))


def _fill_function(func: Any, state: Tuple[Any, ...]) -> None:
    """After it was made: what it refers to may refer to it."""
    func.__defaults__, func.__kwdefaults__ = state[:2]
    func.__dict__.update(state[2])
    for cell, value in zip(func.__closure__ or (), state[3]):
        cell.cell_contents = value


def pack_callback(func: Callable[..., Any]) -> bytes:
    """func in a form that the root of the reduction can call."""
    chare = getattr(func, "__self__", None)
    if isinstance(chare, _c4.ChareBase):  # its method: to be called as one
        proxy = chare.thisProxy  # type: ignore[attr-defined]
        index = getattr(chare, "thisIndex", None)
        func = getattr(proxy if index is None else proxy[index], func.__name__)
    out = io.BytesIO()
    try:
        _Pickler(out, -1).dump(func)
    except Exception as exc:  # whatever the objects in it raise
        raise Charm4PyError(f"the callback {func!r} cannot be sent to the PE that calls it: {exc}"
                            ) from exc
    return out.getvalue()


def call_back(packed: bytes, *result: Any) -> None:
    """At the root: calls the callback from the loop, as a coroutine."""
    from .charm import charm
    charm.thisProxy[charm.myPe()]._call_back(packed, *result)


def to_array(data: bytearray, typecode: str, shape: Sequence[int]) -> Any:
    """Reduced numbers as a NumPy array, or as an array.array without NumPy."""
    try:
        import numpy
    except ImportError:
        return [bool(b) for b in data] if typecode == "?" else array.array(typecode, bytes(data))
    return numpy.frombuffer(data, dtype=typecode).reshape(tuple(shape))
