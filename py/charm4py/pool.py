"""``charm.pool``: tasks for whatever worker has time.

A task is a function and its arguments.  PE 0 distributes tasks and the other PEs
work; a job of one PE does both.  Tasks may make tasks; those marked ``@coro`` may also
wait for them.  The work is done in the extension (src/pool*.c).
"""

import pickle
import sys
from array import array
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, Union

from . import _c4, _travel
from ._errors import Charm4PyError
from .charm import charm
from .threads import Future

# what the caller gets, as in src/pool.c
_WAIT, _FUTURE, _FUTURES = range(3)


class Pool:
    """``charm.pool``: runs functions on whatever PE has time.

    Any coroutine may use it, on every PE, and so may tasks; tasks that wait are marked
    @coro.  Results come in the order of the arguments.  An error in a task is raised where
    the result is asked for, and what has not begun of that job is dropped.

    ncores     how many workers a job uses at once (negative: all of them)
    chunksize  how many items make one task; worth it only for very short ones

    Functions that all PEs can import travel by name, others (lambdas, closures) as code if
    the package cloudpickle is installed.
    """

    def map(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1,
            ncores: int = -1, progress: bool = False) -> List[Any]:
        """[func(x) for x in iterable], in parallel; suspends until it is there.

        func may be a lambda or a closure.  With progress=True, PE 0 shows how far it is
        (on stderr); other PEs ignore that.
        AssertionError if chunksize is less than 1 or ncores is 0.
        """
        show = _Progress() if progress and charm.myPe() == 0 else None
        return _c4.pool_map(_WAIT, func, None, iterable, _check_chunk(chunksize),
                            ncores if ncores == -1 else _check_cores(ncores), show)

    def map_async(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1,
                  ncores: int = -1, multi_future: bool = False) -> Union[Future, List[Future]]:
        """As map(), at once: a Future of the list, or with multi_future a list of Futures."""
        return _c4.pool_map(_FUTURES if multi_future else _FUTURE, func, None, iterable,
                            _check_chunk(chunksize), _check_cores(ncores), None)

    def submit(self, iterable: Iterable[Tuple[Callable[[Any], Any], Any]], chunksize: int = 1,
               ncores: int = -1) -> List[Any]:
        """[func(x) for func, x in iterable], in parallel; suspends until it is there."""
        return _c4.pool_map(_WAIT, *_pairs(iterable), _check_chunk(chunksize),
                            _check_cores(ncores), None)

    def submit_async(self, iterable: Iterable[Tuple[Callable[[Any], Any], Any]],
                     chunksize: int = 1, ncores: int = -1,
                     multi_future: bool = False) -> Union[Future, List[Future]]:
        """As submit(), at once: a Future of the list, or with multi_future a list of Futures."""
        return _c4.pool_map(_FUTURES if multi_future else _FUTURE, *_pairs(iterable),
                            _check_chunk(chunksize), _check_cores(ncores), None)

    def Task(self, func: Callable[..., Any], args: Iterable[Any] = (), ret: bool = False,
             awaitable: bool = False) -> Optional[Future]:
        """One task, func(*args): nothing is returned, or with ret or awaitable a Future.

        Without a Future, an error in the task ends the program.
        """
        return _c4.pool_task(func, args, ret or awaitable)


def _check_chunk(chunksize: int) -> int:
    assert chunksize > 0, "chunksize must be greater than 0"
    return chunksize


def _check_cores(ncores: int) -> int:
    assert ncores != 0, "ncores must be greater than 0, or negative to use all cores"
    workers = max(1, charm.numPes() - 1)
    if ncores > workers:
        print(f"WARNING: charm.pool has {workers} workers: ncores={ncores} is limited to that")
        return workers
    return ncores


def _pairs(iterable: Iterable[Tuple[Callable[[Any], Any], Any]]
           ) -> Tuple[Tuple[Callable[[Any], Any], ...], bytes, List[Any]]:
    """(the functions, which of them for each item, the items)."""
    number: Dict[int, int] = {}
    funcs: List[Callable[[Any], Any]] = []
    which, items = array("I"), []
    for func, item in iterable:
        if id(func) not in number:
            number[id(func)] = len(funcs)
            funcs.append(func)
        which.append(number[id(func)])
        items.append(item)
    return tuple(funcs), which.tobytes(), items


class _Progress:
    """Shows how far a job is, in one line on a terminal, else in a few."""

    def __init__(self) -> None:
        self.tenths = 0

    def __call__(self, done: int, total: int, ended: bool) -> None:
        terminal = sys.stderr.isatty()
        tenths = 10 * done // total
        if not terminal and tenths == self.tenths and not ended:
            return
        self.tenths = tenths
        text = f"charm.pool: {done} of {total} ({100 * done // total} %)"
        sys.stderr.write(("\r" if terminal else "") + text + ("\n" if ended or not terminal else ""))
        sys.stderr.flush()


# ---- Functions that travel -----------------------------------------------------------

def _dump(funcs: Tuple[Any, ...]) -> Tuple[bytes, bool]:
    """(the functions as bytes, whether these hold more than names)."""
    try:
        return _travel.dump_functions(funcs)
    except Exception as exc:  # what pickle calls may raise anything
        if _travel.CloudPickler is not None:
            raise
        names = ", ".join(getattr(func, "__qualname__", repr(func)) for func in funcs
                          if not _travel.is_known(func))
        raise Charm4PyError(f"charm.pool: other PEs cannot import {names}: define it at the top "
                            "level of a module, or install cloudpickle (Debian: "
                            f"python3-cloudpickle): {exc}") from exc


def _load(data: bytes) -> Tuple[Any, ...]:
    """The reverse of _dump(), on another PE."""
    try:
        return pickle.loads(data)
    except (AttributeError, ImportError, KeyError) as exc:
        raise NameError(f"charm.pool: PE {charm.myPe()} does not know a function: {exc}") from exc


def _start() -> Tuple[Any, Any, Any]:
    """What the extension needs, when the pool is first used on this PE."""
    if charm.myPe() == 0 and not charm.options.quiet:
        workers = max(1, charm.numPes() - 1)
        print(f"Initializing charm.pool with {workers} worker PEs. Warning: charm.pool is "
              "experimental (API and performance is subject to change)")
    return charm.thisProxy, _dump, _load


pool = Pool()
