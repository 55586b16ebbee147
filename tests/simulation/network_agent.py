"""An agent process with a network for a policy: `network_agent.py STATE CONNECT INBOX AGENT PLAN`."""

import sys
from pathlib import Path

from bnpg_agents.shell import AgentOptions, run_agent

from tests.simulation.networks import network

if __name__ == "__main__":
    state, connect, inbox, agent, plan = sys.argv[1:]
    options = AgentOptions(
        state=Path(state),
        connect=connect,
        inbox=inbox,
        agent=int(agent),
        patience=60.0,
        fsync=False,
        lifeline=True,
        faults=Path(plan),
    )
    sys.exit(int(run_agent(options, policy=network)))
