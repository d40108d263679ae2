"""Objects with their own pickling, cycles, shared parts and strange values come back the same,
by every way there is."""
# PEs: 1 2 4 8
import array
import collections
import copyreg
import dataclasses
import datetime
import decimal
import fractions
import functools
import io
import math
import pathlib
import pickle
import random
import re
import types
import uuid

from charm4py import charm, Chare, Group, Array, Channel, Future, Reducer, coro


class Reduces:

    def __init__(self, x):
        self.x = x

    def __reduce__(self):
        return Reduces, (self.x,)


class ReducesWithState(Reduces):

    def __reduce__(self):
        return make, (self.x,), {'extra': [self.x]}, iter([1, 2]), iter([('a', 1)])

    def append(self, x):
        self.__dict__.setdefault('items', []).append(x)

    def __setitem__(self, key, value):
        self.__dict__.setdefault('pairs', {})[key] = value


class ReducesEx(Reduces):

    def __reduce_ex__(self, protocol):
        assert protocol >= 2
        return ReducesEx, (self.x,)


class State:

    def __init__(self, x):
        self.x, self.open = x, io.StringIO('cannot be pickled as it is')

    def __getstate__(self):
        state = dict(self.__dict__)
        del state['open']
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.open = io.StringIO('anew')


class NewArgs(tuple):

    def __new__(cls, a, b):
        return super().__new__(cls, (a, b))

    def __getnewargs__(self):
        return tuple(self)


class Slots:
    __slots__ = ('a', '__weakref__')

    def __init__(self, a):
        self.a = a


class Singleton:
    def __reduce__(self):
        return 'SINGLETON'


class Registered:
    def __init__(self, x):
        self.x = x


class Equal:
    """== that is no bool."""
    def __eq__(self, other):
        raise RuntimeError('nobody compares what is sent')
    __hash__ = None

    def __bool__(self):
        raise RuntimeError('nobody asks whether it is true')

    def __len__(self):
        raise RuntimeError('nobody asks how long it is')


def make(x):
    return ReducesWithState(x)


copyreg.pickle(Registered, lambda r: (Registered, (r.x,)))
SINGLETON = Singleton()


def cycles():
    a = [1]
    a.append(a)
    d = {}
    d['me'] = d
    t = ([],)
    t[0].append(t)
    s = State(1)
    s.me = [s]
    twice = [1, 2]
    deep = x = []
    for _ in range(100):
        x.append([])
        x = x[0]
    return [
        (a, lambda v: v[1] is v and v[0] == 1),
        (d, lambda v: v['me'] is v),
        (t, lambda v: v[0][0] is v),
        (s, lambda v: v.me[0] is v and v.open.getvalue()),
        ([twice, twice], lambda v: v[0] is v[1]),
        ({'a': twice, 'b': [twice]}, lambda v: v['a'] is v['b'][0]),
        ((twice, [twice], {1: twice}), lambda v: v[0] is v[1][0] is v[2][1]),
        ([[twice] * 100], lambda v: len({id(x) for x in v[0]}) == 1),
        (deep, lambda v: v == deep),
    ]


def customs():
    return [
        (Reduces(4), lambda v: v.x == 4),
        (pickle.loads(pickle.dumps(ReducesWithState(5))), lambda v: (v.x, v.extra, v.items, v.pairs) == (5, [5], [1, 2], {'a': 1})),
        (ReducesEx(6), lambda v: v.x == 6),
        (State([1]), lambda v: v.x == [1] and v.open.getvalue()),
        (NewArgs(1, 'b'), lambda v: type(v) is NewArgs and v == (1, 'b')),
        (Slots([3]), lambda v: v.a == [3]),
        (SINGLETON, lambda v: v is SINGLETON),
        ([SINGLETON] * 2, lambda v: v[0] is v[1] is SINGLETON),
        (Registered(8), lambda v: v.x == 8),
        (Equal(), lambda v: type(v) is Equal),
        ([Equal(), {'k': Equal()}], lambda v: type(v[1]['k']) is Equal),
    ]


PLAIN = [
    None, True, False, 0, -1, -33, -32, 159, 160, 2**15 - 1, 2**15, -2**31, 2**31, 2**63 - 1, 2**63, -2**63,
    -2**63 - 1, 10**400, -10**400, 0.0, -0.0, 1e308, float('inf'), 5e-324, 1j, complex(-0.0, math.inf),
    '', 'a', 'ä', '\0', 'x' * 255, 'x' * 256, '\U0001f600' * 300, '\ud800', b'', b'\0', b'x' * 255, b'x' * 256,
    b'x' * 100000, bytearray(b'ab'), bytearray(), (), (1,), ((),), tuple(range(256)), [], [[]], list(range(300)),
    {}, {1: {}}, {(): []}, {None: None, True: 0, 'a': b'a'}, dict.fromkeys(range(300)), set(), {1, 'a', ()},
    frozenset(), frozenset([frozenset()]), Ellipsis, NotImplemented, [Ellipsis, (Ellipsis,)], {Ellipsis: Ellipsis},
    range(5), range(10, -10, -3), slice(1, None, 2), int, list, type(None), type(Ellipsis), len, math.sin,
    re.compile('a+', re.I), datetime.datetime(2020, 1, 2, 3, 4, 5, 6, datetime.timezone.utc),
    datetime.timedelta(3, 4), decimal.Decimal('1.10'), fractions.Fraction(2, 6), uuid.UUID(int=5),
    pathlib.PurePosixPath('/a/b'), collections.OrderedDict([(2, 1), (1, 2)]), collections.Counter('aab'),
    collections.deque([1, 2], 5), collections.ChainMap({1: 2}, {3: 4}), types.SimpleNamespace(a=[1]),
    array.array('d', [1.5, -2]), array.array('b'), array.array('u', 'äö'), array.array('Q', [2**64 - 1]),
    array.array('i', range(5000)), memoryview,
]


def same_value(x, y):
    if type(x) is not type(y):
        return False
    if isinstance(x, float):
        return math.copysign(1, x) == math.copysign(1, y) and x == y
    if isinstance(x, (list, tuple)):
        return len(x) == len(y) and all(map(same_value, x, y))
    if isinstance(x, array.array):
        return x.typecode == y.typecode and x == y
    if isinstance(x, dict):
        return list(x) == list(y) and x == y
    return x == y


class Member(Chare):

    def back(self, *values):
        return values[0] if len(values) == 1 else values

    def check(self, kind, which, value):
        assert tests()[kind][which][1](value), (kind, which)
        return value

    def nan(self, x):
        assert x != x
        return [x, x]

    def keep(self, value):
        self.value = value

    def kept(self):
        return self.value

    @coro
    def echo(self, remote, n):
        channel = Channel(self, remote=remote)
        for _ in range(n):
            channel.send(channel.recv())

    def gather(self, future, value):
        self.reduce(future, value, Reducer.gather)


@functools.lru_cache(None)
def tests():
    return {'cycles': cycles(), 'customs': customs(),
            'plain': [(v, lambda w, v=v: same_value(v, w)) for v in PLAIN]}


class Main(Chare):

    def __init__(self, args):
        seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
        print('seed', seed)
        rng = random.Random(seed)
        n = charm.numPes()
        group, elements = Group(Member), Array(Member, 2 * n)
        last = elements[2 * n - 1]
        charm.awaitCreation(group, elements)
        for kind, cases in tests().items():
            for which, (value, good) in enumerate(cases):
                for target in (group[n - 1], last):
                    assert good(target.check(kind, which, value, ret=True).get()), (kind, which, value)
                assert all(good(v) for v in group.check(kind, which, value, ret=True).get())
        self.mixed(rng, group[n - 1])
        self.through_channel(group[n - 1])
        self.in_state(elements)
        self.reduced(elements, 2 * n)
        assert all(x != x for x in last.nan(math.nan, ret=True).get())
        exit()

    def mixed(self, rng, target):
        """Several arguments, with what is pickled beside what is not."""
        everything = [(v, good) for cases in tests().values() for v, good in cases]
        for _ in range(20):
            some = rng.choices(everything, k=rng.randrange(2, 30))
            back = target.back(*[v for v, _ in some], ret=True).get()
            assert len(back) == len(some)
            assert all(good(v) for v, (_, good) in zip(back, some))
            nested = target.back({'x': [tuple(v for v, _ in some)]}, ret=True).get()
            assert all(good(v) for v, (_, good) in zip(nested['x'][0], some))

    def through_channel(self, member):
        everything = [(v, good) for cases in tests().values() for v, good in cases]
        member.echo(self.thisProxy, len(everything))
        channel = Channel(self, remote=member)
        for value, _ in everything:
            channel.send(value)
        for value, good in everything:
            assert good(channel.recv()), value

    def in_state(self, elements):
        """State of elements that move."""
        n = charm.numPes()
        for kind, cases in tests().items():
            for which, (value, good) in enumerate(cases):
                element = elements[which % (2 * n)]
                element.keep(value, awaitable=True).get()
                element.migrate(which % n)
                assert good(element.kept(ret=True).get()), (kind, which, value)

    def reduced(self, elements, size):
        for value in (None, Ellipsis, 10**400, [[]], {1: [2]}, Ellipsis.__class__, State(1)):
            future = Future()
            elements.gather(future, value)
            got = future.get()
            assert len(got) == size and all(type(v) is type(value) for v in got)


charm.start(Main)
