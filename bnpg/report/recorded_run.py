"""A run folder, read for people: whole or interrupted, over or under way.

What is not there is None, and `why` says in one sentence what would have to be done to have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from bnpg_agents.checkpoint import SLOTS_FILE
from bnpg_coordinator import run_files
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.faults.plan import FaultPlan, PlanError, read_plan
from msgspec import UNSET

from bnpg.launchers.settings import LaunchSettings
from bnpg.report.measurements import Measurements
from bnpg.run_folder import RunFolder, shown_tables
from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.policies.file import load_policy
from bnpg_math.policies.softmax import initial_normal, theta_shape


@dataclass(frozen=True)
class RecordedRun(Measurements):
    """One run as its folder tells it.

    Parameters
    ----------
    run : RunFolder
        Where it is read from.
    name : str
        What it is called on a page: the folder's name.
    identity, experiment, dag
        As the folder has them.
    summary, status, certificate : dict or None
        As they were when it was read.
    why : dict
        What to do to have what is not there.
    """

    run: RunFolder
    name: str
    identity: dict[str, Any]
    experiment: Experiment
    dag: Dag
    summary: dict[str, Any] | None
    status: dict[str, Any] | None
    certificate: dict[str, Any] | None
    why: dict[str, str] = field(default_factory=dict)

    @property
    def game(self) -> Game:
        """What was played.

        Raises
        ------
        InputError
            If that was a simulator, which has no tables.
        """
        return self.run.game

    @property
    def states(self) -> tuple[int, ...]:
        """How many states each agent sees."""
        if self.run.simulator is not None:
            return self.run.simulator.states
        return (self.game.states,) * self.dag.agents

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.path

    @property
    def settings(self) -> LaunchSettings:
        """How the run was launched."""
        return self.run.settings

    @property
    def rounds(self) -> int:
        """Updates that are done."""
        if self.summary is not None and self.summary.get("rounds") is not None:
            return int(self.summary["rounds"])
        return self.lines[-1].round if self.lines else 0

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
        """theta_0 of every agent, as the experiment says; of networks the tables that they come to."""
        if self.experiment.kind.is_network:
            return shown_tables(self.run.team()) or ()
        experiment, agents = self.experiment, range(self.dag.agents)
        if experiment.initial.endswith(".npz"):
            return load_policy(self.folder / experiment.initial).thetas
        shapes = [
            theta_shape(self.states[agent], self.run.actions, self.dag.parents[agent], agent)
            for agent in agents
        ]
        if experiment.initial == "normal":
            return tuple(initial_normal(experiment.seed, agent, shapes[agent]) for agent in agents)
        return tuple(np.zeros(shape) for shape in shapes)

    @cached_property
    def theta_after(self) -> tuple[int, Sequence[FloatArray]] | None:
        """The newest theta that every agent holds, with its round.

        Of networks the logarithms of the tables that they come to; none where they see numbers.
        """
        latest = self.latest_thetas
        if latest is None or not self.experiment.kind.is_network:
            return latest
        tables = None if self.run.simulator is not None else shown_tables(self.run.team(latest[1]))
        return None if tables is None else (latest[0], tables)

    @cached_property
    def latest_thetas(self) -> tuple[int, Sequence[FloatArray]] | None:
        """The newest theta that every agent holds, as it is stored, with its round; networks' are vectors."""
        if (self.folder / run_files.POLICY).exists():
            try:
                thetas = self.run.thetas(self.rounds)
            except InputError:
                return None
            return None if thetas is None else (self.rounds, thetas)
        return self.run.latest_held()

    def without_thetas(self) -> InputError:
        """Return what to raise where `latest_thetas` is None: whose thetas are not there."""
        if (self.folder / run_files.POLICY).exists():
            try:
                self.run.thetas(self.rounds)
            except InputError as error:
                return error
        none = [agent for agent, thetas in enumerate(self.run.held()) if not thetas]
        why = "there is no round that all have stored"
        if len(none) == self.dag.agents:
            why = "there are none, as where agents keep them on other hosts"
            why += "" if self.experiment.kind.is_network else "; save-policy gathers them at the end"
        elif none:
            why = f"{self.run.agent(none[0]) / SLOTS_FILE} has none"
        return InputError(f"{self.folder} holds no theta of all agents: {why}")


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
    return recorded(RunFolder(folder, game))


def recorded(run: RunFolder) -> RecordedRun:
    """Return what a run folder tells now.

    Raises
    ------
    InputError
        If a file in it cannot be used.
    """
    experiment, lines, certificate = run.experiment, run.lines, run.certificate
    why: dict[str, str] = {}
    if not any(line.nash_gap is not UNSET for line in lines):
        why["evaluation"] = (
            "A simulator was played: its model is not known, so there are no exact values and no gaps."
            if run.simulator is not None
            else "This run was never evaluated exactly; train with --evaluate-every 10 to see values and "
            "gaps."
        )
    if not any(line.return_mean is not UNSET for line in lines):
        why["returns"] = (
            "Nothing is played in exact mode, so there are no returns."
            if experiment.mode == "exact"
            else "No round was played yet."
        )
    if certificate is None:
        why["certificate"] = (
            "There is no certificate: a simulator was played, whose model is not known."
            if run.simulator is not None
            else "There is no certificate: one is written when a run ends with an exact evaluation."
        )
    return RecordedRun(
        lines=lines,
        run=run,
        name=run.path.resolve().name,
        identity=run.identity,
        experiment=experiment,
        dag=run.dag,
        summary=run.summary,
        status=run.status,
        certificate=certificate,
        why=why,
    )
