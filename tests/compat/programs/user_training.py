"""A training loop: every worker has its data, gradients are averaged by allreduce each step."""
import sys

import numpy as np

from charm4py import charm, Chare, Array, Future, Reducer, coro

sys.argv += ['+LBOff', '+LBCommOff']


class Worker(Chare):

    def __init__(self, nworkers, epochs):
        rng = np.random.default_rng(self.thisIndex[0])
        self.x = rng.normal(size=(64, 3))
        self.y = self.x @ np.array([1.0, -2.0, 0.5])
        self.w, self.n, self.epochs = np.zeros(3), nworkers, epochs

    @coro
    def train(self, done):
        for _ in range(self.epochs):
            gradient = self.x.T @ (self.x @ self.w - self.y) / len(self.y)
            total = self.allreduce(gradient, Reducer.sum).get()
            self.w -= 0.5 * total / self.n
            self.allreduce().get()                      # as a barrier
        loss = float(((self.x @ self.w - self.y) ** 2).mean())
        worst = self.allreduce(loss, Reducer.max).get()
        assert worst >= loss
        self.reduce(done, worst, Reducer.max)

    def weights(self):
        return self.w


def main(args):
    n = charm.numPes() * 3
    workers = Array(Worker, n, args=[n, 60])
    done = Future()
    workers.train(done)
    assert done.get() < 1e-6
    weights = workers.weights(ret=True).get()
    assert all((w == weights[0]).all() for w in weights)
    exit()


charm.start(main)
