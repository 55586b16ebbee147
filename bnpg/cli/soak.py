"""`bnpg soak`: simulate runs under random faults, as many as asked."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.errors import tell_error
from bnpg.cli.options import debug_option, integer, json_option, quiet_option


@click.command(short_help="Simulate runs under random faults.")
@click.option("--schedules", type=integer(1), default=1000, show_default=True, metavar="N", help="How many.")
@click.option(
    "--first", type=integer(0), default=0, show_default=True, metavar="K", help="number of the first one."
)
@click.option(
    "--files",
    type=integer(0),
    default=100,
    show_default=True,
    metavar="N",
    help="Compare all files of every N-th too; 0 for none.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("broken-promise"),
    show_default=True,
    help="Where to write the experiment and the plan of a run that breaks the promise.",
)
@json_option
@quiet_option
@debug_option
def soak(schedules: int, first: int, files: int, out: Path, as_json: bool, quiet: bool) -> int:
    """Simulate whole runs in virtual time: random games, DAGs, orders of delivery and faults.

    Each must come to the very bits of its fault-free twin. One in so many is played on the disk too, with a
    trace, and must leave the very files: record, summary, certificate, curves, policy, and nothing else. The
    first that does not is shrunk and written to files that `bnpg train OUT/experiment.toml --faults
    OUT/plan.toml` replays; the exit code is 5 then.
    """
    import json
    import time

    from bnpg.counting import counting
    from bnpg.lab.soak.files import broken_files
    from bnpg.lab.soak.promise import broken_promise, shrink
    from bnpg.lab.soak.schedule import draw_schedule

    started = time.monotonic()
    with counting("schedules", schedules, quiet) as count:
        for number in range(first, first + schedules):
            schedule = draw_schedule(number)
            why = broken_promise(schedule)
            if why is None and files and number % files == 0:
                why = broken_files(schedule)
            if why is not None:
                break
            count()
    seconds = time.monotonic() - started
    kept = number - first + (why is None)
    found: dict[str, object] = {"schedules": kept, "seconds": round(seconds, 3), "broken": why}
    if why is not None:
        experiment, plan = shrink(schedule).write(out)
        found |= {"number": number, "replay": f"bnpg train {experiment} --faults {plan}"}
        tell_error(f"schedule {number} breaks the promise: {why}")
        click.echo(f"replay it with: {found['replay']}", err=True)
    if as_json:
        click.echo(json.dumps(found))
    elif why is None:
        click.echo(f"{kept} schedules kept the promise, {kept / seconds:.0f} a second")
    return int(ExitCode.DONE if why is None else ExitCode.VIOLATION)
