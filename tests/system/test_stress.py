"""Under +stress the same programs give the same results."""
import os
import re
import subprocess

import pytest

from jobs import EXAMPLES, run

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("C4_SRCDIR", os.path.join(HERE, "..", ".."))
STRESS = ["migrate", "evict", "log", "migrate,evict,log"]


def result(text):
    """What a program printed but for times and for how many PEs it ran on."""
    text = re.sub(r"[\d.]+ m?s\b", "TIME", text)
    text = re.sub(r"on \d+ PEs?", "on PES", text)
    return sorted(line for line in text.splitlines() if "TIME each" not in line)


def check(npes, program, *args, stress):
    flags = ["+stress", stress] if stress else []
    job = run(npes, program, *args, *flags)
    assert job.status == 0, job.out + job.err
    assert job.err == ""
    return result(job.out)


C = [("stencil", 6, 8, 30), ("kneighbour", 16, 2, 30)]


@pytest.mark.parametrize("npes", [1, 2, 4])
@pytest.mark.parametrize("stress", STRESS)
@pytest.mark.parametrize("program", C, ids=[c[0] for c in C])
def test_c_examples(program, stress, npes):
    path = os.path.join(EXAMPLES, program[0])
    plain = check(1, path, *program[1:], stress=None)
    assert check(npes, path, *program[1:], stress=stress) == plain


@pytest.mark.parametrize("npes", [2, 4])
@pytest.mark.parametrize("stress", STRESS)
def test_c_examples_with_a_balancer(stress, npes):
    path = os.path.join(EXAMPLES, "kneighbour")
    plain = check(1, path, 16, 2, 30, stress=None)
    assert check(npes, path, 16, 2, 30, "+balancer", "RotateLB", stress=stress) == plain


@pytest.mark.parametrize("stress", STRESS)
@pytest.mark.parametrize("program", sorted(f for f in os.listdir(HERE)
                                           if f.startswith("py_") and f != "py_leaks.py"))
def test_python_programs(program, stress):
    plain = run(2, os.path.join(HERE, program))
    stressed = run(2, os.path.join(HERE, program), "+stress", stress)
    assert stressed.status == plain.status, stressed.out + stressed.err
    assert stressed.err == plain.err == ""


@pytest.mark.parametrize("npes", [2, 4])
@pytest.mark.parametrize("stress", STRESS)
def test_particles(stress, npes):
    """The program counts its particles itself: the status tells."""
    pytest.importorskip("numpy")
    job = run(npes, os.path.join(SOURCE, "examples", "particle.py"), 4, 200, 10, 5, "+stress", stress,
              "+balancer", "GreedyRefineLB")
    assert job.status == 0, job.out + job.err
    before, after = re.search(r"particles: (\d+) before, (\d+) after", job.out).groups()
    assert before == after
