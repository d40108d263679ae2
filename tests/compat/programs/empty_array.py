"""An array that begins empty needs no arguments, though its elements do."""
from charm4py import charm, Chare, Array, Future, Reducer


class Element(Chare):

    def __init__(self, number, name):
        self.number, self.name = number, name

    def add(self, answer):
        assert self.name == str(self.number)
        self.reduce(answer, self.number, Reducer.sum)


def main(args):
    for array in (Array(Element, ndims=3), Array(Element, (0, 0, 0)), Array(Element, dims=None, ndims=3)):
        for i in range(6):
            array.ckInsert((i, 2 * i, 3), args=[i, str(i)], onPE=i % charm.numPes())
        array.ckDoneInserting()
        answer = Future()
        array.add(answer)
        assert answer.get() == 15
    try:
        Array(Element, 4)
    except TypeError as e:
        assert 'missing 2' in str(e), e
    else:
        assert False, 'elements that lack arguments'
    charm.exit()


charm.start(main)
