"""What can be wrong with an input, as one small tree.

::

    ValueError
    └── InputError          an argument, an option or a file is not usable
        ├── DagError        the graph: unknown name, bad edge, cycle
        ├── GameError       the game: a bad file, rows that do not sum to one, an unknown built-in
        └── PolicyError     the policy: a bad file, a shape that does not fit the DAG or the game

Every message is one line that says what, where, what was expected and what came, for example
``transition[3, 0, 1] must sum to 1, got 0.97``. A command line prints it and exits with code 2.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bnpg_files.names import said


class InputError(ValueError):
    """An argument, an option or a file that cannot be used."""

    def __str__(self) -> str:
        """Return what is wrong; what it names may be no text, and yet the message can be written anywhere."""
        return said(super().__str__())


class InputWarning(UserWarning):
    """Something about an input that a person should know: it is used, but not quite as it came."""


class DagError(InputError):
    """A graph that is no DAG over the agents."""


class GameError(InputError):
    """A game that is not a cooperative Markov game."""


class PolicyError(InputError):
    """A policy that does not fit its DAG, its game or its file format."""


@contextmanager
def named_in(file: Path, beside: str = "") -> Iterator[None]:
    """Name a file in what is wrong with what it says, unless that names it already.

    Parameters
    ----------
    file : Path
    beside : str
        What else may be wrong, as it stands behind the name.

    Raises
    ------
    InputError
        The one that was raised within.
    """
    try:
        yield
    except InputError as error:
        if said(file) not in str(error):
            error.args = (f"{file}{beside}: {error}",)
        raise


for _public in (InputError, InputWarning, DagError, GameError, PolicyError):
    _public.__module__ = "bnpg"  # a traceback names it as whoever catches it does
