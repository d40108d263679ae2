"""Each feature, run many times, leaves the number of Python's memory blocks flat."""
import contextvars
import decimal
import gc
import pickle
import sys
import numpy as np
from charm4py import charm, Chare, Group, Array, Future, Channel, Reducer, coro, when

ROUNDS = 1000
SLACK = 500  # blocks: caches fill up, but a leak would be one block a round


def joined(contribs):
    return sum(contribs, [])


Reducer.addReducer(joined)


VAR = contextvars.ContextVar('VAR')
decimal.getcontext()


class Thing:
    pass


class Node(Chare):
    def __init__(self):
        self.ch = Channel(self, remote=self.thisProxy[(self.thisIndex[0] + 1) % 2])
        self.n = 0

    def echo(self, *x):
        return x

    def keywords(self, a=[], b=2, *, k=1, **others):
        return others

    def fail(self):
        raise ValueError('x')

    @coro
    def deep(self, n):
        return 0 if n == 0 else 1 + self.thisProxy[1 - self.thisIndex[0]].deep(n - 1, ret=True).get()

    @coro
    def talk(self):
        self.ch.send(1, 'two')
        self.ch.recv()

    @coro
    def variables(self):
        VAR.set([self])
        decimal.getcontext().prec = 5
        charm.sleep(0)
        contextvars.copy_context().run(lambda: (VAR.set([]), charm.sleep(0)))

    @coro
    def all(self, data, op):
        return self.allreduce(data, op).get()

    def red(self, cb, data, op):
        self.reduce(cb, data, op)

    @when('self.n == k')
    def held(self, k):
        self.n = k + 1

    def blocks(self):
        gc.collect()
        return sys.getallocatedblocks()


def features(a):
    big = np.zeros(10000)

    class Local:
        pass

    def proxy():
        f = Future()
        back = a[1].echo(a, a[0], a[0].echo, f, ret=True).get()
        back[3].send(1)
        f.get()

    def error():
        try:
            a[1].fail(ret=True).get()
        except ValueError:
            pass

    def cycle():
        # contract: 6.15
        f = a[1].fail(ret=True)             # its exception knows this frame, and so f
        try:
            f.get()
        except ValueError:
            pass
        g = Future()
        g.send([g])
        g.get()

    def timeout():
        f = Future()
        try:
            f.get(timeout=0)
        except TimeoutError:
            pass
        f.send(1)
        f.get(timeout=100)

    def bad():
        for f in (lambda: a[7].echo(), lambda: a[1].echo(lambda: 0), lambda: a[0].deep(x=1)):
            try:
                f()
            except Exception:
                pass

    def reduction():
        f = Future(5)
        a.red(f, 1, Reducer.sum)
        a.red(f, big, Reducer.max)
        a.red(f, 'x', Reducer.gather)
        a.red(f, [1, Thing()], Reducer.joined)
        a.red(f, None, None)
        f.get()

    def multi():
        fs = [Future(), Future()]
        for f in fs:
            a[1].echo(f)
            f.send(3)
        assert [f.get() for f in charm.iwait(fs)] == [3, 3]

    def hold():
        n = getattr(hold, 'n', 0)
        hold.n = n + 2
        a[1].held(n + 1)
        a[1].held(n, awaitable=True).get()

    yield 'ret', lambda: a[1].echo(1, 'x', [2], {'a': 3}, ret=True).get()
    yield 'local', lambda: a[0].echo(1, 'x', [2], ret=True).get()
    yield 'kwargs', lambda: a[1].deep(n=0, ret=True).get()
    yield 'keywords', lambda: a.keywords(b=[1], k=[2], o=Thing(), ret=True).get()
    yield 'bcast', lambda: a.echo(1, ret=True).get()
    yield 'await', lambda: a.echo(1, awaitable=True).get()
    yield 'array', lambda: a[1].echo(big, big[::2], np.float32(1), ret=True).get()
    yield 'pickle', lambda: a[1].echo(Thing(), {1, 2}, big.astype('>f8'), ret=True).get()
    yield 'local class', lambda: a[1].echo(Local(), ret=True).get()
    yield 'proxy', proxy
    yield 'coroutine', lambda: a[1].deep(3, ret=True).get()
    yield 'variables', lambda: a.variables(awaitable=True).get()
    yield 'channel', lambda: a.talk(awaitable=True).get()
    yield 'allreduce', lambda: a.all(1, Reducer.sum, ret=True).get()
    yield 'sleep', lambda: charm.sleep(0)
    yield 'after', after
    yield 'dumps', lambda: pickle.loads(pickle.dumps((a, a[1], a.echo)))

    yield 'error', error
    yield 'cycle', cycle
    yield 'timeout', timeout
    yield 'bad', bad
    yield 'reduction', reduction
    yield 'multi', multi
    yield 'when', hold


def after():
    f = Future()
    charm.scheduleCallableAfter(f, 0, [1])
    f.get()


def grown_by(a, run):
    """Blocks of memory that the PEs have more after ROUNDS runs than before."""
    before = a.blocks(ret=True).get()
    for _ in range(ROUNDS):
        run()
    charm.waitQD()
    return [b - c for b, c in zip(a.blocks(ret=True).get(), before)]


def main(args):
    a = Array(Node, 2)
    charm.awaitCreation(a)
    leaks = []
    for name, run in features(a):
        for _ in range(30):
            run()
        charm.waitQD()
        grown = grown_by(a, run)
        if max(grown) > SLACK:          # how full caches get depends on what is under way at once:
            again = grown_by(a, run)    # a leak grows again, a cache does not
            if max(again) > SLACK:
                leaks.append((name, grown, again))
    print(leaks)
    exit(len(leaks))


charm.start(main)
