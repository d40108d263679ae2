"""Calls that one can wait for: awaitable=True for the end, ret=True for the results.

    charmrun +p2 answers.py

An error in the method is raised where the answer is asked for.
"""
from charm4py import charm, Chare, Array


class Library(Chare):

    def __init__(self):
        self.books = {}

    def put(self, name, text):
        self.books[name] = text

    def get(self, name):
        return self.books[name]

    def size(self):
        return len(self.books)


def main(args):
    shelves = Array(Library, 4)
    shelves.put('index', 'what is where', awaitable=True).get()     # all four have it now
    shelves[2].put('poems', 'a rose', awaitable=True).get()
    text = shelves[2].get('poems', ret=True).get()
    sizes = shelves.size(ret=True).get()                            # by index
    try:
        shelves[0].get('poems', ret=True).get()
        error = None
    except KeyError as e:
        error = e
    print(text, sizes, repr(error))
    charm.exit(0 if (text, sizes, repr(error)) == ('a rose', [1, 1, 2, 1], "KeyError('poems')") else 1)


charm.start(main)
