"""charm.printStats(): what it prints, row by row."""
import re
import subprocess
import sys

import pytest

GUARD_S = 120  # against hangs

PROGRAM = '''
import time
from charm4py import charm, Chare, Group, Array, Channel, Future, Reducer, coro
import numpy
charm.options.profiling = True

DATA = numpy.zeros(200000)

def slow(contribs):
    time.sleep(0.02)
    return sum(contribs)

Reducer.addReducer(slow)

class Base(Chare):
    def inherited(self): time.sleep(0.03)

class Zeta(Base):
    def __init__(self): time.sleep(0.01)
    def busy(self):
        time.sleep(0.05)
        self.locally()
    def locally(self): time.sleep(0.02)
    @coro
    def sleeps(self): charm.sleep(0.5)
    def take(self, data): pass
    def custom(self, f): self.reduce(f, 1, Reducer.slow)
    def builtin(self, f): self.reduce(f, 1, Reducer.sum)
    def sends(self, other, f):
        for i in range(20):
            other.take(DATA)
            self.reduce(f, DATA, Reducer.sum)
    def hop(self, to): self.migrate(to)

class Alpha(Base):
    @coro
    def talk(self, to):
        ch = Channel(self, remote=to)       # to itself on one PE
        ch.send(1)
        ch.recv()

class Unused(Chare):
    def never(self): pass

def main(args):
    n = charm.numPes()
    z, a = Array(Zeta, 2 * n), Group(Alpha)
    charm.awaitCreation(z, a)
    z[0].inherited(awaitable=True).get()
    z[0].busy(awaitable=True).get()
    z[0].sleeps(awaitable=True).get()
    z[2 * n - 1].take(numpy.zeros(1000), awaitable=True).get()
    for method in (z.custom, z.builtin):
        f = Future()
        method(f)
        f.get()
    f = Future(20)
    z.sends(z[2 * n - 1], f)
    f.get()
    if n > 1:
        a[0].talk(a[n - 1])
    a[n - 1].talk(a[0], awaitable=True).get()
    charm.waitQD()
    charm.thisProxy[n - 1].printStats(awaitable=True).get()
    charm.printStats()
    exit()

charm.start(main)
'''


def run(path, npes):
    done = subprocess.run(["charmrun", f"+p{npes}", str(path), "++quiet"], text=True, timeout=GUARD_S,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module", params=[1, 2])
def tables(request, tmp_path_factory):
    """npes, and the printed tables: of the last PE, of PE 0, of all."""
    path = tmp_path_factory.mktemp("prof") / "prog.py"
    path.write_text(PROGRAM)
    printed = re.split("^(?=Timings for )", run(path, request.param), flags=re.M)
    assert printed[0] == "" and len(printed) == (4 if request.param > 1 else 3)
    # What PEs print comes in any order; sorted() keeps that of one PE.
    return request.param, sorted(printed[1:], key=lambda t: (t.startswith("Timings for all"),
                                                             t.startswith("Timings for PE 0")))


def parse(text):
    """(lines, rows by separator and name): each row is its cells as text."""
    lines = text.split("\n")
    rows, where = {}, None
    for line in lines:
        if line.startswith("-"):
            where = line
        elif line.startswith("|"):
            cells = line[2:-2].split(" | ")
            rows.setdefault(where, {})[cells[0].strip()] = [c.strip() for c in cells[1:]]
    return lines, rows


ZETA = "------ <class '__main__.Zeta'> as Array ------"
ALPHA = "------ <class '__main__.Alpha'> as Group ------"
MAIN = "------ <class 'charm4py.chare.DefaultMainchare'> as Mainchare ------"
DASHES = "-" * 59


def test_layout(tables):
    # contract: 15.3 15.8 15.9 15.15
    npes, texts = tables
    for text, title in zip(texts, (f"PE {npes - 1}", "PE 0", f"all {npes} PEs")):
        lines, _ = parse(text)
        assert lines[0] == f"Timings for {title} :"
        table = [line for line in lines if line.startswith("|")]
        assert len({len(line) for line in table}) == 1
        assert [c.strip() for c in table[0][2:-2].split(" | ")] == ["", "em", "send", "recv", "total"]
        bars = [[i for i, c in enumerate(line) if c == "|"] for line in table]
        assert all(b == bars[0] for b in bars)
        end = lines.index(DASHES)
        shape = [line if line == DASHES else re.sub(r" *\|.*", "", line[2:]).strip()
                 for line in lines[end:end + 8]]
        assert shape == [DASHES, "", DASHES, "reductions", "custom reductions", "migrating out", DASHES, ""]
        assert len(DASHES) == 59
        tail = lines[end + 8:]
        number = r"\d+(\.\d+)?"
        for i, word in enumerate(("sent", "received")):
            empty, n, sizes, total = tail[4 * i:4 * i + 4]
            assert empty == "" and re.fullmatch(rf"Messages {word}: \d+", n)
            assert re.fullmatch(r"Message size in bytes \(min / mean / max\): "
                                rf"{number} / {number} / {number}", sizes), sizes
            assert re.fullmatch(rf"Total bytes = {number} MB", total)
        assert tail[8] == "" and not any(tail[8:])


def test_classes_and_rows(tables):
    # contract: 15.4 15.5 15.7
    _, texts = tables
    lines, rows = parse(texts[1])
    separators = [line for line in lines if line.startswith("------ ")]
    assert separators[:2] == [ALPHA, ZETA] and MAIN in separators     # Unused is not in use
    assert not any("Unused" in line or "Base" in line for line in lines)
    assert list(rows[ALPHA]) == ["__init__", "_channelConnect__", "_channelRecv__",
                                 "_coll_future_deposit_result", "_getSectionLocations_", "inherited",
                                 "talk"]
    assert list(rows[ZETA]) == ["__init__", "migrated", "AtSync", "_channelConnect__", "_channelRecv__",
                                "_coll_future_deposit_result", "_getSectionLocations_", "builtin", "busy",
                                "ckDestroy", "custom", "hop", "inherited", "locally", "migrate", "sends",
                                "setMigratable", "sleeps", "take"]
    assert list(rows[MAIN]) == ["__main__.main (main function)"]


def test_internal_classes_are_left_out_while_they_cost_nothing(tables):
    # contract: 15.6
    for text in tables[1]:
        _, rows = parse(text)
        for where, methods in rows.items():
            if where and "charm4py.charm.CharmRemote" in where:
                assert sum(float(row[3]) for row in methods.values()) >= 0.001 - 0.0005 * len(methods)


def test_times(tables):
    # contract: 15.11 15.12 15.13
    _, rows = parse(tables[1][1])
    zeta = {name: [float(x) for x in row] for name, row in rows[ZETA].items()}
    assert zeta["inherited"][0] >= 0.03 - 0.001
    assert zeta["busy"][0] >= 0.07 - 0.001             # with the plain call
    assert zeta["locally"] == [0, 0, 0, 0]
    assert zeta["sleeps"][0] < 0.5                      # suspended time is not counted
    assert zeta["__init__"][0] >= 0.02 - 0.001
    assert zeta["sends"][1] > 5 * zeta["sends"][0]      # nearly all of it are calls and reductions
    assert zeta["AtSync"] == [0, 0, 0, 0]


def test_sums(tables):
    # contract: 15.11 15.14
    npes, texts = tables
    for text in texts:
        _, rows = parse(text)
        shown = [[float(x) for x in row] for where, methods in rows.items() if where and where != DASHES
                 for row in methods.values()]
        slack = 0.0006 * (len(shown) + 4)               # each was rounded by itself
        for row in shown:
            assert abs(row[3] - sum(row[:3])) < 0.002
        total = [float(x) for x in text.split(DASHES)[1].strip("\n| ").split("|")]
        for i in range(4):
            assert abs(total[i] - sum(row[i] for row in shown)) < slack
        below = {name: rows[DASHES][name] for name in ("reductions", "custom reductions", "migrating out")}
        assert all(row[0] == row[1] == "" and row[2] == row[3] for row in below.values())
        grand = [float(x) for x in rows[DASHES][""]]
        extra = sum(float(row[2]) for row in below.values())
        for i, more in enumerate((0, 0, extra, extra)):
            assert abs(grand[i] - total[i] - more) < 0.004
    # contract: 15.14
    _, rows = parse(texts[-1])
    assert float(rows[DASHES]["custom reductions"][3]) >= 0.02 - 0.001


def test_messages(tables):
    # contract: 15.9
    npes, texts = tables
    sent, received = [], []
    for text in texts[:2]:
        sent.append(int(re.search(r"Messages sent: (\d+)", text)[1]))
        received.append(int(re.search(r"Messages received: (\d+)", text)[1]))
    if npes == 1:
        return
    assert min(sent) > 0 and received[0] > 0
    least, mean, most = re.search(r"max\): (\S+) / (\S+) / (\S+)\nTotal bytes = \S+ MB\n\nMessages rec",
                                  texts[1]).groups()
    assert int(least) <= float(mean) <= int(most) and int(most) >= 8000   # the array


def test_no_messages_and_not_wanted(tmp_path):
    # contract: 15.1 15.10
    path = tmp_path / "prog.py"
    path.write_text("from charm4py import charm\ncharm.options.profiling = {}\n"
                    "def main(args):\n    charm.printStats()\n    exit()\ncharm.start(main)\n")
    text = path.read_text()
    path.write_text(text.format(False))
    assert run(path, 1) == "NOTE: called charm.printStats() but profiling is disabled\n"
    path.write_text(text.format(True))
    out = run(path, 1)
    assert "Messages sent: 0\nMessage size in bytes (min / mean / max): 0 / 0.0 / 0\nTotal bytes = 0.0 MB" in out


def test_before_the_start(tmp_path):
    # contract: 15.2
    path = tmp_path / "prog.py"
    path.write_text("from charm4py import charm\ncharm.printStats()\n")
    done = subprocess.run([sys.executable, str(path)], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=GUARD_S)
    assert done.returncode == 1 and "AssertionError: charm was not started" in done.stderr
