"""Futures: a place for a value that somebody will send later, from anywhere.

    charmrun +p2 futures.py

A future is passed as an argument, kept by whoever gets it, and called with the value; the
coroutine that waits in get() goes on then. One future may take several values.
"""
from charm4py import charm, Chare, Array, Future


class Worker(Chare):

    def square(self, answer):
        answer(self.thisIndex[0] ** 2)          # the same as answer.send(...)


def main(args):
    workers = Array(Worker, 6)
    one = Future()
    workers[5].square(one)
    all_ = Future(6)
    workers.square(all_)                        # in the order of arrival
    value, values = one.get(), sorted(all_.get())
    print(value, values)
    charm.exit(0 if (value, values) == (25, [0, 1, 4, 9, 16, 25]) else 1)


charm.start(main)
