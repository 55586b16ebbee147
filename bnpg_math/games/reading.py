"""Game files of every format that is read; what a file holds, or how its name ends, says which it is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays.npz import (
    array_names,
    read_arrays,
    read_single,
    real,
    scalar,
)
from bnpg_math.errors import GameError
from bnpg_math.games.file import FORMS, load_game
from bnpg_math.games.game import Game
from bnpg_math.games.matrices import game_from_mdp, game_from_payoffs, team_arrays
from bnpg_math.games.readers.dpomdp import read_dpomdp
from bnpg_math.games.readers.gambit import read_nfg
from bnpg_math.games.readers.mat import read_mat

SUFFIXES = (".npz", ".npy", ".mat", ".dpomdp", ".nfg")
"""How names of game files end."""
_MDP = ("P", "R", "gamma", "discount", "initial", "actions")

Arrays = dict[str, NDArray[Any]]


def read_game(
    path: Path,
    gamma: float | None = None,
    actions: Sequence[int] | None = None,
    initial: int | None = None,
) -> Game:
    """Read a game file of any format.

    Parameters
    ----------
    path : Path
        Of our own format, `.dpomdp`, `.nfg`, arrays of MDPToolbox (`P`, `R`) in `.npz` or `.mat`, or payoffs
        of players in `.npz` or `.npy`.
    gamma : float, optional
        Discount where the file has none, or another one.
    actions : sequence of int, optional
        (A_1, .., A_N) of the team whose joint actions are those of an MDP.
    initial : int, optional
        The state where play begins in an MDP.

    Returns
    -------
    Game
        Named after the file.

    Raises
    ------
    GameError
        One line: the file, in text its line, what was expected, what came.
    """
    suffix = path.suffix.lower()
    if suffix in (".dpomdp", ".nfg"):
        _without(path, actions=actions, initial=initial)
        return read_dpomdp(path, gamma) if suffix == ".dpomdp" else read_nfg(path, gamma)
    if suffix == ".mat":
        return _mdp(path, _read_mat(path), gamma, actions, initial)
    if suffix == ".npy":
        _without(path, actions=actions, initial=initial)
        return _payoffs(path, {"payoff": read_single(path, "game file", GameError)}, gamma)
    names = array_names(path)
    if not any(name in names for name in (*FORMS, "reward", "initial")):
        if "P" in names and "R" in names:
            return _mdp(path, _read(path, _MDP), gamma, actions, initial)
        if any(map(_is_payoff, names)):
            _without(path, actions=actions, initial=initial)
            return _payoffs(path, read_arrays(path, "game file", GameError, _is_payoff_or_gamma), gamma)
    _without(path, gamma=gamma, actions=actions, initial=initial)
    return load_game(path)


def is_own(path: Path) -> bool:
    """Whether a file that was read holds a game in our own format."""
    return path.suffix.lower() not in SUFFIXES[1:] and any(name in FORMS for name in array_names(path))


def _is_payoff(name: str) -> bool:
    return name in ("payoff", "payoffs", "A") or name.startswith("payoff_")


def _is_payoff_or_gamma(name: str) -> bool:
    return _is_payoff(name) or name in ("B", "gamma")


def _read(path: Path, names: Sequence[str]) -> Arrays:
    return read_arrays(path, "game file", GameError, names.__contains__)


def _without(path: Path, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise GameError(f"game file {path} has its own {name}: expected no other, got {value}")


def _mdp(
    path: Path,
    arrays: dict[str, Any],
    gamma: float | None,
    actions: Sequence[int] | None,
    initial: int | None,
) -> Game:
    try:
        return _mdp_game(path.stem, arrays, gamma, actions, initial)
    except GameError as reason:
        raise GameError(f"game file {path}: {reason}") from None


def _mdp_game(
    name: str, arrays: dict[str, Any], gamma: float | None, actions: Sequence[int] | None, initial: int | None
) -> Game:
    """P [A, S, S] and R."""
    missing = [array for array in ("P", "R") if array not in arrays]
    if missing:
        raise GameError(f"lacks {', '.join(missing)}; expected P [A, S, S] and R")
    if gamma is None:
        key = next((key for key in ("gamma", "discount") if key in arrays), None)
        if key is None:
            raise GameError("lacks gamma; choose a discount with bnpg convert FILE OUT.npz --gamma 0.95")
        gamma = scalar(np.squeeze(arrays[key]), key, GameError)
    if actions is None and "actions" in arrays:
        actions = [int(count) for count in real(arrays["actions"], "actions", GameError).reshape(-1)]
    begins: Any = np.reshape(arrays["initial"], -1) if "initial" in arrays else None
    game = game_from_mdp(arrays["P"], arrays["R"], gamma, actions, begins if initial is None else None, name)
    if initial is None:
        return game
    if not 0 <= initial < game.states:
        raise GameError(f"initial must be a state in 0..{game.states - 1}, got {initial}")
    return replace(game, initial=np.eye(1, game.states, initial)[0])


def _players(arrays: Arrays) -> list[NDArray[Any]]:
    """Payoffs of the players, each an array of its own."""
    named = sorted(
        (name for name in arrays if name.startswith("payoff_")), key=lambda name: (len(name), name)
    )
    if named:
        return [arrays[name] for name in named]
    return [arrays["A"], arrays["B"]] if "A" in arrays and "B" in arrays else []


def _payoffs(path: Path, arrays: Arrays, gamma: float | None) -> Game:
    try:
        if gamma is None:
            gamma = scalar(arrays["gamma"], "gamma", GameError) if "gamma" in arrays else 0.0
        if "payoff" in arrays:
            return game_from_payoffs(arrays["payoff"], gamma, path.stem)
        players = team_arrays(arrays["payoffs"]) if "payoffs" in arrays else _players(arrays)
        return game_from_payoffs(players, gamma, path.stem)
    except GameError as reason:
        raise GameError(f"game file {path}: {reason}") from None


def _read_mat(path: Path) -> dict[str, Any]:
    """Variables of a MATLAB file; cells of matrices as lists."""
    # MATLAB counts P(s, s', a) and R(s, s', a).
    return {
        name: np.ascontiguousarray(np.moveaxis(value, -1, 0))
        if name in ("P", "R") and isinstance(value, np.ndarray) and value.ndim == 3
        else value
        for name, value in read_mat(path, _MDP.__contains__).items()
    }
