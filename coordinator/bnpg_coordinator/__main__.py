"""The coordinator process: `python -m bnpg_coordinator --folder DIR --listen ENDPOINT`."""

import sys

from bnpg_protocol.process.endings import end_in_silence
from bnpg_protocol.process.threads import use_one_thread

if __name__ == "__main__":
    end_in_silence()  # until `ended` makes one line of it
use_one_thread()  # before anything imports numpy

from bnpg_protocol.process.arguments import read_arguments  # noqa: E402
from bnpg_protocol.process.surroundings import ended, settle  # noqa: E402

from bnpg_coordinator.options import CoordinatorOptions  # noqa: E402
from bnpg_coordinator.shell import NAME, run_coordinator  # noqa: E402


def main() -> int:
    """Read the command line and run the coordinator."""
    settle()
    options = read_arguments(CoordinatorOptions, NAME, "The coordinator of a bnpg run.")
    return ended(lambda: run_coordinator(options), NAME)


if __name__ == "__main__":
    sys.exit(main())
