"""All runs below a folder, read again only where something has changed."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bnpg_coordinator import run_files

from bnpg.catalogue.entry import LEFT, RUNNING, UNREADABLE, Entry, Stamp, lives, read_entry, stamps
from bnpg_files.reading import why
from bnpg_math.errors import InputError

DEPTH = 4
"""Folders within folders in which runs are looked for: `runs/`, `sweeps/NAME/runs/`, and one more."""
MOST = 20_000
"""Runs that are listed at most."""
_MARKS = frozenset({run_files.IDENTITY, run_files.EXPERIMENT})
"""A folder with one of these is that of a run, whole or not."""


class Catalogue:
    """The runs below a folder.

    Parameters
    ----------
    folder : Path
        Of many runs, or of one.

    Raises
    ------
    InputError
        If it is no folder, or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            what = "is no folder" if os.path.lexists(folder) else "does not exist"
            raise InputError(f"{folder} {what}; expected a folder with runs in it")
        try:
            os.scandir(folder).close()
        except OSError as error:
            raise InputError(f"{folder} cannot be read: {why(error)}") from None
        self._folder = folder
        self._known: dict[str, tuple[tuple[Stamp | None, ...], Entry]] = {}

    def entries(self) -> list[Entry]:
        """Return the runs as they are now, newest first; of what has not changed the same objects."""
        found: dict[str, tuple[tuple[Stamp | None, ...], Entry]] = {}
        for name, folder, trouble in _run_folders(self._folder):
            if len(found) >= MOST:
                break
            stamp = (None,) if trouble else stamps(folder)
            known = self._known.get(name)
            if known is None or known[0] != stamp or (trouble and known[1].why != trouble):
                entry = Entry(name, folder, UNREADABLE, trouble) if trouble else read_entry(name, folder)
            else:
                entry = known[1]
            if entry.state in (LEFT, RUNNING):
                state = RUNNING if lives(folder) else LEFT
                if (entry.state, entry.why) != (state, _WHY[state]):
                    entry = replace(entry, state=state, why=_WHY[state])
            found[name] = (stamp, entry)
        self._known = found
        return sorted((entry for _, entry in found.values()), key=_newest)


_WHY = {RUNNING: "", LEFT: "it has no summary, and nobody writes to it; bnpg resume goes on with it"}


def _newest(entry: Entry) -> tuple[tuple[int, ...], str]:
    return tuple(-ord(letter) for letter in entry.created), entry.name


def _run_folders(top: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield name, folder and, where it cannot be looked into, why.

    Links are followed to a run, never to look for runs behind them: they may lead anywhere.
    """
    if any((top / mark).exists() for mark in _MARKS):
        yield top.resolve().name, top, ""
        return
    waiting = [(top, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                inner = sorted(
                    (entry for entry in entries if not entry.name.startswith(".")),
                    key=lambda entry: entry.name,
                )
        except OSError as error:
            yield str(folder.relative_to(top)), folder, f"{folder} cannot be read: {why(error)}"
            continue
        for entry in inner:
            try:
                if not entry.is_dir():
                    continue
                path = Path(entry.path)
                if any(os.path.lexists(path / mark) for mark in _MARKS):
                    yield str(path.relative_to(top)), path, ""
                elif depth + 1 < DEPTH and not entry.is_symlink():
                    waiting.append((path, depth + 1))
            except OSError:
                continue
