"""map, submit and Task give the results of a loop, in order, for all sizes and kinds."""
import functools
import operator
import time
from charm4py import charm, coro, Chare, Group, Future


def square(x):
    return x * x


@coro
def square_late(x):
    charm.sleep(0.0001 if x % 7 == 0 else 0)
    return x * x


def nothing(x):
    return None


def pair(t):
    return t[0] + t[1]


def add(a, b, c=0):
    return a + b + c


def swap(x):
    x.reverse()
    return x


class Adder:
    def __init__(self, n):
        self.n = n

    def add(self, x):
        return self.n + x

    def __call__(self, x):
        return self.n - x


def check_map():
    # contract: 13.4 13.5 13.10
    pool = charm.pool
    for func in square, square_late:
        for n in 1, 2, 3, 10, 101:
            want = [x * x for x in range(n)]
            for chunk in 1, 2, 3, 7, n, n + 1, 1000:
                assert pool.map(func, range(n), chunksize=chunk) == want
                assert pool.map_async(func, list(range(n)), chunksize=chunk).get() == want
                futures = pool.map_async(func, range(n), chunksize=chunk, multi_future=True)
                assert [f.get() for f in futures] == want
    assert pool.map(nothing, range(20)) == [None] * 20
    assert pool.map(nothing, range(20), chunksize=6) == [None] * 20
    assert pool.map(pair, [(1, 2), (3, 4)]) == [3, 7]
    assert pool.map(pair, [(1, 2), (3, 4)], chunksize=2) == [3, 7]
    for empty in [], (), range(0), (x for x in []), {}:
        assert pool.map(square, empty) == []
        assert pool.map_async(square, empty).get() == []
        assert pool.map_async(square, empty, multi_future=True) == []
        assert pool.submit(empty) == []
    for some in (x for x in range(5)), {0: 1, 1: 1, 2: 1, 3: 1, 4: 1}, iter([0, 1, 2, 3, 4]):
        assert pool.map(square, some, 2) == [0, 1, 4, 9, 16]
    assert pool.map(len, 'word') == [1] * 4
    n = 100000
    assert pool.map(square, range(n)) == [x * x for x in range(n)]


def check_many_jobs():
    futures = [charm.pool.map_async(square, range(i)) for i in range(200)]
    assert [f.get() for f in charm.iwait(futures)] and all(
        f.get() == [x * x for x in range(i)] for i, f in enumerate(futures))


def check_cores():
    # contract: 13.11
    most = max(1, charm.numPes() - 1)
    for cores in range(1, most + 2):
        assert charm.pool.map(square, range(50), ncores=cores) == [x * x for x in range(50)]
        times = charm.pool.map(times_of, range(50), ncores=cores)
        assert max(sum(a <= begin < b for a, b in times) for begin, _ in times) <= cores
        assert charm.pool.map(square_late, range(20), 3, cores) == [x * x for x in range(20)]
    for bad in (dict(ncores=0), dict(chunksize=0), dict(chunksize=-1)):
        try:
            charm.pool.map(square, [1], **bad)
        except AssertionError:
            continue
        assert False


def times_of(x):
    begin = time.monotonic()
    time.sleep(0.0002)
    return begin, time.monotonic()


def check_submit():
    # contract: 13.7
    tasks = [((square, square_late, nothing, Adder(5))[i % 4], i) for i in range(30)]
    want = [f(x) if f is not square_late else x * x for f, x in tasks]
    for chunk in 1, 4, 30:
        assert charm.pool.submit(tasks, chunk) == want
        assert charm.pool.submit_async(iter(tasks), chunksize=chunk).get() == want
        futures = charm.pool.submit_async(tasks, chunksize=chunk, multi_future=True)
        assert [f.get() for f in futures] == want


@coro
def late_sum(*args):
    charm.sleep(0)
    return sum(charm.pool.map(square, args))


def tell(future, value):
    future.send(value)


def check_task():
    # contract: 13.6
    task = charm.pool.Task
    assert task(add, (1, 2), ret=True).get() == 3
    assert task(add, [1, 2, 3], awaitable=True).get() == 6
    assert task(dict, (), ret=True).get() == {}
    assert task(late_sum, (1, 2, 3), ret=True).get() == 14
    assert task(late_sum, range(30), ret=True).get() == sum(x * x for x in range(30))
    f = Future(100)
    for i in range(100):
        assert task(tell, (f, i)) is None
    assert sorted(f.get()) == list(range(100))


def check_functions():
    # contract: 13.16
    k = 3
    pool = charm.pool

    def closure(x):
        return k * x + helper(x)

    def helper(x):
        return charm.numPes()

    for i in range(3):
        assert pool.map(lambda x: x + i, range(4)) == [i, i + 1, i + 2, i + 3]
    assert pool.map(closure, range(3)) == [x * k + charm.numPes() for x in range(3)]
    assert pool.map(abs, [-1, 2]) == [1, 2]
    assert pool.map(operator.neg, [-1, 2]) == [1, -2]
    assert pool.map(int, '123') == [1, 2, 3]
    assert pool.map(Adder(2).add, [1, 2]) == [3, 4]
    assert pool.map(Adder(2), [1, 2]) == [1, 0]
    assert pool.map(functools.partial(add, 1, c=2), [1, 2]) == [4, 5]
    assert pool.map(functools.partial(late_sum, 1), [1, 2]) == [2, 5]
    space = {'__name__': '__main__'}
    exec('def typed(x): return x + 1', space)
    typed = globals()['typed'] = space['typed']
    assert pool.map(typed, [1]) == [2]
    exec('def typed(x): return x + 2', space)
    typed = globals()['typed'] = space['typed']
    assert pool.map(typed, [1]) == [3]
    big = bytes(100000)
    assert pool.map(lambda x: len(big) + x, range(100)) == [100000 + x for x in range(100)]


def check_values():
    # contract: 13.17
    import numpy
    pool = charm.pool
    for n in 1, 100, 1000, 100000:
        arrays = [numpy.arange(n) + i for i in range(8)]
        for chunk in 1, 3:
            back = pool.map(numpy.negative, arrays, chunksize=chunk)
            assert all((b == -a).all() and b.flags.writeable for a, b in zip(arrays, back))
        texts = [chr(65 + i) * n for i in range(8)]
        assert pool.map(str.lower, texts) == [t.lower() for t in texts]
    assert pool.map(len, [bytes(1 << 23)] * 3) == [1 << 23] * 3
    shared = [1, 2, 3]
    later = pool.map_async(swap, [shared, shared])
    shared.append(4)  # too late for the tasks
    assert later.get() == [[3, 2, 1], [3, 2, 1]] and shared == [1, 2, 3, 4]


class Caller(Chare):
    @coro
    def use(self):
        want = [x * x for x in range(40)]
        for _ in range(5):
            assert charm.pool.map(square, range(40)) == want
            assert charm.pool.map(square_late, range(40), 3) == want
            assert charm.pool.map_async(square, range(40)).get() == want
            assert charm.pool.map(square, range(40), ncores=1) == want
            assert charm.pool.Task(late_sum, (1, 2), ret=True).get() == 5
            assert charm.pool.map(lambda x: x + 1, range(30)) == list(range(1, 31))


def busy(x):
    for _ in range(10000):
        pass
    return x


def check_quiescence():
    # contract: 13.23
    for _ in range(5):
        futures = charm.pool.map_async(busy, range(200), multi_future=True)
        charm.waitQD()
        assert all(f.ready() for f in futures)


def main(args):
    check_map()
    check_many_jobs()
    check_cores()
    check_submit()
    check_task()
    check_functions()
    check_values()
    check_quiescence()
    Group(Caller).use(awaitable=True).get()
    assert charm.pool.map(square, range(1000), progress=True) == [x * x for x in range(1000)]
    exit()


charm.start(main)
