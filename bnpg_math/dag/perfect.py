"""Perfect DAGs: the parents of every agent see each other.

Then all parents of an agent i but the last, m(i), are parents of m(i) too, and m(.) makes a forest of the
agents. Sparse DAGs with this property keep what the complete DAG is used for: the joint advantage is the sum
of the agents' own (docs/theory/sparse-graphs.md). Such a DAG is a chordal graph with the reverse of a
perfect elimination order, and m(.) is the elimination tree of sparse Cholesky factorisation (Liu, SIAM J.
Matrix Anal. Appl. 11, 1990).
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from bnpg_math.dag.graph import Dag, Edge


def is_perfect(dag: Dag) -> bool:
    """Whether the parents of every agent are pairwise adjacent: there is no v-structure.

    Parameters
    ----------
    dag : Dag

    Returns
    -------
    bool

    Examples
    --------
    >>> is_perfect(Dag(3, [(0, 1), (1, 2)])), is_perfect(Dag(3, [(0, 2), (1, 2)]))
    (True, False)
    """
    return not unmarried(dag)


def unmarried(dag: Dag) -> tuple[Edge, ...]:
    """Pairs of parents of a common child that are not adjacent: what a DAG lacks to be perfect, ascending.

    Parameters
    ----------
    dag : Dag

    Returns
    -------
    tuple of (int, int)
    """
    adjacent = {frozenset(edge) for edge in dag.edges}
    pairs = {pair for parents in dag.parents for pair in combinations(parents, 2)}
    return tuple(sorted(pair for pair in pairs if frozenset(pair) not in adjacent))


def last_parents(dag: Dag) -> tuple[int | None, ...]:
    """m(i): the parent of agent i that acts last; None for a root.

    Parameters
    ----------
    dag : Dag
        In a DAG that is not perfect, the last one in the order :attr:`Dag.order`.

    Returns
    -------
    tuple of N int or None
    """
    place = {agent: at for at, agent in enumerate(dag.order)}
    return tuple(max(parents, key=place.__getitem__) if parents else None for parents in dag.parents)


def height(dag: Dag) -> int:
    """Agents on a longest path of the forest m(.); at least 1.

    Parameters
    ----------
    dag : Dag

    Returns
    -------
    int
    """
    above = last_parents(dag)
    depth: dict[int, int] = {}
    for agent in dag.order:
        parent = above[agent]
        depth[agent] = 1 if parent is None else depth[parent] + 1
    return max(depth.values())


def elimination_dag(agents: int, pairs: Iterable[Edge], order: Sequence[int]) -> Dag:
    """The perfect DAG in which agents act in a given order and every pair is adjacent.

    From the last agent to the first: its parents are its neighbours among those before it, which become
    neighbours of each other (the fill-in of Cholesky factorisation).

    Parameters
    ----------
    agents : int
        N.
    pairs : iterable of (int, int)
        Who must be adjacent; the direction does not matter.
    order : sequence of N int
        Who acts first, second, ..

    Returns
    -------
    Dag
        The smallest perfect one with this order that contains the pairs.

    Examples
    --------
    >>> elimination_dag(3, [(0, 2), (1, 2)], (2, 0, 1)).edges
    ((2, 0), (2, 1))
    >>> elimination_dag(3, [(0, 2), (1, 2)], (0, 1, 2)).edges
    ((0, 1), (0, 2), (1, 2))
    """
    neighbours: list[set[int]] = [set() for _ in range(agents)]
    for first, other in pairs:
        neighbours[first].add(other)
        neighbours[other].add(first)
    edges: list[Edge] = []
    later: set[int] = set()
    for agent in reversed(order):
        later.add(agent)
        parents = neighbours[agent] - later
        edges += [(parent, agent) for parent in parents]
        for parent in parents:
            neighbours[parent] |= parents - {parent}
    return Dag(agents, tuple(edges))
