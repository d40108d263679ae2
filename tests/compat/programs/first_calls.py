"""A call within a PE passes references from the first one on, before the chare is made, too."""
# PEs: 1 2 4
import threading
from charm4py import charm, Array, ArrayMap, Chare, Group, coro


class Map(ArrayMap):
    def procNum(self, index):
        return (index[0] + 1) % charm.numPes()


class C(Chare):
    def __init__(self, n=0):
        self.got = []

    def keep(self, o):
        o.append(1)
        self.got.append(o)

    def kind(self, lock):
        return type(lock).__name__

    def order(self, i):
        self.got.append(i)

    def take(self):
        got, self.got = self.got, []
        return got

    @coro
    def late(self, o):
        charm.sleep(0)
        o.append(2)

    @coro
    def makes(self):
        check()


def made():
    """What is made here, and not yet there."""
    me, npes = charm.myPe(), charm.numPes()
    yield Group(C)[me]
    yield Group(C, onPEs=[me])[me]
    yield Chare(C, onPE=me)
    yield Array(C, npes)[me]
    yield Array(C, (npes, 2))[me, 1]
    yield Array(C, npes, map=Group(Map))[(me - 1) % npes]
    a = Array(C, ndims=1)
    a.ckInsert(me, onPE=me)
    a.ckDoneInserting()
    e = a[me]
    e.take(ret=True).get()
    yield e


def check():
    # contract: 5.5.11
    for e in made():
        o = []
        e.keep(o)
        f = e.late(o, awaitable=True)
        e.keep(o)
        f.get()
        assert o == [1, 1, 2] or o == [1, 2, 1], o
        assert e.take(ret=True).get()[0] is o
    for e in made():
        assert e.kind(threading.Lock(), ret=True).get() == 'lock'
    # contract: 5.5.17
    for e in made():
        for i in range(50):
            e.order(i)
        assert e.take(ret=True).get() == list(range(50))
    # what goes to other PEs is copied at once
    npes = charm.numPes()
    far = (charm.myPe() + 1) % npes
    for e in (Group(C)[far], Chare(C, onPE=far), Array(C, npes)[far], Array(C, npes, map=Group(Map))[charm.myPe()]):
        o = []
        e.keep(o)
        o.append(5)
        assert e.take(ret=True).get() == ([[1]] if npes > 1 else [[5, 1]])


def main(args):
    check()
    if charm.numPes() > 1:
        Group(C)[1].makes(awaitable=True).get()
    exit()


charm.start(main)
