"""What a world is to the coordinator: it begins rounds, and a round is a function of its address.

A world says what the agents see; which lanes live, how they are parted and what is learnt from the rewards is
none of its business. Everything random in a round is addressed by (seed, round, time, lane), so that a round
that is replayed, after whatever deaths, is the same again.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from bnpg_protocol.wire.exit_codes import ExitCode
from msgspec import Struct
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.games.game import Game


class Discrete(Struct, frozen=True):
    """What an agent sees is one of finitely many states."""

    values: int


class Box(Struct, frozen=True):
    """What an agent sees are some numbers, float32."""

    width: int
    sizes: tuple[int, ...] = ()
    """Where there are finitely many things to see: number d is an integer in 0..sizes[d]-1."""

    @property
    def values(self) -> int:
        """How many things there are to see; 0 if they cannot be counted."""
        return math.prod(self.sizes) if len(self.sizes) == self.width else 0


Space = Discrete | Box


class Seen(Struct, frozen=True):
    """What the agents see in some lanes at one time. Every array is read-only."""

    of: NDArray[Any] | tuple[NDArray[Any], ...]
    """(n, ..) array that everybody sees; or one an agent, of its own: (n,) int states, or (n, D) float32."""
    legal: tuple[NDArray[np.uint8], ...] = ()
    """(n, A_i) an agent: 1 for the actions it may take, at least one a lane; empty if all always may be."""
    alive: tuple[NDArray[np.uint8], ...] = ()
    """(n,) an agent: 0 where it takes no part, so that its action counts for nothing; empty if all do."""
    state: NDArray[np.float32] | None = None
    """(n, D): the whole state, which the coordinator's critic sees and no agent; None if there is none."""

    def __len__(self) -> int:
        return len(self.of[0] if isinstance(self.of, tuple) else self.of)

    @property
    def shared(self) -> NDArray[Any]:
        """What everybody sees, where that is one thing."""
        assert not isinstance(self.of, tuple), "every agent sees something of its own"
        return self.of

    def by(self, agent: int) -> NDArray[Any]:
        """Return what an agent sees."""
        return self.of[agent] if isinstance(self.of, tuple) else self.of

    def part(self, start: int, stop: int) -> "Seen":
        """Return what is seen in lanes `start` to `stop` of these."""
        lanes = slice(start, stop)
        of = tuple(view[lanes] for view in self.of) if isinstance(self.of, tuple) else self.of[lanes]
        legal, alive = (tuple(array[lanes] for array in each) for each in (self.legal, self.alive))
        return Seen(of, legal, alive, None if self.state is None else self.state[lanes])

    def rows(self, lanes: NDArray[np.intp]) -> "Seen":
        """Return what is seen in some of these lanes, without masks."""
        of = tuple(view[lanes] for view in self.of) if isinstance(self.of, tuple) else self.of[lanes]
        return Seen(of, state=None if self.state is None else self.state[lanes])


class WorldFailed(Exception):
    """A simulator raised, hung, or gave what cannot be used; the text says so, with lane, step and agent.

    Parameters
    ----------
    why : str
        One line.
    hung : bool
        Whether it was given up waiting.
    """

    def __init__(self, why: str, hung: bool = False) -> None:
        super().__init__(why)
        self.hung = hung

    @property
    def code(self) -> ExitCode:
        """With which whoever plays it ends."""
        return ExitCode.DEADLINE if self.hung else ExitCode.WORLD


class Play(Protocol):
    """One round of a world. Replayed, it is the same again to the bit.

    A turn is some neighbouring lanes at one time; turns of the same lanes are taken by time, those of
    different lanes in any order.
    """

    @property
    def first(self) -> Seen:
        """What is seen in all lanes at time 0."""

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn.

        Parameters
        ----------
        time : int
            Steps its lanes have made.
        lane : int
            Its first lane, a multiple of `bnpg_math.chance.streams.BLOCK`.
        seen : Seen
            What was seen in its n lanes.
        actions : sequence of N arrays (n,) int
            In agent order, in range.
        alive : int
            How many of its lanes live on, the first ones; 0 to n.

        Returns
        -------
        Seen or None
            What is seen in those lanes one step later; None if there is none.
        """

    def rewards(self) -> list[FloatArray]:
        """Return the team reward of every lane, (n,) float, turn by turn in the order they were taken."""

    def strata(self) -> list[IntArray]:
        """Return which stratum every lane was in, (n,) int, likewise: within one, all have one baseline."""

    def prepare(self) -> None:
        """Do ahead what depends on no action; nobody can tell, but by the time it takes."""


def arrays_of(seen: Seen, actions: Sequence[int]) -> list[NDArray[Any]]:
    """Return all that is seen as arrays, with masks of ones where none came along.

    Parameters
    ----------
    seen : Seen
    actions : sequence of int
        How many each agent has.

    Returns
    -------
    list
        What is seen, by one or by each; the state, if there is one; then (n, A_i) masks and (n,) who is
        alive, by agent.
    """
    lanes = len(seen)
    of = list(seen.of) if isinstance(seen.of, tuple) else [seen.of]
    of += [] if seen.state is None else [seen.state]
    legal = seen.legal or tuple(np.ones((lanes, many), dtype=np.uint8) for many in actions)
    return [*of, *legal, *(seen.alive or tuple(np.ones(lanes, dtype=np.uint8) for _ in actions))]


class End:
    """How a step left an episode."""

    GOES_ON = 0
    TERMINATED = 1
    """It is over: nothing more could have been gained."""
    TRUNCATED = 2
    """It was cut: had it gone on, more might have been gained."""


@runtime_checkable
class EpisodicPlay(Play, Protocol):
    """A round in which episodes end by themselves, and the next one of a lane begins at once.

    All lanes make all steps of such a round. No episode crosses its end.
    """

    def ends(self) -> list[NDArray[np.uint8]]:
        """Return what every step did to the episode of every lane, (n,) of `End`, as `rewards` does."""


@runtime_checkable
class FollowedPlay(Play, Protocol):
    """A round that also says what came after a step that was the last one of a lane: what a critic asks."""

    def following(self) -> list[Seen | None]:
        """Return what would have been seen after every turn, in the same episodes, as `rewards` does.

        None where all lanes of the turn live on and no episode was truncated. Only lanes that do not live on,
        or whose episode was truncated, hold anything; masks are left out.
        """


class World(Protocol):
    """What a team acts in: an immutable value.

    `bnpg.conformance.check_world` says whether something is one.
    """

    @property
    def actions(self) -> tuple[int, ...]:
        """How many actions each agent has."""

    @property
    def spaces(self) -> tuple[Space, ...]:
        """What each agent sees."""

    @property
    def gamma(self) -> float:
        """Discount, in [0, 1)."""

    @property
    def strata(self) -> int:
        """Number of strata of the baseline, at least 1."""

    @property
    def model(self) -> Game | None:
        """The game it is played from; without one there is no exact mode and no exact measurement."""

    def begin(self, seed: int, round_: int, lanes: int) -> Play:
        """Return a round at its beginning: the same arguments, the same round."""
