"""`bnpg bench`: measure this machine, side by side with the bare sockets and with one process."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.errors import tell_error
from bnpg.cli.options import debug_option, json_option, quiet_option, words

LETTERS = ("a", "b", "f", "g", "h", "i", "j")


@click.command(short_help="Measure speed, side by side with bare sockets.")
@click.option(
    "--only",
    type=words(LETTERS),
    default=",".join(LETTERS),
    metavar="LETTER,..",
    help="Some of: a one step, b many lanes, f start-up, g switches, h simulators, i transports, j relay.  "
    "[all]",
)
@click.option("--quick", is_flag=True, help="Fewer repetitions, and only the sizes with a target.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="Keep every sample there.",
)
@json_option
@quiet_option
@debug_option
def bench(only: tuple[str, ...], quick: bool, out: Path | None, as_json: bool, quiet: bool) -> int:
    """Measure how fast runs are on this machine.

    Every benchmark measures bnpg and what it is compared with in turns, several times, and shows the median
    of the ratios with its quartiles. Everything takes about ten minutes, with --quick about two. The
    system's temporary folder holds the runs meanwhile.

    \b
    Examples:
      bnpg bench --quick
      bnpg bench --only a --out step.json
    """  # noqa: D301 (\b keeps click from wrapping)
    import msgspec

    from bnpg.lab.bench.document import Benchmark
    from bnpg.lab.bench.effort import FULL, QUICK
    from bnpg.lab.bench.suite import BENCHMARKS, check_place, run_suite, write_results
    from bnpg.lab.bench.words import benchmark_lines

    def show(found: Benchmark) -> None:
        if not (as_json and quiet):
            click.echo("\n".join(benchmark_lines(found)), err=as_json)

    if out is not None:
        check_place(out)
    results = run_suite({letter: BENCHMARKS[letter] for letter in only}, QUICK if quick else FULL, show)
    if out is not None:
        write_results(results, out)
    for letter, why in results.not_measured.items():
        tell_error(f"{letter} could not be measured: {why}")
    if as_json:
        click.echo(msgspec.json.encode(results))
    return int(ExitCode.PEER_FAILED if results.not_measured else ExitCode.DONE)
