"""What messages cost in Python, against a bare Python call timed in the same round.

    charmrun +p2 tests/bench/py_bench.py [rounds] [scale] [name ...]

Each round measures every figure once, in turn, and a bare method call beside
it; a shared machine drops to half speed for seconds, and then the call is
slow, too.  Printed are the best value of all rounds, the median, and the best
ratio to the call.  scale multiplies the number of messages (0.02: a smoke test).
"""
import statistics
import sys
import time

import numpy as np

from charm4py import charm, Array, Channel, Chare, Future, Group, Reducer, coro


class Peer(Chare):

    def meet(self, other):
        self.other = other
        self.channel = Channel(self, remote=other)

    def start(self, n, data, done):
        self.left, self.done = n, done
        self.other.ball(data)

    def ball(self, data):
        if self.thisIndex[0] == 0:
            self.left -= 1
            if self.left == 0:
                self.done()
                return
        self.other.ball(data)

    @coro
    def talk(self, n, done):
        first = self.thisIndex[0] == 0
        for i in range(n):
            if first:
                self.channel.send(i)
            self.channel.recv()
            if not first:
                self.channel.send(i)
        if first:
            done()

    def expect(self, n, done):
        self.left, self.done = n, done

    def pour(self, n, mixed):
        if mixed:
            drop, word = self.other.mixed, {'key': (1, 2.5, 'text'), 'list': [1, 2, 3]}
            for i in range(n):
                drop(i, 'some text', (1.0, 2.0, 3.0), word)
        else:
            drop = self.other.drop
            for i in range(n):
                drop(i)

    def drop(self, x):
        self.left -= 1
        if self.left == 0:
            self.done()

    def mixed(self, a, b, c, d):
        self.drop(a)

    def nothing(self):
        pass

    def echo(self, x):
        return x


class Member(Chare):

    def nothing(self):
        pass

    def give(self, callback, value):
        self.reduce(callback, value, Reducer.sum)


class Mover(Chare):

    def __init__(self, nbytes):
        self.state = np.zeros(nbytes, dtype=np.int8)

    def hop(self, left, done):
        if left == 0:
            done()
            return
        self.left, self.done = left - 1, done
        self.thisProxy[self.thisIndex].migrate((charm.myPe() + 1) % charm.numPes())

    def migrated(self):
        self.hop(self.left, self.done)


class Bench:

    def __init__(self, scale):
        self.scale = scale
        self.peers = Array(Peer, 2)
        self.me = Chare(Peer, onPE=0)
        self.group, self.array = Group(Member), Array(Member, 1000)
        charm.awaitCreation(self.peers, self.me, self.group, self.array)
        for i in range(2):
            self.peers[i].meet(self.peers[1 - i], awaitable=True).get()

    def times(self, n):
        return max(2, int(n * self.scale))

    def ping(self, n, data):
        n, done = self.times(n), Future()
        begin = time.perf_counter()
        self.peers[0].start(n, data, done)
        done.get()
        return (time.perf_counter() - begin) / n

    def channel(self, n):
        n, done = self.times(n), Future()
        begin = time.perf_counter()
        self.peers.talk(n, done)
        done.get()
        return (time.perf_counter() - begin) / n

    def flood(self, n, mixed):
        n, done = self.times(n), Future()
        self.peers[1].expect(n, done, awaitable=True).get()
        begin = time.perf_counter()
        self.peers[0].pour(n, mixed)
        done.get()
        return (time.perf_counter() - begin) / n

    def ret_call(self, n):
        n, peer = self.times(n), self.peers[1]
        begin = time.perf_counter()
        for i in range(n):
            peer.echo(i, ret=True).get()
        return (time.perf_counter() - begin) / n

    def local_call(self, n):
        n, nothing = self.times(n), self.me.nothing
        begin = time.perf_counter()
        for _ in range(n):
            nothing()
        self.me.echo(0, ret=True).get()
        return (time.perf_counter() - begin) / n

    def broadcast(self, n):
        n = self.times(n)
        begin = time.perf_counter()
        for _ in range(n):
            self.group.nothing(awaitable=True).get()
        return (time.perf_counter() - begin) / n

    def reduction(self, n, value):
        n = self.times(n)
        begin = time.perf_counter()
        for _ in range(n):
            done = Future()
            self.array.give(done, value)
            done.get()
        return (time.perf_counter() - begin) / n

    def create(self, n):
        n = self.times(n)
        begin = time.perf_counter()
        charm.awaitCreation(Array(Member, n))
        return (time.perf_counter() - begin) / n

    def migrate(self, n, nbytes):
        n, done = self.times(n), Future()
        mover = Array(Mover, 1, args=[nbytes])
        charm.awaitCreation(mover)
        begin = time.perf_counter()
        mover[0].hop(n, done)
        done.get()
        return (time.perf_counter() - begin) / n

    def figures(self):
        """Name, how to measure it in seconds, and how to print it."""
        us, rate = (1e6, 'us'), (1e-6, 'M/s')
        return [
            ('ping_int', lambda: self.ping(10000, 3), us),
            ('ping_np1k', lambda: self.ping(5000, np.zeros(1000, np.int8)), us),
            ('ping_np1M', lambda: self.ping(100, np.zeros(1 << 20, np.int8)), us),
            ('ping_np64M', lambda: self.ping(4, np.zeros(64 << 20, np.int8)), (0.125, 'GiB/s')),
            ('channel_int', lambda: self.channel(5000), us),
            ('flood_int', lambda: self.flood(50000, False), rate),
            ('flood_mixed', lambda: self.flood(20000, True), rate),
            ('ret_call', lambda: self.ret_call(3000), us),
            ('local_call', lambda: self.local_call(20000), rate),
            ('bcast_wait_group', lambda: self.broadcast(2000), us),
            ('reduce_1000_int', lambda: self.reduction(50, 1), us),
            ('reduce_1000_np1000', lambda: self.reduction(10, np.ones(1000)), us),
            ('create', lambda: self.create(20000), rate),
            ('migrate_1k', lambda: self.migrate(500, 1000), us),
            ('migrate_1M', lambda: self.migrate(50, 1 << 20), us),
        ]


class Plain:

    def nothing(self, x):
        pass


def bare_call(n=20000):
    plain = Plain()
    begin = time.perf_counter()
    for i in range(n):
        plain.nothing(i)
    return (time.perf_counter() - begin) / n


def shown(seconds, how):
    scale, unit = how
    return seconds * scale if unit == 'us' else scale / seconds


def main(args):
    rounds = int(args[1]) if len(args) > 1 else 5
    bench = Bench(float(args[2]) if len(args) > 2 else 1.0)
    wanted = [f for f in bench.figures() if not args[3:] or f[0] in args[3:]]
    seen = {name: [] for name, _, _ in wanted}
    calls = {name: [] for name, _, _ in wanted}
    for _ in range(rounds):
        for name, measure, _ in wanted:
            calls[name].append(bare_call())
            seen[name].append(measure())
    print(f'{"figure":20} {"best":>9} {"median":>9} unit   {"calls":>8}  (bare call: '
          f'{min(min(c) for c in calls.values()) * 1e9:.0f} ns)')
    for name, _, how in wanted:
        ratio = min(s / c for s, c in zip(seen[name], calls[name]))
        print(f'{name:20} {shown(min(seen[name]), how):9.3f} '
              f'{shown(statistics.median(seen[name]), how):9.3f} {how[1]:6} {ratio:8.1f}')
    sys.stdout.flush()
    charm.exit()


charm.start(main)
