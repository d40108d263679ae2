# PEs: 1 2 4 7
"""PEs, hosts and spanning trees."""
from charm4py import charm, Chare, Group


class Asks(Chare):
    def hosts(self):
        n, h = charm.numPes(), charm.numHosts()
        # contract: 3.3.1
        assert charm.myPe() == self.thisIndex and 0 <= charm.myHost() < h
        assert charm.getPeHost(charm.myPe()) == charm.myHost()
        for call, number in ((charm.getHostPes, h), (charm.getHostFirstPe, -1), (charm.getHostNumPes, h + 5),
                             (charm.getPeHost, n), (charm.getPeHostRank, -1)):
            try:
                call(number)
                raise AssertionError(f'{call} took {number}')
            except IndexError as e:
                assert 'there is no' in str(e)
        # contract: 3.3.2
        lists = [charm.getHostPes(host) for host in range(h)]
        assert sorted(pe for pes in lists for pe in pes) == list(range(n))
        for host, pes in enumerate(lists):
            assert isinstance(pes, list) and len(pes) == charm.getHostNumPes(host)
            assert pes[0] == charm.getHostFirstPe(host)
            for rank, pe in enumerate(pes):
                assert charm.getPeHost(pe) == host and charm.getPeHostRank(pe) == rank
        return charm.myHost(), lists

    def trees(self):
        n = charm.numPes()
        found = []
        for root in range(n):
            for bfactor in (1, 2, 4):
                # contract: 3.3.3
                edges = [charm.getTopoTreeEdges(pe, root, bfactor=bfactor) for pe in range(n)]
                assert edges[root][0] is None
                for pe, (parent, kids) in enumerate(edges):
                    assert len(kids) <= bfactor and all(edges[k][0] == pe for k in kids)
                    while pe != root:                       # all lead to the root
                        pe = edges[pe][0]
                assert sum(len(kids) for _, kids in edges) == n - 1
                found.append(edges)
                # contract: 3.3.4
                pes = [root] + [pe for pe in range(n) if pe != root]
                trees = charm.getTopoSubtrees(root, pes, bfactor)
                assert len(trees) <= bfactor
                assert sorted(pe for t in trees for pe in t) == sorted(pes[1:])
                found.append(trees)
        pes = list(range(n))[::2]
        found.append([charm.getTopoTreeEdges(pe, 0, pes) for pe in pes])
        return found


def main(args):
    g = Group(Asks)
    hosts = g.hosts(ret=True).get()
    # contract: 3.3.2
    assert all(lists == hosts[0][1] for _, lists in hosts)
    assert len({host for host, _ in hosts}) == 1            # the processes of one machine
    # contract: 3.3.3 3.3.4
    trees = g.trees(ret=True).get()
    assert all(t == trees[0] for t in trees)
    exit()


charm.start(main)
