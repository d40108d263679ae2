"""Parallel programs of migratable objects: the Charm4py interface on c4.

``from charm4py import *`` gives what programs need; ``charm`` is the runtime.
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
        print("charm4py needs the package greenlet (Debian: python3-greenlet)")
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

    # The attribute is the runtime; the module of that name stays importable.
    atexit.register(_charm_module.check_started_at_exit)
