"""Exceptions of pool tasks reach who asked, and the pool goes on as if nothing had been."""
# PEs: 1 2 4 8
import random

from charm4py import charm, Chare, Group, Future, coro


class Special(Exception):

    def __init__(self):
        super().__init__('special')


class Unpicklable(Exception):

    def __init__(self, a, b):
        super().__init__(a)
        self.hidden = lambda: b


def good(x):
    return x * x


def bad(x):
    if x % 7 == 3:
        raise ValueError(f'seven {x}')
    return x


def special(x):
    raise Special()


def unpicklable(x):
    raise Unpicklable(x, x)


def undefined(x):
    nowhere[x] = x  # noqa: F821


def late_division(x):
    return 1 // (x - x)


@coro
def bad_later(x):
    charm.sleep(0)
    return bad(x)


@coro
def nested_bad(x):
    try:
        charm.pool.map(bad, range(10))
    except ValueError as e:
        assert str(e) == 'seven 3'
        return 'caught'
    return 'missed'


@coro
def nested_through(x):
    return charm.pool.map(bad_later, range(10))


def suspends(x):
    charm.sleep(0) if x < 0 else Future()


def raises(kind, text, call, *args, **kw):
    try:
        got = call(*args, **kw)
    except kind as e:
        assert text in str(e), e
        return e
    raise AssertionError(f'{call} {args} {kw} returned {got}')


def result(future):
    return future.get()


def one_round(rng):
    pool, chunk = charm.pool, rng.choice([1, 2, 5])
    way = rng.randrange(12)
    if way == 0:
        e = raises(ValueError, 'seven', pool.map, bad, range(30), chunksize=chunk)
        assert 'in bad' in e.remote_stacktrace[1], e.remote_stacktrace
    elif way == 1:
        raises(ValueError, 'seven', result, pool.map_async(bad_later, range(30), chunksize=chunk))
    elif way == 2:
        futures = pool.map_async(bad, range(8), multi_future=True, chunksize=1)
        got = []
        for i, future in enumerate(futures):
            try:
                got.append(future.get() == i)
            except ValueError:
                got.append('failed')
        assert got[3] == 'failed' and len(got) == 8, got
    elif way == 3:
        raises(ValueError, 'seven 3', result, pool.Task(bad, [3], ret=True))
    elif way == 4:
        raises(ValueError, 'seven 10', result, pool.Task(bad_later, [10], awaitable=True))
    elif way == 5:
        raises(Special, 'special', pool.map, special, [1, 2], chunksize=chunk)
    elif way == 6:
        raises(Exception, '', pool.map, unpicklable, [1, 2, 3], chunksize=chunk)
    elif way == 7:
        raises(NameError, 'nowhere', pool.map, undefined, [1], chunksize=chunk)
    elif way == 8:
        tasks = [(good, 1), (bad, 2), (bad_later, 3), (good, 4)]
        raises(ValueError, 'seven 3', pool.submit, tasks, chunksize=chunk)
    elif way == 9:
        assert pool.map(nested_bad, range(3), chunksize=1) == ['caught'] * 3
        raises(ValueError, 'seven', pool.map, nested_through, range(2))
    elif way == 10:
        raises(Exception, 'coro', pool.map, suspends, [1], chunksize=chunk)
    else:
        raises(ZeroDivisionError, '', pool.map, late_division, [1], chunksize=chunk, ncores=1)
    n = rng.randrange(40)
    assert pool.map(good, range(n), chunksize=rng.choice([1, 3])) == [x * x for x in range(n)]


class Asker(Chare):
    """The pool serves other PEs than the first, too."""

    @coro
    def ask(self, seed):
        rng = random.Random(seed + charm.myPe())
        for _ in range(4):
            one_round(rng)


def main(args):
    seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
    print('seed', seed)
    rng = random.Random(seed)
    for _ in range(25):
        one_round(rng)
    Group(Asker).ask(seed, awaitable=True).get()
    assert charm.pool.map(bad_later, [1, 2]) == [1, 2]
    exit()


charm.start(main)
