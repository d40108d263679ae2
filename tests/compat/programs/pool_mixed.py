"""Good and failing jobs at the same time, from all PEs, again and again; all kinds of iterables."""
# PEs: 1 2 3 4
import collections
import itertools
import time
import numpy as np
from charm4py import charm, Chare, Group, Future, coro

charm.options.local_msg_buf_size = 1000
ROUNDS = 5


class Wrong(Exception):
    pass


def good(x):
    return x * 2


@coro
def good_late(x):
    charm.sleep(0)
    return x * 2


def bad(x):
    test[3] = 3  # noqa: F821


@coro
def bad_late(x):
    charm.sleep(0)
    raise Wrong(x)


def bad_at_17(x):
    if x == 17:
        raise Wrong(x)
    return x * 2


@coro
def nests(x):
    return sum(charm.pool.map(good_late, range(x)))


@coro
def nests_bad(x):
    return sum(charm.pool.map(bad_at_17, range(10, 20)))


GOOD = (good, good_late, nests)
BAD = (bad, bad_late, bad_at_17, nests_bad)
WANT = {good: [2 * x for x in range(20)], good_late: [2 * x for x in range(20)],
        nests: [x * (x - 1) for x in range(20)]}


def fails(future):
    try:
        future.get()
    except (NameError, Wrong):
        return
    assert False


def combination(func, chunksize, ncores, multi):
    """Starts a job; returns what checks it."""
    job = charm.pool.map_async(func, range(20), chunksize, ncores, multi)
    if not multi and func in GOOD:
        return lambda: job.get() == WANT[func]
    if not multi:
        return lambda: fails(job) is None
    if func in GOOD:
        return lambda: [f.get() for f in job] == WANT[func]

    def check():
        n = 0
        for i, f in enumerate(job):
            try:
                assert f.get() == 2 * i and func is bad_at_17
            except (NameError, Wrong):
                n += 1
        assert n == 20 or func is bad_at_17 and 0 < n <= 20
        return True
    return check


def all_combinations():
    # contract: 13.22
    n = 0
    for chunksize, ncores, multi in itertools.product((1, 3, 20), (-1, 1), (False, True)):
        checks = [combination(func, chunksize, ncores, multi) for func in
                  (bad, good, bad_late, good_late, bad_at_17, nests, nests_bad)]
        assert all([check() for check in checks])
        n += len(checks)
    assert n >= 80


class Everywhere(Chare):
    @coro
    def use(self):
        # contract: 13.1
        for chunksize in 1, 4:
            checks = [combination(f, chunksize, -1, False) for f in GOOD + BAD]
            assert all([check() for check in checks])
        assert charm.pool.Task(good_late, (3,), ret=True).get() == 6


class Sequence:
    """No len(), no slices: only the old protocol of iteration."""

    def __getitem__(self, i):
        if i == 7:
            raise IndexError
        return i


def iterables():
    # contract: 13.10
    pool = charm.pool
    want = [2 * x for x in range(7)]
    for make in (lambda: range(7), lambda: list(range(7)), lambda: tuple(range(7)), Sequence,
                 lambda: (x for x in range(7)), lambda: iter(range(7)), lambda: dict.fromkeys(range(7)),
                 lambda: dict.fromkeys(range(7)).keys(), lambda: set(range(7)), lambda: bytes(range(7)),
                 lambda: collections.deque(range(7)), lambda: np.arange(7), lambda: map(int, '0123456'),
                 lambda: memoryview(bytes(range(7))), lambda: itertools.islice(itertools.count(), 7)):
        for chunksize in 1, 3:
            assert pool.map(good, make(), chunksize) == want
            assert pool.map_async(good_late, make(), chunksize).get() == want
    rows = np.arange(6.).reshape(3, 2)
    assert [list(r) for r in pool.map(good, rows)] == [[0, 2], [4, 6], [8, 10]]
    # contract: 13.9
    for chunksize in 1, 2:
        assert pool.map(len, [(1, 2), (), (3,)], chunksize) == [2, 0, 1]
    pairs = zip([good, good_late], [1, 2])
    assert pool.submit(pairs) == [2, 4]
    try:
        pool.map(good, 5)
    except TypeError:
        pass
    else:
        assert False


def times(x):
    begin = time.monotonic()
    time.sleep(0.0005)
    return begin, time.monotonic()


def jobs_in_order():
    # contract: 13.14
    if charm.numPes() == 2:
        first, second = (charm.pool.map_async(times, range(20)) for _ in range(2))
        assert max(end for _, end in first.get()) <= min(begin for begin, _ in second.get())


def change(x):
    x.append(1)
    return x


def main(args):
    iterables()
    jobs_in_order()
    # contract: 13.15
    mine = [[], []]
    later = charm.pool.map_async(change, mine)
    single = charm.pool.Task(change, (mine[0],), ret=True)
    mine[0].append('too late')
    assert later.get() == [[1], [1]] and single.get() == [1] and mine == [['too late'], []]
    for _ in range(ROUNDS):
        all_combinations()
    Group(Everywhere).use(awaitable=True).get()
    assert charm.pool.map(good, range(20)) == WANT[good]
    exit()


charm.start(main)
