"""An exception arrives as it left, whatever it consists of and whichever way it goes."""
# PEs: 1 2 4
import asyncio
import concurrent.futures
import copy
import sys
import threading
from charm4py import charm, Array, Channel, Chare, Future, Group, coro

charm.options.remote_exec = True
GROUPS = sys.version_info >= (3, 11)


class Prefix(Exception):
    def __init__(self, v):
        super().__init__(f'bad value {v}')
        self.v = v


class Code(Exception):
    def __init__(self, code, msg='no message'):
        super().__init__(msg)
        self.code = code


class KeywordOnly(Exception):
    def __init__(self, *, reason):
        super().__init__()
        self.reason = reason

    def __str__(self):
        return f'because of {self.reason}'


class Slotted(Exception):
    __slots__ = ('x', 'never', '__own')

    def __init__(self, x):
        self.x, self.__own = x, [x]

    def own(self):
        return self.__own


class Made(ValueError):
    def __new__(cls, a, b):
        return super().__new__(cls, a)

    def __init__(self, a, b):
        self.both = a, b


class File(OSError):
    def __init__(self, path):
        super().__init__(2, 'gone', path)
        self.path = path


class Says(Exception):
    """Knows how to be pickled."""

    def __init__(self, v):
        super().__init__(f'says {v}')
        self.v, self.lock = v, threading.Lock()

    def __reduce__(self):
        return Says, (self.v,)


class Locked(Exception):
    def __init__(self, m, lock=None):
        super().__init__(*([m, lock] if lock else [m]))
        self.lock, self.code = threading.Lock(), 7


class Frozen(Exception):
    def __setattr__(self, name, value):
        raise TypeError('frozen')


class BadBack:
    def __reduce__(self):
        return int, ('no number',)


class Cancelled(BaseException):
    pass


def unicode_error():
    try:
        b'a\xffb'.decode('ascii')
    except ValueError as e:
        return e


def caused():
    try:
        try:
            raise Prefix(1)
        except Prefix as e:
            raise Code(2, 'two') from e
    except Code as e:
        return e


def in_context():
    try:
        try:
            raise Code(1, 'one')
        except Code:
            raise Prefix(2)
    except Prefix as e:
        return e


def suppressed():
    try:
        try:
            raise Code(1, 'one')
        except Code:
            raise Prefix(2) from None
    except Prefix as e:
        return e


def cyclic():
    a, b = Code(1, 'a'), Prefix(2)
    a.other, b.other, a.all = b, a, [a, b]
    a.__cause__, b.__context__ = b, a
    return a


def noted():
    e = Prefix(3)
    e.__notes__ = ['first', 'second']
    return e


def long_chain():
    e = Prefix(0)
    for i in range(50):
        e, before = Prefix(i), e
        e.__context__ = before
    return e


def grouped():
    e = ExceptionGroup('grp', [Prefix(5), Code(5, 'disk full'), ExceptionGroup('inner', [Slotted(1), in_context()])])
    e.exceptions[0].__context__ = e
    e.tag = 't'
    return e


def group_class():
    if not GROUPS:
        return None

    class Many(ExceptionGroup):
        def __new__(cls, errors, code):
            self = super().__new__(cls, f'{code} of many', errors)
            self.code = code
            return self

        def derive(self, errors):
            return Many(errors, self.code)
    return Many


Many = group_class()
MAKE = {
    'prefix': lambda: Prefix(5), 'code': lambda: Code(5, 'disk full'), 'slots': lambda: Slotted('s'),
    'keyword': lambda: KeywordOnly(reason='it'), 'made': lambda: Made(1, 2), 'file': lambda: File('/no/such'),
    'says': lambda: Says(4), 'unicode': unicode_error, 'cause': caused, 'context': in_context,
    'suppressed': suppressed, 'cyclic': cyclic, 'noted': noted, 'long': long_chain, 'frozen': lambda: Frozen(1, 'b'),
    'os': lambda: FileNotFoundError(2, 'no', 'a', None, 'b'), 'blocking': lambda: BlockingIOError(11, 'busy', 5),
    'import': lambda: ImportError('m', name='n', path='p'), 'syntax': lambda: SyntaxError('bad', ('f.py', 3, 4, 'text')),
    'key': lambda: KeyError('k'), 'nested args': lambda: ValueError([Prefix(1)], {'a': Code(2, 't')}),
    'cancelled': lambda: asyncio.CancelledError('why'), 'cancelled 2': lambda: concurrent.futures.CancelledError(),
    'stop': lambda: StopIteration(3), 'own base': lambda: Cancelled(1), 'empty': lambda: Exception(),
}
if GROUPS:
    MAKE['group'] = grouped
    MAKE['group class'] = lambda: Many([Prefix(1), Code(2, 't')], 6)
    MAKE['base group'] = lambda: BaseExceptionGroup('b', [Cancelled(1), Prefix(2)])


def facts(e, seen=()):
    """What must be the same."""
    if e is None or any(e is s for s in seen):
        return e is None
    seen = (*seen, e)
    attributes = {k: v for k, v in vars(e).items() if k not in ('remote_stacktrace', 'lock')}
    return (type(e), str(e), [facts(a, seen) if isinstance(a, BaseException) else repr(a) for a in e.args] if
            not GROUPS or not isinstance(e, BaseExceptionGroup) else e.message,
            {k: facts(v, seen) if isinstance(v, BaseException) else repr(v) for k, v in attributes.items()},
            [(n, getattr(e, n, None)) for n in ('x', 'errno', 'strerror', 'filename', 'filename2', 'name', 'path', 'start',
                                                'object', 'lineno', 'text', 'value', 'characters_written')],
            e.own() if hasattr(e, 'own') else None,
            facts(e.__cause__, seen), facts(e.__context__, seen), e.__suppress_context__,
            [facts(m, seen) for m in getattr(e, 'exceptions', ())])


def check(e, name):
    want, got = facts(MAKE[name]()), facts(e)
    assert got == want, (name, got, want)


def fail(name):
    raise MAKE[name]()


@coro
def fail_late(name):
    charm.sleep(0)
    raise MAKE[name]()


@coro
def fail_below(name):
    charm.pool.map(fail_late, [name])


def make_lock(x):
    return threading.Lock()


class C(Chare):
    def fail(self, name):
        raise MAKE[name]()

    @coro
    def fail_coro(self, name):
        charm.sleep(0)
        raise MAKE[name]()

    @coro
    def relay(self, others, name):
        if not others:
            raise MAKE[name]()
        others[0].relay(others[1:], name, ret=True).get()

    def to_future(self, f, name):
        f.send(MAKE[name]())

    def returns(self, name):
        return MAKE[name]()

    def echo(self, *values):
        return [values]

    @coro
    def stream(self, peer, names):
        channel = Channel(self, peer)
        for name in names:
            channel.send(MAKE[name]())
            check(channel.recv(), name)

    def locked(self, lock):
        raise Locked('u', threading.Lock() if lock else None)

    def returns_lock(self):
        return [1, threading.Lock()]

    def bad_back(self):
        e = Code(4, 'text')
        e.bad, e.good = BadBack(), 'good'
        raise e

    def group_with_lock(self):
        raise ExceptionGroup('g', [Locked('a'), Prefix(1)])

    def local_class(self):
        raise type('Local', (Prefix,), {'__module__': 'no_such_module'})(9)


def caught(get, *args):
    try:
        get(*args)
    except BaseException as e:
        return e
    assert False, 'no exception'


def calls(everywhere, far, near):
    # contract: 8.6.11 8.6.15
    for name in MAKE:
        for method in far.fail, far.fail_coro:
            for how in {'ret': True}, {'awaitable': True}:
                e = caught(method(name, **how).get)
                check(e, name)
                assert e.remote_stacktrace[0] in range(charm.numPes())
        e = caught(far.relay([near, far, near, far], name, ret=True).get)
        check(e, name)
        f = Future()
        far.to_future(f, name)
        check(caught(f.get), name)
        check(caught(far.returns(name, ret=True).get), name)
        ((e, listed, in_dict),), = far.echo(MAKE[name](), [1, MAKE[name]()], {'e': [MAKE[name]()]}, ret=True).get(),
        for e in e, listed[1], in_dict['e'][0]:
            check(e, name)
        for e in everywhere.fail(name, ret=True).get():
            check(e, name)


def tasks():
    pool = charm.pool
    for name in MAKE:
        for func in fail, fail_late, fail_below, lambda n: fail(n):
            check(caught(pool.map, func, [name]), name)
            check(caught(pool.map_async(func, [name, name]).get), name)
            for f in pool.map_async(func, [name, name], multi_future=True):
                check(caught(f.get), name)
            check(caught(pool.Task(func, (name,), ret=True).get), name)
            check(caught(pool.submit, [(func, name)]), name)
            check(caught(pool.submit_async([(func, name)]).get), name)
        check(pool.Task(made, (name,), ret=True).get()[0], name)


def made(name):
    return [MAKE[name]()]


CODE = '''
class Came(Exception):
    def __init__(self, a, b): super().__init__(f"came {a}"); self.b = b
def came(x): raise Came(x, [x])
raise Came(1, 2)
'''


def code_that_came():
    # contract: 8.6.11
    e = caught(charm.thisProxy.rexec(CODE, awaitable=True).get)
    assert (type(e).__name__, str(e), e.b) == ('Came', 'came 1', 2), e
    for _ in range(2):
        e = caught(charm.pool.map, came, [3])  # noqa: F821
        assert type(e) is Came and str(e) == 'came 3' and e.b == [3]  # noqa: F821


def what_cannot_travel(far):
    if charm.numPes() == 1:
        return
    # contract: 8.6.12
    for lock in False, True:
        e = caught(far.locked(lock, ret=True).get)
        assert type(e) is Locked and e.code == 7 and not hasattr(e, 'lock') and e.args[0] == 'u'
        note, = e.__notes__
        assert 'attribute lock' in note and ('argument 2' in note) == lock, note
        assert ('_thread.lock' in str(e)) == lock
        f = Future()
        Group(C)[charm.numPes() - 1].echo(e, ret=True).get()
        f.send(e)
        assert caught(f.get).__notes__ == [note]
    e = caught(far.bad_back(ret=True).get)
    assert type(e) is Code and e.good == 'good' and 'attribute bad' in e.__notes__[0] and str(e) == 'text'
    if GROUPS:
        e = caught(far.group_with_lock(ret=True).get)
        assert [type(m) for m in e.exceptions] == [Locked, Prefix] and 'lock' in e.exceptions[0].__notes__[0]
        assert not hasattr(e, '__notes__')
    # contract: 5.5.23
    e = caught(far.returns_lock(ret=True).get)
    assert type(e) is TypeError and str(e).startswith('the result [1] of C.returns_lock cannot be sent to another PE: '), e
    assert 'the result of charm.pool.task cannot' in str(caught(charm.pool.map, make_lock, [1]))
    assert 'bad value 9' in str(caught(far.local_class(ret=True).get))


def tracebacks(far, here):
    # contract: 8.6.13
    for c in far, here:
        f = c.fail('prefix', ret=True)
        lengths = set()
        for _ in range(3):
            e, n = caught(f.get), 0
            t = e.__traceback__
            while t:
                t, n = t.tb_next, n + 1
            lengths.add(n)
        assert len(lengths) == 1, lengths


def main(args):
    g, a = Group(C), Array(C, 2)
    far, here = g[charm.numPes() - 1], g[0]
    calls(g, far, here)
    # contract: 8.6.14
    assert type(caught(here.fail('cancelled', ret=True).get)) is asyncio.CancelledError
    tasks()
    code_that_came()
    what_cannot_travel(far)
    tracebacks(far, here)
    names = [n for n in MAKE if n != 'stop']
    for f in [a[0].stream(a[1], names, awaitable=True), a[1].stream(a[0], names, awaitable=True)]:
        f.get()
    e = copy.copy(caught(far.fail('key', ret=True).get))
    assert e.args == ('k',)
    exit()


charm.start(main)
