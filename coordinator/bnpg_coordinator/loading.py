"""From a run folder to what the coordinator starts with."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from bnpg_coordinator import run_files
from bnpg_coordinator.automatic import settled
from bnpg_coordinator.critic_file import read_critics
from bnpg_coordinator.critic_state import CriticState
from bnpg_coordinator.experiment import Experiment, experiment_digest, read_experiment
from bnpg_coordinator.line import Line
from bnpg_coordinator.networks import check_kind
from bnpg_coordinator.run_record import read_lines, recorded_rounds
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_coordinator.worlds.interface import World
from bnpg_coordinator.worlds.table import TableWorld
from bnpg_files.reading import read_json
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.numerics import fingerprint
from bnpg_math.dag import Dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError, named_in
from bnpg_math.games.game import Game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.joint import Policy, check_policy
from bnpg_math.policies.network_file import JointPolicy, NetworkTeam, read_policy
from bnpg_math.theory.constants import sizes, smoothness
from bnpg_math.theory.direct import direct_smoothness

if TYPE_CHECKING:
    from bnpg_coordinator.simulator import SimulatorIdentity


class _Identity(Struct, frozen=True):
    """What a coordinator needs to know of `run.json`."""

    run: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    simulator: dict[str, Any] | None = None


def load_game(experiment: Experiment, folder: Path) -> Game:
    """Return the game of an experiment; the path of a game file is relative to the run folder."""
    if experiment.game.endswith(".npz"):
        return find_game(str(folder / experiment.game))
    with named_in(folder / run_files.EXPERIMENT):
        return find_game(experiment.game)


def certified_learning_rate(experiment: Experiment, game: Game, dag: Dag) -> float:
    """Return eta: as given, as `auto` chooses it, or certified never to decrease L.

    The last is 1/beta for exact (3) (Lemma 4, tight form, or its like for direct policies). On the complete
    DAG every step of plain natural updates is (Theorem B): then it is the one at which both terms of its
    bound are equal, (1-gamma) log A / (N R).
    """
    if experiment.learning_rate == "certified":
        if experiment.is_plainly_natural:
            return (
                (1.0 - game.gamma) * math.log(max(game.joint_actions, 2)) / (game.agents * game.reward_range)
            )
        if experiment.kind.is_direct:
            return 1.0 / direct_smoothness(sizes(game, dag))
        return 1.0 / smoothness(sizes(game, dag), experiment.weights(dag, game.actions))
    return float(settled(experiment, game).learning_rate)


def learning_rate(experiment: Experiment, model: Game | None, dag: Dag) -> float:
    """Return eta of games and of worlds without a model.

    Raises
    ------
    InputError
        If it shall be certified, and there is no model.
    """
    if model is not None:
        return certified_learning_rate(experiment, model, dag)
    if experiment.learning_rate == "certified":
        raise InputError("learning-rate certified needs a world whose model is known: give a number")
    return float(settled(experiment, None).learning_rate)


def check_shapes(policy: JointPolicy, world: World, experiment: Experiment) -> None:
    """Refuse a policy that is none for this world.

    Raises
    ------
    InputError
    """
    check_kind(policy, experiment.kind, world, experiment.policy)
    if isinstance(policy, NetworkTeam):
        return
    if world.model is not None:
        check_policy(policy, world.model)
        return
    agents = len(world.actions)
    if policy.dag.agents != agents:
        raise InputError(f"policy must have {agents} agents as the world, got {policy.dag.agents}")
    for agent, theta in enumerate(policy.thetas):
        family = (*policy.dag.parents[agent], agent)
        expected = (world.spaces[agent].values, *(world.actions[member] for member in family))
        if theta.shape != expected:
            raise InputError(f"theta_{agent} must have shape {expected} in this world, got {theta.shape}")


def recorded_lines(folder: Path, experiment: Experiment) -> tuple[Line, ...]:
    """Return the run record that a coordinator finds, if its rounds need to know of those before them."""
    return tuple(read_lines(folder / run_files.RECORD)) if experiment.remembers else ()


def recorded_critics(folder: Path, experiment: Experiment) -> dict[int, CriticState]:
    """Return the critics that a coordinator finds, by round, if there are any in such a run."""
    return read_critics(folder) if experiment.has_critic else {}


def load_setup(folder: Path, generation: int, patience: float, workers: int = 0) -> CoordinatorSetup:
    """Read a run folder.

    Parameters
    ----------
    folder : Path
    generation : int
        Start count of the coordinator.
    patience : float
        Seconds without progress after which the run is given up.
    workers : int
        How many processes step an environment; 0 is this one.

    Raises
    ------
    InputError
        If a file is missing or bad; the text names it.
    """
    experiment = read_experiment(folder / run_files.EXPERIMENT)
    file = folder / run_files.IDENTITY
    try:
        identity = read_json(file, _Identity, InputError)
    except FileNotFoundError:
        raise InputError(f"{file} does not exist") from None
    world, digest = load_world(experiment, folder, identity.simulator, patience)
    if workers:
        from bnpg_coordinator.environments.workers import over_workers

        known = {} if identity.simulator is None else identity.simulator
        world = over_workers(world, workers, experiment, patience, Path(known.get("folder", "")))
    dag = parse_dag(experiment.dag, len(world.actions))
    return prepare_setup(folder, identity.run, experiment, world, digest, dag, generation, patience)


def load_world(
    experiment: Experiment, folder: Path, simulator: Any, patience: float | None = None
) -> tuple[World, str]:
    """Return the world of an experiment, and the digest of its content.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        The run folder, in which a game file is.
    simulator : dict or None
        What `run.json` says of the simulator, where it is one.
    patience : float, optional
        Seconds without progress after which the run is given up; that of simulators if it is not given.

    Raises
    ------
    InputError
    """
    if simulator is None:
        game = load_game(experiment, folder)
        return TableWorld(game), game.digest
    # Half of what a coordinator imports, which runs of games do without.
    from bnpg_coordinator.simulator import PATIENCE, SimulatorIdentity, open_simulator

    try:
        known = msgspec.convert(simulator, SimulatorIdentity)
    except msgspec.ValidationError as error:
        raise InputError(f"{folder / 'run.json'} does not say which simulator it is: {error}") from None
    with named_in(folder / run_files.EXPERIMENT):
        opened = open_simulator(experiment, PATIENCE if patience is None else patience, Path(known.folder))
    check_simulator(known, opened.identity)
    return opened.world, opened.identity.digest


def check_simulator(before: "SimulatorIdentity", now: "SimulatorIdentity") -> None:
    """Refuse a simulator that is not the one that the run began with.

    Raises
    ------
    InputError
        Naming what has changed.
    """
    for name, began, became in (
        ("name", before.name, now.name),
        ("actions", before.actions, now.actions),
        ("states", before.states, now.states),
        ("versions of packages", before.versions, now.versions),
    ):
        if began != became:
            raise InputError(
                f"the simulator {before.name} was changed since the run began: its {name} were {began}, "
                f"expected the same, got {became}"
            )


def prepare_setup(
    folder: Path,
    run: str,
    experiment: Experiment,
    world: World,
    world_digest: str,
    dag: Dag,
    generation: int,
    patience: float,
) -> CoordinatorSetup:
    """Return what the coordinator starts with, from what was read of a run folder already.

    Raises
    ------
    InputError
        If the initial policy or the record is missing or bad; the text names it.
    """
    experiment = settled(experiment, world.model)
    initial: tuple[FloatArray, ...] = ()
    initial_digest = experiment.initial
    if experiment.initial.endswith(".npz"):
        policy = read_policy(folder / experiment.initial)
        with named_in(folder / experiment.initial):
            check_shapes(policy, world, experiment)
        if policy.dag.edges != dag.edges:
            raise InputError(
                f"{experiment.initial} has the edges {policy.dag.edges}, the experiment has {dag.edges}"
            )
        initial, initial_digest = _begun_with(policy, experiment), policy.digest
    return CoordinatorSetup(
        run=run,
        generation=generation,
        experiment=experiment,
        digest=experiment_digest(experiment, world_digest, initial_digest),
        world=world,
        dag=dag,
        learning_rate=learning_rate(experiment, world.model, dag),
        initial=initial,
        numerics=fingerprint(),
        patience=patience,
        recorded=recorded_lines(folder, experiment),
        reached=recorded_rounds(folder / run_files.RECORD),
        critics=recorded_critics(folder, experiment),
    )


def _begun_with(policy: JointPolicy, experiment: Experiment) -> tuple[FloatArray, ...]:
    """Return everybody's theta_0 as its Welcome has it."""
    if isinstance(policy, Policy):
        return policy.tables if experiment.kind.is_direct else policy.thetas
    return policy.parameters
