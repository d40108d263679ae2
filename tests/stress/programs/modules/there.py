"""A module with a chare class that another module has, too."""
from charm4py import Chare


class Same(Chare):

    def who(self):
        return __name__
