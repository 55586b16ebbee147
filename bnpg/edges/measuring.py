"""What the edges of a trained policy are worth, and which of them to keep.

The value of an edge is what the team earns with it less what it earns when the child no longer hears the
parent: its conditional is then averaged over the parent's action, as often as each was met
(:mod:`bnpg_math.policies.pruning`); a network is told what can be expected of it
(:mod:`bnpg_math.policies.network_pruning`). Both are played with the same random numbers, so that the
difference has little noise. Where the model is known the same difference is computed too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from bnpg_coordinator.worlds.interface import World

from bnpg.edges import EPISODES
from bnpg.edges.trained import Trained, VisitCounter
from bnpg.evaluation.effort import is_coverage_affordable
from bnpg.evaluation.episodes import Episodes, play_episodes, stream
from bnpg.evaluation.means import Estimate, estimate
from bnpg.one_thread import one_thread
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, Edge
from bnpg_math.exact.centred import centred, returns_spread
from bnpg_math.exact.difference import difference_in_integers
from bnpg_math.exact.fixed_point import is_affordable
from bnpg_math.exact.response import enclosed_value
from bnpg_math.exact.rounding import (
    ACCEPTED,
    SMALLEST,
    UNIT,
    Enclosed,
    backup_rounding,
    magnitude,
    softmax_rounding,
    sum_upwards,
    table_defects,
)
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game
from bnpg_math.policies.interface import Seen

COUNTING, VALUING = 2, 3
"""Streams of evaluation episodes: those in which visits are counted, and those by which edges are valued."""
UNDECIDED = "it cannot be told from rounding"
"""Why nothing is said by the model."""
ALL_PAIRS = 30
"""Edges up to which every one that is left is measured again after each removal."""


@dataclass(frozen=True)
class EdgeValue:
    """What one edge is worth while all others are there."""

    edge: Edge
    estimate: Estimate
    exact: float | None
    """From the model, where that is known and small enough; 0 where it is nothing beside what is earned."""
    reason: str = ""
    """Why it is missing although the model is known."""


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
    reason: str = ""
    """Why `exact_loss` is missing although the model is known."""


def paired(first: Episodes, second: Episodes, span: float) -> Estimate:
    """Return how much more the first episodes paid than the second, with its interval.

    Parameters
    ----------
    first, second : Episodes
        On the same luck.
    span : float
        How far apart returns are that were met before.
    """
    off = first.off + second.off
    met = float(np.ptp(np.concatenate([first.returns, second.returns])))
    return estimate(first.returns - second.returns, off, max(span, met))


def span_of(returns: Sequence[FloatArray], off: float, model: Game | None) -> float:
    """Return how far returns are apart that were met; where rounding alone does, others might be by more.

    Parameters
    ----------
    returns : sequence of (K,) float
    off : float
        How far two of them may be apart by rounding.
    model : Game or None
        What says how far apart any two can be.
    """
    span = float(np.ptp(np.concatenate(returns)))
    return span if model is None or span > off else returns_spread(model)


@one_thread()
def value_edges(
    world: World,
    trained: Trained,
    seed: int,
    *,
    budget: int | None = None,
    episodes: int = EPISODES,
    steps: int = 0,
    measured: Callable[[], None] = lambda: None,
) -> Edges:
    """Measure every edge of a policy, and propose which to keep.

    Edges are given up one by one, the cheapest first, each time measured against the whole graph, so that of
    two edges which stand in for each other one is kept.

    Parameters
    ----------
    world : World
    trained : Trained
        Tables or networks.
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
    dag = trained.dag
    measure = _Measure(world, trained, seed, episodes, steps, measured)
    values = tuple(
        EdgeValue(edge, measure.loss(_without(dag, edge)), *measure.exact_loss(_without(dag, edge)))
        for edge in dag.edges
    )
    rank = {value.edge: value.estimate.value for value in values}
    proposal = dag
    while proposal.edges and (budget is None or len(proposal.edges) > budget):
        smaller = [_without(proposal, edge) for edge in proposal.edges]
        if len(dag.edges) <= ALL_PAIRS:
            cheapest = min(reversed(smaller), key=lambda graph: measure.loss(graph).value)
        else:
            edge = min(reversed(proposal.edges), key=lambda link: rank[link])
            cheapest = _without(proposal, edge)
        if budget is None and measure.loss(cheapest).low > 0.0:
            break
        proposal = cheapest
    exact, reason = measure.exact_loss(proposal)
    return Edges(dag, values, proposal, measure.loss(proposal), exact, measure.episodes, reason)


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
        trained: Trained,
        seed: int,
        episodes: int,
        steps: int,
        measured: Callable[[], None],
    ) -> None:
        self._world, self._dag, self._trained = world, trained.dag, trained
        self._seed, self._count, self._steps = seed, episodes, steps
        self._measured = measured
        self._visited, counted = count_visits(world, trained, seed, episodes, steps)
        model = world.model
        self._played = self._play(trained.dag)
        self._tail = self._played.tail(model)
        self.episodes = self._played.returns.size
        self._met: dict[Dag, Episodes] = {}
        """What was played on smaller graphs."""
        self._span = span_of([self._played.returns, counted], 2.0 * self._played.off, model)
        # A constant in all rewards is no part of a difference, and costs its digits.
        self._model = centred(model) if model is not None and is_coverage_affordable(model) else None
        self._given = model
        self._values: dict[Dag, Enclosed] = {}

    def loss(self, dag: Dag) -> Estimate:
        """Return what is lost on a smaller graph."""
        if dag == self._dag:
            return Estimate(0.0, 0.0, 0.0)
        if dag not in self._met:
            self._met[dag] = self._play(dag)
            self._measured()
        return paired(self._played, self._met[dag], self._span).allowing(self._tail)

    def exact_loss(self, dag: Dag) -> tuple[float | None, str]:
        """Return it from the model, where that is known, and why it is missing.

        What may be rounding is 0 only where all rounding is nothing beside the returns that were met.
        """
        if self._model is None or self._given is None:
            return None, ""
        if dag == self._dag:
            return 0.0, ""
        whole, left = self._value(self._model, self._dag), self._value(self._model, dag)
        loss = Enclosed(whole.number - left.number, sum_upwards(whole.error, left.error))
        found = _known(loss, self._span)
        if found is None and is_affordable(self._given):
            first, second = ((graph, self._tables(graph)) for graph in (self._dag, dag))
            closer = difference_in_integers(self._given, first, second)
            off = sum(_off(self._model, tables) for _, tables in (first, second))
            found = _known(Enclosed(closer.number, sum_upwards(closer.error, off)), self._span)
        return found, "" if found is not None else UNDECIDED

    def _value(self, game: Game, dag: Dag) -> Enclosed:
        if dag not in self._values:
            tables = self._tables(dag)
            with np.errstate(over="ignore", invalid="ignore"):
                present = evaluate(game, joint_policy(tables, dag))
                value = enclosed_value(game, present, backup_rounding(game, table_defects(tables)))
            # So were the rewards, when their middle was taken off.
            centring = 2.0 * UNIT * magnitude(game.reward) / (1.0 - game.gamma)
            self._values[dag] = Enclosed(value.number, sum_upwards(value.error, _off(game, tables), centring))
        return self._values[dag]

    def _tables(self, dag: Dag) -> Sequence[FloatArray]:
        tables = self._on(dag).tables()
        assert tables is not None, "where the model is known everybody sees states"
        return tables

    def _on(self, dag: Dag) -> Trained:
        return self._trained if dag is self._dag else self._trained.on(dag, self._visited)

    def _play(self, dag: Dag) -> Episodes:
        own = stream(self._seed, VALUING)
        return play_episodes(self._world, dag, self._on(dag).team(), own, self._count, self._steps)


def count_visits(
    world: World, trained: Trained, seed: int, episodes: int, steps: int
) -> tuple[Sequence[VisitCounter], FloatArray]:
    """Return what every agent meets in episodes that are valued nowhere, and their returns.

    Parameters
    ----------
    world, trained, seed, episodes, steps
        As :func:`value_edges` has them.
    """
    meters = trained.meters()

    def met(agent: int, seen: Seen, parents: Sequence[IntArray]) -> None:
        meters[agent].add(seen, parents)

    own = stream(seed, COUNTING)
    played = play_episodes(world, trained.dag, trained.team(), own, episodes, steps, met)
    return meters, played.returns


def _known(loss: Enclosed, spread: float) -> float | None:
    """Return a loss to seven digits, or 0 beside what spreads so far; None if it is neither."""
    if loss.decided:
        return loss.number
    return 0.0 if abs(loss.number) <= loss.error <= ACCEPTED * spread else None


def _off(game: Game, tables: Sequence[FloatArray]) -> float:
    """What a value is off by because the entries of the tables were rounded."""
    return (softmax_rounding(tables) * game.reward_range + SMALLEST) / (1.0 - game.gamma) ** 2


def _without(dag: Dag, edge: Edge) -> Dag:
    return Dag(dag.agents, tuple(other for other in dag.edges if other != edge))
