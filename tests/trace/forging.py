"""Changing a trace: as a careless hand does, and as a forger does who renews numbers, hashes and heads."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnpg.launchers.settings import TRACE_FOLDER
from bnpg.trace.heads import HEADS_FILE, write_heads
from protocol.trace.recorder import GENESIS, chained

Line = dict[str, Any]


class Forgery:
    """A copy of a run whose trace can be changed.

    Parameters
    ----------
    run : Path
        The run folder; left as it is.
    copy : Path
        Where the copy goes.
    """

    def __init__(self, run: Path, copy: Path) -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        self.folder = copy
        self.trace = copy / TRACE_FOLDER

    @property
    def files(self) -> list[str]:
        """Names of the files of the trace."""
        return sorted(path.name for path in self.trace.iterdir())

    def lines(self, file: str) -> list[Line]:
        """Return what the lines of a file say."""
        return [json.loads(line) for line in (self.trace / file).read_bytes().splitlines()]

    def raw(self, file: str) -> list[bytes]:
        """Return the lines of a file as they are."""
        return (self.trace / file).read_bytes().splitlines(keepends=True)

    def put(self, file: str, raw: list[bytes]) -> None:
        """Write lines as a careless hand does: numbers, hashes and heads are what they are."""
        (self.trace / file).write_bytes(b"".join(raw))

    def forge(self, file: str, lines: list[Line], heads: bool = True) -> None:
        """Write lines as a forger does: with new numbers and hashes, and new heads too."""
        head, written = GENESIS, []
        for number, line in enumerate(lines):
            said = {key: value for key, value in line.items() if key not in ("n", "h")}
            text = json.dumps({"n": number} | said, separators=(",", ":")).encode()[:-1]
            head = chained(head, text)
            written.append(b'%b,"h":"%b"}\n' % (text, head.encode()))
        self.put(file, written)
        if heads and (self.folder / HEADS_FILE).exists():
            write_heads(self.folder, self.trace)

    def change(self, file: str, change: Callable[[list[Line]], list[Line]]) -> None:
        """Forge a file from what `change` makes of its lines."""
        self.forge(file, change(self.lines(file)))
