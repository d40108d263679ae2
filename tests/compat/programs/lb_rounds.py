"""A hundred rounds of AtSync, with elements that never move; the flag is set by the program."""
# PEs: 1 2 4
import sys
from charm4py import charm, Chare, Array, Future, Reducer

# contract: 10.23
sys.argv += ['+balancer', 'RandCentLB']
ROUNDS = 100


class Cell(Chare):
    def __init__(self, done):
        # contract: 10.17
        fixed = self.thisIndex[0] % 3 == 0
        if fixed:
            self.setMigratable(False)
        assert self.migratable == (not fixed)
        self.fixed, self.done = fixed, done
        self.round, self.moves = 0, 0
        self.pe = self.made_on = charm.myPe()
        self.has_migrated = False

    def start(self):
        self.before = charm.myPe()
        self.has_migrated = False
        self.AtSync()
        self.after_at_sync = self.round         # the method goes on

    def migrated(self):
        self.has_migrated = True
        self.moves += 1

    def resumeFromSync(self):
        # contract: 10.14 10.15 10.16 10.18
        assert self.after_at_sync == self.round
        assert self.has_migrated == (self.before != charm.myPe())
        assert not self.fixed or charm.myPe() == self.made_on
        assert self.migratable == (not self.fixed)
        self.round += 1
        if self.round < ROUNDS:
            self.start()
        else:
            self.reduce(self.done, [1, self.moves], Reducer.sum)


def main(args):
    assert args[1:] == []
    done = Future()
    cells = Array(Cell, 5 * charm.numPes(), args=[done], useAtSync=True)
    cells.start()
    total, moves = done.get()
    assert total == 5 * charm.numPes() and (moves > 0) == (charm.numPes() > 1)
    # contract: 10.27
    charm.LBTurnInstrumentOff()
    charm.LBTurnInstrumentOn()
    charm.thisProxy.LBTurnInstrumentOn(awaitable=True).get()
    exit()


charm.start(main)
