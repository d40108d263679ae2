"""What the runtime itself offers: globals, code, quiescence, timers, PEs and hosts.

    charmrun +p2 runtime.py
"""
import time

from charm4py import charm, Chare, Future, Group


class Wave(Chare):

    def __init__(self):
        self.seen = 0

    def spread(self, hops):
        self.seen += 1
        if hops:
            self.thisProxy.spread(hops - 1)

    def count(self):
        return self.seen

    def limit(self):
        return LIMIT                                        # a global that main sets on all PEs


def main(args):
    npes = charm.numPes()
    charm.thisProxy.updateGlobals({'LIMIT': 7}, awaitable=True).get()
    waves = Group(Wave)
    assert waves.limit(ret=True).get() == [7] * npes

    assert charm.thisProxy.eval('LIMIT + 1', ret=True).get() == [8] * npes
    charm.thisProxy[npes - 1].exec('LIMIT = 9', awaitable=True).get()
    assert waves[npes - 1].limit(ret=True).get() == 9
    assert charm.thisProxy.myPe(ret=True).get() == list(range(npes))

    waves.spread(2)                                         # nobody knows how many calls that makes
    charm.waitQD()
    calls = sum(waves.count(ret=True).get())
    assert calls == npes + npes ** 2 + npes ** 3

    bell, begin = Future(), time.monotonic()
    charm.scheduleCallableAfter(bell, 0.02, ['time is up'])
    charm.sleep(0.01)
    assert bell.get() == 'time is up' and time.monotonic() - begin >= 0.02

    host = charm.myHost()
    assert charm.myPe() in charm.getHostPes(host) and charm.getPeHost(0) == charm.getPeHost(charm.getHostFirstPe(host))
    print(f'{npes} PEs on {charm.numHosts()} host(s), {calls} calls until nothing was left to do')
    charm.exit()


charm.options.remote_exec = True
charm.start(main)
