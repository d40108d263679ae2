"""Chares that inherit from each other: mixins, super(), properties, static and class methods,
abstract and generic classes, decorated methods, calls of either."""
# PEs: 1 2 4 8
import functools
from typing import Generic, TypeVar

from charm4py import charm, Chare, Group, Array, ArrayMap, Future, Reducer, coro, when

T = TypeVar('T')


def logged(func):
    """A decorator as people write it."""
    @functools.wraps(func)
    def inner(self, *args, **kwargs):
        self.log.append(func.__name__)
        return func(self, *args, **kwargs)
    return inner


def doubled(n):
    def decorator(func):
        @functools.wraps(func)
        def inner(*args):
            return n * func(*args)
        return inner
    return decorator


class Callable:
    """An object that stands for a method."""

    def __init__(self, x):
        self.x = x

    def __call__(self, y=0):
        return self.x + y


class Plain:
    """A mixin that knows nothing of chares."""

    registry = []

    def mixed(self):
        return 'mixed', self.thisIndex

    def overridden(self):
        return ['plain']

    @coro
    def mixed_coro(self, other):
        return other.mixed(ret=True).get()


class Base(Chare):

    def __init__(self, x, *more):
        self.x = x
        self.log = []
        self.more = more

    def overridden(self):
        return ['base']

    def who(self):
        return type(self).__name__, self.x

    @property
    def size(self):
        return self.x * 10

    @size.setter
    def size(self, value):
        self.x = value // 10

    @staticmethod
    def static(a, b=2):
        return a + b

    @classmethod
    def of_class(cls, a):
        return cls.__name__, a

    @when('self.x == x')
    def guarded(self, x):
        self.x += 1
        return x


class Derived(Plain, Base):

    def __init__(self, x):
        super().__init__(x, 'more', x)
        Chare.__init__(self)
        self.y = x + 1

    def overridden(self):
        return super().overridden() + ['derived']

    def properties(self):
        before = self.size
        self.size = 70
        after, self.x = self.x, before // 10
        return before, after

    @logged
    def decorated(self, a, b=3):
        return a, b

    @doubled(3)
    def tripled(self, a):
        return a

    @coro
    @logged
    def decorated_coro(self, proxy):
        return proxy.who(ret=True).get()

    @logged
    @coro
    def decorated_inside(self, proxy):
        return proxy.who(ret=True).get()

    partial = functools.partialmethod(Base.who)
    stored = Callable(40)
    lambda_method = lambda self, a: (self.x, a)  # noqa: E731

    def get_log(self):
        return self.log

    def base_method_through_proxy(self):
        return self.thisProxy[self.thisIndex] == self.thisProxy[self.thisIndex]


class Deeper(Derived):

    def overridden(self):
        return super().overridden() + ['deeper']

    def who(self):
        return ('deeper',) + Base.who(self)

    @when('self.y >= 0')
    def guarded(self, x):
        return 'overridden', x


class Diamond(Deeper, Derived):

    async_ = 5

    def overridden(self):
        return super().overridden() + ['diamond']


class Abstract(Chare):

    def template(self, x):
        return self.step(x)

    def step(self, x):
        raise NotImplementedError


class Concrete(Abstract):

    def step(self, x):
        return x + 1


class Typed(Chare, Generic[T]):

    def take(self, x: T) -> T:
        return x


class TypedInt(Typed[int]):
    pass


class Slotted(Chare):

    __slots__ = ('a', 'b')

    def __init__(self):
        self.a = 1

    def get(self):
        return self.a


class MapBase(ArrayMap):

    def procNum(self, index):
        return self.place(index) % charm.numPes()

    def place(self, index):
        return index[0]


class MapDerived(MapBase):

    def __init__(self, shift):
        self.shift = shift

    def place(self, index):
        return super().place(index) + self.shift


def check_derived(proxy, size, cls, expected):
    assert proxy.overridden(ret=True).get() == [expected] * size
    assert [name for name, _ in proxy.mixed(ret=True).get()] == ['mixed'] * size
    assert proxy.static(1, ret=True).get() == [3] * size
    assert proxy.static(1, 5, ret=True).get() == [6] * size
    assert proxy.of_class('a', ret=True).get() == [(cls.__name__, 'a')] * size
    assert proxy.properties(ret=True).get() == [(50, 7)] * size
    assert proxy.decorated(1, 4, ret=True).get() == [(1, 4)] * size
    assert proxy.decorated(1, ret=True).get() == [(1, 3)] * size
    assert proxy.tripled('a', ret=True).get() == ['aaa'] * size
    who = [proxy[i].who(ret=True).get() for i in range(size)]
    assert proxy.decorated_coro(proxy, ret=True).get() == [who] * size
    assert proxy.decorated_inside(proxy, ret=True).get() == [who] * size
    names = ['decorated', 'decorated', 'decorated_coro', 'decorated_inside']
    assert proxy.get_log(ret=True).get() == [names] * size
    assert proxy.partial(ret=True).get() == [(cls.__name__, 5)] * size
    assert proxy.lambda_method(2, ret=True).get() == [(5, 2)] * size
    assert proxy.stored(2, ret=True).get() == [42] * size
    assert all(proxy.base_method_through_proxy(ret=True).get())
    assert proxy.mixed_coro(proxy[0], ret=True).get() == [proxy[0].mixed(ret=True).get()] * size


def main(args):
    n = charm.numPes()
    chains = {Derived: ['plain', 'derived'], Deeper: ['plain', 'derived', 'deeper'],
              Diamond: ['plain', 'derived', 'deeper', 'diamond']}
    for cls, expected in chains.items():
        check_derived(Group(cls, args=[5]), n, cls, expected)
        check_derived(Array(cls, 2 * n, args=[5]), 2 * n, cls, expected)
    base = Array(Base, 3, args=[1, 2, 3])
    assert base.overridden(ret=True).get() == [['base']] * 3
    waiting = base.guarded(2, ret=True)
    assert base.guarded(1, ret=True).get() == [1] * 3 and waiting.get() == [2] * 3
    assert Array(Deeper, 2, args=[3]).guarded(99, ret=True).get() == [('overridden', 99)] * 2
    assert Chare(Concrete, onPE=n - 1).template(4, ret=True).get() == 5
    assert Group(TypedInt)[n - 1].take(4, ret=True).get() == 4
    slotted = Array(Slotted, n)
    assert slotted.get(ret=True).get() == [1] * n
    for i in range(n):
        slotted[i].migrate((i + 1) % n)
    charm.waitQD()
    assert slotted.get(ret=True).get() == [1] * n
    placed = Array(Derived, 2 * n, args=[1], map=Group(MapDerived, args=[1]))
    assert len(placed.who(ret=True).get()) == 2 * n
    assert Derived.decorated.__name__ == 'decorated'
    exit()


charm.start(main)
