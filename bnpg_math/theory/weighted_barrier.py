"""A log barrier with a weight for each agent, under which sparse DAGs have no bad points to rest in (Theorem
D1).

The barrier of the paper gives every row (s, aP) of agent i the weight ``rho_i / S`` with
``rho_i = lambda / A_P``. On a sparse DAG that is not enough: a chain of three agents can rest far from its
optimum, however small lambda is. On a perfect DAG the weights

::

    t_i = A_i (1 + sum of t_c over all c with m(c) = i),    tau = lambda / sum of t_i over the roots,
    rho_i = tau t_i

are: in a game that is additive over the DAG, if no entry of the gradient exceeds ``tau / S``, the optimality
gap is at most ``lambda / S sum_s d*(s) / d(s)``. Written out, ``lambda / tau`` is the sum over all agents of
the product of the action counts along the path of m(.) to them: it grows exponentially in the height of that
forest, not in N.

Agent i needs a single number of all this: the ``lambda_i = rho_i A_P`` that makes the paper's own formula
for the barrier's gradient, ``lambda_i / (S A_P) (1/A_i - pi)``, come out right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bnpg_math.arrays.by_two import product
from bnpg_math.dag import Dag
from bnpg_math.dag.perfect import is_perfect, last_parents, unmarried
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.learning.regularization import Regularization
from bnpg_math.theory.constants import sizes, smoothness

Barrier: TypeAlias = Literal["uniform", "weighted"]


@dataclass(frozen=True)
class BarrierWeights:
    """The weights of Theorem D1.

    Parameters
    ----------
    tau : float
        S times the largest entry of the gradient that the theorem allows; at most lambda.
    rho : tuple of N float
        Weight of agent i's rows, times S.
    regularizations : tuple of N float
        lambda_i = rho_i A_P: what agent i takes for lambda.
    """

    tau: float
    rho: tuple[float, ...]
    regularizations: tuple[float, ...]


def path_products(dag: Dag, actions: Sequence[int]) -> int:
    """The sum of t_i over the roots, which is lambda / tau: exact, however large.

    Parameters
    ----------
    dag : Dag
        Perfect.
    actions : sequence of N int
        A_1 .. A_N.

    Returns
    -------
    int
        At least the number of agents.

    Examples
    --------
    >>> path_products(Dag(3, [(0, 1), (1, 2)]), (2, 2, 2))
    14
    >>> path_products(Dag(3, [(1, 0), (1, 2)]), (2, 2, 2))
    10
    """
    above, total = last_parents(dag), 0
    product: dict[int, int] = {}
    for agent in dag.order:
        parent = above[agent]
        product[agent] = actions[agent] * (1 if parent is None else product[parent])
        total += product[agent]
    return total


def barrier_weights(dag: Dag, actions: Sequence[int], regularization: float) -> BarrierWeights:
    """The weights of Theorem D1 on a perfect DAG.

    Parameters
    ----------
    dag : Dag
        Perfect.
    actions : sequence of N int
        A_1 .. A_N.
    regularization : float
        lambda >= 0, of the whole barrier.

    Returns
    -------
    BarrierWeights

    Raises
    ------
    InputError
        If the DAG is not perfect; names two parents that do not see each other.
    """
    if not is_perfect(dag):
        first, other = unmarried(dag)[0]
        raise InputError(
            f"a weighted barrier needs a DAG in which the parents of every agent are adjacent; agents "
            f"{first} and {other} have a common child and no edge: add the edge {first}-{other}"
        )
    t = _weights(dag, actions)
    tau = regularization / path_products(dag, actions)
    rho = tuple(tau * weight for weight in t)
    above = (math.prod(actions[parent] for parent in parents) for parents in dag.parents)
    return BarrierWeights(tau, rho, tuple(weight * rows for weight, rows in zip(rho, above, strict=True)))


def barrier_regularization(
    dag: Dag, actions: Sequence[int], regularization: float, barrier: Barrier
) -> Regularization:
    """What the agents take for lambda.

    Parameters
    ----------
    dag, actions, regularization
        As in :func:`barrier_weights`.
    barrier : {"uniform", "weighted"}
        The paper's barrier, or that of Theorem D1.

    Returns
    -------
    float or tuple of N float
        lambda itself if the barrier is uniform, else one for each agent.

    Raises
    ------
    InputError
        If the barrier is weighted and the DAG not perfect.
    """
    if barrier == "uniform":
        return regularization
    return barrier_weights(dag, actions, regularization).regularizations


def weighted_rounds(game: Game, dag: Dag, regularization: float, rise: float) -> float:
    """Updates (3) with eta = 1/beta from theta_0 = 0 after which one was within the condition of Theorem D1.

    Parameters
    ----------
    game : Game
    dag : Dag
        Perfect.
    regularization : float
        lambda > 0.
    rise : float
        V*(mu) - V(mu) of the uniform policy, or R / (1 - gamma).

    Returns
    -------
    float
        T = 2 beta rise S^2 max_i (1 - 1/A_i) / tau^2, not rounded.

    Raises
    ------
    InputError
        If the DAG is not perfect.
    """
    weights = barrier_weights(dag, game.actions, regularization)
    beta = smoothness(sizes(game, dag), weights.regularizations)
    share = max(1 - 1 / count for count in game.actions)
    ratio = game.states / weights.tau if weights.tau else math.inf
    return product((2.0, 1), (beta, 1), (rise, 1), (share, 1), (ratio, 1), (ratio, 1))


def _weights(dag: Dag, actions: Sequence[int]) -> list[int]:
    """t_i of every agent, exact."""
    above = last_parents(dag)
    below = [1] * dag.agents
    for agent in reversed(dag.order):
        below[agent] *= actions[agent]
        parent = above[agent]
        if parent is not None:
            below[parent] += below[agent]
    return below
