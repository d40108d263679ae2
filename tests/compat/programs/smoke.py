"""The least there is: a main function, its arguments, and an end."""
# arguments: one two
from charm4py import charm


def main(args):
    # contract: 2.2.2
    assert args[1:] == ['one', 'two'], args
    charm.exit()


charm.start(main)
