"""Conditions that fail, and jobs in which everything waits: the job ends and says where."""
import pytest

import jobs

CELL = '''
class Cell(Chare):
    @when('self.missing == n')
    def tag(self, n):
        pass
    @when('1 // n')
    def args(self, n):
        pass
    @when('self.there == n')
    def unhashable(self, n):
        pass
    def there(self, n):
        pass
    @coro
    def until(self):
        self.wait('self.missing > 1')
    @coro
    def asks(self, f):
        self.f = Future()
        f.send()
        self.f.get()
    @coro
    def hears(self, remote):
        Channel(self, remote=remote).recv()
    @coro
    def condition(self):
        self.x = 0
        self.wait('self.x == 3')
    @coro
    def sleeps(self):
        self.allreduce().get()
'''


@pytest.mark.parametrize('call, texts', [
    # contract: 11.20
    ('a.tag(1)', ["AttributeError: 'Cell' object has no attribute 'missing'", 'in __main__.Cell.tag']),
    ('a.args(0)', ['ZeroDivisionError', 'in __main__.Cell.args']),
    ('a.unhashable([])', ["TypeError: unhashable type: 'list'", 'in __main__.Cell.unhashable']),
    ('a.tag()', ['missing 1 required positional argument']),
    ('a.until()', ["AttributeError: 'Cell' object has no attribute 'missing'", 'in __main__.Cell.until']),
])
def test_condition_fails(call, texts, tmp_path):
    path = jobs.write(tmp_path, CELL + f'''
def main(args):
    a = Chare(Cell, onPE=1)
    {call}
    charm.sleep(60)
''')
    job = jobs.run(2, path)
    assert job.status == 1
    job.says(*texts)


def test_idle_job_lists_what_is_waited_for(tmp_path):
    # contract: 11.21
    path = jobs.write(tmp_path, CELL + '''
def main(args):
    a = Array(Cell, 4)
    f = Future()
    a[0].asks(f)
    f.get()
    a[1].condition()
    a[2].hears(a[3])
    a[3].sleeps()
    Future(2).get()
''')
    job = jobs.run(2, path, '++idle-timeout', '0.2')
    assert job.status != 0
    lines = job.err.splitlines()
    for pe, who, what in ((0, 'main', 'a future'), (0, 'Cell.asks of element (0,)', 'a future'),
                          (0, 'Cell.condition of element (1,)', "a condition 'self.x == 3'"),
                          (1, 'Cell.hears of element (2,)', 'a message on the channel to Cell(3,)'),
                          (1, 'Cell.sleeps of element (3,)', 'a future')):
        assert any(f'PE {pe}: {who} (prog.py:' in line and f'waits for {what}' in line
                   for line in lines), job.err
