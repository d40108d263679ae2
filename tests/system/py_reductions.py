"""Reductions of every kind of data deliver what the contract says."""
import array
import numpy as np
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro


def concat(contribs):
    return sorted(sum(contribs, []))


def largest(contribs):
    return max(contribs)


Reducer.addReducer(concat)
Reducer.addReducer(largest, pre=lambda data, c: (data, c.thisIndex), post=lambda r: ('post', r))


class Vec:
    def __init__(self, x):
        self.x = x

    def __add__(self, o):
        return Vec(self.x + o.x)

    def __eq__(self, o):
        return self.x == o.x


class Member(Chare):
    def go(self, data, reducer, cb):
        self.reduce(cb, data, reducer)

    def index(self, cb):
        i = self.thisIndex if isinstance(self.thisIndex, int) else self.thisIndex[0]
        self.contribute(i, Reducer.gather, cb)
        self.contribute([i], Reducer.concat, cb)
        self.reduce(cb, i, Reducer.largest)
        if i == 1:
            self.reduce(cb, None, Reducer.nop)
        else:
            self.reduce(cb, 5, Reducer.sum)

    @coro
    def barrier(self):
        for i in range(5):
            assert self.allreduce().get() is None
            f, g = self.allreduce(1, Reducer.sum), self.allreduce(i, Reducer.max)
            assert g.get() == i
            n = f.get()
        return n

    def recv(self, result=None):
        self.result = result
        self.reduce(self.done, None, None)

    def set_done(self, done):
        self.done = done

    def get_result(self):
        return self.result


def check(coll, n, data, reducer, expected, kind=None):
    f = Future()
    coll.go(data, reducer, f)
    r = f.get()
    assert np.all(r == expected), (data, reducer, r, expected)
    if kind is not None:
        assert type(r) is kind, (data, reducer, r)
    return r


def numbers(c, n):
    check(c, n, 3, Reducer.sum, 3 * n, int)
    check(c, n, 2, Reducer.product, 2 ** n, int)
    check(c, n, -7, Reducer.max, -7, int)
    check(c, n, 2.5, Reducer.min, 2.5, float)
    check(c, n, 2.5, Reducer.sum, 2.5 * n, float)
    check(c, n, np.float32(1.5), Reducer.sum, 1.5 * n, float)
    check(c, n, np.int8(1), Reducer.sum, np.int8(n), int)
    check(c, n, True, Reducer.logical_and, 1, int)
    check(c, n, np.bool_(False), Reducer.logical_or, 0, int)
    check(c, n, True, Reducer.logical_xor, n % 2, int)
    check(c, n, [1, 2, 3], Reducer.sum, np.array([n, 2 * n, 3 * n]), np.ndarray)
    check(c, n, (1.5, 2.5), Reducer.max, np.array([1.5, 2.5]), np.ndarray)
    check(c, n, [4], Reducer.sum, 4 * n, int)
    check(c, n, [True, False], Reducer.logical_and, np.array([True, False]), np.ndarray)
    check(c, n, np.arange(10), Reducer.sum, np.arange(10) * n, np.ndarray)
    check(c, n, np.ones((3, 3), 'f'), Reducer.product, np.ones((3, 3)), np.ndarray)
    check(c, n, np.arange(4) * (1 + 1j), Reducer.sum, np.arange(4) * (1 + 1j) * n, np.ndarray)
    check(c, n, np.array([5.0]), Reducer.sum, 5.0 * n, float)
    check(c, n, array.array('i', [1, 2]), Reducer.sum, np.array([n, 2 * n]), np.ndarray)
    assert check(c, n, Vec(1), Reducer.sum, Vec(n)).x == n
    assert check(c, n, None, None, None) is None
    assert check(c, n, 'b', Reducer.max, 'b') == 'b'


def main(args):
    g, a = Group(Member), Array(Member, 9)
    one = Array(Member, 1)
    charm.awaitCreation(g, a, one)
    for c, n in ((g, charm.numPes()), (a, 9), (one, 1)):
        numbers(c, n)
        f = Future(4)
        c.index(f)
        gathered, joined, most, total = f.get()
        assert gathered == list(range(n)) == joined, (gathered, joined)
        assert most[0] == 'post' and most[1][0] == n - 1
        assert total == 5 * (n - (n > 1)), total
        assert c.barrier(ret=True).get() == [n] * n
        done = Future()
        c.set_done(done, awaitable=True).get()
        c.go(7, Reducer.sum, c.recv)
        done.get()
        assert c.get_result(ret=True).get() == [7 * n] * n
    for bad in ((True, Reducer.sum), (1, Reducer.logical_and)):
        try:
            one[0].go(*bad, Future(), ret=True).get()
            assert False
        except AssertionError as e:
            assert 'Could not find a valid reducer' in str(e), e
    a.go(3, Reducer.sum, charm.thisProxy[0].exit) if False else exit()


charm.start(main)
