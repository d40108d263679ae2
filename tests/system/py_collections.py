"""Array maps, insertion, globals, readonlies, the remote methods of charm."""
from charm4py import charm, Chare, Group, Array, ArrayMap, Future, Reducer, readonlies as ro, coro
from charm4py.charm import Charm4PyError

VALUE = None


class Reverse(ArrayMap):
    def __init__(self, shift):
        self.shift = shift

    def procNum(self, index):
        assert isinstance(index, tuple)
        return (hash(index) + self.shift) % charm.numPes()


class Cell(Chare):
    def __init__(self, *args):
        assert ro.number == 42 and ro.text == 'x'
        self.args = args

    def where(self):
        return charm.myPe()

    def total(self, cb):
        self.reduce(cb, 1, Reducer.sum)

    def value(self):
        return VALUE

    @coro
    def make(self):
        a = Array(Cell, 3, args=['made'])
        charm.awaitCreation(a)
        c = Chare(Cell)
        charm.awaitCreation(c)
        return len(a.where(ret=True).get())


def main(args):
    global VALUE
    n = charm.numPes()
    ro.number = 42
    ro.text = 'x'
    m = Group(Reverse, args=(3,))
    a = Array(Cell, (4, 4), map=m)
    charm.awaitCreation(a)
    places = a.where(ret=True).get()
    assert places == [(hash((i, j)) + 3) % n for i in range(4) for j in range(4)], places
    b = Array(Cell, ndims=2)
    for i in range(10):
        b.ckInsert((i, -i), args=[i], onPE=i % n if i % 2 else -1)
    b.ckInsert([50, 60])
    b.ckDoneInserting()
    f = Future()
    b.total(f)
    assert f.get() == 11
    for i in range(1, 10, 2):
        assert b[i, -i].where(ret=True).get() == i % n
    g = Group(Cell)
    assert g.make(ret=True).get() == [3] * n
    charm.thisProxy.updateGlobals({'VALUE': 7}, awaitable=True).get()
    assert g.value(ret=True).get() == [7] * n
    assert charm.thisProxy.myPe(ret=True).get() == list(range(n))
    c = charm.thisProxy[0].createArray(Cell, 5, ret=True).get()
    assert c.where(ret=True).get() == sorted(c.where(ret=True).get())
    try:
        charm.thisProxy[n - 1].eval('1 + 1', ret=True).get()
        assert False
    except Charm4PyError as e:
        assert 'Remote code execution is disabled' in str(e)
    d = Array(Cell, 4)
    for bad in (lambda: d[4].where(), lambda: d[-1].where(), lambda: g[n].where()):
        try:
            bad()
            assert False
        except IndexError:
            pass
    for bad in (lambda: Array(Cell), lambda: Array(Cell, (2, 2), 3), lambda: Group(int)):
        try:
            bad()
            assert False
        except Charm4PyError:
            pass
    try:
        d.nothing()
        assert False
    except AttributeError:
        pass
    assert (type(d).__name__, type(g).__name__) == ('CellArrayProxy', 'CellGroupProxy')
    assert CellArrayProxy is type(d)
    assert [charm.getHostPes(0)[i] for i in range(n)] == list(range(n))
    charm.thisProxy[n - 1].exit(0)


charm.start(main)
