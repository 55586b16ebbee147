"""`bnpg agent`: one agent by hand, on whichever host."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from bnpg.cli.options import debug_option, integer, number

_path = click.Path(path_type=Path)


@click.command(short_help="Start one agent of a run on this host.")
@click.option(
    "--connect", required=True, metavar="ENDPOINT", help="The coordinator's, such as tcp://10.0.0.1:7000."
)
@click.option(
    "--state", type=_path, required=True, metavar="DIR", help="Folder of its own; theta is kept there."
)
@click.option("--agent", type=integer(0), metavar="I", help="Its id.  [given at joining]")
@click.option(
    "--inbox",
    metavar="ENDPOINT",
    help="Where its parents reach it.  [a free port, on all addresses if --connect leaves this machine]",
)
@click.option(
    "--advertise", metavar="HOST", help="Host it names to its parents: auto, hostname, or the host.  [auto]"
)
@click.option("--key", type=_path, metavar="FILE", help="Its private key; mandatory off this machine.")
@click.option(
    "--coordinator-key", type=_path, metavar="FILE", help="The coordinator's public key.  [from --key]"
)
@click.option(
    "--enrol", type=_path, metavar="FOLDER", help="Make --key if missing, put its public half there."
)
@click.option(
    "--archive", is_flag=True, help="Put the theta of a run that is done aside: the next starts anew."
)
@click.option(
    "--stay", type=number(positive=False), metavar="SECONDS", help="Stay after the run, until SIGTERM.  [0]"
)
@click.option(
    "--patience", type=number(positive=True), metavar="SECONDS", help="Give up without progress.  [600]"
)
@click.option("--metrics-listen", metavar="HOST:PORT", help="Serve /metrics and /health there.")
@click.option("--faults", type=_path, metavar="PLAN.toml", envvar="BNPG_FAULTS", help="Inject faults.")
@click.option("--trace", type=_path, metavar="FOLDER", help="Record the messages; all into one folder.")
@click.option(
    "--fsync/--no-fsync", default=True, help="Whether theta survives a crash of the machine.  [fsync]"
)
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Of the log on stderr.  [text]")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="[info]")
@click.option("--spare", is_flag=True, help="Wait, instead of ending, when the run has all it needs.")
@debug_option
def agent(fsync: bool, archive: bool, spare: bool, **options: Any) -> int:
    """Start one agent. Coordinator and agents may be started in any order, on any hosts.

    \b
    Example:
      bnpg agent --connect tcp://10.0.0.1:7000 --key agent-0.key --state agent-0
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg_protocol.process.security.endpoints import leaves_machine

    if options["faults"] is not None:
        options["faults_since"] = time.time()
    connect = options["connect"]
    if options["inbox"] is None:
        options["inbox"] = "tcp://0.0.0.0:*" if leaves_machine(connect) else "tcp://127.0.0.1:*"
    # An agent is a light process of its own: nothing of the command line is loaded in it.
    command = [sys.executable, "-P", "-m", "bnpg_agents"]
    for name, value in options.items():
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    command += ["--no-fsync"] * (not fsync) + ["--archive"] * archive + ["--spare"] * spare
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606
