"""Every example runs on 1, 2 and 4 PEs and comes to the right result."""
import os
import pathlib
import re
import subprocess

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / 'examples'
GUARD_S = 300  # against hangs only

# Example -> its arguments, and what its output must match. All check themselves, too.
RUNS = {
    'basics/hello.py': ('', r'element 1 on PE \d heard: hello'),
    'basics/channel.py': ('50', r"received 50 messages, the last is \(49, 'message 49'\)"),
    'basics/futures.py': ('', r'^25 \[0, 1, 4, 9, 16, 25\]$'),
    'basics/answers.py': ('', r"^a rose \[1, 1, 2, 1\] KeyError\('poems'\)$"),
    'basics/callback.py': ('', r'^the result is 210$'),
    'basics/reduction.py': ('7', r'^7 rounds, each gave '),
    'basics/reducers.py': ('', r'^sum, product, max, min of 1 to 8: 36 40320 8 1$'),
    'basics/ring.py': ('10', r'^after 10 rounds the \d+ values add up to (28|120|496)\.0'),
    'basics/sections.py': ('', r'^rows, corner, diagonal'),
    'basics/pool.py': ('', r'^\[0, 1, 4, 9, 16, 25, 36, 49, 64, 81\] \[121, 144\] 1024 \[5, 3\]$'),
    'basics/runtime.py': ('', r'(3|14|84) calls until nothing was left to do$'),
    'basics/timings.py': ('', r'^\| work +\|'),
    'hello_array.py': ('5', r'^hello from element \(4,\) on PE \d, 4 before me$'),
    'hello_group.py': ('', r'^hello from PE 0 of \d$'),
    'pi.py': ('20000 9', r'^pi is about 3\.\d+ \(20007 darts'),
    'parmap.py': ('1000 30', r'^of 1 to 1000, 871 takes longest: 178 steps$'),
    'jacobi2d.py': ('48 3 40', r'^40 iterations: heat (\d+\.\d+), alone \1$'),
    'wave2d.py': ('40 5 20', r'^after 20 steps the water is between '),
    'cannon.py': ('30 3', r'^30 x 30 on 3 x 3 chares: right$'),
    'insertion.py': ('25', r'^25 elements, their numbers add up to 300$'),
    'shortest_paths.py': ('300 3 7', r'^\d+ of 300 vertices reached'),
    'molecules.py': ('4 200 9 3 +balancer GreedyRefineLB', r'atoms (\d+) and \1,'),
    'multi_module/main.py': ('60', r'^17 primes up to 60, the last is 59$'),
    'particle.py': ('4 200 6 2 +balancer GreedyRefineLB', r'^particles: (\d+) before, \1 after$'),
    'fibonacci.py': ('12', r'^fibonacci\(12\) = 144$'),
    'parameter_server.py': ('', r''),
    'nqueens.py': ('6 2', r'^ways for 6 queens on a board of 6 x 6: 4$'),
}


def run(npes, name, arguments, **environment):
    return subprocess.run(['charmrun', f'+p{npes}', '++quiet', str(EXAMPLES / name), *arguments.split()],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=GUARD_S, env={**os.environ, **environment})


def test_no_example_is_forgotten():
    modules = {'multi_module/sieve.py', 'multi_module/collector.py'}
    there = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob('*.py')}
    assert there - modules == set(RUNS)


@pytest.mark.parametrize('npes', [1, 2, 4])
@pytest.mark.parametrize('name', RUNS)
def test_result(name, npes):
    arguments, pattern = RUNS[name]
    job = run(npes, name, arguments)
    assert job.returncode == 0, job.stdout + job.stderr
    assert re.search(pattern, job.stdout, re.MULTILINE), job.stdout


@pytest.mark.parametrize('name', ['particle.py 3 100 6 2', 'molecules.py 3 60 4 2', 'insertion.py 9',
                                  'shortest_paths.py 60 3 5', 'wave2d.py 20 4 6'])
def test_result_when_elements_move_all_the_time(name):
    name, arguments = name.split(' ', 1)
    job = run(3, name, arguments + ' +stress migrate')
    assert job.returncode == 0, job.stdout + job.stderr


@pytest.mark.parametrize('name,arguments', [
    ('cannon.py', '10 3'), ('jacobi2d.py', '10 3'), ('wave2d.py', '10 3'), ('pi.py', '0'),
    ('insertion.py', '0'), ('molecules.py', '2'), ('hello_array.py', '0'),
    ('multi_module/main.py', '1')])
def test_bad_arguments_are_refused(name, arguments):
    job = run(2, name, arguments)
    assert job.returncode == 1 and 'usage: ' in job.stdout + job.stderr


def test_both_ways_to_relax(tmp_path):
    """The loops for Numba give what NumPy gives; a stand-in for Numba leaves them as they are."""
    (tmp_path / 'numba.py').write_text('def njit(function):\n    return function\n')
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    job = run(2, 'jacobi2d.py', '12 2 10', PYTHONPATH=path)
    assert job.returncode == 0 and 'update by Numba' in job.stdout, job.stdout + job.stderr
