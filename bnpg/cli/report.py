"""`bnpg report`: one page of HTML for a run, or for the comparison of several."""

import json
from pathlib import Path

import click

from bnpg.cli.options import debug_option, json_option


@click.command(short_help="Write a page of HTML about a run, or comparing several.")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Where to write it.  [DIR/report.html; for several comparison.html]",
)
@click.option("--force", is_flag=True, help="Replace a file that --out names.")
@json_option
@debug_option
def report(folders: tuple[Path, ...], out: Path | None, force: bool, as_json: bool) -> None:
    """Write one self-contained page of HTML: curves, team, messages, faults, and how to do it again.

    Several folders are compared: runs that differ in their seeds alone form a group, and groups are compared
    with the first one, seed by seed. The page opens without a network. A report within the run folder is
    written anew each time.

    \b
    Examples:
      bnpg report runs/mine
      bnpg report runs/empty-* runs/complete-* --out empty-or-complete.html
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg.named_place import check_place, write_named
    from bnpg.report.comparison_page import comparison_report
    from bnpg.report.page import render_page
    from bnpg.report.recorded_run import read_run
    from bnpg.report.run_page import run_report
    from bnpg_math.errors import InputError

    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError("a run is named twice; expected different folders")
    target = out or (folders[0] / "report.html" if len(folders) == 1 else Path("comparison.html"))
    if target.is_dir():
        raise InputError(f"{target} is a folder; expected the name of a file such as report.html")
    if target.exists() and not force and (out is not None or len(folders) > 1):
        raise InputError(f"{target} exists already; choose another --out, or add --force")
    runs = [read_run(folder) for folder in folders]
    followed = out is not None or len(folders) > 1
    check_place(target, followed=followed)
    page = run_report(runs[0]) if len(runs) == 1 else comparison_report(runs)
    content = render_page(page).encode()
    write_named(target, content, followed=followed)
    sections = [section.name for section in page.sections]
    found = {"file": str(target.absolute()), "bytes": len(content), "runs": len(runs), "sections": sections}
    click.echo(
        json.dumps(found) if as_json else f"{target}: {len(content) / 1024:.0f} KiB, open it in any browser"
    )
