"""What the agents of an environment see in the lanes of a turn, put into arrays as it comes."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.environments.foreign import Unusable
from bnpg_coordinator.environments.observation import Reader, whole
from bnpg_coordinator.worlds.interface import Box, Seen

WHOLE = frozenset({int, bool, np.bool_, *(np.dtype(code).type for code in np.typecodes["AllInteger"])})
"""Types whose values are whole numbers, and never change: they may be looked at later."""


class Senses(Protocol):
    """What agents can see and do in an environment, as far as it is needed to take down what they see."""

    agents: list[Any]
    actions: tuple[int, ...]
    spaces: tuple[Box, ...]
    readers: list[Reader]
    state: Reader | None
    sizes: list[NDArray[np.float32] | None]


class Views:
    """What all agents see in the lanes of a turn, while it is being filled in."""

    def __init__(self, world: Senses, lanes: int) -> None:
        self._world = world
        self._lanes = lanes
        self.of = tuple(np.zeros((lanes, space.width), dtype=np.float32) for space in world.spaces)
        self.shaped = [
            of if reader.shape is None else of.reshape(lanes, *reader.shape)
            for reader, of in zip(world.readers, self.of, strict=True)
        ]
        """The same, where arrays are put as they are."""
        self.numbers = [None if reader.start is None else [reader.start] * lanes for reader in world.readers]
        """Whole numbers, until all are there: an array of them at once costs less than many of one."""
        width = None if world.state is None else world.state.box.width
        self.state = None if width is None else np.zeros((lanes, width), dtype=np.float32)
        self._legal: tuple[NDArray[np.uint8], ...] = ()
        self._alive: tuple[NDArray[np.uint8], ...] = ()

    def write(self, agent: int, k: int, sees: Any) -> None:
        """Take down what an agent sees in a lane.

        Raises
        ------
        ValueError
            If it has not the form of its space.
        """
        numbers = self.numbers[agent]
        if numbers is None:
            self._world.readers[agent].write(sees, self.of[agent][k])
        else:
            numbers[k] = whole(sees)

    def settle(self) -> None:
        """Put the whole numbers that were taken down into their arrays."""
        for sense, numbers, of in zip(self._world.readers, self.numbers, self.of, strict=True):
            if numbers is not None:
                assert sense.start is not None
                of[:, 0] = _integers(numbers) - sense.start

    def allowed(self, agent: int) -> bool:
        """Whether all that an agent sees is what its space allows, as far as that is quickly seen."""
        of, sizes = self.of[agent], self._world.sizes[agent]
        if sizes is None:
            return bool(np.isfinite(of).all())
        if self.numbers[agent] is None or not of.size:
            return not of.size
        return bool(np.minimum.reduce(of[:, 0]) >= 0 and np.maximum.reduce(of[:, 0]) < sizes[0])

    def mask(self, agent: int, k: int, allowed: Any) -> None:
        """Take down which actions an agent may take in a lane."""
        if not self._legal:
            self._legal = tuple(np.ones((self._lanes, many), dtype=np.uint8) for many in self._world.actions)
        mask = np.asarray(allowed)
        row = self._legal[agent][k]
        if mask.shape != row.shape:
            raise Unusable(f"the mask must have shape {row.shape}, got {mask.shape}")
        if mask.dtype.kind not in "biu" and not (mask.dtype.kind == "f" and np.isfinite(mask).all()):
            raise Unusable(f"the mask must hold finite numbers, got {mask.tolist()!r:.60}")
        row[:] = mask != 0
        if not row.any():
            # Nothing to choose, as for who is not at the move: whatever it does counts for nothing.
            row[:] = 1
            self._taking_part()[agent][k] = 0

    def bury(self, k: int, living: list[int]) -> None:
        """Take down who takes no part in a lane any more."""
        for agent, takes_part in enumerate(self._taking_part()):
            if agent not in living:
                takes_part[k] = 0

    def _taking_part(self) -> tuple[NDArray[np.uint8], ...]:
        if not self._alive:
            self._alive = tuple(np.ones(self._lanes, dtype=np.uint8) for _ in self._world.agents)
        return self._alive

    def seen(self) -> Seen:
        """Return it, read-only."""
        state = () if self.state is None else (self.state,)
        arrays: list[NDArray[Any]] = [*self.of, *self._legal, *self._alive, *state]
        for array in arrays:
            array.flags.writeable = False
        return Seen(self.of, self._legal, self._alive, self.state)


_BEYOND = 1 << 62


def _integers(numbers: list[int]) -> NDArray[np.int64]:
    """Return whole numbers as an array; those that no array holds become such as no space allows."""
    try:
        return np.array(numbers, dtype=np.int64)
    except OverflowError:
        within = [max(-_BEYOND, min(int(number), _BEYOND)) for number in numbers]
        return np.array(within, dtype=np.int64)
