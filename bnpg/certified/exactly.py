"""Proving the gaps of a run's policy in exact arithmetic, where that is quick enough to be done unasked."""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from bnpg_coordinator.experiment import Experiment
from numpy.typing import NDArray

from bnpg.certified import exact_check
from bnpg.certified.exact_check import CheckError, Problem, Vectors, float_above, upper_bounds
from bnpg.certified.witness import as_arrays, find_vectors
from bnpg.one_thread import one_thread
from bnpg_math.games.game import Game
from bnpg_math.games.transitions.dense import DenseTransition
from bnpg_math.games.transitions.sparse import SparseTransition
from bnpg_math.policies.joint import Policy

UNASKED = 1_000_000
"""Up to this much work a certificate is proved exactly at the end of a run: a few seconds at most."""
LARGEST = 200 * UNASKED
"""Up to this much work it is proved when somebody asks for it: some minutes."""
_LARGEST_TENSOR = 1 << 24
"""Most numbers of a structured kernel that is written out to find its distinct rows."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Proof:
    """Gaps that are proved in exact arithmetic, rounded up to floats.

    Parameters
    ----------
    gains : tuple of N float
        Upper bounds on what each agent alone can gain.
    optimality : float
        Upper bound on the optimality gap.
    game_digest : str
        SHA-256 of the game as the stand-alone script reads it.
    arrays : dict
        What that script needs beside the folder: the vectors, and the game if it has no file there.
    """

    gains: tuple[float, ...]
    optimality: float
    game_digest: str
    arrays: Arrays

    @property
    def nash(self) -> float:
        """Upper bound on the Nash gap."""
        return max(self.gains)


def prove(experiment: Experiment, folder: Path, game: Game, policy: Policy, most: int) -> Proof:
    """Prove the gaps of a policy.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        The run folder.
    game : Game
        The experiment's.
    policy : Policy
        For this game.
    most : int
        How much work it may be, see :func:`work`.

    Raises
    ------
    CheckError
        One line that says why there is no proof: it would take too long, or numbers are out of range.
    """
    read = read_game(experiment, folder, game, most)
    problem = make_problem(read.game, policy, most)
    found = find_vectors_quietly(problem)
    bounds = [upper_bounds(problem, found)]
    if read.divided is not None:
        other = make_problem(read.divided, policy, most)
        bounds.append(upper_bounds(other, find_vectors_quietly(other)))
    gains = tuple(float_above(max(gain)) for gain in zip(*(bound.gains for bound in bounds), strict=True))
    optimality = float_above(max(bound.optimality for bound in bounds))
    if not all(map(math.isfinite, (*gains, optimality))):
        raise CheckError("the gaps are larger than all numbers of double precision")
    return Proof(gains, optimality, problem.game.digest, as_arrays(problem, found) | read.kept)


def find_vectors_quietly(problem: Problem) -> Vectors:
    """Find vectors on one thread, so that they are the same every time."""
    with one_thread(), np.errstate(all="ignore"):
        return find_vectors(problem)


def make_problem(game: exact_check.Game, policy: Policy, most: int) -> Problem:
    """Bring game and policy together in exact arithmetic.

    Raises
    ------
    CheckError
        If it would be too much work.
    """
    thetas = tuple(theta.reshape(-1).tolist() for theta in policy.parameters)
    direct = policy.probabilities is not None
    _refuse(work(game, sum(map(len, thetas))), most)
    return Problem(game, exact_check.Policy(policy.dag.parents, thetas, direct))


def work(game: exact_check.Game, logits: int) -> int:
    """Return an estimate: backups of N + 2 vectors, and the exponentials of the policy."""
    entries = sum(len(weights) for weights, _ in game.rows)
    return (len(game.actions) + 2) * (entries + 8 * len(game.row_of)) + 20 * logits


@dataclass(frozen=True)
class ReadGame:
    """The game of a run, in exact arithmetic.

    Parameters
    ----------
    game : exact_check.Game
        As it is written down: the file of the run folder, or the arrays of a built-in game.
    divided : exact_check.Game or None
        Of a file whose rows had to be divided by their sums, the game of the quotients as they were rounded.
    kept : dict
        A built-in game as its distinct rows; empty where there is a file.
    """

    game: exact_check.Game
    divided: exact_check.Game | None
    kept: Arrays


def read_game(experiment: Experiment, folder: Path, game: Game, most: int) -> ReadGame:
    """Bring the game of a run into exact arithmetic.

    The stand-alone script reads files with the whole tensor or with successors; any other structure is kept
    as its distinct rows, as built-in games are.

    Raises
    ------
    CheckError
        If it would be too much work, or the file cannot be read.
    """
    cells = game.states * game.joint_actions
    _refuse(8 * (game.agents + 2) * cells, most)
    if experiment.game.endswith(".npz") and isinstance(game.transition, DenseTransition | SparseTransition):
        stored = sum(array.size for array in game.transition.content())
        _refuse(stored // 8, most)
        written, used = exact_check.read_game(folder), _from_arrays(_as_arrays(game))
        return ReadGame(written, None if written.digest == used.digest else used, {})
    kept = _as_arrays(game)
    return ReadGame(_from_arrays(kept), None, kept)


def _as_arrays(game: Game) -> Arrays:
    rest = {"reward": game.reward, "initial": game.initial, "gamma": np.array(game.gamma)}
    return _distinct_rows(game) | rest


def _distinct_rows(game: Game) -> Arrays:
    """Return P as rows that differ, end to end without zeros, and which row belongs to each (s, a)."""
    if isinstance(game.transition, SparseTransition):
        weights, states, starts = game.transition.content()
        cuts = [slice(*ends) for ends in pairwise(starts)]
        rows = [(weights[cut], states[cut]) for cut in cuts]
        names = [row.tobytes() + to.tobytes() for row, to in rows]
    else:
        if game.states**2 * game.joint_actions > _LARGEST_TENSOR:
            raise CheckError(f"its transitions are more than {_LARGEST_TENSOR} numbers")
        dense = game.transition.to_dense().reshape(-1, game.states)
        rows = [(row, np.arange(game.states)) for row in dense]
        names = [row.tobytes() for row in dense]
    places: dict[bytes, int] = {}
    row_of = np.array([places.setdefault(name, len(places)) for name in names], dtype=np.int32)
    distinct = [rows[first] for first in np.unique(row_of, return_index=True)[1]]
    distinct = [(row[row > 0.0], to[row > 0.0]) for row, to in distinct]
    return {
        "row_weights": np.concatenate([row for row, _ in distinct]),
        "row_states": np.concatenate([to for _, to in distinct]).astype(np.int64),
        "row_starts": np.cumsum([0, *(len(row) for row, _ in distinct)], dtype=np.int64),
        "row_of": row_of.reshape(game.states, *game.actions),
    }


def _from_arrays(arrays: Arrays) -> exact_check.Game:
    plain = {
        name: exact_check.Array(array.shape, array.reshape(-1).tolist()) for name, array in arrays.items()
    }
    return exact_check.game_from_arrays(plain, "the game")


def _refuse(needed: int, most: int) -> None:
    if needed > most:
        raise CheckError(f"the work of {needed:.2g} is more than {most:.2g}")
