"""Coroutines suspend wherever they may: in constructors, in migrated(), in what is called back."""
# PEs: 1 2 4 8
import functools

from charm4py import charm, Chare, Group, Array, Channel, Future, Reducer, coro, when


class Waits(Chare):

    @coro
    def __init__(self, helper, how):
        self.steps = ['begin']
        n = charm.numPes()
        if how == 'call':
            assert helper[(charm.myPe() + 1) % n].double(4, ret=True).get() == 8
        elif how == 'sleep':
            charm.sleep(0.001)
        elif how == 'allreduce':
            self.all = self.allreduce(1, Reducer.sum).get()
        elif how == 'wait':
            self.go = False
            self.thisProxy[self.thisIndex].release()
            self.wait('self.go')
        elif how == 'create':
            inner = Chare(Helper, onPE=(charm.myPe() + 1) % n)
            charm.awaitCreation(inner)
            assert inner.double(1, ret=True).get() == 2
        elif how == 'channel':
            loop = Channel(self, remote=self.thisProxy[self.thisIndex])
            loop.send(1)
            assert loop.recv() == 1
        elif how == 'any':
            futures = [helper[pe].double(pe, ret=True) for pe in range(n)]
            assert sorted(f.get() for f in charm.iwait(futures)) == [2 * pe for pe in range(n)]
        self.steps.append('end')

    def release(self):
        self.go = True

    def get(self):
        return self.steps


class WaitsInGroup(Waits):
    pass


class Helper(Chare):

    def double(self, x):
        return 2 * x


class Mover(Chare):

    def __init__(self, helper):
        self.helper = helper
        self.arrived = self.calls = 0

    @coro
    def migrated(self):
        pe = charm.myPe()
        assert self.helper[0].double(pe, ret=True).get() == 2 * pe
        charm.sleep(0.001)
        self.arrived += 1

    def call(self):
        self.calls += 1

    @coro
    def wait_until_there(self, times):
        self.wait('self.arrived >= %d' % times)
        return charm.myPe(), self.calls


class Called(Chare):
    """Its methods are callbacks, and they suspend."""

    def __init__(self, helper):
        self.helper = helper
        self.log = []

    @coro
    def result(self, done, value=None):
        charm.sleep(0)
        assert self.helper[0].double(3, ret=True).get() == 6
        self.log.append(value)
        done.send(value)

    @coro
    def quiet(self):
        assert self.helper[0].double(3, ret=True).get() == 6
        self.done.send('quiet')

    @coro
    def reduced(self, value):
        assert self.helper[0].double(value, ret=True).get() == 2 * value
        self.done.send(value)

    @coro
    def timer(self, value):
        charm.sleep(0.001)
        self.done.send(value)

    def set_done(self, done):
        self.done = done

    @coro
    @when('self.turn == n')
    def in_turn(self, n):
        charm.sleep(0)
        self.turn += 1
        return n

    def start_turns(self):
        self.turn = 0

    @coro
    def in_a_sort(self):
        """Below functions that are not Python's own."""
        key = lambda x: -self.helper[x % charm.numPes()].double(x, ret=True).get()  # noqa: E731
        total = functools.reduce(lambda a, b: a + self.helper[0].double(b, ret=True).get(), range(5), 0)
        return sorted(range(6), key=key), total, [x for x in self.generator()]

    def generator(self):
        for i in range(3):
            yield self.helper[0].double(i, ret=True).get()


class Contributor(Chare):

    def go(self, callback):
        self.reduce(callback, 1, Reducer.sum)


def constructors(helper):
    for how in ('call', 'sleep', 'allreduce', 'wait', 'create', 'channel', 'any'):
        array = Array(Waits, 2 * charm.numPes(), args=[helper, how])
        group = Group(WaitsInGroup, args=[helper, how])
        single = Chare(Waits, args=[helper, how if how != 'allreduce' else 'sleep'])
        charm.awaitCreation(array, group, single)
        for proxy in (array, group):
            assert all(steps == ['begin', 'end'] for steps in proxy.get(ret=True).get()), how
        assert single.get(ret=True).get() == ['begin', 'end']
        sparse = Array(Waits, ndims=1)
        for i in range(4):
            sparse.ckInsert(i, args=[helper, how])
        sparse.ckDoneInserting()
        charm.waitQD()
        charm.sleep(0.005)
        charm.waitQD()
        assert len(sparse.get(ret=True).get()) == 4


def migrations(helper):
    n = charm.numPes()
    if n == 1:
        return
    movers = Array(Mover, n, args=[helper])
    charm.awaitCreation(movers)
    for i in range(n):
        movers[i].migrate((i + 1) % n)
        movers[i].call()
    charm.waitQD()
    there = movers.wait_until_there(1, ret=True).get()
    assert [calls for _, calls in there] == [1] * n


def callbacks(helper):
    n = charm.numPes()
    called = Array(Called, n, args=[helper])
    last = called[n - 1]
    for proxy in (called[0], last):
        done = Future()
        proxy.set_done(done, awaitable=True).get()
        charm.startQD(proxy.quiet)
        assert done.get() == 'quiet'
        done = Future()
        proxy.set_done(done, awaitable=True).get()
        Group(Contributor).go(proxy.reduced)
        assert done.get() == n
        done = Future()
        proxy.set_done(done, awaitable=True).get()
        charm.scheduleCallableAfter(proxy.timer, 0.001, ['t'])
        assert done.get() == 't'
        done = Future()
        proxy.result(done, 'r')
        assert done.get() == 'r'
    called.start_turns(awaitable=True).get()
    turns = [last.in_turn(i, ret=True) for i in (3, 1, 0, 2)]
    assert [t.get() for t in turns] == [3, 1, 0, 2]
    expected = sorted(range(6), key=lambda x: -2 * x), 20, [0, 2, 4]
    assert called.in_a_sort(ret=True).get() == [expected] * n


def main(args):
    helper = Group(Helper)
    constructors(helper)
    migrations(helper)
    callbacks(helper)
    exit()


charm.start(main)
