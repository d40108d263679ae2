"""A million elements: made, called, reduced, moved, and a million single calls."""
# PEs: 2
# repeat: once
# stress: no
from charm4py import charm, Chare, Array, Future, Reducer

N = 1_000_000


class Cell(Chare):

    def add(self, future, x):
        self.reduce(future, x, Reducer.sum)

    def one(self):
        self.x = 1

    def has(self, future):
        self.reduce(future, self.x, Reducer.sum)


def main(args):
    for dims in (N, (1000, 10, 100)):
        array = Array(Cell, dims)
        charm.awaitCreation(array)
        future = Future()
        array.add(future, 1)
        assert future.get() == N
    for i in range(1000):
        for j in range(10):
            for k in range(100):
                array[i, j, k].one()
    charm.waitQD()
    future = Future()
    array.has(future)
    assert future.get() == N
    for i in range(1000):
        array[i, 0, 0].migrate(1)
    charm.waitQD()
    array.has(future := Future())
    assert future.get() == N
    array.one(awaitable=True).get()
    exit()


charm.start(main)
