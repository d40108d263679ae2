"""A random graph of channels between members of groups, arrays and sections, and single chares."""
# PEs: 1 2 4
import random
from charm4py import charm, Chare, Group, Array, Channel, coro

CELLS, EDGES, MESSAGES = 12, 60, 25


class Cell(Chare):
    def setup(self, ends):
        """ends: (edge, proxy of the other end), in the order of making."""
        self.ends = [(edge, Channel(self, remote=remote)) for edge, remote in ends]

    def shout(self, seed):
        """Sends on all channels, in turn, as it comes."""
        self.sent = {}
        todo = [at for at in range(len(self.ends)) for _ in range(MESSAGES)]
        random.Random(seed).shuffle(todo)
        for at in todo:
            edge, ch = self.ends[at]
            k = self.sent[at] = self.sent.get(at, -1) + 1
            ch.send(edge, k, [edge] * (k % 5))

    @coro
    def listen(self):
        """A loop-back has two ends here of the same edge, which get what they sent."""
        left = {ch: MESSAGES for _, ch in self.ends}
        edge_of = {ch: edge for edge, ch in self.ends}
        while left:
            for ch in charm.iwait(list(left)):
                edge, k, some = ch.recv()
                assert edge == edge_of[ch] and k == MESSAGES - left[ch] and some == [edge] * (k % 5)
                left[ch] -= 1
            left = {ch: n for ch, n in left.items() if n}
        return len(self.ends)


def main(args):
    # contract: 12.3 12.5
    rand = random.Random(11)
    n = charm.numPes()
    groups, cells = Group(Cell), Array(Cell, (CELLS // 2, 2))
    some = Group(Cell, onPEs=[n - 1])
    singles = [Chare(Cell) for _ in range(3)]
    everybody = [groups[i] for i in range(n)] + [some[n - 1]] + singles + \
        [cells[i, j] for i in range(CELLS // 2) for j in range(2)]
    ends = {proxy: [] for proxy in everybody}
    for edge in range(EDGES):
        a, b = rand.choice(everybody), rand.choice(everybody)
        for _ in range(rand.choice((1, 1, 2))):
            ends[a].append((edge, b))
            ends[b].append((edge, a))
    heard = []
    for at, proxy in enumerate(rand.sample(everybody, len(everybody))):
        proxy.setup(ends[proxy])        # messages come before the others are set up
        proxy.shout(at)
        heard.append((proxy, proxy.listen(ret=True)))
    for proxy, future in heard:
        assert future.get() == len(ends[proxy])
    exit()


charm.start(main)
