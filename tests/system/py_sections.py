"""Sections: split, sliced, combined, of groups, arrays and sections."""
import pickle
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro, when
from charm4py.charm import Charm4PyError

N = 12


class Member(Chare):
    def __init__(self):
        self.count, self.turn = 0, 0

    def hit(self, n=1):
        self.count += n

    def hits(self):
        n, self.count = self.count, 0
        return n

    def where(self):
        return self.thisIndex

    def name(self):
        return 'plain'

    def fail(self, index):
        if self.thisIndex == index:
            raise ValueError('as told')
        return 1

    @coro
    def later(self, x):
        charm.sleep(0)
        return x

    def go(self, data, reducer, cb, section):
        self.contribute(data, reducer, cb, section)

    def index(self, cb, section):
        self.reduce(cb, self.thisIndex, Reducer.gather, section)
        self.reduce(cb, section=section)

    @coro
    def barriers(self, sections):
        for i in range(4):
            got = [self.allreduce(1, Reducer.sum, section=s) for s in sections]
            whole = self.allreduce(i, Reducer.max)
            sizes = [f.get() for f in reversed(got)][::-1]
            assert whole.get() == i
            assert self.allreduce(section=sections[0]).get() is None
        return sizes

    @when('self.turn == n')
    def step(self, n):
        self.turn += 1
        return n

    def total(self, result):
        self.count += result

    def nothing(self, result):
        assert result is None
        self.count += 1


    def nothing_in(self, section, done):
        self.done = done
        self.reduce(self.thisProxy.nothing_more, section=section)

    def nothing_more(self, result):
        assert result is None
        self.reduce(self.done)


class Other(Chare):
    """Its methods have other numbers and other marks than those of Member."""

    def aaa(self):
        pass

    def another(self):
        pass

    @coro
    def name(self):
        charm.sleep(0)
        return 'coro'

    def where(self):
        return self.thisIndex

    def total(self, result):
        self.result = result

    def go(self, data, reducer, cb, section):
        self.contribute(data, reducer, cb, section)


def first(element):
    return element.thisIndex[0] if isinstance(element.thisIndex, tuple) else element.thisIndex


def even(element):
    return 0 if first(element) % 2 == 0 else -1


def thirds(element):
    """Element i is in the sections i % 3 and 3; the last in none."""
    i = first(element)
    return [i % 3, 3] if i < N - 1 else []


def check_fails(exception, text, func, *args, **kw):
    try:
        func(*args, **kw)
    except exception as e:
        assert text in str(e), e
    else:
        assert False, text


def reductions(s, n):
    f = Future()
    s.go(2, Reducer.sum, f, s)
    assert f.get() == 2 * n
    f = Future()
    s.go([1, 2], Reducer.sum, f, s)
    assert list(f.get()) == [n, 2 * n]
    f = Future()
    s.go(None, None, f, s)
    assert f.get() is None


def arrays():
    a = Array(Member, N)
    parts = charm.split(a, 4, thirds)
    assert all(type(p).__name__ == 'MemberArraySecProxy' and p.issec for p in parts)
    assert not a.issec and not a[0].issec and not hasattr(a, 'section')
    assert len({p.section[1] for p in parts}) == 4 and len(set(parts) | {a}) == 5
    for k in range(3):
        members = [(i,) for i in range(k, N - 1, 3)]
        assert parts[k].where(ret=True).get() == members
        reductions(parts[k], len(members))
    charm.wait([parts[3].hit(awaitable=True), parts[0].hit(10, awaitable=True),
                parts[1].hit(awaitable=True)])      # sections and arrays go different ways
    assert a.hits(ret=True).get() == [1 + 10 * (i % 3 == 0) + (i % 3 == 1)
                                      for i in range(N - 1)] + [0]
    assert parts[2].later('x', ret=True).get() == ['x'] * len(parts[2].where(ret=True).get())
    copy = pickle.loads(pickle.dumps(parts[1]))
    assert copy == parts[1] and hash(copy) == hash(parts[1]) and type(copy) is type(parts[1])
    assert copy != parts[0] and copy != a and copy.section == parts[1].section
    # methods of sections as callbacks
    a.hits(ret=True).get()
    parts[3].go(1, Reducer.sum, copy.total, parts[3])
    parts[3].go(None, None, copy.nothing, parts[3])
    charm.waitQD()
    assert a.hits(ret=True).get() == [N * (i % 3 == 1 and i < N - 1) for i in range(N)]
    charm.startQD(parts[0].hit)
    while sum(parts[0].hits(ret=True).get()) < len(range(0, N - 1, 3)):
        charm.sleep(0.001)
    # exceptions
    check_fails(ValueError, 'as told', parts[0].fail((3,), awaitable=True).get)
    got = parts[0].fail((3,), ret=True).get()
    assert got[0] == 1 and isinstance(got[1], ValueError)
    # @when
    for n in (1, 0, 2):
        f = parts[3].step(n, ret=True)
    assert f.get() == [2] * (N - 1)
    return a, parts


def by_index(a):
    # contract: 9.17
    s = charm.split(a, 1, elems=[(1,), (5,), (3,)])[0]
    assert s.where(ret=True).get() == [(1,), (3,), (5,)]
    two = charm.split(a, 2, elems=[[(1,)], [(5,), (3,)]])
    assert [p.where(ret=True).get() for p in two] == [[(1,)], [(3,), (5,)]]
    assert a[2:9:3].where(ret=True).get() == [(2,), (5,), (8,)]
    assert charm.split(a, 1, slicing=slice(0, 2))[0].where(ret=True).get() == [(0,), (1,)]
    b = Array(Member, (4, 4))
    assert b[1:3, 0:4:2].where(ret=True).get() == [(1, 0), (1, 2), (2, 0), (2, 2)]
    rows = charm.split(b, 4, first)
    for k, row in enumerate(rows):
        assert row.where(ret=True).get() == [(k, j) for j in range(4)]
        assert row[0:4, 1:3].where(ret=True).get() == [(k, 1), (k, 2)]
        reductions(row, 4)
    sparse = Array(Member, ndims=1)
    for i in (7, 3, 100):
        sparse.ckInsert(i)
    sparse.ckDoneInserting()
    assert sparse[0:50].where(ret=True).get() == [(3,), (7,)]


def barriers(a, parts):
    """Each is in one of the first three sections, and in the fourth."""
    # contract: 9.26
    small = charm.split(a, 2, elems=[[(i,) for i in range(N)], [(i,) for i in range(N)][::-1]])
    sizes = a.barriers(small, ret=True).get()
    assert sizes == [[N, N]] * N, sizes


def groups():
    npes = charm.numPes()
    g = Group(Member)
    s = charm.split(g, 1, even)[0]
    assert type(s).__name__ == 'MemberGroupSecProxy' and s.gid == g.gid and s.elemIdx == -1
    evens = list(range(0, npes, 2))
    for section in (s, g[::2], g[0::2][::], charm.split(g, 1, elems=evens)[0],
                    charm.split(g, 1, elems=[evens])[0]):
        assert section.where(ret=True).get() == evens
        reductions(section, len(evens))
    assert g[0:1].where(ret=True).get() == [0]
    return g


def on_pes():
    # contract: 9.18
    npes = charm.numPes()
    pes = [npes - 1, 0, npes - 1] if npes > 2 else [npes - 1]
    g = Group(Member, onPEs=pes)
    charm.awaitCreation(g)
    pes = sorted(set(pes))
    assert type(g).__name__ == 'MemberGroupSecProxy' and g.issec and len(g.section) == 2
    assert g.where(ret=True).get() == pes
    assert g[pes[-1]].where(ret=True).get() == pes[-1]
    reductions(g, len(pes))
    f = Future(2)
    g.index(f, None)
    assert sorted(map(str, f.get())) == sorted([str(pes), 'None'])
    assert pickle.loads(pickle.dumps(g)) == g
    f = Future()
    g.nothing_in(g, f)
    f.get()
    assert g.barriers([g], ret=True).get() == [[len(pes)]] * len(pes)
    half = g[pes[-1]:]
    assert half.where(ret=True).get() == [pes[-1]]
    assert charm.combine(g, half).where(ret=True).get() == pes
    check_fails(Charm4PyError, 'at least one', Group, Member, onPEs=[])


def combined(g, a):
    # contract: 9.7 9.8
    npes = charm.numPes()
    o, b = Group(Other), Array(Other, 3)
    c = charm.combine(a, o, g, b)
    assert type(c).__name__ == 'MemberArraySecProxy'
    assert c.name(ret=True).get() == ['plain'] * N + ['coro'] * npes + ['plain'] * npes + ['coro'] * 3
    pes = list(range(npes))
    assert c.where(ret=True).get() == [(i,) for i in range(N)] + pes + pes + [(i,) for i in range(3)]
    reductions(c, N + 2 * npes + 3)
    low = charm.split(c, 1, even)[0]
    assert low.where(ret=True).get() == [(i,) for i in range(0, N, 2)] + pes[::2] * 2 + [(0,), (2,)]
    f = Future()
    low.go('x', Reducer.gather, f, low)
    n = len(range(0, N, 2)) + 2 * len(pes[::2]) + 2
    assert f.get() == ['x'] * n
    charm.combine(low, a).total(0, awaitable=True).get()
    a1, a2 = Array(Member, (4, 4)), Array(Member, (4, 4))
    for k, part in enumerate(charm.split(charm.combine(a1, a2), 4, first)):
        assert part.where(ret=True).get() == [(k, j) for j in range(4)] * 2
        f = Future(2)
        part.index(f, part)
        got = f.get()
        assert None in got and [(k, j) for j in range(4)] * 2 in got, got


def nested(a):
    """Sections of sections, and their combinations."""
    s = a
    left = list(range(N))
    while len(left) > 1:
        half = len(left) // 2
        parts = charm.split(s, 2, elems=[[(i,) for i in left[:half]], [(i,) for i in left[half:]]])
        again = charm.combine(parts[1], parts[0])
        assert again.where(ret=True).get() == [(i,) for i in left[half:] + left[:half]]
        reductions(again, len(left))
        s, left = parts[1], left[half:]
    assert s.where(ret=True).get() == [(N - 1,)]


def moving(a, parts):
    """Members move between the calls of a section and its reductions."""
    # contract: 10.30 9.19
    npes = charm.numPes()
    a.hits(ret=True).get()
    for turn in range(6):
        for i in range(N):
            a[i].migrate((i + turn) % npes)
        parts[3].hit()
        f = Future()
        parts[3].go(1, Reducer.sum, f, parts[3])
        assert f.get() == N - 1
    assert a.hits(ret=True).get() == [6] * (N - 1) + [0]


def mistakes(g, a):
    check_fails(AssertionError, 'section 1 would have no elements', charm.split, a, 2, even)
    check_fails(Charm4PyError, 'there are 1 sections', charm.split, a, 1, first)
    check_fails(AssertionError, 'whole collections', charm.split, a[0], 1, even)
    check_fails(AssertionError, 'whole collections', charm.combine, a, 5)
    check_fails(AssertionError, 'start and stop', lambda: a[1:])
    check_fails(IndexError, 'no element', charm.split, g, 1, elems=[charm.numPes()])
    # contract: 9.21
    check_fails(NotImplementedError, 'onPEs', charm.split, g, 1, cons=[Member])
    half = charm.combine(g, a[0:N // 2])
    for other in (g, half, charm.split(a, 1, even)[0]):
        check_fails(Charm4PyError, 'not part of a section',
                    a[N - 1].go(1, Reducer.sum, Future(), other, ret=True).get)


def main(args):
    a, parts = arrays()
    by_index(a)
    barriers(a, parts)
    g = groups()
    on_pes()
    combined(g, a)
    nested(a)
    moving(a, parts)
    mistakes(g, a)
    exit()


charm.start(main)
