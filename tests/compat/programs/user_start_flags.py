# arguments: +LBPeriod 0.1 12 +balancer GreedyRefineLB data.txt +LBOff
"""Flags that the program appends before the start, between its own arguments."""
import sys

from charm4py import charm, Chare, Array, Future, Reducer
from charm4py import readonlies as ro

# contract: 2.2.1 2.2.2 2.2.3 2.2.5

sys.argv += ['+LBCommOff', '+LBObjOnly', '--NO-RENDER']


class Worker(Chare):

    def work(self, future):
        assert ro.factor == 12 and ro.name == 'data.txt'
        self.reduce(future, ro.factor * self.thisIndex[0], Reducer.sum)


def main(args):
    assert len(args) == 4, args
    assert args[0].endswith('user_start_flags.py')
    assert args[1:] == ['12', 'data.txt', '--NO-RENDER'], args
    args.remove('--NO-RENDER')
    ro.factor = int(args[1])
    ro.name = args[2]
    future = Future()
    Array(Worker, 10).work(future)
    assert future.get() == 12 * 45
    exit()


if __name__ == '__main__':
    charm.start(entry=main)
