"""Reductions of every kind of data, over groups, arrays, single chares and sections."""
# PEs: 1 2 3 4
import array
import enum
import math
import pickle

import numpy as np
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro

SEVEN = ['sum', 'product', 'max', 'min', 'logical_and', 'logical_or', 'logical_xor']
ARITHMETIC = SEVEN[:4]


class Colour(enum.IntEnum):
    RED = 3


class Added:
    """Knows how to be added, multiplied and compared."""

    def __init__(self, x):
        self.x = x

    def __add__(self, other):
        return Added(self.x + other.x)

    def __mul__(self, other):
        return Added(self.x * other.x)

    def __lt__(self, other):
        return self.x < other.x

    def __gt__(self, other):
        return self.x > other.x

    def __eq__(self, other):
        return type(other) is Added and self.x == other.x

    __hash__ = None


class OnlyRadd:
    """As objects in the way of sum(list): 0 + a + b."""

    def __init__(self, x):
        self.x = x

    def __radd__(self, other):
        return other + self.x


class Member(Chare):

    def number(self):
        i = self.thisIndex
        return i if isinstance(i, int) else sum(10 ** k * x for k, x in enumerate(i))

    def same(self, data, reducer, cb, section=None):
        self.reduce(cb, data, reducer, section)

    def own(self, reducer, cb, section=None):
        self.contribute(self.number(), reducer, cb, section)

    def index(self, cb, section=None):
        self.reduce(cb, self.thisIndex, Reducer.gather, section=section)

    def error(self, data, reducer):
        try:
            self.reduce(self.thisProxy.error, data, reducer)
        except Exception as e:
            return type(e).__name__, str(e)
        return 'no error'

    def mixed(self, cb):
        """Equal types under different names fit together."""
        n = self.number()
        self.reduce(cb, [5, np.int64(5), [5], np.array([5])][n % 4], Reducer.sum)
        self.reduce(cb, [0.5, np.float64(0.5), (0.5,)][n % 3], Reducer.sum)

    def big(self, cb):
        self.reduce(cb, 2**62, Reducer.sum)
        self.reduce(cb, -2**63, Reducer.min)


def check_equal(a, b):
    assert type(a) is type(b), (a, b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape, (a, b)
        assert np.array_equal(a, b) or np.allclose(a.astype(complex), b.astype(complex)), (a, b)
    else:
        assert a == b or math.isclose(abs(a), abs(b), rel_tol=1e-6), (a, b)


def reduced(coll, n, data, reducer, section=None):
    f = Future()
    coll.same(data, reducer, f, section)
    return f.get()


def expected(name, value, n):
    """n equal values reduced by NumPy, with the type that the contract says."""
    func = {'sum': np.add, 'product': np.multiply, 'max': np.maximum, 'min': np.minimum,
            'logical_and': np.logical_and, 'logical_or': np.logical_or,
            'logical_xor': np.logical_xor}[name]
    value = np.asarray(value)
    total = value
    for _ in range(n - 1):
        total = func(total, value).astype(value.dtype)
    if total.size == 1:
        return int(total.item()) if value.dtype.kind == 'b' else total.item()
    return np.asarray(total)


def numbers(members, n, section):
    # contract: 8.3.4 8.3.5 8.3.6 8.3.7 8.3.8
    values = [3, -3, 2.5, np.float32(1.5), np.float64(2), np.int8(1), np.uint16(2), np.int64(-1),
              np.uint64(2**63), [1, 2, 3], (1, 2), [1.5, -2.5], (0.5,), [7], np.arange(6),
              np.arange(6) / 4, array.array('i', [1, 2]), array.array('d', [0.5]),
              array.array('B', [1, 2, 3])]
    values += [np.arange(4).astype(t) for t in 'bBhHiIlLqQfdg']
    # contract: 8.3.9
    values += [np.ones((2, 3)), np.ones((2, 1, 2), 'i2'), np.full((1, 1), 2.0), np.array(3),
               np.arange(12).reshape(3, 4)[:, ::2], np.asfortranarray(np.arange(6.).reshape(2, 3)),
               np.arange(4, dtype='>i4'), np.zeros(0), [np.float64(1), np.float64(2)], [np.int32(3)]]
    # contract: 8.3.10
    values += [np.arange(4).astype('e'), np.float16(0.5), np.arange(3) * (1 + 2j), np.complex64(1j),
               np.array([1j]), np.array([0.5], 'e')]
    for value in values:
        for name in ARITHMETIC:
            if name in ('max', 'min') and np.asarray(value).dtype.kind == 'c' and n > 8:
                continue
            want = expected(name, value, n)
            if isinstance(want, np.ndarray) and want.dtype.byteorder == '>':
                want = want.astype(want.dtype.newbyteorder('='))
            got = reduced(members, n, value, getattr(Reducer, name), section)
            if isinstance(got, np.ndarray) and got.dtype.byteorder == '>':
                got = got.astype(got.dtype.newbyteorder('='))
            try:
                check_equal(got, want)
            except AssertionError as e:
                raise AssertionError(f'{name} of {value!r} by {n}: {e}') from None


def logical(members, n, section):
    # contract: 8.3.11
    values = [True, False, np.bool_(True), [True, False], [True], (False, True, True),
              np.array([True, False]), np.ones((2, 2), bool)]
    for value in values:
        for name in SEVEN[4:]:
            got = reduced(members, n, value, getattr(Reducer, name), section)
            check_equal(got, expected(name, value, n))


def objects(members, n, section):
    # contract: 8.3.12 8.3.13
    assert reduced(members, n, Added(2), Reducer.sum, section).x == 2 * n
    assert reduced(members, n, Added(2), Reducer.product, section).x == 2 ** n
    assert reduced(members, n, Added(2), Reducer.max, section) == Added(2)
    assert reduced(members, n, Added(2), Reducer.min, section) == Added(2)
    total = reduced(members, n, OnlyRadd(3), Reducer.sum, section)
    assert (total if n > 1 else total.x) == 3 * n
    assert reduced(members, n, 1 + 1j, Reducer.sum, section) == n * (1 + 1j)
    assert reduced(members, n, Colour.RED, Reducer.sum, section) == 3 * n
    assert reduced(members, n, 'b', Reducer.max, section) == 'b'
    assert reduced(members, n, [1, 'x'], Reducer.sum, section) == [1, 'x'] * n
    assert reduced(members, n, [1, 2.5], Reducer.max, section) == [1, 2.5]
    assert reduced(members, n, [], Reducer.sum, section) == []
    objs = reduced(members, n, np.array([1, 2**70], object), Reducer.sum, section)
    assert list(objs) == [n, n * 2**70]


def gathered(members, indexes, section):
    # contract: 8.3.18
    f = Future()
    members.index(f, section)
    got = f.get()
    assert type(got) is list and got == indexes, (got, indexes)
    one = {'any': [Ellipsis, {1, 2}, b'x', None]}
    assert reduced(members, len(indexes), one, Reducer.gather, section) == [one] * len(indexes)


def nothing(members, section):
    # contract: 8.1.4
    n = 1
    assert reduced(members, n, 5, Reducer.nop, section) is None
    assert reduced(members, n, 5, None, section) is None
    assert reduced(members, n, None, None, section) is None


def refused(one):
    # contract: 8.3.14 8.3.15 8.3.16
    text = 'Could not find a valid reducer. Check that datatype matches the operator'
    records = np.zeros(2, 'i4,f8')
    bad = [(True, 'sum'), ([True], 'max'), (np.ones(2, bool), 'product'), (1, 'logical_and'),
           ([1, 2], 'logical_or'), (1.5, 'logical_xor'), (np.arange(3), 'logical_and'),
           ([1, True], 'logical_and'), (object(), 'logical_or'), (array.array('i', [1]), 'logical_and'),
           (records, 'sum'), (records, 'max'), (records[0], 'min'), (np.array(['a']), 'sum'),
           (np.array(['2020-01-01'], 'M8[D]'), 'sum')]
    for data, name in bad:
        got = one.error(data, getattr(Reducer, name), ret=True).get()
        assert got == ('AssertionError', text), (data, name, got)
    for data in (2**63, -2**63 - 1, [1, 2**64]):
        assert one.error(data, Reducer.sum, ret=True).get()[0] == 'OverflowError', data
    for reducer in (len, expected, 'sum', 3, ('sum', 77)):
        kind, text = one.error(1, reducer, ret=True).get()
        assert kind == 'Charm4PyError' and 'Invalid reducer' in text and 'addReducer' in text, text


def reducers_are_values():
    # contract: 8.3.1 8.3.2 8.3.3
    for name in SEVEN + ['gather', 'nop']:
        r = getattr(Reducer, name)
        assert r == pickle.loads(pickle.dumps(r)) and isinstance(r, tuple)
        assert [k for k, v in Reducer.__dict__.items() if v == r] == [name]
    assert Reducer is charm.reducers


def main(args):
    reducers_are_values()
    npes = charm.numPes()
    g, a, one = Group(Member), Array(Member, 7), Array(Member, (1, 1))
    b = Array(Member, (2, 3, 1))
    single = Chare(Member)
    charm.awaitCreation(g, a, one, b)
    low = a[0:5:2]
    half = charm.split(g, 1, elems=[list(range((npes + 1) // 2))])[0]
    # contract: 8.3.19
    for members, n, indexes, section in (
            (g, npes, list(range(npes)), None), (a, 7, [(i,) for i in range(7)], None),
            (b, 6, [(i, j, 0) for i in range(2) for j in range(3)], None),
            (one, 1, [(0, 0)], None), (single, 1, [(0,)], None),
            (low, 3, [(0,), (2,), (4,)], low),
            (half, (npes + 1) // 2, list(range((npes + 1) // 2)), half)):
        numbers(members, n, section)
        logical(members, n, section)
        objects(members, n, section)
        gathered(members, indexes, section)
        nothing(members, section)
        f = Future()
        members.own(Reducer.max, f, section)
        top = indexes[-1]
        assert f.get() == (top if isinstance(top, int) else
                           sum(10 ** k * x for k, x in enumerate(top)))
    refused(single)
    # contract: 8.3.17
    f = Future(2)
    a.mixed(f)
    assert sorted(f.get()) == [3.5, 35]
    f = Future(2)
    a.big(f)
    wrapped = (7 * 2**62 + 2**63) % 2**64 - 2**63
    assert sorted(f.get()) == sorted([wrapped, -2**63])
    both = charm.combine(a, g)
    f = Future()
    both.index(f, both)
    got = f.get()
    assert got == [(i,) for i in range(7)] + list(range(npes)) or \
        got == list(range(npes)) + [(i,) for i in range(7)], got
    exit()


charm.start(main)
