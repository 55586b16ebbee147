"""The links that actions travel over where they are handed on: fewer than the edges of the DAG.

Agent w acts when it has the actions of all its parents, whoever brings them. Let v be a parent of w that
sends to it directly, and a child of u, another parent of w. v has u's actions before it acts, and w awaits
v's own message in any case: v's message may carry u's actions too, and w gets them no later than it could
act. Since v is a child of u and w is one too, nobody sees an action that it would not see otherwise. A plain
transitive reduction of the DAG would not do: it shows u's actions to agents that are no children of u.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

from bnpg_math.dag.graph import Dag
from bnpg_math.dag.interface import Graph

Carried = tuple[tuple[int, tuple[int, ...]], ...]
"""Pairs (agent at the other end, whose actions are carried, ascending), ascending."""


@dataclass(frozen=True)
class Routes:
    """The links between agents, and whose actions each carries; a `Graph` of the links.

    Parameters
    ----------
    hears : tuple of Carried, by agent
        Who sends to an agent directly, and whose actions each of its messages holds.

    Examples
    --------
    >>> from bnpg_math.dag import complete
    >>> relayed(complete(3)).hears
    ((), ((0, (0,)),), ((1, (0, 1)),))
    >>> relayed(complete(3)).edges
    ((0, 1), (1, 2))
    """

    hears: tuple[Carried, ...]

    @property
    def agents(self) -> int:
        """N."""
        return len(self.hears)

    @cached_property
    def parents(self) -> tuple[tuple[int, ...], ...]:
        """Who sends to each agent, ascending."""
        return tuple(tuple(sender for sender, _ in heard) for heard in self.hears)

    @cached_property
    def hands(self) -> tuple[Carried, ...]:
        """To whom each agent sends directly, and whose actions each of these messages holds."""
        found: list[list[tuple[int, tuple[int, ...]]]] = [[] for _ in self.hears]
        for receiver, heard in enumerate(self.hears):
            for sender, carried in heard:
                found[sender].append((receiver, carried))
        return tuple(map(tuple, found))

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """To whom each agent sends, ascending."""
        return tuple(tuple(receiver for receiver, _ in handed) for handed in self.hands)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(sender, receiver) of every link, ascending."""
        return tuple((sender, child) for sender, children in enumerate(self.children) for child in children)


@lru_cache(maxsize=8)
def relayed(dag: Dag) -> Routes:
    """Return the routes where parents hand on what they have heard.

    Agent w hears its parent u directly exactly if no parent of w that it hears directly is a child of u;
    otherwise the topologically last such parent hands u's actions on.

    Parameters
    ----------
    dag : Dag

    Returns
    -------
    Routes
        A subset of the edges. Every agent gets the actions of each of its parents exactly once.
    """
    place = {agent: at for at, agent in enumerate(dag.order)}
    children = [frozenset(heard) for heard in dag.children]
    hears: list[Carried] = []
    for parents in dag.parents:
        carried: dict[int, list[int]] = {}
        for parent in sorted(parents, key=place.__getitem__, reverse=True):
            # The direct parents so far, topologically last first: dicts keep the order of insertion.
            relay = next((sender for sender in carried if sender in children[parent]), None)
            if relay is None:
                carried[parent] = [parent]
            else:
                carried[relay].append(parent)
        hears.append(tuple((sender, tuple(sorted(rows))) for sender, rows in sorted(carried.items())))
    return Routes(tuple(hears))


def messages_a_turn(graph: Graph) -> int:
    """Return how many messages a turn of a sampled round takes: states, actions, and one a link."""
    return 2 * graph.agents + len(graph.edges)


def saves_most(dag: Dag) -> bool:
    """Whether a relay saves at least half of the messages of a turn."""
    return 2 * messages_a_turn(relayed(dag)) <= messages_a_turn(dag)
