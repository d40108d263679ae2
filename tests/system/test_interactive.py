"""The interactive shell: from a pipe and in a terminal, errors and ends."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

GUARD_S = 90  # against hangs
BANNER = 'Charm4py interactive shell (beta)\ncharm.options.interactive.verbose = 1\n'


def shell(npes, text, *args, command=None):
    """What the shell says to text -> (status, stdout without prompts, stderr)."""
    r = subprocess.run([*(command or ['charmrun', f'+p{npes}', '++interactive']), *args],
                       input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=GUARD_S)
    return r.returncode, r.stdout.replace('>>> ', '').replace('... ', ''), r.stderr


def say(npes, text, *args):
    """As shell(), for what must go well."""
    status, out, err = shell(npes, text, *args)
    assert (status, err) == (0, ''), (status, out, err)
    return out


# ---- The manual's tutorial ------------------------------------------------------------

TUTORIAL = """
self
charm.myPe()
charm.numPes()
charm.numHosts()
class Simple(Chare):
    def sayHi(self):
        print('Hello from PE', charm.myPe())
        return 'hi done'

chare = Chare(Simple, onPE=1)
chare
chare.sayHi()
f = chare.sayHi(ret=True)
f
f.get()
class AsyncSimple(Chare):
    def sayHi(self):
        time.sleep(0.1)
        print('Hello from PE', charm.myPe())
        return 'hi done'

import time
chare = Chare(AsyncSimple, onPE=1)
chare.sayHi()
f = chare.sayHi(awaitable=True)
f.get()
chare.sayHi()
charm.waitQD()
g = Group(AsyncSimple)
g
g.sayHi(awaitable=True).get()
g.sayHi(ret=True).get()
g[1].sayHi(ret=True).get()
class Test(Chare):
    def start(self):
        print('I am element', self.thisIndex, 'on PE', charm.myPe(),
              'sending a msg to element 1')
        self.thisProxy[1].sayHi()
    def sayHi(self):
        print('Hello from element', self.thisIndex, 'on PE', charm.myPe())

g = Group(Test)
g[0].start()
charm.waitQD()
elem = g[0]
elem.sayHi()
charm.waitQD()
a = Array(Test, 4)
a.sayHi()
charm.waitQD()
a = Array(Test, (2,2))
a.sayHi()
a[(1,0)].sayHi()
charm.waitQD()
charm.thisProxy[1].myPe(ret=True).get() + 70
charm.thisProxy[1].eval('charm.myPe()', ret=True).get() + 80
charm.thisProxy.updateGlobals({'MY_GLOBAL': 1234}, awaitable=True).get()
charm.thisProxy.eval('MY_GLOBAL', ret=True).get()
class RedTest(Chare):
    def work(self, data, callback):
        self.reduce(callback, data, Reducer.sum)
    def printResult(self, result):
        print('[' + str(self.thisIndex[0]) + '] Result is', result)

a = Array(RedTest, 20)
f = Future()
a.work(1, f)
f.get()
a.work(1, a[7].printResult)
charm.waitQD()
a.work(1, a.printResult)
charm.waitQD()
import numpy
f = Future()
a.work(numpy.array([1,2,3]), f)
f.get()
class Echo(Chare):
    @coro
    def run(self, remote_proxy):
        ch = Channel(self, remote=remote_proxy)
        while True:
            x = ch.recv()
            ch.send(x)

chare = Chare(Echo, onPE=1)
chare.run(self.thisProxy)
ch = Channel(self, remote=chare)
ch.send('hello')
ch.recv()
ch.send(1,2,3)
ch.recv()
"""


def test_tutorial():
    # contract: 14.3 14.5 14.7 14.8
    out = say(2, TUTORIAL)
    assert BANNER in out
    assert re.search(r'<charm4py\.interactive\.InteractiveConsole object at 0x\w+>\n0\n2\n1\n', out)
    assert out.count('Charm4py> Broadcasted Chare definition\n') == 5
    assert out.count('Charm4py> Broadcasted import statement\n') == 2
    for line, times in (('Hello from PE 0', 2), ('Hello from PE 1', 8), ("'hi done'", 3),
                        ("['hi done', 'hi done']", 1),
                        ('I am element 0 on PE 0 sending a msg to element 1', 1),
                        ('Hello from element 1 on PE 1', 1), ('Hello from element 0 on PE 0', 1),
                        ('Hello from element (3,) on PE 1', 1),
                        ('Hello from element (1, 0) on PE 1', 2), ('71', 1), ('81', 1),
                        ('[1234, 1234]', 1), ('20', 1), ('[7] Result is 20', 2),
                        ('[19] Result is 20', 1), ('array([20, 40, 60])', 1),
                        ("'hello'", 1), ('(1, 2, 3)', 1)):
        assert out.split('\n').count(line) == times, (line, out)


# ---- Statements, definitions, imports -------------------------------------------------

@pytest.mark.parametrize('npes', [1, 2, 4])
def test_classes_reach_all_pes(npes):
    """Also those derived from typed ones, and new ones of the same name."""
    # contract: 14.7 14.10 3.5.10
    out = say(npes, """class A(Chare):
    def name(self):
        return 'old'

class B(A):
    @coro
    def pe(self):
        charm.sleep(0.001)
        return charm.myPe(), self.name()

class Plain:
    pass

old = Group(A)
'B', Group(B).pe(ret=True).get()
class A(Chare):
    def name(self):
        return 'new'

'new', Group(A).name(ret=True).get()
'old', old.name(ret=True).get()
""", '++quiet')
    assert out.count('Broadcasted Chare definition') == 3
    assert str(('B', [(pe, 'old') for pe in range(npes)])) in out
    assert str(('new', ['new'] * npes)) in out and str(('old', ['old'] * npes)) in out


@pytest.mark.parametrize('npes', [1, 2, 4])
def test_imports_reach_all_pes(npes, tmp_path):
    # contract: 14.8 14.9 14.16 3.5.10
    (tmp_path / 'shapes.py').write_text('from charm4py import Chare\n'
                                        'class Square(Chare):\n'
                                        '    def pe(self): return charm4py.charm.myPe()\n'
                                        'import charm4py\n')
    find = f'sys.path.insert(0, {str(tmp_path)!r})'
    out = say(npes, f"""charm.thisProxy.exec({find!r}, awaitable=True).get()
import bisect, shapes
'pes', Group(shapes.Square).pe(ret=True).get()
from math import *
charm.thisProxy.eval('floor(2.5)', ret=True).get() + [9]
import json; 3 + 4
charm.options.interactive.broadcast_imports = False
import colorsys
'seen', sum(charm.thisProxy.eval("'colorsys' in globals()", ret=True).get())
""")
    assert out.count('Broadcasted import statement') == 2
    assert "Charm4py> Broadcasted the following chare definitions: ['Square']" in out
    assert str(('pes', list(range(npes)))) in out and str([2] * npes + [9]) in out
    assert "('seen', 1)" in out and '\n7\n' in out


def test_notices_can_be_silenced():
    # contract: 14.16
    out = say(2, 'charm.options.interactive.verbose = 0\nimport math\n', '++quiet')
    assert 'Broadcasted' not in out


def test_future_and_future_functions():
    # contract: 14.6
    out = say(1, 'f = future(2)\nf is _f\nf.send(1)\nf.send(2)\n_f.get()\n')
    assert 'True\n[1, 2]\n' in out


@pytest.mark.parametrize('command', [
    [sys.executable, '-m', 'charm4py.interactive'],
    [sys.executable, '-m', 'charmrun.start', '+p3', '++interactive'],
    ['charmrun', '+p3', sys.executable, '-m', 'charm4py.interactive']])
def test_ways_to_start(command):
    # contract: 14.1 14.2
    status, out, err = shell(0, "'n', charm.numPes()\n'__main__' == __name__\n", command=command)
    npes = 3 if '+p3' in command else 1
    assert (status, err) == (0, '') and f"('n', {npes})\nTrue\n" in out


@pytest.mark.parametrize('npes', [1, 3])
def test_program_starts_shell(npes, tmp_path):
    # contract: 14.1 3.1.6
    (tmp_path / 'own.py').write_text("""
from charm4py import charm, Chare
class Mine(Chare):
    def pe(self): return charm.myPe()
time = 'mine'
charm.start(interactive=True)
""")
    status, out, err = shell(0, 'time, Group(Mine).pe(ret=True).get()\n',
                             command=['charmrun', f'+p{npes}', str(tmp_path / 'own.py')])
    assert (status, err) == (0, '') and f"('mine', {list(range(npes))})" in out


# ---- Ends -----------------------------------------------------------------------------

@pytest.mark.parametrize('npes', [1, 2, 4])
@pytest.mark.parametrize('text,status', [
    ('', 0), ('exit()', 0), ('exit(3)', 3), ('charm.exit(5)', 5),
    ('charm.thisProxy[charm.numPes() - 1].exit(7)\ncharm.sleep(30)', 7),
    ('class A(Chare):\n    def end(self): exit(6)\n\nGroup(A).end()\ncharm.sleep(30)', 6),
    ('def hook(*what): exit(8)\n\nsys.excepthook = hook\n1/0', 8),
    ('def hook(*what): charm.abort("hooked")\n\nsys.excepthook = hook\n1/0', 1)])
def test_exit_status(npes, text, status):
    # contract: 14.2 14.11 14.14
    got, out, err = shell(npes, text + '\n')
    assert got == status, (out, err)
    assert text != '' or out.endswith('= 1\n\n')


def test_script_may_finish():
    """At the end of the input, what has been begun goes on to its end."""
    out = say(2, """class Late(Chare):
    def work(self, n):
        time.sleep(0.1)
        if n:
            self.thisProxy.work(n - 1)
        else:
            print('finished')

Chare(Late, onPE=1).work(5)
""")
    assert 'finished' in out


# ---- Errors -----------------------------------------------------------------------------

BAD = """class Bad(Chare):
    def __init__(self, fail=False):
        if fail:
            raise ValueError('unmade')
    def wrong(self):
        undefined_name
    @coro
    def later(self):
        charm.sleep(0.001)
        1/0

b = Chare(Bad, onPE=charm.numPes() - 1)
"""


@pytest.mark.parametrize('npes', [1, 2, 4])
def test_errors_do_not_end_the_session(npes):
    # contract: 14.12 8.6.10
    status, out, err = shell(npes, BAD + """1/0
1 +
b.wrong()
charm.sleep(1.1)
b.later()
charm.sleep(1.1)
b.wrong(ret=True).get()
try:
    b.later(ret=True).get()
except ZeroDivisionError as e:
    'caught', e.remote_stacktrace[0]

c = Chare(Bad, args=[True], onPE=charm.numPes() - 1)
charm.awaitCreation(c)
class Worse(Chare):
    1/0

import there_is_no_such_module
'alive', charm.thisProxy.myPe(ret=True).get()
""")
    last = npes - 1
    assert status == 0 and f"('alive', {list(range(npes))})" in out, (out, err)
    assert f"('caught', {last})" in out
    banner = f'----------------- Python Stack Traceback from PE {last} -----------------\n'
    assert err.count(banner) >= 3, err
    for text in ('ZeroDivisionError: division by zero\n', 'SyntaxError: ', 'undefined_name',
                 'in __main__.Bad.later', 'ValueError: unmade', 'ModuleNotFoundError'):
        assert text in err, (text, err)
    assert 'canceling' not in out


def test_errors_are_told_once_a_second():
    status, out, err = shell(2, BAD + 'for i in range(50): b.wrong()\n\ncharm.waitQD()\n7\n')
    assert status == 0 and '\n7\n' in out.replace('not shown (PE 1)\n', '\n')
    assert err.count('Traceback from PE 1') == 1
    shown = [int(n) for n in re.findall(r'Charm4py> (\d+) more errors? within a second', out)]
    assert sum(shown) == 49


@pytest.mark.parametrize('npes', [1, 2])
def test_idle_waits_are_cancelled(npes):
    """Not those that something is still to come for."""
    # contract: 14.13
    status, out, err = shell(npes, """future().get() is None
future(2).get()
class Timed(Chare):
    @coro
    def give(self, f):
        charm.sleep(4)
        f.send('given')

f = Future()
Chare(Timed, onPE=charm.numPes() - 1).give(f)
f.get()
charm.sleep(3)
charm.waitQD()
Channel(self, remote=self.thisProxy).recv()
""")
    assert status == 0
    idle = 'Error: system is idle, canceling block on future\n'
    assert out.count(idle) == 2, out
    assert f"{idle}True\n{idle}[None, None]\n" in out and "'given'\n" in out
    assert 'system is idle, canceling block on' in err


# ---- In a terminal -------------------------------------------------------------------------

class Terminal:
    """A shell that believes to be in one."""

    def __init__(self, npes, home):
        self.seen = ''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=str(home), TERM='dumb', INPUTRC='/dev/null')
            os.execvp('charmrun', ['charmrun', f'+p{npes}', '++interactive', '++quiet'])

    def type(self, text):
        os.write(self.fd, text.encode())

    def interrupt(self):
        """Ctrl-C, again if Python's readline was just about to wait and missed it."""
        time.sleep(0.2)
        for _ in range(20):
            self.type('\x03')
            if self.sees('KeyboardInterrupt', GUARD_S / 20):
                break
        self.expect('KeyboardInterrupt')
        self.type("print('re' 'ady')\n")
        self.expect('\nready\n')
        self.expect('>>> ')

    def expect(self, text):
        """Reads up to text; what was before it is returned."""
        assert self.sees(text, GUARD_S), (text, self.seen)
        before, self.seen = self.seen.split(text, 1)
        return before

    def sees(self, text, seconds):
        limit = time.monotonic() + seconds
        while text not in self.seen:
            if time.monotonic() > limit:
                return False
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    more = os.read(self.fd, 4096).decode()
                except OSError:
                    more = ''
                assert more, (text, self.seen)
                self.seen += more.replace('\r', '')
        return True

    def status(self):
        limit = time.monotonic() + GUARD_S
        while True:
            try:
                if select.select([self.fd], [], [], 0.1)[0]:
                    self.seen += os.read(self.fd, 4096).decode()
            except OSError:
                pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < limit, self.seen
            time.sleep(0.01)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)


@pytest.fixture(params=[1, 2])
def terminal(request, tmp_path):
    t = Terminal(request.param, tmp_path)
    t.expect('>>> ')
    yield t
    t.close()


def test_terminal_prompts(terminal):
    # contract: 14.4
    terminal.type('6 * 7\n')
    terminal.expect('\n42\n')
    terminal.type('for i in range(2):\n')
    terminal.expect('... ')
    terminal.type("    print('x' * 3)\n\n")
    terminal.expect('\nxxx\nxxx\n')
    terminal.type('exit()\n')
    assert terminal.status() == 0


def test_terminal_end_of_input(terminal):
    # contract: 14.14
    terminal.type('\x04')
    assert terminal.status() == 0


def test_terminal_completes_and_remembers(terminal, tmp_path):
    # contract: 14.4
    terminal.type('a_rather_long_name = 11\n')
    terminal.expect('>>> ')
    terminal.type('a_rather_l\t * 4\n')
    terminal.expect('\n44\n')
    terminal.type('charm.myP\t\n')
    terminal.expect('\n0\n')
    terminal.type('exit()\n')
    assert terminal.status() == 0
    assert 'a_rather_long_name = 11' in (tmp_path / '.charm4py_history').read_text()


def test_terminal_interrupt(terminal):
    """Ctrl-C drops what was typed, ends what runs, ends what waits."""
    # contract: 14.15
    terminal.type('def f')
    terminal.expect('def f')
    terminal.interrupt()
    terminal.type('if True:\n')
    terminal.expect('... ')
    terminal.interrupt()
    for text in ('while True: pass\n\n', 'charm.sleep(1000)\n', 'Future().get()\n',
                 "print('bu' 'sy'); time.sleep(1000)\n"):
        terminal.type(text)
        terminal.expect(text.split('\n')[0])
        terminal.interrupt()
    terminal.type('exit(4)\n')
    assert terminal.status() == 4


def test_terminal_job_goes_on_while_nobody_types(terminal):
    # contract: 14.5
    terminal.type("charm.scheduleCallableAfter(print, 0.3, ['ti' 'mer'])\n")
    terminal.expect('timer\n')
    terminal.type("charm.scheduleCallableAfter(charm.exit, 0.3, [9])\n")
    assert terminal.status() == 9
