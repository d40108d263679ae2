"""How jobs end in which an element cannot migrate, or waits in AtSync."""
import pytest

import jobs

CLASSES = '''
class A(Chare):
    @coro
    def stay(self):
        Future().get()
    def go(self, pe):
        self.migrate(pe)
    def sync(self):
        self.AtSync()
'''


@pytest.mark.parametrize('main, texts', [
    # contract: 10.8
    ('a[1].stay(); a[1].migrate(0)', ['Charm4PyError: Migration of chares with active threads is not currently '
                                      'supported: coroutine A.stay', 'element (1,)']),
    ('a[1].stay(); a[1].go(0)', ['coroutine A.stay', 'in __main__.A.go, element (1,)']),
    # contract: 10.32
    ('g[0].migrate(0)', ["AGroupProxy' object has no attribute 'migrate'"]),
    ('g[0].go(0)', ["AttributeError: 'A' object has no attribute 'migrate'", 'element 0']),
    # contract: 10.29
    ('b.sync()', ["AttributeError: 'A' object has no attribute 'resumeFromSync'"]),
])
def test_refused(main, texts, tmp_path):
    path = jobs.write(tmp_path, CLASSES + '''
def main(args):
    a, g, b = Array(A, 2), Group(A), Array(A, 2, useAtSync=True)
    ''' + main + '''
    charm.sleep(60)
''')
    job = jobs.run(2, path)
    assert job.status == 1
    job.says(*texts)


def test_exit_while_others_wait_in_AtSync(tmp_path):
    # contract: 10.31
    path = jobs.write(tmp_path, CLASSES + '''
def main(args):
    b = Array(A, 4, useAtSync=True)
    b[0].sync()
    b[3].sync()
    charm.waitQD()
    exit(5)
''')
    for flags in ([], ['+balancer', 'GreedyRefineLB']):
        assert jobs.run(2, path, *flags).status == 5
