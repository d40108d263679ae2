"""Calls that are sent right after a creation find the chare constructed, from any PE, in any order."""
# PEs: 1 2 4 8
import random

from charm4py import charm, Chare, Group, Array, Future, Reducer, coro


class Young(Chare):

    def __init__(self, value, future=None):
        self.value = value
        self.calls = 0
        if future is not None:
            self.reduce(future, 1, Reducer.sum)

    def call(self, future):
        self.calls += 1
        future.send(self.value)

    def get(self):
        return self.value


class YoungGroup(Young):
    pass


class YoungSingle(Young):
    pass


class Slow(Chare):
    """Its constructor suspends: what comes then finds what it had set up by then."""

    @coro
    def __init__(self):
        self.state = 'begun'
        charm.sleep(0.001)
        self.state = 'built'

    def get(self):
        return self.state


class Maker(Chare):

    @coro
    def make(self, seed, others):
        rng = random.Random(seed + charm.myPe())
        n = charm.numPes()
        for _ in range(6):
            kind = rng.randrange(4)
            size = rng.choice([1, 2, 5, 3 * n])
            built, called = Future(), Future(size if kind < 2 else 1)
            if kind == 0:
                array = Array(Young, size, args=['a', built])
                for i in rng.sample(range(size), size):
                    others[rng.randrange(n)].tell(array[i], called)
            elif kind == 1:
                array = Array(Young, ndims=2)
                indexes = [(rng.randrange(-9, 9), i) for i in range(size)]
                for index in indexes:
                    if rng.random() < 0.5:  # before the element is inserted, even
                        others[rng.randrange(n)].tell(array[index], called)
                        array.ckInsert(index, args=['a', built], onPE=rng.randrange(n))
                    else:
                        array.ckInsert(index, args=['a', built])
                        array[index].call(called)
                array.ckDoneInserting()
            elif kind == 2:
                array, size = Group(YoungGroup, args=['a', built]), n
                others[rng.randrange(n)].tell(array[rng.randrange(n)], called)
            else:
                array, size = Chare(YoungSingle, args=['a', built], onPE=rng.randrange(-1, n)), 1
                others[rng.randrange(n)].tell(array, called)
            values = called.get()
            assert values == 'a' or set(values) == {'a'}, values
            assert built.get() == size, (kind, size)

    def tell(self, element, future):
        element.call(future)


class Parent(Chare):
    """Each makes the next from its constructor and calls it at once."""

    def __init__(self, depth, future):
        if depth:
            child = Chare(Parent, args=[depth - 1, future], onPE=(charm.myPe() + 1) % charm.numPes())
            child.ping(future)

    def ping(self, future):
        future.send(self.thisIndex)


def main(args):
    seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
    print('seed', seed)
    makers = Group(Maker)
    makers.make(seed, makers, awaitable=True).get()

    future = Future(20)
    Chare(Parent, args=[20, future])
    assert future.get() == [(0,)] * 20

    slow = Array(Slow, 8)
    early = slow.get(ret=True).get()
    assert set(early) <= {'begun', 'built'}, early
    charm.awaitCreation(slow)
    assert slow.get(ret=True).get() == ['built'] * 8
    exit()


charm.start(main)
