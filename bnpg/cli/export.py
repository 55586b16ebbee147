"""`bnpg export`: the parameters of a run's agents for other programs."""

import json
from pathlib import Path

import click

from bnpg.cli.options import debug_option, json_option


@click.command(short_help="Write the parameters of a run's agents for other programs.")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["safetensors"]),
    required=True,
    help="The format; `safetensors` loads into torch by name.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where; RUN/exported if left out. Nothing is overwritten.",
)
@json_option
@debug_option
def export(folder: Path, form: str, out: Path | None, as_json: bool) -> None:
    """Write a file for each agent, with its parameters after the last round that all have stored.

    Those of networks are named as in torch.nn.Sequential(Linear, Tanh, Linear, ..); a table is one array,
    theta.
    """
    from bnpg.exports.parameters import export_parameters
    from bnpg.report.recorded_run import read_run

    files = export_parameters(read_run(folder), out or folder / "exported")
    if as_json:
        click.echo(json.dumps({"format": form, "files": [str(file) for file in files]}))
    else:
        for file in files:
            click.echo(file)
