"""Where the time goes, in one table a PE: charm.options.profiling and charm.printStats().

    charmrun +p2 timings.py

For pictures and questions in SQL, record the run instead: charmrun +p2 timings.py +trace run.db
"""
from charm4py import charm, Chare, Array


class Worker(Chare):

    def work(self, n):
        return sum(i * i for i in range(n))


def main(args):
    workers = Array(Worker, 8)
    element = workers[3]                                    # keep the proxy of an element in use
    for n in range(100):
        element.work(n)
    answers = workers.work(1000, ret=True).get()
    for pe in range(charm.numPes()):
        charm.thisProxy[pe].printStats(awaitable=True).get()
    charm.exit(0 if answers == [332833500] * 8 else 1)


charm.options.profiling = True
charm.start(main)
