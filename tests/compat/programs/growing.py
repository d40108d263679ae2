"""Arrays grow after ckDoneInserting, or beyond their sizes, whoever inserts, and reductions and broadcasts have all elements."""
# PEs: 1 2 4
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro


class Cell(Chare):
    def __init__(self, label=0):
        self.label = label

    def count(self, done):
        self.reduce(done, 1, Reducer.sum)

    def name(self):
        return self.thisIndex[-1]

    def index(self):
        return self.thisIndex

    def hop(self):
        self.migrate((charm.myPe() + 1) % charm.numPes())

    def insert(self, indexes):
        for i in indexes:
            self.thisProxy.ckInsert(i)


class Other(Chare):
    def insert(self, a, first, n):
        for i in range(first + charm.myPe(), first + n, charm.numPes()):
            a.ckInsert(i, args=[i], onPE=i % charm.numPes())
        a.ckDoneInserting()

    @coro
    def call(self, a, i):
        return a[i].index(ret=True).get()

    def insert_one(self, a, i):
        a.ckInsert(i)


def total(a):
    done = Future()
    a.count(done)
    return done.get()


def outside(others, sizes, indexes):
    """An array that was made with sizes grows beyond them."""
    a = Array(Cell, sizes)
    n = len(a.name(ret=True).get())
    # contract: 5.4.6
    try:
        a[indexes[0]].name(ret=True)
        raise Exception('no error')
    except IndexError:
        pass
    # contract: 5.3.7
    for k, i in enumerate(indexes):
        others[k % charm.numPes()].insert_one(a, i, awaitable=True).get()
        charm.waitQD()
        assert total(a) == n + k + 1
        whole = i if isinstance(i, tuple) else (i,)
        assert others.call(a, i, ret=True).get() == [whole] * charm.numPes()
    a.hop(awaitable=True).get()
    charm.waitQD()
    for i in indexes:                           # also those that do not fit into a key
        assert a[i].index(ret=True).get() == (i if isinstance(i, tuple) else (i,))
    first = 0 if isinstance(sizes, int) else (0,) * len(sizes)
    a[first].ckDestroy(awaitable=True).get()
    assert total(a) == n + len(indexes) - 1
    a.ckInsert(first, args=[5])
    charm.waitQD()
    assert total(a) == n + len(indexes)


def main(args):
    others = Group(Other)
    outside(others, 4, [7, 9, -3, 1 << 40])
    outside(others, (2, 3), [(5, 1), (0, 3), (-1, -1), (1 << 40, 2)])
    for wait in ('no', 'quiet', 'reduction', 'result', 'a while'):
        a = Array(Cell, ndims=1)
        for i in range(3):
            a.ckInsert(i)
        a.ckDoneInserting()
        if wait == 'quiet':
            charm.waitQD()
        elif wait == 'reduction':
            assert total(a) == 3
        elif wait == 'result':
            assert a.name(ret=True).get() == [0, 1, 2]
        elif wait == 'a while':
            charm.sleep(0.003)
        # contract: 5.3.6
        for i in range(3, 6):
            a.ckInsert(i)
        a.ckDoneInserting()
        assert total(a) == 6, wait              # the broadcast comes after the insertions
        # from everywhere, and an element inserts, too
        others.insert(a, 10, 8)
        a[1].insert([20, 21])
        charm.waitQD()
        assert total(a) == 16, wait
        assert a.name(ret=True).get() == [*range(6), *range(10, 18), 20, 21]
        # a call to an element that comes later waits for it
        late = a[30].name(ret=True)
        a.ckInsert(30)
        assert late.get() == 30 and total(a) == 17
    exit()


charm.start(main)
