"""The world of a game whose tables are known: states, joint actions, one successor a lane and step."""

import math
from collections.abc import Sequence

import numpy as np

from bnpg_coordinator.worlds.interface import Discrete, Seen
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.chance.prefetch import PrefetchedUniforms
from bnpg_math.chance.sampling import cumulative, invert
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.games.game import Game


class TableWorld:
    """A game as a world: everybody sees the state.

    Parameters
    ----------
    game : Game
    """

    def __init__(self, game: Game) -> None:
        self.model = game
        self.actions = game.actions
        self.spaces = (Discrete(game.states),) * game.agents
        self.gamma = game.gamma
        self.strata = game.states
        self.initial = cumulative(game.initial)[None, :]
        self.joint_actions = math.prod(game.actions)
        self.reward = game.reward.reshape(-1)
        self.narrow = np.min_scalar_type(max(game.states - 1, 1))
        """The smallest unsigned integers that hold a state."""

    def begin(self, seed: int, round_: int, lanes: int) -> "TablePlay":
        """Return a round of the game, at its initial states."""
        return TablePlay(self, seed, round_, lanes)


class TablePlay:
    """One round of a game."""

    def __init__(self, world: TableWorld, seed: int, round_: int, lanes: int) -> None:
        self._world = world
        self._game = world.model
        self._address = (seed, round_)
        self._round = round_
        self._uniforms = PrefetchedUniforms(seed, Purpose.TRANSITIONS, range(self._game.transition.draws))
        drawn = uniforms(seed, Purpose.INITIAL_STATE, 0, round_, 0, lanes)
        self.first = self._seen(invert(world.initial, np.zeros(lanes, dtype=np.int64), drawn))
        self._taken: list[tuple[IntArray, IntArray]] = []
        """States and joint actions of the turns taken."""
        self._places: list[tuple[int, int, int]] = []
        """Time, first lane, and how many lanes lived on, of the turns taken."""

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn; return the states that follow."""
        joint = cells(actions, self._game.actions)
        self._taken.append((seen.shared, joint))
        self._places.append((time, lane, alive))
        if not alive:
            return None
        drawn = self._uniforms.take(self._round, time, lane, alive)
        return self._seen(self._game.transition.sample(seen.shared[:alive], joint[:alive], drawn))

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards, turn by turn; nobody waits for them before the round is over."""
        world = self._world
        shape = (self._game.states, world.joint_actions)
        return [world.reward.take(cells(taken, shape)) for taken in self._taken]

    def strata(self) -> list[IntArray]:
        """Return the states, turn by turn."""
        return [states for states, _ in self._taken]

    def following(self) -> list[Seen | None]:
        """Return the states that would have followed where not all lanes of a turn live on."""
        return [
            self._followed(*taken, *place) for taken, place in zip(self._taken, self._places, strict=True)
        ]

    def _followed(self, states: IntArray, joint: IntArray, time: int, lane: int, alive: int) -> Seen | None:
        if alive == len(states):
            return None
        seed, round_ = self._address
        drawn = np.array(
            [
                uniforms(seed, Purpose.TRANSITIONS, index, round_, time, len(states), lane)
                for index in range(self._game.transition.draws)
            ]
        ).reshape(-1, len(states))
        return self._seen(self._game.transition.sample(states, joint, drawn))

    def prepare(self) -> None:
        """Draw the random numbers of the next transitions, which depend on nothing that is awaited."""
        self._uniforms.draw()

    def _seen(self, states: IntArray) -> Seen:
        frozen = np.ascontiguousarray(states, dtype=self._world.narrow)
        frozen.flags.writeable = False
        return Seen(frozen)
