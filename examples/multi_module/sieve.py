"""Finds primes among the numbers of its PE."""
from charm4py import charm, Chare


class Sieve(Chare):

    def __init__(self, take):
        self.take = take

    def search(self, n):
        mine = range(2 + charm.myPe(), n + 1, charm.numPes())
        self.take([p for p in mine if all(p % d for d in range(2, int(p ** 0.5) + 1))])
