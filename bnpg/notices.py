"""What a person is to know of an input that is used, but not quite as it came: shown once, as a warning.

The mathematics only keep such notices with what they took in. Python shows a warning once for each place and
text; the command line prints each text once, as its other warnings.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from bnpg_math.errors import InputWarning

if TYPE_CHECKING:
    from bnpg_math.games.game import Game
    from bnpg_math.policies.joint import Policy
    from bnpg_math.policies.network_file import JointPolicy


_OURS = ("bnpg", "bnpg_math", "contextlib")
_printers: list[Callable[[str], None]] = []
"""Whoever prints what is warned of; the last one does."""
Noticed = TypeVar("Noticed", "Game", "Policy", "JointPolicy")


def announce(noticed: Noticed) -> Noticed:
    """Warn of everything that was changed when a game or a policy was taken in.

    Parameters
    ----------
    noticed : Game or Policy

    Returns
    -------
    Game or Policy
        The same.
    """
    name = f"game {noticed.name}" if hasattr(noticed, "name") else "policy"
    for notice in noticed.notices:
        warn(f"{name}: {notice}")
    return noticed


def warn(text: str) -> None:
    """Warn of something that a person is to know.

    A command line prints it, whatever an environment has made of warnings.
    """
    if _printers:
        _printers[-1](text)
    else:
        warnings.warn(text, InputWarning, stacklevel=_callers_level())


def _callers_level() -> int:
    """How far up the stack, seen from who asks, the first line is that is not of this program."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    return level


@contextmanager
def printed_by(show: Callable[[str], None], others: bool) -> Iterator[None]:
    """Hand every distinct text of a warning of ours to `show`, for as long as the context lasts.

    Parameters
    ----------
    show : callable
    others : bool
        Whether warnings of other kinds are shown as usual, or not at all.
    """
    shown: set[str] = set()

    def once(text: str) -> None:
        if text not in shown:
            shown.add(text)
            show(text)

    _printers.append(once)
    try:
        with warnings.catch_warnings():
            if not others:
                warnings.simplefilter("ignore")
            yield
    finally:
        _printers.remove(once)
