"""Without automatic tests of conditions the program says when to test them."""
# PEs: 1 2
from charm4py import charm, Chare, coro, when

charm.options.auto_flush_wait_queues = False


class Cell(Chare):
    def __init__(self):
        self.turn, self.log = 0, []

    @when('self.turn == n')
    def step(self, n):
        self.log.append(n)
        self.turn += 1

    @coro
    def until(self):
        self.wait('self.turn == 3')
        self.log.append('end')

    def flush(self):
        self.__flush_wait_queues__()

    def get_log(self):
        return list(self.log)


def main(args):
    # contract: 11.9
    a = Chare(Cell, onPE=charm.numPes() - 1)
    end = a.until(awaitable=True)
    for n in (2, 1, 0):
        a.step(n)
    charm.waitQD()
    assert a.get_log(ret=True).get() == [0] and not end.ready()
    a.flush(awaitable=True).get()
    end.get()
    assert a.get_log(ret=True).get() == [0, 1, 2, 'end']
    exit()


charm.start(main)
