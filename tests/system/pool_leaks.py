"""Each way to use the pool, repeated, leaves the number of Python's memory blocks and the
size of the processes flat."""
import gc
import resource
import sys
from charm4py import charm, Chare, Group, Future, coro

ROUNDS = 500
SLACK = 400  # blocks: caches fill up, but a leak would be one block a round
GROWTH_KB = 60000


class Node(Chare):
    def blocks(self):
        gc.collect()
        return sys.getallocatedblocks()

    def peak_kb(self):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def plain(x):
    return [x]


def bad(x):
    raise ValueError(x)


@coro
def fib(n):
    return n if n < 2 else sum(charm.pool.map(fib, [n - 1, n - 2]))


@coro
def spread(n):
    return sum(f.get()[0] for f in charm.pool.map_async(plain, range(n), multi_future=True))


@coro
def waits(x):
    charm.sleep(0)
    return x


def tell(f):
    f.send(1)


def fails(func, *args, **kwargs):
    try:
        func(*args, **kwargs)
    except Exception:
        return
    assert False


def task():
    f = Future()
    charm.pool.Task(tell, (f,))
    f.get()


def features():
    pool, big = charm.pool, bytes(10000)
    yield 'map', lambda: pool.map(plain, range(20))
    yield 'chunks', lambda: pool.map(plain, range(40), 17)
    yield 'cores', lambda: pool.map(plain, range(20), ncores=1)
    yield 'objects', lambda: pool.map(plain, [{1, 2}, None, 'x' * 100, (1, [2])])
    yield 'large', lambda: pool.map(plain, [big] * 8)
    yield 'async', lambda: pool.map_async(plain, range(20)).get()
    yield 'futures', lambda: [f.get() for f in pool.map_async(plain, range(20), multi_future=True)]
    yield 'empty', lambda: pool.map_async(plain, []).get()
    yield 'coroutines', lambda: pool.map(waits, range(8))
    yield 'nested', lambda: pool.map(fib, [6])
    yield 'spread', lambda: pool.map(spread, [10, 5])
    yield 'submit', lambda: pool.submit([(plain, 1), (waits, 2), (plain, 3)] * 3, 2)
    yield 'by value', lambda: pool.map(lambda x: x, range(10))
    yield 'large by value', lambda: pool.map(lambda x: len(big), range(10))
    yield 'Task', task
    yield 'Task with result', lambda: pool.Task(plain, (1,), ret=True).get()
    yield 'error', lambda: fails(pool.map, bad, range(50))
    yield 'error of one', lambda: fails(pool.map, bad, [1])
    yield 'errors', lambda: fails(
        lambda: pool.map_async(bad, range(9), multi_future=True)[3].get())
    yield 'not sent', lambda: fails(pool.map, plain, [1, lambda: 0])
    yield 'not called', lambda: fails(pool.map, 5, [1])


def main(args):
    nodes = Group(Node)
    leaks = []
    for name, run in features():
        for _ in range(100):
            run()
        charm.waitQD()
        before = nodes.blocks(ret=True).get()
        for _ in range(ROUNDS):
            run()
        charm.waitQD()
        after = nodes.blocks(ret=True).get()
        if max(b - a for a, b in zip(before, after)) > SLACK:
            leaks.append((name, before, after))
    assert not leaks, leaks
    large = [bytes(1 << 20) for _ in range(8)]
    charm.pool.map(plain, large * 2)
    before = nodes.peak_kb(ret=True).get()
    for _ in range(60):
        charm.pool.map(plain, large)
    after = nodes.peak_kb(ret=True).get()
    assert max(b - a for a, b in zip(before, after)) < GROWTH_KB, (before, after)
    exit()


charm.start(main)
