"""Waiting for constructors, futures, channels, quiescence and time."""
import time

from charm4py import charm, Chare, Group, Array, ArrayMap, Channel, Future, coro
from charm4py.charm import Charm4PyError


def raises(kind, text, func, *args):
    try:
        func(*args)
    except kind as e:
        assert text in str(e), e
        return True
    raise AssertionError(f'{func} {args} did not raise {kind}')


class Slow(Chare):
    @coro
    def __init__(self, secs=0.01):
        self.done = False
        charm.sleep(secs)
        self.done = True

    def ready(self):
        return self.done


class Map(ArrayMap):
    def procNum(self, index):
        return 0


class Maker(Chare):
    def make(self):                                 # not a coroutine
        return Group(Slow)

    def make_and_wait(self):
        proxy = Group(Slow)
        assert raises(Charm4PyError, NO_COROUTINE, charm.awaitCreation, proxy)


NO_COROUTINE = 'awaitCreation can only be used if creation triggered from a coroutine entry method'


def creation():
    # contract: 3.4.1 3.4.3
    g, a, c = Group(Slow), Array(Slow, 5, args=[0.02]), Chare(Slow, args=[0.01], onPE=charm.numPes() - 1)
    assert charm.awaitCreation(g, a, c) is None
    assert all(g.ready(ret=True).get()) and all(a.ready(ret=True).get()) and c.ready(ret=True).get()
    # contract: 3.4.2
    for i, proxy in enumerate((g, a, c, a[0], Group(Map), Array(Slow, ndims=1), Array(Slow, 0))):
        assert raises(Charm4PyError, NO_COROUTINE, charm.awaitCreation, proxy), i
    assert raises(Charm4PyError, 'Did not pass a proxy to awaitCreation?', charm.awaitCreation, 3)
    m = Chare(Maker)
    assert raises(Charm4PyError, NO_COROUTINE, charm.awaitCreation, m.make(ret=True).get())
    m.make_and_wait(awaitable=True).get()


class Peer(Chare):
    def __init__(self, main_future):
        main_future.send(self.thisProxy)

    @coro
    def talk(self, partner, n):
        ch = Channel(self, remote=partner)
        for i in range(n):
            ch.send(i)
            assert ch.recv() == i

    @coro
    def listen(self, peers, f):
        """One channel to each peer, and a future, in one loop."""
        chans = [Channel(self, remote=p) for p in peers]
        todo = {id(c): 3 for c in chans}
        pending = chans + [f]
        got_future = False
        while pending:
            for one in charm.iwait(pending):
                if one is f:
                    assert one.get() == 'future'
                    got_future = True
                    pending.remove(one)
                else:
                    assert one.recv() == 3 - todo[id(one)]
                    todo[id(one)] -= 1
                    if not todo[id(one)]:
                        pending.remove(one)
                charm.sleep(0)                      # suspending inside the loop is fine
                break
        assert got_future
        return sorted(todo.values())

    @coro
    def speak(self, to):
        ch = Channel(self, remote=to)
        for i in range(3):
            ch.send(i)


class Sender(Chare):
    def send(self, f, value):
        f.send(value)

    def fail(self):
        raise ValueError('on purpose')


def futures():
    s = Group(Sender)
    last = charm.numPes() - 1
    # contract: 3.4.4
    fs = tuple(Future() for _ in range(4))
    bad = s[last].fail(awaitable=True)
    for i, f in enumerate(fs):
        s[i % charm.numPes()].send(f, i)
    assert charm.wait((*fs, bad)) is None
    assert [f.get() for f in fs] == [0, 1, 2, 3]
    assert raises(ValueError, 'on purpose', bad.get)
    # contract: 3.4.5
    assert list(charm.iwait([])) == []
    fs = [Future() for _ in range(5)]
    for i in (3, 1):
        s[0].send(fs[i], i)
        charm.wait([fs[i]])
    seen = []
    for f in charm.iwait(fs):
        if len(seen) == 1:
            for i in (4, 0, 2):                     # one after the other
                s[last].send(fs[i], i)
        seen.append(f.get())
    assert seen[:2] == [1, 3] and seen[2:] == [4, 0, 2], seen
    # contract: 3.4.6
    f = Future()
    s[last].send(f, 7)
    assert [x.get() for x in charm.iwait([f, f])] in ([7], [7, 7])
    several = Future(3)
    for i in range(3):
        s[last].send(several, i)
        assert i == 2 or True
    assert [sorted(x.get()) for x in charm.iwait([several])] == [[0, 1, 2]]


def channels():
    proxies = Future(4)
    a = Array(Peer, 4, args=[proxies])
    proxies.get()
    # contract: 3.4.5 3.4.6
    f = Future()
    r = a[0].listen([a[1], a[2], a[3]], f, ret=True)
    for i in (1, 2, 3):
        a[i].speak(a[0])
    f.send('future')
    assert r.get() == [0, 0, 0]


count = 0


class Chain(Chare):
    def __init__(self):
        self.n = 0

    def step(self, left):
        self.n += 1
        if left:
            self.thisProxy[(self.thisIndex[0] + 1) % 8].step(left - 1)

    def total(self):
        return self.n

    def quiet(self, *args):
        assert args == ()
        result.send('called')

    @coro
    def wait_for_ever(self):
        Future().get()


def quiescence():
    global result
    a = Array(Chain, 8)
    # contract: 3.4.8 3.4.7
    a[0].step(500)
    a[3].wait_for_ever()                            # a coroutine that waits is no activity
    assert charm.waitQD() is None
    assert sum(a.total(ret=True).get()) == 501
    f = Future()
    a[1].step(100)
    assert charm.startQD(f) is None
    assert f.get() is None
    assert sum(a.total(ret=True).get()) == 602
    # contract: 3.4.7
    result = Future()
    on_zero = Chare(Chain, onPE=0)
    charm.startQD(on_zero.quiet)
    assert result.get() == 'called'


def after():
    begin = time.monotonic()
    # contract: 3.4.9
    charm.sleep(0.05)
    assert time.monotonic() - begin >= 0.05
    # contract: 3.4.10
    begin = time.monotonic()
    order, done = [], Future()

    def note(i, more='none'):
        order.append((i, more))
        assert time.monotonic() - begin >= 0.02 * i
        if len(order) == 3:
            done.send(1)
    assert charm.scheduleCallableAfter(note, 0.04, [2]) is None
    charm.scheduleCallableAfter(note, 0.02, [1, 'two'])
    charm.scheduleCallableAfter(note, 0, args=[0])
    done.get()
    assert sorted(order) == [(0, 'none'), (1, 'two'), (2, 'none')]
    f = Future()
    charm.scheduleCallableAfter(f, 0.01, ['value'])
    assert f.get() == 'value'
    s = Group(Sender)
    f = Future()
    charm.scheduleCallableAfter(s[charm.numPes() - 1].send, 0.01, [f, -1])
    assert f.get() == -1
    assert raises(TypeError, 'not int', charm.scheduleCallableAfter, 3, 0.01)
    # contract: 3.4.11
    many = Future(1000)
    for i in range(1000):
        charm.scheduleCallableAfter(many, 0.001 * (i % 7), [i])
    assert sorted(many.get()) == list(range(1000))


class Plain(Chare):
    def sleep(self):
        begin = time.monotonic()
        charm.sleep(0.02)                           # no coroutine: the PE sleeps
        return time.monotonic() - begin


def main(args):
    creation()
    futures()
    channels()
    quiescence()
    after()
    # contract: 3.4.9
    assert Chare(Plain).sleep(ret=True).get() >= 0.02
    exit()


charm.start(main)
