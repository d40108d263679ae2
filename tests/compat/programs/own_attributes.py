"""Proxies, sections, futures and channels may have attributes of the program's, and weak references."""
# PEs: 1 2 4
import gc
import weakref
from charm4py import charm, Array, Channel, Chare, Future, Group, coro


class C(Chare):
    @coro
    def exchange(self, n):
        i = self.thisIndex[0]
        peer = self.thisProxy[1 - i]
        channels = [Channel(self, peer) for _ in range(n)]
        # contract: 12.14
        assert [c.port for c in channels] == list(range(n))
        for k, c in enumerate(channels):
            c.dir, c.k = ('left', 'right')[i], k
            c.send(k)
        for c in charm.iwait(channels):
            assert c.recv() == c.k and c.dir == ('left', 'right')[i]
        self.channels = channels
        channels[0].back = self.channels
        self.other = Channel(self, self.thisProxy[i])
        assert self.other.port == n

    @coro
    def again(self):
        assert [(c.port, c.k) for c in self.channels] == list(enumerate(range(len(self.channels))))
        assert self.channels[0].back is self.channels and self.channels[1].dir in ('left', 'right')
        for c in self.channels:
            c.send(c.k)
        assert [c.recv() for c in self.channels] == [c.k for c in self.channels]
        assert Channel(self, self.thisProxy[1 - self.thisIndex[0]]).port == len(self.channels) + 1

    def echo(self, *x):
        return x


class Watched:
    pass


def check(o, travels=True):
    # contract: 5.4.16
    o.name, o.data = 'n', [1]
    o.data.append(2)
    assert (o.name, o.data, vars(o)) == ('n', [1, 2], {'name': 'n', 'data': [1, 2]}) and hasattr(o, 'name')
    del o.name
    assert not hasattr(o, 'name')
    try:
        o.nothing
        assert False
    except AttributeError:
        pass
    assert weakref.ref(o)() is o
    kept = weakref.WeakKeyDictionary({o: 1})
    assert len(kept) == 1


def collected(make):
    """Also in a cycle."""
    o, w = make(), Watched()
    refs = [weakref.ref(o), weakref.ref(w)]
    o.self, o.w = o, w
    del o, w
    gc.collect()
    assert refs[1]() is None and refs[0]() is None


def main(args):
    g, a = Group(C), Array(C, 2)
    for o in (g, g[0], a, a[1], a[0:1], Chare(C), Future(), g.echo(ret=True), a[1].echo(ret=True), charm.thisProxy[0]):
        check(o)
    # an attribute stays with the object
    p, f = a[1], Future()
    p.x = f.x = 3
    assert p == a[1] and hash(p) == hash(a[1]) and not hasattr(a[1], 'x')
    (q, h), = [a[1].echo(p, f, ret=True).get()]
    assert q == p and h == f
    h.send(1)
    assert f.get() == 1 and f.x == 3
    for make in (lambda: a[1], lambda: g[0], lambda: a[0:1]):
        collected(make)

    def future():
        f = Future()
        f.send(1)
        f.get()
        return f
    for _ in range(3):
        collected(future)
    assert not hasattr(Future(), 'w')
    a.exchange(3, awaitable=True).get()
    a[0].migrate(charm.numPes() - 1, awaitable=True).get()
    a.again(awaitable=True).get()
    exit()


charm.start(main)
