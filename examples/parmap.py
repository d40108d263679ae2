"""A parallel map: the number of steps of the Collatz sequence for many numbers.

    charmrun +p4 parmap.py [numbers] [chunk size]

The tasks are short, so each message takes a chunk of them. Two maps run at once.
"""
import sys
import time

from charm4py import charm


def steps(n):
    count = 0
    while n > 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        count += 1
    return count


def main(args):
    total = int(args[1]) if len(args) > 1 else 20000
    chunk = int(args[2]) if len(args) > 2 else 100
    if total < 1 or chunk < 1:
        exit('usage: parmap.py [numbers] [chunk size]')
    begin = time.perf_counter()
    low = charm.pool.map_async(steps, range(1, total // 2), chunksize=chunk)
    high = charm.pool.map_async(steps, range(max(1, total // 2), total + 1), chunksize=chunk)
    counts = low.get() + high.get()
    print(f'{time.perf_counter() - begin:.3f} s', file=sys.stderr)
    longest = max(range(len(counts)), key=counts.__getitem__)
    print(f'of 1 to {total}, {longest + 1} takes longest: {counts[longest]} steps')
    charm.exit(0 if counts == [steps(n) for n in range(1, total + 1)] else 1)


charm.start(main)
