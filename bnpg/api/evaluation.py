"""Measuring a policy exactly, from Python."""

import math
import os

from bnpg.api.games import game as find_game
from bnpg.api.wording import in_python_words
from bnpg.evaluation.measure import Evaluation, measure
from bnpg.notices import announce
from bnpg_files.quoting import quoted
from bnpg_math.arrays.npz import scalar
from bnpg_math.errors import InputError, PolicyError
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import Policy, check_policy
from bnpg_math.policies.network_file import read_policy


@in_python_words
def evaluate(
    game: str | os.PathLike[str] | Game,
    policy: str | os.PathLike[str] | Policy,
    *,
    regularization: float = 0.0,
    mismatch: bool = False,
) -> Evaluation:
    """Measure a policy exactly.

    Parameters
    ----------
    game : str, path or Game
        As in :func:`bnpg.game`.
    policy : path or Policy
        A policy file, or a policy such as that of a :class:`bnpg.Run` or one of probabilities,
        :meth:`bnpg.Policy.from_tables`.
    regularization : float
        Weight lambda >= 0 of the log barrier, in the objective, the gradient and the lemmas.
    mismatch : bool
        Whether to compute the mismatch coefficient M, twice S solved games; without it the printed and
        corrected forms of the lemmas have thresholds but no promises.

    Returns
    -------
    Evaluation

    Raises
    ------
    GameError, PolicyError
        One line: what cannot be read or does not fit.

    Examples
    --------
    A team that plays every action alike in the climbing game is far from any equilibrium:

    >>> import bnpg
    >>> run = bnpg.train("climbing", dag="empty", mode="exact", rounds=0)
    >>> measured = bnpg.evaluate("climbing", run.policy)
    >>> round(measured.value, 3), round(measured.nash_gap, 3), round(measured.optimality_gap, 3)
    (-3.444, 7.111, 14.444)
    """
    weight = scalar(regularization, "regularization", InputError)
    if not (math.isfinite(weight) and weight >= 0):
        raise InputError(f"regularization must be a finite number of at least 0, got {quoted(weight)}")
    played = find_game(game)
    if not isinstance(policy, Policy | str | os.PathLike):
        raise PolicyError(
            f"policy must be a path or a Policy, got {type(policy).__name__}; "
            "Policy.from_tables(dag, tables) makes one of probabilities"
        )
    given = policy if isinstance(policy, Policy) else announce(read_policy(policy))
    candidate = given if isinstance(given, Policy) else given.tabulated(played.states)
    check_policy(candidate, played)
    return measure(played, candidate, weight, bool(mismatch))
