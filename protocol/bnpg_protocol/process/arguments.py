"""Declared settings as the command line of a process, and back.

Whoever starts a process has its settings as a Struct and gives them as words; the process reads the same
Struct. Only what is not the default is written, so that a person can read the command lines of a machine's
processes.
"""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from bnpg_protocol.process.settings import Declared, Setting, SettingError, convert, declared
from bnpg_protocol.wire.exit_codes import ExitCode

Kind = TypeVar("Kind", bound=Struct)


def as_arguments(settings: Struct) -> list[str]:
    """Return the words of a command line from which `read_arguments` makes the same settings."""
    words = []
    for one in declared(type(settings), Setting):
        value = getattr(settings, one.name)
        if one.required or value != one.default:
            words += one.arguments(value)
    return words


def read_arguments(
    kind: type[Kind], program: str, description: str, words: Sequence[str] | None = None
) -> Kind:
    """Return the settings that the command line of this process gives.

    Words that cannot be used end the process with one line on stderr and exit code 2.

    Parameters
    ----------
    kind : type
        A Struct of declared settings.
    program : str
        Name of the process.
    description : str
        What it is, for its help.
    words : sequence of str, optional
        Instead of those of this process.
    """
    parser = _Parser(program, description=description, allow_abbrev=False)
    for one in declared(kind, Setting):
        parser.add_argument(
            f"--{one.key}",
            dest=one.key,
            help=_help(one),
            default=argparse.SUPPRESS,
            required=one.required,
            **_how_to_read(one),
        )
    try:
        return convert(vars(parser.parse_args(words)), kind)
    except SettingError as error:
        parser.error(str(error))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.USAGE, f"{self.prog}: error: {' '.join(message.split())}\n")


def _help(one: Declared[Setting]) -> str:
    """Return what `--help` says; % would be a placeholder."""
    default = one.shown_default() + one.setting.remark
    text = one.meaning(lambda key: f"--{key}", str) + f"  [{default}]" * bool(default)
    return text.replace("%", "%%")


def _how_to_read(one: Declared[Setting]) -> dict[str, Any]:
    if one.is_flag:
        return {"action": argparse.BooleanOptionalAction}

    def read(text: str) -> Any:
        try:
            return one.from_text(text)
        except SettingError as error:
            raise argparse.ArgumentTypeError(error.why) from None

    return {"type": read, "metavar": one.metavar() or None}
