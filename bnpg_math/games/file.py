"""Games as `.npz` files.

The format: ``transition`` float64 ``[S, A_1, .., A_N, S]``, ``reward`` float64 ``[S, A_1, .., A_N]``,
``initial`` float64 ``[S]``, ``gamma`` a scalar. A file may hold whatever :func:`dense_game` takes besides.
Further arrays in it are ignored.
"""

import os
from pathlib import Path

import numpy as np

from bnpg_math.arrays.npz import read_arrays, write_arrays
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game, dense_game

ARRAYS = ("transition", "reward", "initial", "gamma")
"""Names that every game file holds."""

_LARGEST = 4 * 2**30


def load_game(path: str | os.PathLike[str]) -> Game:
    """Read a game.

    Parameters
    ----------
    path : path
        An ``.npz`` file.

    Returns
    -------
    Game
        Named after the file.

    Raises
    ------
    GameError
        One line saying what is wrong: the file, an array's dtype, shape or content.
    """
    source = Path(path)
    arrays = read_arrays(source, "game file", GameError, ARRAYS.__contains__)
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise GameError(f"game file {source} lacks {', '.join(missing)}; expected {', '.join(ARRAYS)}")
    try:
        return dense_game(
            source.stem, arrays["transition"], arrays["reward"], arrays["initial"], arrays["gamma"]
        )
    except GameError as reason:
        raise GameError(f"game file {source}: {reason}") from None


def save_game(game: Game, path: str | os.PathLike[str]) -> None:
    """Write a game; the path holds the old file or the new one, never a part.

    Parameters
    ----------
    game : Game
        Written as the whole tensor, whatever its structure.
    path : path
        An ``.npz`` file.

    Raises
    ------
    GameError
        If the whole tensor would be larger than 4 GiB.
    OSError
        If the file cannot be written.
    """
    size = 8 * game.states**2 * game.joint_actions
    if size > _LARGEST:
        raise GameError(
            f"game {game.name} as a whole tensor must be at most 4 GiB, got {size / 2**30:.0f} GiB"
        )
    arrays = {
        "transition": game.transition.to_dense(),
        "reward": game.reward,
        "initial": game.initial,
        "gamma": np.array(game.gamma),
    }
    write_arrays(Path(path), arrays)
