"""`bnpg train --dag learned`: trained on the complete graph, pruned to a budget, and trained on."""

from collections.abc import Callable
from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.asked_experiment import AskedExperiment
from bnpg.cli.launching import launch_run
from bnpg.counting import counting
from bnpg.edges import EPISODES
from bnpg.edges.document import as_json as document_of
from bnpg.edges.document import as_text, named
from bnpg.edges.measuring import graphs_to_measure
from bnpg.edges.of_run import edges_of_run
from bnpg.edges.starting_from import LEARNED, policy_from
from bnpg.experiment_plan import ExperimentPlan
from bnpg.kept_measurements import keep
from bnpg.launchers.settings import LaunchSettings
from bnpg.report.recorded_run import read_run
from bnpg.run_creation import check_free, chosen_folder
from bnpg.run_folder import EDGE_VALUES, RunFolder
from bnpg_math.errors import InputError


def train_learned(
    asked: AskedExperiment,
    settings: LaunchSettings,
    budget: int | None,
    out: Path | None,
    create: Callable[[ExperimentPlan, Path], RunFolder],
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Train on the complete graph in a folder of its own, prune, and train on in another.

    Returns the exit code.

    Parameters
    ----------
    asked : AskedExperiment
        Its DAG is what is sought.
    settings : LaunchSettings
    budget : int or None
        How many edges may be left.
    out : Path or None
        The run folder of the pruned graph; that of the complete one has `-dense` behind its name.
    create : callable
        Makes the folder of a planned run.
    """
    check_free(out)  # before hours of training on the complete graph
    plan = asked.with_options({"dag": "complete"}).plan(quiet, patience=settings.patience)
    target = chosen_folder(plan.name, out)
    dense = create(plan, target.with_name(f"{target.name}-dense"))
    code = launch_run(dense, settings, as_json=False, quiet=quiet, shown=not as_json)
    if code != ExitCode.DONE:
        words = "" if budget is None else f" --budget {budget}"
        then = f"bnpg edges {dense.path}{words}, and bnpg train --from {dense.path} --dag PROPOSAL"
        click.echo(f"bnpg: no graph was learnt yet; when that run is done: {then}", err=True)
        return code
    recorded = read_run(dense.path)
    with counting("graphs", graphs_to_measure(recorded.dag, budget), quiet) as count:
        found = edges_of_run(recorded, budget, EPISODES, count)
    click.echo(as_text(found, dense.path, dense.identity["game"], following=False), err=as_json)
    keep(recorded, EDGE_VALUES, document_of(found))
    pruned = asked.with_options({"dag": named(found.proposal)})
    policy = policy_from(dense.path, {key: one for key, one in pruned.fields.items() if key != "initial"})
    plan = pruned.plan(quiet, initial=policy, patience=settings.patience)
    return launch_run(create(plan, target), settings, as_json=as_json, quiet=quiet)


def check_budget(dag: str | None, budget: int | None) -> None:
    """Refuse a budget of edges where none are learnt.

    Raises
    ------
    InputError
    """
    if budget is not None and dag != LEARNED:
        raise InputError("--budget says how many edges a learned graph may have: give --dag learned too")
