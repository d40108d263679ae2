"""What breaks in practice, over and over: C4_REPEAT times each (`make stress`: 100), and
once more with elements that move after every message."""
import os
import pathlib

import pytest

from programs import jobs

HERE = pathlib.Path(__file__).resolve().parent
REPEAT = int(os.environ.get('C4_REPEAT', 1))


@pytest.mark.parametrize('program, npes', **jobs(HERE / 'programs'))
def test_program(program, npes):
    for _ in range(1 if program.once else REPEAT):
        program.run(npes)


@pytest.mark.parametrize('program, npes', **jobs(HERE / 'programs', lambda p: p.stress))
def test_with_rare_events(program, npes):
    """Elements move after every message, tables forget, broadcasts are logged."""
    program.run(npes, '+stress', 'migrate,evict,log')
