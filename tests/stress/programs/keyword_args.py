"""Keywords and defaults: filled in where the call is made, in every form of call."""
# PEs: 1 2 4 8
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro, when

DEFAULT = ['shared']


class Member(Chare):

    def __init__(self, a=1, b=2, *rest):
        self.made = a, b, rest
        self.turn = 0

    def get_made(self):
        return self.made

    def both(self, a, b=2, c=3):
        return a, b, c

    def all_defaults(self, a=1, b=None, c=DEFAULT):
        return a, b, c

    def rest(self, a, *rest):
        return a, rest

    def default_and_rest(self, a, b=5, *rest):
        return a, b, rest

    def none(self):
        return 'none'

    @coro
    def suspends(self, proxy, x=3):
        return proxy.both(a=x, c=1, ret=True).get()

    @when('self.turn == n')
    def in_turn(self, value, n=0):
        self.turn += 1
        return value, n

    def required(self, a, b):
        return a, b

    def with_data(self, result=None):
        self.result = ('got', result)
        self.reduce(self.done)

    def set_done(self, done):
        self.done = done

    def get_result(self):
        return self.result

    def call_oneself(self):
        return self.both(1, c=9), self.all_defaults(b=3)

    def contribute_to(self, callback, data):
        if data:
            self.reduce(callback, 1, Reducer.sum)
        else:
            self.reduce(callback)


class Element(Member):
    pass


def refused(kind, text, call):
    try:
        call()
    except kind as e:
        assert text in str(e), e
    else:
        raise AssertionError('was accepted')


def check(proxy, wrap):
    def call(method, *args, **kw):
        return getattr(proxy, method)(*args, ret=True, **kw).get()

    assert call('both', 1) == wrap((1, 2, 3))
    assert call('both', 1, 5) == wrap((1, 5, 3))
    assert call('both', 1, c=5) == wrap((1, 2, 5))
    assert call('both', a=4, c=5) == wrap((4, 2, 5))
    assert call('both', c=5, b=4, a=3) == wrap((3, 4, 5))
    assert call('all_defaults') == wrap((1, None, ['shared']))
    assert call('all_defaults', c=None) == wrap((1, None, None))
    assert call('all_defaults', b=[1]) == wrap((1, [1], ['shared']))
    assert call('rest', 1) == wrap((1, ()))
    assert call('rest', 1, 2, 3) == wrap((1, (2, 3)))
    assert call('rest', a=1) == wrap((1, ()))
    assert call('default_and_rest', 1) == wrap((1, 5, ()))
    assert call('default_and_rest', 1, 2, 3, 4) == wrap((1, 2, (3, 4)))
    assert call('default_and_rest', a=0) == wrap((0, 5, ()))
    assert call('none') == wrap('none')
    assert call('call_oneself') == wrap(((1, 2, 9), (1, 3, ['shared'])))
    assert proxy.both(1, b=3, awaitable=False, ret=0) is None
    assert proxy.both(1, awaitable=1) is not None
    later = proxy.in_turn('later', n=1, ret=True)
    assert call('in_turn', 'now') == wrap(('now', 0))
    assert later.get() == wrap(('later', 1))
    refused(AssertionError, "Value not found for parameter 'a'", lambda: proxy.both(b=1))
    refused(AssertionError, "Value not found for parameter 'b'", lambda: proxy.required(1, awaitable=True))
    refused(TypeError, 'keyword', lambda: proxy.both(1, d=1))
    refused(TypeError, 'multiple values', lambda: proxy.both(1, a=1))
    refused(TypeError, 'keyword', lambda: proxy.none(x=1))


def callbacks(proxy):
    """Reductions call with the result, or, empty, with nothing."""
    for data in (True, False):
        done = Future()
        proxy.set_done(done, awaitable=True).get()
        source = Array(Element, 3)
        source.contribute_to(proxy.with_data, data)
        done.get()
        result = proxy.get_result(ret=True).get()
        assert set(result) == {('got', 3 if data else None)}, result


def main(args):
    n = charm.numPes()
    group, array = Group(Member), Array(Element, 2 * n)
    single = Chare(Element, onPE=n - 1)
    check(group, lambda x: [x] * n)
    check(array, lambda x: [x] * 2 * n)
    check(single, lambda x: x)
    check(Array(Element, n)[n - 1], lambda x: x)
    assert group.suspends(array[0], ret=True).get() == [(3, 2, 1)] * n
    assert group.suspends(proxy=array[0], x=7, ret=True).get() == [(7, 2, 1)] * n
    for args, made in (([], (1, 2, ())), ([7], (7, 2, ())), ((7, 8, 9), (7, 8, (9,)))):
        assert Group(Member, args=args).get_made(ret=True).get() == [made] * n
        assert Array(Element, 2, args=args).get_made(ret=True).get() == [made] * 2
        assert Chare(Element, args=args, onPE=n - 1).get_made(ret=True).get() == made
    callbacks(group)
    callbacks(array)
    charm.waitQD()
    exit()


charm.start(main)
