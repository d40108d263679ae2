"""Where results of reductions go, and in which order reductions go on."""
# PEs: 1 2 3 4
import functools

import numpy as np
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro
from charm4py.charm import Charm4PyError

heard = []          # on each PE: what plain callables were called with


def hear(*result):
    heard.append((charm.myPe(), result))


def slow(result):
    done = Future()         # a callback may suspend
    charm.thisProxy[0].myPe(ret=True).get()
    done.send(result)
    hear(done.get())


class Listener(Chare):

    def __init__(self):
        self.results = []

    def recvResult(self, result=None):
        self.results.append(result)

    def nothing(self):
        self.results.append('no argument')

    def one(self, result):
        self.results.append(('one', result))

    def take(self):
        results, self.results = self.results, []
        return results

    def heard(self):
        copy, heard[:] = list(heard), []
        return copy


class Member(Listener):

    def __init__(self, callback=None):
        super().__init__()
        if callback is not None:
            self.reduce(callback, 1, Reducer.sum)   # contract: 8.1.6

    def give(self, callback, data=None, reducer=None, section=None):
        # contract: 8.1.1
        assert self.reduce(callback, data=data, reducer=reducer, section=section) is None

    def contributes(self, callback, data, reducer, section=None):
        # contract: 8.1.2
        assert self.contribute(data, reducer, callback, section) is None
        assert self.contribute(data=data, reducer=reducer, callback=callback, section=section) is None

    def closure(self, data, reducer, section=None):
        extra = 'closure'
        self.reduce(lambda *r: hear(extra, *r), data, reducer, section)
        self.reduce(functools.partial(hear, 'partial'), data, reducer, section)

    def recursive(self, f):
        def factorial(n):
            return 1 if n < 2 else n * factorial(n - 1)
        self.reduce(lambda total, *, f=f: f.send(factorial(total)), 1, Reducer.sum)

    def own(self, done):
        self.done_future = done
        self.reduce(self.done, 2, Reducer.sum)

    def done(self, result):
        self.done_future.send((self.thisIndex, result))

    def bad(self, callback):
        try:
            self.reduce(callback, 1, Reducer.sum)
        except Exception as e:
            return type(e).__name__

    def cannot_travel(self):
        f = open('/dev/null')
        try:
            self.reduce(lambda r, f=f: 0, 1, Reducer.sum)
        except Charm4PyError as e:
            return str(e)

    @coro
    def in_any_order(self, f):
        """Members take different times between their contributions."""
        for i in range(5):
            if (i + charm.myPe()) % 2:
                charm.sleep(0.001)
            self.reduce(f, (i, self.thisIndex), Reducer.gather)

    @coro
    def late(self, i):
        """Returns after a time that differs from member to member; contributes meanwhile."""
        me = self.thisIndex if isinstance(self.thisIndex, int) else self.thisIndex[0]
        total = self.allreduce(1, Reducer.sum)
        charm.sleep(0.001 * ((me * 7 + i) % 5))
        return total.get()

    def share(self, sections, f):
        for k, s in enumerate(sections):
            if self.thisIndex[0] % (k + 2) == 0:
                self.reduce(f, k, Reducer.max, s)
        self.reduce(f, 1, Reducer.sum)


def check(what, expected):
    assert what == expected, (what, expected)


def kinds_of_callback(coll, n, section=None):
    """The result, and nothing, for each kind of callback."""
    one, group, array = Chare(Listener), Group(Listener), Array(Listener, 5)
    charm.awaitCreation(one, group, array)
    part = array[1:4]
    f = Future(2)
    coll.give(f, 2, Reducer.sum, section)       # contract: 8.2.1
    coll.give(f, section=section)
    check(sorted(f.get(), key=str), [2 * n, None])
    # contract: 8.2.2 8.2.3
    for target in (one, group, array, part, group[0], array[4]):
        coll.give(target.recvResult, 2, Reducer.sum, section)
        coll.give(target.recvResult, None, None, section)
        coll.give(target.one, 3, Reducer.max, section)
        if section is None:
            coll.give(target.nothing)
        else:
            coll.give(target.one, section=section)
        charm.waitQD()
        results = target.take(ret=True).get()
        expected = [2 * n, None, ('one', 3), 'no argument' if section is None else ('one', None)]
        for got in results if target in (group, array, part) else [results]:
            check(sorted(got, key=repr), sorted(expected, key=repr))
    # contract: 8.1.10
    check(array.take(ret=True).get(), [[]] * 5)


def plain_callables(coll, n, section=None, root=None):
    # contract: 8.2.5
    ask = Group(Listener)
    coll.give(hear, 2, Reducer.sum, section)
    coll.give(hear, None, None, section)
    coll.give(slow, np.arange(3), Reducer.max, section)
    coll.closure(1, Reducer.sum, section)
    charm.waitQD()
    calls = [c for pe in ask.heard(ret=True).get() for c in pe]
    assert root is None or {pe for pe, _ in calls} == {root}, (calls, root)
    got = sorted(repr(result) for _, result in calls)
    empty = '(None,)' if section is not None else '()'
    check(got, sorted([repr((2 * n,)), empty, '(array([0, 1, 2]),)', repr(('closure', n)),
                       repr(('partial', n))]))


def sequences(a, g):
    npes = charm.numPes()
    # contract: 8.1.3
    f = Future(5)
    a.in_any_order(f)
    rounds = f.get()
    check(sorted(r[0][0] for r in rounds), list(range(5)))
    for r in rounds:
        check(r, [(r[0][0], (i,)) for i in range(7)])
    # contract: 8.1.8
    waits = [a.late(i, ret=True) for i in range(6)] + [g.late(i, ret=True) for i in range(6)]
    for w, n in zip(waits, [7] * 6 + [npes] * 6):
        check(w.get(), [n] * n)
    # contract: 8.1.5
    sections = [charm.split(a, 1, elems=[[i for i in range(7) if i % k == 0]])[0] for k in (2, 3)]
    f = Future(9)
    for _ in range(3):
        a.share(sections, f)
    check(sorted(f.get()), [0, 0, 0, 1, 1, 1, 7, 7, 7])


def insertion():
    # contract: 8.1.7
    f = Future()
    a = Array(Member, ndims=1, args=[])
    for i in range(20):
        a.ckInsert(i, args=[f], onPE=i % charm.numPes() if i % 3 else -1)
    a.ckDoneInserting()
    check(f.get(), 20)
    f = Future()
    b = Array(Member, 9, args=[f])
    check(f.get(), 9)


def main(args):
    g, a = Group(Member), Array(Member, 7)
    one, single = Array(Member, (1, 1)), Chare(Member)
    charm.awaitCreation(g, a, one, single)
    low = a[0:5:2]
    half = charm.split(g, 1, elems=[list(range((charm.numPes() + 1) // 2))])[0]
    for coll, n, section in ((g, charm.numPes(), None), (a, 7, None), (one, 1, None),
                             (single, 1, None), (low, 3, low),
                             (half, (charm.numPes() + 1) // 2, half)):
        kinds_of_callback(coll, n, section)
        plain_callables(coll, n, section, section and section.section[0])
        f = Future(4)
        coll.contributes(f, 1, Reducer.sum, section)
        coll.contributes(f, 1, Reducer.max, section)
        check(sorted(f.get()), sorted([1, 1, n, n]))
    sequences(a, g)
    insertion()
    # contract: 8.2.6
    f = Future()
    a.own(f)
    index, result = f.get()
    assert result == 14 and index in [(i,) for i in range(7)]
    f = Future()
    a.recursive(f)
    check(f.get(), 5040)
    # contract: 8.1.9
    check(single.bad(None, ret=True).get(), 'AssertionError')
    check(single.bad(3, ret=True).get(), 'AssertionError')
    # contract: 8.2.7
    text = single.cannot_travel(ret=True).get()
    assert text and 'cannot be sent to the PE that calls it' in text, text
    # contract: 8.2.8
    g[charm.numPes() - 1].recvResult(single.recvResult, awaitable=True).get()
    cb, = g[charm.numPes() - 1].take(ret=True).get()
    a.give(cb, 1, Reducer.sum)
    charm.waitQD()
    check(single.take(ret=True).get(), [7])
    # contract: 8.2.4
    a.give(charm.thisProxy[charm.numPes() - 1].exit)


charm.start(main)
