"""What the members of a collection can be reduced with.

The built-in reducers are plain values, as they travel as arguments and are
compared; the numbers are those of src/reducers.c.
"""

import array
import functools
import operator
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ._errors import Charm4PyError

ReducerFunc = Callable[[List[Any]], Any]


def _sum(values: List[Any]) -> Any:
    return functools.reduce(operator.add, values)


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
        func.hasPreprocess = pre is not None  # type: ignore[attr-defined]
        func.hasPostprocess = post is not None  # type: ignore[attr-defined]
        if pre is not None:
            func.preprocess = pre  # type: ignore[attr-defined]
        if post is not None:
            func.postprocess = post  # type: ignore[attr-defined]
        setattr(self, name, func)


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
    if getattr(reducer, "hasPreprocess", False):
        data = reducer.preprocess(data, contributor)
    return name, data


def apply(name: str, contributions: List[Any], final: bool) -> Any:
    """What contributions come to; final: at the root, before delivery."""
    global custom_s
    func = _python.get(name) or getattr(Reducer, name)
    begin = time.perf_counter() if measuring and name not in _python else None
    value = contributions[0] if len(contributions) == 1 else func(contributions)
    if final and getattr(func, "hasPostprocess", False):
        value = func.postprocess(value)
    if begin is not None:
        custom_s += time.perf_counter() - begin
    return value


def to_array(data: bytearray, typecode: str, shape: Sequence[int]) -> Any:
    """Reduced numbers as a NumPy array, or as an array.array without NumPy."""
    try:
        import numpy
    except ImportError:
        return [bool(b) for b in data] if typecode == "?" else array.array(typecode, bytes(data))
    return numpy.frombuffer(data, dtype=typecode).reshape(tuple(shape))
