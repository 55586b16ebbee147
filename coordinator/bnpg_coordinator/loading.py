"""From a run folder to what the coordinator starts with."""

import json
import math
from pathlib import Path
from typing import Any

from bnpg_coordinator.experiment import Experiment, experiment_digest, read_experiment
from bnpg_coordinator.run_record import read_lines
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_coordinator.worlds.table import TableWorld
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.numerics import fingerprint
from bnpg_math.dag import Dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.file import check_policy, load_policy
from bnpg_math.theory.constants import sizes, smoothness
from bnpg_math.theory.direct import direct_smoothness


def load_game(experiment: Experiment, folder: Path) -> Game:
    """Return the game of an experiment; the path of a game file is relative to the run folder."""
    if experiment.game.endswith(".npz"):
        return find_game(str(folder / experiment.game))
    return find_game(experiment.game)


def certified_learning_rate(experiment: Experiment, game: Game, dag: Dag) -> float:
    """Return eta: as given, or certified never to decrease L.

    That is 1/beta for exact (3) (Lemma 4, tight form, or its like for direct policies). On the complete DAG
    every step of plain natural updates is (Theorem B): then it is the one at which both terms of its bound
    are equal, (1-gamma) log A / (N R).
    """
    if experiment.learning_rate == "certified":
        if experiment.is_plainly_natural:
            return (
                (1.0 - game.gamma) * math.log(max(game.joint_actions, 2)) / (game.agents * game.reward_range)
            )
        if experiment.kind.is_direct:
            return 1.0 / direct_smoothness(sizes(game, dag))
        return 1.0 / smoothness(sizes(game, dag), experiment.weights(dag, game.actions))
    return float(experiment.learning_rate)


def recorded_lines(folder: Path, experiment: Experiment) -> tuple[dict[str, Any], ...]:
    """Return the run record that a coordinator finds, if its rounds need to know of those before them."""
    return tuple(read_lines(folder / "metrics.jsonl")) if experiment.remembers else ()


def load_setup(folder: Path, generation: int, patience: float) -> CoordinatorSetup:
    """Read a run folder.

    Raises
    ------
    InputError
        If a file is missing or bad; the text names it.
    """
    experiment = read_experiment(folder / "experiment.toml")
    game = load_game(experiment, folder)
    dag = parse_dag(experiment.dag, game.agents)
    try:
        run = str(json.loads((folder / "run.json").read_text())["run"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{folder / 'run.json'} does not say which run this is: {error!r:.200}") from None
    return prepare_setup(folder, run, experiment, game, dag, generation, patience)


def prepare_setup(
    folder: Path,
    run: str,
    experiment: Experiment,
    game: Game,
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
    initial: tuple[FloatArray, ...] = ()
    initial_digest = experiment.initial
    if experiment.initial.endswith(".npz"):
        policy = load_policy(folder / experiment.initial)
        check_policy(policy, game)
        if policy.dag.edges != dag.edges:
            raise InputError(
                f"{experiment.initial} has the edges {policy.dag.edges}, the experiment has {dag.edges}"
            )
        thetas = policy.tables if experiment.kind.is_direct else policy.thetas
        initial, initial_digest = tuple(thetas), policy.digest
    return CoordinatorSetup(
        run=run,
        generation=generation,
        experiment=experiment,
        digest=experiment_digest(experiment, game.digest, initial_digest),
        world=TableWorld(game),
        dag=dag,
        learning_rate=certified_learning_rate(experiment, game, dag),
        initial=initial,
        numerics=fingerprint(),
        patience=patience,
        recorded=recorded_lines(folder, experiment),
    )
