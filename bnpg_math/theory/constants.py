"""The constants of the paper's guarantees, each in three forms (Lemmas 2, 3 and 4).

``printed``
    The constants in the paper's text. Some are wrong; they are reported to be compared, never relied on.
``corrected``
    The paper's argument with its slips repaired.
``tight``
    This project's own constants, which the program uses.

A lemma reads: if the gradient is at most a threshold, a gap is at most a bound. Each form has its own norm.

::

    Lemma 2, Nash gap, any DAG
      printed    ||grad||_2 <= lambda / (2 S A max_i A_i)   gap <= 2 lambda M
      corrected  ||grad||_2 <= lambda / (2 S K)             gap <= 2 lambda M
      tight      e <= lambda / (S A_P A_i), every agent     gap <= lambda C_pi
    Lemma 3, optimality gap, complete DAG only
      printed    ||grad||_2 <= lambda / (2 S A max_i A_i)   gap <= 2^(N+1) N lambda M
      corrected  the same numbers, as long as sqrt(N) <= 2 max_i A_i: the printed proof rests on (4), which is
                 false, and the statement follows from the tight form instead. Beyond, the threshold is
                 lambda / (sqrt(N) S A).
      tight      max_(s,a) sum_i (e_i)^+ <= lambda / (S A)  gap <= lambda (1/S) sum_s d*(s)/d(s) <= lambda
      C_pi
    Lemma 4, smoothness, any DAG
      printed, corrected  beta = 8 N R / (1-gamma)^3 + sum_i 2 lambda / (S A_P)
      tight               beta = R / (2 (1-gamma)^2) + max_i lambda / (2 S A_P)

with A = prod_i A_i, A_P = the parents' joint action count, K = max_i A_P A_i, R the reward range and e the
entries of the gradient. C_pi = max over pi' of (1/S) sum_s d^pi'(s)/d^pi(s) is at most M; see
`bnpg_math.exact.coverage`.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.dag import Dag
from bnpg_math.games.game import Game
from bnpg_math.learning.regularization import Regularization, per_agent

Form: TypeAlias = Literal["printed", "corrected", "tight"]
FORMS: tuple[Form, ...] = ("printed", "corrected", "tight")


@dataclass(frozen=True)
class Sizes:
    """The numbers of a game and a DAG that the constants are made of; the module's text defines them."""

    agents: int
    states: int
    largest: int
    family: int
    joint: int
    parents: tuple[int, ...]
    actions: tuple[int, ...]
    reward_range: float
    gamma: float
    complete: bool

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """A_P(i) and A_i of every agent."""
        return tuple(zip(self.parents, self.actions, strict=True))


def sizes(game: Game, dag: Dag) -> Sizes:
    """Collect what the constants are made of.

    Parameters
    ----------
    game : Game
        The game.
    dag : Dag
        Over the same agents.

    Returns
    -------
    Sizes
        `largest` is max_i A_i, `family` is K, `joint` is A, `parents` lists A_P(i), `actions` A_i.
    """
    parents = tuple(math.prod(game.actions[p] for p in members) for members in dag.parents)
    return Sizes(
        agents=game.agents,
        states=game.states,
        largest=max(game.actions),
        family=max(own * above for own, above in zip(game.actions, parents, strict=True)),
        joint=game.joint_actions,
        parents=parents,
        actions=tuple(game.actions),
        reward_range=game.reward_range,
        gamma=game.gamma,
        complete=dag.is_complete,
    )


def smoothness(size: Sizes, regularization: Regularization, form: Form = "tight") -> float:
    """Lemma 4: beta, a Lipschitz constant of grad L_lambda.

    Parameters
    ----------
    size : Sizes
        From :func:`sizes`.
    regularization : float or tuple of N float
        lambda >= 0, of everybody or of each.
    form : {"printed", "corrected", "tight"}
        Printed and corrected agree.

    Returns
    -------
    float
        At least 0; 1/beta is the certified step size.
    """
    rows = list(zip(per_agent(regularization, size.agents), size.parents, strict=True))
    if form == "tight":
        barrier = max(weight / (2 * size.states * above) for weight, above in rows)
        return size.reward_range / (2 * (1 - size.gamma) ** 2) + barrier
    barrier = left_sum(2 * weight / (size.states * above) for weight, above in rows)
    return 8 * size.agents * size.reward_range / (1 - size.gamma) ** 3 + barrier


def nash_threshold(size: Sizes, regularization: float, form: Form = "tight") -> float:
    """Lemma 2: the largest gradient for which the Nash gap is bounded; see the module's text for the norms.

    Parameters
    ----------
    size, regularization, form
        As in :func:`smoothness`.

    Returns
    -------
    float
    """
    if form == "tight":
        return regularization / (size.states * size.family)
    if form == "corrected":
        return regularization / (2 * size.states * size.family)
    return regularization / (2 * size.states * size.joint * size.largest)


def optimality_threshold(size: Sizes, regularization: float, form: Form = "tight") -> float:
    """Lemma 3: the largest gradient for which the optimality gap is bounded.

    Parameters
    ----------
    size, regularization, form
        As in :func:`smoothness`.

    Returns
    -------
    float
    """
    if form == "tight":
        return regularization / (size.states * size.joint)
    printed = regularization / (2 * size.states * size.joint * size.largest)
    if form == "printed":
        return printed
    return min(printed, regularization / (math.sqrt(size.agents) * size.states * size.joint))


def nash_bound(regularization: float, M: float, form: Form = "tight") -> float:
    """Lemma 2: what the Nash gap is at most, ``lambda M`` or twice that."""
    return (1 if form == "tight" else 2) * regularization * M


def optimality_bound(size: Sizes, regularization: float, M: float, form: Form = "tight") -> float:
    """Lemma 3: what the optimality gap is at most, ``lambda M`` or 2^(N+1) N times that."""
    return (1 if form == "tight" else 2 ** (size.agents + 1) * size.agents) * regularization * M


def why_unbounded(M: float | None) -> str | None:
    """Why no gap is bounded with this mismatch coefficient; None if it is finite."""
    if M is None:
        return "the mismatch coefficient M was not computed"
    return None if math.isfinite(M) else "M is infinite (Assumption 1 fails): no guarantee"
