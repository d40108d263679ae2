"""The wave equation in two dimensions: a drop falls into a basin cut into strips.

    charmrun +p4 wave2d.py [grid side] [strips] [steps]

Strips send their edge rows by plain calls. A row may come before its strip has begun the step,
so the method has a condition: @when keeps the message until the step is the right one.
"""
import numpy as np

from charm4py import charm, Chare, Array, Future, Reducer, when

C2 = 0.25                                                   # (speed * time step / grid step)^2


def drop(side):
    """The height of the water in the beginning."""
    x = np.arange(side) - side / 3
    return np.exp(-(x[:, None] ** 2 + x[None, :] ** 2) / (side / 10) ** 2)


def advance(before, now):
    """One step for the rows 1..-2 of `now`; the columns wrap around."""
    middle = now[1:-1]
    curve = now[:-2] + now[2:] + np.roll(middle, 1, 1) + np.roll(middle, -1, 1) - 4 * middle
    return 2 * middle - before[1:-1] + C2 * curve


class Strip(Chare):

    def __init__(self, side, strips, steps, done):
        me, rows = self.thisIndex[0], side // strips
        self.above, self.below = self.thisProxy[(me - 1) % strips], self.thisProxy[(me + 1) % strips]
        self.steps, self.step, self.missing, self.done = steps, -1, 2, done
        self.now = np.zeros((rows + 2, side))
        self.now[1:-1] = drop(side)[me * rows:(me + 1) * rows]
        self.before = self.now.copy()

    def begin(self):
        """The next step; edges for it that are here already are taken now."""
        self.step += 1
        self.above.edge(self.step, -1, self.now[1])         # my first row is below theirs
        self.below.edge(self.step, 0, self.now[-2])

    @when('self.step == step')
    def edge(self, step, row, values):
        self.now[row] = values
        self.missing -= 1
        if self.missing:
            return
        after = advance(self.before, self.now)
        self.before, self.now = self.now, np.zeros_like(self.now)
        self.now[1:-1] = after
        self.missing = 2
        if self.step + 1 < self.steps:
            self.begin()
        else:
            self.reduce(self.done, self.now[1:-1].copy(), Reducer.gather)


def alone(side, steps):
    """The whole basin as one strip."""
    now = drop(side)
    before = now.copy()
    for _ in range(steps):
        def framed(a):
            return np.vstack([a[-1:], a, a[:1]])
        before, now = now, advance(framed(before), framed(now))
    return now


def main(args):
    numbers = [int(a) for a in args[1:]] + [None] * 3
    side, strips, steps = numbers[0] or 120, numbers[1] or 8, numbers[2] or 50
    if side % strips or steps < 1:
        exit('usage: wave2d.py [grid side, a multiple of ..] [strips] [steps]')
    done = Future()
    Array(Strip, strips, args=[side, strips, steps, done]).begin()
    water = np.vstack(done.get())
    print(f'after {steps} steps the water is between {water.min():.4f} and {water.max():.4f}')
    charm.exit(0 if np.allclose(water, alone(side, steps)) else 1)


charm.start(main)
