"""A large array that came from another PE is used where it arrived, and is the receiver's own."""
import numpy as np
from charm4py import charm, Array, Chare, Group


class Looker(Chare):

    def look(self, big, small):
        """Is each array memory of its own, or a block of the arena?"""
        kinds = [type(a.base).__name__ for a in (big, small)]
        assert big.flags.writeable and small.flags.writeable
        big += 1                        # neither the sender's copy nor the next call may change
        return kinds, int(big[-1])


class Holder(Chare):

    def __init__(self):
        self.state = np.arange(1 << 18)

    def kind_of_state(self):
        return type(self.state.base).__name__, int(self.state.sum())


def main(args):
    last = charm.numPes() - 1
    g = Group(Looker)                   # stays where it is, also when all that can migrate does
    big, small = np.zeros(1 << 18), np.zeros(4)
    for _ in range(3):
        kinds, value = g[last].look(big if last else big.copy(), small, ret=True).get()
        assert value == 1 and not big.any()
        assert kinds == (['Block', 'NoneType'] if last else ['NoneType', 'NoneType']), kinds
    if last:                            # the arrays of a chare that migrated lie in the arena, too
        a = Array(Holder, charm.numPes())
        total = int(np.arange(1 << 18).sum())
        a[0].migrate(last)
        assert a[0].kind_of_state(ret=True).get() == ('Block', total)
    charm.exit()


charm.start(main)
