"""A launcher in a process of its own: `python -P -m bnpg.lab.testing.launch FOLDER SETTINGS`.

A test must be able to interrupt and to kill the launcher too, which it could not if it were the test itself.
"""

import sys
from pathlib import Path

import msgspec

from bnpg.launchers import local, memory
from bnpg.launchers.settings import LaunchSettings
from bnpg.lease import lease
from bnpg.run_folder import RunFolder


def main() -> int:
    """Launch the run in a folder, tell its outcome on stdout as JSON, and end with its exit code."""
    run = RunFolder(Path(sys.argv[1]))
    settings = msgspec.json.decode(sys.argv[2], type=LaunchSettings)
    launcher = memory if settings.launcher == "memory" else local
    with lease(run.path) as fence:
        outcome = launcher.launch(run, settings, fence, lambda _line: None)
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    return int(outcome.code)


if __name__ == "__main__":
    sys.exit(main())
