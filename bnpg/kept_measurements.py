"""What was measured of the policy of a run afterwards, kept in its folder for its report."""

import json
from typing import Any

from bnpg.named_place import write_named
from bnpg.report.recorded_run import RecordedRun


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
        If there can be no file in their place, or none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """
    digest = (
        None if run.summary is None or run.summary["state"] != "done" else run.summary.get("policy_digest")
    )
    if digest is None:
        return
    content = json.dumps({"policy_digest": digest, **measured}, indent=2) + "\n"
    write_named(run.folder / name, content.encode(), followed=False)
