"""The Python benchmark runs and prints every figure: a smoke test, not a measurement."""
import os
import subprocess
import sys

SRC = os.environ.get('C4_SRCDIR', os.path.join(os.path.dirname(__file__), '..', '..'))


def test_every_figure_is_printed():
    program = os.path.join(SRC, 'tests', 'bench', 'py_bench.py')
    out = subprocess.run(['charmrun', '+p2', '++quiet', program, '1', '0.02'], timeout=120,
                         capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    lines = out.stdout.splitlines()
    assert len(lines) == 16, out.stdout
    for line in lines[1:]:
        name, best = line.split()[:2]
        assert float(best) > 0, name


def test_a_job_that_does_nothing_is_measured():
    program = os.path.join(SRC, 'tests', 'bench', 'start_bench.py')
    out = subprocess.run([sys.executable, program, '1'], timeout=120, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert len(out.stdout.splitlines()) == 5, out.stdout
