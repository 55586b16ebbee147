"""`bnpg env`: whether an environment can be trained in."""

from typing import Any

import click
from bnpg_coordinator.experiment import Experiment, experiment_settings
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.errors import tell_error
from bnpg.cli.options import debug_option, given, json_option, options_of
from bnpg.cli.suggestions import SuggestingGroup

_HOW = ("world", "seed", "team_reward", "instances")
"""Settings of an experiment that say how an environment is played here."""


@click.group(cls=SuggestingGroup, short_help="Check an environment.")
def env() -> None:
    """Find out whether an environment can be trained in."""


@env.command(short_help="Check that an environment is a function of its seed, and how fast it is.")
@click.argument("subject", metavar="WORLD")
@options_of(Experiment, but=[field.name for field in experiment_settings() if field.name not in _HOW])
@json_option
@debug_option
def check(subject: str, as_json: bool, **options: Any) -> int:
    """Check the environment WORLD: a bundled simulator, pettingzoo:MODULE, gymnasium:ID or module:function.

    It is played by keyed actions that are allowed: twice, in other instances, after other episodes, and with
    its lanes one part after the other. Where its package has tests for environments, these are run too, and
    what they complain of is shown. The exit code is 0, or 5 with what is not reproducible.

    \b
    Examples:
      bnpg env check relay
      bnpg env check pettingzoo:mpe2.simple_spread_v3 --world N=4
      bnpg env check my_environment:make
    """  # noqa: D301 (\b keeps click from wrapping)
    import json

    from bnpg.environment_check import check_environment

    fields = given(options, Experiment)
    found = check_environment({"game": subject} | fields)
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        click.echo(found.as_text())
    for complaint in found.complaints:
        click.echo(f"bnpg: warning: {complaint}", err=True)
    for problem in found.problems:
        tell_error(problem)
    return int(ExitCode.VIOLATION if found.problems else ExitCode.DONE)
