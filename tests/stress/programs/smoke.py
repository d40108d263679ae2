"""The least there is: a main function, its arguments, and an end."""
# PEs: 1 2 4 8
# arguments: one two
from charm4py import charm


def main(args):

    assert args[1:] == ['one', 'two'], args
    charm.exit()


charm.start(main)
