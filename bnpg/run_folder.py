"""The folder of one run: made whole or not at all, never overwritten, read once.

::

    runs/NAME/
        experiment.toml    the resolved experiment: all that decides the result
        run.json           which run this is, how it began, and what made it
        launch.toml        how it is launched; never changes the result
        game.npz           where the experiment was given a game file
        faults.toml        the fault plan, where there is one
        initial.npz        where it was given an initial policy
        metrics.jsonl, status.json, summary.json, policy.npz     kept by the coordinator
        agents/agent-I/                                          kept by agent I
        certificate.json, curves.png, summary.json               completed after the run
        best-response.json                                       kept by `bnpg best-response`
        edges.json                                               kept by `bnpg edges`
"""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
from bnpg_agents.checkpoint import load_latest
from bnpg_coordinator import run_files
from bnpg_coordinator.experiment import read_experiment
from bnpg_coordinator.line import Line
from bnpg_coordinator.loading import check_simulator, load_game
from bnpg_coordinator.networks import encodings
from bnpg_coordinator.run_record import read_lines
from bnpg_coordinator.simulator import OpenedSimulator, SimulatorIdentity, open_simulator
from bnpg_coordinator.worlds.interface import World
from bnpg_coordinator.worlds.table import TableWorld
from bnpg_protocol.wire.addresses import process_name

from bnpg.experiment_plan import ExperimentPlan
from bnpg.launchers.settings import TRACE_FOLDER, LaunchSettings, settings_from
from bnpg.run_documents import (
    BestResponses,
    Certificate,
    EdgeValues,
    Identity,
    Status,
    Summary,
    read_document,
)
from bnpg_files.reading import read_toml, why
from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError, named_in
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import Policy, policy_of
from bnpg_math.policies.network import NetworkPolicy, StateNetworkPolicy, initial_network
from bnpg_math.policies.network_file import NetworkTeam, read_policy
from bnpg_math.policies.softmax import theta_shape

Content = TypeVar("Content")
BEST_RESPONSES = "best-response.json"
"""What `bnpg best-response` keeps."""
EDGE_VALUES = "edges.json"
"""What `bnpg edges` keeps."""


class RunFolder:
    """A run folder, opened.

    What never changes (experiment, identity, game, DAG) is read once; what grows (lines, summary, status) is
    read again when its file has changed.

    Parameters
    ----------
    path : Path
    game : Game, optional
        What is played, if that was read before.

    Raises
    ------
    InputError
        If it is not the folder of a run; the text says what is missing or cannot be used.
    """

    def __init__(self, path: Path, game: Game | None = None) -> None:
        if not os.path.isdir(path):  # `Path.is_dir` raises for names that are too long
            what = "is no folder" if os.path.lexists(path) else "does not exist"
            raise InputError(f"{path} {what}; expected the folder of a run")
        for name in (run_files.EXPERIMENT, run_files.IDENTITY):
            if not os.path.isfile(path / name):
                raise InputError(f"{path} is not the folder of a run: it has no {name}")
        self.path = path
        self._begin()
        self.experiment = read_experiment(path / run_files.EXPERIMENT)
        """All that decides the result."""
        self.identity = read_document(path / run_files.IDENTITY, Identity)
        """What `run.json` says."""
        self.settings = read_settings(path / run_files.LAUNCH)
        """How the run was launched; the defaults if that is not recorded."""
        if game is not None:
            self.__dict__["game"] = game

    @classmethod
    def of(cls, path: Path, plan: ExperimentPlan, settings: LaunchSettings, identity: dict[str, Any]) -> Self:
        """Return a folder that was just made of these, and that nobody else knows of yet."""
        folder = cls.__new__(cls)
        folder.path, folder.experiment, folder.settings, folder.identity = (
            path,
            plan.experiment,
            settings,
            identity,
        )
        folder._begin()
        folder.__dict__["dag"] = plan.dag
        if plan.game is not None:
            folder.__dict__["game"] = plan.game
        if plan.simulator is not None:
            folder.__dict__["opened"] = plan.simulator
        return folder

    def _begin(self) -> None:
        self._fresh: dict[Path, tuple[tuple[int, ...], Any]] = {}
        """What files held, with what they looked like then."""
        self._thetas: dict[int, tuple[FloatArray, ...]] = {}
        """A theta of a round is always the same."""
        self._began = self._stamps()
        """What the files that never change looked like before they were read."""

    def _stamps(self) -> list[tuple[int, ...]]:
        files = (self.path / name for name in (run_files.EXPERIMENT, run_files.IDENTITY))
        return [_stamp(file) if file.is_file() else () for file in files]

    @property
    def untouched(self) -> bool:
        """Whether experiment and identity still are the files that were read, without reading them again."""
        return self._stamps() == self._began

    @cached_property
    def simulator(self) -> SimulatorIdentity | None:
        """What is kept of the simulator that is played; None if it is a game."""
        kept = self.identity.get("simulator")
        if kept is None:
            return None
        try:
            return msgspec.convert(kept, SimulatorIdentity)
        except msgspec.ValidationError as error:
            raise InputError(
                f"{self.path / 'run.json'} does not say which simulator it is: {error}"
            ) from None

    @cached_property
    def game(self) -> Game:
        """What is played.

        Raises
        ------
        InputError
            If that is a simulator, which has no tables.
        """
        if self.simulator is not None:
            raise InputError(
                f"{self.path} plays a simulator, {self.simulator.name}, whose model is not known"
            )
        return load_game(self.experiment, self.path)

    @cached_property
    def opened(self) -> OpenedSimulator:
        """The simulator that is played, open.

        Raises
        ------
        InputError
            If it is not there, or is another one than the run began with.
        """
        assert self.simulator is not None, "a game is played"
        folder = Path(self.simulator.folder)
        with named_in(self.path / run_files.EXPERIMENT):
            opened = open_simulator(self.experiment, self.settings.patience, folder)
        check_simulator(self.simulator, opened.identity)
        return opened

    def hand_over(self, env: Any) -> None:
        """Take what is played from a program, because no name leads to it.

        Raises
        ------
        InputError
            If it is another one than the run began with, or the run plays a game.
        """
        if self.simulator is None:
            raise InputError(f"{self.path} plays a game, {self.identity['game']}: it needs no env")
        opened = open_simulator(self.experiment, self.settings.patience, given=env)
        check_simulator(self.simulator, opened.identity)
        self.__dict__["opened"] = opened

    @property
    def world(self) -> World:
        """What is played, as the agents meet it."""
        return TableWorld(self.game) if self.simulator is None else self.opened.world

    @property
    def world_digest(self) -> str:
        """Digest of what is played."""
        return self.game.digest if self.simulator is None else self.simulator.digest

    @property
    def actions(self) -> tuple[int, ...]:
        """How many actions each agent has."""
        return self.game.actions if self.simulator is None else self.simulator.actions

    @property
    def agents(self) -> int:
        """How many agents play."""
        return len(self.actions)

    @cached_property
    def dag(self) -> Dag:
        """Who sees whose action."""
        with named_in(self.path / run_files.EXPERIMENT):
            return parse_dag(self.experiment.dag, self.agents)

    @property
    def trace(self) -> Path:
        """Where the message trace is, if there is one."""
        return self.path / TRACE_FOLDER

    def agent(self, agent: int) -> Path:
        """Return the folder of an agent that runs on this host."""
        return self.path / "agents" / process_name(agent)

    @property
    def lines(self) -> list[Line]:
        """The run record as far as it is written, a line a round."""
        return self._read(run_files.RECORD, read_lines) or []

    @property
    def summary(self) -> dict[str, Any] | None:
        """How the run ended, as far as it did."""
        return self._read(run_files.SUMMARY, lambda path: read_document(path, Summary))

    @property
    def status(self) -> dict[str, Any] | None:
        """What the coordinator has last said of itself."""
        return self._optional(run_files.STATUS, Status)

    @property
    def certificate(self) -> dict[str, Any] | None:
        """What is proved of the policy, if that was written."""
        return self._optional(run_files.CERTIFICATE, Certificate)

    @property
    def best_responses(self) -> dict[str, Any] | None:
        """What agents gained when they were trained alone against the policy that the run came to."""
        return self._of_the_policy(BEST_RESPONSES, BestResponses)

    @property
    def edge_values(self) -> dict[str, Any] | None:
        """What each edge of the policy that the run came to is worth."""
        return self._of_the_policy(EDGE_VALUES, EdgeValues)

    def thetas(self, round_: int) -> tuple[FloatArray, ...] | None:
        """Return everybody's theta of a round; None if they are not all in this folder.

        Those that were gathered at the end are taken as that round's: agents on other hosts keep their own.
        """
        gathered = self._read(run_files.POLICY, read_policy)
        if gathered is not None:
            if isinstance(gathered, NetworkTeam) != self.experiment.kind.is_network:
                raise InputError(
                    f"{self.path / 'policy.npz'} holds another kind of policy, "
                    f"expected {self.experiment.policy} as experiment.toml"
                )
            if (gathered.dag.agents, gathered.dag.edges) != (self.agents, self.dag.edges):
                raise InputError(
                    f"{self.path / 'policy.npz'} has the edges {gathered.dag.edges}, "
                    f"expected {self.dag.edges} as experiment.toml"
                )
            self.check_shapes(gathered.parameters, self.path / run_files.POLICY)
            return gathered.parameters
        known = self._thetas.get(round_)
        if known is None:
            held = self.held()
            if not all(round_ in history for history in held):
                return None
            known = self._thetas[round_] = self._of_round(held, round_)
        return known

    def _of_round(self, held: list[dict[int, FloatArray]], round_: int) -> tuple[FloatArray, ...]:
        """Return the thetas of a round that all agents keep, checked."""
        thetas = tuple(history[round_] for history in held)
        self.check_shapes(thetas, self.path / "agents")
        return thetas

    def check_shapes(self, thetas: tuple[FloatArray, ...], where: Path) -> None:
        """Refuse thetas that are of another game or simulator.

        Raises
        ------
        InputError
            Naming where they are from.
        """
        if self.experiment.kind.is_network:
            return  # a network knows its length
        for agent, (theta, parents) in enumerate(zip(thetas, self.dag.parents, strict=True)):
            states = self.game.states if self.simulator is None else self.simulator.states[agent]
            expected = theta_shape(states, self.actions, parents, agent)
            if theta.shape != expected:
                raise InputError(
                    f"{where}: theta of agent {agent} must have shape {expected}, got {theta.shape}"
                )

    def policy(self, round_: int) -> Policy | None:
        """Return the policy of a round; None if its thetas are not all in this folder.

        Networks show the tables that they come to; where they see numbers there are none.
        """
        thetas = self.thetas(round_)
        if thetas is None:
            return None
        if self.experiment.kind.is_network:
            tables = shown_tables(self.team(thetas))
            return None if tables is None else Policy(self.dag, tables)
        return policy_of(self.experiment.kind, self.dag, thetas)

    def team(self, thetas: Sequence[FloatArray] | None = None) -> tuple[NetworkPolicy, ...]:
        """Return everybody's network at a theta, from `thetas`; at theta_0 if none is given."""
        if thetas is None and self.experiment.initial.endswith(".npz"):
            thetas = read_policy(self.path / self.experiment.initial).parameters
        spec, seed = self.experiment.kind, self.experiment.seed
        team = []
        for agent, encoding in enumerate(encodings(self.world, self.dag)):
            first = initial_network(seed, agent, encoding, spec.hidden, self.actions[agent])
            team.append(first if thetas is None else first.of_vector(thetas[agent]))
        return tuple(team)

    def latest_held(self) -> tuple[int, tuple[FloatArray, ...]] | None:
        """Return the newest theta that every agent keeps in this folder, with its round; None without one.

        Raises
        ------
        InputError
            If one is of another game or simulator.
        """
        held = self.held()
        common = set.intersection(*map(set, held))
        return (max(common), self._of_round(held, max(common))) if common else None

    def held(self) -> list[dict[int, FloatArray]]:
        """Return the thetas by round that each agent keeps in this folder."""
        return [load_latest(self.agent(agent)) for agent in range(self.agents)]

    def missing(self, round_: int) -> str:
        """Say whose theta of a round is not in this folder."""
        agent = next(agent for agent, history in enumerate(self.held()) if round_ not in history)
        return f"{self.agent(agent)} holds no theta of round {round_}"

    def _read(self, name: str, read: Callable[[Path], Content]) -> Content | None:
        """Return what a file holds now; None if it is not there."""
        path = self.path / name
        try:
            stamp = _stamp(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{path} cannot be read: {why(error)}") from None
        known = self._fresh.get(path)
        if known is None or known[0] != stamp:
            try:
                known = self._fresh[path] = (stamp, read(path))
            except FileNotFoundError:  # it went since: a run that goes on drops what the last start wrote
                return None
        content: Content = known[1]
        return content

    def _of_the_policy(self, name: str, kind: Any) -> dict[str, Any] | None:
        """Return what was measured of the policy that the run came to; None if it is of another one."""
        found, summary = self._optional(name, kind), self.summary
        now = None if summary is None else summary.get("policy_digest")
        return found if found is not None and found["policy_digest"] == now else None

    def _optional(self, name: str, kind: Any) -> dict[str, Any] | None:
        """Return the object in a file that may be missing or belong to another version."""
        try:
            return self._read(name, lambda path: read_document(path, kind))
        except InputError:
            return None


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what is another number where a file was replaced or written to."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def shown_tables(team: Sequence[NetworkPolicy]) -> tuple[FloatArray, ...] | None:
    """Return the logarithms of the tables that networks come to; None where one sees numbers."""
    tables = [policy.log_table for policy in team if isinstance(policy, StateNetworkPolicy)]
    return tuple(tables) if len(tables) == len(team) else None


def read_settings(path: Path) -> LaunchSettings:
    """Return how a run was launched; the defaults if that is not recorded.

    Parameters
    ----------
    path : Path
        Its `launch.toml`.

    Raises
    ------
    InputError
        If it is not usable.
    """
    try:
        given = read_toml(path, dict[str, Any], InputError)
    except FileNotFoundError:
        return LaunchSettings()
    with named_in(path):
        return settings_from(given)
