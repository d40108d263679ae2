"""Damaged databases and spools: c4prof gives the right figures, or says in one line that it cannot.

usage: prof_mutants.py [DATABASES [SPOOLS [SEED]]]     how many of each; a seed gives the same again

Each mutant of a database is read by `c4prof report` three times:
  as it is found: exit status 2 and one line that names it, or 0 and the very output of the good one;
  with --as-is, and with its seal renewed, as a forger would: 2 and one line, or 0 and a report.
Each mutant of a folder of spools goes through `c4prof recover`: 2 and one line, or 0 and a sound
database with a report.  Where all PEs came to their end, what is said on stderr or the very rows of
the good spools.  Nothing crashes, hangs or prints half a JSON.
"""
import collections
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

SRC = os.path.abspath(os.environ.get("C4_SRCDIR", "."))
BUILD = os.path.abspath(os.environ.get("C4_BUILDDIR", "."))
C4PROF = os.path.join(BUILD, "prof", "c4prof")
CASES = os.path.join(BUILD, "tests", "unit", "prof_cases")
DIGEST = os.path.join(BUILD, "tests", "unit", "prof_digest")
SEAL = 32
TIMEOUT_S = 30


class Wrong(Exception):
    """What a mutant made c4prof do."""


def run(*command):
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S)


def refused(r, name):
    """Did it end with status 2 and one line about the file?  Neither that nor 0 is wrong."""
    if r.returncode == 0:
        return False
    lines = r.stderr.splitlines()
    if r.returncode != 2 or len(lines) != 1 or name.encode() not in lines[0]:
        raise Wrong(f"exit status {r.returncode}: {r.stderr[-2000:]!r}")
    return True


# ---- What happens to bytes ---------------------------------------------------------

def flip(rnd, b):
    for _ in range(rnd.choice((1, 1, 4, 40, 400))):
        b[rnd.randrange(len(b))] ^= 1 << rnd.randrange(8)


def a_block(rnd, b):
    n = min(rnd.choice((1, 8, 64, 512, 4096, 16384)), len(b))
    return rnd.randrange(len(b) - n + 1), n


def noise(rnd, b):
    at, n = a_block(rnd, b)
    b[at:at + n] = rnd.randbytes(n)


def zeros(rnd, b):
    at, n = a_block(rnd, b)
    b[at:at + n] = bytes(n)


def copied(rnd, b):
    at, n = a_block(rnd, b)
    to = rnd.randrange(len(b) - n + 1)
    b[to:to + n] = b[at:at + n]


def cut(rnd, b):
    del b[rnd.randrange(len(b)):]


def longer(rnd, b):
    b += rnd.randbytes(rnd.choice((1, 32, 4096)))


def head(rnd, b):
    b[rnd.randrange(min(len(b), 128))] = rnd.randrange(256)


def end(rnd, b):
    b[-1 - rnd.randrange(min(len(b), 2 * SEAL))] = rnd.randrange(256)


HARM = (flip, flip, flip, noise, noise, zeros, copied, cut, longer, head, end)


def mutate(rnd, data):
    b = bytearray(data)
    rnd.choice(HARM)(rnd, b)
    return bytes(b)


# ---- Databases ---------------------------------------------------------------------

def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def report(path, *flags):
    return run(C4PROF, "report", *flags, path)


def body(r):
    """What a report says, but for the name of the file; of JSON, what it means."""
    if r.stdout.startswith(b"{"):
        return json.loads(r.stdout)
    return r.stdout.split(b"\n", 1)[1]


def check_database(data, good, path, counts):
    """good: the output of the good database in both formats."""
    write(path, data)
    for format, want in good.items():
        r = report(path, "-F", format)
        if refused(r, path):
            counts["refused"] += 1
        elif body(r) != want:
            raise Wrong(f"exit status 0 and other figures: {r.stdout[-4000:]!r}")
        else:
            counts["the same"] += 1
    if not refused(report(path, "--as-is"), path):
        counts["as it is"] += 1
    if len(data) <= SEAL:
        return
    write(path, data[:-SEAL])
    run(DIGEST, "--seal", path).check_returncode()
    for format in good:
        r = report(path, "-F", format)
        if not refused(r, path):
            body(r)
            counts["forged"] += 1


# ---- Spools ------------------------------------------------------------------------

def mutate_spools(rnd, good, folder):
    """A copy of the folder in which a file or two are damaged, lost or in another's place."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    for _ in range(rnd.choice((1, 1, 2))):
        files = sorted(os.listdir(folder))
        path = os.path.join(folder, rnd.choice(files))
        what = rnd.randrange(12)
        if what == 0 and len(files) > 1:
            os.unlink(path)
        elif what == 1:
            shutil.copy(path, os.path.join(folder, rnd.choice(files) + ".copy"))
            os.replace(os.path.join(folder, [f for f in os.listdir(folder) if f.endswith(".copy")][0]),
                       os.path.join(folder, rnd.choice(files)))
        else:
            with open(path, "rb") as f:
                data = f.read()
            used = len(data.rstrip(b"\0"))  # what was written, not the room around it
            write(path, mutate(rnd, data[:used]) + data[used:] if used else data)


def recover(folder, db_file):
    return run(C4PROF, "recover", "--keep", "--force", "-o", db_file, folder)


def rows(db_file):
    db = sqlite3.connect(db_file)
    try:
        return list(db.iterdump())
    finally:
        db.close()


def check_spools(folder, db_file, want, counts):
    """want: the rows that must come from the folder if nothing is said, or None."""
    r = recover(folder, db_file)
    if r.returncode == 2:
        counts["refused"] += 1
        if not r.stderr.startswith(b"c4prof: ") or len(r.stderr.splitlines()) != 1:
            raise Wrong(f"no line that says why: {r.stderr!r}")
        return
    if r.returncode:
        raise Wrong(f"exit status {r.returncode}: {r.stderr[-2000:]!r}")
    counts["told" if r.stderr else "written"] += 1
    if want and not r.stderr and rows(db_file) != want:
        raise Wrong("other rows, and nothing said")
    db = sqlite3.connect(db_file)
    for check in ("integrity_check", "foreign_key_check"):
        found = db.execute(f"PRAGMA {check}").fetchall()
        if found not in ([("ok",)], []):
            raise Wrong(f"{check}: {found[:5]}")
    db.close()
    for format in ("table", "json"):
        r = report(db_file, "-F", format)
        if r.returncode or r.stderr:
            raise Wrong(f"no report: exit status {r.returncode}: {r.stderr!r}")
        body(r)


# ---- All of them -------------------------------------------------------------------

def case(name):
    return os.path.join(SRC, "tests", "prof", name + ".case")


def databases(n, seed, work):
    counts = collections.Counter()
    path = os.path.join(work, "run.db")
    run(CASES, "--write", path, case("report-one-screen")).check_returncode()
    with open(path, "rb") as f:
        data = f.read()
    good = {format: body(report(path, "-F", format)) for format in ("table", "json")}
    for i in range(n):
        try:
            check_database(mutate(random.Random(f"{seed}/{i}"), data), good, path, counts)
        except (Wrong, ValueError, subprocess.TimeoutExpired) as e:
            kept = keep(path)
            sys.exit(f"database {i} of seed {seed}, {kept}: {e}")
    print("databases:", dict(counts))


def spools(n, seed, work):
    counts = collections.Counter()
    folder, db_file = os.path.join(work, "run.db.spool.d"), os.path.join(work, "spools.db")
    ended, killed = os.path.join(work, "ended"), os.path.join(work, "killed")
    run(CASES, "--spools", ended, case("report-one-screen")).check_returncode()
    run(CASES, "--spools", killed, case("killed-pe-keeps-what-it-recorded")).check_returncode()
    for end in "spool", "stats":            # as SIGKILL leaves them: without seals
        path = os.path.join(killed, "pe-00001." + end)
        os.truncate(path, os.path.getsize(path) - SEAL)
    recover(ended, db_file).check_returncode()
    want = rows(db_file)
    for i in range(n):
        mutate_spools(random.Random(f"{seed}/spools/{i}"), killed if i % 2 else ended, folder)
        try:
            check_spools(folder, db_file, None if i % 2 else want, counts)
        except (Wrong, ValueError, sqlite3.Error, subprocess.TimeoutExpired) as e:
            sys.exit(f"spools {i} of seed {seed}, {keep(folder)}: {e}")
    print("spools:", dict(counts))


def keep(path):
    """What went wrong stays, outside of the folder that is removed."""
    to = os.path.join(tempfile.mkdtemp(prefix="c4-mutant-"), os.path.basename(path))
    shutil.move(path, to)
    return to


def main():
    numbers = [int(a) for a in sys.argv[1:]] + [60, 60, 1][len(sys.argv) - 1:]
    with tempfile.TemporaryDirectory(prefix="c4-mutants-") as work:
        databases(numbers[0], numbers[2], work)
        spools(numbers[1], numbers[2], work)


main()
