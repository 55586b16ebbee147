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
    for field in declared(type(settings), Setting):
        value = getattr(settings, field.name)
        if field.required or value != field.default:
            words += field.arguments(value)
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
    for field in declared(kind, Setting):
        parser.add_argument(
            f"--{field.key}",
            dest=field.key,
            help=_help(field),
            default=argparse.SUPPRESS,
            required=field.required,
            **_how_to_read(field),
        )
    try:
        return convert(vars(parser.parse_args(words)), kind)
    except SettingError as error:
        parser.error(str(error))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.USAGE, f"{self.prog}: error: {' '.join(message.split())}\n")


def _help(field: Declared[Setting]) -> str:
    """Return what `--help` says; % would be a placeholder."""
    default = field.shown_default() + field.setting.remark
    text = field.meaning(lambda key: f"--{key}", str) + f"  [{default}]" * bool(default)
    return text.replace("%", "%%")


def _how_to_read(field: Declared[Setting]) -> dict[str, Any]:
    if field.is_flag:
        return {"action": argparse.BooleanOptionalAction}

    def read(text: str) -> Any:
        try:
            return field.from_text(text)
        except SettingError as error:
            raise argparse.ArgumentTypeError(error.why) from None

    return {"type": read, "metavar": field.metavar() or None}
