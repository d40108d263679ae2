"""Both ends of channels migrate while messages are sent, with what they have not given out."""
# PEs: 1 2 3 4
import random
from charm4py import charm, Chare, Array, Channel, Future, coro

CELLS, ROUNDS, BURST = 6, 12, 15


class Cell(Chare):
    def __init__(self, n):
        me = self.thisIndex[0]
        self.out = [Channel(self, remote=self.thisProxy[i]) for i in range(n)]
        self.loop = self.out[me]                # a loop-back, two of them
        self.loop2 = Channel(self, remote=self.thisProxy[me])
        self.received = [0] * n
        self.got_loop = 0

    def send(self, k):
        """A plain method: it has not to wait for anybody."""
        for ch in self.out:
            for b in range(BURST):
                ch.send(self.thisIndex[0], k * BURST + b)
        self.loop2.send('loop', k)

    @coro
    def receive(self, n):
        for i, ch in enumerate(self.out):
            for _ in range(n):
                assert ch.recv() == (i, self.received[i])
                self.received[i] += 1
        assert self.loop2.recv() == ('loop', self.got_loop)
        self.got_loop += 1

    def end(self):
        assert not any(ch.ready() for ch in self.out) and not self.loop2.ready()
        return self.received[0], self.out[self.thisIndex[0]] is self.loop


def main(args):
    # contract: 12.11
    random.seed(3)
    n = charm.numPes()
    a = Array(Cell, CELLS, args=[CELLS])
    for k in range(ROUNDS):
        a.send(k)
        moves = [a[i].migrate(random.randrange(n), awaitable=True) for i in range(CELLS)
                 if random.random() < 0.7]
        if k % 3 == 2:
            charm.wait(moves)           # who receives must not be told to move
            a.receive(BURST, awaitable=True).get()
    done = ROUNDS // 3
    for k in range(done, ROUNDS):
        a.receive(BURST, awaitable=True).get()
        charm.wait([a[i].migrate((i + k) % n, awaitable=True) for i in range(CELLS)])
    assert a.end(ret=True).get() == [(ROUNDS * BURST, True)] * CELLS
    exit()


charm.start(main)
