"""Kill a run at every step it takes on the disk, resume it, and compare what it leaves.

    python -P -m bnpg.lab.testing.killed_anywhere FOLDER

A run in memory is killed, as by SIGKILL, just before its k-th opening, renaming, removing or syncing of a
file in its folder, for every k from the first file to after its last word. Each time `bnpg resume` must bring
it to its end, with every file that the undisturbed run has, and with the same content. Killed before its
folder appeared, it is begun anew.

Each run is forked from this process, which has imported everything: it takes a fraction of a second.
"""

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bnpg.__main__ import main as bnpg

OPTIONS = (
    "coordination(agents=2)", "--rounds", "2", "--lanes", "2", "--horizon", "2", "--evaluate-every", "2",
    "--launcher", "memory", "--trace", "--log", "csv", "--quiet",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_STEPS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "os.link"}
_DIFFER = re.compile(
    r"(agents/agent-\d+/incarnation|generation|status\.json|run\.json|trace/.*|trace-heads\.json)"
)
"""What counts lives, tells the time, or tells of every life."""


class Steps:
    """Counts the steps that this process takes in a folder, and dies before one of them.

    Parameters
    ----------
    folder : Path
    last : int
        The number of the step, from 1, before which the process dies; 0 for never.
    """

    def __init__(self, folder: Path, last: int) -> None:
        self._folder = str(folder)
        self._last = last
        self.taken = 0
        sys.addaudithook(self._audit)
        sync = os.fsync

        def counted(descriptor: Any) -> None:
            self._step()
            sync(descriptor)

        setattr(os, "fsync", counted)  # noqa: B010 (typed as a function, not as a variable)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event in _STEPS or (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
        )
        if writes and isinstance(arguments[0], str | os.PathLike):
            path = os.fspath(arguments[0])
            if isinstance(path, str) and os.path.abspath(path).startswith(self._folder):
                self._step()

    def _step(self) -> None:
        self.taken += 1
        if self.taken == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def content(folder: Path) -> dict[str, Any]:
    """Return all that a run has left, but for what two runs of one experiment differ in."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or _DIFFER.fullmatch(name):
            found[name.split("/", maxsplit=1)[0]] = None
        elif name == "metrics.jsonl":
            found[name] = [_without(json.loads(line)) for line in path.read_text().splitlines()]
        elif name == "summary.json":
            found[name] = _without(json.loads(path.read_text()))
        elif name == "metrics.csv":
            rows = [row.split(",") for row in path.read_text().splitlines()]
            found[name] = [[*row[:1], *row[2:]] for row in rows]
        else:
            found[name] = path.read_bytes()
    return found


def _without(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in ("seconds", "run", "run_dir")}


def forked(work: Callable[[], int]) -> int:
    """Do something in a process of its own; return its exit code, that of a signal as negative."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 1)
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_and_resume(folder: Path, options: tuple[str, ...], last: int) -> int:
    """Kill a run before one of its steps, if it takes so many, and resume it; return the exit code."""

    def train() -> int:
        Steps(folder, last)
        return bnpg(["train", *options, "--out", str(folder)])

    forked(train)
    if not folder.exists():
        return forked(lambda: bnpg(["train", *options, "--out", str(folder)]))
    return forked(lambda: bnpg(["resume", str(folder), "--quiet"]))


def main() -> int:
    """Kill runs at every step; tell on stdout, as an object, how many steps there are and what went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="kill at every so many steps only")
    parser.add_argument("--begin", type=int, default=1, help="with this one first; from the end if < 0")
    parser.add_argument("options", nargs="*", default=OPTIONS, help="of bnpg train, after --")
    given = parser.parse_args()
    options, parent = tuple(given.options), given.folder.resolve()
    reference = parent / "whole"
    assert forked(lambda: bnpg(["train", *options, "--out", str(reference)])) == 0
    # Once more in this process: what is imported late is there for all forks.
    assert bnpg(["train", *options, "--out", str(parent / "warm"), "--json"]) == 0
    expected = content(reference)
    taken = parent / "taken"

    def counting() -> int:
        steps = Steps(parent / "counted", 0)
        code = bnpg(["train", *options, "--out", str(parent / "counted")])
        taken.write_text(str(steps.taken))
        return code

    assert forked(counting) == 0
    number, wrong = int(taken.read_text()), []
    begin = given.begin if given.begin > 0 else max(1, number + 2 + given.begin)
    for last in range(begin, number + 2, given.every):
        folder = parent / f"killed-{last}"
        code = kill_and_resume(folder, options, last)
        left = content(folder)
        differ = sorted(
            name for name in expected.keys() | left.keys() if expected.get(name, 0) != left.get(name, 0)
        )
        traced = forked(partial(bnpg, ["trace", "check", str(folder)]))
        if code or differ or traced:
            wrong.append({"step": last, "code": code, "differ": differ, "trace": traced})
    sys.stdout.write("\n" + json.dumps({"steps": number, "wrong": wrong}) + "\n")
    return 5 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
