"""Who may hear whom, as far as machines need to know it."""

from typing import Protocol


class Graph(Protocol):
    """A graph over the agents 0..N-1 without cycles. A `bnpg_math.dag.Dag` is one."""

    @property
    def agents(self) -> int:
        """N."""

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) pairs, ascending: over these actions travel."""

    @property
    def parents(self) -> tuple[tuple[int, ...], ...]:
        """Whose actions each agent sees, ascending."""

    @property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Who sees the actions of each agent, ascending."""
