"""Futures, channels, sleep, quiescence, wait and iwait."""
import threading
import time
from charm4py import charm, Chare, Group, Array, Future, Channel, coro, when
from charm4py.threads import NotThreadedError


class Worker(Chare):
    def __init__(self):
        self.count = 0
        self.log = []

    def answer(self, f, value):
        f.send(value)

    def late(self, f, value, secs):
        charm.scheduleCallableAfter(f, secs, [value])

    @coro
    def stream(self, n):
        peer = self.thisProxy[(self.thisIndex[0] + 1) % 2]
        ch = Channel(self, remote=peer)
        assert ch.remote == peer
        for i in range(n):
            ch.send(i, 'x')
        ch.send()
        got = [ch.recv() for i in range(n)]
        assert got == [(i, 'x') for i in range(n)]
        assert ch.recv() == ()
        loop = Channel(self, remote=self.thisProxy[self.thisIndex])
        loop.send('me')
        return loop.recv()

    @coro
    def waiter(self, n):
        self.wait('self.count >= %d' % n)
        return self.count

    def bump(self):
        self.count += 1

    @when('self.count == n')
    def ordered(self, n):
        self.log.append(n)
        self.count += 1

    @when('n < self.count')
    def below(self, n):
        self.log.append(-n)

    def get_log(self):
        return self.log

    def not_coro(self):
        try:
            Future()
            return 'no error'
        except NotThreadedError as e:
            return str(e)

    @coro
    def hidden(self):
        """Exceptions of a waiting coroutine are not seen by others."""
        import sys
        try:
            raise ValueError('mine')
        except ValueError:
            r = self.thisProxy[self.thisIndex].exc(ret=True).get()
            assert sys.exc_info()[0] is ValueError
        return r

    def exc(self):
        import sys
        return sys.exc_info()[0] is None


def timeouts():
    f = Future()
    for _ in range(3):
        try:
            f.get(timeout=0.01)
            assert False
        except TimeoutError as e:
            assert 'not ready after 0.01 s' in str(e), e
    assert not f.ready()
    charm.scheduleCallableAfter(f, 0.01, ['v'])
    assert f.get(timeout=1e20) == f.get(0) == f.get(timeout=None) == 'v'
    many = [Future() for _ in range(100)]       # timers that are dropped in any order
    for i in range(100):
        charm.scheduleCallableAfter(many[i * 37 % 100], i * 1e-4, [i])
    for f in many:
        f.get(timeout=1000)


def main(args):
    a = Array(Worker, 2)
    charm.awaitCreation(a)
    f = Future(3)
    for i in range(3):
        a[i % 2].answer(f, i)
    assert sorted(f.get()) == [0, 1, 2] == sorted(f.get()) and f.ready()
    g = Future()
    a[1].answer(g, None)
    assert g.get() is None
    g = Future()
    g('direct')
    assert g.get() == 'direct'

    assert a.stream(200, ret=True).get() == ['me', 'me']

    t0 = time.time()
    charm.sleep(0.05)
    assert time.time() - t0 >= 0.05
    quick, slow, never = Future(), Future(), Future()
    a[1].late(slow, 's', 0.2)
    a[0].late(quick, 'q', 0.05)
    order = [x.get() for x in charm.iwait([slow, quick])]
    assert order == ['q', 's'], order
    charm.wait((quick, slow))
    assert list(charm.iwait([])) == []
    assert not never.ready()

    timeouts()
    charm.waitQD()
    qd = Future()
    charm.startQD(qd)
    assert qd.get() is None

    w = [a[1].waiter(3, ret=True), a[1].waiter(2, ret=True)]
    for _ in range(3):
        a[1].bump()
    assert [x.get() for x in w] == [3, 2], 'one by one'
    for n in (5, 4, 3):
        a[1].ordered(n)
    a[1].below(5)
    charm.waitQD()
    assert a[1].get_log(ret=True).get() == [3, 4, 5, -5], a[1].get_log(ret=True).get()

    text = a[0].not_coro(ret=True).get()
    assert "Method 'Worker.not_coro' must be a couroutine" in text, text
    assert a.hidden(ret=True).get() == [True, True]

    out = Future()
    threading.Thread(target=lambda: out.send('thread')).start()
    assert out.get() == 'thread'
    exit()


charm.start(main)
