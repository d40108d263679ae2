"""What goes with an element that migrates, and who finds it."""
# PEs: 1 2 3 4
from charm4py import charm, Chare, Array, Channel, Future, Reducer, coro, when
from charm4py.charm import Charm4PyError
import numpy as np

MESSAGES = 200


class Traveller(Chare):
    made = 0

    def __init__(self):
        Traveller.made += 1
        self.i = self.thisIndex[0]
        self.data = np.arange(100.) * self.i
        self.nested = {'me': self.thisProxy[self.i], (1, 2): [{3}, None]}
        self.turn, self.log, self.hits = 0, [], []
        self.arrivals = 0
        self.ring = Channel(self, remote=self.thisProxy[(self.i + 1) % charm.numPes()])
        self.back = self.ring               # of two that meet, the first pairs with the first
        if charm.numPes() > 2:
            self.back = Channel(self, remote=self.thisProxy[(self.i - 1) % charm.numPes()])

    def migrated(self):
        # contract: 10.3
        assert self.i == self.thisIndex[0] and self.nested['me'] == self.thisProxy[self.i]
        assert (self.data == np.arange(100.) * self.i).all() and self.data.flags.writeable
        self.arrivals += 1
        self.hits.append('migrated')

    @when('self.turn == n')
    def ordered(self, n):
        self.log.append(n)
        self.turn += 1

    @when('n < self.turn and self.log')
    def below(self, n):
        self.log.append(-n)

    def turn_to(self, n):
        self.turn = n

    def hit(self, k):
        self.hits.append(k)

    @coro
    def tell(self, k):
        self.ring.send(self.i, k)

    @coro
    def hear(self, k):
        assert self.back.recv() == ((self.i - 1) % charm.numPes(), k)

    def count(self, f):
        self.reduce(f, 1, Reducer.sum)

    def where(self):
        return charm.myPe()

    def state(self):
        assert self._numthreads == 0
        return self.arrivals, self.hits, self.log


class Ring(Chare):
    """Each moves on by one PE; migrated() ends the program's part."""

    def start(self, done):
        self.done, self.before = done, charm.myPe()
        self.thisProxy[self.thisIndex].migrate((charm.myPe() + 1) % charm.numPes())

    def migrated(self):
        # contract: 10.12
        assert charm.myPe() == (self.before + 1) % charm.numPes()
        self.reduce(self.done)


class State(Chare):
    """Says itself what its state is."""
    __slots__ = ('kept',)

    def __init__(self, x):
        self.x, self.kept, self.junk = x, 'slot', lambda: 0

    def __getstate__(self):
        return [self.x, self.kept]

    def __setstate__(self, state):
        self.x, self.kept = state
        self.x += 1

    def value(self):
        return self.x, self.kept, hasattr(self, 'junk'), charm.myPe()


class Busy(Chare):
    @coro
    def wait_for(self, f):
        self.f = Future()
        f.send(self.f)
        return self.f.get()

    def where(self):
        return charm.myPe()

    def go(self, pe):
        self.migrate(pe)

    def fix(self, yes):
        self.setMigratable(yes)
        return self.migratable


def travel():
    n = charm.numPes()
    # contract: 10.1 10.2 10.6
    a = Array(Traveller, n)
    charm.awaitCreation(a)
    for i in range(n):
        for k in (2, 0, 1):
            a[i].ordered(k + 1)
        a[i].below(0)
    a.tell(1, awaitable=True).get()
    sent = [[] for _ in range(n)]
    for k in range(MESSAGES):
        for i in range(n):
            a[i].hit(k)
        if k % 50 == 25:
            for i in range(n):
                a[i].migrate((i + k) % n, awaitable=True).get()
    for i in range(n):
        a[i].migrate((i + 1) % n)
        assert a[i].where(ret=True).get() == (i + 1) % n
    # contract: 10.4 10.5
    a.hear(1, awaitable=True).get()             # what was in the channel went with it
    f = Future()
    a.count(f)                                  # and the numbers of reductions
    assert f.get() == n
    a.turn_to(1, awaitable=True).get()          # and the messages that wait
    for arrivals, hits, log in a.state(ret=True).get():
        assert [h for h in hits if h != 'migrated'] == list(range(MESSAGES))
        assert arrivals == hits.count('migrated')
        assert n == 1 or arrivals >= 1
        assert log == [1, 2, 3, 0] or log == [1, 0, 2, 3], log


def states():
    # contract: 10.7
    n = charm.numPes()
    b = Array(State, 2, args=[10])
    b.migrate(n - 1, awaitable=True).get()
    moved = n > 1
    for x, kept, junk, pe in b.value(ret=True).get()[:1]:
        assert (x, kept, junk, pe) == ((11, 'slot', False, n - 1) if moved
                                       else (10, 'slot', True, 0)), (x, kept, junk, pe)


def refused():
    n = charm.numPes()
    # contract: 10.8
    b = Array(Busy, 2)
    f = Future()
    end = b[0].wait_for(f, ret=True)
    inner = f.get()
    for call in (b[0].migrate, b[0].go):
        try:
            call(n - 1, awaitable=True).get()
        except Charm4PyError as e:
            assert 'active threads is not currently supported' in str(e), e
            assert 'coroutine Busy.wait_for of this element has not ended' in str(e), e
        else:
            assert False, call
    inner.send(5)
    assert end.get() == 5
    b[0].go(n - 1)
    assert b[0].where(ret=True).get() == n - 1
    # contract: 10.9
    for pe, kind in ((n, IndexError), (-1, IndexError), ('x', TypeError)):
        try:
            b[0].migrate(pe, awaitable=True).get()
        except kind:
            continue
        assert False, pe
    # contract: 10.13
    assert b.fix(False, ret=True).get() == [False, False]
    assert b.fix(True, ret=True).get() == [True, True]
    # contract: 10.10
    single = Chare(Busy, onPE=0)
    single.migrate(n - 1)
    assert single.where(ret=True).get() == n - 1
    single.go(0)
    assert single.where(ret=True).get() == 0


def main(args):
    travel()
    states()
    refused()
    r = Array(Ring, charm.numPes())
    f = Future()
    r.start(f)
    if charm.numPes() > 1:
        f.get()
    exit()


charm.start(main)
