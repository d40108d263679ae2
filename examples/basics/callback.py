"""Methods of proxies as callbacks: the caller says where the result shall go.

    charmrun +p2 callback.py
"""
from charm4py import charm, Chare


class Client(Chare):

    def begin(self):
        Chare(Server).compute(20, self.thisProxy.result)

    def result(self, value):
        print('the result is', value)
        charm.exit(0 if value == 210 else 1)


class Server(Chare):

    def compute(self, n, callback):
        callback(sum(range(n + 1)))


def main(args):
    Chare(Client).begin()


charm.start(main)
