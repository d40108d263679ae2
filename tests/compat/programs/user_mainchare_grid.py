"""The older form: an entry chare whose methods are called back, classes given by name."""
import numpy as np

from charm4py import charm, Chare, Array, Group, Reducer, when


class Main(Chare):

    def __init__(self, args):
        self.rounds = 0
        self.mainProxy = self.thisProxy
        self.grid = Array(Cell, (3, 4), args=[self.thisProxy, 3])
        self.group = Group(Watcher, args=[self.thisProxy])
        charm.awaitCreation(self.grid, self.group)
        self.grid.run()

    def collect(self, result):
        assert isinstance(result, np.ndarray) and result[0] == 12 and result.sum() == 12 + 12 * self.rounds
        self.rounds += 1
        if self.rounds == 5:
            self.group.finish()
        else:
            self.grid.run()

    def finished(self):
        self.thisProxy.end(3, code=0)

    def end(self, n, code=1):
        assert n == 3
        charm.exit(code)


class Cell(Chare):

    def __init__(self, mainProxy, rest):
        super().__init__()
        self.main, self.iteration, self.got = mainProxy, 0, 0
        i, j = self.thisIndex
        self.nbs = [self.thisProxy[(i + 1) % 3, j], self.thisProxy[i, (j + 1) % 4],
                    self.thisProxy[((i - 1) % 3, (j - 1) % 4)]]

    def run(self):
        for nb in self.nbs:
            nb.ghost(self.iteration, np.full(10, self.iteration, dtype=np.int32))

    @when("self.iteration == iteration")
    def ghost(self, iteration, data):
        assert (data == iteration).all() and data.dtype == np.int32
        self.got += 1
        if self.got == 3:
            self.contribute(np.array([1.0, float(self.iteration)]), Reducer.sum, self.main.collect)
            self.got = 0
            self.iteration += 1


class Watcher(Chare):

    def __init__(self, main):
        self.main = main

    def finish(self):
        self.contribute(None, None, self.main.finished)


charm.start(Main, [Cell, Watcher])
