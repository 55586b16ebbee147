"""A world whose agents see states: the numbers of a simulator, read as an index each.

That is what a table needs. Where the numbers of a space are digits, the index is the number that they write;
anything else takes an encoder.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.environments.foreign import OURS, described
from bnpg_coordinator.worlds.interface import (
    Box,
    Discrete,
    EpisodicPlay,
    Play,
    Seen,
    Space,
    World,
    WorldFailed,
)
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.errors import InputError

Encode = Callable[[NDArray[Any]], NDArray[Any]]
"""From what an agent sees in n lanes, (n, D), to its states, (n,) whole numbers."""
LARGEST_SPACE = 1 << 24
"""Most states of an agent: a table has a row each."""


class IndexedWorld:
    """A world, seen by every agent as one of finitely many states.

    Parameters
    ----------
    world : World
    encoders : sequence of N (states, callable)
        How many states an agent has, and which one it is in. Agents that share an encoder and what they see
        share their states too.
    """

    def __init__(self, world: World, encoders: Sequence[tuple[int, Encode]]) -> None:
        self.world = world
        self.encoders = tuple(encoders)
        self.actions = world.actions
        self.spaces: tuple[Space, ...] = tuple(Discrete(states) for states, _ in encoders)
        self.gamma = world.gamma
        self.strata = world.strata
        self.model = world.model

    def begin(self, seed: int, round_: int, lanes: int) -> "IndexedPlay":
        """Return a round of the world."""
        play = self.world.begin(seed, round_, lanes)
        kind = IndexedEpisodicPlay if isinstance(play, EpisodicPlay) else IndexedPlay
        return kind(self, play)


class IndexedPlay:
    """One round of it."""

    def __init__(self, world: IndexedWorld, play: Play) -> None:
        self._world = world
        self._play = play
        self.first = self._indexed(play.first, 0, 0)

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn; return the states that follow."""
        following = self._play.step(time, lane, seen, actions, alive)
        return None if following is None else self._indexed(following, time + 1, lane)

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards, turn by turn."""
        return self._play.rewards()

    def strata(self) -> list[IntArray]:
        """Return the strata of the baseline, turn by turn."""
        return self._play.strata()

    def prepare(self) -> None:
        """Do ahead what depends on no action."""
        self._play.prepare()

    def _indexed(self, seen: Seen, time: int, lane: int) -> Seen:
        read: dict[tuple[int, int], NDArray[Any]] = {}
        of = []
        for agent, (states, encode) in enumerate(self._world.encoders):
            numbers = seen.by(agent)
            known = (id(numbers), id(encode))
            if known not in read:
                read[known] = self._read(numbers, states, encode, (agent, lane, time))
            of.append(read[known])
        shared = len(read) == 1
        return Seen(of[0] if shared else tuple(of), seen.legal, seen.alive)

    @staticmethod
    def _read(
        numbers: NDArray[Any], states: int, encode: Encode, where: tuple[int, int, int]
    ) -> NDArray[Any]:
        index = encode(numbers)
        # Reduced by the ufuncs themselves: the methods of arrays cost twice as much at a thousand lanes.
        if not (np.minimum.reduce(index) >= 0 and np.maximum.reduce(index) < states):
            agent, lane, time = where
            first = int((~((index >= 0) & (index < states))).argmax())
            raise WorldFailed(
                f"lane {lane + first}, step {time}, agent {agent}: the state must be in 0..{states - 1}, "
                f"got {index[first]:g}"
            )
        narrow: NDArray[Any] = index.astype(np.min_scalar_type(max(states - 1, 1)))
        narrow.flags.writeable = False
        return narrow


class IndexedEpisodicPlay(IndexedPlay):
    """One round with episodes that end by themselves."""

    def ends(self) -> list[NDArray[np.uint8]]:
        """Return what every step did to the episodes, turn by turn."""
        assert isinstance(self._play, EpisodicPlay)
        return self._play.ends()


def indexed(world: World, encoder: Callable[[NDArray[np.float32]], Any] | None = None) -> World:
    """Return a world in which every agent sees states.

    Parameters
    ----------
    world : World
    encoder : callable, optional
        Returns an index for the observation (D,) of one agent in one lane; its attribute `states` says how
        many there are. Without one, every space must be finite.

    Raises
    ------
    InputError
        If that cannot be done; the text says what would help.
    """
    if all(isinstance(space, Discrete) for space in world.spaces):
        return world
    if encoder is not None:
        states = getattr(encoder, "states", None)
        if not isinstance(states, int) or isinstance(states, bool) or states < 1:
            raise InputError(
                f"the encoder must have an attribute states, the number of its indices, got {states!r:.80}"
            )
        _check_states(states, "the encoder has")
        return IndexedWorld(world, ((states, _each(encoder)),) * len(world.actions))
    known: dict[Space, tuple[int, Encode]] = {}
    for agent, space in enumerate(world.spaces):
        if isinstance(space, Discrete):
            known[space] = (space.values, np.asarray)
        elif not space.values:
            raise InputError(
                f"a table needs finitely many things to see, but agent {agent} sees {space.width} numbers "
                "that may be any: give an encoder, or a network as policy"
            )
        elif space not in known:
            _check_states(space.values, f"agent {agent} may see")
            known[space] = (space.values, _digits(space))
    return IndexedWorld(world, [known[space] for space in world.spaces])


def _check_states(states: int, who: str) -> None:
    if states > LARGEST_SPACE:
        raise InputError(
            f"a table has a row for each of at most {LARGEST_SPACE} states, but {who} {states:.6g}: give an "
            "encoder, or a network as policy"
        )


def _digits(space: Box) -> Encode:
    """Return what reads numbers as digits, the first one the most significant.

    In float32 every sum is exact: no state is beyond `LARGEST_SPACE`, which is 2^24.
    """
    places = np.ones(space.width, dtype=np.float32)
    for digit in range(space.width - 2, -1, -1):
        places[digit] = places[digit + 1] * space.sizes[digit + 1]

    def read(numbers: NDArray[Any]) -> NDArray[Any]:
        index: NDArray[Any] = numbers[:, 0] if len(places) == 1 else numbers @ places
        return index

    return read


def _each(encoder: Callable[[NDArray[np.float32]], Any]) -> Encode:
    """Return what asks an encoder for one observation after the other."""

    def read(numbers: NDArray[Any]) -> IntArray:
        try:
            found = [encoder(number) for number in numbers]
            index = np.array([int(state) for state in found], dtype=np.int64)
        except OURS:
            raise
        except BaseException as error:  # whatever a person's own function may raise
            raise WorldFailed(f"the encoder failed: {described(error)}") from error
        if any(state != whole for state, whole in zip(found, index, strict=True)):
            raise WorldFailed("the encoder must return integers")
        return index

    return read
