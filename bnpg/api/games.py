"""Games as a Python program gives them: by name, by path, or as an object."""

import functools
import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from bnpg_coordinator import run_files
from numpy.typing import ArrayLike

from bnpg.known_game import JUDGED, known_game
from bnpg.notices import announce
from bnpg_math.arrays import FloatArray
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game
from bnpg_math.games.game import dense_game as make_dense_game
from bnpg_math.games.matrices import game_from_mdp, game_from_payoffs
from bnpg_math.games.outcomes import game_from_step, game_from_table
from bnpg_math.games.product_game import product_game as make_product_game
from bnpg_math.games.registry import BUILDERS
from bnpg_math.games.sparse_game import sparse_game as make_sparse_game
from bnpg_math.games.transitions.product import Component


def game(spec: str | os.PathLike[str] | Game) -> Game:
    """Find a game.

    Parameters
    ----------
    spec : str, path or Game
        A built-in such as ``climbing`` or ``coordination(agents=3)`` (``bnpg games`` lists them), the path of
        a game file, or a game, which is returned as it is.

    Returns
    -------
    Game

    Raises
    ------
    GameError
        One line: unknown name (with the nearest known one), unknown or ill-typed parameter, bad file.

    Examples
    --------
    >>> import bnpg
    >>> climbing = bnpg.game("climbing")
    >>> climbing.agents, climbing.actions, float(climbing.reward.max())
    (2, (3, 3), 11.0)
    >>> bnpg.game("climing")
    Traceback (most recent call last):
    ...
    bnpg.GameError: unknown game 'climing': did you mean 'climbing'?
    """
    if isinstance(spec, Game):
        return spec
    if not isinstance(spec, str | os.PathLike):
        raise GameError(f"game must be a name, a path or a Game, got {type(spec).__name__}")
    return announce(known_game(os.fspath(spec), JUDGED))


@functools.wraps(make_dense_game)
def dense_game(
    name: str, transition: FloatArray, reward: FloatArray, initial: FloatArray, gamma: float
) -> Game:
    """Make a game of arrays, and warn where they are not used quite as they came."""
    return announce(make_dense_game(name, transition, reward, initial, gamma))


@functools.wraps(make_sparse_game)
def sparse_game(
    name: str,
    successors: ArrayLike,
    probabilities: ArrayLike,
    reward: ArrayLike,
    initial: ArrayLike,
    gamma: float,
) -> Game:
    """Make a game of successors and probabilities, and warn where they are not used quite as they came."""
    return announce(make_sparse_game(name, successors, probabilities, reward, initial, gamma))


@functools.wraps(make_product_game)
def product_game(
    name: str,
    sizes: Sequence[int],
    actions: Sequence[int],
    components: Sequence[Component],
    reward: ArrayLike,
    initial: ArrayLike,
    gamma: float,
) -> Game:
    """Make a game of a product of kernels, and warn where they are not used quite as they came."""
    return announce(make_product_game(name, sizes, actions, components, reward, initial, gamma))


def game_from(
    source: Any,
    *,
    actions: Sequence[int] | None = None,
    initial: Any = None,
    gamma: float | None = None,
    states: int | Iterable[Hashable] | None = None,
    terminal: Callable[[Any], bool] | Iterable[Hashable] = (),
    name: str = "game",
) -> Game:
    """Make a game of what a program has at hand.

    Parameters
    ----------
    source : function, environment, table, arrays or payoffs
        - a function ``step(state, actions)``, which returns what follows for sure, ``(s', r)`` or
          ``(s', r, done)``, or a list or generator of all that may follow, ``(p, s', r)`` or
          ``(p, s', r, done)``. States are numbers or anything hashable; `actions` is a tuple of integers;
        - a toy-text environment of Gymnasium, or its table ``env.P``: ``P[s][a]`` is a list of
          ``(p, s', r, done)``. One agent acts there; `actions` says of which team its actions are the joint
          ones;
        - ``{"P": P, "R": R}``, arrays of an MDP as MDPToolbox keeps them: P [A, S, S], also as a list of
          sparse matrices, and R [S], [S, A] or [A, S, S];
        - a game of Nashpy, a list of the players' payoffs, all equal, or one payoff array [A_1, .., A_N]: a
          game of one state.
    actions : sequence of N int
        (A_1, .., A_N). A flat action is a position in C order of (a_1, .., a_N).
    initial : state, {state: probability}, or (S,) float
        Where play begins. An environment says it itself; in an MDP it is anywhere alike if missing.
    gamma : float, optional
        Discount, in [0, 1); 0.95 if missing, and 0 of payoffs: a single shot.
    states : int or iterable of hashable, optional
        For a function: how many states there are, or what they are called. If missing, all that can be
        reached from `initial` are found.
    terminal : callable (state) -> bool, or iterable of states
        For a function: states where an episode is over.
    name : str
        For people.

    Returns
    -------
    Game
        Rewards r(s, a, s') are averaged. Where an episode is over, the state does not change any more and
        pays 0. Probabilities in single precision, or rounded, are divided by their sums; a warning says so.

    Raises
    ------
    GameError
        One line: for which state and actions, what was expected, what came.

    Examples
    --------
    Two agents carry a table along a corridor; it moves if both pull the same way:

    >>> def carry(place, actions):
    ...     step = {(0, 0): -1, (1, 1): 1}.get(actions, 0)
    ...     there = min(max(place + step, 0), 4)
    ...     yield 0.9, there, -1.0
    ...     yield 0.1, place, -1.0
    >>> import bnpg
    >>> corridor = bnpg.game_from(carry, actions=(2, 2), initial=0, terminal={4}, gamma=0.9)
    >>> corridor.states, corridor.actions
    (5, (2, 2))
    """
    shot, discount = (0.0, 0.95) if gamma is None else (gamma, gamma)
    if isinstance(source, Mapping) and {"P", "R"} <= source.keys():
        found = game_from_mdp(source["P"], source["R"], discount, actions, initial, name)
    elif hasattr(source, "payoff_matrices"):
        found = game_from_payoffs(list(source.payoff_matrices), shot, name)
    elif isinstance(source, np.ndarray):
        found = game_from_payoffs(source, shot, name)
    elif hasattr(getattr(source, "unwrapped", source), "P"):
        environment = getattr(source, "unwrapped", source)
        begins = getattr(environment, "initial_state_distrib", None) if initial is None else initial
        found = game_from_table(environment.P, actions, begins, discount, name)
    elif callable(source):
        if actions is None:
            raise GameError("actions must be the number of actions of each agent, such as (2, 2), got none")
        found = game_from_step(source, actions, initial, discount, states, terminal, name)
    elif isinstance(source, Sequence) and all(isinstance(array, np.ndarray) for array in source):
        found = game_from_payoffs(source, shot, name)
    elif isinstance(source, Mapping | Sequence) and not isinstance(source, str):
        found = game_from_table(source, actions, initial, discount, name)
    else:
        raise GameError(
            "game_from needs a step function, an environment with P, its table, {'P': .., 'R': ..} or "
            f"payoffs, got {type(source).__name__}"
        )
    return announce(found)


def named(subject: str | os.PathLike[str] | Game) -> tuple[str, Game | None]:
    """Return how an experiment names a game, and the game itself if it exists as an object only."""
    if not isinstance(subject, Game):
        if not isinstance(subject, str | os.PathLike):
            raise GameError(f"game must be a name, a path or a Game, got {type(subject).__name__}")
        return os.fspath(subject), None
    if subject.name in BUILDERS and BUILDERS[subject.name]().digest == subject.digest:
        return subject.name, None
    return run_files.GAME, subject
