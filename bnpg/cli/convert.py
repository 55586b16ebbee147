"""`bnpg convert`: game files of other programs as our own."""

import json
from pathlib import Path
from typing import Any

import click

from bnpg.cli.games import sizes
from bnpg.cli.options import debug_option, json_option


class _Counts(click.ParamType):  # type: ignore[type-arg]
    name = "counts"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read `2,3` as (2, 3)."""
        parts = value.split(",") if isinstance(value, str) else [str(item) for item in value]
        if not all(part.strip().isdecimal() and len(part) < 10 and int(part) > 0 for part in parts):
            self.fail(f"expected the number of actions of each agent, such as 2,3, got {value!r}", param, ctx)
        return tuple(int(part) for part in parts)


@click.command(short_help="Make a game file of a file of another program.")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT.npz", type=click.Path(path_type=Path))
@click.option(
    "--gamma",
    type=float,
    metavar="G",
    help="Discount, in [0, 1), instead of that of the file. A .nfg file is a single shot without one.",
)
@click.option(
    "--actions",
    type=_Counts(),
    metavar="A1,A2,..",
    help="Actions of each agent of the team whose joint actions are those of P [A, S, S].  [one agent]",
)
@click.option(
    "--initial",
    type=click.IntRange(min=0),
    metavar="S",
    help="The state where play begins, for P [A, S, S].  [any alike]",
)
@json_option
@debug_option
def convert(
    source: Path,
    out: Path,
    gamma: float | None,
    actions: tuple[int, ...] | None,
    initial: int | None,
    as_json: bool,
) -> None:
    """Read a game of another program and write it as a game file; an existing file is refused.

    \b
    Read are:
      .dpomdp      Dec-POMDPs of the MADP toolbox, as if everybody saw the state
      .nfg         strategic games of Gambit, if all players get the same
      .npz, .mat   MDPToolbox: P [A, S, S] and R [S], [S, A] or [A, S, S]
      .npz, .npy   payoffs of one shot: payoff [A1, .., AN], or one array a player, all equal
      .npz         our own, also in float32 or printed with a few digits

    `bnpg train` takes all of them directly where no option is needed.
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg.new_game_file import check_new, save_new
    from bnpg.notices import announce
    from bnpg_math.errors import InputError
    from bnpg_math.games.reading import read_game

    check_new(out)
    try:
        game = announce(read_game(source, gamma, actions, initial))
    except MemoryError:
        raise InputError(f"game file {source} does not fit into memory") from None
    save_new(game, out, whole=False)
    result: dict[str, Any] = {
        "file": str(out.absolute()),
        "name": game.name,
        "agents": game.agents,
        "states": game.states,
        "actions": list(game.actions),
        "gamma": game.gamma,
        "notices": list(game.notices),
        "bytes": out.stat().st_size,
    }
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(f"{out}: {sizes(game.agents, game.states, game.actions)}, gamma {game.gamma:g}")
