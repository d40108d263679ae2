"""Each command line of doc/tutorial.md works, in the order of the page."""
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = (TOP / 'doc' / 'tutorial.md').read_text()
STEPS = re.split(r'^## ', PAGE, flags=re.MULTILINE)[1:]
GUARD_S = 300  # against hangs only


def commands(text):
    return [line.strip() for line in text.splitlines() if line.startswith('    ')]


@pytest.mark.parametrize('step', STEPS, ids=[step.splitlines()[0] for step in STEPS])
def test_step(step, tmp_path):
    (tmp_path / 'examples').symlink_to(TOP / 'examples')
    assert commands(step)
    for line in commands(step):
        job = subprocess.run(line.split(), cwd=tmp_path, stdin=subprocess.DEVNULL, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=GUARD_S)
        assert job.returncode == 0 and job.stdout.strip(), (line, job.stdout)


def test_pages_and_programs_exist():
    for name in re.findall(r'`([\w-]+\.md)`', PAGE):
        assert (TOP / 'doc' / name).exists(), name
    for name in re.findall(r'examples/[\w/]+\.py', PAGE):
        assert (TOP / name).exists(), name
