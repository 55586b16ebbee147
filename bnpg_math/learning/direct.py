"""The gradient of the value in the agents' probabilities themselves, zeros among them.

dV/dpi^i(ai | s, aP) = d(s) pi(aP|s) E[Q | s, aP, ai], with the agents outside the family drawn as they are
once ai is taken: the product of all other factors, summed. So nothing is divided by pi^i, which may be 0.
"""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import spread
from bnpg_math.dag import Dag
from bnpg_math.learning.gradient import local_flow


def direct_gradients(
    d: FloatArray, tables: Sequence[FloatArray], Q: FloatArray, dag: Dag
) -> list[FloatArray]:
    """dV/dpi^i of every agent.

    Parameters
    ----------
    d : (S,) float
        Unnormalised visitation.
    tables : sequence of N arrays (S, *P, A_i) float
        pi^i; zeros allowed.
    Q : (S, A_1, .., A_N) float
        Action values.
    dag : Dag
        Who conditions on whom.

    Returns
    -------
    list of N arrays (S, *P, A_i) float
        Every row up to a constant, which no projection onto the simplex sees: what all actions of a state
        have in common is left out. Rows that are never met are 0.
    """
    joint = tuple(range(1, Q.ndim))
    common = 0.5 * (Q.max(axis=joint, keepdims=True) + Q.min(axis=joint, keepdims=True))
    weighted = (Q - common) * d.reshape(-1, *(1 for _ in joint))
    factors = [spread(table, family, dag.agents) for table, family in zip(tables, dag.families, strict=True)]
    found = []
    for agent, family in enumerate(dag.families):
        others = weighted
        for other, factor in enumerate(factors):
            if other != agent:
                others = others * factor
        found.append(np.ascontiguousarray(local_flow(others, family)))
    return found
