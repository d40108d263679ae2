# PEs: 1 2
"""The names that programs import are there, and are what they were."""
import inspect
import sys
import warnings

import charm4py
from charm4py import *
from charm4py import charm as from_package

# contract: 1.1.1
for name in '''charm Chare Group Array ArrayMap Reducer Future Channel when coro threaded coro_ext
               readonlies Options charm4py_version checkCharmStarted'''.split():
    assert name in globals(), name
assert isinstance(charm4py_version, str)
assert all(inspect.isclass(c) for c in (Chare, ArrayMap, Future, Channel, Options))

# contract: 1.1.2
for name in 'sys os atexit greenlet chare entry_method threads wait reduction channel charmlib'.split():
    assert inspect.ismodule(globals()[name]), name
assert not hasattr(charm4py, '__all__')

# contract: 1.1.3
for name in 'register ObjectStore ray object_store c_object_store'.split():
    assert name in globals(), name

# contract: 1.1.4 1.2.1
assert not hasattr(charm4py, 'Charm4PyError') and not hasattr(charm4py, 'NotThreadedError')
from charm4py.charm import Charm4PyError
from charm4py.threads import NotThreadedError
assert charm4py.charm is charm is from_package and inspect.ismodule(sys.modules['charm4py.charm'])
assert sys.modules['charm4py.charm'].charm is charm
import charm4py.charm as module_or_object
assert module_or_object in (charm, sys.modules['charm4py.charm'])

# contract: 1.1.5
assert Reducer is charm.reducers and not hasattr(charm, 'Reducer')
assert Future is charm.Future is charm.createFuture is charm4py.threads.Future
assert threaded is coro and charm.options is not Options

# contract: 1.3.1
from charm4py.wait import parse_cond_str, MsgTagCond, ChareStateMsgCond, ChareStateCond
import charm4py.interactive, charm4py.pool, charm4py.sections, charm4py.ray, charm4py.liveviz
import charmrun, charmrun.start
assert charmrun.start.start.__defaults__ == ([],)
kinds = [type(parse_cond_str(text, '__main__', {'x': 0}))
         for text in ('self.a == x', 'self.a < x', 'self.a == 3')]
assert kinds == [MsgTagCond, ChareStateMsgCond, ChareStateCond]

# contract: 1.5.3
assert charm.lib.name == 'cython'

# contract: 1.7.1
for kind in (Charm4PyError, NotThreadedError):
    error = kind('what it is')
    assert isinstance(error, Exception) and error.message == str(error) == 'what it is'


def raises(kind, text, func, *args):
    try:
        func(*args)
    except kind as e:
        assert text in str(e), e
        return True
    raise AssertionError(f'{func} did not raise {kind}')


# contract: 1.7.2 3.3.5
assert raises(Charm4PyError, 'charm was not started', checkCharmStarted)
assert (charm.myPe(), charm.numPes()) == (-1, -1)
assert raises(Charm4PyError, 'charm was not started', charm.exit)

# contract: 1.1.6
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter('always')
    from charm4py import CkMyPe, CkNumPes, CkExit, CkAbort
    assert CkMyPe() == -1
assert [w.category for w in told][:1] == [DeprecationWarning] and 'charm.myPe' in str(told[0].message)
assert raises(AttributeError, 'nonsense', lambda: charm4py.nonsense)

# contract: 1.1.7 3.5.14
assert raises(Charm4PyError, 'out of scope', lambda: charm4py.liveviz.LVConfig)
assert raises(Charm4PyError, 'out of scope', charm.CcsRegisterHandler, 'x', print)
assert raises(Charm4PyError, 'out of scope', charm.CcsSendReply, b'')
assert raises(Charm4PyError, 'out of scope', charm.CcsDelayReply)
assert raises(Charm4PyError, 'out of scope', charm.CcsSendDelayedReply, 1, b'')
assert raises(Charm4PyError, 'out of scope', charm.CcsIsRemoteRequest)
assert raises(Charm4PyError, 'HAPI usage not allowed', charm.hapiAddCudaCallback, 0, None)


def main(args):
    checkCharmStarted()
    assert CkMyPe() == charm.myPe() == 0 and CkNumPes() == charm.numPes()
    # contract: 3.5.15
    for name in 'thisGroup run barrier allReduce updateGlobals exec eval'.split():
        assert not hasattr(charm, name), name
    CkExit(0)


charm.start(main)
