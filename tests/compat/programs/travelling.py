"""What the program has on all PEs travels by name, whatever it is and however it goes; classes
that only one PE has are the same ones when they come back."""
# PEs: 1 2 4
import collections
import dataclasses
import enum
import functools
import typing
from charm4py import charm, Array, Channel, Chare, Future, Group, coro

charm.options.remote_exec = True


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntFlag):
    LOW = 1
    HIGH = 2


class Plain:
    class Inner:
        class Deep(Exception):
            pass

    def __init__(self, x=0):
        self.x = x

    def own(self, o):
        return type(o) is type(self)


@dataclasses.dataclass(frozen=True)
class Data:
    a: int
    b: object = None


class Tuple(typing.NamedTuple):
    a: int


class Meta(type):
    pass


class Made(metaclass=Meta):
    pass


class Wrong(Exception):
    def __init__(self, code, text='none'):
        super().__init__(text)
        self.code = code


Renamed = collections.namedtuple('Other', 'a b')
Generated = type('SomethingElse', (), {'k': 3})
Functional = enum.Enum('Unlike', 'ONE TWO')


def power(n):
    def f(x):
        return x ** n
    return f


square = power(2)
twice = lambda x: 2 * x  # noqa: E731
OBJECTS = [Color.RED, Level.HIGH, Plain(1), Plain.Inner(), Plain.Inner.Deep('x'), Data(1, Color.BLUE), Tuple(3),
           Made(), Wrong(3, 't'), Renamed(1, 2), Generated(), Functional.ONE, KeyError('k')]
CLASSES = [type(o) for o in OBJECTS]
CALLABLE = [square, twice, power, Plain, Plain.own, Renamed, len, functools.reduce, charm.sleep]


def kinds(objects):
    return [CLASSES.index(type(o)) for o in objects]


def is_ours(i, o):
    return type(o) is CLASSES[i] and (o is CLASSES[i](o.value) if isinstance(o, enum.Enum) else True)


class Remote(Chare):
    def __init__(self, proxy=None):
        self.got = None

    def take(self, *objects):
        assert all([is_ours(i, o) for i, o in enumerate(objects)])
        return list(objects)

    def callables(self, functions):
        return all(f is g for f, g in zip(functions[:7], CALLABLE))

    def give(self, future):
        future.send(OBJECTS)

    @coro
    def stream(self, peer):
        channel = Channel(self, peer)
        objects = channel.recv()
        assert all([is_ours(i, o) for i, o in enumerate(objects)])
        channel.send(objects, Color.BLUE)

    @coro
    def exchange(self, peer):
        channel = Channel(self, peer)
        channel.send(OBJECTS)
        objects, color = channel.recv()
        assert all([is_ours(i, o) for i, o in enumerate(objects)]) and color is Color.BLUE

    def keep(self, o):
        old, self.got = self.got, o
        return old

    def fail(self, exc):
        raise exc


def check_pool():
    # contract: 13.29
    pool = charm.pool
    k = len(OBJECTS)
    assert pool.map(lambda p: is_ours(*p), list(enumerate(OBJECTS))) == [True] * k
    assert pool.map(lambda i: type(OBJECTS[i]) is CLASSES[i], range(k)) == [True] * k
    assert pool.map(lambda o: o is Color.RED, [Color.RED, Color.BLUE]) == [True, False]
    assert pool.map(lambda o: {Color.RED: 1}.get(o), [Color.RED]) == [1]
    assert pool.map(lambda o: isinstance(o, Plain) and o.own(Plain()), [Plain()]) == [True]
    made = pool.map(lambda i: (CLASSES[i], OBJECTS[i]), range(k))
    assert [c for c, _ in made] == CLASSES and kinds([o for _, o in made]) == list(range(k))
    assert kinds(pool.map(lambda x: Plain(x + k), [1, 2])) == [2, 2]
    assert pool.map(lambda f: f(3), [square, twice]) == [9, 6] and pool.map(square, [3]) == [9]
    assert pool.map(lambda x: square(twice(x)), [3], chunksize=5) == [36]
    assert pool.map(functools.partial(lambda a, o: a is type(o), Color), [Color.RED]) == [True]
    assert pool.Task(lambda *o: [type(x) for x in o] == CLASSES, OBJECTS, ret=True).get()
    assert pool.map_async(Plain().own, [Plain(), 3]).get() == [True, False]
    assert pool.submit([(lambda o: type(o) is Renamed, Renamed(1, 2)), (Plain, 3)])[0] is True

    def fail(i):
        raise CLASSES[i](*[3] * (CLASSES[i] is Wrong))
    for i, kind in enumerate(CLASSES):
        if issubclass(kind, Exception):
            try:
                pool.map(fail, [i])
                assert False
            except kind as e:
                assert type(e) is kind

    @coro
    def nested(n):
        if n == 0:
            raise Plain.Inner.Deep('from below')
        try:
            pool.map(nested, [n - 1])
        except Plain.Inner.Deep:
            return [Color.RED, n]
    assert pool.map(nested, [1])[0][0] is Color.RED


def check_calls():
    # contract: 13.29
    far = Group(Remote)[charm.numPes() - 1]
    assert kinds(far.take(*OBJECTS, ret=True).get()) == list(range(len(OBJECTS)))
    assert far.callables(CALLABLE, ret=True).get()
    f = Future()
    far.give(f)
    assert kinds(f.get()) == list(range(len(OBJECTS)))
    for e in OBJECTS:
        if isinstance(e, Exception):
            try:
                far.fail(e, ret=True).get()
            except type(e) as got:
                assert type(got) is type(e)
    a = Array(Remote, 2)
    done = [a[0].exchange(a[1], awaitable=True), a[1].stream(a[0], awaitable=True)]
    for d in done:
        d.get()


def check_local_classes():
    # contract: 13.30
    class Base:
        limit = 4

    class Own(Base):
        """With all that classes have."""
        made = 0

        def __init__(self, x):
            super().__init__()
            self.x = x
            type(self).made += 1

        @property
        def double(self):
            return 2 * self.x

        @classmethod
        def of(cls, x):
            return cls(x)

        def again(self):
            return Own(self.x + other.value)

    class Failed(Exception):
        pass

    other = enum.Enum('Kind', 'A')['A']
    pool = charm.pool
    for _ in range(2):
        r = pool.map(lambda x: Own(x), [1, 2])
        assert all(type(o) is Own and o.x == i + 1 for i, o in enumerate(r))
        r = pool.map(lambda o: (isinstance(o, Own) and isinstance(o, Base), o.double, o.again(), Own.of(7)), [Own(5)])
        assert r[0][:2] == (True, 10) and type(r[0][2]) is type(r[0][3]) is Own and r[0][2].x == 6
    assert pool.map(Own, [3])[0].double == 6 and pool.map(Own.of, [4])[0].x == 4
    assert pool.map(Own(2).again, [], 1) == [] and pool.Task(Own(2).again, (), ret=True).get().x == 3
    assert pool.map(lambda o: o is other, [other]) == [True]

    def fail(x):
        raise Failed(x, Own(x))
    for f in fail, lambda x: pool_fail(fail, x):
        try:
            pool.map(coro(f), [8])
            assert False
        except Failed as e:
            assert e.args[0] == 8 and type(e.args[1]) is Own
    far = Group(Remote)[charm.numPes() - 1]
    far.keep(Own(1), ret=True).get()
    back = far.keep(None, ret=True).get()
    assert type(back) is Own and back.x == 1 and back.again().x == 2
    other = None


def pool_fail(f, x):
    return charm.pool.map(f, [x])


CODE = '''
import enum
class Later(Exception):
    class Inner: pass
    def same(self, o): return type(o) is Later
class Shade(enum.Enum): DARK = 1
def later(x):
    raise Later(x)
def make(x): return [Later(x), Later.Inner(), Shade.DARK]
'''


def check_code_that_came():
    # contract: 13.31
    charm.thisProxy.rexec(CODE, awaitable=True).get()
    space = globals()
    Later, Shade, later, make = [space[n] for n in ('Later', 'Shade', 'later', 'make')]
    for f in later, lambda x: later(x):
        try:
            charm.pool.map(f, range(3))
            assert False
        except Later as e:
            assert e.same(e)
    for f in make, lambda x: make(x), lambda x: [Later(x), Later.Inner(), Shade.DARK]:
        a, b, c = charm.pool.map(f, [1])[0]
        assert type(a) is Later and type(b) is Later.Inner and c is Shade.DARK
    assert charm.pool.map(lambda o: isinstance(o, Later) and o.same(o), [Later()]) == [True]
    assert charm.pool.map(Later(1).same, [Later(2)]) == [True]
    far = Group(Remote)[charm.numPes() - 1]
    back = far.keep([Later(4), Shade.DARK], ret=True).get(), far.keep(0, ret=True).get()
    assert type(back[1][0]) is Later and back[1][1] is Shade.DARK
    charm.thisProxy.updateGlobals({'Alias': Plain, 'here': charm.myPe()}, awaitable=True).get()
    assert charm.pool.map(lambda o: type(o) is Plain, [Plain()]) == [True]


def check_defined_here_only():
    # contract: 13.30
    exec('class Mine:\n    def __init__(self, x): self.x = x\ndef mine(x): return Mine(x)', globals())
    far = Group(Remote)[charm.numPes() - 1]
    far.keep(Mine(3), ret=True).get()  # noqa: F821
    back = far.keep(None, ret=True).get()
    assert type(back) is Mine and back.x == 3  # noqa: F821
    r = charm.pool.map(mine, [5])  # noqa: F821
    assert type(r[0]) is Mine and r[0].x == 5  # noqa: F821
    if charm.numPes() > 1:
        try:
            far.keep(mine)  # noqa: F821
            assert False
        except Exception as e:
            assert 'argument 1 of Remote.keep' in str(e) and 'other PEs do not have' in str(e), e
    assert kinds(far.take(*OBJECTS, ret=True).get()) == list(range(len(OBJECTS)))


def main(args):
    check_calls()
    check_pool()
    check_local_classes()
    check_code_that_came()
    check_pool()
    check_defined_here_only()
    check_pool()
    check_local_classes()
    exit()


charm.start(main)
