"""Context variables belong to who sets them: a coroutine, a task, or the PE."""
# PEs: 1 2 4
import contextvars
import decimal
from charm4py import charm, Array, Chare, Future, Group, coro, when

var = contextvars.ContextVar('var', default='none')
base = contextvars.ContextVar('base')
base.set('of the start')
decimal.getcontext().prec = 12
THIRD = '0.333333333333'


def seen():
    return var.get(), base.get(), str(decimal.Decimal(1) / 3)


CLEAN = ('none', 'of the start', THIRD)


class C(Chare):
    def __init__(self):
        assert seen() == CLEAN
        self.n = 0

    @coro
    def leak(self, x, wait):
        assert seen() == CLEAN, seen()
        var.set(x)
        base.set(x)
        decimal.getcontext().prec = 5
        if wait:
            charm.sleep(0.001 * wait)
        assert seen() == (x, x, '0.33333'), seen()
        return x

    @coro
    def look(self):
        return seen()

    def plain(self):
        return seen()

    def plain_leak(self, x):
        var.set(x)

    @coro
    def runs(self, x):
        """Context.run and tokens, over a wait."""
        context = contextvars.copy_context()

        def inside():
            token, f = var.set(x), Future()
            charm.scheduleCallableAfter(f, 0.001, ['go'])
            assert f.get() == 'go'
            charm.sleep(0)
            assert var.get() == x
            var.reset(token)
            assert var.get() == 'mine'
            var.set(x)
            charm.sleep(0.001)
        token = var.set('mine')
        context.run(var.set, 'mine')
        context.run(inside)
        assert context[var] == x and var.get() == 'mine'
        with decimal.localcontext() as c:
            c.prec = 3
            charm.sleep(0.001)
            assert str(decimal.Decimal(1) / 3) == '0.333'
        assert seen()[2] == THIRD
        var.reset(token)
        assert seen() == CLEAN
        return True

    @when('self.n == 1')
    def held(self, f):
        f.send(seen())

    @coro
    def lets_go(self):
        var.set('of who lets go')
        self.n = 1
        self.__flush_wait_queues__()
        self.n = 2
        assert var.get() == 'of who lets go'

    @coro
    def waits(self):
        var.set('waits')
        self.wait('self.n == 3')
        self.n = 0
        return var.get()

    def let(self, n):
        assert seen() == CLEAN
        self.n = n


@coro
def task(x):
    assert seen() == CLEAN, seen()
    var.set(x)
    decimal.getcontext().prec = 3
    charm.sleep(0)
    if x > 2:
        assert charm.pool.map(task, [x - 1, x - 2]) == [x - 1, x - 2]
    assert var.get() == x and decimal.getcontext().prec == 3
    return x


def plain_task(x):
    r = seen()
    var.set(x)
    decimal.getcontext().prec = 3
    return r


def check_all(e, other):
    # contract: 7.15
    for wait in 0, 1:
        done = [e.leak(x, wait * x, awaitable=True) for x in range(1, 5)]
        for get in (e.look, e.plain, other.look, other.plain) * 2:
            assert get(ret=True).get() == CLEAN
        assert [f.get() for f in done] == [1, 2, 3, 4]
        for get in (e.look, e.plain, other.look, other.plain):
            assert get(ret=True).get() == CLEAN
    f = Future()
    e.held(f)
    e.lets_go()
    assert f.get() == CLEAN
    waits = e.waits(awaitable=True)
    e.let(3, awaitable=True).get()
    assert waits.get() == 'waits'


def main(args):
    assert seen() == CLEAN
    var.set('main')
    decimal.getcontext().prec = 4
    a, g = Array(C, 2 * charm.numPes()), Group(C)
    for e in a[0], a[2 * charm.numPes() - 1], g[charm.numPes() - 1], Chare(C, onPE=0):
        check_all(e, a[1])
        # contract: 7.16
        assert all([r.get() for r in [e.runs(x, ret=True) for x in 'abc']])
    # contract: 7.15
    for _ in range(2):
        assert charm.pool.map(task, range(6)) == list(range(6))
        assert set(charm.pool.map(plain_task, range(9))) == {CLEAN}
        assert set(charm.pool.map(plain_task, range(9), chunksize=4)) == {CLEAN}
        assert charm.pool.Task(plain_task, (1,), ret=True).get() == CLEAN
    assert (var.get(), decimal.getcontext().prec) == ('main', 4)
    # what plain methods set is the PE's, and a coroutine begins with it
    # contract: 7.17
    g.plain_leak('of the PE', awaitable=True).get()
    assert set(r[0] for r in g.plain(ret=True).get() + g.look(ret=True).get()) == {'of the PE'}
    assert {r[0] for r in charm.pool.map(plain_task, range(9))} == {'of the PE'}
    assert var.get() == 'main'
    exit()


context = contextvars.copy_context()
context.run(charm.start, main)
