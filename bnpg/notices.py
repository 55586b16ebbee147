"""What a person is to know of an input that is used, but not quite as it came: said once, as a warning.

The mathematics only keep such notices with what they took in. Python shows a warning once for each place and
text; the command line prints each text once, as its other warnings.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bnpg_math.errors import InputWarning

if TYPE_CHECKING:
    from bnpg_math.games.game import Game


def announce(game: "Game", stacklevel: int = 3) -> "Game":
    """Warn of everything that was changed when a game was taken in.

    Parameters
    ----------
    game : Game
    stacklevel : int
        As in :func:`warnings.warn`; 3 is who called the caller.

    Returns
    -------
    Game
        The same.
    """
    for notice in game.notices:
        warnings.warn(f"game {game.name}: {notice}", InputWarning, stacklevel=stacklevel)
    return game


@contextmanager
def printed_by(say: Callable[[str], None], others: bool) -> Iterator[None]:
    """Hand every distinct text of an `InputWarning` to `say`, for as long as the context lasts.

    Parameters
    ----------
    say : callable
    others : bool
        Whether warnings of other kinds are shown as usual, or not at all.
    """
    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: object) -> None:
        if not issubclass(category, InputWarning):
            usual(message, category, *place)  # type: ignore[arg-type]
        elif str(message) not in said:
            said.add(str(message))
            say(str(message))

    with warnings.catch_warnings():
        usual = warnings.showwarning
        if not others:
            warnings.simplefilter("ignore")
        warnings.simplefilter("always", InputWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield
