"""A run folder, read for people: whole or interrupted, over or under way.

What is not there is None, and `why` says in one sentence what would have to be done to have it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from bnpg_agents.checkpoint import load_latest
from bnpg_coordinator.experiment import Experiment, read_experiment
from bnpg_coordinator.loading import load_game
from bnpg_coordinator.run_record import read_lines
from bnpg_protocol.process.faults.plan import FaultPlan, PlanError, read_plan

from bnpg.launchers.settings import LaunchSettings
from bnpg.report.record import Record
from bnpg.run_folder import check_run_folder, read_identity, read_settings, read_summary
from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.policies.file import load_policy
from bnpg_math.policies.softmax import initial_normal, theta_shape


@dataclass(frozen=True)
class RecordedRun(Record):
    """One run as its folder tells it.

    Parameters
    ----------
    folder : Path
    name : str
        What it is called on a page: the folder's name.
    """

    folder: Path
    name: str
    identity: dict[str, Any]
    experiment: Experiment
    settings: LaunchSettings
    summary: dict[str, Any] | None
    status: dict[str, Any] | None
    certificate: dict[str, Any] | None
    game: Game
    dag: Dag
    why: dict[str, str] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """Updates that are done."""
        if self.summary is not None and self.summary.get("rounds") is not None:
            return int(self.summary["rounds"])
        return int(self.lines[-1]["round"]) if self.lines else 0

    @property
    def over(self) -> bool:
        """Whether the run has ended, one way or another."""
        return self.summary is not None

    @cached_property
    def plan(self) -> FaultPlan | None:
        """The faults that were injected."""
        if not self.settings.faults:
            return None
        try:
            return read_plan(self.folder / self.settings.faults)
        except PlanError:
            return None

    @cached_property
    def theta_before(self) -> tuple[FloatArray, ...]:
        """theta_0 of every agent, as the experiment says."""
        experiment, agents = self.experiment, range(self.dag.agents)
        if experiment.initial.endswith(".npz"):
            return load_policy(self.folder / experiment.initial).thetas
        shapes = [
            theta_shape(self.game.states, self.game.actions, self.dag.parents[agent], agent)
            for agent in agents
        ]
        if experiment.initial == "normal":
            return tuple(initial_normal(experiment.seed, agent, shapes[agent]) for agent in agents)
        return tuple(np.zeros(shape) for shape in shapes)

    @cached_property
    def theta_after(self) -> tuple[int, Sequence[FloatArray]] | None:
        """The newest theta that every agent holds, with its round."""
        if (self.folder / "policy.npz").exists():
            try:
                return self.rounds, load_policy(self.folder / "policy.npz").thetas
            except InputError:
                return None
        held = [load_latest(self.folder / "agents" / f"agent-{agent}") for agent in range(self.dag.agents)]
        common = set.intersection(*(set(thetas) for thetas in held))
        if not common:
            return None
        return max(common), [thetas[max(common)] for thetas in held]


def read_run(folder: Path, game: Game | None = None) -> RecordedRun:
    """Read a run folder.

    Parameters
    ----------
    folder : Path
        Of a run that is over, under way or interrupted.
    game : Game, optional
        Its game, if that was read before.

    Raises
    ------
    InputError
        If it is not the folder of a run; the text says what is missing.
    """
    check_run_folder(folder)
    experiment = read_experiment(folder / "experiment.toml")
    game = load_game(experiment, folder) if game is None else game
    why: dict[str, str] = {}
    lines = read_lines(folder / "metrics.jsonl")
    if not any("nash_gap" in line for line in lines):
        why["evaluation"] = (
            "This run was never evaluated exactly; train with --evaluate-every 10 to see values and gaps."
        )
    if not any("return_mean" in line for line in lines):
        why["returns"] = (
            "Nothing is played in exact mode, so there are no returns."
            if experiment.mode == "exact"
            else "No round was played yet."
        )
    certificate = _optional(folder / "certificate.json")
    if certificate is None:
        why["certificate"] = (
            "There is no certificate: one is written when a run ends with an exact evaluation."
        )
    return RecordedRun(
        folder=folder,
        name=folder.resolve().name,
        identity=read_identity(folder),
        experiment=experiment,
        settings=read_settings(folder),
        lines=lines,
        summary=read_summary(folder),
        status=_optional(folder / "status.json"),
        certificate=certificate,
        game=game,
        dag=parse_dag(experiment.dag, game.agents),
        why=why,
    )


def _optional(path: Path) -> dict[str, Any] | None:
    """Return the object in a file that may be missing or belong to another version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
