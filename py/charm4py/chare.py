"""Chare classes: what users derive from, how collections are made.

``Chare``, ``Group`` and ``Array`` called with a class make chares of it and
return a proxy.  Classes are registered at ``charm.start()``.
"""

import inspect
import operator
import sys
from types import CodeType, FunctionType
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _c4
from ._errors import Charm4PyError
from .wait import parse_cond_str

# kinds of collections, as in src/c4py.h
SINGLE, GROUP, ARRAY, MAIN = range(4)
# what entries do
_CALL, _MIGRATE, _SET_MIGRATABLE, _CHANNEL, _DEPOSIT, _POOL, _DESTROY = range(7)

MAINCHARE = MAIN

_NOT_ENTRIES = {"wait", "contribute", "reduce", "allreduce", "AtSync", "migrated", "_wait"}
_RESERVED = _NOT_ENTRIES - {"migrated", "_wait"} | {
    "migrate", "setMigratable", "ckDestroy", "__addLocal__", "__removeLocal__", "__flush_wait_queues__",
    "__waitEnqueue__", "_coll_future_deposit_result", "__getRedNo__",
    "__addThreadEventSubscriber__", "_getSectionLocations_", "__initchannelattrs__",
    "__findPendingChannel__", "_channelConnect__", "_channelRecv__"}

# of the parameters that have no place: names, those without a default, whether any will do
_Keywords = Optional[Tuple[Tuple[str, ...], Tuple[str, ...], bool]]
# name, function, parameters, how many of these have defaults, is it a coroutine, has it *args,
# condition, what the entry does, keywords
Spec = Tuple[str, Optional[Callable[..., Any]], Optional[Tuple[str, ...]],
             Optional[Tuple[Any, ...]], bool, bool, Any, int, _Keywords]


class Chare(_c4.ChareBase):
    """Base of all chares: objects that live on some PE and are called by messages.

    Chare(X, args=[], onPE=-1) makes one chare of X, a class derived from Chare, and returns
    its proxy; args are the constructor's arguments, and onPE is where (-1: the runtime
    decides).  Group(X) and Array(X, dims) make collections.

    In a class, every method whose name is not like __this__ can be called through proxies.
    Its chares have the attributes thisProxy and thisIndex and the methods below, which
    are not to be redefined, but for migrated(); classes whose arrays are balanced define
    resumeFromSync(self).  The constructor need not call the one of Chare.
    """

    _c4_place: Optional[Tuple[str, int]]  # file and line of the class statement

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Chare:
            return _create_chare(*args, **kwargs)
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        frame: Any = sys._getframe(1)  # of the class statement; a metaclass may come first
        while frame is not None and frame.f_globals.get("__name__") != cls.__module__:
            frame = frame.f_back
        cls._c4_place = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else None

    def wait(self, cond_str: str) -> None:
        """Suspends the coroutine until an expression is true, such as 'self.n == 3'.

        It may use self and the globals of the module that defines the class, and is tested
        now and after each method of this chare that ran.
        """
        self._wait(parse_cond_str(cond_str, type(self).__module__))

    def _getSectionLocations_(self, select: Any) -> Any:
        """Who this is and which sections select puts it in (see charm4py.sections)."""
        return (*self._c4_who, self.thisIndex, select(self))


class ArrayMap(Chare):
    """Says where the elements of an array are made: Array(X, n, map=Group(MyMap)).

    A class derived from it defines procNum(self, index), which must say the same on all PEs.
    """

    def procNum(self, index: Tuple[int, ...]) -> int:
        """The PE of the element with this index, always a tuple."""
        raise NotImplementedError(f"{type(self).__name__} must define procNum(self, index)")


# ---- Creation ---------------------------------------------------------------------

_registered: Dict[type, Tuple[int, ...]] = {}
_definitions: Dict[str, int] = {}  # of a class that is defined again and again


def _check(chare_type: Any, kind: int, word: str) -> None:
    if _c4.mype() < 0:
        raise Charm4PyError("charm was not started: chares are made by the function (or chare) "
                            "given to charm.start(), and by what it calls")
    if not inspect.isclass(chare_type) or not issubclass(chare_type, Chare):
        raise Charm4PyError(f"Only subclasses of Chare can be member of {word}")
    if kind not in _registered.get(chare_type, ()):
        raise Charm4PyError(f"{chare_type} not registered for use in {word}s" + (
            "" if chare_type in _registered else ": decorate it with @register, or give its "
            "module to charm.start(modules=[...])"))


def _create_chare(chare_type: type, args: Sequence[Any] = [], onPE: int = -1) -> Any:
    _check(chare_type, ARRAY, "Array")
    return _c4.create(chare_type, SINGLE, args, (0,), onPE, None, False)


class Group:
    """Group(X, args=[], onPEs=None) makes a chare of class X on each PE; returns the proxy.

    args are the arguments of the constructors.  With onPEs, a list of PEs, there are members
    on those only.  The proxy's calls go to all members, those of proxy[pe] to one.
    Charm4PyError if X is not a registered subclass of Chare.
    """

    def __new__(cls, chare_type: type, args: Sequence[Any] = [],
                onPEs: Optional[Sequence[int]] = None) -> Any:
        _check(chare_type, GROUP, "Group")
        if onPEs is not None:
            pes = tuple(sorted({operator.index(pe) for pe in onPEs}))
            if not pes or pes[0] < 0:
                raise Charm4PyError(f"onPEs must be numbers of PEs, at least one: {onPEs}")
            return _c4.create(chare_type, GROUP, args, (0,), -1, None, False, pes)
        return _c4.create(chare_type, GROUP, args, (0,), -1, None, False)


class Array:
    """Array(X, dims) makes an array of chares of class X; returns its proxy.

    Array(X, dims=None, ndims=-1, args=[], map=None, useAtSync=False)

    dims       the size, or a tuple of the sizes of up to 6 dimensions
    ndims      instead: the number of dimensions of an array that starts empty; its elements
               are made by proxy.ckInsert(index), and proxy.ckDoneInserting() says that all are
    args       arguments of the constructors
    map        Group(M) of an ArrayMap class M that says where elements are made; else each
               PE gets a block
    useAtSync  the elements take part in load balancing; see Chare.AtSync

    The proxy's calls go to all elements, those of proxy[i] and proxy[i, j] to one.
    Charm4PyError if X is not a registered subclass of Chare, or the sizes make no sense.
    """

    def __new__(cls, chare_type: type, dims: Union[None, int, Sequence[int]] = None,
                ndims: int = -1, args: Sequence[Any] = [], map: Any = None,
                useAtSync: bool = False) -> Any:
        _check(chare_type, ARRAY, "Array")
        return _c4.create(chare_type, ARRAY, args, _dims(dims, ndims), -1, map, useAtSync)


class Mainchare:
    """Base of the program's chare in very old versions; any Chare class can be that now."""


def _dims(dims: Union[None, int, Sequence[int]], ndims: int) -> Tuple[int, ...]:
    """Sizes of the dimensions; all 0 for an array that starts empty."""
    if dims is None:
        if ndims == -1:
            raise Charm4PyError("Bounds and number of dimensions for array cannot be empty "
                                "in ckNew")
        return (0,) * ndims
    sizes = tuple(dims) if hasattr(dims, "__iter__") else (dims,)  # type: ignore
    if ndims != -1 and ndims != len(sizes):
        raise Charm4PyError("Number of bounds should match number of dimensions")
    if any(n < 0 for n in sizes):
        raise Charm4PyError(f"dimensions of an array cannot be negative: {sizes}")
    return sizes


# ---- Registration -------------------------------------------------------------------

def _call_by_name(name: str, raw: Any) -> Callable[..., Any]:
    """For what is not a plain function: a static method, a partial ..."""

    def call(self: Any, *args: Any, **keywords: Any) -> Any:
        return getattr(self, name)(*args, **keywords)

    # what a recording shows; None: it is not known where it is written
    call.__wrapped__ = getattr(raw, "__func__", getattr(raw, "func", None))  # type: ignore
    return _taking_keywords(call)


def _taking_keywords(func: Callable[..., Any]) -> Callable[..., Any]:
    """func, where keywords that have no place come as the last argument."""

    def call(self: Any, *args: Any) -> Any:
        if args and type(args[-1]) is _c4.Keywords:
            return func(self, *args[:-1], **args[-1])
        return func(self, *args)

    call.__wrapped__ = func  # type: ignore
    return call


def _keywords(code: CodeType, defaults: Optional[Dict[str, Any]]) -> _Keywords:
    names = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    any_name = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    if not names and not any_name:
        return None
    return names, tuple(name for name in names if name not in (defaults or ())), any_name


_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ITERABLE_COROUTINE
_SUSPENDED = (
    (inspect.CO_COROUTINE, "async def", "use @coro, and get() instead of await"),
    (inspect.CO_ASYNC_GENERATOR, "an asynchronous generator", "use @coro, and return a list"),
    (_GENERATOR, "a generator", "return a list"))


def _check_kind(cls: type, func: FunctionType) -> FunctionType:
    """Refuses what, called by a proxy, would return at once and do nothing.

    Generators, and what looks private, may be there for the chare itself: these are refused
    when a proxy calls them.
    """
    for flag, kind, cure in _SUSPENDED:
        if not func.__code__.co_flags & flag:
            continue
        text = f"{cls.__name__}.{func.__name__} is {kind}, which no entry method can be: {cure}"
        if flag != _GENERATOR and not func.__name__.startswith("_") or func.__name__ == "__init__":
            raise Charm4PyError(text)

        def refuse(self: Any, *args: Any) -> None:
            raise Charm4PyError(text)

        return refuse  # type: ignore[return-value]
    return func


def _spec(cls: type, name: str, action: int = _CALL) -> Spec:
    """What the extension needs to know of a method."""
    raw = inspect.getattr_static(cls, name)
    if action != _CALL:
        return (name, None, None, None, False, True, None, action, None)
    if not isinstance(raw, FunctionType):
        func = raw if name == "__init__" else _call_by_name(name, raw)
        target = getattr(cls, name)
        plain = getattr(target, "__func__", target)
        if isinstance(plain, FunctionType) and _check_kind(cls, plain) is not plain:
            func = _check_kind(cls, plain)
        coro = bool(getattr(target, "_c4_coro", False))
        return (name, func, None, None, coro, True, None, action, ((), (), True))
    code = raw.__code__
    func = _check_kind(cls, raw)
    params = code.co_varnames[1:code.co_argcount]
    keywords = _keywords(code, raw.__kwdefaults__)
    assert "ret" not in params + (keywords[0] if keywords else ()), \
        f"entry method {cls.__name__}.{name} cannot have a parameter called 'ret'"
    cond = getattr(raw, "_c4_when", None)
    if cond is not None:
        cond = _condition(cls, raw, cond, params)
    return (name, _taking_keywords(func) if keywords else func, params, raw.__defaults__,
            bool(getattr(raw, "_c4_coro", False)), bool(code.co_flags & inspect.CO_VARARGS), cond,
            action, keywords)


def _condition(cls: type, func: FunctionType, text: str, params: Sequence[str]) -> Any:
    try:
        return parse_cond_str(text, func.__module__, {p: i for i, p in enumerate(params)})
    except SyntaxError as exc:
        raise SyntaxError(f"@when({text!r}) of {cls.__name__}.{func.__name__}: {exc.msg}") from None


def _is_entry(cls: type, name: str) -> bool:
    if (name.startswith("__") and name.endswith("__")) or name in _NOT_ENTRIES:
        return False
    value = inspect.getattr_static(cls, name)
    if isinstance(value, property) or inspect.isclass(value):
        return False
    return callable(getattr(cls, name, None))


def _check_reserved(cls: type) -> None:
    for base in cls.__mro__:
        if base in (Chare, ArrayMap, _c4.ChareBase, object):
            continue
        for name in _RESERVED & set(vars(base)):
            raise Charm4PyError(f"{cls} redefines reserved method '{name}'")


def _entries(cls: type) -> List[Spec]:
    specs = {name: _spec(cls, name) for name in dir(cls) if _is_entry(cls, name)}
    specs["_channelRecv__"] = _spec(cls, "__init__", _CHANNEL)
    specs["_coll_future_deposit_result"] = _spec(cls, "__init__", _DEPOSIT)
    if getattr(cls, "_c4_has_pool", False):
        specs["_pool__"] = _spec(cls, "__init__", _POOL)
    specs["ckDestroy"] = _spec(cls, "__init__", _DESTROY)
    specs["migrate"] = _spec(cls, "__init__", _MIGRATE)
    specs["setMigratable"] = _spec(cls, "__init__", _SET_MIGRATABLE)
    # by name, so that the numbers are the same on all PEs
    return [(name, *specs[name][1:]) for name in sorted(specs)]  # type: ignore[misc]


def _custom_state(cls: type) -> bool:
    """Does the class say itself what its state is, or has it slots?"""
    get = getattr(cls, "__getstate__", None)
    if get is not None and get is not getattr(object, "__getstate__", None):
        return True
    return hasattr(cls, "__setstate__") or any(
        "__slots__" in vars(base) and vars(base)["__slots__"] for base in cls.__mro__)


def redefine(cls: type) -> None:
    """cls may have the name of a registered class: it gets its own one in the runtime."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    if any(name == f"{c.__module__}.{c.__qualname__}" for c in _registered if c is not cls):
        _definitions[name] = _definitions.get(name, 1) + 1


def check_bases(cls: type) -> None:
    """Raises for classes that are written as for very old versions."""
    if issubclass(cls, (Group, Array, Mainchare)) and cls not in (Group, Array, Mainchare):
        raise Charm4PyError("Chares must not inherit from Group, Array or Mainchare. "
                            "Refer to new API")


def register(cls: type, kinds: Tuple[int, ...]) -> None:
    """Makes a chare class known to the runtime; once is enough."""
    if cls in _registered:
        return
    check_bases(cls)
    _check_reserved(cls)
    again = _definitions.get(f"{cls.__module__}.{cls.__qualname__}")
    resume = _spec(cls, "resumeFromSync") if hasattr(cls, "resumeFromSync") else None
    proxies = _c4.register(
        cls=cls, module=cls.__module__,
        qualname=cls.__qualname__ + (f"#{again}" if again else ""), methods=_entries(cls),
        init=_spec(cls, "__init__"), migrated=_spec(cls, "migrated"), resume=resume,
        is_map=issubclass(cls, ArrayMap), is_main=MAIN in kinds,
        custom_state=_custom_state(cls), place=vars(cls).get("_c4_place"))
    _registered[cls] = kinds
    module = sys.modules.get(cls.__module__)
    for proxy in proxies:  # as in Charm4py: XGroupProxy and so on, beside X
        if module is not None and not hasattr(module, proxy.__name__):
            setattr(module, proxy.__name__, proxy)


def get_state(obj: Chare) -> Any:
    """State of an object whose class has __getstate__ or slots."""
    if type(obj).__getstate__ is not getattr(object, "__getstate__", None):
        return obj.__getstate__()
    import copyreg
    slots = {name: getattr(obj, name)
             for name in copyreg._slotnames(type(obj)) if hasattr(obj, name)}  # type: ignore
    return obj.__dict__, slots


def set_state(obj: Chare, state: Any) -> None:
    """The reverse of get_state() and of __getstate__()."""
    if hasattr(obj, "__setstate__"):
        obj.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) else (state, {})
    obj.__dict__.update(attributes or {})
    for name, value in slots.items():
        setattr(obj, name, value)
