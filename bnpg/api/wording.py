"""Messages in the words of Python: settings are arguments there, not options of a command line."""

import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.settings import Setting, declared

from bnpg.extras import lacks_extra
from bnpg.launchers.settings import LaunchSettings
from bnpg_math.errors import InputError

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

_OF_A_FILE = re.compile(r"\S+\.toml: ")


def setting_keys() -> tuple[str, ...]:
    """Return the settings by their keys, as files and the command line have them."""
    return tuple(field.key for kind in (Experiment, LaunchSettings) for field in declared(kind, Setting))


def python_words(text: str, keys: tuple[str, ...]) -> str:
    """Return a message with its settings named as arguments.

    Parameters
    ----------
    text : str
        What is said of an experiment file stays as it is: settings are written there with hyphens.
    keys : tuple of str
        Settings as files and the command line have them.

    Examples
    --------
    >>> python_words("step-size backtracking needs --mode exact", ("step-size", "mode"))
    'step_size backtracking needs mode exact'
    """
    if _OF_A_FILE.match(text):
        return text
    for key in keys:
        if f"--{key}" in text or ("-" in key and key in text):
            text = re.sub(rf"(?<![\w/.-])(?:--)?{key}(?![\w/-])", key.replace("-", "_"), text)
    return text


def in_python_words(function: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Return a function that refuses what it refuses in the words of Python."""

    @functools.wraps(function)
    def worded(*arguments: Given.args, **given: Given.kwargs) -> Returned:
        try:
            return function(*arguments, **given)
        except InputError as error:
            if len(error.args) == 1 and isinstance(error.args[0], str):
                error.args = (python_words(error.args[0], setting_keys()),)
            raise
        except ModuleNotFoundError as error:
            lacking = lacks_extra(error)
            if not lacking:
                raise
            raise InputError(lacking) from None

    return worded
