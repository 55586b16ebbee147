"""`bnpg verify`: the paper's claims, checked on real games."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.options import debug_option, integer, json_option, quiet_option


@click.command(short_help="Check the paper's claims on real games.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("verification"), show_default=True, metavar="DIR"
)
@click.option("--seeds", type=integer(1), default=None, metavar="N", help="Random games of each kind.  [3]")
@click.option("--quick", is_flag=True, help="Fewer games, one seed.")
@json_option
@quiet_option
@debug_option
def verify(out: Path, seeds: int | None, quick: bool, as_json: bool, quiet: bool) -> int:
    """Check lemmas, theorems, invariants, counterexamples and reference values; write a report with figures.

    The exit code is 5 if a corrected or tight claim fails. What is printed in the paper is checked too, and
    reported; where it is wrong, that is no failure.
    """
    import json

    from bnpg.counting import counting
    from bnpg.lab.verify.verification import count_places, write_report
    from bnpg.lab.verify.verification import verify as run
    from bnpg_math.errors import InputError

    wanted = seeds if seeds is not None else 1 if quick else 3
    with counting("places", count_places(wanted, quick), quiet) as count:
        verification = run(wanted, quick, count)
    try:
        write_report(verification, out)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from None
    found = verification.violations
    if as_json:
        rows = {f"{row['claim']}, {row['form']}": row["checks"] for row in verification.rows()}
        click.echo(json.dumps({"violations": len(found), "checks": rows, "report": str(out / "report.html")}))
    else:
        for row in verification.rows():
            closest = f", closest {row['closest']}" if row["closest"] else ""
            click.echo(
                f"  {row['claim']} ({row['form']}): {row['checks']} checks, {row['holds']} hold{closest}"
            )
        click.echo(f"{len(verification.findings)} checks, {len(found)} violations; see {out / 'report.html'}")
    for finding in found:
        click.echo(f"bnpg: error: violation: {finding.claim} ({finding.form}) at {finding.where}", err=True)
    return int(ExitCode.VIOLATION if found else ExitCode.DONE)
