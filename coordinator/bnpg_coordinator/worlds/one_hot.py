"""A world whose agents see numbers as a network takes them: what is counted becomes one-hot.

That one of five goals is number 3 says nothing of its being between 2 and 4. So a number of a space with 3 to
`MOST` values becomes as many numbers of which one is 1; one of two values is 0 or 1 already; every other
number stays as it is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import Box, EpisodicPlay, FollowedPlay, Play, Seen, Space, World
from bnpg_math.arrays import FloatArray, IntArray

MOST = 64
"""Values of a number up to which it becomes one-hot."""


class OneHotWorld:
    """A world of numbers, of which some are one-hot.

    Parameters
    ----------
    world : World
        With at least one space that changes.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.actions = world.actions
        self.spaces: tuple[Space, ...] = tuple(_wider(space) for space in world.spaces)
        self.gamma = world.gamma
        self.strata = world.strata
        self.model = world.model

    def begin(self, seed: int, round_: int, lanes: int) -> "OneHotPlay":
        """Return a round of the world."""
        play = self.world.begin(seed, round_, lanes)
        kind = OneHotEpisodicPlay if isinstance(play, EpisodicPlay) else OneHotPlay
        return kind(self.world.spaces, play)


class OneHotPlay:
    """One round of it."""

    def __init__(self, spaces: Sequence[Space], play: Play) -> None:
        self._spaces = spaces
        self._play = play
        self.first = self._widened(play.first)

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn; return what is seen then."""
        following = self._play.step(time, lane, seen, actions, alive)
        return None if following is None else self._widened(following)

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards, turn by turn."""
        return self._play.rewards()

    def strata(self) -> list[IntArray]:
        """Return the strata of the baseline, turn by turn."""
        return self._play.strata()

    def following(self) -> list[Seen | None]:
        """Return what would have been seen after the last steps, turn by turn."""
        assert isinstance(self._play, FollowedPlay), "checked before the run"
        return [None if seen is None else self._widened(seen) for seen in self._play.following()]

    def prepare(self) -> None:
        """Do ahead what depends on no action."""
        self._play.prepare()

    def _widened(self, seen: Seen) -> Seen:
        if not isinstance(seen.of, tuple):
            return Seen(_one_hot(seen.of, self._spaces[0]), seen.legal, seen.alive, seen.state)
        of = tuple(_one_hot(view, space) for view, space in zip(seen.of, self._spaces, strict=True))
        return Seen(of, seen.legal, seen.alive, seen.state)


class OneHotEpisodicPlay(OneHotPlay):
    """One round with episodes that end by themselves."""

    def ends(self) -> list[NDArray[np.uint8]]:
        """Return what every step did to the episodes, turn by turn."""
        assert isinstance(self._play, EpisodicPlay)
        return self._play.ends()


def one_hot(world: World) -> World:
    """Return a world as networks see it: the same one, if nothing in it becomes one-hot."""
    return OneHotWorld(world) if any(_wider(space) != space for space in world.spaces) else world


def _places(space: Space) -> list[int]:
    """Return how many numbers each number becomes; empty if all stay as they are."""
    if not isinstance(space, Box) or len(space.sizes) != space.width:
        return []
    places = [size if 3 <= size <= MOST else 1 for size in space.sizes]
    return places if any(many > 1 for many in places) else []


def _wider(space: Space) -> Space:
    places = _places(space)
    return Box(sum(places)) if places else space


def _one_hot(numbers: NDArray[Any], space: Space) -> NDArray[Any]:
    places = _places(space)
    if not places:
        return numbers
    rows = np.zeros((len(numbers), sum(places)), dtype=np.float32)
    lane, start = np.arange(len(numbers)), 0
    for column, many in enumerate(places):
        if many > 1:
            rows[lane, start + numbers[:, column].astype(np.intp)] = 1.0
        else:
            rows[:, start] = numbers[:, column]
        start += many
    rows.flags.writeable = False
    return rows
