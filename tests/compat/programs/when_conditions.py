"""@when and self.wait(): what conditions may say, when they are tested, in which order."""
# PEs: 1 2 4
import math
from charm4py import charm, Chare, Group, Array, Future, Reducer, coro, threaded, when
from charm4py import readonlies as ro
from charm4py.wait import parse_cond_str, MsgTagCond, ChareStateMsgCond, ChareStateCond

gate = 0
N = 30


class Cell(Chare):
    def __init__(self):
        self.turn, self.low, self.log, self.names, self.open = 0, 0, [], {}, False
        self.list = [1, 2, 3]
        self.futures = []

    def set(self, name, value):
        setattr(self, name, value)

    def get_log(self):
        log, self.log = self.log, []
        return log

    @when('self.turn == turn')
    def tag(self, turn, what='default'):
        self.log.append((turn, what))
        return turn

    @when('id == self.turn')
    def reversed_tag(self, x, id):
        self.log.append(('id', x, id))
        self.turn += 1

    @when('x < y')
    def never_of_self(self, x, y):
        self.log.append((x, y))

    @when('a > gate')
    def of_module(self, a):
        self.log.append(a)

    @when('args[1] in self.names and len(a) < 10 and math.sqrt(b) == 2')
    def of_args(self, a, b):
        self.log.append((a, b))

    @when('self.open')
    def state(self, i):
        self.log.append(i)
        if i == 3:
            self.open = False

    @when('limit <= self.low')
    def defaults(self, x, limit=1, *more):
        self.log.append((x, limit, more))

    @when('any(x > a for x in self.list) and (lambda b: b + a)(1) > 0')
    def own_variables(self, a, x):
        self.log.append(('own', a, x))

    @when('self.turn == n')
    @coro
    def first_when(self, n):
        self.log.append(('c', n))
        self.turn += 1
        charm.sleep(0)
        self.log.append(('d', n))
        return n

    @threaded
    @when('self.turn == n')
    def first_coro(self, n):
        charm.sleep(0.0001)
        self.turn += 1
        self.log.append(n)
        return -n

    def local(self):
        self.tag(77)                    # a plain call: nothing is tested

    def nothing(self):
        pass

    @coro
    def resumes(self, f):
        """Conditions are tested when a coroutine goes on, too."""
        mine = Future()
        f.send(mine)
        mine.get()
        self.turn = 5
        Future().get()

    @coro
    def until(self, cond, tell=None):
        if tell:
            tell.send()
        assert self.wait(cond) is None
        self.log.append(cond)
        return self.turn

    @coro
    def take(self, n, tell):
        """Of those that wait for the same each takes one."""
        tell.send()
        self.wait('self.turn > 0')
        assert self.turn > 0
        self.turn -= 1
        self.log.append(n)

    @coro
    def steps(self):
        for n in range(20):
            self.wait('self.turn >= ' + str(n))
        self.wait('self.turn >= ro.enough and gate == 0')
        return self.turn


def log_of(a):
    return a.get_log(ret=True).get()


def order(a):
    # contract: 11.1 11.5 11.6 11.8
    for what in ('first', 'second', 'third'):
        a.tag(2, what)
        a.tag(1, what)
    a.tag(0, 'now')
    assert log_of(a) == [(0, 'now')]
    a.set('turn', 2)
    a.set('turn', 1)
    assert log_of(a) == [(2, w) for w in ('first', 'second', 'third')] + \
        [(1, w) for w in ('first', 'second', 'third')]
    a.set('turn', 0)
    for i in reversed(range(N)):
        a.reversed_tag(i * i, i)
    assert log_of(a) == [('id', i * i, i) for i in range(N)]
    # of all that may go on, the first that came
    a.set('turn', -1)
    for i in range(3):
        a.state(i)
        a.tag(9, i)
    a.set('turn', 9)
    a.set('open', True)
    a.set('open', False)
    assert log_of(a) == [(9, i) for i in range(3)] + [0, 1, 2]
    # each message is tested anew: one may close the door for the others
    for i in range(6):
        a.state(i)
    a.set('open', True)
    assert log_of(a) == [0, 1, 2, 3]
    a.set('open', True)
    assert log_of(a) == [4, 5]


def names(a):
    # contract: 11.2
    a.never_of_self(1, 2)
    a.never_of_self(2, 1)
    assert log_of(a) == [(1, 2)]
    a.of_module(5)
    a.nothing(awaitable=True).get()     # it came before the broadcast
    charm.thisProxy.updateGlobals({'gate': 10}, awaitable=True).get()
    a.of_module(7)
    a.of_module(12)
    assert log_of(a) == [5, 12]
    # contract: 11.7
    charm.thisProxy.updateGlobals({'gate': 6}, awaitable=True).get()
    charm.waitQD()
    a.nothing()                         # a global alone makes nothing go on
    assert log_of(a) == [7]
    charm.thisProxy.updateGlobals({'gate': 0}, awaitable=True).get()
    a.of_args('abc', 4)
    a.of_args('long enough to wait', 4)
    a.set('names', {4: 1})
    assert log_of(a) == [('abc', 4)]
    # contract: 11.10
    a.defaults(1)
    a.defaults(2, 0)
    a.defaults(3, limit=2)
    a.defaults(4, 2, 'more')
    assert log_of(a) == [(2, 0, ())]
    a.set('low', 1)
    a.set('low', 2)
    assert log_of(a) == [(1, 1, ()), (3, 2, ()), (4, 2, ('more',))]
    a.own_variables(5, 0)
    a.own_variables(2, 0)
    a.set('list', [6])
    assert log_of(a) == [('own', 2, 0), ('own', 5, 0)]


def calls(a):
    # contract: 11.11
    a.set('turn', 0)
    a.local()
    assert log_of(a) == [(77, 'default')]
    # contract: 11.12 11.13
    late = [a.first_when(n, ret=True) for n in (3, 1, 2, 0)]
    assert [f.get() for f in late] == [3, 1, 2, 0]
    log = log_of(a)
    assert [n for c, n in log if c == 'c'] == [0, 1, 2, 3] and len(log) == 8, log
    a.set('turn', 0)
    assert [f.get() for f in [a.first_coro(n, ret=True) for n in (2, 1, 0)]] == [-2, -1, 0]
    assert log_of(a) == [0, 1, 2]
    f = Future()
    a.set('turn', 0)
    a.resumes(f)
    mine = f.get()
    held = a.tag(5, ret=True)
    mine.send()
    assert held.get() == 5 and log_of(a) == [(5, 'default')]


def waits(a):
    # contract: 11.15 11.16 11.17
    a.set('turn', 0)
    assert a.until('True', ret=True).get() == 0
    assert a.until('self.turn == 0 and len(self.list) == 1', ret=True).get() == 0
    log_of(a)
    f = Future(3)
    ends = [a.until('self.turn == %d' % n, f, ret=True) for n in (3, 1, 2)]
    f.get()
    for n in (1, 2, 3):
        a.set('turn', n)
    assert [e.get() for e in ends] == [3, 1, 2]
    assert log_of(a) == ['self.turn == %d' % n for n in (1, 2, 3)]
    # contract: 11.18
    a.set('turn', 0)
    f = Future(5)
    ends = [a.take(n, f, awaitable=True) for n in range(5)]
    f.get()
    for n in (1, 2):
        a.set('turn', n)
        charm.waitQD()
        assert sum(e.ready() for e in ends) == 2 * n - 1
    a.set('turn', 9)
    charm.wait(ends)
    log = log_of(a)
    assert log == list(range(5)), log
    a.set('turn', 0)
    end = a.steps(ret=True)
    for n in range(25):
        a.set('turn', n)
    assert end.get() >= 21


def collections():
    # contract: 11.14
    n = charm.numPes()
    for all_ in (Group(Cell), Array(Cell, 2 * n)):
        held = all_.tag(4, ret=True)
        all_.set('turn', 3)
        charm.waitQD()
        assert not held.ready()
        all_.set('turn', 4)
        assert held.get() == [4] * len(held.get()) and len(held.get()) in (n, 2 * n)
        assert all_.get_log(ret=True).get() == [[(4, 'default')]] * len(held.get())


def kinds():
    # contract: 11.3 11.4
    def kind(cond, **params):
        return parse_cond_str(cond, '__main__', params)
    for text in ('self.iter == x', 'self.iter==x', ' self.iter  ==   x ', 'x == self.iter',
                 'x==self.iter', '  x  == self.iter', '(self.iter == x)'):
        c = kind(text, y=0, x=1)
        assert isinstance(c, MsgTagCond) and (c.attrib_name, c.arg_idx) == ('iter', 1), text
    for text in ('x < y', 'y == y', 'x == y', 'self.x != x', 'self.x == x + 1', 'self.x.y == x',
                 'self.x == x == 3', 'self.x == x and True', 'not self.x == x', 'args[0] == 1', 'x'):
        assert isinstance(kind(text, x=0, y=1), ChareStateMsgCond), text
    for text in ('iter', 'self.x', 'self.x == self.y', 'self.x == 3', 'error', 'self.x == z'):
        assert isinstance(kind(text, x=0, y=1), ChareStateCond), text
    # a parameter hides the builtin of its name
    assert isinstance(kind('self.x == id', id=0), MsgTagCond)
    assert isinstance(kind('id == 3', id=0), ChareStateMsgCond)
    assert isinstance(kind('id(self) == 3'), ChareStateCond)
    try:
        kind('error').test(None, ())
    except NameError:
        pass
    else:
        assert False


def main(args):
    ro.enough = 21
    kinds()
    a = Chare(Cell, onPE=charm.numPes() - 1)
    order(a)
    names(a)
    calls(a)
    waits(a)
    collections()
    exit()


charm.start(main)
