"""Networks on another graph: who no longer hears a parent is told what can be expected of it.

The parent's action goes into the first layer one-hot, e. Where it is not heard any more, its best linear
prediction from all that still goes in takes its place,

    e ~ c + C x',        with c and C by least squares over what was met,

which the first layer can do itself: W x' + V e becomes (W + V C) x' + V c. So the result is a network on the
smaller graph, exactly. Where another parent gives away the same, nothing is lost; where nothing does, the
child is told how often each action was met.
"""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays, frozen
from bnpg_math.dag import Dag
from bnpg_math.errors import DagError
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.interface import Seen
from bnpg_math.policies.network_file import NetworkTeam


class InputMoments:
    """First and second moments of what went into a network.

    Parameters
    ----------
    encoding : Encoding
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self.count = 0
        self.sums = np.zeros(encoding.size)
        self.products = np.zeros((encoding.size, encoding.size))

    def add(self, seen: Seen, parents: Sequence[IntArray]) -> None:
        """Count some steps.

        Parameters
        ----------
        seen : (n, ..) array
        parents : sequence of k arrays (n,) int
        """
        rows = self._encoding.rows(seen, parents)
        self.count += len(rows)
        self.sums += rows.sum(axis=0)
        self.products += rows.T @ rows


def predicted(
    moments: InputMoments, lost: IntArray, kept: IntArray, even: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the best linear prediction of some inputs from others, as matrix and constant.

    Parameters
    ----------
    moments : InputMoments
    lost, kept : (L,) int and (K,) int
        Positions of inputs.
    even : (L,) float
        What is expected of those that are lost where nothing was met. It counts as one step, so does that
        what is kept tells nothing.

    Returns
    -------
    C : (L, K) float
    c : (L,) float
    """
    count = max(1, moments.count)
    middle = moments.sums[kept] / count
    expected = (moments.sums[lost] + even) / (moments.count + 1)
    spread = moments.products[np.ix_(kept, kept)] - count * np.outer(middle, middle)
    common = moments.products[np.ix_(kept, lost)] - np.outer(middle, moments.sums[lost])
    own = np.diag(spread) / count
    # What does not vary tells nothing; one-hot inputs add up to 1, so that spread alone has no inverse.
    ridge = np.where(own > 1e-12, own, 1.0)
    matrix = np.linalg.solve(spread + np.diag(ridge), common).T
    return matrix, expected - matrix @ middle


def regraphed_networks(team: NetworkTeam, moments: Sequence[InputMoments], other: Dag) -> NetworkTeam:
    """Return networks on another graph.

    Parents left out are predicted. New ones make no difference yet. Who keeps its parents keeps its network,
    to the bit.

    Parameters
    ----------
    team : NetworkTeam
    moments : sequence of N InputMoments
    other : Dag
        Of the same agents.

    Returns
    -------
    NetworkTeam

    Raises
    ------
    DagError
        If the graphs are of different numbers of agents.
    """
    if team.dag.agents != other.agents:
        raise DagError(f"the graph is of {other.agents} agents, the policy of {team.dag.agents}")
    return NetworkTeam(other, tuple(_on(team, agent, moments[agent], other) for agent in range(other.agents)))


def _on(team: NetworkTeam, agent: int, moments: InputMoments, other: Dag) -> Arrays:
    theta, before, after = team.thetas[agent], team.dag.parents[agent], other.parents[agent]
    if before == after:
        return theta
    own = team.own(agent)
    places, start = {}, own
    for parent in before:
        places[parent] = np.arange(start, start + team.actions[parent])
        start += team.actions[parent]
    gone = [parent for parent in before if parent not in after]
    kept = np.concatenate([np.arange(own), *(places[parent] for parent in before if parent in after)])
    first, bias = theta["0.weight"], theta["0.bias"]
    columns = first[:, kept]
    if gone:
        lost = np.concatenate([places[parent] for parent in gone])
        even = np.concatenate([np.full(team.actions[parent], 1.0 / team.actions[parent]) for parent in gone])
        matrix, constant = predicted(moments, lost, kept, even)
        columns = columns + first[:, lost] @ matrix
        bias = bias + first[:, lost] @ constant
    where = {int(place): column for column, place in enumerate(kept)}
    blocks = [columns[:, :own]]
    for parent in after:
        if parent in places:
            blocks.append(columns[:, [where[int(place)] for place in places[parent]]])
        else:
            blocks.append(np.zeros((len(first), team.actions[parent])))
    weight = np.ascontiguousarray(np.concatenate(blocks, axis=1))
    return frozen({**theta, "0.weight": weight, "0.bias": np.array(bias)})
