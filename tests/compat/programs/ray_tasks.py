"""charm4py.ray: tasks, actors, objects, and arguments that are futures."""
import pickle
from charm4py import charm, ray, Chare, Group, Future, coro, ObjectStore
from charm4py import object_store, c_object_store
from charm4py.charm import Charm4PyError

assert object_store.ObjectStore is c_object_store.ObjectStore is ObjectStore


@ray.remote
def add(a, b=1):
    return a + b


@ray.remote
def fib(n):
    if n < 3:
        return 1
    return sum(ray.get([fib.remote(n - 1), fib.remote(n - 2)]))


@ray.remote
def nothing():
    return None


@ray.remote
def fail(x=0):
    raise KeyError('as told', x)


@ray.remote
def late(x, secs):
    charm.sleep(secs)
    return x


@ray.remote
def inside(refs):
    """Futures inside of other data are not replaced."""
    return [ray.get(r) for r in refs]


@ray.remote
def chain(n, before):
    return before + 1


@ray.remote
def makes(n):
    """Its result has futures of another PE."""
    return [add.remote(i, 10) for i in range(n)]


@ray.remote
def pick(refs):
    ready, rest = ray.wait(refs, num_returns=len(refs))
    assert not rest and set(ready) == set(refs)
    return sum(ray.get(ready))


@ray.remote
def gives(future, value):
    future.send(value)


@ray.remote
class Counter:
    """An actor."""

    def __init__(self, start=0):
        self.n = start

    def add(self, k=1):
        self.n += k
        return self.n

    def get(self):
        return self.n

    def where(self):
        return charm.myPe(), self.thisIndex

    def nothing(self):
        pass

    def fail(self):
        raise ValueError('actor')

    def twice(self, x):
        """A method may wait."""
        return ray.get(add.remote(x, x))

    def hand(self, other):
        return ray.get(other.add.remote(5))


@ray.remote
class Late(Counter):
    """Its constructor waits: calls come after it."""

    def __init__(self, start):
        self.start = ray.get(late.remote(start, 0.01))
        super().__init__(self.start)


class NotRemote(Late):
    pass


def raises(kind, text, func, *args, **kw):
    try:
        func(*args, **kw)
    except kind as e:
        assert text in str(e), e
        return e
    assert False, (kind, text)


def tasks():
    # contract: 16.2 16.3
    assert ray.get(add.remote(1, 2)) == 3 and add(1, 2) == 3
    assert isinstance(add.remote(1), Future)
    assert ray.get(fib.remote(10)) == 55
    refs = [add.remote(i, i) for i in range(50)]
    assert ray.get(refs) == [2 * i for i in range(50)]
    assert ray.get(tuple(refs)) == ray.get(refs) and ray.get([]) == []
    raises(TypeError, 'keyword', add.remote, 1, b=2)
    # contract: 16.16
    assert ray.get(nothing.remote()) is None
    # contract: 16.15
    e = raises(KeyError, 'as told', ray.get, fail.remote())
    assert e.remote_stacktrace[0] in range(charm.numPes())
    raises(KeyError, 'as told', ray.get, [add.remote(1), fail.remote()])
    assert ray.get(add.remote(2)) == 3
    # contract: 16.9
    here = [1, 2]
    ref = ray.put(here)
    assert ray.get(ref) == [1, 2] and isinstance(ref, Future)
    assert ray.get(ray.put(None)) is None


def dataflow():
    # contract: 16.12
    assert ray.get(add.remote(add.remote(1, 2), ray.put(4))) == 7
    x = ray.put(0)
    for i in range(100):
        x = chain.remote(i, x)
    assert ray.get(x) == 100
    slow = late.remote(5, 0.02)
    waits, free = add.remote(slow, 1), add.remote(1, 1)
    assert ray.get(free) == 2 and not waits.ready()
    assert ray.get(waits) == 6
    raises(KeyError, 'as told', ray.get, add.remote(1, add.remote(fail.remote(), 2)))
    # contract: 16.13
    assert ray.get(inside.remote([add.remote(1), ray.put('x')])) == [2, 'x']
    refs = ray.get(makes.remote(5))
    assert ray.get(refs) == [10, 11, 12, 13, 14]
    assert ray.get([add.remote(r, 1) for r in refs]) == [11, 12, 13, 14, 15]
    assert ray.get(pick.remote(refs)) == 60
    ready, rest = ray.wait(refs, num_returns=5)
    assert len(ready) == 5 and not rest
    f = Future()
    gives.remote(f, 'own')              # no future of ray: it goes as it is
    assert f.get() == 'own'


def waiting():
    # contract: 16.10
    slow, quick = late.remote('slow', 0.2), add.remote(1)
    ready, rest = ray.wait([slow, quick])
    assert ready == [quick] and rest == [slow]
    ready, rest = ray.wait([slow, quick], num_returns=2)
    assert set(ready) == {slow, quick} and rest == []
    left = [add.remote(i) for i in range(20)]
    total = 0
    while left:
        (one,), left = ray.wait(left)
        total += ray.get(one)
    assert total == sum(range(1, 21))
    never = Future()
    ready, rest = ray.wait([never], timeout=0.01)
    assert (ready, rest) == ([], [never])
    raises(ValueError, 'num_returns', ray.wait, [], 1)
    raises(TypeError, 'not a future', ray.get, 5)
    raises(TypeError, 'not a future', ray.get, [5])
    # contract: 16.17
    owner = {add.remote(i): i for i in range(10)}
    while owner:
        (one,), _ = ray.wait(list(owner))
        assert ray.get(one) == owner.pop(one) + 1
    ref = add.remote(3)
    assert pickle.loads(pickle.dumps(ref)) == ref and hash(ref) == hash(pickle.loads(pickle.dumps(ref)))


def actors():
    npes = charm.numPes()
    # contract: 16.4 16.5
    counters = [Counter.remote(i) for i in range(2 * npes)]
    places = ray.get([c.where.remote() for c in counters])
    assert sorted(pe for pe, _ in places) == sorted(list(range(npes)) * 2), places
    assert all(index == (0,) for _, index in places)
    assert ray.get([c.get.remote() for c in counters]) == list(range(2 * npes))
    # contract: 16.6
    c = counters[0]
    assert [ray.get(c.add.remote()) for _ in range(3)] == [1, 2, 3]
    for _ in range(100):
        last = c.add.remote(2)
    assert ray.get(last) == 203
    assert ray.get(c.twice.remote(4)) == 8
    assert ray.get(c.nothing.remote()) is None
    assert ray.get(c.add.remote(add.remote(late.remote(1, 0.01), 1))) == 205
    assert ray.get(c.hand.remote(counters[1])) == 6
    raises(ValueError, 'actor', ray.get, c.fail.remote())
    assert ray.get(c.get.remote()) == 205
    # contract: 16.7
    raises(RuntimeError, 'Cannot call remote function without .remote()', c.add, 1)
    raises(RuntimeError, 'Cannot call remote function without .remote()', Counter)
    raises(AttributeError, "no method 'unknown'", lambda: c.unknown)
    assert pickle.loads(pickle.dumps(c)) == c and issubclass(Counter, Chare)
    some = Late.remote(add.remote(late.remote(40, 0.01), 1))
    assert ray.get([some.add.remote(1), some.add.remote(1)]) == [42, 43]
    raises(RuntimeError, 'needs @ray.remote', NotRemote.remote, 1)


class Elsewhere(Chare):
    """Futures are waited for on any PE, in chares, too."""

    @coro
    def use(self, ref, counter):
        mine = add.remote(ref, self.thisIndex)
        got = ray.get([ref, mine, counter.add.remote(mine)])
        assert got[1] == got[0] + self.thisIndex
        ready, rest = ray.wait([ref, mine])
        assert len(ready) == 1
        return mine


def elsewhere():
    # contract: 16.11
    g = Group(Elsewhere)
    counter = Counter.remote()
    refs = g.use(late.remote(7, 0.01), counter, ret=True).get()
    n = charm.numPes()
    assert ray.get(refs) == [7 + i for i in range(n)]
    assert ray.get(counter.get.remote()) == sum(7 + i for i in range(n))


class Tracked:
    alive = 0

    def __init__(self):
        Tracked.alive += 1

    def __del__(self):
        Tracked.alive -= 1

    def __reduce__(self):
        return Tracked, ()


@ray.remote
def look(x):
    return type(x).__name__


def freed():
    # contract: 16.14
    for _ in range(5):
        ref = ray.put(Tracked())
        assert ray.get([look.remote(ref), look.remote(ref)]) == ['Tracked'] * 2
        assert Tracked.alive >= 1
    del ref
    charm.waitQD()
    alive = Tracked.alive
    assert alive == 0, alive
    assert not object_store.store._lent


def main(args):
    # contract: 16.1
    ray.init()
    # contract: 16.8
    raises(NotImplementedError, 'no arguments', ray.remote, num_cpus=2)
    tasks()
    dataflow()
    waiting()
    actors()
    elsewhere()
    freed()
    exit()


charm.start(main)
