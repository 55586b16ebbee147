"""What an agent climbs with a critic's advantages: the actor of A2C and of PPO, with barrier and entropy.

Over the K rows of a minibatch in which the agent takes part, with rho = pi(a | x) / pi_old(a | x), it is the
mean of

    A2C: A log pi(a | x)        PPO: min(rho A, clip(rho, 1 - c, 1 + c) A)

plus `entropy` times H(pi(. | x)) plus `barrier` times the mean of log pi(b | x) over what may be taken. The
last is the paper's log barrier (section 4.1) on the contexts that were visited. What is seen, the parents'
actions that were played and the graph they were played on are those of the round, in every pass: rho is a
ratio of the probabilities of one and the same choice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.arrays.named import Arrays
from bnpg_math.learning.adam import shortened
from bnpg_math.learning.minibatches import minibatches
from bnpg_math.learning.optimiser import Optimiser
from bnpg_math.policies.categorical import entropy, even
from bnpg_math.policies.interface import Differentiable, Legal, Seen

Surrogate = Literal["a2c", "ppo"]


@dataclass(frozen=True)
class ActorSettings:
    """What is climbed, and how a pass goes.

    Parameters
    ----------
    surrogate : {'a2c', 'ppo'}
    clip : float
        c > 0 of PPO.
    entropy, barrier : float
        Weights, >= 0.
    parts : int
        Minibatches of a pass, at least 1.
    longest : float
        Length of a gradient at the most; infinity for no limit.
    """

    surrogate: Surrogate = "ppo"
    clip: float = 0.2
    entropy: float = 0.0
    barrier: float = 0.0
    parts: int = 1
    longest: float = math.inf


@dataclass(frozen=True, eq=False)
class ActorRows:
    """What an agent has of the steps of a round in which it takes part, laid end to end.

    Parameters
    ----------
    seen : (K, ..) array
    parents : tuple of k arrays (K,) int
        The actions that were played.
    actions : (K,) int
    advantages : (K,) float
    old : (K,) float
        log pi(a | x) of the policy that played.
    legal : (K, A) of 0 and 1, optional
    """

    seen: Seen
    parents: tuple[IntArray, ...]
    actions: IntArray
    advantages: FloatArray
    old: FloatArray
    legal: Legal | None = None

    def __len__(self) -> int:
        return len(self.actions)

    def take(self, rows: NDArray[np.intp] | slice) -> "ActorRows":
        """Return some of the rows, in the order given; those of a slice are not copied."""
        return ActorRows(
            self.seen[rows],
            tuple(actions[rows] for actions in self.parents),
            self.actions[rows],
            self.advantages[rows],
            self.old[rows],
            None if self.legal is None else self.legal[rows],
        )


class ActorSigns(NamedTuple):
    """How a pass went, each a mean over its rows, measured before each step."""

    kl: float
    """KL(old || new), by the estimate rho - 1 - log rho, which is never negative (Schulman 2020)."""
    clipped: float
    """Share of the rows whose rho lay outside [1 - c, 1 + c]."""
    entropy: float
    """In nats."""


def played_rows(
    policy: Differentiable,
    seen: Seen,
    parents: Sequence[IntArray],
    actions: IntArray,
    advantages: FloatArray,
    legal: Legal | None = None,
    alive: NDArray[np.bool_] | None = None,
) -> ActorRows:
    """Return the rows of a round, with the probabilities that the policy which played gave to them.

    Parameters
    ----------
    policy : Differentiable
        The one that played.
    seen, parents, actions, advantages, legal
        Of all steps and lanes, as in :class:`ActorRows`.
    alive : (K,) bool, optional
        Where the agent takes part; other rows are left out.

    Returns
    -------
    ActorRows
    """
    rows = ActorRows(seen, tuple(parents), actions, advantages, np.zeros(len(actions)), legal)
    if alive is not None and not alive.all():
        rows = rows.take(np.flatnonzero(alive))
    log_pi = policy.log_pi(rows.seen, rows.parents, rows.legal)
    old = log_pi[np.arange(len(rows)), rows.actions.astype(np.intp)]
    return ActorRows(rows.seen, rows.parents, rows.actions, rows.advantages, old, rows.legal)


def actor_objective(log_pi: FloatArray, rows: ActorRows, settings: ActorSettings) -> float:
    """Return what is climbed, a mean over rows.

    Parameters
    ----------
    log_pi : (K, A) float
        Of the policy as it is, in those rows.
    rows : ActorRows
    settings : ActorSettings
    """
    taken = log_pi[np.arange(len(rows)), rows.actions.astype(np.intp)]
    if settings.surrogate == "a2c":
        climbed = rows.advantages * taken
    else:
        rho = np.exp(taken - rows.old)
        held = np.clip(rho, 1.0 - settings.clip, 1.0 + settings.clip)
        climbed = np.minimum(rho * rows.advantages, held * rows.advantages)
    barrier = (even(log_pi) * np.where(np.isneginf(log_pi), 0.0, log_pi)).sum(axis=1)
    whole = climbed + settings.entropy * entropy(log_pi) + settings.barrier * barrier
    return float(whole.mean())


def pull_of_rows(
    log_pi: FloatArray, rows: ActorRows, settings: ActorSettings
) -> tuple[FloatArray, ActorSigns]:
    """Return the derivative of K times :func:`actor_objective` in the logits, and sums of the signs.

    In the logits z of a row, d log pi(a) = 1{b = a} - pi(b); dH = -pi (log pi + H); the barrier's is
    u - pi, u even over what may be taken. PPO's first term moves nothing where min takes the clipped one.

    Parameters
    ----------
    log_pi : (K, A) float
    rows : ActorRows
    settings : ActorSettings

    Returns
    -------
    pull : (K, A) float
        0 for what may not be taken.
    signs : ActorSigns
        Sums over the rows, not means.
    """
    at = (np.arange(len(rows)), rows.actions.astype(np.intp))
    pi, taken = np.exp(log_pi), log_pi[at]
    rho = np.exp(taken - rows.old)
    weights = rows.advantages
    if settings.surrogate == "ppo":
        beyond = np.where(weights > 0.0, rho > 1.0 + settings.clip, rho < 1.0 - settings.clip)
        weights = np.where(beyond, 0.0, rho * weights)
    pull = -weights[:, None] * pi
    pull[at] += weights
    information = entropy(log_pi)
    if settings.entropy:
        finite = np.where(np.isneginf(log_pi), 0.0, log_pi)
        pull -= settings.entropy * pi * (finite + information[:, None])
    if settings.barrier:
        pull += settings.barrier * (even(log_pi) - pi)
    signs = ActorSigns(
        kl=float((rho - 1.0 - (taken - rows.old)).sum()),
        clipped=float(np.count_nonzero(np.abs(rho - 1.0) > settings.clip)),
        entropy=float(information.sum()),
    )
    return pull, signs


def actor_gradient(
    policy: Differentiable, rows: ActorRows, settings: ActorSettings
) -> tuple[Arrays, ActorSigns]:
    """Return the gradient of :func:`actor_objective` in theta, and sums of the signs over the rows.

    Parameters
    ----------
    policy : Differentiable
    rows : ActorRows
        At least one.
    settings : ActorSettings

    Returns
    -------
    gradient : dict from str to array
    signs : ActorSigns
        Sums, not means.
    """
    count = len(rows)
    seen: list[ActorSigns] = []

    def pull(part: slice, log_pi: FloatArray) -> FloatArray:
        pulled, signs = pull_of_rows(log_pi, rows.take(part), settings)
        seen.append(signs)
        return pulled / count

    gradient = policy.backpropagate(rows.seen, rows.parents, rows.legal, pull)
    return gradient, ActorSigns(*(left_sum(column) for column in zip(*seen, strict=True)))


def actor_pass(
    policy: Differentiable,
    state: Arrays,
    rows: ActorRows,
    settings: ActorSettings,
    optimiser: Optimiser,
    eta: float,
    address: tuple[int, int, int],
    number: int,
) -> tuple[Arrays, Arrays, ActorSigns]:
    """Go through a round once: between passes an agent may say that it lives.

    Parameters
    ----------
    policy : Differentiable
        As the pass before left it.
    state : dict from str to array
        What the optimiser remembers.
    rows : ActorRows
        From :func:`played_rows`, the same in every pass. Without rows nothing moves.
    settings : ActorSettings
    optimiser : Optimiser
    eta : float
        Step size.
    address : tuple of int
        Seed, index (the agent) and round of the order.
    number : int
        Which pass it is.

    Returns
    -------
    theta, state : dict from str to array
    signs : ActorSigns
        Means over the rows.
    """
    seed, index, round_ = address
    sums = np.zeros(3)
    for part in minibatches(seed, index, round_, number, len(rows), settings.parts):
        # A copy of a whole round would be a good part of what a small agent holds.
        taken = rows if settings.parts == 1 else rows.take(part)
        gradient, signs = actor_gradient(policy, taken, settings)
        theta, state = optimiser.step(policy.theta, shortened(gradient, settings.longest), state, eta)
        policy = policy.at(theta)
        sums += signs
    return policy.theta, state, ActorSigns(*(float(mean) for mean in sums / max(1, len(rows))))
