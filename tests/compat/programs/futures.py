"""Futures: values from anywhere, several of them, several who wait, and limits of time."""
# PEs: 1 2 4
import pickle
import threading

from charm4py import charm, Chare, Group, Array, Channel, Future, Reducer, coro
from charm4py.charm import Charm4PyError
from charm4py import threads
from charm4py.threads import NotThreadedError


class Worker(Chare):

    def send(self, f, value):
        f.send(value)

    def call(self, f, *value):
        f(*value)

    def deep(self, box, value):
        box['futures'][0].send(value)

    def echo(self, x):
        return x

    def count(self, f):
        self.reduce(f, 1, Reducer.sum)

    def get_here(self, f):
        try:
            f.get()
        except Charm4PyError as e:
            return str(e)
        return 'no error'

    @coro
    def get_in_coroutine(self, f):
        return self.get_here(f)

    def make(self):
        try:
            Future()
        except NotThreadedError as e:
            return str(e), e.message

    @coro
    def wait_for(self, holder, i):
        """Waits for a future that another coroutine of this PE made."""
        return holder.ckLocalBranch().futures[i].get()

    @coro
    def hold(self, n):
        self.futures = [Future() for _ in range(n)]

    def release(self):
        for i, f in enumerate(self.futures):
            f.send(i)

    @coro
    def own(self, other):
        """Every coroutine may make one, on every PE."""
        f = Future(2)
        other.send(f, 1)
        other.send(f, 2)
        return f.get()


def check(what, expected):
    assert what == expected, (what, expected)


def raises(kind, func):
    try:
        func()
    except kind as e:
        return str(e)
    assert False, kind


def basics(g, last):
    # contract: 6.1
    assert charm.Future is Future and charm.createFuture is Future and threads.Future is Future
    assert isinstance(Future(), threads.Future) and isinstance(last.echo(1, ret=True), threads.Future)
    for f in (Future(), Future(1), Future(num_vals=1), charm.createFuture(), Future(1, store=False)):
        # contract: 6.6
        assert f.ready() is False and isinstance(f.fid, int)
        last.send(f, 'v')
        check(f.get(), 'v')
        check(f.get(), 'v')
        assert f.ready() is True
    assert len({Future().fid for _ in range(50)} | {0}) > 1
    # contract: 6.3 6.5
    for n in (1, 2, 7):
        f = Future(n)
        for i in range(n):
            f.send(i) if i % 2 else f(i)
        check(f.get(), list(range(n)) if n > 1 else 0)
    f = Future(4)
    last.call(f)
    last.call(f, 3)
    f.send()
    f()
    check(sorted(f.get(), key=repr), [3, None, None, None])
    f = Future()
    threading.Thread(target=lambda: f.send(['thread'])).start()
    check(f.get(), ['thread'])
    # contract: 6.2
    text, message = last.make(ret=True).get()
    assert "Method 'Worker.make' must be a couroutine" in text and text == message
    # contract: 6.12
    for n in (0, -1):
        raises(ValueError, lambda: Future(n))


def travelling(g, last):
    # contract: 6.7
    f = Future()
    last.deep({'futures': [f, (f,)]}, 5)
    check(f.get(), 5)
    f = Future()
    back = last.echo(f, ret=True).get()
    assert back == f and hash(back) == hash(f) and f in {back} and f != Future()
    assert last.echo([{1: f}], ret=True).get()[0][1] is f
    copy = pickle.loads(pickle.dumps(f))
    copy.send('through a copy')
    check(back.get(), 'through a copy')
    # contract: 6.8
    if charm.numPes() > 1:
        for method in (last.get_here, last.get_in_coroutine):
            text = method(Future(), ret=True).get()
            assert 'a copy on another PE can only send' in text, text
    # contract: 6.17
    f, inner = Future(), Future()
    f.send(inner)
    last.send(inner, 'inner')
    check(f.get().get(), 'inner')
    # contract: 6.4
    check(g.own(last, ret=True).get(), [[1, 2]] * charm.numPes())


def several_waiters(g):
    # contract: 6.4
    holders, n = Group(Worker), 5
    holders.hold(n, awaitable=True).get()
    waits = [g.wait_for(holders, i % n, ret=True) for i in range(4 * n)]
    holders.release()
    for i, f in enumerate(waits):
        check(f.get(), [i % n] * charm.numPes())


def many_sources(g, a, last):
    # contract: 6.13
    f = Future(4)
    g.count(f)
    a.count(f)
    charm.scheduleCallableAfter(f, 0.001, ['timer'])
    last.send(f, 'call')
    check(sorted(f.get(), key=str), sorted([charm.numPes(), 6, 'timer', 'call'], key=str))
    f = Future()
    charm.startQD(f)
    check(f.get(), None)


def limits_of_time(last):
    # contract: 6.14
    f = Future(2)
    f.send(1)
    for _ in range(3):
        assert 'is not ready after 0.001 s' in raises(TimeoutError, lambda: f.get(timeout=0.001))
    assert 'after 0 s' in raises(TimeoutError, lambda: f.get(0))
    raises(TimeoutError, lambda: f.get(-3))
    last.send(f, 2)
    check(f.get(timeout=60), [1, 2])
    check(f.get(None), [1, 2])
    check(f.get(timeout=0), [1, 2])
    for bad in (lambda: f.get('x'), lambda: f.get(1, 2), lambda: f.get(secs=1)):
        raises(TypeError, bad)
    raises(ValueError, lambda: Future().get(float('nan')))
    exc = Future()
    exc.send(KeyError('k'))
    raises(KeyError, lambda: exc.get(timeout=10))


def pending(last):
    # contract: 6.15
    import gc
    import weakref

    class Value:
        pass

    value = Value()
    f = Future()
    f.send(value)
    assert f.get() is value
    gone = weakref.ref(value)
    del value, f
    gc.collect()
    assert gone() is None
    last.send(Future(), 'nobody keeps it')
    charm.waitQD()


def main(args):
    g, a = Group(Worker), Array(Worker, 6)
    charm.awaitCreation(g, a)
    travelling(g, g[charm.numPes() - 1])
    for last in (g[charm.numPes() - 1], g[0], a[5], a[0]):
        basics(g, last)
        limits_of_time(last)
        pending(last)
    several_waiters(g)
    many_sources(g, a, a[3])
    exit()


charm.start(main)
