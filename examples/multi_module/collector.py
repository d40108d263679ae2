"""Puts lists together until all have come."""
from charm4py import Chare


class Collector(Chare):

    def __init__(self, parts, done):
        self.missing, self.done, self.all = parts, done, []

    def take(self, part):
        self.all += part
        self.missing -= 1
        if self.missing == 0:
            self.done(sorted(self.all))
