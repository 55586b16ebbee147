"""Networks that hear a parent in some steps and not in others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.interface import Seen
from bnpg_math.policies.network import NetworkPolicy
from bnpg_math.policies.network_pruning import InputMoments, predicted

Fill = tuple[IntArray, IntArray, FloatArray, FloatArray]
"""Columns that are lost and kept, and the best linear prediction of those from these."""


@dataclass(frozen=True)
class OpenEncoding(Encoding):
    """What is seen, then which parents are heard now, then their actions.

    In place of an action that is not heard goes what can be expected of it from what is seen and heard, as
    `bnpg_math.policies.network_pruning` has it.

    Parameters
    ----------
    fills : tuple of 2^k Fill
        By the number whose binary digits are the parents that are heard.
    deaf : bool
        Whether no action is heard at all, but which of them would have been.
    """

    fills: tuple[Fill, ...] = ()
    deaf: bool = False

    def rows(self, seen: Seen, parents: Sequence[IntArray]) -> FloatArray:
        """Return the input of every lane."""
        rows = super().rows(seen, parents)
        many = len(self.parents)
        heard = seen[:, self.width - many :].astype(np.intp) @ (2 ** np.arange(many))
        if self.deaf:
            heard[:] = 0
        for number in np.unique(heard):
            lost, kept, matrix, constant = self.fills[number]
            if len(lost):
                at = np.flatnonzero(heard == number)
                rows[np.ix_(at, lost)] = rows[np.ix_(at, kept)] @ matrix.T + constant
        return rows


def hearing(dense: NetworkPolicy, moments: InputMoments, deaf: bool) -> NetworkPolicy:
    """Return a network that does what it did when all parents are heard, and is told which are.

    Parameters
    ----------
    dense : NetworkPolicy
    moments : InputMoments
        Of what went into it.
    deaf : bool
        As in :class:`OpenEncoding`.
    """
    before = dense.encoding
    own, many = before.width, len(before.parents)
    starts = own + np.concatenate([[0], np.cumsum(before.parents)]).astype(np.intp)
    places = [np.arange(starts[edge], starts[edge + 1]) for edge in range(many)]
    fills = []
    for number in range(2**many):
        shut = [edge for edge in range(many) if not number >> edge & 1]
        lost = np.concatenate([np.zeros(0, dtype=np.intp), *(places[edge] for edge in shut)])
        kept = np.setdiff1d(np.arange(before.size), lost)
        even = np.concatenate(
            [np.zeros(0), *(np.full(before.parents[e], 1 / before.parents[e]) for e in shut)]
        )
        found = predicted(moments, lost, kept, even) if shut else (np.zeros((0, len(kept))), even)
        fills.append((_moved(lost, own, many), _moved(kept, own, many), *found))
    encoding = OpenEncoding(0, own + many, before.parents, fills=tuple(fills), deaf=deaf)
    first = dense.theta["0.weight"]
    wider = np.concatenate([first[:, :own], np.zeros((len(first), many)), first[:, own:]], axis=1)
    theta: Arrays = {**dense.theta, "0.weight": np.ascontiguousarray(wider)}
    return NetworkPolicy(theta, encoding, dense.hidden, dense.actions)


def _moved(columns: IntArray, own: int, many: int) -> IntArray:
    """Return where columns are once which parents are heard stands between what is seen and the actions."""
    moved: IntArray = np.where(columns >= own, columns + many, columns).astype(np.intp)
    return moved
