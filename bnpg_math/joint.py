"""The joint policy of a Bayesian network (section 3): pi(a|s) = prod_i pi^i(a^i | s, a^{P^i})."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bnpg_math.arrays import FloatArray

if TYPE_CHECKING:
    from bnpg_math.dag import Dag


def spread(table: FloatArray, members: Sequence[int], agents: int) -> FloatArray:
    """Lay an agent's table out along the joint axes, ready for broadcasting.

    Parameters
    ----------
    table : (S, A_p1, .., A_pk, A_i) float
        Any table over one family.
    members : sequence of int
        The family, in the order of the table's axes.
    agents : int
        N.

    Returns
    -------
    (S, .., ..) float, N + 1 axes
        A view with length 1 along the agents outside the family.
    """
    ascending = np.argsort(np.asarray(members, dtype=np.intp), kind="stable")
    transposed = np.transpose(table, (0, *(1 + int(axis) for axis in ascending)))
    lengths = [1] * agents
    for axis, member in enumerate(sorted(members)):
        lengths[member] = transposed.shape[1 + axis]
    return transposed.reshape((table.shape[0], *lengths))


def joint_policy(tables: Sequence[FloatArray], dag: "Dag") -> FloatArray:
    """Multiply the agents' conditional tables into the joint policy.

    Parameters
    ----------
    tables : sequence of N arrays (S, *P, A_i) float
        pi^i, parent axes ascending, own action last.
    dag : Dag
        Who conditions on whom; any topological order.

    Returns
    -------
    (S, A_1, .., A_N) float
        Sums to one over the joint actions. The product is taken in agent order, so that it is the
        same to the last bit wherever it is computed.

    Raises
    ------
    ValueError
        If there is not one table an agent.
    """
    if len(tables) != dag.agents:
        raise ValueError(f"expected {dag.agents} tables, one an agent, got {len(tables)}")
    joint = spread(tables[0], dag.families[0], dag.agents)
    for agent in range(1, dag.agents):
        joint = joint * spread(tables[agent], dag.families[agent], dag.agents)
    # With a single agent the product is a view of its table: the result is the caller's own.
    return joint if joint.base is None else joint.copy()
