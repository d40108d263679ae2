"""The objects behind the futures of ``charm4py.ray``, wherever these are used.

A future of the store lives on the PE that made it, and its value comes there.  Other PEs
ask that PE for the value.  The object is freed with the last reference to its future; what
is lent to a task, by its number among the arguments, lives until the task has ended.  A
future that travelled inside of other data may be anywhere: it is kept until the job ends.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import _c4
from .charm import charm
from .threads import Future


class Reference:
    """Stands for a future among the arguments of a task, which gets its value."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        return Reference, (self.number,)


class _Loan:
    """Futures that a task has references to."""

    def __init__(self, lent: Dict[int, List[Any]], futures: Sequence[Future]) -> None:
        self.lent = lent
        self.numbers = [f.fid for f in futures]
        for f in futures:
            lent.setdefault(f.fid, [f, 0])[1] += 1

    def __del__(self) -> None:
        for number in self.numbers:
            entry = self.lent[number]
            entry[1] -= 1
            if entry[1] == 0:
                del self.lent[number]


def is_stored(o: Any) -> bool:
    """Is it a future of the store?"""
    return isinstance(o, Future) and o.store


def _home(number: int) -> int:
    return (number >> 48) - 1  # as in runtime/future.c


class ObjectStore:
    """What this PE knows of the store."""

    def __init__(self) -> None:
        self._lent: Dict[int, List[Any]] = {}
        self._asked: Dict[int, Future] = {}

    def lend(self, args: Sequence[Any]) -> Tuple[Sequence[Any], Optional[_Loan]]:
        """(args with references for futures, what the task's result has to keep)."""
        futures = [arg for arg in args if is_stored(arg)]
        if not futures:
            return args, None
        return ([Reference(arg.fid) if is_stored(arg) else arg for arg in args],
                _Loan(self._lent, futures))

    def values(self, args: Sequence[Any]) -> List[Any]:
        """args with values for references; suspends until they are there."""
        asked = [self._ask(arg.number) if isinstance(arg, Reference) else None for arg in args]
        return [arg if future is None else future.get() for arg, future in zip(args, asked)]

    def value(self, future: Future) -> Any:
        """The value of a future of any PE; suspends until it is there, may raise."""
        return self._ask(future.fid, future).get()

    def values_of(self, futures: Sequence[Future]) -> List[Any]:
        """The values of several, which come at the same time."""
        asked = [self._ask(future.fid, future) for future in futures]
        return [future.get() for future in asked]

    def future(self, number: int) -> Future:
        """The future of this PE with this number."""
        entry = self._lent.get(number)
        return entry[0] if entry else _c4._future(number)

    def local(self, future: Future) -> Future:
        """A future of this PE that becomes ready when future is."""
        number = future.fid
        if _home(number) == charm.myPe():
            return future
        if number not in self._asked:
            self._asked[number] = charm.thisProxy[_home(number)]._stored_ready(number, ret=True)
        return self._asked[number]

    def _ask(self, number: int, future: Optional[Future] = None) -> Future:
        if _home(number) == charm.myPe():
            return self.future(number) if future is None else future
        return charm.thisProxy[_home(number)]._stored_value(number, ret=True)


store = ObjectStore()
