"""Processes that do nothing but end as a script says, for tests of whoever starts and restarts them.

As a process: `python -P -m bnpg.lab.testing.scripted_life FOLDER RUN NAME`, started by whatever place is
tested. A place of a test may ask the same `Stage` without any process.
"""

import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.wire.exit_codes import ExitCode
from msgspec import Struct

SCRIPT = "script.json"


class Life(Struct, frozen=True, kw_only=True):
    """One life of a process."""

    code: int | None = None
    """How it ends: an exit code, or minus a signal; None: only when it is asked to."""
    when: tuple[str, int] | None = None
    """It ends as soon as this process has had so many lives."""
    round: int | None = None
    """The round that it records before it ends."""
    status: dict[str, Any] | None = None
    """What it says of itself at its beginning, if it is the coordinator."""
    deaf: bool = False
    """Whether it goes on when it is asked to end."""


class Stage:
    """Where scripted processes live: the folder of a run, with a script beside it.

    Parameters
    ----------
    folder : Path
        For the script, and to count the lives.
    run : Path
        The run folder, for record and status.
    """

    def __init__(self, folder: Path, run: Path) -> None:
        self.folder = folder
        self.run = run

    def write(self, script: dict[str, list[Life]]) -> None:
        """Write what happens; the last life of a process is also every later one."""
        (self.folder / SCRIPT).write_bytes(msgspec.json.encode(script))

    def lives(self, name: str) -> int:
        """Return how many lives a process has begun."""
        return len(list(self.folder.glob(f"{name}.life-*")))

    def begin(self, name: str) -> Life:
        """Begin the next life of a process, and return it."""
        script = msgspec.json.decode((self.folder / SCRIPT).read_bytes(), type=dict[str, list[Life]])
        number = self.lives(name) + 1
        life = script[name][min(number, len(script[name])) - 1]
        if life.status is not None:
            self.say(life.status)
        (self.folder / f"{name}.life-{number}").touch()
        return life

    def say(self, status: dict[str, Any]) -> None:
        """Write the status of the coordinator, as of now if that does not say when."""
        content = json.dumps({"written": time.time()} | status)
        write_atomically(self.run / "status.json", content.encode(), fsync=False)

    def due(self, life: Life) -> bool:
        """Whether the time of its end has come; what it records is recorded then."""
        if life.code is None or (life.when is not None and self.lives(life.when[0]) < life.when[1]):
            return False
        if life.round is not None:
            with (self.run / "metrics.jsonl").open("ab") as record:
                record.write(b'{"round":%d}\n' % life.round)
        return True


def main() -> int:
    """Live one life."""
    asked = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.append(True))
    folder, run, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    stage = Stage(folder, run)
    life = stage.begin(name)
    while not stage.due(life):
        readable, _, _ = select.select([0], [], [], 0.01)
        if asked or (readable and os.read(0, 64) == b""):
            if not life.deaf:
                return ExitCode.INTERRUPTED
            time.sleep(0.01)
    assert life.code is not None
    if life.code < 0:
        os.kill(os.getpid(), -life.code)
    return life.code


if __name__ == "__main__":
    sys.exit(main())
