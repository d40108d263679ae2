"""The program may be a chare; the exceptions of others reach who waits."""
import sys
from charm4py import charm, Chare, Group, Array, coro


class MyError(Exception):
    def __init__(self):
        super().__init__('custom')


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__('needs two')


class Bad(Chare):
    def undefined(self):
        test[3] = 3

    @coro
    def later(self):
        charm.sleep(0.001)
        raise MyError()

    def some(self):
        if self.thisIndex in (0, (0,)):
            raise MyError()
        return charm.myPe()

    def odd(self):
        raise Odd(1, 2)

    def fine(self):
        return 'ok'


def expect(kind, f):
    try:
        f()
    except kind as e:
        assert isinstance(e.remote_stacktrace, tuple) and 'Traceback' in e.remote_stacktrace[1]
        return e
    assert False, kind


class Main(Chare):
    def __init__(self, args):
        assert not hasattr(self, 'thisIndex')
        n = charm.numPes()
        for coll in (Group(Bad), Array(Bad, 2 * n)):
            charm.awaitCreation(coll)
            for _ in range(5):
                expect(NameError, lambda: coll[n - 1].undefined(ret=True).get())
                expect(NameError, lambda: coll[n - 1].undefined(awaitable=True).get())
                expect(NameError, lambda: coll.undefined(awaitable=True).get())
                expect(MyError, lambda: coll[n - 1].later(ret=True).get())
                expect(MyError, lambda: coll.later(awaitable=True).get())
                r = coll.some(ret=True).get()
                assert isinstance(r[0], MyError) and r[0].remote_stacktrace[0] in range(n), r
                assert all(pe in range(n) for pe in r[1:])
                expect(Exception, lambda: coll[n - 1].odd(ret=True).get())
                assert coll[0].fine(ret=True).get() == 'ok'
        self.thisProxy.end(5)

    def end(self, status):
        charm.thisProxy[0].exit(status)


charm.start(Main)
