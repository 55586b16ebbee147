"""`bnpg best-response`: what one agent of a trained team still gains on its own."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.best_response import EPISODES, LANES, ROUNDS
from bnpg.cli.options import debug_option, episodes_option, integer, json_option, quiet_option


@click.command(short_help="Train one agent of a run alone: a lower bound of its Nash gap.")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--agent", type=integer(0), default=None, metavar="I", help="Which one.  [each, in turn]")
@click.option(
    "--rounds",
    type=integer(1),
    default=ROUNDS,
    show_default=True,
    metavar="R",
    help="For how long it is trained.",
)
@click.option(
    "--lanes",
    type=integer(1),
    default=LANES,
    show_default=True,
    metavar="B",
    help="Parallel lanes of a round.",
)
@episodes_option(EPISODES, "Episodes by which its gain is measured")
@json_option
@quiet_option
@debug_option
def best_response(
    folder: Path, agent: int | None, rounds: int, lanes: int, episodes: int, as_json: bool, quiet: bool
) -> int:
    """Train one agent alone while the others keep to what the run came to, and measure what it gains.

    What it gains, its Nash gap is at least: the low end of the interval is a lower bound with a confidence of
    97.5 %, as far as the normal approximation goes. It is no certificate: a better response may exist that
    was not found. Where the model of the game is known, the exact gap stands beside it. Of a run that is done
    it is kept in RUN/best-response.json, and shown in its report.
    """
    import json

    from bnpg.best_response.document import as_json as document_of
    from bnpg.best_response.document import as_text
    from bnpg.best_response.training import best_response as respond
    from bnpg.counting import counting
    from bnpg.kept_measurements import keep
    from bnpg.report.recorded_run import read_run
    from bnpg.run_folder import BEST_RESPONSES

    run = read_run(folder)
    agents = range(run.dag.agents) if agent is None else [agent]
    found = []
    with counting("agents", len(agents), quiet) as count:
        for responder in agents:
            found.append(respond(run, responder, rounds, lanes, episodes))
            count()
    document = document_of(found)
    click.echo(json.dumps(document) if as_json else as_text(found, run.identity["game"]))
    keep(run, BEST_RESPONSES, document)
    return int(ExitCode.DONE)
