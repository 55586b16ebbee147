"""The methods that are compared, and what each is guaranteed."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bnpg_math.dag import Dag
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import state_values
from bnpg_math.games.game import Game
from bnpg_math.theory.constants import sizes
from bnpg_math.theory.direct import direct_rounds
from bnpg_math.theory.global_optimality import natural_rounds

Promise = Callable[[Game, Dag, float], float]
"""From a game, a DAG and a gap to a number of rounds that is proved to suffice; infinite if none is."""


def uniform_room(game: Game) -> float:
    """Return V*(mu) - V(mu) of the uniform team."""
    import numpy as np

    uniform = np.broadcast_to(1.0 / game.joint_actions, (game.states, *game.actions))
    best = float(game.initial @ optimal_value(game).V)
    return best - float(game.initial @ state_values(game, uniform))


def by_projection(game: Game, dag: Dag, epsilon: float) -> float:
    """Rounds of projected ascent for a Nash gap."""
    return direct_rounds(sizes(game, dag), epsilon, mismatch(game).M, uniform_room(game))


def by_theorem_b(game: Game, dag: Dag, epsilon: float) -> float:  # noqa: ARG001
    """Rounds of natural steps for an optimality gap, with the step at which both terms are equal."""
    spread = game.agents * game.reward_range
    eta = (1.0 - game.gamma) * math.log(max(game.joint_actions, 2)) / spread
    agents, joint, R = game.agents, game.joint_actions, game.reward_range
    return float(natural_rounds(agents, joint, R, game.gamma, eta, epsilon))


def by_policy_iteration(game: Game, dag: Dag, epsilon: float) -> float:  # noqa: ARG001
    """Rounds of policy iteration for an optimality gap: gamma^T times the largest one at the beginning."""
    if game.gamma == 0.0:
        return 1.0
    largest = game.reward_range / (1.0 - game.gamma)
    return float(max(1, math.ceil(math.log(largest / epsilon) / -math.log(game.gamma))))


def unknown(game: Game, dag: Dag, epsilon: float) -> float:  # noqa: ARG001
    """No number is proved."""
    return math.inf


@dataclass(frozen=True)
class Method:
    """A baseline, or the project's own.

    Parameters
    ----------
    name : str
    dag : str
    fields : dict or None
        Options of `bnpg.train`; None for policy iteration, which is not trained.
    gap : {'nash', 'optimality'}
        What the guarantee is about.
    guarantee : str
        In words, with its source.
    promise : callable
        As a number of rounds.
    """

    name: str
    dag: str
    fields: dict[str, Any] | None = field(default_factory=dict)
    gap: str = "nash"
    guarantee: str = ""
    promise: Promise = unknown


_DIRECT = {"policy": "direct", "learning_rate": "certified"}
_NATURAL = {"direction": "natural", "learning_rate": "certified"}
_NO_STEP = "none for a step of this size"
_NASH_ONLY = "limits are Nash equilibria, with a rate whose constant depends on the run [5, 6]"

METHODS = (
    Method(
        "direct, projected", "empty", _DIRECT, "nash",
        "Nash gap of eps in 16 beta S A_P M^2 room / eps^2 rounds [4; baselines.md]", by_projection,
    ),
    Method("direct, eta 0.1", "empty", _DIRECT | {"learning_rate": 0.1}, "nash", _NO_STEP),
    Method(
        "independent softmax", "empty", {"learning_rate": "certified"}, "nash", _NASH_ONLY,
    ),
    Method(
        "independent softmax, chosen steps", "empty", {"step_size": "backtracking"}, "nash", _NASH_ONLY,
    ),
    Method(
        "independent natural, eta 0.1", "empty", {"direction": "natural", "learning_rate": 0.1}, "nash",
        _NO_STEP,
    ),
    Method(
        "policy iteration", "empty", None, "nash",
        "ends in a Nash equilibrium after finitely many rounds [Ding et al. 2025; baselines.md]",
    ),
    Method(
        "direct, projected", "complete", _DIRECT, "nash",
        "Nash gap only, as without edges [baselines.md]", by_projection,
    ),
    Method("direct, eta 0.1", "complete", _DIRECT | {"learning_rate": 0.1}, "nash", _NO_STEP),
    Method(
        "softmax (3)", "complete", {"learning_rate": "certified"}, "optimality",
        "the optimum, at a rate of 1/T whose constant depends on the run [Theorem A]",
    ),
    Method(
        "softmax (3), chosen steps", "complete", {"step_size": "backtracking"}, "optimality",
        "V(mu) never falls",
    ),
    Method(
        "natural", "complete", _NATURAL, "optimality",
        "(1/T) [log A / (eta (1-g)) + N R / (1-g)^2] [Theorem B]", by_theorem_b,
    ),
    Method(
        "policy iteration", "complete", None, "optimality",
        "g^T times the first gap [Ding et al. 2025; baselines.md]", by_policy_iteration,
    ),
)  # fmt: skip
"""Without edges first, as the papers have them; then the same on the complete DAG."""
