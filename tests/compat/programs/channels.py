"""Channels: pairs, loops, order, many sends ahead, ends that do not exist yet, values."""
# PEs: 1 2 3 4
import numpy as np
from array import array
from charm4py import charm, Chare, Group, Array, Channel, coro
from charm4py.threads import NotThreadedError

AHEAD = 5000


class Cell(Chare):
    def __init__(self):
        self.me = self.thisProxy[self.thisIndex]

    @coro
    def pairs(self, other, k, first):
        """The n-th channel here belongs to the n-th there, whatever order they are used in."""
        channels = [Channel(self, remote=other) for _ in range(k)]
        assert all(ch.remote == other for ch in channels)
        for n, ch in enumerate(channels):
            ch.send(n, first)
        order = channels if first else channels[::-1]
        got = {ch: ch.recv() for ch in order}
        return [got[ch] for ch in channels] == [(n, not first) for n in range(k)]

    @coro
    def loops(self, k):
        loops = [Channel(self, remote=self.me) for _ in range(k)]
        for n, ch in enumerate(loops):
            for i in range(10):
                ch.send(n * 100 + i)
        return [[ch.recv() for _ in range(10)] for ch in loops] == \
            [[n * 100 + i for i in range(10)] for n in range(k)]

    @coro
    def ahead(self, other, n):
        ch = Channel(self, remote=other)
        for i in range(n):
            ch.send(i)
        charm.sleep(0)
        for i in range(n):
            assert ch.recv() == i
        return not ch.ready()

    @coro
    def shares(self, other, n):
        """Several coroutines receive from one channel."""
        if not hasattr(self, 'shared'):
            self.shared = Channel(self, remote=other)
        return [self.shared.recv() for _ in range(n)]

    def not_a_coroutine(self, other):
        Channel(self, remote=other).recv()

    @coro
    def sends_one(self, other, n):
        ch = Channel(self, remote=other)
        for i in range(n):
            ch.send(i)

    @coro
    def sends(self, other, n):
        ch = Channel(self, remote=other)
        for i in range(n):
            ch.send(i, i * 0.5)

    @coro
    def receives(self, other, n):
        ch = Channel(self, remote=other)
        for i in range(n):
            assert ch.recv() == (i, i * 0.5)

    def sends_in_constructor_style(self, other):
        """Plain methods may make channels and send."""
        ch = self.plain = Channel(self, other)
        ch.send('plain')

    @coro
    def echo(self, other):
        ch = Channel(self, remote=other)
        while True:
            got = ch.recv()
            if isinstance(got, tuple) and not got:
                break
            if isinstance(got, tuple):
                ch.send(*got)
            else:
                ch.send(got)

    @coro
    def values(self, other):
        ch = Channel(self, remote=other)
        a = np.arange(20000.).reshape(100, 200)
        for value in (None, 0, 'text', b'bytes' * 1000, [1, [2]], {'a': (1,)}, array('i', range(10)),
                      a[::2, ::3], a.T, np.arange(3), np.float32(2)):
            ch.send(value)
            if isinstance(value, (list, dict)):
                value = type(value)(value)
            back = ch.recv()
            assert type(back) is type(value)
            assert np.array_equal(back, value) if isinstance(value, np.ndarray) else back == value
        ch.send(1, a, 'x')
        one, b, x = ch.recv()
        assert (one, x) == (1, 'x') and (a == b).all() and b.flags.writeable
        ch.send((1, 2))
        assert ch.recv() in ((1, 2),)
        ch.send()
        return True

    @coro
    def waits(self, others):
        """iwait over channels: each once, when it has a message."""
        channels = [Channel(self, remote=o) for o in others]
        for _ in range(5):
            seen = [ch for ch in charm.iwait(channels)]
            assert len(seen) == len(channels) == len(set(map(id, seen)))
            assert all(ch.ready() for ch in channels)
            charm.wait(channels)
            assert sorted(ch.recv() for ch in channels) == list(range(len(others)))
        return True

    @coro
    def feeds(self, other, i):
        ch = Channel(self, remote=other)
        for _ in range(5):
            ch.send(i)


class Early(Chare):
    """Its other end begins to send before this is made."""

    def __init__(self, other):
        self.ch = Channel(self, remote=other)
        self.ch.send('from the constructor')

    @coro
    def hear(self, n):
        return [self.ch.recv() for _ in range(n)]


class Worker(Chare):
    def work(self, remote):
        # contract: 12.7
        Channel(self, remote=remote).send(self.thisIndex, 'done')


class Main(Chare):
    """The entry chare has channels, too."""

    def __init__(self, args):
        n = charm.numPes()
        a = Array(Cell, 2 * n)
        self.between(a)
        self.own(a)
        self.plain_methods()
        exit()

    def between(self, a):
        last = len(a.loops(0, ret=True).get()) - 1
        # contract: 12.1 12.2 12.5
        for i, j in ((0, 1), (0, last), (last // 2, last)):
            if i != j:
                ends = a[i].pairs(a[j], 4, True, ret=True), a[j].pairs(a[i], 4, False, ret=True)
                assert [e.get() for e in ends] == [True, True]
        # contract: 12.3
        assert a.loops(2, ret=True).get() == [True] * (last + 1)
        assert a[0].loops(3, ret=True).get()
        # contract: 12.6
        ends = a[0].ahead(a[last], AHEAD, ret=True), a[last].ahead(a[0], AHEAD, ret=True)
        assert ends[0].get() and ends[1].get()
        b = Array(Cell, last + 1)
        b[0].sends(b[last], 100000)
        b[last].receives(b[0], 100000, awaitable=True).get()
        # contract: 12.4
        c = Array(Cell, ndims=1)
        single = Chare(Cell)
        f = single.sends(c[5], 50, awaitable=True)
        f.get()                                     # sending does not wait for the other end
        c.ckInsert(5)
        c.ckDoneInserting()
        c[5].receives(single, 50, awaitable=True).get()
        early = Array(Early, 2, args=[a[0]])
        a[0].sends_in_constructor_style(early[1])
        assert early[1].hear(1, ret=True).get() == ['plain']
        # contract: 12.8
        d = Array(Cell, last + 1)
        d[0].echo(d[last])
        assert d[last].values(d[0], ret=True).get()
        # contract: 12.13
        some = [c[5].shares(a[0], 10, ret=True) for _ in range(4)]
        a[0].sends_one(c[5], 40)
        assert sorted(sum([s.get() for s in some], [])) == list(range(40))
        # contract: 12.12
        try:
            a[0].not_a_coroutine(c[6], awaitable=True).get()
        except NotThreadedError as x:
            assert "Method 'Cell.not_a_coroutine' must be" in str(x), x
        else:
            assert False
        # contract: 12.10
        e = Array(Cell, last + 2)
        done = e[0].waits([e[i] for i in range(1, last + 2)], ret=True)
        for i in range(1, last + 2):
            e[i].feeds(e[0], i - 1)
        assert done.get()

    def own(self, a):
        # contract: 12.2 12.9
        ch = Channel(self, remote=a[1])
        a[1].echo(self.thisProxy)
        for x in (5, 'x', (1, 2)):
            ch.send(x)
            assert ch.recv() == x
        ch.send()
        loop = Channel(self, remote=self.thisProxy)
        loop.send(1)
        assert loop.ready() or True
        assert loop.recv() == 1 and not loop.ready()
        alias = Channel(self, remote=a[0], local=self.thisProxy)
        assert alias.remote == a[0]
        for wrong in ((self, a), (self, 5), (5, a[0]), (a[0], a[1])):
            try:
                Channel(wrong[0], remote=wrong[1])
            except TypeError as e:
                assert 'proxies of single chares' in str(e)
            else:
                assert False, wrong

    def plain_methods(self):
        g = Group(Worker)
        channels = [Channel(self, remote=g[i]) for i in range(charm.numPes())]
        for i in range(charm.numPes()):
            g[i].work(self.thisProxy)
        seen = []
        for ch in charm.iwait(channels):
            seen.append(ch.recv())
        assert sorted(seen) == [(i, 'done') for i in range(charm.numPes())]


charm.start(Main)
