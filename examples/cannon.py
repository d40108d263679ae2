"""Multiplies matrices on a square of chares (Cannon's algorithm).

    charmrun +p4 cannon.py [matrix side] [chares a side]

Each chare holds a block of A, B and C. The blocks of A are first moved left by their row, those
of B up by their column; then everybody multiplies what it has, passes A to the left and B up,
and so on until all have passed all.
"""
import numpy as np

from charm4py import charm, Chare, Array, Channel, Reducer, Future, coro


def value_a(i, j):
    return (i * 3 + j * 5) % 7 - 3.0


def value_b(i, j):
    return (i * 2 + j * 7) % 11 - 5.0


class Block(Chare):

    def __init__(self, side, chares):
        super().__init__()
        self.chares, n = chares, side // chares
        row, column = self.thisIndex
        k = (row + column) % chares                         # where the skewed blocks come from
        i, j = np.arange(n)[:, None], np.arange(n)[None, :]
        self.a = value_a(row * n + i, k * n + j)
        self.b = value_b(k * n + i, column * n + j)
        self.c = np.zeros((n, n))

    @coro
    def run(self, done):
        q, (row, column) = self.chares, self.thisIndex
        if q > 1:
            left, right, up, down = [Channel(self, remote=self.thisProxy[at]) for at in (
                (row, (column - 1) % q), (row, (column + 1) % q),
                ((row - 1) % q, column), ((row + 1) % q, column))]
        for step in range(q):
            self.c += self.a @ self.b
            if step + 1 < q:
                left.send(self.a)
                up.send(self.b)
                self.a, self.b = right.recv(), down.recv()
        self.reduce(done, self.c, Reducer.gather)


def main(args):
    side = int(args[1]) if len(args) > 1 else 120
    chares = int(args[2]) if len(args) > 2 else 3
    if chares < 1 or side % chares:
        exit('usage: cannon.py [matrix side, a multiple of ..] [chares a side]')
    done = Future()
    Array(Block, (chares, chares), args=[side, chares]).run(done)
    blocks = done.get()                                     # sorted by index
    c = np.block([blocks[row * chares:(row + 1) * chares] for row in range(chares)])
    i, j = np.arange(side)[:, None], np.arange(side)[None, :]
    good = np.allclose(c, value_a(i, j) @ value_b(i, j))
    print(f'{side} x {side} on {chares} x {chares} chares:', 'right' if good else 'wrong')
    charm.exit(0 if good else 1)


charm.start(main)
