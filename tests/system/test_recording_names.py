"""Jobs that record into one name at the same moment: no database has PEs of two of them, and
each job's recording is where it said, unless a later job was to replace it."""
import os
import re
import sqlite3
import subprocess
import time

import pytest

BUILD = os.path.abspath(os.environ.get("C4_BUILDDIR", "."))
CHARMRUN = os.path.join(BUILD, "bin", "charmrun")
C4PROF = os.path.join(BUILD, "bin", "c4prof")
PIDS = os.path.join(BUILD, "tests", "system", "pids")
ROUNDS = 50
GUARD_S = 60  # against hangs

ALONE, ONE, TWO = [PIDS], [CHARMRUN, "+p1", PIDS], [CHARMRUN, "+p2", PIDS]


def start(cwd, program, *words, name="run.db"):
    return subprocess.Popen([*program, *words, "+trace", name], cwd=cwd, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def finish(job):
    """The pids that the job printed, and the name of its database, as it told."""
    out, err = job.communicate(timeout=GUARD_S)
    told = re.findall(r"c4: .*: record(?:ing|ed) into (\S+)", err)
    done = re.findall(r"c4: recorded .* in (\S+)", err)
    name = os.path.basename(told[-1]) if told else "run.db"
    assert not done or os.path.basename(done[0]) == name, err
    for line in err.splitlines():
        assert re.search(r"^c4: recorded .* in |^c4: .* recording into |was killed by signal", line), err
    return {int(pid) for pid in re.findall(r"^pid (\d+)", out, re.M)}, name


def pids_in(path):
    db = sqlite3.connect(path)
    try:
        return {pid for pid, in db.execute("SELECT pid FROM pe")}
    finally:
        db.close()


def databases(folder):
    """The pids in each; nothing else is left in the folder, which is then empty."""
    found = {}
    for f in os.listdir(folder):
        path = os.path.join(folder, f)
        assert f.endswith(".db") or f.startswith("meet-"), f
        if f.endswith(".db"):
            found[f] = pids_in(path)
        os.unlink(path)
    return found


@pytest.mark.parametrize("flags", [[], ["+traceOverwrite"]], ids=["keep", "overwrite"])
@pytest.mark.parametrize("programs", [(ALONE, ALONE), (TWO, TWO), (ONE, TWO)],
                         ids=["alone", "two", "mixed"])
def test_at_the_same_time(tmp_path, programs, flags):
    for _ in range(ROUNDS):
        jobs = [start(tmp_path, p, "meet", "2", *flags) for p in programs]
        told = [finish(job) for job in jobs]
        assert databases(tmp_path) == {name: pids for pids, name in told}
        assert {name for _, name in told} == {"run.db", "run-1.db"}


@pytest.mark.parametrize("flags", [[], ["+traceOverwrite"]], ids=["keep", "overwrite"])
@pytest.mark.parametrize("program", [ALONE, TWO], ids=["alone", "two"])
def test_one_after_the_other_or_not(tmp_path, program, flags):
    """Nobody waits for the other: one may end, or begin to, while the other starts."""
    for i in range(ROUNDS):
        jobs = [start(tmp_path, program, *flags)]
        time.sleep(i * 0.0004)
        jobs.append(start(tmp_path, program, *flags))
        told = [finish(job) for job in jobs]
        found = databases(tmp_path)
        for pids, name in told:
            assert found[name] == pids or (flags and told[0][1] == told[1][1])
        assert all(pids in [t[0] for t in told] for pids in found.values())
        assert flags or len(found) == 2


def test_the_later_replaces_the_earlier(tmp_path):
    for program in (ALONE, TWO, ONE):
        pids, name = finish(start(tmp_path, program, "+traceOverwrite"))
        assert name == "run.db" and pids_in(tmp_path / name) == pids
    assert finish(start(tmp_path, TWO))[1] == "run-1.db"
    assert sorted(os.listdir(tmp_path)) == ["run-1.db", "run.db"]


def test_of_one_a_pe_is_killed(tmp_path):
    for i in range(10):
        flags = ["+traceOverwrite"] * (i % 2)
        jobs = [start(tmp_path, TWO, "die", *flags), start(tmp_path, TWO, *flags)]
        (some, dead), (pids, name) = [finish(job) for job in jobs]
        found = databases(tmp_path)
        assert found[name] == pids or (flags and dead == name)
        assert dead == name or (some <= found[dead] and not found[dead] & pids)


def wait_for_spools(folder):
    end = time.monotonic() + GUARD_S
    while not os.path.isdir(folder) or sum(f.stat().st_size > 0 for f in folder.glob("pe-*")) < 4:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_the_launcher_is_killed(tmp_path):
    """Its PEs may live for a moment: they keep their folder, or have lost it."""
    for i in range(10):
        first = start(tmp_path, TWO, "meet", "9")
        if i % 2:
            wait_for_spools(tmp_path / "run.db.spool.d")
        else:
            time.sleep(i * 0.001)
        first.kill()
        second = start(tmp_path, TWO, "+traceOverwrite")
        pids, name = finish(second)
        first.communicate()
        assert pids_in(tmp_path / name) == pids
        for _ in range(100):
            r = subprocess.run([C4PROF, "recover", "-f", "run.db.spool.d"], cwd=tmp_path, text=True,
                               capture_output=True, timeout=GUARD_S)
            if "still running" not in r.stderr:
                break
            time.sleep(0.01)
        if name == "run-1.db" and r.returncode == 0:
            assert not pids_in(tmp_path / "run.db") & pids
        for f in os.listdir(tmp_path):
            if f.endswith(".spool.d"):      # the killed one's, before it recorded anything
                assert not [s for s in os.listdir(tmp_path / f) if s.endswith(".spool")]
                os.rmdir(tmp_path / f)
        databases(tmp_path)


def test_two_recover_at_the_same_time(tmp_path):
    job = start(tmp_path, TWO, "meet", "9")
    wait_for_spools(tmp_path / "run.db.spool.d")
    job.kill()
    job.communicate()
    time.sleep(0.1)
    spools = tmp_path / "run.db.spool.d"
    subprocess.run([C4PROF, "recover", "--keep", spools], check=True, capture_output=True)
    want = pids_in(tmp_path / "run.db")
    os.unlink(tmp_path / "run.db")
    for _ in range(10):
        subprocess.run(["cp", "-r", spools, tmp_path / "copy.db.spool.d"], check=True)
        rs = [subprocess.Popen([C4PROF, "recover", "copy.db.spool.d"], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        errs = [r.communicate(timeout=GUARD_S)[1] for r in rs]
        assert sorted(r.returncode for r in rs) == [0, 2], errs
        assert {f for f in os.listdir(tmp_path) if not f.startswith("meet-")} == {
            "copy.db", "run.db.spool.d"}
        assert pids_in(tmp_path / "copy.db") == want
        os.unlink(tmp_path / "copy.db")
