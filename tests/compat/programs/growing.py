"""Arrays grow after ckDoneInserting, whoever inserts, and reductions and broadcasts have all elements."""
# PEs: 1 2 4
from charm4py import charm, Chare, Group, Array, Future, Reducer


class Cell(Chare):
    def __init__(self, label=0):
        self.label = label

    def count(self, done):
        self.reduce(done, 1, Reducer.sum)

    def name(self):
        return self.thisIndex[-1]

    def insert(self, indexes):
        for i in indexes:
            self.thisProxy.ckInsert(i)


class Other(Chare):
    def insert(self, a, first, n):
        for i in range(first + charm.myPe(), first + n, charm.numPes()):
            a.ckInsert(i, args=[i], onPE=i % charm.numPes())
        a.ckDoneInserting()


def total(a):
    done = Future()
    a.count(done)
    return done.get()


def main(args):
    others = Group(Other)
    for wait in ('no', 'quiet', 'reduction', 'result', 'a while'):
        a = Array(Cell, ndims=1)
        for i in range(3):
            a.ckInsert(i)
        a.ckDoneInserting()
        if wait == 'quiet':
            charm.waitQD()
        elif wait == 'reduction':
            assert total(a) == 3
        elif wait == 'result':
            assert a.name(ret=True).get() == [0, 1, 2]
        elif wait == 'a while':
            charm.sleep(0.003)
        # contract: 5.3.6
        for i in range(3, 6):
            a.ckInsert(i)
        a.ckDoneInserting()
        assert total(a) == 6, wait              # the broadcast comes after the insertions
        # from everywhere, and an element inserts, too
        others.insert(a, 10, 8)
        a[1].insert([20, 21])
        charm.waitQD()
        assert total(a) == 16, wait
        assert a.name(ret=True).get() == [*range(6), *range(10, 18), 20, 21]
        # a call to an element that comes later waits for it
        late = a[30].name(ret=True)
        a.ckInsert(30)
        assert late.get() == 30 and total(a) == 17
    exit()


charm.start(main)
