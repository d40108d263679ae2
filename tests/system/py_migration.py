"""Elements move with their state, and messages find them."""
import numpy as np
from charm4py import charm, Chare, Array, Future, Channel, Reducer, coro


class Mover(Chare):
    def __init__(self):
        self.home = charm.myPe()
        self.data = np.arange(1000) * self.thisIndex[0]
        self.hits = 0
        self.arrived = []
        self.ch = Channel(self, remote=self.thisProxy[(self.thisIndex[0] + 4) % 8])
        self.fun = {'s': {1, 2}, 'me': self.thisProxy[self.thisIndex]}

    def hit(self):
        self.hits += 1

    def migrated(self):
        assert (self.data == np.arange(1000) * self.thisIndex[0]).all()
        assert self.fun['s'] == {1, 2} and self.fun['me'] == self.thisProxy[self.thisIndex]
        self.arrived.append(charm.myPe())

    def go(self):
        self.migrate((charm.myPe() + 1) % charm.numPes())

    @coro
    def talk(self, k):
        self.ch.send((self.thisIndex, k))
        who, n = self.ch.recv()
        assert who == ((self.thisIndex[0] + 4) % 8,) and n == k
        assert self._numthreads >= 1

    def where(self):
        assert self._numthreads == 0
        return charm.myPe(), self.hits, self.arrived

    def fix(self):
        self.setMigratable(False)
        return self.migratable

    def sync(self, cb):
        self.cb = cb
        self.AtSync()

    def resumeFromSync(self):
        self.reduce(self.cb, 1, Reducer.sum)


class Old(Chare):
    def __init__(self, v):
        self.v = v
        self.skip = lambda: 0

    def __getstate__(self):
        return {'v': self.v}

    def __setstate__(self, state):
        self.v = state['v'] + 1

    def go(self):
        self.thisProxy[self.thisIndex].migrate((charm.myPe() + 1) % charm.numPes())

    def value(self):
        return self.v


def main(args):
    n = charm.numPes()
    a = Array(Mover, 8, useAtSync=True)
    charm.awaitCreation(a)
    start = [w[0] for w in a.where(ret=True).get()]
    for k in range(6):
        a.talk(k, awaitable=True).get()
        a.go() if k % 2 else [a[i].migrate((i + k) % n) for i in range(8)]
        for i in range(8):
            a[i].hit()
        charm.waitQD()  # an element with a coroutine must not be told to migrate
    for i, (pe, hits, arrived) in enumerate(a.where(ret=True).get()):
        assert hits == 6, hits
        assert n == 1 or arrived[-1] == pe, (arrived, pe)
    for _ in range(3):
        f = Future()
        a.sync(f)
        assert f.get() == 8
    assert a.fix(ret=True).get() == [False] * 8
    b = Array(Old, 1, args=[1])
    for _ in range(3):
        b.go(awaitable=True).get()
        charm.waitQD()
    assert b[0].value(ret=True).get() == (4 if n > 1 else 1)
    exit()


charm.start(main)
