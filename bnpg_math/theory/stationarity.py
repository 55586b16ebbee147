"""How far a policy is from a stationary point of L_lambda: all agents' gradients and their norms."""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.by_two import length
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag
from bnpg_math.exact.rounding import SLACK, UNIT
from bnpg_math.exact.values import Values, evaluate
from bnpg_math.games.game import Game
from bnpg_math.learning.gradient import flow, local_flows, regularized_gradient
from bnpg_math.learning.regularization import Regularization, per_agent

LEAST_THRESHOLD = 1e-280
"""Thresholds must be above this: the smallest terms of the gradient are still normal numbers then."""


def gradients(
    game: Game,
    dag: Dag,
    tables: Sequence[FloatArray],
    regularization: Regularization,
    values: Values | None = None,
) -> list[FloatArray]:
    """dL_lambda/dtheta^i of every agent (Lemma 1).

    Parameters
    ----------
    game : Game
        The game.
    dag : Dag
        Who conditions on whom.
    tables : sequence of N arrays (S, *P, A_i) float
        pi^i; the gradient depends on the logits through them alone.
    regularization : float or tuple of N float
        lambda >= 0, of everybody or of each.
    values : Values, optional
        Of the joint policy; computed if missing.

    Returns
    -------
    list of N arrays (S, *P, A_i) float
        Every row sums to zero.
    """
    present = values if values is not None else evaluate(game, joint_policy(tables, dag))
    W = flow(present.d, present.pi, present.Q)
    return [
        regularized_gradient(m, table, weight)
        for m, table, weight in zip(
            local_flows(W, dag.families), tables, per_agent(regularization, dag.agents), strict=True
        )
    ]


def gradient_rounding(game: Game, values: Values) -> float:
    """How far an entry of the gradient, or a sum of one entry an agent, may be from the true one.

    Parameters
    ----------
    game : Game
        The game.
    values : Values
        The evaluation that the gradient was made of.

    Returns
    -------
    float
        Of the order of 1e-16 times visitation, return and 1/(1 - gamma).
    """
    scale = float(values.d.max()) * max(float(values.Q.max()), -float(values.Q.min()))
    return _rounding(game, scale)


def gradient_rounding_at_any_policy(game: Game) -> float:
    """How far an entry of the gradient may be from the true one where nothing is known of the policy.

    Parameters
    ----------
    game : Game
        The game.

    Returns
    -------
    float
        At least :func:`gradient_rounding` of any policy: no state is visited more than 1/(1 - gamma) times,
        and no return exceeds the largest reward that often.
    """
    largest = max(float(game.reward.max()), -float(game.reward.min()))
    return _rounding(game, largest / (1.0 - game.gamma) ** 2 * (1.0 + SLACK))


def _rounding(game: Game, scale: float) -> float:
    operations = game.states + game.joint_actions + 4 * game.agents + 16
    return 4.0 * game.agents * operations * UNIT * scale / (1.0 - game.gamma)


def meets(gradient: float, threshold: float, rounding: float) -> bool:
    """Whether a gradient is measurably within the threshold of a lemma.

    A policy saturated on a bad action has a gradient that exceeds the threshold by less than a double can
    show, and an unbounded gap. So the condition is met only where it would be after rounding, too. A
    threshold of 0 is none: without a barrier every saturated table has a gradient of 0, and the lemmas say
    nothing. One that has underflowed is none either.

    Parameters
    ----------
    gradient : float
        In the norm of the lemma.
    threshold : float
        What it must not exceed.
    rounding : float
        From :func:`gradient_rounding`.

    Returns
    -------
    bool
    """
    return bool(threshold > LEAST_THRESHOLD and gradient + rounding <= threshold * (1.0 - SLACK))


def gradient_norm(grads: Sequence[FloatArray]) -> float:
    """Euclidean norm over all agents, ||grad L_lambda||_2."""
    return length(grads)


def gradient_max(grads: Sequence[FloatArray]) -> float:
    """Largest entry in absolute value."""
    return max(float(np.abs(gradient).max()) for gradient in grads)


def path_norm(grads: Sequence[FloatArray], dag: Dag) -> float:
    """Largest over (s, a) of sum_i |e_i(s, a^{P^i}, a^i)|.

    A joint action meets one entry an agent, so this is at most sqrt(N) times the Euclidean norm.

    Parameters
    ----------
    grads : sequence of N arrays (S, *P, A_i) float
        From :func:`gradients`.
    dag : Dag
        Who conditions on whom.

    Returns
    -------
    float
    """
    return _largest_along_a_path([np.abs(gradient) for gradient in grads], dag)


def family_excess(grads: Sequence[FloatArray]) -> float:
    """Largest entry upwards, each agent's in proportion to the size A_P A_i of its family (Lemma 2').

    Parameters
    ----------
    grads : sequence of N arrays (S, *P, A_i) float
        From :func:`gradients`.

    Returns
    -------
    float
        max_i max(e_i) A_P A_i / K, at most :func:`gradient_max`: at most lambda / (S K) if and only if every
        entry of every agent is at most lambda / (S A_P A_i).
    """
    families = [gradient[0].size for gradient in grads]
    largest = max(families)
    pairs = zip(grads, families, strict=True)
    excess: list[float] = [float(gradient.max()) * (size / largest) for gradient, size in pairs]
    return max(0.0, *excess)


def path_excess(grads: Sequence[FloatArray], dag: Dag) -> float:
    """Largest over (s, a) of sum_i max(e_i, 0), the condition of Lemma 3'; at most :func:`path_norm`."""
    return _largest_along_a_path([np.maximum(gradient, 0.0) for gradient in grads], dag)


def _largest_along_a_path(parts: Sequence[FloatArray], dag: Dag) -> float:
    total = np.zeros((parts[0].shape[0], *(1,) * dag.agents))
    for part, family in zip(parts, dag.families, strict=True):
        total = total + spread(part, family, dag.agents)
    return float(total.max())
