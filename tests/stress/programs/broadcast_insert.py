"""Broadcasts while elements are inserted from all PEs: from its first one on an element gets
each, once, in order; and all that were sent after its insertion by the same PE."""
# PEs: 1 2 4 8
import random

from charm4py import charm, Chare, Group, Array, Future, Reducer, readonlies

CASTS = 40
EACH = 12  # elements that each PE inserts


class Cell(Chare):

    def __init__(self, pe, after):
        self.pe, self.after = pe, after  # PE 0 knew of this many broadcasts when it inserted
        self.got = []
        self.late = 0

    def cast(self, n):
        self.got.append(n)

    def last(self):
        self.late += 1

    def grown(self, data):
        return len(data)

    def check(self):
        first = self.got[0] if self.got else CASTS
        assert self.got == list(range(first, CASTS)), self.got
        assert self.pe != 0 or first <= self.after, (self.after, self.got)
        assert self.late == 1
        self.reduce(readonlies.done, 1, Reducer.sum)


class Inserter(Chare):

    def insert(self, array, seed, done):
        rng = random.Random(seed + charm.myPe())
        for i in range(EACH):
            index = (charm.myPe(), i)
            array.ckInsert(index, args=[charm.myPe(), 0], onPE=rng.randrange(-1, charm.numPes()))
        done()


def main(args):
    seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
    print('seed', seed)
    rng = random.Random(seed)
    readonlies.done = Future()
    n = charm.numPes()
    workers = Group(Inserter)
    array = Array(Cell, ndims=2)
    done = Future(n - 1) if n > 1 else None
    for pe in range(1, n):
        workers[pe].insert(array, seed, done)
    inserted, awaited = 0, []
    for i in range(CASTS):
        while inserted < EACH and rng.random() < EACH / CASTS:
            array.ckInsert((0, inserted), args=(0, i), onPE=rng.randrange(n))
            inserted += 1
        array.cast(i)
        if rng.random() < 0.2:
            awaited.append(array.grown(b'x' * rng.choice([1, 3000]), ret=True))
        if rng.random() < 0.3:
            charm.sleep(0)
    while inserted < EACH:
        array.ckInsert((0, inserted), args=(0, CASTS))
        inserted += 1
    if n > 1:
        done.get()
    array.ckDoneInserting()
    array.last(awaitable=True).get()
    sizes = [len(future.get()) for future in awaited]
    assert sizes == sorted(sizes), sizes
    charm.waitQD()
    array.check()
    assert readonlies.done.get() == EACH * n
    exit()


charm.start(main)
