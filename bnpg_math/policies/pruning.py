"""Tables on another graph: edges taken out by summing out, edges put in without any effect yet.

An edge is taken out of a policy by averaging the child's conditional over the parent's action, as often as
each was met:

    pi'(a | s, P') = sum over the parents left out of  w(. | s, P') pi(a | s, P),

with w from counted visits. It is the policy on the smaller graph that acts like the old one where it was seen
to act, and the one that training on the smaller graph starts from.
"""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.errors import DagError


def summed_out(table: FloatArray, visits: FloatArray, axes: Sequence[int]) -> FloatArray:
    """Return a conditional table without some of its parents.

    Parameters
    ----------
    table : (S, *P, A) float
        pi^i.
    visits : (S, *P) float, at least 0
        How often each row was acted from. What was never met in a context counts alike there.
    axes : sequence of int
        Of the parents that are left out, from 1 on.

    Returns
    -------
    (S, *P', A) float
        Rows sum to 1 up to rounding.
    """
    left_out = tuple(axes)
    # A single visit, spread evenly: it decides only where nothing was seen.
    even = 1.0 / np.prod([table.shape[axis] for axis in left_out])
    weights = visits + even
    weights = weights / weights.sum(axis=left_out, keepdims=True)
    found: FloatArray = (table * weights[..., None]).sum(axis=left_out)
    found /= found.sum(axis=-1, keepdims=True)
    return found


def regraphed(
    tables: Sequence[FloatArray],
    visits: Sequence[FloatArray],
    dag: Dag,
    other: Dag,
    actions: Sequence[int],
) -> tuple[FloatArray, ...]:
    """Return the conditional tables of a policy on another graph.

    Parents left out are summed out. New ones make no difference yet. Who keeps its parents keeps its table,
    to the bit.

    Parameters
    ----------
    tables : sequence of N arrays (S_i, *P, A_i) float
    visits : sequence of N arrays (S_i, *P) float
    dag, other : Dag
        Of the same agents.
    actions : sequence of int
        How many each agent has.

    Returns
    -------
    tuple of N arrays (S_i, *P', A_i) float

    Raises
    ------
    DagError
        If the graphs are of different numbers of agents.
    """
    if dag.agents != other.agents:
        raise DagError(f"the graph is of {other.agents} agents, the policy of {dag.agents}")
    found = []
    for agent, table in enumerate(tables):
        before, after = dag.parents[agent], other.parents[agent]
        if before == after:
            found.append(table)
            continue
        lost = [1 + place for place, parent in enumerate(before) if parent not in after]
        smaller = summed_out(table, visits[agent], lost) if lost else table
        kept = [parent for parent in before if parent in after]
        shape = [
            table.shape[0],
            *(actions[parent] if parent in kept else 1 for parent in after),
            table.shape[-1],
        ]
        full = (table.shape[0], *(actions[parent] for parent in after), table.shape[-1])
        found.append(np.ascontiguousarray(np.broadcast_to(smaller.reshape(shape), full)))
    return tuple(found)
