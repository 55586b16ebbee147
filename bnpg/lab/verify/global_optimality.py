"""Theorems A, B and D as checks: what needs no barrier, and what sparse graphs need."""

import math
from collections.abc import Iterator

import numpy as np

from bnpg.lab.verify.cases import Case
from bnpg.lab.verify.climb import climb
from bnpg.lab.verify.finding import Finding, at_most
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag, line
from bnpg_math.dag.perfect import is_perfect
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import Values, evaluate
from bnpg_math.games.game import Game, dense_game
from bnpg_math.learning.advantages import local_advantages
from bnpg_math.learning.gradient import local_flow, update
from bnpg_math.policies.softmax import log_policy, policy
from bnpg_math.theory.additivity import additivity
from bnpg_math.theory.global_optimality import (
    distance_constant,
    largest_fall,
    natural_bound,
    node_values,
)
from bnpg_math.theory.price import price
from bnpg_math.theory.stationarity import gradient_norm, gradients
from bnpg_math.theory.weighted_barrier import Barrier, barrier_regularization, barrier_weights
from bnpg_math.theory.weighted_bound import edges_price, weighted_bound

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
    if case.dag.is_complete:
        yield from _natural_ascents(case, "Theorem B")


def _natural_ascents(case: Case, claim: str) -> Iterator[Finding]:
    game, best = case.game, float(case.game.initial @ optimal_value(case.game).V)
    for eta in _STEPS:
        thetas, before, worst = case.zeros(), None, 0.0
        where = f"{case.where}, eta {eta:g}"
        for T in range(_ROUNDS):
            tables, values = _evaluated(case, thetas)
            nodes = node_values(case.dag, tables, values.Q) if case.dag.is_complete else [values.V]
            worst = worst if before is None else max(worst, largest_fall(before, nodes))
            if T:
                bound = natural_bound(game.agents, game.joint_actions, game.reward_range, game.gamma, eta, T)
                yield at_most(claim, "exact", where, best - values.value, bound)
            steps = local_advantages(values.Q, [log_policy(theta) for theta in thetas], case.dag)
            thetas = [theta + eta * step for theta, step in zip(thetas, steps, strict=True)]
            before = nodes
        what = "node" if case.dag.is_complete else "state"
        yield at_most(f"{claim}: no {what}'s value falls", "exact", where, worst, 1e-11 * _scale(case))


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
    limit = 1e-9 * float(np.abs(reward).max())
    yield at_most("(*): local advantages add up", "exact", case.where, missed, limit)
    if not case.dag.is_complete:
        yield from _natural_ascents(Case(f"{case.where}, made additive", additive, case.dag, 0), "Theorem D2")


def chain_of_three() -> Iterator[Finding]:
    """A chain on which the uniform barrier fails, and the weighted one of Theorem D1 does not."""
    lam, actions, dag = 1e-3, (3, 2, 3), line(3)
    reward = np.zeros((1, *actions))
    reward[:, 1:] -= 20.0
    reward[:, :, 1, 0] += 0.15
    reward[:, :, 1, 1:] -= 6.0
    game = dense_game("chain", np.ones((1, *actions, 1)), reward, np.ones(1), 0.0)
    tau = barrier_weights(dag, actions, lam).tau
    kinds: tuple[Barrier, ...] = ("uniform", "weighted")
    for barrier in kinds:
        case = Case(f"a chain of three, barrier {barrier}, lambda {lam:g}", game, dag, 0)
        weights = barrier_regularization(dag, actions, lam, barrier)
        thetas = case.zeros()
        # Agent 1 stays out, as it would with agent 2 undecided.
        thetas[0][..., 0], thetas[1][:, 0, 0] = math.log(60 / lam), math.log(6 / lam)
        for _ in range(4):
            thetas = [thetas, *climb(case, thetas, weights, 4000)][-1]
        tables, values = _evaluated(case, thetas)
        gap, fails = 0.15 - values.value, barrier == "uniform"
        grads = gradients(game, dag, tables, weights, values)
        steepest = max(float(grad.max()) for grad in grads)
        yield at_most("the chain comes to rest", "exact", case.where, steepest, tau, 0.0)
        if isinstance(weights, tuple):
            entry = weighted_bound(game, dag, weights, grads, price=edges_price(game, dag), M=1.0)
            if entry.met and entry.bound is not None:
                yield at_most("Theorem D1 in a certificate", "exact", case.where, gap, entry.bound)
        yield Finding(
            "a gap of at most lambda on a sparse perfect DAG" if fails else "Theorem D1",
            "printed" if fails else "exact",
            case.where,
            gap,
            lam,
            gap <= lam,
            expected=not fails,
        )


def _evaluated(case: Case, thetas: list[FloatArray]) -> tuple[list[FloatArray], Values]:
    tables = [policy(theta) for theta in thetas]
    return tables, evaluate(case.game, joint_policy(tables, case.dag))


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
