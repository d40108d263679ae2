"""Coroutines: what suspends, where, and what runs meanwhile."""
# PEs: 1 2 4
import functools
import sys

from charm4py import charm, Chare, Group, Array, Channel, Future, Reducer, coro, coro_ext, threaded, when
from charm4py.charm import Charm4PyError
from charm4py.threads import NotThreadedError

assert threaded is coro


@coro
def plain(n):
    return n if n < 2 else plain(n - 1) + plain(n - 2)


# contract: 7.1
assert plain(10) == 55 and plain.__name__ == 'plain'
undecorated = lambda self: 3
assert coro(undecorated) is undecorated


class Counter(Chare):

    @coro
    def __init__(self):
        self.inside = self.most = self.flag = 0
        self.order = []
        charm.thisProxy[charm.myPe()].myPe(ret=True).get()
        self.ready = True

    @coro
    def wait_for_flag(self, n):
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.wait('self.flag >= %d' % n)
        self.inside -= 1
        self.order.append(n)
        return self._numthreads

    def raise_flag(self):
        self.flag += 1

    def state(self):
        return self.most, self.order, self._numthreads

    @coro
    @when('self.flag == n')
    def both(self, n):
        charm.sleep(0)
        self.flag += 1
        return n

    @when('self.flag == n')
    @coro
    def reversed_order(self, n):
        charm.sleep(0)
        self.flag += 1
        return n

    @coro_ext(event_notify=False)
    def extended(self):
        charm.sleep(0)
        return 'extended'

    @coro
    def helper(self, x):
        return x + self.ask()

    def ask(self):
        """Not marked: whether it may suspend depends on who calls it."""
        return self.thisProxy[self.thisIndex].seven(ret=True).get()

    def seven(self):
        return 7

    @coro
    def calls_helpers(self):
        # contract: 7.1 7.7
        return self.helper(1) + self.ask()

    @property
    def slow_property(self):
        return self.ask()

    @coro
    def everywhere(self):
        # contract: 7.8
        def generator():
            for _ in range(3):
                yield self.ask()

        class Manager:
            def __enter__(manager):
                return self.ask()

            def __exit__(manager, *exc):
                self.ask()

        class Lazy:
            def __getattr__(lazy, name):
                return self.ask()

        assert sum(generator()) == 21 and list(map(lambda _: self.ask(), range(2))) == [7, 7]
        assert [self.ask() for _ in range(2)] == [7, 7] and {self.ask(): self.ask()} == {7: 7}
        assert sorted([3, 1, 2], key=lambda x: x * self.ask()) == [1, 2, 3]
        assert max([1, 2], key=lambda x: self.ask() + x) == 2
        assert sorted([2, 1], key=functools.cmp_to_key(lambda a, b: self.ask() * (a - b))) == [1, 2]
        with Manager() as seven:
            assert seven == self.slow_property == Lazy().anything == 7
        try:
            raise KeyError('mine')
        except KeyError:
            assert self.ask() == 7 and sys.exc_info()[0] is KeyError
        finally:
            assert self.ask() == 7
        return True

    @coro
    def with_exception(self, n):
        # contract: 7.9
        try:
            raise KeyError(n)
        except KeyError as e:
            self.wait('self.flag >= %d' % (100 + n))
            assert sys.exc_info()[1] is e and e.args == (n,)
        return sys.exc_info() == (None, None, None)

    def set_flag(self, n):
        self.flag = n

    @coro
    def deep(self, n):
        # contract: 7.14
        return 0 if n == 0 else 1 + self.thisProxy[self.thisIndex].deep(n - 1, ret=True).get()

    def refused(self, what, proxy):
        """Each of these needs a coroutine, and says so."""

        calls = {
            'Future': lambda: Future(),
            'ret': lambda: proxy.seven(ret=True),
            'awaitable': lambda: proxy.seven(awaitable=True),
            'wait': lambda: self.wait('self.flag == -1'),
            'waitQD': lambda: charm.waitQD(),
            'allreduce': lambda: self.allreduce(),
            'recv': lambda: Channel(self, remote=proxy).recv(),
            'split': lambda: charm.split(self.thisProxy, 1, section_func=lambda c: 0),
            'slice': lambda: self.thisProxy[0:1],
            'check': lambda: self.ask(),
        }
        try:
            calls[what]()
        except NotThreadedError as e:
            return str(e)
        return 'no error'

    @coro
    def later(self, f):
        value = f.get()
        self.order.append('resumed')
        return value

    @coro
    def sends(self, f):
        # contract: 7.13
        me = self.thisProxy[self.thisIndex]
        self.order = []
        waiter = me.later(f, ret=True)
        charm.sleep(0)
        f.send('value')
        self.order.append('sent')
        assert self.order == ['sent'], self.order
        return waiter.get(), self.order

    @coro
    def make_future(self):
        self.future = Future()
        return self.sends(self.future)


class Traveller(Chare):

    def __init__(self):
        self.log = []

    @coro
    def migrated(self):
        self.log.append(charm.thisProxy[charm.myPe()].myPe(ret=True).get())

    def get_log(self):
        return self.log


def check(what, expected):
    assert what == expected, (what, expected)


def several_instances(a):
    # contract: 7.5 7.11 7.12
    n = 200
    waits = [a[1].wait_for_flag(1 + i * 7 % n, ret=True) for i in range(n)]
    for _ in range(n):
        a[1].raise_flag()
    for f in waits:
        f.get()
    most, order, threads = a[1].state(ret=True).get()
    check((most, sorted(order), threads), (n, list(range(1, n + 1)), 0))


def conditions(a):
    # contract: 7.3
    for method in (a[2].both, a[2].reversed_order):
        a[2].set_flag(0)
        fs = [method(i, ret=True) for i in (2, 1, 0)]
        check([f.get() for f in fs], [2, 1, 0])


def main(args):
    a = Array(Counter, 4)
    charm.awaitCreation(a)
    several_instances(a)
    conditions(a)
    check(a.extended(ret=True).get(), ['extended'] * 4)     # contract: 7.4
    check(a.calls_helpers(ret=True).get(), [15] * 4)
    check(a.everywhere(ret=True).get(), [True] * 4)
    waits = [a[0].with_exception(n, ret=True) for n in range(10)]
    for n in range(10):
        a[0].set_flag(100 + n)
    check([f.get() for f in waits], [True] * 10)
    check(a[3].deep(150, ret=True).get(), 150)
    # contract: 7.6
    for what in ('Future', 'ret', 'awaitable', 'wait', 'waitQD', 'allreduce', 'recv', 'split',
                 'slice', 'check'):
        text = a[2].refused(what, a[0], ret=True).get()
        assert text == "Method 'Counter.refused' must be a couroutine to be able to suspend " \
            "(decorate it with @coro)", (what, text)
    check(a[1].make_future(ret=True).get(), ('value', ['sent', 'resumed']))
    # contract: 7.2
    t = Array(Traveller, 1)
    to = charm.numPes() - 1
    t[0].migrate(to, awaitable=True).get()
    charm.waitQD()
    log = t[0].get_log(ret=True).get()
    assert log == [to] or (charm.numPes() == 1 and log in ([], [0])), log
    assert sum(plain(n) for n in range(5)) == 7
    f = Future()
    f.send(1)
    assert [x for x in (f.get() for _ in range(3))] == [1, 1, 1]
    # contract: 7.10
    a[1].leave()


@coro
def leave(self):
    charm.sleep(0)
    sys.exit(0)


Counter.leave = leave

charm.start(main)
