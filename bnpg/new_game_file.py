"""Writing a game to a file that somebody named, and that is not there yet."""

import os
from pathlib import Path

from bnpg.named_place import check_place, unwritable
from bnpg_math.errors import InputError
from bnpg_math.games.file import save_game
from bnpg_math.games.game import Game


def check_new(file: Path) -> None:
    """Check that a game can be written there.

    Raises
    ------
    InputError
        If it is no name of such a file, if there is something, or if there can be no file.
    StorageFailed
        If its file system is read-only.
    """
    if file.suffix != ".npz":
        raise InputError(f"the file of a game must end in .npz, got {file}")
    if os.path.lexists(file):
        raise InputError(f"{file} exists already and is never overwritten")
    check_place(file)


def save_new(game: Game, file: Path, whole: bool) -> None:
    """Write a game; see `save_game`.

    Raises
    ------
    InputError
        If there can be no file of that name, or none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """
    try:
        save_game(game, file, whole)
    except OSError as error:
        raise unwritable(f"{file} cannot be written", error) from None
