"""`bnpg export`: what runs came to, for other programs."""

import json
from pathlib import Path

import click

from bnpg.cli.options import debug_option, json_option


@click.command(short_help="Write what runs came to for other programs.")
@click.argument("folders", metavar="RUN...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--to",
    "form",
    type=click.Choice(["safetensors", "marl-eval"]),
    required=True,
    help="`safetensors`: the parameters of a run's agents, which load into torch by name. "
    "`marl-eval`: what runs measured, as its raw data.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where: a folder for parameters, a file for raw data; left out RUN/exported, or marl-eval.json. "
    "Nothing is overwritten.",
)
@click.option(
    "--algorithm",
    metavar="NAME",
    help="What marl-eval calls these runs.  [update, policy and graph of each]",
)
@json_option
@debug_option
def export(
    folders: tuple[Path, ...], form: str, out: Path | None, algorithm: str | None, as_json: bool
) -> None:
    """Write what runs came to for other programs.

    To `safetensors`: a file for each agent, with its parameters after the last round that all have stored.
    Those of networks are named as in torch.nn.Sequential(Linear, Tanh, Linear, ..); a table is one array,
    theta.

    To `marl-eval`: one JSON file of all runs, by environment, task, algorithm and seed, with what each
    measured, step by step and in the end.
    """
    from bnpg.exports.marl_eval import as_raw_data, write_raw_data
    from bnpg.exports.parameters import export_parameters
    from bnpg.report.recorded_run import read_run
    from bnpg_math.errors import InputError

    if form == "safetensors":
        if len(folders) > 1:
            raise InputError(f"--to safetensors takes one run, got {len(folders)}")
        if algorithm is not None:
            raise InputError("--algorithm is what marl-eval calls runs: give --to marl-eval too")
        files = export_parameters(read_run(folders[0]), out or folders[0] / "exported")
    else:
        files = [out or Path("marl-eval.json")]
        write_raw_data(as_raw_data([read_run(folder) for folder in folders], algorithm), files[0])
    if as_json:
        click.echo(json.dumps({"format": form, "files": [str(file) for file in files]}))
    else:
        for file in files:
            click.echo(file)
