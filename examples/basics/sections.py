"""Some of the elements: sections by function, by slice, by list, and combined ones.

    charmrun +p2 sections.py
"""
from charm4py import charm, Chare, Array, Future, Group, Reducer


class Cell(Chare):

    def __init__(self):
        self.calls = 0

    def mark(self):
        self.calls += 1

    def marks(self):
        return self.calls

    def take(self, sections):
        self.row = sections[self.thisIndex[0]]

    def add(self, answer):
        """Only the elements of one row contribute."""
        self.reduce(answer, sum(self.thisIndex), Reducer.sum, section=self.row)


class Member(Chare):

    def pe(self):
        return charm.myPe()


def row_of(cell):
    return cell.thisIndex[0]


def main(args):
    cells, others = Array(Cell, (4, 4)), Array(Cell, (4, 4))

    rows = charm.split(cells, 4, row_of)
    cells.take(rows, awaitable=True).get()
    answer = Future()
    rows[2].add(answer)
    assert answer.get() == 2 * 4 + 0 + 1 + 2 + 3

    corner = cells[0:2, 0:2]                                # by slice
    diagonal, = charm.split(cells, 1, elems=[(i, i) for i in range(4)])
    corner.mark(awaitable=True).get()
    diagonal.mark(awaitable=True).get()
    assert sum(cells.marks(ret=True).get()) == 8
    assert cells[1, 1].marks(ret=True).get() == 2

    both = charm.combine(cells, others)                     # and split again, across both arrays
    columns = charm.split(both, 4, row_of)
    charm.wait([column.mark(awaitable=True) for column in columns])
    assert sum(others.marks(ret=True).get()) == 16

    even = Group(Member)[::2]
    assert even.pe(ret=True).get() == list(range(0, charm.numPes(), 2))
    few = Group(Member, onPEs=[charm.numPes() - 1])
    assert few.pe(ret=True).get() == [charm.numPes() - 1]
    print('rows, corner, diagonal, both arrays, even PEs: all as they should be')
    charm.exit()


charm.start(main)
