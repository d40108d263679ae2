"""NumPy arrays of every type, layout and shape keep type, shape, values and can be written to."""
# PEs: 1 2 4 8
import random

from charm4py import charm, Chare, Group, Array, Channel, Future, Reducer, coro

import numpy as np

DTYPES = ['?', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f2', 'f4', 'f8', 'g', 'c8', 'c16', 'G',
          '>i4', '>f8', 'S5', 'U3', 'S0', 'V7', 'M8[s]', 'm8[ms]', 'O',
          [('a', 'i4'), ('b', 'f8')], [('n', 'U2'), ('in', [('x', 'i1'), ('y', 'f4', (2, 2))])],
          np.dtype([('a', 'i1'), ('b', 'f8')], align=True),
          np.dtype({'names': ['p', 'q'], 'formats': ['i2', 'f8'], 'offsets': [3, 9], 'itemsize': 24})]
SHAPES = [(), (0,), (1,), (7,), (3, 4), (4, 3), (0, 5), (5, 0, 2), (2, 3, 4), (1, 1, 1, 6), (2,) * 8, (40, 50)]


def filled(dtype, shape, seed):
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    if dtype.hasobject:
        values = [None, 'text', (1, [2]), {'k': seed}, 3.5, np.arange(3)]
        a = np.empty(size, dtype)
        for i in range(size):
            a[i] = values[i % len(values)]
        return a.reshape(shape)
    if dtype.kind == '?' or dtype.kind == 'b':
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind == 'U':
        return np.array(['aä%d' % (i % 7) for i in range(size)], dtype).reshape(shape)
    if dtype.names:
        a = np.zeros(shape, dtype)
        for name in dtype.names:
            sub = dtype[name]
            inner = shape + (sub.shape if sub.subdtype else ())
            a[name] = filled(sub.base, inner, seed)
        return a
    if dtype.kind in 'fc':
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    raw = rng.integers(0, 255, size * dtype.itemsize, dtype=np.uint8)
    return np.frombuffer(raw.tobytes(), dtype).reshape(shape).copy() if dtype.itemsize else np.zeros(shape, dtype)


def layouts(a):
    """The same values, or some of them, in other layouts of memory."""
    yield a
    yield np.asfortranarray(a)
    if a.ndim:
        yield a[::-1]
        yield a[::2]
        yield a[:0]
        yield a[1:-1]
        yield a.T
        yield np.broadcast_to(a, (3,) + a.shape)
        yield a[..., ::-1]
        read_only = a.copy()
        read_only.setflags(write=False)
        yield read_only
    if a.ndim > 1:
        yield a[:, 1:]
        yield a[:, -1:]
        yield a[:, 0] if a.shape[1] else a
        yield a.swapaxes(0, -1)[::-1]
    if a.ndim and a.dtype.names:
        yield a[a.dtype.names[0]]


def item_equal(x, y):
    if isinstance(x, np.ndarray):
        return isinstance(y, np.ndarray) and same(x, y)
    return type(x) is type(y) and x == y


def same(a, b):
    if type(a) is not type(b) or a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.hasobject:
        return all(item_equal(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist()))
    if a.dtype.names:
        return all(same(np.asarray(a[name]), np.asarray(b[name])) for name in a.dtype.names)
    return a.tobytes() == b.tobytes()


def same_pickled(a, b):
    """NumPy's own pickle forgets the byte order of what is not contiguous."""
    return same(a, b) or a.dtype.byteorder == '>' and a.dtype.newbyteorder() == b.dtype and (a == b).all()


class Sub(np.ndarray):
    pass


OTHERS = [
    np.float64(1.5), np.int8(-3), np.bool_(True), np.float16(2), np.complex64(1 + 2j), np.str_('a'), np.bytes_(b'a'),
    np.datetime64('2020-01-02'), np.timedelta64(5, 'D'), np.longdouble(3), np.uint64(2**64 - 1),
    np.dtype('f4'), np.dtype([('a', 'i4')]), np.float32, np.add, np.pi,
]


class Member(Chare):

    def back(self, *arrays):
        for a in arrays:
            if isinstance(a, np.ndarray) and not isinstance(a, np.ma.MaskedArray):
                assert a.flags.writeable or not self.remote, (a.dtype, a.shape, a.strides)
        return arrays[0] if len(arrays) == 1 else list(arrays)

    def set_remote(self, remote):
        self.remote = remote

    def spoil(self, a):
        a[...] = 0
        return int(np.count_nonzero(a))

    def keep(self, a):
        self.a = a
        self.view = a[1:]

    def kept(self):
        return self.a, self.view

    @coro
    def echo(self, remote, n):
        channel = Channel(self, remote=remote)
        for _ in range(n):
            channel.send(channel.recv())


class Main(Chare):

    def __init__(self, args):
        seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
        print('seed', seed)
        rng = random.Random(seed)
        n = charm.numPes()
        group = Group(Member)
        target = group[n - 1]
        group.set_remote(n > 1, awaitable=True).get()
        arrays = [a for dtype in rng.sample(DTYPES, 8) for shape in rng.sample(SHAPES, 4)
                  for a in layouts(filled(dtype, shape, rng.randrange(1000)))]
        rng.shuffle(arrays)
        calls = [(a, target.back(a, ret=True)) for a in arrays]
        for a, call in calls:
            got = call.get()
            assert same(a, got), (a.dtype, a.shape, a.strides, got.dtype, got.shape, got.strides)
        for _ in range(10):
            some = rng.sample(arrays, 12)
            assert all(map(same, some, target.back(*some, ret=True).get()))
            nested = target.back([{'k': tuple(some)}], ret=True).get()
            assert all(map(same_pickled, some, nested[0]['k']))
            for back in group.back(*some[:2], ret=True).get():
                for a, b in zip(some, back):
                    assert same(a, b), (a.dtype, a.shape, a.strides, b.dtype, b.shape, b.strides)
        self.others(target)
        self.channel(target, arrays[:60])
        self.large(target)
        self.state(n)
        exit()

    def others(self, target):
        for value in OTHERS:
            back = target.back(value, ret=True).get()
            assert type(back) is type(value) and back == value, value
        masked = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])
        back = target.back(masked, ret=True).get()
        assert type(back) is type(masked) and back.tolist() == [1, None, 3]
        sub = np.arange(6).reshape(2, 3).view(Sub)
        back = target.back(sub, ret=True).get()
        assert type(back) is Sub and back.tolist() == sub.tolist()
        rec = np.rec.array([(1, 'a'), (2, 'b')], dtype=[('x', 'i4'), ('y', 'U1')])
        back = target.back(rec, ret=True).get()
        assert back.x.tolist() == [1, 2] and back.y.tolist() == ['a', 'b']
        a = np.arange(5)
        shared = target.back([a, a[1:]], ret=True).get()
        assert shared[1].tolist() == [1, 2, 3, 4]
        cyclic = np.empty(1, object)
        cyclic[0] = [cyclic]
        back = target.back(cyclic, ret=True).get()
        assert back[0][0] is back

    def channel(self, target, arrays):
        target.echo(self.thisProxy, len(arrays))
        channel = Channel(self, remote=target)
        for a in arrays:
            channel.send(a)
        for a in arrays:
            assert same(a, channel.recv())

    def large(self, target):
        for a in (np.arange(300_000.0), np.arange(300_000.0).reshape(500, 600).T, np.arange(600_000)[::-2],
                  np.zeros(100_000, [('a', 'i4'), ('b', 'f8')]), np.array(['x' * 40] * 5000, object)):
            assert same(a, target.back(a, ret=True).get())
            if charm.numPes() > 1 and not a.dtype.hasobject and not a.dtype.names:
                before = a.copy()
                assert target.spoil(a, ret=True).get() == 0
                assert same(before, a), 'written to on another PE'

    def state(self, n):
        array = Array(Member, n)
        for dtype, shape in ((float, (5, 3)), ('O', (4,)), ([('a', 'i1')], (3,)), (int, (300, 300))):
            a = filled(dtype, shape, 1)
            for i in range(n):
                array[i].keep(a.copy(order='F'), awaitable=True).get()
                array[i].migrate((i + 1) % n)
            for back, view in array.kept(ret=True).get():
                assert same(a, np.ascontiguousarray(back)) and same(a[1:], np.ascontiguousarray(view))


charm.start(Main)
