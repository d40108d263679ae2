"""Calls of every form reach their targets, with arguments and results intact."""
from charm4py import charm, Chare, Group, Array, Future, coro


class Item(Chare):
    def __init__(self, base):
        self.base = base
        self.seen = []

    def add(self, x, y=10, *rest):
        return (self.thisIndex, self.base + x + y, rest)

    def note(self, what):
        self.seen.append(what)

    def get_seen(self):
        return self.seen

    def same(self, obj):
        obj.append(1)

    @staticmethod
    def plain(x):
        return x * 2

    @coro
    def chain(self, depth):
        if depth == 0:
            return 0
        n = charm.numPes()
        return 1 + self.thisProxy[(self.thisIndex + 1) % n].chain(depth - 1, ret=True).get()


class Many(Item):
    pass


class Plain(Chare):
    def whoami(self):
        assert self.thisIndex == (0,)
        assert self.thisProxy[self.thisIndex] == self.thisProxy
        return charm.myPe()


def local_references():
    one = Chare(Item, args=[0], onPE=0)
    charm.awaitCreation(one)
    data = []
    one.same(data)
    one.note('x', awaitable=True).get()
    assert data == [1], data
    assert one.plain(4, ret=True).get() == 8


def main(args):
    n = charm.numPes()
    g = Group(Item, args=[100])
    charm.awaitCreation(g)
    assert g[n - 1].add(1, ret=True).get() == (n - 1, 111, ())
    assert g[n - 1].add(1, 2, 3, ret=True).get() == (n - 1, 103, (3,))
    assert g[0].add(x=5, ret=True).get() == (0, 115, ())
    assert g.add(1, ret=True).get() == [(i, 111, ()) for i in range(n)]
    assert g.note('all', awaitable=True).get() is None
    assert g.get_seen(ret=1).get() == [['all']] * n
    assert g.add(1, ret=0, awaitable=False) is None
    assert g[0].chain(2 * n, ret=True).get() == 2 * n

    # order of messages from one PE to one chare
    for i in range(500):
        g[n - 1].note(i)
    assert g[n - 1].get_seen(ret=True).get()[1:] == list(range(500))

    for dims in (7, (3, 4), [2, 2, 2], (2, 1, 2, 1, 2, 1)):
        a = Array(Many, dims, args=(1,))
        charm.awaitCreation(a)
        indexes = [r[0] for r in a.add(0, ret=True).get()]
        assert indexes == sorted(indexes) and len(indexes) == len(set(indexes))
        last = indexes[-1]
        assert a[last].add(1, 1, ret=True).get() == (last, 3, ())
        assert a[list(last)] == a[last] and hash(a[list(last)]) == hash(a[last])
        assert a != a[last]

    pes = [Chare(Plain, onPE=pe) for pe in range(n)]
    assert [p.whoami(ret=True).get() for p in pes] == list(range(n))
    try:
        g[0].add(ret=True)
        assert False
    except AssertionError as e:
        assert "Value not found for parameter 'x'" in str(e), e
    try:
        g[0].add(1, wrong=2)
        assert False
    except TypeError:
        pass
    try:
        for _ in g:
            pass
        assert False
    except TypeError:
        pass
    local_references()
    exit()


charm.start(main)
