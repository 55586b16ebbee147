"""`bnpg train`: check everything, make the run folder, launch."""

from pathlib import Path
from typing import Any

import click
from bnpg_coordinator.experiment import Experiment

from bnpg.cli.options import debug_option, given, json_option, options_of, quiet_option
from bnpg.launchers.settings import LaunchSettings


@click.command(short_help="Train a team on a game.")
@click.argument("subject", metavar="GAME|EXPERIMENT.toml")
@options_of(Experiment, but=("game",))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run folder, never overwritten.  [runs/GAME-TIMESTAMP]",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path),
    metavar="PLAN.toml",
    help="Inject the faults of a plan: losses, delays, partitions, kills ...",
)
@options_of(LaunchSettings)
@json_option
@quiet_option
@debug_option
def train(
    subject: str, out: Path | None, faults: Path | None, as_json: bool, quiet: bool, **options: Any
) -> int:
    """Train a team on a game, from the built-in list (`bnpg games`), a game file or an experiment file.

    Options that are given override the fields of an experiment file. Relative paths in such a file start
    from its folder.

    \b
    Examples:
      bnpg train "coordination(agents=5)" --dag complete
      bnpg train my-game.npz --mode exact --learning-rate certified
      bnpg train examples/coordination.toml --seed 1 --json
      bnpg train climbing --dag 0-1 --faults examples/faults/bad-wifi.toml
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg_coordinator.experiment import read_fields

    from bnpg.cli.launching import launch_run
    from bnpg.experiment_plan import plan_experiment
    from bnpg.launchers.registry import check_launcher
    from bnpg.launchers.settings import settings_from
    from bnpg.run_creation import FAULTS_FILE, create_run_folder, read_faults

    fields, base = {"game": subject}, Path()
    if subject.endswith(".toml"):
        fields, base = read_fields(Path(subject)), Path(subject).parent
    settings = settings_from(given(options, LaunchSettings) | ({"faults": FAULTS_FILE} if faults else {}))
    plan = plan_experiment(fields | given(options, Experiment), base, quiet, patience=settings.patience)
    check_launcher(settings)
    run = create_run_folder(plan, settings, out, None if faults is None else read_faults(faults))
    return launch_run(run, settings, as_json=as_json, quiet=quiet)
