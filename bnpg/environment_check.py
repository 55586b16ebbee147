"""Whether an environment can be trained in: spaces, reproducibility, the peer's own tests, speed."""

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bnpg_coordinator.environments.containment import contained
from bnpg_coordinator.environments.foreign import Hung, described
from bnpg_coordinator.environments.opening import Opened
from bnpg_coordinator.environments.probe import LANES, carried_over, play, probe_seed
from bnpg_coordinator.environments.versions import versions
from bnpg_coordinator.environments.watch import Watch
from bnpg_coordinator.environments.world import PATIENCE
from bnpg_coordinator.experiment import experiment_from
from bnpg_coordinator.simulator import open_unread, simulates
from bnpg_coordinator.worlds.interface import World, WorldFailed

from bnpg.conformance import NotConforming, check_world
from bnpg.environment_speed import Speed, measured_speed
from bnpg_math.errors import InputError

CYCLES = 100
"""Steps of the peer's own tests."""


@dataclass
class EnvironmentCheck:
    """What was found of an environment.

    Parameters
    ----------
    name : str
        With all that was passed on to it.
    facts : list of (str, str)
        What it is, and how it behaves.
    passed : list of str
        What was tried and holds.
    problems : list of str
        What does not; empty if it can be trained in.
    complaints : list of str
        What the peer's own tests complain of, which may be of no consequence here.
    """

    name: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as one object."""
        return {
            "world": self.name,
            "facts": dict(self.facts),
            "passed": self.passed,
            "problems": self.problems,
            "complaints": self.complaints,
        }

    def as_text(self) -> str:
        """Return it as lines for a person."""
        width = max(len(name) for name, _ in self.facts)
        lines = [self.name, *(f"  {name:<{width}}  {value}" for name, value in self.facts), ""]
        return "\n".join(lines + [f"  holds  {claim}" for claim in self.passed])


def check_environment(fields: dict[str, Any], patience: float = PATIENCE) -> EnvironmentCheck:
    """Check an environment.

    Parameters
    ----------
    fields : dict
        Of an experiment: `game` names the environment, `world` is passed on to it.
    patience : float
        Seconds after which a step, or one of the peer's own tests, counts as hung.

    Raises
    ------
    InputError
        If there is no such environment, or it has spaces that cannot be used.
    """
    experiment = experiment_from(fields)
    if not simulates(experiment):
        raise InputError(
            f"{experiment.game} is no simulator: games are functions of their seed by construction"
        )
    opened = open_unread(experiment, 2 * patience)
    found = EnvironmentCheck(opened.name)
    _describe(found, opened.world, opened)
    try:
        _conforms(found, opened, probe_seed(experiment.seed))
        _peers_tests(found, opened, patience)
        if not found.problems:
            _speed(found, opened, experiment.seed, patience)
    except (InputError, WorldFailed) as error:  # in an instance that was made later, or in a later step
        found.problems.append(str(error))
    return found


def _conforms(found: EnvironmentCheck, opened: Opened, seed: int) -> None:
    """Say whether it is a function of its seed, and a world to learn in."""
    try:
        found.problems += carried_over(opened.again, seed)
        if not found.problems:
            found.passed += [
                "played twice, it is the same to the bit",
                "so it is after other episodes",
                "so it is in other instances",
                "so it is with some lanes played after the others",
            ]
        _masks(found, opened.world, seed)
        check_world(opened.again())
    except WorldFailed as error:
        found.problems.append(str(error))
    except NotConforming as error:
        if not found.problems:
            found.problems.append(str(error))


def _describe(found: EnvironmentCheck, world: World, opened: Opened) -> None:
    agents = len(world.actions)
    found.facts.append(("agents", str(agents)))
    found.facts.append(("actions", ", ".join(map(str, world.actions))))
    sees = [
        f"one of {space.values}" if space.values else f"{getattr(space, 'width', 0)} numbers"
        for space in world.spaces
    ]
    found.facts.append(("observations", ", ".join(sees if len(set(sees)) > 1 else sees[:1])))
    packages = versions(opened.modules)
    if packages:
        found.facts.append(("packages", ", ".join(f"{name} {version}" for name, version in packages.items())))


def _masks(found: EnvironmentCheck, world: World, seed: int) -> None:
    """Say whether there are masks, who dies, and whether rewards differ."""
    played = play(world, seed)
    agents = len(world.actions)
    masked = dead = 0
    for arrays in played.seen.values():
        masked += sum(int((mask == 0).sum()) for mask in arrays[-2 * agents : -agents])
        dead += sum(int((flags == 0).sum()) for flags in arrays[-agents:])
    found.facts.append(("action masks", f"{masked} actions masked in the probe" if masked else "none seen"))
    if dead:
        found.facts.append(("agents that end earlier", "seen in the probe"))
    if getattr(world, "rewards_differ", False):
        found.facts.append(("rewards", "differ between agents: the team gets their mean (--team-reward)"))


def _peers_tests(found: EnvironmentCheck, opened: Opened, patience: float) -> None:
    """Run the tests that come with PettingZoo, where it is one of its environments."""
    make = opened.make
    if make is None:
        return
    try:
        with _warnings_ignored():
            from pettingzoo import AECEnv, ParallelEnv
            from pettingzoo.test import api_test, parallel_api_test
            from pettingzoo.test.seed_test import parallel_seed_test, seed_test
    except ImportError:
        return
    first = make()
    tests: list[tuple[str, Callable[[], Any]]] = []
    if isinstance(first, AECEnv):
        tests = [
            ("PettingZoo's api_test", lambda: api_test(make(), num_cycles=CYCLES)),
            ("PettingZoo's seed_test", lambda: seed_test(make, num_cycles=CYCLES)),
        ]
    elif isinstance(first, ParallelEnv):
        tests = [
            ("PettingZoo's parallel_api_test", lambda: parallel_api_test(make(), num_cycles=CYCLES)),
            ("PettingZoo's parallel_seed_test", lambda: parallel_seed_test(make, num_cycles=CYCLES)),
        ]
    for name, test in tests:
        why = _failed(test, patience)
        if why:
            found.complaints.append(f"{name} fails: {why}")
        else:
            found.passed.append(name)


def _failed(test: Callable[[], Any], patience: float) -> str:
    """Return why a test of others fails; empty if it does not. What it prints goes nowhere."""
    try:
        with contained(), contextlib.redirect_stdout(io.StringIO()), _warnings_ignored():
            Watch(patience, lambda: "a test of its package").over(test)
    except Hung:
        return f"it is not through after {patience:g} s"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever somebody else's test may raise
        return described(error)
    return ""


@contextlib.contextmanager
def _warnings_ignored() -> Iterator[None]:
    """Let others' tests warn of nothing, also where a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _speed(found: EnvironmentCheck, opened: Opened, seed: int, patience: float) -> None:
    """Say how fast it is, and what the adapter adds to the environment's own time."""
    speed = measured_speed(opened.world, opened.name, seed, patience, time.perf_counter)
    found.facts.append(
        ("speed", f"{1.0 / speed.seconds:,.0f} steps a second of one lane, with {LANES} lanes")
    )
    if speed.alone is not None:
        found.facts.append(("adapter", added_text(speed, len(opened.world.actions))))


def added_text(speed: Speed, agents: int) -> str:
    """Say what the adapter adds to the time of an environment."""
    if speed.alone is None or speed.added is None:
        return "adds nothing that can be measured to the time of the environment alone"
    return (
        f"{1 + speed.added / speed.alone:.2f} times the time of the environment alone, "
        f"{1e6 * speed.added / agents:.1f} us more for each agent's step"
    )
