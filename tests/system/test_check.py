"""The figures of a recording are true: `c4prof check` is silent after every example and every
stress program, whatever the number of PEs, at both levels; and there is a report."""
import concurrent.futures
import os
import pathlib
import subprocess

import pytest

from programs import programs
from test_examples import EXAMPLES, RUNS

HERE = pathlib.Path(__file__).resolve().parent
BUILD = os.path.abspath(os.environ.get('C4_BUILDDIR', '.'))
STRESS = {p.path.stem: p for p in programs(HERE.parent / 'stress' / 'programs')}
GUARD_S = 300  # against hangs only

C_EXAMPLES = {
    'stencil': '6 8 20',
    'kneighbour': '16 2 30 +balancer GreedyRefineLB',
}
FEW = ['broadcast_migrate', 'futures_elsewhere', 'reductions_interleaved', 'suspend_anywhere']
LEVELS = ['full', 'summary']


def command(*words, cwd, status=0):
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=GUARD_S)
    assert done.returncode == status, f'{words}: status {done.returncode}\n{done.stdout}'
    return done.stdout


def check(folder, file):
    assert command('c4prof', 'check', file, cwd=folder) == ''
    assert command('c4prof', 'report', file, cwd=folder) != ''


def record(folder, level, npes, *words, status=0):
    file = f'{level}.db'
    command('charmrun', f'+p{npes}', '++quiet', *words, '+trace', file, '+traceLevel', level,
            cwd=folder, status=status)
    check(folder, file)


def record_both(folder, npes, *words, status=0):
    """At the same time: half of a job is waiting."""
    with concurrent.futures.ThreadPoolExecutor(len(LEVELS)) as pool:
        for job in [pool.submit(record, folder, level, npes, *words, status=status) for level in LEVELS]:
            job.result()


@pytest.mark.parametrize('npes', [1, 2, 4, 8])
@pytest.mark.parametrize('name', RUNS)
def test_examples(tmp_path, name, npes):
    record_both(tmp_path, npes, str(EXAMPLES / name), *RUNS[name][0].split())


@pytest.mark.parametrize('npes', [1, 2, 4, 8])
@pytest.mark.parametrize('name', C_EXAMPLES)
def test_examples_in_c(tmp_path, name, npes):
    record_both(tmp_path, npes, os.path.join(BUILD, 'examples', name), *C_EXAMPLES[name].split())


@pytest.mark.parametrize('npes', [2, 4])
@pytest.mark.parametrize('name', [name for name, p in STRESS.items() if not p.once])
def test_stress_programs(tmp_path, name, npes):
    program = STRESS[name]
    if npes not in program.npes:
        pytest.skip('not for so many PEs')
    record_both(tmp_path, npes, str(program.path), *program.arguments, status=program.status)


@pytest.mark.parametrize('name', ['kneighbour', 'stencil', 'particle.py', 'insertion.py', 'wave2d.py', *FEW])
def test_elements_that_move_all_the_time(tmp_path, name):
    if name in STRESS:
        words = [str(STRESS[name].path), *STRESS[name].arguments]
    elif name in C_EXAMPLES:
        words = [os.path.join(BUILD, 'examples', name), '16', '2', '10']
    else:
        words = [str(EXAMPLES / name), *{'particle.py': '3 100 6 2', 'insertion.py': '9',
                                         'wave2d.py': '20 4 6'}[name].split()]
    record_both(tmp_path, 3, *words, '+stress', 'migrate,evict,log')


# ---- Recordings with gaps ----------------------------------------------------------------

def test_limit(tmp_path):
    """Details stop; what is there, and the sums, are still true."""
    command('charmrun', '+p2', '++quiet', os.path.join(BUILD, 'examples', 'stencil'), '+trace', 'run.db',
            '+traceLimit', '64K', cwd=tmp_path)
    check(tmp_path, 'run.db')


KILLED = """
import os, signal, time
from charm4py import charm, Chare, Group

class Worker(Chare):
    def work(self, n):
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        if n == 50 and charm.myPe() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        self.thisProxy[(charm.myPe() + n) % charm.numPes()].work(n + 1)

def main(args):
    Group(Worker).work(0)

charm.start(main)
"""


@pytest.mark.parametrize('level', LEVELS)
def test_killed_pe(tmp_path, level):
    (tmp_path / 'prog.py').write_text(KILLED)
    done = subprocess.run(['charmrun', '+p3', 'prog.py', '+trace', 'run.db', '+traceLevel', level],
                          cwd=tmp_path, capture_output=True, timeout=GUARD_S)
    assert done.returncode != 0
    check(tmp_path, 'run.db')


@pytest.mark.parametrize('npes', [1, 2])
def test_counters(tmp_path, npes):
    record_both(tmp_path, npes, str(EXAMPLES / 'pi.py'), '2000', '5', '+papi',
                'perf::TASK-CLOCK,perf::PAGE-FAULTS')
