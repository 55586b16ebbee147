"""Fixtures for tests of message ordering; see `docs/how-to/test-message-ordering.md`.

The plugin is loaded into every test session of an environment that bnpg is installed in, so it imports
nothing heavy before a fixture is asked for. The fake peers are there only if pytest-asyncio is.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from bnpg.lab.testing.in_memory import Result
    from bnpg.lab.testing.processes import RealProcess
    from bnpg.lab.testing.run import Run
    from bnpg.lab.testing.scratch import Scratch
    from bnpg.lab.testing.transcript import Stage

pytest_plugins = ["bnpg.lab.testing.fake_peers"] if find_spec("pytest_asyncio") else []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites transcripts."""
    group = parser.getgroup("bnpg")
    group.addoption(
        "--update-transcripts", action="store_true", help="write what the machines do into the transcripts"
    )


class StartRun(Protocol):
    """How the fixture `start_run` is called."""

    def __call__(
        self,
        *,
        settings: dict[str, Any] | None = None,
        prepare: "Callable[[Run], None] | None" = None,
        **experiment: Any,
    ) -> "Run":
        """Start a run with real processes; `prepare` may look at its folder before."""


class Play(Protocol):
    """How the fixture `play` is called."""

    def __call__(self, *, order: int | None = None, relay: bool = False, **experiment: Any) -> "Result":
        """Play a run in memory."""


class StartAgent(Protocol):
    """How the fixture `start_agent` is called."""

    def __call__(
        self, connect: str, agent: int = 0, state: Path | None = None, options: tuple[str, ...] = ()
    ) -> "RealProcess":
        """Start one real agent."""


class StartCoordinator(Protocol):
    """How the fixture `start_coordinator` is called."""

    def __call__(self, **experiment: Any) -> "RealProcess":
        """Start a real coordinator."""


@pytest.fixture
def check_transcript(request: pytest.FixtureRequest) -> Callable[["Stage", Path], None]:
    """Compare a transcript with what a machine really does: `check_transcript(AgentStage(), path)`."""

    def check(stage: "Stage", path: Path) -> None:
        played = stage.play(path.read_text())
        if request.config.getoption("--update-transcripts"):
            path.write_text(played)
        assert played == path.read_text()

    return check


@pytest.fixture
def scratch() -> Iterator["Scratch"]:
    """Give the test a place for its processes, and fail if a process, a socket or a folder is left in it."""
    from bnpg.lab.testing.scratch import Scratch

    place = Scratch()
    try:
        yield place
        leaks = place.leaks()
        assert not leaks, f"left behind: {leaks}"
    finally:
        place.clear()


@pytest.fixture
def start_run(tmp_path: Path, scratch: "Scratch") -> Iterator[StartRun]:
    """Start runs with real processes.

    `start_run(game=.., dag=.., rounds=.., settings={"transport": "tcp"})` takes the fields of an experiment
    and, in `settings`, of the launcher; a fault plan is `settings={"faults": path}`, a trace `trace=True`.
    What is still running at the end of the test is killed.
    """
    from bnpg.lab.testing.run import Run, make_run

    runs: list[Run] = []

    def start(
        *,
        settings: dict[str, Any] | None = None,
        prepare: Callable[[Run], None] | None = None,
        **experiment: Any,
    ) -> "Run":
        run = make_run(tmp_path / f"run-{len(runs)}", scratch, settings or {}, experiment)
        runs.append(run)
        if prepare is not None:
            prepare(run)
        run.start()
        return run

    yield start
    for run in runs:
        run.end()


@pytest.fixture
def play() -> Play:
    """Play runs in memory, with a seeded order of delivery: what the same experiment must come to."""
    import msgspec
    from bnpg_coordinator.experiment import Experiment

    from bnpg.lab.testing import in_memory

    def played(*, order: int | None = None, relay: bool = False, **experiment: Any) -> "Result":
        given = {key.replace("_", "-"): value for key, value in experiment.items()}
        return in_memory.play(msgspec.convert(given, Experiment), order, relay=relay)

    return played


@pytest.fixture
def start_agent(tmp_path: Path, scratch: "Scratch") -> Iterator[StartAgent]:
    """Start real agents, each alone, towards an endpoint."""
    from bnpg.lab.testing.processes import RealProcess

    started: list[RealProcess] = []

    def start(
        connect: str, agent: int = 0, state: Path | None = None, options: tuple[str, ...] = ()
    ) -> "RealProcess":
        folder = state or tmp_path / f"agent-{agent}"
        inbox = scratch.path / f"inbox-{len(started)}.ipc"
        arguments = ["bnpg_agents", "--state", str(folder), "--connect", connect, "--inbox", f"ipc://{inbox}"]
        if agent >= 0:
            arguments += ["--agent", str(agent)]
        arguments += options
        started.append(RealProcess(f"agent-{agent}", arguments, folder, scratch, inbox))
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.fixture
def start_coordinator(tmp_path: Path, scratch: "Scratch") -> Iterator[StartCoordinator]:
    """Start a real coordinator; its `endpoint` is where fake agents connect to."""
    from bnpg.lab.testing.processes import RealProcess
    from bnpg.lab.testing.run import make_run

    started: list[RealProcess] = []

    def start(**experiment: Any) -> "RealProcess":
        folder = tmp_path / "run"
        make_run(folder, scratch, {}, experiment)
        front = scratch.path / "coordinator.ipc"
        arguments = ["bnpg_coordinator", "--folder", str(folder), "--listen", f"ipc://{front}"]
        started.append(RealProcess("coordinator", arguments, folder, scratch, front))
        return started[-1]

    yield start
    for process in started:
        process.end()
