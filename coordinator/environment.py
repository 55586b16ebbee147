"""The environment of one sampled round: all lanes of the game, stepped together.

Everything random is addressed by (seed, round, step): a round that is replayed meets the same initial
states and the same transitions.
"""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.estimators import (
    ReturnStatistics,
    episode_lengths,
    return_statistics,
    signal_weights,
    visit_times,
)
from bnpg_math.game import Game
from bnpg_math.sampling import cumulative, invert
from bnpg_math.streams import Purpose, uniforms
from coordinator.experiment import Experiment


class Environment:
    """The game's lanes, for as many rounds as asked.

    Parameters
    ----------
    game : Game
        What is played.
    experiment : Experiment
        Lanes, horizon, baseline and seed.
    """

    def __init__(self, game: Game, experiment: Experiment) -> None:
        self._game = game
        self._experiment = experiment
        self._initial = cumulative(game.initial)[None, :]
        self._reward = game.reward.reshape(-1)
        self._shape = game.reward.shape

    def begin(self, round_: int) -> "Episodes":
        """Return the episodes of a round, at their initial states."""
        experiment = self._experiment
        address = (experiment.horizon, self._game.gamma, experiment.lanes, experiment.seed, round_)
        drawn = uniforms(experiment.seed, Purpose.INITIAL_STATE, 0, round_, 0, experiment.lanes)
        first = invert(self._initial, np.zeros(experiment.lanes, dtype=np.int64), drawn)
        return Episodes(self, round_, first, episode_lengths(*address), visit_times(*address))

    def reward(self, states: IntArray, actions: Sequence[IntArray]) -> FloatArray:
        """Return the team reward of every lane."""
        taken: FloatArray = self._reward[np.ravel_multi_index((states, *actions), self._shape)]
        return taken

    def successors(self, round_: int, step: int, states: IntArray, actions: Sequence[IntArray]) -> IntArray:
        """Return the next state of every lane."""
        transition = self._game.transition
        drawn = [
            uniforms(self._experiment.seed, Purpose.TRANSITIONS, index, round_, step, len(states))
            for index in range(transition.draws)
        ]
        return transition.sample(states, actions, np.stack(drawn) if drawn else np.zeros((0, len(states))))

    def weights(self, rewards: list[FloatArray], states: list[IntArray], visits: IntArray) -> FloatArray:
        """Return the shared signal of a finished round, step by step, laid end to end."""
        experiment = self._experiment
        weights = signal_weights(
            rewards,
            states,
            self._game.gamma,
            experiment.horizon,
            experiment.baseline,
            self._game.states,
            visits,
        )
        return np.concatenate(weights)

    def statistics(self, rewards: list[FloatArray], visits: IntArray) -> ReturnStatistics:
        """Return mean and standard error of the lanes' returns."""
        return return_statistics(rewards, self._game.gamma, self._experiment.horizon, visits)


class Episodes:
    """One round: the lanes alive at step t are a prefix, so the arrays only ever get shorter."""

    def __init__(
        self, environment: Environment, round_: int, first: IntArray, lengths: IntArray, visits: IntArray
    ) -> None:
        self._environment = environment
        self.round = round_
        self._lengths = lengths
        self._visits = visits
        self._steps = int(lengths[0])
        self._rewards: list[FloatArray] = []
        self._states: list[IntArray] = [_announced(first)]

    @property
    def step(self) -> int:
        """The step whose actions are awaited."""
        return len(self._rewards)

    @property
    def states(self) -> IntArray:
        """States of the lanes alive at the present step, (n_t,) int32, read-only."""
        return self._states[-1]

    @property
    def done(self) -> bool:
        """Whether every episode has ended."""
        return self.step == self._steps

    def advance(self, actions: Sequence[IntArray]) -> None:
        """Take the joint action of every living lane, in agent order, and go on to the next step."""
        states, step = self.states, self.step
        self._rewards.append(self._environment.reward(states, actions))
        if self.done:
            return
        alive = int(np.searchsorted(-self._lengths, -(step + 1), side="left"))
        survivors = [chosen[:alive] for chosen in actions]
        following = self._environment.successors(self.round, step, states[:alive], survivors)
        self._states.append(_announced(following))

    def weights(self) -> FloatArray:
        """Return the shared signal, (sum n_t,) float, read-only."""
        weights = self._environment.weights(self._rewards, self._states, self._visits)
        weights.flags.writeable = False
        return weights

    def statistics(self) -> ReturnStatistics:
        """Return mean and standard error of the returns."""
        return self._environment.statistics(self._rewards, self._visits)


def _announced(states: IntArray) -> IntArray:
    frozen = np.ascontiguousarray(states, dtype=np.int32)
    frozen.flags.writeable = False
    return frozen
