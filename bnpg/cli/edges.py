"""`bnpg edges`: what each edge of a trained policy is worth."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.options import debug_option, episodes_option, integer, json_option, quiet_option
from bnpg.edges import EPISODES


@click.command(short_help="Measure what each edge of a policy is worth.")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--budget",
    type=integer(0),
    default=None,
    metavar="K",
    help="Propose at most K edges.  [as few as lose nothing that was measured]",
)
@episodes_option(EPISODES, "Episodes that are played on every graph")
@json_option
@quiet_option
@debug_option
def edges(folder: Path, budget: int | None, episodes: int, as_json: bool, quiet: bool) -> int:
    """Measure what the team of a run would lose without each edge, and propose which to keep.

    Where an edge is taken out, the child's policy is averaged over the parent's action; nothing is trained.
    The same random numbers are used with and without, so small differences show. Edges are then given up one
    by one, the cheapest first. The proposal is trained further with
    `bnpg train GAME --from RUN --dag PROPOSAL`. Of a run that is done the values are kept in RUN/edges.json,
    and its report shows them on the drawn DAG.
    """
    import json

    from bnpg.counting import counting
    from bnpg.edges.document import as_json as document_of
    from bnpg.edges.document import as_text
    from bnpg.edges.measuring import graphs_to_measure
    from bnpg.edges.of_run import edges_of_run
    from bnpg.kept_measurements import keep
    from bnpg.report.recorded_run import read_run
    from bnpg.run_folder import EDGE_VALUES

    run = read_run(folder)
    with counting("graphs", graphs_to_measure(run.dag, budget), quiet) as count:
        found = edges_of_run(run, budget, episodes, count)
    document = document_of(found)
    click.echo(json.dumps(document) if as_json else as_text(found, folder, run.identity["game"]))
    keep(run, EDGE_VALUES, document)
    return int(ExitCode.DONE)
