"""The coordinator process: `python -m bnpg_coordinator --folder DIR --listen ENDPOINT`."""

import argparse
import os
import sys
from pathlib import Path

# One BLAS thread: the number of threads may change the last bit of a sum.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from bnpg_protocol.process.surroundings import ended, settle  # noqa: E402

from bnpg_coordinator.shell import CoordinatorOptions, run_coordinator  # noqa: E402


def main() -> int:
    """Parse the command line and run the coordinator."""
    parser = argparse.ArgumentParser(prog="bnpg-coordinator", description="The coordinator of a bnpg run.")
    parser.add_argument("--folder", type=Path, required=True, help="the run folder")
    parser.add_argument("--listen", required=True, help="endpoint to bind; tcp port 0 picks one")
    parser.add_argument("--endpoint-file", type=Path, help="where to write the endpoint once it is bound")
    parser.add_argument(
        "--patience", type=float, default=120.0, help="seconds without progress until it gives up"
    )
    parser.add_argument(
        "--no-fsync", action="store_true", help="the record survives the process, not the machine"
    )
    parser.add_argument("--lifeline", action="store_true", help="end when standard input is closed")
    parser.add_argument("--fence", type=Path, help="the fence of the launcher that has the run folder")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.add_argument("--faults", type=Path, help="a fault plan")
    parser.add_argument("--trace", type=Path, help="folder for the message trace")
    parser.add_argument("--faults-since", type=float, default=0.0, help="Unix time at which the run started")
    parser.add_argument("--key", type=Path, help="its private key; mandatory off this machine")
    parser.add_argument("--roster", type=Path, help="whom it lets in: a file, or a folder of public keys")
    parser.add_argument("--metrics-listen", help="serve /metrics and /health at HOST:PORT")
    settle()
    given = parser.parse_args()
    options = CoordinatorOptions(
        folder=given.folder,
        listen=given.listen,
        endpoint_file=given.endpoint_file,
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
        roster=given.roster,
        metrics_listen=given.metrics_listen,
    )
    return ended(lambda: run_coordinator(options), "bnpg-coordinator")


if __name__ == "__main__":
    sys.exit(main())
