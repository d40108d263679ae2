"""What many elements, and more PEs than cores, cost.

    charmrun +p2 tests/bench/scale_bench.py [elements]      # memory of an element, creation, broadcast
    charmrun +p8 tests/bench/scale_bench.py ring [seconds]  # compare with +p2

The first prints the memory (resident, of all PEs) that an array of empty chares takes, per
element, and how much of it is the Python object: as many objects of a class like it are made
beside it, on their own.  The second passes tokens around all PEs, four a PE, each with some
work to do at every stop, and prints stops a second of the whole job: with more PEs than
cores the figure should stay near that of as many PEs as cores.
"""
import sys
import time

from charm4py import Array, Chare, Future, Group, Reducer, charm


def resident() -> int:
    """Bytes of memory of this process that are its own."""
    with open("/proc/self/smaps_rollup") as f:
        for line in f:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


class Empty(Chare):
    def nothing(self):
        pass

    def count(self, done):
        self.reduce(done, 1, Reducer.sum)


class Like(Chare):
    """Made on its own, it is the Python object of an element and no more."""


class Memory(Chare):
    def resident(self, done):
        self.reduce(done, resident(), Reducer.sum)

    def objects(self, n, done):
        before = resident()
        kept = [Like() for _ in range(n)]
        for i, o in enumerate(kept):
            o.index = (i,)                  # what thisIndex takes, and attributes in place
        self.reduce(done, resident() - before, Reducer.sum)


def total(group) -> int:
    f = Future()
    group.resident(f)
    return f.get()


def many(n: int) -> None:
    group = Group(Memory)
    total(group)
    before = total(group)
    begin = time.perf_counter()
    array = Array(Empty, n)
    charm.awaitCreation(array)
    made = time.perf_counter()
    after = total(group)
    again = time.perf_counter()
    array.nothing(awaitable=True).get()
    called = time.perf_counter()
    f = Future()
    array.count(f)
    assert f.get() == n
    summed = time.perf_counter()
    f = Future()
    group.objects(n // charm.numPes(), f)
    objects = f.get() / n
    print(f"create {made - begin:.2f} s, broadcast {called - again:.2f} s, "
          f"reduction {summed - called:.2f} s")
    print(f"memory {(after - before) / n:.0f} bytes an element, "
          f"of which the object, its index and attributes {objects:.0f}")


class Stop(Chare):
    def setup(self, next_pe, done):
        self.next, self.done, self.stops = next_pe, done, 0

    def token(self, until, work):
        self.stops += 1
        x = 0
        for i in range(work):
            x += i
        if time.perf_counter() < until:
            self.next.token(until, work)
        else:
            self.ended()

    def ended(self):
        pass

    def tell(self, done):
        self.reduce(done, self.stops, Reducer.sum)


def ring(seconds: float) -> None:
    pes = charm.numPes()
    for work in (0, 1000):
        stops = Group(Stop)
        charm.awaitCreation(stops)
        for pe in range(pes):
            stops[pe].setup(stops[(pe + 1) % pes], None, awaitable=True).get()
        begin = time.perf_counter()
        for pe in range(pes):
            for _ in range(4):
                stops[pe].token(begin + seconds, work)
        charm.waitQD()
        spent = time.perf_counter() - begin
        f = Future()
        stops.tell(f)
        print(f"{pes} PEs, work {work}: {f.get() / spent / 1e3:.0f} thousand stops a second")


def main(args):
    if len(args) > 1 and args[1] == "ring":
        ring(float(args[2]) if len(args) > 2 else 1.0)
    else:
        many(int(args[1]) if len(args) > 1 else 1000000)
    sys.stdout.flush()
    exit()


charm.start(main)
