"""Games as a Python program gives them: by name, by path, or as an object."""

import functools
import os
from collections.abc import Sequence

from numpy.typing import ArrayLike

from bnpg.notices import announce
from bnpg_math.arrays import FloatArray
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game
from bnpg_math.games.game import dense_game as make_dense_game
from bnpg_math.games.product_game import product_game as make_product_game
from bnpg_math.games.registry import BUILDERS
from bnpg_math.games.registry import game as find_game
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
    bnpg_math.errors.GameError: unknown game 'climing': did you mean 'climbing'?
    """
    if isinstance(spec, Game):
        return spec
    if not isinstance(spec, str | os.PathLike):
        raise GameError(f"game must be a name, a path or a Game, got {type(spec).__name__}")
    return announce(find_game(os.fspath(spec)))


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


def named(subject: str | os.PathLike[str] | Game) -> tuple[str, Game | None]:
    """Return how an experiment names a game, and the game itself if it exists as an object only."""
    if not isinstance(subject, Game):
        if not isinstance(subject, str | os.PathLike):
            raise GameError(f"game must be a name, a path or a Game, got {type(subject).__name__}")
        return os.fspath(subject), None
    if subject.name in BUILDERS and BUILDERS[subject.name]().digest == subject.digest:
        return subject.name, None
    return "game.npz", subject
