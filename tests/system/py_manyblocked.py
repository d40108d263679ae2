"""Thousands of coroutines wait at once, and all go on."""
from charm4py import charm, Chare, Array, Future, coro

N = 5000


class Waiter(Chare):
    @coro
    def block(self, done):
        self.f = Future()
        done.send(self.f.get())

    def release(self, value):
        self.f.send(value)

    @coro
    def tree(self, depth):
        if depth == 0:
            return 1
        i = self.thisIndex[0]
        kids = [self.thisProxy[(2 * i + k) % N].tree(depth - 1, ret=True) for k in (1, 2)]
        return sum(kid.get() for kid in kids)


def main(args):
    a = Array(Waiter, N)
    charm.awaitCreation(a)
    for value in range(3):
        done = Future(N)
        a.block(done)
        charm.waitQD()
        a.release(value)
        assert done.get() == [value] * N
    assert a[0].tree(11, ret=True).get() == 2 ** 11
    exit()


charm.start(main)
