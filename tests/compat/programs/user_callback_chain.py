"""A timer calls a chare, which calls back an array, that a group, and the group's reduction ends the job."""
from charm4py import *


class Stage(Chare):

    def __init__(self, following, *more):
        self.following = following
        self.seen = []
        assert more == (1, 2)

    def take(self, value, tag='none'):
        self.seen.append((value, tag))
        if self.following is None:
            self.reduce(charm.thisProxy[0].exit)
        else:
            self.following(value + 1)


def main(args):
    last = Group(Stage, args=[None, 1, 2])
    middle = Array(Stage, 1, args=[last.take, 1, 2])
    first = Chare(Stage, [middle[0].take, 1, 2])
    charm.awaitCreation(last, middle, first)
    charm.scheduleCallableAfter(first.take, 0.01, [5])


charm.start(main)
