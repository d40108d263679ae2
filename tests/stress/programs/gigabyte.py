"""Arguments and results of 1 GiB: bytes, arrays, pickled objects with buffers."""
# PEs: 2
# repeat: once
# stress: no
import gc
import sys

import numpy as np

from charm4py import charm, Chare, Group

GIB = 1 << 30


def available():
    """Bytes of memory that are free, as the kernel sees it."""
    with open('/proc/meminfo') as f:
        for line in f:
            if line.startswith('MemAvailable:'):
                return int(line.split()[1]) * 1024
    return 0


class Holder:

    def __init__(self, data):
        self.data, self.more = data, {'me': self}


class Taker(Chare):

    def check(self, kind, x):
        if kind == 'bytes':
            return type(x) is bytes and len(x) == GIB and x[-3:] == b'end'
        if kind == 'object':
            assert x.more['me'] is x
            x = x.data
        x[0] = 7
        return x.nbytes == GIB and x[-1] == 5 and int(x[1:-1].max()) == 1

    def give(self, kind):
        return make(kind)


def make(kind):
    if kind == 'bytes':
        return bytes(GIB - 3) + b'end'
    a = np.ones(GIB // 8, dtype=np.int64)
    a[-1] = 5
    return Holder(a) if kind == 'object' else a


def main(args):
    if available() < 8 * GIB:
        print(f'skipped: {available() >> 20} MiB of memory are free, 8192 are needed')
        exit()
    group = Group(Taker)
    for kind in ('bytes', 'array', 'object'):
        value = make(kind)
        assert group[1].check(kind, value, ret=True).get()
        if kind != 'bytes':
            assert (value.data if kind == 'object' else value)[0] == 1
        del value
        gc.collect()
        back = group[1].give(kind, ret=True).get()
        assert (len(back) if kind == 'bytes' else (back.data if kind == 'object' else back).nbytes) == GIB
        del back
        gc.collect()
    assert 'numpy' in sys.modules
    exit()


charm.start(main)
