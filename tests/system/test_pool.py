"""The programs pool_*.py and the examples of the pool run on several numbers of PEs;
errors that nobody waits for, and exit() in a task, end the job as they should."""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, '..', '..', 'examples')
PROGRAMS = sorted(f for f in os.listdir(HERE) if f.startswith('pool_') and f.endswith('.py'))
LIMIT_S = 120  # against hangs only


def run(argv, **kw):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=LIMIT_S, **kw)


def job(npes, program, *args):
    return run(['charmrun', f'+p{npes}', program, *args])


@pytest.mark.parametrize('npes', [1, 2, 3, 4, 8])
@pytest.mark.parametrize('program', PROGRAMS)
def test_program(program, npes):
    # contract: 13.2 13.3
    r = job(npes, os.path.join(HERE, program))
    assert r.returncode == 0, r.stdout
    workers = max(1, npes - 1)
    line = (f'Initializing charm.pool with {workers} worker PEs. Warning: charm.pool is '
            'experimental (API and performance is subject to change)\n')
    assert r.stdout.count(line) == 1, r.stdout


@pytest.mark.parametrize('program', PROGRAMS)
def test_program_without_launcher(program):
    r = run([sys.executable, os.path.join(HERE, program)])
    assert r.returncode == 0, r.stdout


@pytest.mark.parametrize('program', ['pool_nested.py', 'pool_errors.py'])
def test_program_under_stress(program):
    r = job(3, os.path.join(HERE, program), '+stress', 'migrate,evict,log')
    assert r.returncode == 0, r.stdout


@pytest.mark.parametrize('npes', [1, 2, 4])
@pytest.mark.parametrize('program, text', [
    (('fibonacci.py', '15'), 'fibonacci(15) = 610'),
    (('nqueens.py', '8', '3'), 'queens on a board of 8 x 8: 92'),
    (('nqueens.py', '6', '6'), 'queens on a board of 6 x 6: 4'),
    (('parameter_server.py',), 'the line is 3.00 x + -1.00'),
])
def test_example(program, text, npes):
    r = job(npes, os.path.join(EXAMPLES, program[0]), *program[1:])
    assert r.returncode == 0 and text in r.stdout, r.stdout


# name: source after the imports, status, texts that the output must have
ENDS = {
    'exit in a task': ('''
def leave(x):
    if x == 5: exit(7)
def main(args): charm.pool.map(leave, range(10)); print('not reached')
''', 7, []),
    'exit in a Task': ('''
def leave(): import sys; sys.exit(3)
def main(args): charm.pool.Task(leave, ()); charm.sleep(60); print('not reached')
''', 3, []),
    'exit in a nested coroutine': ('''
@coro
def leave(n):
    if n: charm.pool.map(leave, [n - 1])
    else: exit(9)
    print('not reached')
def main(args): charm.pool.map(leave, [4]); print('not reached')
''', 9, []),
    'charm.exit in a task': ('''
@coro
def leave(n): charm.pool.map(leave, [n - 1]) if n else charm.exit(4)
def main(args): charm.pool.map(leave, [3]); print('not reached')
''', 4, []),
    'exit while tasks wait': ('''
@coro
def wait(x): Future().get()
def main(args):
    charm.pool.map_async(wait, range(50)); charm.sleep(0.05); exit(6)
''', 6, []),
    'error in a Task': ('''
def bad(): raise KeyError('nobody waits')
def main(args): charm.pool.Task(bad, ()); charm.sleep(60)
''', 1, ["KeyError: 'nobody waits'", 'in bad', 'Python Stack Traceback PE']),
    'error in a nested Task': ('''
def bad(): raise KeyError('nobody waits')
def makes(): charm.pool.Task(bad, ())
def main(args): charm.pool.Task(makes, ()); charm.sleep(60)
''', 1, ["KeyError: 'nobody waits'"]),
    'error that main does not catch': ('''
def bad(x): raise KeyError('main waits')
def main(args): charm.pool.map(bad, range(3))
''', 1, ["KeyError: 'main waits'", 'in bad', 'in main']),
    'plain function that waits': ('''
def sub(x): return x
def plain(x): return charm.pool.map(sub, [x])
def main(args): charm.pool.map(plain, [1])
''', 1, ['Function plain must be decorated with @coro to be able to suspend']),
    'map outside of a coroutine': ('''
class A(Chare):
    def go(self): charm.pool.map(abs, [1])
def main(args): Group(A).go()
''', 1, ["NotThreadedError: Method 'A.go' must be a couroutine"]),
}


@pytest.mark.parametrize('npes', [1, 2, 4])
@pytest.mark.parametrize('name', sorted(ENDS))
def test_end(name, npes, tmp_path):
    # contract: 13.18 13.21 13.24
    source, status, texts = ENDS[name]
    path = tmp_path / 'prog.py'
    path.write_text('from charm4py import *\n' + source + '\ncharm.start(main)\n')
    r = job(npes, str(path))
    assert r.returncode == status, r.stdout
    assert 'not reached' not in r.stdout
    for text in texts:
        assert text in r.stdout


def test_without_cloudpickle(tmp_path):
    # contract: 13.26
    (tmp_path / 'cloudpickle.py').write_text('raise ImportError("not here")\n')
    path = tmp_path / 'prog.py'
    path.write_text('''
from charm4py import *
from charm4py.charm import Charm4PyError
twice = (lambda k: lambda o: (type(o), k * o.a))(2)
import collections
C = collections.namedtuple('Other', 'a')
def main(args):
    assert charm.pool.map(twice, [C(1)]) == [(C, 2)]
    try:
        charm.pool.map(lambda x: x, [1])
    except Charm4PyError as e:
        assert 'cannot import main.<locals>.<lambda>' in str(e) and 'cloudpickle' in str(e), e
        exit(5)
charm.start(main)
''')
    r = job(2, str(path))
    assert r.returncode == 5, r.stdout


def test_function_missing_elsewhere(tmp_path):
    # contract: 13.26
    path = tmp_path / 'prog.py'
    path.write_text('''
import os
from charm4py import *
if os.environ.get('HERE', '') == '':
    os.environ['HERE'] = 'x'
def main(args):
    import late
    late.only = only
    try:
        charm.pool.map(late.only, [1])
    except NameError as e:
        assert 'does not know a function' in str(e), e
    assert charm.pool.map(abs, [-1]) == [1]
    exit(5)
def only(x): return x
only.__module__ = 'late'
charm.start(main)
''')
    (tmp_path / 'late.py').write_text('')
    r = job(2, str(path))
    assert r.returncode == 5, r.stdout


@pytest.mark.parametrize('npes', [1, 2])
def test_class_under_another_name_of_a_module(tmp_path, npes):
    # contract: 13.29
    (tmp_path / 'shapes.py').write_text('''
from collections import namedtuple
Point = namedtuple('P', 'x y')
def is_point(p): return type(p) is Point
''')
    path = tmp_path / 'prog.py'
    path.write_text('''
from charm4py import *
import shapes
def main(args):
    assert charm.pool.map(shapes.is_point, [shapes.Point(1, 2)]) == [True]
    assert charm.pool.map(lambda p: shapes.is_point(p), [shapes.Point(1, 2)]) == [True]
    assert [type(p) for p in charm.pool.map(lambda x: shapes.Point(x, x), [1])] == [shapes.Point]
    exit(5)
charm.start(main)
''')
    r = job(npes, str(path))
    assert r.returncode == 5, r.stdout


def test_progress(tmp_path):
    # contract: 13.25
    path = tmp_path / 'prog.py'
    path.write_text('''
from charm4py import *
def main(args):
    assert len(charm.pool.map(abs, range(300), chunksize=7, progress=True)) == 300
    exit()
charm.start(main)
''')
    r = subprocess.run(['charmrun', '+p3', str(path)], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
    assert r.returncode == 0, r.stderr
    assert r.stderr.endswith('charm.pool: 300 of 300 (100 %)\n'), r.stderr
    assert '100 %' not in r.stdout
