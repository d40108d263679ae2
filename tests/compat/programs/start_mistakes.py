# PEs: 1 2
"""What charm.start() and charm.register() refuse; a refused start can be repeated."""
from charm4py import charm, Chare, Group, Array, ArrayMap, Options, coro
from charm4py.chare import Mainchare
from charm4py.charm import Charm4PyError


def raises(kind, text, func, *args, **more):
    try:
        func(*args, **more)
    except kind as e:
        assert text in str(e), e
        return True
    raise AssertionError(f'{func} did not raise {kind}')


class NoArgs(Chare):
    def __init__(self):
        pass


class TwoArgs(Chare):
    def __init__(self, args, more):
        pass


class Entry(Chare):
    def __init__(self, args):
        # contract: 3.1.5
        assert raises(Charm4PyError, 'charm.start() can only be called once', charm.start, Entry)
        # contract: 3.1.11
        assert raises(Charm4PyError, 'not registered for use in Groups', Group, Entry)
        assert raises(Charm4PyError, 'not registered for use in Arrays', Array, Entry, 3)
        # contract: 3.1.10
        assert raises(Charm4PyError, 'not registered for use in Arrays', Array, Map, 3)
        m = Group(Map)
        a = Array(Plain, 4, map=m)
        b = Group(Plain)
        assert a.pe(ret=True).get() == [charm.numPes() - 1] * 4
        assert b.pe(ret=True).get() == list(range(charm.numPes()))
        # contract: 3.1.13
        assert raises(Charm4PyError, 'Only subclasses of Chare can be member of Array', Array, int, 3)
        # contract: 4.1.8
        p = Chare(Iterates, onPE=charm.numPes() - 1)
        assert p.use(ret=True).get() == [1, 2]
        for method, text in (p.pairs, 'pairs is a generator'), (p.numbers, 'numbers is a generator'), \
                (p._later, '_later is async def'):
            assert raises(Charm4PyError, f'Iterates.{text}, which no entry method', method(ret=True).get)
        exit()


class Map(ArrayMap):
    def procNum(self, index):
        return charm.numPes() - 1


class Plain(Chare):
    def pe(self):
        return charm.myPe()


class Iterates(Chare):
    def pairs(self):
        yield 1

    async def _later(self):
        pass

    @staticmethod
    def numbers():
        yield 2

    def use(self):
        self._later().close()
        return list(self.pairs()) + list(self.numbers())


def refused(name, text, **methods):
    # contract: 4.1.8
    cls = type('Refused', (Chare,), methods)
    assert raises(Charm4PyError, f'Refused.{name} is {text}, which no entry method can be', charm.register, cls)


def generator(self):
    yield 1


async def asynchronous(self):
    pass


async def both(self):
    yield 1


refused('asynchronous', 'async def', asynchronous=asynchronous)
refused('asynchronous', 'async def', asynchronous=coro(asynchronous))
refused('both', 'an asynchronous generator', both=both)
refused('asynchronous', 'async def', f=staticmethod(asynchronous))
charm.register(Iterates)
for wrong in asynchronous, generator:
    assert raises(Charm4PyError, 'Main function must be a plain one', charm.start, wrong)
# contract: 3.1.1
one = 'Main function must have one (and only one) parameter'
assert raises(Charm4PyError, one, charm.start, lambda: 0)
assert raises(Charm4PyError, one, charm.start, lambda a, b: 0)
assert raises(Charm4PyError, one, charm.start, lambda *a: 0)
# contract: 3.1.2
one = 'Mainchare constructor must take one (and only one) parameter'
assert raises(Charm4PyError, one, charm.start, NoArgs)
assert raises(Charm4PyError, one, charm.start, TwoArgs)
assert raises(Charm4PyError, one, charm.start, Plain)
# contract: 3.1.3
assert raises(AssertionError, '', charm.start)
assert raises(AssertionError, '', charm.start, 7)

# contract: 3.1.13
assert raises(Charm4PyError, 'Only subclasses of Chare can be registered', charm.register, int)
assert raises(Charm4PyError, 'Only subclasses of Chare can be registered', charm.register, 3)

# contract: 3.1.12
old = 'Chares must not inherit from Group, Array or Mainchare. Refer to new API'
for base in (Group, Array, Mainchare):
    assert raises(Charm4PyError, old, charm.register, type('Old', (Chare, base), {}))

# contract: 3.1.14
for name in 'PROFILING PICKLE_PROTOCOL LOCAL_MSG_OPTIM LOCAL_MSG_BUF_SIZE AUTO_FLUSH_WAIT_QUEUES QUIET'.split():
    setattr(Options, name, True)
    assert raises(Charm4PyError, 'Options API has changed. Use charm.options instead', charm.start, Entry)
    delattr(Options, name)

charm.start(Entry)
raise AssertionError('charm.start() returned')
