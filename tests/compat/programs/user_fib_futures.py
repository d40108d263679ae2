# says: fib(10) = 55
"""Chares that make chares recursively, from whatever PE, and answer by futures."""
from charm4py import charm, Chare, Future, coro


class Fib(Chare):

    def __init__(self, n, answer):
        if n < 2:
            answer.send(n)
        else:
            self.thisProxy.split(n, answer)

    @coro
    def split(self, n, answer):
        parts = Future(2)
        Chare(Fib, args=[n - 1, parts])
        Chare(Fib, args=(n - 2, parts))
        answer.send(sum(parts.get()))


class Main(Chare):

    def __init__(self, args):
        result = Future()
        Chare(Fib, args=[10, result])
        print('fib(10) =', result.get())
        charm.exit()
        print('not reached')
        charm.abort('charm.exit() came back')


charm.start(Main)
