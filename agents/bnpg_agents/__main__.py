"""One agent process: `python -m bnpg_agents --state DIR --connect ENDPOINT`."""

import sys

from bnpg_protocol.process.endings import end_in_silence
from bnpg_protocol.process.threads import use_one_thread

if __name__ == "__main__":
    end_in_silence()  # until `ended` makes one line of it
use_one_thread()  # before anything imports numpy

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
