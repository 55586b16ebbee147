"""A copy of a run folder, which appears whole or not at all."""

import json
import os
import shutil
from pathlib import Path

from bnpg_coordinator import run_files
from bnpg_protocol.process.files import write_atomically

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
        If it is there already, or cannot be made.
    """
    if os.path.lexists(target):
        raise InputError(f"{target} exists already and is never overwritten; choose another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft(target) as temporary:
            shutil.copytree(source, temporary, dirs_exist_ok=True, symlinks=True)
            summary = RunFolder(temporary).summary
            if summary is not None:
                content = json.dumps(summary | {"run_dir": str(target.absolute())}, indent=2) + "\n"
                write_atomically(temporary / run_files.SUMMARY, content.encode(), fsync=True)
            temporary.rename(target)
    except OSError as error:
        raise InputError(f"cannot make the run folder {target}: {error.strerror or error}") from None
    return target
