"""`bnpg train`: check everything, make the run folder, launch."""

from pathlib import Path
from typing import Any

import click
from bnpg_coordinator.experiment import Experiment

from bnpg.cli.options import debug_option, game_names, given, integer, json_option, options_of, quiet_option
from bnpg.launchers.settings import LaunchSettings


@click.command(short_help="Train a team on a game.")
@click.argument("subject", metavar="GAME|EXPERIMENT.toml", required=False, shell_complete=game_names)
@options_of(Experiment, but=("game",))
@click.option(
    "--from",
    "origin",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Start from the policy of another run, on the graph that --dag names; parents that it lacks are "
    "summed out. Without a GAME, its experiment goes on.",
)
@click.option(
    "--budget",
    type=integer(0),
    default=None,
    metavar="K",
    help="Edges that --dag learned may keep.  [as few as lose nothing that was measured]",
)
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
    subject: str | None,
    origin: Path | None,
    budget: int | None,
    out: Path | None,
    faults: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
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
      bnpg train "coordination(agents=4)" --dag learned --budget 3
      bnpg train --from runs/mine --dag 0-1,0-2
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg.asked_experiment import asked_for
    from bnpg.cli.launching import launch_run
    from bnpg.cli.learning_a_graph import check_budget, train_learned
    from bnpg.edges.starting_from import LEARNED, experiment_of, policy_from
    from bnpg.experiment_plan import ExperimentPlan
    from bnpg.launchers.registry import check_launcher
    from bnpg.launchers.settings import asked_settings
    from bnpg.run_creation import FAULTS_FILE, create_run_folder, read_faults
    from bnpg.run_folder import RunFolder

    if subject is not None:
        asked = asked_for(subject)
    elif origin is not None:
        asked = experiment_of(origin)
    else:
        raise click.UsageError("Missing argument 'GAME|EXPERIMENT.toml'.")
    asked = asked.with_options(given(options, Experiment))
    check_budget(asked.fields.get("dag"), budget)
    settings = asked_settings(given(options, LaunchSettings) | ({"faults": FAULTS_FILE} if faults else {}))
    check_launcher(settings)
    plan_of_faults = None if faults is None else read_faults(faults)

    def create(plan: ExperimentPlan, folder: Path | None) -> RunFolder:
        return create_run_folder(plan, settings, folder, plan_of_faults)

    if asked.fields.get("dag") == LEARNED and origin is None:
        return train_learned(asked, settings, budget, out, create, as_json=as_json, quiet=quiet)
    initial = None if origin is None else policy_from(origin, asked.fields)
    plan = asked.plan(quiet, initial=initial, patience=settings.patience)
    return launch_run(create(plan, out), settings, as_json=as_json, quiet=quiet)
