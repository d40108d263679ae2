"""Elements of arrays end, by themselves and through proxies, and their indexes are used again."""
# PEs: 1 2 4
from charm4py import charm, Chare, Array, Future, Reducer, coro, when


class Cell(Chare):
    def __init__(self, generation=0):
        self.generation, self.gate = generation, 0
        self.got = []

    def where(self):
        return self.generation, charm.myPe()

    def note(self, i):
        self.got.append(i)

    def notes(self):
        return self.got

    def end(self):
        # contract: 5.6.1
        self.ckDestroy()
        self.generation += 1                    # the method goes on
        return self.generation

    @coro
    def linger(self, pulse):
        charm.sleep(pulse)
        return 'ended'

    @when('self.gate == i')
    def held(self, i):
        return 'let in'

    def open(self, i):
        self.gate = i

    def count(self, done):
        self.reduce(done, 1, Reducer.sum)

    def split(self, parts):
        """As a cell of an adaptive mesh: ends, and two others take its place."""
        for part in parts:
            self.thisProxy.ckInsert(part, args=[self.generation + 1])
        self.ckDestroy()


def total(a):
    done = Future()
    a.count(done)
    return done.get()


def lost(call):
    try:
        call().get()
    except Exception as exc:
        return 'has been destroyed' in str(exc)
    return False


def ends(a):
    assert a[1].end(ret=True).get() == 1
    assert lost(lambda: a[1].where(ret=True)) and lost(lambda: a[1].note(3, awaitable=True))
    a[2].ckDestroy(awaitable=True).get()
    # contract: 5.6.2
    assert total(a) == 6 and len(a.where(ret=True).get()) == 6
    # contract: 5.6.3
    slow = a[3].linger(0.01, ret=True)
    waits = a[4].held(7, ret=True)
    a[3].ckDestroy(), a[4].ckDestroy(awaitable=True).get()
    a[4].open(7)
    assert slow.get() == 'ended' and waits.get() == 'let in'
    charm.waitQD()
    assert total(a) == 4


def mesh(a, root):
    """Cells split and end; their indexes come again in the next round."""
    # contract: 5.6.4
    for generation in range(6):
        a[root].split([root + 100, root + 200])
        charm.waitQD()
        assert a[root + 100].where(ret=True).get()[0] == generation * 2 + 1
        assert total(a) == 5
        for part in (100, 200):
            for i in range(5):
                a[root + part].note(i)
            assert a[root + part].notes(ret=True).get() == list(range(5))
        a[root + 100].split([root])
        a[root + 200].end(ret=True).get()
        charm.waitQD()
        assert a[root].where(ret=True).get()[0] == generation * 2 + 2 and total(a) == 4


def main(args):
    a = Array(Cell, ndims=1)
    for i in range(8):
        a.ckInsert(i)
    a.ckDoneInserting()
    ends(a)
    mesh(a, 5)
    # all of them at once
    a.ckDestroy(awaitable=True).get()
    charm.waitQD()
    assert a.where(ret=True).get() == []
    exit()


charm.start(main)
