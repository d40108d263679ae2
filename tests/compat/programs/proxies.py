"""Proxies: what they are, how they are indexed, compared and sent."""
# PEs: 1 2 3 4
import copy
import pickle

import numpy as np
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro
from charm4py.charm import Charm4PyError


class Base(Chare):

    CONSTANT = 3

    class Nested:
        pass

    def inherited(self):
        return 'inherited'

    @property
    def prop(self):
        return 'prop'


class X(Base):

    def where(self):
        return self.thisIndex

    def same(self, proxy, key):
        """Is this proxy the same target as mine, here?"""
        table = {proxy: 1, proxy.where: 2}
        return (proxy == key, hash(proxy) == hash(key), key in table, key.where in table,
                proxy.where == key.where)

    def echo(self, *args):
        return args

    def own(self):
        # contract: 5.4.15
        mine = self.thisProxy[self.thisIndex]
        assert mine == self.thisProxy[self.thisIndex] and hash(mine) == hash(mine)
        return self.thisProxy, mine

    def call_back(self, callback, value):
        callback(value)

    def keep(self, value):
        self.value = value

    def get_value(self):
        return self.value

    def local(self, proxy):
        return proxy.ckLocalBranch() is self

    def local_element(self, proxies):
        return [p.ckLocal() is not None for p in proxies]

    def not_a_coroutine(self, proxy):
        try:
            proxy[0:2]
        except Exception as e:
            return type(e).__name__


class Y(Chare):
    def where(self):
        return 'y'


def check(what, expected):
    assert what == expected, (what, expected)


def raises(kind, text, func):
    try:
        func()
    except kind as e:
        assert text in str(e), (text, str(e))
    else:
        assert False, (kind, text)


def classes(g, a, s):
    # contract: 5.4.1
    part, sub = g[0:1], a[0:1]
    check([type(p).__name__ for p in (g, g[0], a, a[0], s, part, sub)],
          ['XGroupProxy', 'XGroupProxy', 'XArrayProxy', 'XArrayProxy', 'XArrayProxy',
           'XGroupSecProxy', 'XArraySecProxy'])
    assert XGroupProxy is type(g) and XArrayProxy is type(a) and XGroupSecProxy is type(part) \
        and XArraySecProxy is type(sub) and type(g).__module__ == '__main__'
    assert repr(g).startswith('<') and 'XGroupProxy' in repr(g)
    # contract: 5.4.2
    check([p.issec for p in (g, g[0], a, a[0], part, sub)], [False] * 4 + [True] * 2)
    check([hasattr(p, 'section') for p in (g, g[0], a, a[0], s, part, sub)], [False] * 5 + [True] * 2)
    root, sid = sub.section
    assert isinstance(root, int) and {sid: 1} and len(sid) == 2 and part.section[1] != sid
    # contract: 5.4.3
    assert isinstance(g.gid, int) and isinstance(a.aid, int) and g.gid == g[0].gid
    check((g.elemIdx, g[0].elemIdx, a.elemIdx, a[2].elemIdx, a.ndims), (-1, 0, (), (2,), 1))
    check([hasattr(g, n) for n in ('aid', 'cid', 'ndims')], [False] * 3)
    check([hasattr(a, n) for n in ('gid', 'cid')], [False] * 2)
    b = Array(X, (2, 3))
    check((b.ndims, b[1, 2].elemIdx, b.elemIdx), (2, (1, 2), ()))


def indexing(g, a):
    # contract: 5.4.4
    b, c = Array(X, (3, 4)), Array(X, (2, 2, 2, 2, 2, 2))
    for i in (2, np.int64(2), np.uint8(2), (2,), [2], np.array(2), np.array([2]), True + 1, (np.int32(2),)):
        check(a[i].where(ret=True).get(), (2,))
        assert a[i] == a[2] and hash(a[i]) == hash(a[2])
    for i in ((1, 2), [1, 2], np.array([1, 2]), (np.int16(1), 2)):
        check(b[i].where(ret=True).get(), (1, 2))
        assert b[i] == b[1, 2] and b[i] is not b[i]
    check(c[1, 0, 1, 0, 1, 1].where(ret=True).get(), (1, 0, 1, 0, 1, 1))
    check(g[np.int64(0)].where(ret=True).get(), 0)
    # contract: 5.4.5
    text = "don't match array dimensions"
    for proxy, i in ((a, (1, 2)), (b, 1), (b, (1, 2, 3)), (c, (1, 2)), (g, (0, 0))):
        raises(AssertionError, text, lambda: proxy[i])
    for i in (1.0, '1', None, (1.5, 2), {}):
        raises((TypeError, AssertionError), '', lambda: b[i])
    # contract: 5.4.6
    for proxy in (a[6], a[-1], b[3, 0], b[0, 4], b[-1, 0], g[charm.numPes()], g[-1]):
        raises(IndexError, 'is outside the', lambda: proxy.where())
        raises(IndexError, 'is outside the', lambda: proxy.where(ret=True))
    # contract: 5.4.12
    for proxy in (g, a, a[0], g[0], a[0:2]):
        raises(TypeError, '', lambda: list(proxy))
        raises(TypeError, '', lambda: [0 for _ in proxy])


def slices(g, a):
    # contract: 5.4.7
    npes = charm.numPes()
    for s in (slice(None), slice(1, None), slice(None, 1), slice(0, npes, 2), slice(None, None, 2)):
        expected = list(range(npes))[s]
        if expected:
            check(g[s].where(ret=True).get(), expected)
    check(a[1:4].where(ret=True).get(), [(1,), (2,), (3,)])
    check(a[0:100:2].where(ret=True).get(), [(0,), (2,), (4,)])
    b = Array(X, (4, 5))
    check(b[1:3, 0:5:2].where(ret=True).get(), [(i, j) for i in (1, 2) for j in (0, 2, 4)])
    check(b[0:4:3, 4:9].where(ret=True).get(), [(0, 4), (3, 4)])
    # contract: 5.4.8
    for bad in (lambda: a[:3], lambda: a[1:], lambda: b[0:2, :], lambda: a[:]):
        raises((Charm4PyError, AssertionError), 'Must specify start and stop indexes for array slicing', bad)
    check(a[0].not_a_coroutine(a, ret=True).get(), 'NotThreadedError')


def identity(g, a, s):
    # contract: 5.4.9 5.4.10
    a2, g2 = Array(X, 6), Group(X)
    sub, sub2, part = a[0:2], a[0:2], g[0:1]
    targets = [g, g[0], a, a[0], a[1], s, sub, sub2, part, a2, a2[0], g2, g2[0]]
    for i, p in enumerate(targets):
        for j, q in enumerate(targets):
            assert (p == q) == (i == j) and (p != q) == (i != j), (i, j)
        for q in (pickle.loads(pickle.dumps(p)), copy.copy(p), pickle.loads(pickle.dumps([{1: p}]))[0][1]):
            assert p == q and hash(p) == hash(q) and type(p) is type(q)
        check(g.same(p, p, ret=True).get(), [(True,) * 5] * charm.numPes())
        for q in (1, None, 'x', (), object()):
            assert p != q and not p == q
    check(len(set(targets)), len(targets))
    check(g[0] in {g[0]: 1} and a[3] in {a[3]}, True)
    far = g[charm.numPes() - 1]
    back, = far.echo({'deep': [(a[1], [a.where])], a: g}, ret=True).get()
    assert back['deep'][0][0] == a[1] and back['deep'][0][1][0] == a.where and back[a] == g
    for mine, own in a.own(ret=True).get() + g.own(ret=True).get() + [s.own(ret=True).get()]:
        assert mine in (a, g, s) and own in targets + [a[i] for i in range(6)] + \
            [g[i] for i in range(charm.numPes())]


def bound_methods(g, a):
    # contract: 5.4.11
    m = a[1].keep
    assert m.__self__ == a[1] and isinstance(m.ep, int) and m.ep != a[1].where.ep
    assert m == a[1].keep and hash(m) == hash(a[1].keep) and m != a[2].keep and m != a[1].echo
    m('local', awaitable=True).get()
    check(a[1].get_value(ret=True).get(), 'local')
    far = g[charm.numPes() - 1]
    far.call_back(a[2].keep, 'far')
    far.call_back(pickle.loads(pickle.dumps(a[3].keep)), 'pickled')
    charm.waitQD()
    check([a[i].get_value(ret=True).get() for i in (2, 3)], ['far', 'pickled'])
    assert callable(m) and m.__name__ == 'keep'


def attributes(g, a):
    # contract: 5.4.14
    check(a.inherited(ret=True).get(), ['inherited'] * 6)
    for name in ('nothing', 'prop', 'CONSTANT', 'Nested', 'reduce', 'allreduce', 'wait', 'AtSync',
                 'contribute', 'value', 'thisIndex'):
        for proxy in (g, a, a[0]):
            raises(AttributeError, name, lambda: getattr(proxy, name))
    for name in ('migrate', 'setMigratable'):
        raises(AttributeError, name, lambda: getattr(g, name))
        assert callable(getattr(a[0], name))
    # contract: 5.4.13
    check(g.local(g, ret=True).get(), [True] * charm.numPes())
    check([sum(x) for x in zip(*g.local_element([a[i] for i in range(6)], ret=True).get())], [1] * 6)


def main(args):
    g, a, s = Group(X), Array(X, 6), Chare(X)
    charm.awaitCreation(g, a, s)
    classes(g, a, s)
    indexing(g, a)
    slices(g, a)
    identity(g, a, s)
    bound_methods(g, a)
    attributes(g, a)
    exit()


charm.start(main)
