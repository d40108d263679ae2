# arguments: 12 4 5
"""Three dimensions: ghost faces by when, a reduction a step to the entry chare, arguments checked."""
import sys
import time
from array import array

import numpy as np

from charm4py import charm, Chare, Array, Reducer, when, readonlies


class Main(Chare):

    def __init__(self, args):
        if len(args) not in (1, 4):
            charm.abort('usage: user_stencil3d.py array block iterations')
        readonlies.n, readonlies.b, readonlies.iterations = [int(a) for a in args[1:]]
        readonlies.chares = readonlies.n // readonlies.b
        readonlies.main = self.thisProxy
        self.start = time.time()
        k = readonlies.chares
        self.stencil = Array(Stencil, (k, k, k), useAtSync=True)
        self.stencil.begin()

    def report(self, norms):
        assert len(norms) == 2 and norms[0] == readonlies.n ** 3
        print('norm', float(norms[1]), time.time() - self.start)
        charm.exit()


class Stencil(Chare):

    def __init__(self):
        ro = readonlies
        self.t = np.ones((ro.b,) * 3) * (1 + sum(self.thisIndex))
        self.iter, self.faces, self.sum = -1, 0, 0.0

    def begin(self):
        ro = readonlies
        self.iter += 1                              # faces that came early are for now
        for axis in range(3):
            for side, step in ((0, -1), (ro.b - 1, 1)):
                to = list(self.thisIndex)
                to[axis] = (to[axis] + step) % ro.chares
                face = np.take(self.t, side, axis=axis)
                self.thisProxy[to].updateGhosts(self.iter, (axis, step), ro.b, ro.b, face,
                                                array('d', face.ravel()))

    @when('iteration == self.iter')
    def updateGhosts(self, iteration, direction, h, w, face, same):
        assert face.shape == (h, w) and same.typecode == 'd' and list(same) == list(face.ravel())
        self.faces += 1
        self.sum += face.mean()
        if self.faces == 6:
            self.t = (self.t + self.sum) / 7
            self.faces, self.sum = 0, 0.0
            if self.iter + 1 == readonlies.iterations:
                self.contribute([float(self.t.size), float(self.t.sum())], Reducer.sum, readonlies.main.report)
            elif self.iter % 2:
                self.AtSync()
            else:
                self.begin()

    def resumeFromSync(self):
        self.begin()


sys.argv += ['+balancer', 'RandCentLB']
charm.start(Main)
