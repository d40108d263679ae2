"""A scheduler of tasks on workers of its own: the workers ask, the scheduler answers, several jobs at once."""
from charm4py import charm, Chare, Group, Future, coro


class Scheduler(Chare):

    def __init__(self):
        self.jobs, self.idle = {}, set()            # calls may come while the constructor waits
        self.workers = Group(Worker, args=[self.thisProxy])
        charm.awaitCreation(self.workers)
        self.idle = set(range(charm.numPes()))
        self.schedule()

    def map_async(self, func, tasks, result):
        number = len(self.jobs)
        self.jobs[number] = [list(enumerate(tasks)), [None] * len(tasks), len(tasks), result, func]
        self.schedule()

    def schedule(self):
        for number, (tasks, _, _, _, func) in self.jobs.items():
            while tasks and self.idle:
                self.workers[self.idle.pop()].apply(func, tasks.pop(), number)

    def done(self, task, number, pe, value):
        job = self.jobs[number]
        job[1][task] = value
        job[2] -= 1
        if job[2] == 0:
            job[3](job[1])
        self.idle.add(pe)
        self.schedule()


class Worker(Chare):

    def __init__(self, scheduler):
        self.scheduler = scheduler

    def apply(self, func, task, number):
        self.scheduler.done(task[0], number, self.thisIndex, func(task[1]))


def square(x):
    return x * x


def main(args):
    # The constructor waits, so it must be a coroutine.
    scheduler = Chare(CoroScheduler, onPE=0)
    first, second = charm.createFuture(), Future()
    scheduler.map_async(square, [1, 2, 3, 4, 5], first)
    scheduler.map_async(abs, [-1, -3, -5, -20], second)
    assert first.get() == [1, 4, 9, 16, 25]
    assert second.get() == [1, 3, 5, 20]
    exit()


class CoroScheduler(Scheduler):

    @coro
    def __init__(self):
        Scheduler.__init__(self)


charm.start(main)
