"""Functions typed at the prompt of the interactive shell are tasks, too."""
import subprocess

import pytest

import jobs

SESSION = '''\
def square(x):
    return x * x

print('plain', charm.pool.map(square, range(4)))
print('lambda', charm.pool.map(lambda x: x + 1, range(3)))
@coro
def nested(n):
    return n if n < 2 else sum(charm.pool.map(nested, [n - 1, n - 2]))

print('nested', charm.pool.Task(nested, (7,), ret=True).get())
class P:
    def __init__(self, x): self.x = x
    def same(self, o): return type(o) is P

print('class', charm.pool.map(lambda o: isinstance(o, P) and o.same(P(1)), [P(1), 2]))
print('result', [p.same(p) and p.x for p in charm.pool.map(P, [3, 4])])
class P: y = 1

print('again', [type(p) is P and p.y for p in charm.pool.map(lambda x: P(), [3, 4])])
exit(3)
'''


@pytest.mark.parametrize('npes', [1, 3])
def test_functions_of_the_prompt(npes):
    # contract: 13.28 13.30
    job = subprocess.run([jobs.CHARMRUN, f'+p{npes}', '++interactive'], input=SESSION, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=jobs.GUARD_S)
    assert job.returncode == 3, job.stdout
    for text in ('plain [0, 1, 4, 9]', 'lambda [1, 2, 3]', 'nested 13', 'class [True, False]', 'result [3, 4]',
                 'again [1, 1]'):
        assert text in job.stdout, job.stdout
