"""Programs written for Ray: tasks, actors and objects by ``ray.remote``, ``get``, ``put``, ``wait``.

    from charm4py import charm, ray

    @ray.remote
    def square(x):
        return x * x

    def main(args):
        ray.init()
        print(ray.get([square.remote(i) for i in range(8)]))
        exit()

    charm.start(main)

Tasks run on the workers of ``charm.pool``; actors are chares, one after the other on all
PEs.  A future among the arguments of a task or of a method stands for its value, and the
call waits for it; calls whose arguments are there do not wait for others.  What fails is
raised by ``get()``, and by all that depends on it.  Tasks and methods are coroutines.
"""

import operator
import sys
from types import FunctionType
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from . import _c4, _travel
from .chare import Chare
from .charm import charm, register
from .entry_method import coro
from .object_store import is_stored, store
from .threads import Future

_NOT_REMOTE = "Cannot call remote function without .remote()"


def init() -> None:
    """Says that the program uses this interface; to be called in main."""


def _stored(result: Future, loan: Any) -> Future:
    result.store = True
    if loan is not None:
        result._keep(loan)
    return result


# ---- Tasks -----------------------------------------------------------------------------

class _Dataflow:
    """A function that gets the values of its arguments before it runs."""

    _c4_coro = True

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, *args: Any) -> Any:
        return self.func(*store.values(args))

    def __reduce__(self) -> Any:
        if _travel.is_known(self.func):
            return _dataflow_of, (self.func.__module__, self.func.__qualname__)
        return _Dataflow, (self.func,)


def _dataflow_of(module: str, path: str) -> _Dataflow:
    __import__(module)
    return operator.attrgetter(path)(sys.modules[module]).remote.dataflow


class _RemoteFunction:
    """The attribute ``remote`` of a function: makes a task of it."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self.dataflow = _Dataflow(func)

    def __call__(self, *args: Any) -> Future:
        args_or_references, loan = store.lend(args)
        func = self.func if loan is None else self.dataflow
        return _stored(charm.pool.Task(func, args_or_references, ret=True), loan)


# ---- Actors ------------------------------------------------------------------------------

class _ActorType(type):
    """The class of classes of actors: they make actors, and no objects."""

    _next_pe = 0

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(_NOT_REMOTE)

    def remote(cls, *args: Any) -> "Actor":
        """A new actor, on the next PE."""
        if "_ray_actor" not in vars(cls):
            raise RuntimeError(f"class {cls.__name__} needs @ray.remote of its own")
        references, loan = store.lend(args)
        made = Future() if loan is not None else None
        pe = (charm.myPe() + 1 + _ActorType._next_pe) % charm.numPes()
        _ActorType._next_pe += 1
        proxy = Chare(cls, args=[made, *references], onPE=pe)
        if made is not None:
            made._keep(loan)
        return Actor(proxy)


class _ActorBase(Chare):
    """What the chares of actors have besides the user's methods."""

    _ray_made = False

    def _ray_construct(self, init: Callable[..., None], made: Optional[Future],
                       args: Sequence[Any]) -> None:
        try:
            init(self, *store.values(args))
        finally:
            if made is not None:
                made.send()
        self._ray_made = True

    @coro
    def _ray_call(self, name: str, args: Sequence[Any]) -> Any:
        """Calls a method, once the actor and the arguments are there."""
        if not self._ray_made:
            self.wait("self._ray_made")
        return getattr(self, name)(*store.values(args))


class Actor:
    """Refers to an actor: ``actor.method.remote(...)``."""

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy

    def __getattr__(self, name: str) -> "_ActorMethod":
        if name.startswith("__") or not hasattr(type(self._proxy), name):
            raise AttributeError(f"{type(self._proxy).__name__.replace('ArrayProxy', '')} "
                                 f"has no method {name!r}")
        return _ActorMethod(self._proxy, name)

    def __reduce__(self) -> Any:
        return Actor, (self._proxy,)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Actor) and self._proxy == other._proxy

    def __hash__(self) -> int:
        return hash(self._proxy)

    def __repr__(self) -> str:
        return f"<Actor {self._proxy!r}>"


class _ActorMethod:
    def __init__(self, proxy: Any, name: str) -> None:
        self._proxy = proxy
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(_NOT_REMOTE)

    def remote(self, *args: Any) -> Future:
        """Calls the method; a future of its result."""
        references, loan = store.lend(args)
        return _stored(self._proxy._ray_call(self._name, references, ret=True), loan)


def _actor_class(cls: type) -> type:
    meta = type(cls)
    if not issubclass(meta, _ActorType):
        meta = _ActorType if meta is type else type("_ActorType", (_ActorType, meta), {})
    init = cls.__init__

    def construct(self: Any, *args: Any) -> None:
        if type(self) is actor:
            self._ray_construct(init, args[0], args[1:])
        else:  # as the base of another actor
            init(self, *args)

    bases = (cls,) if issubclass(cls, _ActorBase) else (cls, _ActorBase)
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__,
             "__doc__": cls.__doc__, "_ray_actor": True, "__init__": coro(construct)}
    actor = register(meta(cls.__name__, bases, names))
    return actor


# ---- The interface --------------------------------------------------------------------------

def remote(*args: Any, **options: Any) -> Any:
    """Decorator: a function gets ``.remote(...)``; a class becomes a class of actors."""
    if len(args) != 1 or options or not callable(args[0]):
        raise NotImplementedError("@ray.remote takes no arguments: resources are not managed")
    func = args[0]
    if isinstance(func, type):
        return _actor_class(func)
    if not isinstance(func, FunctionType):
        raise TypeError(f"@ray.remote is for functions and classes, not for {func!r}")
    func.remote = _RemoteFunction(func)  # type: ignore[attr-defined]
    return coro(func)


def _check(future: Any) -> Future:
    if not isinstance(future, Future):
        raise TypeError(f"not a future of ray: {future!r}")
    return future


def get(futures: Union[Future, Sequence[Future]]) -> Any:
    """The value of a future, or the list of those of several; raises what a task raised."""
    if isinstance(futures, (list, tuple)):
        for future in futures:
            _check(future)
        return store.values_of(futures)
    return store.value(_check(futures))


def put(obj: Any) -> Future:
    """A future of obj, which is not copied here: it must not change any more."""
    future = Future(store=True)
    future.send(obj)
    return future


def wait(futures: Sequence[Future], num_returns: int = 1, timeout: Optional[float] = None,
         fetch_local: bool = True) -> Tuple[List[Future], List[Future]]:
    """(those that became ready first, num_returns of them, and the others).

    With a timeout in seconds the first list may be shorter.
    """
    futures = [_check(future) for future in futures]
    if not 0 < num_returns <= len(futures):
        raise ValueError(f"num_returns is {num_returns}, of {len(futures)} futures")
    local = [store.local(future) for future in futures]
    timer = []
    if timeout is not None:
        timer.append(Future())
        charm.scheduleCallableAfter(timer[0], timeout)
    elif num_returns == len(futures):
        charm.wait(local)
    while True:
        state = list(map(_c4.readiness, local))
        ready = [(stamp, i) for i, (is_ready, stamp) in enumerate(state) if is_ready]
        if len(ready) >= num_returns or timer and timer[0].ready():
            break
        _c4.wait_any([one for one, (is_ready, _) in zip(local, state) if not is_ready] + timer)
    chosen = [i for _, i in sorted(ready)[:num_returns]]
    rest = list(futures)
    for i in sorted(chosen, reverse=True):
        del rest[i]
    return [futures[i] for i in chosen], rest
