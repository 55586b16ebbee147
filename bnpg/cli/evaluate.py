"""`bnpg evaluate`: judge a policy exactly."""

from pathlib import Path
from typing import Any

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.options import debug_option, json_option, number, quiet_option

_path = click.Path(path_type=Path)


@click.command(short_help="Judge a policy exactly.")
@click.argument("game", metavar="GAME|RUN")
@click.option(
    "--policy",
    type=_path,
    metavar="POLICY.npz",
    help="The policy to be judged; of the folder of a run its own is.",
)
@click.option(
    "--regularization",
    type=number(positive=False),
    default=None,
    metavar="LAMBDA",
    help="Weight of the log barrier in the objective, the gradient and the lemmas.  [0, or the run's own]",
)
@click.option("--mismatch", is_flag=True, help="Compute M too: twice as many games as there are states.")
@click.option(
    "--best-response",
    type=_path,
    metavar="FILE.npz",
    help="Write every agent's best response to the others, a policy file: edges, pi_0, pi_1, ..",
)
@click.option("--gradient-out", type=_path, metavar="FILE.npz", help="Write the gradient, grad_0, grad_1, ..")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "latex", "csv"]),
    default="table",
    show_default=True,
    help="Of the human form.",
)
@json_option
@quiet_option
@debug_option
def evaluate(
    game: str,
    policy: Path | None,
    regularization: float | None,
    mismatch: bool,
    best_response: Path | None,
    gradient_out: Path | None,
    form: Any,
    as_json: bool,
    quiet: bool,
) -> int:
    """Judge a policy on a game, or a run's, exactly: value, gaps, gradient, and what the lemmas promise.

    The lemmas come in three forms: as printed, as corrected, and tight; the first two promise something only
    with M (--mismatch).
    """
    import json

    from bnpg.api.recorded import load_run
    from bnpg.counting import counting
    from bnpg.evaluation.document import as_json as document_of
    from bnpg.evaluation.document import as_text
    from bnpg.evaluation.measure import measure
    from bnpg.known_game import JUDGED, known_game
    from bnpg.named_place import check_place
    from bnpg.notices import announce
    from bnpg_math.exact.equilibrium import best_response as respond
    from bnpg_math.learning.regularization import Regularization
    from bnpg_math.policies.file import policy_arrays
    from bnpg_math.policies.joint import Policy, check_policy
    from bnpg_math.policies.network_file import read_policy

    for file in (best_response, gradient_out):
        if file is not None:
            check_place(file)
    weight: Regularization = regularization or 0.0
    if policy is None:
        if not Path(game).is_dir():
            raise click.UsageError(
                "Missing option '--policy': it goes with a game; the folder of a run needs none"
            )
        run = load_run(game)
        played, candidate = run.game, run.policy
        digest = candidate.digest
        if regularization is None:
            weight = run.experiment.weights(run.dag, played.actions)
    else:
        played = announce(known_game(game, JUDGED))
        given = announce(read_policy(policy))
        candidate = given if isinstance(given, Policy) else given.tabulated(played.states)
        check_policy(candidate, played)
        digest = given.digest
    with counting("states", played.states, quiet or not mismatch) as count:
        measured = measure(played, candidate, weight, mismatch, lambda _done, _of: count())
    if as_json:
        digests = {"policy_digest": digest, "game_digest": played.digest}
        click.echo(json.dumps(document_of(measured) | digests))
    else:
        click.echo(as_text(measured, form))
    if gradient_out is not None:
        _write(gradient_out, {f"grad_{agent}": grad for agent, grad in enumerate(measured.gradients)})
    if best_response is not None:
        answers = [respond(played, candidate.dag, candidate.tables, agent) for agent in range(played.agents)]
        answered = Policy.from_tables(candidate.dag, [answer.policy for answer in answers])
        _write(best_response, policy_arrays(answered))
    return int(ExitCode.DONE)


def _write(path: Path, arrays: dict[str, Any]) -> None:
    import io

    import numpy as np

    from bnpg.named_place import write_named

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_named(path, buffer.getvalue())
