"""Runs jobs for tests, and checks that nothing of them is left behind.

The processes of a job carry a word of their own in their environment, by which
they are found later, whoever started them.
"""
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid

BUILD = os.environ.get("C4_BUILDDIR", os.getcwd())
CHARMRUN = os.path.join(BUILD, "bin", "charmrun")
C4PROF = os.path.join(BUILD, "bin", "c4prof")
EXAMPLES = os.path.join(BUILD, "examples")
GUARD_S = float(os.environ.get("C4_TEST_GUARD_S", 120))  # against hangs only
NPES = [1, 2, 4]


class Job:
    """A job that runs; npes 0: the Python program without a launcher."""

    def __init__(self, npes, program, *args, cwd=None, env=None, merged=False, flags=("++quiet",)):
        self.word = "C4_TEST_JOB=" + uuid.uuid4().hex
        self.temporary = tempfile.TemporaryDirectory()
        self.files = shared_memory()
        name, value = self.word.split("=")
        start = [CHARMRUN, f"+p{npes}"] if npes else []
        if str(program).endswith(".py"):
            start.append(sys.executable)
        self.npes = npes
        self.popen = subprocess.Popen(
            [*start, *flags, str(program), *map(str, args)] if npes
            else [*start, str(program), *map(str, args), *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE, universal_newlines=True,
            cwd=cwd, env={**os.environ, **(env or {}), name: value,
                                                   "TMPDIR": self.temporary.name})

    def processes(self):
        """The pids of all that belongs to the job and is alive."""
        found = []
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    mine = self.word.encode() in f.read()
                with open(f"/proc/{pid}/stat") as f:
                    state = f.read().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if mine and state not in "ZX":
                found.append(int(pid))
        return found

    def pes(self):
        """The pids of the PEs, by number: the program printed "pid PE" lines."""
        pids = {}
        while len(pids) < max(self.npes, 1):
            line = self.popen.stdout.readline()
            assert line, "the job ended: " + self.popen.stderr.read()
            m = re.match(r"pe (\d+) is (\d+)$", line)
            if m:
                pids[int(m[1])] = int(m[2])
        return pids

    def end(self):
        """Waits; nothing may be left.  -> self, with status, out, err."""
        try:
            self.out, self.err = self.popen.communicate(timeout=GUARD_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.status = self.popen.returncode
        self.check_nothing_left()
        return self

    def kill(self):
        for pid in self.processes():
            try:
                os.kill(pid, 9)
            except OSError:
                pass
        self.popen.communicate()

    def check_nothing_left(self):
        end = time.monotonic() + GUARD_S
        while self.processes():
            assert time.monotonic() < end, f"processes are left: {self.processes()}"
            time.sleep(0.01)
        new = shared_memory() - self.files
        assert not new, f"files are left: {new}"
        assert os.listdir(self.temporary.name) == []
        self.temporary.cleanup()

    def says(self, *texts):
        """All of these are in what it printed to stderr."""
        for text in texts:
            assert text in self.err, self.err
        return self

    def lines_of_errors(self):
        return [line for line in self.err.splitlines() if not line.startswith(" ")]


def shared_memory():
    """What could be ours in /dev/shm; memfds go with the processes."""
    folder = "/dev/shm"
    return {name for name in (os.listdir(folder) if os.path.isdir(folder) else [])
            if re.match("c4|charm|psm", name)}


def run(npes, program, *args, **more):
    return Job(npes, program, *args, **more).end()


def write(folder, source, name="prog.py"):
    """A program with this source; chares are found in it as usual."""
    path = folder / name
    path.write_text("from charm4py import *\n" + source + "\ncharm.start(main)\n")
    return path
