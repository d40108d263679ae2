"""A program of several modules: their chares are named in charm.start(modules=[...]).

    charmrun +p4 multi_module/main.py [numbers]

`sieve` filters, `collector` collects; neither knows the other, main connects them.
"""
from charm4py import charm, Future, Group, Chare

import collector


def main(args):
    n = int(args[1]) if len(args) > 1 else 200
    if n < 2:
        exit('usage: main.py [numbers]')
    from sieve import Sieve                                 # imported by charm.start() already
    done = Future()
    store = Chare(collector.Collector, args=[charm.numPes(), done])
    Group(Sieve, args=[store.take]).search(n)
    primes = done.get()
    print(f'{len(primes)} primes up to {n}, the last is {primes[-1]}')
    charm.exit(0 if primes == [p for p in range(2, n + 1) if all(p % d for d in range(2, p))] else 1)


charm.start(main, modules=['sieve', 'collector'])
