"""Theorems A and B: without a barrier, both gradients reach the optimum where local advantages add up.

That is on the complete DAG for every game, and on perfect DAGs for games that are additive over them
(Theorem D2, docs/theory/global-optimality.md). Neither needs a particular step size, and with neither does
the value of any state ever fall. On the complete DAG nor does the value of any *node*: a state with the
actions of those who have already acted, (s, a_<i).
"""

import math
from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag
from bnpg_math.errors import DagError


def natural_bound(
    agents: int,
    joint_actions: int,
    reward_range: float,
    gamma: float,
    eta: float,
    rounds: float,
    divergence: float | None = None,
) -> float:
    """Theorem B: what the optimality gap is at most after so many natural updates.

    Parameters
    ----------
    agents : int
        N.
    joint_actions : int
        A = prod_i A_i.
    reward_range : float
        R.
    gamma : float
        In [0, 1).
    eta : float
        Step size > 0, any: pi <- pi e^(eta A^i) / Z.
    rounds : float
        T > 0.
    divergence : float, optional
        sum_s d*(s) log 1/pi_0(a*(s)|s) of the first policy; log A / (1 - gamma), that of the uniform one, if
        left out.

    Returns
    -------
    float
        (1/T) [ divergence / eta + N R / (1-gamma)^2 ].
    """
    return _natural_work(agents, joint_actions, reward_range, gamma, eta, divergence) / rounds


def natural_rounds(
    agents: int,
    joint_actions: int,
    reward_range: float,
    gamma: float,
    eta: float,
    epsilon: float,
    divergence: float | None = None,
) -> float:
    """Theorem B read the other way: natural updates after which the optimality gap is at most epsilon.

    Parameters
    ----------
    agents, joint_actions, reward_range, gamma, eta, divergence
        As in :func:`natural_bound`.
    epsilon : float
        > 0.

    Returns
    -------
    float
        Not rounded.
    """
    return _natural_work(agents, joint_actions, reward_range, gamma, eta, divergence) / epsilon


def node_values(dag: Dag, tables: Sequence[FloatArray], Q: FloatArray) -> list[FloatArray]:
    """V(s, a_<i) and V(s, a): what a state is worth when the first agents have acted, on the complete DAG.

    Parameters
    ----------
    dag : Dag
        Complete.
    tables : sequence of N arrays (S, *P, A_i) float
        pi^i.
    Q : (S, A_1, .., A_N) float
        Of the joint policy.

    Returns
    -------
    list of N + 1 arrays (S, .., ..) float
        N + 1 axes each, of length 1 along agents that have not acted: V(s), then after the first agent, ..,
        then Q.

    Raises
    ------
    DagError
        If the DAG is not complete.
    """
    if not dag.is_complete:
        raise DagError("values of prefixes of the actions are those of nodes on the complete DAG only")
    levels = [Q]
    for agent in reversed(dag.order):
        chance = spread(tables[agent], dag.families[agent], dag.agents)
        levels.append((chance * levels[-1]).sum(axis=1 + agent, keepdims=True))
    return levels[::-1]


def largest_fall(before: Sequence[FloatArray], after: Sequence[FloatArray]) -> float:
    """By how much the value of some node fell at most in an update; 0 if none did.

    Parameters
    ----------
    before, after : sequences of arrays
        From :func:`node_values`, or V alone.

    Returns
    -------
    float
        At least 0. Theorems A and B say: 0, up to the rounding of the values.
    """
    return max(max(0.0, float((old - new).max())) for old, new in zip(before, after, strict=True))


def distance_constant(
    dag: Dag, tables: Sequence[FloatArray], d: FloatArray, best: FloatArray, best_visits: FloatArray
) -> float:
    """C of Theorem A at a policy: the optimality gap is at most C ||grad V||_2.

    Parameters
    ----------
    dag : Dag
        Complete; or perfect, in a game that is additive over it.
    tables : sequence of N arrays (S, *P, A_i) float
        pi^i, positive.
    d : (S,) float
        Visitation of the policy, positive where `best_visits` is.
    best : (S, A_1, .., A_N) float
        A deterministic optimal policy.
    best_visits : (S,) float
        Its visitation d*.

    Returns
    -------
    float
        ``C^2 = sum_s sum_i (1 - 1/A_i) (d*(s) / (d(s) pi(a*_Fi|s)))^2``.
    """
    states = np.flatnonzero(best_visits > 0.0)
    actions = np.unravel_index(best.reshape(len(d), -1).argmax(axis=1)[states], best.shape[1:])
    pi = joint_policy(tables, dag)
    total = 0.0
    for family, count in zip(dag.families, best.shape[1:], strict=True):
        others = tuple(1 + agent for agent in range(dag.agents) if agent not in family)
        marginal = np.broadcast_to(pi.sum(axis=others, keepdims=True), pi.shape)[(states, *actions)]
        ratios = best_visits[states] / (d[states] * marginal)
        total += (1.0 - 1.0 / count) * float(ratios @ ratios)
    return math.sqrt(total)


def _natural_work(
    agents: int, joint_actions: int, reward_range: float, gamma: float, eta: float, divergence: float | None
) -> float:
    start = math.log(joint_actions) / (1.0 - gamma) if divergence is None else divergence
    return start / eta + agents * reward_range / (1.0 - gamma) ** 2
