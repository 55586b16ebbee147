"""Built-in games by name: ``coordination(agents=3, epsilon=0.1)``, or a game file by its path."""

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
from bnpg_math.games.call import checked_arguments, parameters_of, parse_call
from bnpg_math.games.game import Game
from bnpg_math.games.reading import SUFFIXES, read_game

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
    if text.endswith(SUFFIXES) or (text.partition("(")[0] not in BUILDERS and _is(Path.is_file, text)):
        return read_game(Path(text).expanduser())
    if is_folder(text):
        raise GameError(f"{text} is a folder, expected a game; the run in a folder goes on with bnpg resume")
    name, arguments = parse_call(text, BUILDERS)
    return BUILDERS[name](**checked_arguments(name, BUILDERS[name], arguments))


def is_folder(text: str) -> bool:
    """Whether a text names a folder, and no game."""
    return text not in BUILDERS and _is(Path.is_dir, text)


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
        defaults = {key: parameter.default for key, parameter in parameters_of(builder).items()}
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


def _is(kind: Callable[[Path], bool], text: str) -> bool:
    try:
        return bool(text) and kind(Path(text).expanduser())
    except (OSError, RuntimeError, ValueError):
        # Too long, an unknown user after ~, or a NUL: certainly no file.
        return False
