"""Mistakes in programs end the job with status 1 and say what is wrong, and where."""
import pytest

from jobs import run, write

# name: source, what must be said
MISTAKES = {
    # contract: 5.1.14 8.6.8
    'constructor, awaited': ('''
class A(Chare):
    def __init__(self): 1/0
def main(args):
    a = Array(A, 3)
    charm.awaitCreation(a)
    exit(5)
''', ['Python Stack Traceback PE', 'ZeroDivisionError', '__main__.A.__init__', 'element (']),
    # contract: 5.1.14
    'constructor that suspended': ('''
class A(Chare):
    @coro
    def __init__(self):
        charm.sleep(0.01)
        raise ValueError('late')
def main(args): Group(A)
''', ['Python Stack Traceback PE', 'ValueError: late', '__main__.A.__init__']),
    # contract: 5.3.4
    'element inserted twice': ('''
class A(Chare): pass
def main(args):
    a = Array(A, ndims=2)
    a.ckInsert((3, 4))
    a.ckInsert((3, 4))
    a.ckDoneInserting()
''', ['PE ', 'Charm4PyError: element (3, 4) of __main__.A is inserted twice']),
    # contract: 5.1.3
    'member that there is not': ('''
class A(Chare):
    def go(self): pass
def main(args):
    part = Group(A, onPEs=[charm.numPes() - 1])
    if charm.numPes() > 1:
        part[0].go()
    else:
        part[1].go()
''', ['IndexError: ', 'group']),
    # contract: 5.2.6
    'procNum': ('''
class M(ArrayMap):
    def procNum(self, index): return -1
class A(Chare): pass
def main(args): Array(A, 4, map=Group(M))
''', ['M.procNum((0,)) returned -1: not a PE']),
    # contract: 6.9
    'value too many': ('''
class A(Chare):
    def go(self, f): f.send(1)
def main(args):
    f = Future()
    g = Group(A, onPEs=[charm.numPes() - 1])
    for _ in range(2): g.go(f)
    f.get()
''', ['PE 0: Charm4PyError: No pending future with fid=',
      'A common reason is sending to a future that already received its value(s)']),
    # contract: 8.3.20
    'types of contributions': ('''
class A(Chare):
    def go(self, f): self.reduce(f, 1 if self.thisIndex[0] else 0.5, Reducer.sum)
def main(args):
    f = Future(); Array(A, 5).go(f); f.get()
''', ['contributions to the same reduction do not fit together', 'sum of float64', 'sum of int64']),
    # contract: 8.3.20
    'shapes of contributions': ('''
import numpy as np
class A(Chare):
    def go(self, f): self.reduce(f, np.zeros((2, 2 + self.thisIndex[0] // 4)), Reducer.max)
def main(args):
    f = Future(); Array(A, 5).go(f); f.get()
''', ['max of float64 array of size 2x2', 'max of float64 array of size 2x3']),
    # contract: 8.3.20
    'reducers of contributions': ('''
class A(Chare):
    def go(self, f): self.reduce(f, 1, Reducer.gather if self.thisIndex[0] else Reducer.max)
def main(args):
    f = Future(); Array(A, 5).go(f); f.get()
''', ['do not fit together', 'gather', 'max of int64']),
    # contract: 8.3.20
    'reducers of objects': ('''
def one(c): return c[0]
def two(c): return c[0]
Reducer.addReducer(one); Reducer.addReducer(two)
class A(Chare):
    def go(self, f): self.reduce(f, 1, Reducer.one if self.thisIndex[0] else Reducer.two)
def main(args):
    f = Future(); Array(A, 5).go(f); f.get()
''', ['do not fit together', 'one of objects', 'two of objects']),
    # contract: 8.4.9
    'reducer': ('''
def bad(contribs): return contribs[0].undefined
Reducer.addReducer(bad)
class A(Chare):
    def go(self, f): self.reduce(f, 1, Reducer.bad)
def main(args):
    f = Future(); Array(A, 5).go(f); f.get()
''', ['Python Stack Traceback PE', "'int' object has no attribute 'undefined'", 'in bad']),
    # contract: 8.4.9
    'postprocessing': ('''
def good(contribs): return contribs[0]
def post(result): return result / 0
Reducer.addReducer(good, post=post)
class A(Chare):
    def go(self, f): self.reduce(f, 1, Reducer.good)
def main(args):
    f = Future(); Array(A, 5).go(f); f.get()
''', ['Python Stack Traceback PE', 'ZeroDivisionError', 'in post']),
    # contract: 8.4.9
    'preprocessing': ('''
def good(contribs): return contribs[0]
def pre(data, chare): return chare.nothing
Reducer.addReducer(good, pre=pre)
class A(Chare):
    def go(self, f): self.reduce(f, 1, Reducer.good)
def main(args):
    try:
        Group(A).go(Future(), awaitable=True).get()
    except AttributeError:
        Group(A).go(Future())
''', ['Python Stack Traceback PE', "'A' object has no attribute 'nothing'", 'in pre', '__main__.A.go']),
    # contract: 8.6.8 8.2.5
    'callback of a reduction': ('''
def callback(result): raise ValueError(result)
class A(Chare):
    def go(self): self.reduce(callback, 1, Reducer.sum)
def main(args): Array(A, 5).go()
''', ['Python Stack Traceback PE', 'ValueError: 5', 'in callback']),
    # contract: 8.6.1
    'entry method of an element': ('''
class A(Chare):
    def go(self): return {}['missing']
def main(args): Array(A, (2, 2))[1, 1].go()
''', ['----------------- Python Stack Traceback PE ', "KeyError: 'missing'", '__main__.A.go, element (1, 1)']),
    # contract: 8.6.8
    'migrated': ('''
class A(Chare):
    def migrated(self): raise KeyError('on arrival')
    def go(self, pe): self.migrate((charm.myPe() + 1) % charm.numPes()) if charm.numPes() > 1 else self.migrated()
def main(args): Array(A, 2)[0].go(1)
''', ["KeyError: 'on arrival'", '__main__.A']),
    # contract: 8.6.8
    'timer': ('''
def late(): raise KeyError('timer')
def main(args): charm.scheduleCallableAfter(late, 0.001)
''', ["KeyError: 'timer'", 'in late', 'Python Stack Traceback PE 0']),
    # contract: 8.6.8
    'callback of quiescence': ('''
class A(Chare):
    def quiet(self): raise KeyError('quiet')
def main(args): charm.startQD(Chare(A).quiet)
''', ["KeyError: 'quiet'", '__main__.A.quiet']),
    # contract: 8.6.8
    'condition': ('''
class A(Chare):
    @when('self.missing == x')
    def go(self, x): pass
def main(args): Chare(A).go(1)
''', ["'A' object has no attribute 'missing'", '__main__.A.go']),
    # contract: 8.6.9
    'exception out of get()': ('''
class A(Chare):
    def go(self): return self.deep()
    def deep(self): raise ValueError('far away')
def main(args): Group(A)[charm.numPes() - 1].go(ret=True).get()
''', ['in deep', 'ValueError: far away', 'in main']),
    'static method': ('''
class A(Chare):
    @staticmethod
    def go(x): pass
def main(args): Array(A, (2, 2))[1, 0].go()
''', ['go() missing 1 required positional argument', '__main__.A.go, element (1, 0)']),
}


@pytest.mark.parametrize('npes', [1, 2])
@pytest.mark.parametrize('name', sorted(MISTAKES))
def test_mistake(tmp_path, name, npes):
    source, texts = MISTAKES[name]
    job = run(npes, write(tmp_path, source))
    assert job.status == 1, (job.status, job.err)
    job.says(*texts)
    assert '#0 0x' not in job.err, 'C functions are of no interest'


@pytest.mark.parametrize('npes', [2, 4])
def test_remote_traceback_is_shown(tmp_path, npes):
    # contract: 8.6.9
    job = run(npes, write(tmp_path, MISTAKES['exception out of get()'][0]))
    job.says(f'----------------- Python Stack Traceback PE {npes - 1} -----------------')
    assert job.err.index(f'PE {npes - 1} --') < job.err.index('Traceback PE 0 --')


def test_value_too_many_is_one_line(tmp_path):
    # contract: 6.9
    job = run(2, write(tmp_path, MISTAKES['value too many'][0]))
    lines = [line for line in job.err.splitlines() if not line.startswith('charmrun:')]
    assert len(lines) == 1, job.err


def test_unknown_reducer_is_named(tmp_path):
    """The contributor has registered it, the root has not."""
    # contract: 8.4.7
    job = run(2, write(tmp_path, '''
def mine(contribs): return sum(contribs)
class A(Chare):
    def go(self, f, section):
        if not hasattr(Reducer, 'mine'): Reducer.addReducer(mine)
        self.reduce(f, 1, Reducer.mine, section)
def main(args):
    a = Array(A, 4)
    last = charm.split(a, 1, elems=[[2, 3]])[0]
    f = Future()
    last.go(f, last)
    f.get()
'''))
    assert job.status == 1
    job.says('PE 0 does not know Reducer.mine: register it on all PEs', 'charm.thisProxy.addReducer(mine')


@pytest.mark.parametrize('call', ['Chare(A)', 'Group(A)', 'Array(A, 3)', 'Future()', 'charm.waitQD()',
                                  'charm.exit()', 'charm.startQD(None)', 'charm.thisProxy.exit()',
                                  'charm.thisProxy[0].myPe(ret=True)'])
def test_before_start(tmp_path, call):
    # contract: 5.1.18
    path = tmp_path / 'prog.py'
    path.write_text('from charm4py import *\nclass A(Chare): pass\n' + call + '\n')
    job = run(0, path, flags=())
    assert job.status == 1
    job.says('Charm4PyError: charm was not started')


def test_direct_instances_are_no_chares(tmp_path):
    job = run(1, write(tmp_path, '''
class A(Chare): pass
def main(args): A().reduce(print)
'''))
    assert job.status == 1
    job.says('this A object is not a chare of this PE', 'Group(A)')
