"""What the edges of a trained policy are worth, and which of them to keep.

The value of an edge is what the team earns with it less what it earns when the child no longer hears the
parent: its conditional is then averaged over the parent's action, as often as each was met
(:mod:`bnpg_math.policies.pruning`). Both are played with the same random numbers, so that the difference has
little noise. Where the model is known the same difference is computed too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from bnpg_coordinator.worlds.interface import World

from bnpg.evaluation.effort import is_coverage_affordable
from bnpg.evaluation.episodes import Episodes, play_episodes, stream
from bnpg.evaluation.played import WIDTH
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, Edge
from bnpg_math.exact.values import state_values
from bnpg_math.games.game import Game
from bnpg_math.policies.pruning import regraphed
from bnpg_math.policies.tabular import TabularSoftmax

COUNTING, VALUING = 2, 3
"""Streams of evaluation episodes: those in which visits are counted, and those by which edges are valued."""
FEW = 30
"""Episodes that must differ for a standard error to mean much."""
ALL_PAIRS = 30
"""Edges up to which every one that is left is measured again after each removal."""


@dataclass(frozen=True)
class Estimate:
    """A mean of paired differences, with the ends of its interval of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class EdgeValue:
    """What one edge is worth while all others are there."""

    edge: Edge
    estimate: Estimate
    exact: float | None
    """Where the model is known, and small enough."""


@dataclass(frozen=True)
class Edges:
    """Values of all edges of a policy, and a smaller graph."""

    dag: Dag
    values: tuple[EdgeValue, ...]
    """In the order of the graph's edges."""
    proposal: Dag
    loss: Estimate
    """What the team loses on the proposed graph before it is trained any further."""
    exact_loss: float | None
    episodes: int
    visits: tuple[FloatArray, ...]
    """(S_i, *P) an agent, with which parents are summed out."""


def paired(difference: FloatArray, span: float) -> Estimate:
    """Return the mean of paired differences with its interval.

    Parameters
    ----------
    difference : (K,) float
    span : float
        Of the returns that were met. Where few episodes differ at all a standard error says little: an event
        in less than 3 of K episodes may not have been met, so the interval is wider by 3/K of the span.
    """
    count = difference.size
    mean = math.fsum(difference.tolist()) / count
    width = WIDTH * float(difference.std(ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    if np.count_nonzero(difference) < FEW:
        width += 3.0 / count * span
    return Estimate(mean, mean - width, mean + width)


def value_edges(
    world: World,
    dag: Dag,
    tables: Sequence[FloatArray],
    seed: int,
    *,
    budget: int | None = None,
    episodes: int = 4096,
    steps: int = 0,
    measured: Callable[[], None] = lambda: None,
) -> Edges:
    """Measure every edge of a policy, and propose which to keep.

    Edges are given up one by one, the cheapest first, each time measured against the whole graph, so that of
    two edges which stand in for each other one is kept.

    Parameters
    ----------
    world : World
        Everybody sees finitely many things.
    dag : Dag
    tables : sequence of N arrays (S_i, *P, A_i) float
        pi^i.
    seed : int
        The experiment's.
    budget : int, optional
        How many edges may be left; None: as few as lose nothing that could be measured.
    episodes : int
        How many are played on each graph.
    steps : int
        After how many an episode is cut; 0: it is not.
    measured : callable
        Called after every graph that was played.

    Returns
    -------
    Edges

    Raises
    ------
    WorldFailed
    """
    measure = _Measure(world, dag, tables, seed, episodes, steps, measured)
    values = tuple(
        EdgeValue(edge, measure.loss(_without(dag, edge)), measure.exact_loss(_without(dag, edge)))
        for edge in dag.edges
    )
    rank = {one.edge: one.estimate.value for one in values}
    proposal = dag
    while proposal.edges and (budget is None or len(proposal.edges) > budget):
        smaller = [_without(proposal, edge) for edge in proposal.edges]
        if len(dag.edges) <= ALL_PAIRS:
            cheapest = min(reversed(smaller), key=lambda one: measure.loss(one).value)
        else:
            edge = min(reversed(proposal.edges), key=lambda one: rank[one])
            cheapest = _without(proposal, edge)
        if budget is None and measure.loss(cheapest).low > 0.0:
            break
        proposal = cheapest
    return Edges(
        dag,
        values,
        proposal,
        measure.loss(proposal),
        measure.exact_loss(proposal),
        measure.episodes,
        measure.visits,
    )


def graphs_to_measure(dag: Dag, budget: int | None) -> int:
    """Return on how many smaller graphs a policy is played at the most."""
    edges = len(dag.edges)
    removed = max(0, edges - (budget or 0))
    if edges > ALL_PAIRS:
        return edges + max(0, removed - 1)
    return sum(edges - step for step in range(removed)) if removed else edges


class _Measure:
    """Plays one policy on smaller graphs, on each of them once."""

    def __init__(
        self,
        world: World,
        dag: Dag,
        tables: Sequence[FloatArray],
        seed: int,
        episodes: int,
        steps: int,
        measured: Callable[[], None],
    ) -> None:
        self._world, self._dag, self._tables = world, dag, tables
        self._seed, self._count, self._steps = seed, episodes, steps
        self._measured = measured
        counted = _counted(world, dag, tables, seed, episodes, steps)
        self.visits = counted.visits
        whole = self._play(dag).returns
        self.episodes = whole.size
        self._returns = {dag: whole}
        both = np.concatenate([whole, counted.returns])
        self._span = float(both.max() - both.min())
        model = world.model
        self._model = model if model is not None and is_coverage_affordable(model) else None
        self._values: dict[Dag, float] = {}

    def loss(self, dag: Dag) -> Estimate:
        """Return what is lost on a smaller graph."""
        if dag == self._dag:
            return Estimate(0.0, 0.0, 0.0)
        if dag not in self._returns:
            self._returns[dag] = self._play(dag).returns
            self._measured()
        other = self._returns[dag]
        both = np.concatenate([self._returns[self._dag], other])
        return paired(self._returns[self._dag] - other, max(self._span, float(np.ptp(both))))

    def exact_loss(self, dag: Dag) -> float | None:
        """Return it from the model, where that is known."""
        if self._model is None:
            return None
        return self._value(self._model, self._dag) - self._value(self._model, dag)

    def _value(self, game: Game, dag: Dag) -> float:
        if dag not in self._values:
            pi = joint_policy(self._on(dag), dag)
            self._values[dag] = float(game.initial @ state_values(game, pi))
        return self._values[dag]

    def _on(self, dag: Dag) -> Sequence[FloatArray]:
        if dag is self._dag:
            return self._tables
        return regraphed(self._tables, self.visits, self._dag, dag, self._world.actions)

    def _play(self, dag: Dag) -> Episodes:
        own = stream(self._seed, VALUING)
        return play_episodes(self._world, dag, _policies(self._on(dag)), own, self._count, self._steps)


def count_visits(
    world: World, dag: Dag, tables: Sequence[FloatArray], seed: int, episodes: int, steps: int
) -> tuple[FloatArray, ...]:
    """Return how often each row of each table is acted from, in episodes that are valued nowhere.

    Parameters
    ----------
    world, dag, tables, seed, episodes, steps
        As :func:`value_edges` has them.

    Returns
    -------
    tuple of N arrays (S_i, *P) float
    """
    return _counted(world, dag, tables, seed, episodes, steps).visits


def _counted(
    world: World, dag: Dag, tables: Sequence[FloatArray], seed: int, episodes: int, steps: int
) -> Episodes:
    shapes = [table.shape[:-1] for table in tables]
    own = stream(seed, COUNTING)
    return play_episodes(world, dag, _policies(tables), own, episodes, steps, shapes)


def _policies(tables: Sequence[FloatArray]) -> list[TabularSoftmax]:
    with np.errstate(divide="ignore"):  # what is never done
        return [TabularSoftmax(np.log(table)) for table in tables]


def _without(dag: Dag, edge: Edge) -> Dag:
    return Dag(dag.agents, tuple(one for one in dag.edges if one != edge))
