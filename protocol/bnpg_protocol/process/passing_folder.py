"""Temporary folders that go with what they are for, and with a process that ends at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HELD: set[Path] = set()
_TRIES = 3
"""Another thread may write into a folder while it is removed."""


@contextmanager
def passing_folder(prefix: str) -> Iterator[Path]:
    """Make a temporary folder; it is removed at the end of the context, or by `surroundings.leave`."""
    # Agents and coordinators, which hold none, start without these.
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix=prefix))
    _HELD.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        _HELD.discard(folder)


def remove_passing_folders() -> None:
    """Remove all folders that are held, as far as that can be done, for a process that is about to end."""
    if not _HELD:
        return
    import shutil

    for folder in [*_HELD] * _TRIES:
        shutil.rmtree(folder, ignore_errors=True)
