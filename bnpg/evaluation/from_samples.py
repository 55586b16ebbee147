"""A Nash certificate for a tabular policy from episodes it plays: no model is looked at.

The world is only played; what is known of it is the range of its rewards, its discount, and, where given, its
initial distribution. See :mod:`bnpg_math.theory.sampled_certificate` for what is proved and how.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
from bnpg_coordinator.worlds.interface import World

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.dag import Dag
from bnpg_math.errors import InputError
from bnpg_math.exact.integers import upwards
from bnpg_math.learning.estimators import episode_lengths, returns_to_go
from bnpg_math.learning.gradient import barrier_gradient
from bnpg_math.policies.tabular import TabularSoftmax
from bnpg_math.theory.sampled_certificate import (
    Look,
    Moments,
    episode_gradients,
    largest_sample,
    longest_episode,
    look,
)

FIRST_LOOK = 1 << 14
"""Episodes after which the bounds are looked at first; four times as many each time."""
AT_ONCE = 1 << 12
"""Episodes played side by side."""
EPISODES = 1 << 20
"""Episodes that are played at the most, if no other number is asked for."""
MOST_TRANSITIONS = 2e10
"""Expected transitions of all episodes, beyond which it is not begun: hours of work."""
MOST_BYTES = 1 << 31
"""Of the gradients of the episodes that are played side by side."""
BIAS_SHARE = 0.05
"""Of the smallest threshold that the truncation of long episodes may cost."""


@dataclass(frozen=True)
class Sampling:
    """How a certificate was sought: all of it fixed before the first episode."""

    delta: float
    """Probability with which what is promised may be false."""
    longest: int
    """Lmax: longer episodes count as 0."""
    looks: tuple[int, ...]
    """Numbers of episodes at which the bounds were to be looked at."""
    seen: tuple[Look, ...]
    """What was known at the looks that were taken; the search ends with the first that certifies."""

    @property
    def outcome(self) -> Look:
        """The last look."""
        return self.seen[-1]


def certify_from_samples(
    world: World,
    dag: Dag,
    thetas: Sequence[FloatArray],
    *,
    regularization: float,
    rewards: tuple[float, float],
    initial: FloatArray | None = None,
    delta: float = 0.01,
    episodes: int = EPISODES,
    seed: int = 0,
    on_batch: Callable[[], None] = lambda: None,
) -> Sampling:
    """Play fresh episodes until Lemma 2' holds with confidence, or the episodes are used up.

    Parameters
    ----------
    world : World
        Everybody sees one of finitely many states.
    dag : Dag
        Who sees whose action.
    thetas : sequence of N arrays (S, *P, A_i) float
        The policy, which none of these episodes trained.
    regularization : float
        lambda > 0: what is certified is a Nash gap of lambda C.
    rewards : (low, high) float
        Bounds that every team reward is known to keep.
    initial : (S,) float, optional
        mu, where it is known.
    delta : float
        Probability in (0, 1) with which the promise may be false.
    episodes : int
        How many at the most.
    seed : int
        The experiment's; the episodes are other ones than those of its training.
    on_batch : callable
        Called whenever `AT_ONCE` more were played.

    Returns
    -------
    Sampling

    Raises
    ------
    InputError
        If an argument is out of its range, or a reward is out of the bounds given.
    """
    low, high = rewards
    if not regularization > 0.0:
        raise InputError("a certificate from samples needs a regularization above 0")
    if not 0.0 < delta < 1.0:
        raise InputError(f"the probability of being wrong must be in (0, 1), got {delta}")
    if not low <= high:
        raise InputError(f"the range of the rewards must be (low, high), got {rewards}")
    agents = [_Agent(dag, agent, theta, regularization, world.actions) for agent, theta in enumerate(thetas)]
    thresholds = np.concatenate([agent.thresholds for agent in agents])
    spread = 2.0 * upwards(_farthest(low, high))
    longest = longest_episode(world.gamma, spread, BIAS_SHARE * float(thresholds.min())) if spread else 1
    looks = _looks(episodes)
    gradients = Moments(thresholds.size, largest_sample(spread, longest))
    visits = Moments(agents[0].states, float(longest))
    judge = partial(
        look,
        barrier=np.concatenate([agent.barrier for agent in agents]),
        thresholds=thresholds,
        regularization=regularization,
        gamma=world.gamma,
        spread=spread,
        longest=longest,
        initial=initial,
        delta=delta,
        looks=len(looks),
    )
    seen: list[Look] = []
    batches = _batches(world, agents, dag.order, longest, rewards, _fresh(seed))
    for goal in looks:
        while gradients.count < goal:
            samples, counts, played = next(batches)
            gradients.add(samples, played)
            visits.add(counts, played)
            on_batch()
        seen.append(judge(gradients, visits))
        if seen[-1].certified:
            break
    return Sampling(delta, longest, looks, tuple(seen))


def check_effort(gamma: float, states: int, rows: Sequence[int]) -> None:
    """Refuse a certificate from samples that would take hours, or more memory than a machine has.

    Parameters
    ----------
    gamma : float
    states : int
    rows : sequence of int
        How many numbers each agent's table has.

    Raises
    ------
    InputError
        One line, with what would fit.
    """
    transitions = EPISODES / (1.0 - gamma)
    if transitions > MOST_TRANSITIONS:
        raise InputError(
            f"certify-samples would play {EPISODES} episodes of {1.0 / (1.0 - gamma):.3g} steps on average, "
            f"{transitions:.2g} transitions: expected at most {MOST_TRANSITIONS:.2g}, which is gamma <= "
            f"{1.0 - EPISODES / MOST_TRANSITIONS:.6f}; evaluate-every certifies from the model in seconds"
        )
    size = 8 * AT_ONCE * (sum(rows) + states)
    if size > MOST_BYTES:
        raise InputError(
            f"certify-samples keeps the gradients of {AT_ONCE} episodes, {size / 2**30:.1f} GiB for tables "
            f"of {sum(rows)} numbers: expected at most {MOST_BYTES / 2**30:.0f} GiB; use fewer parents"
        )


class _Agent:
    """One agent's table, and its part of the gradient."""

    def __init__(
        self, dag: Dag, agent: int, theta: FloatArray, regularization: float, actions: Sequence[int]
    ) -> None:
        self.number = agent
        self.parents = dag.parents[agent]
        self.policy = TabularSoftmax(theta)
        self.states = theta.shape[0]
        self.table = self.policy.table.reshape(-1, theta.shape[-1])
        self.shape = theta.shape
        self.barrier = barrier_gradient(self.policy.table, regularization).reshape(-1)
        # lambda/(S A_P A_i)
        self.thresholds = np.full(theta.size, regularization / theta.size)
        assert theta.shape[1:-1] == tuple(actions[parent] for parent in self.parents)

    def rows(self, states: IntArray, chosen: Sequence[IntArray]) -> IntArray:
        """Return which row of the flat table was acted from."""
        return cells([states, *(chosen[parent] for parent in self.parents)], self.shape[:-1]).astype(np.intp)


def _middle(low: float, high: float) -> float:
    """Return what is taken off all rewards."""
    return (low + high) / 2.0


def _farthest(low: float, high: float) -> Fraction:
    """Return how far a reward can be from that, R / 2 or a little more: the middle is rounded."""
    middle = Fraction(_middle(low, high))
    return max(Fraction(high) - middle, middle - Fraction(low))


def _looks(episodes: int) -> tuple[int, ...]:
    """Return when the bounds are looked at: after whole batches, at last after all of them."""
    most = max(1, -(-episodes // AT_ONCE)) * AT_ONCE
    looks = [min(FIRST_LOOK, most)]
    while looks[-1] < most:
        looks.append(min(4 * looks[-1], most))
    return tuple(looks)


def _fresh(seed: int) -> int:
    """Return the seed of episodes that no training plays."""
    digest = hashlib.sha256(b"episodes of a certificate" + seed.to_bytes(8, "little")).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _batches(
    world: World,
    agents: Sequence[_Agent],
    order: Sequence[int],
    longest: int,
    rewards: tuple[float, float],
    seed: int,
) -> Iterator[tuple[FloatArray, FloatArray, int]]:
    """Yield samples of the gradients (K, D), counts of visits (K, S), and how many episodes these are."""
    batch = 0
    while True:
        lengths = episode_lengths("geometric", world.gamma, AT_ONCE, seed, batch)
        lengths = lengths[lengths <= longest]
        if len(lengths):
            yield *_play(world, agents, lengths, order, rewards, seed, batch), AT_ONCE
        else:
            entries = sum(agent.barrier.size for agent in agents)
            yield np.zeros((0, entries)), np.zeros((0, agents[0].states)), AT_ONCE
        batch += 1


def _play(
    world: World,
    agents: Sequence[_Agent],
    lengths: IntArray,
    order: Sequence[int],
    rewards: tuple[float, float],
    seed: int,
    batch: int,
) -> tuple[FloatArray, FloatArray]:
    """Play one batch of episodes to their ends."""
    lanes = len(lengths)
    play = world.begin(seed, batch, lanes)
    seen = play.first
    rows: list[list[IntArray]] = [[] for _ in agents]
    taken: list[list[IntArray]] = [[] for _ in agents]
    counts = np.zeros((lanes, agents[0].states))
    for time in range(int(lengths[0])):
        states = seen.shared
        chosen: list[IntArray] = [np.zeros(0, dtype=np.int64)] * len(agents)
        for agent in (agents[number] for number in order):
            drawn = uniforms(seed, Purpose.ACTIONS, agent.number, batch, time, len(states))
            parents = [chosen[parent] for parent in agent.parents]
            chosen[agent.number] = agent.policy.draw(states, parents, drawn)
        for agent in agents:
            rows[agent.number].append(agent.rows(states, chosen))
            taken[agent.number].append(chosen[agent.number])
        counts[np.arange(len(states)), states] += 1.0
        alive = int(np.count_nonzero(lengths > time + 1))
        following = play.step(time, 0, seen, chosen, alive)
        if following is None:
            break
        seen = following
    low, high = rewards
    received = play.rewards()
    for values in received:
        if values.min() < low or values.max() > high:
            outside = values.min() if values.min() < low else values.max()
            raise InputError(f"a reward of {outside} is outside the range given, {low} to {high}")
    returns = returns_to_go([values - _middle(low, high) for values in received], 1.0)
    samples = [
        episode_gradients(rows[agent.number], taken[agent.number], returns, agent.table) for agent in agents
    ]
    return np.concatenate(samples, axis=1), counts
