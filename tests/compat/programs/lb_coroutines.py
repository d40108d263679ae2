"""Elements whose coroutine waits for the end of the balancing stay where they are; others move."""
# PEs: 1 2 4
# arguments: +balancer RotateLB
from charm4py import charm, Chare, Array, Future, Reducer, coro

ROUNDS = 20


class Waits(Chare):
    """Every other element waits in its coroutine until it is resumed."""

    def __init__(self):
        self.pe = charm.myPe()

    @coro
    def run(self, done):
        self.done, self.i = done, self.thisIndex[0]
        if self.i % 2:
            self.round = 0
            self.AtSync()
            return
        for self.round in range(1, ROUNDS + 1):
            self.go_on = Future()
            self.AtSync()
            self.go_on.get()
            # contract: 10.33
            assert charm.myPe() == self.pe
        self.reduce(done, 1, Reducer.sum)

    def resumeFromSync(self):
        if self.i % 2 == 0:
            self.go_on.send()
            return
        self.round += 1
        assert charm.numPes() == 1 or charm.myPe() != self.pe
        self.pe = charm.myPe()
        if self.round < ROUNDS:
            self.AtSync()
        else:
            self.reduce(self.done, 1, Reducer.sum)


def main(args):
    done = Future()
    a = Array(Waits, 8, useAtSync=True)
    a.run(done)
    assert done.get() == 8
    exit()


charm.start(main)
