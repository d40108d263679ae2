"""Rounds of a reduction: all members of a group add up their arrays, member 0 starts the next round.

    charmrun +p2 reduction.py [rounds]
"""
import numpy as np

from charm4py import charm, Chare, Group, Reducer


class Member(Chare):

    def __init__(self, rounds):
        self.rounds, self.round = rounds, 0

    def work(self):
        mine = np.arange(5.0) * (charm.myPe() + 1)
        self.reduce(self.thisProxy[0].collect, mine, Reducer.sum)

    def collect(self, total):
        expected = np.arange(5.0) * sum(range(1, charm.numPes() + 1))
        if not np.array_equal(total, expected):
            charm.exit(1)
        self.round += 1
        if self.round < self.rounds:
            self.thisProxy.work()
        else:
            print(f'{self.rounds} rounds, each gave {total}')
            charm.exit()


def main(args):
    rounds = int(args[1]) if len(args) > 1 else 20
    if rounds < 1:
        exit('usage: reduction.py [rounds]')
    Group(Member, args=[rounds]).work()


charm.start(main)
