"""Kill a run at every system call that changes something on the disk, resume it, and compare what it leaves.

    python -P -m bnpg.lab.testing.killed_anywhere [--every N] [--begin N] FOLDER [-- OPTIONS OF TRAIN]

A run in memory is killed, as by SIGKILL, as it is about to open, write, truncate, sync, rename, remove or
make something in its folder, for every such call from the first file to after its last word, and once more in
the midst of every write, when half of it is on the disk. Each time `bnpg resume` must bring it to its end,
with every file that the undisturbed run has, with the same content, and with nothing left beside it. Killed
before its folder appeared, it is begun anew.

Each run is forked from this process, which has imported everything: it takes a fraction of a second.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bnpg.__main__ import main as bnpg
from bnpg.lab.testing.run_content import content
from bnpg.lab.testing.system_calls import CUT_SHORT, traced

OPTIONS = (
    "coordination(agents=2)", "--rounds", "2", "--lanes", "2", "--horizon", "2", "--evaluate-every", "2",
    "--launcher", "memory", "--trace", "--log", "csv", "--quiet",
)  # fmt: skip


def forked(work: Callable[[], int]) -> int:
    """Do something in a process of its own; return its exit code, that of a signal as negative."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 1)
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_and_resume(folder: Path, options: tuple[str, ...], last: int, torn: bool) -> int:
    """Kill a run at one of its calls, if it makes so many, and resume it; return the exit code."""
    parent = folder.parent
    traced(lambda: bnpg(["train", *options, "--out", str(folder)]), parent, last, torn)
    if not folder.exists():
        return forked(lambda: bnpg(["train", *options, "--out", str(folder)]))
    return forked(lambda: bnpg(["resume", str(folder), "--quiet"]))


def main() -> int:
    """Kill runs at every call; tell on stdout, as an object, how many there are and what went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="only at so many calls, and in so many writes")
    parser.add_argument("--begin", type=int, default=1, help="with this one first; from the end if < 0")
    parser.add_argument("options", nargs="*", default=OPTIONS, help="of bnpg train, after --")
    given = parser.parse_args()
    options, parent = tuple(given.options), given.folder.resolve()
    reference = parent / "whole"
    assert forked(lambda: bnpg(["train", *options, "--out", str(reference)])) == 0
    # Once more in this process: what is imported late is there for all forks.
    assert bnpg(["train", *options, "--out", str(parent / "warm"), "--json"]) == 0
    expected = content(reference)
    counted = traced(lambda: bnpg(["train", *options, "--out", str(parent / "counted")]), parent)
    assert counted.code == 0
    calls, wrong = counted.calls, []
    begin = given.begin if given.begin > 0 else max(1, len(calls) + 2 + given.begin)
    own = {path.name for path in parent.iterdir()}
    kills = [(last, False) for last in range(begin, len(calls) + 2, given.every)]
    writes = [last for last, call in enumerate(calls, 1) if last >= begin and call in CUT_SHORT]
    kills += [(last, True) for last in writes[:: given.every]]
    for last, torn in kills:
        folder = parent / f"killed-{last}-{torn:d}"
        own |= {folder.name}
        code = kill_and_resume(folder, options, last, torn)
        left = content(folder)
        differ = sorted(
            name for name in expected.keys() | left.keys() if expected.get(name, 0) != left.get(name, 0)
        )
        check = forked(partial(bnpg, ["trace", "check", str(folder)]))
        beside = sorted(path.name for path in parent.iterdir() if path.name not in own)
        if code or differ or check or beside:
            found = {"code": code, "differ": differ, "trace": check, "beside": beside}
            wrong.append({"call": last, "torn": torn} | found)
        else:
            shutil.rmtree(folder)
    told = {"calls": len(calls), "kills": len(kills), "torn": sum(torn for _, torn in kills), "wrong": wrong}
    sys.stdout.write("\n" + json.dumps(told) + "\n")
    return 5 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
