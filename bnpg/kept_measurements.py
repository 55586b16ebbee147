"""What was measured of the policy of a run afterwards, kept in its folder for its report."""

import json
from typing import Any

from bnpg_protocol.process.files import write_atomically

from bnpg.report.recorded_run import RecordedRun
from bnpg_math.errors import InputError


def keep(run: RecordedRun, name: str, measured: dict[str, Any]) -> None:
    """Write a measurement into the folder of a run; one that is not done changes still.

    Parameters
    ----------
    run : RecordedRun
    name : str
        Of the file; an older one is replaced.
    measured : dict
        Plain values; the digest of the policy that they are of is written with them.

    Raises
    ------
    InputError
        If a folder stands in their place.
    StorageFailed
        If they cannot be written.
    """
    digest = (
        None if run.summary is None or run.summary["state"] != "done" else run.summary.get("policy_digest")
    )
    if digest is None:
        return
    content = json.dumps({"policy_digest": digest, **measured}, indent=2) + "\n"
    path = run.folder / name
    if path.is_dir():
        raise InputError(f"{path} cannot be written: it is a folder")
    write_atomically(path, content.encode(), fsync=False)
