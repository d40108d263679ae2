"""What counts as load for the balancer, and what the program says does not."""
import re
import subprocess

import pytest

GUARD_S = 120  # against hangs
WORK_S = 0.04

PROGRAM = '''
import time
from charm4py import charm, Chare, Array, Group, Future, Reducer
class Work(Chare):
    def go(self, f):
        self.f = f
        self.spin()                         # counts
        if charm.myPe() == 0:
            charm.LBTurnInstrumentOff()
        self.spin()                         # not on PE 0
        self.AtSync()
    def spin(self):
        end = time.process_time() + %g
        while time.process_time() < end: pass
    def resumeFromSync(self):
        self.reduce(self.f, charm.myPe(), Reducer.gather)
def main(args):
    a = Array(Work, 4, useAtSync=True)
    for step in range(2):
        f = Future()
        a.go(f)
        f.get()
        charm.thisProxy.LBTurnInstrumentOn(awaitable=True).get()
    exit()
charm.start(main)
''' % WORK_S


def loads(npes, path, *flags):
    """[[load of PE 0, of PE 1 ...] of each step]"""
    done = subprocess.run(["charmrun", f"+p{npes}", str(path), "++quiet", "+balancer", "DummyLB", "+LBDebug", "2",
                           "+LBLoad", "cpu", *flags], text=True, timeout=GUARD_S, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    steps = done.stdout.split("LB step")[1:]
    return [[float(m[1]) for m in re.finditer(r"(?m)^c4> +\d+ +\d+ +\d+ +(\S+) ", step)] for step in steps]


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "prog.py"
    path.write_text(PROGRAM)
    return path


def test_instrument_off(program):
    # contract: 3.5.11
    steps = loads(2, program)
    assert len(steps) == 2
    for here, there in steps:
        # two elements each; on PE 0 the first spin of the first one only: it switches it off
        assert WORK_S * 0.9 < here < WORK_S * 1.9, steps
        assert there > WORK_S * 3.6, steps


def test_balancing_off(program):
    # contract: 3.5.11
    assert loads(2, program, "+LBOff") == []
