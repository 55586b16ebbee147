"""Places on which the same claims are tested: one without any process, and those that are real."""

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from bnpg.__main__ import main
from bnpg.lab.testing.scripted_life import Life, Stage
from bnpg.launchers.hosts import CommandPlace
from bnpg.launchers.local_place import LocalPlace
from bnpg.launchers.place import Handle, Order, Place
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.launchers.supervisor import Supervisor
from bnpg.run_folder import RunFolder

AGENTS = 2


class FakeProcess:
    """A scripted life without a process."""

    def __init__(self, stage: Stage, name: str, where: str) -> None:
        self.where = where
        self._stage = stage
        self._life = stage.begin(name)
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None and self._stage.due(self._life):
            self._code = self._life.code
        return self._code

    def end(self) -> None:
        if self.poll() is None and not self._life.deaf:
            self._code = 130

    abandon = end

    def kill(self) -> None:
        if self.poll() is None:
            self._code = -9

    def wait(self, _seconds: float) -> int | None:
        return self.poll()


class FakePlace:
    """A host at a time; who is lost is started on the next one."""

    keeps_state = True

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.handles: list[FakeProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        assert all(one.poll() is not None for one in self.handles), "a process was left behind"

    def start(self, orders: Sequence[Order]) -> list[Handle]:
        started = [
            FakeProcess(self._stage, one.name, f"host-{self._stage.lives(one.name) + 1}") for one in orders
        ]
        self.handles += started
        return list(started)

    def public_keys(self, names: Sequence[str]) -> Mapping[str, str]:
        return {}

    def look(self) -> None:
        pass


class ScriptedWiring:
    """Orders scripted lives, which find each other in a folder."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def orders(self, names: Sequence[str], _incarnations: dict[str, int]) -> list[Order]:
        words = (str(self._stage.folder), str(self._stage.run))
        module = "bnpg.lab.testing.scripted_life"
        return [Order(name=name, package=module, arguments=(*words, name)) for name in names]


class Theatre:
    """Plays scripts before a supervisor."""

    def __init__(self, run: Path, stage: Stage, make_place: Callable[[Stage], Place], kind: str) -> None:
        self.stage = stage
        self.kind = kind
        self._run = run
        self._make_place = make_place
        self.lines: list[int] = []

    def play(
        self, script: dict[str, list[Life]], look: Callable[[], None] = lambda: None, **settings: Any
    ) -> Outcome:
        """Play a script to its end; `look` is called at every turn of the supervisor."""
        self.stage.write({"agent-0": [Life()], "agent-1": [Life()]} | script)
        with self._make_place(self.stage) as place:
            pause = time.sleep if self.kind != "fake" else (lambda _seconds: None)

            def turn(seconds: float) -> None:
                look()
                pause(seconds)

            supervisor = Supervisor(
                RunFolder(self._run),
                LaunchSettings(**settings),
                lambda line: self.lines.append(line.round),
                place,
                place,
                ScriptedWiring(self.stage),
                turn,
            )
            return supervisor.run()


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder in which nothing has happened yet."""
    folder = tmp_path_factory.mktemp("begun") / "run"
    words = ["train", f"coordination(agents={AGENTS})", "--rounds", "0", "--launcher", "memory", "--quiet"]
    assert main([*words, "--out", str(folder)]) == 0
    for name in ("metrics.jsonl", "status.json", "summary.json"):
        (folder / name).unlink(missing_ok=True)
    return folder


def three_hosts(_stage: Stage) -> Place:
    """Return three hosts, all of them this machine."""
    command = [sys.executable, "-P", "-m", "bnpg.launchers.host"]
    return CommandPlace(dict.fromkeys(("a", "b", "c"), command), "")


PLACES: dict[str, Callable[[Stage], Place]] = {
    "fake": FakePlace,
    "local": lambda _stage: LocalPlace(),
    "hosts": three_hosts,
}


@pytest.fixture(params=list(PLACES))
def theatre(request: pytest.FixtureRequest, begun: Path, tmp_path: Path) -> Theatre:
    """Return what plays scripts, on every place."""
    run, folder = tmp_path / "run", tmp_path / "stage"
    shutil.copytree(begun, run)
    folder.mkdir()
    return Theatre(run, Stage(folder, run), PLACES[request.param], request.param)
