"""An array that grows: only the elements that are needed, inserted one by one.

    charmrun +p4 insertion.py [elements]

The array has two dimensions and no bounds; its elements lie on a diagonal spiral of indexes, put
on PEs by turns. After ckDoneInserting() it takes broadcasts and reductions like any other.
"""
from charm4py import charm, Chare, Array, Future, Reducer


class Point(Chare):

    def __init__(self, number):
        self.number = number

    def check(self, where):
        return where(self.number) == self.thisIndex

    def add(self, answer):
        self.reduce(answer, self.number, Reducer.sum)


def place(number):
    return number * 1000, -number * number                  # any integers, also negative ones


def main(args):
    n = int(args[1]) if len(args) > 1 else 40
    if n < 1:
        exit('usage: insertion.py [elements]')
    points = Array(Point, ndims=2)
    for number in range(n):
        points.ckInsert(place(number), args=[number], onPE=number % charm.numPes())
    points.ckDoneInserting()
    answer = Future()
    points.add(answer)
    total, right = answer.get(), points.check(place, ret=True).get()
    print(f'{len(right)} elements, their numbers add up to {total}')
    charm.exit(0 if all(right) and len(right) == n and total == n * (n - 1) // 2 else 1)


charm.start(main)
