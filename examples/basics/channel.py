"""A channel between two elements: what one sends, the other receives, in order.

    charmrun +p2 channel.py [messages]
"""
from charm4py import charm, Chare, Array, Channel, coro


class Talker(Chare):

    @coro
    def talk(self, n):
        channel = Channel(self, remote=self.thisProxy[1])
        for i in range(n):
            channel.send(i, f'message {i}')

    @coro
    def listen(self, n):
        channel = Channel(self, remote=self.thisProxy[0])
        got = [channel.recv() for _ in range(n)]
        print(f'received {len(got)} messages, the last is {got[-1]}')
        charm.exit(0 if got == [(i, f'message {i}') for i in range(n)] else 1)


def main(args):
    n = int(args[1]) if len(args) > 1 else 10
    if n < 1:
        exit('usage: channel.py [messages]')
    talkers = Array(Talker, 2)
    talkers[0].talk(n)
    talkers[1].listen(n)


charm.start(main)
