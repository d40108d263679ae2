"""What a job costs that does next to nothing, beside a bare Python.

    python3 tests/bench/start_bench.py [rounds]     (charmrun and the package in the path)

Prints the best and the median of starting Python, importing the package, and
start, hello world and exit on 2 PEs, in ms; then the CPU time of PEs that have
nothing to do, in percent.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

HELLO = """
import sys
from charm4py import charm
def main(args):
    print('hello')
    assert 'numpy' not in sys.modules, 'NumPy was imported and nobody asked for it'
    charm.exit()
charm.start(main)
"""

IDLE = """
import resource, sys
from charm4py import charm, Chare, Group
class Meter(Chare):
    def cpu_s(self):
        use = resource.getrusage(resource.RUSAGE_SELF)
        return use.ru_utime + use.ru_stime
def main(args):
    meters, seconds = Group(Meter), float(sys.argv[1])
    before = meters.cpu_s(ret=True).get()
    charm.sleep(seconds)
    after = meters.cpu_s(ret=True).get()
    for b, a in zip(before, after):
        print(f'idle PE {100 * (a - b) / seconds:10.2f} % CPU')
    charm.exit()
charm.start(main)
"""


def timed(name, command, rounds):
    seen = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seen.append((time.perf_counter() - begin) * 1e3)
    print(f'{name:32} {min(seen):8.1f} {statistics.median(seen):8.1f} ms', flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        hello, idle = os.path.join(folder, 'hello.py'), os.path.join(folder, 'idle.py')
        for path, text in ((hello, HELLO), (idle, IDLE)):
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
        timed('bare Python', [sys.executable, '-c', 'pass'], rounds)
        timed('import charm4py', [sys.executable, '-c', 'import charm4py'], rounds)
        timed('start, hello world, exit, 2 PEs', ['charmrun', '+p2', '++quiet', hello], rounds)
        subprocess.run(['charmrun', '+p2', '++quiet', idle, str(min(0.5 * rounds, 4))], check=True)


main()
