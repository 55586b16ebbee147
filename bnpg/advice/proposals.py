"""DAGs worth considering for a game: exact ones, and the best of at most K edges.

Only perfect DAGs are proposed: on others no theorem bounds what a team can come to rest in.
"""

from collections.abc import Iterator
from itertools import combinations, permutations

import networkx as nx
import numpy as np

from bnpg.advice.assessment import Assessor
from bnpg_math.dag import Dag, Edge
from bnpg_math.dag.orders import candidate_orders
from bnpg_math.dag.perfect import elimination_dag
from bnpg_math.theory.additivity import remainder
from bnpg_math.theory.weighted_barrier import path_products

_EQUAL = 1e-9
"""Relative difference below which two prices are equal."""


def exact_proposals(assessor: Assessor) -> Iterator[tuple[str, Dag]]:
    """Yield perfect DAGs over which the game is additive, each with what it is best at.

    Parameters
    ----------
    assessor : Assessor

    Yields
    ------
    str, Dag
        Fewest edges; largest threshold of Theorem D1; complete, few actions first.
    """
    game, pairs = assessor.game, assessor.interactions.pairs
    dags = {elimination_dag(game.agents, pairs, order) for order in candidate_orders(game.agents, pairs)}
    # Sorted: which of several equally good ones is taken must not depend on the order of a set.
    ordered = sorted(dags, key=lambda dag: dag.edges)
    actions = game.actions
    yield "fewest edges", min(ordered, key=lambda dag: (len(dag.edges), path_products(dag, actions)))
    yield "largest threshold", min(ordered, key=lambda dag: (path_products(dag, actions), len(dag.edges)))
    few_first = sorted(range(game.agents), key=lambda agent: (actions[agent], agent))
    yield "complete", Dag(game.agents, tuple(combinations(few_first, 2)))


def growing(assessor: Assessor, most: int) -> Iterator[tuple[str, Dag]]:
    """Yield perfect DAGs with 0, 1, .. edges, each the one before and the edge that helps most.

    The order in which agents act is chosen anew each time, for the largest threshold of Theorem D1.

    Parameters
    ----------
    assessor : Assessor
    most : int
        Edges, at the most. It ends earlier when nothing is left over.

    Yields
    ------
    str, Dag
    """
    agents = range(assessor.game.agents)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(agents)
    while True:
        dag = _oriented(assessor, list(graph.edges))
        yield f"{len(dag.edges)} edge{'s' * (len(dag.edges) != 1)}", dag
        if len(dag.edges) >= most or assessor.interactions.additivity(dag.families).additive:
            return
        wanted = assessor.interactions.missing(dag.families)
        candidates = [pair for pair in combinations(agents, 2) if not graph.has_edge(*pair)]
        chordal = [pair for pair in candidates if _stays_chordal(graph, pair)]
        best = min(
            chordal, key=lambda pair: (_left_over(assessor, graph, pair), -wanted.get(pair, 0.0), pair)
        )
        graph.add_edge(*best)


def _stays_chordal(graph: "nx.Graph[int]", pair: Edge) -> bool:
    larger = graph.copy()
    larger.add_edge(*pair)
    return bool(nx.is_chordal(larger))


def _left_over(assessor: Assessor, graph: "nx.Graph[int]", pair: Edge) -> float:
    """What least squares leave of Q with one more edge: quicker than xi, and as good for comparing."""
    larger = graph.copy()
    larger.add_edge(*pair)
    cliques = [tuple(sorted(clique)) for clique in nx.find_cliques(larger)]
    left = float(np.abs(remainder(assessor.Q, cliques)).max())
    # Equal up to rounding must be equal: ties are broken by what is said, not by the last bit.
    return float(f"{left:.9e}")


def _oriented(assessor: Assessor, edges: list[Edge]) -> Dag:
    """The perfect DAG with this skeleton whose threshold is largest."""
    game = assessor.game
    dags = {elimination_dag(game.agents, edges, order) for order in candidate_orders(game.agents, edges)}
    exact = sorted((dag for dag in dags if len(dag.edges) == len(edges)), key=lambda dag: dag.edges)
    return min(exact, key=lambda dag: path_products(dag, game.actions))


def edge_values(assessor: Assessor, dag: Dag) -> tuple[list[tuple[Edge, float]], list[tuple[Edge, float]]]:
    """Return by how much xi rises without each edge of a DAG, and falls with each edge that could be added.

    Parameters
    ----------
    assessor : Assessor
    dag : Dag

    Returns
    -------
    present, missing : lists of (edge, float)
        Edges are (parent, child); a missing one goes from who acts earlier in the DAG's order.
    """
    now = assessor.price(dag.families)
    place = {agent: at for at, agent in enumerate(dag.order)}

    def change(edges: tuple[Edge, ...]) -> float:
        other = assessor.price(Dag(dag.agents, edges).families)
        difference = abs(other.xi - now.xi)
        # Prices carry rounding; an edge is not worth what is left of a difference of equals.
        lost = max(other.rounding + now.rounding, _EQUAL * max(other.xi, now.xi))
        return difference if difference > lost else 0.0

    present = [(edge, change(tuple(other for other in dag.edges if other != edge))) for edge in dag.edges]
    absent = [pair for pair in permutations(range(dag.agents), 2) if place[pair[0]] < place[pair[1]]]
    missing = [(edge, change((*dag.edges, edge))) for edge in absent if edge not in dag.edges]
    return present, missing
