"""`bnpg agent`: one agent by hand, on whichever host."""

import os
import sys
import time
from typing import Any

import click
from bnpg_agents.options import AgentOptions
from bnpg_protocol.process.arguments import as_arguments
from bnpg_protocol.process.settings import convert

from bnpg.cli.options import debug_option, given, options_of


@click.command(short_help="Start one agent of a run on this host.")
@options_of(AgentOptions)
@debug_option
def agent(**options: Any) -> int:
    """Start one agent. Coordinator and agents may be started in any order, on any hosts.

    \b
    Example:
      bnpg agent --connect tcp://10.0.0.1:7000 --key agent-0.key --state agent-0
    """  # noqa: D301 (\b keeps click from wrapping)
    asked = given(options, AgentOptions)
    if "faults" in asked:
        asked["faults-since"] = time.time()
    words = as_arguments(convert(asked, AgentOptions))
    sys.stdout.flush()
    # An agent is a light process of its own: nothing of the command line is loaded in it.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "bnpg_agents", *words])  # noqa: S606
