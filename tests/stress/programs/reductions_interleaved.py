"""Reductions of many collections, whose members contribute in any order of the collections."""
# PEs: 1 2 4 8
import random

import numpy as np

from charm4py import charm, Chare, Group, Array, Future, Reducer, coro

ROUNDS = 15


def longest(contributions):
    return max(contributions, key=lambda s: (len(s), s))


Reducer.addReducer(longest)


class Member(Chare):

    def go(self, seed, futures, name):
        """The k-th reductions of all members match; the kinds differ with k."""
        rng = random.Random(f'{seed} {name} {self.thisIndex} {charm.myPe()}')
        self.mine = list(range(len(futures)))
        self.futures = futures
        self.rng = rng
        self.more()

    def more(self):
        for _ in range(self.rng.randrange(4)):
            if not self.mine:
                return
            self.contribute_to(self.mine.pop(0))
        if self.mine:
            self.thisProxy[self.thisIndex].more()

    def contribute_to(self, k):
        where = self.thisIndex if isinstance(self.thisIndex, int) else self.thisIndex[0]
        future = self.futures[k]
        if k % 5 == 0:
            self.reduce(future, where, Reducer.sum)
        elif k % 5 == 1:
            self.reduce(future)
        elif k % 5 == 2:
            self.contribute(np.full(k * 50 + 1, where), Reducer.max, future)
        elif k % 5 == 3:
            self.reduce(future, (where, 'x' * k), Reducer.gather)
        else:
            self.reduce(future, 'y' * where, Reducer.longest)

    @coro
    def barrier(self, n):
        """Allreduces one after the other, and broadcasts awaited between them."""
        where = self.thisIndex if isinstance(self.thisIndex, int) else self.thisIndex[0]
        totals = []
        for k in range(n):
            totals.append(self.allreduce(where + k, Reducer.sum).get())
            self.allreduce().get()
        return totals

    def ping(self):
        return charm.myPe()


class Other(Member):
    pass


def expected(k, size):
    if k % 5 == 0:
        return size * (size - 1) // 2
    if k % 5 == 1:
        return None
    if k % 5 == 2:
        return [size - 1] * (k * 50 + 1)
    if k % 5 == 3:
        return [(i, 'x' * k) for i in range(size)]
    return 'y' * (size - 1)


def main(args):
    seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
    print('seed', seed)
    rng = random.Random(seed)
    n = charm.numPes()
    collections = {'group': (Group(Member), n), 'group 2': (Group(Other), n),
                   'one': (Array(Member, 1), 1), 'two': (Array(Other, 2), 2),
                   'many': (Array(Other, 7 * n + 3), 7 * n + 3), 'again': (Array(Member, 5), 5)}
    names = list(collections)
    rng.shuffle(names)
    futures = {name: [Future() for _ in range(ROUNDS)] for name in names}
    for name in names:
        collections[name][0].go(seed, futures[name], name)
    awaited = {name: collections[name][0].ping(ret=True) for name in names}
    order = [(name, k) for name in names for k in range(ROUNDS)]
    rng.shuffle(order)
    for name, k in order:
        got = futures[name][k].get()
        got = got.tolist() if isinstance(got, np.ndarray) else got
        size = collections[name][1]
        assert got == expected(k, size), (name, k, got)
    for name in names:
        assert len(awaited[name].get()) == collections[name][1]
    barriers = {name: collections[name][0].barrier(6, ret=True) for name in names}
    rng.shuffle(names)
    for name in names:
        size = collections[name][1]
        assert barriers[name].get() == [[size * (size - 1) // 2 + k * size for k in range(6)]] * size
    exit()


charm.start(main)
