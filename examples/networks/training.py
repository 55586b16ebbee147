"""One team of one seed: trained, and judged by what it earns afterwards."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from studies import Study, Team

import bnpg
from bnpg.edges import EPISODES
from bnpg.edges.document import named
from bnpg.edges.of_run import edges_of_run, policy_on
from bnpg.report.recorded_run import read_run
from bnpg_math.policies.network_file import write_policy

POINTS = 100
"""Of a learning curve."""


class Result(msgspec.Struct, frozen=True):
    """What a team came to.

    Parameters
    ----------
    team : str
    seed : int
    options : dict
        What it was trained with.
    dag : str
        What it ended on.
    greedy : float
        Return of the most probable actions: in a game without time that of the one joint action, else the
        mean over 100 episodes that nobody trained on.
    low, high : float
        Its interval at 95 %.
    drawn : float
        The same of actions that are drawn.
    steps, returns : list of float
        The learning curve: steps played so far, mean return of the episodes that were learnt from.
    digest : str
        Of the policy; the same wherever it is trained.
    """

    team: str
    seed: int
    options: dict[str, Any]
    dag: str
    greedy: float
    low: float
    high: float
    drawn: float
    steps: list[float]
    returns: list[float]
    digest: str


def train(study: Study, team: Team, seed: int, quick: bool) -> Result:
    """Train a team in memory, prune its graph and train on if it has a budget; return what it came to."""
    options = study.options(team, quick)
    run = bnpg.train(study.world, seed=seed, **options)
    steps, returns = curve(run, options)
    if team.budget is not None:
        run = pruned(study.world, run, seed, options, team.budget, 256 if quick else EPISODES)
        further, later = curve(run, options)
        steps, returns = steps + [steps[-1] + one for one in further], returns + later
    told = run.summary
    assert told is not None
    if told["return_mean"] is not None and told.get("drawn_return_mean") is not None:
        greedy, low, high = (float(told[key]) for key in ("return_mean", "return_low", "return_high"))
        drawn = float(told["drawn_return_mean"])
    else:  # a game of one state and one step: its most probable actions earn what they earn
        greedy = low = high = float(run.episodes()[0].total)
        drawn = float(run.evaluate().value)
    return Result(
        team.name, seed, options, run.experiment.dag, greedy, low, high, drawn, steps, returns,
        told["policy_digest"],
    )  # fmt: skip


def pruned(
    world: str, run: bnpg.Run, seed: int, options: dict[str, Any], budget: int, episodes: int
) -> bnpg.Run:
    """Keep the edges that are worth most, and train on with what was learnt, as ``--dag learned`` does."""
    recorded = read_run(run.folder)
    kept = edges_of_run(recorded, budget, episodes).proposal
    with TemporaryDirectory() as scratch:
        beginning = Path(scratch) / "policy.npz"
        write_policy(policy_on(recorded, kept), beginning)
        return bnpg.train(world, seed=seed, **{**options, "dag": named(kept), "initial": beginning})


def curve(run: bnpg.Run, options: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Return the steps played and the mean return of the episodes learnt from, at a number of points."""
    returns = [line["return_mean"] for line in run.lines if line.get("return_mean") is not None]
    each = int(options["lanes"]) * int(options.get("steps", 1))  # a game without time has a step a lane
    parts = np.array_split(np.arange(len(returns)), min(POINTS, len(returns)))
    return (
        [float((part[-1] + 1) * each) for part in parts],
        [float(np.mean([returns[place] for place in part])) for part in parts],
    )
