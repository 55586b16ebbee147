"""The order in which a pass goes through the rows of a round: counted, as all that is random here is."""

import numpy as np
from numpy.typing import NDArray

from bnpg_math.chance.streams import Purpose, uniforms


def minibatches(
    seed: int,
    index: int,
    round: int,  # noqa: A002
    number: int,
    rows: int,
    parts: int,
) -> list[NDArray[np.intp]]:
    """Part the rows of a round at random into parts of nearly the same size.

    Parameters
    ----------
    seed : int
        The experiment's seed.
    index : int
        Who goes through them: an agent i; N for the critic of N agents.
    round, number : int
        The round, and the pass through it.
    rows : int
        How many there are, at least 0.
    parts : int
        Into how many, at least 1; less where there are fewer rows. One part is in the order of the rows.

    Returns
    -------
    list of (K,) int
        Every row once. Empty if there are no rows.

    Examples
    --------
    >>> [part.tolist() for part in minibatches(0, 0, 0, 0, rows=4, parts=1)]
    [[0, 1, 2, 3]]
    """
    if parts < 1 or rows < 0:
        raise ValueError(f"expected at least 0 rows and 1 part, got {rows} and {parts}")
    if parts == 1:
        return [np.arange(rows)] if rows else []
    keys = uniforms(seed, Purpose.MINIBATCH, index, round, number, rows)
    # Stable: two equal keys must not leave it to the sort which is first.
    order = np.argsort(keys, kind="stable")
    return [part for part in np.array_split(order, parts) if len(part)]
