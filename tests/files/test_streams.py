"""Every command under odd surroundings: streams that are full or closed, few descriptors, no room for files.

Each is forked from this process, which has imported everything.
"""

import io
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bnpg.__main__ import main
from bnpg.lab.testing.odd_files.scenes import SCENES, Command
from bnpg.lab.testing.odd_files.trial import Stage

ASKED = [
    (scene.name, command)
    for scene in SCENES
    for command in scene.commands
    # A page is served until somebody ends it; the script and an agent are no commands of `bnpg`.
    if not command.line.startswith(("watch ", "exact_check ", "agent "))
]


def full(number: int) -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), number)


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))


def no_room() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as every Python does
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


SURROUNDINGS: dict[str, Callable[[], None]] = {
    "standard output is full": lambda: full(1),
    "standard error is full": lambda: full(2),
    "standard output is closed": lambda: os.close(1),
    "standard error is closed": lambda: os.close(2),
    "all are closed": lambda: os.closerange(0, 3),
    "few descriptors": few_descriptors,
    "no file may have a size": no_room,
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    return {scene.name: Stage(scene, tmp_path_factory.mktemp("streams") / scene.name) for scene in SCENES}


def forked(words: list[str], surround: Callable[[], None], folder: Path) -> tuple[int, str]:
    """Run a command line in a process of its own; return its exit code and what it says on stderr."""
    said = folder / "stderr"
    child = os.fork()
    if child == 0:
        code = 99
        try:
            for number, target in ((0, os.devnull), (1, str(folder / "stdout")), (2, str(said))):
                os.dup2(os.open(target, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
            os.closerange(3, 256)
            surround()
            sys.stdin, sys.argv = io.StringIO(), ["bnpg", *words]
            sys.stdout = _stream(1)
            sys.stderr = _stream(2)
            signal.alarm(60)
            code = main()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), said.read_text()


def _stream(number: int) -> "io.TextIOWrapper":
    try:
        return open(number, "w", encoding="utf-8", closefd=False)
    except OSError:
        return None  # type: ignore[return-value]  # as Python does where a stream is closed


EVERY = [(scene, command, what) for scene, command in ASKED for what in sorted(SURROUNDINGS)]
CHOSEN = EVERY if os.environ.get("BNPG_EDGES") else EVERY[::5]
"""As there are seven surroundings, every fifth of all meets each of them again and again."""


@pytest.mark.parametrize(
    ("scene", "command", "what"), CHOSEN, ids=lambda value: str(getattr(value, "line", value))[:40]
)
def test_a_command_ends_with_one_line_and_a_documented_code(
    stages: dict[str, Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: str, command: Command,
    what: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = stages[scene].prepared(command)
    code, said = forked(words, SURROUNDINGS[what], tmp_path)
    assert code in {*command.codes, 7}, said
    assert "Traceback" not in said
    assert "a defect of bnpg" not in said
    if what == "standard output is full":
        assert said.count("bnpg: error: ") == (code != 0)
