"""A short keyed play of a world, and whether it comes out the same again.

The digest of what is seen and paid is kept with a run and compared when it goes on, so that an environment
that was changed meanwhile, or plays differently on another host, is found out before it spoils a result.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import EpisodicPlay, Seen, World, arrays_of
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.streams import BLOCK, Purpose, generator, uniforms

LANES, STEPS = 2 * BLOCK, 25
"""Together 200 steps."""
ROUNDS = 20
"""Short rounds that are played in two orders, so that every episode follows another one than before."""


class Played:
    """What came of a probe: what was seen, rewards and ends, by time and first lane.

    Parameters
    ----------
    actions : sequence of int
        How many each agent has.
    """

    def __init__(self, actions: Sequence[int]) -> None:
        self.actions = tuple(actions)
        self.seen: dict[tuple[int, int], list[NDArray[Any]]] = {}
        self.rewards: dict[tuple[int, int], FloatArray] = {}
        self.ends: dict[tuple[int, int], NDArray[np.uint8]] = {}

    @property
    def digest(self) -> str:
        """Digest of all of it."""
        hashed = hashlib.sha256()
        for where in sorted(self.seen):
            hashed.update(repr(where).encode())
            arrays: list[NDArray[Any]] = [*self.seen[where], self.rewards[where], self.ends[where]]
            for array in arrays:
                hashed.update(str(array.dtype).encode() + np.ascontiguousarray(array).tobytes())
        return hashed.hexdigest()[:32]

    def difference(self, other: "Played") -> str:
        """Say where two plays differ first; empty if they do not."""
        for where in sorted(self.seen):
            time, lane = where
            pairs = zip(self.seen[where], other.seen[where], strict=True)
            for number, (first, second) in enumerate(pairs):
                if not np.array_equal(first, second):
                    kind = self._kind(number, len(self.seen[where]))
                    return f"what is seen ({kind}) at {_place(first, second, lane, time)}"
            if not np.array_equal(self.rewards[where], other.rewards[where]):
                return f"the reward at {_place(self.rewards[where], other.rewards[where], lane, time)}"
            if not np.array_equal(self.ends[where], other.ends[where]):
                return f"the end of an episode at {_place(self.ends[where], other.ends[where], lane, time)}"
        return ""

    def together(self, width: int) -> "Played":
        """Return a play of `width` lanes after the others as if it had been played at once."""
        joined = Played(self.actions)
        for time in sorted({time for time, _ in self.seen}):
            parts = [(time, lane) for lane in range(0, LANES, width)]
            columns = zip(*(self.seen[where] for where in parts), strict=True)
            joined.seen[time, 0] = [np.concatenate(column) for column in columns]
            joined.rewards[time, 0] = np.concatenate([self.rewards[where] for where in parts])
            joined.ends[time, 0] = np.concatenate([self.ends[where] for where in parts])
        return joined

    def _kind(self, number: int, arrays: int) -> str:
        agents = len(self.actions)
        of = arrays - 2 * agents
        if number < of:
            if number == agents:
                return "state()"
            return f"by agent {number}" if of > 1 else "by everybody"
        return f"action masks of agent {number - of}" if number < of + agents else "who is alive"


def _place(first: NDArray[Any], second: NDArray[Any], lane: int, time: int) -> str:
    if first.shape != second.shape:
        return f"lane {lane}, step {time}"
    differs = np.asarray(first != second).reshape(len(first), -1).any(axis=1)
    return f"lane {lane + int(differs.argmax())}, step {time}"


def play(world: World, seed: int, round_: int = 0, width: int = LANES, steps: int = STEPS) -> Played:
    """Play some lanes with keyed random actions that are allowed.

    Parameters
    ----------
    world : World
    seed, round_ : int
        Address of the round.
    width : int
        Lanes that are stepped together; the others follow when these are through.
    steps : int

    Raises
    ------
    WorldFailed
        If the world raises, hangs, or gives what cannot be used.
    """
    played = Played(world.actions)
    begun = world.begin(seed, round_, LANES)
    order: list[tuple[int, int]] = []
    for lane in range(0, LANES, width):
        seen: Seen | None = begun.first.part(lane, lane + width)
        for time in range(steps):
            assert seen is not None
            played.seen[time, lane] = arrays_of(seen, world.actions)
            order.append((time, lane))
            actions = keyed_actions(world.actions, seen, seed, time, lane)
            seen = begun.step(time, lane, seen, actions, len(seen) if time + 1 < steps else 0)
    ends = begun.ends() if isinstance(begun, EpisodicPlay) else [np.zeros(width, np.uint8)] * len(order)
    for where, rewards, end in zip(order, begun.rewards(), ends, strict=True):
        played.rewards[where], played.ends[where] = rewards, end
    return played if width == LANES else played.together(width)


def keyed_actions(actions: tuple[int, ...], seen: Seen, seed: int, time: int, lane: int) -> list[IntArray]:
    """Return actions that are allowed, drawn by agent, step and lane."""
    chosen: list[IntArray] = []
    for agent, many in enumerate(actions):
        drawn = uniforms(seed, Purpose.EVALUATION, 1 + agent, 0, time, len(seen), lane)
        if not seen.legal:
            chosen.append((drawn * many).astype(np.uint16))
            continue
        legal = seen.legal[agent].astype(np.int64)
        wanted = (drawn * legal.sum(axis=1)).astype(np.int64)
        chosen.append((legal.cumsum(axis=1) > wanted[:, None]).argmax(axis=1).astype(np.uint16))
    return chosen


def carried_over(again: Callable[[], World], seed: int) -> list[str]:
    """Return in which ways a world does not play the same again; empty if it does.

    It is played in other instances, twice in the same instances with other episodes between, and with its
    lanes one part after the other. Where other instances differ, the others say no more.

    Raises
    ------
    WorldFailed
    """
    world = again()
    first = play(world, seed)
    fresh = play(again(), seed).difference(first)
    if fresh:
        return [f"played with the same seed in other instances, it differs in {fresh}"]
    found = []
    play(world, seed, round_=1)
    other = play(world, seed).difference(first)
    if other:
        found.append(f"played again after other episodes, it differs in {other}")
    found += _by_order(world, again(), seed) if not found else []
    parts = play(again(), seed, width=BLOCK).difference(first)
    if parts:
        found.append(f"with some lanes played after the others, it differs in {parts}")
    return found


def _by_order(world: World, other: World, seed: int) -> list[str]:
    rounds = range(2, 2 + ROUNDS)
    forth = {round_: play(world, seed, round_, steps=2) for round_ in rounds}
    back = {round_: play(other, seed, round_, steps=2) for round_ in reversed(rounds)}
    for round_ in rounds:
        differs = back[round_].difference(forth[round_])
        if differs:
            return [f"played again after other episodes, it differs in {differs}"]
    return []


def probe_seed(seed: int) -> int:
    """Return the seed of the probe of an experiment with this seed: other episodes than it plays."""
    return int(generator(seed, Purpose.EVALUATION).integers(2**63))
