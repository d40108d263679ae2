"""Pi by throwing darts (Monte Carlo), each task a handful, with the pool.

    charmrun +p4 pi.py [darts] [tasks]
"""
import random

from charm4py import charm


def throw(task):
    """-> how many of n darts at the unit square hit the quarter circle."""
    seed, n = task
    dart = random.Random(seed).random
    return sum(dart() ** 2 + dart() ** 2 <= 1 for _ in range(n))


def main(args):
    darts = int(args[1]) if len(args) > 1 else 1000000
    tasks = int(args[2]) if len(args) > 2 else 4 * charm.numPes()
    if darts < 1 or tasks < 1:
        exit('usage: pi.py [darts] [tasks]')
    each = -(-darts // tasks)
    hits = sum(charm.pool.map(throw, [(seed, each) for seed in range(tasks)]))
    thrown = each * tasks
    pi, error = 4 * hits / thrown, 1.65 / thrown ** 0.5     # one standard deviation
    print(f'pi is about {pi:.5f} ({thrown} darts, standard error {error:.5f})')
    charm.exit(0 if abs(pi - 3.14159265) < 6 * error else 1)


charm.start(main)
