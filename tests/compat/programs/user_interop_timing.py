"""Timing loops by ping and pong: by threads of calls, futures, and channels; exits by sys.exit."""
import sys
import time

import numpy as np

from charm4py import charm, Chare, Group, Array, Channel, Future, threaded


class Ping(Chare):

    def __init__(self, rounds, done):
        self.rounds, self.done, self.count = rounds, done, 0
        self.partner = self.thisProxy[1 - self.thisIndex[0]]

    def start(self, data):
        self.begin = time.time()
        self.partner.recv(data)

    def recv(self, data):
        self.count += 1
        if self.thisIndex[0] == 0 and self.count == self.rounds:
            self.done(((time.time() - self.begin) / self.rounds, data))
        else:
            self.partner.recv(data)


class Talk(Chare):

    @threaded
    def talk(self, rounds, sizes):
        me = self.thisIndex
        if me > 1 or charm.numPes() < 2:
            return 0
        channel = Channel(self, self.thisProxy[1 - me])
        for size in sizes:
            data = np.zeros(size, dtype='b')
            for _ in range(rounds):
                if me == 0:
                    channel.send(data, size)
                    data, n = channel.recv()
                    assert n == -size
                else:
                    data, n = channel.recv()
                    channel.send(data, -n)
            assert data.shape == (size,)
        return len(sizes)


def main(args):
    done = Future()
    pings = Array(Ping, 2, args=[100, done])
    charm.awaitCreation(pings)
    pings[0].start(np.arange(1000))
    seconds, data = done.get()
    assert seconds > 0 and (data == np.arange(1000)).all()
    got = Group(Talk).talk(20, [1, 1000, 100000], ret=True).get()
    assert got == ([3, 3] + [0] * (charm.numPes() - 2) if charm.numPes() > 1 else [0])
    sys.exit(0)


charm.start(main)
