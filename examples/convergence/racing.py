"""One run to a certificate: how many rounds, how long."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ways import Way

from bnpg.execution import execute
from bnpg.experiment_plan import edges_text, plan_experiment
from bnpg.lab.verify.cases import Case
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_creation import create_run_folder


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Parameters
    ----------
    where : str
        The game, its DAG and the seed.
    way : Way
    certified : bool
        Whether a Nash gap of epsilon was certified within the rounds that it was given.
    rounds : int
        Updates made.
    seconds : float
        Wall time from the first round to the last.
    nash_gap : float
        Of the last policy, computed exactly.
    """

    where: str
    way: Way
    certified: bool
    rounds: int
    seconds: float
    nash_gap: float


def race(case: Case, way: Way, share: float, most: int, launcher: str) -> Outcome:
    """Train until a Nash gap of `share` of the range of returns is certified, for at most `most` rounds."""
    fields = {name.replace("_", "-"): value for name, value in way.fields.items()}
    plan = plan_experiment(
        {
            "game": case.where.rsplit(", ", 2)[0],
            "dag": edges_text(case.dag) or "empty",
            "mode": "exact",
            "rounds": most,
            "stop-at-epsilon": share * case.game.reward_range / (1.0 - case.game.gamma),
            "evaluate-every": most,
            **fields,
        }
    )
    settings = LaunchSettings(launcher=launcher, fsync=False)
    with tempfile.TemporaryDirectory(prefix="bnpg-convergence-") as scratch:
        folder = create_run_folder(plan, settings, Path(scratch) / "run")
        # As `bnpg train` does it, but for the pictures of every run.
        told = execute(folder, settings, find_launcher(launcher), lambda _line: None, curves=False).summary
        seconds = [line.seconds or 0.0 for line in folder.lines]
    # The first line waits for the processes to start.
    return Outcome(
        case.where, way, told["certified"], told["rounds"], sum(seconds[1:]), float(told["nash_gap"])
    )
