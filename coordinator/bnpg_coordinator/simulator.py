"""The simulator of an experiment, where it names one instead of a game: opened, identified, found sound."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bnpg_coordinator.environments.opening import (
    Opened,
    Playing,
    is_simulator,
    load_encoder,
    open_object,
    open_world,
    parse_arguments,
)
from bnpg_coordinator.environments.probe import carried_over, play, probe_seed
from bnpg_coordinator.environments.versions import versions
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.worlds.indexed import indexed
from bnpg_coordinator.worlds.interface import Box, Space, World, WorldFailed
from bnpg_coordinator.worlds.one_hot import one_hot
from bnpg_math.errors import InputError

PATIENCE = 120.0
AT_HAND = "object:"
"""How an experiment names what a program has handed over and nobody can find by a name."""


class SimulatorIdentity(Struct, frozen=True):
    """What a run keeps of its simulator, so that who cannot open it knows it too, and a change is noticed."""

    name: str
    actions: tuple[int, ...]
    states: tuple[int, ...]
    """What each agent may see; 0 if that cannot be counted."""
    versions: dict[str, str]
    """Of the packages that it is made of."""
    folder: str
    """Where modules of a person's own were looked for: an absolute path."""

    def __post_init__(self) -> None:
        # A relative one would let a run folder bring a module of its own along.
        if not Path(self.folder).is_absolute():
            raise ValueError(f"folder must be an absolute path, got {self.folder!r:.80}")
        if len(self.states) != len(self.actions):
            raise ValueError(f"states must be {len(self.actions)}, one an agent, got {self.states!r:.80}")

    @property
    def digest(self) -> str:
        """Digest of all that decides what it plays."""
        content = [self.name, self.actions, self.states, self.versions]
        return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


@dataclass(frozen=True)
class OpenedSimulator:
    """A simulator that is open.

    Parameters
    ----------
    world : World
        As the agents' policies see it.
    identity : SimulatorIdentity
    seed : int
        Of the experiment.
    again : callable
        Opens it once more, with other instances.
    unread : World
        As it is, with its numbers.
    make : callable or None
        Makes another of its environments as they come, if it has any.
    """

    world: World
    identity: SimulatorIdentity
    seed: int
    again: Callable[[], World]
    unread: World
    make: Callable[[], Any] | None = None

    @property
    def name(self) -> str:
        """What it is, with all that was passed on to it."""
        return self.identity.name

    @property
    def rewards_differ(self) -> bool:
        """Whether agents were seen to get different rewards in its probe."""
        _ = self.probe
        return bool(getattr(self.unread, "rewards_differ", False))

    @property
    def probe(self) -> str | None:
        """Digest of a keyed play; None if it fails, which the run will meet too."""
        return None if isinstance(self.probed, WorldFailed) else self.probed

    @cached_property
    def probed(self) -> str | WorldFailed:
        """Digest of a keyed play, or how it failed."""
        try:
            return play(self.world, probe_seed(self.seed)).digest
        except WorldFailed as error:
            return error

    def check(self) -> None:
        """Refuse a simulator that does not play the same again.

        One that raises or hangs is let pass: there the run ends, and is resumed when it is mended.

        Raises
        ------
        InputError
            One line, with what differs.
        """
        if self.probe is None:
            return
        try:
            found = carried_over(self.again, probe_seed(self.seed))
        except WorldFailed:
            return
        if found:
            hint = "" if "in other instances" in found[0] else "; if only that, --instances fresh helps"
            raise InputError(f"{self.name} is not a function of its seed: {found[0]}{hint}")


def simulates(experiment: Experiment) -> bool:
    """Whether an experiment names a simulator, and not a game."""
    try:
        return is_simulator(experiment.game, parse_arguments(experiment.world))
    except InputError:
        return True  # what is passed on cannot be read: only a simulator is passed anything


def open_unread(
    experiment: Experiment, patience: float = PATIENCE, folder: Path = Path(), given: Any = None
) -> Opened:
    """Open the simulator of an experiment with its numbers, whatever policies see.

    Parameters
    ----------
    experiment, patience, folder, given
        As of :func:`open_simulator`.

    Raises
    ------
    InputError
    """
    arguments = parse_arguments(experiment.world)
    playing = Playing(
        gamma=experiment.discount,
        steps=experiment.steps,
        reward=experiment.team_reward,
        patience=patience / 2,
        fresh=experiment.instances == "fresh",
        with_state=experiment.has_critic,
        folder=folder,
    )
    if given is not None:
        return open_object(given, experiment.game.removeprefix(AT_HAND), arguments, playing)
    if experiment.game.startswith(AT_HAND):
        raise InputError(
            f"{experiment.game.removeprefix(AT_HAND)} was handed over by a program and cannot be found "
            "again: give it to bnpg.resume(.., env=..), or name it module:function"
        )
    return open_world(experiment.game, arguments, playing)


def open_simulator(
    experiment: Experiment, patience: float = PATIENCE, folder: Path = Path(), given: Any = None
) -> OpenedSimulator:
    """Open the simulator of an experiment.

    Parameters
    ----------
    experiment : Experiment
    patience : float
        Seconds without progress after which a run is given up; an environment hangs after half of them.
    folder : Path
        Where modules of a person's own are looked for.
    given : object, optional
        What a program has at hand, instead of a name.

    Raises
    ------
    InputError
        If it is not there, or cannot be used; the text says what would help.
    """
    opened = open_unread(experiment, patience, folder, given)
    encoder = load_encoder(experiment.encoder, folder) if experiment.encoder else None

    def met(world: World) -> World:
        return one_hot(world) if experiment.kind.is_network else indexed(world, encoder)

    world = met(opened.world)
    identity = SimulatorIdentity(
        name=opened.name,
        actions=world.actions,
        states=tuple(_counted(space) for space in world.spaces),
        versions=versions(opened.modules),
        folder=str(folder.absolute()),
    )
    return OpenedSimulator(
        world,
        identity,
        experiment.seed,
        lambda: met(opened.again()),
        opened.world,
        opened.make,
    )


def _counted(space: Space) -> int:
    """Return how many states there are; 0 where numbers are seen."""
    return 0 if isinstance(space, Box) else space.values
