"""charm.start(interactive=True) in a session that is there already: Python's prompt, a notebook."""
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

from jobs import GUARD_S

SESSION = """\
x = 41
from charm4py import charm
charm.start(interactive=True)
x + 1
class A(Chare):
    def go(self, n): return n + charm.numPes()

Group(A).go(x, ret=True).get()
charm.pool.map(lambda v: v * x, range(3))
1/0
print('still', 'here')
exit(3)
"""
SAID = ["42", "Broadcasted Chare definition", "[42]", "[0, 41, 82]", "ZeroDivisionError: division by zero",
        "still here"]


def in_order(text, parts):
    at = 0
    for part in parts:
        at = text.find(part, at)
        assert at >= 0, f"{part!r} is not where it should be in: {text}"


def test_plain_session_from_a_pipe():
    """The rest of the input goes to the shell, if Python has not read ahead (-u), and exit()
    ends Python with its status."""
    # contract: 17.3
    done = subprocess.run([sys.executable, "-u", "-i", "-q"], input=SESSION, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=GUARD_S)
    assert done.returncode == 3, done.stdout
    in_order(done.stdout, SAID)


def talk(fd, line, until):
    """Types a line, and reads until what it prints and a prompt were there."""
    os.write(fd, line.encode())
    text, end = "", time.monotonic() + GUARD_S
    while not re.search(until, text, re.S):
        assert time.monotonic() < end, (line, text)
        if select.select([fd], [], [], 0.1)[0]:
            try:
                text += os.read(fd, 4096).decode()
            except OSError:             # the other end is closed
                break
    return text


def test_plain_session_in_a_terminal(tmp_path):
    # contract: 17.3
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(HOME=str(tmp_path), TERM="dumb", PYTHONSTARTUP="")
        os.execv(sys.executable, [sys.executable, "-q"])
    try:
        talk(fd, "x = 41\n", ">>> .*>>> ")
        talk(fd, "from charm4py import charm\n", ">>> ")
        talk(fd, "charm.start(interactive=True)\n", r"interactive shell.*>>> ")
        assert "42" in talk(fd, "x + 1\n", r"42.*>>> ")
        talk(fd, "f = charm.Future()\n", ">>> ")
        talk(fd, "charm.scheduleCallableAfter(f, 0.1, ['sent'])\n", ">>> ")
        assert "'sent'" in talk(fd, "f.get()\n", r"'sent'.*>>> ")
        talk(fd, "exit(3)\n", "nothing matches the end")
        assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 3
    finally:
        os.close(fd)


# A kernel of notebooks has streams of its own, an argument that is none of ours, and runs
# cells inside an event loop.
KERNEL = """
import asyncio, builtins, io, os, sys
class Stream(io.TextIOBase):
    encoding = "utf-8"
    def __init__(self, fd):
        self.fd = fd
    def write(self, text):
        return os.write(self.fd, text.encode())
    def fileno(self):
        raise io.UnsupportedOperation("fileno")
    def readline(self, *args):
        raise RuntimeError("a kernel has no stdin")
lines = iter({lines!r})
def ask(prompt=""):
    sys.stdout.write(prompt)
    for line in lines:
        return line
    raise EOFError
builtins.input = ask
sys.stdin, sys.stdout, sys.stderr = Stream(0), Stream(1), Stream(1)
sys.argv = ["/nowhere/ipykernel_launcher.py", "-f", "kernel.json"]
x = 41
async def run(cell):
    exec(cell, globals())
asyncio.run(run("from charm4py import charm\\ncharm.start(interactive=True)"))
"""


@pytest.mark.parametrize("end, status", [("exit(3)", 3), ("", 0)])
def test_notebook(tmp_path, end, status):
    # contract: 17.3
    lines = SESSION.splitlines()[3:-1] + [end] * bool(end)
    (tmp_path / "kernel.py").write_text(KERNEL.format(lines=lines))
    done = subprocess.run([sys.executable, "kernel.py"], stdin=subprocess.DEVNULL, timeout=GUARD_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    assert done.returncode == status, done.stdout
    in_order(done.stdout, SAID)
