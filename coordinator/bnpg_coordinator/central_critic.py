"""The critic of a run: it sees what the whole team sees, and turns a round's rewards into advantages.

Its state of round r and what happened in the round decide on the signal and on its state of round r + 1,
which is durable before the signal goes out. So a round that is played again, by whichever life of the
coordinator, comes to the same bits.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from bnpg_protocol.wire.errors import OrderViolation
from numpy.typing import NDArray

from bnpg_coordinator.critic_state import CriticState, check_held
from bnpg_coordinator.estimator import SampledRound
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.worlds.interface import Box, End, EpisodicPlay, FollowedPlay, Seen, Space
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.named import frozen
from bnpg_math.learning.adam import Adam
from bnpg_math.learning.advantage_estimates import advantage_estimates, standardised
from bnpg_math.learning.critic import CriticSettings, critic_pass, critic_values, explained_variance
from bnpg_math.learning.episodes import steps_into_episode
from bnpg_math.learning.value_normaliser import scale, updated
from bnpg_math.networks.mlp import initial
from bnpg_math.networks.spec import parse_hidden

KEEP = 0.99
"""What is left, after a round, of the weight of former rounds in the scale of returns."""
EQUAL_RETURNS = "the returns of the round do not vary"


class CriticSignal(NamedTuple):
    """What the critic makes of a round."""

    advantages: FloatArray
    """(K,), standardised, turn by turn, read-only."""
    numbers: dict[str, Any]
    """What the line of the round is to hold."""
    state: CriticState
    """Of the next round."""


class CentralCritic:
    """The critic over the rounds.

    Parameters
    ----------
    experiment : Experiment
    spaces : sequence of N Space
        What each agent sees.
    gamma : float
        Discount of the world.
    held : dict from round to CriticState
        What earlier lives of the coordinator stored.
    """

    def __init__(
        self,
        experiment: Experiment,
        spaces: Sequence[Space],
        gamma: float,
        held: Mapping[int, CriticState],
    ) -> None:
        self._experiment = experiment
        self._spaces = tuple(spaces)
        self._gamma = gamma
        self._held = dict(held)
        self._hidden = parse_hidden(experiment.critic)
        self._settings = CriticSettings(parts=experiment.minibatches, longest=experiment.longest_gradient)

    def signal(self, round_: int, sampled: SampledRound) -> CriticSignal:
        """Return the signal of a finished round, and learn from it.

        Parameters
        ----------
        round_ : int
        sampled : SampledRound
            With all turns taken.

        Raises
        ------
        OrderViolation
            If the critic of that round is not there, or its numbers overflow.
        """
        experiment, steps = self._experiment, _Steps(sampled)
        inputs = self._inputs(
            [turn.seen for turn in steps.turns], steps.into[steps.at] if steps.own else None
        )
        state = self._of(round_, inputs.shape[1])
        before = scale(state.scale)
        values = before.real(critic_values(state.theta, inputs))
        last, seen = steps.last()
        after = np.zeros(steps.shape)
        if seen:
            into = steps.into[last] + 1 if steps.own else None
            after[last] = before.real(critic_values(state.theta, self._inputs(seen, into)))
        geometric = not steps.own and experiment.horizon == "geometric"
        grids = advantage_estimates(
            steps.grid(steps.rewards),
            steps.grid(values),
            after,
            steps.terminated,
            steps.truncated,
            # Whoever lives on with probability gamma discounts by that already.
            1.0 if geometric else self._gamma,
            experiment.gae_lambda,
        )
        advantages, returns = (grid[steps.at] for grid in grids)
        following = updated(state.scale, returns, KEEP)
        now = scale(following)
        targets, expected = now.normal(returns), now.normal(values)
        theta, memory = state.theta, state.memory
        address = (experiment.seed, len(self._spaces), round_)
        for number in range(experiment.epochs):
            theta, memory = critic_pass(
                theta, memory, inputs, targets, expected, self._settings, Adam(),
                experiment.critic_learning_rate, address, number,
            )  # fmt: skip
        signal = standardised(advantages, np.ones(len(advantages), dtype=bool))
        if not (np.isfinite(signal).all() and all(np.isfinite(array).all() for array in theta.values())):
            raise OrderViolation(f"the critic overflows in round {round_}: the rewards are too large for it")
        signal.flags.writeable = False
        reached = CriticState(frozen(dict(theta)), frozen(dict(memory)), frozen(dict(following)))
        self._held = {round_: state, round_ + 1: reached}
        return CriticSignal(signal, sampled.returns() | _explained(values, returns), reached)

    def _of(self, round_: int, width: int) -> CriticState:
        """Return the critic of a round; that of round 0 follows from the seed."""
        check_held(self._held, round_)
        if round_ == 0:
            experiment, owner = self._experiment, len(self._spaces)
            drawn = initial(experiment.seed, owner, width, self._hidden, 1, last_gain=1.0)
            return CriticState(frozen(dict(drawn)))
        return self._held[round_]

    def _inputs(self, seen: Sequence[Seen], into: NDArray[np.int64] | None) -> FloatArray:
        """Return what the critic sees, (K, D): the whole state or what everybody sees, and how far it is."""
        parts = []
        states = [turn.state for turn in seen if turn.state is not None]
        if states:
            assert len(states) == len(seen), "a world says its state always or never"
            parts.append(np.concatenate(states).astype(np.float64))
        elif isinstance(seen[0].of, tuple):
            for agent, space in enumerate(self._spaces):
                parts.append(_numbers(np.concatenate([turn.by(agent) for turn in seen]), space))
        else:
            parts.append(_numbers(np.concatenate([turn.shared for turn in seen]), self._spaces[0]))
        if into is not None:
            parts.append((into / self._experiment.steps)[:, None])
        return np.concatenate(parts, axis=1)


class _Steps:
    """The steps of a finished round: times along the first axis, lanes along the second."""

    def __init__(self, sampled: SampledRound) -> None:
        episodes = sampled.episodes
        self._play = episodes.play
        self.turns = episodes.turns
        self.at = (
            np.concatenate([np.full(len(turn.seen), turn.time) for turn in self.turns]),
            np.concatenate([turn.lane + np.arange(len(turn.seen)) for turn in self.turns]),
        )
        """Time and lane of every step, turn by turn."""
        times, lanes = self.at
        self.shape = (int(times[-1]) + 1, int(lanes.max()) + 1)
        visited = self.grid(np.ones(len(times)))
        self.rewards = np.concatenate(self._play.rewards())
        self.own = isinstance(self._play, EpisodicPlay)
        """Whether episodes end by themselves."""
        ends = np.full(len(times), End.GOES_ON)
        if isinstance(self._play, EpisodicPlay):
            ends = np.concatenate(self._play.ends())
        self.terminated = self.grid(ends == End.TERMINATED) != 0.0
        self.truncated = self.grid(ends == End.TRUNCATED) != 0.0
        # The last step of a lane: nothing was visited after it.
        self._last = (visited != 0.0) & (np.vstack([visited[1:], np.zeros(self.shape[1])]) == 0.0)
        if sampled.dies_by_chance:
            self.terminated |= self._last
        self.into = steps_into_episode(self.terminated | self.truncated)
        """Steps of its episode that a lane has made before each step."""

    def grid(self, of_steps: NDArray[Any]) -> FloatArray:
        """Put a number of every step, turn by turn, at its time and lane; 0 elsewhere."""
        grid = np.zeros(self.shape)
        grid[self.at] = of_steps
        return grid

    def last(self) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], list[Seen]]:
        """Return times and lanes of the steps after which a value is asked for, and what was seen then."""
        asked = (self.truncated | self._last) & ~self.terminated
        if not asked.any():
            return (np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)), []
        assert isinstance(self._play, FollowedPlay), "checked before the run"
        times, lanes, seen = [], [], []
        for turn, following in zip(self.turns, self._play.following(), strict=True):
            rows = np.flatnonzero(asked[turn.time, turn.lane : turn.lane + len(turn.seen)])
            if len(rows):
                assert following is not None, "a lane that does not live on has something after it"
                times.append(np.full(len(rows), turn.time))
                lanes.append(turn.lane + rows)
                seen.append(following.rows(rows))
        return (np.concatenate(times), np.concatenate(lanes)), seen


def _numbers(seen: NDArray[Any], space: Space) -> FloatArray:
    """Return what an agent sees as numbers; a state is one-hot."""
    if isinstance(space, Box):
        return seen.astype(np.float64)
    rows = np.zeros((len(seen), space.values))
    rows[np.arange(len(seen)), seen.astype(np.intp)] = 1.0
    return rows


def _explained(values: FloatArray, returns: FloatArray) -> dict[str, Any]:
    share = explained_variance(values, returns)
    if share is None or not math.isfinite(share):
        return {"explained_variance": None, "explained_variance_reason": EQUAL_RETURNS}
    return {"explained_variance": share}
