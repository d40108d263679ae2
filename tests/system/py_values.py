"""Values travel between PEs exact, arrays of any layout and type included."""
import array
import collections
import datetime
import decimal
import enum
import numpy as np
from charm4py import charm, Chare, Group, Reducer


class Colour(enum.Enum):
    RED = 1


Point = collections.namedtuple('Point', 'x y')


class Thing:
    def __init__(self, v):
        self.v = v

    def __eq__(self, o):
        return type(o) is Thing and self.v == o.v


class Echo(Chare):
    def echo(self, *args):
        for a in args:
            if isinstance(a, np.ndarray):
                assert a.flags.writeable and a.dtype == a.copy().dtype
                if a.size and a.dtype.kind in 'if':
                    a += 1
                    a -= 1
        return args

    def share(self, pair):
        assert pair[0] is pair[1]
        return True

    def cycle(self, x):
        assert x[0] is x
        return True


def same(a, b):
    if isinstance(a, np.ndarray):
        return (type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape
                and (a == b).all())
    return type(a) is type(b) and a == b


def values():
    yield from (None, True, False, 0, 1, -1, 159, 160, -32, -33, 2**15, -2**31, 2**63 - 1,
                2**63, -2**200, 0.0, -1.5, float('inf'), '', 'a', 'x' * 5000, 'äöü€𝄞', '\ud800',
                b'', b'abc', b'z' * 100000, (), (1,), [], [1, [2, (3, {})]], {}, {'a': 1, 2: [3]},
                {1, 2}, frozenset([3]), 1 + 2j, range(5), bytearray(b'q'), Colour.RED,
                Point(1, 2), Thing([1]), decimal.Decimal('1.5'), datetime.date(2020, 1, 1),
                array.array('d', [1, 2]), Reducer.sum, Reducer.gather, slice(1, 2), ..., 'a' * 32)
    yield tuple(range(300))
    yield list(range(1000))
    yield {i: str(i) for i in range(300)}
    for t in '?bBhHiIlLqQefdgFDG':
        yield np.arange(12).astype(t).reshape(3, 4)
        yield np.dtype(t).type(1)
    for n in (0, 1, 100, 511, 512, 513, 5000, 1 << 20):
        yield np.arange(n, dtype=np.uint8)
        yield np.arange(n) * 1.5
    big = np.arange(10000.0).reshape(100, 100)
    yield from (big[::2, 1:50:3], big.T, np.asfortranarray(big), big[5], big[:, 5],
                np.array(3.5), np.zeros((0, 3)), np.arange(4, dtype='>i4'),
                np.array(['2020-01-01'], 'M8[D]'), np.array([(1, 2.0)], 'i4,f8'),
                np.array([{}, 1], object), np.array(['abc', 'de']), np.ma.arange(3).filled(),
                np.zeros(3)[::-1])


def main(args):
    g = Group(Echo)
    charm.awaitCreation(g)
    far = g[charm.numPes() - 1]
    all_values = list(values())
    for v in all_values:
        (back,) = far.echo(v, ret=True).get()
        assert same(v, back), (v, back)
    for i in range(0, len(all_values) - 4, 3):
        some = all_values[i:i + 4]
        back = far.echo(*some, ret=True).get()
        assert all(same(a, b) for a, b in zip(some, back)), some
    nested = [np.arange(5000), {'k': np.zeros((3, 3))}, (b'x' * 3000, 'y')]
    (back,) = far.echo(nested, ret=True).get()
    assert same(nested[0], back[0]) and same(nested[1]['k'], back[1]['k']) and back[2] == nested[2]
    many = list(range(40))
    assert far.echo(*many, ret=True).get() == tuple(many)
    assert g.echo(5, 'b', ret=True).get() == [(5, 'b')] * charm.numPes()
    x = [1]
    assert far.share((x, x), ret=True).get()
    x.append(x)
    x[0] = x
    assert far.cycle(x, ret=True).get()
    (p,) = far.echo(g, ret=True).get()
    assert p == g and p[0] == g[0] and hash(p) == hash(g) and p[0] != g
    (m,) = far.echo(g[0].echo, ret=True).get()
    assert m == g[0].echo and m.ep == g[0].echo.ep and m.__self__ == g[0]
    exit()


charm.start(main)
