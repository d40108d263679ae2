"""What is one object in the arguments of a call is one object where they arrive."""
# PEs: 1 2 4
import numpy as np
from charm4py import charm, Array, Channel, Chare, Future, Group, coro


class Holder:
    def __init__(self, o):
        self.o = o


class C(Chare):
    def __init__(self, a=None, b=None):
        assert a is b
        self.a = [a, b]

    def two(self, a, b):
        return a is b

    def same(self, *paths):
        """All these are one object."""
        found = []
        for p in paths:
            while type(p) is tuple or type(p) is dict and 'o' in p or type(p) is Holder and type(p.o) is not int:
                p = p.o if type(p) is Holder else p['o'] if type(p) is dict else p[-1]
            if type(p) not in (int, str):
                found.append(p)
        return all(p is found[0] for p in found)

    def write(self, pair):
        pair[0][0] = 7
        return float(pair[1][0])

    def cycle(self, a, b):
        return a[0] is b and b['a'] is a

    def size(self, *args):
        return args

    @coro
    def stream(self, peer):
        channel = Channel(self, peer)
        o = [1]
        channel.send(o, Holder(o), {'o': o})
        assert self.same(*channel.recv())

    def own(self):
        return self.a[0] is self.a[1]


def one_and_all(o, holder):
    return o is holder.o


def objects():
    yield from ({}, [], [1, [2]], {'a': [1]}, np.zeros(3), np.zeros(3000), np.zeros((300, 30))[:, ::3], bytearray(3),
                np.array([{}, []], dtype=object), {1, 2}, Holder(1), np.zeros(5, 'i4,f8'), [0] * 5000)


def check(proxy):
    # contract: 5.5.15
    for o in objects():
        assert proxy.two(o, o, ret=True).get()
        for paths in ([Holder(o), o], [o, Holder(o)], [{'o': o}, {'o': o}], [(1, o), o], [o, 3, 'x', (Holder({'o': o}),)],
                      [Holder(o), {'o': (o,)}], [o, o, Holder((o,))]):
            assert proxy.same(*paths, ret=True).get(), (o, paths)
        assert proxy.two(o, type(o)(o) if isinstance(o, (list, dict)) else None, ret=True).get() is False
    a = [0]
    b = {'a': a}
    a[0] = b
    assert proxy.cycle(a, b, ret=True).get()
    for x in np.zeros(3), np.zeros(1000):
        assert proxy.write([x, x.copy()], ret=True).get() == 0
        assert proxy.write([x, x], ret=True).get() == 7 and (charm.numPes() == 1 or proxy.ckLocal() or x[0] == 0)
    o, small, big = Holder(1), [1, 2], np.arange(2000.)
    r = proxy.size(o, small, big, 3, 'text', b'x' * 1000, None, ret=True).get()
    assert r[0].o == 1 and r[1] == small and (r[2] == big).all() and r[3:] == (3, 'text', b'x' * 1000, None)
    many = [[i] for i in range(5000)]
    r = proxy.size(many, many[::-1], ret=True).get()
    assert r[0] == many and all(a is b for a, b in zip(r[0], reversed(r[1])))


def check_size():
    """Ten times the same large object is sent once."""
    from charm4py import _c4
    for x in np.zeros(1 << 16), bytes(1 << 19):
        assert len(_c4._encode([x] * 10)) < (1 << 19) + 2000 and len(_c4._encode(x, x, x)) < (1 << 19) + 2000
    assert _c4._decode(_c4._encode([1], [1])) == ([1], [1])


def main(args):
    g, a = Group(C), Array(C, 4)
    for proxy in g[charm.numPes() - 1], a[3], a[0], g[0]:
        check(proxy)
    check_size()
    d = {}
    assert g.two(d, d, ret=True).get() == [True] * charm.numPes()
    assert Array(C, 3, args=[d, d]).own(ret=True).get() == [True] * 3
    far = Group(C)
    for f in [a[0].stream(a[3], awaitable=True), a[3].stream(a[0], awaitable=True)]:
        f.get()
    f = Future()
    f.send([d, d])
    r = f.get()
    assert r[0] is r[1] and far.two(r, r, awaitable=True).get() is None
    for o in objects():
        assert charm.pool.Task(one_and_all, (o, Holder(o)), ret=True).get()
    exit()


charm.start(main)
