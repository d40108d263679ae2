"""Ten thousand messages wait: what may go on is found without looking at the others."""
# PEs: 1 2
from charm4py import charm, Chare, Array, coro, when

N = 10000
tests = 0


class Cell(Chare):
    def __init__(self):
        self.now, self.log = -1, []

    @property
    def turn(self):
        global tests
        tests += 1
        return self.now

    @when('self.turn == n')
    def tag(self, n):
        self.log.append(n)
        self.now += n >= 0

    @when('self.turn >= 0')
    def state(self, i):
        self.log.append(i)

    def go(self):
        self.now = 0

    def stop(self):
        self.now = -1

    def nothing(self):
        pass

    def result(self):
        global tests
        log, self.log = self.log, []
        done, tests = tests, 0
        return log, done

    @coro
    def wait_for_it(self, k):
        self.wait('self.turn == 1')
        self.log.append(k)


def result(a):
    return a.result(ret=True).get()


def main(args):
    # contract: 11.19
    a = Array(Cell, 1)[0]
    order = [(7919 * i) % N for i in range(N)]
    for i in order:
        a.tag(i)
    assert result(a)[0] == []
    for _ in range(100):
        a.nothing()
    log, n = result(a)
    assert log == [] and n <= 110, n
    a.go()
    log, n = result(a)
    assert log == list(range(N)) and n <= N + 10, n
    a.stop()
    result(a)
    for i in range(N):
        a.state(i)
    for _ in range(100):
        a.nothing()
    log, n = result(a)
    assert log == [] and n <= 2 * N + 210, n
    a.migrate(charm.numPes() - 1)
    a.go()
    log, n = result(a)
    assert log == list(range(N)), log[:10]
    # many of one tag, first come, first served
    a.stop()
    for i in range(N):
        a.tag(0)
        a.tag(-2)
    a.go()
    log, n = result(a)
    assert log == [0] and n < 4 * N, (log, n)
    # contract: 11.18
    a.stop()
    ends = [a.wait_for_it(k, awaitable=True) for k in range(100)]
    a.nothing()
    result(a)
    a.nothing()
    log, n = result(a)
    assert n < 10, n
    a.go()
    a.tag(0)                            # turn is 1 now
    charm.wait(ends)
    assert sorted(set(result(a)[0])) == list(range(100))
    exit()


charm.start(main)
