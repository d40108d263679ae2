"""Reducers that the program defines, and allreduce."""
# PEs: 1 2 3 4
import functools

import numpy as np
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro
from charm4py.charm import Charm4PyError

asked = []      # lengths of the lists that joined() was called with


def joined(contribs):
    assert isinstance(contribs, list) and len(contribs) > 1
    asked.append(len(contribs))
    return sorted(sum(contribs, []))


def extremes(contribs):
    return min(c[0] for c in contribs), max(c[1] for c in contribs)


def ranged(contribs):
    return min(c[0] for c in contribs), max(c[1] for c in contribs)


def only_pre(contribs):
    return sum(contribs)


def only_post(contribs):
    return sum(contribs)


def total(contribs):
    return functools.reduce(np.add, contribs)


def added_later(contribs):
    return sum(contribs)


def prepare(data, contributor):
    assert isinstance(contributor, Member) and contributor.thisProxy is not None
    return data, data


def finish(result):
    return result[1] - result[0]


def negative(data, contributor):
    return -data


def text(result):
    return str(result)


# contract: 8.4.1
assert Reducer.addReducer(joined) is None
Reducer.addReducer(extremes)
charm.addReducer(ranged, pre=prepare, post=finish)
Reducer.addReducer(only_pre, pre=negative)
Reducer.addReducer(only_post, post=text)
Reducer.addReducer(total)
assert Reducer.joined is joined


class Member(Chare):

    def number(self):
        i = self.thisIndex
        return i if isinstance(i, int) else i[0]

    def give(self, f, section=None):
        i = self.number()
        self.reduce(f, [i], Reducer.joined, section)
        self.reduce(f, (i, i), Reducer.extremes, section)
        self.reduce(f, i, Reducer.ranged, section)
        self.reduce(f, 2, Reducer.only_pre, section)
        self.reduce(f, 2, Reducer.only_post, section)
        self.reduce(f, np.full(3, 1), Reducer.total, section)

    def some(self, f, who, data, reducer):
        """Those in who give data, the others nop."""
        if self.number() in who:
            self.reduce(f, data, reducer)
        elif self.number() % 2:
            self.reduce(f, data, Reducer.nop)
        else:
            self.reduce(f)

    def with_reducer(self, data, reducer, f):
        self.reduce(f, data, reducer)

    def later(self, f):
        self.reduce(f, 1, Reducer.added_later)

    def lengths(self):
        return asked

    def unregistered(self, reducer):
        try:
            self.reduce(self.thisProxy.lengths, 1, reducer)
        except Charm4PyError as e:
            return str(e)

    @coro
    def all(self, n, section=None):
        # contract: 8.5.1
        i = self.number()
        assert self.allreduce(section=section).get() is None
        assert self.allreduce(1, Reducer.sum, section).get() == n
        assert self.allreduce(data=i, reducer=Reducer.nop, section=section).get() is None
        assert len(self.allreduce([i], Reducer.joined, section=section).get()) == n
        # contract: 8.5.3
        fs = [self.allreduce(k, Reducer.max, section) for k in range(10)]
        assert [f.get() for f in reversed(fs)] == list(range(9, -1, -1))
        assert [f.get() for f in charm.iwait([self.allreduce(k, Reducer.gather, section)
                                             for k in range(3)])] == [[k] * n for k in range(3)]
        return self.allreduce(np.arange(3), Reducer.sum, section).get()

    def not_a_coroutine(self):
        try:
            self.allreduce()
        except Exception as e:
            return type(e).__name__, str(e)

    @coro
    def stranger(self, section):
        out = []
        for call in (lambda: self.allreduce(1, Reducer.sum, section),
                     lambda: self.reduce(self.thisProxy.lengths, 1, Reducer.sum, section)):
            try:
                call()
                out.append('no error')
            except Charm4PyError as e:
                out.append(str(e))
        return out

    @coro
    def barrier(self, counts):
        """Nobody leaves round k before all have entered it."""
        for k in range(10):
            counts[0].enter(k, awaitable=True).get()
            self.allreduce().get()
            assert counts[0].entered(k, ret=True).get() == counts[1]


class Count(Chare):

    def __init__(self):
        self.rounds = {}

    def enter(self, k):
        self.rounds[k] = self.rounds.get(k, 0) + 1

    def entered(self, k):
        return self.rounds[k]


def check(what, expected):
    assert what == expected, (what, expected)


def custom(coll, indexes, section):
    n = len(indexes)
    f = Future(6)
    coll.give(f, section)
    got = {}
    for v in f.get():
        got.setdefault(type(v).__name__, []).append(v)
    check(got['list'], [indexes])
    check(got['tuple'], [(indexes[0], indexes[-1])])
    check(sorted(got['int']), sorted([indexes[-1] - indexes[0], -2 * n if n > 1 else -2]))
    check(got['str'], [str(2 * n)])
    check(list(got['ndarray'][0]), [n] * 3)


def mixed(a):
    # contract: 8.4.5
    f = Future(1)
    for data, reducer, result in ((3, Reducer.sum, lambda k: 3 * k), ([5], Reducer.joined, lambda k: [5] * k),
                                  ('x', Reducer.gather, lambda k: ['x'] * k),
                                  (True, Reducer.logical_and, lambda k: 1)):
        for who in ([0], [3], [6], [1, 2], [0, 6], range(7)):
            f = Future()
            a.some(f, list(who), data, reducer)
            check(f.get(), result(len(who)))
    f = Future()
    a.some(f, [], 3, Reducer.sum)
    check(f.get(), None)


def main(args):
    g, a, one, single = Group(Member), Array(Member, 7), Array(Member, 1), Chare(Member)
    charm.awaitCreation(g, a, one, single)
    low = a[0:5:2]
    npes = charm.numPes()
    for coll, indexes, section in ((g, list(range(npes)), None), (a, list(range(7)), None),
                                   (one, [0], None), (single, [0], None), (low, [0, 2, 4], low)):
        custom(coll, indexes, section)
        got = coll.all(len(indexes), section, ret=True).get()
        for r in [got] if coll is single else got:
            check(list(r), [0, len(indexes), 2 * len(indexes)])
    # contract: 8.4.3 8.4.4
    assert all(min(lengths, default=2) > 1 for lengths in g.lengths(ret=True).get())
    mixed(a)
    # contract: 8.4.2
    for name in (joined, sum, max):
        try:
            Reducer.addReducer(name)
            assert False
        except Charm4PyError as e:
            check(str(e), f'Reducer with name {name.__name__} already registered')
    # contract: 8.4.6
    for bad in (added_later, main, sorted):
        text = single.unregistered(bad, ret=True).get()
        assert text.startswith('Invalid reducer') and text.endswith(
            'Reducers must be functions registered with addReducer'), text
    charm.thisProxy.addReducer(added_later, awaitable=True).get()
    f = Future()
    a.later(f)
    check(f.get(), 7)
    f = Future()
    a.with_reducer(2, added_later, f)       # reducers travel as arguments
    check(f.get(), 14)
    # contract: 8.4.8
    check((joined.hasPreprocess, joined.hasPostprocess), (False, False))
    check((ranged.preprocess, ranged.postprocess, ranged.hasPreprocess), (prepare, finish, True))
    Reducer.addReducer(len)                 # a builtin can have no attributes
    # contract: 8.5.1
    kind, text = a[3].not_a_coroutine(ret=True).get()
    assert kind == 'NotThreadedError' and 'Member.not_a_coroutine' in text, (kind, text)
    # contract: 8.5.4
    check(a[1].stranger(low, ret=True).get(),
          ['Chare doing section reduction but is not part of a section'] * 2)
    # contract: 8.5.2
    count = Chare(Count)
    a.barrier((count, 7), awaitable=True).get()
    exit()


charm.start(main)
