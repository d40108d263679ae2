# status: 12
"""charm.thisProxy.exit gets what was reduced as the exit status."""
from charm4py import charm, Chare, Array, Reducer


class Ends(Chare):
    def end(self):
        # contract: 3.5.9
        self.reduce(charm.thisProxy.exit, 3, Reducer.sum)


def main(args):
    Array(Ends, 4).end()


charm.start(main)
