"""Objects of classes, enums, functions and exceptions of __main__ are pickled by name, and found."""
# PEs: 1 2 4 8
import collections
import dataclasses
import enum
import functools

from charm4py import charm, Chare, Group, Array, Channel, Future, Reducer, coro


class Point:

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return type(other) is Point and (self.x, self.y) == (other.x, other.y)

    def __hash__(self):
        return hash((self.x, self.y))

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)

    __radd__ = lambda self, other: self  # noqa: E731

    class Inner:
        def __eq__(self, other):
            return type(other) is Point.Inner

        __hash__ = None

    @classmethod
    def origin(cls):
        return cls(0, 0)


class Colour(enum.Enum):
    RED = 1
    GREEN = 'green'


class Bits(enum.Flag):
    A = 1
    B = 2


class Number(enum.IntEnum):
    ONE = 1


Named = collections.namedtuple('Named', 'a b')


@dataclasses.dataclass(order=True)
class Record:
    point: Point
    names: list = dataclasses.field(default_factory=list)


class ListOf(list):
    pass


class IntOf(int):
    pass


class StrOf(str):
    pass


class DictOf(dict):
    def __missing__(self, key):
        return key


class Fails(Exception):

    def __init__(self, text, code):
        super().__init__(text, code)
        self.code = code


class Meta(type):
    pass


class Special(metaclass=Meta):
    def __eq__(self, other):
        return type(other) is Special


def function(x):
    return x + 1


def biggest(contributions):
    return max(contributions, key=lambda p: p.x)


Reducer.addReducer(biggest)

VALUES = [
    Point(1, 2), Point.Inner(), Point, Point.Inner, Point.origin, Colour.RED, Colour.GREEN, Colour,
    Bits.A | Bits.B, Number.ONE, Named(1, Point(3, 4)), Record(Point(0, 1), ['n']), ListOf([1, Point(1, 1)]),
    IntOf(5), StrOf('text'), DictOf(a=Point(9, 9)), Special(), Special, function,
    functools.partial(function, 3), {Point(1, 2): Colour.RED, Colour.GREEN: Number.ONE},
    (Point(1, 2), [Point(1, 2), {Colour.RED}]), frozenset([Number.ONE, Colour.RED]),
    collections.Counter(a=Point(1, 1)), collections.deque([Point(1, 2)], maxlen=3),
]


def same(x, y):
    if isinstance(x, functools.partial):
        return (x.func, x.args) == (y.func, y.args)
    return type(x) is type(y) and x == y


class Member(Chare):

    def check(self, which, value):
        assert type(value) is type(VALUES[which]), (which, value)
        assert same(value, VALUES[which]), (which, value)
        return value

    def call(self, f, x):
        return f(x)

    def identity_of(self, colour, number, cls):
        return colour is Colour.RED and number is Number.ONE and cls is Point

    def fail(self):
        raise Fails('text', 7)

    def fail_with(self, exception):
        raise exception

    def sum(self, future):
        self.reduce(future, Point(1, 2), Reducer.sum)

    def big(self, future):
        index = self.thisIndex[0]
        self.reduce(future, Point(index, -index), Reducer.biggest)

    @coro
    def channel(self, remote):
        channel = Channel(self, remote=remote)
        for value in VALUES:
            channel.send(value)
        for value in VALUES:
            assert same(channel.recv(), value)


def main(args):
    n = charm.numPes()
    array = Array(Member, 2 * n, args=[])
    for which, value in enumerate(VALUES):
        assert same(array[2 * n - 1].check(which, value, ret=True).get(), value), which
        assert all(same(back, value) for back in array.check(which, value, ret=True).get())
    assert array[2 * n - 1].call(function, 4, ret=True).get() == 5
    assert array[2 * n - 1].call(Point.origin().__add__, Point(5, 6), ret=True).get() == Point(5, 6)
    assert all(array.identity_of(Colour.RED, Number.ONE, Point, ret=True).get())
    for call in (array[2 * n - 1].fail, functools.partial(array[2 * n - 1].fail_with, Fails('text', 7))):
        try:
            call(ret=True).get()
            assert False
        except Fails as e:
            assert e.args == ('text', 7) and e.code == 7
    future = Future()
    array.sum(future)
    assert future.get() == Point(2 * n, 4 * n)
    array.big(future := Future())
    assert future.get() == Point(2 * n - 1, 1 - 2 * n)
    array[0].channel(array[2 * n - 1])
    array[2 * n - 1].channel(array[0], awaitable=True).get()
    charm.waitQD()
    assert charm.pool.map(function, [IntOf(1), 2]) == [2, 3]
    exit()


charm.start(main)
