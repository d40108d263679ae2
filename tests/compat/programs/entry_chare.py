"""The entry chare: a target of calls, callbacks and reductions like any other."""
# PEs: 1 2 4
# status: 7
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro


class Worker(Chare):

    def go(self, cb, data=None, reducer=None, section=None):
        self.reduce(cb, data, reducer, section)

    @coro
    def calls(self, main):
        # contract: 5.5.18
        assert main.echo(1, b=3, ret=True).get() == (1, 3)
        assert main.echo(1, awaitable=True).get() == (1, 2)
        assert main.slow(5, ret=True).get() == 5
        return main == main and hash(main) == hash(main)


class Main(Chare):

    def __init__(self, args):
        # contract: 5.4.15
        assert not hasattr(self, 'thisIndex')
        # contract: 5.4.1 5.4.3
        assert type(self.thisProxy).__name__ == 'MainProxy' and hasattr(self.thisProxy, 'cid')
        self.got = []
        self.all = Future(5)
        g, a = Group(Worker), Array(Worker, 5)
        charm.awaitCreation(g, a)
        assert all(g.calls(self.thisProxy, ret=True).get())
        part = a[1:3]
        # contract: 8.2.2 8.2.3
        g.go(self.thisProxy.result, 1, Reducer.sum)
        a.go(self.thisProxy.result)
        a.go(self.thisProxy.result, 'x', Reducer.gather)
        part.go(self.thisProxy.one, 4, Reducer.max, part)
        part.go(self.thisProxy.one, section=part)
        self.all.get()
        n = charm.numPes()
        assert sorted(self.got, key=repr) == sorted(
            [('result', n), ('result', 'none'), ('result', ['x'] * 5), ('one', 4), ('one', None)],
            key=repr), self.got
        try:
            self.thisProxy[0]
            assert False
        except TypeError as e:
            assert 'one chare' in str(e), e
        # contract: 8.2.4
        g.go(charm.thisProxy.exit, 7, Reducer.max)

    def result(self, value='none'):
        self.got.append(('result', value))
        self.all.send()

    def one(self, value):
        self.got.append(('one', value))
        self.all.send()

    def echo(self, a, b=2):
        return a, b

    @coro
    def slow(self, x):
        charm.sleep(0.001)
        return x


charm.start(Main)
