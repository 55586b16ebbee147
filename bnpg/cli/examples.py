"""`bnpg examples`: what comes with the package, to be read, copied and run."""

from pathlib import Path

import click

from bnpg.cli.options import debug_option


@click.command(short_help="List, print or copy the examples that come with bnpg.")
@click.argument("name", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Copy it there: a file, or a folder; without NAME all of them. What is there already is refused.",
)
@debug_option
def examples(name: str | None, out: Path | None) -> None:
    """List the examples, print one, or copy it.

    \b
    Examples:
      bnpg examples
      bnpg examples coordination.toml
      bnpg examples --out examples
      bnpg examples gallery --out gallery
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg.examples_shipped import copied, listed, text_of

    if out is not None:
        click.echo(f"{copied(name, out)}")
    elif name is not None:
        click.echo(text_of(name), nl=False)
    else:
        found = listed()
        width = max(map(len, found))
        for example, title in found.items():
            click.echo(f"  {example:<{width}}  {title}")
        click.echo("\nCopy them: bnpg examples --out examples")
