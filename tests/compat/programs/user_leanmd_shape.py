"""A map with arguments, tuples as args, a sparse array of pairs, sections of partners, a coroutine called locally."""
from charm4py import charm, Chare, Array, ArrayMap, Future, Group, Reducer, coro
from charm4py import readonlies as ro


class Map(ArrayMap):

    def __init__(self, n, shift):
        self.n, self.shift = n, shift

    def procNum(self, index):
        return (sum(index) + self.shift) % charm.numPes()


class Cell(Chare):

    def __init__(self, computes):
        self.computes, self.total = computes, 0

    def setSection(self, proxies):
        self.mine = proxies[self.thisIndex[0]]

    @coro
    def run(self, done):
        for step in range(3):
            values = self.exchange(step)
            self.total += sum(values)
        self.reduce(done, self.total, Reducer.sum)

    @coro
    def exchange(self, step):
        return self.mine.pull(step, ret=True).get()

    def state(self, *more, scale=2):
        return self.total * scale + len(more)


class Compute(Chare):

    def __init__(self, number):
        assert charm.myPe() == (sum(self.thisIndex) + 1) % charm.numPes()
        self.number = number

    def pull(self, step):
        return self.number + step


def main(args):
    ro.n = n = 5
    place = Group(Map, args=(n, 1))
    computes = Array(Compute, ndims=2, map=place)
    for i in range(n):
        for j in range(i, n):
            computes.ckInsert((i, j), args=(i * n + j,))
    computes.ckDoneInserting()
    cells = Array(Cell, [n], args=(computes,), useAtSync=False)
    partners = [[(i, j) for i in range(n) for j in range(i, n) if k in (i, j)] for k in range(n)]
    sections = charm.split(computes, n, elems=partners)
    cells.setSection(sections, awaitable=True).get()
    done = Future()
    cells.run(done)
    expected = sum(i * n + j + step for step in range(3) for pairs in partners for i, j in pairs)
    assert done.get() == expected
    assert sum(cells.state(ret=1).get()) == 2 * expected
    charm.thisProxy[0].exit()


charm.start(main)
