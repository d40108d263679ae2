"""Molecular dynamics: cells hold the atoms, pairs compute the forces, a balancer moves both.

    charmrun +p4 molecules.py [cells a side] [atoms] [steps] [steps per balancing] +balancer GreedyRefineLB

Space is a ring of cells in two dimensions. Each step a cell sends its atoms to the *pairs* that it
belongs to (an element of a sparse 4-D array for each two neighbour cells, and one for the cell
itself); a pair answers with the forces on either side. Forces are equal and opposite, so the
momentum stays what it was: that, and the number of atoms, is checked in the end. Atoms are
dense in one corner, so pairs there have much more to do: work for a balancer.
"""
import numpy as np

from charm4py import charm, Chare, Array, Future

SIDE = 4.0              # of a cell; the range of the force
DT = 0.02


def neighbours(index, n):
    """All cells around, and the cell itself, each once."""
    return sorted({((index[0] + dx) % n, (index[1] + dy) % n)
                   for dx in (-1, 0, 1) for dy in (-1, 0, 1)})


def pair(a, b):
    return min(a, b) + max(a, b)


def forces(a, b, width):
    """Force on each atom of a by those of b; soft, zero from SIDE on; the space wraps."""
    d = a[:, None, :] - b[None, :, :]
    d -= width * np.round(d / width)
    r2 = (d ** 2).sum(axis=2, keepdims=True)
    return d * np.where(r2 < SIDE ** 2, 1 - np.sqrt(r2) / SIDE, 0)


class Pair(Chare):

    def __init__(self, cells, width):
        first, second = self.thisIndex[:2], self.thisIndex[2:]
        self.ends = [cells[first]] if first == second else [cells[first], cells[second]]
        self.width, self.waiting = width, {}

    def atoms(self, step, cell, positions):
        self.waiting[cell] = positions
        if len(self.waiting) < len(self.ends):
            return
        (_, a), (_, b) = sorted(self.waiting.items()) * (2 // len(self.ends))
        force = forces(a, b, self.width)
        self.waiting = {}
        self.ends[0].push(step, force.sum(axis=1))
        if len(self.ends) == 2:
            self.ends[1].push(step, -force.sum(axis=0))

    def sync(self):
        self.AtSync()

    def resumeFromSync(self):
        pass


class Cell(Chare):

    def __init__(self, n, atoms, steps, period):
        self.n, self.steps, self.period = n, steps, period
        dense = self.thisIndex[0] < (n + 1) // 2 and self.thisIndex[1] < (n + 1) // 2
        count = round(atoms / n ** 2 * (2 if dense else 0.5))
        rng = np.random.default_rng(self.thisIndex[0] * 1000 + self.thisIndex[1])
        self.x = (rng.random((count, 2)) + self.thisIndex) * SIDE
        self.v = rng.normal(0, 1, (count, 2))
        self.step, self.force, self.answers = 0, 0, 0
        self.around = neighbours(self.thisIndex, n)
        self.moved, self.arrived = [], 0

    def state(self):
        return len(self.x), self.v.sum(axis=0)

    def begin(self, pairs, done):
        self.pairs, self.done = pairs, done
        self.go()

    def go(self):
        for cell in self.around:
            self.pairs[pair(self.thisIndex, cell)].atoms(self.step, self.thisIndex, self.x)

    def push(self, step, force):
        assert step == self.step
        self.force = self.force + force
        self.answers += 1
        if self.answers == len(self.around):
            self.move()

    def move(self):
        """New positions; atoms that left go to the neighbour cells."""
        self.v = self.v + DT * self.force
        self.x = (self.x + np.clip(DT * self.v, -SIDE / 2, SIDE / 2)) % (self.n * SIDE)
        self.force, self.answers = 0, 0
        cell = (self.x // SIDE).astype(int) % self.n
        sent = 0
        for nb in self.around:
            goes = (cell == nb).all(axis=1)
            self.thisProxy[nb].arrive(self.x[goes], self.v[goes])
            sent += goes.sum()
        assert sent == len(self.x), 'an atom moved by more than a cell'

    def arrive(self, x, v):
        """From each cell around, and from myself: those that stayed."""
        self.moved.append((x, v))
        self.arrived += 1
        if self.arrived == len(self.around):
            self.thisProxy[self.thisIndex].next()

    def next(self):
        self.x = np.concatenate([x for x, _ in self.moved])
        self.v = np.concatenate([v for _, v in self.moved])
        self.moved, self.arrived = [], 0
        self.step += 1
        if self.step == self.steps:
            self.reduce(self.done)
        elif self.step % self.period == 0:
            self.reduce(self.pairs.sync)            # all cells are here, so no pair has work
            self.AtSync()
        else:
            self.reduce(self.thisProxy.go)

    def resumeFromSync(self):
        self.go()


def totals(cells):
    states = cells.state(ret=True).get()
    return sum(n for n, _ in states), sum(p for _, p in states)


def main(args):
    numbers = [int(a) for a in args[1:]] + [None] * 4
    n, atoms = numbers[0] or 5, numbers[1] or 600
    steps, period = numbers[2] or 30, numbers[3] or 5
    if n < 3 or min(atoms, steps, period) < 1:
        exit('usage: molecules.py [cells a side, 3 or more] [atoms] [steps] [steps per balancing]')
    cells = Array(Cell, (n, n), args=[n, atoms, steps, period], useAtSync=True)
    pairs = Array(Pair, ndims=4, args=[], useAtSync=True)
    indexes = {pair((x, y), nb) for x in range(n) for y in range(n) for nb in neighbours((x, y), n)}
    for i, index in enumerate(sorted(indexes)):
        pairs.ckInsert(index, args=[cells, n * SIDE], onPE=i % charm.numPes(), useAtSync=True)
    pairs.ckDoneInserting()
    count, momentum = totals(cells)
    done = Future()
    cells.begin(pairs, done)
    done.get()
    count_after, momentum_after = totals(cells)
    print(f'{steps} steps, {n * n} cells, {len(indexes)} pairs; atoms {count} and {count_after}, '
          f'momentum {momentum.round(6)} and {momentum_after.round(6)}')
    charm.exit(0 if count == count_after and np.allclose(momentum, momentum_after) else 1)


charm.start(main)
