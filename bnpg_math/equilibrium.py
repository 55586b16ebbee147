"""Best responses and the Nash gap (Definition 1) of a Bayesian-network policy.

Agent i deviates within its own class pi^i(.|s, a^{P^i}), everyone else keeping their tables. That is an
MDP over (s, a^{P^i}),

    V(s) <- sum_aP pi(aP|s) max_ai E[ r + gamma V(s') | s, aP, ai ],

where descendants of i react to ai and ancestors are conditioned on aP. Since the others' part of the joint
policy, o(s, a) = prod_{j != i} pi^j, sums to pi(aP|s) whatever ai is, the sum of o Q over the agents outside
the family is pi(aP|s) E[Q | s, aP, ai]: one marginalisation does the conditioning, without a division that
would fail where pi(aP|s) = 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.game import Game
from bnpg_math.gradient import local_flow
from bnpg_math.joint import joint_policy, spread
from bnpg_math.optimum import rounding
from bnpg_math.values import Values, evaluate, state_values


class BestResponse(NamedTuple):
    """An agent's best response.

    ``V``: (S,) value from each state; ``value``: V(mu); ``policy``: (S, *P, A_i) table attaining it.
    """

    V: FloatArray
    value: float
    policy: FloatArray


class NashGap(NamedTuple):
    """``gap``: Definition 1; ``per_agent``: what each agent alone could gain, all at least 0."""

    gap: float
    per_agent: tuple[float, ...]


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
    others = _others(tables, dag, agent)
    family = dag.families[agent]
    table = tables[agent].copy()
    V = values.V if values is not None else evaluate(game, joint_policy(tables, dag)).V
    while True:
        Q = game.reward + game.gamma * game.transition.expectation(V)
        conditional = local_flow(np.broadcast_to(others * Q, Q.shape), family)
        gain = conditional.max(axis=-1) - (table * conditional).sum(axis=-1)
        improves = gain > rounding(Q, game.gamma)
        if not improves.any():
            return BestResponse(V, float(game.initial @ V), table)
        greedy = np.eye(table.shape[-1])[conditional.argmax(axis=-1)]
        table = np.where(improves[..., None], greedy, table)
        V = state_values(game, others * spread(table, family, dag.agents))


def nash_gap(game: Game, dag: Dag, tables: Sequence[FloatArray], values: Values | None = None) -> NashGap:
    """Largest gain of a single agent's deviation (Definition 1).

    Parameters
    ----------
    game, dag, tables, values
        As in :func:`best_response`.

    Returns
    -------
    NashGap
    """
    present = values if values is not None else evaluate(game, joint_policy(tables, dag))
    gains = tuple(
        # Staying put is always allowed: a negative gain is rounding.
        max(0.0, best_response(game, dag, tables, agent, present).value - present.value)
        for agent in range(dag.agents)
    )
    return NashGap(max(gains), gains)


def _others(tables: Sequence[FloatArray], dag: Dag, agent: int) -> FloatArray:
    """Product of everyone else's tables, with length 1 along axes nobody else depends on."""
    product = np.ones((tables[0].shape[0], *(1,) * dag.agents))
    for other, table in enumerate(tables):
        if other != agent:
            product = product * spread(table, dag.families[other], dag.agents)
    return product
