"""Tasks make tasks, wait for them and for each other, however few workers there are."""
from charm4py import charm, coro, Chare, Group, Future, Channel


@coro
def fib(n):
    if n < 2:
        return n
    return sum(charm.pool.map(fib, [n - 1, n - 2]))


@coro
def fib_async(n):
    if n < 2:
        return n
    futures = charm.pool.map_async(fib_async, (n - 1, n - 2), multi_future=True)
    return futures[0].get() + futures[1].get()


@coro
def fib_task(n):
    if n < 2:
        return n
    a = charm.pool.Task(fib_task, (n - 1,), ret=True)
    b = charm.pool.Task(fib_task, (n - 2,), ret=True)
    return a.get() + b.get()


@coro
def chain(n):
    return 0 if n == 0 else 1 + charm.pool.map(chain, [n - 1])[0]


@coro
def in_handler(n):
    """Tasks that run on the stack of an exception's handler do not see the exception."""
    import sys
    assert sys.exc_info()[1] is None
    try:
        raise ValueError(n)
    except ValueError:
        inner = charm.pool.map(in_handler, range(n)) if n else []
        assert sys.exc_info()[0] is ValueError
    return 1 + sum(inner)


def queens(n, done, cols=(), diag=(), anti=()):
    """Counts solutions by tasks without results; no task is a coroutine."""
    row = len(cols)
    if row == n:
        done.send(1)
        return
    for c in range(n):
        if c not in cols and row + c not in diag and row - c not in anti:
            charm.pool.Task(queens, (n, done, cols + (c,), diag + (row + c,), anti + (row - c,)))


@coro
def meet(job):
    """Each task of a job waits for the one before it, which may be on any worker."""
    wait_for, tell = job
    value = wait_for.recv() if isinstance(wait_for, list) else 0
    if tell is not None:
        tell.send(value + 1)
    return value


@coro
def give_and_wait(home):
    """Sends a Future away and waits for it: the worker must go on with others."""
    f = Future()
    home.send(f)
    return f.get()


@coro
def sleep_and(x):
    charm.sleep(0.01)
    return x


@coro
def mixed(n):
    a = charm.pool.map_async(sleep_and, range(n))
    b = charm.pool.map(abs, range(-n, 0), chunksize=2)
    c = charm.pool.map(sleep_and, range(n), ncores=1) if n < 3 else []
    return sum(a.get()) + sum(b) + sum(c)


class Cell(Chare):
    @coro
    def go(self, n):
        return fib(n)

    def note(self, x):
        self.last = x


def many_waiting():
    # contract: 13.8
    n = 60
    futures = Future(n)
    job = charm.pool.map_async(give_and_wait, [futures] * n)
    for i, f in enumerate(futures.get()):  # all are blocked now
        f.send(1)
    assert job.get() == [1] * n


def main(args):
    assert fib(13) == 233
    assert fib(16) == 987
    assert fib_async(12) == 144
    assert fib_task(11) == 89
    assert charm.pool.map(fib, range(12), chunksize=5) == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89]
    assert chain(700) == 700
    assert charm.pool.map(in_handler, [4])[0] == 16
    # contract: 13.13
    for n, solutions in (4, 2), (6, 4), (7, 40):
        done = Future(solutions)
        queens(n, done)
        assert sum(done.get()) == solutions
        charm.waitQD()
    many_waiting()
    assert charm.pool.map(sleep_and, range(50)) == list(range(50))
    assert charm.pool.map(mixed, [1, 2, 5, 10]) == [
        sum(range(n)) * (2 if n < 3 else 1) + sum(range(1, n + 1)) for n in (1, 2, 5, 10)]
    cells = Group(Cell)
    assert cells.go(12, ret=True).get() == [144] * charm.numPes()
    exit()


charm.start(main)
