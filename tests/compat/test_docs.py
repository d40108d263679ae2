"""The programs in README and guide run, and print what is said there."""
import os
import re

import pytest

from jobs import run

SRC = os.environ["C4_SRCDIR"]


def programs():
    """(page, source) of the blocks that are whole programs."""
    for page in ("README.md", os.path.join("doc", "guide.md")):
        with open(os.path.join(SRC, page)) as f:
            for block in re.findall(r"```python\n(.*?)```", f.read(), re.S):
                if "charm.start(" in block:
                    yield page, block


@pytest.mark.parametrize("npes", [0, 1, 2, 4])
@pytest.mark.parametrize("page, source", programs(), ids=lambda x: x if "\n" not in x else "program")
def test_program_runs(tmp_path, npes, page, source):
    (tmp_path / "sum.py").write_text(source)
    job = run(npes, tmp_path / "sum.py")
    assert (job.status, job.out, job.err) == (0, "280\n", "")


def test_every_page_has_a_program():
    assert {page for page, _ in programs()} == {"README.md", os.path.join("doc", "guide.md")}


# Pieces of programs, in order of the guide: each runs in main, after all of this.
PRELUDE = """
from charm4py import *
class Worker(Chare):
    def __init__(self, *args):
        self.values = [1, 2]
    def work(self, n, key=None):
        return 3
    def part(self, callback):
        self.reduce(callback, self.values, Reducer.sum)
    def in_section(self, sections, callback):
        self.reduce(callback, 1, Reducer.sum, section=sections)
class MyMap(ArrayMap):
    def procNum(self, index):
        return 0
def row_of(element):
    return element.thisIndex[0] %% 4
def func(x):
    return x
func1 = func2 = func
def pieces():
    group = Group(Worker)
    array = Array(Worker, (8, 16))
    line = Array(Worker, 6)
    items, item1, item2 = [1, 2], 1, 2
    charm.awaitCreation(array, line, group)
%s
def main(args):
    pieces()
    print('done')
    exit()
charm.start(main)
"""


def blocks():
    with open(os.path.join(SRC, "doc", "guide.md")) as f:
        found = re.findall(r"```python\n(.*?)```", f.read(), re.S)
    return [block for block in found if "charm.start(" not in block]


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.splitlines()[0][:20])
def test_piece_runs(tmp_path, block):
    block = re.sub(r"(?ms)^class .*?^(?=\S)", "", block)     # Worker is there
    block = block.replace("onPE=2", "onPE=-1").replace("group[2]", "group[0]")
    block = block.replace("onPEs=[0, 4, 8]", "onPEs=[0, 1]")
    block = block.replace("charm.split(array, 1, elems=[(1,)", "charm.split(line, 1, elems=[(1,)")
    block = block.replace("func(1, 2)", "func(1)").replace("(func, (1, 2))", "(func, (1,))")
    block = block.replace("self.reduce(callback, 1, Reducer.sum, section=rows[2])",
                          "f = Future()\nrows[2].in_section(rows[2], f)\nf.get()")
    lines = "".join(f"    {line}\n" for line in block.splitlines())
    (tmp_path / "prog.py").write_text(PRELUDE % lines)
    job = run(2, tmp_path / "prog.py")
    assert (job.status, job.out.splitlines()[-1:]) == (0, ["done"]), job.out + job.err
