"""`bnpg resume`: go on with an interrupted run, or with a finished one for more rounds."""

from pathlib import Path
from typing import Any

import click
from bnpg_coordinator.experiment import MOST_ROUNDS

from bnpg.cli.options import debug_option, given, integer, json_option, options_of, quiet_option
from bnpg.launchers.settings import LaunchSettings


@click.command(short_help="Continue an interrupted run.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--rounds",
    type=integer(0, MOST_ROUNDS),
    metavar="R",
    help="Go on to so many rounds altogether, no fewer than are done.  [as many as it was given]",
)
@options_of(LaunchSettings)
@json_option
@quiet_option
@debug_option
def resume(folder: Path, rounds: int | None, as_json: bool, quiet: bool, **options: Any) -> int:
    """Continue an interrupted run to its end; the result is the one the uninterrupted run would have had.

    It is launched as it was before, unless other launch options are given. With --rounds a finished run goes
    on, too; what it comes to is what a run of so many rounds from the start would have come to.
    """
    from bnpg.cli.launching import launch_run, show_finished
    from bnpg.launchers.settings import asked_settings
    from bnpg.resumption import completed, resumable
    from bnpg.run_folder import RunFolder

    run = resumable(RunFolder(folder), rounds)
    if completed(run):
        return show_finished(run, as_json=as_json)
    settings = asked_settings(given(options, LaunchSettings), run.settings)
    return launch_run(run, settings, rounds=rounds, as_json=as_json, quiet=quiet)
