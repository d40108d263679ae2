"""Methods with the names of what proxies, futures and chares have; one class name in two modules."""
# PEs: 1 2 4 8
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'modules'))

from charm4py import charm, Chare, Group, Array, Future, Reducer, coro  # noqa: E402
import here  # noqa: E402
import there  # noqa: E402


class Clashes(Chare):
    """None of these names is reserved."""

    NAMES = ['send', 'get', 'recv', 'ready', 'start', 'exit', 'abort', 'method', 'proxy', 'call',
             'name', 'index', 'args', 'kwargs', 'future', 'awaitable', 'init', 'copy', 'update', 'keys',
             'items', 'run', 'myPe', 'numPes', 'sum', 'gather', 'self_', '_private', 'cls', 'type', 'id',
             'print', 'sleep', 'map', 'Task', 'register', 'entry', 'element', 'key', 'value', 'next']

    def ret(self, x):
        return 'ret', x

    def thisIndexOf(self):
        return self.thisIndex

    def print_(self):
        return 'print_'

    def takes(self, self_, args, name, index, key, id, method, entry):
        return self_, args, name, index, key, id, method, entry

    def with_kwargs_names(self, awaitable_=1, values=2, n=3):
        return awaitable_, values, n


def answer(name):
    def method(self, x=0):
        return name, x
    method.__name__ = name
    return method


for name in Clashes.NAMES:
    setattr(Clashes, name, answer(name))


class Shadows(Chare):
    """Attributes of the instance with names of entry methods: calls through proxies go to the class."""

    def __init__(self):
        self.hidden = 'attribute'
        self.send = 17
        self.count = 0

    def hidden(self):
        return 'method'

    def send(self):
        return 'send'

    def count(self):
        return self.__dict__['count']

    def bump(self):
        self.count += 1
        return self.count

    data = 5
    nested = {'a': 1}

    class Inner:
        pass

    @property
    def prop(self):
        return self.hidden

    def see(self):
        return self.hidden, self.prop, self.data, self.send


class Same(Chare):
    """The third of this name."""

    def who(self):
        return __name__


def main(args):
    n = charm.numPes()
    for proxy in (Group(Clashes), Array(Clashes, 3), Chare(Clashes, onPE=n - 1)):
        element = proxy if 'Single' in type(proxy).__name__ or not hasattr(proxy, 'elemIdx') else proxy[0]
        for name in Clashes.NAMES + ['ret']:
            method = getattr(element, name)
            assert method(4, ret=True).get() == (name, 4), name
            assert method(4, awaitable=True).get() == (name, 4)
            assert method(4) is None
        assert element.takes(*range(8), ret=True).get() == tuple(range(8))
        assert element.takes(0, entry=7, method=6, id=5, key=4, index=3, name=2, args=1,
                             ret=True).get() == tuple(range(8))
        assert element.with_kwargs_names(n=9, ret=True).get() == (1, 2, 9)

    group, array = Group(Shadows), Array(Shadows, 2 * n)
    for proxy, size in ((group, n), (array, 2 * n)):
        assert proxy.see(ret=True).get() == [('attribute', 'attribute', 5, 17)] * size
        assert proxy.hidden(ret=True).get() == ['method'] * size
        assert proxy.send(ret=True).get() == ['send'] * size
        proxy.bump(awaitable=True).get()
        assert proxy.bump(ret=True).get() == [2] * size
        assert proxy.count(ret=True).get() == [2] * size
        for name in ('data', 'nested', 'Inner', 'prop'):
            assert not hasattr(proxy, name), name

    for make in (Group, lambda cls: Array(cls, n + 1), Chare):
        for cls, module in ((here.Same, 'here'), (Same, '__main__'), (there.Same, 'there')):
            proxy = make(cls)
            answers = proxy.who(ret=True).get()
            assert set(answers if isinstance(answers, list) else [answers]) == {module}
            assert proxy != make(cls)
            back = group.bump.__self__  # bound methods know their proxies
            assert back == group
    both = [Group(here.Same), Group(there.Same)]
    assert both[0] != both[1] and type(both[0]) is not type(both[1])
    pair = charm.thisProxy[n - 1].eval  # a name of Python's own
    assert pair.__self__ == charm.thisProxy[n - 1]
    assert both[0].pass_through(both[1], ret=True).get() == ['there'] * n
    exit()


charm.start(main, modules=['here', 'there'])
