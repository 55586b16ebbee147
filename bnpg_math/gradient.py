"""Lemma 1 and update (3), split so that an agent needs only one shared tensor and its own logits.

With W(s, a) = d(s) pi(a|s) Q(s, a), summing over the agents outside P^i_+ gives
m^i(s, aP, ai) = d(s) pi(aP, ai|s) Q(s, aP, ai), and since sum_ai m^i = d(s) pi(aP|s) Q(s, aP),
the policy gradient is m^i - pi^i sum_ai m^i. The visitation `d` is the unnormalised one of section 2,
so the factor 1/(1 - gamma) printed in Lemma 1 is not applied a second time.
"""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.short_axis import scaled, total


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
    result: FloatArray = d.reshape((-1,) + (1,) * (pi.ndim - 1)) * pi * Q
    return result


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
    marginal = _sum_out(W, range(agents), members)
    kept = sorted(members)
    return np.transpose(marginal, (0, *(1 + kept.index(member) for member in members)))


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
    found: dict[int, FloatArray] = {}

    def divide(tensor: FloatArray, present: Sequence[int], wanted: list[int]) -> None:
        members = sorted({member for number in wanted for member in families[number]})
        marginal = _sum_out(tensor, present, members)
        left = []
        for number in wanted:
            if len(families[number]) == len(members):
                axes = (1 + members.index(member) for member in families[number])
                found[number] = np.transpose(marginal, (0, *axes))
            else:
                left.append(number)
        halves = [left] if len(left) < len(wanted) else [left[: len(left) // 2], left[len(left) // 2 :]]
        for half in halves:
            if half:
                divide(marginal, members, half)

    divide(W, range(W.ndim - 1), list(range(len(families))))
    return [found[number] for number in range(len(families))]


def _sum_out(tensor: FloatArray, present: Sequence[int], members: Sequence[int]) -> FloatArray:
    """Sum over the agents that are no members, in an order that keeps numpy's inner loops long."""
    present = list(present)
    last = len(present)
    while last and present[last - 1] not in members:
        last -= 1
    if last < len(present):
        tensor = tensor.reshape(*tensor.shape[: last + 1], -1)
        tensor = total(tensor)
    axis = 1
    for agent in present[:last]:
        if agent in members:
            axis += 1
        else:
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
