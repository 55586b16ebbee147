"""One agent process: `python -m bnpg_agents --state DIR --connect ENDPOINT --inbox ENDPOINT`."""

import argparse
import sys
from pathlib import Path

from bnpg_protocol.process.surroundings import ended, settle
from bnpg_protocol.wire.addresses import UNASSIGNED

from bnpg_agents.shell import AgentOptions, run_agent


def main() -> int:
    """Parse the command line and run the agent."""
    parser = argparse.ArgumentParser(prog="bnpg-agent", description="One agent of a bnpg run.")
    parser.add_argument("--agent", type=int, default=UNASSIGNED, help="its id; without one it asks for one")
    parser.add_argument("--state", type=Path, required=True, help="folder of its own, for its checkpoints")
    parser.add_argument(
        "--connect", required=True, help="endpoint of the coordinator, or @FILE that will hold it"
    )
    parser.add_argument(
        "--inbox", required=True, help="endpoint to bind for its parents; tcp port 0 picks one"
    )
    parser.add_argument(
        "--patience", type=float, default=600.0, help="seconds without progress until it gives up"
    )
    parser.add_argument(
        "--no-fsync", action="store_true", help="checkpoints survive the process, not the machine"
    )
    parser.add_argument("--lifeline", action="store_true", help="end when standard input is closed")
    parser.add_argument("--fence", type=Path, help="the fence of the launcher that has the run folder")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.add_argument("--faults", type=Path, help="a fault plan")
    parser.add_argument("--trace", type=Path, help="folder for the message trace")
    parser.add_argument("--faults-since", type=float, default=0.0, help="Unix time at which the run started")
    parser.add_argument("--key", type=Path, help="its private key; mandatory off this machine")
    parser.add_argument("--coordinator-key", type=Path, help="its public key, unless --key holds it")
    parser.add_argument("--enrol", type=Path, help="folder for the public half; makes --key if missing")
    parser.add_argument("--advertise", default="auto", help="host for its parents, auto or hostname")
    parser.add_argument("--archive", action="store_true", help="put the thetas of a run that is done aside")
    parser.add_argument("--spare", action="store_true", help="wait when the run has all the agents it needs")
    parser.add_argument("--stay", type=float, default=0.0, help="seconds to stay after the run")
    parser.add_argument("--metrics-listen", help="serve /metrics and /health at HOST:PORT")
    settle()
    given = parser.parse_args()
    options = AgentOptions(
        state=given.state,
        connect=given.connect,
        inbox=given.inbox,
        agent=given.agent,
        patience=given.patience,
        fsync=not given.no_fsync,
        lifeline=given.lifeline,
        fence=given.fence,
        faults=given.faults,
        faults_since=given.faults_since,
        trace=given.trace,
        log_format=given.log_format,
        log_level=given.log_level,
        key=given.key,
        coordinator_key=given.coordinator_key,
        enrol=given.enrol,
        advertise=given.advertise,
        archive=given.archive,
        spare=given.spare,
        stay=given.stay,
        metrics_listen=given.metrics_listen,
    )
    return ended(lambda: run_agent(options), "bnpg-agent")


if __name__ == "__main__":
    sys.exit(main())
