"""Options of declared settings, options that several commands share, and the types of their values."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

import click
import click.shell_completion
from bnpg_protocol.process.settings import Declared, Setting, SettingError, declared
from msgspec import NODEFAULT, Meta, Struct

Command = TypeVar("Command", bound=Callable[..., Any])


class Value(click.ParamType):  # type: ignore[type-arg]
    """The value of a declared setting.

    Parameters
    ----------
    declared : Declared
    """

    def __init__(self, declared: Declared[Any]) -> None:
        self.name = declared.key
        self._declared = declared

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn the text of an option into its value."""
        try:
            return self._declared.from_text(value) if isinstance(value, str) else value
        except SettingError as error:
            self.fail(error.why, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 (click calls it so)
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[click.shell_completion.CompletionItem]:
        """Offer the words that may stand there."""
        if self.name == "dag":
            from bnpg_math.dag import FAMILIES

            return or_files(FAMILIES, incomplete)
        words = [word for word in self._declared.words if word.startswith(incomplete)]
        return [click.shell_completion.CompletionItem(word) for word in words]


def or_files(names: Iterable[str], incomplete: str) -> list[click.shell_completion.CompletionItem]:
    """Return what a shell offers where a name may stand, or a file."""
    found = [click.shell_completion.CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [*found, click.shell_completion.CompletionItem(incomplete, type="file")]


def game_names(
    ctx: click.Context,  # noqa: ARG001 (click calls it so)
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[click.shell_completion.CompletionItem]:
    """Offer games and simulators by name, and files."""
    from bnpg_coordinator.worlds.bundled.registry import SIMULATORS

    from bnpg_math.games.registry import BUILDERS

    return or_files(sorted({*BUILDERS, *SIMULATORS}), incomplete)


def value(hint: Any) -> Value:
    """Return the type of an option of one command: of the values that msgspec finds to be of a type."""
    return Value(Declared("value", "value", hint, NODEFAULT, Setting("")))


def integer(least: int, most: int = 2**63 - 1) -> Value:
    """Return the type of an integer within a range, both ends included."""
    return value(Annotated[int, Meta(ge=least, le=most)])


def number(*, positive: bool) -> Value:
    """Return the type of a finite number of at least 0, or greater than that."""
    return value(Annotated[float, Meta(gt=0) if positive else Meta(ge=0)])


def words(choices: tuple[str, ...]) -> Value:
    """Return the type of some of a few words, separated by commas."""
    return value(tuple[Literal[choices], ...])  # type: ignore[valid-type]


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator that adds several options, shown in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def episodes_option(default: int, meaning: str) -> Callable[[Command], Command]:
    """Return the option of commands that measure by episodes, and play whole batches of them."""
    return click.option(
        "--episodes",
        type=integer(2),
        default=default,
        show_default=True,
        metavar="N",
        help=f"{meaning}, rounded up to whole batches.",
    )


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, everything else on stderr."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")


def _joined(_context: click.Context, _parameter: click.Parameter, texts: Sequence[str]) -> str | None:
    """Return what was given several times as one text; None if it was not given."""
    return ",".join(texts) if texts else None


def option(declared: Declared[Any], default: Any = NODEFAULT) -> Callable[[Command], Command]:
    """Return the option of a setting. One that is not given is None.

    Parameters
    ----------
    declared : Declared
    default : object, optional
        Shown instead of the declared default.
    """
    shown = declared if default is NODEFAULT else replace(declared, default=default)
    facts = [fact for fact in (shown.shown_default() + shown.setting.remark, *shown.setting.facts) if fact]
    text = declared.meaning(lambda key: f"--{key}", lambda typed: typed)
    # A default that is given, even None, counts as a value since click 8.3, so a required one has none.
    absent: dict[str, Any] = {"required": True} if declared.required else {"default": None}
    return click.option(
        f"--{declared.key}/--no-{declared.key}" if declared.is_flag else f"--{declared.key}",
        declared.name,
        type=None if declared.is_flag else Value(declared),
        **absent,
        metavar=declared.metavar() or None,
        envvar=declared.setting.variable or None,
        multiple=declared.setting.repeated,
        callback=_joined if declared.setting.repeated else None,
        help=text + f"  [{'; '.join(facts)}]" * bool(facts),
    )


def options_of(kind: type[Struct], but: Sequence[str] = (), **defaults: Any) -> Callable[[Command], Command]:
    """Return one decorator that adds an option for every setting of a Struct that people are shown.

    Parameters
    ----------
    kind : type
    but : sequence of str
        Names of those that are left out.
    **defaults
        Defaults of this command, by name.
    """
    shown = [
        field for field in declared(kind, Setting) if not field.setting.internal and field.name not in but
    ]
    shown.sort(key=lambda field: not field.required)
    return together(*(option(field, defaults.get(field.name, NODEFAULT)) for field in shown))


def given(options: dict[str, Any], kind: type[Struct], **defaults: Any) -> dict[str, Any]:
    """Return those settings of a Struct that were given as options, by their keys; none that is internal.

    Parameters
    ----------
    options : dict
        Values of all options, by name.
    kind : type
    **defaults
        Those of this command, by name.
    """
    found = {}
    for field in (field for field in declared(kind, Setting) if not field.setting.internal):
        value = options.get(field.name)
        value = defaults.get(field.name) if value is None else value
        if value is not None:
            found[field.key] = value
    return found
