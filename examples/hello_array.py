"""Hello world by an array: the greeting goes from element to element, wherever they are.

    charmrun +p4 hello_array.py [elements]
"""
from charm4py import charm, Chare, Array


class Hello(Chare):

    def __init__(self, n):
        self.n = n

    def say(self, before):
        print(f'hello from element {self.thisIndex} on PE {charm.myPe()}, {before} before me')
        here = self.thisIndex[0]
        if here + 1 < self.n:
            self.thisProxy[here + 1].say(before + 1)
        else:
            charm.exit(0 if before == self.n - 1 else 1)


def main(args):
    n = int(args[1]) if len(args) > 1 else charm.numPes() * 2
    if n < 1:
        exit('usage: hello_array.py [elements]')
    Array(Hello, n, args=[n])[0].say(0)


charm.start(main)
