"""Functions on whatever PE has time: map, single tasks, tasks that make tasks.

    charmrun +p3 pool.py
"""
from charm4py import charm, coro


def square(x):
    return x ** 2


def power(x, n):
    return x ** n


@coro
def depth(n):
    """Waits for a task of its own, so it is a coroutine."""
    return 0 if n == 0 else 1 + charm.pool.Task(depth, (n - 1,), ret=True).get()


def main(args):
    squares = charm.pool.map(square, range(10), chunksize=2)
    later = charm.pool.map_async(square, [11, 12])
    single = charm.pool.Task(power, (2, 10), ret=True)
    print(squares, later.get(), single.get(), charm.pool.map(depth, [5, 3]))
    assert squares == [i * i for i in range(10)] and later.get() == [121, 144]
    assert single.get() == 1024
    exit()


charm.start(main)
