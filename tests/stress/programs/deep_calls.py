"""Deep chains of calls: local ones, waiting ones, constructors that make constructors run."""
# PEs: 1 2 4 8
import sys

from charm4py import charm, Chare, Group, Array, Future, coro

DEPTH = 3000


class Link(Chare):

    def __init__(self, chain=0, done=None):
        if chain:
            Chare(Link, args=[chain - 1, done], onPE=charm.myPe())
        elif done is not None:
            done(charm.myPe())

    def next_here(self, n, done):
        """A call to oneself is queued: no depth of stack."""
        if n:
            self.thisProxy[self.thisIndex].next_here(n - 1, done)
        else:
            done(n)

    def next_there(self, n, done):
        if n:
            self.thisProxy[(charm.myPe() + 1) % charm.numPes()].next_there(n - 1, done)
        else:
            done(n)

    @coro
    def wait_here(self, n):
        """Each waits for the next: as many suspended coroutines."""
        return 1 + self.thisProxy[self.thisIndex].wait_here(n - 1, ret=True).get() if n else 0

    @coro
    def wait_there(self, n):
        other = self.thisProxy[(charm.myPe() + 1) % charm.numPes()]
        return 1 + other.wait_there(n - 1, ret=True).get() if n else 0

    @coro
    def recurse(self, n):
        """Suspends at the bottom of a deep stack of plain calls."""
        if n == 0:
            return self.thisProxy[self.thisIndex].double(1, ret=True).get()
        return self.recurse(n - 1) + 1

    def double(self, x):
        return 2 * x

    @coro
    def raise_deep(self, n):
        if n == 0:
            raise ValueError('from the deep')
        return self.thisProxy[self.thisIndex].raise_deep(n - 1, ret=True).get()

    @coro
    def too_deep(self):
        """A RecursionError is an exception like any."""
        try:
            return self.too_deep()
        finally:
            pass


def main(args):
    n = charm.numPes()
    group = Group(Link)
    charm.awaitCreation(group)
    for pe in {0, n - 1}:
        done = Future()
        group[pe].next_here(20 * DEPTH, done)
        assert done.get() == 0
        done = Future()
        group[pe].next_there(DEPTH, done)
        assert done.get() == 0
        assert group[pe].wait_here(DEPTH, ret=True).get() == DEPTH
        assert group[pe].wait_there(DEPTH // 3, ret=True).get() == DEPTH // 3
        assert group[pe].recurse(600, ret=True).get() == 602
        try:
            group[pe].raise_deep(200, ret=True).get()
            assert False
        except ValueError as e:
            assert str(e) == 'from the deep'
            assert len(e.remote_stacktrace[1]) < 100000, len(e.remote_stacktrace[1])
        try:
            group[pe].too_deep(ret=True).get()
            assert False
        except RecursionError:
            pass
        done = Future()
        Chare(Link, args=[DEPTH, done], onPE=pe)
        assert done.get() == pe
    charm.waitQD()
    nested = x = []
    for _ in range(300):
        x.append([])
        x = x[0]
    assert sys.getrecursionlimit() >= 1000
    assert group[n - 1].double(nested, ret=True).get() == 2 * nested
    exit()


charm.start(main)
