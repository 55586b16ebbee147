"""`bnpg dag`: which graph a team should use."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.options import debug_option, integer, json_option, number
from bnpg.cli.suggestions import SuggestingGroup


@click.group(cls=SuggestingGroup, short_help="Advise on the graph of a team.")
def dag() -> None:
    """Find out which graph a team should use."""


@dag.command(short_help="Say what a graph guarantees and costs for a game, and propose others.")
@click.argument("game", metavar="GAME")
@click.option(
    "--dag",
    "text",
    default="line",
    show_default=True,
    metavar="NAME|EDGES|FILE",
    help="The graph that is asked about: empty, line, star, complete, edges such as 0-1,0-2, or a file.",
)
@click.option(
    "--at",
    default="uniform",
    show_default=True,
    metavar="uniform|optimal|POLICY.npz",
    help="The policy at which the price of missing edges is measured; optimal means at Q*.",
)
@click.option("--budget", type=integer(0), default=None, metavar="K", help="Propose no more edges than K.")
@click.option(
    "--epsilon",
    type=number(positive=True),
    default=None,
    metavar="EPS",
    help="The optimality gap for which rounds are predicted.  [2 % of the range of returns]",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE.html",
    help="Also write a page of HTML with the graphs drawn; an existing file is refused.",
)
@json_option
@debug_option
def advise(
    game: str,
    text: str,
    at: str,
    budget: int | None,
    epsilon: float | None,
    report: Path | None,
    as_json: bool,
) -> int:
    """Say whether a graph is perfect and a game additive over it, what missing edges cost, and what to try.

    Where the graph is perfect and the game additive over it, training can reach the optimum as on the
    complete graph, with fewer parameters and messages. The price xi says how far the game is from that.

    \b
    Examples:
      bnpg dag advise climbing --dag empty
      bnpg dag advise "coordination(agents=3)" --budget 2 --report advice.html
    """  # noqa: D301 (\b keeps click from wrapping)
    import json

    from bnpg.advice.advice import advise as advise_on
    from bnpg.advice.document import as_json as document_of
    from bnpg.advice.document import as_text
    from bnpg.advice.page import write_page
    from bnpg.known_game import ADVISED, known_game
    from bnpg.named_place import check_place
    from bnpg_math.arrays.joint import joint_policy
    from bnpg_math.dag.text import parse_dag
    from bnpg_math.errors import InputError
    from bnpg_math.policies.joint import Policy, check_policy
    from bnpg_math.policies.network_file import read_policy

    if report is not None and report.exists():
        raise InputError(f"{report} exists already and is never overwritten")
    if report is not None:
        check_place(report)
    played = known_game(game, ADVISED)
    pi = None
    if at not in ("uniform", "optimal"):
        given = read_policy(Path(at))
        policy = given if isinstance(given, Policy) else given.tabulated(played.states)
        check_policy(policy, played)
        pi = joint_policy(policy.tables, policy.dag)
    advice = advise_on(played, parse_dag(text, played.agents), at, pi, budget, epsilon)
    click.echo(json.dumps(document_of(advice)) if as_json else as_text(advice))
    if report is not None:
        write_page(advice, report)
    return int(ExitCode.DONE)
