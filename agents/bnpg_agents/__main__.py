"""One agent process: `python -m bnpg_agents --state DIR --connect ENDPOINT`."""

import os
import sys

# One BLAS thread: the number of threads may change the last bit of a sum.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from bnpg_protocol.process.arguments import read_arguments  # noqa: E402
from bnpg_protocol.process.surroundings import ended, settle  # noqa: E402

from bnpg_agents.options import AgentOptions  # noqa: E402
from bnpg_agents.shell import run_agent  # noqa: E402


def main() -> int:
    """Read the command line and run the agent."""
    settle()
    options = read_arguments(AgentOptions, "bnpg-agent", "One agent of a bnpg run.")
    return ended(lambda: run_agent(options), "bnpg-agent")


if __name__ == "__main__":
    sys.exit(main())
