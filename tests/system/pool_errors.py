"""Errors in tasks reach the caller, drop the rest of the job and leave the pool usable."""
from charm4py import charm, coro, Future
from charm4py.charm import Charm4PyError

charm.options.local_msg_buf_size = 1000


class MyError(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)
        self.b = b


def bad(x):
    test[3] = 3  # noqa: F821


def bad_at_33(x):
    if x == 33:
        raise MyError(x, 'b')
    return x


@coro
def bad_late(x):
    charm.sleep(0.001)
    raise MyError(x, 'late')


@coro
def bad_below(x):
    return charm.pool.map(bad_at_33, range(x))


@coro
def catches(x):
    try:
        charm.pool.map(bad_at_33, range(30, 40))
    except MyError as e:
        return e.b
    return 'none'


def good(x):
    return x + 1


@coro
def good_late(x):
    charm.sleep(0)
    return x + 1


def suspends(x):
    charm.sleep(0.001) if False else Future()


def suspends_map(x):
    return charm.pool.map(good, [x])


def unpicklable(x):
    return lambda: x


class BadToLoad:
    def __setstate__(self, state):
        raise MyError('load', 'b')

    def __getstate__(self):
        return {'x': 1}


def makes_bad(x):
    return BadToLoad()


def raises(kind, func, *args, **kwargs):
    try:
        func(*args, **kwargs)
    except kind as e:
        return e
    assert False, (kind, func)


def check_future(f, kind):
    raises(kind, f.get)
    raises(kind, f.get)


def check_repeatedly():
    # contract: 13.19
    pool = charm.pool
    for _ in range(5):
        for chunk in 1, 3, 20, 100:
            for cores in -1, 1:
                for func in bad, bad_late, bad_below:
                    kind = NameError if func is bad else MyError
                    e = raises(kind, pool.map, func, range(40, 90), chunk, cores)
                    assert e.remote_stacktrace[0] >= 0 and kind.__name__ in e.remote_stacktrace[1]
                    check_future(pool.map_async(func, range(40, 90), chunk, cores), kind)
                futures = pool.map_async(bad, range(50), chunk, cores, multi_future=True)
                for f in futures:
                    check_future(f, NameError)
                assert pool.map(good, range(50), chunk, cores) == list(range(1, 51))
                assert pool.map(good_late, range(50), chunk, cores) == list(range(1, 51))
                raises(NameError, pool.submit, [(good, 1), (bad, 2), (good_late, 3)] * 9, chunk)
                assert pool.submit([(good, 1), (good_late, 3)], chunk) == [2, 4]
        check_future(pool.Task(bad, (1,), ret=True), NameError)
        check_future(pool.Task(bad_late, (1,), awaitable=True), MyError)
        check_future(pool.Task(good, (1, 2, 3), ret=True), TypeError)
        assert pool.map(catches, range(5)) == ['b'] * 5


def check_one_of_many():
    # contract: 13.20
    for _ in range(5):
        e = raises(MyError, charm.pool.map, bad_at_33, range(1000))
        assert e.args == (33, 'b')
        futures = charm.pool.map_async(bad_at_33, range(100), multi_future=True)
        raises(MyError, futures[33].get)
        for i, f in enumerate(futures):
            try:
                assert f.get() == i
            except MyError as e:
                assert e.args[0] == 33


def check_kinds():
    # contract: 13.12 13.27
    pool = charm.pool
    e = raises(Charm4PyError, pool.map, suspends, [1])
    assert str(e) == 'Function suspends must be decorated with @coro to be able to suspend'
    e = raises(Charm4PyError, pool.map, suspends_map, [1, 2], chunksize=2)
    assert str(e) == 'Function not decorated with @coro tried to suspend'
    e = raises(Charm4PyError, pool.Task(suspends_map, [1], ret=True).get)
    assert 'Function suspends_map must' in str(e)
    if charm.numPes() > 1 and charm.myPe() == 0:  # else the task may run on the caller's PE
        raises(Exception, pool.map, unpicklable, [1])
        raises(MyError, pool.map, makes_bad, [1])
    raises(MyError, pool.map, good, [BadToLoad(), BadToLoad()])
    raises(MyError, pool.map, good, [1, BadToLoad(), BadToLoad()], 3)
    raises(Exception, pool.map, good, [lambda: 1, (x for x in [])])
    raises(TypeError, pool.map, good, 5)
    raises(TypeError, pool.map, 5, [1])
    raises(TypeError, pool.submit, [1])
    assert pool.map(good, [1]) == [2]


@coro
def all_checks(x):
    check_one_of_many()
    check_kinds()
    return x


def main(args):
    check_repeatedly()
    check_one_of_many()
    check_kinds()
    assert charm.pool.map(all_checks, range(4)) == list(range(4))
    exit()


charm.start(main)
