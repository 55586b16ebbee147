"""Theorem D1 at a policy: what a gradient under a weighted barrier promises of the optimality gap.

The weights are those that the agents have, whatever formula they came from: by the theorem's proof a gap of
``lambda / S sum_s d*(s) / d(s)`` follows where no entry exceeds ``(rho_i / A_i - sum of rho_c over m(c) = i)
/ S``, lambda being the sum of rho over the roots. So what was rounded when they were computed is taken off
the threshold. What the game lacks to be additive over the DAG costs ``2 (N + 1) xi / (1 - gamma)`` more.
"""

import math
from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.dag import Dag
from bnpg_math.dag.perfect import last_parents
from bnpg_math.errors import GameError
from bnpg_math.exact.coverage import Coverage
from bnpg_math.games.game import Game
from bnpg_math.theory.additivity import LARGEST, transitions_matter
from bnpg_math.theory.bounds import Bound, obeys
from bnpg_math.theory.price import gap_left, price_at_any_policy
from bnpg_math.theory.stationarity import meets

THEOREM = "theorem_d1"
_EPS = float(np.finfo(np.float64).eps)


def edges_price(game: Game, dag: Dag) -> float:
    """The most that missing edges cost at any policy, 2 (N + 1) xi / (1 - gamma): next to 0 if additive.

    Parameters
    ----------
    game : Game
    dag : Dag
        Perfect.

    Returns
    -------
    float
        Rounding included, so that it is above 0 unless one family is everybody.

    Raises
    ------
    GameError
        If P has more numbers than are looked at.
    """
    numbers = game.states**2 * game.joint_actions if transitions_matter(game) else 0
    if numbers > LARGEST:
        raise GameError(
            f"game {game.name} has {numbers} transition probabilities; expected at most {LARGEST} to see "
            "what missing edges cost"
        )
    return gap_left(game, price_at_any_policy(game, dag.families))


def spare(dag: Dag, actions: Sequence[int], weights: Sequence[float]) -> tuple[float, float]:
    """Return tau and lambda of the weights that agents have, each rounded to the safe side.

    Parameters
    ----------
    dag : Dag
        Perfect.
    actions : sequence of N int
    weights : sequence of N float
        lambda_i: what agent i takes for lambda.

    Returns
    -------
    tau, weight : float
        S times the largest entry of a gradient that is allowed, at most 0 if none is; and lambda.
    """
    above = last_parents(dag)
    rows = [math.prod(actions[parent] for parent in parents) for parents in dag.parents]
    rho = [weight / count for weight, count in zip(weights, rows, strict=True)]
    below = [0.0] * dag.agents
    for agent, parent in enumerate(above):
        if parent is not None:
            below[parent] += rho[agent]
    lost = (4.0 + dag.agents) * _EPS
    tau = min(
        own / count - children - lost * (own / count + children)
        for own, count, children in zip(rho, actions, below, strict=True)
    )
    whole = left_sum(own for own, parent in zip(rho, above, strict=True) if parent is None)
    return tau, whole * (1.0 + lost)


def weighted_bound(
    game: Game,
    dag: Dag,
    weights: Sequence[float],
    grads: Sequence[FloatArray],
    *,
    price: float,
    rounding: float = 0.0,
    optimality_gap: float | None = None,
    off: float = 0.0,
    M: float | None = None,
    covered: Coverage | None = None,
) -> Bound:
    """Evaluate Theorem D1 at a policy.

    Parameters
    ----------
    game : Game
    dag : Dag
        Perfect.
    weights : sequence of N float
        lambda_i of the barrier.
    grads : sequence of N arrays (S, *P, A_i) float
        dL/dtheta^i with these weights.
    price : float
        From :func:`edges_price`.
    rounding : float
        Of the gradient, from `stationarity.gradient_rounding`.
    optimality_gap : float, optional
        Measured at the policy.
    off : float
        How far it may be from the truth.
    M : float, optional
        Mismatch coefficient.
    covered : Coverage, optional
        Of the policy.

    Returns
    -------
    Bound
        With the condition on the largest entry upwards. Its `bound` is None, with a reason, where neither M
        nor the constants of the policy are finite.
    """
    tau, weight = spare(dag, game.actions, weights)
    gradient = max(0.0, *(float(array.max()) for array in grads))
    threshold = max(tau, 0.0) / game.states
    promised = [weight * M] if M is not None and math.isfinite(M) else []
    if covered is not None:
        promised += [weight * covered.largest, weight * covered.optimal + covered.missed]
    least = (min(promised, default=math.inf) + price) * (1.0 + 1e-12)
    limit = least if math.isfinite(least) else None
    holds, why = obeys(optimality_gap, limit, off)
    unbounded = None if limit is not None else "no state's visitation is known well enough"
    return Bound(
        THEOREM, "tight", "max", gradient, threshold, meets(gradient, threshold, rounding), limit,
        optimality_gap, holds, unbounded or why,
    )  # fmt: skip
