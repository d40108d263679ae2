"""Learning with a parameter server, in the style of Ray.

    charmrun +p4 parameter_server.py [workers] [steps]

Workers are actors that have parts of the data; each computes the gradient of a line through
its points. The server, an actor, too, takes gradients as they come, and gives the worker that
was first the newest line to go on with. Values never pass through main: it hands on futures.
"""
from charm4py import charm, ray

TRUE_LINE = 3.0, -1.0


@ray.remote
class Server:

    def __init__(self, rate):
        self.rate, self.line = rate, (0.0, 0.0)

    def apply(self, gradient):
        self.line = tuple(a - self.rate * g for a, g in zip(self.line, gradient))
        return self.line

    def get(self):
        return self.line


@ray.remote
class Worker:

    def __init__(self, number, workers):
        xs = [i / 50 - 1 for i in range(number, 100, workers)]
        self.points = [(x, TRUE_LINE[0] * x + TRUE_LINE[1]) for x in xs]

    def gradient(self, line):
        a, b = line
        errors = [(a * x + b - y, x) for x, y in self.points]
        n = len(self.points)
        return 2 * sum(e * x for e, x in errors) / n, 2 * sum(e for e, _ in errors) / n


def main(args):
    n = int(args[1]) if len(args) > 1 else 4
    steps = int(args[2]) if len(args) > 2 else 300
    ray.init()
    server = Server.remote(0.1)
    workers = [Worker.remote(i, n) for i in range(n)]
    line = server.get.remote()
    running = {worker.gradient.remote(line): worker for worker in workers}
    for _ in range(steps):
        (gradient,), _ = ray.wait(list(running))
        worker = running.pop(gradient)
        line = server.apply.remote(gradient)        # futures among the arguments are replaced
        running[worker.gradient.remote(line)] = worker
    a, b = ray.get(server.get.remote())
    print(f'the line is {a:.2f} x + {b:.2f}')
    exit()


charm.start(main)
