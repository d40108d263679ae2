"""Without a balancer resumeFromSync still comes, and arrays of both kinds and insertion meet."""
# PEs: 1 2 4
from charm4py import charm, Chare, Array, Group, Future, Reducer, coro


class Cell(Chare):
    def __init__(self):
        self.rounds, self.pe = 0, charm.myPe()

    def go(self, n, done):
        self.n, self.done = n, done
        self.AtSync()

    def resumeFromSync(self):
        # contract: 10.20
        assert charm.myPe() == self.pe
        self.rounds += 1
        if self.rounds % self.n:
            self.AtSync()
        else:
            self.reduce(self.done, 1, Reducer.sum)


class Waits(Cell):
    @coro
    def resumeFromSync(self):
        # contract: 10.19
        charm.sleep(0.0005)
        super().resumeFromSync()


class Plain(Chare):
    def sync(self):
        self.AtSync()


def main(args):
    done, late = Future(), Future()
    a = Array(Cell, 8, useAtSync=True)
    b = Array(Waits, ndims=2, useAtSync=True)
    for i in range(5):
        b.ckInsert((i, i), useAtSync=True)
    b.ckDoneInserting()
    a.go(100, done)
    b.go(100, late)
    assert done.get() == 8 and late.get() == 5
    done = Future()
    a.go(10, done)
    b.go(10, late := Future())
    assert (done.get(), late.get()) == (8, 5)
    # contract: 10.11
    for proxy in (Group(Plain), Chare(Plain)):
        try:
            proxy.sync(awaitable=True).get()
        except AttributeError as e:
            assert 'AtSync' in str(e)
        else:
            assert False
    try:
        Array(Plain, 2)[0].sync(awaitable=True).get()
    except Exception as e:
        assert 'created to use it' in str(e), e
    else:
        assert False
    exit()


charm.start(main)
