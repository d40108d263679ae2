"""Heat in a plate: Jacobi's iteration on a grid, blocks exchange their edges through channels.

    charmrun +p4 jacobi2d.py [grid side] [blocks a side] [iterations]

The left edge of the plate is kept hot. Each block of the grid is an element of a 2-D array,
with a frame of one point for the neighbours' values. Where Numba is installed, the update is
compiled; else NumPy does it. The result is compared with that of one block that does all.
"""
import sys
import time

import numpy as np

from charm4py import charm, Chare, Array, Channel, Reducer, coro

try:
    from numba import njit
except ImportError:
    njit = None


def relax_numpy(old, new):
    new[1:-1, 1:-1] = 0.25 * (old[:-2, 1:-1] + old[2:, 1:-1] + old[1:-1, :-2] + old[1:-1, 2:])


def relax_loops(old, new):
    for i in range(1, old.shape[0] - 1):
        for j in range(1, old.shape[1] - 1):
            new[i, j] = 0.25 * (old[i - 1, j] + old[i + 1, j] + old[i, j - 1] + old[i, j + 1])


relax = njit(relax_loops) if njit else relax_numpy

# For each direction: the step to the neighbour, the edge to send, the part of the frame to fill.
SIDES = [((-1, 0), np.s_[1, 1:-1], np.s_[0, 1:-1]), ((1, 0), np.s_[-2, 1:-1], np.s_[-1, 1:-1]),
         ((0, -1), np.s_[1:-1, 1], np.s_[1:-1, 0]), ((0, 1), np.s_[1:-1, -2], np.s_[1:-1, -1])]


class Block(Chare):

    def __init__(self, side, blocks):
        n = side // blocks
        self.old = np.zeros((n + 2, n + 2))
        if self.thisIndex[1] == 0:
            self.old[:, 0] = 1.0                            # the hot edge
        self.new = self.old.copy()
        self.sides = {}                                     # channel -> what to send, where to put
        for step, edge, frame in SIDES:
            at = (self.thisIndex[0] + step[0], self.thisIndex[1] + step[1])
            if all(0 <= x < blocks for x in at):
                self.sides[Channel(self, remote=self.thisProxy[at])] = edge, frame

    @coro
    def run(self, iterations):
        for _ in range(iterations):
            for channel, (edge, _) in self.sides.items():
                channel.send(self.old[edge].copy())
            for channel in charm.iwait(list(self.sides)):
                self.old[self.sides[channel][1]] = channel.recv()
            relax(self.old, self.new)
            self.old, self.new = self.new, self.old
        return self.old[1:-1, 1:-1].sum()

    @coro
    def hottest(self):
        """The same on all blocks."""
        return self.allreduce(self.old[1:-1, 1:-1].max(), Reducer.max).get()


def alone(side, iterations):
    """What one block does that is the whole plate."""
    old = np.zeros((side + 2, side + 2))
    old[:, 0] = 1.0
    new = old.copy()
    for _ in range(iterations):
        relax_numpy(old, new)
        old, new = new, old
    return old[1:-1, 1:-1]


def main(args):
    numbers = [int(a) for a in args[1:]] + [None] * 3
    side, blocks, iterations = numbers[0] or 240, numbers[1] or 4, numbers[2] or 100
    if side % blocks:
        exit('usage: jacobi2d.py [grid side, a multiple of ..] [blocks a side] [iterations]')
    print('update by', 'Numba' if njit else 'NumPy (Numba is not installed)')
    plate = Array(Block, (blocks, blocks), args=[side, blocks])
    charm.awaitCreation(plate)
    begin = time.perf_counter()
    heat = sum(plate.run(iterations, ret=True).get())
    print(f'{(time.perf_counter() - begin) / iterations * 1e3:.3f} ms an iteration', file=sys.stderr)
    hottest = plate.hottest(ret=True).get()
    expected = alone(side, iterations)
    print(f'{iterations} iterations: heat {heat:.6f}, alone {expected.sum():.6f}')
    good = np.isclose(heat, expected.sum()) and set(hottest) == {expected.max()}
    charm.exit(0 if good else 1)


charm.start(main)
