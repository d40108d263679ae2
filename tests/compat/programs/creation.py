"""Chares, groups and arrays of every shape, made anywhere, where they belong."""
# PEs: 1 2 3 4
import numpy as np
from charm4py import charm, Chare, Group, Array, ArrayMap, Future, Reducer, coro
from charm4py.charm import Charm4PyError


class Place(ArrayMap):

    def __init__(self, shift=0):
        self.shift = shift

    def procNum(self, index):
        # contract: 5.2.4 5.2.5
        assert type(index) is tuple and all(type(i) is int for i in index), index
        return (hash(index) + self.shift) % charm.numPes()


class Thing(Chare):

    def __init__(self, *args):
        self.args = args

    def where(self):
        return self.thisIndex, charm.myPe()

    def get_args(self):
        return self.args

    def append(self, x):
        self.args[0].append(x)
        return self.args[0]

    def count(self, done):
        self.reduce(done, 1, Reducer.sum)

    def own_proxy(self):
        return self.thisProxy

    @coro
    def all_members(self):
        return self.allreduce(1, Reducer.sum).get()


class Maker(Chare):
    """Makes others, in its constructor and in methods of all kinds."""

    def __init__(self, depth=0):
        # contract: 5.1.13
        self.made = []
        if depth > 0:
            self.made = [Chare(Maker, args=[depth - 1]), Group(Maker, args=(0,)),
                         Array(Maker, 2, args=[depth - 1])]

    def plain(self, done):
        a = Array(Thing, (2, 2), args=['x'])
        a.count(done)
        Group(Thing).count(done)
        c = Chare(Thing, args=range(3))
        c.count(done)

    @coro
    def waits(self):
        a, g, c = Array(Thing, 5), Group(Thing), Chare(Thing)
        charm.awaitCreation(a, g, c)
        return (len(a.where(ret=True).get()), len(g.where(ret=True).get()),
                c.where(ret=True).get()[0])

    def tree(self, done):
        done.send(len(self.made))
        for proxy in self.made:
            proxy.tree(done)


class Slow(Chare):

    @coro
    def __init__(self, gate):
        self.state = 'begun'
        self.gate = Future()
        gate.send((self.thisIndex, self.gate))
        self.gate.get()
        self.state = 'done'

    def get_state(self):
        return self.state


def check(what, expected):
    assert what == expected, (what, expected)


def indexes_of(dims):
    return [tuple(int(i) for i in index) for index in np.ndindex(*dims)]


def blocks(dims):
    """PE of each element, in row-major order."""
    total, npes = int(np.prod(dims)), charm.numPes()
    sizes = [total // npes + (pe < total % npes) for pe in range(npes)]
    return [pe for pe, size in enumerate(sizes) for _ in range(size)]


def shapes():
    # contract: 5.1.4 5.2.2
    for dims in (1, 2, 7, 13, [10], (3,), np.int64(6), (3, 4), [2, 3], (2, 2, 2), (2, 1, 3, 1),
                 [1, 2, 1, 2, 2], (2, 1, 2, 1, 2, 1), np.array([3, 2]), (np.int32(2), 3), range(2, 4)):
        a = Array(Thing, dims, args=[dims is None])
        sizes = tuple(int(n) for n in np.atleast_1d(dims))
        check(a.where(ret=True).get(), list(zip(indexes_of(sizes), blocks(sizes))))
        b = Array(Thing, dims, ndims=len(sizes))
        check(len(b.where(ret=True).get()), int(np.prod(sizes)))
    check(Array(Thing, dims=(2, 2), ndims=-1).ndims, 2)


def maps():
    npes = charm.numPes()
    for shift in (0, 1, 5):
        for dims in (5, [4, 2], (2, 2, 2), (1, 2, 1, 2), (2, 1, 1, 1, 2), [1, 1, 2, 1, 1, 2]):
            m = Group(Place, args=(shift,) if shift else ())
            a = Array(Thing, dims, map=m)
            sizes = tuple(np.atleast_1d(dims))
            check(a.where(ret=True).get(),
                  [(i, (hash(i) + shift) % npes) for i in indexes_of(sizes)])
            # contract: 5.3.1 5.3.3
            b = Array(Thing, ndims=len(sizes), map=m)
            early = b[indexes_of(sizes)[-1]].where(ret=True)    # contract: 5.3.5
            for k, i in enumerate(indexes_of(sizes)):
                b.ckInsert(list(i) if k % 2 else i, args=[1])
            b.ckDoneInserting()
            check(early.get()[0], indexes_of(sizes)[-1])
            f = Future()
            b.count(f)
            check(f.get(), int(np.prod(sizes)))
            check(b.where(ret=True).get(),
                  [(i, (hash(i) + shift) % npes) for i in indexes_of(sizes)])


def insertion():
    npes = charm.numPes()
    # contract: 5.1.5 5.2.3
    for empty in (Array(Thing, ndims=1), Array(Thing, 0), Array(Thing, (0,))):
        for i in range(9):
            empty.ckInsert(i, (), onPE=npes - 1 if i == 8 else -1)
        empty.ckDoneInserting()
        places = empty.where(ret=True).get()
        check(places[:8], [((i,), i % npes) for i in range(8)])
        check(places[8][1], npes - 1)
    wide = Array(Thing, dims=[0, 0, 0])
    for i in range(30):
        wide.ckInsert((i, -i, 7 * i))
    wide.ckDoneInserting()
    places = wide.where(ret=True).get()
    check([i for i, _ in places], sorted((i, -i, 7 * i) for i in range(30)))
    assert npes == 1 or len({pe for _, pe in places}) > 1
    check(Array(Thing, ndims=6).ndims, 6)


def groups():
    npes = charm.numPes()
    g = Group(Thing, (1, 2))
    check(g.where(ret=True).get(), [(i, i) for i in range(npes)])    # contract: 5.2.1 5.1.2
    # contract: 5.1.3
    pes = sorted({npes - 1, 0})
    part = Group(Thing, onPEs=pes + pes[:1], args=['p'])
    check(part.where(ret=True).get(), [(pe, pe) for pe in pes])
    for pe in pes:
        check(part[pe].get_args(ret=True).get(), ('p',))
        assert part[pe].own_proxy(ret=True).get() == part
    check(part.all_members(ret=True).get(), [len(pes)] * len(pes))
    f = Future()
    part.count(f)
    check(f.get(), len(pes))


def singles():
    npes = charm.numPes()
    # contract: 5.1.1
    for pe in range(npes):
        one = Chare(Thing, args=(pe, 'x'), onPE=pe)
        check(one.where(ret=True).get(), ((0,), pe))
        check(one.get_args(ret=True).get(), (pe, 'x'))
    check([Chare(Thing).where(ret=True).get()[0] for _ in range(20)], [(0,)] * 20)


def arguments():
    # contract: 5.1.11 5.1.12
    shared = [1]
    a = Array(Thing, 6, args=[shared])
    charm.awaitCreation(a)
    shared.append('later')
    for i in range(6):
        check(a[i].append(i, ret=True).get(), [1, i])
    check(shared, [1, 'later'])
    for args in ([1, 2], (1, 2), range(1, 3), np.array([1, 2]), {1: 0, 2: 0}):
        check(Chare(Thing, args=args).get_args(ret=True).get(), (1, 2))


def from_everywhere():
    makers = Group(Maker)
    f = Future(charm.numPes() * 3)
    makers.plain(f)
    expected = [4, charm.numPes(), 1] * charm.numPes()
    check(sorted(f.get()), sorted(expected))
    check(makers.waits(ret=True).get(), [(5, charm.numPes(), (0,))] * charm.numPes())
    top = Chare(Maker, args=[3], onPE=charm.numPes() - 1)

    def nodes(depth):
        return 1 if depth == 0 else 1 + 3 * nodes(depth - 1) + charm.numPes()

    f = Future(nodes(3))
    top.tree(f)
    f.get()


def slow_constructors():
    # contract: 5.1.15 5.1.16 7.2
    n = 4
    for make in (lambda f: Array(Slow, n, args=[f]), lambda f: Array(Slow, (2, 2), args=[f])):
        f = Future(n)
        a = make(f)
        gates = f.get()
        check(a.get_state(ret=True).get(), ['begun'] * n)
        for _, gate in gates:
            gate.send()
        charm.awaitCreation(a)
        check(a.get_state(ret=True).get(), ['done'] * n)


def remote_creation():
    # contract: 5.5.20
    got = Future()
    last = charm.thisProxy[charm.numPes() - 1]
    a = last.createArray(Thing, (2, 3), args=['r'], cb=got, ret=True).get()
    assert got.get() == a
    check(len(a.where(ret=True).get()), 6)
    b = charm.thisProxy[0].createArray(Thing, ndims=1, awaitable=True).get()
    check(b.ndims, 1)


def refusals():
    class Hidden(Chare):
        pass

    # contract: 5.1.6 5.1.7 5.1.9 5.1.10
    for make, text in (
            (lambda: Array(Thing), 'Bounds and number of dimensions for array cannot be empty in ckNew'),
            (lambda: Array(Thing, (2, 2), 3), 'Number of bounds should match number of dimensions'),
            (lambda: Array(Thing, 4, ndims=2), 'Number of bounds should match number of dimensions'),
            (lambda: Group(int), 'Only subclasses of Chare can be member of Group'),
            (lambda: Array('Thing', 3), 'Only subclasses of Chare can be member of Array'),
            (lambda: Group(Hidden), f'{Hidden} not registered for use in Groups'),
            (lambda: Array(Hidden, 3), f'{Hidden} not registered for use in Arrays')):
        try:
            make()
            assert False, text
        except Charm4PyError as e:
            assert str(e).startswith(text), (str(e), text)
    # contract: 5.1.8 5.1.17 5.2.6 5.3.2 5.1.11
    n = charm.numPes()
    for error, make in (
            (Charm4PyError, lambda: Array(Thing, (2, -1))), (Charm4PyError, lambda: Array(Thing, (3, 0))),
            (AssertionError, lambda: Array(Thing, (1,) * 7)), (AssertionError, lambda: Array(Thing, ndims=7)),
            (AssertionError, lambda: Array(Thing, ())), (TypeError, lambda: Array(Thing, 2.5)),
            (IndexError, lambda: Chare(Thing, onPE=n)), (IndexError, lambda: Group(Thing, onPEs=[0, n])),
            (Charm4PyError, lambda: Group(Thing, onPEs=[-1])), (Charm4PyError, lambda: Group(Thing, onPEs=[])),
            (TypeError, lambda: Array(Thing, 3, map=7)), (TypeError, lambda: Array(Thing, 3, map=Group(Thing))),
            (TypeError, lambda: Chare(Maker, args=[1, 2])), (TypeError, lambda: Group(Slow)),
            (TypeError, lambda: Chare(Thing, args=5)),
            (AssertionError, lambda: Array(Thing, ndims=2).ckInsert(1)),
            (AssertionError, lambda: Array(Thing, ndims=1).ckInsert((1, 2)))):
        try:
            make()
        except error:
            continue
        assert False, (error, make.__code__.co_consts)


def main(args):
    shapes()
    maps()
    insertion()
    groups()
    singles()
    arguments()
    from_everywhere()
    slow_constructors()
    remote_creation()
    refusals()
    exit()


charm.start(main)
