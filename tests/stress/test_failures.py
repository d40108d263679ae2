"""An exception wherever user code runs ends the job: with status 1, with the traceback of where
it was raised, without a hang, without a wall of text, and with nothing left behind."""
import os
import re

import pytest

from jobs import run, write

NPES = [1, 2, 4, 8]
REPEAT = int(os.environ.get('C4_REPEAT', 1))

COMMON = '''
import functools, os, sys, time
def fail(*args): raise RuntimeError('boom')
class GetState:
    def __init__(self): self.x = 1
    def __getstate__(self): fail()
class SetState:
    def __init__(self): self.x = 1
    def __setstate__(self, state): fail()
class Reduce:
    def __reduce__(self): fail()
class Unreduce:
    def __reduce__(self): return fail, ()
class Hash:
    def __hash__(self): fail()
class Equal:
    def __eq__(self, other): fail()
    __hash__ = None
class Add:
    def __add__(self, other): fail()
    __radd__ = __add__
class Str(Exception):
    def __str__(self): fail()
class Bool:
    def __bool__(self): fail()
def reducer(contributions): fail()
def first(contributions): return contributions[0]
def pre(data, chare): fail()
def post(result): fail()
def with_pre(contributions): return 0
def with_post(contributions): return 0
Reducer.addReducer(reducer)
Reducer.addReducer(with_pre, pre=pre)
Reducer.addReducer(with_post, post=post)
class A(Chare):
    def __init__(self, where=None, what=None):
        self.tag = 0
        if where is not None and where == self.index(): fail()
    def index(self):
        return self.thisIndex if isinstance(self.thisIndex, int) else self.thisIndex[0]
    def good(self, *args): pass
    def bad(self, *args): fail()
    @staticmethod
    def static(): fail()
    @coro
    def suspended(self):
        charm.sleep(0)
        fail()
    @coro
    def asks(self, other):
        other.bad(ret=True).get()
    @when('self.tag == n')
    def guarded(self, n): fail()
    @when('self.nothing == n')
    def no_attribute(self, n): pass
    @when('fail() == n')
    def condition_fails(self, n): pass
    @when('self.tag == n')
    def unhashable(self, n): pass
    @when('n.x')
    def bool_of(self, n): pass
    @coro
    def waits(self): self.wait('fail()')
    @coro
    def waits_later(self):
        self.me = True
        self.wait('self.tag == 0 or fail()')
        self.thisProxy[self.thisIndex].set_tag()
        self.wait('self.tag == 0 and fail() or self.never()')
    def set_tag(self): self.tag = 5
    def never(self): return fail()
    def with_reducer(self, name, data=1, callback=None):
        self.reduce(callback or self.thisProxy[0].good, data, getattr(Reducer, name))
    def reduce_to(self, callback): self.reduce(callback, 1, Reducer.sum)
    def add(self): self.reduce(self.thisProxy[0].good, Add(), Reducer.sum)
    def unequal(self):
        import numpy
        self.reduce(self.thisProxy[0].good, numpy.zeros(1 + self.index() % 2), Reducer.sum)
    def gather_bad(self, cls): self.reduce(self.thisProxy[0].good, cls(), Reducer.gather)
    def returns(self, cls): return cls()
    def timer(self): charm.scheduleCallableAfter(fail, 0.001)
    def timer_method(self): charm.scheduleCallableAfter(self.thisProxy[self.thisIndex].bad, 0.001)
    def quiet(self): charm.startQD(self.thisProxy[self.thisIndex].bad)
    @coro
    def channels(self, other):
        channel = Channel(self, remote=other)
        channel.send(1)
        channel.recv()
        fail()
    @coro
    def channel_of(self, other, cls):
        channel = Channel(self, remote=other)
        channel.send(cls())
        channel.recv()
    def raises(self, exception): raise exception
    def send_unreduce(self, future): future.send(Unreduce())
    def twice(self, future):
        future.send(1)
        future.send(2)
    def fails_str(self): raise Str()
    def interrupts(self): raise KeyboardInterrupt()
    @coro
    def finally_(self):
        try: fail()
        finally: charm.sleep(0)
class M(A):
    def migrated(self): fail()
class MC(A):
    @coro
    def migrated(self):
        charm.sleep(0)
        fail()
class MG(A):
    def __getstate__(self): fail()
class MS(A):
    def __setstate__(self, state): fail()
class MR(A):
    def __init__(self): self.attribute = Unreduce()
class S(Chare):
    def go(self): self.AtSync()
    def resumeFromSync(self): fail()
class CC(Chare):
    @coro
    def __init__(self, which):
        charm.sleep(0)
        if self.thisIndex[0] == which: fail()
class Where(ArrayMap):
    def procNum(self, index): fail()
def section(chare): return fail() if chare.index() == charm.numPes() - 1 else 0
@coro
def task(x):
    charm.sleep(0)
    fail()
'''

# name: body of main, least number of PEs, texts besides "boom"
PLACES = {
    'main': ('fail()', 1, ['in main']),
    'main after a wait': ('charm.sleep(0)\nfail()', 1, ['in main']),
    'main finally': ('try: fail()\nfinally: charm.sleep(0.001)', 1, ['in main']),
    'constructor of a group': ('Group(A, args=[n - 1])', 1, ['A.__init__']),
    'constructor of an array': ('Array(A, 2 * n, args=[2 * n - 1])', 1, ['A.__init__, element ']),
    'constructor of a chare': ('Chare(A, args=[0], onPE=n - 1)', 1, ['A.__init__']),
    'constructor, inserted': ('a = Array(A, ndims=1)\na.ckInsert(7, args=[7], onPE=n - 1)', 1, ['A.__init__, element (7,)']),
    'constructor, awaited': ('charm.awaitCreation(Array(A, 2 * n, args=[n]))', 1, ['A.__init__']),
    'constructor, suspended': ('charm.awaitCreation(Array(CC, 2 * n, args=[n]))', 1, ['CC.__init__']),
    'constructor, many': ('for i in range(50): Group(A, args=[n - 1])', 1, ['A.__init__']),
    'method of an element': ('a[2 * n - 1].bad()', 1, ['A.bad, element ']),
    'method of a member': ('g[n - 1].bad()', 1, ['A.bad']),
    'method of all': ('a.bad()', 1, ['A.bad']),
    'method of all, often': ('for i in range(100): a.bad(), g.bad()', 1, ['A.bad']),
    'method of a section': ('charm.split(a, 2, section_func=halves)[1].bad()', 1, ['A.bad']),
    'static method': ('g[n - 1].static()', 1, ['A.static']),
    'method, awaited': ('g[n - 1].bad(awaitable=True).get()', 1, ['in main', 'in bad']),
    'method of all, awaited': ('a.bad(awaitable=True).get()', 1, ['in main', 'in bad']),
    'method of a waiting chain': ('g[0].asks(g[n - 1])', 1, ['in asks', 'in bad']),
    'coroutine': ('g[n - 1].suspended()', 1, ['A.suspended']),
    'coroutines of all': ('a.suspended()', 1, ['A.suspended']),
    'coroutine, finally': ('g[n - 1].finally_()', 1, ['A.finally_']),
    'method with @when': ('g[n - 1].guarded(0)', 1, ['A.guarded']),
    'condition of @when': ('g[n - 1].condition_fails(0)', 1, ['condition_fails']),
    'object in a condition': ('g[n - 1].bool_of(X(Bool()))', 1, ['bool_of']),
    'hash of a tag': ('g[n - 1].unhashable(Hash())', 1, ['unhashable']),
    'self.wait': ('g[n - 1].waits()', 1, ['A.waits']),
    'self.wait, later': ('g[n - 1].waits_later()', 1, []),
    'reducer': ("a.with_reducer('reducer')", 1, ['in reducer']),
    'pre': ("a.with_reducer('with_pre')", 1, ['in pre']),
    'post': ("a.with_reducer('with_post')", 1, ['in post']),
    'reducer, to a future': ("f = Future(); a.with_reducer('reducer', callback=f); f.get()", 1, ['in reducer']),
    '+ of contributions': ('a.add()', 1, ['in __add__']),
    'callback of a reduction': ('a.reduce_to(g[n - 1].bad)', 1, ['A.bad']),
    'callback of a reduction, broadcast': ('g.reduce_to(a.bad)', 1, ['A.bad']),
    'gathered, __reduce__': ('a.gather_bad(Reduce)', 1, ['__reduce__']),
    'gathered, unpickled': ('a.gather_bad(Unreduce)', 2, []),
    'procNum': ('Array(A, 2 * n, map=Group(Where))', 1, ['in procNum']),
    'procNum, inserted': ('a = Array(A, ndims=1, map=Group(Where))\na.ckInsert(3)', 1, ['in procNum']),
    'migrated': ('Array(M, n)[0].migrate(n - 1)', 2, ['M.migrated']),
    'migrated, coroutine': ('Array(MC, n)[0].migrate(n - 1)', 2, ['MC.migrated']),
    '__getstate__ of an element': ('Array(MG, n)[0].migrate(n - 1)', 2, ['__getstate__']),
    '__setstate__ of an element': ('Array(MS, n)[0].migrate(n - 1)', 2, ['__setstate__']),
    'attribute of an element': ('Array(MR, n)[0].migrate(n - 1)', 2, ['MR']),
    'resumeFromSync': ('Array(S, 2 * n, useAtSync=True).go()', 1, ['S.resumeFromSync']),
    'resumeFromSync, balanced': ("Array(S, 2 * n, useAtSync=True).go()", 1, ['S.resumeFromSync']),
    'timer': ('g[n - 1].timer()', 1, ['in fail']),
    'timer in main': ('charm.scheduleCallableAfter(lambda: fail(), 0.001)', 1, ['in <lambda>']),
    'timer, method': ('g[n - 1].timer_method()', 1, ['A.bad']),
    'quiescence': ('charm.startQD(g[n - 1].bad)', 1, ['A.bad']),
    'quiescence, broadcast': ('charm.startQD(a.bad)', 1, ['A.bad']),
    'quiescence elsewhere': ('g[n - 1].quiet()', 1, ['A.bad']),
    '__getstate__ of an argument': ('g[n - 1].good(GetState())', 2, ['in main', '__getstate__']),
    '__setstate__ of an argument': ('g[n - 1].good(SetState())', 2, ['__setstate__', 'A.good']),
    '__reduce__ of an argument': ('g[n - 1].good({1: [Reduce()]})', 2, ['in main', '__reduce__']),
    'unpickling an argument': ('g[n - 1].good([Unreduce()])', 2, ['A.good']),
    'unpickling an argument, awaited': ('g[n - 1].good([Unreduce()], ret=True).get()', 2, ['in main']),
    'unpickling for all': ('a.good(SetState())', 1, ['__setstate__', 'A.good']),
    '__reduce__ for all': ('a.good(Reduce())', 1, ['__reduce__', 'in main']),
    'unpickling for a constructor': ('Array(A, 2 * n, args=[None, SetState()])', 1, ['__setstate__']),
    '__reduce__ for a constructor': ('Chare(A, args=[None, Reduce()], onPE=n - 1)', 1, ['__reduce__', 'in main']),
    'pickling a result': ('g[n - 1].returns(Reduce, ret=True).get()', 2, ['__reduce__', 'in main']),
    'unpickling a result': ('g[n - 1].returns(Unreduce, ret=True).get()', 2, ['in main']),
    'results of all': ('raise a.returns(Unreduce, ret=True).get()[n]', 2, ['in main']),
    'sent to a future': ('f = Future(); g[n - 1].send_unreduce(f); f.get()', 2, ['in main']),
    'section_func': ('charm.split(a, 1, section_func=section)', 1, ['in section']),
    'task': ('charm.pool.Task(task, (1,))\ncharm.sleep(60)', 1, ['in task']),
    'map': ('charm.pool.map(task, range(20))', 1, ['in task', 'in main']),
    'chunks': ('charm.pool.map(fail, range(20), chunksize=3)', 1, ['in fail', 'in main']),
    'argument of a task': ('charm.pool.map(abs, [Reduce()])', 2, ['__reduce__']),
    'unpickled for a task': ('charm.pool.map(abs, [Unreduce()])', 2, []),
    'user of a channel': ('g[0].channels(g[n - 1]); g[n - 1].channels(g[0])', 2, ['A.channels']),
    'value of a channel': ('g[0].channel_of(g[n - 1], Unreduce)\ng[n - 1].channel_of(g[0], Unreduce)', 2, ['A._channelRecv__']),
    'value for a channel': ('g[n - 1].channel_of(g[0], Reduce)', 2, ['A.channel_of', '__reduce__']),
    'exec': ("charm.thisProxy[n - 1].exec('fail()')", 1, []),
    'eval, awaited': ("charm.thisProxy[n - 1].eval('fail()', ret=True).get()", 1, ['in main']),
    'iwait': ('for f in charm.iwait([g[n - 1].bad(ret=True)]): f.get()', 1, ['in main', 'in bad']),
    'in a nested function': ('sorted(range(4), key=lambda x: g[n - 1].bad(ret=True).get())', 1, ['in main', 'in bad']),
}

# These say something else than "boom".
OTHER = {
    '__str__ of an exception': ('g[n - 1].fails_str()', 1, ['Str', 'A.fails_str']),
    'no attribute of a condition': ('g[n - 1].no_attribute(0)', 1, ['AttributeError', 'nothing']),
    'shapes that differ': ('a.unequal()', 1, ['contributions to the same reduction do not fit together']),
    'attribute of a proxy': ('g[n - 1].nowhere()', 1, ['AttributeError', 'nowhere']),
    'too many arguments': ('g[n - 1].static(1, 2, 3)', 1, ['TypeError', 'A.static']),
    'unhashable tag': ('g[n - 1].unhashable([])', 1, ['unhashable']),
    'interrupt': ('g[n - 1].interrupts()', 1, ['KeyboardInterrupt']),
    'a future twice': ('f = Future(); g[n - 1].twice(f); f.get(); charm.sleep(60)', 1, ['No pending future']),
}

MAIN = '''
class X:
    def __init__(self, x): self.x = x
def halves(chare): return chare.index() % 2
charm.options.remote_exec = True
def main(args):
    n = charm.numPes()
    g, a = Group(A), Array(A, 2 * n)
    charm.awaitCreation(g, a)
'''


def program(folder, body):
    return write(folder, COMMON + MAIN + ''.join(f'    {line}\n' for line in body.splitlines()))


def check(folder, body, npes, texts, *flags):
    path = program(folder, body)
    for _ in range(REPEAT):
        job = run(npes, path, *flags)
        assert job.status == 1, (job.status, job.out, job.err)
        assert job.out == '' or job.out.startswith('Initializing charm.pool'), job.out
        for text in texts:
            assert text in job.err, job.err
        tracebacks = job.err.count('Traceback (most recent call last)')
        assert tracebacks <= 4, job.err  # where it was raised, what it went through
        assert len(job.err.splitlines()) < 60, job.err
        assert re.search(r'^PE \d+: ', job.err, re.M), job.err


@pytest.mark.parametrize('npes', NPES)
@pytest.mark.parametrize('name', sorted(PLACES))
def test_exception(tmp_path, name, npes):
    body, least, texts = PLACES[name]
    if npes < least:
        pytest.skip('nothing happens on so few PEs')
    flags = ['+balancer', 'RotateLB'] if 'balanced' in name else []
    check(tmp_path, body, npes, ['boom', 'Traceback (most recent call last)', *texts], *flags)


@pytest.mark.parametrize('npes', NPES)
@pytest.mark.parametrize('name', sorted(OTHER))
def test_other_exception(tmp_path, name, npes):
    body, least, texts = OTHER[name]
    if npes < least:
        pytest.skip('nothing happens on so few PEs')
    check(tmp_path, body, npes, texts)
