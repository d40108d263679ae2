"""What main has set before it first suspends is there before anything runs on another PE."""
from charm4py import charm, Chare, Group, Array, Future, readonlies


class Early(Chare):
    def __init__(self):
        # contract: 3.2.2 3.2.3
        self.saw = sorted(k for k in vars(readonlies))
        self.value = getattr(readonlies, 'a', None)
        assert charm.thisProxy is not None

    def look(self):
        return self.saw, self.value, getattr(readonlies, 'late', 'no'), bool(charm.pool)


def main(args):
    # contract: 3.2.1
    assert charm.myPe() == 0
    g = Group(Early)
    a = Array(Early, 3 * charm.numPes())
    a.look()
    readonlies.a = {'x': [1, 2]}
    readonlies.b = 2
    readonlies._c = readonlies.d_ = 'not sent'
    a.look(awaitable=True).get()            # here main suspends first
    readonlies.late = readonlies.a['y'] = 'only here'
    for pe, (saw, value, late, pool) in enumerate(g.look(ret=True).get()):
        if pe:
            assert (saw, value) == (['a', 'b'], {'x': [1, 2]}), (saw, value)
        # contract: 3.2.4 3.2.5
        assert late == ('only here' if pe == 0 else 'no') and pool
    exit()


charm.start(main)
