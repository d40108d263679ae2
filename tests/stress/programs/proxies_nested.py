"""Proxies inside containers of every kind, as keys, compared and hashed, come back the same."""
# PEs: 1 2 4 8
import collections
import dataclasses

from charm4py import charm, Chare, Group, Array, Future, coro


@dataclasses.dataclass
class Box:
    proxy: object
    more: list


@dataclasses.dataclass(frozen=True)
class Key:
    proxy: object
    n: int


Pair = collections.namedtuple('Pair', 'a b')


class Member(Chare):

    def __init__(self, known=None):
        self.known = known

    def hello(self):
        return 'hello', self.thisIndex

    def back(self, x):
        return x

    @coro
    def use(self, nest):
        found = []
        walk(nest, found)
        return [proxy.hello(ret=True).get() for proxy in found]

    def look_up(self, table, proxy):
        return table[proxy]

    def same_as_known(self, *others):
        """Those that came with the constructor and those that come now."""
        assert list(self.known) == list(others)
        assert [hash(p) for p in self.known] == [hash(p) for p in others]
        assert {p: i for i, p in enumerate(self.known)} == {p: i for i, p in enumerate(others)}
        assert self.thisProxy[self.thisIndex] == self.thisProxy[self.thisIndex]
        return [hash(p) for p in others]

    def call_bound(self, bound):
        table = {'callback': [bound]}
        table['callback'][0]('bound')

    def keep(self, x):
        self.kept = x

    def kept_is(self, x):
        return self.kept == x


class Element(Member):
    pass


class Single(Member):
    pass


def walk(x, found):
    """All proxies of elements in x."""
    if isinstance(x, dict):
        for key, value in x.items():
            walk(key, found), walk(value, found)
    elif isinstance(x, (list, tuple, set, frozenset, collections.deque)):
        for one in x:
            walk(one, found)
    elif isinstance(x, (Box, Key)):
        walk(list(vars(x).values()), found)
    elif hasattr(x, 'hello'):
        found.append(x)


def main(args):
    n = charm.numPes()
    group, line, grid = Group(Member), Array(Element, 3), Array(Element, (2, 3))
    single = Chare(Single, onPE=n - 1)
    sections = charm.split(line, 2, elems=[[(0,), (1,)], [(1,), (2,)]])
    part = Group(Member, onPEs=[0, n - 1])
    proxies = [group, group[0], group[n - 1], line, line[0], line[2], grid, grid[0, 0], grid[1, 2],
               single, *sections, part, charm.thisProxy, charm.thisProxy[0]]
    if n == 1:
        proxies.pop(2)
    assert len(set(proxies)) == len(proxies)
    for i, p in enumerate(proxies):
        for j, q in enumerate(proxies):
            assert (p == q) is (i == j) and (p != q) is (i != j), (i, j)
        assert p != None and p != i and p != 'x'  # noqa: E711
    assert group[0] == group[0] and hash(group[0]) == hash(group[0])
    assert line[1] == line[(1,)] == line[[1]] and grid[1, 2] == grid[(1, 2)] == grid[[1, 2]]

    elements = [group[0], group[n - 1], line[1], grid[1, 1], single]
    answers = [p.hello(ret=True).get() for p in elements]
    nests = [
        elements, tuple(elements), {'a': {'b': [elements]}}, {p: 0 for p in elements},
        {(p, 1): [p] for p in elements}, set(elements), frozenset(elements),
        collections.deque(elements), [Box(p, [p, {p}]) for p in elements], Pair(elements[0], elements),
        {Key(p, 1): {Key(p, 2)} for p in elements}, collections.OrderedDict((p, p) for p in elements),
        collections.defaultdict(list, {p: [1] for p in elements}),
        [[[[[[[[[[[[[[[[elements]]]]]]]]]]]]]]]],
    ]
    for nest in nests:
        for target in (group[0], group[n - 1], line[2], single):
            assert target.back(nest, ret=True).get() == nest
            found = []
            walk(nest, found)
            got = target.use(nest, ret=True).get()
            assert len(found) >= len(set(elements)) and set(got) == set(answers), (nest, got)

    table = {p: i for i, p in enumerate(proxies)}
    for i, p in enumerate(proxies):
        assert group.look_up(table, p, ret=True).get() == [i] * n
    knows = Group(Member, args=[proxies])
    hashes = knows.same_as_known(*proxies, ret=True).get()
    assert all(h == [hash(p) for p in proxies] for h in hashes)

    for target in (group[n - 1], line[0], grid[0, 2], single):
        done = Future()
        target.call_bound(done)
        assert done.get() == 'bound'
        target.call_bound(group[0].keep)
        charm.waitQD()
        assert group[0].kept_is('bound', ret=True).get()
        group[0].keep(None)
        back = target.back({'bound': [target.hello]}, ret=True).get()
        assert back['bound'][0](ret=True).get() == target.hello(ret=True).get()
    exit()


charm.start(main)
