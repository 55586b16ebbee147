"""The joint policy of a Bayesian network (section 3): pi(a|s) = prod_i pi^i(a^i | s, a^{P^i})."""

from collections.abc import Sequence
from functools import lru_cache
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
    order, places = _layout(tuple(members))
    lengths = [1] * agents
    transposed = table if order is None else np.transpose(table, order)
    for axis, member in enumerate(places, 1):
        lengths[member] = transposed.shape[axis]
    return transposed.reshape((table.shape[0], *lengths))


@lru_cache(maxsize=4096)
def _layout(members: tuple[int, ...]) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """The axes of a family's table in ascending order of its members (None: as they are), and the members."""
    places = tuple(sorted(members))
    order = None if places == members else (0, *(1 + members.index(member) for member in places))
    return order, places


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
        Sums to one over the joint actions. The order of the products depends on the DAG alone, for the
        last bit.

    Raises
    ------
    ValueError
        If there is not one table an agent.
    """
    if len(tables) != dag.agents:
        raise ValueError(f"expected {dag.agents} tables, one an agent, got {len(tables)}")
    factors = [spread(table, family, dag.agents) for table, family in zip(tables, dag.families, strict=True)]
    # Pairs, then pairs of pairs, keep numpy's inner loops long. But once a table spans all agents, every
    # product with it is as large as the whole, and one after the other makes fewer of them.
    spans_all = any(len(family) == dag.agents for family in dag.families)
    while len(factors) > 1:
        paired = 1 if spans_all else len(factors) // 2
        pairs = [np.multiply(*factors[2 * k : 2 * k + 2], order="C") for k in range(paired)]
        factors = [*pairs, *factors[2 * paired :]]
    joint = factors[0]
    # With a single agent the product is a view of its table: the result is the caller's own.
    return joint if joint.base is None else joint.copy()
