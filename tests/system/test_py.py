"""The programs py_*.py run on several numbers of PEs; mistakes in
programs end the job with the right message and status."""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = sorted(f for f in os.listdir(HERE) if f.startswith('py_') and f.endswith('.py'))
STATUS = {'py_mainchare.py': 5}  # all others exit with 0
LIMIT_S = 120  # against hangs only


def run(argv, **kw):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=LIMIT_S, **kw)


def job(npes, program, *args):
    return run(['charmrun', f'+p{npes}', '++quiet', program, *args])


@pytest.mark.parametrize('npes', [1, 2, 4, 8])
@pytest.mark.parametrize('program', PROGRAMS)
def test_program(program, npes):
    r = job(npes, os.path.join(HERE, program))
    assert r.returncode == STATUS.get(program, 0), r.stdout


@pytest.mark.parametrize('program', PROGRAMS)
def test_program_without_launcher(program):
    r = run([sys.executable, os.path.join(HERE, program)])
    assert r.returncode == STATUS.get(program, 0), r.stdout


@pytest.mark.parametrize('program', ['py_calls.py', 'py_migration.py', 'py_waiting.py'])
def test_program_by_value(program, tmp_path):
    """Without references within a PE, all calls go through the codec."""
    text = open(os.path.join(HERE, program)).read()
    text = text.replace('charm.start(main)', 'charm.options.local_msg_optim = False\n'
                        'charm.start(main)').replace("assert data == [1], data", "pass")
    path = tmp_path / program
    path.write_text(text)
    for npes in (1, 2):
        r = job(npes, str(path))
        assert r.returncode == 0, r.stdout


@pytest.mark.parametrize('program', [p for p in PROGRAMS if p != 'py_leaks.py'])
def test_program_under_stress(program):
    """Elements move after every message, tables forget, broadcasts are logged."""
    r = job(3, os.path.join(HERE, program), '+stress', 'migrate,evict,log')
    assert r.returncode == STATUS.get(program, 0), r.stdout


# ways to start: files by name, status
STARTS = {
    'function': ({'prog.py': """
from charm4py import charm, coro
@coro
def main(args):
    args.remove(args[0])
    charm.exit(3)
charm.start(entry=main)
"""}, 3),
    'modules': ({'prog.py': """
from charm4py import charm, Group
import others, more
def main(args):
    a, b = Group(others.A), Group(more.A)
    assert type(a) is not type(b)
    assert a.name(ret=True).get() == ['others'] * 2
    assert b.name(ret=True).get() == ['more'] * 2
    exit(4)
charm.start(main, modules=['others'], classes=[more.A])
""", 'others.py': """
from charm4py import Chare
class A(Chare):
    def name(self): return __name__
""", 'more.py': """
from charm4py import Chare
class A(Chare):
    def name(self): return __name__
"""}, 4),
    'decorator': ({'prog.py': """
from charm4py import charm, Chare, Group, register
def make():
    @register
    class A(Chare):
        def go(self): return 1
    return A
A = [make()]
def main(args):
    assert Group(A[0]).go(ret=True).get() == [1, 1]
    exit(5)
charm.start(main)
"""}, 5),
    'flags are added by the program': ({'prog.py': """
import sys
from charm4py import charm
sys.argv += ['+LBOff', '--mine', '+LBCommOff']
def main(args):
    assert args[1:] == ['--mine'], args
    exit(6)
charm.start(main)
"""}, 6),
    'two parameters': ({'prog.py': """
from charm4py import charm
from charm4py.charm import Charm4PyError
def main(a, b): pass
try: charm.start(main)
except Charm4PyError as e: assert 'one (and only one) parameter' in str(e); raise SystemExit(7)
"""}, 7),
    'readonlies': ({'prog.py': """
from charm4py import charm, Chare, Group, readonlies
class A(Chare):
    def __init__(self): self.x = readonlies.x
    def get(self): return self.x, hasattr(readonlies, '_hidden'), hasattr(readonlies, 'late')
def main(args):
    readonlies.x, readonlies._hidden = 5, 6
    g = Group(A)
    charm.sleep(0)
    readonlies.late = 7
    assert g.get(ret=True).get()[1] == (5, False, False)
    charm.startQD(charm.thisProxy[1].exit)
charm.start(main)
"""}, 0),
    'pickle protocol': ({'prog.py': """
import numpy
from charm4py import charm, Chare, Group
charm.options.pickle_protocol = 2
class A(Chare):
    def go(self, x): return x
def main(args):
    x = {1, (2, 3)}, numpy.zeros(5000, '>f8')
    r = Group(A)[1].go(x, ret=True).get()
    assert r[0] == x[0] and (r[1] == x[1]).all()
    exit(8)
charm.start(main)
"""}, 8),
    'statistics': ({'prog.py': """
from charm4py import charm, Chare, Array
charm.options.profiling = True
class A(Chare):
    def go(self): pass
def main(args):
    a = Array(A, 4)
    a.go(awaitable=True).get()
    charm.thisProxy[1].printStats(awaitable=True).get()
    charm.printStats()
    exit(9)
charm.start(main)
"""}, 9),
}


@pytest.mark.parametrize('name', sorted(STARTS))
def test_start(name, tmp_path):
    files, status = STARTS[name]
    for file, source in files.items():
        (tmp_path / file).write_text(source)
    r = job(2, str(tmp_path / 'prog.py'))
    assert r.returncode == status, r.stdout
    if name == 'statistics':
        for text in ('Timings for PE 1 :', 'Timings for PE 0 :', 'Timings for all 2 PEs :',
                     "------ <class '__main__.A'> as Array ------", '__main__.main (main function)',
                     'Messages sent: ', 'Message size in bytes (min / mean / max): '):
            assert text in r.stdout


# name: source after the imports, status, texts that the output must have
MISTAKES = {
    'constructor': ('''
class A(Chare):
    def __init__(self): 1/0
def main(args): Group(A)
''', 1, ['Python Stack Traceback PE', 'ZeroDivisionError', '__main__.A.__init__']),
    'entry method': ('''
class A(Chare):
    def go(self, x): return self.deep(x)
    def deep(self, x): raise ValueError(x)
def main(args):
    a = Array(A, (2, 2)); a[1, 1].go(5)
''', 1, ['Python Stack Traceback PE 1', 'in deep', 'ValueError: 5', '__main__.A.go',
         'element (1, 1)']),
    'coroutine': ('''
class A(Chare):
    @coro
    def go(self): charm.sleep(0.01); raise ValueError('late')
def main(args): Group(A)[1].go()
''', 1, ['ValueError: late', '__main__.A.go']),
    'migrated': ('''
class A(Chare):
    def migrated(self): raise KeyError('m')
def main(args): Array(A, 1)[0].migrate(1)
''', 1, ["KeyError: 'm'", '__main__.A.migrated']),
    'unpickling an argument': ('''
class V:
    def __init__(self): self.x = 1
    def __setstate__(self, s): raise RuntimeError('cannot set')
class A(Chare):
    def go(self, v): pass
def main(args): Group(A)[1].go(V())
''', 1, ['RuntimeError: cannot set', '__main__.A.go']),
    'unpickling an element': ('''
class V:
    def __init__(self): self.x = 1
    def __setstate__(self, s): raise RuntimeError('cannot set')
class A(Chare):
    def __init__(self): self.v = V()
def main(args): Array(A, 1)[0].migrate(1)
''', 1, ['RuntimeError: cannot set', '__main__.A']),
    'pickling an element': ('''
class A(Chare):
    def __init__(self): self.v = [1, lambda: 0]
def main(args): Array(A, 1)[0].migrate(1)
''', 1, ["self.v[1]: ", '__main__.A', "Can't pickle"]),
    'argument that cannot be pickled': ('''
class A(Chare):
    def go(self, *v): pass
def main(args): Group(A)[1].go(1, {'key': [lambda: 0]})
''', 1, ["argument 2 ['key'][0] of A.go cannot be sent to another PE"]),
    'no such method': ('''
class A(Chare): pass
def main(args): Group(A).nothing()
''', 1, ["AGroupProxy' object has no attribute 'nothing'"]),
    'index out of range': ('''
class A(Chare):
    def go(self): pass
def main(args): Array(A, (2, 3))[1, 3].go()
''', 1, ['IndexError: index (1, 3) is outside the array of A with sizes (2, 3)']),
    'too many arguments': ('''
class A(Chare):
    def go(self): pass
def main(args): Group(A)[1].go(1)
''', 1, ['TypeError', 'positional argument']),
    'main': ('''
def main(args): undefined
''', 1, ['NameError', 'Python Stack Traceback PE 0']),
    'suspending in a plain method': ('''
class A(Chare):
    def go(self): charm.waitQD()
def main(args): Group(A)[1].go()
''', 1, ["NotThreadedError: Method 'A.go' must be a couroutine"]),
    'procNum': ('''
class M(ArrayMap):
    def procNum(self, index): return 77
class A(Chare): pass
def main(args): Array(A, 4, map=Group(M))
''', 1, ['M.procNum((0,)) returned 77']),
    'no resumeFromSync': ('''
class A(Chare):
    def go(self): self.AtSync()
def main(args): Array(A, 2, useAtSync=True).go()
''', 1, ["'A' object has no attribute 'resumeFromSync'"]),
    'reserved name': ('''
class A(Chare):
    def reduce(self): pass
def main(args): pass
''', 1, ["redefines reserved method 'reduce'"]),
    'unregistered class': ('''
def main(args):
    class A(Chare): pass
    Group(A)
''', 1, ['not registered for use in Groups']),
    'second start': ('''
def main(args):
    charm.start(main)
''', 1, ['charm.start() can only be called once']),
    'abort': ('''
def main(args): charm.abort('enough')
''', 1, ['enough']),
    'exit with a number': ('''
class A(Chare):
    def go(self): import sys; sys.exit(7)
def main(args): Group(A)[1].go()
''', 7, []),
    'exit with text': ('''
class A(Chare):
    def go(self): exit('bye')
def main(args): Group(A)[1].go()
''', 1, ['bye']),
    'charm.exit does not return': ('''
def main(args):
    try: charm.exit(3)
    finally: print('returned')
''', 3, []),
    'value for a complete future': ('''
def main(args):
    f = Future(); f.send(1); f.get(); f.send(2); charm.sleep(5)
''', 1, ['No pending future with fid=']),
    'wrong thread': ('''
import threading
class A(Chare):
    def go(self): pass
def main(args):
    g = Group(A)
    def f():
        try: g[1].go()
        except Exception as e: print(e)
    t = threading.Thread(target=f); t.start(); t.join(); exit(2)
''', 2, ["can only be used from the PE's main thread"]),
}


@pytest.mark.parametrize('name', sorted(MISTAKES))
def test_mistake(name, tmp_path):
    source, status, texts = MISTAKES[name]
    path = tmp_path / 'prog.py'
    path.write_text('from charm4py import *\n' + source + '\ncharm.start(main)\n')
    r = job(2, str(path))
    assert r.returncode == status, r.stdout
    for text in texts:
        assert text in r.stdout
    assert 'returned' not in r.stdout or 'procNum' in name


def test_not_started(tmp_path):
    path = tmp_path / 'prog.py'
    path.write_text('from charm4py import *\n')
    r = run([sys.executable, str(path)])
    assert r.returncode == 0
    assert 'Program is exiting but charm was not started' in r.stdout


def test_atexit_runs_and_output_is_kept(tmp_path):
    path = tmp_path / 'prog.py'
    path.write_text('''
import atexit
from charm4py import *
def main(args):
    atexit.register(lambda: print('handler ran'))
    print('args', args[1:])
    print('no newline', end='')
    exit()
charm.start(main)
''')
    r = job(2, str(path), 'one', '+balancer', 'DummyLB', '--two')
    assert r.returncode == 0, r.stdout
    assert "args ['one', '--two']" in r.stdout
    assert 'handler ran' in r.stdout and 'no newline' in r.stdout


def test_numpy_is_not_imported_for_nothing(tmp_path):
    path = tmp_path / 'prog.py'
    path.write_text('''
import sys
from charm4py import *
class A(Chare):
    def go(self, *x): return 'numpy' in sys.modules
def main(args):
    g = Group(A)
    assert g.go(1, 'a', ret=True).get() == [False] * 2
    exit()
charm.start(main)
''')
    r = job(2, str(path))
    assert r.returncode == 0, r.stdout
