"""`bnpg trace`: prove from its trace that a run was in order, and draw what happened."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.errors import tell_error
from bnpg.cli.options import debug_option, integer, json_option
from bnpg.cli.suggestions import SuggestingGroup


@click.group(cls=SuggestingGroup, short_help="Prove that a run was in order; draw its messages.")
def trace() -> None:
    """Work with the message trace of a run made with `bnpg train --trace`."""


@trace.command(short_help="Prove order and exactly-once from the files alone.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--reference/--no-reference",
    default=True,
    help="Whether to compare every theta with that of the run in memory.  [reference]",
)
@json_option
@debug_option
def check(folder: Path, reference: bool, as_json: bool) -> int:
    """Prove order and exactly-once from DIR/trace/*.jsonl.

    The exit code is 0, with counts, or 5, with the first violation and the events that show it. The trace of
    a run that is under way may not be checked.
    """
    import json

    from bnpg.lab.proof.check import check_trace
    from bnpg.lab.proof.reference import check_reference
    from bnpg.launchers.settings import TRACE_FOLDER
    from bnpg.resumption import concluded
    from bnpg.run_folder import RunFolder
    from bnpg.trace.heads import HEADS_FILE, check_heads
    from bnpg.trace.reading import Violation, lengths, read_trace
    from bnpg_math.errors import InputError

    run = RunFolder(folder)
    before = lengths(folder / TRACE_FOLDER)
    try:
        lives = read_trace(folder / TRACE_FOLDER)
        sealed = check_heads(folder, lives)
        proof = check_trace(lives, concluded(run))
        if reference:
            check_reference(folder, proof)
    except Violation as violation:
        if lengths(folder / TRACE_FOLDER) != before:
            raise InputError(f"{folder} is being written: check it when the run is over") from None
        events = [str(event) for event in violation.events]
        if as_json:
            click.echo(json.dumps({"violation": violation.why, "events": events}))
        tell_error(f"violation: {violation.why}")
        for event in events:
            click.echo(f"  {event}", err=True)
        return int(ExitCode.VIOLATION)
    fields = ("processes", "lives", "events", "messages", "acts", "rounds", "updates")
    counts = {field: getattr(proof, field) for field in fields}
    rare = {"cut_off": proof.cut_off, "applied_again": proof.again}
    if as_json:
        more = {
            "state": proof.state,
            "reference": reference,
            "sealed": sealed,
            "broken_off": list(proof.broken_off),
        }
        click.echo(json.dumps({"violation": None} | counts | rare | more))
        return int(ExitCode.DONE)
    click.echo("in order: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    if proof.cut_off:
        click.echo(f"{proof.cut_off} messages were cut off by deaths or by the end, as they may be")
    if proof.again:
        click.echo(f"{proof.again} updates were applied again after a death, with the same result")
    for place in proof.broken_off:
        click.echo(f"{place} is the last line before a full disk: what that process did then is not recorded")
    if reference:
        click.echo("all that was said, and every theta, is that of the run recomputed in memory, bit for bit")
    if proof.state != "done":
        click.echo(f"the run is not done ({proof.state}): this holds as far as it went")
    if not sealed:
        click.echo(f"there is no {HEADS_FILE}: the last lines of a killed process could be missing unseen")
    return int(ExitCode.DONE)


@trace.command(short_help="Draw the message sequence of a round and turn.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--round", "round_", type=integer(0), default=0, show_default=True, metavar="R")
@click.option(
    "--turn",
    "--step",
    "turn",
    type=integer(0),
    default=None,
    metavar="T",
    help="Only this turn.  [the whole round]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.svg|.html",
    help="Draw into a file, instead of listing on the terminal.",
)
@click.option(
    "--perfetto",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Export the whole trace for ui.perfetto.dev or chrome://tracing.",
)
@debug_option
def show(folder: Path, round_: int, turn: int | None, out: Path | None, perfetto: Path | None) -> int:
    """Draw the messages of one round, or of one turn of it: who sent what to whom, and when."""
    from bnpg.launchers.settings import TRACE_FOLDER
    from bnpg.named_place import check_place
    from bnpg.run_folder import RunFolder
    from bnpg.trace.perfetto import perfetto_json
    from bnpg.trace.reading import Violation, read_trace
    from bnpg.trace.sequence import sequence, sequence_svg, sequence_text
    from bnpg_math.errors import InputError

    RunFolder(folder)
    if out is not None and out.suffix not in (".svg", ".html"):
        raise click.UsageError(f"--out must end in .svg or .html, got {str(out)!r}")
    for file in (out, perfetto):
        if file is not None:
            check_place(file)
    try:
        lives = read_trace(folder / TRACE_FOLDER)
    except Violation as violation:
        raise InputError(f"the trace cannot be drawn: {violation.why}") from None
    if perfetto is not None:
        _write(perfetto, perfetto_json(lives))
        return int(ExitCode.DONE)
    drawn = sequence(lives, round_, turn)
    if out is None:
        click.echo(sequence_text(drawn))
    else:
        from bnpg.report.messages import sequence_html

        _write(out, sequence_svg(drawn) if out.suffix == ".svg" else sequence_html(drawn))
    return int(ExitCode.DONE)


def _write(path: Path, text: str) -> None:
    from bnpg.named_place import write_named

    write_named(path, text.encode())
    click.echo(f"{path} written")
