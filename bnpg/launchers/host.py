"""One host of a run, as its launcher sees it: starts processes there, makes their keys, says how they end.

    python -P -m bnpg.launchers.host

Requests come as lines of JSON on standard input, reports go as lines of JSON to standard output. When the
input ends, because the launcher is gone or done, so do all processes here. Keys are made in a folder that
nobody else can read and that goes with this process; only their public halves leave it.
"""

import fcntl
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from bnpg_protocol.process.endings import EndHandler, endings
from bnpg_protocol.process.security.keys import KeyFile, write_key_file
from bnpg_protocol.process.streams import PatientFile

from bnpg.launchers.local_place import LocalPlace
from bnpg.launchers.place import Handle, Order
from bnpg.launchers.signals import heeding_children

HOST_FOLDER = "{host}"
"""In the words of an order: the folder of the keys on its host."""
_PREFIX = "bnpg-host-"
GRACE = 8.0
"""Seconds that processes have to end by themselves when the launcher is gone."""
LOOK_EVERY = 0.02
"""Seconds between two looks at the processes."""


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a launcher asks of a host."""

    start: tuple[tuple[int, Order], ...] = ()
    """Processes to start, each with a number by which it is called from then on."""
    end: int = 0
    abandon: int = 0
    kill: int = 0
    keys: tuple[str, ...] = ()
    """Names of processes that need a key."""
    coordinator: str = ""
    """The coordinator's public key, which goes into those files."""


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host tells its launcher."""

    ended: dict[int, int] = {}
    """Exit codes by the numbers of processes."""
    keys: dict[str, str] = {}
    """Public keys by the names of processes."""


class Host:
    """Processes on this machine, for a launcher that may be elsewhere; a context manager."""

    def __init__(self) -> None:
        _remove_left()
        self._folder, self._hold = _held_folder()
        self._place = LocalPlace()
        self._running: dict[int, Handle] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.abandon()
        deadline = time.monotonic() + GRACE
        for process in self._running.values():
            process.wait(max(0.0, deadline - time.monotonic()))
        self._place.__exit__(kind, error, trace)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._hold)

    def take(self, request: Request) -> Report:
        """Do what is asked; return what came of it."""
        if request.start:
            numbers, orders = zip(*request.start, strict=True)
            here = [self._here(order) for order in orders]
            self._running.update(zip(numbers, self._place.start(here), strict=True))
        for number, ask in (
            (request.end, "end"),
            (request.abandon, "abandon"),
            (request.kill, "kill"),
        ):
            if number in self._running:
                getattr(self._running[number], ask)()
        return Report(keys={name: self._key(name, request.coordinator) for name in request.keys})

    def look(self) -> Report:
        """Return who has ended since the last look."""
        codes = {number: process.poll() for number, process in self._running.items()}
        ended = {number: code for number, code in codes.items() if code is not None}
        for number in ended:
            self._running.pop(number).abandon()
        return Report(ended=ended)

    def _here(self, order: Order) -> Order:
        words = (word.replace(HOST_FOLDER, str(self._folder)) for word in order.arguments)
        return msgspec.structs.replace(order, arguments=tuple(words))

    def _key(self, name: str, coordinator: str) -> str:
        from bnpg_protocol.process.transport.curve import new_key_pair

        pair = new_key_pair()
        write_key_file(self._folder / f"{name}.key", KeyFile(name, pair.public, pair.secret, coordinator))
        return pair.public


def _held_folder() -> tuple[Path, int]:
    """Make a folder, and hold it as long as a file descriptor is open."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):  # another host took it for one that was left
            hold = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(hold, fcntl.LOCK_EX)
            if folder.exists():
                return folder, hold
            os.close(hold)


def _remove_left() -> None:
    """Remove the folders of hosts that were killed: nobody holds them any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or held
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(held).st_uid == os.getuid():
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            finally:
                os.close(held)


def main() -> int:
    """Serve a launcher until it is gone."""
    reports = PatientFile(os.dup(sys.stdout.fileno()))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not garble the reports
    asked: list[bool] = []
    for number in endings():
        signal.signal(number, EndHandler(lambda: asked.append(True)))
    decode = msgspec.json.Decoder(Request).decode
    left = b""
    with heeding_children(), Host() as host:
        while not asked:
            readable, _, _ = select.select([0], [], [], LOOK_EVERY)
            if readable:
                content = os.read(0, 1 << 16)
                if not content:
                    break
                *lines, left = (left + content).split(b"\n")
                _tell(reports, (host.take(decode(line)) for line in lines))
            _tell(reports, (host.look(),))
    return 0


def _tell(reports: Any, news: Iterable[Report]) -> None:
    for report in news:
        if report.ended or report.keys:
            reports.write(msgspec.json.encode(report) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
