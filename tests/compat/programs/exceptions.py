"""Exceptions of entry methods reach who waits for them, whole, and nothing is broken after."""
# PEs: 1 2 4
import threading

from charm4py import charm, Chare, Group, Array, Future, Channel, Reducer, coro
from charm4py.threads import NotThreadedError


class MyException(Exception):
    pass


class WantsTwo(Exception):
    """Its constructor wants other arguments than it passes on."""

    def __init__(self, code, detail):
        super().__init__(f'{code}: {detail}')
        self.code, self.detail = code, detail


class Locked(Exception):
    """Cannot be pickled."""

    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


class Slotted(Exception):
    __slots__ = 'x',


def local_class():
    class Local(ValueError):
        pass
    return Local('of a function')


ERRORS = {
    'name': lambda: undefined,
    'custom': lambda: raise_(MyException()),
    'two': lambda: raise_(WantsTwo(7, 'seven')),
    'locked': lambda: raise_(Locked('with a lock')),
    'slotted': lambda: raise_(Slotted('slots')),
    'local': lambda: raise_(local_class()),
    'key': lambda: {}['missing'],
    'zero': lambda: 1 / 0,
    'unicode': lambda: b'\xff'.decode(),
    'os': lambda: open('/no/such/file'),
    'import': lambda: __import__('no_such_module'),
    'group': lambda: raise_from(),
    'stop': lambda: next(iter(())),
    'assert': lambda: raise_(AssertionError(1, 'two', [3])),
}
TYPES = {
    'name': NameError, 'custom': MyException, 'two': WantsTwo, 'locked': Locked, 'slotted': Slotted,
    'local': ValueError, 'key': KeyError, 'zero': ZeroDivisionError, 'unicode': UnicodeDecodeError,
    'os': FileNotFoundError, 'import': ModuleNotFoundError, 'group': RuntimeError,
    'stop': StopIteration, 'assert': AssertionError,
}


def raise_(exc):
    raise exc


def raise_from():
    try:
        1 / 0
    except ZeroDivisionError as e:
        raise RuntimeError('from another') from e


class Worker(Chare):

    def __init__(self):
        self.ran = 0

    def number(self):
        return self.thisIndex if isinstance(self.thisIndex, int) else self.thisIndex[0]

    def fail(self, name):
        self.ran += 1
        ERRORS[name]()

    @coro
    def fail_coro(self, name):
        self.ran += 1
        charm.thisProxy[charm.myPe()].myPe(ret=True).get()
        ERRORS[name]()

    def some(self, who):
        self.ran += 1
        if self.number() in who:
            raise MyException(self.number())
        return self.number()

    @coro
    def some_coro(self, who):
        charm.sleep(0)
        return self.some(who)

    def returns_exception(self):
        return ValueError('returned')

    def suspends(self):
        Future().get()

    @coro
    def passes_on(self, proxy, name):
        proxy.fail(name, ret=True).get()

    @coro
    def catches(self, proxy, name):
        try:
            proxy.fail(name, awaitable=True).get()
        except Exception as e:
            return type(e).__name__

    def take_ran(self):
        ran, self.ran = self.ran, 0
        return ran

    def pe(self):
        return charm.myPe()


def check(what, expected):
    assert what == expected, (what, expected)


def check_pe(exc, proxy):
    """The PE where it was raised; elements of arrays may have moved since."""
    pe = exc.remote_stacktrace[0]
    assert pe == proxy.elemIdx if hasattr(proxy, 'gid') else 0 <= pe < charm.numPes(), pe


def caught(future):
    try:
        future.get()
    except Exception as e:
        return e
    assert False, 'no exception'


def one_chare(proxy):
    for method in (proxy.fail, proxy.fail_coro):
        for name, kind in TYPES.items():
            for how in ({'ret': True}, {'awaitable': True}):
                # contract: 8.6.2 8.6.3 5.5.10
                future = method(name, **how)
                exc = caught(future)
                assert isinstance(exc, kind), (name, exc)
                if name == 'two':
                    check((exc.code, exc.detail, str(exc)), (7, 'seven', '7: seven'))
                check_pe(exc, proxy)
                assert f'in {method.__name__}' in exc.remote_stacktrace[1], exc.remote_stacktrace
                # contract: 6.10
                assert caught(future) is exc, 'get() again raises it again'
                assert future.ready()
    # contract: 8.6.6
    assert proxy.pe(ret=True).get() in range(charm.numPes())
    # an exception that is returned is an exception
    check(type(caught(proxy.returns_exception(ret=True))), ValueError)
    # contract: 8.6.7 7.6
    exc = caught(proxy.suspends(awaitable=True))
    check(type(exc), NotThreadedError)
    assert "Method 'Worker.suspends' must be a couroutine to be able to suspend " \
        "(decorate it with @coro)" in str(exc), exc
    check(exc.message, str(exc))


def collection(coll, n):
    for iteration in range(5):
        for method in (coll.some, coll.some_coro):
            coll.take_ran(ret=True).get()
            # contract: 8.6.4
            exc = caught(method([1, n - 1], awaitable=True))
            check(type(exc), MyException)
            assert exc.args[0] in (1, n - 1)
            check_pe(exc, coll[exc.args[0]])
            check(coll.take_ran(ret=True).get(), [1] * n)
            # contract: 8.6.5
            results = method([1, n - 1], ret=True).get()
            for i, r in enumerate(results):
                if i in (1, n - 1):
                    check((type(r), r.args), (MyException, (i,)))
                else:
                    check(r, i)
            check(method([], awaitable=True).get(), None)
            check(method([], ret=True).get(), list(range(n)))
    exc = caught(coll.fail('name', awaitable=True))
    check(type(exc), NameError)


def main(args):
    npes = charm.numPes()
    g, a = Group(Worker), Array(Worker, 5)
    charm.awaitCreation(g, a)
    for proxy in (g[0], g[npes - 1], a[0], a[4], Chare(Worker), Chare(Worker, onPE=npes - 1)):
        one_chare(proxy)
    collection(a, 5)
    if npes > 1:
        collection(g, npes)
    section = a[1:4]
    exc = caught(section.some([2], awaitable=True))
    check(exc.args, (2,))
    results = section.some([2], ret=True).get()
    check([type(r) for r in results], [int, MyException, int])
    # through several chares: the place where it was raised first
    exc = caught(g[npes - 1].passes_on(a[4], 'zero', ret=True))
    check(type(exc), ZeroDivisionError)
    check_pe(exc, a[4])
    check(g[npes - 1].catches(a[0], 'custom', ret=True).get(), 'MyException')
    # contract: 6.11
    f = Future(3)
    for value in (1, KeyError('first'), IndexError('last')):
        f.send(value)
    exc = caught(f)
    check(type(exc), IndexError)
    exit()


charm.start(main)
