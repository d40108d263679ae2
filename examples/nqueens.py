"""In how many ways can n queens stand on a board of n x n without attacking each other?

    charmrun +p4 nqueens.py 10 [depth]

A task takes a board whose first rows have their queens and makes a task for each place in
the next row; from row `depth` on it counts alone. Nobody waits for a task: what was found
is added up in a group, and the program ends when no task is left (quiescence).
"""
import sys
import time

from charm4py import charm, Chare, Future, Group, Reducer


class Counter(Chare):
    def __init__(self):
        self.found = 0

    def total(self, future):
        self.reduce(future, self.found, Reducer.sum)


def count(n, columns, up, down):
    """Places the remaining queens; the arguments are bit sets of attacked columns."""
    full = (1 << n) - 1
    if columns == full:
        return 1
    free, found = full & ~(columns | up | down), 0
    while free:
        place = free & -free
        free ^= place
        found += count(n, columns | place, (up | place) << 1, (down | place) >> 1)
    return found


def search(counters, n, depth, row, columns, up, down):
    if row == depth:
        counters[charm.myPe()].ckLocal().found += count(n, columns, up, down)
        return
    free = (1 << n) - 1 & ~(columns | up | down)
    while free:
        place = free & -free
        free ^= place
        charm.pool.Task(search, (counters, n, depth, row + 1, columns | place,
                                 (up | place) << 1, (down | place) >> 1))


def main(args):
    n = int(args[1]) if len(args) > 1 else 10
    depth = int(args[2]) if len(args) > 2 else 3
    counters = Group(Counter)
    charm.awaitCreation(counters)
    begin = time.perf_counter()
    search(counters, n, min(n, depth), 0, 0, 0, 0)
    charm.waitQD()
    total = Future()
    counters.total(total)
    print(f'ways for {n} queens on a board of {n} x {n}: {total.get()}')
    print(f'{time.perf_counter() - begin:.3f} s', file=sys.stderr)
    exit()


charm.start(main)
