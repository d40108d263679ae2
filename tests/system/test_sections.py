"""Sections in Python: the manual's examples, many random sections, mistakes.
What they do is in py_sections.py, which test_py.py runs."""
import os
import subprocess

import pytest

LIMIT_S = 120  # against hangs only

HEAD = """from charm4py import charm, Chare, Group, Array, Future, Reducer, coro

class Test(Chare):
    def sayHi(self):
        print('Hello from', self.thisIndex)

    def recvSecProxies(self, proxies):
        self.secProxy = proxies[sectionNo(self)]

    def doreduction(self, future):
        self.contribute(1, Reducer.sum, future, self.secProxy)

    def reduceIn(self, future, section):
        self.contribute(1, Reducer.sum, future, section)

class Lone(Chare):
    def other(self):
        pass

def even(obj):
    return [0] if obj.thisIndex % 2 == 0 else []

def sectionNo(obj):
    return obj.thisIndex[0]

def wrong(obj):
    return no_such_name
"""

TAIL = """    exit()

charm.start(main)
"""


def run(tmp_path, npes, body, *flags):
    path = tmp_path / 'prog.py'
    path.write_text(HEAD + '\ndef main(args):\n' + body + TAIL)
    return subprocess.run(['charmrun', f'+p{npes}', '++quiet', str(path), *flags],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=LIMIT_S, env={**os.environ, 'PYTHONUNBUFFERED': '1'})


EVEN = """    g = Group(Test)
    secProxy = charm.split(g, 1, even)[0]
    secProxy2 = g[::2]
    assert secProxy != secProxy2
    secProxy.sayHi(awaitable=True).get()
    secProxy2.sayHi(awaitable=True).get()
"""

ROWS = """    a = Array(Test, (4, 4))
    secProxies = charm.split(a, 4, sectionNo)
    a.recvSecProxies(secProxies, awaitable=True).get()
    f = Future()
    secProxies[0].doreduction(f)
    print(f.get())
"""

CROSS = """    a1 = Array(Test, (4, 4))
    a2 = Array(Test, (4, 4))
    combined = charm.combine(a1, a2)
    combined.sayHi()
    secProxies = charm.split(combined, 4, sectionNo)
    futures = []
    for proxy in secProxies:
        futures.append(proxy.sayHi(awaitable=True))
    charm.wait(futures)
"""


def cross_lines():
    return sorted(f'Hello from ({i}, {j})' for i in range(4) for j in range(4) for _ in range(4))


@pytest.mark.parametrize('npes', [1, 2, 4, 8])
@pytest.mark.parametrize('body, lines', [
    (EVEN, lambda npes: sorted(f'Hello from {i}' for i in range(0, npes, 2) for _ in range(2))),
    (ROWS, lambda npes: ['4']),
    (CROSS, lambda npes: cross_lines()),
], ids=['group', 'rows', 'across arrays'])
def test_example_of_the_manual(tmp_path, npes, body, lines):
    r = run(tmp_path, npes, body)
    assert r.returncode == 0, r.stdout
    assert sorted(r.stdout.splitlines()) == lines(npes)


RANDOM = """    import random
    random.seed(%d)
    collections = {}
    for k in range(4):
        n = random.randint(1, 12)
        collections[Array(Test, n)] = [(k, (i,)) for i in range(n)]
        collections[Group(Test)] = [(-k - 1, i) for i in range(charm.numPes())]
    for generation in range(40):
        some = random.sample(sorted(collections, key=repr), random.randint(1, 3))
        proxy = charm.combine(*some) if len(some) > 1 else some[0]
        members = list(dict.fromkeys(m for p in some for m in collections[p]))
        if random.random() < 0.5:
            start, stop = 0, random.randint(1, 12)
            chosen = {i for i in range(start, stop)}
            elems = [(i,) for i in chosen] + list(chosen)
            inside = [m for m in members if m[1] in elems]
            if inside and len(inside) < len(members) and (len(some) > 1 or proxy.issec):
                proxy = charm.split(proxy, 1, elems=elems)[0]
                members = inside
        f = Future()
        if proxy.issec:
            proxy.reduceIn(f, proxy)
            assert f.get() == len(members), (f.get(), members)
            collections[proxy] = members
"""


@pytest.mark.parametrize('npes, flags', [(1, ()), (3, ()), (3, ('+stress', 'migrate,evict,log'))])
@pytest.mark.parametrize('seed', [1, 2])
def test_random_sections_of_sections(tmp_path, npes, flags, seed):
    body = RANDOM % seed
    r = run(tmp_path, npes, body, *flags)
    assert r.returncode == 0, r.stdout


@pytest.mark.parametrize('body, text', [
    ('    charm.split(Array(Test, 4), 1, wrong)\n', "name 'no_such_name' is not defined"),
    ("    charm.split(Array(Test, 4), 3, sectionNo)\n", 'there are 3 sections'),
    ("    s = Group(Test)[0:1]\n"
     "    b = Array(Test, 2)\n"
     "    b.reduceIn(Future(), s)\n    charm.sleep(60)\n", 'is not part of it'),
    ('    charm.combine(Array(Test, 2), Array(Lone, 2)).sayHi(awaitable=True).get()\n', 'sayHi'),
    ('    charm.scheduleCallableAfter(lambda: charm.combine(Array(Test, 2)), 0)\n'
     '    charm.sleep(60)\n', 'NotThreadedError'),
    ('    Group(Test, onPEs=[99])\n', '99'),
], ids=['function fails', 'number of a section', 'not a member', 'no such method',
        'not a coroutine', 'no such PE'])
def test_mistake(tmp_path, body, text):
    r = run(tmp_path, 2, body)
    assert r.returncode == 1, r.stdout
    assert text in r.stdout, r.stdout


def test_group_on_some_pes_from_any_pe(tmp_path):
    r = run(tmp_path, 4, """    class_of = {}
    g = Group(Test, onPEs=[3, 1, 1])
    g.sayHi(awaitable=True).get()
    g[3].sayHi(awaitable=True).get()
    f = Future()
    g.reduceIn(f, g)
    print(f.get(), g[1:2].section[0])
""")
    assert r.returncode == 0, r.stdout
    assert sorted(r.stdout.splitlines()) == ['2 0', 'Hello from 1', 'Hello from 3', 'Hello from 3']
