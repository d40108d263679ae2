"""What a chare class may look like, and which of its methods can be called from afar."""
import functools

from charm4py import charm, Chare, Group, Array, Future, coro, when, ArrayMap
from charm4py.charm import Charm4PyError


def raises(kind, text, func, *args, **more):
    try:
        func(*args, **more)
    except kind as e:
        assert text in str(e), e
        return True
    raise AssertionError(f'{func} did not raise {kind}')


class Mixin:
    def from_mixin(self, x):
        return type(self).__name__, x

    def twice(self):
        return 'mixin'


class Base(Chare):
    def __init__(self, n=1):
        # contract: 4.1.1
        super().__init__()
        self.n = n

    def inherited(self):
        return self.n

    def twice(self):
        return 'base'


class NoSuper(Mixin, Base):
    constant = 7

    def __init__(self, n):          # does not call the constructors of its bases
        self.n = n

    def twice(self):
        return 'own, then ' + super().twice()

    def _one_underscore(self):
        return '_'

    def __hidden(self):
        return 'mangled'

    @staticmethod
    def static(a, b=2):
        return a + b

    @classmethod
    def klass(cls, a):
        return cls.__name__, a

    part = functools.partialmethod(Base.inherited)
    builtin = len

    @property
    def prop(self):
        raise RuntimeError('a property is not touched')

    class NotAnEntry:
        pass

    def __len__(self):
        return 5

    async_name = lambda self, x: x * 2


class Methods(Chare):
    """Names that proxies and the runtime use, too."""

    def __init__(self):
        self.calls = []

    def send(self, x):
        return 'send', x

    def get(self):
        return 'get'

    def ret(self):
        return 'ret'

    @when('self.never')
    def guarded(self):
        return 'guarded'

    never = False

    @coro
    def suspends(self):
        charm.sleep(0)
        return 'after'

    @coro
    def locally(self):
        # contract: 4.1.7
        return self.guarded(), self.suspends(), self.send(3)


def class_rules():
    n = charm.numPes()
    for proxy, elem in ((Group(NoSuper, args=[n]), n - 1), (Array(NoSuper, 3, args=[n]), 2)):
        one = proxy[elem]
        # contract: 4.1.1 4.1.2
        assert one.inherited(ret=True).get() == n
        assert one.from_mixin(1, ret=True).get() == ('NoSuper', 1)
        assert one.twice(ret=True).get() == 'own, then mixin'
        # contract: 4.1.3
        assert one._one_underscore(ret=True).get() == '_'
        assert one.static(1, ret=True).get() == 3
        assert one.klass('x', ret=True).get() == ('NoSuper', 'x')
        assert one.async_name(4, ret=True).get() == 8
        # contract: 4.1.4
        for name in ('wait', 'contribute', 'reduce', 'allreduce', 'AtSync', 'migrated', 'prop', 'constant',
                     'NotAnEntry', '__len__', 'n'):
            assert not hasattr(one, name), name
        for name in ('ckDestroy', 'migrate', 'setMigratable'):
            assert hasattr(one, name) == (type(proxy).__name__ == 'NoSuperArrayProxy'), name
    # contract: 4.1.7
    m = Array(Methods, 2)
    assert m[0].send(1, ret=True).get() == ('send', 1) and m[1].get(ret=True).get() == 'get'
    assert m[1].ret(ret=True).get() == 'ret'
    assert m[1].locally(ret=True).get() == ('guarded', 'after', ('send', 3))


def reserved():
    # contract: 4.1.5
    names = '''wait contribute reduce allreduce AtSync ckDestroy migrate setMigratable __addLocal__ __removeLocal__
               __flush_wait_queues__ __waitEnqueue__ _coll_future_deposit_result __getRedNo__
               __addThreadEventSubscriber__ _getSectionLocations_ __initchannelattrs__
               __findPendingChannel__ _channelConnect__ _channelRecv__'''.split()
    for name in names:
        cls = type('Redefines', (Chare,), {name: lambda self: None})
        assert raises(Charm4PyError, f"redefines reserved method '{name}'", charm.register, cls)
    charm.register(type('Fine', (Chare,), {'migrated': lambda self: None, 'gather': lambda self: None}))

    # contract: 4.1.6
    class HasRet(Chare):
        def method(self, ret):
            pass
    assert raises(AssertionError, 'ret', charm.register, HasRet)


def main(args):
    class_rules()
    reserved()
    exit()


charm.start(main)
