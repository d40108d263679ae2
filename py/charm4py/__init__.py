"""Parallel programs of migratable objects: the Charm4py interface on c4.

    from charm4py import charm, Chare, Array, Reducer

    class Worker(Chare):
        def work(self, n, callback):
            self.reduce(callback, n * self.thisIndex[0], Reducer.sum)

    def main(args):
        workers = Array(Worker, 8)
        result = charm.Future()
        workers.work(10, result)
        print(result.get())
        exit()

    charm.start(main)

    charmrun +p4 program.py    # or, on one PE: python3 program.py

charm           the runtime: start, exit, waiting, sections, pool ...; see help(charm)
Chare           base class of the objects of a program; also makes one
Group, Array    make one on each PE; make as many as you like, which can migrate
ArrayMap        base class of what says where an array's elements are
Future          a value that comes later
Channel         a stream between two chares
Reducer         what reductions do: sum, max, gather ...
coro, threaded  marks methods that may suspend
when            holds messages back until a condition is true
readonlies      variables that main sets for all PEs
register        registers classes that charm.start() does not find

Each has help of its own.  ``python3 -m charm4py.selftest`` looks whether this works here.
"""

import os as _os

charm4py_version = "1.0"

if _os.environ.get("CHARM_NOLOAD", "0") == "0":
    import atexit
    import os
    import sys

    try:
        import greenlet
    except ImportError:
        print("charm4py needs the package greenlet (Debian: python3-greenlet), which " + sys.executable
              + " does not have: run the Python that c4 was built for")
        sys.exit(-1)

    from . import chare, charmlib, entry_method, reduction, threads, wait
    from . import channel
    from . import charm as _charm_module
    from .chare import Array, ArrayMap, Chare, Group
    from .channel import Channel
    from .charm import Options, charm, checkCharmStarted, readonlies, register
    from .entry_method import coro, coro_ext, threaded, when
    from .reduction import Reducer
    from .threads import Future
    from . import c_object_store, object_store, ray
    from .object_store import ObjectStore

    from ._old import lookup as __getattr__

    # The attribute is the runtime; the module of that name stays importable.
    atexit.register(_charm_module.check_started_at_exit)
