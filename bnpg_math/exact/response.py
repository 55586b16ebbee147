"""Best responses of an agent to a Bayesian-network policy.

Agent i deviates within its own class pi^i(.|s, a^{P^i}), everyone else keeping their tables. That is an
MDP over (s, a^{P^i}),

    V(s) <- sum_aP pi(aP|s) max_ai E[ r + gamma V(s') | s, aP, ai ],

where descendants of i react to ai and ancestors are conditioned on aP. Since the others' part of the joint
policy, o(s, a) = prod_{j != i} pi^j, sums to pi(aP|s) whatever ai is, the sum of o Q over the agents outside
the family is pi(aP|s) E[Q | s, aP, ai]: one marginalisation does the conditioning, without a division that
would fail where pi(aP|s) = 0.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.arrays.short_axis import choice, largest, total
from bnpg_math.dag import Dag
from bnpg_math.exact.fixed_point import FixedPoint, bits_for, is_affordable
from bnpg_math.exact.integers import as_float
from bnpg_math.exact.optimum import rounding as tolerance
from bnpg_math.exact.rounding import (
    Enclosed,
    backup_rounding,
    left_over,
    magnitude,
    mixing,
    starting,
    sum_upwards,
    table_defects,
    underflow,
)
from bnpg_math.exact.values import Values, evaluate, expected_reward, state_values
from bnpg_math.games.game import Game
from bnpg_math.learning.gradient import local_flow, local_flows

_DIVISIBLE = 1e-100
"""Probabilities above this are divided out of the joint policy without any loss; below, products may be 0."""


_SIZEABLE = 1e-200
"""Q above this: what its products with such probabilities lose below the normal doubles is nothing beside
it, even divided by them."""


class BestResponse(NamedTuple):
    """An agent's best response.

    ``V``: (S,) value from each state; ``value``: V(mu); ``policy``: (S, *P, A_i) table attaining it.
    """

    V: FloatArray
    value: float
    policy: FloatArray


class Deviation(NamedTuple):
    """A best response in doubles, and what it gains.

    ``gain``: beyond the present value, with its error; ``choice``: the table.
    """

    response: BestResponse
    gain: Enclosed


def best_response(
    game: Game, dag: Dag, tables: Sequence[FloatArray], agent: int, values: Values | None = None
) -> BestResponse:
    """Best response of one agent, the others fixed, by policy iteration.

    Parameters
    ----------
    game : Game
        The game.
    dag : Dag
        Who conditions on whom.
    tables : sequence of N arrays (S, *P, A_i) float
        pi^i of every agent.
    agent : int
        i, who deviates.
    values : Values, optional
        Of the present joint policy, where policy iteration begins; computed if missing.

    Returns
    -------
    BestResponse
        Rows where no action is better than the present mixture keep it.
    """
    present = values if values is not None else evaluate(game, joint_policy(tables, dag))
    with np.errstate(over="ignore", invalid="ignore"):
        rounding = backup_rounding(game, table_defects(tables))
        now = enclosed_value(game, present, rounding)
    found = deviations(game, dag, tables, present, rounding, now)[agent]
    if found.gain.decided or not is_affordable(game):
        return found.response
    exact = FixedPoint(game, bits=bits_for(tables))
    start = found.response.policy
    solved = exact.policy(tables, dag).respond(agent, start)
    moved = exact.policy([*tables[:agent], start, *tables[agent + 1 :]], dag).tables[agent]
    kept = (moved.values == solved.choice).all(axis=-1)
    policy = np.where(kept[..., None], start, (solved.choice > 0).astype(np.float64))
    V = exact.values(solved.x, found.response.V)
    return BestResponse(V, as_float(exact.value(exact.at_start(solved.x))), policy)


def deviations(
    game: Game, dag: Dag, tables: Sequence[FloatArray], present: Values, rounding: float, now: Enclosed
) -> list[Deviation]:
    """Best responses of all agents in doubles, with the errors of what they gain.

    Parameters
    ----------
    game, dag, tables, present
        As in :func:`best_response`.
    rounding : float
        Of a backup under these tables, from :func:`bnpg_math.exact.rounding.backup_rounding`.
    now : Enclosed
        The present value, from :func:`enclosed_value`.

    Returns
    -------
    list of N Deviation
    """
    with np.errstate(over="ignore", invalid="ignore"):
        flows = local_flows(present.pi * present.Q, dag.families)
        divisible = magnitude(present.Q) > _SIZEABLE
        found = []
        for agent, (table, m) in enumerate(zip(tables, flows, strict=True)):
            if table.min() > _DIVISIBLE and divisible:
                conditional = m / table
            else:
                others = _others(tables, dag, agent, present)
                conditional = local_flow(others * present.Q, dag.families[agent])
            found.append(_respond(game, dag, tables, agent, present, conditional, (rounding, now.error)))
    return found


def enclosed_value(game: Game, present: Values, rounding: float) -> Enclosed:
    """V(mu) of a policy that was evaluated in doubles, and its error; `rounding` is relative, of a backup."""
    difference = magnitude(expected_reward(present.Q, present.pi) - present.V)
    size = magnitude(present.Q)
    error = left_over(game, difference + rounding * size + underflow(game, size))
    return Enclosed(present.value, sum_upwards(error, starting(game, present.V)))


def _respond(
    game: Game,
    dag: Dag,
    tables: Sequence[FloatArray],
    agent: int,
    present: Values,
    conditional: FloatArray,
    errors: tuple[float, float],
) -> Deviation:
    """Policy iteration from the first step's pi(aP|s) E[Q | s, aP, ai]; `errors`: of backup and value."""
    family = dag.families[agent]
    table, V, Q = tables[agent].copy(), present.V, present.Q
    others: FloatArray | None = None
    joint = Q
    while True:
        most, mixed, size = largest(conditional), total(table * conditional), magnitude(Q)
        improves = most - mixed > tolerance(size, game.gamma)
        if not improves.any():
            break
        best = choice(conditional)
        for action in range(table.shape[-1]):
            np.copyto(table[..., action], best == action, where=improves)
        if others is None:
            others, joint, Q = _others(tables, dag, agent, present), np.empty_like(Q), np.empty_like(Q)
        V = state_values(game, np.multiply(others, spread(table, family, dag.agents), out=joint))
        np.add(game.reward, game.transition.expectation(game.gamma * V), out=Q)
        conditional = local_flow(np.multiply(others, Q, out=joint), family)
    response = BestResponse(V, float(game.initial @ V), table)
    above = float((most.reshape(len(V), -1).sum(axis=1) - V).max())
    below = float((V - mixed.reshape(len(V), -1).sum(axis=1)).max())
    worst = math.nan if math.isnan(above) else max(above, below, 0.0)
    # V is a mixture of Q, up to what is left.
    backup = worst + errors[0] * size + underflow(game, size)
    error = sum_upwards(left_over(game, backup), mixing(game) * (size + worst), errors[1])
    gain = response.value - present.value
    # Staying put is always allowed: a negative gain is rounding. NaN stays what it is.
    return Deviation(response, Enclosed(0.0 if gain < 0.0 else gain, error))


def _others(tables: Sequence[FloatArray], dag: Dag, agent: int, present: Values) -> FloatArray:
    """Product of everyone else's tables."""
    table = tables[agent]
    if table.min() > _DIVISIBLE:
        return np.divide(present.pi, spread(table, dag.families[agent], dag.agents), order="C")
    product = np.ones((table.shape[0], *(1,) * dag.agents))
    for other, theirs in enumerate(tables):
        if other != agent:
            product = product * spread(theirs, dag.families[other], dag.agents)
    return np.array(np.broadcast_to(product, present.pi.shape))
