"""100,000 futures at a time: of calls, of one's own, completed in any order."""
# contract: 6.16
# PEs: 1 2 4 8
import random

from charm4py import charm, Chare, Group, Array, Future, coro

N = 100_000


class Server(Chare):

    def __init__(self):
        self.waiting = []

    def square(self, x):
        return x * x

    def collect(self, futures):
        self.waiting += futures

    def complete(self, seed):
        order = list(enumerate(self.waiting))
        random.Random(seed).shuffle(order)
        for i, future in order:
            future.send(i)

    @coro
    def get_later(self, x):
        charm.sleep(0)
        return x


def main(args):
    seed = int(args[1]) if len(args) > 1 else random.randrange(1 << 30)
    print('seed', seed)
    n = charm.numPes()
    group = Group(Server)
    charm.awaitCreation(group)

    futures = [Future() for _ in range(N)]
    assert len({future.fid for future in futures}) == N
    for at in range(0, N, 1000):
        group[n - 1].collect(futures[at:at + 1000])
    group[n - 1].complete(seed)
    charm.wait(futures[:10])
    assert all(future.get() == i for i, future in enumerate(futures))

    calls = [group[i % n].square(i, ret=True) for i in range(N)]
    random.Random(seed).shuffle(futures)
    assert sum(call.get() for call in calls) == sum(i * i for i in range(N))
    some = [group[i % n].get_later(i, ret=True) for i in range(2000)]
    assert sorted(future.get() for future in charm.iwait(some)) == list(range(2000))
    big = Future(N)
    for i in range(N):
        big.send(i)
    assert sorted(big.get()) == list(range(N))
    exit()


charm.start(main)
