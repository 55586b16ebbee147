"""Baselines as checks: projected ascent in the probabilities, and policy iteration on a graph of agents."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from bnpg.lab.verify.cases import Case
from bnpg.lab.verify.finding import Finding, at_most
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.graph_iteration import graph_policy_iteration
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.response import best_response
from bnpg_math.exact.values import evaluate
from bnpg_math.learning.direct import direct_gradients
from bnpg_math.policies.simplex import nearest_distributions
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.constants import sizes
from bnpg_math.theory.direct import direct_smoothness, first_order_gaps, step_length

_ROUNDS = 10
_NEGLIGIBLE = 1e-12
"""Visitations below this are 0 up to rounding: there gradient domination says nothing."""


def direct_parameterisation(case: Case) -> Iterator[Finding]:
    """Projected steps of 1/beta: the value rises as promised, and gradients dominate what agents can gain.

    The steps are projections, and between them gradients bend by beta at most.
    """
    game, dag = case.game, case.dag
    beta = direct_smoothness(sizes(game, dag))
    if not beta > 0.0:
        return
    tables = [policy(2.0 * theta) for theta in case.normal()]
    scale = float(np.abs(game.reward).max()) / (1 - game.gamma) ** 2
    missed = excess = nearer = steep = 0.0
    before: tuple[list[FloatArray], list[FloatArray]] | None = None
    for _ in range(_ROUNDS):
        values = evaluate(game, joint_policy(tables, dag))
        gradients = direct_gradients(values.d, tables, values.Q, dag)
        if before is not None:
            length = step_length(tables, before[0])
            bend = [_level(one) - _level(other) for one, other in zip(gradients, before[1], strict=True)]
            steep = max(steep, math.sqrt(sum(float((one * one).sum()) for one in bend)) - beta * length)
        before = tables, gradients
        first_order = first_order_gaps(gradients, tables)
        for agent, order in enumerate(first_order):
            moved = [*tables]
            moved[agent] = best_response(game, dag, tables, agent).policy
            there = evaluate(game, joint_policy(moved, dag))
            visited = there.d > _NEGLIGIBLE
            if (values.d[visited] > _NEGLIGIBLE).all():
                ratio = float((there.d[visited] / values.d[visited]).max())
                excess = max(excess, there.value - values.value - ratio * order)
        ahead = [table + gradient / beta for table, gradient in zip(tables, gradients, strict=True)]
        after = [nearest_distributions(one) for one in ahead]
        nearer = max(nearer, *(_nearer(one, found) for one, found in zip(ahead, after, strict=True)))
        rise = evaluate(game, joint_policy(after, dag)).value - values.value
        missed = max(missed, 0.5 * beta * step_length(tables, after) ** 2 - rise)
        tables = after
    slack = 1e-11 * scale
    yield at_most("direct: no distribution is nearer than the projection", "exact", case.where, nearer, slack)
    yield at_most("direct: gradients bend by beta at most", "exact", case.where, steep, slack)
    yield at_most(
        "direct: steps of 1/beta raise V by beta ||step||^2 / 2", "exact", case.where, missed, slack
    )
    yield at_most("direct: gradients dominate gains", "exact", case.where, excess, slack)


def _nearer(x: FloatArray, p: FloatArray) -> float:
    """Return the largest <x - p, q - p> over the corners q of the simplex: at most 0 for a projection p."""
    apart = x - p
    return float((apart - (apart * p).sum(axis=-1, keepdims=True)).max())


def _level(gradient: FloatArray) -> FloatArray:
    """Return a gradient without what is constant in a row, along which no distribution moves."""
    level: FloatArray = gradient - gradient.mean(axis=-1, keepdims=True)
    return level


def graph_iteration(case: Case) -> Iterator[Finding]:
    """Policy iteration on the DAG: no state falls; it ends in an equilibrium, on the complete DAG at V*."""
    game, dag = case.game, case.dag
    stages = list(graph_policy_iteration(game, dag))
    slack = 1e-11 * float(np.abs(game.reward).max()) / (1 - game.gamma) ** 2
    fall = max(float((before.values.V - after.values.V).max()) for before, after in pairwise(stages))
    yield at_most("graph policy iteration: no state's value falls", "exact", case.where, fall, slack)
    gap = nash_gap(game, dag, stages[-1].tables).gap
    yield at_most("graph policy iteration ends in an equilibrium", "exact", case.where, gap, slack)
    if dag.is_complete:
        missed = float((optimal_value(game).V - stages[-1].values.V).max())
        yield at_most("graph policy iteration ends at V*", "exact", case.where, missed, slack)
