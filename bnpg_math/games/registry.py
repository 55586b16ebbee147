"""Built-in games by name: ``coordination(agents=3, epsilon=0.1)``, or a game file by its path."""

import ast
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bnpg_math.errors import GameError
from bnpg_math.games.builtin.climbing import climbing
from bnpg_math.games.builtin.climbing3 import climbing3
from bnpg_math.games.builtin.congestion import congestion
from bnpg_math.games.builtin.coordination import coordination
from bnpg_math.games.builtin.penalty import penalty
from bnpg_math.games.builtin.random_game import random_game
from bnpg_math.games.builtin.slotted_aloha import slotted_aloha
from bnpg_math.games.builtin.stag_hunt import stag_hunt
from bnpg_math.games.file import load_game
from bnpg_math.games.game import Game

BUILDERS: Mapping[str, Callable[..., Game]] = MappingProxyType(
    {
        "climbing": climbing,
        "climbing3": climbing3,
        "congestion": congestion,
        "coordination": coordination,
        "penalty": penalty,
        "random": random_game,
        "slotted_aloha": slotted_aloha,
        "stag_hunt": stag_hunt,
    }
)
"""Every built-in game by its name. Parameters and their types are those of the function."""


@dataclass(frozen=True)
class Listing:
    """One line of the list of built-in games; sizes are those of the default parameters."""

    name: str
    description: str
    parameters: Mapping[str, int | float]
    agents: int
    states: int
    actions: tuple[int, ...]


def game(spec: str) -> Game:
    """Find a game.

    Parameters
    ----------
    spec : str
        A built-in such as ``climbing`` or ``coordination(agents=3)``, or the path of a game file.

    Returns
    -------
    Game

    Raises
    ------
    GameError
        One line: unknown name (with the nearest known one), unknown or ill-typed parameter, bad file.

    Examples
    --------
    >>> game("coordination(agents=2)").states
    4
    """
    text = spec.strip()
    if text.endswith(".npz") or (text.partition("(")[0] not in BUILDERS and _is_file(text)):
        return load_game(Path(text).expanduser())
    name, arguments = _parse(text)
    return BUILDERS[name](**_checked(name, arguments))


def list_games() -> list[Listing]:
    """All built-in games with their default sizes, in alphabetical order.

    Returns
    -------
    list of Listing
    """
    listings = []
    for name in sorted(BUILDERS):
        builder = BUILDERS[name]
        example = builder()
        defaults = {key: parameter.default for key, parameter in _parameters(name).items()}
        listings.append(
            Listing(
                name=name,
                description=(inspect.getdoc(builder) or "").splitlines()[0],
                parameters=MappingProxyType(defaults),
                agents=example.agents,
                states=example.states,
                actions=example.actions,
            )
        )
    return listings


def _is_file(text: str) -> bool:
    try:
        return bool(text) and Path(text).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        # Too long, an unknown user after ~, or a NUL: certainly no file.
        return False


def _parameters(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(BUILDERS[name]).parameters


def _parse(text: str) -> tuple[str, dict[str, object]]:
    """Split a spec into a known name and its keyword values, evaluating literals only."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise GameError(
            f"game {text[:80]!r} must be a name with parameters, such as coordination(agents=3), "
            "or the path of an .npz file"
        ) from None
    call = tree if isinstance(tree, ast.Call) else None
    head = call.func if call else tree
    if not isinstance(head, ast.Name):
        raise GameError(f"game {text[:80]!r} must be a name with parameters, such as coordination(agents=3)")
    if head.id not in BUILDERS:
        close = difflib.get_close_matches(head.id.lower(), list(BUILDERS), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(BUILDERS)}"
        raise GameError(f"unknown game {head.id!r}: {hint}")
    arguments: dict[str, object] = {}
    if call is not None and call.args:
        raise GameError(f"parameters of {head.id} must be given by name, such as {_example(head.id)}")
    for keyword in call.keywords if call else []:
        if keyword.arg is None:
            raise GameError(f"parameters of {head.id} must be given by name, such as {_example(head.id)}")
        try:
            arguments[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise GameError(f"{head.id}: {keyword.arg} must be a plain number") from None
    return head.id, arguments


def _checked(name: str, arguments: Mapping[str, object]) -> dict[str, int | float]:
    """Match keyword values with the builder's parameters, by name and type."""
    parameters = _parameters(name)
    values: dict[str, int | float] = {}
    for key, value in arguments.items():
        if key not in parameters:
            close = difflib.get_close_matches(key, list(parameters), n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(parameters)}"
            raise GameError(f"{name} has no parameter {key!r}: {hint}")
        if parameters[key].annotation is int:
            if not isinstance(value, int) or isinstance(value, bool):
                raise GameError(f"{name}: {key} must be an integer, got {value!r}")
            values[key] = value
        else:
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise GameError(f"{name}: {key} must be a number, got {value!r}")
            try:
                values[key] = float(value)
            except OverflowError:
                raise GameError(f"{name}: {key} must be a float64, got a larger integer") from None
    return values


def _example(name: str) -> str:
    values = ", ".join(f"{key}={parameter.default}" for key, parameter in _parameters(name).items())
    return f"{name}({values})"
