"""What reductions can do: the built-in reducers, one's own, empty ones, allreduce.

    charmrun +p2 reducers.py

One's own reducer takes a list of contributions; it is applied to partial results, too, so it
must not matter in which order and grouping they come.
"""
from charm4py import charm, Chare, Array, Future, Reducer, coro


def union(parts):
    return set().union(*parts)


Reducer.addReducer(union)


class Element(Chare):

    def give(self, data, reducer, answer):
        self.reduce(answer, data + self.thisIndex[0], reducer)

    def flags(self, answer):
        self.reduce(answer, self.thisIndex[0] != 3, Reducer.logical_and)

    def names(self, answer):
        self.reduce(answer, f'element {self.thisIndex[0]}', Reducer.gather)

    def digits(self, answer):
        self.reduce(answer, {self.thisIndex[0] % 3}, Reducer.union)

    def meet(self, answer):
        self.reduce(answer)                     # no data: all are here

    @coro
    def share(self, answer):
        """Everybody gets its part of the whole."""
        total = self.allreduce(1 + self.thisIndex[0], Reducer.sum).get()
        self.reduce(answer, (1 + self.thisIndex[0]) / total, Reducer.sum)


def main(args):
    a = Array(Element, 8)

    def result(method, *arguments):
        answer = Future()
        method(*arguments, answer)
        return answer.get()

    got = [result(a.give, 1, r) for r in (Reducer.sum, Reducer.product, Reducer.max, Reducer.min)]
    assert got == [36, 40320, 8, 1], got
    assert not result(a.flags)
    assert result(a.names) == [f'element {i}' for i in range(8)]
    assert result(a.digits) == {0, 1, 2}
    assert result(a.meet) is None
    assert abs(result(a.share) - 1) < 1e-12
    print('sum, product, max, min of 1 to 8:', *got)
    charm.exit()


charm.start(main)
