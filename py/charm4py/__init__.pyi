from . import chare as chare, channel as channel, charmlib as charmlib, entry_method as entry_method
from . import c_object_store as c_object_store, object_store as object_store, ray as ray
from . import reduction as reduction, threads as threads, wait as wait
from .channel import Channel as Channel
from .chare import Array as Array, ArrayMap as ArrayMap, Chare as Chare, Group as Group
from .charm import Options as Options, charm as charm, checkCharmStarted as checkCharmStarted
from .charm import readonlies as readonlies, register as register
from .entry_method import coro as coro, coro_ext as coro_ext, threaded as threaded, when as when
from .object_store import ObjectStore as ObjectStore
from .reduction import Reducer as Reducer
from .threads import Future as Future

charm4py_version: str
