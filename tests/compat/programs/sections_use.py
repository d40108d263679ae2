"""Sections: who makes them, what they accept, early messages, callbacks, values of reductions."""
# PEs: 1 2 3 4
import pickle
import numpy as np
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro, when
from charm4py.charm import Charm4PyError
from charm4py.threads import NotThreadedError

N = 12
factor = 0


class Member(Chare):
    def __init__(self):
        self.log, self.got = [], 0

    def note(self, x):
        self.log.append(x)

    def take(self):
        log, self.log = self.log, []
        return log

    def where(self):
        return self.thisIndex

    def reduce_in(self, data, reducer, done, section=None):
        self.contribute(data, reducer, done, section)

    def result(self, value=None):
        self.got += 1
        self.value = value

    def recv_qd(self, *args):
        assert args == ()
        self.got += 1

    def take_got(self):
        got, self.got = self.got, 0
        return got

    def plain_split(self, what):
        if what == 'elems of a group':
            return charm.split(self.thisProxy, 1, elems=[[0]])[0]
        if what == 'slice of a group':
            return self.thisProxy[0:1]
        if what == 'function':
            return charm.split(self.thisProxy, 1, everybody)
        if what == 'combine':
            return charm.combine(self.thisProxy)
        return self.thisProxy[0:1]

    @coro
    def split_here(self, a):
        """Any PE may make sections, of anything."""
        s = charm.split(a, 2, parity)
        s[0].note(('from', self.thisIndex))
        t = charm.combine(s[0], self.thisProxy)
        return s, t

    def early(self, section, done):
        """It may hear of the section by this call first."""
        self.reduce(done, 1, Reducer.sum, section)


class Other(Chare):
    def __init__(self):
        self.turn = 1

    @when('self.turn == x')
    def note(self, x):
        self.turn += 1

    def where(self):
        return 'other', self.thisIndex


def everybody(member):
    return 0


def parity(member):
    i = member.thisIndex
    return (i if isinstance(i, int) else i[0]) % 2


def by_global(member):
    return parity(member) * factor


def nobody(member):
    return -1


def fails(member):
    raise KeyError('in the function')


def wrong(member):
    return 'x'


def raises(kind, text, func, *args, **kw):
    try:
        func(*args, **kw)
    except kind as e:
        assert text in str(e), e
        return
    assert False, (kind, text)


def making(a, g):
    # contract: 9.1 9.3
    s = charm.split(a, 2, parity)
    assert isinstance(s, list) and len(s) == 2
    assert s[1].where(ret=True).get() == [(i,) for i in range(1, N, 2)]
    # contract: 9.4
    charm.thisProxy.updateGlobals({'factor': 1}, awaitable=True).get()
    assert charm.split(a, 2, by_global)[0].where(ret=True).get() == [(i,) for i in range(0, N, 2)]
    # contract: 9.2
    for proxy in (a[0], g[0], 5, 'x'):
        raises(AssertionError, 'whole collections', charm.split, proxy, 1, everybody)
        raises(AssertionError, 'whole collections', charm.combine, a, proxy)
    raises(AssertionError, 'at least one', charm.combine)
    # contract: 9.6
    raises(AssertionError, 'would have no elements', charm.split, a, 1, nobody)
    raises(AssertionError, 'would have no elements', charm.split, a, 3, parity)
    raises(Charm4PyError, 'there are 1 sections', charm.split, a, 1, parity)
    raises(AssertionError, 'of 1 sections, not of 2', charm.split, a, 2, elems=[[(1,)]])
    raises(AssertionError, 'needs section_func', charm.split, a, 1)
    # contract: 9.24
    raises(KeyError, 'in the function', charm.split, a, 1, fails)
    raises(TypeError, 'interpreted as an integer', charm.split, a, 1, wrong)
    # contract: 9.5
    for elems, n in (([(0,), (2,), (4,)], 1), ([[(0,), (2,), (4,)]], 1), ([[(4,), (2,), (0,)]], 1)):
        assert charm.split(a, n, elems=elems)[0].where(ret=True).get() == [(0,), (2,), (4,)]
    two = charm.split(a, 2, elems=[[(0,)], [(0,), (1,)]])
    assert [t.where(ret=True).get() for t in two] == [[(0,)], [(0,), (1,)]]
    assert charm.split(g, 1, elems=[0])[0].where(ret=True).get() == [0]
    # contract: 9.1
    for what, ok in (('elems of a group', True), ('slice of a group', True), ('function', False),
                     ('combine', False)):
        if ok:
            assert g[0].plain_split(what, ret=True).get().where(ret=True).get() == [0]
        else:
            raises(NotThreadedError, 'Member.plain_split',
                   g[0].plain_split(what, awaitable=True).get)
    raises(NotThreadedError, 'Member.plain_split', a[0].plain_split('slice', awaitable=True).get)


def using(a, g):
    # contract: 9.15
    for k in range(20):
        for s in charm.split(a, 2, parity):
            s.note(k)                   # at once, from here
        charm.combine(a, g).note(k)
    charm.waitQD()
    assert all(sorted(log) == sorted(list(range(20)) * 2) for log in a.take(ret=True).get())
    assert g.take(ret=True).get() == [list(range(20))] * charm.numPes()
    # contract: 9.16
    s = charm.split(a, 2, parity)
    for k in range(10):
        done = Future()
        t = charm.combine(s[1], g)
        g.early(t, done)                # the members of g hear of t from others than t
        s[1].early(t, done)
        assert done.get() == N // 2 + charm.numPes()
    # contract: 9.14
    same = pickle.loads(pickle.dumps(s[0]))
    assert same == s[0] and hash(same) == hash(s[0]) and same != s[1] and s[0] != a
    assert {s[0]: 1, s[1]: 2, a: 3}[same] == 1 and same.issec and len({same.section, s[0].section}) == 1
    # contract: 9.25
    for pe in range(charm.numPes()):
        parts, both = g[pe].split_here(a, ret=True).get()
        assert parts[1].where(ret=True).get() == [(i,) for i in range(1, N, 2)]
        assert both.where(ret=True).get() == [(i,) for i in range(0, N, 2)] + list(range(charm.numPes()))
        assert parts[0].take(ret=True).get() == [[('from', pe)]] * (N // 2)
    # contract: 9.12
    a.take_got(ret=True).get()
    s[0].reduce_in(2, Reducer.sum, s[1].result, s[0])
    s[0].reduce_in(None, None, s[1].result, s[0])
    a.reduce_in(1, Reducer.max, s[1].result)
    charm.waitQD()
    assert a.take_got(ret=True).get() == [0, 3] * (N // 2)
    charm.startQD(s[0].recv_qd)
    while sum(a.take_got(ret=True).get()) == 0:
        charm.sleep(0.001)
    # contract: 9.8
    o = Array(Other, 3)
    both = charm.combine(o, s[0])
    assert type(both).__name__ == 'OtherArraySecProxy'
    late = both.note(2, awaitable=True)
    both.note(1)
    late.get()
    assert both.where(ret=True).get() == [('other', (i,)) for i in range(3)] + \
        [(i,) for i in range(0, N, 2)]
    a.take(ret=True).get()
    # contract: 9.23
    assert charm.combine(a, g)[0].where(ret=True).get() == (0,)
    assert s[0][3].where(ret=True).get() == (3,)


DATA = [
    (Reducer.sum, [3, -2.5, [1, 2, 3], (1.5, 2.5), np.arange(4), np.ones(3, 'f4'), np.int32(7)]),
    (Reducer.product, [1, 1.5, [1, -1], np.array([1., 1.5])]),
    (Reducer.max, [3, 2.5, [1, 2], np.arange(3)]),
    (Reducer.min, [3, 2.5, [1, 2], np.arange(3)]),
    (Reducer.logical_and, [True, False, [True, False], np.array([True, False]), np.bool_(True)]),
    (Reducer.logical_or, [True, False, [True, False]]),
    (Reducer.logical_xor, [True, False, [True, False]]),
    (Reducer.gather, [1, 'x', None, [1]]),
]


def same(x, y):
    if isinstance(x, np.ndarray):
        return isinstance(y, np.ndarray) and x.dtype == y.dtype and np.allclose(x, y)
    return type(x) is type(y) and x == y


def values():
    # contract: 9.20
    for n in (1, 5):
        a = Array(Member, n)
        s = charm.split(a, 1, everybody)[0]
        for reducer, some in DATA:
            for data in some:
                whole, part = Future(), Future()
                a.reduce_in(data, reducer, whole)
                s.reduce_in(data, reducer, part, s)
                assert same(whole.get(), part.get()), (n, data, whole.get(), part.get())
        empty = Future(2)
        s.reduce_in(None, None, empty, s)
        s.reduce_in(5, Reducer.nop, empty, s)
        assert empty.get() == [None, None]


def main(args):
    a, g = Array(Member, N), Group(Member)
    making(a, g)
    using(a, g)
    values()
    exit()


charm.start(main)
