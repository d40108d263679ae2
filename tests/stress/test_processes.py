"""Threads and processes that user code starts: they work beside a PE, and are refused as one."""
import os
import re

import pytest

from jobs import run, write

NPES = [1, 2, 4, 8]
REPEAT = int(os.environ.get('C4_REPEAT', 1))

COMMON = '''
import concurrent.futures, multiprocessing, os, signal, subprocess, sys, threading, time
class A(Chare):
    def __init__(self): self.last = charm.numPes() - 1
    def work(self, x=0): return x + 1
    def element(self): return self.thisProxy[self.thisIndex]
    def stuck(self):
        while True: pass
    def sleeps(self): time.sleep(1000)
    def runs(self):
        out = subprocess.run([sys.executable, '-c', 'print(input() * 2)'], input='ab', text=True, stdout=subprocess.PIPE)
        return out.stdout, out.returncode
    def shell(self):
        return os.system('exit 3') >> 8, os.popen('echo out').read(), subprocess.call('exit 4', shell=True)
    def forks(self):
        """A child that does nothing with its PE."""
        with multiprocessing.get_context('fork').Pool(2) as pool:
            return pool.map(abs, range(-5, 0))
    def child(self, use):
        """What a child that uses its parent's PE is told."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try: use(self)
            except BaseException as e: os.write(write, f'{type(e).__name__}: {e}'.encode())
            else: os.write(write, b'no error')
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as f: text = f.read()
        os.waitpid(pid, 0)
        return text
    def keep(self, big): self.big = big
    def forks_and_returns(self, fails):
        pid = os.fork()
        if pid == 0:
            del self.big
            if fails: raise ValueError('in the child')
            return 'child'
        status = os.waitpid(pid, 0)[1]
        return os.waitstatus_to_exitcode(status), int(self.big.sum())
    @coro
    def suspends(self, fails): return self.forks_and_returns(fails)
    def thread(self, use):
        """What a thread of the user's that uses the PE is told."""
        told = []
        def run():
            try: use(self)
            except BaseException as e: told.append(f'{type(e).__name__}: {e}')
            else: told.append('no error')
        t = threading.Thread(target=run)
        t.start()
        t.join()
        return told[0]
    @coro
    def workers(self, n):
        """Threads that compute and send their results to futures."""
        futures = [Future() for _ in range(n)]
        def compute(i): futures[i].send(sum(range(i)))
        with concurrent.futures.ThreadPoolExecutor(4) as pool: list(pool.map(compute, range(n)))
        return [f.get() for f in futures] == [sum(range(i)) for i in range(n)]
def call(a): a.thisProxy[a.last].work(1)
def call_oneself(a): a.element().work(1)
def call_all(a): a.thisProxy.work(1)
def ask(a): a.thisProxy[a.last].work(1, ret=True).get()
def future(a): Future()
def create(a): Array(A, 3)
def create_group(a): Group(A)
def reduce(a): a.reduce(a.thisProxy[0].work, 1, Reducer.sum)
def channel(a): Channel(a, remote=a.thisProxy[0])
def quiet(a): charm.startQD(a.thisProxy[0].work)
def timer(a): charm.scheduleCallableAfter(print, 0, ['timer'])
def leave(a): charm.exit(5)
def pool(a): charm.pool.map_async(abs, [1])
def suspend(a): charm.waitQD()
USES = [call, call_oneself, call_all, ask, future, create, create_group, reduce, channel, quiet, timer, leave, pool, suspend]
def main(args):
    n = charm.numPes()
    g = Group(A)
'''


def check(folder, body, npes, status=0, out='', err=''):
    path = write(folder, COMMON + ''.join(f'    {line}\n' for line in body.strip().splitlines()))
    for _ in range(REPEAT):
        job = run(npes, path)
        assert job.status == status, (job.status, job.out, job.err)
        assert re.fullmatch(out, job.out, re.S), job.out
        assert re.fullmatch(err, job.err, re.S), job.err


@pytest.mark.parametrize('npes', NPES)
@pytest.mark.parametrize('method, answer', [
    ('runs', ('abab\n', 0)), ('shell', (3, 'out\n', 4)), ('forks', [5, 4, 3, 2, 1])])
def test_processes_of_methods(tmp_path, method, answer, npes):
    check(tmp_path, f'assert g.{method}(ret=True).get() == [{answer!r}] * n\n'
          f'assert g.work(1, ret=True).get() == [2] * n\nexit()', npes)


@pytest.mark.parametrize('npes', [1, 2])
def test_processes_that_import_the_program(tmp_path, npes):
    """They do so for its functions, and come to charm.start(), which is not theirs."""
    (tmp_path / 'prog.py').write_text('''
import multiprocessing
from charm4py import charm, Group, Chare
def square(x): return x * x
class A(Chare):
    def spawns(self):
        with multiprocessing.get_context('spawn').Pool(2) as pool: return pool.map(square, range(4))
def main(args):
    assert Group(A).spawns(ret=True).get() == [[0, 1, 4, 9]] * charm.numPes()
    charm.exit()
charm.start(main)
''')
    job = run(npes, tmp_path / 'prog.py')
    assert (job.status, job.out, job.err) == (0, '', '')


@pytest.mark.parametrize('npes', NPES)
def test_child_is_no_pe(tmp_path, npes):
    check(tmp_path, '''
for use in USES:
    for text in g.child(use, ret=True).get(): assert 'is a child of a PE' in text or 'not started' in text, (use, text)
assert g.work(1, ret=True).get() == [2] * n
exit()''', npes)


@pytest.mark.parametrize('npes', NPES)
def test_thread_is_no_pe(tmp_path, npes):
    check(tmp_path, '''
for use in USES:
    for text in g.thread(use, ret=True).get(): assert "can only be used from the PE's main thread" in text, (use, text)
assert g.work(1, ret=True).get() == [2] * n
exit()''', npes)


@pytest.mark.parametrize('npes', NPES)
def test_threads_send_to_futures(tmp_path, npes):
    check(tmp_path, 'assert all(g.workers(50, ret=True).get())\nexit()', npes)


@pytest.mark.parametrize('npes', NPES)
def test_child_that_leaves_as_python_does(tmp_path, npes):
    """Its end is not the PE's: neither sys.exit() nor an exception nor the end of its output."""
    check(tmp_path, '''
for how in (lambda: sys.exit(3), lambda: os._exit(4), lambda: os.kill(os.getpid(), signal.SIGTERM)):
    pid = os.fork()
    if pid == 0:
        how()
    os.waitpid(pid, 0)
assert g.work(1, ret=True).get() == [2] * n
exit()''', npes)


@pytest.mark.parametrize('npes', NPES)
def test_child_that_returns_from_its_method(tmp_path, npes):
    """It ends there; arrays that it has freed on the way are still the parent's."""
    check(tmp_path, '''
import numpy
for k in range(1, 6):
    g[n - 1].keep(numpy.full(50000, k))
    for method, fails in ((g[n - 1].forks_and_returns, False), (g[n - 1].suspends, True)):
        status = method(fails, ret=True)
        assert status.get() == (int(fails), 50000 * k)
        g[n - 1].work(numpy.full(50000, -k))    # into a block that is free
        assert g[n - 1].forks_and_returns(False, ret=True).get() == (0, 50000 * k)
assert g.work(1, ret=True).get() == [2] * n
exit()''', npes, err='.*ValueError: in the child.*')


@pytest.mark.parametrize('npes', [2, 4, 8])
@pytest.mark.parametrize('method', ['stuck', 'sleeps'])
def test_exit_while_a_method_is_stuck(tmp_path, method, npes):
    """The job ends with the status that was asked for, and it says who did not."""
    check(tmp_path, f'g[n - 1].{method}()\ncharm.sleep(0.05)\nexit(6)', npes, status=6,
          err='.*have not stopped within 10 s of the exit.*')


@pytest.mark.parametrize('npes', NPES)
def test_exit_while_coroutines_wait(tmp_path, npes):
    check(tmp_path, 'for i in range(100): g.workers(3)\nawaited = g.work(ret=True)\nexit(7)', npes, status=7)
