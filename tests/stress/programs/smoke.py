"""The least there is: a main function, its arguments, and an end."""
# arguments: one two
from charm4py import charm


def main(args):

    assert args[1:] == ['one', 'two'], args
    charm.exit()


charm.start(main)
