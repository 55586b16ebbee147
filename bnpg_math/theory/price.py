"""The price of missing edges: how far Q is from a sum of functions of families.

For a policy pi, xi(pi) is the largest over the states of

::

    min over q_1, .., q_N of  max over a of  |Q^pi(s, a) - sum_i q_i(a_Fi)|,

a linear program for every state. On a perfect DAG, the sum of the agents' own advantages then misses the
joint advantage by at most 2 (N + 1) xi everywhere, and where the condition of Theorem D1 is met at pi, the
optimality gap is at most ``lambda / S sum_s d*(s)/d(s) + 2 (N + 1) xi(pi) / (1 - gamma)``.

xi belongs to one policy. In games of one state, or with gamma = 0, it is the same for all. Otherwise
:func:`price_at_any_policy` bounds it for all policies at once, from the reward and the transitions alone.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.rounding import UNIT, row_defects
from bnpg_math.games.game import Game
from bnpg_math.theory.additivity import chances, levelled, remainder, tolerance, transitions_matter

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LARGEST_PROGRAM = 1 << 18
"""Most non-zero entries of all states' linear programs together; beyond, least squares have to do."""
_UNDERFLOW = 2.0**-1060
"""More than the thousands of operations behind one entry lose to underflow."""


@dataclass(frozen=True)
class Price:
    """xi, or an upper bound of it.

    Parameters
    ----------
    xi : float
        At least 0. What it bounds is bounded whatever the method: the functions q_i are at hand, and xi is
        the largest difference that they leave, measured.
    method : {"program", "least squares"}
        With the linear program xi is the smallest possible, up to its tolerance.
    rounding : float
        How much of xi may be there only because something was rounded.
    """

    xi: float
    method: Literal["program", "least squares"]
    rounding: float = 0.0


def price(Q: FloatArray, families: Iterable[Sequence[int]]) -> Price:
    """The price xi of a table of action values.

    Parameters
    ----------
    Q : (S, A_1, .., A_N) float
    families : iterable of sequences of int
        F_i of every agent, or only those that are part of no other.

    Returns
    -------
    Price

    Examples
    --------
    >>> round(price(np.array([[[1.0, 0.0], [0.0, 1.0]]]), [(0,), (1,)]).xi, 9)
    0.5
    """
    covers = _maximal(families)
    if any(len(cover) == Q.ndim - 1 for cover in covers):
        return Price(0.0, "program")
    level = levelled(Q)
    if not level.any():
        return Price(0.0, "program")
    rows_left = remainder(level, covers).reshape(len(Q), -1)
    largest = np.abs(rows_left).max(axis=1)
    most = float(largest.max())
    # What the sums and the projections round, and what taking off the middle does: a part of xi, so that it
    # bounds the difference of real numbers too.
    relative = tolerance(Q.shape[1:]) * math.sqrt(Q[0].size) + UNIT
    rounding = relative * float(np.abs(level).max()) + Q[0].size * _UNDERFLOW
    if most <= rounding:
        return Price(most + rounding, "program", most + rounding)
    # States that leave the same over have the same price: one of them is solved.
    _, distinct = np.unique(np.round(rows_left / most, 12), axis=0, return_index=True)
    if len(distinct) * Q[0].size * (len(covers) + 1) * 2 > LARGEST_PROGRAM:
        return Price(most + rounding, "least squares", rounding)
    rounding += 1e-12 * most
    design = _design(Q.shape[1:], covers)
    limits = _limits(design)
    worst = 0.0
    for rows, bound in zip(rows_left[distinct], largest[distinct], strict=True):
        # The worst state counts: one that least squares leave less of than another costs need not be solved.
        if bound > worst:
            worst = max(worst, min(float(bound), _chebyshev(design, limits, rows, float(bound))))
    return Price(float(worst + rounding), "program", rounding)


def gap_left(game: Game, xi: float) -> float:
    """What of an optimality gap missing edges leave possible where the condition of Theorem D1 is met.

    Parameters
    ----------
    game : Game
    xi : float
        The price at the policy that meets it. Before that policy is known only
        :func:`price_at_any_policy` will do.

    Returns
    -------
    float
        2 (N + 1) xi / (1 - gamma), rounding included.
    """
    return 2.0 * (game.agents + 1) * xi / (1.0 - game.gamma) * (1.0 + 1e-12)


def price_at_any_policy(game: Game, families: Iterable[Sequence[int]]) -> float:
    """An upper bound of xi(pi) for all policies.

    With r = r' + e and P = P' + E, r' and P' additive, Q is additive up to e + gamma sum_s' E(s'|s, a)
    V(s'). Adding a constant to V changes only an additive part, so |V| <= R / (2 (1 - gamma)) may be
    assumed.

    Parameters
    ----------
    game : Game
    families : iterable of sequences of int

    Returns
    -------
    float
        xi of r, plus gamma R / (2 (1 - gamma)) times the largest over (s, a) of sum_s' |E(s'|s, a)|, with
        the E that least squares leave: see :func:`transitions_left`.
    """
    covers = _maximal(families)
    own = price(game.reward, covers).xi
    if not transitions_matter(game) or any(len(cover) == game.agents for cover in covers):
        return own
    spread = game.reward_range / (2 * (1 - game.gamma))
    left = transitions_left(chances(game), covers, row_defects(game)[0])
    return (own + game.gamma * spread * left) * (1.0 + 8.0 * UNIT)


def transitions_left(
    chances: Iterable[FloatArray], families: Iterable[Sequence[int]], defect: float = 0.0
) -> float:
    """An upper bound of the largest over (s, a) of sum_s' |E(s'|s, a)|, rounding included.

    What the projection of a P(s'|s, .) rounds is at most its length times :func:`tolerance`, and an entry is
    not off by more than all of them together; the sum over s' rounds once for each s'.

    Parameters
    ----------
    chances : iterable of (S, A_1, .., A_N) float
        P(s'|s, a) of every next state s' in turn.
    families : iterable of sequences of int
    defect : float
        How far the rows of P are from summing to 1: the game that is meant has them divided by their sums.

    Returns
    -------
    float
    """
    covers = _maximal(families)
    left: FloatArray | float = 0.0
    lengths: FloatArray | float = 0.0
    states, relative = 0, 0.0
    for chance in chances:
        left = left + np.abs(remainder(chance, covers))
        lengths = lengths + np.linalg.norm(chance.reshape(len(chance), -1), axis=1)
        states, relative = states + 1, tolerance(chance.shape[1:]) + 2.0 * defect
    return float(np.max(left) + relative * np.max(lengths)) * (1.0 + 2.0 * (states + 4) * UNIT)


def _maximal(families: Iterable[Sequence[int]]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for family in sorted({tuple(sorted(family)) for family in families}, key=len, reverse=True):
        if not any(set(family) <= set(larger) for larger in found):
            found.append(family)
    return found


def _design(actions: Sequence[int], covers: Sequence[Sequence[int]]) -> "csr_array[Any]":
    """Rows are joint actions, columns the values of the functions: 1 where the action meets the value."""
    from scipy.sparse import csr_array, hstack

    chosen = np.unravel_index(np.arange(int(np.prod(actions))), tuple(actions))
    blocks = []
    for cover in covers:
        lengths = [actions[agent] for agent in cover]
        column = np.ravel_multi_index([chosen[agent] for agent in cover], lengths)
        rows = np.arange(len(column))
        ones = np.ones(len(column))
        blocks.append(csr_array((ones, (rows, column)), shape=(len(column), int(np.prod(lengths)))))
    return csr_array(hstack(blocks))


def _limits(design: "csr_array[Any]") -> Any:
    """The rows of |values - design q| <= xi over (q, xi), without their right sides."""
    from scipy.sparse import csr_array, hstack, vstack

    minus_one = csr_array(-np.ones((design.shape[0], 1)))
    return csr_array(vstack([hstack([design, minus_one]), hstack([-design, minus_one])]))


def _chebyshev(design: "csr_array[Any]", limits: Any, values: FloatArray, scale: float) -> float:
    """The least largest difference between values and a sum of functions; infinite if it is not found."""
    from scipy.optimize import linprog  # a third of what importing scipy costs, and few runs need it

    target = values / scale
    cost = np.zeros(design.shape[1] + 1)
    cost[-1] = 1.0
    bounds = [(None, None)] * design.shape[1] + [(0.0, None)]
    found = linprog(
        cost,
        A_ub=limits,
        b_ub=np.concatenate([target, -target]),
        bounds=bounds,
        method="highs",
    )
    if found.x is None:
        return float("inf")
    heights = found.x[:-1]
    terms = int(design.indptr[1])
    rounding = np.finfo(np.float64).eps * terms * (terms + 2) * float(np.abs(heights).max(initial=1.0))
    return scale * (float(np.abs(target - design @ heights).max()) + rounding)
