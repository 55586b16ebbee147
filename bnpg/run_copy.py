"""A copy of a run folder, which appears whole or not at all."""

import json
import os
from pathlib import Path

from bnpg_coordinator import run_files
from bnpg_protocol.process.files import write_atomically

from bnpg.named_place import copy_into
from bnpg.run_draft import draft
from bnpg.run_folder import RunFolder
from bnpg_math.errors import InputError


def copy_run_folder(source: Path, target: Path) -> Path:
    """Copy a run folder; its summary names the new place.

    Parameters
    ----------
    source : Path
        Of a run that nobody is running.
    target : Path
        A new folder; those above it are made.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    InputError
        If it is there already, or there can be none of that name, or none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """
    if os.path.lexists(target):
        raise InputError(f"{target} exists already and is never overwritten; choose another name")
    text = f"cannot make the run folder {target}"
    with draft(target, text) as temporary:
        copy_into(temporary, source, text)
        summary = RunFolder(temporary).summary
        if summary is not None:
            content = json.dumps(summary | {"run_dir": str(target.absolute())}, indent=2) + "\n"
            write_atomically(temporary / run_files.SUMMARY, content.encode(), fsync=True)
        temporary.rename(target)
    return target
