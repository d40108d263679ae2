"""Collections whose elements are all on few PEs: broadcasts, reductions, waiting, sections."""
# PEs: 1 2 4 8
import random

from charm4py import charm, Chare, Group, Array, ArrayMap, Future, Reducer, coro


class OnOne(ArrayMap):

    def __init__(self, pes):
        self.pes = pes

    def procNum(self, index):
        return self.pes[sum(index) % len(self.pes)]


class Cell(Chare):

    def __init__(self, pes=None):
        self.first = charm.myPe()
        self.pes = pes

    def total(self, future):
        self.reduce(future, 1, Reducer.sum)

    @coro
    def everybody(self):
        return self.allreduce(1, Reducer.sum).get()

    def where(self):
        return self.first

    def gathered(self, future):
        self.reduce(future, self.thisIndex, Reducer.gather)


class Part(Cell):
    pass


def check(proxy, size, indexes=None):
    for _ in range(3):
        future = Future()
        proxy.total(future)
        assert future.get() == size
        assert len(proxy.where(ret=True).get()) == size
        assert proxy.everybody(ret=True).get() == [size] * size
    future = Future()
    proxy.gathered(future)
    assert indexes is None or future.get() == sorted(indexes)


def main(args):
    seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
    print('seed', seed)
    rng = random.Random(seed)
    n = charm.numPes()
    for _ in range(3):
        pes = rng.sample(range(n), rng.randint(1, min(n, 2)))
        placed = Array(Cell, (2, 2), args=[pes], map=Group(OnOne, args=[pes]))
        assert set(placed.where(ret=True).get()) <= set(pes)
        check(placed, 4, [(0, 0), (0, 1), (1, 0), (1, 1)])

        sparse = Array(Cell, ndims=1)
        indexes = rng.sample(range(-1000, 1000), 3)
        for index in indexes:
            sparse.ckInsert(index, onPE=pes[-1])
        sparse.ckDoneInserting()
        assert set(sparse.where(ret=True).get()) == {pes[-1]}
        check(sparse, 3, [(i,) for i in indexes])

        part = Group(Part, onPEs=pes)
        assert sorted(part.where(ret=True).get()) == sorted(pes)
        check(part, len(pes), pes)

        one = Array(Cell, 1)
        check(one, 1, [(0,)])
        single = Chare(Cell, onPE=pes[0])
        assert single.where(ret=True).get() == pes[0]
        future = Future()
        single.total(future)
        assert future.get() == 1

        sections = charm.split(Array(Cell, 2 * n), 2, elems=[[(0,)], [(0,), (2 * n - 1,)]])
        assert [len(s.where(ret=True).get()) for s in sections] == [1, 2]
    exit()


charm.start(main)
