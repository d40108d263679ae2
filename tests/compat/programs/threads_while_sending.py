"""Other threads of a PE run while it copies a large argument for another PE."""
# PEs: 2 3
import sys
import threading
import numpy as np
from charm4py import charm, Chare, Group


class Taker(Chare):

    def take(self, big):
        return int(big[0]), int(big[-1])


def main(args):
    g = Group(Taker)
    big = np.arange(1 << 25)            # 256 MiB
    count, end = [0], threading.Event()

    def counts():
        while not end.wait(0.0002):
            count[0] += 1

    sys.setswitchinterval(1000)         # the GIL goes to others only where it is given away
    thread = threading.Thread(target=counts)
    thread.start()
    ran = False
    for _ in range(50):
        before = count[0]
        f = g[1].take(big, ret=True)    # nothing in here waits
        ran = ran or count[0] > before
        assert f.get() == (0, (1 << 25) - 1)
        if ran:
            break
    end.set()
    thread.join()
    assert ran
    charm.exit()


charm.start(main)
