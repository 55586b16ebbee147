"""`bnpg slurm-script`: a job script for Slurm, printed and not submitted."""

from typing import Any

import click
from bnpg_coordinator.experiment import Experiment

from bnpg.cli.options import debug_option, given, integer, options_of
from bnpg.launchers.settings import LaunchSettings


@click.command("slurm-script", short_help="Print a job script that runs an experiment on Slurm.")
@click.argument("subject", metavar="GAME|EXPERIMENT.toml")
@click.option("--nodes", type=integer(1, 65536), required=True, metavar="N", help="Hosts of the job.")
@click.option(
    "--time", required=True, metavar="TIME", help="Its limit as Slurm has it: minutes, or H:MM:SS, or D-H:MM."
)
@click.option("--out", metavar="DIR", help="Run folder, on a disk of all hosts.  [runs/NAME-JOB]")
@click.option(
    "--sbatch",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another option of the job, such as partition=long; may be given several times.",
)
@options_of(Experiment, but=("game",))
@options_of(LaunchSettings, but=("launcher", "transport"))
@debug_option
def slurm_script(
    subject: str, nodes: int, time: str, out: str | None, sbatch: tuple[str, ...], **options: Any
) -> None:
    """Print a job script that trains on the hosts of a Slurm allocation; nothing is submitted.

    A minute before its limit the job stops in order, is queued again, and goes on where it was, as often as
    needed. So it does when a host fails.

    \b
    Example:
      bnpg slurm-script examples/coordination.toml --nodes 3 --time 1:00:00 > job.sh
      sbatch job.sh
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg.asked_experiment import asked_for
    from bnpg.launchers.settings import asked_settings
    from bnpg.launchers.slurm_script import job_script

    asked, launch = given(options, Experiment), given(options, LaunchSettings)
    # What is wrong is said now, and not when the job has waited for its turn.
    asked_for(subject).with_options(asked).plan()
    asked_settings(launch | {"launcher": "slurm"})
    click.echo(job_script(subject, nodes, time, out, sbatch, asked, launch), nl=False)
