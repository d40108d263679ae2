"""Modules with chares are imported in another order on each PE, classes defined in another order."""
# PEs: 1 2 4 8
import importlib
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'modules'))

from charm4py import charm, Chare, Group, Array, Reducer, coro, register  # noqa: E402

rng = random.Random(os.getpid())  # another on each PE
names = ['here', 'there', 'shapes', 'sizes']
rng.shuffle(names)
modules = {name: importlib.import_module(name) for name in names}


def first_sum(contributions):
    return sum(contributions)


def second_max(contributions):
    return max(contributions)


def define(i):
    @register
    class Late(Chare):
        def __init__(self, x):
            self.x = x

        def get(self):
            return type(self).__name__, self.x

        def add(self, future):
            self.reduce(future, i, Reducer.first_sum)
            self.reduce(future, i, Reducer.second_max)
    Late.__name__ = f'Late{i}'
    Late.__qualname__ = f'Late{i}'
    return Late


numbers = list(range(10))
rng.shuffle(numbers)
classes = {i: define(i) for i in numbers}
for i in numbers:
    globals()[f'Late{i}'] = classes[i]
reducers = [first_sum, second_max]
rng.shuffle(reducers)
for reducer in reducers:
    Reducer.addReducer(reducer)


def main(args):
    n = charm.numPes()
    for i in range(10):
        for proxy, size in ((Group(classes[i], args=[i]), n), (Array(classes[i], n + 2, args=[i]), n + 2)):
            assert proxy.get(ret=True).get() == [(f'Late{i}', i)] * size
            future = charm.Future(2)
            proxy.add(future)
            assert sorted(future.get()) == sorted([i * size, i])
    for module, cls, text in (('here', 'Same', 'here'), ('there', 'Same', 'there'),
                              ('shapes', 'Circle', 'circle'), ('shapes', 'Square', 'square'),
                              ('sizes', 'Large', 'large')):
        proxy = Group(getattr(modules[module], cls))
        assert proxy.who(ret=True).get() == [text] * n
    values = [modules['shapes'].Circle, modules['sizes'].Value(3), modules['shapes'].area]
    back = Group(modules['sizes'].Large)[n - 1].back(values, ret=True).get()
    assert back[0] is values[0] and back[1] == values[1] and back[2] is values[2]
    exit()


rng.shuffle(names)
charm.start(main, modules=names)
