"""thisIndex and thisProxy of every kind of chare, and what else they have."""
from charm4py import charm, Chare, Group, Array, Future, coro, Reducer


class Any(Chare):
    def __init__(self, *args):
        self.at_start = self.thisIndex
        self.proxy_at_start = self.thisProxy

    def index(self):
        assert self.at_start == self.thisIndex and self.proxy_at_start == self.thisProxy
        return self.thisIndex

    def proxy(self):
        return self.thisProxy

    def through_itself(self, f):
        # contract: 4.2.5
        self.thisProxy[self.thisIndex].answer(f)

    def answer(self, f):
        f.send(self.thisIndex)

    def is_migratable(self):
        return self.migratable

    def pin(self):
        self.setMigratable(False)
        return self.migratable

    @coro
    def suspended(self, gates):
        gate = Future()
        gates.send(gate)
        gate.get()
        return self._numthreads

    def threads(self):
        return self._numthreads

    def has(self, name):
        return hasattr(self, name)

    @coro
    def waits(self):
        self.wait('self.gone')
        return 'waited'

    def go(self):
        self.gone = True
        return 'went'

    gone = False

    def contributes(self, f):
        # contract: 4.3.1
        assert self.reduce(f) is None and self.reduce(f, 1, Reducer.sum) is None
        assert self.contribute(2, Reducer.sum, f) is None
        try:
            self.reduce(3)
            raise SystemError('not refused')
        except AssertionError:
            pass

    @coro
    def all_of_us(self):
        # contract: 4.3.2
        every = self.allreduce(1, Reducer.sum)
        assert isinstance(every, Future)
        self.allreduce().get()
        return every.get()


class Main(Chare):
    def __init__(self, args):
        n = charm.numPes()
        # contract: 4.2.4
        assert not hasattr(self, 'thisIndex')
        f = Future()
        self.thisProxy.called(f)
        assert f.get() == 'called'
        # contract: 4.2.1
        g = Group(Any)
        assert g.index(ret=True).get() == list(range(n))
        assert g[n - 1].proxy(ret=True).get() == g
        # contract: 4.2.2
        for dims in (3, (2, 2), (1, 2, 3), (2, 1, 1, 2), (1, 1, 1, 1, 2), (1, 2, 1, 1, 1, 2)):
            a = Array(Any, dims)
            found = a.index(ret=True).get()
            assert all(type(i) is tuple and len(i) == (1 if dims == 3 else len(dims)) for i in found)
            assert found == sorted(found) and all(type(k) is int for i in found for k in i)
            assert a[found[-1]].proxy(ret=True).get() == a
        # contract: 4.2.3
        one = Chare(Any, onPE=n - 1)
        assert one.index(ret=True).get() == (0,)
        assert one.proxy(ret=True).get() == one
        # contract: 4.2.5
        for proxy, index in ((g[n - 1], n - 1), (a[found[0]], found[0]), (one, (0,))):
            f = Future()
            proxy.through_itself(f)
            assert f.get() == index
        # contract: 4.2.6
        assert a[found[0]].is_migratable(ret=True).get() is True
        assert a[found[0]].pin(ret=True).get() is False
        # contract: 4.2.7
        gates, results = [], []
        for _ in range(3):
            f = Future()
            results.append(g[n - 1].suspended(f, ret=True))
            gates.append(f.get())
        assert g[n - 1].threads(ret=True).get() == 3
        for gate, result, left in zip(gates, results, (3, 2, 1)):
            gate.send(0)
            assert result.get() == left
        assert g.threads(ret=True).get() == [0] * n
        # contract: 4.3.1 4.3.2
        f = Future(3)
        a.contributes(f)
        assert sorted(f.get(), key=str) == sorted([None, len(found), 2 * len(found)], key=str)
        assert a.all_of_us(ret=True).get() == [len(found)] * len(found)
        # contract: 4.3.3
        for name in ('wait', 'migrate', 'migrated', 'AtSync', 'setMigratable'):
            assert a[found[0]].has(name, ret=True).get(), name
        assert not a[found[0]].has('resumeFromSync', ret=True).get()
        waiter = one.waits(ret=True)
        assert one.go(ret=True).get() == 'went' and waiter.get() == 'waited'
        # contract: 4.3.4
        assert not g[0].has('AtSyncAndWait', ret=True).get()
        exit()

    def called(self, f):
        f.send('called')


charm.start(Main)
