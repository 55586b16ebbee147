"""`bnpg verify`: the paper's claims, checked on real games."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.errors import tell_error
from bnpg.cli.options import debug_option, integer, json_option, quiet_option


@click.command(short_help="Check the paper's claims on real games.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("verification"), show_default=True, metavar="DIR"
)
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    default=None,
    metavar="DIR",
    help="Instead look whether a value ever falls in an exact run, made again (Theorems A and B).",
)
@click.option("--seeds", type=integer(1), default=None, metavar="N", help="Random games of each kind.  [3]")
@click.option("--quick", is_flag=True, help="Fewer games, one seed.")
@json_option
@quiet_option
@debug_option
def verify(out: Path, run: Path | None, seeds: int | None, quick: bool, as_json: bool, quiet: bool) -> int:
    """Check lemmas, theorems, invariants, counterexamples and reference values; write a report with figures.

    The exit code is 5 if a corrected or tight claim fails. What is printed in the paper is checked too, and
    reported; where it is wrong, that is no failure.
    """
    import json

    from bnpg.counting import counting
    from bnpg.lab.verify.verification import count_places, write_report
    from bnpg.lab.verify.verification import verify as check

    if run is not None:
        return _of_a_run(run, as_json)
    wanted = seeds if seeds is not None else 1 if quick else 3
    with counting("places", count_places(wanted, quick), quiet) as count:
        verification = check(wanted, quick, count)
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
        tell_error(f"violation: {finding.claim} ({finding.form}) at {finding.where}")
    write_report(verification, out)
    return int(ExitCode.VIOLATION if found else ExitCode.DONE)


def _of_a_run(folder: Path, as_json: bool) -> int:
    """Check the monotonicity of one run."""
    import json

    from bnpg.lab.verify.of_a_run import check_monotone
    from bnpg.run_folder import RunFolder

    run = RunFolder(folder)
    found = check_monotone(run)
    recorded = (run.summary or {}).get("policy_digest")
    same = None if recorded is None else recorded == found.digest
    why = []
    if not found.holds:
        why.append(f"a value falls by {found.largest_fall:.3g} in update {found.round}")
    if same is False:
        why.append("the policy of the run is not that of its experiment")
    if as_json:
        fields = ("rounds", "nodes", "largest_fall", "rounding")
        numbers = {field: getattr(found, field) for field in fields}
        click.echo(json.dumps({"violations": len(why), **numbers, "same_policy": same}))
    else:
        click.echo(
            f"{found.rounds} updates, {found.nodes} values after each: the largest fall is "
            f"{found.largest_fall:.3g}, of which {found.rounding:.2g} may be rounding"
        )
    for reason in why:
        tell_error(f"violation: {reason}")
    return int(ExitCode.VIOLATION if why else ExitCode.DONE)
