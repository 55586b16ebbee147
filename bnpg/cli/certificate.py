"""`bnpg certificate`: verify what a run proves of its policy."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.errors import tell_error
from bnpg.cli.options import debug_option, json_option
from bnpg.cli.suggestions import SuggestingGroup


@click.group(cls=SuggestingGroup, short_help="Verify what a run proves of its policy.")
def certificate() -> None:
    """Work with the certificate that a run leaves behind."""


@certificate.command(short_help="Verify certificate.json in exact rational arithmetic.")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@json_option
@debug_option
def check(folder: Path, as_json: bool) -> int:
    """Verify RUN/certificate.json in exact rational arithmetic, from the game and the policy of the run.

    The exit code is 0 if it is of this run and every entry holds, or 5 with what does not. The same check as
    a script that needs nothing but Python: bnpg/certified/exact_check.py.
    """
    import json

    from bnpg.certified.checking import check_certificate

    verdict = check_certificate(folder)
    if as_json:
        click.echo(json.dumps(verdict.as_json()))
    for finding in verdict.findings if not as_json else ():
        if finding.holds:
            click.echo(str(finding))
    if not verdict.findings and not as_json:
        click.echo("nothing is proved, so nothing can be wrong")
    for violation in verdict.as_json()["violations"]:
        tell_error(f"violation: {violation}")
    return int(ExitCode.DONE if verdict.holds else ExitCode.VIOLATION)
