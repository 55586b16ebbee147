"""`bnpg resume`: go on with an interrupted run."""

from pathlib import Path
from typing import Any

import click

from bnpg.cli.options import debug_option, given, json_option, options_of, quiet_option
from bnpg.launchers.settings import LaunchSettings


@click.command(short_help="Continue an interrupted run.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options_of(LaunchSettings)
@json_option
@quiet_option
@debug_option
def resume(folder: Path, as_json: bool, quiet: bool, **options: Any) -> int:
    """Continue an interrupted run to its end; the result is the one the uninterrupted run would have had.

    It is launched as it was before, unless other launch options are given.
    """
    from bnpg.cli.launching import launch_run, show_finished
    from bnpg.launchers.settings import settings_from
    from bnpg.resumption import check_resumable, completed
    from bnpg.run_folder import RunFolder

    run = RunFolder(folder)
    check_resumable(run)
    if completed(run):
        return show_finished(run, as_json=as_json)
    settings = settings_from(given(options, LaunchSettings), run.settings)
    return launch_run(run, settings, as_json=as_json, quiet=quiet)
