"""Where the processes of a local run find each other: a short folder with their ipc endpoints.

Endpoints of ipc are paths of at most 107 bytes, so they cannot live in the run folder, wherever that is. The
folder is named after the run: if everything was killed, resuming the run finds what is left and removes it.
"""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bnpg_protocol.wire.errors import StorageFailed


@contextmanager
def rendezvous(folder: Path) -> Iterator[Path]:
    """Make the meeting place of the run in a folder, for as long as the context lasts.

    Raises
    ------
    StorageFailed
        If it cannot be made, or if somebody else made it: others could listen in there.
    """
    run = str(json.loads((folder / "run.json").read_text())["run"])
    place = Path(tempfile.gettempdir()) / f"bnpg-{run[:24]}"
    try:
        _remove_own(place)
        place.mkdir(mode=0o700)
    except OSError as error:
        raise StorageFailed(f"cannot make {place}: {error.strerror}") from None
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _remove_own(place: Path) -> None:
    """Remove what an earlier life of the run left there, if it is really ours."""
    try:
        status = place.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise StorageFailed(f"{place} exists and is not this user's folder; remove it")
    shutil.rmtree(place)
