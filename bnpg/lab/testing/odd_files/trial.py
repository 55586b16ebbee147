"""One command with one odd file: run in this process, under an alarm and with little memory to spare."""

import contextlib
import io
import os
import re
import resource
import shutil
import stat
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import psutil
from bnpg_agents.options import AgentOptions
from bnpg_agents.shell import run_agent
from bnpg_coordinator.environments.foreign import Hung
from bnpg_coordinator.environments.watch import Watch
from bnpg_protocol.process.arguments import read_arguments
from bnpg_protocol.process.surroundings import ended

import bnpg.watch.server
from bnpg.__main__ import main
from bnpg.certified import exact_check
from bnpg.lab.testing.odd_files.scenes import Command, Scene

SECONDS = 300
"""After which a command counts as hanging, on a busy machine too."""
ROOM = 1 << 30
"""Bytes of memory that a command may take."""


_ERROR = re.compile(
    r"(bnpg|exact_check|bnpg-agent): error: |[0-9:.]+ error +(bnpg-agent|bnpg-agent-\d+|agent-\d+): stopped "
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(words: list[str]) -> Ended:
    """Run a command line in this process."""
    code, shown = -1, ""

    def command() -> None:
        nonlocal code
        if words[0] == "exact_check":
            code = exact_check.main(words[1:])
        elif words[0] == "agent":
            options = read_arguments(AgentOptions, "bnpg-agent", "", words[1:])
            code = ended(lambda: run_agent(options), "bnpg-agent")
        else:
            with mock.patch.object(bnpg.watch.server, "serve", lambda source, *_: source.page()):
                code = main(words)

    def where() -> str:
        return "".join(traceback.format_stack(limit=8)[:-2])

    with _captured() as read, _bounded():
        try:
            Watch(SECONDS, where).over(command)
        except Hung as hung:
            code, shown = -1, str(hung)
        except BaseException:
            code, shown = -2, traceback.format_exc(limit=-8)
        sys.stderr.write(shown)
        sys.stdout.flush()
        sys.stderr.flush()
    return Ended(code, *read)


@contextlib.contextmanager
def _captured() -> Iterator[list[str]]:
    """Catch what is said; what child processes say is lost."""
    said: list[str] = []
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield said
    said += [out.getvalue(), err.getvalue()]


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + ROOM, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def look(folder: Path) -> dict[str, object]:
    """Return what is in a folder: kinds, and the content of files that are not endless."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        small = stat.S_ISREG(status.st_mode) and status.st_size < 1 << 24
        link = os.readlink(path) if path.is_symlink() else ""
        found[str(path.relative_to(folder))] = (
            stat.S_IFMT(status.st_mode),
            path.read_bytes() if small else link or status.st_size if not path.is_dir() else 0,
        )
    return found


def complaints(command: Command, name: str, ended: Ended, before: object, after: object) -> list[str]:
    """Return what is wrong about how a command ended."""
    wrong = []
    last = ended.err.strip().splitlines()[-1:] or [""]
    if ended.code == -1:
        return [f"hangs: {' | '.join(ended.err.strip().splitlines()[-4:])}"]
    if ended.code == -2:
        return [f"raises: {' | '.join(ended.err.strip().splitlines()[-6:])}"]
    if "Traceback" in ended.err or "a defect of bnpg" in ended.err:
        _, _, shown = ended.err.partition("Traceback")
        wrong.append(f"defect: {' | '.join(shown.splitlines()[-6:]) or last[0]}")
    elif ended.code not in command.codes:
        wrong.append(f"code {ended.code}: {last[0]}")
    errors = [line for line in ended.err.splitlines() if _ERROR.match(line)]
    if ended.code == 2:
        if len(errors) != 1:
            wrong.append(f"{len(errors)} lines of error: {ended.err[-200:]!r}")
        elif Path(name).name not in errors[0] and Path(name).parent.name not in errors[0]:
            wrong.append(f"does not say where: {errors[0][:300]}")
    if any(len(line) > 1000 for line in errors):
        wrong.append(f"says {max(map(len, errors))} characters: {errors[0][:100]}")
    if "does not fit into memory" in ended.err and ended.code == 2 and name not in ended.err:
        wrong.append(f"fills memory: {last[0]}")
    if before != after and (not command.writes or ended.code == 2):
        wrong.append(f"changed: {_difference(before, after)} after {last[0]}")
    return wrong


def _difference(before: object, after: object) -> str:
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return ", ".join(f"{'+' * (name not in before)}{'-' * (name not in after)}{name}" for name in names)


class Stage:
    """A scene as it was made, and a copy in which things are replaced.

    Parameters
    ----------
    scene : Scene
    folder : Path
        An empty folder for both.
    """

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self._made, self._copy, self._new = folder / "made", folder / "copy", folder / "new"
        self._made.mkdir(parents=True)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            scene.make(self._made)
        self.files = {
            str(path.relative_to(self._made)): path.read_bytes()
            for path in sorted(self._made.rglob("*"))
            if path.is_file()
        }

    def attempt(self, command: Command, name: str, replace: Callable[[Path], object]) -> list[str]:
        """Run a command with one file replaced; return what is wrong about how it ended."""
        words = self.prepared(command)
        path = self._copy / name
        mode = path.stat().st_mode
        path.unlink()
        replace(path)
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o777:
            path.chmod(mode)
        before = look(self._copy)
        with tempfile.TemporaryDirectory() as here, contextlib.chdir(here):
            ended = run(words)
        return complaints(command, name, ended, before, look(self._copy))

    def prepared(self, command: Command) -> list[str]:
        """Make a fresh copy of the scene; return the words of a command line for it."""
        for folder in (self._copy, self._new):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._made, self._copy, symlinks=True)
        self._new.mkdir()
        return [word.format(at=self._copy, new=self._new) for word in command.line.split()]
