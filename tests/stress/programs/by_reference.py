"""Within a PE arguments go by reference, to another PE never: what is changed after the
call arrives there as it was."""
# PEs: 1 2 4 8
import random

import numpy as np

from charm4py import charm, Chare, Group, Array, Channel, Future, coro, readonlies


def values(rng):
    """Mutable values of all sizes, and how to spoil each."""
    n = rng.choice([1, 10, 300, 3000, 50000])
    a = np.arange(n, dtype=float)
    shared = [n]
    return [
        ([1, [2, n]], lambda v: v[1].append('spoilt')),
        ({'k': [n]}, lambda v: v['k'].clear()),
        (bytearray(range(200)) * (n // 100 + 1), lambda v: v.__setitem__(slice(None), bytes(len(v)))),
        (a, lambda v: v.fill(-1)),
        (a[::-1][::2].copy(), lambda v: v.fill(-1)),
        ((a.copy(), shared, shared), lambda v: (v[0].fill(-1), v[1].append(0))),
        ({n, 'x'}, lambda v: v.clear()),
    ]


def same(x, y):
    if isinstance(x, np.ndarray):
        return type(y) is type(x) and x.dtype == y.dtype and np.array_equal(x, y)
    if isinstance(x, (tuple, list)):
        return type(x) is type(y) and len(x) == len(y) and all(map(same, x, y))
    return type(x) is type(y) and x == y


def fresh(seed):
    return [value for value, _ in values(random.Random(seed))]


class Taker(Chare):

    def __init__(self):
        self.taken = 0

    def take(self, seed, which, value):
        assert same(fresh(seed)[which], value), (seed, which, value)
        spoil = values(random.Random(seed))[which][1]
        spoil(value)  # belongs to this PE: nobody else sees it
        self.taken += 1

    def give(self, seed, which):
        self.gift = fresh(seed)[which]
        return self.gift

    @coro
    def pass_on(self, seed, which, future, remote):
        value, spoil = values(random.Random(seed))[which]
        future.send(value)
        channel = Channel(self, remote=remote)
        if remote != self.thisProxy[self.thisIndex]:
            spoil(value)
        value, spoil = values(random.Random(seed))[which]
        channel.send(value)
        if charm.myPe() != 0:
            spoil(value)

    def is_same(self, number, value):
        return id(value) == number

    def count(self):
        return self.taken


class Main(Chare):

    def __init__(self, args):
        seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
        print('seed', seed)
        rng = random.Random(seed)
        group = Group(Taker)
        array = Array(Taker, 4 * charm.numPes())
        others = [pe for pe in range(charm.numPes()) if pe != charm.myPe()]
        charm.awaitCreation(group, array)
        self.here(group)
        sent = self.mutate_after_sending(rng, group, others)
        assert sum(group.count(ret=True).get()) == sent
        self.broadcasts(rng, group, array)
        for pe in others:
            self.results(rng, group, pe)
        exit()

    def here(self, group):
        """The object itself arrives, whatever it is."""
        for value in ([1], {}, np.zeros(3), bytearray(b'x'), lambda: 1, object(), open):
            assert group[0].is_same(id(value), value, ret=True).get()

    def mutate_after_sending(self, rng, group, others):
        sent = 0
        for pe in others:
            for _ in range(12):
                seed = rng.randrange(1 << 30)
                for which, (value, spoil) in enumerate(values(random.Random(seed))):
                    group[pe].take(seed, which, value)
                    spoil(value)
                    sent += 1
        charm.waitQD()
        return sent

    def broadcasts(self, rng, group, array):
        """Each PE has its own copy; the elements of one may share it."""
        before = sum(group.count(ret=True).get())
        for _ in range(3):
            seed = rng.randrange(1 << 30)
            for which, (value, spoil) in enumerate(values(random.Random(seed))):
                group.take(seed, which, value)
                spoil(value)
        charm.waitQD()
        assert sum(group.count(ret=True).get()) == before + 3 * 7 * charm.numPes()
        value = [1]
        assert all(array.is_same(0, value, ret=True).get()) is False

    def results(self, rng, group, pe):
        """What a method returns, and what goes through futures and channels."""
        for which in range(7):
            seed = rng.randrange(1 << 30)
            assert same(fresh(seed)[which], group[pe].give(seed, which, ret=True).get())
            future, channel = Future(), Channel(self, remote=group[pe])
            group[pe].pass_on(seed, which, future, self.thisProxy)
            assert same(fresh(seed)[which], future.get())
            assert same(fresh(seed)[which], channel.recv())


charm.start(Main)
