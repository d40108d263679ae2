"""One element of an array calls another; who answers ends the program.

    charmrun +p2 hello.py
"""
from charm4py import charm, Chare, Array


class Greeter(Chare):

    def begin(self):
        self.thisProxy[1].greet('hello from element 0')

    def greet(self, words):
        print(f'element {self.thisIndex[0]} on PE {charm.myPe()} heard: {words}')
        charm.exit(0 if words.startswith('hello') else 1)


def main(args):
    Array(Greeter, 2)[0].begin()


charm.start(main)
