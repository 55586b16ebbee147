"""The coordinator process: `python -m bnpg_coordinator --folder DIR --listen ENDPOINT`."""

import os
import sys

# One BLAS thread: the number of threads may change the last bit of a sum.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

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
