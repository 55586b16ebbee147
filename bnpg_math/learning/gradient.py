"""Lemma 1 and update (3), split so that an agent needs only one shared tensor and its own logits.

With W(s, a) = d(s) pi(a|s) Q(s, a), summing over the agents outside P^i_+ gives
m^i(s, aP, ai) = d(s) pi(aP, ai|s) Q(s, aP, ai), and since sum_ai m^i = d(s) pi(aP|s) Q(s, aP),
the policy gradient is m^i - pi^i sum_ai m^i. The visitation `d` is the unnormalised one of section 2,
so the factor 1/(1 - gamma) printed in Lemma 1 is not applied a second time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.short_axis import scaled, total


def flow(d: FloatArray, pi: FloatArray, Q: FloatArray) -> FloatArray:
    """The shared gradient signal W(s, a) = d(s) pi(a|s) Q(s, a).

    Parameters
    ----------
    d : (S,) float
        Unnormalised visitation.
    pi : (S, A_1, .., A_N) float
        Joint policy.
    Q : (S, A_1, .., A_N) float
        Action values; a baseline b(s) may have been subtracted, the gradient is the same.

    Returns
    -------
    (S, A_1, .., A_N) float
    """
    if pi.shape != Q.shape or d.shape != pi.shape[:1]:
        raise ValueError(f"d, pi and Q must fit, got shapes {d.shape}, {pi.shape} and {Q.shape}")
    W = pi * Q
    rows = W.reshape(len(d), -1)  # a view: products of C-ordered arrays are C-ordered
    rows *= d[:, None]
    return rows.reshape(pi.shape)


def local_flow(W: FloatArray, members: Sequence[int]) -> FloatArray:
    """Sum a joint tensor over the agents outside one family.

    Parameters
    ----------
    W : (S, A_1, .., A_N) float
        The shared gradient signal, or any other tensor over states and joint actions.
    members : sequence of int
        The family P^i_+: the parents of agent i in ascending order, then i itself.

    Returns
    -------
    (S, A_p1, .., A_pk, A_i) float
        Axes in the order of `members`.

    Raises
    ------
    ValueError
        If a member is repeated or is not an agent of the tensor.
    """
    agents = W.ndim - 1
    if len(set(members)) != len(members) or not all(0 <= member < agents for member in members):
        raise ValueError(f"members must be distinct agents in 0..{agents - 1}, got {tuple(members)}")
    summing, axes = _reduction(tuple(range(agents)), tuple(members))
    marginal = _sum_out(W, summing)
    return marginal if axes is None else np.transpose(marginal, axes)


def local_flows(W: FloatArray, families: Sequence[Sequence[int]]) -> list[FloatArray]:
    """:func:`local_flow` of every family, sharing partial sums: for one who needs them all.

    Parameters
    ----------
    W : (S, A_1, .., A_N) float
        As in :func:`local_flow`.
    families : sequence of N sequences of int
        P^i_+ of every agent.

    Returns
    -------
    list of N arrays (S, A_p1, .., A_pk, A_i) float
        Equal to those of :func:`local_flow` up to rounding.
    """
    tensors = [W]
    found: list[FloatArray] = [W] * len(families)
    for source, summing, outputs in _plan(W.ndim - 1, tuple(map(tuple, families))):
        marginal = _sum_out(tensors[source], summing)
        tensors.append(marginal)
        for family, axes in outputs:
            found[family] = marginal if axes is None else np.transpose(marginal, axes)
    return found


@dataclass(frozen=True)
class _Summing:
    """Which axes of a tensor are summed: the last ones from `last` on together, then others one by one."""

    last: int | None
    axes: tuple[int, ...]


_Axes: TypeAlias = tuple[int, ...] | None
_Step: TypeAlias = tuple[int, _Summing, tuple[tuple[int, _Axes], ...]]


@lru_cache(maxsize=4096)
def _reduction(present: tuple[int, ...], members: tuple[int, ...]) -> tuple[_Summing, _Axes]:
    """How to sum out those who are no members, in an order that keeps numpy's inner loops long.

    Returns also how to transpose what is left into the order of the members; None if it is in order.
    """
    last = len(present)
    while last and present[last - 1] not in members:
        last -= 1
    axes, axis = [], 1
    for agent in present[:last]:
        if agent in members:
            axis += 1
        else:
            axes.append(axis)
    kept = sorted(members)
    order = None if kept == list(members) else (0, *(1 + kept.index(member) for member in members))
    return _Summing(last if last < len(present) else None, tuple(axes)), order


@lru_cache(maxsize=256)
def _plan(agents: int, families: tuple[tuple[int, ...], ...]) -> tuple[_Step, ...]:
    """Steps that sum a tensor over agents into every family, halving the families until each stands alone.

    A step sums an earlier tensor (0 is the first) and says which families its result belongs to.
    """
    steps: list[_Step] = []

    def divide(source: int, present: tuple[int, ...], wanted: list[int]) -> None:
        members = tuple(sorted({member for family in wanted for member in families[family]}))
        done = [family for family in wanted if len(families[family]) == len(members)]
        left = [family for family in wanted if family not in done]
        outputs = tuple((family, _reduction(members, families[family])[1]) for family in done)
        steps.append((source, _reduction(present, members)[0], outputs))
        number = len(steps)
        half = len(left) // 2
        for part in [left] if done else [left[:half], left[half:]]:
            if part:
                divide(number, members, part)

    divide(0, tuple(range(agents)), list(range(len(families))))
    return tuple(steps)


def _sum_out(tensor: FloatArray, summing: _Summing) -> FloatArray:
    if summing.last is not None:
        tensor = total(tensor.reshape(*tensor.shape[: summing.last + 1], -1))
    for axis in summing.axes:
        tensor = tensor.sum(axis=axis)
    return tensor


def local_gradient(m: FloatArray, pi: FloatArray) -> FloatArray:
    """Gradient of the value in one agent's logits (Lemma 1, without the barrier).

    Parameters
    ----------
    m : (S, *P, A) float
        Visitation-weighted Q, summed over the agents outside the family (:func:`local_flow`).
    pi : (S, *P, A) float
        The agent's policy; rows sum to one over the last axis.

    Returns
    -------
    (S, *P, A) float
        Every row sums to zero.

    Raises
    ------
    ValueError
        If the two shapes differ.
    """
    if m.shape != pi.shape:
        raise ValueError(f"flow and policy must share a shape, got {m.shape} and {pi.shape}")
    result: FloatArray = m - scaled(pi, total(m))
    return result


def regularized_gradient(m: FloatArray, pi: FloatArray, regularization: float) -> FloatArray:
    """:func:`local_gradient` plus :func:`barrier_gradient`, in one go.

    The barrier acts like a uniform flow of weight lambda / (S |A_P|): its gradient is the local one of that.

    Parameters
    ----------
    m, pi : (S, *P, A) float
        As in :func:`local_gradient`.
    regularization : float
        lambda >= 0.

    Returns
    -------
    (S, *P, A) float
        dL_lambda/dtheta^i; every row sums to zero.
    """
    if m.shape != pi.shape:
        raise ValueError(f"flow and policy must share a shape, got {m.shape} and {pi.shape}")
    weight = regularization * pi.shape[-1] / pi.size
    # In place: touching fresh memory costs more than the arithmetic once tables are large.
    result = scaled(pi, total(m) + weight)
    np.subtract(m, result, out=result)
    result += regularization / pi.size
    return result


def barrier_gradient(pi: FloatArray, regularization: float) -> FloatArray:
    """Gradient of the log barrier in one agent's logits (Lemma 1, second term).

    Parameters
    ----------
    pi : (S, *P, A) float
        The agent's policy.
    regularization : float
        lambda >= 0.

    Returns
    -------
    (S, *P, A) float
        ``lambda / (S |A_P|) (1/|A_i| - pi)``; every row sums to zero.
    """
    rows = pi.size // pi.shape[-1]
    result: FloatArray = regularization / rows * (1.0 / pi.shape[-1] - pi)
    return result


def update(theta: FloatArray, gradient: FloatArray, eta: float) -> FloatArray:
    """One step of gradient ascent, eq. (3).

    Parameters
    ----------
    theta, gradient : (S, *P, A) float
        Logits and the gradient of L_lambda in them.
    eta : float
        Step size; monotone ascent is certified for eta <= 1/beta (Lemma 4, tight form).

    Returns
    -------
    (S, *P, A) float
        A new array. Row sums of theta are conserved, since rows of the gradient sum to zero.
    """
    if theta.shape != gradient.shape:
        raise ValueError(f"theta and gradient must share a shape, got {theta.shape} and {gradient.shape}")
    return theta + eta * gradient
