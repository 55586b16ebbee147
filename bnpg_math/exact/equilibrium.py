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
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.arrays.short_axis import choice, largest, total
from bnpg_math.dag import Dag
from bnpg_math.exact.optimum import rounding
from bnpg_math.exact.values import Values, evaluate, state_values
from bnpg_math.games.game import Game
from bnpg_math.learning.gradient import local_flow, local_flows

_DIVISIBLE = 1e-100
"""Probabilities above this are divided out of the joint policy without any loss; below, products may be 0."""


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
    present = values if values is not None else evaluate(game, joint_policy(tables, dag))
    others = _others(tables, dag, agent, present)
    return _respond(game, dag, tables, agent, present, local_flow(others * present.Q, dag.families[agent]))


def _respond(
    game: Game,
    dag: Dag,
    tables: Sequence[FloatArray],
    agent: int,
    present: Values,
    conditional: FloatArray,
) -> BestResponse:
    """Policy iteration from the first step's pi(aP|s) E[Q | s, aP, ai]."""
    family = dag.families[agent]
    table, V, Q = tables[agent].copy(), present.V, present.Q
    others: FloatArray | None = None
    joint = Q
    while True:
        gain = largest(conditional) - total(table * conditional)
        improves = gain > rounding(Q, game.gamma)
        if not improves.any():
            return BestResponse(V, float(game.initial @ V), table)
        best = choice(conditional)
        for action in range(table.shape[-1]):
            np.copyto(table[..., action], best == action, where=improves)
        if others is None:
            others, joint, Q = _others(tables, dag, agent, present), np.empty_like(Q), np.empty_like(Q)
        V = state_values(game, np.multiply(others, spread(table, family, dag.agents), out=joint))
        np.add(game.reward, game.transition.expectation(game.gamma * V), out=Q)
        conditional = local_flow(np.multiply(others, Q, out=joint), family)


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
    flows = local_flows(present.pi * present.Q, dag.families)
    gains = []
    for agent, (table, m) in enumerate(zip(tables, flows, strict=True)):
        if table.min() > _DIVISIBLE:
            answer = _respond(game, dag, tables, agent, present, m / table)
        else:
            answer = best_response(game, dag, tables, agent, present)
        # Staying put is always allowed: a negative gain is rounding.
        gains.append(max(0.0, answer.value - present.value))
    return NashGap(max(gains), tuple(gains))


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
