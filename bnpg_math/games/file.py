"""Games as `.npz` files.

Every file holds ``reward`` float64 ``[S, A_1, .., A_N]``, ``initial`` float64 ``[S]`` and ``gamma``, a
scalar, and the kernel in one of these forms:

========================================  =============================================================
``transition``                            float64 ``[S, A_1, .., A_N, S]``: the whole tensor
``successors``, ``probabilities``         int and float64 ``[S, A_1, .., A_N, K]``; what is unused has 0
``sizes``, ``actions``, ``kernel_k``, ..  a product of kernels, see `product_game.product_arrays`
``transition_of_actions``                 float64 ``[A_1, .., A_N, S]``: the current state does not matter
========================================  =============================================================

A file may hold whatever :func:`dense_game` and :func:`sparse_game` take besides. Further arrays are ignored.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_files.paths import as_path
from bnpg_files.quoting import quoted
from bnpg_math.arrays.npz import read_arrays, real, scalar, write_arrays
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game, dense_game
from bnpg_math.games.product_game import components_from, product_arrays, product_game
from bnpg_math.games.sparse_game import sparse_game, successor_arrays
from bnpg_math.games.transitions.product import ProductTransition
from bnpg_math.games.transitions.sparse import SparseTransition
from bnpg_math.games.transitions.stateless import StatelessTransition

ARRAYS = ("transition", "reward", "initial", "gamma")
"""Names that a game file with the whole tensor holds."""
FORMS: Mapping[str, tuple[str, ...]] = {
    "transition": ("transition",),
    "successors": ("successors", "probabilities"),
    "sizes": ("sizes", "actions"),
    "transition_of_actions": ("transition_of_actions",),
}
"""The kernel's forms by the array that tells them apart, with the arrays that each needs."""

_PARTS = ("kernel_", "components_", "agents_")
_LARGEST = 4 * 2**30

Arrays = dict[str, NDArray[Any]]


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
    source = as_path(path, "a game file", GameError)
    arrays = read_arrays(source, "game file", GameError, _is_part)
    form = kernel_form(arrays)
    if form is None:
        raise GameError(
            f"game file {source} holds {' and '.join(name for name in FORMS if name in arrays)}; "
            "expected one form of the transitions"
        )
    needed = (*FORMS[form], *ARRAYS[1:])
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise GameError(f"game file {source} lacks {', '.join(missing)}; expected {', '.join(needed)}")
    try:
        return _make(source.stem, form, arrays)
    except GameError as reason:
        raise GameError(f"game file {source}: {reason}") from None


def kernel_form(names: Mapping[str, Any]) -> str | None:
    """Return the form of the kernel in a file: a key of `FORMS`.

    Parameters
    ----------
    names : mapping by the names of the arrays

    Returns
    -------
    str or None
        None if there are several; the whole tensor if there is none.
    """
    found = [name for name in FORMS if name in names]
    if len(found) > 1:
        return None
    return found[0] if found else "transition"


def _is_part(name: str) -> bool:
    return name in ARRAYS or any(name in form for form in FORMS.values()) or name.startswith(_PARTS)


def _make(name: str, form: str, arrays: Arrays) -> Game:
    rest = tuple(arrays[key] for key in ARRAYS[1:])
    if form == "transition":
        return dense_game(name, arrays["transition"], *rest)
    if form == "successors":
        return sparse_game(name, arrays["successors"], arrays["probabilities"], *rest)
    reward, initial, gamma = rest
    if form == "sizes":
        components = components_from(arrays)
        sizes, actions = arrays["sizes"].tolist(), arrays["actions"].tolist()
        return product_game(name, sizes, actions, components, reward, initial, gamma)
    kernel = StatelessTransition(real(arrays[form], form, GameError))
    earned, start = real(reward, "reward", GameError), real(initial, "initial", GameError)
    return Game(name, kernel, earned, start, scalar(gamma, "gamma", GameError))


def save_game(game: Game, path: str | os.PathLike[str], whole: bool = True) -> None:
    """Write a game; the path holds the old file or the new one, never a part.

    Parameters
    ----------
    game : Game
        A sparse one is written as successors with probabilities.
    path : path
        An ``.npz`` file.
    whole : bool
        Whether a game with another structure is written as the whole tensor, which other programs read, or as
        it is. As it is, every game is read again as the same, with the same digest.

    Raises
    ------
    GameError
        If it is no game, or its arrays would be larger than 4 GiB, or the path is none.
    OSError
        If the file cannot be written.
    """
    if not isinstance(game, Game):
        raise GameError(f"expected a Game to write, got {quoted(game)}")
    if isinstance(game.transition, SparseTransition):
        arrays = _checked(game, successor_arrays(game.transition))
    elif isinstance(game.transition, ProductTransition) and not whole:
        arrays = product_arrays(game.transition)
    elif isinstance(game.transition, StatelessTransition) and not whole:
        (table,) = game.transition.content()
        arrays = {"transition_of_actions": table}
    else:
        size = 8 * game.states**2 * game.joint_actions
        if size > _LARGEST:
            raise _too_large(game, "as a whole tensor", size)
        arrays = {"transition": game.transition.to_dense()}
    rest = {"reward": game.reward, "initial": game.initial, "gamma": np.array(game.gamma)}
    write_arrays(as_path(path, "a game file", GameError), arrays | rest)


def _checked(game: Game, arrays: Arrays) -> Arrays:
    size = sum(array.nbytes for array in arrays.values())
    if size > _LARGEST:
        raise _too_large(game, "with the same number of successors in every row", size)
    return arrays


def _too_large(game: Game, how: str, size: float) -> GameError:
    return GameError(f"game {game.name} {how} must be at most 4 GiB, got {size / 2**30:.0f} GiB")
