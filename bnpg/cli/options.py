"""Options that several commands share, and the types of their values."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from bnpg.exports import EXPORTS

Command = TypeVar("Command", bound=Callable[..., Any])


class Number(click.ParamType):  # type: ignore[type-arg]
    """A finite number within a range, or one of some words.

    Parameters
    ----------
    positive : bool
        Whether 0 is refused; negative numbers always are.
    words : tuple of str
        What may stand instead of a number.
    """

    name = "number"

    def __init__(self, *, positive: bool, words: tuple[str, ...] = ()) -> None:
        self._positive = positive
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Turn the text of an option into its value."""
        if value in self._words:
            return str(value)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number < 0 or (self._positive and number == 0):
            words = "".join(f" or {word!r}" for word in self._words)
            least = "greater than 0" if self._positive else "of at least 0"
            self.fail(f"expected a finite number {least}{words}, got {value!r}", param, ctx)
        return number


class Integer(click.ParamType):  # type: ignore[type-arg]
    """An integer within a range.

    Parameters
    ----------
    least, most : int
        Both ends included.
    """

    name = "integer"

    def __init__(self, least: int, most: int = 2**63 - 1) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn the text of an option into its value."""
        try:
            number = int(value)
        except ValueError:
            number = self._least - 1
        if not self._least <= number <= self._most:
            most = f" and at most {self._most}" if number > self._most else ""
            self.fail(f"expected an integer of at least {self._least}{most}, got {value!r}", param, ctx)
        return number


class Words(click.ParamType):  # type: ignore[type-arg]
    """Some of a few words, separated by commas.

    Parameters
    ----------
    words : tuple of str
    """

    name = "words"

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Turn the text of an option into its value."""
        chosen = tuple(dict.fromkeys(word.strip() for word in str(value).split(",")))
        for word in chosen:
            if word not in self._words:
                self.fail(f"expected some of {', '.join(self._words)}, got {word!r}", param, ctx)
        return chosen


class Horizon(click.ParamType):  # type: ignore[type-arg]
    """A number of steps, or the name of an unbiased horizon."""

    name = "horizon"
    words = ("geometric", "geometric-visit")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Turn the text of an option into its value."""
        if value in self.words:
            return str(value)
        try:
            steps = int(value)
        except ValueError:
            steps = 0
        if steps < 1:
            self.fail(
                f"expected an integer of at least 1, {self.words[0]!r} or {self.words[1]!r}, got {value!r}",
                param,
                ctx,
            )
        return steps


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator that adds several options, shown in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, everything else on stderr."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")

launch_options_but_launcher = together(
    click.option("--transport", type=click.Choice(["ipc", "tcp"]), help="Between local processes.  [ipc]"),
    click.option(
        "--patience",
        type=Number(positive=True),
        metavar="SECONDS",
        help="Give up after so long without any progress.  [120]",
    ),
    click.option(
        "--on-loss",
        type=click.Choice(["wait", "fail"]),
        help="When a process dies: start it again, or fail.  [wait]",
    ),
    click.option(
        "--fsync/--no-fsync",
        default=None,
        help="Whether the run survives a crash of the machine, not only of a process.  [fsync]",
    ),
    click.option(
        "--log",
        type=Words(EXPORTS),
        metavar="FORMAT,..",
        help="Keep the record also as csv (DIR/metrics.csv) or tensorboard (DIR/tensorboard/).",
    ),
    click.option("--log-format", type=click.Choice(["text", "json"]), help="Of the log on stderr.  [text]"),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="The least that is logged.  [warning]",
    ),
)
launch_options = together(
    click.option(
        "--launcher",
        type=click.Choice(["memory", "local"]),
        help="All in one process, or a process for everyone.  [local]",
    ),
    launch_options_but_launcher,
)
"""How a run is launched. An option that is not given is None; nothing of this changes the result."""

LAUNCH_FIELDS = ("launcher", "transport", "patience", "on_loss", "fsync", "log", "log_format", "log_level")

experiment_options = together(
    click.option(
        "--mode",
        type=click.Choice(["sampled", "exact"]),
        help="Learn from played episodes, or from the known model.  [sampled]",
    ),
    click.option(
        "--dag",
        metavar="NAME|EDGES|FILE",
        help="Who sees whose action: empty, line, star, complete, edges such as 0-1,0-2, or a file.  "
        "[line, or that of the initial policy]",
    ),
    click.option("--rounds", type=Integer(0), metavar="R", help="Number of updates.  [200]"),
    click.option(
        "--learning-rate",
        type=Number(positive=True, words=("certified",)),
        metavar="ETA|certified",
        help="Step size; certified is 1/beta, for which exact updates never do harm.  [0.1]",
    ),
    click.option(
        "--step-size",
        type=click.Choice(["fixed", "backtracking", "barzilai-borwein"]),
        help="Of exact updates: ETA each, or chosen by the coordinator, ETA being the first tried.  [fixed]",
    ),
    click.option(
        "--direction",
        type=click.Choice(["gradient", "natural"]),
        help="Of exact updates: the gradient, or the natural one.  [gradient]",
    ),
    click.option(
        "--momentum",
        type=click.Choice(["none", "nesterov"]),
        help="Of exact updates, begun anew whenever it does not pay.  [none]",
    ),
    click.option(
        "--regularization",
        type=Number(positive=False),
        metavar="LAMBDA",
        help="Weight of the log barrier.  [0]",
    ),
    click.option(
        "--parts",
        type=Integer(1),
        metavar="P",
        help="Parts the lanes are stepped in, to overlap; changes only the speed.  [1]",
    ),
    click.option("--lanes", type=Integer(1), metavar="B", help="Episodes of a sampled round.  [256]"),
    click.option(
        "--horizon",
        type=Horizon(),
        metavar="T|geometric|geometric-visit",
        help="Steps of an episode: an integer truncates, the geometric ones are unbiased.  [geometric]",
    ),
    click.option(
        "--baseline",
        type=click.Choice(["cross-fit", "none"]),
        help="Reduces the variance of sampled rounds, without bias.  [cross-fit]",
    ),
    click.option(
        "--initial",
        metavar="POLICY.npz|zeros|normal",
        help="Starting theta; normal is N(0, 1), keyed by the seed.  [zeros]",
    ),
    click.option("--seed", type=Integer(0), metavar="N", help="Of everything random.  [0]"),
    click.option(
        "--evaluate-every",
        type=Integer(0),
        metavar="K",
        help="Exact metrics every K rounds and at the end; 0 is never.  [10]",
    ),
    click.option(
        "--stop-at-epsilon",
        type=Number(positive=True),
        metavar="EPS",
        help="Train until a gap of EPS is certified, with lambda = EPS/M; --rounds at the most.  [0: never]",
    ),
    click.option(
        "--stop-gap",
        type=click.Choice(["nash", "optimality"]),
        help="Which gap --stop-at-epsilon means; optimality needs the complete DAG.  [nash]",
    ),
    click.option("--trace/--no-trace", default=None, help="Record every message.  [no-trace]"),
    click.option(
        "--save-policy/--no-save-policy",
        default=None,
        help="Gather DIR/policy.npz at the end.  [no-save-policy]",
    ),
)
"""The fields of an experiment file, as options. One that is not given is None."""

EXPERIMENT_FIELDS = (
    "mode", "dag", "rounds", "learning_rate", "step_size", "direction", "momentum", "regularization", "lanes",
    "parts", "horizon", "baseline", "initial", "seed", "evaluate_every", "stop_at_epsilon", "stop_gap",
    "trace", "save_policy",
)  # fmt: skip


def given(options: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Return those options of `fields` that were given, by their names in files (kebab case)."""
    return {field.replace("_", "-"): options[field] for field in fields if options[field] is not None}
