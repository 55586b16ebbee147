"""A DAG, assessed for a game: what is guaranteed on it, at what price, and what it costs."""

import math
from dataclasses import dataclass

import numpy as np

from bnpg.evaluation.effort import is_affordable
from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.dag.perfect import height, unmarried
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game
from bnpg_math.theory.additivity import Interactions, interactions
from bnpg_math.theory.global_optimality import natural_rounds
from bnpg_math.theory.price import price, price_at_any_policy
from bnpg_math.theory.weighted_barrier import path_products, weighted_rounds

STEP = 1.0
"""The step of the natural gradient that rounds are predicted for; a larger one needs no more."""


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
        The price of the missing edges at the policy that was asked about.
    xi_method : str
        How it was computed, see :class:`bnpg_math.theory.price.Price`.
    xi_any : float
        An upper bound of the price at every policy.
    not_excluded : float or None
        What of an optimality gap the missing edges leave possible, 2 (N+1) xi / (1-gamma), R / (1-gamma) at
        the most; None if the DAG is not perfect.
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
    Q : (S, A_1, .., A_N) float
        Action values of the policy at which prices are measured.
    epsilon : float
        The optimality gap for which rounds are predicted.
    """

    def __init__(self, game: Game, Q: FloatArray, epsilon: float) -> None:
        self.game = game
        self.Q = Q
        self.interactions: Interactions = interactions(game)
        self._epsilon = epsilon
        uniform = np.full((game.states, *game.actions), 1.0 / game.joint_actions)
        best = optimal_value(game)
        self._rise = max(float(game.initial @ best.V) - evaluate(game, uniform).value, 0.0)
        self._regularization, self._unreachable = self._aim(evaluate(game, best.policy).d)

    def _aim(self, visits: FloatArray) -> tuple[float | None, str | None]:
        """The lambda for which Theorem D1 promises epsilon, epsilon / C*, or why there is none."""
        if self.game.states == 1:
            return self._epsilon, None
        if not is_affordable(self.game):
            return (
                None,
                "the visitations that Theorem D1 divides by are too dear to compute for so many states",
            )
        found = mismatch(self.game)
        if not math.isfinite(found.M):
            return None, f"Theorem D1 has no fixed number of rounds: {found.reason}"
        return self._epsilon / (float((visits / found.lowest).sum()) / self.game.states), None

    def price(self, families: tuple[tuple[int, ...], ...]) -> float:
        """Return xi alone, of any families."""
        return price(self.Q, families).xi

    def assess(self, dag: Dag) -> Assessment:
        """Return what a DAG is for the game."""
        game, lacking = self.game, unmarried(dag)
        additive = self.interactions.additivity(dag.families).additive
        measured = price(self.Q, dag.families)
        worst = game.reward_range / (1 - game.gamma)
        left = min(2 * (game.agents + 1) * measured.xi / (1 - game.gamma), worst)
        natural, weighted, reason = self._rounds(dag, bool(lacking), additive)
        return Assessment(
            dag=dag,
            unmarried=lacking,
            additive=additive,
            xi=measured.xi,
            xi_method=measured.method,
            xi_any=price_at_any_policy(game, dag.families),
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
        self, dag: Dag, lacking: bool, additive: bool
    ) -> tuple[float | None, float | None, str | None]:
        game = self.game
        if lacking or not additive:
            why = "the DAG is not perfect" if lacking else "the game is not additive over the DAG"
            return None, None, f"{why}: no theorem promises an optimum"
        natural = natural_rounds(
            game.agents, game.joint_actions, game.reward_range, game.gamma, STEP, self._epsilon
        )
        if self._regularization is None:
            return natural, None, self._unreachable
        weighted = weighted_rounds(game, dag, self._regularization, self._rise)
        return natural, weighted, None
