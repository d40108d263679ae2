"""The runtime object ``charm``: starting, ending, asking, waiting.

The attribute ``charm4py.charm`` is the object; this module is
``sys.modules['charm4py.charm']``.
"""

import importlib
import inspect
import os
import pickle
import platform
import sys
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from . import _c4, _errors, _travel, chare, reduction, sections, threads, wait
from ._errors import Charm4PyError
from .chare import ARRAY, GROUP, MAIN, Array, ArrayMap, Chare, Group
from .channel import Channel
from .charmlib import CharmLib
from .entry_method import coro
from .threads import Future, NotThreadedError


class Readonlies:
    """``readonlies``: attributes that main sets are the same on all PEs.

    Those set before main first suspends reach the other PEs before any chare runs there;
    what is assigned later, and names with an underscore at either end, stay on this PE.
    """

    def __reduce__(self) -> str:
        return "readonlies"


readonlies = Readonlies()


class Options:
    """``charm.options``: settings, to be made before ``charm.start()``, the same on all PEs.

    profiling (False)             measure times and messages for charm.printStats()
    pickle_protocol (-1)          the protocol of pickle; -1: the highest
    local_msg_optim (True)        arguments of calls within a PE go by reference, not by copy
    local_msg_buf_size (50)       accepted, and means nothing: there is no such limit
    auto_flush_wait_queues (True) test @when and self.wait() after each method of a chare; if
                                  False, call self.__flush_wait_queues__()
    quiet (False)                 no start-up lines; ++quiet sets it
    remote_exec (False)           allow charm.thisProxy.exec() and .eval()
    interactive.verbose (1)       notices of the interactive shell
    interactive.broadcast_imports (True)  its imports are repeated on all PEs

    str(charm.options) lists them.
    """

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __str__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in vars(self).items()
                         if not name.startswith("__") and not callable(value)
                         and not isinstance(value, Options))


_OLD_OPTIONS = ("PROFILING", "PICKLE_PROTOCOL", "LOCAL_MSG_OPTIM", "LOCAL_MSG_BUF_SIZE",
                "AUTO_FLUSH_WAIT_QUEUES", "QUIET")


def _default_options() -> Options:
    return Options(profiling=False, pickle_protocol=-1, local_msg_optim=True,
                   local_msg_buf_size=50, auto_flush_wait_queues=True, quiet=False,
                   remote_exec=False,
                   interactive=Options(verbose=1, broadcast_imports=True))


class CharmRemote(Chare):
    """``charm.thisProxy``: a group that does on any PE what is asked of it.

    charm.thisProxy.method(...) asks all PEs, charm.thisProxy[pe].method(...) one.
    """

    _c4_has_pool = True  # messages of charm.pool go to it, too

    def myPe(self) -> int:
        """Number of the PE that was asked."""
        return charm.myPe()

    def exit(self, exit_code: Any = 0) -> None:
        """Ends the job with this status; a callback of reductions, too."""
        charm.exit(exit_code)

    def printStats(self) -> None:
        """See charm.printStats()."""
        charm.printStats()

    def _statistics(self) -> Tuple[Optional[bytes], float]:
        return _c4.stats(), reduction.custom_s

    def updateGlobals(self, global_dict: Dict[str, Any], module_name: str = "__main__") -> None:
        """Sets these global variables of a module, which must be imported there."""
        with _travel.Code():
            _globals_of(module_name).update(global_dict)

    def eval(self, expression: str, module_name: str = "__main__") -> Any:
        """Value of an expression, with the globals of a module; see options.remote_exec."""
        _check_remote_exec()
        return eval(expression, _globals_of(module_name))

    def exec(self, code: str, module_name: str = "__main__") -> None:
        """Runs code with the globals of a module; see options.remote_exec."""
        _check_remote_exec()
        with _travel.Code():
            exec(code, _globals_of(module_name))

    def rexec(self, code: str, module_name: str = "__main__") -> None:
        """The same as exec()."""
        self.exec(code, module_name)

    def addReducer(self, func: Callable[[List[Any]], Any]) -> None:
        """Registers a reducer; see charm.reducers.addReducer()."""
        charm.reducers.addReducer(func)

    def LBTurnInstrumentOn(self) -> None:
        """See charm.LBTurnInstrumentOn()."""
        charm.LBTurnInstrumentOn()

    def LBTurnInstrumentOff(self) -> None:
        """See charm.LBTurnInstrumentOff()."""
        charm.LBTurnInstrumentOff()

    def createArray(self, cls: type, dims: Any = None, ndims: int = -1,
                    args: Sequence[Any] = [], map: Any = None, useAtSync: bool = False,
                    cb: Optional[Callable[[Any], Any]] = None) -> Any:
        """Makes an array; returns its proxy (use ret=True) and gives it to cb, too."""
        proxy = Array(cls, dims, ndims, args, map, useAtSync)
        if cb is not None:
            cb(proxy)
        return proxy

    @coro
    def _stored_value(self, number: int) -> Any:
        from .object_store import store
        return store.future(number).get()

    @coro
    def _stored_ready(self, number: int) -> None:
        from .object_store import store
        store.future(number).waitReady()

    @coro
    def _call_back(self, packed: bytes, *result: Any) -> None:
        """Runs the callback of a reduction, on the PE that is its root."""
        pickle.loads(packed)(*result)

    def registerNewChareType(self, name: str, source: str) -> None:
        """Defines a chare class from its source in __main__; see options.remote_exec."""
        _check_remote_exec()
        space = sys.modules["__main__"].__dict__
        with _travel.Code():
            exec(source, space)
        chare.redefine(space[name])
        charm.register(space[name])

    def _tell_error(self, pe: int, text: str) -> None:
        from . import interactive
        interactive.tell_error(pe, text)

    def registerNewChareTypes(self, classes: Sequence[type]) -> None:
        """Registers chare classes of imported modules."""
        for cls in classes:
            charm.register(cls)


def _globals_of(module_name: str) -> Dict[str, Any]:
    if module_name not in sys.modules:
        raise KeyError(f"module {module_name!r} is not imported on PE {charm.myPe()}")
    return sys.modules[module_name].__dict__


def _check_remote_exec() -> None:
    if charm.options.remote_exec is not True:
        raise Charm4PyError("Remote code execution is disabled. "
                            "Set charm.options.remote_exec to True")


def _no_ccs(self: Any, *args: Any) -> None:
    """Answers a client of the job: there is no client-server interface here."""
    raise Charm4PyError("CCS, the client-server interface, is out of scope of c4")


class _NotYet:
    """Stands for charm.thisProxy until there is one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Charm4PyError(_NOT_STARTED)

    def __getitem__(self, index: Any) -> Any:
        raise Charm4PyError(_NOT_STARTED)

    def __bool__(self) -> bool:
        return False


_NOT_STARTED = "charm was not started: this works only in what charm.start() runs"


class Charm:
    """``charm``: the runtime of this process, one PE of the job.

    Attributes, beside the methods below:

    options                what can be set before charm.start(); see help(charm.options)
    reducers               what reductions can do, also called Reducer
    pool                   tasks for whatever PE has time; see help(charm.pool)
    thisProxy              a group with a member on each PE: charm.thisProxy[pe].exit() ...
    Future, createFuture   the class Future
    started                True once charm.start() was called
    """

    def __reduce__(self) -> str:
        return "charm"  # functions that travel find the runtime of where they are

    def __init__(self) -> None:
        self.options = _default_options()
        self.reducers = reduction.Reducer
        self.lib = CharmLib()
        self.thisProxy: Any = _NotYet()
        self.started = False
        self._is_library = False            # imported where no job is to start
        self._main_name = ""
        self._pool: Any = None
        self.Future = self.createFuture = Future

    # ---- start and end

    def start(self, entry: Any = None, classes: Sequence[type] = [],
              modules: Sequence[str] = [], interactive: bool = False) -> None:
        """Runs the job; does not return, as the process ends when the job does.

        entry      a function of one parameter, which gets the program's arguments as a list
                   (the program's path first) and runs on PE 0 as a coroutine; or a Chare class
                   whose constructor takes such a list
        classes    chare classes that are not found by themselves, which those in __main__ are
        modules    names of modules whose chare classes are to be found, too
        interactive  True: instead of entry, an interactive shell runs on PE 0

        All processes of a job call it; charmrun starts several, else there is one PE.
        Charm4PyError if it is called again, or if entry has other parameters.  In a process
        that multiprocessing spawns, and that imports the program for its functions, it does
        nothing.
        """
        if sys._getframe(1).f_globals.get("__name__") == "__mp_main__":
            self._is_library = True
            return
        if self.started:
            raise Charm4PyError("charm.start() can only be called once")
        if interactive:
            from . import interactive as shell
            entry = shell.InteractiveConsole
            shell.prepare_pe()
        _check_options()
        _check_entry(entry)
        self.started = True
        _travel.note_start(_main_of_entry(entry), vars(sys.modules["__main__"]))
        self._main_name = ".".join(getattr(entry, name, "?") for name in ("__module__", "__qualname__"))
        args = self._init(["++idle-timeout", shell.IDLE_S] if interactive else [])
        if self._can_register(entry, classes, modules) and self.myPe() == 0:
            self._start_main(entry, args)
        _end(_c4.run())

    def _init(self, flags: List[str]) -> List[str]:
        """Becomes a PE; returns the program's own arguments."""
        options = self.options
        if "++quiet" in sys.argv:
            options.quiet = True
        elif options.quiet:
            sys.argv.append("++quiet")
        chare.register(CharmRemote, (GROUP,))
        args = _c4.init(sys.argv + flags, bool(options.local_msg_optim),
                        int(options.pickle_protocol), bool(options.auto_flush_wait_queues),
                        _program())
        if _c4.flag("+checkLocal") is not None:
            from . import _check
            _c4.configure(check_sent=_check.sent, check_delivered=_check.delivered)
        if options.profiling:
            _c4.stats_start()
            reduction.measuring = True
        _line_buffer()
        os.register_at_fork(after_in_child=_c4.after_fork)
        if self.myPe() == 0 and not options.quiet:
            _tell_start(options)
        return args

    def _can_register(self, *args: Any) -> bool:
        """False if that failed, and ended the job."""
        try:
            self._register_all(*args)
        except BaseException as exc:  # modules are imported: user code runs
            return bool(_c4.uncaught(exc))
        return True

    def _register_all(self, entry: Any, classes: Sequence[type], modules: Sequence[str]) -> None:
        is_class = inspect.isclass(entry)
        if is_class:
            chare.register(entry, (MAIN,))
        for cls in classes:
            self.register(cls)
        spaces = [vars(importlib.import_module(name)) for name in ["__main__", *modules]]
        for space in [*spaces, _main_of_entry(entry)]:
            for cls in [space[name] for name in sorted(space) if inspect.isclass(space[name])]:
                chare.check_bases(cls)
                if issubclass(cls, Chare) and cls not in (Chare, ArrayMap):
                    self.register(cls)
        for cls in _early:
            self.register(cls)

    def _start_main(self, entry: Any, args: List[str]) -> None:
        self.thisProxy = _c4.create(CharmRemote, GROUP, (), (0,), -1, None, False)
        if inspect.isclass(entry):
            _c4.create(entry, MAIN, (args,), (0,), 0, None, False)
        else:
            _c4.coroutine(entry, (args,), True)

    def register(self, C: type, collections: Tuple[int, ...] = (GROUP, ARRAY)) -> None:
        """Makes a chare class known that is not found by itself, before chares of it are made.

        Charm4PyError if C is not a subclass of Chare, or redefines a method of Chare.
        """
        if not inspect.isclass(C) or not issubclass(C, Chare):
            raise Charm4PyError("Only subclasses of Chare can be registered")
        chare.register(C, (GROUP,) if issubclass(C, ArrayMap) else tuple(collections))

    def exit(self, exit_code: Any = 0) -> None:
        """Ends the job, from any PE; does not return.

        exit_code, 0 to 255, is what charmrun returns; of several calls the first to reach
        PE 0 counts.  Python's exit() does the same.
        """
        checkCharmStarted()
        _c4.exit(_exit_status(exit_code))

    def abort(self, message: str) -> None:
        """Ends the job at once with this message, a backtrace, and status 1."""
        checkCharmStarted()
        _c4.abort(str(message))

    # ---- queries

    def myPe(self) -> int:
        """Number of this PE, from 0; -1 before charm.start()."""
        return _c4.mype()

    def numPes(self) -> int:
        """How many PEs the job has; -1 before charm.start()."""
        return _c4.npes()

    # All PEs are on one host until there is a transport between hosts.
    def myHost(self) -> int:
        """Number of the host that this PE is on."""
        return 0

    def numHosts(self) -> int:
        """How many hosts the job has."""
        return 1

    def getHostPes(self, host: int) -> List[int]:
        """The PEs of a host, by rank."""
        _check_number("host", host, self.numHosts())
        return list(range(self.numPes()))

    def getHostFirstPe(self, host: int) -> int:
        """The PE of rank 0 of a host."""
        return self.getHostPes(host)[0]

    def getHostNumPes(self, host: int) -> int:
        """How many PEs a host has."""
        return len(self.getHostPes(host))

    def getPeHost(self, pe: int) -> int:
        """The host of a PE."""
        _check_number("PE", pe, self.numPes())
        return 0

    def getPeHostRank(self, pe: int) -> int:
        """Which of its host's PEs a PE is, from 0."""
        return self.getHostPes(self.getPeHost(pe)).index(pe)

    def getTopoTreeEdges(self, pe: int, root_pe: int, pes: Optional[Sequence[int]] = None,
                         bfactor: int = 4) -> Tuple[Optional[int], List[int]]:
        """(parent or None, children) of pe in a spanning tree of pes (default: all PEs).

        root_pe must be the first of pes.  A PE has at most bfactor children.  The same
        arguments give the same tree on all PEs.
        """
        if pes is None:
            checkCharmStarted()
        nodes = list(range(self.numPes())) if pes is None else list(pes)
        if pes is None:
            nodes.remove(root_pe)
            nodes.insert(0, root_pe)
        assert nodes[0] == root_pe, "the root must be the first of pes"
        at = nodes.index(pe)
        kids = nodes[at * bfactor + 1:(at + 1) * bfactor + 1]
        return (nodes[(at - 1) // bfactor] if at else None), kids

    def getTopoSubtrees(self, root_pe: int, pes: Sequence[int],
                        bfactor: int = 4) -> List[List[int]]:
        """The PEs of pes below the root, in up to bfactor lists, each a subtree, its root first.

        root_pe must be the first of pes.
        """
        assert pes[0] == root_pe, "the root must be the first of pes"
        rest = list(pes[1:])
        n = min(bfactor, len(rest))
        return [rest[i::n] for i in range(n)]

    # ---- waiting

    def awaitCreation(self, *proxies: Any) -> None:
        """Suspends until all constructors of these new collections have finished.

        Once for each proxy, and only if a coroutine made it (else Charm4PyError).
        """
        for proxy in proxies:
            if not isinstance(proxy, _c4.Proxy):
                raise Charm4PyError(f"Did not pass a proxy to awaitCreation? {type(proxy)}")
            created = proxy._take_created()
            if created is None:
                raise Charm4PyError("awaitCreation can only be used if creation triggered "
                                    "from a coroutine entry method")
            created.get()

    def wait(self, awaitables: Sequence[Union[Future, Channel]]) -> None:
        """Suspends until all of these futures and channels are ready.

        It takes no value and raises none: call get() or recv() afterwards.
        """
        for one in awaitables:
            while not _c4.readiness(one)[0]:
                _c4.wait_any([one])

    def iwait(self, awaitables: Sequence[Union[Future, Channel]]) -> Iterator[Any]:
        """Yields each future or channel once, as it becomes ready: for f in charm.iwait(fs).

        Those that are ready come first, in the order of the list.  The loop's body may suspend.
        """
        pending = list(awaitables)
        now = [one for one in pending if _c4.readiness(one)[0]]
        pending = [one for one in pending if not _c4.readiness(one)[0]]
        yield from now
        while pending:
            _c4.wait_any(pending)
            state = [(_c4.readiness(one), one) for one in pending]
            ready = sorted((s for s in state if s[0][0]), key=lambda s: s[0][1])
            pending = [one for (is_ready, _), one in state if not is_ready]
            for _, one in ready:
                yield one

    def startQD(self, callback: Any) -> None:
        """Calls back, once, when the job is quiescent: no method runs, no message is on its way.

        callback is a Future, which gets None, or a method of a proxy, called without
        arguments.  Coroutines that wait, timers, and messages that @when holds back do not count.
        """
        _c4.quiescence(callback)

    def waitQD(self) -> None:
        """Suspends until no method runs and no message is on its way; see startQD()."""
        quiet = Future()
        _c4.quiescence(quiet)
        quiet.get()

    def sleep(self, secs: float) -> None:
        """Suspends the coroutine for at least secs; outside of one it blocks the PE."""
        if _c4.can_suspend():
            _c4.sleep(secs)
        else:
            time.sleep(secs)

    def scheduleCallableAfter(self, callable_obj: Callable[..., Any], secs: float,
                              args: Sequence[Any] = []) -> None:
        """Calls callable_obj(*args) on this PE, not earlier than in secs, outside coroutines.

        It may be a function, a Future or a method of a proxy.
        """
        if not callable(callable_obj):
            raise TypeError("scheduleCallableAfter() takes a function, a Future or a proxy's "
                            f"method, not {type(callable_obj).__name__}")
        _c4.after(secs, callable_obj, tuple(args))

    # ---- later steps

    @property
    def pool(self) -> Any:
        """Tasks for whatever worker has time: see charm4py.pool.Pool."""
        if self._pool is None:
            from .pool import pool
            checkCharmStarted()
            self._pool = pool
        return self._pool

    def split(self, proxy: Any, numsections: int, section_func: Any = None, elems: Any = None,
              slicing: Any = None, cons: Any = None) -> List[Any]:
        """A list of numsections sections of the collection (or section) proxy.

        One of these says who is in which:
        section_func(element)   called where each element is; returns the number of its
                                section, a list of them, or a negative number for none
        elems                   a list with a list of indexes for each section
        slicing                 a slice, or a tuple of them, if numsections is 1

        Suspends the coroutine, but not for a group and elems.  AssertionError if a section
        would be empty.
        """
        return sections.split(proxy, numsections, section_func, elems, slicing, cons)

    def combine(self, *proxies: Any) -> Any:
        """One section of all members of these collections and sections.

        They may be of different classes: methods are found by name.  Suspends the coroutine.
        """
        return sections.combine(*proxies)

    # ---- profiling

    def printStats(self) -> None:
        """Prints the times and messages of this PE's entry methods.

        In a coroutine it also prints the sum over all PEs, which it waits for.
        """
        assert self.started and _c4.mype() >= 0, "charm was not started"
        if not self.options.profiling:
            print("NOTE: called charm.printStats() but profiling is disabled")
            return
        from . import _stats
        print(_stats.table(self._main_name))
        if self.numPes() > 1 and _c4.can_suspend():
            snapshots = self.thisProxy._statistics(ret=True).get()
            print(_stats.table_of_all(snapshots, self._main_name))

    def LBTurnInstrumentOn(self) -> None:
        """What elements on this PE do counts for the balancer from here on."""
        checkCharmStarted()
        _c4.measure_load(True)

    def LBTurnInstrumentOff(self) -> None:
        """What elements on this PE do does not count for the balancer from here on."""
        checkCharmStarted()
        _c4.measure_load(False)

    def addReducer(self, func: Callable[[List[Any]], Any], pre: Any = None,
                   post: Any = None) -> None:
        """The same as charm.reducers.addReducer(func, pre, post)."""
        self.reducers.addReducer(func, pre, post)

    def print_dbg(self, *args: Any) -> None:
        """Prints args after the number of this PE."""
        print("PE", self.myPe(), ":", *args)

    # ---- what other builds of Charm4py have

    def hapiAddCudaCallback(self, stream: int, future: Any) -> None:
        """Completes future when a CUDA stream has come so far: there is no CUDA here."""
        raise Charm4PyError("HAPI usage not allowed: c4 is built without CUDA")

    CcsRegisterHandler = CcsSendReply = CcsDelayReply = CcsSendDelayedReply = \
        CcsIsRemoteRequest = _no_ccs


# ---- Helpers of start -------------------------------------------------------------------

def _check_options() -> None:
    for name in _OLD_OPTIONS:
        if hasattr(Options, name):
            raise Charm4PyError("Options API has changed. Use charm.options instead")


def _check_entry(entry: Any) -> None:
    if inspect.isclass(entry) and issubclass(entry, Chare):
        code = getattr(entry.__init__, "__code__", None)
        if code is None or code.co_argcount != 2:
            raise Charm4PyError("Mainchare constructor must take one (and only one) parameter")
        return
    assert callable(entry), "entry must be a function or a Chare class"
    if inspect.iscoroutinefunction(entry) or inspect.isgeneratorfunction(entry):
        raise Charm4PyError("Main function must be a plain one, not async def or a generator: it may "
                            "wait with get()")
    code = getattr(entry, "__code__", None)
    if code is not None and code.co_argcount - inspect.ismethod(entry) != 1:
        raise Charm4PyError("Main function must have one (and only one) parameter")


def _main_of_entry(entry: Any) -> Dict[str, Any]:
    """The program's names, where ``python3 -m cProfile`` and its like are ``__main__``."""
    space = getattr(entry.__init__ if inspect.isclass(entry) else entry, "__globals__", {})
    return space if space.get("__name__") == "__main__" else {}


def _exit_status(code: Any) -> int:
    """Like sys.exit(): None is 0, what is no number is printed and 1."""
    if code is None:
        return 0
    try:
        if not isinstance(code, (str, bytes)):
            return int(code)
    except (TypeError, ValueError, OverflowError):
        pass
    print(code, file=sys.stderr)
    return 1


def _plain(text: str) -> str:
    """Without what a terminal obeys, and what stdout has no bytes for."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _tell_start(options: Options) -> None:
    """What PE 0 prints when the job starts."""
    from . import charm4py_version
    print(f"Charm4py> Running Charm4py version {charm4py_version} on Python "
          f"{platform.python_version()} ({platform.python_implementation()}). "
          "Using 'cython' interface to access Charm++")
    if options.profiling:
        print("Charm4py> Profiling is ON (this affects performance)")
    npes, nhosts = charm.numPes(), charm.numHosts()
    balancer = "off" if _c4.flag("+LBOff") is not None else _c4.flag("+balancer") or "none"
    print(f"c4> {npes} PE{'s' * (npes > 1)} on {nhosts} host{'s' * (nhosts > 1)}, "
          f"balancer: {_plain(balancer)}, trace: {_plain(_trace_name())}")


def _program() -> str:
    """The file of the script, as it was given; "" if there is none, as with python3 -c."""
    main = getattr(sys.modules["__main__"], "__file__", None) or ""
    given = sys.argv[0] if sys.argv else ""
    return given if given and os.path.abspath(given) == os.path.abspath(main) else main


def _trace_name() -> str:
    """The database as the user would name it: another job may have the name asked for."""
    name = _c4.trace_file()
    return os.path.join(os.path.dirname(_c4.flag("+trace") or ""), os.path.basename(name)) \
        if name else "none"


def _check_number(what: str, number: int, n: int) -> None:
    if not 0 <= number < n:
        raise IndexError(f"there is no {what} {number}: there are {n}")


def _line_buffer() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


def _end(status: int) -> None:
    """Ends the process as the interpreter would, but for its teardown."""
    import atexit
    try:
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass  # closed, or nobody reads it any more
        _c4.release()
        os._exit(status)


def _collect_readonlies() -> Dict[str, Any]:
    """What the other PEs get before they run."""
    values = {name: value for name, value in vars(readonlies).items()
              if not name.startswith("_") and not name.endswith("_")}
    return {"readonlies": values, "proxy": charm.thisProxy}


def _apply_start(blob: Dict[str, Any]) -> None:
    vars(readonlies).update(blob["readonlies"])
    charm.thisProxy = blob["proxy"]


_early: List[type] = []


def register(cls: type) -> type:
    """Class decorator: registers a chare class wherever it is defined.

    For classes in modules that are not given to charm.start(), and inside functions.
    """
    if charm.started:
        charm.register(cls)
    else:
        _early.append(cls)
    return cls


def checkCharmStarted() -> None:
    """Raises Charm4PyError unless charm runs."""
    if _c4.mype() < 0:
        raise Charm4PyError(_NOT_STARTED)


def check_started_at_exit() -> None:
    if not charm.started and not charm._is_library:
        print("Program is exiting but charm was not started: charm.start() was not called "
              "or error happened before start")


def _take_interface() -> None:
    """Programs may name the interface to the runtime; there is one."""
    if "+libcharm_interface" not in sys.argv:
        return
    at = sys.argv.index("+libcharm_interface")
    name = sys.argv[at + 1] if at + 1 < len(sys.argv) else ""
    del sys.argv[at:at + 2]
    if name not in ("ctypes", "cffi", "cython"):
        raise Charm4PyError(f"Unrecognized interface {name}")


_take_interface()
charm = Charm()
_c4.configure(
    error=Charm4PyError, not_threaded=NotThreadedError, dumps=pickle.dumps, loads=pickle.loads,
    dumps_by_rule=_travel.dumps, look_again=_travel.look_again, pickling_error=pickle.PicklingError,
    explain_pickle=_errors.explain_pickle, print_uncaught=_errors.print_uncaught,
    print_waiting=_errors.print_waiting, print_held=_errors.print_held,
    format_remote=_errors.format_remote, stand_in=_errors.stand_in,
    collect_readonlies=_collect_readonlies, apply_start=_apply_start,
    get_state=chare.get_state, set_state=chare.set_state, reducer_apply=reduction.apply,
    reducer_prepare=reduction.prepare, to_array=reduction.to_array, pack_callback=reduction.pack_callback,
    call_back=reduction.call_back, when_test=wait.test)
