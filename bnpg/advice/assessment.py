"""A DAG, assessed for a game: what is guaranteed on it, at what price, and what it costs."""

import math
from dataclasses import dataclass
from functools import cached_property

from bnpg.advice.action_values import ActionValues
from bnpg.certified.words import rounded_up
from bnpg.evaluation.effort import is_affordable
from bnpg.evaluation.room import optimal_coverage, range_at_most, room_at_most
from bnpg_math.dag import Dag
from bnpg_math.dag.perfect import height, unmarried
from bnpg_math.exact.gauge import Gauge
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.rounding import sum_upwards
from bnpg_math.games.game import Game
from bnpg_math.theory.additivity import Interactions, interactions
from bnpg_math.theory.global_optimality import natural_rounds
from bnpg_math.theory.price import Price, gap_left, price, price_at_any_policy
from bnpg_math.theory.weighted_barrier import path_products, weighted_rounds

STEP = 1.0
"""The step of the natural gradient that rounds are predicted for; a larger one needs no more."""
BEYOND = "the rounds that are promised are beyond all floats"
"""Why there is no number of them."""


@dataclass(frozen=True)
class Assessment:
    """What a DAG is for a game.

    Parameters
    ----------
    dag : Dag
    unmarried : tuple of (int, int)
        Parents of a common child that are not adjacent; empty if the DAG is perfect.
    additive : bool
        Whether the game is a sum of functions of the DAG's families, up to rounding.
    xi : float
        The price of the missing edges at the policy that was asked about, at the most: rounding included.
    xi_method : str
        How it was computed, see :class:`bnpg_math.theory.price.Price`.
    xi_any : float
        An upper bound of the price at every policy.
    not_excluded : float or None
        What of an optimality gap the missing edges leave possible, whatever the policy at which the condition
        of Theorem D1 is met: 2 (N+1) xi_any / (1-gamma), R / (1-gamma) at the most; None if the DAG is not
        perfect.
    parameters : int
        Logits of all agents.
    messages : int
        Between processes, a step of a sampled round: states and actions.
    hops : int
        Messages one after the other until the last agent has acted.
    height : int
        Of the forest of last parents.
    threshold : float or None
        tau / lambda of Theorem D1; None if the DAG is not perfect.
    rounds_natural : float or None
        Of Theorem B for the gap that was asked for; None where it promises nothing.
    rounds_weighted : float or None
        Of Theorem D1 likewise.
    reason : str or None
        Why a number of rounds is missing.
    """

    dag: Dag
    unmarried: tuple[tuple[int, int], ...]
    additive: bool
    xi: float
    xi_method: str
    xi_any: float
    not_excluded: float | None
    parameters: int
    messages: int
    hops: int
    height: int
    threshold: float | None
    rounds_natural: float | None
    rounds_weighted: float | None
    reason: str | None

    @property
    def perfect(self) -> bool:
        """Whether the parents of every agent are adjacent."""
        return not self.unmarried


class Assessor:
    """Assesses DAGs of one game, sharing what does not depend on the DAG.

    Parameters
    ----------
    game : Game
    values : ActionValues
        Of the policy at which prices are measured.
    epsilon : float
        The optimality gap for which rounds are predicted.
    """

    def __init__(self, game: Game, values: ActionValues, epsilon: float) -> None:
        self.game = game
        self.Q = values.Q
        self.interactions: Interactions = interactions(game)
        self._off = values.off
        self._epsilon = epsilon
        self._gauge = Gauge(game)
        self._worst = range_at_most(game)

    @cached_property
    def _rise(self) -> float:
        """V* - V of the uniform policy, at the most."""
        return min(room_at_most(self._gauge), self._worst)

    @cached_property
    def _constant(self) -> tuple[float | None, str | None]:
        """C* of Theorem D1, for which lambda C* is what its barrier costs, or why there is none."""
        if self.game.states == 1:
            return 1.0, None
        if not is_affordable(self.game):
            return (
                None,
                "the visitations that Theorem D1 divides by are too dear to compute for so many states",
            )
        found = mismatch(self.game)
        if not math.isfinite(found.M):
            return None, f"Theorem D1 has no fixed number of rounds: {found.reason}"
        return optimal_coverage(self._gauge, found), None

    def price(self, families: tuple[tuple[int, ...], ...]) -> Price:
        """Return xi alone, of any families, and with it what the values are off by."""
        found = price(self.Q, families)
        if any(len(family) == self.game.agents for family in families):
            return found
        return Price(sum_upwards(found.xi, self._off), found.method, sum_upwards(found.rounding, self._off))

    def assess(self, dag: Dag) -> Assessment:
        """Return what a DAG is for the game."""
        game, lacking = self.game, unmarried(dag)
        additive = self.interactions.additivity(dag.families).additive
        measured, xi_any = self.price(dag.families), price_at_any_policy(game, dag.families)
        # Where a team comes to rest is not known: of its policy only what holds at all of them is.
        left = min(gap_left(game, xi_any), self._worst)
        natural, weighted, reason = self._rounds(dag, bool(lacking), additive, left)
        return Assessment(
            dag=dag,
            unmarried=lacking,
            additive=additive,
            xi=min(measured.xi, xi_any),
            xi_method=measured.method,
            xi_any=xi_any,
            not_excluded=None if lacking else left,
            parameters=game.states
            * sum(math.prod(game.actions[member] for member in family) for family in dag.families),
            messages=2 * game.agents + len(dag.edges),
            hops=2 + dag.depth,
            height=height(dag),
            threshold=None if lacking else 1.0 / path_products(dag, game.actions),
            rounds_natural=natural,
            rounds_weighted=weighted,
            reason=reason,
        )

    def _rounds(
        self, dag: Dag, lacking: bool, additive: bool, left: float
    ) -> tuple[float | None, float | None, str | None]:
        game = self.game
        if lacking or not additive:
            why = "the DAG is not perfect" if lacking else "the game is not additive over the DAG"
            return None, None, f"{why}: no theorem promises an optimum"
        goal = self._epsilon - left
        if not goal > 0.0:
            cost = rounded_up(left)
            return None, None, f"the game is additive over the DAG up to rounding, which may cost {cost}"
        natural = natural_rounds(game.agents, game.joint_actions, game.reward_range, game.gamma, STEP, goal)
        if not math.isfinite(natural):
            return None, None, BEYOND
        constant, unreachable = self._constant
        if constant is None:
            return natural, None, unreachable
        weighted = weighted_rounds(game, dag, goal / constant, self._rise)
        return (natural, weighted, None) if math.isfinite(weighted) else (natural, None, BEYOND)
