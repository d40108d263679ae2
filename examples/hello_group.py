"""Hello world by a group: one member on each PE.

    charmrun +p4 hello_group.py
"""
from charm4py import charm, Chare, Group


class Hello(Chare):

    def say(self):
        print(f'hello from PE {charm.myPe()} of {charm.numPes()}')
        return self.thisIndex


def main(args):
    answers = Group(Hello).say(ret=True).get()
    charm.exit(0 if answers == list(range(charm.numPes())) else 1)


charm.start(main)
