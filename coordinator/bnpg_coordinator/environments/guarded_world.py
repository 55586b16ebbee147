"""A person's own World behind a guard: what it raises, or where it hangs, is told as its own failure."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.environments.foreign import Unusable
from bnpg_coordinator.environments.guard import guarded
from bnpg_coordinator.environments.world import MOST_ACTIONS
from bnpg_coordinator.worlds.interface import (
    Box,
    Discrete,
    EpisodicPlay,
    FollowedPlay,
    Play,
    Seen,
    Space,
    World,
    WorldFailed,
)
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game

T = TypeVar("T")
MEMBERS = ("actions", "spaces", "gamma", "strata", "begin")
"""By which a World is told from an environment."""


def is_world(made: Any) -> bool:
    """Whether something is a World, and not an environment."""
    return all(hasattr(made, name) for name in MEMBERS)


def guarded_world(world: World, name: str, patience: float) -> World:
    """Return a World behind a guard; the same one, if its class says that it is `guarded` already.

    Raises
    ------
    InputError
        If it does not say what a World says.
    """
    return world if vars(type(world)).get("guarded") is True else GuardedWorld(world, name, patience)


class GuardedWorld:
    """A World of which every call ends in time, with what can be used or with `WorldFailed`.

    Parameters
    ----------
    world : World
    name : str
        What it is called in messages.
    patience : float
        Seconds after which it counts as hung.

    Raises
    ------
    InputError
        If it does not say what a World says.
    """

    guarded = True  # what raises in it is a WorldFailed already

    def __init__(self, world: World, name: str, patience: float) -> None:
        if not is_world(world):
            raise InputError(f"{name} must give a World, as it did before, got {type(world).__name__}")
        self.world = world
        self.patience = patience
        self.actions = _actions(world.actions, name)
        self.spaces = _spaces(world.spaces, len(self.actions), name)
        self.gamma = _gamma(world.gamma, name)
        self.strata = _strata(world.strata, name)
        self.model = _model(getattr(world, "model", None), name)

    @property
    def rewards_differ(self) -> bool:
        """Whether agents were seen to get different rewards."""
        return bool(getattr(self.world, "rewards_differ", False))

    def begin(self, seed: int, round_: int, lanes: int) -> "GuardedPlay":
        """Return a round of the world."""

        def begin() -> GuardedPlay:
            play: Play | None = self.world.begin(seed, round_, lanes)
            if play is None:
                raise Unusable("begin() must return a Play, got None")
            kind = KINDS[isinstance(play, EpisodicPlay), isinstance(play, FollowedPlay)]
            return kind(play, self.patience, lanes)

        return guarded(begin, self.patience, lambda: _place(0, lanes, 0))

    def close(self) -> None:
        """Let go of whatever the world holds."""
        close = getattr(self.world, "close", None)
        if close is not None:
            guarded(close, self.patience, lambda: "close()")


class GuardedPlay:
    """One round of it."""

    def __init__(self, play: Play, patience: float, lanes: int) -> None:
        self._play: Any = play
        self._patience = patience
        self._lanes = lanes
        self._time = 0
        """Steps that some lane has made."""
        self._turns: list[tuple[int, int, int]] = []
        """First lane, lanes and time of the turns taken."""
        self._checked = 0
        """Turns whose rewards were looked at: some ask after every step."""
        self._failed: WorldFailed | None = None
        """How it failed where nobody waits for it; whoever asks next is told."""
        self.first = _seen(play.first, lanes, "begin() must return a round whose first is")

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn; return what is seen then."""

        def step() -> Seen | None:
            following = self._play.step(time, lane, seen, actions, alive)
            return _seen(following, alive, "step() must return") if alive else following

        self._time = max(self._time, time + 1)
        self._turns.append((lane, len(seen), time))
        return self._guarded(step, lambda: _place(lane, len(seen), time))

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards, turn by turn."""
        rewards = self._all("rewards")
        for turn in range(self._checked, len(rewards)):
            _check_paid(rewards[turn], *self._turns[turn])
        self._checked = len(rewards)
        return rewards

    def strata(self) -> list[IntArray]:
        """Return the strata of the baseline, turn by turn."""
        return self._all("strata")

    def prepare(self) -> None:
        """Do ahead what depends on no action."""

        def prepare() -> None:
            self._play.prepare()

        try:
            self._guarded(prepare, lambda: f"{_place(0, self._lanes, self._time)}, prepare()")
        except WorldFailed as error:
            self._failed = error

    def _all(self, what: str) -> list[Any]:
        """Return what a round says of every turn."""

        def answer() -> list[Any]:
            found: list[Any] = getattr(self._play, what)()
            if len(found) != len(self._turns):
                raise Unusable(f"there must be one for each of {len(self._turns)} turns, got {len(found)}")
            return found

        return self._guarded(answer, lambda: f"{_place(0, self._lanes, self._time)}, {what}()")

    def _guarded(self, call: Callable[[], T], where: Callable[[], str]) -> T:
        if self._failed is not None:
            raise self._failed
        return guarded(call, self._patience, where)


class GuardedEpisodicPlay(GuardedPlay):
    """One round with episodes that end by themselves."""

    def ends(self) -> list[NDArray[np.uint8]]:
        """Return what every step did to the episodes, turn by turn."""
        return self._all("ends")


class GuardedFollowedPlay(GuardedPlay):
    """One round that says what came after the last steps."""

    def following(self) -> list[Seen | None]:
        """Return what would have been seen after the last steps, turn by turn."""
        return self._all("following")


class GuardedEpisodicFollowedPlay(GuardedEpisodicPlay, GuardedFollowedPlay):
    """One round that says both."""


KINDS: dict[tuple[bool, bool], type[GuardedPlay]] = {
    (False, False): GuardedPlay,
    (True, False): GuardedEpisodicPlay,
    (False, True): GuardedFollowedPlay,
    (True, True): GuardedEpisodicFollowedPlay,
}
"""By whether a round is an `EpisodicPlay`, and whether it is a `FollowedPlay`."""


def _place(lane: int, lanes: int, time: int) -> str:
    return f"lane {lane}, step {time}" if lanes == 1 else f"lanes {lane} to {lane + lanes - 1}, step {time}"


def _seen(given: Any, lanes: int, who: str) -> Seen:
    if not isinstance(given, Seen):
        raise Unusable(f"{who} a Seen of {lanes} lanes, got {given!r:.80}")
    if len(given) != lanes:
        raise Unusable(f"{who} a Seen of {lanes} lanes, got {len(given)}")
    return given


def _check_paid(paid: Any, lane: int, lanes: int, time: int) -> None:
    """Refuse rewards that are not a finite number for each lane of a turn."""
    if np.shape(paid) != (lanes,) or paid.dtype.kind not in "fiub":
        what = f"an array of {lanes} numbers, got {paid!r:.80}"
        raise WorldFailed(f"{_place(lane, lanes, time)}: the rewards must be {what}")
    if not np.isfinite(paid).all():
        first = int((~np.isfinite(paid)).argmax())
        raise WorldFailed(f"{_place(lane + first, 1, time)}: the reward must be finite, got {paid[first]:g}")


def _actions(given: Any, name: str) -> tuple[int, ...]:
    try:
        actions = tuple(operator.index(many) for many in given)
    except TypeError:
        actions = ()
    if not actions or not all(1 <= many <= MOST_ACTIONS for many in actions):
        raise InputError(
            f"{name}: actions of a World must be a count in 1..{MOST_ACTIONS} for each agent, "
            f"got {given!r:.80}"
        )
    return actions


def _spaces(given: Any, agents: int, name: str) -> tuple[Space, ...]:
    if (
        not isinstance(given, Sequence)
        or len(given) != agents
        or not all(isinstance(space, Discrete | Box) for space in given)
    ):
        raise InputError(
            f"{name}: spaces of a World must be a Discrete or a Box for each of {agents} agents, "
            f"got {given!r:.80}"
        )
    return tuple(given)


def _gamma(given: Any, name: str) -> float:
    real = isinstance(given, int | float | np.floating)
    if not real or not 0.0 <= given <= 1.0:
        raise InputError(f"{name}: gamma of a World must be a number in [0, 1], got {given!r:.80}")
    gamma: float = given
    return gamma


def _strata(given: Any, name: str) -> int:
    try:
        strata = operator.index(given)
    except TypeError:
        strata = 0
    if strata < 1:
        raise InputError(f"{name}: strata of a World must be an integer of at least 1, got {given!r:.80}")
    return strata


def _model(given: Any, name: str) -> Game | None:
    if given is not None and not isinstance(given, Game):
        raise InputError(f"{name}: model of a World must be a Game, or None, got {given!r:.80}")
    return given
