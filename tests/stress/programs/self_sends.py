"""A chare may send to itself from everywhere: in order, never nested, and waiting for the answer."""
# PEs: 1 2 4 8
from charm4py import charm, Chare, Group, Array, Channel, coro

N = 300


class Member(Chare):

    def __init__(self):
        self.inside = 0
        self.got = []
        self.depth = 0
        for i in range(3):
            self.me().note(-3 + i)  # before the constructor has returned

    def me(self):
        return self.thisProxy[self.thisIndex]

    def note(self, i):
        assert self.inside == 0, 'a call to oneself ran inside another'
        self.got.append(i)

    def send_many(self):
        self.inside += 1
        for i in range(N):
            self.me().note(i)
        self.inside -= 1

    def next(self, i, done):
        self.depth += 1
        assert self.depth == 1
        if i:
            self.me().next(i - 1, done)
        else:
            done(None)
        self.depth -= 1

    @coro
    def ask_oneself(self):
        me, total = self.me(), 0
        for i in range(20):
            total += me.answer(i, ret=True).get()
        assert me.nested(5, ret=True).get() == 5
        assert me.answer(x=1, ret=True).get() == 2
        loop = Channel(self, remote=me)
        for i in range(10):
            loop.send(i)
        assert [loop.recv() for _ in range(10)] == list(range(10))
        return total

    @coro
    def nested(self, n):
        return 1 + self.me().nested(n - 1, ret=True).get() if n else 0

    def answer(self, x):
        return 2 * x

    @coro
    def wait_for_oneself(self):
        self.flag = 0
        self.me().raise_flag()
        self.wait('self.flag == 1')
        return self.flag

    def raise_flag(self):
        self.flag += 1

    @coro
    def all_of_us(self):
        """A broadcast by each member to all, itself included, awaited."""
        self.thisProxy.note('all', awaitable=True).get()

    def get(self):
        return self.got


class Element(Member):
    pass


def main(args):
    for proxy, indexes in ((Group(Member), range(charm.numPes())),
                           (Array(Element, 3 * charm.numPes()), range(3 * charm.numPes()))):
        charm.awaitCreation(proxy)
        charm.waitQD()
        assert all(sorted(got) == [-3, -2, -1] for got in proxy.get(ret=True).get())
        proxy.send_many(awaitable=True).get()
        charm.waitQD()
        for got in proxy.get(ret=True).get():
            assert sorted(got) == list(range(-3, N)), got
            assert isinstance(proxy, type(indexes)) or 'Group' not in type(proxy).__name__ \
                or got == list(range(-3, N)), 'order on one PE'
        done = charm.Future(len(indexes))
        proxy.next(200, done)
        done.get()
        assert proxy.ask_oneself(ret=True).get() == [380] * len(indexes)
        assert proxy.wait_for_oneself(ret=True).get() == [1] * len(indexes)
        proxy.all_of_us(awaitable=True).get()
        for got in proxy.get(ret=True).get():
            assert got.count('all') == len(indexes)
    exit()


charm.start(main)
