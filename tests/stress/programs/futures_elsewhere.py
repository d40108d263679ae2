"""Futures that are sent elsewhere, kept, passed on and completed there, by whatever can."""
# PEs: 1 2 4 8
import random
import threading

from charm4py import charm, Chare, Group, Array, Future, Reducer, coro


class Helper(Chare):

    def __init__(self):
        self.kept = {}

    def complete(self, future, value):
        future.send(value)

    def call(self, future, value):
        future(value)

    def pass_on(self, hops, future, value, rng):
        """The random numbers travel, too."""
        if hops == 0:
            future.send(value)
        else:
            self.thisProxy[rng.randrange(charm.numPes())].pass_on(hops - 1, future, value, rng)

    def keep(self, name, future):
        self.kept[name] = [future, {future: name}]

    def release(self, name, value):
        future, names = self.kept.pop(name)
        assert names[future] == name
        future.send(value)

    def in_thread(self, future, value):
        threading.Thread(target=future.send, args=[value]).start()

    def in_timer(self, future, value):
        charm.scheduleCallableAfter(future, 0.001, [value])

    @coro
    def in_coroutine(self, future, value):
        charm.sleep(0.001)
        future.send(value)

    def by_reduction(self, future):
        self.reduce(future, charm.myPe(), Reducer.gather)

    def fails(self, future, value):
        future.send(ValueError(value))

    @coro
    def asks_back(self, theirs, value):
        """Each waits for the other's future."""
        mine = Future()
        theirs.send((mine, value))
        return mine.get() + value

    def get_is_refused(self, future):
        try:
            future.get()
        except Exception as e:
            return str(e)
        return 'no error'


class Element(Helper):
    pass


@coro
def main(args):
    seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
    print('seed', seed)
    rng = random.Random(seed)
    n = charm.numPes()
    group, array = Group(Helper), Array(Element, 2 * n)
    charm.awaitCreation(group, array)
    ways = ['complete', 'call', 'in_thread', 'in_timer', 'in_coroutine']
    pending = []
    for i in range(60):
        target = rng.choice([group[rng.randrange(n)], array[rng.randrange(2 * n)]])
        future = Future()
        getattr(target, rng.choice(ways))(future, (i, [i] * i))
        pending.append((future, (i, [i] * i)))
    for i in range(40):
        future, pe = Future(), rng.randrange(n)
        if i % 2:
            group[pe].pass_on(rng.randrange(1, 20), future, i, rng)
        else:
            group[pe].keep(i, future)
            group[pe].release(i, i)
        pending.append((future, i))
    rng.shuffle(pending)
    for future, value in pending:
        got = future.get()
        assert got == value == future.get(), (got, value)
        assert future.ready()

    several = Future(n + 1 + 2 * n)
    group.complete(several, 'group')
    array[0].call(several, 'one')
    array.complete(several, 'array')
    values = several.get()
    assert sorted(values) == ['array'] * 2 * n + ['group'] * n + ['one'], values

    reduced = Future()
    group.by_reduction(reduced)
    assert reduced.get() == list(range(n))

    for pe in range(n):
        future = Future()
        answer = group[pe].asks_back(future, pe, ret=True)
        theirs, value = future.get()
        theirs.send(1000)
        assert answer.get() == 1000 + pe == 1000 + value
        future = Future()
        group[pe].fails(future, 'mine')
        try:
            future.get()
            assert False
        except ValueError as e:
            assert str(e) == 'mine'
        if pe != charm.myPe():
            assert 'PE' in group[pe].get_is_refused(Future(), ret=True).get()
    exit()


charm.start(main)
