"""One method at a time, in order per sender, never nested in who sends."""
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro


class Cell(Chare):
    def __init__(self):
        self.busy = False
        self.got = []
        self.resumed = 0

    def alone(self, i):
        # contract: 4.4.1
        assert not self.busy
        self.busy = True
        self.thisProxy[self.thisIndex].nothing()
        for other in range(4):
            self.thisProxy[other].nothing()
        self.busy = False

    def nothing(self):
        assert not self.busy

    @coro
    def suspends(self, gates):
        assert not self.busy
        gate = Future()
        gates.send(gate)
        value = gate.get()
        # contract: 4.4.3
        assert not self.busy
        self.resumed += 1
        return value

    def sends_here(self, f):
        self.busy = True
        f.send('x')                         # even to a future of this PE: nothing runs before we return
        self.busy = False

    def count(self):
        # contract: 4.4.2
        return self.resumed

    def note(self, who, i):
        self.got.append((who, i))

    def flood(self, to, who, n):
        for i in range(n):
            to.note(who, i)

    def self_sends(self, n):
        for i in range(n):
            self.thisProxy[self.thisIndex].note('self', i)

    def seen(self):
        return self.got


class Eager(Chare):
    """Calls itself and its neighbours while it is made."""

    def __init__(self, arrived):
        self.arrived, self.calls, self.made = arrived, 0, False
        for i in range(6):
            self.thisProxy[i].called()
        self.made = True

    def called(self):
        assert self.made                # the constructor has run first
        self.calls += 1
        self.check()

    def after(self):
        assert self.made
        self.calls += 10
        self.check()

    def check(self):
        if self.calls == 16:
            self.arrived.send(self.thisIndex)


class LateStart(Chare):
    @coro
    def __init__(self, started):
        self.state = 'started'
        gate = Future()
        started.send(gate)
        gate.get()
        self.state = 'constructed'

    def look(self):
        # contract: 4.4.6
        return self.state


def main(args):
    n = charm.numPes()
    a = Array(Cell, 4)
    a.alone(0, awaitable=True).get()
    # contract: 4.4.2
    f, r = [], []
    for _ in range(3):
        gates = Future()
        r.append(a[1].suspends(gates, ret=True))
        f.append(gates.get())
    assert a[1].count(ret=True).get() == 0          # others of its methods run meanwhile
    for i in (2, 0, 1):
        f[i].send(i)
    assert [one.get() for one in r] == [0, 1, 2]
    assert a[1].count(ret=True).get() == 3
    # contract: 4.4.3
    here = Array(Cell, 4 * n)
    gates = Future()
    answer = here[0].suspends(gates, ret=True)
    here[0].sends_here(gates.get())
    assert answer.get() == 'x'
    # contract: 4.4.4
    target = a[3]
    for i in range(4):
        a[i].flood(target, i, 300)
    a[3].self_sends(300)
    charm.waitQD()
    got = target.seen(ret=True).get()
    for who in (0, 1, 2, 3, 'self'):
        assert [i for w, i in got if w == who] == list(range(300)), who
    # contract: 4.4.6
    # contract: 4.4.5
    for cls, index in ((Eager, 0), (Eager, 5)):
        arrived = Future()
        Array(cls, 6, args=[arrived])[index].after()    # sent before it can be there
        arrived.get()
    started = Future(2 * n)
    late = Array(LateStart, 2 * n, args=[started])
    states = late.look(ret=True)
    assert states.get() == ['started'] * 2 * n
    for gate in started.get():
        gate.send(0)
    charm.awaitCreation(late)
    assert late.look(ret=True).get() == ['constructed'] * 2 * n
    exit()


charm.start(main)
