"""The lanes of a sampled round: which live, how they are parted into turns, and in which order turns go.

A part of the lanes taking one step is a *turn*. Turns are numbered through a round, by time and then by part:
while the agents choose actions in one turn, the world and the messages of another are under way. The lanes
alive at a time are a prefix, so a lane never changes its place.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from msgspec import Struct

from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.worlds.interface import Play, Seen
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.streams import BLOCK
from bnpg_math.networks.tiles import TILE

Number = TypeVar("Number", FloatArray, IntArray)


class Turn(Struct, frozen=True):
    """One part of the lanes at one time."""

    time: int
    """Steps its lanes have made."""
    lane: int
    """Its first lane."""
    seen: Seen
    """What is seen in its living lanes."""


class Episodes:
    """One round. Turns are announced and taken in their order.

    The next turn of a part is there as soon as the last one was taken.

    Parameters
    ----------
    play : Play
        The round of the world.
    lengths : (B,) int
        Steps of every lane, descending.
    width : int
        Lanes of a part.
    """

    def __init__(self, play: Play, lengths: IntArray, width: int) -> None:
        self.play = play
        self._steps = int(lengths[0])
        self._alive = np.searchsorted(-lengths, -np.arange(self._steps), side="left").tolist()
        """How many lanes live at each time."""
        first = play.first
        starts = range(0, len(first), width)
        self.turns = [Turn(0, lane, first.part(lane, lane + width)) for lane in starts]
        """All turns so far whose states are known."""
        self.taken = 0
        """Number of turns whose actions were taken; the number of the turn that is to be taken next."""

    @property
    def done(self) -> bool:
        """Whether every episode has ended."""
        return self.taken == len(self.turns)

    def advance(self, actions: Sequence[IntArray]) -> Turn | None:
        """Take the joint actions of the next turn, in agent order; return the one that follows for its lanes.

        It is the last of `turns`; None if no lane of the part lives on.
        """
        turn = self.turns[self.taken]
        self.taken += 1
        time = turn.time + 1
        alive = max(0, self._alive[time] - turn.lane) if time < self._steps else 0
        alive = min(alive, len(turn.seen))
        seen = self.play.step(turn.time, turn.lane, turn.seen, actions, alive)
        if seen is None:
            return None
        self.turns.append(Turn(time, turn.lane, seen))
        return self.turns[-1]

    def prepare(self) -> None:
        """Do ahead what depends on no answer."""
        self.play.prepare()

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards by time, (n_t,) float each."""
        return self.by_time(self.play.rewards())

    def strata(self) -> list[IntArray]:
        """Return the strata of the baseline by time, (n_t,) int each."""
        return self.by_time(self.play.strata())

    def by_time(self, arrays: "Sequence[Number]") -> "list[Number]":
        """Join what belongs to the turns of one time."""
        steps: list[list[Number]] = [[] for _ in range(self._steps)]
        for turn, array in zip(self.turns, arrays, strict=True):
            steps[turn.time].append(array)
        return [parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in steps]


def parts_of(experiment: Experiment) -> int:
    """Return how many parts the lanes are stepped in: no more than wished, and none of them empty."""
    return -(-experiment.lanes // width_of(experiment))


def width_of(experiment: Experiment) -> int:
    """Return the lanes of a part.

    They are whole blocks of the random stream, so that no number is drawn twice; where networks play, whole
    tiles of their rows, so that each lane keeps its place in a tile.
    """
    block = TILE if experiment.kind.is_network else BLOCK
    return -(-experiment.lanes // (experiment.parts * block)) * block
