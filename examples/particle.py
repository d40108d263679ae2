"""Particles drift through a 2-D grid of cells, so the load is uneven and moves.

    charmrun +p4 particle.py [cells per side] [particles] [steps] [steps per balancing]

Each cell is a chare of a 2-D array.  In every step it computes forces among
its own particles, moves them, and hands those that left to the neighbour cells
through channels.  Every few steps all cells call AtSync, so that the balancer
given by +balancer can move cells between PEs.  At the end the particles are
counted: none may be lost, wherever the cells went meanwhile.
"""
import time

import numpy as np

from charm4py import charm, Chare, Array, Channel, Future, Reducer, coro

SIDE = 100.0                # length of a cell's side
SPEED = 12.0                # of the drift, per step


def initial_particles(index, ncells, total, rng):
    """The positions in one cell: nearly all particles start in one corner."""
    corner = max(1, ncells // 3)
    inside = index[0] < corner and index[1] < corner
    share = 0.9 / corner ** 2 if inside else 0.1 / (ncells ** 2 - corner ** 2 or 1)
    n = round(total * share)
    return (rng.random((n, 2)) + np.array(index)) * SIDE


class Cell(Chare):

    def __init__(self, ncells, total, steps, sync_every, done):
        self.ncells, self.steps, self.sync_every = ncells, steps, sync_every
        self.done = done
        self.step = 0
        self.rng = np.random.default_rng(1000 * self.thisIndex[0] + self.thisIndex[1])
        self.particles = initial_particles(self.thisIndex, ncells, total, self.rng)
        self.ntotal = ncells * SIDE
        self.times = []
        self.channels = [Channel(self, remote=self.thisProxy[nb]) for nb in self.neighbours()]

    def neighbours(self):
        """Indexes of the eight cells around, the grid wraps."""
        x, y = self.thisIndex
        return [((x + dx) % self.ncells, (y + dy) % self.ncells)
                for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]

    def count(self, callback):
        self.reduce(callback, len(self.particles), Reducer.sum)

    def forces(self):
        """Mutual repulsion, in chunks so that memory stays small: O(n^2)."""
        push = np.zeros_like(self.particles)
        for first in range(0, len(self.particles), 64):
            delta = self.particles[first:first + 64, None, :] - self.particles[None, :, :]
            push[first:first + 64] = (delta / ((delta ** 2).sum(axis=2, keepdims=True) + 1.0)).sum(axis=1)
        return push

    def leaving(self):
        """Moves the particles; returns those that left, by neighbour."""
        if len(self.particles):
            noise = self.rng.normal(0.0, 3.0, self.particles.shape)
            self.particles = (self.particles + 0.05 * self.forces() + noise + SPEED) % self.ntotal
        cell = (self.particles // SIDE).astype(int) % self.ncells
        parts = []
        stay = (cell == self.thisIndex).all(axis=1)
        for nb in self.neighbours():
            goes = (cell == nb).all(axis=1) & ~stay
            parts.append(self.particles[goes])
            stay |= goes
        here = (cell == self.thisIndex).all(axis=1)
        assert (here | stay).all(), 'a particle moved by more than a cell'
        self.particles = self.particles[here]
        return parts

    @coro
    def run(self):
        """Steps until the next balancing, or the end."""
        begin = time.perf_counter()
        while self.step < self.steps:
            for channel, part in zip(self.channels, self.leaving()):
                channel.send(part)
            arrived = [channel.recv() for channel in self.channels]
            self.particles = np.concatenate([self.particles] + arrived)
            self.step += 1
            if self.step % self.sync_every == 0 and self.step < self.steps:
                self.report(begin)
                self.AtSync()
                return
        self.report(begin)
        self.reduce(self.done, len(self.particles), Reducer.sum)

    def report(self, begin):
        """Cell (0, 0) prints how long this stretch took."""
        if self.thisIndex == (0, 0):
            steps = self.step % self.sync_every or self.sync_every
            print(f'step {self.step:4d}: {(time.perf_counter() - begin) / steps * 1e3:8.2f} ms a step')

    def resumeFromSync(self):
        self.thisProxy[self.thisIndex].run()


def main(args):
    numbers = [int(a) for a in args[1:]] + [None] * 4
    ncells, total = numbers[0] or 10, numbers[1] or 3000
    steps, sync_every = numbers[2] or 40, numbers[3] or 5
    done, counted = Future(), Future()
    cells = Array(Cell, (ncells, ncells), args=[ncells, total, steps, sync_every, done],
                  useAtSync=True)
    charm.awaitCreation(cells)
    cells.count(counted)
    before = counted.get()
    begin = time.perf_counter()
    cells.run()
    after = done.get()
    seconds = time.perf_counter() - begin
    print(f'{steps} steps, {ncells * ncells} cells on {charm.numPes()} PEs: {seconds:.3f} s, '
          f'{seconds / steps * 1e3:.2f} ms a step')
    print(f'particles: {before} before, {after} after')
    charm.exit(0 if before == after else 1)


charm.start(main)
