"""Calls on proxies of every kind, with arguments of every kind."""
# PEs: 1 2 4
import array

import numpy as np
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro


class X(Chare):

    def __init__(self):
        self.log = []

    def note(self, x):
        self.log.append(x)

    def take(self):
        log, self.log = self.log, []
        return log

    def args(self, a, b=2, *rest):
        return a, b, rest

    def named(self, a, b=2, c='c'):
        return a, b, c

    def keyword_only(self, a, *, k=5):
        return a, k

    def keywords(self, a, **others):
        return a, others

    def nothing(self):
        pass

    def index(self):
        return self.thisIndex

    @coro
    def slow(self, i):
        charm.sleep(0.0005 * (i % 3))
        self.log.append('slow')
        return self.thisIndex

    @staticmethod
    def static(a):
        return a

    def same_object(self, x):
        return id(x)

    def keep(self, x):
        self.kept = x
        return id(x)

    def change(self, x):
        x[0] += 1
        return list(x) if isinstance(x, list) else x.tolist()

    def aliases(self, x, y):
        return x is y, x[1][0] is x

    def arrays(self, *arrays):
        for a in arrays:
            if isinstance(a, np.ndarray) and a.size and a.dtype.kind in 'iuf':
                assert a.flags.writeable and a.flags.aligned
                a += 0
        return arrays

    def self_send(self):
        self.thisProxy[self.thisIndex].note('sent')
        self.log.append('after')

    def local_call(self):
        self.note('direct')
        return self.take()

    def plain(self, proxy, how):
        try:
            proxy.nothing(**{how: True})
        except Exception as e:
            return type(e).__name__


class Unpicklable:
    def __reduce__(self):
        raise ValueError('stays here')


def check(what, expected):
    assert what == expected, (what, expected)


def raises(kind, text, func):
    try:
        func()
    except kind as e:
        assert text in str(e), str(e)
        return
    assert False, (kind, text)


def each_kind(proxy, index, n):
    """One chare if n is None."""
    one = n is None

    def expect(value):
        return value if one else [value] * n

    # contract: 5.5.1 5.5.2 5.5.18
    assert proxy.note(1) is None and proxy.note(1, ret=False) is None
    assert proxy.note(1, awaitable=False, ret=0) is None and proxy.note(1, ret=None) is None
    # contract: 5.5.4 5.5.5
    for yes in (True, 1, 'x', [0]):
        check(proxy.index(ret=yes).get(), index)
        check(proxy.index(awaitable=yes).get(), index if one else None)
    check(proxy.nothing(ret=True).get(), expect(None))
    check(proxy.index(awaitable=True, ret=True).get(), index)
    proxy.take(ret=True).get()
    check(proxy.slow(1, awaitable=True).get(), index if one else None)
    check(proxy.take(ret=True).get(), expect(['slow']))
    check(proxy.slow(2, ret=True).get(), index)
    # contract: 5.5.6
    check(proxy.args(1, ret=True).get(), expect((1, 2, ())))
    check(proxy.args(1, 3, 4, 5, ret=True).get(), expect((1, 3, (4, 5))))
    check(proxy.args(a=1, ret=True).get(), expect((1, 2, ())))
    check(proxy.named(b=1, a=0, ret=True).get(), expect((0, 1, 'c')))
    check(proxy.named(0, c=1, ret=True).get(), expect((0, 2, 1)))
    check(proxy.named(0, 1, c=None, ret=True).get(), expect((0, 1, None)))
    check(proxy.named(*(1, 2), **{'c': 3}, ret=True).get(), expect((1, 2, 3)))
    # contract: 5.5.7 5.5.8
    raises(AssertionError, "Value not found for parameter 'a' of entry method", lambda: proxy.named(b=1))
    raises(AssertionError, "Value not found for parameter 'a'", lambda: proxy.named(awaitable=True))
    raises(TypeError, 'keyword argument', lambda: proxy.named(1, wrong=2))
    raises(TypeError, 'X.named() got', lambda: proxy.named(1, a=2))
    raises(TypeError, 'keyword argument', lambda: proxy.nothing(x=2))
    # contract: 5.5.9
    check(proxy.keyword_only(1, ret=True).get(), expect((1, 5)))
    check(proxy.keywords(1, ret=True).get(), expect((1, {})))
    check(proxy.keyword_only(1, k=2, ret=True).get(), expect((1, 2)))
    check(proxy.keyword_only(k=2, a=1, ret=True).get(), expect((1, 2)))
    check(proxy.keywords(1, z=3, y=[4], ret=True).get(), expect((1, {'z': 3, 'y': [4]})))
    check(proxy.keywords(z=3, a=1, ret=True).get(), expect((1, {'z': 3})))
    # contract: 5.5.10
    raises(TypeError, "X.named() missing 1 required positional argument: 'a'", lambda: proxy.named())
    raises(TypeError, 'X.named() takes from 1 to 3 positional arguments but 4 were given',
           lambda: proxy.named(1, 2, 3, 4))
    raises(TypeError, 'X.nothing() takes 0 positional arguments but 1 was given', lambda: proxy.nothing(1))
    raises(TypeError, 'missing 1 required', lambda: proxy.args())
    if one:
        raises(TypeError, 'positional argument', lambda: proxy.static(ret=True).get())
    else:
        check([type(r) for r in proxy.static(1, 2, ret=True).get()], [TypeError] * n)
    check(proxy.static(5, ret=True).get(), expect(5))
    # contract: 5.5.19
    many = tuple(range(300))
    check(proxy.args(*many, ret=True).get(), expect((0, 1, many[2:])))
    # contract: 5.5.16
    for bad in (lambda: 0, Unpicklable(), [1, {'k': Unpicklable()}]):
        if not one or proxy.ckLocal() is None:
            raises(Exception, 'argument 1', lambda: proxy.note(bad))
    # contract: 5.5.17
    proxy.take(ret=True).get()
    for i in range(200):
        proxy.note(i)
    check(proxy.take(ret=True).get(), expect(list(range(200))))


def by_reference(here, far):
    # contract: 5.5.11
    data = [1]
    check(here.keep(data, ret=True).get(), id(data))
    check(here.change(data, ret=True).get(), [2])
    check(data, [2])
    # contract: 5.5.12
    if charm.numPes() > 1:
        for value in ([1, 2], np.arange(3), np.arange(5000), array.array('d', [0, 1])):
            before = list(value)
            f = far.change(value, ret=True)
            value[0] = 77
            check(f.get(), [before[0] + 1] + before[1:])
            check(value[0], 77)


def broadcasts_share(g, a):
    # contract: 5.5.13
    data = [0]
    a.keep(data, awaitable=True).get()
    g.keep(data, awaitable=True).get()
    data[0] = 99
    assert all(x[0] != 99 for x in a.change([0], ret=True).get())
    check(g.change(np.zeros(1, int), ret=True).get(), [[1]] * charm.numPes())
    x = np.zeros(3)
    g.change(x, awaitable=True).get()
    check(x.tolist(), [0, 0, 0])


def values(targets):
    # contract: 5.5.14
    grid = np.arange(30.0).reshape(5, 6)
    some = [b'', b'x' * 100000, array.array('i', range(5)), array.array('d'), grid, grid[1:4, 1],
            grid.T, np.asfortranarray(grid), grid[::-1, ::2], np.array(5), np.zeros((3, 0)),
            np.array([(1, 2.5)], [('a', 'i4'), ('b', 'f8')]), np.array(['2020-01-01'], 'M8[s]'),
            np.array(['ab', 'c']), np.array([None, {}], object), np.arange(3, dtype='>i2'),
            np.ones(5, bool), np.float16([1.5]), np.complex128(1j), bytearray(b'mutable')]
    for target in targets:
        for back, value in zip(target.arrays(*some, ret=True).get(), some):
            assert type(back) is type(value)
            if isinstance(value, np.ndarray):
                assert back.dtype == value.dtype and back.shape == value.shape and (back == value).all()
            else:
                assert back == value and getattr(back, 'typecode', 0) == getattr(value, 'typecode', 0)
        # contract: 5.5.15
        x = [1]
        x.append([x])
        check(target.aliases(x, x, ret=True).get(), (True, True))
        check(target.args({1, 2}, ret=True).get()[0], {1, 2})
        check(target.args(..., ret=True).get()[0], ...)


def main(args):
    npes = charm.numPes()
    g, a = Group(X), Array(X, (2, 3))
    near, far = Chare(X, onPE=0), Chare(X, onPE=npes - 1)
    charm.awaitCreation(g, a, near, far)
    grid = [(i, j) for i in range(2) for j in range(3)]
    each_kind(g, list(range(npes)), npes)
    each_kind(a, grid, 6)
    each_kind(g[npes - 1], npes - 1, None)
    each_kind(a[1, 2], (1, 2), None)
    each_kind(near, (0,), None)
    each_kind(far, (0,), None)
    each_kind(a[0:2, 0:3:2], [(0, 0), (0, 2), (1, 0), (1, 2)], 4)
    each_kind(Group(X, onPEs=[npes - 1]), [npes - 1], 1)
    # contract: 5.5.1
    g[0].take(ret=True).get()
    g[0].self_send(awaitable=True).get()
    check(g[0].take(ret=True).get(), ['after', 'sent'])
    check(g[0].local_call(ret=True).get(), ['direct'])
    # contract: 5.5.3
    for proxy in (near, far, g, a):
        for how in ('ret', 'awaitable'):
            check(a[0, 0].plain(proxy, how, ret=True).get(), 'NotThreadedError')
    by_reference(g[0], g[npes - 1])
    broadcasts_share(g, a)
    values([near, far, g[npes - 1], a[1, 2]])
    exit()


charm.start(main)
