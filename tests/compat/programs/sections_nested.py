"""Hundreds of generations of sections of sections, split, sliced and combined at random."""
# PEs: 1 2 4
import random
import zlib
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro

GENERATIONS, BASES, POOL = 300, 20, 40
generation, parts = 0, 1


def say(label, generation, parts):
    """The sections in which who has this label is, in this generation."""
    r = random.Random(zlib.crc32(repr((label, generation)).encode()))
    kind = generation % 3
    if kind == 0:
        return r.randrange(parts)
    if kind == 1:
        return r.randrange(-1, parts)
    return [k for k in range(parts) if r.random() < 0.5]


def section_of(member):
    # contract: 9.4
    return say(member.label(), generation, parts)


class Member:
    def __init__(self, number):
        self.number, self.hits, self.sections = number, 0, 0

    def label(self):
        return self.number, self.thisIndex

    def hit(self):
        self.hits += 1

    def take(self):
        hits, self.hits = self.hits, 0
        return hits, self.label()

    def add(self, section, done):
        self.reduce(done, self.label(), Reducer.gather, section)
        self.contribute(1, Reducer.sum, done, section)

    @coro
    def sum_up(self, section, n):
        assert self.allreduce(1, Reducer.sum, section).get() == n
        return self.label()


class Plain(Member, Chare):
    pass


class Other(Member, Chare):
    """Methods of the same names, and more."""

    def aaa(self):
        pass

    @coro
    def take(self):
        charm.sleep(0)
        return super().take()


def make(number, npes, rand):
    """(proxy, labels of its members in their order)"""
    cls = (Plain, Other)[number % 2]
    kind = number % 5
    if kind == 0:
        return Group(cls, args=[number]), [(number, pe) for pe in range(npes)]
    if kind == 1:
        pes = sorted(rand.sample(range(npes), rand.randint(1, npes)))
        return Group(cls, args=[number], onPEs=pes), [(number, pe) for pe in pes]
    if kind == 2:
        dims = [rand.randint(1, 3) for _ in range(rand.randint(1, 4))]
        indexes = [()]
        for d in dims:
            indexes = [index + (i,) for index in indexes for i in range(d)]
        return Array(cls, dims, args=[number]), [(number, index) for index in indexes]
    if kind == 3:
        a = Array(cls, ndims=1, args=[number])
        indexes = sorted(rand.sample(range(100), 15))
        for i in indexes:
            a.ckInsert(i, args=[number])
        a.ckDoneInserting()
        return a, [(number, (i,)) for i in indexes]
    n = rand.randint(1, 40)
    return Array(cls, n, args=[number]), [(number, (i,)) for i in range(n)]


def check(proxy, labels, deep):
    """Members are these, each once."""
    # contract: 9.9 9.10 9.11
    if not proxy.issec:
        for hits, label in proxy.take(ret=True).get():
            assert hits == 0
        return
    proxy.hit()
    proxy.hit(awaitable=True).get()
    got = proxy.take(ret=True).get()
    assert [label for _, label in got] == labels, (got, labels)
    assert all(hits == 2 for hits, _ in got), got
    if deep:
        done = Future(2)
        proxy.add(proxy, done)
        first, second = done.get()
        if not isinstance(first, list):
            first, second = second, first
        assert sorted(first, key=repr) == sorted(labels, key=repr) and second == len(labels)
        assert proxy.sum_up(proxy, len(labels), ret=True).get() == labels


def divide(proxy, labels, g, rand):
    """split() by a function; sections without members are no sections."""
    n = rand.randint(1, 4)
    said = {label: say(label, g, n) for label in labels}
    said = {label: s if isinstance(s, list) else [s] if s >= 0 else [] for label, s in said.items()}
    made = [[label for label in labels if k in said[label]] for k in range(n)]
    if not all(made):
        return []
    charm.thisProxy.updateGlobals({'generation': g, 'parts': n}, awaitable=True).get()
    return list(zip(charm.split(proxy, n, section_of), made))


def slice_of(proxy, labels, rand):
    """A part of what has indexes of one dimension; in sections, numbers of PEs are such."""
    if not proxy.issec and hasattr(proxy, 'gid'):
        a = rand.randrange(charm.numPes())
        step = rand.randint(1, 2)
        return proxy[a::step], [x for x in labels if x[1] in range(a, charm.numPes(), step)]
    if hasattr(proxy, 'ndims') and proxy.ndims == 1:
        picked = [x for x in labels if x[1] in range(0, 50, 2) or
                  isinstance(x[1], tuple) and len(x[1]) == 1 and x[1][0] in range(0, 50, 2)]
        if picked:
            return proxy[0:50:2], picked
    return proxy, labels


def main(args):
    # contract: 9.7 9.13
    rand = random.Random(7)
    npes = charm.numPes()
    pool = [make(number, npes, rand) for number in range(BASES)]
    for g in range(GENERATIONS):
        what = rand.randrange(4)
        if what == 0:
            made = divide(*rand.choice(pool), g, rand)
        elif what == 1:
            made = [slice_of(*rand.choice(pool), rand)]
        else:
            some = rand.sample(pool, rand.randint(1, 4))
            labels = []
            for _, members in some:     # who is in two of them is in it once
                labels += [x for x in members if x not in labels]
            made = [(charm.combine(*[proxy for proxy, _ in some]), labels)]
        for proxy, labels in made:
            check(proxy, labels, g % 3 == 0)
            pool.append((proxy, labels))
        if len(pool) > POOL:
            pool = pool[:BASES] + pool[BASES - POOL:]
    exit()


charm.start(main)
