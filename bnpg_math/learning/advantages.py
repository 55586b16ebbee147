"""The advantage of every agent's own actions, A^i(s, aP, ai) = E[Q | s, aP, ai] - E[Q | s, aP].

It is what remains of Lemma 1 when the row of the gradient is divided by d(s) pi(aP|s) pi^i, and is computed
without that division: probabilities, and products of a few of them, underflow long before a policy stands
still, and 0 / 0 would leave it standing. Agents that are no ancestors of i are summed out one by one, each
with its own table, children before parents: with the complete DAG that is the whole recursion over prefixes,
V(s, a_<i) = sum_b pi^i(b|s, a_<i) V(s, a_<i, b). An ancestor that i does not see is averaged over as it is
distributed given aP, with weights whose largest one is 1 in every row.
"""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import spread
from bnpg_math.arrays.short_axis import lowered, total
from bnpg_math.dag import Dag


def local_advantages(Q: FloatArray, log_tables: Sequence[FloatArray], dag: Dag) -> list[FloatArray]:
    """A^i(s, aP, ai) of every agent, however rarely a row is met.

    Parameters
    ----------
    Q : (S, A_1, .., A_N) float
        Action values.
    log_tables : sequence of N arrays (S, *P, A_i) float
        log pi^i, finite.
    dag : Dag
        Who conditions on whom.

    Returns
    -------
    list of N arrays (S, *P, A_i) float
        The mean of every row under pi^i is 0 up to rounding.
    """
    joint = tuple(range(1, Q.ndim))
    # What all actions of a state have in common cancels; without it nothing is lost to its rounding.
    common = 0.5 * (Q.max(axis=joint, keepdims=True) + Q.min(axis=joint, keepdims=True))
    tables = [np.exp(table) for table in log_tables]
    expected = {frozenset(range(dag.agents)): Q - common}
    found = []
    for agent, ancestors in enumerate(_ancestors(dag)):
        value = _summed_out(expected, tables, dag, ancestors | {agent})
        hidden = ancestors - set(dag.parents[agent])
        if hidden:
            value = _averaged(value, log_tables, dag, ancestors, hidden)
        family = dag.families[agent]
        kept = sorted(family)
        rows = value.reshape(len(Q), *(Q.shape[1 + member] for member in kept))
        rows = np.ascontiguousarray(np.transpose(rows, (0, *(1 + kept.index(member) for member in family))))
        found.append(lowered(rows, total(tables[agent] * rows)))
    return found


def _ancestors(dag: Dag) -> list[frozenset[int]]:
    """Everybody upstream of every agent."""
    found: dict[int, frozenset[int]] = {}
    for agent in dag.order:
        parents = dag.parents[agent]
        found[agent] = frozenset(parents).union(*(found[parent] for parent in parents))
    return [found[agent] for agent in range(dag.agents)]


def _summed_out(
    expected: dict[frozenset[int], FloatArray],
    tables: Sequence[FloatArray],
    dag: Dag,
    kept: frozenset[int],
) -> FloatArray:
    """Return E[Q | s, actions of `kept`], who are with all their ancestors; steps on the way are shared."""
    present = frozenset(range(dag.agents))
    for agent in reversed(dag.order):
        if agent in kept:
            continue
        before, present = expected[present], present - {agent}
        if present not in expected:
            factor = spread(tables[agent], dag.families[agent], dag.agents)
            expected[present] = (before * factor).sum(axis=1 + agent, keepdims=True)
    return expected[present]


def _averaged(
    value: FloatArray,
    log_tables: Sequence[FloatArray],
    dag: Dag,
    ancestors: frozenset[int],
    hidden: frozenset[int],
) -> FloatArray:
    """Average over the ancestors that are not seen, as they are distributed given those that are."""
    log_weight: FloatArray = np.zeros((1,) * value.ndim)
    for agent in sorted(ancestors):
        log_weight = log_weight + spread(log_tables[agent], dag.families[agent], dag.agents)
    axes = tuple(1 + agent for agent in sorted(hidden))
    weight = np.exp(log_weight - log_weight.max(axis=axes, keepdims=True))
    averaged: FloatArray = (weight * value).sum(axis=axes, keepdims=True)
    averaged /= weight.sum(axis=axes, keepdims=True)
    return averaged
