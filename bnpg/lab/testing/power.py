"""A power cut: of a folder, only what was synchronised is left.

Two disks are imitated: one that has kept no name that was not synchronised, and one that has every name of
the present moment, as file systems may write names earlier than contents. Neither has any content that was
not.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock


class Disk:
    """What is durable, of all that this process synchronises as long as `watching` lasts."""

    def __init__(self) -> None:
        self._names: dict[int, dict[str, int]] = {}
        self._contents: dict[int, bytes] = {}
        self._held: list[int] = []
        """So that no number of a file is given again."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on at every synchronisation."""
        fsync, fdatasync = os.fsync, os.fdatasync

        def watched(file: int) -> None:
            fsync(file)
            self._take(file)

        try:
            with mock.patch.object(os, "fsync", watched), mock.patch.object(os, "fdatasync", watched):
                assert fdatasync is not os.fdatasync
                yield
        finally:
            for number in self._held:
                os.close(number)

    def _take(self, file: int) -> None:
        status = os.fstat(file)
        self._held.append(os.dup(file))
        if stat.S_ISDIR(status.st_mode):
            self._names[status.st_ino] = _names(Path(f"/proc/self/fd/{file}"))
        else:
            self._contents[status.st_ino] = Path(f"/proc/self/fd/{file}").read_bytes()

    def left(self, folder: Path, target: Path, names_of_now: bool) -> Path:
        """Make what a power cut at this moment leaves of a folder; return where."""
        target.mkdir()
        number = folder.stat().st_ino
        for name, held in (_names(folder) if names_of_now else self._names.get(number, {})).items():
            path = folder / name
            if path.is_dir() and path.stat().st_ino == held:
                self.left(path, target / name, names_of_now)
            else:
                (target / name).write_bytes(self._contents.get(held, b""))
        return target


def _names(folder: Path) -> dict[str, int]:
    with os.scandir(folder) as found:
        return {one.name: one.inode() for one in found}
