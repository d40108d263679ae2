"""The tour of the manual, on a page of our own: blocks are found, run and judged.

With C4_MANUAL=path of the manual in the environment, on that, too.
"""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tour  # noqa: E402

PAGE = '''
Programs may end on the next page:

```
from charm4py import Array, Chare, charm

class Teller(Chare):
   def tell(self, future):
        result = # ... something ...
        self.reduce(future, result, charm.reducers.sum)
```

(continues on next page)

```
def main(args):
    f = charm.Future()
    Array(Teller, 5).tell(f)
    assert f.get() == 5 \\# a sum
    exit()
charm.start(main)</pre>
```

```
from charm4py import charm
def main(args):
    exit(3)
charm.start(main)
```

```
some words
```

```
class Simple(Chare):
    def hi(self):
        return 'hi from PE ' + str(charm.myPe())
```

```
Charm4py> Broadcasted Chare definition
```

```
>>> Group(Simple).hi(ret=True).get()
['hi from PE 0', 'hi from PE 1']
>>> self <charm4py.interactive.InteractiveConsole object at 0x7f7d9b1290f0>
```

```
>>> charm.numPes()
77
```

```
$ charmrun +pN myprogram.py
```
'''


def blocks_of(tmp_path, text):
    (tmp_path / 'page.txt').write_text(text)
    return tour.find_blocks(tmp_path / 'page.txt')


def test_blocks_are_run_and_judged(tmp_path, monkeypatch):
    monkeypatch.setattr(tour.known, 'SAYS', {9: ['PE 0 of NPES', 'PE 1 of 2'], 1: []})
    blocks = blocks_of(tmp_path, PAGE)
    tour.tour(blocks, [2])
    assert [b.kind for b in blocks] == ['program', 'joined', 'program', 'unknown', 'session',
                                        'output', 'session', 'session', 'shell']
    results = [b.results.get(2) for b in blocks]
    assert results[0] == results[4] == results[6] == results[8] == 'ok', results
    assert 'status 3' in results[2]
    assert "does not show ['77']" in results[7]


def test_an_error_in_a_session_is_told(tmp_path):
    blocks = blocks_of(tmp_path, '```\n>>> 1 +\n```\n')
    tour.tour(blocks, [1])
    assert 'SyntaxError' in blocks[0].results[1]


def test_a_page_without_fences(tmp_path):
    blocks = blocks_of(tmp_path, 'Words.\n\nfrom charm4py import charm\ndef main(args):\n'
                                 '    exit()\ncharm.start(main)\n\nMore words.\n')
    tour.tour(blocks, [1])
    assert [b.results for b in blocks] == [{1: 'ok'}]


@pytest.mark.skipif('C4_MANUAL' not in os.environ, reason='needs the manual (C4_MANUAL)')
def test_manual():
    blocks = tour.find_blocks(pathlib.Path(os.environ['C4_MANUAL']))
    tour.tour(blocks, [1, 2, 4])
    bad = [(b.number, b.results or b.why) for b in blocks
           if b.kind == 'unknown' or any(r != 'ok' for r in b.results.values())]
    assert blocks and not bad
