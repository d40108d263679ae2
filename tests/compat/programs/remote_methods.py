"""charm.thisProxy: globals, remote code, arrays made elsewhere, reducers, the end."""
import array

from charm4py import charm, Chare, Group, Array, Future, Reducer
from charm4py.charm import Charm4PyError

number = 1
text = 'main'
charm.options.remote_exec = True


def raises(kind, text, func, *args):
    try:
        func(*args)
    except kind as e:
        assert text in str(e), e
        return True
    raise AssertionError(f'{func} did not raise {kind}')


class Looks(Chare):
    def globals(self):
        return number, text

    def block(self):
        return bytes(block), block.typecode

    def switch(self, on):
        charm.options.remote_exec = on

    def make(self, f):
        charm.thisProxy[0].createArray(Made, 5, args=[self.thisIndex], cb=f)

    def reduce_to(self, callback):
        self.reduce(callback, 1, Reducer.latest)

    def dbg(self):
        charm.print_dbg('one', 2)


class Made(Chare):
    def __init__(self, by):
        self.by = by

    def who(self):
        return self.by, charm.myPe()


def latest(contribs):
    return max(contribs)


class Ends(Chare):
    def end(self):
        self.reduce(charm.thisProxy[0].exit)


def main(args):
    n = charm.numPes()
    g = Group(Looks)
    every = range(n)
    # contract: 3.5.1
    for proxy in (charm.thisProxy, charm.thisProxy[0], charm.thisProxy[n - 1], charm.thisProxy[0:n:2]):
        proxy.myPe(awaitable=True).get()
    assert charm.thisProxy.myPe(ret=True).get() == list(every)
    assert charm.thisProxy[n - 1].myPe(ret=True).get() == n - 1
    assert charm.thisProxy[0:n:2].myPe(ret=True).get() == list(every[::2])
    # contract: 3.5.2
    charm.thisProxy.updateGlobals({'number': 5}, awaitable=True).get()
    assert g.globals(ret=True).get() == [(5, 'main')] * n and number == 5
    charm.thisProxy[n - 1].updateGlobals({'text': 'last'}, module_name='__main__', awaitable=True).get()
    assert [t for _, t in g.globals(ret=True).get()] == ['main'] * (n - 1) + ['last']
    sent = array.array('d', range(50))
    charm.thisProxy.updateGlobals({'block': sent}, '__main__', awaitable=True).get()
    assert g.block(ret=True).get() == [(bytes(sent), 'd')] * n
    # contract: 3.5.3
    assert raises(KeyError, 'no_such_module', charm.thisProxy[n - 1].updateGlobals(
        {'x': 1}, 'no_such_module', awaitable=True).get)
    # contract: 3.5.4
    assert charm.thisProxy.eval('number + 1', ret=True).get() == [6] * n
    assert charm.thisProxy[0].eval('__name__', 'charm4py.threads', ret=True).get() == 'charm4py.threads'
    charm.thisProxy.exec('number = 7', awaitable=True).get()
    charm.thisProxy.rexec('text = str(number)', '__main__', awaitable=True).get()
    assert g.globals(ret=True).get() == [(7, '7')] * n
    # contract: 3.5.5
    g.switch(False, awaitable=True).get()
    off = 'Remote code execution is disabled. Set charm.options.remote_exec to True'
    for call in (charm.thisProxy[n - 1].eval, charm.thisProxy[n - 1].exec, charm.thisProxy[n - 1].rexec):
        assert raises(Charm4PyError, off, call('number', ret=True).get)
    assert raises(Charm4PyError, off, charm.thisProxy[0].registerNewChareType('X', '', ret=True).get)
    # contract: 3.5.6
    a = charm.thisProxy[0].createArray(Made, (2, 3), args=['main'], ret=True).get()
    assert [by for by, _ in a.who(ret=True).get()] == ['main'] * 6
    f = Future(n)
    g.make(f)
    for one in f.get() if n > 1 else [f.get()]:
        assert len({by for by, _ in one.who(ret=True).get()}) == 1
    # contract: 3.5.7
    charm.thisProxy.addReducer(latest, awaitable=True).get()
    f = Future()
    g.reduce_to(f)
    assert f.get() == 1
    # contract: 3.5.8
    charm.thisProxy.LBTurnInstrumentOff(awaitable=True).get()
    charm.thisProxy.LBTurnInstrumentOn(awaitable=True).get()
    charm.thisProxy[n - 1].printStats(awaitable=True).get()
    # contract: 3.5.13
    g.dbg(awaitable=True).get()
    # contract: 3.5.9
    Array(Ends, 3 * n).end()


# says: NOTE: called charm.printStats() but profiling is disabled
# says: PE 0 : one 2
charm.start(main)
