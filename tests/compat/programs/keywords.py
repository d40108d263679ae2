"""Parameters of entry methods: defaults stay with the callee, all kinds can be given by keyword."""
# PEs: 1 2 4
import threading
import numpy as np
from charm4py import charm, Array, Chare, Group, coro, when

SENTINEL = object()
LOCK = threading.Lock()


class Data:
    def __init__(self, o=None):
        self.o = o


class C(Chare):
    def __init__(self, lock=LOCK, f=lambda: 1):
        assert lock is LOCK and f() == 1
        self.tag, self.counts = 0, []

    def defaults(self, a, f=lambda x: x + 1, s=SENTINEL, lock=LOCK):
        return f(a), s is SENTINEL, lock is LOCK

    def count(self, a=[]):
        a.append(1)
        return len(a)

    def gap(self, a, b=SENTINEL, c=SENTINEL, d=4):
        return a, b is SENTINEL, c if c is not SENTINEL else 'none', d

    def only(self, a, *, k, m=SENTINEL):
        return a, k, m is SENTINEL

    def many(self, *a, k=1, **others):
        return a, k, others

    def all_kinds(self, a, b=2, *more, k=3, **others):
        return a, b, more, k, others

    @coro
    def waits(self, a, *, k=1, **others):
        charm.sleep(0)
        return a, k, others

    @staticmethod
    def static(a, k=3):
        return a, k

    @classmethod
    def of_class(cls, a, **others):
        return cls.__name__, a, others

    @when('self.tag == t')
    def held(self, t, text='default', *, k=0):
        self.tag += 1
        return t, text, k

    def same(self, a, **others):
        return all(o is a for o in others.values())


def caught(func, *args, **kwargs):
    try:
        func(*args, **kwargs)
    except Exception as e:
        return type(e).__name__, str(e)
    assert False


def check(proxy, one):
    def call(method, *args, **kwargs):
        r = getattr(proxy, method)(*args, **kwargs, ret=True).get()
        assert one or all(x == r[0] for x in r), r
        return r if one else r[0]

    # contract: 5.5.22
    assert call('defaults', 1) == call('defaults', a=1) == (2, True, True)
    assert call('defaults', 1, lock=None) == (2, True, False) and call('defaults', a=1, s=2) == (2, False, True)
    # contract: 5.5.6
    assert call('gap', 1, d=5) == (1, True, 'none', 5) and call('gap', c=3, a=1) == (1, True, 3, 4)
    assert call('gap', 1, 2, d=7) == (1, False, 'none', 7) and call('gap', d=1, c=2, b=3, a=4) == (4, False, 2, 1)
    # contract: 5.5.9
    assert call('only', 1, k=2) == (1, 2, True) and call('only', k=2, a=Data.__name__, m=0) == ('Data', 2, False)
    assert call('many') == ((), 1, {}) and call('many', 1, 2, z=3) == ((1, 2), 1, {'z': 3})
    assert call('many', k=[5], self_=1, name='x') == ((), [5], {'self_': 1, 'name': 'x'})
    assert call('all_kinds', 1, 2, 3, 4, k=5, z=6) == (1, 2, (3, 4), 5, {'z': 6})
    assert call('all_kinds', k=5, a=1) == (1, 2, (), 5, {}) and call('all_kinds', b=0, z=6, a=1) == (1, 0, (), 3, {'z': 6})
    assert call('waits', 1, k=2, z=3) == (1, 2, {'z': 3}) and call('waits', a=1) == (1, 1, {})
    assert call('static', 1, k=2) == (1, 2) and call('of_class', 1, z=2) == ('C', 1, {'z': 2})
    x = np.arange(1000.)
    assert call('same', x, y=x, z=x) and call('same', a=[x], y=[x]) is False
    d = Data(x)
    assert call('same', d, y=d)
    # contract: 5.5.8
    assert caught(proxy.gap, 1, wrong=2) == ('TypeError', "C.gap() got an unexpected keyword argument 'wrong'")
    assert caught(proxy.gap, 1, a=2) == ('TypeError', "C.gap() got multiple values for argument 'a'")
    assert caught(proxy.only, 1, m=2) == ('TypeError', "C.only() missing required keyword-only argument: 'k'")
    assert caught(proxy.gap, b=2)[0] == 'AssertionError' and caught(proxy.gap, b=2, ret=True)[0] == 'AssertionError'
    assert 'positional' in caught(proxy.only, 1, 2, k=3)[1]
    if charm.numPes() > 1 and not (one and proxy.ckLocal()):
        assert 'of C.many cannot be sent' in caught(proxy.many, k=LOCK)[1]


def main(args):
    g, a = Group(C), Array(C, 4)
    charm.awaitCreation(g, a)
    for proxy in g[charm.numPes() - 1], g[0], a[3], a[0], Chare(C, onPE=charm.numPes() - 1):
        check(proxy, True)
        assert [proxy.count(ret=True).get() - proxy.count(ret=True).get() for _ in range(2)] == [-1, -1]
    for proxy in a, a[1:3], g:
        check(proxy, False)
    # contract: 5.5.9
    e = a[3]
    late, now = e.held(k=5, t=1, ret=True), e.held(0, k=4, ret=True)
    assert now.get() == (0, 'default', 4) and late.get() == (1, 'default', 5)
    exit()


charm.start(main)
