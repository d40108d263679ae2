"""What tour.py knows of single blocks of the manual, by number and first line.

The manual stands in no repository of ours and was turned from a printed page into text, which
lost indentation, a few lines and a class. So each entry says only what has to be put right
(REPAIRS), what a fragment needs around it (AROUND), what to expect besides what the block
shows itself (SAYS), or why a block is not run (NOT_RUN).

A repair is (first line, last line, edit), lines counted from 1 within the block: a number
moves the lines to the right, a function makes a new line of the old one.
"""


def before(text):
    return lambda line: text + '\n' + line


def instead(old, new):
    def edit(line):
        assert old in line, line
        return line.replace(old, new)
    return edit


REPAIRS = {
    (1, 'from charm4py import charm, Chare, Array'): [(6, 10, 4)],
    (2, "print(message, 'on process', charm.myPe())"): [(1, 1, 8), (2, 2, 4)],
    (4, 'a = Array(A, 2)'): [(1, 3, 4)],
    # A statement was glued to the comment before it.
    (6, 'from charm4py import charm, Chare, Array'): [
        (12, 12, lambda line: line + '\n    value = future.get()')],
    (46, 'class Echo(Chare):'): [(6, 7, 4)],
    (52, 'b_proxy.work(self.thisProxy.recvResult)'): [(1, 1, 8), (3, 5, 4)],
    (53, 'from charm4py import charm, Chare, Group, Reducer'): [(18, 18, before('        else:'))],
    (54, 'from charm4py import charm, Chare, Array, Future, Reducer'): [(16, 16, -4)],
    (55, 'from charm4py import charm, Chare, Array, coro, Channel'): [
        (14, 14, before('        x, y, z = 1, 2.5, "three"'))],
    (56, 'from charm4py import charm, Chare, Group'): [(15, 15, instead('q[', 'g['))],
    (60, 'from charm4py import charm, coro'): [(9, 9, -4)],
}

# The body of a fragment stands where the line `BLOCK` is.
AROUND = {
    (49, "# broadcast global 'X' to all processes, wait for completion"): """
from charm4py import charm, Chare, Group

class Look(Chare):
    def at(self):
        return X

def main(args):
    BLOCK
    assert Group(Look).at(ret=True).get() == [333] * charm.numPes()
    exit()

charm.start(main)
""",
    (50, '# print stats of PE 2 and wait for completion'): """
from charm4py import charm

def main(args):
    BLOCK
    exit()

charm.options.profiling = True
charm.start(main)
""",
    (62, 'elem_proxy = myproxy[3]'): """
from charm4py import charm, Chare, Array

class Worker(Chare):
    def __init__(self):
        self.calls = 0
    def work(self, what):
        assert what is ...
        self.calls += 1
    def count(self):
        return self.calls

def main(args):
    myproxy = Array(Worker, 4)
    BLOCK
    assert myproxy.count(ret=True).get() == [0, 0, 0, 100]
    exit()

charm.start(main)
""",
}

# Lost in the text of the manual, but used by the blocks after them: before the block of the session.
LOST = {
    (35, '>>> g = Group(Test)'): """
class Test(Chare):
    def start(self):
        print('I am element', self.thisIndex, 'on PE', charm.myPe(), 'sending a msg to element 1')
        self.thisProxy[1 % charm.numPes()].sayHi()
    def sayHi(self):
        print('Hello from element', self.thisIndex, 'on PE', charm.myPe())

""",
}

SAYS = {
    1: ['hello world on process'],
    3: ['hello world'],
    6: ['Result is 1'],
    11: ['PE 0 of 4', 'PE 3 of 4'],
    12: ['PE 0 of 4', 'PE 3 of 4'],
    13: ['Charm4py interactive shell'],
    15: ['PE 0 of NPES'],
    19: ['Charm4py interactive shell'],
    50: ['Timings for PE LAST :', 'Messages sent:'],
    51: ['Result is Ellipsis'],
    56: ['Hello from 0'],
    57: ['4'],
    58: ['Hello from (3, 3)'],
    59: ['[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]'],
    60: ['fibonacci(13)= 233'],
}

NOT_RUN = {
    (7, '$ pip3 install charm4py'): 'installs the other system',
    (8, '$ pip3 install [--install-option="--mpi"] charm4py --no-binary charm4py'): 'installs the other system',
    (9, '$ git clone https://github.com/UIUC-PPL/charm4py'): 'installs the other system',
    (10, '$ ./build charm4py <version> -j<N> --with-production'): 'builds the other system',
    (14, 'group mynodes'): 'a node list: used by block 15, with localhost for the names of hosts',
    (16, '$ mpirun -np 4 /usr/bin/python3 myprogram.py'): 'needs the transport for MPI',
    (17, '$ mpirun -np 4 /usr/bin/python3 -m charm4py.interactive'): 'needs the transport for MPI',
    (18, '#!/bin/bash -1'): 'a batch job for a cluster',
    (61, 'In the case of updateGlobals, have each array be an element of the dict, for example: '
         "charm.thisProxy.updateGlobals({'array1': array2': array2, ...})"):
        'a sentence; sending arrays so is in tests/compat/programs',
    (63, 'Timings for PE 0:'): 'output of a profiled run, with times; its form has tests of its own',
}
