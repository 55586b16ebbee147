"""The game that somebody names where its model is needed; a simulator is told apart from a wrong name."""

from bnpg_math.errors import GameError
from bnpg_math.games.game import Game
from bnpg_math.games.registry import game as find_game

JUDGED = (
    "values and gaps cannot be computed; `summary.json` of a run has the return with its interval, and "
    "`bnpg play RUN` shows episodes"
)
"""What there is instead of an exact evaluation."""
ADVISED = "no advice can be computed; `bnpg edges RUN` measures what every edge of a trained team is worth"
"""What there is instead of advice on a graph."""
EXPORTED = "there are no tables to export"
SHOWN = "`bnpg env check` says how large it is and whether it can be repeated"
"""What there is instead of a game's sizes."""


def known_game(spec: str, instead: str) -> Game:
    """Return the game of a name or a file.

    Parameters
    ----------
    spec : str
    instead : str
        What is said of a simulator.

    Raises
    ------
    GameError
        If there is none, or it is a simulator, whose model is not known.
    """
    try:
        return find_game(spec)
    except GameError:
        from bnpg_coordinator.environments.opening import is_simulator

        if is_simulator(spec, {}):
            raise GameError(f"{spec.strip()} is a simulator, whose model is not known: {instead}") from None
        raise
