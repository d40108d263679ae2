"""A ring of elements: each talks to its two neighbours and takes what comes first.

    charmrun +p2 ring.py [rounds]

charm.iwait() gives the channels in the order in which they have something to receive.
"""
from charm4py import charm, Chare, Array, Channel, Reducer, Future, coro


class Link(Chare):

    def __init__(self, n):
        me = self.thisIndex[0]
        self.channels = [Channel(self, remote=self.thisProxy[(me + step) % n]) for step in (1, -1)]

    @coro
    def run(self, rounds, done):
        value = self.thisIndex[0]
        for _ in range(rounds):
            for channel in self.channels:
                channel.send(value)
            value = sum(channel.recv() for channel in charm.iwait(self.channels)) / 2
        self.reduce(done, value, Reducer.sum)


def main(args):
    rounds = int(args[1]) if len(args) > 1 else 20
    n = charm.numPes() * 8
    done = Future()
    Array(Link, n, args=[n]).run(rounds, done)
    total = done.get()
    print(f'after {rounds} rounds the {n} values add up to {total}')     # as in the beginning
    charm.exit(0 if abs(total - n * (n - 1) / 2) < 1e-6 else 1)


charm.start(main)
