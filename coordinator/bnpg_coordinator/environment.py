"""The environment of one sampled round: all lanes of the game, stepped together or in parts.

Everything random is addressed by (seed, round, time, lane): a round that is replayed meets the same initial
states and the same transitions, and so does one whose lanes are stepped in other parts.

A part of the lanes taking one step is a *turn*. Turns are numbered through a round, by time and then by part:
while the agents choose actions in one turn, the environment and the messages of another are under way.
"""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct

from bnpg_coordinator.experiment import Experiment
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.chance.ahead import UniformsAhead
from bnpg_math.chance.sampling import cumulative, invert
from bnpg_math.chance.streams import BLOCK, Purpose, uniforms
from bnpg_math.games.game import Game
from bnpg_math.learning.estimators import (
    ReturnStatistics,
    episode_lengths,
    return_statistics,
    signal_weights,
    visit_times,
)


class Turn(Struct, frozen=True):
    """One part of the lanes at one time."""

    time: int
    """Steps its lanes have made."""
    lane: int
    """Its first lane."""
    states: IntArray
    """(n,) int, the states of its living lanes, read-only."""


class Environment:
    """The game's lanes, for as many rounds as asked.

    Parameters
    ----------
    game : Game
        What is played.
    experiment : Experiment
        Lanes, parts, horizon, baseline and seed.
    """

    def __init__(self, game: Game, experiment: Experiment) -> None:
        self._game = game
        self._experiment = experiment
        self._initial = cumulative(game.initial)[None, :]
        self._joint = math.prod(game.actions)
        self._reward = game.reward.reshape(-1)
        self._announced = np.min_scalar_type(max(game.states - 1, 1))
        draws = range(game.transition.draws)
        self._uniforms = UniformsAhead(experiment.seed, Purpose.TRANSITIONS, draws)
        self.width = _width(experiment)
        """Lanes of a part."""

    def begin(self, round_: int) -> "Episodes":
        """Return the episodes of a round, at their initial states."""
        experiment = self._experiment
        address = (experiment.horizon, self._game.gamma, experiment.lanes, experiment.seed, round_)
        drawn = uniforms(experiment.seed, Purpose.INITIAL_STATE, 0, round_, 0, experiment.lanes)
        first = invert(self._initial, np.zeros(experiment.lanes, dtype=np.int64), drawn)
        return Episodes(self, round_, first, episode_lengths(*address), visit_times(*address))

    def joint(self, actions: Sequence[IntArray]) -> IntArray:
        """Return every lane's joint action as a flat position."""
        return cells(actions, self._game.actions)

    def reward(self, states: IntArray, joint: IntArray) -> FloatArray:
        """Return the team reward of every lane."""
        taken: FloatArray = self._reward.take(cells((states, joint), (self._game.states, self._joint)))
        return taken

    def successors(self, round_: int, turn: Turn, states: IntArray, joint: IntArray) -> IntArray:
        """Return the next state of the lanes of a turn that live on."""
        drawn = self._uniforms.take(round_, turn.time, turn.lane, len(states))
        return self._game.transition.sample(states, joint, drawn)

    def prepare(self) -> None:
        """Draw the random numbers of the next transitions, which depend on nothing that is awaited."""
        self._uniforms.draw()

    def announced(self, states: IntArray) -> IntArray:
        """Return states as they are announced: in the smallest unsigned integers, read-only."""
        frozen = np.ascontiguousarray(states, dtype=self._announced)
        frozen.flags.writeable = False
        return frozen

    def weights(self, rewards: list[FloatArray], states: list[IntArray], visits: IntArray) -> FloatArray:
        """Return the shared signal of a finished round, step by step, laid end to end."""
        experiment = self._experiment
        return signal_weights(
            rewards,
            states,
            self._game.gamma,
            experiment.horizon,
            experiment.baseline,
            self._game.states,
            visits,
        )

    def statistics(self, rewards: list[FloatArray], visits: IntArray) -> ReturnStatistics:
        """Return mean and standard error of the lanes' returns."""
        return return_statistics(rewards, self._game.gamma, self._experiment.horizon, visits)


class Episodes:
    """One round: the lanes alive at step t are a prefix, so the arrays only ever get shorter.

    Turns are announced and taken in their order; the next turn of a part is there as soon as the last one was
    taken.
    """

    def __init__(
        self, environment: Environment, round_: int, first: IntArray, lengths: IntArray, visits: IntArray
    ) -> None:
        self._environment = environment
        self.round = round_
        self._visits = visits
        self._steps = int(lengths[0])
        self._alive = np.searchsorted(-lengths, -np.arange(self._steps), side="left").tolist()
        """How many lanes live at each time."""
        states = environment.announced(first)
        width = environment.width
        self.turns = [Turn(0, lane, states[lane : lane + width]) for lane in range(0, len(states), width)]
        """All turns so far whose states are known."""
        self._joints: list[IntArray] = []
        """The joint actions of the turns taken."""

    @property
    def taken(self) -> int:
        """Number of turns whose actions were taken; the number of the turn that is to be taken next."""
        return len(self._joints)

    @property
    def done(self) -> bool:
        """Whether every episode has ended."""
        return self.taken == len(self.turns)

    def advance(self, actions: Sequence[IntArray]) -> Turn | None:
        """Take the joint actions of the next turn, in agent order; return the one that follows for its lanes.

        It is the last of `turns`; None if no lane of the part lives on.
        """
        turn = self.turns[self.taken]
        joint = self._environment.joint(actions)
        self._joints.append(joint)
        time = turn.time + 1
        alive = self._alive[time] - turn.lane if time < self._steps else 0
        if alive <= 0:
            return None
        states, joint = turn.states[:alive], joint[:alive]
        following = self._environment.successors(self.round, turn, states, joint)
        self.turns.append(Turn(time, turn.lane, self._environment.announced(following)))
        return self.turns[-1]

    def weights(self) -> FloatArray:
        """Return the shared signal, (sum n_t,) float, read-only."""
        states = self._by_step([turn.states for turn in self.turns])
        weights = self._environment.weights(self._rewards, states, self._visits)
        weights.flags.writeable = False
        return weights

    def statistics(self) -> ReturnStatistics:
        """Return mean and standard error of the returns."""
        return self._environment.statistics(self._rewards, self._visits)

    @cached_property
    def _rewards(self) -> list[FloatArray]:
        """The rewards by time: nobody waits for them before the round is over."""
        reward = self._environment.reward
        taken = zip(self.turns, self._joints, strict=True)
        return self._by_step([reward(turn.states, joint) for turn, joint in taken])

    def _by_step(self, arrays: Sequence[np.ndarray]) -> "list[np.ndarray]":
        """Join what belongs to the turns of one time."""
        steps: list[list[np.ndarray]] = [[] for _ in range(self._steps)]
        for turn, array in zip(self.turns, arrays, strict=True):
            steps[turn.time].append(array)
        return [parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in steps]


def parts_of(experiment: Experiment) -> int:
    """Return how many parts the lanes are stepped in: no more than wished, and none of them empty."""
    return -(-experiment.lanes // _width(experiment))


def _width(experiment: Experiment) -> int:
    """Return the lanes of a part: whole blocks of the random stream, so that no number is drawn twice."""
    return -(-experiment.lanes // (experiment.parts * BLOCK)) * BLOCK
