"""Broadcasts, calls and reductions while elements move: each arrives exactly once."""
# PEs: 1 2 4 8
import random

from charm4py import charm, Chare, Group, Array, Future, Reducer, coro, readonlies

CASTS = 30
ELEMENTS = 24


class Walker(Chare):

    def __init__(self, seed):
        self.rng = random.Random(seed + self.thisIndex[0])
        self.got = []
        self.calls = self.moves = 0
        self.pe = charm.myPe()

    def step(self, i, payload):
        assert len(payload) == i * 100
        self.got.append(i)
        me = self.thisProxy[self.thisIndex]
        if self.rng.random() < 0.5:
            me.migrate(self.rng.randrange(charm.numPes()))
        self.thisProxy[self.rng.randrange(ELEMENTS)].call()
        self.reduce(readonlies.sums, 1, Reducer.sum)

    def call(self):
        self.calls += 1

    def migrated(self):
        assert charm.myPe() != self.pe
        self.pe = charm.myPe()
        self.moves += 1

    def where(self):
        assert charm.myPe() == self.pe
        return self.got, self.calls, self.moves

    def big(self, data):
        return data[-1] + len(data)


class Caster(Chare):

    @coro
    def cast(self, array, seed):
        rng = random.Random(seed + charm.myPe())
        for i in range(5):
            assert array.big(b'z' * 20000, ret=True).get() == [20000 + ord('z')] * ELEMENTS
            array.call(awaitable=True).get()
            array[rng.randrange(ELEMENTS)].migrate(rng.randrange(charm.numPes()))


def main(args):
    seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
    print('seed', seed)
    readonlies.sums = Future(CASTS)
    array = Array(Walker, ELEMENTS, args=[seed])
    casters = Group(Caster)
    awaited = casters.cast(array, seed, awaitable=True)
    for i in range(CASTS):
        array.step(i, 'x' * (i * 100))
        if i % 7 == 0:
            charm.sleep(0)
    assert readonlies.sums.get() == [ELEMENTS] * CASTS
    awaited.get()
    charm.waitQD()
    state = array.where(ret=True).get()
    assert all(got == list(range(CASTS)) for got, _, _ in state), state
    assert sum(calls for _, calls, _ in state) == ELEMENTS * (CASTS + 5 * charm.numPes())
    assert charm.numPes() == 1 or sum(moves for _, _, moves in state) > 0
    exit()


charm.start(main)
