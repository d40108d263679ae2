"""Chare classes are found wherever they are, whatever the order of imports is on a PE."""
import os
import sys
import types

from charm4py import charm, Chare, Group, Array, register
from charm4py.chare import GROUP, ARRAY
from charm4py.charm import Charm4PyError

SOURCE = '''
from charm4py import Chare, register
class Same(Chare):
    def where(self): return __name__
class {own}(Chare):
    def where(self): return '{own}'
def make():
    @register
    class Hidden(Chare):
        def where(self): return __name__ + '.hidden'
    return Hidden
Hidden = make()
'''


def module(name, own):
    m = types.ModuleType(name)
    sys.modules[name] = m
    exec(SOURCE.format(own=own), m.__dict__)
    return m


# contract: 3.1.9
order = ['first', 'second', 'third']
if int(os.environ.get('C4_SHM', '1 0').split()[1]) % 2:
    order.reverse()             # on PEs with an odd number
mods = {name: module(name, name.title()) for name in order}
first, second, third = mods['first'], mods['second'], mods['third']
from_first = first.First        # contract: 3.1.8


class Same(Chare):
    def where(self):
        return __name__


class Inner:
    class Nested(Chare):
        def where(self):
            return 'nested'


class Order(Chare):
    def order(self):
        return order


def main(args):
    n = charm.numPes()
    orders = Group(Order).order(ret=True).get()
    assert [o[0] for o in orders] == ['first', 'third'] * (n // 2) + ['first'] * (n % 2), orders
    # contract: 3.1.7 3.1.8
    for cls, name in ((from_first, 'First'), (second.Second, 'Second'), (third.Third, 'Third')):
        assert Group(cls).where(ret=True).get() == [name] * n
        assert Array(cls, 3).where(ret=True).get() == [name] * 3
    # contract: 3.1.15
    for cls, name in ((Same, '__main__'), (first.Same, 'first'), (second.Same, 'second')):
        assert Array(cls, 3).where(ret=True).get() == [name] * 3, cls
    # contract: 3.1.17
    for m in mods.values():
        assert Group(m.Hidden).where(ret=True).get() == [m.__name__ + '.hidden'] * n
    # contract: 3.1.16
    assert Array(Inner.Nested, 2).where(ret=True).get() == ['nested'] * 2
    charm.register(Inner.Nested)
    charm.register(Inner.Nested)
    try:
        Array(third.Same, 2)
        assert n == 0, 'registered for groups only'
    except Charm4PyError as e:
        assert 'not registered for use in Arrays' in str(e)
    assert Group(third.Same).where(ret=True).get() == ['third'] * n
    exit()


# contract: 3.1.17
assert register(Inner.Nested) is Inner.Nested
charm.register(third.Same, collections=(GROUP,))
# contract: 3.1.4 3.1.7
charm.start(entry=main, classes=[third.Third, second.Same], modules=['first', 'second'])
