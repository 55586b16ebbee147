"""Every command under odd surroundings: streams that are full or closed, few descriptors, no room for files.

Each is forked from this process, which has imported everything.
"""

import array
import errno
import fcntl
import io
import os
import resource
import signal
import sys
import termios
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from bnpg_protocol.process import streams
from bnpg_protocol.process.surroundings import shortage

from bnpg.__main__ import main
from bnpg.lab.testing.odd_files.scenes import SCENES, Command
from bnpg.lab.testing.odd_files.trial import SECONDS, Stage

ASKED = [
    (scene.name, command)
    for scene in SCENES
    for command in scene.commands
    # A page is served until somebody ends it; the script and an agent are no commands of `bnpg`.
    if not command.line.startswith(("watch ", "exact_check ", "agent "))
]


def full(number: int) -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), number)


def full_and_not_blocking(number: int) -> None:
    streams.UNREAD = 0.0  # in a process of its own
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.dup2(writing, number)
    os.dup2(reading, 0)  # which is there and is not read


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
    "standard output does not block, and nobody reads it": lambda: full_and_not_blocking(1),
    "standard error does not block, and nobody reads it": lambda: full_and_not_blocking(2),
    "few descriptors": few_descriptors,
    "no file may have a size": no_room,
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    return {scene.name: Stage(scene, tmp_path_factory.mktemp("streams") / scene.name) for scene in SCENES}


def forked(
    words: list[str], surround: Callable[[], None], folder: Path, meanwhile: Callable[[], None] = lambda: None
) -> tuple[int, str]:
    """Run a command line in a process of its own; return its exit code and what it says on stderr."""
    said = folder / "stderr"
    child = os.fork()
    if child == 0:
        code = 99
        try:
            for number, target in ((0, os.devnull), (1, str(folder / "stdout")), (2, str(said))):
                os.dup2(os.open(target, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
            surround()
            os.closerange(3, 256)
            sys.stdin, sys.argv = io.StringIO(), ["bnpg", *words]
            sys.stdout = _stream(1)
            sys.stderr = _stream(2)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest has a handler of its own
            signal.alarm(SECONDS)
            code = main()
        finally:
            os._exit(code)
    meanwhile()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), said.read_text()


def _stream(number: int) -> "io.TextIOWrapper":
    try:
        return open(number, "w", encoding="utf-8", closefd=False)
    except OSError:
        return None  # type: ignore[return-value]  # as Python does where a stream is closed


EVERY = [(scene, command, what) for scene, command in ASKED for what in sorted(SURROUNDINGS)]
CHOSEN = EVERY if os.environ.get("BNPG_EDGES") else EVERY[::7]
"""As there are nine surroundings, every seventh of all meets each of them again and again."""


@pytest.mark.timeout(2 * SECONDS)
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
    if what in ("standard output is full", "standard output does not block, and nobody reads it"):
        assert said.count("bnpg: error: ") == (code != 0)


def page_that_does_not_block() -> tuple[int, int]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    return reading, writing


def read_when_full(reading: int) -> bytes:
    """Read nothing until there is no room any more, then everything."""
    held, read = array.array("i", [0]), b""
    while held[0] < 4096:
        fcntl.ioctl(reading, termios.FIONREAD, held)
        time.sleep(0)
    while content := os.read(reading, 1 << 16):
        read += content
    os.close(reading)
    return read


def test_no_word_of_a_command_is_lost_in_a_pipe_that_does_not_block(tmp_path: Path) -> None:
    words, usual = ["train", "--help"], tmp_path / "usual"
    assert forked(words, lambda: os.dup2(os.open(usual, os.O_WRONLY | os.O_CREAT), 1), tmp_path) == (0, "")
    reading, writing = page_that_does_not_block()
    read = []

    def meanwhile() -> None:
        os.close(writing)
        read.append(read_when_full(reading))

    assert forked(words, lambda: os.dup2(writing, 1), tmp_path, meanwhile) == (0, "")
    assert read == [usual.read_bytes()]
    assert len(read[0]) > 2 * 4096


def test_no_word_for_people_is_lost_in_a_pipe_that_does_not_block() -> None:
    reading, writing = page_that_does_not_block()
    stream = streams.patient(writing, forgiving=True)
    lines = "".join(f"line {number}\n" for number in range(3000))

    def write() -> None:
        stream.write(lines)
        stream.close()
        os.close(writing)

    with ThreadPoolExecutor(1) as writer:
        writing_all = writer.submit(write)
        assert read_when_full(reading).decode() == lines
        writing_all.result()


def test_a_full_pipe_is_told_from_a_lack_of_processes() -> None:
    """The second may come from any stream that a program which calls this one has opened."""
    assert "no more processes" in shortage(BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"))
    assert "does not block, and is full" in shortage(
        BlockingIOError(errno.EAGAIN, "write could not complete", 7)
    )
