"""The programs of this folder hold what the contract says."""
import pathlib

import pytest

from programs import jobs

HERE = pathlib.Path(__file__).resolve().parent


@pytest.mark.parametrize('program, npes', **jobs(HERE / 'programs'))
def test_program(program, npes):
    program.run(npes)
