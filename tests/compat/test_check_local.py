"""+checkLocal finds arguments that are changed between a call within a PE and its delivery."""
import pathlib

import pytest

from jobs import run, write

SYSTEM = pathlib.Path(__file__).resolve().parent.parent / 'system'

PROGRAM = '''
class A(Chare):
    def go(self, x, y=None, *more): return len(x)
def main(args):
    a = Array(A, 1)
    charm.awaitCreation(a)
    data, table = [1], {'k': [bytearray(3)]}
    a[0].go(data, print, a, lambda: 0, Future())    # cannot be looked into, or are not to be
    a[0].go(data, ret=True).get()
    data.append(2)                                  # it has been delivered
    if args[1] == 'list':
        a[0].go([1], data)                          # the call
        data.append(3)
        a[0].go([1], awaitable=True).get()
    elif args[1] == 'deep':
        f = a[0].go([1], 5, table, ret=True)
        table['k'][0][1] = 7
        try: f.get()
        except Exception as e: print(type(e).__name__, e); exit(3)
    exit()
'''


@pytest.mark.parametrize('npes', [0, 1, 2])
def test_a_changed_argument_is_named(tmp_path, npes):
    # contract: 5.5.21
    program = write(tmp_path, PROGRAM)
    job = run(npes, program, 'list', '+checkLocal')
    assert job.status == 1
    line = next(i for i, text in enumerate(program.read_text().splitlines(), 1) if '# the call' in text)
    job.says(f'+checkLocal: argument 2 (list) of the call of A.go ({program}:{line}, in main) was changed')


def test_the_error_goes_to_who_waits(tmp_path):
    # contract: 5.5.21
    job = run(2, write(tmp_path, PROGRAM), 'deep', '+checkLocal')
    assert job.status == 3, job.err
    assert 'Charm4PyError +checkLocal: argument 3 (dict) of the call of A.go' in job.out


@pytest.mark.parametrize('which', ['list', 'deep', 'none'])
def test_only_with_the_flag(tmp_path, which):
    assert run(1, write(tmp_path, PROGRAM), which).status == 0


@pytest.mark.parametrize('program', ['py_calls.py', 'py_waiting.py', 'py_migration.py', 'py_reductions.py'])
def test_nothing_is_found_where_nothing_is_wrong(program):
    for more in ([], ['+stress', 'migrate']):
        job = run(2, SYSTEM / program, '+checkLocal', *more)
        assert job.status == 0, job.err
