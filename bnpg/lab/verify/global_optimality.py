"""Theorems A, B and D as checks: what needs no barrier, and what sparse graphs need."""

from collections.abc import Iterator

import numpy as np

from bnpg.lab.verify.cases import Case
from bnpg.lab.verify.finding import Finding, at_most
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag
from bnpg_math.dag.perfect import is_perfect
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import Values, evaluate
from bnpg_math.games.game import Game
from bnpg_math.learning.gradient import local_flow, update
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.additivity import additivity
from bnpg_math.theory.global_optimality import (
    distance_constant,
    largest_fall,
    natural_bound,
    node_values,
)
from bnpg_math.theory.price import price
from bnpg_math.theory.stationarity import gradient_norm, gradients

_ROUNDS = 25
_STEPS = (0.1, 10.0, 1000.0)


def theorem_a(case: Case) -> Iterator[Finding]:
    """Update (3) without a barrier on the complete DAG: no node falls, and the gap is at most C ||grad||."""
    if not case.dag.is_complete:
        return
    best = optimal_value(case.game)
    visits = evaluate(case.game, best.policy).d
    for eta in _STEPS[:2]:
        thetas, before, worst, excess = case.normal(), None, 0.0, 0.0
        for _ in range(_ROUNDS):
            tables, values = _evaluated(case, thetas)
            nodes = node_values(case.dag, tables, values.Q)
            worst = worst if before is None else max(worst, largest_fall(before, nodes))
            grads = gradients(case.game, case.dag, tables, 0.0, values)
            if min(float(table.min()) for table in tables) > 1e-100:
                C = distance_constant(case.dag, tables, values.d, best.policy, visits)
                gap = float(case.game.initial @ best.V) - values.value
                excess = max(excess, gap - C * gradient_norm(grads))
            thetas = [update(theta, grad, eta) for theta, grad in zip(thetas, grads, strict=True)]
            before = nodes
        where, slack = f"{case.where}, eta {eta:g}", 1e-11 * _scale(case)
        yield at_most("Theorem A: no node's value falls", "exact", where, worst, slack)
        yield at_most("Theorem A: V* - V <= C ||grad V||", "exact", where, excess, slack)


def theorem_b(case: Case) -> Iterator[Finding]:
    """Natural updates on the complete DAG, any step: monotone, and the gap is at most the bound."""
    if not case.dag.is_complete:
        return
    game, best = case.game, float(case.game.initial @ optimal_value(case.game).V)
    for eta in _STEPS:
        thetas, before, worst = case.zeros(), None, 0.0
        for T in range(_ROUNDS):
            tables, values = _evaluated(case, thetas)
            nodes = node_values(case.dag, tables, values.Q)
            worst = worst if before is None else max(worst, largest_fall(before, nodes))
            if T:
                bound = natural_bound(game.agents, game.joint_actions, game.reward_range, game.gamma, eta, T)
                yield at_most("Theorem B", "exact", f"{case.where}, eta {eta:g}", best - values.value, bound)
            thetas = [
                theta + eta * step for theta, step in zip(thetas, _node_advantages(case, nodes), strict=True)
            ]
            before = nodes
        where = f"{case.where}, eta {eta:g}"
        yield at_most("Theorem B: no node's value falls", "exact", where, worst, 1e-11 * _scale(case))


def theorem_d(case: Case) -> Iterator[Finding]:
    """Perfect DAGs: local advantages add up to within 2 (N+1) xi, exactly in a game made additive, (*)."""
    if not is_perfect(case.dag):
        return
    tables, values = _evaluated(case, case.normal())
    game = case.game
    missed = _missed(case.dag, values)
    bound = 2 * (game.agents + 1) * price(values.Q, case.dag.families).xi
    slack = 1e-11 * _scale(case)
    yield at_most("|A - sum A^i| <= 2 (N+1) xi", "exact", case.where, missed, bound, slack)
    rng = np.random.default_rng(case.seed)
    reward = np.zeros((game.states, *game.actions))
    for family in case.dag.families:
        local = rng.normal(size=(game.states, *(game.actions[agent] for agent in family)))
        reward += spread(local, family, game.agents)
    additive = Game("additive", game.transition, reward, game.initial, 0.0)
    found = additivity(additive, case.dag)
    yield at_most("a local sum is additive", "exact", case.where, found.reward, found.tolerance)
    values = evaluate(additive, joint_policy(tables, case.dag))
    missed = _missed(case.dag, values)
    yield at_most(
        "(*): local advantages add up", "exact", case.where, missed, 1e-9 * float(np.abs(reward).max())
    )


def _evaluated(case: Case, thetas: list[FloatArray]) -> tuple[list[FloatArray], Values]:
    tables = [policy(theta) for theta in thetas]
    return tables, evaluate(case.game, joint_policy(tables, case.dag))


def _node_advantages(case: Case, nodes: list[FloatArray]) -> list[FloatArray]:
    """A^i(s, a_<i, a_i), with axes as theta^i has them."""
    found: list[FloatArray] = [nodes[0]] * case.dag.agents
    for depth, agent in enumerate(case.dag.order):
        found[agent] = local_flow(nodes[depth + 1] - nodes[depth], case.dag.families[agent])
    return found


def _missed(dag: Dag, values: Values) -> float:
    """The largest |A - sum_i A^i|."""
    total = np.zeros_like(values.Q)
    for family in dag.families:
        weighted, chance = local_flow(values.pi * values.Q, family), local_flow(values.pi, family)
        above = weighted.sum(axis=-1, keepdims=True) / chance.sum(axis=-1, keepdims=True)
        total = total + spread(weighted / chance - above, family, dag.agents)
    V = values.V.reshape(-1, *(1,) * dag.agents)
    return float(np.abs(values.Q - V - total).max())


def _scale(case: Case) -> float:
    return float(np.abs(case.game.reward).max()) / (1 - case.game.gamma) ** 2
