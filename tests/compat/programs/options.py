"""charm.options: names, values, and what they do."""
from charm4py import charm, Chare, Group, Array, Options, Future, when
import pickle

NAMES = dict(profiling=False, pickle_protocol=-1, local_msg_optim=True, local_msg_buf_size=50,
             auto_flush_wait_queues=True, quiet=None, remote_exec=False)
# contract: 3.7.1
for name, value in NAMES.items():
    assert value is None or getattr(charm.options, name) == value, name
assert charm.options.interactive.verbose == 1 and charm.options.interactive.broadcast_imports is True
# contract: 3.7.2
lines = str(charm.options).splitlines()
assert 'profiling: False' in lines and 'pickle_protocol: -1' in lines
assert not any('interactive' in line or '__' in line for line in lines)
assert 'verbose: 1' in str(charm.options.interactive)
# contract: 3.7.3
charm.options.something_of_mine = [1, 2]
assert 'something_of_mine: [1, 2]' in str(charm.options)
assert not hasattr(charm.options, 'zlib') and not hasattr(charm.options, 'use_cffi')
# contract: 3.7.5 3.7.6
charm.options.pickle_protocol = 3
charm.options.auto_flush_wait_queues = False
charm.options.local_msg_buf_size = 5


class Protocol:
    def __reduce_ex__(self, protocol):
        return str, (f'protocol {protocol}',)


class Counts(Chare):
    def __init__(self):
        self.n = 0
        self.got = []

    def take(self, x):
        return x

    def note(self, i):
        self.got.append(i)

    @when('self.n >= i')
    def at(self, i):
        self.got.append(i)

    def advance(self, flush):
        self.n += 1
        if flush:
            self.__flush_wait_queues__()

    def seen(self):
        return self.got


def main(args):
    last = charm.numPes() - 1
    # contract: 3.7.5
    far = Chare(Counts, onPE=last)
    if last:
        assert far.take(Protocol(), ret=True).get() == 'protocol 3'
    # contract: 3.7.4
    near = Chare(Counts, onPE=0)
    for i in range(500):
        near.note(i)                # far more than local_msg_buf_size, all waiting
    assert near.seen(ret=True).get() == list(range(500))
    # contract: 3.7.6
    c = Chare(Counts, onPE=last)
    c.at(1)
    c.advance(False, awaitable=True).get()
    assert c.seen(ret=True).get() == []
    c.advance(True, awaitable=True).get()
    assert c.seen(ret=True).get() == [1]
    exit()


charm.start(main)
