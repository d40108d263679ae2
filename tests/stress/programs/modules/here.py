"""A module with a chare class that another module has, too."""
from charm4py import Chare, coro


class Same(Chare):

    def who(self):
        return __name__

    @coro
    def pass_through(self, other):
        answers = other.who(ret=True).get()
        return answers[0]
