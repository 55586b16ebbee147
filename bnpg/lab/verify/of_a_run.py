"""The monotonicity of Theorems A and B as a check of an exact run: no value ever falls.

The run is made again, by the algorithm in one file, and looked at after every update. On the complete DAG
every node is looked at, a state with the actions of the first agents; on a sparse perfect one, over which the
game is additive, every state.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from bnpg_coordinator.experiment import Experiment

from bnpg.algorithm import learn
from bnpg.one_thread import one_thread
from bnpg.run_folder import RunFolder
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag
from bnpg_math.dag.perfect import is_perfect
from bnpg_math.errors import InputError
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import policy_digest
from bnpg_math.theory.additivity import additivity
from bnpg_math.theory.global_optimality import largest_fall, node_values

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Monotonicity:
    """What came of checking a run.

    Parameters
    ----------
    rounds : int
        Updates that were looked at.
    nodes : int
        Values that were compared after each.
    largest_fall : float
        0 if no value ever fell.
    round : int
        The update of the largest fall.
    rounding : float
        What falls may be from rounding alone.
    digest : str
        Of the last policy.
    """

    rounds: int
    nodes: int
    largest_fall: float
    round: int
    rounding: float
    digest: str

    @property
    def holds(self) -> bool:
        """Whether nothing fell by more than rounding."""
        return self.largest_fall <= self.rounding


def check_monotone(run: RunFolder) -> Monotonicity:
    """Make an exact run again, and look whether a value falls.

    Parameters
    ----------
    run : RunFolder

    Returns
    -------
    Monotonicity

    Raises
    ------
    InputError
        If Theorems A and B say nothing of the run.
    """
    experiment, game, dag = run.experiment, run.game, run.dag
    _check(experiment, game, dag)
    local = {
        name: str(run.path / value)
        for name, value in (("game", experiment.game), ("initial", experiment.initial))
        if value.endswith(".npz")
    }
    experiment = msgspec.structs.replace(experiment, **local)
    worst, at, before, done, tables = 0.0, 0, None, -1, []
    with one_thread():
        for team in learn(experiment):
            tables = [policy.table for policy in team]
            values = evaluate(game, joint_policy(tables, dag))
            nodes = node_values(dag, tables, values.Q) if dag.is_complete else [values.V]
            fall = 0.0 if before is None else largest_fall(before, nodes)
            done += 1
            if fall > worst:
                worst, at = fall, done
            before = nodes
    # A linear solve with I - gamma P errs by its condition, at most 2/(1-gamma), times a few units a state.
    scale = float(np.abs(game.reward).max()) / (1.0 - game.gamma)
    rounding = 16.0 * _EPS * (game.states + game.joint_actions) * scale / (1.0 - game.gamma)
    count = 0 if before is None else sum(level.size for level in before)
    digest = policy_digest([policy.theta["theta"] for policy in team])
    return Monotonicity(done, count, worst, at, rounding, digest)


def _check(experiment: Experiment, game: Game, dag: Dag) -> None:
    what = "Theorems A and B speak of exact runs with regularization 0, step-size fixed and momentum none"
    for key, wrong in (
        (f"mode {experiment.mode}", experiment.mode != "exact"),
        (f"regularization {experiment.regularization:g}", experiment.regularization != 0.0),
        (f"step-size {experiment.step_size}", experiment.step_size != "fixed"),
        (f"momentum {experiment.momentum}", experiment.momentum != "none"),
        (f"policy {experiment.policy}", experiment.kind.form != "table"),
    ):
        if wrong:
            raise InputError(f"{what}; this one has {key}")
    if not dag.is_complete and not (is_perfect(dag) and additivity(game, dag).additive):
        raise InputError(
            "Theorems A and B speak of the complete DAG, or a perfect one over which the game is additive; "
            f"this run has DAG {experiment.dag}"
        )
