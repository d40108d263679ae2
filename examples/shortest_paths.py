"""Shortest paths from one vertex of a graph, found by messages that chase each other.

    charmrun +p4 shortest_paths.py [vertices] [edges a vertex] [parts]

Each element of the array holds a part of the vertices. A message says "you can be reached in
so many steps"; if that is news, the neighbours are told. Nobody knows which message is the
last: quiescence detection tells when none is left. Then the distances are compared with
those of Dijkstra's algorithm.
"""
import collections
import heapq
import random

from charm4py import charm, Chare, Array


def edges_of(vertex, n, degree):
    """[(neighbour, length)], the same on every PE."""
    r = random.Random(vertex)
    return [(r.randrange(n), r.randint(1, 100)) for _ in range(degree)]


class Part(Chare):

    def __init__(self, n, degree, parts):
        self.n, self.degree, self.parts = n, degree, parts
        self.distance = {v: float('inf') for v in range(self.thisIndex[0], n, parts)}

    def reach(self, news):
        """News is a list of (vertex, distance); what follows goes out, one message a part."""
        work, out = collections.deque(news), collections.defaultdict(list)
        while work:
            vertex, d = work.popleft()
            if d >= self.distance[vertex]:
                continue
            self.distance[vertex] = d
            for neighbour, length in edges_of(vertex, self.n, self.degree):
                mine = neighbour % self.parts == self.thisIndex[0]
                (work if mine else out[neighbour % self.parts]).append((neighbour, d + length))
        for part, list_ in out.items():
            self.thisProxy[part].reach(list_)

    def distances(self):
        return self.distance


def dijkstra(n, degree):
    best, heap = {}, [(0, 0)]
    while heap:
        d, vertex = heapq.heappop(heap)
        if vertex in best:
            continue
        best[vertex] = d
        for neighbour, length in edges_of(vertex, n, degree):
            heapq.heappush(heap, (d + length, neighbour))
    return best


def main(args):
    numbers = [int(a) for a in args[1:]] + [None] * 3
    n, degree, parts = numbers[0] or 2000, numbers[1] or 4, numbers[2] or 4 * charm.numPes()
    if min(n, degree, parts) < 1:
        exit('usage: shortest_paths.py [vertices] [edges a vertex] [parts]')
    graph = Array(Part, parts, args=[n, degree, parts])
    graph[0].reach([(0, 0)])
    charm.waitQD()
    found = {}
    for distances in graph.distances(ret=True).get():
        found.update((v, d) for v, d in distances.items() if d < float('inf'))
    print(f'{len(found)} of {n} vertices reached, the farthest in {max(found.values())}')
    charm.exit(0 if found == dijkstra(n, degree) else 1)


charm.start(main)
